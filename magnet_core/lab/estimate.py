"""What a run will take, before it is begun: calls, tokens, and a price where one is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from magnet_core.domain import Usage, Value
from magnet_core.lab.texts import tokens
from magnet_core.lab.trials import Sample, Trial
from magnet_core.models import REHEARSAL
from magnet_core.scoring import expectation


class Cost(Value):
    """What a run will take, before it is begun; tokens are estimates."""

    calls: int
    rehearsed: int = 0
    """Of these, to the rehearsal cast, which is authored and uses no tokens."""
    tokens_in: int
    tokens_out: int
    price: float | None = None
    """In US dollars; None where no price is known for a model."""


class Used(Value):
    """What a run has taken, as far as endpoints said."""

    calls: int
    """Answers that came, but for the rehearsal cast's."""
    tokens_in: int
    tokens_out: int
    uncounted: int
    """Answers whose endpoint did not say what they used."""
    price: float | None = None
    """In US dollars; None where a count or a price is not known."""


def cost(trials: Sequence[Trial], price: Mapping[str, tuple[float, float]] | None = None) -> Cost:
    """Return about what trials take; `price` holds dollars for a million tokens in and out, by model."""
    asked = [(*one, trial.repeats) for trial in trials for one in _asked(trial)]
    paid = [one for one in asked if one[0] != REHEARSAL]
    rates = price or {}
    known = all(model in rates for model, *_ in paid)
    dollars = sum(n * (read * rates[m][0] + written * rates[m][1]) / 1e6 for m, read, written, n in paid) if known else None
    return Cost(
        calls=sum(n for *_, n in asked),
        rehearsed=sum(n for *_, n in asked) - sum(n for *_, n in paid),
        tokens_in=sum(read * n for _, read, _, n in paid),
        tokens_out=sum(written * n for _, _, written, n in paid),
        price=dollars if trials else None,
    )


def used(samples: Sequence[Sample], priced: Callable[[str, Usage], float | None]) -> Used:
    """Return what answers, and the verdicts of judges on them, have taken; `priced` tells what a model's tokens cost."""
    calls = [(s.model, s.usage) for s in samples if not s.error]
    calls += [(s.verdict.judge, s.verdict.usage) for s in samples if s.verdict and s.verdict.judge]
    paid = [(model, usage) for model, usage in calls if model != REHEARSAL]
    counted = [usage for _, usage in paid if usage.prompt_tokens is not None and usage.completion_tokens is not None]
    prices = [priced(model, usage) for model, usage in paid]
    return Used(
        calls=len(paid),
        tokens_in=sum(usage.prompt_tokens or 0 for usage in counted),
        tokens_out=sum(usage.completion_tokens or 0 for usage in counted),
        uncounted=len(paid) - len(counted),
        price=None if None in prices else sum(p for p in prices if p is not None),
    )


def _asked(trial: Trial) -> list[tuple[str, int, int]]:
    """Return who is asked in one repeat of a trial, with about how many tokens are read and written."""
    read = sum(tokens(message.content) for message in trial.messages)
    written = min(_usual_length(trial), trial.max_tokens or trial.player.max_tokens or trial.agent.max_tokens)
    found = [(trial.player.model.name, read, written)]
    if trial.question and trial.judge:
        request = expectation.request(trial.moment, "", trial.question, trial.judge_words)
        length = sum(tokens(message.content) for message in request) + written
        found.append((trial.judge.model.name, length, expectation.TOKENS // 3))
    return found


def _usual_length(trial: Trial) -> int:
    """Return how many tokens such an answer had in this session; a third of what it may have where there is none yet."""
    session = trial.moment.session
    calls = [*session.plan_calls, *(call for turn in session.turns for call in turn.calls)]
    lengths = [call.usage.completion_tokens or tokens(call.output) for call in calls if call.agent == trial.agent.name]
    return round(sum(lengths) / len(lengths)) if lengths else trial.agent.max_tokens // 3
