"""Reading what came of a trial: answers that say the same on one stack, how far they lie apart, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import combinations
from statistics import mean, stdev

from magnet_core import reading
from magnet_core.domain import Value
from magnet_core.lab.telling import comes_to, told
from magnet_core.lab.texts import AGENTS
from magnet_core.lab.trials import Sample


class Stack(Value):
    """Answers of one trial that come to the same."""

    says: str
    samples: tuple[Sample, ...]

    @property
    def wordings(self) -> list[tuple[str, int]]:
        """The answers in full, each wording once with how often it came, in the order they came."""
        return list(Counter(sample.text for sample in self.samples).items())


class Spread(Value):
    """How far the answers of one trial lie apart."""

    answers: int
    distinct: int
    """How many differ, as a reader sees them."""
    words: tuple[int, int] | None = None
    """The shortest and the longest, in words."""
    apart: float | None = None
    """Mean share of words in which two answers differ, over all pairs; None for fewer than two."""
    failed: int = 0
    """How often there was no answer."""
    questioned: int = 0
    """How many a guard would have asked again."""


class Summary(Value):
    """What the answers of one variant come to, over all moments it was asked in."""

    asked: int
    """Answers that were wanted and came, or could not come."""
    answers: int
    missing: int
    words: float | None = None
    """Mean length in words; None without an answer."""
    words_sd: float | None = None
    """None for fewer than two answers."""
    questioned: int = 0
    compared: int = 0
    """Answers in moments for which the session holds an answer."""
    same: int = 0
    """How many of these come to the same as the session's."""
    choices: tuple[tuple[str, int], ...] = ()
    """Techniques with how many answers name each, the most frequent first: a selector's, a planner's."""


def stacks(agent: str, samples: Iterable[Sample]) -> list[Stack]:
    """Return the answers with those that come to the same put on one stack, the highest first."""
    piles: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda s: s.number):
        if not sample.error:
            piles.setdefault(says(agent, sample), []).append(sample)
    order = sorted(piles.items(), key=lambda pile: (-len(pile[1]), pile[1][0].number))
    return [Stack(says=words, samples=tuple(pile)) for words, pile in order]


def says(agent: str, sample: Sample) -> str:
    """Return what an answer comes to: a selector's choice without its reason, a planner's technique, else the words."""
    if agent == "judge" and sample.given:
        return sample.text.partition(". ")[0].rstrip(".")
    return comes_to(agent, sample.raw, sample.text)


def spread(samples: Sequence[Sample], agent: str) -> Spread:
    """Return how far answers lie apart: how many differ, their length, and the share of words two of them do not share."""
    good = [s for s in samples if not s.error]
    seen = [says(agent, s) if agent == "judge" else " ".join(s.text.split()) for s in good]
    lengths = [len(s.text.split()) for s in good]
    pairs = [_unshared(a, b) for a, b in combinations(seen, 2)]
    return Spread(
        answers=len(good),
        distinct=len(set(seen)),
        words=(min(lengths), max(lengths)) if lengths else None,
        apart=sum(pairs) / len(pairs) if pairs else None,
        failed=len(samples) - len(good),
        questioned=sum(bool(s.problem) for s in good),
    )


@lru_cache(maxsize=8192)
def _unshared(one: str, two: str) -> float:
    """Return the share of words in which two answers differ; kept, since a run is drawn again and again while it grows."""
    return 1 - SequenceMatcher(None, one.split(), two.split(), autojunk=False).ratio()


def summary(pairs: Iterable[tuple[Sample, str]], agent: str) -> Summary:
    """Return what a variant's answers come to; each stands with the session's own raw answer, empty where there is none."""
    pairs = list(pairs)
    good = [(sample, own) for sample, own in pairs if not sample.error]
    lengths = [len(sample.text.split()) for sample, _ in good]
    held = [(sample, own) for sample, own in good if own]
    return Summary(
        asked=len(pairs),
        answers=len(good),
        missing=len(pairs) - len(good),
        words=mean(lengths) if lengths else None,
        words_sd=stdev(lengths) if len(lengths) > 1 else None,
        questioned=sum(bool(sample.problem) for sample, _ in good),
        compared=len(held),
        same=sum(says(agent, sample) == comes_to(agent, own, told(AGENTS[agent], own)) for sample, own in held),
        choices=tuple(_named(agent, [sample for sample, _ in good]).most_common()),
    )


def count_choices(samples: Iterable[Sample]) -> Counter[str]:
    """Return how often each technique was chosen in a selector's answers."""
    return Counter(t.value for s in samples if not s.error for t in reading.read_choice(s.raw).techniques)


def _named(agent: str, samples: Sequence[Sample]) -> Counter[str]:
    if agent == "selector":
        return count_choices(samples)
    if agent == "planner":
        return Counter(plan.technique.value for s in samples if (plan := reading.read_plan(s.raw)).technique)
    return Counter()
