"""What calls to endpoints used together, and how much of it is in no session that is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from magnet_core.costs import Cost, Prices, calls_of, day_of, price_of_usage
from magnet_core.domain import Session, Usage, Value
from magnet_core.meter import Purpose
from magnet_core.models import REHEARSAL


class Sum(Value):
    """The calls of one day to one model for one purpose; of one turn, where a session is named."""

    day: date
    purpose: Purpose
    model: str
    session: str = ""
    turn: int | None = None
    answered: int
    failed: int = 0
    """Calls without an answer; what they used is not known."""
    uncounted: int = 0
    """Answered calls whose tokens the endpoint did not tell."""
    usage: Usage
    """Of those whose tokens are known."""
    seconds: float = 0.0

    def price(self, prices: Prices) -> float | None:
        """Return what the answered calls cost in dollars; None where their tokens or the price are not known."""
        if not self.answered:
            return 0.0
        return None if self.uncounted else price_of_usage(self.model, self.usage, prices, self.day)

    def cost(self, prices: Prices) -> Cost:
        """Return what the answered calls cost; tokens are missing where the endpoint did not tell them of all."""
        told = Usage() if self.uncounted else self.usage
        return Cost(calls=self.answered, seconds=self.seconds, price=self.price(prices), **told.model_dump())


def kept_of(session: Session, parent: Session | None = None) -> list[Sum]:
    """Return the calls to endpoints that a session holds, by turn and model; of a fork with its `parent`, those it added."""
    usages: dict[tuple[int, str], list[Usage]] = {}
    for turn, call in calls_of(session, parent):
        if call.model != REHEARSAL:
            usages.setdefault((turn, call.model), []).append(call.usage)
    return [
        Sum(
            day=day_of(session),
            purpose="session",
            model=model,
            session=session.id,
            turn=turn,
            answered=len(used),
            uncounted=sum(u.prompt_tokens is None or u.completion_tokens is None for u in used),
            usage=Usage.total(used),
        )
        for (turn, model), used in usages.items()
    ]


def unkept(made: Iterable[Sum], kept: Iterable[Sum]) -> list[Sum]:
    """Return what is left of the answered calls for sessions when those that sessions hold are taken away, turn by turn.

    What a session holds was made last, so it is taken from the latest day.
    """
    held = {(one.session, one.turn, one.model): one for one in kept}
    left: list[Sum] = []
    for one in sorted(made, key=lambda one: one.day, reverse=True):
        there = held.pop((one.session, one.turn, one.model), None)
        rest = _less(one, there) if there else one
        if there and there.answered > one.answered:
            held[one.session, one.turn, one.model] = _less(there, one)
        if rest.answered > 0:
            left.append(rest)
    return left


def _less(whole: Sum, part: Sum) -> Sum:
    """Return some calls without others that are among them."""
    counts = {name: _minus(getattr(whole.usage, name), getattr(part.usage, name)) for name in Usage.model_fields}
    unknown = bool(whole.uncounted or part.uncounted)
    answered = max(whole.answered - part.answered, 0)
    return whole.model_copy(
        update={
            "answered": answered,
            "uncounted": answered if unknown else 0,
            "usage": Usage.model_validate(counts),
            "failed": 0,
            "seconds": 0.0,
        }
    )


def _minus(whole: int | None, part: int | None) -> int | None:
    return None if whole is None else max(whole - (part or 0), 0)
