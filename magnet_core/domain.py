"""The words of the project: client, plan, technique, candidate, turn, session.

Everything here is a value: it never changes, compares by content, and refuses fields it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

SCHEMA_VERSION = 1


class Value(BaseModel):
    """Be equal by content, never change, and refuse unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Attitude(StrEnum):
    """How the client meets the counselling (paper section 3; instructions in `knowledge/attitudes.yaml`)."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Technique(StrEnum):
    """The five counselling techniques of a turn, one specialist each."""

    REFLECTION = "reflection"
    QUESTIONING = "questioning"
    SOLUTIONS = "solutions"
    NORMALIZING = "normalizing"
    PSYCHOEDUCATION = "psycho-education"


class CbtTechnique(StrEnum):
    """The twelve CBT techniques a plan is made from, in the order the paper's planner is given them."""

    EFFICIENCY_EVALUATION = "Efficiency Evaluation"
    PIE_CHART = "Pie Chart Technique"
    ALTERNATIVE_PERSPECTIVE = "Alternative Perspective"
    DECATASTROPHIZING = "Decatastrophizing"
    PROS_AND_CONS = "Pros and Cons Analysis"
    EVIDENCE_BASED_QUESTIONING = "Evidence-Based Questioning"
    REALITY_TESTING = "Reality Testing"
    CONTINUUM = "Continuum Technique"
    CHANGING_RULES_TO_WISHES = "Changing Rules to Wishes"
    BEHAVIOR_EXPERIMENT = "Behavior Experiment"
    PROBLEM_SOLVING = "Problem-Solving Skills Training"
    SYSTEMATIC_EXPOSURE = "Systematic Exposure"


Visibility = Literal["repaired", "paper"]
"""Who sees what: our repaired reading, or what the paper's own code shows to each agent."""

FanOut = Literal["at-once", "primed", "one-by-one"]
"""How the independent calls of a turn leave: together, after the selector's first token, or in a row."""

Speaker = Literal["counsellor", "client"]


class Utterance(Value):
    """One message of the dialogue."""

    speaker: Speaker
    text: str


class Functioning(Value):
    """Section 5 of the intake form: how daily life goes on."""

    occupational: str = ""
    relationships: str = ""
    daily_life: str = ""


class Intake(Value):
    """The six-section intake form, in the client's own words; an empty text means it was not given."""

    name: str = Field(min_length=1)
    age: int | None = Field(default=None, ge=5, le=120)
    gender: str = ""
    occupation: str = ""
    education: str = ""
    marital_status: str = ""
    family_details: str = ""
    presenting_problem: str = ""
    reason: str = ""
    """Why counselling now: with the demographics, all that the counsellor's side is shown."""
    past_history: str = ""
    functioning: Functioning = Functioning()
    support: str = ""

    @property
    def first_name(self) -> str:
        return self.name.split()[0]


class Conceptualisation(Value):
    """The cognitive conceptualisation of one moment: what happened, what went through the mind, what followed.

    `situation` completes "when …", `behaviour` "I …", `action` "I will …"; the rest are sentences of the client's own.
    """

    situation: str = ""
    automatic_thought: str = ""
    emotion: str = ""
    intensity: int | None = Field(default=None, ge=0, le=100)
    """Strength of the emotion, 0 to 100; None when unknown."""
    behaviour: str = ""
    intermediate_belief: str = ""
    core_belief: str = ""
    distortions: tuple[str, ...] = ()
    evidence_for: tuple[str, ...] = ()
    evidence_against: tuple[str, ...] = ()
    fairer_thought: str = ""
    action: str = ""
    topic: str = ""
    helper: str = ""


class Opening(Value):
    """The two messages a session starts from; they are given, not generated."""

    counsellor: str = Field(min_length=1)
    client: str = Field(min_length=1)


