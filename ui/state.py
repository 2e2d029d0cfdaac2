"""What a browser session holds, and the few things the process shares: the only file that touches either.

Shared by everybody: the engine, the store, the sample clients. A browser session's own: which session it looks at, at which
turn, with what settings, and its cast of models with their keys, which stay in this memory.
"""

from __future__ import annotations

import gc
import secrets
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st
from pydantic import SecretStr

from magnet_core import profiles as profile_files
from magnet_core.cast import REHEARSAL, Cast, Voice, open_models
from magnet_core.domain import Attitude, ClientProfile, Session, Visibility
from magnet_core.errors import MagnetError, SettingsError, StoreError
from magnet_core.methods import MAGNET, METHODS
from magnet_core.models.failures import place
from magnet_core.models.openai import OPENAI_URL, check_key, check_url
from magnet_core.session import new_session
from magnet_core.settings import Settings
from magnet_core.settings import settings as read_settings
from ui.runner import Engine, Goal, Run, Snapshot, recording

if TYPE_CHECKING:
    from magnet_core.store import Entry, Store

T = TypeVar("T")
PACES: dict[str, float] = {"Calm": 15.0, "Brisk": 45.0, "At once": 0.0}
"""Words per second of the rehearsal cast."""
RECORDING_PACE = 60.0
"""Words per second of a recording where no pace is chosen."""
FIRST_CLIENT = "mei-lin-chow"
TURNS = range(8, 21)
ADDRESS_LAG = 5.0
"""Seconds the browser may take to show an address that was written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings of a session to be."""

    client: str
    attitude: Attitude
    method: str = "magnet"
    turns: int = 20
    visibility: Visibility = "repaired"
    seed: int = 0


# Shared by the whole process


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    return Engine(settings().calls_in_flight)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the library of sessions; raise `StoreError` when it cannot be opened."""
    from magnet_core.store import Store

    return Store(settings().database_url)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings from the environment, `.env` and Streamlit's secrets, in this order."""
    return read_settings(**_secrets())


@st.cache_resource(show_spinner=False)
def samples() -> dict[str, ClientProfile]:
    """Return the sample clients by id, the first one to be shown first."""
    found = {profile.id: profile for profile in profile_files.samples()}
    first = {FIRST_CLIENT: found[FIRST_CLIENT]} if FIRST_CLIENT in found else {}
    return first | found


@st.cache_resource(show_spinner=False)
def warm_up() -> bool:
    """Import what is heavy beside the first page view, then let the garbage collector forget it: reruns stay quick."""

    def work() -> None:
        import pandas
        import plotly.graph_objects

        from magnet_core import store as _store
        from magnet_core.models.openai import open_client

        _ = (pandas.DataFrame, plotly.graph_objects.Figure, _store.Store)
        _ = open_client("", "none").chat.completions
        gc.collect()
        gc.freeze()

    threading.Thread(target=work, daemon=True, name="warm-up").start()
    return True


def _secrets() -> dict[str, Any]:
    """Return the top level of Streamlit's secrets; empty when there is no secrets file."""
    try:
        return {name: value for name, value in st.secrets.items() if isinstance(value, (str, int, float))}
    except (FileNotFoundError, KeyError):
        return {}


# This browser session's own


def owner() -> str:
    """Return this browser session's token; whoever started a run may stop it."""
    return st.session_state.setdefault("owner", secrets.token_urlsafe(12))


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
    engine().recast(owner(), partial(open_models, now), now.fan_out)


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


