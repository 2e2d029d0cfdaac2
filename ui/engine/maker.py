"""Making many sessions behind the pages: one job in the engine's thread, a few sessions at once, every turn kept when it is finished.

A page starts a job and looks in. Nothing here knows the screen.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from magnet_core.batch import BatchEvent, SessionFailed, run_batch
from magnet_core.domain import FanOut, Session
from magnet_core.errors import AgentFailed, BudgetSpent, MagnetError
from magnet_core.events import SessionFinished
from magnet_core.meter import Budget, Limit, given_up
from magnet_core.models import REHEARSAL
from ui.engine.jobs import Background, Stands, State
from ui.engine.mistakes import mistake
from ui.engine.runner import Engine, Lost, OpenModels

KEPT = 600.0
"""Seconds a finished job is remembered."""
AT_ONCE = 3
"""Sessions of a job that are made at once."""
SAME = 3
"""So many sessions in a row that fail for the same reason, and the rest with that model is not tried."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sessions to be made by one cast."""

    sessions: tuple[Session, ...]
    open: OpenModels
    models: tuple[str, ...]
    """The models of the cast by name."""
    fan_out: FanOut = "at-once"


@dataclass(frozen=True, slots=True)
class Failure:
    """A session that could not go on; its finished turns are kept."""

    session: Session
    place: str
    """What was being made, in words."""
    agent: str
    """Who got no answer; empty where it was no agent's."""
    why: str


@dataclass(frozen=True, slots=True)
class Making(Stands):
    """A job as it stands at one moment."""

    id: str
    state: State
    total: int
    turns_to_make: int
    """The most turns there can be; a client may end a session earlier."""
    finished: int = 0
    turns: int = 0
    failures: tuple[Failure, ...] = ()
    untried: int = 0
    """Sessions given up because those before them failed, all for the same reason."""
    calls: int = 0
    """Answered calls to endpoints; the rehearsal's are not counted."""
    tokens: int = 0
    spent: float | None = 0.0
    """Dollars for these calls; None where a price or a number of tokens is not known."""
    limit: Limit | None = None
    error: str = ""

    @property
    def failed(self) -> int:
        return len(self.failures)


@dataclass(kw_only=True)
class MakingJob(Background[Making]):
    """Some sessions being made."""

    owner: str
    sessions: frozenset[str]
    """The ids of what it makes."""
    budget: Budget = field(default_factory=Budget)
    """Counts what its calls use."""
    lost: Lost | None = None
    ended: float = 0.0

    def look(self) -> Making:
        used = self.budget
        return replace(super().look(), calls=used.calls, tokens=used.tokens, spent=used.dollars, limit=used.limit)


class Maker:
    """All such jobs of this process. `save` keeps what is new of a session, `finished` does what follows a finished one."""

    def __init__(
        self, engine: Engine, save: Callable[[Session], None], finished: Callable[[Session, str], Future[None] | None]
    ) -> None:
        self._engine, self._save, self._follow = engine, save, finished
        self._jobs: dict[str, MakingJob] = {}
        self._lock = threading.Lock()

    def start(
        self, batches: Sequence[Batch], *, owner: str, budget: Budget | None = None, lost: Lost | None = None
    ) -> MakingJob:
        """Begin to make sessions, each from where it stands.

        `budget` is what the batches' models count their calls against; the job stops once it is spent. Raises `BudgetSpent`
        where no call can be paid from it. `lost` is told of every turn that is given up.
        """
        budget = budget or Budget()
        for model in {model for batch in batches for model in batch.models} - {REHEARSAL}:
            budget.check(model)
        sessions = [session for batch in batches for session in batch.sessions]
        turns = sum(session.max_turns - len(session.turns) for session in sessions)
        making = Making(secrets.token_urlsafe(9), "running", len(sessions), turns)
        ids = frozenset(session.id for session in sessions)
        job = MakingJob(owner=owner, standing=making, sessions=ids, budget=budget, lost=lost)
        with self._lock:
            now = time.monotonic()
            gone = [id for id, old in self._jobs.items() if not old.look().live and now - old.ended > KEPT]
            for id in gone:
                del self._jobs[id]
            self._jobs[making.id] = job
        job.future = self._engine.call(self._drive(job, batches))
        return job

    def stop(self, job: MakingJob) -> None:
        """Stop at once; finished turns are kept."""
        job.stop()

    def job(self, id: str) -> MakingJob | None:
        return self._jobs.get(id)

    def live(self) -> list[MakingJob]:
        """Return the jobs that are going on, of all owners."""
        with self._lock:
            return [job for job in self._jobs.values() if job.look().live]

    async def _drive(self, job: MakingJob, batches: Sequence[Batch]) -> None:
        reasons: dict[tuple[str, ...], list[str]] = {}
        try:
            for batch in batches:
                said = reasons.setdefault(batch.models, [])
                if _hopeless(said):
                    job.tell(untried=job.look().untried + len(batch.sessions))
                    continue
                async with batch.open(self._engine.limit) as models:
                    stream = run_batch(batch.sessions, models, concurrency=AT_ONCE, fan_out=batch.fan_out)
                    async with aclosing(stream) as events:
                        left = len(batch.sessions)
                        async for event in events:
                            await self._take(job, event)
                            left -= isinstance(event, (SessionFinished, SessionFailed))
                            if isinstance(event, SessionFailed):
                                said.append(_reason(event.error))
                            elif event.session.plan_calls or event.session.turns:
                                said.clear()
                            if left and _hopeless(said):
                                job.tell(untried=job.look().untried + left)
                                break
            now = job.look()
            self._finish(job, "failed" if now.failed + now.untried == now.total else "done")
        except asyncio.CancelledError:
            self._finish(job, "stopped")
        except BudgetSpent as error:
            self._finish(job, "stopped", str(error))
        except MagnetError as error:
            self._finish(job, "failed", str(error))
        except Exception as error:
            self._finish(job, "failed", mistake(error, "Making sessions"))

    async def _take(self, job: MakingJob, event: BatchEvent) -> None:
        now, session = job.look(), event.session
        if isinstance(event, SessionFailed):
            agent = event.error.agent if isinstance(event.error, AgentFailed) else ""
            job.tell(failures=(*now.failures, Failure(session, event.place, agent, _reason(event.error))))
            if job.lost and isinstance(event.error, AgentFailed):
                job.lost(given_up(session, event.error))
        elif isinstance(event, SessionFinished):
            if follows := self._follow(session, job.owner):
                await asyncio.wrap_future(follows)
            job.tell(finished=now.finished + 1)
        else:
            await asyncio.to_thread(self._save, session)
            job.tell(turns=now.turns + (1 if session.turns else 0))

    def _finish(self, job: MakingJob, state: State, error: str = "") -> None:
        job.ended = time.monotonic()
        job.tell(state=state, error=error)


def _hopeless(reasons: Sequence[str]) -> bool:
    """Tell whether the last failures in a row had the same reason, so that more of the same need not be tried."""
    return len(reasons) >= SAME and len(set(reasons[-SAME:])) == 1


def _reason(error: MagnetError) -> str:
    return error.reason if isinstance(error, AgentFailed) else str(error)
