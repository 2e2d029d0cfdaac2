"""What the browser's address says, and what is written into it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import streamlit as st

ADDRESS_LAG = 5.0
"""Seconds the browser may take to show an address that was written."""
PLACE_LAG = 1.0
"""The same where a click by the reader's own hand wrote it, so that no run is under way."""


def from_address(field: str, allowed: Iterable[str] | None = None) -> None:
    """Fill a field that has not been drawn yet with what the address says of it, as far as that is allowed.

    Streamlit's own binding of fields to the address was seen to stop once a timed fragment had run on the page.
    """
    if field in st.session_state or not (asked := st.query_params.get_all(field)):
        return
    st.session_state[field] = asked[0] if allowed is None else [value for value in asked if value in allowed]


def to_address(*fields: str) -> None:
    """Write into the address what stands in these fields."""
    for field in fields:
        value = st.session_state.get(field) or []
        values = [value] if isinstance(value, str) else list(value)
        if values == st.query_params.get_all(field):
            continue
        if values:
            st.query_params[field] = values
        else:
            st.query_params.pop(field, None)


def place_asked(*names: str) -> tuple[str, ...]:
    """Return what the browser's address says to these names; empty texts for what it does not name."""
    return tuple(st.query_params.get(name, "") for name in names)


def place_moved(names: tuple[str, ...]) -> bool:
    """Tell whether the reader has gone to another address by hand, as by the browser's Back, since one was written.

    What the browser sends just after that is still the old address, until it has once sent the new one.
    """
    if place_asked(*names) == st.session_state.get("place", ("",) * len(names)):
        st.session_state["place_seen"] = True
        return False
    seen = st.session_state.get("place_seen", True)
    moved = seen or time.monotonic() - st.session_state.get("addressed", 0.0) > PLACE_LAG
    st.session_state["place_moved"] = moved
    return moved


def show_place(**values: str) -> None:
    """Write into the browser's address what is shown; empty values are taken out of it.

    All of it is written at once, since each writing is a step of the browser's Back. An address that the reader has just gone to by
    hand stays as it is for now: what is written there would keep the next Back from leading further.
    """
    if st.session_state.pop("place_moved", False):
        st.session_state["place"] = place_asked(*values)
        return
    st.session_state["place"] = tuple(values.values())
    if place_asked(*values) == tuple(values.values()):
        return
    st.session_state["addressed"] = time.monotonic()
    st.session_state["place_seen"] = False
    others = {name: st.query_params.get_all(name) for name in st.query_params if name not in values}
    st.query_params.from_dict(others | {name: [value] for name, value in values.items() if value})
