"""Undo and redo: which sessions a person went through, one fork after the other."""

from __future__ import annotations

from typing import Self

from magnet_core.domain import Value


class Trail(Value):
    """The session looked at, those it was reached by, and those that were undone; every one of them stays in the library."""

    now: str
    past: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    """What redo leads to, the next one first."""

    def to(self, id: str) -> Self:
        """Go on to another session; what was undone is no longer ahead."""
        return self if id == self.now else self.model_copy(update={"now": id, "past": (*self.past, self.now), "ahead": ()})

    def undo(self) -> Self:
        """Go back by one session; stay where there is none."""
        if not self.past:
            return self
        *past, back = self.past
        return self.model_copy(update={"now": back, "past": tuple(past), "ahead": (self.now, *self.ahead)})

    def redo(self) -> Self:
        """Go forward again by one session; stay where there is none."""
        if not self.ahead:
            return self
        forward, *ahead = self.ahead
        return self.model_copy(update={"now": forward, "past": (*self.past, self.now), "ahead": tuple(ahead)})
