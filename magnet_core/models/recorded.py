"""A finished session as a model: it gives its own answers again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from magnet_core.domain import AgentCall, Session
from magnet_core.errors import ModelError
from magnet_core.models import Chunk, Request


class Recorded:
    """Plays a session's calls back, by turn, agent and attempt; needs no endpoint."""

    name = "recording"

    def __init__(self, session: Session) -> None:
        self._session = session.id
        turns = (session.plan_calls, *(turn.calls for turn in session.turns))
        self._calls: dict[tuple[int, str, int], AgentCall] = {
            (number, call.agent, call.attempt): call for number, calls in enumerate(turns) for call in calls
        }

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Yield the recorded answer in one piece; raise `ModelError` where the recording has none."""
        moment = request.moment
        attempt = len(moment.objections) + 1
        call = self._calls.get((moment.turn, moment.agent, attempt))
        if call is None:
            where = f"turn {moment.turn}" if moment.turn else "the plan"
            text = f"The recording {self._session} holds no answer {attempt} of the {moment.agent} agent in {where}."
            raise ModelError(text, kind="model")
        yield Chunk(call.output, call.finish_reason, call.usage)
