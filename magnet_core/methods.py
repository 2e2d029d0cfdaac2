"""Methods as values: which agents take part in a session. An ablation changes one thing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from magnet_core.agents import CLIENT, PLAIN, PLANNER, RESPONDER, SELECTOR, SINGLE, SPECIALISTS, TEAM, Agent, Draft
from magnet_core.domain import Choice, Plan, Reply
from magnet_core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Method:
    """Which agents take part; an absent one is an ablation."""

    name: str
    title: str
    summary: str
    """One plain sentence for the screen."""
    planner: Agent[Plan] | None = PLANNER
    selector: Agent[Choice] | None = SELECTOR
    specialists: tuple[Agent[str], ...] = tuple(SPECIALISTS.values())
    speaker: Agent[Draft] = RESPONDER
    """Who writes the counsellor's message."""
    client: Agent[Reply] = CLIENT

    @property
    def roster(self) -> tuple[str, ...]:
        """The counsellor's side by name, in the order their roles are listed to each other."""
        first = [agent.name for agent in (self.planner, self.selector) if agent]
        return (*first, *(agent.name for agent in self.specialists), self.speaker.name)

    @property
    def agents(self) -> tuple[str, ...]:
        """Every agent by name, in the order they speak."""
        return (*self.roster, self.client.name)

    def calls(self, turns: int) -> int:
        """Return how many model calls a session of that many turns takes, when nothing is asked twice."""
        per_turn = len(self.specialists) + (self.selector is not None) + 2
        return (self.planner is not None) + turns * per_turn


MAGNET = Method("magnet", "MAGneT", "A planner, five specialists, a selector and a responder share the counsellor's work.")
_ALL = (
    MAGNET,
    replace(MAGNET, name="no-plan", title="Without plan", summary="MAGneT without the planner.", planner=None),
    replace(MAGNET, name="no-selector", title="Without selector", summary="MAGneT without the selector.", selector=None),
    replace(
        MAGNET,
        name="neither",
        title="Without plan and selector",
        summary="Five specialists and a responder only.",
        planner=None,
        selector=None,
    ),
    replace(
        MAGNET,
        name="single-agent",
        title="Single agent",
        summary="One counsellor who follows a plan, after CACTUS.",
        selector=None,
        specialists=(),
        speaker=SINGLE,
    ),
    replace(
        MAGNET,
        name="plain",
        title="Plain",
        summary="One counsellor who sees the dialogue only, after Psych8k.",
        planner=None,
        selector=None,
        specialists=(),
        speaker=PLAIN,
    ),
    replace(
        MAGNET,
        name="one-call",
        title="One call",
        summary="One answer holds choice, five drafts and message: a quarter of the calls.",
        selector=None,
        specialists=(),
        speaker=TEAM,
    ),
)
METHODS = {method.name: method for method in _ALL}


def method_named(name: str) -> Method:
    """Return a method by name; raise `SettingsError` for an unknown one."""
    if name not in METHODS:
        raise SettingsError(f"There is no method {name!r}; the methods are {', '.join(METHODS)}.")
    return METHODS[name]
