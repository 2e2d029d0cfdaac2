"""What all jobs behind the pages have in common: the engine's thread writes how one stands, pages read it, anybody may stop it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

State = Literal["running", "stopping", "done", "stopped", "failed"]


class Stands:
    """How a job stands at one moment; each kind of job says more of it."""

    __slots__ = ()
    state: State

    @property
    def live(self) -> bool:
        return self.state in ("running", "stopping")


S = TypeVar("S", bound=Stands)


@dataclass(kw_only=True)
class Background(Generic[S]):
    """A job. The engine's thread writes it, pages read it by `look`."""

    standing: S
    future: Future[None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> S:
        with self._lock:
            return self.standing

    def tell(self, **changes: object) -> None:
        with self._lock:
            self.standing = replace(self.standing, **changes)  # type: ignore[type-var]

    def stop(self) -> None:
        """Stop at once; what is whole is kept."""
        with self._lock:
            if not (self.standing.live and self.future):
                return
            self.standing = replace(self.standing, state="stopping")  # type: ignore[type-var]
        self.future.cancel()
