"""A person in one of the two chairs: how they sit down, and where they write."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from magnet_core.domain import Session, Speaker
from ui import state, theme
from ui.engine.runner import Seat, Snapshot

CHAIRS: dict[Speaker, str] = {"client": "The client", "counsellor": "The counsellor"}


def chairs(session: Session, *, disabled: bool) -> None:
    """Draw where a person chooses a seat."""
    box = st.popover("Take a seat", icon=":material/chair:", key="seat", disabled=disabled, on_change="rerun")
    if not box.open:
        return
    with box:
        st.markdown("Speak yourself; the other agents go on around you. What you type is marked as typed by a person.")
        speaker: Speaker = st.radio(
            "Your seat", list(CHAIRS), key="seat_speaker", format_func=lambda s: CHAIRS[s], captions=[
                f"You answer as {session.profile.name}.", "You may use the specialists' drafts as hints."],
        )  # fmt: skip
        stays = st.radio("For", [False, True], key="seat_stays", horizontal=True,
                         format_func=lambda s: "the whole session" if s else "one turn")  # fmt: skip
        st.button("Sit down", type="primary", key="seat_go", on_click=_sit, args=(session, speaker, stays))


def named(session: Session, seat: Seat) -> str:
    """Return whose chair it is."""
    return session.profile.name if seat.speaker == "client" else "the counsellor"


def _sit(session: Session, speaker: Speaker, stays: bool) -> None:
    state.keep("seat", False)
    state.runs.take_seat(session, speaker, stays)


def composer(session: Session, snap: Snapshot, *, hints: bool = True) -> bool:
    """Draw where the person in a seat writes; tell whether something was done that changes the page."""
    seat = snap.seat
    assert seat is not None
    number = len(session.turns) + 1
    field = f"say_{session.id}_{number}_{seat.speaker}"
    with st.container(key="composer", gap="small"):
        who = escape(named(session, seat))
        st.html(f'<p class="remark" role="status">You sit as {who}. Turn {number} waits for your words.</p>')
        if not snap.mine:
            return False
        if hints and seat.speaker == "counsellor" and snap.given.candidates:
            _hints(snap, field)
        with st.form("say", border=False, clear_on_submit=False):
            st.text_area("Your message", key=field, height=90, max_chars=4000, persist_state="session",
                         placeholder="Say it in your own words", label_visibility="collapsed")  # fmt: skip
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                sent = st.form_submit_button("Say it", type="primary", key="say_go", shortcut="Ctrl+Enter")
                ends = seat.speaker == "client" and st.checkbox("and end the session", key=f"{field}_ends")
                up = st.form_submit_button(
                    "Leave the seat", type="tertiary", key="stand_up", help="The agents speak for you and go on."
                )
    if sent:
        text = (state.kept(field) or "").strip()
        if not text:
            state.say("An empty message cannot be said.")
        else:
            state.runs.say_typed(session, snap, text, bool(ends))
    elif up:
        state.runs.leave_seat(session)
    return sent or up


def _hints(snap: Snapshot, field: str) -> None:
    chosen = snap.given.choice.techniques if snap.given.choice else ()
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="hints"):
        st.html('<span class="hint">Hints:</span>', width="content")
        for candidate in sorted(snap.given.candidates, key=lambda c: c.technique not in chosen):
            look = theme.LOOKS[candidate.technique]
            star = ", chosen" if candidate.technique in chosen else ""
            st.button(f"{look.letter} · {look.title}{star}", key=f"hint_{candidate.technique.value}", help=theme.plain(candidate.text),
                      on_click=partial(state.keep, field, candidate.text))  # fmt: skip
