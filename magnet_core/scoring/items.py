"""The items of the instruments, and what a rating and a scorecard are.

CTRS: Beck Institute's rating scale, 11 items from 0 to 6 in groups of three; the paper uses six of them. WAI: 12 items from 1 to 7,
two of them keyed the other way. PANAS: 20 words from 1 to 5. Titles are in our own words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from statistics import mean, stdev
from typing import Literal

from magnet_core.domain import Value

Instrument = str
"""One of `INSTRUMENTS`, or the id of an own rubric (`rubrics.py`)."""
Kind = Literal["rule", "model", "person"]


class Item(Value):
    """One thing that is rated."""

    key: str
    title: str
    instrument: str
    """ctrs, wai or panas; the id of an own rubric."""
    low: int
    high: int
    subscale: str
    """CTRS: general, cbt or structure (the five the paper leaves out); WAI: task, bond or goal; PANAS: positive or negative."""
    reversed: bool = False
    """A high rating means a worse alliance, so it is turned round before it is averaged."""

    def favourable(self, value: float) -> float:
        """Return a rating so that more is better (PANAS: more of the feeling); the raw one unless the item is reversed."""
        return self.low + self.high - value if self.reversed else value


def _ctrs(subscale: str, **titles: str) -> tuple[Item, ...]:
    return tuple(
        Item(key=key.replace("_", "-"), title=title, instrument="ctrs", low=0, high=6, subscale=subscale)
        for key, title in titles.items()
    )


def _wai(number: int, subscale: str, title: str) -> Item:
    return Item(
        key=f"wai-{number}", title=title, instrument="wai", low=1, high=7, subscale=subscale, reversed=number in (4, 10)
    )


def _panas(subscale: str, words: str) -> tuple[Item, ...]:
    return tuple(Item(key=w, title=w, instrument="panas", low=1, high=5, subscale=subscale) for w in words.split())


CTRS = (
    *_ctrs(
        "general", understanding="Understanding", interpersonal="Interpersonal effectiveness", collaboration="Collaboration"
    ),
    *_ctrs(
        "cbt",
        guided_discovery="Guided discovery",
        focus="Focus on key thoughts and behaviours",
        strategy="Strategy for change",
    ),
)
"""The paper's six. Never a total out of 66 from these."""
CTRS_11 = (
    *CTRS,
    *_ctrs(
        "structure",
        agenda="Agenda",
        feedback="Asking for feedback",
        pacing="Pacing and use of time",
        application="Applying the techniques",
        homework="Homework",
    ),
)
WAI = (
    _wai(1, "task", "They agree on the steps that would improve the client's situation"),
    _wai(2, "task", "They agree that the work is useful: it opens new ways of seeing the problem"),
    _wai(3, "bond", "They like each other"),
    _wai(4, "goal", "There is doubt or confusion about what they are trying to achieve"),
    _wai(5, "bond", "The client is confident that the counsellor can help"),
    _wai(6, "goal", "They work towards goals both agreed on"),
    _wai(7, "bond", "The client feels valued as a person"),
    _wai(8, "task", "They agree on what is important to work on"),
    _wai(9, "bond", "They trust each other"),
    _wai(10, "goal", "They have different ideas of what the real problems are"),
    _wai(11, "goal", "They understand together what changes would be good"),
    _wai(12, "task", "The client believes that the way they work is right"),
)
PANAS = (
    *_panas("positive", "interested excited strong enthusiastic proud alert inspired determined attentive active"),
    *_panas("negative", "distressed upset guilty scared hostile irritable ashamed nervous jittery afraid"),
)
INSTRUMENTS: dict[Instrument, tuple[Item, ...]] = {
    "ctrs": CTRS,
    "ctrs-11": CTRS_11,
    "wai": WAI,
    "panas-before": PANAS,
    "panas-after": PANAS,
}
ITEMS: dict[str, Item] = {item.key: item for item in (*CTRS_11, *WAI, *PANAS)}


class Rating(Value):
    """One item's rating, with what it rests on."""

    item: str
    value: float | None
    """None when it could not be read: missing, never zero. WAI 4 and 10 as rated, not turned round."""
    samples: tuple[float | None, ...] = ()
    explanation: str = ""
    """Why; with several samples, in the words of the one nearest to the value."""
    explanations: tuple[str, ...] = ()
    """What every sample said, in their order; the words themselves of one that could not be read."""
    turns: tuple[int, ...] = ()
    """The turns it rests on: 0 for the opening pair, 1 for the first turn."""
    quotes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many readings the value is the mean of."""
        return len([s for s in self.samples if s is not None]) if self.samples else int(self.value is not None)

    @property
    def spread(self) -> float | None:
        """The standard deviation of the samples; None when fewer than two could be read."""
        read = [s for s in self.samples if s is not None]
        return stdev(read) if len(read) > 1 else None


class Scorecard(Value):
    """What one judge gave one session on one instrument."""

    session_id: str
    instrument: Instrument
    judge: str
    """"rules" for the rule-based rater, else the model's or the person's name."""
    kind: Kind
    prompt_sha: str = ""
    created: datetime
    ratings: tuple[Rating, ...]
    turns: int
    """How many turns of the session it covers."""
    items: tuple[Item, ...] = ()
    """What was rated, where an own rubric says so; the known instruments' items are in `INSTRUMENTS`."""

    def rating(self, item: str) -> Rating | None:
        return next((r for r in self.ratings if r.item == item), None)

    def average(self, subscale: str = "") -> float | None:
        """Return the mean of the ratings that are there, in one subscale or in all, reversed items turned round.

        None when there is none. Not for all of PANAS at once: its two affects are two scales.
        """
        return average(self.ratings, subscale)


def average(ratings: Iterable[Rating], subscale: str = "") -> float | None:
    """Return the mean of the ratings that are there, reversed items turned round; None when there is none."""
    values: list[float] = []
    for r in ratings:
        item = ITEMS.get(r.item)
        if r.value is not None and (not subscale or (item is not None and item.subscale == subscale)):
            values.append(item.favourable(r.value) if item else r.value)
    return mean(values) if values else None
