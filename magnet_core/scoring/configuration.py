"""How sessions are made, as a value: which agents, models, words and settings, and who sees what."""

from __future__ import annotations

import hashlib

from magnet_core.domain import Value, Visibility

OURS = ""
"""The prompts that come with the project."""


class Sampling(Value):
    """Settings that replace every agent's own; None leaves an agent's own."""

    temperature: float | None = None
    max_tokens: int | None = None
    others: str = ""
    """Agents that were set otherwise than the rest, with their settings."""

    def __str__(self) -> str:
        parts = [] if self.temperature is None else [f"temperature {self.temperature:g}"]
        parts += [] if self.max_tokens is None else [f"at most {self.max_tokens:,} tokens"]
        return ", ".join([*parts, *([self.others] if self.others else [])]) or "agents' own settings"


OWN = Sampling()
"""Every agent's own temperature and length."""


class Configuration(Value):
    """How sessions are made: which agents, which models, which words, with which settings, and who sees what."""

    method: str
    model: str
    """The model that speaks for most agents, then the agents that have another one."""
    visibility: Visibility = "repaired"
    prompts: str = OURS
    """Empty for the project's own prompts; else which ones differ, with a hash of them."""
    sampling: Sampling = OWN

    @property
    def id(self) -> str:
        """A short hash, the same for the same configuration, for an address."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]