def begin(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin some work beside the page."""
    return engine().call(work)


def kept(name: str, otherwise: Any = None) -> Any:
    """Return what a page has kept, or what stands in a field."""
    return st.session_state.get(name, otherwise)


def keep(name: str, value: Any) -> None:
    st.session_state[name] = value


def copy(field: str, to: str) -> None:
    """Put into one field what was chosen in another."""
    if value := st.session_state.get(field):
        st.session_state[to] = value


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


def say(text: str) -> None:
    """Keep a sentence for the next drawing of the page."""
    st.session_state["note"] = text


def told() -> str:
    """Return the kept sentence, once."""
    return st.session_state.pop("note", "")


# Which session, which turn


def current() -> Session:
    """Return the session this page shows, at its newest; a sample client's session to be on the first visit."""
    held: Session | None = st.session_state.get("session")
    asked = st.query_params.get("session", "")
    if asked and (held is None or (held.id != asked and _settled())):
        held = _found(asked) or held
    if held is None:
        held = fresh(Wanted(FIRST_CLIENT, samples()[FIRST_CLIENT].attitude))
    run = engine().run_on(held.id)
    if run and len(run.session.turns) >= len(held.turns):
        held = run.session
    st.session_state["session"] = held
    _address(held.id if run or started(held) else "")
    return held


def _settled() -> bool:
    """Tell whether the browser has surely caught up with the address written last: until then it still sends the old one."""
    return time.monotonic() - st.session_state.get("addressed", 0.0) > ADDRESS_LAG


def _address(session_id: str) -> None:
    """Write which session is shown into the browser's address."""
    if st.query_params.get("session", "") == session_id:
        return
    st.session_state["addressed"] = time.monotonic()
    if session_id:
        st.query_params["session"] = session_id
    else:
        st.query_params.pop("session", None)


def _found(id: str) -> Session | None:
    if run := engine().run_on(id):
        return run.session
    try:
        return store().session(id)
    except StoreError as error:
        say(str(error))
        return None


def started(session: Session) -> bool:
    return session.plan is not None or bool(session.turns)


def fresh(wanted: Wanted) -> Session:
    """Return a session to be, with nothing in it yet."""
    profile = samples()[wanted.client].with_attitude(wanted.attitude)
    return new_session(profile, method=wanted.method, visibility=wanted.visibility, max_turns=wanted.turns, seed=wanted.seed)


def wanted_of(session: Session) -> Wanted:
    """Return the settings a session was made with, as far as they can be wanted again here."""
    return Wanted(
        session.profile.id if session.profile.id in samples() else FIRST_CLIENT,
        session.profile.attitude,
        session.method if session.method in METHODS else MAGNET.name,
        min(max(session.max_turns, TURNS[0]), TURNS[-1]),
        session.visibility,
        session.seed,
    )


def prepare(wanted: Wanted) -> None:
    """Show a new session to be; what was shown before stays in the library."""
    _show(fresh(wanted))


def start_over(session: Session) -> None:
    """Show a new session to be with the settings of this one and the next seed."""
    again = session.model_copy(
        update={"plan": None, "plan_calls": (), "plan_flags": (), "turns": (), "seed": session.seed + 1}
    )
    made = new_session(
        again.profile,
        method=again.method,
        visibility=again.visibility,
        min_turns=again.min_turns,
        max_turns=again.max_turns,
        seed=again.seed,
    )
    _show(made)


def open_stored(id: str) -> None:
    """Show a session of the library."""
    if found := _found(id):
        _show(found)


def _show(session: Session) -> None:
    st.session_state["session"] = session
    st.session_state.pop("replay", None)
    st.session_state["addressed"] = time.monotonic()
    look_at(None)


def recent(limit: int = 50) -> list[Entry]:
    """Return the newest entries of the library; empty, with a sentence kept, when it cannot be read."""
    try:
        return store().recent(limit)
    except StoreError as error:
        say(str(error))
        return []


def looked_at(session: Session) -> int | None:
    """Return the earlier turn that is looked at; None to follow the newest."""
    if "look" not in st.session_state:
        asked = st.query_params.get("turn", "")
        st.session_state["look"] = int(asked) if asked.isdecimal() else None
    number = st.session_state["look"]
    return number if number is not None and 0 <= number <= len(session.turns) else None


def look_at(number: int | None) -> None:
    """Look at an earlier turn, or follow the newest again."""
    st.session_state["look"] = number
    if number is None:
        st.query_params.pop("turn", None)
    else:
        st.query_params["turn"] = str(number)


# Runs


def run_of(session: Session) -> Run | None:
    """Return the run this page looks at: a recording being shown, or the newest run of the session."""
    if (id := st.session_state.get("replay")) and (run := engine().run(id)):
        return run
    return engine().run_on(session.id)


def look(run: Run) -> Snapshot:
    return run.look(owner())


def go(session: Session, goal: Goal) -> None:
    """Go on with a session in the background; what stands in the way is kept as a sentence."""
    if ahead := _gone_on(session):
        _show(ahead)
        return say("This session had gone on in another window. This is how it stands now.")
    look_at(None)
    now = cast()
    try:
        engine().start(
            session, goal, owner=owner(), open_models=partial(open_models, now), save=store().save, fan_out=now.fan_out
        )
    except MagnetError as error:
        say(str(error))


def _gone_on(session: Session) -> Session | None:
    """Return the stored session when it holds more turns than the one at hand."""
    if not started(session):
        return None
    run = engine().run_on(session.id)
    if run and run.live:
        return None
    try:
        stored = store().session(session.id)
    except StoreError:
        return None
    return stored if len(stored.turns) > len(session.turns) else None


def stop(run: Run) -> None:
    engine().stop(run)


def show_recording(session: Session) -> None:
    """Play a session's own words again, at reading pace, without a model; nothing is stored."""
    again = session.model_copy(
        update={
            "id": secrets.token_hex(8),
            "plan": None,
            "plan_calls": (),
            "plan_flags": tuple(f for f in session.plan_flags if f.kind == "risk"),
            "turns": (),
            "max_turns": max(1, len(session.turns)),
            "min_turns": 1,
        }
    )
    run = engine().start(again, "end", owner=owner(), open_models=recording(session, PACES[pace()] or RECORDING_PACE))
    st.session_state["replay"] = run.id
    look_at(None)


def showing_recording() -> bool:
    return bool((id := st.session_state.get("replay")) and engine().run(id))


def end_recording() -> None:
    """Go back to the session a recording was made of."""
    if (id := st.session_state.pop("replay", None)) and (run := engine().run(id)):
        engine().stop(run)
    look_at(None)


def enter() -> None:
    """Begin a page; every page calls this first."""
