"""A model for tests: distinct words for every agent, turn and attempt, and failures on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from magnet_core.domain import CbtTechnique, Session
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


async def finished(turns: int = 3, model: Scripted | None = None, **more: object) -> Session:
    """Return a finished session of that many turns with the first sample client."""
    player = Player(model or Scripted())
    session = new_session(samples()[0], max_turns=turns, models=lambda agent: player, **more)  # type: ignore[arg-type]
    async for event in run_session(session, lambda agent: player, live=False):
        if isinstance(event, SessionFinished):
            session = event.session
    return session
