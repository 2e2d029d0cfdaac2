"""What calls to endpoints cost: the price list, the ledger they are written into, and the limit of a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core import costs
from magnet_core.cast import Cast, open_models
from magnet_core.costs import Prices, shipped
from magnet_core.errors import StoreError
from magnet_core.meter import Budget, Limit, Meter, Purpose, Use
from magnet_core.spending import Sum
from ui.engine.bookkeeper import Bookkeeper
from ui.engine.runner import OpenModels
from ui.state.memory import say, store

if TYPE_CHECKING:
    from magnet_core.store import Store

MOST_FAILURES = 10_000
"""How many of the latest calls without an answer are looked at."""
PRICE_LAG = 2.0
"""Seconds after which a change to the price list counts in calls that are being made."""


def prices() -> Prices:
    """Return the price list: the shipped one with the library's own entries over it."""
    try:
        return store().prices.all()
    except StoreError as error:
        say(str(error))
        return shipped()


@st.cache_resource(show_spinner=False)
def book() -> Bookkeeper:
    """Return what writes calls down; raise `StoreError` when the library cannot be opened."""
    return Bookkeeper(store().ledger.add)


@st.cache_resource(show_spinner=False)
def today() -> Budget:
    """Return what all calls of the day have used, those before this process began as well, and the limit they stop at."""
    kept = store()
    budget = Budget(kept.ledger.limit(), listed(kept), daily=True)
    for one in kept.ledger.sums(costs.today()):
        budget.add_before(one.day, one.model, one.usage, one.answered, one.uncounted)
    return budget


def set_limit(limit: Limit | None) -> bool:
    """Stop calls once those of a day have used so much; None takes the limit away. Tell whether it is kept."""
    try:
        store().ledger.set_limit(limit)
        today().limit = limit
    except StoreError as error:
        say(str(error))
        return False
    return True


def sums() -> list[Sum]:
    """Return what was used by day, purpose and model; read again only when there is more."""
    try:
        return _sums(_written())
    except StoreError as error:
        say(str(error))
        return []


def turns() -> list[Sum]:
    """Return what was used for sessions, turn by turn."""
    try:
        return _turns(_written())
    except StoreError as error:
        say(str(error))
        return []


def failures() -> list[Use]:
    """Return the calls without an answer and what was given up because of them, the latest first."""
    try:
        return _failures(_written())
    except StoreError as error:
        say(str(error))
        return []


def _written() -> tuple[float, ...]:
    """Return figures that differ when the ledger holds other calls, once what is known now is written down."""
    book().done()
    return store().ledger.state()


@st.cache_resource(show_spinner=False, max_entries=1)
def _sums(stands: tuple[float, ...]) -> list[Sum]:
    return store().ledger.sums()


@st.cache_resource(show_spinner=False, max_entries=1)
def _turns(stands: tuple[float, ...]) -> list[Sum]:
    return store().ledger.turns()


@st.cache_resource(show_spinner=False, max_entries=1)
def _failures(stands: tuple[float, ...]) -> list[Use]:
    return store().ledger.failures(MOST_FAILURES)


def opening(cast: Cast, purpose: Purpose, *budgets: Budget) -> OpenModels:
    """Return what opens a cast's models with a `meter` over them; raise `StoreError` when the library cannot be opened."""
    return partial(open_models, cast, meter=meter(purpose, *budgets))


def meter(purpose: Purpose, *budgets: Budget) -> Meter:
    """Return what writes every call down and makes none where the day's or another budget is spent.

    Raises `StoreError` when the library cannot be opened.
    """
    return Meter(purpose, (today(), *budgets), book().write)


def listed(kept: Store) -> Callable[[], Prices]:
    """Return what tells the prices outside of a page, looking them up now and then."""
    held: list[tuple[float, Prices]] = []

    def now() -> Prices:
        if not held or time.monotonic() - held[0][0] > PRICE_LAG:
            try:
                held[:] = [(time.monotonic(), kept.prices.all())]
            except StoreError:
                return held[0][1] if held else shipped()
        return held[0][1]

    return now
