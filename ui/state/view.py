"""For whom the page is drawn, and recordings played again."""

from __future__ import annotations

import secrets

import streamlit as st

from magnet_core.domain import Session
from magnet_core.methods import method_named
from ui.engine.runner import recording, unasked
from ui.state import sessions
from ui.state.memory import engine, owner

SPEEDS: dict[str, float] = {"Slow": 12.0, "Reading pace": 30.0, "Fast": 120.0}
"""Words per second of a recording."""
CLINICIAN, TEACHER, RESEARCHER = "clinician", "teacher", "researcher"
AUDIENCES: dict[str, str] = {
    CLINICIAN: "Dialogue, the plan in plain words and the techniques chosen.",
    TEACHER: "Also the five specialists' drafts and how the session is built.",
    RESEARCHER: "Everything: also each call, and who sees what.",
}
USUAL_AUDIENCE = RESEARCHER
"""Whoever comes first finds everything one click away; less is a choice."""


def audience() -> str:
    """Return for whom the page is drawn: one of `AUDIENCES`."""
    if "audience" not in st.session_state:
        asked = st.query_params.get("audience", "")
        st.session_state["audience"] = asked if asked in AUDIENCES else USUAL_AUDIENCE
    return st.session_state["audience"]


def set_audience(field: str) -> None:
    st.session_state["audience"] = chosen = st.session_state.get(field) or USUAL_AUDIENCE
    _note_view("audience", "" if chosen == USUAL_AUDIENCE else chosen)


def presenting() -> bool:
    if "presenter" not in st.session_state:
        st.session_state["presenter"] = st.query_params.get("presenter", "") == "1"
    return st.session_state["presenter"]


def present(on: bool) -> None:
    st.session_state["presenter"] = on
    _note_view("presenter", "1" if on else "")


def _note_view(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def show_recording(session: Session) -> None:
    """Play a session's own words again, at reading pace, without a model; nothing is stored."""
    again = session.model_copy(
        update={
            "id": secrets.token_hex(8),
            "plan": None if session.plan_calls else session.plan,
            "plan_calls": (),
            "plan_flags": tuple(f for f in session.plan_flags if f.kind == "risk"),
            "turns": (),
            "max_turns": max(1, len(session.turns)),
            "min_turns": 1,
        }
    )
    me, speaker = owner(), method_named(session.method).speaker.name
    _speeds()[me] = SPEEDS[speed()]
    run = engine().start(
        again, "end", owner=me, open_models=recording(session, lambda: _speeds().get(me, SPEEDS["Fast"])),
        given_for=lambda played: unasked(session.turns[len(played.turns)], speaker),
    )  # fmt: skip
    st.session_state["replay"] = run.id
    sessions.look_at(None)


def speed() -> str:
    return st.session_state.get("speed") or "Reading pace"


@st.cache_resource(show_spinner=False)
def _speeds() -> dict[str, float]:
    """Return how fast recordings play, in words a second, by their owners: the engine reads it while it plays."""
    return {}


def set_speed() -> None:
    """Let the recording go on at the speed that was chosen."""
    _speeds()[owner()] = SPEEDS[speed()]


def showing_recording() -> bool:
    return bool((id := st.session_state.get("replay")) and engine().run(id))


def end_recording() -> None:
    """Go back to the session a recording was made of."""
    if (id := st.session_state.pop("replay", None)) and (run := engine().run(id)):
        engine().stop(run)
    sessions.look_at(None)
