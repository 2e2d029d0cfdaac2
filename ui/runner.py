"""The engine that runs sessions behind the pages: one per process, a thread with its own event loop.

A page starts a run and then only looks in: a click, another page, a reload or a lost connection never undoes a turn. What a
page is given is a snapshot, a value that does not change. Nothing here knows the screen.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, cast

from magnet_core.domain import FanOut, Session
from magnet_core.errors import AgentFailed, MagnetError
from magnet_core.events import (
    AgentDelta,
    AgentFinished,
    AgentRetried,
    AgentStarted,
    SessionEvent,
    SessionOpened,
    TurnFinished,
    TurnStarted,
)
from magnet_core.methods import method_named
from magnet_core.models import Chunk, Model, ModelFor, Player, Request
from magnet_core.models.recorded import Recorded
from magnet_core.session import open_session, take_turn

Goal = Literal["turn", "end"]
"""How far a run goes: the plan if there is none yet and one turn, or to the session's end."""

State = Literal["running", "stopping", "done", "stopped", "paused", "failed"]
Status = Literal["idle", "waiting", "writing", "again", "done"]

ABANDONED = 60.0
"""Seconds without anybody looking after which a run pauses at the next turn's end."""
ADOPTED = 3.0
"""Seconds without its owner looking after which somebody else who looks becomes the owner: a reload makes a new one."""
KEPT = 600.0
"""Seconds a finished run is remembered."""

OpenModels = Callable[[asyncio.Semaphore], AbstractAsyncContextManager[ModelFor]]
Save = Callable[[Session], None]
T = TypeVar("T")


class SessionBusy(MagnetError):
    """The session is being continued by somebody else."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """How to open the models of a run, and how their calls leave."""

    open: OpenModels
    fan_out: FanOut = "at-once"


@dataclass(frozen=True, slots=True)
class Said:
    """What one agent has said so far in the running turn."""

    agent: str
    status: Status = "idle"
    text: str = ""
    reason: str = ""
    """Why it was asked again."""
    asked: float = 0.0
    """When it was asked, in seconds after the turn began."""
    first: float | None = None
    """Seconds from being asked to the first word."""
    seconds: float | None = None
    """Seconds from being asked to the end of the answer."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run as it stands at one moment."""

    id: str
    state: State
    goal: Goal
    session: Session
    turn: int
    """The turn being made, 0 while planning."""
    said: dict[str, Said]
    error: str = ""
    failed: str = ""
    """The agent that got no answer."""
    mine: bool = True
    """Whether whoever looked may steer the run."""

    @property
    def live(self) -> bool:
        return self.state in ("running", "stopping")

    @property
    def writing(self) -> int | None:
        """The turn being written now, None when none is: the plan belongs to turn 1."""
        return len(self.session.turns) + 1 if self.live and not self.session.ended else None


@dataclass
class Run:
    """A session being continued. The engine's thread writes it, pages read it by `look`."""

    owner: str
    session: Session
    goal: Goal
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    state: State = "running"
    turn: int = 0
    error: str = ""
    failed: str = ""
    ended: float = 0.0
    looked: float = field(default_factory=time.monotonic)
    owner_looked: float = field(default_factory=time.monotonic)
    future: Any = None
    speakers: Speakers | None = None
    """Who speaks from the next turn on; None once the run has ended, so that no key outlives it."""
    kept: bool = True
    """Whether its turns are saved, which those of a recording are not."""
    _zero: float = field(default_factory=time.monotonic)
    _said: dict[str, Said] = field(default_factory=dict)
    _pieces: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def live(self) -> bool:
        return self.state in ("running", "stopping")

    def look(self, owner: str) -> Snapshot:
        """Return the run as it stands; a live run whose owner has gone passes to whoever looks."""
        now = time.monotonic()
        with self._lock:
            if owner != self.owner and now - self.owner_looked > ADOPTED:
                self.owner = owner
            self.looked = now
            if owner == self.owner:
                self.owner_looked = now
            said = {
                name: replace(one, text="".join(pieces)) if (pieces := self._pieces.get(name)) else one
                for name, one in self._said.items()
            }
            return Snapshot(
                id=self.id,
                state=self.state,
                goal=self.goal,
                session=self.session,
                turn=self.turn,
                said=said,
                error=self.error,
                failed=self.failed,
                mine=owner == self.owner,
            )

    def go_on(self, goal: Goal) -> None:
        with self._lock:
            self.goal = goal

    def begin(self, turn: int) -> None:
        """Clear the stage for the plan (0) or a turn: every agent of it is there and has not been asked."""
        method = method_named(self.session.method)
        planner = method.planner.name if method.planner else ""
        cast_now = [planner] if turn == 0 and planner else [name for name in method.agents if name != planner and turn]
        with self._lock:
            self.turn, self._zero = turn, time.monotonic()
            self._said = {name: Said(name) for name in cast_now}
            self._pieces = {}

    def hear(self, event: SessionEvent) -> None:
        """Take one event of the core's stream into the run's state."""
        now = time.monotonic() - self._zero
        if isinstance(event, TurnStarted):
            self.begin(event.turn)
        with self._lock:
            match event:
                case AgentStarted(agent):
                    self._said[agent] = Said(agent, "waiting", asked=now)
                case AgentDelta(agent, text):
                    one = self._said[agent]
                    self._pieces.setdefault(agent, []).append(text)
                    if one.status != "writing":
                        self._said[agent] = replace(one, status="writing", first=now - one.asked)
                case AgentRetried(agent, reason):
                    self._pieces.pop(agent, None)
                    self._said[agent] = Said(agent, "again", reason=reason, asked=now)
                case AgentFinished(agent, text):
                    self._pieces.pop(agent, None)
                    one = self._said[agent]
                    self._said[agent] = replace(one, status="done", text=text, seconds=now - one.asked)
                case SessionOpened(session) | TurnFinished(session):
                    self.session = session
                case _:
                    pass

    def finish(self, state: State, error: str = "", failed: str = "") -> None:
        with self._lock:
            self.state, self.error, self.failed, self.ended = state, error, failed, time.monotonic()
            self.speakers = None


