"""Trying prompts out: one agent asked in one moment, in several variants and several times. Nothing of it is kept in a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from magnet_core import guards, prompts
from magnet_core.agents import Agent
from magnet_core.domain import FanOut, Moment, Usage, Value
from magnet_core.errors import ModelError
from magnet_core.guards import Answer
from magnet_core.lab.filling import method_for
from magnet_core.lab.telling import told
from magnet_core.lab.texts import AGENTS
from magnet_core.models import Chunk, Message, Player, Request
from magnet_core.models.calls import Failed, hear
from magnet_core.scoring import expectation
from magnet_core.scoring.expectation import Verdict
from magnet_core.streams import in_a_row, merge


@dataclass(frozen=True, slots=True)
class Trial:
    """One agent, asked in one moment with given prompts by one player, several times."""

    label: str
    moment: Moment
    texts: prompts.PromptSet
    player: Player
    repeats: int = 1
    temperature: float | None = None
    max_tokens: int | None = None
    question: str = ""
    """Put to the judge about each answer; empty when nobody judges."""
    judge: Player | None = None
    judge_words: expectation.Words | None = None
    """What the judge is told; ours where there are none."""

    def given(self, raw: str) -> dict[str, float | str]:
        """Return what an answer gives, by what was asked, where it is a judge's."""
        return {}

    @property
    def agent(self) -> Agent[Any]:
        return AGENTS[self.moment.agent]

    @property
    def messages(self) -> tuple[Message, ...]:
        return prompts.render(self.texts, method_for(self.agent.name, self.moment.session).roster, self.moment)


class Sample(Value):
    """One answer that was given in the lab; nothing of it is kept in a session."""

    label: str
    """Of the trial it belongs to."""
    number: int = Field(ge=1)
    """Which repeat it is."""
    model: str
    prompt_sha: str
    temperature: float | None = None
    text: str = ""
    """The answer as it would be used."""
    raw: str = ""
    problem: str = ""
    """Why a guard would have asked again; empty when it would not."""
    error: str = ""
    """Why there is no answer."""
    finish_reason: str = ""
    usage: Usage = Usage()
    seconds: float = 0.0
    verdict: Verdict | None = None
    """What a judge says of it, where one was asked."""
    given: dict[str, float | str] = Field(default_factory=dict)
    """What it gives, by what was asked, where it is a judge's: scores, or words such as yes."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The answer of a trial has grown to this text."""

    label: str
    number: int
    text: str


async def try_out(trials: Sequence[Trial], fan_out: FanOut = "at-once") -> AsyncGenerator[Grown | Sample]:
    """Yield answers as they grow and a `Sample` for each that is whole. An endpoint's failure is a sample that says so.

    Repeats have seeds of their own: the first has the session's, so that an unchanged prompt asks as the recorded call did.
    Close the generator to give it up.
    """
    calls = [_ask(trial, number) for trial in trials for number in range(1, trial.repeats + 1)]
    stream = in_a_row(*calls) if fan_out == "one-by-one" else merge(*calls)
    async with aclosing(stream) as events:
        async for event in events:
            yield event


async def _ask(trial: Trial, number: int) -> AsyncGenerator[Grown | Sample]:
    agent, player = trial.agent, trial.player
    messages = trial.messages
    session = trial.moment.session
    seed = session.seed + len(trial.moment.objections) + number - 1
    temperature = next(t for t in (trial.temperature, player.temperature, agent.temperature) if t is not None)
    request = Request(
        messages=messages,
        moment=trial.moment.model_copy(update={"session": session.model_copy(update={"seed": session.seed + number - 1})}),
        temperature=temperature,
        max_tokens=trial.max_tokens or player.max_tokens or agent.max_tokens,
        seed=seed,
        schema=agent.schema,
        schema_name=agent.name.replace("-", "_"),
    )
    known = {
        "label": trial.label,
        "number": number,
        "model": player.model.name,
        "prompt_sha": prompts.sha(messages),
        "temperature": temperature,
    }
    pieces: list[str] = []
    try:
        async with aclosing(hear(player.model, request)) as heard:
            async for item in heard:
                if isinstance(item, Chunk):
                    pieces.append(item.text)
                    yield Grown(trial.label, number, "".join(pieces))
                elif isinstance(item, Failed):
                    pieces.clear()
                    yield Grown(trial.label, number, "")
                else:
                    raw = item.texts[0]
                    text = agent.text(agent.read(raw))
                    problem = guards.first_problem(agent.guards, Answer(text, raw, item.finish_reason, trial.moment))
                    said = told(agent, raw)
                    verdict = None
                    if trial.question and trial.judge:
                        verdict = await expectation.ask(
                            trial.judge, trial.moment, said, trial.question, seed, trial.judge_words
                        )
                    yield Sample.model_validate(
                        known
                        | {
                            "text": said,
                            "raw": raw,
                            "problem": problem.detail if problem else "",
                            "finish_reason": item.finish_reason,
                            "usage": item.usage,
                            "seconds": item.seconds,
                            "verdict": verdict,
                            "given": trial.given(raw),
                        }
                    )
    except ModelError as error:
        yield Sample.model_validate(known | {"error": str(error)})
