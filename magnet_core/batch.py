"""Many sessions at once, and the folder they are made in: a run that is killed loses no finished turn, and a rerun goes on.

A finished session is `ID.json` in the folder, written in one go; one under way is `.unfinished/ID.part`, rewritten after its
plan and after every turn; `.made-with` notes the arguments and the clients that the folder's sessions come from.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from magnet_core import export, importers
from magnet_core.domain import ClientProfile, FanOut, Session
from magnet_core.errors import BudgetSpent, MagnetError, SettingsError, StoreError
from magnet_core.events import SessionFinished, SessionOpened, TurnFinished
from magnet_core.models import ModelFor
from magnet_core.session import run_session
from magnet_core.streams import merge

Format = Literal["native", "magnet"]
"""How finished sessions are written: whole, or in the shape of the reference's scripts."""


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """A session could not go on; `session` holds its finished turns."""

    session: Session
    error: MagnetError

    @property
    def place(self) -> str:
        """Return what was being made when it failed, in words."""
        planned = bool(self.session.plan or self.session.turns)
        return f"turn {len(self.session.turns) + 1}" if planned or "planner" not in self.session.models else "the plan"


BatchEvent = SessionOpened | TurnFinished | SessionFinished | SessionFailed


async def run_batch(
    sessions: Iterable[Session], models: ModelFor, *, concurrency: int = 4, fan_out: FanOut = "at-once"
) -> AsyncGenerator[BatchEvent]:
    """Yield what happens while sessions are made to their end, a few at once, each from where it stands.

    Every session ends in one `SessionFinished` or `SessionFailed`; a failed one does not stop the others.
    A spent budget stops them all: `BudgetSpent` is raised.
    """
    free = asyncio.Semaphore(concurrency)

    async def one(session: Session) -> AsyncGenerator[BatchEvent]:
        async with free:
            try:
                async with aclosing(run_session(session, models, fan_out=fan_out, live=False)) as events:
                    async for event in events:
                        if isinstance(event, (SessionOpened, TurnFinished, SessionFinished)):
                            session = event.session
                            yield event
            except BudgetSpent:
                raise
            except MagnetError as error:
                yield SessionFailed(session, error)

    async with aclosing(merge(*(one(session) for session in sessions))) as events:
        async for event in events:
            yield event


class Folder:
    """A folder of sessions, one a client, all made with the same arguments."""

    def __init__(self, path: Path, format: Format = "native") -> None:
        self.path, self.format = path, format
        self._aside = path / ".unfinished"
        self._made_with = path / ".made-with"

    @contextmanager
    def claim(self, arguments: Mapping[str, Any], clients: Iterable[ClientProfile]) -> Iterator[None]:
        """Keep the folder to these arguments and these clients, and to this run while the context is open.

        Raises `SettingsError`, and touches nothing, when the folder's sessions were made otherwise.
        """
        noted = self._noted()
        digests = {client.id: _digest(client) for client in clients}
        self._compare(noted, arguments, digests)
        try:
            self._aside.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"The folder {self.path} cannot be written: {error.strerror or error}.") from error
        with _alone(self.path):
            # another run may have begun the folder since it was looked at
            noted = self._noted()
            self._compare(noted, arguments, digests)
            content = {"arguments": dict(arguments), "clients": {**noted["clients"], **digests}}
            if content != noted:
                self._write(self._made_with, json.dumps(content, indent=1))
            yield
            if not any(self._aside.iterdir()):
                self._aside.rmdir()

    def file(self, client: ClientProfile) -> Path:
        """Return where a client's finished session belongs."""
        return self.path / f"{client.id}.json"

    def finished(self, client: ClientProfile) -> bool:
        """Tell whether a client's session is there whole."""
        return self.file(client).exists()

    def unfinished(self, client: ClientProfile) -> Session | None:
        """Return a client's session as an earlier run left it; None when there is none."""
        part = self._part(client)
        return importers.read_file(part) if part.exists() else None

    def keep(self, session: Session) -> None:
        """Set an unfinished session aside, in place of its earlier state."""
        self._write(self._part(session.profile), export.native(session))

    def finish(self, session: Session) -> None:
        """Write a finished session to its place; what was set aside goes."""
        whole = json.dumps(export.magnet(session), indent=2, ensure_ascii=False)
        self._write(self.file(session.profile), export.native(session) if self.format == "native" else whole)
        self.tidy(session.profile)

    def tidy(self, client: ClientProfile) -> None:
        """Take away what is set aside of a client whose session is finished."""
        self._part(client).unlink(missing_ok=True)

    def _part(self, client: ClientProfile) -> Path:
        return self._aside / f"{client.id}.part"

    def _write(self, path: Path, text: str) -> None:
        aside = self._aside / f"{path.name}.new"
        try:
            aside.write_text(text + "\n", encoding="utf-8")
            os.replace(aside, path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from error

    def _noted(self) -> dict[str, Any]:
        """Return the arguments and clients that the folder's sessions come from; of a folder without sessions, none."""
        sessions = (*self.path.glob("*.json"), *self._aside.glob("*.part"))
        if not sessions or not self._made_with.exists():
            return {"arguments": {}, "clients": {}}
        noted = importers.read_json(self._made_with)
        if not isinstance(noted, dict) or not all(isinstance(noted.get(key), dict) for key in ("arguments", "clients")):
            raise SettingsError(f"{self._made_with} cannot be read; choose another folder.")
        return noted

    def _compare(self, noted: Mapping[str, Any], arguments: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        before, known = noted["arguments"], noted["clients"]
        if before and (
            other := [
                f"{name.replace('_', ' ')} {_shown(before.get(name))}, not {_shown(value)}"
                for name, value in arguments.items()
                if before.get(name) != value
            ]
        ):
            raise SettingsError(
                f"The sessions in {self.path} were made with {'; '.join(other)}. "
                "Use the same arguments to go on with them, or choose another folder."
            )
        for name, digest in digests.items():
            there = (self.path / f"{name}.json").exists() or (self._aside / f"{name}.part").exists()
            if there and known.get(name) != digest:
                raise SettingsError(f"{self.path} already holds a session {name} of another origin; choose another folder.")


def _shown(value: Any) -> str:
    return "none" if value in (None, "") else str(value)


def _digest(client: ClientProfile) -> str:
    content = client.model_dump_json(exclude={"gaps", "source", "summary"}, exclude_defaults=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; a killed process lets go of it by itself."""
    try:
        import fcntl
    except ImportError:
        # no such lock on Windows: there two runs in one folder are not kept apart
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"Another run is making sessions in {folder}; wait for it, or choose another folder."
            ) from error
        yield
    finally:
        os.close(handle)
