"""What happens while a session is made, in the order it happens.

Events live in the process only and are never stored. The last event of a stream carries the whole value, so a consumer
that does not care for live text looks at that one alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from magnet_core.domain import AgentCall, Given, Session, Speaker


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """An agent has been asked."""

    agent: str


@dataclass(frozen=True, slots=True)
class AgentDelta:
    """An agent's answer has grown by some text."""

    agent: str
    text: str


@dataclass(frozen=True, slots=True)
class AgentRetried:
    """What an agent had said so far is void; it is asked again, for this reason."""

    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class AgentFinished:
    """An agent's answer stands; `text` is the answer as it will be used."""

    agent: str
    text: str
    call: AgentCall


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The plan is made (or the method has none): the session can take its first turn."""

    session: Session


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """A turn has begun; numbers start at 1."""

    turn: int


@dataclass(frozen=True, slots=True)
class PartsReady:
    """The next message of the turn is about to be written; `given` is what stands so far.

    Close the stream here to let a person write it, and take the turn again with what is given and the person's words.
    """

    speaker: Speaker
    given: Given


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is there whole; the session includes it."""

    session: Session


@dataclass(frozen=True, slots=True)
class SessionFinished:
    """The client ended the session, or its length is used up."""

    session: Session


AgentEvent = AgentStarted | AgentDelta | AgentRetried | AgentFinished
SessionEvent = AgentEvent | SessionOpened | TurnStarted | PartsReady | TurnFinished | SessionFinished
