"""Blind comparison of two sessions: the aspects as data, and what a pair, a verdict and a review are.

A rater sees two sessions with the same client as A and B. Which is which is drawn for every rater and pair and kept with the review.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from magnet_core.domain import Value
from magnet_core.errors import PromptError, SettingsError
from magnet_core.knowledge import read
from magnet_core.scoring.configuration import Configuration

Side = Literal["A", "B"]
SIDES: tuple[Side, Side] = ("A", "B")
Choice = Literal["A", "B", "tie"]
Winner = Literal["one", "two", "tie"]
"""A verdict by session, whichever side it stood on."""
RaterKind = Literal["person", "model"]

Place = tuple[str, RaterKind, str, bool, str]
"""Which review is meant: its pair, who rates, in which order, and under which form."""

OVERALL = "overall"
"""The key of the overall preference, beside the aspects."""
NEAR = 0.75
"""How alike two pseudonyms are, of 1, from which on one may have been meant for the other."""


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
    maker: Configuration
    """How the session was made."""
    turns: int | None = None
    """How many turns were held; None where a library of an earlier version does not tell."""
    words: str = ""
    """A hash of all that was said; empty where a library of an earlier version does not tell."""

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, data: Any) -> Any:
        if isinstance(data, dict) and "maker" not in data and "method" in data:
            return {"session": data.get("session"), "maker": {"method": data["method"], "model": data.get("model", "")}}
        return data


class Case(Value):
    """A session that could be compared with others."""

    half: Half
    client: str
    key: str
    """What two sessions must share to be a pair: the client, word for word, and the limits of length."""
    turns: int
    attitude: str = ""


class Pair(Value):
    """Two sessions with the same client, to be compared."""

    id: str
    client: str
    one: Half
    two: Half
    attitude: str = ""

    @classmethod
    def of(cls, one: Case, two: Case) -> Self:
        """Return the pair of two sessions; raise `SettingsError` where they cannot be compared blind."""
        if one.half.session == two.half.session:
            raise SettingsError("A session cannot be compared with itself.")
        if one.key != two.key:
            raise SettingsError(
                "Only sessions with the same client in the same attitude and over the same length can be compared."
            )
        if not one.turns or not two.turns:
            raise SettingsError("A session without a turn cannot be compared.")
        first, second = sorted((one, two), key=lambda case: case.half.session)
        name = hashlib.sha256(f"{first.half.session} {second.half.session}".encode()).hexdigest()[:12]
        return cls(id=name, client=first.client, attitude=first.attitude, one=first.half, two=second.half)

    @property
    def makers(self) -> tuple[Configuration, Configuration]:
        return self.one.maker, self.two.maker

    @property
    def identical(self) -> bool:
        """Tell whether both sessions say the same, word for word: then there is nothing to compare."""
        return bool(self.one.words) and self.one.words == self.two.words

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

    def with_comment(self, comment: Comment) -> Self:
        return self.model_copy(update={"comments": (*self.comments, comment)})

    def without_comment(self, comment: Comment) -> Self:
        """Return it without one comment; unchanged where there is none like it."""
        at = next((n for n, one in enumerate(self.comments) if one == comment), len(self.comments))
        return self.model_copy(update={"comments": self.comments[:at] + self.comments[at + 1 :]})

    @property
    def place(self) -> Place:
        """Which review it is, however it stands."""
        return self.pair, self.kind, self.rater, self.flipped, self.form

    @property
    def says(self) -> bool:
        """Tell whether anything stands in it."""
        return bool(self.verdicts or self.comments)

    def whole(self, form: Form) -> bool:
        """Tell whether every question is answered."""
        return all(question.key in self.verdicts for question in form.questions)

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


def pseudonym(text: str, known: Iterable[str] = ()) -> str:
    """Return a rater's name as it is kept: on one line, short; raise `SettingsError` where it names nobody or a mailbox.

    One that differs from a known one in capitals alone is that rater's.
    """
    name = re.sub(r"\s+", " ", text).strip()[:40].strip()
    if not name:
        raise SettingsError("Choose a pseudonym first.")
    if "@" in name:
        raise SettingsError("Choose a pseudonym, not an address.")
    return next((one for one in known if one.casefold() == name.casefold()), name)


def alike(name: str, known: Iterable[str]) -> str:
    """Return the known pseudonym that an unknown one may have been meant for; empty where there is none.

    Other numbers make another one: "rater 2" is not meant for "rater 1".
    """
    by_fold = {one.casefold(): one for one in known if re.findall(r"\d+", one) == re.findall(r"\d+", name)}
    near = get_close_matches(name.casefold(), by_fold, 1, NEAR) if name.casefold() not in by_fold else []
    return by_fold[near[0]] if near else ""


def flipped(pair: str, rater: str) -> bool:
    """Draw whether a pair's second session stands as A for a rater: always the same for the same two."""
    return drawn("side", pair, rater) % 2 == 1


def drawn(*what: str) -> int:
    """Return a number that is the same for the same words, and else any."""
    return int.from_bytes(hashlib.sha256("\x00".join(what).encode()).digest()[:8], "big")
