"""A model is anything that can stream an answer to a request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from magnet_core.domain import Moment, Usage

REHEARSAL = "rehearsal"
"""The name of the built-in cast, which is authored and needs no endpoint."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message of a request."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent asks of a model: the rendered messages, how to answer, and the moment they were rendered from."""

    messages: tuple[Message, ...]
    moment: Moment
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    schema: dict[str, Any] | None = field(default=None, hash=False)
    """A JSON schema the answer should follow, where the endpoint can hold to one."""
    schema_name: str = ""
    live: bool = True
    """Whether somebody watches, so that the answer should come in pieces."""
    samples: int = 1
    """How many answers to give to the same messages."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer; the last one says why it ended and what it used."""

    text: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    index: int = 0
    """Which of the samples it belongs to."""


class Model(Protocol):
    """Anything that can stream an answer to a request."""

    @property
    def name(self) -> str:
        """The model's name as a reader should see it."""
        ...

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Yield the answer in pieces; raise `ModelError` when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Player:
    """Who speaks for an agent: a model, and settings of its own where they differ from the agent's."""

    model: Model
    temperature: float | None = None
    max_tokens: int | None = None


ModelFor = Callable[[str], Player]
"""Which player speaks for an agent, by the agent's name."""
