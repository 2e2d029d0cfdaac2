"""The prompt lab: prompts looked at, linted, and tried on a moment of a session, in several variants and several times.

Nothing here stores anything: what an agent is asked in the lab changes no session.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from itertools import combinations
from string import Template
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from magnet_core import guards, prompts, reading
from magnet_core.agents import CLIENT, PLAIN, PLANNER, RESPONDER, SELECTOR, SINGLE, SPECIALISTS, TEAM, Agent
from magnet_core.domain import FanOut, Moment, Prompt, Session, Usage, Value, Visibility
from magnet_core.errors import ModelError, PromptError
from magnet_core.guards import Answer
from magnet_core.methods import METHODS, Method, method_named
from magnet_core.models import Chunk, Message, Player, Request
from magnet_core.models.calls import Failed, hear
from magnet_core.scoring import expectation
from magnet_core.scoring.expectation import Verdict
from magnet_core.streams import in_a_row, merge

AGENTS: dict[str, Agent[Any]] = {
    agent.name: agent for agent in (PLANNER, SELECTOR, *SPECIALISTS.values(), RESPONDER, SINGLE, PLAIN, TEAM, CLIENT)
}
"""Every agent that can be asked, in the order they speak."""

LETTERS_A_TOKEN = 4.0
"""Letters of English text that make a token, roughly, in common tokenizers."""
LONG = 1.5
"""A prompt this many times as long as ours is remarked upon."""

_CHAT_TOKENS = re.compile(
    r"<\|[a-z_0-9|]+\|>|\[/?INST\]|<</?SYS>>|</?s>|</?(?:start|end)_of_turn>|<[｜|][^>]{2,40}[｜|]>"
    r"|(?m:^###\s*(?:Instruction|Response|Human|Assistant)s?:)|(?m:^(?:Human|Assistant|USER|ASSISTANT):)"
)
_VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)


class Remark(Value):
    """What a reader should know about a prompt's text; an error keeps it from being used."""

    kind: Literal["error", "warning"]
    field: str
    """Which text of the prompt: system, role or note; empty for the whole."""
    text: str


def lint(prompt: Prompt, ours: Prompt | None = None, known: Collection[str] = prompts.VARIABLES) -> list[Remark]:
    """Return what is amiss with a prompt, errors first.

    `ours` is the one it was made from, `known` the variables it may name; with none it is sent as it is written.
    """
    found: list[Remark] = []
    for field, text in fields(prompt).items():
        found += _lint_text(prompt, field, text, known)
    if ours:
        found += _lint_against(prompt, ours)
    return sorted(found, key=lambda remark: remark.kind)


def fields(prompt: Prompt) -> dict[str, str]:
    """Return the texts of a prompt that can be changed, by field."""
    return {"system": prompt.system, "role": prompt.role, "note": prompt.note}


def _lint_text(prompt: Prompt, field: str, text: str, known: Collection[str]) -> list[Remark]:
    found: list[Remark] = []
    template = Template(text)
    named = template.get_identifiers()
    if known and not template.is_valid():
        words = "A lone dollar sign is sent as it is. Write $$ for the sign, or a variable's name after it."
        found.append(Remark(kind="warning", field=field, text=words))
    for name in named:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f" Is ${close[0]} meant?" if close else ""
            found.append(Remark(kind="error", field=field, text=f"There is no variable ${name}.{hint}"))
        elif (part := prompts.part_of(name)) and not _seen_by_any(prompt, part):
            words = f"No agent that is given this text is shown ${name}, so its paragraph is always left out."
            found.append(Remark(kind="warning", field=field, text=words))
    for token in dict.fromkeys(match.group() for match in _CHAT_TOKENS.finditer(text)):
        words = f"{token.strip()} belongs to one model's chat format; other models read it as text, or break off."
        found.append(Remark(kind="warning", field=field, text=words))
    return found


def _lint_against(prompt: Prompt, ours: Prompt) -> list[Remark]:
    found: list[Remark] = []
    for field, text in fields(ours).items():
        now = fields(prompt)[field]
        if text.strip() and not now.strip():
            found.append(Remark(kind="error", field=field, text="This text is empty; ours is not."))
            continue
        lost = [name for name in Template(text).get_identifiers() if f"${name}" not in now and f"${{{name}}}" not in now]
        for name in lost:
            part = prompts.PARTS.get(prompts.part_of(name) or "")
            what = f" ({part.lower()})" if part else ""
            words = f"${name}{what} is missing: what it stands for is not told."
            found.append(Remark(kind="error" if name in ("catalogue", "words") else "warning", field=field, text=words))
        if len(now) > LONG * len(text) and len(now) - len(text) > 200:
            words = f"About {tokens(now):,} tokens; ours has {tokens(text):,}. Every call reads it."
            found.append(Remark(kind="warning", field=field, text=words))
    return found


