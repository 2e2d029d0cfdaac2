"""The structure strip: which parts of a cognitive-behavioural session can be seen in the dialogue, where, and in which words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from magnet_core.domain import Session, Utterance, Value
from magnet_core.scoring.coding import Code, Talk, read_talk

SOURCE = "The parts of a session as Beck's cognitive therapy orders them; in our own words."


class Evidence(Value):
    """A sentence of the counsellor that shows a part."""

    turn: int
    quote: str


class Part(Value):
    """One part of a session and what shows it."""

    name: str
    status: Literal["seen", "not seen", "not applicable"]
    evidence: tuple[Evidence, ...] = ()
    """Every sentence that shows it, in order."""
    note: str = ""

    @property
    def turn(self) -> int | None:
        """Return the turn in which it is first seen."""
        return self.evidence[0].turn if self.evidence else None


_BRIDGE = re.compile(
    r"(?i)\b(?:last (?:time we|session|week we)|previous(?:ly| session)|since we (?:last )?(?:met|spoke|talked)|where we left off|our last (?:session|meeting|talk))\b"
)
_REVIEW = re.compile(
    r"(?i)\b(?:how did (?:the|your) (?:homework|practice|experiment|exercise|record|task) go|did you (?:get (?:a chance|round) to|manage to|try) (?:do|the|your|it|what we)"
    r"|(?:homework|task|exercise|experiment|practice) (?:from|we (?:set|agreed)|you (?:did|took|tried))|your homework from)\b"
)
_WORK = re.compile(
    r"(?i)\bwent through your (?:mind|head)\b|\bthoughts?\b|\bbelie(?:f|ve|fs|ved)\b|\bevidence\b|\brules?\b|\bexpectations?\b|\bmeans?\b|\bwhat (?:do you think )?(?:would|might|could) happen\b"
    r"|\banother way\b|\breframe|\bperspectives?\b|\bpatterns?\b|\balternative\b|\bworst\b|\bexperiment\b|\bcosts?\b|\bsteps?\b|\bwhat (?:set it off|happened|did you do)\b"
)
_ASKING: frozenset[Code] = frozenset({"open-question", "closed-question", "instruction"})
_CODED: dict[str, Code] = {
    "mood check": "mood",
    "agenda": "agenda",
    "summary": "summary",
    "homework": "homework",
    "feedback": "feedback",
    "close": "close",
}
NAMES = ("mood check", "bridge", "agenda", "homework review", "work", "summary", "homework", "feedback", "close")


def strip(dialogue: Session | Iterable[Utterance], *, first_session: bool = True) -> tuple[Part, ...]:
    """Return the parts of a session in the order they belong, each with its turns and quoted evidence.

    In a first session there is nothing to bridge from and no homework to review: those two are then "not applicable" unless seen.
    """
    return parts(read_talk(dialogue), first_session=first_session)


def parts(talk: Talk, *, first_session: bool = True) -> tuple[Part, ...]:
    """Return the strip of a coded dialogue; see `strip`."""
    found: dict[str, list[Evidence]] = {name: [] for name in NAMES}
    for exchange in talk.exchanges:
        for sentence in exchange.coded:
            shown = Evidence(turn=exchange.turn, quote=sentence.text)
            for name, wanted in _CODED.items():
                if wanted in sentence.codes:
                    found[name].append(shown)
            if _BRIDGE.search(sentence.text):
                found["bridge"].append(shown)
            if _REVIEW.search(sentence.text):
                found["homework review"].append(shown)
            if exchange.turn and sentence.codes & _ASKING and _WORK.search(sentence.text):
                found["work"].append(shown)
    return tuple(_part(name, found[name], first_session) for name in NAMES)


def _part(name: str, evidence: list[Evidence], first_session: bool) -> Part:
    if evidence:
        return Part(name=name, status="seen", evidence=tuple(evidence))
    if first_session and name in ("bridge", "homework review"):
        return Part(name=name, status="not applicable", note="A first session has no earlier one to look back on.")
    return Part(name=name, status="not seen")
