"""Judges' prompts tried out: a rating, a blind pair or a test case asked of a judge several times; nothing of it is kept as a score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any, Protocol

from magnet_core import prompts
from magnet_core.agents import Agent
from magnet_core.domain import Moment, Prompt, Session, Value
from magnet_core.guards import Answer, Problem
from magnet_core.lab import wordings
from magnet_core.lab.filling import Stretch, mark, stretches
from magnet_core.lab.trials import Sample, Trial
from magnet_core.models import Message
from magnet_core.profiles import intake_text
from magnet_core.scoring import expectation, pairs
from magnet_core.scoring.answers import Reading
from magnet_core.scoring.aspects import OVERALL, form
from magnet_core.scoring.instruments import numbered
from magnet_core.scoring.judge import JUDGE, TEMPERATURE, Question, room


class Asked(Protocol):
    """What a judge is asked."""

    @property
    def sha(self) -> str:
        """A short hash of everything the judge is told, the sessions apart."""
        ...

    @property
    def messages(self) -> tuple[Message, ...]: ...

    @property
    def schema(self) -> dict[str, Any]: ...

    @property
    def tokens(self) -> int:
        """How long an answer may be."""
        ...

    def given(self, raw: str) -> dict[str, float | str]:
        """Return what an answer gives, by what was asked; what cannot be read is left out."""
        ...

    def in_words(self, raw: str) -> str:
        """Return what an answer gives, for a reader; empty where nothing of it can be read."""
        ...

    def problem(self, raw: str) -> str:
        """Return why an answer cannot be used; empty where it can."""
        ...

    @property
    def shown(self) -> dict[str, str]:
        """What the judge is shown beside the words it is told, as it stands in the request, by what it is."""
        ...


@dataclass(frozen=True, slots=True)
class OnSession:
    """Some items of an instrument, or an own rubric, about one session."""

    question: Question

    @property
    def sha(self) -> str:
        return self.question.sheet.sha

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.question.sheet.request(self.question.session, self.question.items)

    @property
    def schema(self) -> dict[str, Any]:
        return self.question.sheet.schema(self.question.items)

    @property
    def tokens(self) -> int:
        return room(self.question.sheet)

    def given(self, raw: str) -> dict[str, float | str]:
        return {key: r.value for key, r in self.question.read(raw).items() if r.value is not None}

    def in_words(self, raw: str) -> str:
        return in_words(self.question.read(raw))

    def problem(self, raw: str) -> str:
        why = next((r.problem for r in self.question.read(raw).values() if r.value is None), "")
        return f"The score could not be read: {why}" if why else ""

    @property
    def shown(self) -> dict[str, str]:
        session = self.question.session
        return {"the session": numbered(session), "the intake form": intake_text(session.profile.intake)}


@dataclass(frozen=True, slots=True)
class OnPair:
    """Two sessions with the same client, without a name on either; `flipped` shows the second one first."""

    one: Session
    two: Session
    told: pairs.Words
    flipped: bool = False

    @property
    def sha(self) -> str:
        return self.told.sha

    @property
    def messages(self) -> tuple[Message, ...]:
        first, second = (self.two, self.one) if self.flipped else (self.one, self.two)
        return pairs.request(first, second, form(), form().questions, told=self.told)

    @property
    def schema(self) -> dict[str, Any]:
        return pairs.schema(form().questions)

    @property
    def tokens(self) -> int:
        return pairs.TOKENS

    def given(self, raw: str) -> dict[str, float | str]:
        sides = {"tie": "tie", "A": "second" if self.flipped else "first", "B": "first" if self.flipped else "second"}
        return {key: sides[verdict.choice] for key, verdict in pairs.read_verdicts(raw, form().questions).items()}

    def in_words(self, raw: str) -> str:
        given = self.given(raw)
        rest = ", ".join(f"{q.title} {given[q.key]}" for q in form().aspects if q.key in given)
        whole = f"Overall: {given.get(OVERALL, 'not said')}."
        return f"{whole} {rest}".strip() if given else ""

    def problem(self, raw: str) -> str:
        given = self.given(raw)
        missing = [q.title for q in form().questions if q.key not in given]
        return f"No choice could be read for {', '.join(missing)}." if missing else ""

    @property
    def shown(self) -> dict[str, str]:
        asked = form()
        found = {"the first session": numbered(self.one), "the second session": numbered(self.two)}
        return found | {q.title: f"{q.question}\nBetter: {q.better}\nWorse: {q.worse}" for q in asked.questions}


@dataclass(frozen=True, slots=True)
class OnAnswer:
    """A test case's question about one answer of an agent."""

    moment: Moment
    answer: str
    question: str
    told: expectation.Words

    @property
    def sha(self) -> str:
        return self.told.sha

    @property
    def messages(self) -> tuple[Message, ...]:
        return expectation.request(self.moment, self.answer, self.question, self.told)

    @property
    def schema(self) -> dict[str, Any]:
        return expectation.SCHEMA

    @property
    def tokens(self) -> int:
        return expectation.TOKENS

    def given(self, raw: str) -> dict[str, float | str]:
        answer = expectation.read_verdict(raw).answer
        return {} if answer == "missing" else {"answer": answer}

    def in_words(self, raw: str) -> str:
        verdict = expectation.read_verdict(raw)
        return "" if verdict.answer == "missing" else verdict.told

    def problem(self, raw: str) -> str:
        verdict = expectation.read_verdict(raw)
        return verdict.reason if verdict.answer == "missing" else ""

    @property
    def shown(self) -> dict[str, str]:
        parts = {prompts.PARTS[part]: text for part, text in prompts.shown(self.moment).items() if part != "dialogue"}
        session = self.moment.session
        parts |= {"the intake form": intake_text(session.profile.intake), "the session so far": numbered(session)}
        return parts | {"the answer": self.answer}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTrial(Trial):
    """A judge, asked the same several times."""

    asked: Asked

    def given(self, raw: str) -> dict[str, float | str]:
        return self.asked.given(raw)

    @property
    def agent(self) -> Agent[Any]:
        return Agent(
            name=JUDGE,
            read=str,
            text=self.asked.in_words,
            guards=(self._unread,),
            temperature=TEMPERATURE if self.repeats > 1 else 0.0,
            max_tokens=self.asked.tokens,
            schema=self.asked.schema,
        )

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.asked.messages

    def _unread(self, answer: Answer) -> Problem | None:
        why = self.asked.problem(answer.raw)
        return Problem("unread", why) if why else None


