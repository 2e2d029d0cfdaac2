"""Branches of a session, what-ifs, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from magnet_core.cast import Cast
from magnet_core.domain import Given, Plan, Session
from magnet_core.errors import MagnetError, StoreError
from magnet_core.session import NOTHING, fork
from magnet_core.trail import Trail

if TYPE_CHECKING:
    from magnet_core.store import Entry

from ui.state import runs, sessions, spending, voices
from ui.state.memory import engine, owner, say, store


def trail() -> Trail:
    """Return the way this browser session took among the forks of what it shows."""
    return st.session_state["trail"] if "trail" in st.session_state else Trail(now=st.session_state["session"].id)


def branch(session: Session, turns: int, given: Given = NOTHING, *, anew: bool = False, **changes: Any) -> None:
    """Show a fork that shares some turns, and let it take its next turn with what is `given`; `anew` is by another seed."""
    if anew:
        changes["seed"] = session.seed + 1 + len(_forks_of(session))
    show_fork(session, fork(session, turns, **changes))
    if st.session_state["session"].id != session.id:
        runs.go(st.session_state["session"], "turn", given)


def show_fork(session: Session, made: Session) -> None:
    """Keep a fork and show it; undo leads back."""
    try:
        store().save(made)
    except StoreError as error:
        return say(str(error))
    sessions.show(made, trail=trail().to(made.id))


def branch_plan(session: Session, turns: int, plan: Plan) -> None:
    """Show a fork that goes on with another plan after some turns; the plan is then no agent's, so its calls stay behind."""
    flags = tuple(flag for flag in session.plan_flags if flag.agent != "planner")
    show_fork(session, fork(session, turns, plan=plan, plan_calls=(), plan_flags=flags))


def _forks_of(session: Session) -> list[Entry]:
    try:
        return store().children(session.id)
    except StoreError:
        return []


def walk_to(id: str, turn: int | None = None) -> None:
    """Show another session of the same family; undo leads back."""
    if found := sessions.find(id):
        sessions.show(found, trail=trail().to(id))
        sessions.look_at(turn)


def undo() -> None:
    _walk(trail().undo())


def redo() -> None:
    _walk(trail().redo())


def _walk(way: Trail) -> None:
    left: Session = st.session_state["session"]
    if found := sessions.find(way.now):
        sessions.show(found, trail=way)
        if left.parent and left.parent.session == found.id and left.parent.turns < len(found.turns):
            sessions.look_at(left.parent.turns + 1)


def family(session: Session) -> list[Entry]:
    """Return all sessions of the fork tree, oldest first; none where the session is not kept."""
    if not sessions.started(session):
        return []
    try:
        return store().family(session.id)
    except StoreError:
        return []


def maker_of(session: Session, number: int) -> Session:
    """Return the session in which a shared turn was made, which knows the plan, the client and the prompts of it; 0 for the plan."""
    above = sessions.parent_of(session)
    while above and session.parent:
        shared = 0 < number <= session.parent.turns if number else above.plan_calls == session.plan_calls
        if not shared:
            break
        session, above = above, sessions.parent_of(above)
    return session


def ask_what_if(session: Session, number: int, kind: str, forks: Mapping[str, tuple[Session, Given, Cast | None]]) -> None:
    """Let forks of one moment go on beside each other; each is known by a label."""
    now = voices.cast()
    try:
        for made, given, own in forks.values():
            speak = own or now
            engine().start(
                made, "turn", owner=owner(), open_models=spending.opening(speak, "session"), lost=spending.book().write, save=store().save,
                fan_out=speak.fan_out, given=given,
            )  # fmt: skip
    except MagnetError as error:
        say(str(error))
    asked = st.session_state.setdefault("what_ifs", {})
    asked.setdefault((session.id, number, kind), {}).update({label: made.id for label, (made, _, _) in forks.items()})


def what_ifs(session: Session, number: int, kind: str) -> dict[str, str]:
    """Return the forks of a moment that were asked for, by label."""
    return st.session_state.get("what_ifs", {}).get((session.id, number, kind), {})
