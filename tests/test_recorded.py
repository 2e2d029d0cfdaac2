"""A recording gives the same session again, without a model."""

from __future__ import annotations

from typing import Any

import pytest

from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import Session
from magnet_core.errors import AgentFailed
from magnet_core.events import SessionFinished
from magnet_core.models import ModelFor, Player
from magnet_core.models.recorded import Recorded
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session

pytestmark = pytest.mark.anyio


async def play(session: Session, models: ModelFor, fan_out: Any = "at-once") -> Session:
    async for event in run_session(session, models, fan_out=fan_out, live=False):
        if isinstance(event, SessionFinished):
            session = event.session
    return session


def blank(session: Session) -> Session:
    """Return a session as it was before anything was said."""
    return session.model_copy(update={"plan": None, "plan_calls": (), "plan_flags": (), "turns": ()})


async def recording(endpoint: Any, method: str, visibility: str = "repaired") -> Session:
    def answer(body: dict[str, Any], number: int) -> str:
        # now and then an answer that the guards send back
        return "Counsellor:" if number % 5 == 0 else " ".join(f"word{number}{letter}" for letter in "abcdefgh")

    manners = {"answer": answer} if method == "plain" else {}
    server = endpoint(**manners)
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        given: dict[str, Any] = {"method": method, "visibility": visibility, "min_turns": 1, "max_turns": 4, "seed": 5}
        return await play(new_session(samples()[1], models=models, **given), models)


@pytest.mark.parametrize("method", ["magnet", "no-plan", "plain", "one-call"])
@pytest.mark.parametrize("visibility", ["repaired", "paper"])
async def test_a_recording_plays_the_same_session(endpoint: Any, method: str, visibility: str) -> None:
    session = await recording(endpoint, method, visibility)
    model = Recorded(session)
    again = await play(blank(session), lambda agent: Player(model), "one-by-one")
    assert again.plan == session.plan and len(again.turns) == len(session.turns) == 4
    for old, new in zip(session.turns, again.turns, strict=True):
        assert (new.response, new.reply, new.choice, new.candidates) == (old.response, old.reply, old.choice, old.candidates)
        assert {call.prompt_sha for call in new.calls} == {call.prompt_sha for call in old.calls}
    if method == "plain":
        assert any(call.attempt > 1 for turn in session.turns for call in turn.calls)


async def test_a_recording_says_where_it_ends(endpoint: Any) -> None:
    session = await recording(endpoint, "magnet")
    model = Recorded(session.upto(2))
    with pytest.raises(AgentFailed, match=r"holds no answer 1 .* in turn 3"):
        await play(blank(session), lambda agent: Player(model))
