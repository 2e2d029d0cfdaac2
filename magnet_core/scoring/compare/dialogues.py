"""Two sessions turn by turn, in step, with what differs."""

from __future__ import annotations

from typing import Literal

from magnet_core.domain import Session, Turn, Value

Part = Literal["counsellor", "client", "choice"]


class Line(Value):
    """One moment of two sessions: a turn of each, by its number."""

    number: int
    left: Turn | None
    right: Turn | None
    differs: tuple[Part, ...]
    """In what; a turn that only one of them has differs in all."""
    ends: tuple[bool, bool] = (False, False)
    """Whether the client ended the session here, on the left and on the right."""


def side_by_side(left: Session, right: Session) -> list[Line]:
    """Return two sessions turn by turn; where one is longer, the other's side is empty.

    Techniques chosen in another order are the same choice, and the end of a session is no difference of words.
    """
    lines: list[Line] = []
    for number in range(1, max(len(left.turns), len(right.turns)) + 1):
        a, b = (s.turns[number - 1] if number <= len(s.turns) else None for s in (left, right))
        differs: list[Part] = []
        if a is None or b is None or a.response != b.response:
            differs.append("counsellor")
        if a is None or b is None or a.reply.text != b.reply.text:
            differs.append("client")
        if _chosen(a) != _chosen(b):
            differs.append("choice")
        ends = tuple(bool(turn and turn.reply.ends_session) for turn in (a, b))
        lines.append(Line(number=number, left=a, right=b, differs=tuple(differs), ends=(ends[0], ends[1])))
    return lines


def _chosen(turn: Turn | None) -> frozenset[str]:
    return frozenset(turn.choice.techniques) if turn and turn.choice else frozenset()
