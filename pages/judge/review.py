"""Which of two sessions people find better, told blind; which pairs they are given; and what it comes to."""

from __future__ import annotations

from typing import cast

import streamlit as st

from ui import state
from ui.pairing import pairing
from ui.rating import desk
from ui.reviewed import reviewed

VIEWS = {"rate": "Rate", "pairs": "Pairs", "results": "Results"}


def page() -> None:
    """Draw the view that is wanted; an address for raters shows the desk alone."""
    state.enter("review")
    [only] = state.address.place_asked("rate")
    if only == "only" or state.kept("review_only"):
        state.keep("review_only", True)
        with st.container(key="review"):
            st.header("Expert review")
            desk()
        return
    with st.container(key="review"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Expert review", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("review_view") else "rate", required=True, key="review_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        {"rate": desk, "pairs": pairing, "results": reviewed}[cast(str, view or "rate")]()


page()
