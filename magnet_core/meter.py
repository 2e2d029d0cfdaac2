"""Counting what calls use while they are made: every call can be written down, and none is made once a budget is spent.

A session keeps the calls of its turns itself. What is written down here is every call, also those of turns that were broken off,
of judges, of the prompt lab: what an endpoint is paid for. The built-in rehearsal uses nothing and is not counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

from pydantic import Field

from magnet_core.costs import Prices, price_of_usage, shipped, today
from magnet_core.domain import Usage, Value
from magnet_core.errors import BudgetSpent, MagnetError
from magnet_core.models import Chunk, Model, Request

Purpose = Literal["session", "judging", "review", "lab", "client"]
"""What a call is for: a turn or plan, a rating, a blind pair, a trial, a client's draft."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
Unit = Literal["$", "tokens"]


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

    def __init__(self, limit: Limit | None = None, prices: Callable[[], Prices] = shipped) -> None:
        self.limit = limit
        self._prices = prices
        self._lock = threading.Lock()
        self._tokens, self._dollars, self._calls = 0, 0.0, 0
        self._uncounted: set[str] = set()
        self._unpriced: set[str] = set()

    @property
    def calls(self) -> int:
        return self._calls

    @property
    def tokens(self) -> int:
        """Tokens read and written, as far as endpoints said."""
        return self._tokens

    @property
    def dollars(self) -> float | None:
        """What they cost; None where tokens or a price are not known of all of them."""
        return None if self._uncounted or self._unpriced else self._dollars

    def add(self, model: str, usage: Usage) -> None:
        """Count a call that was answered."""
        price = price_of_usage(model, usage, self._prices(), today())
        with self._lock:
            self._calls += 1
            if usage.prompt_tokens is None or usage.completion_tokens is None:
                self._uncounted.add(model)
                return
            self._tokens += usage.prompt_tokens + usage.completion_tokens
            if price is None:
                self._unpriced.add(model)
            else:
                self._dollars += price

    def check(self, model: str) -> None:
        """Raise `BudgetSpent` where no further call to a model may be made."""
        limit = self.limit
        if limit is None:
            return
        if limit.unit == "$" and self._prices().on(model, today()) is None:
            raise BudgetSpent(
                f"A budget in dollars needs a price, and none is known for {model}. Add it on the Trace page, or limit the tokens."
            )
        if self._uncounted:
            raise BudgetSpent(
                f"{', '.join(sorted(self._uncounted))} does not say how many tokens it used, so no budget can be kept. "
                "Take the limit away to go on."
            )
        spent = self._dollars if limit.unit == "$" else self._tokens
        if spent >= limit.amount:
            used = f"${spent:,.4f}" if limit.unit == "$" else f"{spent:,.0f} tokens"
            raise BudgetSpent(f"The budget of {limit} is spent: {used} were used. Raise the limit to go on.")


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

    def check(self, model: str) -> None:
        """Raise `BudgetSpent` where no further call to a model may be made."""
        for budget in self.budgets:
            budget.check(model)

    def count(self, use: Use) -> None:
        """Count a call that has ended."""
        if not use.error:
            for budget in self.budgets:
                budget.add(use.model, use.usage)
        if self._record:
            self._record(use)


class _Metered:
    """A model whose every call is counted."""

    def __init__(self, model: Model, meter: Meter) -> None:
        self._model, self._meter = model, meter

    @property
    def name(self) -> str:
        return self._model.name

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self._meter.check(self.name)
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
                )
            )
