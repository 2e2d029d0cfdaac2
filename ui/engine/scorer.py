"""Scoring behind the pages: jobs in the engine's thread, one after the other for a session, beside its turns and never before them.

A page starts a job and looks in; scorecards are stored as soon as they are whole. Nothing here knows the screen.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal

from magnet_core.domain import FanOut, Session
from magnet_core.errors import MagnetError, StoreError
from magnet_core.models import ModelFor
from magnet_core.scoring.events import ItemRated, SessionScored
from magnet_core.scoring.instruments import Sheet, sheet
from magnet_core.scoring.items import INSTRUMENTS, Scorecard
from magnet_core.scoring.judge import SAMPLES, every_k_turns, score_all
from ui.engine.jobs import Background, Stands, State
from ui.engine.mistakes import mistake
from ui.engine.runner import Engine, OpenModels

KEPT = 600.0
"""Seconds a finished job is remembered."""
LONGEST = 6 * 3600.0
"""Seconds for which a session is scored along at most."""
SHARE = 2
"""Judges may take one in so many of the calls in flight, so that a turn always finds a place."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be scored, and by whom."""

    judge: str
    """The model's name; "rules" for the rule-based rater."""
    sheets: tuple[Sheet, ...]
    open: OpenModels | None = None
    """Opens the judge's model; None for the rules."""
    fan_out: FanOut = "at-once"
    samples: int = SAMPLES
    keep: bool = True
    """Whether the scorecards are stored; a trial's are not."""


@dataclass(frozen=True, slots=True)
class Progress(Stands):
    """A job as it stands at one moment."""

    id: str
    state: State
    judge: str
    rated: int
    total: int
    """Items to be rated in all."""
    sessions: int
    cards: tuple[Scorecard, ...] = ()
    missing: int = 0
    error: str = ""
    quiet: bool = False
    """Whether it came by itself, along with a session."""


@dataclass(frozen=True, slots=True)
class _Along:
    """A session that is scored by itself as it grows."""

    every: int
    order: Order
    owner: str
    begun: float


@dataclass(kw_only=True)
class Job(Background[Progress]):
    """Some sessions being scored."""

    owner: str
    session: str
    """The session it is about; empty for many."""
    ended: float = 0.0


class _Share(asyncio.Semaphore):
    """Some of the places of another semaphore: who takes one here takes one there."""

    def __init__(self, whole: asyncio.Semaphore, places: int) -> None:
        super().__init__(places)
        self._whole = whole

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        try:
            return await self._whole.acquire()
        except BaseException:
            super().release()
            raise

    def release(self) -> None:
        self._whole.release()
        super().release()