def filled(ask: Callable[[Iterable[Prompt]], Asked], texts: Iterable[Prompt]) -> list[tuple[Message, list[Stretch]]]:
    """Return the messages that are sent in some words, each with the stretches that are no part of these words.

    `ask` makes the question of texts; it raises `PromptError` where they cannot be used.
    """
    texts = list(texts)
    asked = ask(texts)
    marked = ask([p.model_copy(update={"system": mark(p.system)}) if wordings.variables(p.name) else p for p in texts])
    shown = asked.shown
    pairs: list[tuple[Message, list[Stretch]]] = []
    for message, other in zip(asked.messages, marked.messages, strict=True):
        found = stretches(other.content, message.content)
        pairs.append((message, [part for one in found for part in ([one] if one.variable else _apart(one.text, shown))]))
    return pairs


def _apart(text: str, shown: Mapping[str, str]) -> list[Stretch]:
    """Return a text with what is shown in it apart, the longest first."""
    for what, words in sorted(shown.items(), key=lambda one: -len(one[1])):
        if words.strip() and (at := text.find(words)) >= 0:
            before, after = text[:at], text[at + len(words) :]
            return [*_apart(before, shown), Stretch(words, what), *_apart(after, shown)]
    return [Stretch(text)] if text else []


def in_words(readings: Mapping[str, Reading]) -> str:
    """Return what an answer gives: score and reason of one item, or the scores of several; empty where nothing was read."""
    there = {key: reading for key, reading in readings.items() if reading.value is not None}
    if len(readings) == 1:
        return "".join(f"Score {r.value:g}. {r.reason}".strip() for r in there.values())
    return ", ".join(f"{key} {r.value:g}" for key, r in there.items())


class Summary(Value):
    """What a variant gave over all that it was asked about: each place counts once, with the mean of its answers."""

    places: int
    """Sessions with at least one score that could be read."""
    answers: int
    """Scores that could be read."""
    missing: int
    """Answers that gave none."""
    unanswered: int
    """Calls that brought no answer."""
    mean: float | None = None
    """Over the places."""
    apart: float | None = None
    """Standard deviation between the places; None for fewer than two."""
    within: float | None = None
    """Mean standard deviation among the answers about one place; None where each has one."""


def summary(places: Mapping[str, list[Sample]], item: str) -> Summary:
    """Return what the answers about some places give on an item."""
    read = {p: [float(s.given[item]) for s in own if item in s.given] for p, own in places.items()}
    whole = [sample for own in places.values() for sample in own]
    means = [mean(values) for values in read.values() if values]
    spreads = [stdev(values) for values in read.values() if len(values) > 1]
    return Summary(
        places=len(means),
        answers=sum(map(len, read.values())),
        missing=sum(not s.error and item not in s.given for s in whole),
        unanswered=sum(bool(s.error) for s in whole),
        mean=mean(means) if means else None,
        apart=stdev(means) if len(means) > 1 else None,
        within=mean(spreads) if spreads else None,
    )
