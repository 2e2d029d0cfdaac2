"""What everything costs in time, tokens and money; what went wrong on the way; and the prices and the limit it is counted by."""

from __future__ import annotations

import streamlit as st

from magnet_core.store import Entry
from ui import links, state, theme
from ui.scoring.judging import MOST
from ui.tracing import incidents, prices, sessions, spans, spending

VIEWS = {
    "one": "One session",
    "many": "All sessions",
    "spending": "Spending",
    "wrong": "Errors and retries",
    "prices": "Prices",
}
PLACE = ("view", "session")
"""What of the page is in its address."""


def arrive() -> None:
    """Take up what the address asks for, where it is new; after the browser's Back from another page, that page's comes first."""
    came = state.enter("trace")
    asked, session = state.address.place_asked(*PLACE)
    if (not came and not state.address.place_moved(PLACE)) or (asked and asked not in VIEWS):
        return
    if asked or session:
        state.keep("trace_view", asked or "one")
    if session:
        state.keep("trace_session", session)


def body(view: str, entries: list[Entry]) -> None:
    """Draw the view that is wanted."""
    if view == "prices":
        prices.draw(entries)
    elif view == "spending":
        spending.draw()
    elif view == "wrong":
        incidents.draw(state.costs.traces(entries, state.spending.prices()))
    elif not entries:
        st.html(
            '<section class="card"><header><h3>No session has been kept yet</h3></header><p class="says">Here every session shows '
            "what it took: time, tokens and, where prices are known, money. Begin a session first.</p></section>"
        )
    elif view == "many":
        sessions.many(state.costs.traces(entries, state.spending.prices()))
    else:
        sessions.one(entries)


def page() -> None:
    """Draw the page."""
    links.left()
    arrive()
    with st.container(key="trace", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Trace", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("trace_view") else "one", required=True, key="trace_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        body(view or "one", state.sessions.recent(MOST))
        if told := state.told():
            st.warning(theme.plain(told))
        spans.line()


page()
