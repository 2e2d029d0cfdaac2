"""Scores of many sessions: one figure a session, groups of them with n and interval, and where one session stands among them."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from statistics import mean, stdev
from typing import Any

from magnet_core.domain import CbtTechnique, Value
from magnet_core.scoring.instruments import sheet
from magnet_core.scoring.items import CTRS_11, INSTRUMENTS, WAI, Instrument, Item, Kind, Scorecard, average
from magnet_core.scoring.rules import Measure, measures

DRAWS = 4000
"""How often a mean is drawn again for its interval."""
FEWEST = 5
"""With fewer sessions there is no interval: a bootstrap of a handful is too narrow."""


class Figure(Value):
    """Something that every scored session has one number of."""

    key: str
    title: str
    low: float
    high: float
    instruments: tuple[Instrument, ...]
    """The scorecards it can come from, the first one that is there."""


class Judge(Value):
    """Who gave a score: numbers of different judges are never pooled."""

    name: str
    kind: Kind
    words: str = ""
    """Whose words a model was told, in a reader's terms; empty for ours."""

    @property
    def title(self) -> str:
        """Its name with what it is, for an axis."""
        told = f", {self.words}" if self.words else ""
        return {"rule": "Rules (indicator)", "person": f"{self.name} (person)"}.get(self.kind, f"{self.name} (model{told})")


class Group(Value):
    """The sessions that share something, and the mean of a figure over them."""

    name: str
    values: tuple[float, ...]
    missing: int
    """Sessions of the group that have no such figure."""
    mean: float | None
    spread: float | None
    low: float | None
    """Ends of the 95 % interval of the mean; None where the sessions are too few."""
    high: float | None

    @property
    def n(self) -> int:
        return len(self.values)


class Collapse(Value):
    """How varied a planner's picks are, against what the clients call for."""

    picked: dict[CbtTechnique, int]
    called: dict[CbtTechnique, float]
    """Sessions whose client calls for it; a client who calls for two counts half for each."""
    sessions: int
    """Plans of clients that are known to call for something; the others are left out."""
    fitting: int
    """Plans with a technique that the client calls for."""
    unnamed: int
    """Plans that named none of the twelve."""

    @property
    def varied(self) -> tuple[float, float]:
        """How many techniques, evenly used, would be as varied as what was picked, and as what is called for."""
        return _effective(self.picked.values()), _effective(self.called.values())


def figures(own: Iterable[Item] = ()) -> dict[str, Figure]:
    """Return all figures by key: the scales first, then the items, then own rubrics."""
    six: tuple[Instrument, ...] = ("ctrs", "ctrs-11")
    found = [
        Figure(key="ctrs", title="CTRS, mean of six items", low=0, high=6, instruments=six),
        Figure(key="ctrs:general", title="CTRS, general skills", low=0, high=6, instruments=six),
        Figure(key="ctrs:cbt", title="CTRS, cognitive skills", low=0, high=6, instruments=six),
        Figure(key="wai", title="WAI, mean of twelve statements", low=1, high=7, instruments=("wai",)),
        *(
            Figure(key=f"wai:{scale}", title=f"WAI, {scale}", low=1, high=7, instruments=("wai",))
            for scale in ("task", "bond", "goal")
        ),
        Figure(key="panas:positive", title="PANAS, change of positive affect", low=-4, high=4, instruments=("panas-after",)),
        Figure(key="panas:negative", title="PANAS, change of negative affect", low=-4, high=4, instruments=("panas-after",)),
    ]
    for item in CTRS_11:
        instruments = ("ctrs-11",) if item.subscale == "structure" else six
        found.append(Figure(key=item.key, title=f"CTRS: {item.title}", low=0, high=6, instruments=instruments))
    found += [
        Figure(key=i.key, title=f"WAI {i.key[4:]}{', turned round' if i.reversed else ''}: {i.title}", low=1, high=7, instruments=("wai",))
        for i in WAI
    ]  # fmt: skip
    found += [Figure(key=i.key, title=f"Own: {i.title}", low=i.low, high=i.high, instruments=(i.key,)) for i in own]
    return {figure.key: figure for figure in found}


def counts() -> dict[str, Measure]:
    """Return what the rules count in any session, by its name, without a value: its title, its scale and how to read it."""
    return {m.name: m.model_copy(update={"read": re.sub(r" \(“.*?”\)", "", m.read)}) for m in measures(())}