def _seen_by_any(prompt: Prompt, part: str) -> bool:
    readers = [name for name in AGENTS if name == prompt.name or _frame(name) == prompt.name]
    return not readers or any(part in prompts.sees(name, v) for name in readers for v in _VISIBILITIES)


def _frame(name: str) -> str:
    return prompts.load()[name].frame


def changed(texts: Iterable[Prompt]) -> list[str]:
    """Return the names of those prompts whose words are not ours."""
    ours = prompts.load()
    return [p.name for p in texts if p.name not in ours or fields(p) != fields(ours[p.name])]


def tokens(text: str) -> int:
    """Return about how many tokens a text takes."""
    return max(1, round(len(text) / LETTERS_A_TOKEN)) if text else 0


# Looking at a prompt


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a filled prompt, and the variable it came from; empty for the prompt's own words."""

    text: str
    variable: str = ""


def method_for(agent: str, session: Session) -> Method:
    """Return the session's method if the agent takes part in it, else the first one in which it does."""
    own = method_named(session.method)
    return own if agent in own.agents else next(m for m in METHODS.values() if agent in m.agents)


def filled(texts: prompts.PromptSet, moment: Moment) -> list[tuple[Message, list[Stretch]]]:
    """Return the messages of a moment, each with the stretches that were filled in.

    What a prompt names but the agent is not shown, or what does not exist yet, is left out with its paragraph.
    """
    roster = method_for(moment.agent, moment.session).roster
    plain = prompts.render(texts, roster, moment)
    marked = prompts.render({name: _marked(p) for name, p in texts.items()}, roster, moment)
    pairs: list[tuple[Message, list[Stretch]]] = []
    for message, other in zip(plain, marked, strict=True):
        stretches = _stretches(other.content)
        whole = "".join(s.text for s in stretches)
        pairs.append((message, stretches if whole == message.content else [Stretch(message.content)]))
    return pairs


_OPEN, _MIDDLE, _CLOSE = "\ue000", "\ue001", "\ue002"


_VARIABLE = re.compile(r"\$\$|\$(?:(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)|\{(?P<braced>[_a-zA-Z][_a-zA-Z0-9]*)\})")


def _named(match: re.Match[str]) -> str:
    """Return the variable of a match; empty for an escaped dollar sign."""
    return match["name"] or match["braced"] or ""


def _marked(prompt: Prompt) -> Prompt:
    def mark(text: str) -> str:
        return _VARIABLE.sub(
            lambda m: f"{_OPEN}{name}{_MIDDLE}{m.group()}{_CLOSE}" if (name := _named(m)) else m.group(), text
        )

    return prompt.model_copy(update={field: mark(text) for field, text in fields(prompt).items()})


def _stretches(text: str) -> list[Stretch]:
    found: list[Stretch] = []
    open_names: list[str] = []
    for piece in re.split(f"({_OPEN}[^{_MIDDLE}]*{_MIDDLE}|{_CLOSE})", text):
        if piece.startswith(_OPEN):
            open_names.append(piece[1:-1])
        elif piece == _CLOSE:
            open_names = open_names[:-1]
        elif piece:
            found.append(Stretch(piece, open_names[-1] if open_names else ""))
    return found


def variables_in(text: str) -> list[Stretch]:
    """Return a prompt's text as it is written, its variables apart."""
    found: list[Stretch] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        found += [Stretch(text[end : match.start()])] if match.start() > end else []
        found.append(Stretch(match.group(), _named(match)))
        end = match.end()
    return found + ([Stretch(text[end:])] if end < len(text) else [])


# Trying it out


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
                    said = text or raw.strip()
                    verdict = None
                    if trial.question and trial.judge:
                        verdict = await expectation.ask(trial.judge, trial.moment, said, trial.question, seed)
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
                        }
                    )
    except ModelError as error:
        yield Sample.model_validate(known | {"error": str(error)})


# Reading what came of it


class Stack(Value):
    """Answers of one trial that say the same."""

    says: str
    samples: tuple[Sample, ...]


