"""What goes on in the background with the session that is looked at, and the seats people take in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from magnet_core.domain import Given, Reply, Session, Speaker
from magnet_core.errors import MagnetError, StoreError
from magnet_core.session import NOTHING
from ui.engine.bench import Bench, Look
from ui.engine.bench import Wanted as WantedTrial
from ui.engine.runner import Goal, Run, Seat, Snapshot
from ui.state import scores, sessions, spending, view, voices
from ui.state.memory import engine, note_typed, owner, say, store

SPEAK_FIRST = "Say your words first, or leave the seat."


def run_of(session: Session) -> Run | None:
    """Return the run this page looks at: a recording being shown, or the newest run of the session."""
    if (id := st.session_state.get("replay")) and (run := engine().run(id)):
        return run
    return engine().run_on(session.id)


def look(run: Run) -> Snapshot:
    return run.look(owner())


def go(session: Session, goal: Goal, given: Given = NOTHING, seat: Seat | None = None) -> None:
    """Go on with a session in the background; what stands in the way is kept as a sentence.

    What stands already of the turn to come, because its making was broken off, still stands unless other parts are `given`; so
    does a seat for the whole session. While a person is waited for, only their words or their leaving lead on.
    """
    run = engine().run_on(session.id)
    if run and run.state == "waiting":
        return say(f"A person sits in this session and has not spoken yet. {SPEAK_FIRST}")
    if run and run.seat and run.seat.stays and run.state in ("failed", "stopped", "paused"):
        seat = seat or run.seat
    _go(session, goal, given, seat)


def _go(session: Session, goal: Goal, given: Given = NOTHING, seat: Seat | None = None) -> None:
    run = engine().run_on(session.id)
    if (
        given == NOTHING
        and run
        and run.state in ("waiting", "failed", "stopped")
        and len(run.session.turns) == len(session.turns)
    ):
        given = run.given
    if ahead := _gone_on(session):
        sessions.show(ahead)
        return say("This session had gone on in another window. This is how it stands now.")
    sessions.look_at(None)
    now = voices.cast()
    try:
        engine().start(
            session, goal, owner=owner(), open_models=spending.opening(now, "session"), lost=spending.book().write, save=scores.keeping(), fan_out=now.fan_out,
            given=given, seat=seat,
        )  # fmt: skip
    except MagnetError as error:
        say(str(error))


def drop_given(session: Session) -> None:
    """Let the agents make the whole turn to come: what stood already of it, because its making was broken off, is forgotten."""
    if (run := engine().run_on(session.id)) and not run.live:
        run.given = NOTHING


def drop_seat(session: Session) -> None:
    """Give up a seat that was taken for the whole session, while nothing is being made."""
    if (run := engine().run_on(session.id)) and not run.live and run.state != "waiting":
        run.seat = None


def _gone_on(session: Session) -> Session | None:
    """Return the stored session when it holds more turns than the one at hand."""
    if not sessions.started(session):
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


def moved(session: Session, run: Run | None) -> bool:
    """Tell whether another session or run is to be shown than the one a page was drawn with."""
    held: Session = st.session_state["session"]
    return (held.id != session.id and not view.showing_recording()) or run_of(held) is not run


def at(id: str) -> tuple[Session | None, Snapshot | None]:
    """Return a session by its id, and how its run stands."""
    if run := engine().run_on(id):
        snap = look(run)
        return snap.session, snap
    return sessions.find(id), None


def going_on(id: str) -> bool:
    """Tell whether a session is being made just now."""
    run = engine().run_on(id)
    return run is not None and look(run).live


def take_seat(session: Session, speaker: Speaker, stays: bool) -> None:
    """Sit in a chair: the agents go on until it is the person's turn to speak."""
    go(session, "turn", seat=Seat(speaker, stays))


def leave_seat(session: Session) -> None:
    """Stand up: the agents make the turn from where it waits, and go on without the person."""
    _go(session, "turn")


def say_typed(session: Session, snap: Snapshot, text: str, ends: bool = False) -> None:
    """Let a person's words stand as the message of the chair they sit in."""
    seat = snap.seat
    assert seat is not None
    typed = {"typed": (*snap.given.typed, seat.speaker)}
    words = {"response": text} if seat.speaker == "counsellor" else {"reply": Reply(text=text, ends_session=ends)}
    note_typed(text)
    _go(session, "turn", snap.given.model_copy(update=typed | words), seat if seat.stays else None)


def try_prompts(wanted: Sequence[WantedTrial], agent: str = "", ended: Callable[[Look], None] | None = None) -> Bench:
    """Begin trials of the lab in the background; `ended` is told how they stand at their end, in another thread."""
    return Bench(engine(), wanted, agent, ended)
