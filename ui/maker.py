"""Making many sessions behind the pages: one job in the engine's thread, a few sessions at once, every turn kept when it is finished.

A page starts a job and looks in. Nothing here knows the screen.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from magnet_core.batch import SessionFailed, run_batch
from magnet_core.costs import Prices, session_cost, today
from magnet_core.domain import FanOut, Session
from magnet_core.errors import MagnetError, SettingsError
from magnet_core.events import SessionFinished
from ui.runner import Engine, OpenModels

State = Literal["running", "stopping", "done", "stopped", "failed"]
KEPT = 600.0
"""Seconds a finished job is remembered."""
AT_ONCE = 3
"""Sessions of a job that are made at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sessions to be made by one cast."""

    sessions: tuple[Session, ...]
    open: OpenModels
    models: tuple[str, ...]
    """The models of the cast by name."""
    fan_out: FanOut = "at-once"


@dataclass(frozen=True, slots=True)
class Making:
    """A job as it stands at one moment."""

    id: str
    state: State
    total: int
    turns_to_make: int
    """The most turns there can be; a client may end a session earlier."""
    finished: int = 0
    failed: int = 0
    turns: int = 0
    spent: float | None = 0.0
    """Dollars for what is finished; None where a price is not known."""
    budget: float | None = None
    error: str = ""

    @property
    def live(self) -> bool:
        return self.state in ("running", "stopping")


@dataclass
class MakingJob:
    """Some sessions being made. The engine's thread writes it, pages read it by `look`."""

    owner: str
    making: Making
    sessions: frozenset[str]
    """The ids of what it makes."""
    future: Future[None] | None = None
    ended: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> Making:
        with self._lock:
            return self.making

    def tell(self, **changes: object) -> None:
        with self._lock:
            self.making = replace(self.making, **changes)  # type: ignore[arg-type]


class _BudgetSpent(Exception):
    """No more is to be spent."""


class Maker:
    """All such jobs of this process. `save` keeps what is new of a session, `finished` does what follows a finished one."""

    def __init__(
        self, engine: Engine, save: Callable[[Session], None], finished: Callable[[Session, str], Future[None] | None]
    ) -> None:
        self._engine, self._save, self._follow = engine, save, finished
        self._jobs: dict[str, MakingJob] = {}
        self._lock = threading.Lock()

    def start(
        self, batches: Sequence[Batch], *, owner: str, prices: Prices,
        budget: float | None = None,
    ) -> MakingJob:  # fmt: skip
        """Begin to make sessions, each from where it stands.

        With a `budget` in dollars the job stops once it is spent; raises `SettingsError` where a price is not known.
        """
        sessions = [session for batch in batches for session in batch.sessions]
        if budget is not None and (unknown := sorted(_unpriced(batches, prices))):
            raise SettingsError(
                f"A budget needs prices, and none is known for {', '.join(unknown)}. Add it on the Trace page."
            )
        turns = sum(session.max_turns - len(session.turns) for session in sessions)
        making = Making(secrets.token_urlsafe(9), "running", len(sessions), turns, budget=budget)
        job = MakingJob(owner, making, frozenset(session.id for session in sessions))
        with self._lock:
            now = time.monotonic()
            gone = [id for id, old in self._jobs.items() if not old.look().live and now - old.ended > KEPT]
            for id in gone:
                del self._jobs[id]
            self._jobs[job.making.id] = job
        job.future = self._engine.call(self._drive(job, batches, prices))
        return job

    def stop(self, job: MakingJob) -> None:
        """Stop at once; finished turns are kept."""
        if job.look().live and job.future:
            job.tell(state="stopping")
            job.future.cancel()

    def job(self, id: str) -> MakingJob | None:
        return self._jobs.get(id)

    def live(self) -> list[MakingJob]:
        """Return the jobs that are going on, of all owners."""
        with self._lock:
            return [job for job in self._jobs.values() if job.look().live]

    async def _drive(self, job: MakingJob, batches: Sequence[Batch], prices: Prices) -> None:
        try:
            for batch in batches:
                async with batch.open(self._engine.limit) as models:
                    stream = run_batch(batch.sessions, models, concurrency=AT_ONCE, fan_out=batch.fan_out)
                    async with aclosing(stream) as events:
                        spent: dict[str, float | None] = {s.id: _paid(s, prices) for s in batch.sessions}
                        async for event in events:
                            await self._take(job, event, prices, spent)
            failed = job.look().failed
            self._finish(job, "failed" if failed == job.look().total else "done")
        except asyncio.CancelledError:
            self._finish(job, "stopped")
        except _BudgetSpent as reason:
            self._finish(job, "stopped", str(reason))
        except MagnetError as error:
            self._finish(job, "failed", str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("Making sessions broke off.")
            self._finish(job, "failed", f"The program made a mistake ({type(error).__name__}); the log has the details.")

    async def _take(self, job: MakingJob, event: object, prices: Prices, spent: dict[str, float | None]) -> None:
        now = job.look()
        if isinstance(event, SessionFailed):
            job.tell(failed=now.failed + 1, error=f"{event.session.profile.name}, {event.place}: {event.error}")
            return
        session: Session = event.session  # type: ignore[attr-defined]
        if isinstance(event, SessionFinished):
            if follows := self._follow(session, job.owner):
                await asyncio.wrap_future(follows)
            job.tell(finished=now.finished + 1)
            return
        await asyncio.to_thread(self._save, session)
        made = len(session.turns)
        before, price = spent[session.id], _paid(session, prices)
        spent[session.id] = price
        whole = None if price is None or before is None or now.spent is None else now.spent + price - before
        job.tell(turns=now.turns + (1 if made else 0), spent=whole)
        if now.budget is not None:
            if whole is None:
                raise _BudgetSpent("The endpoint does not say how many tokens were used, so no budget can be kept. Stopped.")
            if whole >= now.budget:
                words = (
                    f"The budget of ${now.budget:.2f} is spent (${whole:.4f}). Calls that were under way are paid as well."
                )
                raise _BudgetSpent(words)

    def _finish(self, job: MakingJob, state: State, error: str = "") -> None:
        job.ended = time.monotonic()
        job.tell(state=state, **({"error": error} if error else {}))


def _paid(session: Session, prices: Prices) -> float | None:
    cost = session_cost(session, prices)
    return cost.price if cost.calls else 0.0


def _unpriced(batches: Sequence[Batch], prices: Prices) -> set[str]:
    return {model for batch in batches for model in batch.models if prices.on(model, today()) is None}
