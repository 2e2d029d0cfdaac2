"""Sessions that are made in the background for a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from magnet_core.cast import open_models
from magnet_core.domain import Session
from magnet_core.errors import MagnetError, StoreError
from ui.maker import Batch, MakingJob

if TYPE_CHECKING:
    from magnet_core.store import Entry

from ui.state import costs, voices
from ui.state.memory import MADE, engine, maker, owner, say, store


def make(batches: Sequence[Batch], budget: float | None = None) -> str:
    """Begin to make sessions; return the job's id, empty with a sentence kept where it cannot begin."""
    try:
        if any(job.owner == owner() for job in maker().live()):
            say("Sessions are being made already. Wait for them, or stop them first.")
            return ""
        return maker().start(batches, owner=owner(), prices=costs.prices(), budget=budget).look().id
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


def batch_of(model: str, sessions: Iterable[Session]) -> Batch:
    """Return sessions to be made with one model for everybody."""
    speak = voices.cast_of(model)
    return Batch(tuple(sessions), partial(open_models, speak.model_copy(update={"pace": 0.0})), (model,), speak.fan_out)


def job(id: str) -> MakingJob | None:
    try:
        return maker().job(id)
    except StoreError:
        return None


def stop(job: MakingJob) -> None:
    if job.owner == owner():
        maker().stop(job)
