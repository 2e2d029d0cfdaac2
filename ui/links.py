"""The ways from one page to another; where a page stands alone there are none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitAPIException

from ui import state

SESSION_PAGE = "pages/watch/session.py"
LAB_PAGE = "pages/lab/prompts.py"
TRACE_PAGE = "pages/lab/trace.py"
MODELS_PAGE = "pages/setup/models.py"


def link(page: str, label: str, icon: str, place: Mapping[str, str] | None = None, *, help: str | None = None) -> None:
    """Link to another page, at a place that its address names."""
    with suppress(StreamlitAPIException):
        st.page_link(page, label=label, icon=icon, help=help, query_params=place)


def go(page: str, place: Mapping[str, str] | None = None) -> None:
    """Go to another page, at a place that its address names."""
    with suppress(StreamlitAPIException):
        st.switch_page(page, query_params=place)


def leave(session: str, turn: int | None) -> None:
    """Have the session page show a session at a turn, and go there when this page calls `left` at its next drawing."""
    if state.sessions.open_stored(session):
        state.sessions.look_at(turn)
        state.keep("leaving", True)


def left() -> None:
    """Go to the session page where `leave` was called."""
    if state.kept("leaving"):
        state.keep("leaving", False)
        go(SESSION_PAGE, state.sessions.session_place())