class ClientProfile(Value):
    """A simulated client: intake form, attitude, conceptualisation and the opening pair."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=120)
    intake: Intake
    attitude: Attitude = Attitude.NEUTRAL
    attitude_instruction: str = ""
    """How to play the attitude; empty means the standard text for it."""
    conceptualisation: Conceptualisation | None = None
    opening: Opening
    calls_for: tuple[CbtTechnique, ...] = ()
    """The CBT techniques this client was written or labelled to call for; never shown to an agent in `repaired`."""
    summary: str = ""
    source: str = ""
    """Where the profile comes from and under which licence, if it was imported."""
    gaps: tuple[str, ...] = ()
    """What an import had to mend or found missing, a sentence each."""

    @property
    def name(self) -> str:
        return self.intake.name

    def with_attitude(self, attitude: Attitude) -> ClientProfile:
        """Return the same person with another attitude (and its standard instruction)."""
        if attitude == self.attitude:
            return self
        return self.model_copy(update={"attitude": attitude, "attitude_instruction": ""})


class Rejection(Value):
    """Why one CBT technique was not chosen."""

    technique: CbtTechnique
    reason: str


class Plan(Value):
    """What the planner decided for this one session."""

    technique: CbtTechnique | None
    """None when the answer named none of the twelve."""
    reason: str = ""
    rejected: tuple[Rejection, ...] = ()
    steps: tuple[str, ...] = ()
    text: str = ""
    """The planner's raw answer."""
    by_person: bool = False
    """Whether a person edited it."""


class Choice(Value):
    """What the selector decided for a turn."""

    techniques: tuple[Technique, ...]
    """Empty when the answer named none of the five: the responder then decides by itself."""
    reason: str = ""
    plan_step: int | None = Field(default=None, ge=1)
    text: str = ""
    by_person: bool = False
    """Whether a person chose, not the selector."""


class Candidate(Value):
    """One specialist's proposal for the counsellor's message."""

    technique: Technique
    text: str


class Reply(Value):
    """The client's message, and whether it ended the session."""

    text: str
    ends_session: bool = False


class Flag(Value):
    """Something a reader should know about a text that was kept."""

    turn: int = Field(ge=0)
    """1 for the first turn; 0 for the plan and the opening."""
    agent: str
    kind: Literal["repetition", "empty", "meta", "truncated", "other-speaker", "unreadable", "early-end", "risk"]
    detail: str
    """The reason in a sentence, with the words it rests on."""


class Usage(Value):
    """Tokens of a call; None where the endpoint did not say."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None

    @classmethod
    def total(cls, usages: Sequence[Usage]) -> Usage:
        """Return the tokens of several answers together; None where none of them said."""
        if len(usages) == 1:
            return usages[0]
        counts = {name: [n for u in usages if (n := getattr(u, name)) is not None] for name in cls.model_fields}
        return cls.model_validate({name: sum(known) if known else None for name, known in counts.items()})


class AgentCall(Value):
    """One request to a model and what came of it. The prompt is re-rendered, not stored: `prompts.messages_of`."""

    agent: str
    model: str
    attempt: int = Field(default=1, ge=1)
    """1 for the first asking; more when a guard asked again."""
    prompt_sha: str
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    output: str
    problem: str = ""
    """Why a guard did not like this answer; empty when it did."""
    finish_reason: str = ""
    usage: Usage = Usage()
    started: float = 0.0
    """Seconds after the turn (or the plan) began."""
    first_token: float | None = None
    """Seconds from the start of the call; None when the answer came in one piece."""
    seconds: float = 0.0
    retries: tuple[str, ...] = ()
    """Failures of the connection that were overcome, a sentence each."""


class Turn(Value):
    """One exchange: the agents' work, the counsellor's message and the client's reply."""

    choice: Choice | None = None
    candidates: tuple[Candidate, ...] = ()
    response: str
    reply: Reply
    typed: tuple[Speaker, ...] = ()
    """Whose message a person typed."""
    calls: tuple[AgentCall, ...] = ()
    flags: tuple[Flag, ...] = ()

    def candidate(self, technique: Technique) -> Candidate | None:
        return next((c for c in self.candidates if c.technique == technique), None)


