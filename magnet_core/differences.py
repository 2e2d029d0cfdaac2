"""What has changed between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

from magnet_core.domain import Value


class Piece(Value):
    """A stretch of text that is the same in both, stands in the first only, or in the second only."""

    kind: Literal["same", "gone", "new"]
    text: str
    start: int
    end: int
    """Where it stands: in the first text when it is gone, else in the second."""


def differences(before: str, after: str) -> tuple[Piece, ...]:
    """Return the pieces that lead from one text to the other, what is gone ahead of what is new in its place.

    The same and gone pieces joined are the first text, the same and new ones the second. Words, spaces and marks are compared
    each as a whole and exactly; a lone space between two changed words is changed with them.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    pieces: list[Piece] = []
    places = {"before": 0, "after": 0}

    def add(kind: Literal["same", "gone", "new"], text: str) -> None:
        start = places["before" if kind == "gone" else "after"]
        for side in ("before", "after"):
            if kind == "same" or (kind == "gone") == (side == "before"):
                places[side] += len(text)
        if text:
            pieces.append(Piece(kind=kind, text=text, start=start, end=start + len(text)))

    for tag, a, b, c, d in _joined(old, SequenceMatcher(None, old, new, autojunk=False).get_opcodes()):
        if tag == "equal":
            add("same", "".join(old[a:b]))
        else:
            add("gone", "".join(old[a:b]))
            add("new", "".join(new[c:d]))
    return tuple(pieces)


_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|\s+|[^\w\s]|_")
_Code = tuple[str, int, int, int, int]


def _joined(old: Sequence[str], codes: Sequence[_Code]) -> list[_Code]:
    """Return the codes with every change that only a space parts from the one before made one with it."""
    found: list[_Code] = []
    for n, (tag, a, b, c, d) in enumerate(codes):
        between = tag == "equal" and 0 < n < len(codes) - 1 and not "".join(old[a:b]).strip()
        kind = "equal" if tag == "equal" and not between else "changed"
        if found and kind == "changed" == found[-1][0]:
            found[-1] = (kind, found[-1][1], b, found[-1][3], d)
        else:
            found.append((kind, a, b, c, d))
    return found
