"""Which models speak and judge in this browser session, and the keys they are called with, which stay in this memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import streamlit as st
from pydantic import SecretStr

from magnet_core.cast import Cast, Voice
from magnet_core.domain import FanOut
from magnet_core.errors import SettingsError, StoreError
from magnet_core.models import REHEARSAL
from magnet_core.models.failures import place
from magnet_core.models.openai import OPENAI_URL, check_key, check_url
from magnet_core.scoring.judge import JUDGE, RULES
from ui.state import spending
from ui.state.memory import engine, owner, say, scorer, settings

PACES: dict[str, float] = {"Calm": 15.0, "Brisk": 45.0, "At once": 0.0}
"""Words per second of the rehearsal cast."""


def cast() -> Cast:
    """Return who speaks in this browser session; keys in it live in this memory only."""
    if "cast" not in st.session_state:
        try:
            st.session_state["cast"] = settings().cast()
        except SettingsError as error:
            say(str(error))
            st.session_state["cast"] = Cast()
    return st.session_state["cast"].model_copy(update={"pace": PACES[pace()]})


def set_cast(new: Cast) -> None:
    """Let other models speak in this browser session from the next turn on, in what is running too."""
    st.session_state["cast"] = new
    now = cast()
    with suppress(StoreError):
        engine().recast(owner(), spending.opening(now, "session"), now.fan_out)
        judge = judge_model() or RULES
        scorer().recast(owner(), judge, None if judge == RULES else spending.opening(now, "judging"), now.fan_out)


def key_for(base_url: str) -> SecretStr | None:
    """Return the key for an address: the one given in this browser session for its server, or the environment's own."""
    return own_keys().get(server_of(base_url)) or environment_key(base_url)


def environment_key(base_url: str) -> SecretStr | None:
    """Return the environment's key, but only for the server it belongs to: it is sent nowhere else."""
    try:
        own = settings()
    except SettingsError:
        return None
    server = server_of(base_url)
    return own.api_key if server and server == server_of(own.base_url or OPENAI_URL) else None


def own_keys() -> dict[str, SecretStr]:
    """Return the keys given in this browser session by the server each is for."""
    return st.session_state.setdefault("keys", {})


def take_key(field: str, address_field: str) -> None:
    """Move a typed key from its field into this session's memory; one that can be no key stays where it is."""
    server = server_of(st.session_state.get(address_field) or "")
    try:
        key = check_key(st.session_state.get(field) or "")
    except SettingsError:
        return
    if key and server:
        own_keys()[server] = SecretStr(key)
        st.session_state[field] = ""


def forget_keys() -> None:
    """Forget all keys given in this browser session, in the cast that speaks as well."""
    given = st.session_state.pop("keys", {}).values()

    def without(voice: Voice) -> Voice:
        if voice.api_key not in given:
            return voice
        return voice.model_copy(update={"api_key": environment_key(voice.base_url or OPENAI_URL)})

    now = cast()
    voices = {agent: without(voice) for agent, voice in now.overrides.items()}
    set_cast(now.model_copy(update={"default": without(now.default), "overrides": voices}))


def server_of(base_url: str) -> str:
    """Return the server of an address; empty when it is none."""
    try:
        return place(check_url(base_url)) if base_url.strip() else ""
    except SettingsError:
        return ""


def pace() -> str:
    return st.session_state.get("pace") or "Brisk"


def rehearsing() -> bool:
    """Tell whether the built-in cast speaks for any agent."""
    now = cast()
    return any(voice.model == REHEARSAL for voice in (now.default, *now.overrides.values()))


def model_line() -> str:
    """Return the name of the model that speaks, for a reader."""
    now = cast()
    names = list(dict.fromkeys(v.model for v in (now.default, *now.overrides.values())))
    return ", ".join("Rehearsal (authored, not a language model)" if name == REHEARSAL else name for name in names)


def known() -> dict[str, Voice]:
    """Return the voices that are set up here, by the names of their models."""
    return {voice.model: voice for voice in reversed(_all())}


def _all() -> list[Voice]:
    """Return every voice that is set up here, the one that speaks for most first."""
    now = cast()
    found = [now.default, *now.overrides.values(), Voice()]
    with suppress(SettingsError):
        own = settings().cast()
        found += [own.default, *own.overrides.values()]
    return found


def choices() -> dict[str, Voice]:
    """Return the voices that are set up here by a name that tells them apart: the model, and its server where two have it."""
    found = list(dict.fromkeys((voice.model, server_of(voice.base_url or OPENAI_URL)) for voice in _all()))
    twice = {model for model, _ in found if sum(model == other for other, _ in found) > 1 and model != REHEARSAL}
    return {name_of(voice, twice): voice for voice in reversed(_all())}


def name_of(voice: Voice, twice: Collection[str] | None = None) -> str:
    """Return the name by which a voice is listed; `twice` holds the models that several servers have."""
    if twice is None:
        return next((name for name, one in choices().items() if one == voice), voice.model)
    return f"{voice.model} · {server_of(voice.base_url or OPENAI_URL)}" if voice.model in twice else voice.model


def called(name: str) -> Voice:
    """Return the voice by a name: one that is set up, or another model of a server that is, as in “model · server”."""
    found = choices()
    if name in found or name in known():
        return found.get(name) or known()[name]
    servers = [voice for voice in found.values() if voice.model != REHEARSAL]
    model, _, server = (part.strip() for part in name.partition(" · "))
    there = next((v for v in servers if server and server_of(v.base_url or OPENAI_URL) == server), None)
    first = next(iter(servers), Voice())
    return (there or first).model_copy(update={"model": model if there else name})


def has_server() -> bool:
    """Tell whether a model beside the built-in cast is set up."""
    return any(voice.model != REHEARSAL for voice in known().values())


def cast_of(model: str) -> Cast:
    """Return a cast in which one model speaks for everybody: one that is set up, or another on a server that is."""
    return cast().model_copy(update={"default": called(model), "overrides": {}})


def judge_model() -> str:
    """Return the name of the model that can judge in this browser session; empty when only the rules can."""
    name = cast().voice(JUDGE).model
    return "" if name == REHEARSAL else name


def opener(model: str) -> tuple[Callable[[asyncio.Semaphore], Any], FanOut]:
    """Return what opens a model for the lab, and how its calls leave."""
    now = cast_of(model).model_copy(update={"pace": 0.0})
    return spending.opening(now, "lab"), now.fan_out


def judge_opener() -> tuple[Callable[[asyncio.Semaphore], Any], FanOut]:
    """Return what opens this browser session's judge for the lab, and how its calls leave."""
    now = cast()
    return spending.opening(now, "lab"), now.fan_out
