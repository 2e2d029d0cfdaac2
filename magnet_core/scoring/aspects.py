"""Blind comparison of two sessions: the aspects as data, and what a pair, a verdict and a review are.

A rater sees two sessions with the same client as A and B. Which is which is drawn for every rater and pair and kept with the review.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import combinations
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from magnet_core.domain import Session, Value
from magnet_core.errors import PromptError, SettingsError
from magnet_core.knowledge import read
from magnet_core.methods import METHODS

Side = Literal["A", "B"]
Choice = Literal["A", "B", "tie"]
Winner = Literal["one", "two", "tie"]
"""A verdict by session, whichever side it stood on."""
RaterKind = Literal["person", "model"]

OVERALL = "overall"
"""The key of the overall preference, beside the aspects."""


class Aspect(Value):
    """Something two sessions are compared on."""

    key: str
    title: str
    question: str = Field(min_length=1)
    better: str = Field(min_length=1)
    """What speaks for a session."""
    worse: str = Field(min_length=1)
    """What speaks against it."""


class Reference(Value):
    """The paper's own figure, and where it stands."""

    share: float
    text: str
    source: str


class Form(Value):
    """What a rater is asked, and in which order: the aspects, then the overall preference."""

    note: str
    """Whose list this is."""
    tie: str
    aspects: tuple[Aspect, ...]
    overall: Aspect
    reference: Reference

    @property
    def questions(self) -> tuple[Aspect, ...]:
        return (*self.aspects, self.overall)

    @property
    def sha(self) -> str:
        """A short hash of everything a rater is asked."""
        return hashlib.sha256(self.model_dump_json(exclude={"reference"}).encode()).hexdigest()[:16]


class Half(Value):
    """One session of a pair, with what a rater must not see: copied, so that results outlive the session."""

    session: str
    method: str
    model: str

    @property
    def maker(self) -> str:
        """What made it, for the results: the method and the model."""
        method = METHODS[self.method].title if self.method in METHODS else self.method
        return f"{method} · {self.model}" if self.model else method


class Case(Value):
    """A session that could be compared with others."""

    half: Half
    client: str
    profile_id: str
    attitude: str
    turns: int

    @property
    def client_key(self) -> tuple[str, str]:
        return self.profile_id, self.attitude


class Pair(Value):
    """Two sessions with the same client, to be compared."""

    id: str
    client: str
    one: Half
    two: Half

    @classmethod
    def of(cls, one: Case, two: Case) -> Self:
        """Return the pair of two sessions; raise `SettingsError` where they cannot be compared blind."""
        if one.half.session == two.half.session:
            raise SettingsError("A session cannot be compared with itself.")
        if one.client_key != two.client_key:
            raise SettingsError("Only sessions with the same client in the same attitude can be compared.")
        if not one.turns or not two.turns:
            raise SettingsError("A session without a turn cannot be compared.")
        first, second = sorted((one, two), key=lambda case: case.half.session)
        name = hashlib.sha256(f"{first.half.session} {second.half.session}".encode()).hexdigest()[:12]
        return cls(id=name, client=first.client, one=first.half, two=second.half)

    @property
    def makers(self) -> tuple[str, str]:
        return self.one.maker, self.two.maker

    def on(self, side: Side, flipped: bool) -> Half:
        """Return which session stands on a side."""
        return self.one if (side == "A") != flipped else self.two


class Verdict(Value):
    """What a rater said on one question."""

    choice: Choice
    reason: str = ""


class Comment(Value):
    """What a rater said about one turn of one side."""

    side: Side
    turn: int = Field(ge=0)
    text: str = Field(min_length=1)


class Review(Value):
    """All that one rater said about one pair, as it stands."""

    pair: str
    rater: str
    """A pseudonym, or the model's name."""
    kind: RaterKind
    flipped: bool
    """Whether the pair's second session was shown as A."""
    form: str
    """The hash of what was asked."""
    verdicts: dict[str, Verdict] = Field(default_factory=dict)
    """By the aspect's key, and `overall`."""
    comments: tuple[Comment, ...] = ()
    created: datetime

    def winner(self, key: str) -> Winner | None:
        """Return which session a verdict is for; None where there is none."""
        verdict = self.verdicts.get(key)
        if verdict is None or verdict.choice == "tie":
            return "tie" if verdict else None
        return "one" if (verdict.choice == "A") != self.flipped else "two"

    def rated(self, key: str, verdict: Verdict) -> Self:
        return self.model_copy(update={"verdicts": self.verdicts | {key: verdict}})

    def cleared(self, key: str) -> Self:
        return self.model_copy(update={"verdicts": {k: v for k, v in self.verdicts.items() if k != key}})

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.rater.strip():
            raise ValueError("a review needs a rater")
        return self


@cache
def form() -> Form:
    """Return what raters are asked; raise `PromptError` where the file does not fit."""
    data: Mapping[str, Any] = read("aspects.yaml")
    try:
        aspects = tuple(Aspect(key=key, **words) for key, words in data["aspects"].items())
        overall = Aspect(key=OVERALL, title="Overall preference", **data["overall"])
        return Form(note=data["note"], tie=data["tie"], aspects=aspects, overall=overall, reference=data["reference"])
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise PromptError(f"The file of aspects cannot be used: {error}") from error


def pseudonym(text: str) -> str:
    """Return a rater's name as it is kept: on one line, short; raise `SettingsError` where it names nobody or a mailbox."""
    name = re.sub(r"\s+", " ", text).strip()[:40].strip()
    if not name:
        raise SettingsError("Choose a pseudonym first.")
    if "@" in name:
        raise SettingsError("Choose a pseudonym, not an address.")
    return name


def flipped(pair: str, rater: str) -> bool:
    """Draw whether a pair's second session stands as A for a rater: always the same for the same two."""
    return _drawn("side", pair, rater) % 2 == 1


def in_order(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs in a drawn order that says nothing of what made them.

    It is the same for all raters, so that those who stop early have rated the same pairs and can be compared.
    """
    return sorted(pairs, key=lambda pair: _drawn("order", pair.id))


def pairs_among(cases: Sequence[Case], makers: Collection[str], most: int = 1) -> list[Pair]:
    """Return pairs of sessions by different ones of some makers with the same client and attitude.

    At most so many of each client and two makers; which, is drawn once, so that asking again gives the same.
    """
    clients: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case.turns and case.half.maker in makers:
            clients[case.client_key].append(case)
    found: dict[tuple[Any, ...], list[Pair]] = defaultdict(list)
    for key, own in clients.items():
        for one, two in combinations(own, 2):
            if one.half.maker != two.half.maker:
                found[*key, *sorted((one.half.maker, two.half.maker))].append(Pair.of(one, two))
    return [pair for pairs in found.values() for pair in sorted(pairs, key=lambda pair: pair.id)[:most]]


def case_of(session: Session) -> Case:
    """Return a session as something that could be compared."""
    return Case(
        half=Half(session=session.id, method=session.method, model=model_of(session)),
        client=session.profile.name,
        profile_id=session.profile.id,
        attitude=session.profile.attitude.value,
        turns=len(session.turns),
    )


def model_of(session: Session) -> str:
    """Return the models that speak in a session, the busiest first."""
    return ", ".join(name for name, _ in Counter(session.models.values()).most_common())


def _drawn(*what: str) -> int:
    return int.from_bytes(hashlib.sha256("\x00".join(what).encode()).digest()[:8], "big")