class Given(Value):
    """The parts of a turn that stand already, so that no agent is asked for them."""

    choice: Choice | None = None
    candidates: tuple[Candidate, ...] = ()
    response: str | None = None
    reply: Reply | None = None
    typed: tuple[Speaker, ...] = ()
    """Which of the messages a person typed."""
    calls: tuple[AgentCall, ...] = ()
    """The calls that the given parts came from, when they come from an earlier turn."""
    flags: tuple[Flag, ...] = ()
    """What a reader should know of the given parts."""


class Prompt(Value):
    """An agent's instructions: an entry in its frame's catalogue and a short note at the end of each request."""

    name: str
    frame: str = ""
    """Name of the prompt whose `system` text opens the request; empty for a frame itself."""
    system: str = ""
    role: str = ""
    note: str = ""
    follows: str = ""
    """Which facts of the paper this prompt follows."""


class Origin(Value):
    """Where a forked session comes from."""

    session: str
    turns: int = Field(ge=0)
    """How many turns it shares with its parent."""


class Session(Value):
    """A counselling session so far: how it is made, who is in it, and every finished turn with its trace."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    created: datetime
    profile: ClientProfile
    method: str = "magnet"
    visibility: Visibility = "repaired"
    min_turns: int = Field(default=8, ge=1)
    max_turns: int = Field(default=20, ge=1, le=200)
    seed: int = 0
    models: dict[str, str] = {}
    """Which model spoke for which agent when the session was opened."""
    prompts: tuple[Prompt, ...] = ()
    plan: Plan | None = None
    plan_calls: tuple[AgentCall, ...] = ()
    plan_flags: tuple[Flag, ...] = ()
    turns: tuple[Turn, ...] = ()
    parent: Origin | None = None
    notice: str = (
        "Synthetic counselling session made for research and teaching. Nobody in it is real, and it is not treatment."
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_derived(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if k != "flags"} if isinstance(data, dict) else data

    @computed_field
    @property
    def flags(self) -> tuple[Flag, ...]:
        """Every flag of the session, in order."""
        return self.plan_flags + tuple(flag for turn in self.turns for flag in turn.flags)

    @property
    def transcript(self) -> tuple[Utterance, ...]:
        """The dialogue as it was spoken, the opening pair first."""
        said = [
            Utterance(speaker="counsellor", text=self.profile.opening.counsellor),
            Utterance(speaker="client", text=self.profile.opening.client),
        ]
        for turn in self.turns:
            said.append(Utterance(speaker="counsellor", text=turn.response))
            said.append(Utterance(speaker="client", text=turn.reply.text))
        return tuple(said)

    @property
    def ended(self) -> bool:
        """Tell whether the client ended the session or its length is used up."""
        return len(self.turns) >= self.max_turns or bool(self.turns and self.turns[-1].reply.ends_session)

    def add(self, turn: Turn) -> Self:
        """Return the session with one more turn."""
        return self.model_copy(update={"turns": (*self.turns, turn)})

    def upto(self, turns: int) -> Self:
        """Return the session as it stood after that many turns."""
        return self.model_copy(update={"turns": self.turns[:turns]})


class Moment(Value):
    """The scene an agent speaks into: the session so far and what this turn has brought already."""

    agent: str
    session: Session
    choice: Choice | None = None
    candidates: tuple[Candidate, ...] = ()
    response: str | None = None
    objections: tuple[str, ...] = ()
    """What guards said against this agent's earlier answers in this moment."""

    @property
    def turn(self) -> int:
        """The number of the running turn, 1 for the first; 0 while planning."""
        return 0 if self.agent == "planner" else len(self.session.turns) + 1
