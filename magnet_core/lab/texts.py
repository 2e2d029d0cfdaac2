"""The prompts of the lab: whole sets with others in the place of ours, and which of them are not ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from magnet_core import prompts
from magnet_core.agents import CLIENT, PLAIN, PLANNER, RESPONDER, SELECTOR, SINGLE, SPECIALISTS, TEAM, Agent
from magnet_core.domain import Prompt, Session

AGENTS: dict[str, Agent[Any]] = {
    agent.name: agent for agent in (PLANNER, SELECTOR, *SPECIALISTS.values(), RESPONDER, SINGLE, PLAIN, TEAM, CLIENT)
}
"""Every agent that can be asked, in the order they speak."""

LETTERS_A_TOKEN = 4.0
"""Letters of English text that make a token, roughly, in common tokenizers."""


def fields(prompt: Prompt) -> dict[str, str]:
    """Return the texts of a prompt that can be changed, by field."""
    return {"system": prompt.system, "role": prompt.role, "note": prompt.note}


def changed(texts: Iterable[Prompt]) -> list[str]:
    """Return the names of those prompts whose words are not ours."""
    ours = prompts.load()
    return [p.name for p in texts if p.name not in ours or fields(p) != fields(ours[p.name])]


def texts_for(session: Session, own: Iterable[Prompt] = ()) -> dict[str, Prompt]:
    """Return a whole set of prompts: ours, with a session's or a pack's own in their place."""
    return prompts.load() | {p.name: p for p in session.prompts} | {p.name: p for p in own}


def with_own(own: Iterable[Prompt]) -> dict[str, Prompt]:
    """Return our prompts with others in the place of those by the same names."""
    return prompts.load() | {p.name: p for p in own}


def tokens(text: str) -> int:
    """Return about how many tokens a text takes."""
    return max(1, round(len(text) / LETTERS_A_TOKEN)) if text else 0
