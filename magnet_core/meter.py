"""Counting what calls use while they are made: every call can be written down, and none is made once a budget is spent.

A session keeps the calls of its turns itself. What is written down here is every call, also those of turns that were broken off,
of judges, of the prompt lab: what an endpoint is paid for. The built-in rehearsal uses nothing and is not counted.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, date, datetime
from typing import Any, Literal, cast

from pydantic import Field

from magnet_core.costs import Prices, price_of_usage, shipped, today
from magnet_core.domain import Session, Usage, Value
from magnet_core.errors import AgentFailed, BudgetSpent, MagnetError
from magnet_core.models import Chunk, Model, Request

Purpose = Literal["session", "judging", "review", "lab", "client", "test"]
"""What a call is for: a turn or plan, a rating, a blind pair, a trial, a client's draft, a test of an endpoint."""
Unit = Literal["$", "tokens"]


def amount(used: float, unit: Unit) -> str:
    """Return in words how much was used."""
    return f"${used:,.4f}" if unit == "$" else f"{used:,.0f} tokens"


CHARACTERS = 5
"""Characters of a prompt that make a token at least: a call that is about to be made reads no less than this says."""


class Limit(Value):
    """The most that may be used."""

    amount: float = Field(gt=0, allow_inf_nan=False)
    unit: Unit = "$"

    def __str__(self) -> str:
        return f"${self.amount:,.2f}" if self.unit == "$" else f"{self.amount:,.0f} tokens"


class Use(Value):
    """One call to an endpoint and what it used; None where the endpoint did not say."""

    made: datetime
    purpose: Purpose
    model: str
    agent: str = ""
    session: str = ""
    turn: int | None = None
    usage: Usage = Usage()
    seconds: float = 0.0
    error: str = ""
    """Why there was no answer; empty when there was one."""
    lost: bool = False
    """Whether a turn, rating or trial was given up because of it."""


