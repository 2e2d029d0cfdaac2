"""What sessions cost, what went wrong in them, and the price list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core.costs import Cost, Price, Prices, session_cost, waited
from magnet_core.errors import StoreError
from magnet_core.incidents import Incident, in_ledger, in_session
from magnet_core.scoring import diversity
from magnet_core.scoring.compare import Configuration, Measured, configuration_of, left_out, measure
from magnet_core.scoring.diversity import Diversity
from magnet_core.spending import Sum, kept_of, unkept

if TYPE_CHECKING:
    from magnet_core.store import Entry

from ui.state import sessions, spending
from ui.state.memory import say, store


@dataclass(frozen=True, slots=True)
class Trace:
    """What a session cost, and what went wrong in it; of a fork, what it added to its parent."""

    entry: Entry
    configuration: Configuration
    cost: Cost
    waited: float
    incidents: tuple[Incident, ...]
    kept: tuple[Sum, ...]
    """Its calls to endpoints, by turn and model."""


def measured(entries: Iterable[Entry], listed: Prices) -> tuple[list[Measured], dict[str, int]]:
    """Return what comparisons need of finished sessions, and how many were left out for which reason; each is read once."""
    held, found, out = _measures(listed.model_dump_json()), [], {}
    for entry in entries:
        if entry.parent or not entry.ended:
            one: Measured | str = "forked" if entry.parent else "not finished"
        elif (entry.id, entry.turns) in held:
            one = held[entry.id, entry.turns]
        else:
            try:
                session = store().session(entry.id)
            except StoreError as error:
                say(str(error))
                continue
            one = held[entry.id, entry.turns] = left_out(session) or measure(session, listed)
        if isinstance(one, str):
            out[one] = out.get(one, 0) + 1
        else:
            found.append(one)
    return found, out


@st.cache_resource(show_spinner=False, max_entries=64)
def variety(ids: tuple[str, ...]) -> Diversity:
    """Return how varied the words of finished sessions are, pooled by the paper's recipe."""
    return diversity.measure((store().session(id) for id in ids), "paper")


@st.cache_resource(show_spinner=False, max_entries=2)
def _measures(prices_json: str) -> dict[tuple[str, int], Measured | str]:
    """Return what was measured under some prices, by session and its turns."""
    return {}


def keep_prices(entries: Iterable[Price]) -> bool:
    """Keep the library's own prices in place of those that were there; tell whether they are kept."""
    try:
        store().prices.keep(entries)
    except StoreError as error:
        say(str(error))
        return False
    return True


def traces(entries: Iterable[Entry], listed: Prices) -> list[Trace]:
    """Return what sessions cost and what went wrong in them; each is read once, and again when it has grown."""
    held, found = _traces(listed.model_dump_json()), []
    for entry in entries:
        if (entry.id, entry.turns) not in held:
            try:
                session = store().session(entry.id)
            except StoreError as error:
                say(str(error))
                continue
            parent = sessions.parent_of(session)
            cost = session_cost(session, listed, parent)
            went_wrong, kept = tuple(in_session(session, parent)), tuple(kept_of(session, parent))
            held[entry.id, entry.turns] = Trace(
                entry, configuration_of(session), cost, waited(session, parent), went_wrong, kept
            )
        found.append(replace(held[entry.id, entry.turns], entry=entry))
    return found


@st.cache_resource(show_spinner=False, max_entries=2)
def _traces(prices_json: str) -> dict[tuple[str, int], Trace]:
    """Return what was traced under some prices, by session and its turns."""
    return {}


def incidents(found: Iterable[Trace]) -> list[Incident]:
    """Return what went wrong in some sessions, and beside them, the latest day first."""
    both = [*in_ledger(spending.failures()), *(one for trace in found for one in trace.incidents)]
    return sorted(both, key=lambda one: one.day, reverse=True)


def lost(found: Iterable[Trace]) -> list[Sum]:
    """Return the answered calls for sessions that none of these holds."""
    return unkept(spending.turns(), [one for trace in found for one in trace.kept])
