"""What calls cost: tokens, seconds and, where a price is known, dollars; by agent, turn, session or any other group.

What an endpoint did not say is missing, never zero: a sum with a missing part is missing too. Prices are data with dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from pydantic import Field, ValidationError

from magnet_core.domain import AgentCall, Session, Usage, Value
from magnet_core.errors import SettingsError
from magnet_core.knowledge import read

MILLION = 1_000_000
K = TypeVar("K", bound=Hashable)
N = TypeVar("N", int, float)


class Price(Value):
    """What a model's tokens cost from a day on, in US dollars for a million."""

    model: str = Field(min_length=1, max_length=200)
    since: date
    input: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """For tokens of the prompt that the endpoint had read before; None counts them like the others."""
    output: float = Field(ge=0, allow_inf_nan=False)
    source: str = Field(default="", max_length=500)


class Prices(Value):
    """A list of prices; of several for a model, that one holds on a day which began last."""

    entries: tuple[Price, ...] = ()

    def on(self, model: str, day: date) -> Price | None:
        """Return a model's price on a day; a name that ends in a date has the price of the name without it."""
        names = {model, _DATED.sub("", model)}
        found = [p for p in self.entries if p.model in names and p.since <= day]
        return max(found, key=lambda p: (p.model == model, p.since), default=None)

    def over(self, own: Iterable[Price]) -> Prices:
        """Return the list with own entries in place of those for the same model and day."""
        both = {(p.model, p.since): p for p in (*self.entries, *own)}
        return Prices(entries=tuple(sorted(both.values(), key=lambda p: (p.model, p.since))))


class Cost(Value):
    """What some calls cost together; None where it is not known of all of them."""

    calls: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    """Of all calls together, as if they came one after the other."""
    price: float | None = None
    asked_again: int = 0
    """Calls that were made because a guard did not like the answer before."""
    retries: int = 0
    """Failures of the connection that were overcome."""

    @property
    def tokens(self) -> int | None:
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


def shipped() -> Prices:
    """Return the price list that comes with the project."""
    try:
        return Prices(entries=tuple(Price.model_validate(entry) for entry in read("prices.yaml")))
    except ValidationError as error:
        raise SettingsError(f"The price list prices.yaml cannot be read: {error.errors()[0]['msg']}.") from error


def price_of(call: AgentCall, prices: Prices, day: date) -> float | None:
    """Return what a call cost in dollars; None where its tokens or its model's price are not known."""
    return price_of_usage(call.model, call.usage, prices, day)


def price_of_usage(model: str, usage: Usage, prices: Prices, day: date) -> float | None:
    """Return what a model's tokens cost in dollars on a day; None where they or the price are not known."""
    price = prices.on(model, day)
    if price is None:
        return None
    if not (price.input or price.cached or price.output):
        return 0.0
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    of_cached = price.input if price.cached is None else price.cached
    fresh = usage.prompt_tokens - cached
    return (fresh * price.input + cached * of_cached + usage.completion_tokens * price.output) / MILLION


def cost_of(calls: Sequence[AgentCall], prices: Prices, day: date) -> Cost:
    """Return what calls of a session cost together."""
    return Cost(
        calls=len(calls),
        prompt_tokens=_sum([c.usage.prompt_tokens for c in calls]),
        cached_tokens=_sum([c.usage.cached_tokens for c in calls]),
        completion_tokens=_sum([c.usage.completion_tokens for c in calls]),
        seconds=sum(c.seconds for c in calls),
        price=_sum([price_of(c, prices, day) for c in calls]),
        asked_again=sum(c.attempt > 1 for c in calls),
        retries=sum(len(c.retries) for c in calls),
    )


def together(costs: Sequence[Cost]) -> Cost:
    """Return several costs as one."""
    return Cost(
        calls=sum(c.calls for c in costs),
        prompt_tokens=_sum([c.prompt_tokens for c in costs]),
        cached_tokens=_sum([c.cached_tokens for c in costs]),
        completion_tokens=_sum([c.completion_tokens for c in costs]),
        seconds=sum(c.seconds for c in costs),
        price=_sum([c.price for c in costs]),
        asked_again=sum(c.asked_again for c in costs),
        retries=sum(c.retries for c in costs),
    )


def calls_of(session: Session, parent: Session | None = None) -> Iterator[tuple[int, AgentCall]]:
    """Yield every call of a session with its turn, 0 for the plan; without those that a fork's `parent` made already."""
    before = {(turn, call) for turn, call in calls_of(parent)} if parent else set()
    groups = (session.plan_calls, *(turn.calls for turn in session.turns))
    for number, calls in enumerate(groups):
        yield from ((number, call) for call in calls if (number, call) not in before)


def grouped(
    session: Session, prices: Prices, key: Callable[[int, AgentCall], K], parent: Session | None = None
) -> dict[K, Cost]:
    """Return the cost of a session's calls by group, in the order the groups come up."""
    found: dict[K, list[AgentCall]] = {}
    for turn, call in calls_of(session, parent):
        found.setdefault(key(turn, call), []).append(call)
    return {name: cost_of(calls, prices, day_of(session)) for name, calls in found.items()}


def session_cost(session: Session, prices: Prices, parent: Session | None = None) -> Cost:
    """Return what a whole session cost; of a fork with its `parent`, what it added."""
    return cost_of([call for _, call in calls_of(session, parent)], prices, day_of(session))


def waits(session: Session, parent: Session | None = None) -> dict[int, float]:
    """Return how long a reader would have waited for each turn, 0 for the plan: from its first call to its last answer.

    Of a fork with its `parent`, for the turns it added.
    """
    found: dict[int, list[AgentCall]] = {}
    for turn, call in calls_of(session, parent):
        found.setdefault(turn, []).append(call)
    return {
        turn: max(call.started + call.seconds for call in calls) - min(call.started for call in calls)
        for turn, calls in found.items()
    }


def waited(session: Session, parent: Session | None = None) -> float:
    """Return how long a reader would have waited for a whole session; of a fork with its `parent`, for what it added."""
    return sum(waits(session, parent).values())


def day_of(session: Session) -> date:
    """Return the day by whose prices a session is counted."""
    return session.created.astimezone(UTC).date() if session.created.tzinfo else session.created.date()


def today() -> date:
    return datetime.now(UTC).date()


_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def _sum(values: Sequence[N | None]) -> N | None:
    """Return the sum; None where a part is missing or there is nothing to add."""
    there = [v for v in values if v is not None]
    return sum(there[1:], there[0]) if there and len(there) == len(values) else None
