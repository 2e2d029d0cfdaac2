"""Guards: what may be wrong with an answer, so that it is asked again with the reason.

A guard looks at the text as it would be used and returns a `Problem`, or None. Thresholds stand beside what they mean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from magnet_core.domain import Flag, Moment, Technique
from magnet_core.knowledge import read


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an answer; `detail` is a sentence a model and a reader can both use."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer under the eyes of the guards."""

    text: str
    raw: str
    finish_reason: str
    moment: Moment


Guard = Callable[[Answer], Problem | None]

NEAR = 0.85
"""Share of words in common, in order, from which two messages count as a near repetition."""
STUTTER = 5
"""Words from which a sentence that stands twice in one message counts as a repetition."""

_ROLES = r"reflection|questioning|solutions|normali[sz]ing|psycho-?education"
_META = re.compile(
    r"(?im)\bhere(?:'s| is| are)\b[^.\n]{0,60}\b(?:response|reply|message|utterance|draft)\b"
    r"|\(\s*note\b|\bnote:\s"
    r"|\bas an ai\b|\blanguage model\b"
    r"|\b(?:this|my|the) (?:response|reply|message) (?:combines|uses|incorporates|aims|reflects|follows)\b"
    r"|\bi(?:'ve| have)? (?:combined|incorporated|blended)\b[^.\n]{0,60}\b(?:technique|reflection|normali[sz]|psycho|suggest|response|draft)"
    r"|\b(?:potential|possible|suggested) (?:counsel(?:l)?or|client)?\s*(?:response|utterance)\b"
    r"|<\|[a-z_]+\|>|\[/?INST\]"
    # parts of the prompt itself: a draft's label, the line that names turn and role, the choice
    rf"|^[\s*_]*(?:{_ROLES}|chosen|drafts?)[\s*_]*:|\b\d+/\d+ (?:{_ROLES}|planner|selector|responder|team|counsellor)\b"
    rf"|\[turn \d+\]|\b(?:chose|chosen|choosing|selected)\b[^.\n]{{0,30}}\b(?:{_ROLES})\b"
)
_OTHER = {
    "counsellor": re.compile(r"(?im)^[\s*_]*(?:client|patient|user)[\s*_]*:"),
    "client": re.compile(r"(?im)^[\s*_]*(?:counsel(?:l)?or|therapist|assistant)[\s*_]*:"),
}


def _side(moment: Moment) -> str:
    return "client" if moment.agent == "client" else "counsellor"


def wordless(text: str) -> bool:
    """Tell whether a text holds nothing beyond a label."""
    bare = re.sub(r"(?i)\[/?end\]|\b(?:counsel(?:l)?or|client|therapist)\b\s*:?", "", text)
    return not re.search(r"\w", bare)


def leak(text: str) -> str:
    """Return the words in which a text talks about itself; empty when it does not."""
    found = _META.search(text)
    return found.group().strip()[:60] if found else ""


def empty(answer: Answer) -> Problem | None:
    """Refuse an answer with no words, or with nothing but a label."""
    if wordless(answer.text):
        return Problem("empty", "it holds no words beyond a label.")
    return None


def truncated(answer: Answer) -> Problem | None:
    """Refuse an answer that the token limit cut off."""
    if answer.finish_reason == "length":
        return Problem("truncated", f"it was cut off by the token limit ({answer.raw.strip()[-40:]!r}); be briefer.")
    return None


def meta(answer: Answer) -> Problem | None:
    """Refuse talk about the answer instead of the answer."""
    if found := leak(answer.text):
        return Problem("meta", f"it talks about itself ({found!r}) instead of only speaking.")
    return None


def other_speaker(answer: Answer) -> Problem | None:
    """Refuse an answer that goes on with the other speaker's lines."""
    side = _side(answer.moment)
    if found := _OTHER[side].search(answer.text):
        other = "client" if side == "counsellor" else "counsellor"
        return Problem("other-speaker", f"it also writes the {other}'s lines ({found.group().strip()!r}).")
    return None


def earlier(moment: Moment) -> list[str]:
    """Return what the moment's agent has said before in this session."""
    session, agent = moment.session, moment.agent
    if agent == "client":
        return [session.profile.opening.client, *(t.reply.text for t in session.turns)]
    if agent in set(Technique):
        return [c.text for t in session.turns for c in t.candidates if c.technique == agent]
    return [session.profile.opening.counsellor, *(t.response for t in session.turns)]


def repetition(answer: Answer) -> Problem | None:
    """Refuse an exact or near repetition of an own earlier message."""
    for number, text in enumerate(earlier(answer.moment), 1):
        if repeats(answer.text, text):
            return Problem("repetition", f"it says again what your message {number} of this session said.")
    return None


def stutter(answer: Answer) -> Problem | None:
    """Refuse an answer that says a sentence of its own again."""
    said: set[tuple[str, ...]] = set()
    for sentence in re.split(r"(?<=[.!?…])\s+|\n+", answer.text):
        words = tuple(_words(sentence))
        if len(words) >= STUTTER and words in said:
            return Problem("repetition", f"it says “{sentence.strip()[:60]}” more than once.")
        said.add(words)
    return None


def echo(answer: Answer) -> Problem | None:
    """Refuse an answer that gives the other speaker's last message back."""
    moment = answer.moment
    heard = moment.response if moment.agent == "client" else moment.session.transcript[-1].text
    if heard and repeats(answer.text, heard, near_from=12):
        other = "counsellor" if moment.agent == "client" else "client"
        return Problem("repetition", f"it only gives back what the {other} has just said.")
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text.lower())


def repeats(text: str, before: str, *, near_from: int = 6) -> bool:
    """Tell whether a text is the same as an earlier one, or nearly, where it has at least so many words."""
    words, old = _words(text), _words(before)
    return bool(words) and (words == old or (len(words) >= near_from and _near(words, old)))


def _near(words: list[str], before: list[str]) -> bool:
    needed = NEAR * (len(words) + len(before)) / 2
    # the matcher is slow to build, and few messages have so many words in common in any order
    if min(len(words), len(before)) < needed or (Counter(words) & Counter(before)).total() < needed:
        return False
    return SequenceMatcher(None, words, before, autojunk=False).ratio() >= NEAR


def first_problem(guards: Iterable[Guard], answer: Answer) -> Problem | None:
    """Return what the first objecting guard says."""
    return next((problem for guard in guards if (problem := guard(answer))), None)


SPOKEN: tuple[Guard, ...] = (empty, truncated, meta, other_speaker, stutter, repetition, echo)
"""The guards of everyone who speaks."""
WRITTEN: tuple[Guard, ...] = (empty, truncated)
"""The guards of structured answers."""


def risk_flags(text: str, turn: int, agent: str = "client") -> tuple[Flag, ...]:
    """Return a flag for each kind of risk words in a text (lists: `knowledge/safety.yaml`), quoting the sentence."""
    flags: list[Flag] = []
    for topic, pattern in read("safety.yaml")["risk_words"].items():
        if found := re.search(rf"(?i)\b(?:{pattern})", text):
            start = max(text.rfind(mark, 0, found.start()) for mark in ".!?\n") + 1
            end = min((e for mark in ".!?\n" if (e := text.find(mark, found.end())) >= 0), default=len(text) - 1)
            flags.append(
                Flag(turn=turn, agent=agent, kind="risk", detail=f"Possible {topic}: “{text[start : end + 1].strip()}”")
            )
    return tuple(flags)