def value_of(figure: Figure, cards: Mapping[Instrument, Scorecard]) -> float | None:
    """Return one session's number, from its cards of one judge; None where it is missing."""
    card = next((cards[name] for name in figure.instruments if name in cards), None)
    if card is None:
        return None
    about, _, scale = figure.key.partition(":")
    if about == "panas":
        before = cards.get("panas-before")
        was, now = before.average(scale) if before else None, card.average(scale)
        return now - was if was is not None and now is not None else None
    if figure.key == "ctrs":
        return average([r for r in card.ratings if r.item in {i.key for i in CTRS_11 if i.subscale != "structure"}])
    if scale or about == "wai":
        return card.average(scale)
    rating = card.rating(figure.key)
    return average([rating]) if rating else None


def judge_of(card: Scorecard, titles: Mapping[str, str] | None = None) -> Judge:
    """Return who gave a card, and in whose words: a model that was told other words is another judge.

    `titles` says whose the words of a hash are, where they are not ours.
    """
    words = ""
    if card.kind == "model" and card.instrument in INSTRUMENTS and card.prompt_sha not in ("", _ours(card.instrument)):
        words = (titles or {}).get(card.prompt_sha) or f"words {card.prompt_sha[:6]}"
    return Judge(name=card.judge, kind=card.kind, words=words)


@cache
def _ours(instrument: Instrument) -> str:
    return sheet(instrument).sha


def newest(
    cards: Iterable[Scorecard], titles: Mapping[str, str] | None = None
) -> dict[tuple[str, Judge], dict[Instrument, Scorecard]]:
    """Return, for every session and judge, the newest card of each instrument among those that cover the most turns."""
    found: dict[tuple[str, Judge], dict[Instrument, Scorecard]] = {}
    for card in sorted(cards, key=lambda c: (c.turns, c.created)):
        found.setdefault((card.session_id, judge_of(card, titles)), {})[card.instrument] = card
    return found


def group(name: str, values: Sequence[float | None], seed: int = 0) -> Group:
    """Return the figures of some sessions as a group."""
    there = tuple(value for value in values if value is not None)
    low, high = interval(there, seed) or (None, None)
    return Group(
        name=name,
        values=there,
        missing=len(values) - len(there),
        mean=mean(there) if there else None,
        spread=stdev(there) if len(there) > 1 else None,
        low=low,
        high=high,
    )


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float] | None:
    """Return the 95 % percentile-bootstrap interval of a mean; None for fewer than `FEWEST` values. The same for the same seed."""
    if len(values) < FEWEST:
        return None
    import numpy

    drawn = numpy.random.default_rng(seed).choice(numpy.asarray(values), size=(DRAWS, len(values)))
    low, high = numpy.quantile(drawn.mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def percentile(value: float, others: Sequence[float]) -> float | None:
    """Return the share of the others that lie below a value, ties counting half; None where there are no others."""
    if not others:
        return None
    return sum(1.0 if other < value else 0.5 if other == value else 0.0 for other in others) / len(others)


def collapse(plans: Iterable[tuple[CbtTechnique | None, Sequence[CbtTechnique]]]) -> Collapse:
    """Compare the techniques that plans picked with those that their clients call for."""
    known = [(picked, called) for picked, called in plans if called]
    called: defaultdict[CbtTechnique, float] = defaultdict(float)
    for _, wanted in known:
        for technique in wanted:
            called[technique] += 1 / len(wanted)
    picks = Counter(picked for picked, _ in known if picked)
    return Collapse(
        picked={technique: picks[technique] for technique in CbtTechnique},
        called={technique: called[technique] for technique in CbtTechnique},
        sessions=len(known),
        fitting=sum(picked in wanted for picked, wanted in known),
        unnamed=sum(picked is None for picked, _ in known),
    )


def _effective(counts: Iterable[float]) -> float:
    """Return the exponential of the entropy: as many evenly used ones would be as varied."""
    filled = [count for count in counts if count > 0]
    whole = sum(filled)
    return math.exp(-sum(c / whole * math.log(c / whole) for c in filled)) if whole else 0.0


def rows(cards: Iterable[Scorecard]) -> list[dict[str, Any]]:
    """Return a tidy row for every rating, with what it rests on and who gave it; a missing value is None."""
    return [
        {
            "session": card.session_id,
            "instrument": card.instrument,
            "item": rating.item,
            "value": rating.value,
            "spread": rating.spread,
            "n": rating.n,
            "judge": card.judge,
            "kind": card.kind,
            "prompt_sha": card.prompt_sha,
            "after_turn": card.turns,
            "created": card.created.isoformat(),
            "explanation": rating.explanation,
            "turns": " ".join(map(str, rating.turns)),
        }
        for card in cards
        for rating in card.ratings
    ]
