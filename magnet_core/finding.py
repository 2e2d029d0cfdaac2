"""Finding a client's facts in plain sentences, by rules: what was found, and the sentence it stands in.

The patterns are data (`knowledge/rehearsal/facts.yaml`), tried in order; what no pattern catches stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from magnet_core.knowledge import read

RULES = "rehearsal/facts.yaml"


class Finding(NamedTuple):
    """A fact, and the sentence that told it, word for word; both empty when there is none."""

    value: str = ""
    source: str = ""


NOTHING = Finding()
_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"”’'])\s+|\n+")


def thought(text: str) -> Finding:
    """Return the thought that a client tells of."""
    return _first("thought", text, cut=read(RULES)["cut_thought"])


def situation(text: str) -> Finding:
    """Return when it happens, as words to follow 'when'."""
    return _first("situation", text)


def behaviour(text: str) -> Finding:
    """Return what the client does about it, as a verb phrase."""
    return _first("behaviour", text)


def emotion(text: str) -> Finding:
    """Return the noun of the first emotion that the list knows and the text mentions."""
    return _named(read(RULES)["emotions"], text)


def topic(text: str) -> Finding:
    """Return what the text is most about."""
    counted = [(len(re.findall(pattern, text, re.I)), pattern, name) for pattern, name in read(RULES)["topics"]]
    most, pattern, name = max(counted, key=lambda entry: entry[0])
    return _named([(pattern, name)], text) if most else NOTHING


def distortion(thought: str) -> Finding:
    """Return the thinking habit that the words of a thought point to."""
    return _named(read(RULES)["distortions"], thought)


def helper(text: str) -> Finding:
    """Return the person whom a text on support names first."""
    caught = re.search(read(RULES)["helpers"], text, re.I)
    return Finding(caught.group(1), sentence_at(text, caught.start())) if caught else NOTHING


def evidence(texts: Iterable[str]) -> dict[str, list[str]]:
    """Sort short sentences into what seems to speak for the thought and what speaks against it.

    A harm denied speaks against.
    """
    rules, sides = read(RULES), {"for": list[str](), "against": list[str]()}
    for text in texts:
        harm, spared = re.search(rules["for"], text, re.I), re.search(rules["spared"], text, re.I)
        if spared or (not harm and re.search(rules["against"], text, re.I)):
            sides["against"].append(clause(text))
        elif harm:
            sides["for"].append(clause(text))
    return sides


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, word for word; a line's end also ends a sentence."""
    return [s.strip() for s in _ENDS.split(text) if s.strip()]


def clauses(text: str) -> list[str]:
    """Return the sentences of a text short enough to be spoken as a clause, cut before a contrasting 'but'."""
    found = [
        re.split(r",? (?:but|although|though|due to|which) ", s)[0].strip(" .") for s in re.split(r"(?<=[.!?])\s+", text)
    ]
    return [s for s in found if 4 <= len(s.split()) <= 18 and re.match(r"(?i)(?:I|my|we|the|there|it)\b", s)]


def sentence_at(text: str, place: int) -> str:
    """Return the sentence of a text that stands at a place in it."""
    edges = [0, *(m.end() for m in _ENDS.finditer(text)), len(text)]
    return next((text[a:b].strip() for a, b in pairwise(edges) if a <= place < b), text.strip())


def short(text: str, words: int = 22) -> str:
    """Return a text if it is short enough to be spoken, else its first part, else nothing."""
    found = tidy(text)
    if len(found.split()) > words:
        found = re.split(r",| and | because | so that ", found)[0].strip()
    return found if 2 <= len(found.split()) <= words else ""


def tidy(text: str) -> str:
    """Return a text on one line, without quotes and stops around it."""
    return " ".join(text.split()).strip(" .;,\"“”'‘")


def clause(text: str) -> str:
    """Return a text as a clause to stand inside a sentence: no final stop, no capital that only begins a sentence."""
    found = tidy(text)
    first = found.split(" ", 1)[0]
    return lower(found) if first in _STARTERS or re.search(r"[a-z](?:ing|ed|ly)$", first) else found


def lower(text: str) -> str:
    return text[:1].lower() + text[1:]


_STARTERS = frozenset(
    """My The A An It He She They We You There This That These Those When Every Some Someone People Two Three Last Nobody
    No Our One Most In On At After Since If Nothing Everything Everyone Work Sometimes""".split()  # noqa: SIM905
)
"""Capitalised words that only begin a sentence; any other may be a name and keeps its capital."""


def _first(name: str, text: str, cut: str = "") -> Finding:
    """Return what the first matching pattern of a kind catches, said as it asks for."""
    for entry in read(RULES)[name]:
        pattern, say = (entry, "{}") if isinstance(entry, str) else (entry["pattern"], entry["say"])
        if caught := re.search(pattern, text, re.I):
            said = say.format(*caught.groups())
            value = short(re.sub(cut, "", said, flags=re.I | re.S) if cut else said)
            return Finding(value, sentence_at(text, caught.start(1))) if value else NOTHING
    return NOTHING


def _named(entries: Iterable[Iterable[str]], text: str) -> Finding:
    for pattern, name in entries:
        if caught := re.search(pattern, text, re.I):
            return Finding(name, sentence_at(text, caught.start()))
    return NOTHING