class Spread(Value):
    """How far the answers of one trial lie apart."""

    answers: int
    distinct: int
    words: tuple[int, int] | None = None
    """The shortest and the longest, in words."""
    apart: float | None = None
    """Mean share of words in which two answers differ, over all pairs; None for fewer than two."""
    failed: int = 0
    questioned: int = 0
    """How many a guard would have asked again."""


def stacks(agent: str, samples: Iterable[Sample]) -> list[Stack]:
    """Return the answers with those that say the same put on one stack, the highest first."""
    piles: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda s: s.number):
        if not sample.error:
            piles.setdefault(says(agent, sample), []).append(sample)
    order = sorted(piles.items(), key=lambda pile: (-len(pile[1]), pile[1][0].number))
    return [Stack(says=words, samples=tuple(pile)) for words, pile in order]


def says(agent: str, sample: Sample) -> str:
    """Return what an answer comes to: a selector's choice without its reason, a planner's technique, else the words."""
    if agent == "selector" and (choice := reading.read_choice(sample.raw)).techniques:
        return prompts.choice_text(choice)
    if agent == "judge" and sample.text.startswith("Score "):
        return sample.text.partition(". ")[0].rstrip(".")
    if agent == "planner" and (plan := reading.read_plan(sample.raw)).technique:
        return plan.technique.value
    return " ".join(sample.text.split())


def spread(samples: Sequence[Sample], agent: str) -> Spread:
    """Return how far answers lie apart: how many differ, their length, and the share of words two of them do not share."""
    good = [s for s in samples if not s.error]
    told = [says(agent, s) for s in good]
    lengths = [len(s.text.split()) for s in good]
    pairs = [1 - SequenceMatcher(None, a.split(), b.split(), autojunk=False).ratio() for a, b in combinations(told, 2)]
    return Spread(
        answers=len(good),
        distinct=len(set(told)),
        words=(min(lengths), max(lengths)) if lengths else None,
        apart=sum(pairs) / len(pairs) if pairs else None,
        failed=len(samples) - len(good),
        questioned=sum(bool(s.problem) for s in good),
    )


# What it will cost


class Cost(Value):
    """What a run will take, before it is begun; tokens are estimates."""

    calls: int
    tokens_in: int
    tokens_out: int
    price: float | None = None
    """In US dollars; None where no price is known for a model."""


