"""The clients there are: the samples, and the library's own."""

from __future__ import annotations

import streamlit as st

from magnet_core.domain import ClientProfile
from magnet_core.errors import StoreError
from ui.state.memory import samples, say, store


def everyone() -> dict[str, ClientProfile]:
    """Return all clients by id: the samples, then the library's own, the latest changed first."""
    return samples() | own()


def own() -> dict[str, ClientProfile]:
    """Return the library's own clients by id; none, with a sentence kept, when it cannot be read."""
    try:
        return _own(store().clients.state())
    except StoreError as error:
        say(str(error))
        return {}


@st.cache_resource(show_spinner=False, max_entries=1)
def _own(since: tuple[float, ...]) -> dict[str, ClientProfile]:
    """Return the own clients as they stand at some figures, by which the cache tells them apart."""
    return {profile.id: profile for profile in store().clients.all()}
