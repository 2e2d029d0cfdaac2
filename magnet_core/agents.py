"""Agents as values: what each is asked for and what its answer means; and one run of an agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from magnet_core import guards, prompts, reading
from magnet_core.domain import AgentCall, Candidate, CbtTechnique, Choice, Flag, Moment, Plan, Reply, Technique
from magnet_core.errors import AgentFailed, ModelError
from magnet_core.events import AgentDelta, AgentEvent, AgentFinished, AgentRetried, AgentStarted
from magnet_core.guards import Answer, Guard
from magnet_core.models import Message, ModelFor, Request
from magnet_core.models.calls import Failed, Heard, hear

T = TypeVar("T")

ASKINGS = 3
"""How often an answer is asked for before it is kept as it is: once, and at most twice again."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a speaking counsellor agent brings: the message, and in one-call also choice and candidates."""

    response: str
    choice: Choice | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Agent(Generic[T]):
    """A role: the prompt it speaks from and what its answer means."""

    name: str
    """Also the name of its prompt and the key for `ModelFor`."""
    read: Callable[[str], T]
    """Makes a value of the raw answer; never raises."""
    text: Callable[[T], str]
    """The words of that value which guards look at."""
    guards: tuple[Guard, ...] = guards.SPOKEN
    temperature: float = 0.7
    max_tokens: int = 512
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """How agents are asked: by which models, with which prompts, watched or not."""

    models: ModelFor
    prompts: prompts.PromptSet
    roster: tuple[str, ...]
    live: bool
    zero: float
    """When the turn began, on the clock of `time.perf_counter`."""


class AgentRun(Generic[T]):
    """One agent's answer to one moment. Iterate it for events, then read `output`, `calls` and `flags`."""

    output: T

    def __init__(self, agent: Agent[T], moment: Moment, asking: Asking) -> None:
        self.agent, self.moment, self.asking = agent, moment, asking
        self.calls: tuple[AgentCall, ...] = ()
        self.flags: tuple[Flag, ...] = ()

    def prime(self) -> None:
        """Ask for the answer in pieces even if nobody watches: others wait for its first one."""
        self.asking = replace(self.asking, live=True)

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Yield what happens; raise `AgentFailed` when there is no answer for good."""
        agent, moment = self.agent, self.moment
        messages = prompts.render(self.asking.prompts, self.asking.roster, moment)
        yield AgentStarted(agent.name)
        for attempt in range(1, ASKINGS + 1):
            call: AgentCall | None = None
            async with aclosing(self._call(moment, messages, attempt)) as heard:
                async for item in heard:
                    if isinstance(item, AgentCall):
                        call = item
                    else:
                        yield item
            assert call is not None
            self.output = agent.read(call.output)
            answer = Answer(agent.text(self.output), call.output, call.finish_reason, moment)
            problem = guards.first_problem(agent.guards, answer)
            if problem:
                call = call.model_copy(update={"problem": problem.detail})
            self.calls += (call,)
            if problem is None:
                break
            if attempt == ASKINGS:
                flag = Flag.model_validate(
                    {
                        "turn": moment.turn,
                        "agent": agent.name,
                        "kind": problem.kind,
                        "detail": f"Kept although {problem.detail}",
                    }
                )
                self.flags += (flag,)
            else:
                moment = moment.model_copy(update={"objections": (*moment.objections, problem.detail)})
                messages = prompts.render(self.asking.prompts, self.asking.roster, moment)
                yield AgentRetried(agent.name, problem.detail)
        yield AgentFinished(agent.name, answer.text or answer.raw.strip(), self.calls[-1])

    async def _call(
        self, moment: Moment, messages: tuple[Message, ...], attempt: int
    ) -> AsyncGenerator[AgentEvent | AgentCall]:
        """Yield the pieces of one answer and then the call; failures of the connection are overcome where that can be."""
        agent = self.agent
        player = self.asking.models(agent.name)
        request = Request(
            messages=messages,
            moment=moment,
            temperature=agent.temperature if player.temperature is None else player.temperature,
            max_tokens=player.max_tokens or agent.max_tokens,
            seed=moment.session.seed + attempt - 1,
            schema=agent.schema,
            schema_name=agent.name.replace("-", "_"),
            live=self.asking.live,
        )
        heard: Heard | None = None
        try:
            async with aclosing(hear(player.model, request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Heard):
                        heard = piece
                    elif isinstance(piece, Failed):
                        yield AgentRetried(agent.name, piece.reason)
                    else:
                        yield AgentDelta(agent.name, piece.text)
        except ModelError as error:
            raise AgentFailed(agent.name, str(error)) from error
        assert heard is not None
        yield AgentCall(
            agent=agent.name,
            model=player.model.name,
            attempt=attempt,
            prompt_sha=prompts.sha(messages),
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            seed=request.seed,
            output=heard.texts[0],
            finish_reason=heard.finish_reason,
            usage=heard.usage,
            started=round(heard.started - self.asking.zero, 4),
            first_token=heard.first_token,
            seconds=heard.seconds,
            retries=heard.retries,
        )


def _text(limit: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": limit}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_NAMES = [t.value for t in CbtTechnique]
_CHOSEN = {"type": "array", "items": {"type": "string", "enum": [t.value for t in Technique]}, "minItems": 1, "maxItems": 3}
_STEP = {"type": "integer"}

PLANNER: Agent[Plan] = Agent(
    "planner",
    reading.read_plan,
    lambda plan: plan.text,
    guards.WRITTEN,
    max_tokens=1400,
    schema=_object(
        technique={"type": "string", "enum": _NAMES},
        reason=_text(500),
        steps={"type": "array", "items": _text(160), "minItems": 4, "maxItems": 6},
        rejected={
            "type": "array",
            "items": _object(technique={"type": "string", "enum": _NAMES}, reason=_text(140)),
            "minItems": 11,
            "maxItems": 11,
        },
    ),
)
SELECTOR: Agent[Choice] = Agent(
    "selector",
    reading.read_choice,
    lambda choice: choice.text,
    guards.WRITTEN,
    temperature=0.0,
    max_tokens=256,
    schema=_object(techniques=_CHOSEN, plan_step=_STEP, reason=_text(240)),
)
SPECIALISTS: dict[Technique, Agent[str]] = {
    technique: Agent(technique.value, reading.read_utterance, lambda text: text, max_tokens=256) for technique in Technique
}
RESPONDER: Agent[Draft] = Agent("responder", lambda text: Draft(reading.read_utterance(text)), lambda draft: draft.response)
SINGLE = replace(RESPONDER, name="single-agent")
PLAIN = replace(RESPONDER, name="plain")
TEAM: Agent[Draft] = Agent(
    "one-call",
    lambda text: Draft(*reading.read_team(text)),
    lambda draft: draft.response,
    max_tokens=1400,
    schema=_object(
        techniques=_CHOSEN,
        plan_step=_STEP,
        reason=_text(240),
        **{technique.value: _text(500) for technique in Technique},
        response=_text(700),
    ),
)
CLIENT: Agent[Reply] = Agent("client", reading.read_reply, lambda reply: reply.text)
