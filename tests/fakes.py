"""What stands in a model's place: distinct words for every agent, turn and attempt, failures on demand; and finished sessions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

from magnet_core.cast import Cast, open_models
from magnet_core.domain import AgentCall, Attitude, CbtTechnique, Session, Usage
from magnet_core.errors import ModelError
from magnet_core.events import SessionFinished
from magnet_core.models import Chunk, Player, Request
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session

PLAN = json.dumps(
    {
        "technique": CbtTechnique.DECATASTROPHIZING,
        "reason": "The fear grows with every telling.",
        "steps": ["Set the agenda", "Map one moment", "Ask for the worst case", "Sum up"],
        "rejected": [{"technique": t, "reason": "It can wait."} for t in CbtTechnique if t != "Decatastrophizing"],
    }
)


class Scripted:
    """Answer every request with words of its own; fail for good where `fails(agent, turn)` says so."""

    name = "scripted"

    def __init__(self, fails: Callable[[str, int], bool] = lambda agent, turn: False, seconds: float = 0.0) -> None:
        self.fails, self.seconds = fails, seconds
        self.asked: list[tuple[str, str, int]] = []
        """Client's name, agent and turn of every request, in order."""

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        moment = request.moment
        self.asked.append((moment.session.profile.name, moment.agent, moment.turn))
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.fails(moment.agent, moment.turn):
            raise ModelError("the scripted model was told to fail.")
        if moment.agent == "planner":
            text = PLAN
        elif moment.agent == "selector":
            chosen = ["questioning", "reflection"]
            text = json.dumps({"techniques": chosen, "plan_step": 2, "reason": f"Turn {moment.turn}."})
        else:
            text = " ".join(f"{moment.agent}{moment.turn}word{n}" for n in range(9)) + "."
        yield Chunk(text, "stop")


class Says:
    """Give one answer after the other, as often as samples are asked for; keep what was asked."""

    name = "says"

    def __init__(self, *answers: str, fails: bool = False) -> None:
        self.answers, self.fails = answers, fails
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        if self.fails:
            raise ModelError("the endpoint said no.")
        answer = self.answers[(len(self.requests) - 1) % len(self.answers)]
        for index in range(request.samples):
            yield Chunk(answer, "stop", index=index)


async def finished(turns: int = 3, model: Scripted | None = None, **more: object) -> Session:
    """Return a finished session of that many turns with the first sample client."""
    player = Player(model or Scripted())
    session = new_session(samples()[0], max_turns=turns, models=lambda agent: player, **more)  # type: ignore[arg-type]
    async for event in run_session(session, lambda agent: player, live=False):
        if isinstance(event, SessionFinished):
            session = event.session
    return session


def made(cast: Cast, turns: int = 8, client: int = 0, attitude: Attitude | None = None, **more: Any) -> Session:
    """Return the session that a cast makes with a sample client."""

    async def work() -> Session:
        async with open_models(cast) as models:
            profile = samples()[client]
            session = new_session(
                profile.with_attitude(attitude or profile.attitude), max_turns=turns, models=models, **more
            )
            async for event in run_session(session, models, live=False):
                session = getattr(event, "session", session)
            return session

    return asyncio.run(work())


def reworded(session: Session, words: str = "Let us take our time with that.") -> Session:
    """Return a session in which the counsellor says a little more in the first turn: the cast says the same whatever the method."""
    first = session.turns[0]
    first = first.model_copy(update={"response": f"{first.response} {words}"})
    return session.model_copy(update={"turns": (first, *session.turns[1:])})


def rehearsed(turns: int = 8, client: int = 0, **more: Any) -> Session:
    """Return a new session of the built-in cast."""
    return made(Cast(), turns, client, **more)


@cache
def rehearsed_once(turns: int = 8, client: int = 0, method: str = "magnet") -> Session:
    """Return a session of the built-in cast, the same one each time."""
    return rehearsed(turns, client, method=method)


def call(
    model: str = "m", read: int | None = 1000, cached: int | None = None, wrote: int | None = 100, **more: Any
) -> AgentCall:
    """Return a call of an agent, with the tokens it read and wrote."""
    usage = Usage(prompt_tokens=read, cached_tokens=cached, completion_tokens=wrote)
    return AgentCall(**({"agent": "plain", "model": model, "prompt_sha": "x", "output": "", "usage": usage} | more))