class Budget:
    """What has been used so far by some calls, and the limit they stop at; safe to use from several threads."""

    def __init__(self, limit: Limit | None = None, prices: Callable[[], Prices] = shipped, *, daily: bool = False) -> None:
        """Begin to count; a `daily` one begins anew with every day of UTC."""
        self.limit = limit
        self._prices, self._daily = prices, daily
        self._lock = threading.Lock()
        self._day = today()
        self._clear()

    def _clear(self) -> None:
        self._calls = 0
        self._used: dict[str, Usage] = {}
        self._uncounted: set[str] = set()
        self._under_way: Counter[str] = Counter()

    def _turn_page(self) -> None:
        if self._daily and self._day != today():
            self._day = today()
            self._clear()

    def _now(self) -> list[tuple[str, Usage]]:
        """Return what was used on the day that is counted now."""
        with self._lock:
            self._turn_page()
            return list(self._used.items())

    @property
    def calls(self) -> int:
        self._now()
        return self._calls

    @property
    def tokens(self) -> int:
        """Tokens read and written, as far as endpoints said."""
        return sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for _, one in self._now())

    @property
    def dollars(self) -> float | None:
        """What they cost by the prices known now; None where tokens or a price are not known of all of them."""
        listed = self._prices()
        parts = [price_of_usage(model, usage, listed, self._day) for model, usage in self._now()]
        return None if self._uncounted or None in parts else sum(part or 0.0 for part in parts)

    @property
    def used(self) -> float | None:
        """What was used in the unit of the limit, or in tokens without one; None where it is not known."""
        if self.limit and self.limit.unit == "$":
            return self.dollars
        return None if self._uncounted else self.tokens

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The models that did not say how many tokens they used."""
        self._now()
        return tuple(sorted(self._uncounted))

    def unpriced(self, *models: str) -> tuple[str, ...]:
        """Return those of some models, and of those that were used, whose price is not known."""
        listed = self._prices()
        named = dict.fromkeys((*models, *(model for model, _ in self._now())))
        return tuple(name for name in named if listed.on(name, self._day) is None)

    def add_before(self, day: date, model: str, usage: Usage, answered: int, uncounted: int) -> None:
        """Count what was used earlier, if it was on the day that is counted now."""
        if day == self._day and answered:
            self.add(model, Usage() if uncounted else usage, answered)

    def add(self, model: str, usage: Usage, calls: int = 1) -> None:
        """Count answered calls to a model by what they used together."""
        with self._lock:
            self._turn_page()
            self._calls += calls
            if usage.prompt_tokens is None or usage.completion_tokens is None:
                self._uncounted.add(model)
            else:
                self._used[model] = Usage.total([self._used.get(model, Usage()), usage])

    def claim(self, model: str, tokens: int) -> None:
        """Take note of a call that is about to read so many tokens; raise `BudgetSpent` where it may not be made."""
        self.check(model, tokens)
        with self._lock:
            self._under_way[model] += tokens

    def release(self, model: str, tokens: int) -> None:
        """Take note that such a call has ended."""
        with self._lock:
            self._under_way[model] = max(0, self._under_way[model] - tokens)

    def check(self, model: str, tokens: int = 0) -> None:
        """Raise `BudgetSpent` where no further call to a model, reading so many `tokens`, may be made."""
        limit = self.limit
        if limit is None:
            return
        if limit.unit == "$" and (unpriced := self.unpriced(model)):
            raise BudgetSpent(
                f"A budget in dollars needs a price, and none is known for {', '.join(unpriced)}. Add it on the Trace page, or "
                "limit the tokens."
            )
        if uncounted := self.uncounted:
            raise BudgetSpent(
                f"{', '.join(uncounted)} does not say how many tokens it used, so no budget can be kept. "
                "Take the limit away to go on."
            )
        spent = self.used or 0.0
        whose = "the limit of a day" if self._daily else "the budget"
        mend = "Raise it on the Trace page to go on." if self._daily else "Raise it to go on."
        if spent >= limit.amount:
            raise BudgetSpent(f"{whose.capitalize()}, {limit}, is spent: {amount(spent, limit.unit)} were used. {mend}")
        if spent + self._ahead(model, tokens) > limit.amount:
            raise BudgetSpent(
                f"{whose.capitalize()}, {limit}, does not reach for the next call: {amount(spent, limit.unit)} were used, and "
                f"calls under way use more. {mend}"
            )

    def _ahead(self, model: str, tokens: int) -> float:
        """Return what calls under way, and one to come, read at least, in the unit of the limit."""
        with self._lock:
            ahead = self._under_way + Counter({model: tokens})
        if not self.limit or self.limit.unit == "tokens":
            return float(ahead.total())
        listed = self._prices()
        read = ((name, Usage(prompt_tokens=n, completion_tokens=0)) for name, n in ahead.items())
        return sum(price_of_usage(name, usage, listed, self._day) or 0.0 for name, usage in read)


class Meter:
    """Counts calls for one purpose against budgets, and has each written down."""

    def __init__(
        self, purpose: Purpose, budgets: Iterable[Budget] = (), record: Callable[[Use], None] | None = None
    ) -> None:
        self.purpose: Purpose = purpose
        self.budgets = tuple(budgets)
        self._record = record

    def over(self, model: Model) -> Model:
        """Return a model whose calls are counted here."""
        return _Metered(model, self)

    def claim(self, model: str, tokens: int) -> None:
        """Take note of a call that is about to read so many tokens; raise `BudgetSpent` where it may not be made."""
        claimed: list[Budget] = []
        try:
            for budget in self.budgets:
                budget.claim(model, tokens)
                claimed.append(budget)
        except BudgetSpent:
            for budget in claimed:
                budget.release(model, tokens)
            raise

    def count(self, use: Use, tokens: int) -> None:
        """Count a call that has ended, for which so many tokens were claimed."""
        for budget in self.budgets:
            budget.release(use.model, tokens)
            if not use.error:
                budget.add(use.model, use.usage)
        if self._record:
            self._record(use)


def given_up(session: Session, error: AgentFailed) -> Use:
    """Return the note that the turn being made, or the plan, was given up because an agent got no answer."""
    return Use(
        made=datetime.now(UTC),
        purpose="session",
        model=session.models.get(error.agent, ""),
        agent=error.agent,
        session=session.id,
        turn=0 if error.agent == "planner" else len(session.turns) + 1,
        error=error.reason,
        lost=True,
    )


class _Metered:
    """A model whose every call is counted."""

    def __init__(self, model: Model, meter: Meter) -> None:
        self._model, self._meter = model, meter

    @property
    def name(self) -> str:
        return self._model.name

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        tokens = sum(len(message.content) for message in request.messages) // CHARACTERS
        self._meter.claim(self.name, tokens)
        began, usages, error, ended = time.perf_counter(), list[Usage](), "", False
        try:
            async with aclosing(cast(Any, self._model.stream(request))) as chunks:
                async for chunk in chunks:
                    if chunk.usage:
                        usages.append(chunk.usage)
                    yield chunk
            ended = True
        except MagnetError as failure:
            error = str(failure)
            raise
        finally:
            self._meter.count(
                Use(
                    made=datetime.now(UTC),
                    purpose=self._meter.purpose,
                    model=self.name,
                    agent=request.moment.agent,
                    session=request.moment.session.id,
                    turn=request.moment.turn,
                    usage=Usage.total(usages),
                    seconds=round(time.perf_counter() - began, 3),
                    error=error or ("" if ended else "Stopped before the answer was whole."),
                ),
                tokens,
            )
