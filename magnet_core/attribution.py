"""Which words of the counsellor's message came from which candidate, computed from the texts alone.

The method: message and candidates are cut into words (case and punctuation do not count). A run of at least three words in a row
that stands both in the message and in a candidate, and is not made of small words only ("and it is"), is taken as lent by that
candidate. The longest run is taken first; what it covers is no longer free, and the search goes on in the words left, until no run
is long enough. Where several candidates hold the same run, it goes to the first in the order of the five techniques, and the others
are named beside it.

Its limits: it sees copied words, not ideas. A candidate that was put in other words is not found, a common turn of phrase that two
texts share by chance is, and of two candidates with the same words nobody can say which one was read. It is a measure of
overlap, not of what a model did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from magnet_core.domain import Candidate, Technique, Value

SHORTEST = 3
"""Words in a row from which a run counts."""
_SMALL = frozenset(
    """a about all an and any are as at be been being but by can could did do does for from had has have he her him his how i if
    in into is it it's its just let like me might more my no not of on one or our out she should so some than that that's the
    their them then there these they this those to up us was we were what when which who will with would you you're you've
    your""".split()  # noqa: SIM905
)


class Lent(Value):
    """Some words of a message that stand in a candidate too: `message[start:end]`."""

    start: int
    end: int
    technique: Technique
    also: tuple[Technique, ...] = ()
    """Other candidates that hold the same words."""


def attribute(message: str, candidates: Iterable[Candidate]) -> tuple[Lent, ...]:
    """Return which words of a message stand in which candidate, in order and without overlap."""
    places = [(found.start(), found.end()) for found in _WORD.finditer(message)]
    words = [_plain(message[start:end]) for start, end in places]
    drafts = {c.technique: [_plain(word) for word in _WORD.findall(c.text)] for c in candidates}
    techniques = [technique for technique in Technique if technique in drafts]
    free, found = [(0, len(words))], list[tuple[int, int, Technique]]()
    while free:
        low, high = free.pop()
        runs = [(_longest(words, low, high, drafts[t]), t) for t in techniques]
        (start, length), technique = max(runs, key=lambda run: run[0][1], default=((low, 0), Technique.REFLECTION))
        if length >= SHORTEST:
            found.append((start, start + length, technique))
            free += [(low, start), (start + length, high)]
    return tuple(
        Lent(
            start=places[start][0],
            end=places[end - 1][1],
            technique=technique,
            also=tuple(t for t in techniques if t != technique and _holds(drafts[t], words[start:end])),
        )
        for start, end, technique in sorted(found)
    )


def share(message: str, lent: Iterable[Lent]) -> float:
    """Return what part of a message's words stands in a candidate, from 0 to 1."""
    words = len(_WORD.findall(message))
    return sum(len(_WORD.findall(message[one.start : one.end])) for one in lent) / words if words else 0.0


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def _plain(word: str) -> str:
    return word.lower().replace("’", "'")


def _longest(words: Sequence[str], low: int, high: int, draft: Sequence[str]) -> tuple[int, int]:
    """Return start and length of the longest run of `words[low:high]` in a draft that is not made of small words only."""
    best, before = (low, 0), [0] * (len(draft) + 1)
    for place in range(low, high):
        row = [0] * (len(draft) + 1)
        for n, word in enumerate(draft, 1):
            if word == words[place]:
                row[n] = before[n - 1] + 1
                start = place - row[n] + 1
                if row[n] > best[1] and not _SMALL.issuperset(words[start : place + 1]):
                    best = (start, row[n])
        before = row
    return best


def _holds(draft: Sequence[str], run: Sequence[str]) -> bool:
    return any(list(draft[n : n + len(run)]) == list(run) for n in range(len(draft) - len(run) + 1))
