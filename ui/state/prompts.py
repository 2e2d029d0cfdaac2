"""The prompt packs of the library, and which one new sessions are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from magnet_core.domain import Session
from magnet_core.errors import StoreError
from magnet_core.lab import changed

if TYPE_CHECKING:
    from magnet_core.packs import Pack

from ui.state.memory import say, store


def pack_list() -> list[Pack]:
    """Return the prompt packs; none, with a sentence kept, when they cannot be read."""
    try:
        return store().packs.packs()
    except StoreError as error:
        say(str(error))
        return []


def pack() -> Pack | None:
    """Return the pack that new sessions of this browser session are made with; None for our prompts."""
    id = st.session_state.get("pack")
    return next((one for one in pack_list() if one.id == id), None) if id else None


def known_as(session: Session) -> str:
    """Return how a reader knows the prompts of a session; empty where all of them are ours."""
    if not (own := changed(session.prompts)):
        return ""
    from magnet_core.packs import pack_of

    title, _ = pack_of(session, pack_list())
    return title or f"{len(own)} changed"
