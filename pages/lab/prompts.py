"""The prompt lab: every agent's and judge's prompt, filled with any moment, changed, tried in variants, and kept in packs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from typing import cast

import streamlit as st

from magnet_core import lab, prompts
from ui import state, theme
from ui.engine.bench import Bench, Look
from ui.lab import address, cases, editor, judges, moment, packs, trial
from ui.lab import prompt as drawn
from ui.lab.desk import Desk, own_words
from ui.lab.moment import Place
from ui.lab.runs import Watched
from ui.links import SESSION_PAGE, go, link
from ui.waiting import watch

VIEWS = {"bench": "Try a prompt", "cases": "Test cases", "packs": "Packs", "judges": "Judges' prompts"}


def page() -> None:
    if address.moved(state.enter("lab")):
        arrive()
    with st.container(key="lab"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Prompt lab", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("lab_view") else "bench", required=True, key="lab_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        if told := state.told():
            st.warning(theme.plain(told))
        left_behind()
        view = cast(str, view or "bench")
        watched = {"bench": bench, "cases": cases.cases, "packs": packs.packs, "judges": judges.judges}[view]()
        if view == "packs":
            address.show(view)
    if watched:
        job, draw, slot = watched
        if job.look().live:
            with slot:
                watch(partial(look, job, draw))
        else:
            slot.html(draw(job.look()))


def arrive() -> None:
    """Take up what the address asks for: a view, a pack, a session, a turn, an agent, and the recorded call to be replayed."""
    asked = address.asked()
    view, pack, id, turn, agent, attempt = (asked[n] for n in ("view", "pack", "session", "turn", "agent", "attempt"))
    if view and view not in VIEWS:
        return  # after the browser's Back from another page, that page's address comes first
    address.take_up_number(view, asked["each"])
    if view:
        state.keep("lab_view", view)
    if view == "cases":
        return cases.arrive()
    if view == "judges":
        return judges.arrive()
    if agent in lab.AGENTS:
        state.keep("lab_agent", agent)
    if turn.isdecimal():
        state.keep("lab_turn", max(1, int(turn)))
    if pack or (id and view in VIEWS):
        state.keep("lab_pack", pack)
    if not id:
        return
    state.keep("lab_session", id)
    state.keep("lab_attempt", int(attempt) if attempt.isdecimal() else 1)
    session = state.sessions.stored(id)
    if view in VIEWS:
        return
    state.keep("lab_view", "bench")
    if session is None:
        return
    number = min(int(turn), len(session.turns)) if turn.isdecimal() else len(session.turns)
    made = state.forks.maker_of(session, 0 if agent == "planner" else number)
    state.keep("lab_pack", moment.pack_id_of(made))
    if attempt:
        trial.replay(made)


def left_behind() -> None:
    """Offer the drafts that another visit left unsaved."""
    if (left := state.drafts.left_behind()) is None:
        return
    count = sum(own_words(draft.reader, one) for draft in left.notebook.drafts for one in draft.variants)
    if not count:
        return
    words = f"{count} unsaved variant{'s' if count > 1 else ''} of {left.written:%d %b, %H:%M} UTC"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="lab_left"):
        st.html(f'<p class="hint">Another visit left {words}.</p>', width="content")
        st.button(
            "Go on with it" if count == 1 else "Go on with them",
            key="lab_take_up",
            on_click=state.drafts.take_up,
            args=(left.notebook,),
        )


def look(job: Bench, draw: Callable[[Look], str]) -> tuple[str, bool]:
    """Return how a running trial stands, and whether it has ended."""
    now = job.look()
    return draw(now), not now.live


def bench() -> Watched | None:
    """Draw the bench; return the job to look at, how to draw it, and the place for it."""
    there = moment.lines()
    if not there:
        st.html(
            '<section class="card"><header><h3>No session has been kept yet</h3></header><p class="says">A prompt is tried on a '
            "moment of a session. Begin a session first; its first turn is enough.</p></section>"
        )
        link(SESSION_PAGE, "To the session", ":material/forum:")
        return None
    place, desk = moment.choose(there)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        letter = editor.edit(
            desk,
            lambda _, field: {"role": 170, "note": 150, "system": 260}[field],
            lambda one: trial.voice(desk, place, one),
            lambda letter: again(place, desk, letter),
        )
    attempt = int(state.kept("lab_attempt") or 1)
    address.show(
        "bench", pack=desk.pack.id, session=place.shown.id, turn=str(place.turn), agent=place.agent,
        attempt=str(attempt) if attempt > 1 else "",
    )  # fmt: skip
    with right:
        return beside(place, desk, letter)


def again(place: Place, desk: Desk, letter: str) -> None:
    """Draw the button that makes the session anew with the pack as it is saved."""
    if not desk.kept:
        return
    pressed = st.button(
        "Run this session again with this pack", icon=":material/replay:", key="lab_again",
        help="Sets up a new session, the same but for the prompts: those of the pack as it is saved.",
    )  # fmt: skip
    if desk.unsaved(letter):
        told = f"It runs with “{desk.pack.title}” as saved, without what variant {letter} says otherwise."
        st.html(f'<p class="hint">{escape(told)}</p>')
    if pressed:
        state.sessions.again_with(place.made, desk.pack)
        go(SESSION_PAGE)


def beside(place: Place, desk: Desk, letter: str) -> Watched | None:
    """Draw answers, filled prompt, prompt as written, and what differs; one at a time."""
    titles = ["Answers", "Filled in", "As written", "What differs"]
    tabs = dict(zip(titles, st.tabs(titles, key="lab_tab", on_change="rerun"), strict=True))
    texts = desk.texts(letter)
    if tabs["Filled in"].open:
        with tabs["Filled in"]:
            pairs = lab.filled(texts, place.scene.moment)
            st.html(drawn.sent(pairs, place.scene.call, prompts.sha([m for m, _ in pairs])))
    if tabs["As written"].open:
        with tabs["As written"]:
            st.html(drawn.written([texts[name] for name in desk.drawn], desk.drawn))
    if tabs["What differs"].open:
        with tabs["What differs"]:
            editor.differs(desk, letter)
    if not tabs["Answers"].open:
        return None
    with tabs["Answers"]:
        return trial.answers(place, desk)


page()
