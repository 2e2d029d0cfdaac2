"""Which of two sessions people find better, told blind; which pairs they are given; and what it comes to."""

from __future__ import annotations

from typing import cast

import streamlit as st

from ui import links, state
from ui.review.pairing import pairing
from ui.review.rating import desk
from ui.review.reviewed import reviewed

VIEWS = {"rate": "Rate", "pairs": "Pairs", "results": "Results"}


def page() -> None:
    """Draw the view that is wanted; in a browser that was given the raters' address, the desk alone."""
    state.enter("review")
    if state.desk.alone():
        with st.container(key="review"):
            st.header("Rating desk")
            desk()
        return
    leave()
    with st.container(key="review"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Expert review", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("review_view") else "rate", required=True, key="review_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        {"rate": desk, "pairs": pairing, "results": reviewed}[cast(str, view or "rate")]()


def leave() -> None:
    """Go to the session page where a turn of a session was asked for."""
    asked = state.kept("review_open")
    state.keep("review_open", None)
    if asked and state.sessions.open_stored(asked[0]):
        state.sessions.look_at(asked[1])
        links.go(links.SESSION_PAGE, state.sessions.session_place())


page()
