"""The engine that runs sessions behind the pages: one per process, a thread with its own event loop.

A page starts a run and then only looks in: a click, another page, a reload or a lost connection never undoes a turn. What a
page is given is a snapshot, a value that does not change. Nothing here knows the screen.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from magnet_core.domain import FanOut, Given, Session, Speaker, Turn
from magnet_core.errors import AgentFailed, BudgetSpent, MagnetError
from magnet_core.events import (
    AgentDelta,
    AgentFinished,
    AgentRetried,
    AgentStarted,
    PartsReady,
    SessionEvent,
    SessionOpened,
    TurnFinished,
    TurnStarted,
)
from magnet_core.meter import Use, given_up
from magnet_core.methods import Method, method_named
from magnet_core.models import Chunk, Model, ModelFor, Player, Request
from magnet_core.models.recorded import Recorded
from magnet_core.session import NOTHING, open_session, take_turn
from ui.engine.mistakes import mistake

Goal = Literal["turn", "end"]
"""How far a run goes: the plan if there is none yet and one turn, or to the session's end."""

State = Literal["running", "stopping", "done", "stopped", "paused", "failed", "waiting"]
"""`waiting`: for the words of a person who sits in a seat."""
Status = Literal["idle", "waiting", "writing", "again", "done"]

ABANDONED = 60.0
"""Seconds without anybody looking after which a run pauses at the next turn's end."""
ADOPTED = 3.0
"""Seconds without its owner looking after which somebody else who looks becomes the owner: a reload makes a new one."""
KEPT = 600.0
"""Seconds a finished run is remembered."""
WAITS = 6 * 3600.0
"""Seconds a run that waits for a person's words is remembered."""

OpenModels = Callable[[asyncio.Semaphore], AbstractAsyncContextManager[ModelFor]]
Save = Callable[[Session], None]
Lost = Callable[[Use], None]
"""Takes note of a turn that is given up for good."""
GivenFor = Callable[[Session], Given]
"""What stands already of the next turn of a session."""
T = TypeVar("T")


