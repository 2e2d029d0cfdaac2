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
    Moment,
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
    SessionEvent,
    SessionFinished,
    SessionOpened,
    TurnFinished,
    TurnStarted,
)
from magnet_core.methods import Method, method_named
from magnet_core.models import Message, ModelFor
from magnet_core.streams import after, in_a_row, merge, opening


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
    session: Session, models: ModelFor, *, fan_out: FanOut = "at-once", live: bool = True
) -> AsyncGenerator[SessionEvent]:
    """Yield what happens in the next turn; the last event is `TurnFinished` with the session that includes it.

    Raises `AgentFailed` when an agent gets no answer for good; the session given is then still the true one.
    """
    method = method_named(session.method)
    asking = _asking(session, method, models, live)
    scene = Moment(agent="", session=session)
    yield TurnStarted(len(session.turns) + 1)

    def run(agent: Agent[Any], **more: Any) -> AgentRun[Any]:
        return AgentRun(agent, scene.model_copy(update={"agent": agent.name, **more}), asking)

    selector = run(method.selector) if method.selector else None
    specialists = [run(agent) for agent in method.specialists]
    async with aclosing(_fan([r for r in (selector, *specialists) if r], fan_out)) as events:
        async for event in events:
            yield event
    choice: Choice | None = selector.output if selector else None
    candidates = tuple(Candidate(technique=Technique(r.agent.name), text=r.output) for r in specialists)

    speaker = run(method.speaker, choice=choice, candidates=candidates)
    async with aclosing(speaker.events()) as events:
        async for event in events:
            yield event
    draft: Draft = speaker.output
    client = run(method.client, response=draft.response)
    async with aclosing(client.events()) as events:
        async for event in events:
            yield event

    reply, early = _end_rule(client.output, session)
    runs = [*([selector] if selector else []), *specialists, speaker, client]
    number = scene.turn
    turn = Turn(
        choice=choice or draft.choice,
        candidates=candidates or draft.candidates,
        response=draft.response,
        reply=reply,
        calls=tuple(call for r in runs for call in r.calls),
        flags=(
            *(flag for r in runs for flag in r.flags),
            *_choice_flags(choice or draft.choice, number),
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


def prompt_of(session: Session, number: int, call: AgentCall) -> tuple[Message, ...]:
    """Return the exact messages of a recorded call, rendered anew; `number` is its turn, 0 for the plan."""
    method = method_named(session.method)
    texts = {p.name: p for p in session.prompts}
    if number == 0:
        calls, moment = session.plan_calls, Moment(agent=call.agent, session=_unplanned(session))
    else:
        turn, before = session.turns[number - 1], session.upto(number - 1)
        calls = turn.calls
        more: dict[str, Any] = {}
        if call.agent == "responder":
            more = {"choice": turn.choice, "candidates": turn.candidates}
        elif call.agent == "client":
            more = {"response": turn.response}
        moment = Moment(agent=call.agent, session=before, **more)
    objections = tuple(c.problem for c in calls if c.agent == call.agent and c.attempt < call.attempt)
    return prompts.render(texts, method.roster, moment.model_copy(update={"objections": objections}))


def _unplanned(session: Session) -> Session:
    return session.model_copy(update={"plan": None, "plan_calls": (), "turns": ()})


def _asking(session: Session, method: Method, models: ModelFor, live: bool) -> Asking:
    return Asking(models, {p.name: p for p in session.prompts}, method.roster, live, time.perf_counter())


def _fan(runs: Sequence[AgentRun[Any]], fan_out: FanOut) -> AsyncGenerator[AgentEvent]:
    """Ask the independent agents of a turn: together, the first ahead of the others, or in a row."""
    streams = [run.events() for run in runs]
    if fan_out == "one-by-one":
        return in_a_row(*streams)
    if fan_out == "primed" and len(streams) > 1:
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
