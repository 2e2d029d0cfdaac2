"""Sessions that are made in the background for a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from magnet_core.domain import Session
from magnet_core.errors import MagnetError, StoreError
from magnet_core.meter import Budget, Limit
from magnet_core.scoring.compare import OWN, Sampling
from ui.engine.maker import Batch, Making, MakingJob

if TYPE_CHECKING:
    from magnet_core.store import Entry

from ui.state import spending, voices
from ui.state.memory import MADE, engine, maker, owner, say, store

Order = tuple[str, Sampling, Sequence[Session]]
"""A model, the settings it is asked with, and what it is to make."""


def make(orders: Iterable[Order], limit: Limit | None = None) -> str:
    """Begin to make sessions, at most for what `limit` says; return the job's id.

    It is empty, with a sentence kept, where the job cannot begin.
    """
    try:
        if any(job.owner == owner() for job in maker().live()):
            say("Sessions are being made already. Wait for them, or stop them first.")
            return ""
        budget = Budget(limit, spending.listed(store()))
        batches = [batch_of(model, sessions, sampling, budget) for model, sampling, sessions in orders]
        return maker().start(batches, owner=owner(), budget=budget, lost=spending.book().write).look().id
    except MagnetError as error:
        say(str(error))
        return ""


def left_unfinished(entries: Iterable[Entry]) -> list[Session]:
    """Return the sessions made for comparisons that nobody is going on with."""
    going = {id for job in maker().live() for id in job.sessions}
    found: list[Session] = []
    for entry in entries:
        run = engine().run_on(entry.id)
        if MADE in entry.tags and not entry.ended and not entry.parent and entry.id not in going and not (run and run.live):
            with suppress(StoreError):
                found.append(store().session(entry.id))
    return found


def batch_of(model: str, sessions: Iterable[Session], sampling: Sampling = OWN, *budgets: Budget) -> Batch:
    """Return sessions to be made with one model for everybody, its calls counted against some budgets."""
    speak = voices.cast_of(model)
    voice = speak.default.model_copy(update={"temperature": sampling.temperature, "max_tokens": sampling.max_tokens})
    speak = speak.model_copy(update={"pace": 0.0, "default": voice})
    return Batch(tuple(sessions), spending.opening(speak, "session", *budgets), (model,), speak.fan_out)


def job(id: str) -> MakingJob | None:
    try:
        return maker().job(id)
    except StoreError:
        return None


def elsewhere() -> list[Making]:
    """Return the jobs going on that were begun in other windows, as they stand."""
    try:
        return [job.look() for job in maker().live() if job.owner != owner()]
    except StoreError:
        return []


def stop(job: MakingJob) -> None:
    maker().stop(job)
