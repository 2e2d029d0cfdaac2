"""Making a session: the plan, then turn after turn, each an async generator of events.

No disk, no settings, no screen. A turn is a transaction: its last event carries the session with the turn in it, and before
that nothing has changed. Close the generator to stop at once.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from magnet_core import guards, prompts
from magnet_core.agents import Agent, AgentRun, Asking, Draft
from magnet_core.domain import (
    AgentCall,
    Candidate,
    Choice,
    ClientProfile,
    FanOut,
    Flag,
    Given,
    Moment,
    Origin,
    Plan,
    Reply,
    Session,
    Technique,
    Turn,
    Visibility,
)
from magnet_core.events import (
    AgentDelta,
    AgentEvent,
    PartsReady,
    SessionEvent,
    SessionFinished,
    SessionOpened,
    TurnFinished,
    TurnStarted,
)
from magnet_core.methods import Method, method_named
from magnet_core.models import Message, ModelFor
from magnet_core.streams import after, in_a_row, merge, opening

NOTHING = Given()


def new_session(
    profile: ClientProfile,
    *,
    method: str = "magnet",
    visibility: Visibility = "repaired",
    min_turns: int = 8,
    max_turns: int = 20,
    seed: int = 0,
    models: ModelFor | None = None,
    prompt_set: prompts.PromptSet | None = None,
) -> Session:
    """Return a session without plan or turns; `min_turns` is lowered to `max_turns` where it is larger."""
    chosen = method_named(method)
    texts = prompt_set or prompts.load()
    used = [texts[name] for name in chosen.agents]
    frames = {p.frame: texts[p.frame] for p in used if p.frame}
    opening_flags = guards.risk_flags(profile.opening.client, 0)
    return Session(
        id=secrets.token_hex(8),
        created=datetime.now(UTC),
        profile=profile,
        method=chosen.name,
        visibility=visibility,
        min_turns=min(min_turns, max_turns),
        max_turns=max_turns,
        seed=seed,
        models={name: models(name).model.name for name in chosen.agents} if models else {},
        prompts=(*frames.values(), *used),
        plan_flags=opening_flags,
    )


async def open_session(session: Session, models: ModelFor, *, live: bool = True) -> AsyncGenerator[SessionEvent]:
    """Yield what happens while the plan is made; the last event is `SessionOpened`."""
    method = method_named(session.method)
    if method.planner and session.plan is None:
        asking = _asking(session, method, models, live)
        run = AgentRun(method.planner, Moment(agent=method.planner.name, session=session), asking)
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event
        session = session.model_copy(
            update={
                "plan": run.output,
                "plan_calls": run.calls,
                "plan_flags": session.plan_flags + run.flags + _plan_flags(run.output),
            }
        )
    yield SessionOpened(session)


async def take_turn(
    session: Session,
    models: ModelFor,
    *,
    fan_out: FanOut = "at-once",
    live: bool = True,
    given: Given = NOTHING,
) -> AsyncGenerator[SessionEvent]:
    """Yield what happens in the next turn; the last event is `TurnFinished` with the session that includes it.

    What is `given` is taken as it is and its agents are not asked. Raises `AgentFailed` when an agent gets no answer for
    good; the session passed in is then still the true one.
    """
    method = method_named(session.method)
    asking = _asking(session, method, models, live)
    scene = Moment(agent="", session=session)
    number = scene.turn
    runs: list[AgentRun[Any]] = []
    yield TurnStarted(number)

    def run(agent: Agent[Any], **more: Any) -> AgentRun[Any]:
        runs.append(AgentRun(agent, scene.model_copy(update={"agent": agent.name, **more}), asking))
        return runs[-1]

    choice, candidates, response, reply = given.choice, given.candidates, given.response, given.reply

    def ready() -> Given:
        calls = (*given.calls, *(call for r in runs for call in r.calls))
        noted = (*given.flags, *(flag for r in runs for flag in r.flags))
        return Given(choice=choice, candidates=candidates, response=response, typed=given.typed, calls=calls, flags=noted)

    if response is None:
        selector = run(method.selector) if method.selector and choice is None else None
        drafts = {c.technique: c for c in candidates}
        specialists = [run(agent) for agent in method.specialists if Technique(agent.name) not in drafts]
        async with aclosing(_fan(list(runs), fan_out, number)) as events:
            async for event in events:
                yield event
        choice = selector.output if selector else choice
        drafts |= {Technique(r.agent.name): Candidate(technique=Technique(r.agent.name), text=r.output) for r in specialists}
        candidates = tuple(drafts[technique] for technique in Technique if technique in drafts)
        yield PartsReady("counsellor", ready())
        speaker = run(method.speaker, choice=choice, candidates=candidates)
        async with aclosing(speaker.events()) as events:
            async for event in events:
                yield event
        draft: Draft = speaker.output
        choice, candidates, response = choice or draft.choice, candidates or draft.candidates, draft.response
    early: tuple[Flag, ...] = ()
    if reply is None:
        yield PartsReady("client", ready())
        client = run(method.client, response=response)
        async with aclosing(client.events()) as events:
            async for event in events:
                yield event
        reply, early = _end_rule(client.output, session)
    turn = Turn(
        choice=choice,
        candidates=candidates,
        response=response,
        reply=reply,
        typed=given.typed,
        calls=(*given.calls, *(call for r in runs for call in r.calls)),
        flags=(
            *given.flags,
            *(flag for r in runs for flag in r.flags),
            *_choice_flags(choice, number),
            *early,
            *guards.risk_flags(reply.text, number),
        ),
    )
    yield TurnFinished(session.add(turn))


async def run_session(
    session: Session, models: ModelFor, *, fan_out: FanOut = "at-once", live: bool = True
) -> AsyncGenerator[SessionEvent]:
    """Yield a whole session from where it stands to its end; the last event is `SessionFinished`."""
    if not session.turns:
        async with aclosing(open_session(session, models, live=live)) as events:
            async for event in events:
                if isinstance(event, SessionOpened):
                    session = event.session
                yield event
    while not session.ended:
        async with aclosing(take_turn(session, models, fan_out=fan_out, live=live)) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    session = event.session
                yield event
    yield SessionFinished(session)


def fork(session: Session, turns: int, **changes: Any) -> Session:
    """Return a new session that shares the first turns of another and knows it; `changes` are fields of the new one.

    A session without its planner's work shared (`turns` 0 with `plan=None`) is planned anew.
    """
    shared = session.upto(turns)
    origin = Origin(session=session.id, turns=turns)
    fresh = {"id": secrets.token_hex(8), "created": datetime.now(UTC), "parent": origin}
    return Session.model_validate(shared.model_copy(update=fresh | changes).model_dump())


def kept(turn: Turn, agent: str) -> Given:
    """Return what of a turn still stands when one of its agents is asked again: all that did not come out of its answer."""
    if agent == "one-call":
        return NOTHING
    choice = None if agent == "selector" else turn.choice
    candidates = tuple(c for c in turn.candidates if c.technique.value != agent)
    response = turn.response if agent == "client" else None
    standing = {c.technique.value for c in candidates} | ({"selector"} if choice else set())

    def stands(name: str) -> bool:
        return name in standing or (response is not None and name != "client")

    return Given(
        choice=choice,
        candidates=candidates,
        response=response,
        typed=tuple(speaker for speaker in turn.typed if speaker == "counsellor" and response is not None),
        calls=tuple(c for c in turn.calls if stands(c.agent)),
        flags=tuple(f for f in turn.flags if stands(f.agent) and (f.agent, f.kind) != ("selector", "unreadable")),
    )


def prompt_of(session: Session, number: int, call: AgentCall) -> tuple[Message, ...]:
    """Return the exact messages of a recorded call, rendered anew; `number` is its turn, 0 for the plan."""
    method = method_named(session.method)
    texts = {p.name: p for p in session.prompts}
    return prompts.render(texts, method.roster, moment_of(session, number, call.agent, call.attempt))


def moment_of(session: Session, number: int, agent: str, attempt: int = 1) -> Moment:
    """Return the scene an agent spoke into in a turn, 0 for the plan, at its first asking or a later one."""
    if number == 0:
        calls, moment = session.plan_calls, Moment(agent=agent, session=_unplanned(session))
    else:
        turn, before = session.turns[number - 1], session.upto(number - 1)
        calls = turn.calls
        more: dict[str, Any] = {}
        if agent == "responder":
            more = {"choice": turn.choice, "candidates": turn.candidates}
        elif agent == "client":
            more = {"response": turn.response}
        moment = Moment(agent=agent, session=before, **more)
    objections = tuple(c.problem for c in calls if c.agent == agent and c.attempt < attempt)
    return moment.model_copy(update={"objections": objections})


def _unplanned(session: Session) -> Session:
    return session.model_copy(update={"plan": None, "plan_calls": (), "turns": ()})


def _asking(session: Session, method: Method, models: ModelFor, live: bool) -> Asking:
    return Asking(models, {p.name: p for p in session.prompts}, method.roster, live, time.perf_counter())


def _fan(runs: Sequence[AgentRun[Any]], fan_out: FanOut, number: int) -> AsyncGenerator[AgentEvent]:
    """Ask the independent agents of a turn: together, the first ahead of the others, or in a row.

    In the first turn the plan is new to all of them, so there one goes ahead even where all leave at once.
    """
    streams = [run.events() for run in runs]
    if fan_out == "one-by-one":
        return in_a_row(*streams)
    if (fan_out == "primed" or number == 1) and len(streams) > 1:
        gate = asyncio.Event()
        runs[0].prime()
        return merge(opening(streams[0], gate, AgentDelta), *(after(gate, stream) for stream in streams[1:]))
    return merge(*streams)


def _end_rule(reply: Reply, session: Session) -> tuple[Reply, tuple[Flag, ...]]:
    """Let the client's end mark count only once the session is long enough; say so where it came early."""
    number = len(session.turns) + 1
    if reply.ends_session and number < session.min_turns:
        detail = f"The client wanted to end here; the session goes on to turn {session.min_turns} at least."
        early = Flag(turn=number, agent="client", kind="early-end", detail=detail)
        return reply.model_copy(update={"ends_session": False}), (early,)
    return reply, ()


def _choice_flags(choice: Choice | None, number: int) -> tuple[Flag, ...]:
    if choice is None or choice.techniques:
        return ()
    detail = "The selector's answer named none of the five techniques; the responder was given it as it is."
    return (Flag(turn=number, agent="selector", kind="unreadable", detail=detail),)


def _plan_flags(plan: Plan) -> tuple[Flag, ...]:
    flags: list[Flag] = []
    if plan.technique is None:
        detail = "The planner's answer named none of the twelve CBT techniques; the agents were given it as it is."
        flags.append(Flag(turn=0, agent="planner", kind="unreadable", detail=detail))
    if re.search(r"[a-z,]$", plan.text.rstrip()) and len(plan.text) > 200:
        detail = f"The plan stops in mid-sentence: “…{plan.text.rstrip()[-60:]}”"
        flags.append(Flag(turn=0, agent="planner", kind="truncated", detail=detail))
    return tuple(flags)
