"""What can go wrong, as a tree; every message is a sentence for the person at the screen.

* MagnetError
  x ProfileError      a profile or a file of profiles cannot be used
  x PromptError       a prompt file is broken or names a variable that does not exist
  x SettingsError     a setting or an argument does not fit
  x StoreError        the library of sessions cannot be read or written
  x SessionFileError a file holds no session that can be read
  x ModelError        a model gave no answer
    + transient, retry_after: whether asking again can help, and when
  x BudgetSpent       no further call is to be paid
  x AgentFailed       an agent got no answer for good; the turn is undone
"""

from __future__ import annotations


class MagnetError(Exception):
    """An error meant to be shown to the user; anything else is a bug."""


class ProfileError(MagnetError):
    """A profile, or a file of profiles, cannot be used."""


class PromptError(MagnetError):
    """A prompt is broken or asks for a variable that does not exist."""


class SettingsError(MagnetError):
    """A setting or an argument does not fit."""


class StoreError(MagnetError):
    """The library of sessions cannot be read or written."""


class SessionFileError(MagnetError):
    """A file holds no session that can be read."""


class ModelError(MagnetError):
    """A model gave no answer."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "failed",
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        """A short word for the cause: key, model, server, timeout, busy, broken, refused, length."""
        self.transient = transient
        self.retry_after = retry_after


class BudgetSpent(MagnetError):
    """No further call is to be paid; what was being made is left undone."""


class AgentFailed(MagnetError):
    """An agent got no answer for good, so the turn is left undone."""

    def __init__(self, agent: str, message: str) -> None:
        super().__init__(f"The {agent} agent could not answer: {message}")
        self.agent = agent
        self.reason = message
