"""The set-ups used before in this library: they speak again with the keys that this browser session has, never by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from magnet_core.cast import Cast, Voice
from magnet_core.errors import StoreError
from magnet_core.models import REHEARSAL
from ui.state import voices
from ui.state.memory import say, store

if TYPE_CHECKING:
    from magnet_core.store import Setup


def used_before() -> list[Setup]:
    """Return the set-ups used before, the last one first; none where the library cannot be read."""
    try:
        return store().setups.all()
    except StoreError:
        return []


def remember(cast: Cast) -> None:
    """Remember a cast in the library without its keys; the rehearsal alone needs no remembering."""
    if not models_of(cast):
        return
    try:
        store().setups.add(cast)
    except StoreError as error:
        say(f"This set-up speaks, but it is not remembered. {error}")


def speaking_again(setup: Setup) -> Cast:
    """Return the cast of a set-up with the keys this browser session has for its servers."""

    def keyed(voice: Voice) -> Voice:
        return voice if voice.model == REHEARSAL else voice.model_copy(update={"api_key": voices.key_for(voice.base_url)})

    overrides = {agent: keyed(voice) for agent, voice in setup.cast.overrides.items()}
    calls = voices.cast().calls_in_flight
    return setup.cast.model_copy(
        update={"default": keyed(setup.cast.default), "overrides": overrides, "calls_in_flight": calls}
    )


def lacking(setup: Setup) -> list[str]:
    """Return the addresses of a set-up that were called with a key, of which this browser session has none."""
    return [address for address in setup.keyed if voices.key_for(address) is None]


def fill(fields: Mapping[str, Any]) -> None:
    """Put values into fields by their keys, for the next drawing of the page."""
    for name, value in fields.items():
        st.session_state[name] = value


def voice_of(model: str, server: str = "") -> Voice | None:
    """Return the voice by the name of its model that was used last, on a server if one is named; None where none is remembered."""
    found = (voice for setup in used_before() for voice in (setup.cast.default, *setup.cast.overrides.values()))
    wanted = (voice for voice in found if voice.model == model and server in ("", voices.server_of(voice.base_url)))
    return next((voice for voice in wanted if voice.model != REHEARSAL), None)


def models_of(cast: Cast) -> list[str]:
    """Return the models of a cast but the rehearsal, the one that speaks for most first."""
    names = (voice.model for voice in (cast.default, *cast.overrides.values()))
    return [name for name in dict.fromkeys(names) if name != REHEARSAL]


def forget(id: str) -> None:
    """Forget one set-up."""
    try:
        store().setups.forget(id)
    except StoreError as error:
        say(str(error))


def forget_all() -> None:
    """Forget every set-up of the library."""
    try:
        store().setups.forget_all()
    except StoreError as error:
        say(str(error))
