"""Waiting on a page for work that runs beside it."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import streamlit as st

from ui import state

T = TypeVar("T")


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
