"""A session through its public way in: what each agent sees, what an ablation leaves out, how a turn is a transaction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from magnet_core import prompts
from magnet_core.domain import Candidate, Choice, Given, Reply, Session, Technique
from magnet_core.errors import AgentFailed, ModelError, SettingsError
from magnet_core.events import (
    AgentDelta,
    AgentRetried,
    AgentStarted,
    PartsReady,
    SessionFinished,
    SessionOpened,
    TurnFinished,
)
from magnet_core.methods import METHODS
from magnet_core.models import Chunk, Player, Request
from magnet_core.profiles import samples
from magnet_core.session import fork, kept, new_session, open_session, prompt_of, run_session, take_turn
from tests.fakes import PLAN, Scripted, finished

pytestmark = pytest.mark.anyio


class Answering:
    """Answer by a function from request to text, in pieces; remember every request."""

    name = "answering"

    def __init__(self, answer: Callable[[Request], str | Chunk], pause: float = 0.0) -> None:
        self.answer, self.pause = answer, pause
        self.requests: list[Request] = []
        self.open = 0

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        self.open += 1
        try:
            answer = self.answer(request)
            whole = answer if isinstance(answer, Chunk) else Chunk(answer, "stop")
            for start in range(0, len(whole.text), 40):
                await asyncio.sleep(self.pause)
                yield Chunk(whole.text[start : start + 40])
            yield Chunk("", whole.finish_reason, whole.usage)
        finally:
            self.open -= 1


def told(**answers: str) -> Callable[[Request], str]:
    """Answer as told for the named agents, with words of its own for the others."""

    def answer(request: Request) -> str:
        moment = request.moment
        if moment.agent in answers:
            return answers[moment.agent]
        if moment.agent == "planner":
            return PLAN
        if moment.agent == "selector":
            return '{"techniques": ["reflection"], "plan_step": 1, "reason": "First understand."}'
        return f"This is what the {moment.agent} says in turn {moment.turn}, try {len(moment.objections)}."

    return answer


def by(model: Any) -> Callable[[str], Player]:
    return lambda agent: Player(model)


async def end_of(stream: Any) -> Any:
    """Return the last event of a stream."""
    last = None
    async for event in stream:
        last = event
    return last


async def opened(model: Any, **more: Any) -> Session:
    session = new_session(samples()[0], models=by(model), **more)
    return (await end_of(open_session(session, by(model)))).session


async def test_a_turn_brings_every_agents_work() -> None:
    model = Answering(told())
    session = (await end_of(take_turn(await opened(model), by(model)))).session
    turn = session.turns[0]
    assert session.plan and session.plan.technique == "Decatastrophizing" and len(session.plan.rejected) == 11
    assert [c.technique for c in turn.candidates] == list(Technique)
    assert turn.choice == Choice(
        techniques=(Technique.REFLECTION,),
        plan_step=1,
        reason="First understand.",
        text=turn.choice.text if turn.choice else "",
    )
    assert "responder" in turn.response and "client" in turn.reply.text
    assert [c.agent for c in turn.calls] == ["selector", *Technique, "responder", "client"]
    assert not session.flags


@pytest.mark.parametrize("method", METHODS)
async def test_a_session_takes_the_calls_its_method_says(method: str) -> None:
    model = Scripted()
    session = await finished(3, model, method=method)
    assert len(session.turns) == 3
    assert len(model.asked) == METHODS[method].calls(3)
    assert {agent for _, agent, _ in model.asked} == set(METHODS[method].agents)
    assert (session.plan is None) == (METHODS[method].planner is None)


def test_a_full_session_takes_161_calls_and_one_call_41() -> None:
    assert METHODS["magnet"].calls(20) == 161
    assert METHODS["one-call"].calls(20) == 41


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("visibility", ["repaired", "paper"])
@pytest.mark.parametrize("fan_out", ["at-once", "primed", "one-by-one"])
async def test_rendered_prompts_are_those_that_were_sent(method: str, visibility: str, fan_out: Any) -> None:
    model = Scripted()
    session = new_session(samples()[3], method=method, visibility=visibility, max_turns=2, models=by(model))  # type: ignore[arg-type]
    session = (await end_of(run_session(session, by(model), fan_out=fan_out, live=False))).session
    session = Session.model_validate_json(session.model_dump_json())
    calls = [(0, c) for c in session.plan_calls] + [(n, c) for n, t in enumerate(session.turns, 1) for c in t.calls]
    assert calls
    for number, call in calls:
        assert prompts.sha(prompt_of(session, number, call)) == call.prompt_sha


async def test_a_question_asked_again_is_rendered_with_its_objection() -> None:
    model = Answering(told(client="Client:"))
    session = (await end_of(take_turn(await opened(model), by(model)))).session
    calls = [c for c in session.turns[0].calls if c.agent == "client"]
    assert [c.attempt for c in calls] == [1, 2, 3]
    assert all(c.problem for c in calls)
    assert all(prompts.sha(prompt_of(session, 1, c)) == c.prompt_sha for c in calls)
    assert "was not used" in prompt_of(session, 1, calls[1])[-1].content
    assert [(f.turn, f.agent, f.kind) for f in session.flags] == [(1, "client", "empty")]


SECRETS = {
    "plan": "The fear grows with every telling.",
    "dialogue": "",
    "intake_form": "2. Presenting Problem",
    "labels": "Techniques this record calls for",
}


async def seen_by(agent: str, visibility: Any) -> str:
    model = Answering(told())
    session = await opened(model, visibility=visibility)
    await end_of(take_turn(session, by(model)))
    request = next(r for r in model.requests if r.moment.agent == agent)
    return "\n".join(m.content for m in request.messages)


async def test_repaired_counsellors_see_plan_and_dialogue_but_not_the_form() -> None:
    profile = samples()[0]
    for agent in ("selector", "reflection", "responder"):
        text = await seen_by(agent, "repaired")
        assert SECRETS["plan"] in text and profile.opening.client in text and profile.intake.reason in text
        assert profile.intake.presenting_problem not in text and SECRETS["labels"] not in text


async def test_the_repaired_client_sees_its_own_form_only() -> None:
    text = await seen_by("client", "repaired")
    profile = samples()[0]
    assert profile.intake.presenting_problem in text and "responder says" in text
    assert SECRETS["plan"] not in text and SECRETS["labels"] not in text


async def test_paper_visibility_is_what_the_papers_code_shows() -> None:
    profile = samples()[0]
    responder = await seen_by("responder", "paper")
    assert "This is what the reflection says" in responder
    assert profile.opening.client not in responder and SECRETS["plan"] not in responder
    specialist = await seen_by("reflection", "paper")
    assert profile.opening.client in specialist and SECRETS["plan"] not in specialist
    selector = await seen_by("selector", "paper")
    assert SECRETS["plan"] in selector and profile.intake.reason not in selector
    assert SECRETS["labels"] in await seen_by("client", "paper")
    planner = await seen_by("planner", "paper")
    assert profile.opening.client in planner and profile.opening.counsellor not in planner


async def test_counsellor_roles_share_all_but_their_last_line() -> None:
    model = Answering(told())
    session = await opened(model)
    await end_of(take_turn(session, by(model)))
    texts = ["\n".join(m.content for m in r.messages) for r in model.requests if r.moment.agent in {*Technique, "selector"}]
    heads = {text.rsplit("[", 1)[0] for text in texts}
    assert len(texts) == 6 and len(heads) == 1


async def test_roles_take_turns_and_the_user_comes_first() -> None:
    model = Answering(told())
    await end_of(run_session(new_session(samples()[0], max_turns=2, models=by(model)), by(model)))
    for request in model.requests:
        roles = [m.role for m in request.messages]
        assert roles[0] == "system" and roles[1] == "user" and roles[-1] == "user"
        assert all(a != b for a, b in pairwise(roles))


async def test_independent_agents_run_at_once() -> None:
    model = Answering(told(), pause=0.01)
    most = 0
    async for _ in take_turn(await opened(model), by(model)):
        most = max(most, model.open)
    assert most == 6


async def test_primed_specialists_wait_for_the_selectors_first_word() -> None:
    model = Answering(told())
    session = await opened(model)
    order = [e async for e in take_turn(session, by(model), fan_out="primed", live=False)]
    first = next(i for i, e in enumerate(order) if isinstance(e, AgentDelta))
    started = [e.agent for e in order[:first] if isinstance(e, AgentStarted)]
    assert started == ["selector"]
    assert next(r for r in model.requests if r.moment.agent == "selector").live
    assert not next(r for r in model.requests if r.moment.agent == "reflection" and r.moment.turn).live


async def test_one_by_one_never_has_two_calls_open() -> None:
    model = Answering(told(), pause=0.001)
    session = await opened(model)
    async for _ in take_turn(session, by(model), fan_out="one-by-one"):
        assert model.open <= 1


async def test_stopping_in_the_middle_closes_every_call_and_changes_nothing() -> None:
    model = Answering(told(), pause=0.005)
    session = await opened(model)
    before = session.model_dump_json()
    async with aclosing(take_turn(session, by(model))) as events:
        async for event in events:
            if isinstance(event, AgentDelta):
                break
    assert model.open == 0
    assert session.model_dump_json() == before


@pytest.mark.parametrize("agent", ["planner", "selector", "solutions", "responder", "client"])
async def test_a_failed_agent_is_named_and_the_turn_undone(agent: str) -> None:
    model = Scripted(fails=lambda who, turn: who == agent and turn in (0, 2))
    session = new_session(samples()[0], max_turns=3, models=by(model))
    finished_turns = 0
    with pytest.raises(AgentFailed) as failure:
        async for event in run_session(session, by(model), live=False):
            if isinstance(event, TurnFinished):
                finished_turns = len(event.session.turns)
    assert failure.value.agent == agent and agent in str(failure.value)
    assert finished_turns == (0 if agent == "planner" else 1)


async def test_a_passing_failure_is_tried_again_and_kept_in_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([True, True])

    def answer(request: Request) -> str:
        if request.moment.agent == "client" and next(failures, False):
            raise ModelError("the line was busy", transient=True, retry_after=0.0)
        return told()(request)

    model = Answering(answer)
    events = [e async for e in take_turn(await opened(model), by(model))]
    session = events[-1].session
    call = session.turns[0].calls[-1]
    assert call.agent == "client" and call.retries == ("the line was busy",) * 2 and call.attempt == 1
    assert sum(isinstance(e, AgentRetried) for e in events) == 2


async def test_the_end_mark_counts_from_the_minimum_on() -> None:
    def answer(request: Request) -> str:
        text = told()(request)
        return f"{text} [/END]" if request.moment.agent == "client" else text

    model = Answering(answer)
    session = new_session(samples()[0], min_turns=3, max_turns=9, models=by(model))
    session = (await end_of(run_session(session, by(model)))).session
    assert len(session.turns) == 3 and session.turns[-1].reply.ends_session
    assert [f.turn for f in session.flags if f.kind == "early-end"] == [1, 2]
    assert "END" not in "".join(u.text for u in session.transcript)


async def test_a_session_ends_at_its_length() -> None:
    session = await finished(4)
    assert session.ended and len(session.turns) == 4


async def test_repeated_messages_are_asked_again_then_flagged() -> None:
    model = Answering(told(client="I have told you all there is to tell about it."))
    session = (await end_of(run_session(new_session(samples()[0], max_turns=2, models=by(model)), by(model)))).session
    assert [(f.turn, f.kind) for f in session.flags] == [(2, "repetition")]
    assert [c.attempt for c in session.turns[1].calls if c.agent == "client"] == [1, 2, 3]


async def test_an_answer_cut_by_the_limit_is_asked_again() -> None:
    tries: list[int] = []

    def answer(request: Request) -> str | Chunk:
        if request.moment.agent == "responder" and not tries:
            tries.append(1)
            return Chunk("And so I would like to", "length")
        return told()(request)

    model = Answering(answer)
    session = (await end_of(take_turn(await opened(model), by(model)))).session
    calls = [c for c in session.turns[0].calls if c.agent == "responder"]
    assert [bool(c.problem) for c in calls] == [True, False] and not session.flags


async def test_a_choice_that_names_nothing_is_passed_on_and_flagged() -> None:
    model = Answering(told(selector="Whatever feels right to you here."))
    session = (await end_of(take_turn(await opened(model), by(model)))).session
    turn = session.turns[0]
    assert turn.choice and turn.choice.techniques == ()
    assert [(f.agent, f.kind) for f in session.flags] == [("selector", "unreadable")]
    responder = next(r for r in model.requests if r.moment.agent == "responder")
    assert "Whatever feels right" in responder.messages[-1].content


async def test_risk_words_of_a_client_are_flagged_with_the_sentence() -> None:
    model = Answering(told(client="It was a long week. Some days I want to kill myself. Anyway."))
    session = (await end_of(take_turn(await opened(model), by(model)))).session
    (flag,) = session.flags
    assert flag.kind == "risk" and "Some days I want to kill myself." in flag.detail and "Anyway" not in flag.detail


async def test_one_call_brings_choice_candidates_and_message() -> None:
    team = {t.value: f"A draft for {t.value}." for t in Technique}
    text = json.dumps(
        {"techniques": ["solutions"], "plan_step": 2, "reason": "Ready."} | team | {"response": "Shall we try?"}
    )
    model = Answering(told(**{"one-call": text}))
    session = (await end_of(take_turn(await opened(model, method="one-call"), by(model)))).session
    turn = session.turns[0]
    assert turn.response == "Shall we try?" and [c.technique for c in turn.candidates] == list(Technique)
    assert turn.choice and turn.choice.techniques == (Technique.SOLUTIONS,) and turn.choice.plan_step == 2


async def test_given_parts_are_not_asked_for() -> None:
    model = Answering(told())
    session = await opened(model)
    model.requests.clear()
    chosen = Choice(techniques=(Technique.SOLUTIONS,), by_person=True)
    turn = (await end_of(take_turn(session, by(model), given=Given(choice=chosen)))).session.turns[0]
    assert turn.choice == chosen and "selector" not in {r.moment.agent for r in model.requests}
    model.requests.clear()
    typed = Given(response="What would your sister say?", typed=("counsellor",))
    turn = (await end_of(take_turn(session, by(model), given=typed))).session.turns[0]
    assert turn.response == "What would your sister say?" and turn.typed == ("counsellor",)
    assert [r.moment.agent for r in model.requests] == ["client"]
    reply = Given(reply=Reply(text="I'd rather not."), typed=("client",))
    turn = (await end_of(take_turn(session, by(model), given=reply))).session.turns[0]
    assert turn.reply.text == "I'd rather not." and turn.typed == ("client",) and len(turn.calls) == 7


@pytest.mark.parametrize("speaker", ["counsellor", "client"])
async def test_a_person_can_speak_where_the_stream_is_left(speaker: str) -> None:
    model = Answering(told())
    session = await opened(model)
    given = Given()
    async with aclosing(take_turn(session, by(model))) as events:
        async for event in events:
            if isinstance(event, PartsReady) and event.speaker == speaker:
                given = event.given
                break
    assert len(given.candidates) == 5 and (given.response is None) == (speaker == "counsellor")
    model.requests.clear()
    words = {"response": "Go on."} if speaker == "counsellor" else {"reply": Reply(text="No.")}
    spoken = given.model_copy(update={**words, "typed": (speaker,)})
    turn = (await end_of(take_turn(session, by(model), given=spoken))).session.turns[0]
    assert [r.moment.agent for r in model.requests] == (["client"] if speaker == "counsellor" else [])
    assert turn.candidates == given.candidates and turn.typed == (speaker,)
    assert len(turn.calls) == 7 and turn.calls[: len(given.calls)] == given.calls


@pytest.mark.parametrize("agent", ["reflection", "selector", "responder", "client"])
async def test_asking_one_agent_again_keeps_what_came_before_it(agent: str) -> None:
    session = await finished(3)
    model = Answering(told())
    forked = fork(session, 1)
    after = (await end_of(take_turn(forked, by(model), given=kept(session.turns[1], agent)))).session
    asked = [r.moment.agent for r in model.requests]
    assert asked[0] == agent and "client" in asked and set(asked) <= {agent, "responder", "client"}
    assert after.parent and after.parent.session == session.id and after.parent.turns == 1
    assert after.turns[0] == session.turns[0] and len(after.turns) == 2
    assert len(after.turns[1].calls) == 8
    if agent != "reflection":
        assert after.turns[1].candidate(Technique.REFLECTION) == session.turns[1].candidate(Technique.REFLECTION)


async def test_a_fork_leaves_its_parent_as_it_was() -> None:
    session = await finished(3)
    before = session.model_dump_json()
    other = fork(session, 2, seed=7)
    assert other.id != session.id and other.seed == 7 and len(other.turns) == 2
    assert session.model_dump_json() == before


async def test_an_unknown_method_is_named() -> None:
    with pytest.raises(SettingsError, match="no method 'magic'"):
        new_session(samples()[0], method="magic")


async def test_streams_end_with_the_value() -> None:
    model = Scripted()
    session = new_session(samples()[0], max_turns=2, models=by(model))
    kinds = [type(e) async for e in run_session(session, by(model), live=False)]
    assert kinds[-1] is SessionFinished and kinds.count(SessionOpened) == 1 and kinds.count(TurnFinished) == 2


async def test_a_finished_session_is_equal_after_writing_and_reading() -> None:
    session = await finished(2)
    assert Session.model_validate_json(session.model_dump_json()) == session
    assert json.loads(session.model_dump_json())["flags"] == []


async def test_a_candidate_given_is_kept_and_the_others_asked() -> None:
    model = Answering(told())
    session = await opened(model)
    model.requests.clear()
    mine = Candidate(technique=Technique.SOLUTIONS, text="Try one lap.")
    turn = (await end_of(take_turn(session, by(model), given=Given(candidates=(mine,))))).session.turns[0]
    assert turn.candidate(Technique.SOLUTIONS) == mine and [c.technique for c in turn.candidates] == list(Technique)
    assert "solutions" not in {r.moment.agent for r in model.requests}
