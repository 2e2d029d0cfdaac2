"""Waiting on a page for work that runs beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import streamlit as st

from ui import state

T = TypeVar("T")
BUDGET, EVERY = 0.4, 0.5
"""Seconds a look at something running lasts, and seconds between two looks."""


def waited(work: Coroutine[Any, Any, T], words: str) -> T:
    """Return what some work comes to; a click elsewhere gives it up."""
    begun = state.begin(work)
    with st.spinner(words, show_time=True):
        line = st.empty()
        try:
            while not begun.done():
                line.html('<p class="hint">To give up waiting, press any button.</p>')
                time.sleep(0.1)
        finally:
            begun.cancel()
        line.empty()
        return begun.result()


@st.fragment(run_every=EVERY)
def watch(look: Callable[[], tuple[str, bool]]) -> None:
    """Draw how something stands until the page is to be drawn anew; `look` tells both, the first as HTML.

    It draws within itself alone: a click begins the page anew while this still draws, and a place of the page is then no longer there.
    """
    place, end = st.empty(), time.monotonic() + BUDGET
    while time.monotonic() < end:
        words, ended = look()
        if words:
            place.html(words)
        if ended:
            st.rerun()
        time.sleep(0.1)