class Engine:
    """All runs of this process."""

    def __init__(self, calls_in_flight: int = 64) -> None:
        self._loop = asyncio.new_event_loop()
        self._limit = asyncio.Semaphore(calls_in_flight)
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="sessions").start()

    def start(
        self,
        session: Session,
        goal: Goal,
        *,
        owner: str,
        open_models: OpenModels,
        save: Save | None = None,
        fan_out: FanOut = "at-once",
    ) -> Run:
        """Go on with a session; a live run of the same owner is told the new goal instead.

        Raises `SessionBusy` when another owner is continuing it.
        """
        with self._lock:
            self._sweep()
            if (run := self._of(session.id)) and run.live:
                if run.owner != owner:
                    raise SessionBusy("This session is being continued in another window. You can watch it here.")
                run.go_on(goal)
                return run
            speakers = Speakers(open_models, fan_out)
            run = Run(owner=owner, session=session, goal=goal, speakers=speakers, kept=save is not None)
            run.begin(len(session.turns) + 1 if session.plan or session.turns else 0)
            self._runs[run.id] = run
            run.future = asyncio.run_coroutine_threadsafe(self._drive(run, save), self._loop)
            return run

    def recast(self, owner: str, open_models: OpenModels, fan_out: FanOut) -> None:
        """Let other models speak, from the next turn on, in all that an owner has running; recordings are left alone."""
        with self._lock:
            for run in self._runs.values():
                if run.live and run.kept and run.owner == owner:
                    run.speakers = Speakers(open_models, fan_out)

    def call(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin some work in the engine's thread; cancel what is returned to give it up."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self, run: Run) -> None:
        """Stop at once, in mid-call too; the turn being made is undone."""
        if run.live:
            run.state = "stopping"
            run.future.cancel()

    def run(self, id: str) -> Run | None:
        return self._runs.get(id)

    def run_on(self, session_id: str) -> Run | None:
        """Return the newest run of a session that is still remembered."""
        with self._lock:
            return self._of(session_id)

    def _of(self, session_id: str) -> Run | None:
        return next((run for run in reversed(self._runs.values()) if run.session.id == session_id), None)

    def _sweep(self) -> None:
        now = time.monotonic()
        for run in [r for r in self._runs.values() if not r.live and now - r.ended > KEPT]:
            del self._runs[run.id]

    async def _drive(self, run: Run, save: Save | None) -> None:
        async def keep() -> None:
            if save:
                await asyncio.to_thread(save, run.session)

        async def follow(stream: AsyncGenerator[SessionEvent]) -> None:
            async with aclosing(stream) as events:
                async for event in events:
                    run.hear(event)

        try:
            end: State | None = None
            while end is None and (speakers := run.speakers):
                async with speakers.open(self._limit) as models:
                    if run.session.plan is None and not run.session.turns:
                        run.session = _cast(run.session, models)
                        await follow(open_session(run.session, models))
                        await keep()
                    while end is None and run.speakers is speakers:
                        if not run.session.ended:
                            await follow(cast(Any, take_turn(run.session, models, fan_out=speakers.fan_out)))
                            await keep()
                        if run.session.ended or run.goal == "turn":
                            end = "done"
                        elif time.monotonic() - run.looked > ABANDONED:
                            end = "paused"
            run.finish(end or "done")
        except asyncio.CancelledError:
            run.finish("stopped")
        except AgentFailed as error:
            run.finish("failed", str(error), error.agent)
        except MagnetError as error:
            run.finish("failed", str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("A run broke off.")
            run.finish("failed", f"The program made a mistake ({type(error).__name__}); the log has the details.")


@dataclass(frozen=True, slots=True)
class _Paced:
    """Gives another model's answers word by word, so many a second."""

    model: Model
    pace: float

    @property
    def name(self) -> str:
        return self.model.name

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        async for chunk in self.model.stream(request):
            for word in re.findall(r"\s*\S+|\s+$", chunk.text):
                yield Chunk(word)
                await asyncio.sleep(1 / self.pace)
            yield replace(chunk, text="")


def recording(session: Session, pace: float) -> OpenModels:
    """Return models that give a session's own answers again, `pace` words a second."""

    @asynccontextmanager
    async def opened(_limit: asyncio.Semaphore) -> AsyncIterator[ModelFor]:
        player = Player(_Paced(Recorded(session), pace))
        yield lambda _agent: player

    return opened


def _cast(session: Session, models: ModelFor) -> Session:
    """Return the session with the names of the models that are about to speak in it."""
    names = {agent: models(agent).model.name for agent in method_named(session.method).agents}
    return session.model_copy(update={"models": names})