class SessionBusy(MagnetError):
    """The session is being continued by somebody else."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """How to open the models of a run, and how their calls leave."""

    open: OpenModels
    fan_out: FanOut = "at-once"


@dataclass(frozen=True, slots=True)
class Seat:
    """A person in one of the two chairs; the agents go on around them."""

    speaker: Speaker
    stays: bool = False
    """Whether for the whole session, not for one turn."""


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
    spent: bool = False
    """Whether it was stopped by a budget."""
    mine: bool = True
    """Whether whoever looked may steer the run."""
    given: Given = NOTHING
    """What stands of the turn being made, beside what its agents are asked for."""
    seat: Seat | None = None

    @property
    def live(self) -> bool:
        return self.state in ("running", "stopping")

    @property
    def writing(self) -> int | None:
        """The turn being written now, by agents or a person, None when none is: the plan belongs to turn 1."""
        going = self.live or self.state == "waiting"
        return len(self.session.turns) + 1 if going and not self.session.ended else None


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
    spent: bool = False
    ended: float = 0.0
    looked: float = field(default_factory=time.monotonic)
    owner_looked: float = field(default_factory=time.monotonic)
    future: Any = None
    speakers: Speakers | None = None
    """Who speaks from the next turn on; None once the run has ended, so that no key outlives it."""
    kept: bool = True
    """Whether its turns are saved, which those of a recording are not."""
    given: Given = NOTHING
    """What stands already of the turn being made."""
    seat: Seat | None = None
    _zero: float = field(default_factory=time.monotonic)
    _said: dict[str, Said] = field(default_factory=dict)
    _pieces: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def live(self) -> bool:
        return self.state in ("running", "stopping")

    def look(self, owner: str) -> Snapshot:
        """Return the run as it stands; one that stands still, or whose owner has gone, passes to whoever looks."""
        now = time.monotonic()
        with self._lock:
            if owner != self.owner and (self.state == "waiting" or now - self.owner_looked > ADOPTED):
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
                spent=self.spent,
                mine=owner == self.owner,
                given=self.given,
                seat=self.seat,
            )

    def go_on(self, goal: Goal) -> None:
        with self._lock:
            self.goal = goal

    def stopping(self) -> bool:
        """Note that it is to stop; tell whether there was anything left to stop."""
        with self._lock:
            if live := self.live:
                self.state = "stopping"
            return live

    def begin(self, turn: int) -> None:
        """Clear the stage for the plan (0) or a turn: every agent of it is there and has not been asked."""
        method = method_named(self.session.method)
        planner = method.planner.name if method.planner else ""
        cast_now = [planner] if turn == 0 and planner else [name for name in method.agents if name != planner and turn]
        with self._lock:
            self.turn, self._zero = turn, time.monotonic()
            self._said = {name: Said(name) for name in cast_now} | (_standing(self.given, method) if turn else {})
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

    def finish(self, state: State, error: str = "", failed: str = "", *, spent: bool = False) -> None:
        with self._lock:
            self.state, self.error, self.failed, self.ended = state, error, failed, time.monotonic()
            self.spent = spent
            self.speakers = None


class Engine:
    """All runs of this process."""

    def __init__(self, calls_in_flight: int = 64) -> None:
        self._loop = asyncio.new_event_loop()
        self._limit = asyncio.Semaphore(calls_in_flight)
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="sessions")
        self._thread.start()

    def close(self) -> None:
        """Stop all that goes on and end the thread; finished turns are kept. Nothing can be begun here afterwards."""

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._loop.shutdown_asyncgens()
            await self._loop.shutdown_default_executor()

        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def start(
        self,
        session: Session,
        goal: Goal,
        *,
        owner: str,
        open_models: OpenModels,
        save: Save | None = None,
        fan_out: FanOut = "at-once",
        given: Given = NOTHING,
        given_for: GivenFor | None = None,
        seat: Seat | None = None,
        lost: Lost | None = None,
    ) -> Run:
        """Go on with a session; a live run of the same owner is told the new goal instead.

        `given` stands already in the next turn, `given_for` tells what does in every other; where somebody takes a `seat`, the
        run waits for their words when it is their turn to speak. `lost` is told of a turn that is given up. Raises `SessionBusy` when another owner is continuing it.
        """
        with self._lock:
            self._sweep()
            if (run := self._of(session.id)) and run.live:
                if run.owner != owner:
                    raise SessionBusy("This session is being continued in another window. You can watch it here.")
                run.go_on(goal)
                return run
            speakers = Speakers(open_models, fan_out)
            kept = save is not None
            run = Run(owner=owner, session=session, goal=goal, speakers=speakers, kept=kept, given=given, seat=seat)
            run.begin(len(session.turns) + 1 if session.plan or session.turns else 0)
            self._runs[run.id] = run
            run.future = asyncio.run_coroutine_threadsafe(self._drive(run, save, given_for, lost), self._loop)
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
        if run.stopping():
            run.future.cancel()

    @property
    def limit(self) -> asyncio.Semaphore:
        """The calls in flight, of all runs together."""
        return self._limit

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
        kept = {"waiting": WAITS}
        for run in [r for r in self._runs.values() if not r.live and now - r.ended > kept.get(r.state, KEPT)]:
            del self._runs[run.id]

    async def _drive(self, run: Run, save: Save | None, given_for: GivenFor | None, lost: Lost | None) -> None:
        async def keep() -> None:
            if save:
                await asyncio.to_thread(save, run.session)

        async def follow(stream: AsyncGenerator[SessionEvent]) -> bool:
            """Follow a stream; tell whether it was left because a person is to speak."""
            async with aclosing(stream) as events:
                async for event in events:
                    if isinstance(event, PartsReady) and run.seat and run.seat.speaker == event.speaker:
                        run.given = event.given
                        return True
                    run.hear(event)
            return False

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
                            if given_for and run.given == NOTHING:
                                run.given = given_for(run.session)
                            turn = take_turn(run.session, models, fan_out=speakers.fan_out, given=run.given)
                            if await follow(turn):
                                end = "waiting"
                                break
                            run.given = NOTHING
                            await keep()
                        if run.session.ended or (run.goal == "turn" and not (run.seat and run.seat.stays)):
                            end = "done"
                        elif time.monotonic() - run.looked > ABANDONED:
                            end = "paused"
            run.finish(end or "done")
        except asyncio.CancelledError:
            run.finish("stopped")
        except AgentFailed as error:
            if lost:
                lost(given_up(run.session, error))
            run.finish("failed", str(error), error.agent)
        except MagnetError as error:
            run.finish("failed", str(error), spent=isinstance(error, BudgetSpent))
        except Exception as error:
            run.finish("failed", mistake(error, "A run"))


@dataclass(frozen=True, slots=True)
class _Paced:
    """Gives another model's answers word by word, so many a second as `pace` says at each word."""

    model: Model
    pace: Callable[[], float]

    @property
    def name(self) -> str:
        return self.model.name

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        async for chunk in self.model.stream(request):
            for word in re.findall(r"\s*\S+|\s+$", chunk.text):
                yield Chunk(word)
                await asyncio.sleep(1 / self.pace())
            yield replace(chunk, text="")


def recording(session: Session, pace: Callable[[], float]) -> OpenModels:
    """Return models that give a session's own answers again, `pace` words a second."""

    @asynccontextmanager
    async def opened(_limit: asyncio.Semaphore) -> AsyncIterator[ModelFor]:
        player = Player(_Paced(Recorded(session), pace))
        yield lambda _agent: player

    return opened


def unasked(turn: Turn, speaker: str) -> Given:
    """Return what of a turn came from no call of the agents that would make it, so that a recording cannot ask for it.

    `speaker` is the agent that writes the counsellor's message.
    """
    called = {call.agent for call in turn.calls}
    if speaker not in called:
        given = Given(choice=turn.choice, candidates=turn.candidates, response=turn.response)
    else:
        choice = turn.choice if "selector" not in called and speaker != "one-call" else None
        given = Given(choice=choice, candidates=tuple(c for c in turn.candidates if _silent(c.technique, called, speaker)))
    reply = None if "client" in called else turn.reply
    return given.model_copy(update={"reply": reply, "typed": turn.typed})


def _silent(technique: str, called: set[str], speaker: str) -> bool:
    return technique not in called and speaker != "one-call"


def _standing(given: Given, method: Method) -> dict[str, Said]:
    """Return as said what is given, so that a page shows it beside what is being written."""
    texts = {c.technique.value: c.text for c in given.candidates}
    if given.choice and method.selector:
        texts[method.selector.name] = given.choice.text or ", ".join(given.choice.techniques)
    if given.response is not None:
        texts[method.speaker.name] = given.response
    if given.reply is not None:
        texts[method.client.name] = given.reply.text
    return {name: Said(name, "done", text=text) for name, text in texts.items() if name in method.agents}


def _cast(session: Session, models: ModelFor) -> Session:
    """Return the session with the names of the models that are about to speak in it."""
    names = {agent: models(agent).model.name for agent in method_named(session.method).agents}
    return session.model_copy(update={"models": names})
