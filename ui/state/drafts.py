"""The unsaved drafts of the lab: in this memory, and in the library under an id that the browser's address holds."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core.errors import StoreError
from magnet_core.lab.drafts import Draft, Notebook, Reader
from ui.state.memory import say, store

if TYPE_CHECKING:
    from magnet_core.store.notebooks import Left


def notebook() -> Notebook:
    """Return this browser session's drafts; after a reload those that the address names."""
    if "notebook" not in st.session_state:
        asked, found = st.query_params.get("draft", ""), None
        if asked:
            try:
                found = store().notebooks.of(asked)
            except StoreError as error:
                say(str(error))
        st.session_state["notebook"] = found or Notebook(id="")
        st.session_state["notebook_kept"] = ""
    return st.session_state["notebook"]


def draft(reader: Reader, place: str) -> Draft:
    return notebook().draft(reader, place)


def put(new: Draft) -> None:
    """Keep a draft, in the library as well. Drafts found there go on under an id of this browser session's own."""
    before = notebook()
    now = before.put(new)
    if now == before:
        return
    own = st.session_state["notebook_kept"] or secrets.token_urlsafe(12)
    now = now.model_copy(update={"id": own})
    st.session_state["notebook"] = now
    try:
        store().notebooks.keep(now)
        if before.id and before.id != own:
            with suppress(StoreError):
                store().notebooks.take_up(before.id)
        st.session_state["notebook_kept"] = own
    except StoreError as error:
        say(f"What you write here is not kept for a reload: {error}")


def address() -> str:
    """Return what the browser's address says of the drafts; empty while there are none."""
    return notebook().id if notebook().drafts else ""


def left_behind() -> Left | None:
    """Return the newest drafts that another visit left, while there are none here."""
    if notebook().drafts:
        return None
    try:
        return store().notebooks.newest(but=notebook().id)
    except StoreError:
        return None


def take_up(left: Notebook) -> None:
    """Go on with drafts of another visit."""
    st.session_state["notebook"] = left
    st.session_state["notebook_kept"] = ""
