"""Scorecards, and the scoring that goes on in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core import telemetry
from magnet_core.cast import open_models
from magnet_core.domain import Session
from magnet_core.errors import MagnetError, StoreError
from magnet_core.scoring.instruments import Sheet
from magnet_core.scoring.items import Scorecard
from magnet_core.scoring.judge import RULES
from magnet_core.scoring.rubrics import Rubric
from magnet_core.scoring.rules import measures
from ui.scorer import Job, Order

if TYPE_CHECKING:
    from magnet_core.store import Entry, Planned

from ui.state import voices
from ui.state.memory import owner, say, scorer, settings, store


def keeping() -> Callable[[Session], None]:
    """Return what keeps a new turn, and has it scored where that is wanted."""
    save, along, collector = store().save, scorer(), settings().otlp_endpoint

    def keep_turn(session: Session) -> None:
        save(session)
        telemetry.newest(session, collector)
        along.turn_kept(session)

    return keep_turn


def order(judge: str, sheets: Iterable[Sheet], samples: int = 3, *, kept: bool = True) -> Order:
    """Return what is to be scored by the rules or by this browser session's model."""
    now = voices.cast()
    opener = None if judge == RULES else partial(open_models, now)
    return Order(judge, tuple(sheets), opener, now.fan_out, samples, kept)


def score(sessions: Iterable[Session | str], wanted: Order, *, every: int = 0) -> str:
    """Begin to score sessions; return the job's id, empty with a sentence kept where it cannot begin."""
    try:
        return scorer().start(sessions, wanted, owner=owner(), every=every).look().id
    except MagnetError as error:
        say(str(error))
        return ""


def stop_scoring(job: Job) -> None:
    if job.owner == owner():
        scorer().stop(job)


def score_along(session_id: str, every: int, wanted: Order | None = None) -> None:
    """Let a session be scored by itself after every so many turns; 0 ends it."""
    try:
        scorer().go_along(session_id, every, wanted, owner())
    except MagnetError as error:
        say(str(error))


def scored_along(session_id: str) -> int:
    try:
        return scorer().along(session_id)
    except MagnetError:
        return 0


def scoring(session_id: str) -> bool:
    """Tell whether a session is being scored just now."""
    try:
        return any(job.look().live for job in scorer().jobs_on(session_id))
    except MagnetError:
        return False


def cards_of(session_id: str) -> list[Scorecard]:
    """Return a session's scorecards, oldest first; none, with a sentence kept, when they cannot be read."""
    try:
        return store().cards.of(session_id)
    except StoreError as error:
        say(str(error))
        return []


def all_cards() -> list[Scorecard]:
    """Return the scorecards of the whole library; read again only when there are others."""
    try:
        return _all_cards(store().cards.state())
    except StoreError as error:
        say(str(error))
        return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _all_cards(stands: tuple[float, ...]) -> list[Scorecard]:
    return store().cards.all()


def plans() -> list[Planned]:
    """Return what the planners of the library picked; read again only when there is other."""
    try:
        return _plans(store().state())
    except StoreError as error:
        say(str(error))
        return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _plans(stands: tuple[float, ...]) -> list[Planned]:
    return store().plans()


def counted(entries: Iterable[Entry], seconds: float = 1.0) -> tuple[dict[str, dict[str, float | None]], int]:
    """Return what the rules count in stored sessions, by their ids, and how many are left to be counted.

    Each is read once for as many turns as it has; after some `seconds` those that are left wait for the next call.
    """
    held, found, left = _counted(), dict[str, dict[str, float | None]](), 0
    end = time.monotonic() + seconds
    for entry in entries:
        key = (entry.id, entry.turns)
        if key not in held:
            if time.monotonic() > end:
                left += 1
                continue
            try:
                held[key] = {m.name: m.value for m in measures(store().session(entry.id))}
            except StoreError as error:
                say(str(error))
                continue
        found[entry.id] = held[key]
    return found, left


@st.cache_resource(show_spinner=False)
def _counted() -> dict[tuple[str, int], dict[str, float | None]]:
    """Return what was counted, by session and its turns."""
    return {}


def rubrics() -> list[Rubric]:
    """Return the own rubrics; none, with a sentence kept, when they cannot be read."""
    try:
        return store().rubrics.all()
    except StoreError as error:
        say(str(error))
        return []
