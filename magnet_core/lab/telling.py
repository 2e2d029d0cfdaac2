"""An agent's answer in words for a reader, and what it comes to."""

from __future__ import annotations

from typing import Any

from magnet_core import prompts, reading
from magnet_core.agents import Agent


def told(agent: Agent[Any], raw: str) -> str:
    """Return an answer in words: a plan with its steps, a choice with its reason, the message that would be said."""
    if agent.name == "planner":
        return prompts.plan_text(reading.read_plan(raw)) or raw.strip()
    if agent.name == "selector":
        choice = reading.read_choice(raw)
        chosen = prompts.choice_text(choice)
        return "\n".join(part for part in (chosen[:1].upper() + chosen[1:], choice.reason.strip()) if part) or raw.strip()
    return agent.text(agent.read(raw)) or raw.strip()


def comes_to(agent: str, raw: str, text: str) -> str:
    """Return a selector's choice without its reason, a planner's technique, else the words; `text` is the answer in words."""
    if agent == "selector" and (choice := reading.read_choice(raw)).techniques:
        return prompts.choice_text(choice)
    if agent == "planner" and (plan := reading.read_plan(raw)).technique:
        return plan.technique.value
    return " ".join(text.split())