class Scorer:
    """All scoring of this process. `save` stores a scorecard, `known` returns those a session has, `load` reads a session."""

    def __init__(
        self,
        engine: Engine,
        save: Callable[[Scorecard], None],
        known: Callable[[str], list[Scorecard]],
        load: Callable[[str], Session],
        calls: int,
    ) -> None:
        self._engine, self._save, self._known, self._load = engine, save, known, load
        self._limit = _Share(engine.limit, max(1, calls // SHARE))
        self._jobs: dict[str, Job] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._along: dict[str, _Along] = {}
        self._lock = threading.Lock()

    def start(
        self, sessions: Iterable[Session | str], order: Order, *, owner: str, every: int = 0, quiet: bool = False
    ) -> Job:
        """Begin to score sessions, or those of the library with these ids, in the background.

        They are scored as they stand, or with `every` as they stood after so many turns each time.
        """
        wanted = list(sessions)
        rounds = sum(_rounds(session, order.sheets, every) for session in wanted)
        about = wanted[0].id if len(wanted) == 1 and isinstance(wanted[0], Session) else ""
        progress = Progress(secrets.token_urlsafe(9), "running", order.judge, 0, rounds, len(wanted), quiet=quiet)
        job = Job(owner=owner, session=about, standing=progress)
        with self._lock:
            self._sweep()
            self._jobs[progress.id] = job
        job.future = self._engine.call(self._drive(job, wanted, order, every))
        return job

    def stop(self, job: Job) -> None:
        """Stop a job at once; scorecards that are whole are kept."""
        job.stop()

    def job(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def jobs_on(self, session_id: str) -> list[Job]:
        """Return the jobs about one session that are still remembered, the newest first."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if job.session == session_id]

    def along(self, session_id: str) -> int:
        """Return after how many turns each a session is scored by itself; 0 when it is not."""
        found = self._along.get(session_id)
        return found.every if found else 0

    def go_along(self, session_id: str, every: int, order: Order | None, owner: str) -> None:
        """Score a session by itself after every so many turns from now on; 0 ends it."""
        if every and order:
            self._along[session_id] = _Along(every, order, owner, time.monotonic())
        else:
            self._along.pop(session_id, None)

    def recast(self, owner: str, judge: str, open: OpenModels | None, fan_out: FanOut) -> None:
        """Let another judge score what an owner has scored along by a model, so that no key outlives its cast."""
        for id, wanted in list(self._along.items()):
            if wanted.owner == owner and wanted.order.open:
                order = replace(wanted.order, judge=judge, open=open, fan_out=fan_out)
                self._along[id] = replace(wanted, order=order)

    def turn_kept(self, session: Session) -> None:
        """Take note of a session with a new turn; score it where that is wanted. Returns at once."""
        if not (wanted := self._along.get(session.id)):
            return
        every, order, owner = wanted.every, wanted.order, wanted.owner
        turns = len(session.turns)
        if turns and (turns % every == 0 or session.ended):
            after = [s for s in order.sheets if s.instrument != "panas-before"] if turns > every else order.sheets
            self.start([session], replace(order, sheets=tuple(after)), owner=owner, quiet=True)
        if session.ended:
            self.go_along(session.id, 0, None, owner)

    def _sweep(self) -> None:
        now = time.monotonic()
        for id in [id for id, job in self._jobs.items() if not job.look().live and now - job.ended > KEPT]:
            del self._jobs[id]
        for id in [id for id, wanted in self._along.items() if now - wanted.begun > LONGEST]:
            del self._along[id]

    async def _drive(self, job: Job, sessions: Sequence[Session | str], order: Order, every: int) -> None:
        try:
            if order.open is None:
                await self._score(job, sessions, order, every, None)
            else:
                async with order.open(self._limit) as models:
                    await self._score(job, sessions, order, every, models)
            self._finish(job, "done")
        except asyncio.CancelledError:
            self._finish(job, "stopped")
        except MagnetError as error:
            self._finish(job, "failed", str(error))
        except Exception as error:
            self._finish(job, "failed", mistake(error, "Scoring"))

    def _finish(self, job: Job, state: State, error: str = "") -> None:
        job.ended = time.monotonic()
        job.tell(state=state, **({"error": error} if error else {}))

    async def _score(
        self, job: Job, sessions: Sequence[Session | str], order: Order, every: int, models: ModelFor | None
    ) -> None:
        for one in sessions:
            try:
                session = await asyncio.to_thread(self._load, one) if isinstance(one, str) else one
            except StoreError as error:
                job.tell(error=str(error), total=job.look().total - _rounds(one, order.sheets, every))
                continue
            async with self._turns.setdefault(session.id, asyncio.Lock()):
                # the rules know the instruments by name only; a model is told the sheet's own words
                asked = [one.instrument if models is None and one.instrument in INSTRUMENTS else one for one in order.sheets]
                how: dict[str, Any] = {"samples": order.samples, "fan_out": order.fan_out}
                stream = (
                    every_k_turns(session, every, asked, models, **how)
                    if every
                    else score_all(session, asked, models, **how)
                )
                async with aclosing(stream) as events:
                    async for event in events:
                        await self._take(job, event, order)

    async def _take(self, job: Job, event: ItemRated | SessionScored, order: Order) -> None:
        now = job.look()
        if isinstance(event, ItemRated):
            job.tell(rated=now.rated + 1, missing=now.missing + (event.rating.value is None))
            return
        if order.keep:
            await asyncio.to_thread(self._store, event.card)
        job.tell(cards=(*now.cards, event.card))

    def _store(self, card: Scorecard) -> None:
        """Keep a card; the rules give the same again each time, so theirs is kept once."""
        if card.kind == "rule" and any(_alike(card, other) for other in self._known(card.session_id)):
            return
        self._save(card)


def _alike(one: Scorecard, other: Scorecard) -> bool:
    return one.model_copy(update={"created": other.created}) == other


def _rounds(session: Session | str, sheets: Sequence[Sheet], every: int) -> int:
    """Return how many items will be rated: those of one round, or of every round as a session grows."""
    rounds = len(session.turns) // every if every and isinstance(session, Session) else 1
    return sum(len(s.items) * (1 if s.instrument == "panas-before" and rounds else rounds) for s in sheets)


def sheets_of(instruments: Iterable[str], own: Iterable[Sheet] = ()) -> tuple[Sheet, ...]:
    """Return the sheets of instruments by name, those of own rubrics among them."""
    known = {one.instrument: one for one in own}
    return tuple(known.get(name) or sheet(name) for name in instruments)
