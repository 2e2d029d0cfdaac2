"""Which session a browser session looks at, and at which turn of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core.domain import Attitude, ClientProfile, Session, Visibility
from magnet_core.errors import StoreError
from magnet_core.lab import texts_for
from magnet_core.methods import MAGNET, METHODS
from magnet_core.prompts import PromptSet
from magnet_core.session import new_session
from magnet_core.trail import Trail

if TYPE_CHECKING:
    from magnet_core.packs import Pack
    from magnet_core.store import Entry

from ui.state import address, clients, prompts
from ui.state.memory import FIRST_CLIENT, engine, note_typed, samples, say, store

TURNS = range(8, 21)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings of a session to be."""

    client: str
    attitude: Attitude
    method: str = "magnet"
    turns: int = 20
    visibility: Visibility = "repaired"
    seed: int = 0


def current() -> Session:
    """Return the session this page shows, at its newest; a sample client's session to be on the first visit."""
    held: Session | None = st.session_state.get("session")
    asked = st.query_params.get("session", "")
    if asked and (held is None or (held.id != asked and _settled())):
        held = find(asked) or held
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
    return time.monotonic() - st.session_state.get("addressed", 0.0) > address.ADDRESS_LAG


def _address(session_id: str) -> None:
    """Write which session is shown into the browser's address."""
    if st.query_params.get("session", "") == session_id:
        return
    st.session_state["addressed"] = time.monotonic()
    if session_id:
        st.query_params["session"] = session_id
    else:
        st.query_params.pop("session", None)


def find(id: str) -> Session | None:
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
    profile = clients.everyone()[wanted.client].with_attitude(wanted.attitude)
    own = prompts.pack()
    return new_session(
        profile, method=wanted.method, visibility=wanted.visibility, max_turns=wanted.turns, seed=wanted.seed,
        prompt_set=own.texts if own else None,
    )  # fmt: skip


def wanted_of(session: Session) -> Wanted:
    """Return the settings a session was made with, as far as they can be wanted again here."""
    return Wanted(
        session.profile.id if session.profile.id in clients.everyone() else FIRST_CLIENT,
        session.profile.attitude,
        session.method if session.method in METHODS else MAGNET.name,
        min(max(session.max_turns, TURNS[0]), TURNS[-1]),
        session.visibility,
        session.seed,
    )


def prepare(wanted: Wanted) -> None:
    """Show a new session to be; what was shown before stays in the library."""
    show(fresh(wanted))


def prepare_with(profile: ClientProfile) -> None:
    """Show a new session to be with a client as it is, and with the other settings of the session at hand."""
    held: Session | None = st.session_state.get("session")
    before = wanted_of(held) if held else Wanted(profile.id, profile.attitude)
    prepare(replace(before, client=profile.id, attitude=profile.attitude))


def client_changed(id: str) -> None:
    """Let a session to be have the client as it is now; where the client is gone, the first sample."""
    held: Session | None = st.session_state.get("session")
    if held and held.profile.id == id and not started(held):
        prepare_with(clients.everyone().get(id) or samples()[FIRST_CLIENT])


def start_over(session: Session) -> None:
    """Show a new session to be with the settings of this one and the next seed."""
    show(_anew(session, session.seed + 1, texts_for(session)))


def again_with(session: Session, own: Pack) -> None:
    """Show a new session to be, made as another one was but with the prompts of a pack."""
    show(_anew(session, session.seed, own.texts))


def _anew(session: Session, seed: int, texts: PromptSet) -> Session:
    return new_session(
        session.profile,
        method=session.method,
        visibility=session.visibility,
        min_turns=session.min_turns,
        max_turns=session.max_turns,
        seed=seed,
        prompt_set=texts,
    )


def open_stored(id: str) -> bool:
    """Show a session of the library; tell whether it was found."""
    if found := find(id):
        show(found)
    return found is not None


def show(session: Session, *, trail: Trail | None = None) -> None:
    st.session_state["session"] = session
    st.session_state["trail"] = trail or Trail(now=session.id)
    if trail is None:
        note_typed()
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


def parent_name(session: Session) -> str:
    """Return how a reader knows the session that one was forked from."""
    above = parent_of(session)
    return above.profile.name if above else "a session that is no longer kept"


def parent_of(session: Session) -> Session | None:
    """Return the session that one was forked from, as it is remembered or stored."""
    if not session.parent:
        return None
    id = session.parent.session
    known: dict[str, Session | None] = st.session_state.setdefault("parents", {})
    if id not in known or len(getattr(known[id], "turns", ())) < session.parent.turns:
        run = engine().run_on(id)
        try:
            known[id] = run.session if run else store().session(id)
        except StoreError:
            known[id] = None
        if len(known) > 50:
            del known[next(iter(known))]
    return known.get(id)


def stored(id: str) -> Session | None:
    """Return a session of the library, or as it runs just now; None, with a sentence kept, when there is none."""
    return find(id) if id else None


def held() -> Session | None:
    """Return the session that this browser session looks at, if it has begun; without opening one."""
    found: Session | None = st.session_state.get("session")
    if found is None or not started(found):
        return None
    run = engine().run_on(found.id)
    return run.session if run and len(run.session.turns) >= len(found.turns) else found


def session_place() -> dict[str, str]:
    """Return the address of what the session page would show: the session and the turn that is looked at."""
    found: Session | None = st.session_state.get("session")
    turn = st.session_state.get("look")
    return ({"session": found.id} if found else {}) | ({"turn": str(turn)} if turn is not None else {})


def use_pack(id: str) -> None:
    """Let new sessions be made with a pack, or with our prompts where it is empty; a session to be as well."""
    st.session_state["pack"] = id
    held: Session | None = st.session_state.get("session")
    if held and not started(held):
        prepare(wanted_of(held))