def cost(trials: Sequence[Trial], price: Mapping[str, tuple[float, float]] | None = None) -> Cost:
    """Return about what trials take; `price` holds dollars for a million tokens in and out, by model."""
    total_in = total_out = calls = 0
    money: float | None = 0.0
    for trial in trials:
        read = sum(tokens(message.content) for message in trial.messages)
        written = min(_usual_length(trial), trial.max_tokens or trial.player.max_tokens or trial.agent.max_tokens)
        total_in, total_out, calls = (
            total_in + read * trial.repeats,
            total_out + written * trial.repeats,
            calls + trial.repeats,
        )
        asked = [(trial.player, read, written)]
        if trial.question and trial.judge:
            request = expectation.request(trial.moment, "", trial.question)
            length = sum(tokens(message.content) for message in request) + written
            asked.append((trial.judge, length, expectation.TOKENS // 3))
            total_in, total_out = total_in + length * trial.repeats, total_out + expectation.TOKENS // 3 * trial.repeats
            calls += trial.repeats
        for player, come, gone in asked:
            rates = (price or {}).get(player.model.name)
            money = (
                None if rates is None or money is None else money + trial.repeats * (come * rates[0] + gone * rates[1]) / 1e6
            )
    return Cost(calls=calls, tokens_in=total_in, tokens_out=total_out, price=money if trials else None)


def _usual_length(trial: Trial) -> int:
    """Return how many tokens such an answer had in this session; a third of what it may have where there is none yet."""
    session = trial.moment.session
    calls = [*session.plan_calls, *(call for turn in session.turns for call in turn.calls)]
    lengths = [call.usage.completion_tokens or tokens(call.output) for call in calls if call.agent == trial.agent.name]
    return round(sum(lengths) / len(lengths)) if lengths else trial.agent.max_tokens // 3


# Test cases

RuleKind = Literal["contains", "lacks", "at-most-words", "one-question", "judge"]
RULES: dict[str, str] = {
    "contains": "contains",
    "lacks": "does not contain",
    "at-most-words": "has at most so many words",
    "one-question": "asks one question at most",
    "judge": "gets a yes from a judge",
}


class Rule(Value):
    """What is expected of an answer."""

    kind: RuleKind
    text: str = Field(default="", max_length=400)
    """For `contains` and `lacks`: the words; several with | between them, of which one is enough (or none may stand).

    For `judge`: a plain question about the answer, of which a yes is expected.
    """
    most: int = Field(default=0, ge=0)
    """For `at-most-words`."""

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.kind in ("contains", "lacks") and not self._words:
            raise ValueError("say which words")
        if self.kind == "judge" and not self.text.strip():
            raise ValueError("write the question for the judge")
        if self.kind == "at-most-words" and not self.most:
            raise ValueError("say how many words at most")
        return self

    @property
    def _words(self) -> list[str]:
        return [clean for one in self.text.split("|") if (clean := " ".join(one.split()))]

    @property
    def question(self) -> str:
        """What a judge is asked; empty where words are only counted."""
        return self.text.strip() if self.kind == "judge" else ""

    @property
    def told(self) -> str:
        """The rule in words."""
        if self.kind == "at-most-words":
            return f"has at most {self.most} words"
        if self.kind == "one-question":
            return RULES[self.kind]
        if self.kind == "judge":
            return f"{RULES[self.kind]} to “{self.text.strip()}”"
        return f"{RULES[self.kind]} " + " or ".join(f"“{word}”" for word in self._words)

    def verdict(self, sample: Sample) -> Verdict:
        """Return whether an answer is as expected: yes, no, or missing where a judge could not tell; and why."""
        if sample.error:
            return Verdict(answer="no", reason=sample.error)
        if self.kind == "judge":
            return sample.verdict or Verdict(answer="missing", reason="No judge was asked.")
        why = self.broken_by(sample.text)
        return Verdict(answer="no" if why else "yes", reason=why)

    def broken_by(self, text: str) -> str:
        """Return why a text breaks the rule; empty when it does not. A text alone keeps no rule that needs a judge."""
        if self.kind == "judge":
            return "no judge was asked"
        plain = " ".join(text.casefold().split())
        there = [word for word in self._words if re.search(rf"(?<!\w){re.escape(word.casefold())}(?!\w)", plain)]
        if self.kind == "contains":
            return "" if there else f"it does not hold {' or '.join(f'“{word}”' for word in self._words)}"
        if self.kind == "lacks":
            return f"it holds “{there[0]}”" if there else ""
        if self.kind == "at-most-words":
            count = len(text.split())
            return f"it has {count} words" if count > self.most else ""
        asked = len(re.findall(r"\?+", text))
        return f"it asks {asked} questions" if asked > 1 else ""


class Case(Value):
    """A moment of a session kept as a test: what is expected of an agent there."""

    id: str
    title: str = Field(min_length=1, max_length=120)
    moment: Moment
    rule: Rule
    source: str = ""
    """The session and turn it was taken from, for a reader."""


def case_moment(moment: Moment) -> Moment:
    """Return a moment without the traces that no prompt is made of, so that it is small to keep."""
    session = moment.session
    turns = tuple(turn.model_copy(update={"calls": (), "flags": ()}) for turn in session.turns)
    return moment.model_copy(update={"session": session.model_copy(update={"turns": turns, "plan_calls": ()})})


def texts_for(session: Session, own: Iterable[Prompt] = ()) -> dict[str, Prompt]:
    """Return a whole set of prompts: ours, with a session's or a pack's own in their place."""
    return prompts.load() | {p.name: p for p in session.prompts} | {p.name: p for p in own}


def with_own(own: Iterable[Prompt]) -> dict[str, Prompt]:
    """Return our prompts with others in the place of those by the same names."""
    return prompts.load() | {p.name: p for p in own}


def usable(prompt: Prompt) -> Prompt:
    """Return the prompt; raise `PromptError` with what is amiss where it cannot be used."""
    ours = prompts.load().get(prompt.name)
    if ours is None:
        raise PromptError(f"There is no agent or frame named {prompt.name!r}.")
    if errors := [remark.text for remark in lint(prompt, ours) if remark.kind == "error"]:
        raise PromptError(f"The prompt {prompt.name!r} cannot be used. {' '.join(errors)}")
    return prompt


def count_choices(samples: Iterable[Sample]) -> Counter[str]:
    """Return how often each technique was chosen in a selector's answers."""
    return Counter(t.value for s in samples if not s.error for t in reading.read_choice(s.raw).techniques)
