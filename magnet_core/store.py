"""The library of sessions: a SQLite file by default, PostgreSQL by URL, the same code for both.

A session is stored as its head and its turns, a row each, so that every finished turn costs one small row and the list
reads heads only. What is stored never changes: saving adds what is not there, and refuses what contradicts it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from magnet_core.domain import Attitude, Session, Turn, Value
from magnet_core.errors import StoreError

BUSY_SECONDS = 15
"""How long a write waits for another program's write."""

_TABLES = MetaData()
_SESSIONS = Table(
    "sessions",
    _TABLES,
    Column("id", String(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False, index=True),
    Column("client", Text, nullable=False),
    Column("profile_id", String(120), nullable=False),
    Column("attitude", String(16), nullable=False),
    Column("method", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("max_turns", Integer, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("head", Text, nullable=False),
)
_TURNS = Table(
    "turns",
    _TABLES,
    Column("session_id", String(64), ForeignKey(_SESSIONS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)


class Entry(Value):
    """A session as the list of sessions shows it."""

    id: str
    created: datetime
    updated: datetime
    """When its newest turn, or its plan, was stored."""
    client: str
    profile_id: str
    attitude: Attitude
    method: str
    model: str
    """The models that speak in it, the busiest first."""
    turns: int
    max_turns: int
    ended: bool
    flags: int
    """How many flags its texts carry."""


class Store:
    """The library of sessions at a database URL; safe to use from several threads and programs at once.

    Every method raises `StoreError` with a sentence for the user when the database cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url)
        except ArgumentError as error:
            raise StoreError("The database address is not a URL such as sqlite:///data/magnet.db.") from error
        self._name = self._url.render_as_string(hide_password=True)
        with self._sentences():
            self._engine = _engine(self._url)
            self._writer = self._engine.execution_options(magnet_writes=True)
            with self._writer.begin() as connection:
                _TABLES.create_all(connection)

    def save(self, session: Session) -> None:
        """Write, in one transaction, what of a session is not stored yet; saving it again changes nothing.

        A plan or a turn that is stored with other content is never overwritten: then nothing is written at all.
        """
        with self._sentences():
            try:
                self._save(session)
            except IntegrityError:
                # another program wrote the same rows first: look at them, and add what is still missing
                self._save(session)

    def session(self, id: str) -> Session:
        """Return a session with all its finished turns."""
        with self._sentences(), self._engine.begin() as connection:
            return _stored(connection, id)

    def recent(self, limit: int = 50) -> list[Entry]:
        """Return the newest sessions, the latest worked on first."""
        columns = [_SESSIONS.c[name] for name in Entry.model_fields]
        wanted = select(*columns).order_by(_SESSIONS.c.updated.desc(), _SESSIONS.c.id).limit(limit)
        with self._sentences(), self._engine.begin() as connection:
            return [_entry(row._mapping) for row in connection.execute(wanted)]

    def delete(self, id: str) -> None:
        """Take a session out of the library for good."""
        with self._sentences(), self._writer.begin() as connection:
            if not connection.execute(delete(_SESSIONS).where(_SESSIONS.c.id == id)).rowcount:
                raise _unknown(id)

    def close(self) -> None:
        """Let go of all connections; the store opens new ones when it is used again."""
        self._engine.dispose()

    def _save(self, session: Session) -> None:
        with self._writer.begin() as connection:
            row = connection.execute(
                select(_SESSIONS.c.head).where(_SESSIONS.c.id == session.id).with_for_update()
            ).scalar_one_or_none()
            if row is None:
                connection.execute(insert(_SESSIONS).values(_columns(session)))
                before = 0
                changed = False
            else:
                stored = _stored(connection, session.id)
                before = len(stored.turns)
                session = _joined(stored, session)
                changed = session != stored
            added = [
                {"session_id": session.id, "number": number, "body": turn.model_dump_json()}
                for number, turn in enumerate(session.turns, 1)
                if number > before
            ]
            if added:
                connection.execute(insert(_TURNS), added)
            if changed:
                connection.execute(update(_SESSIONS).where(_SESSIONS.c.id == session.id).values(_columns(session)))

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn what a database says into a sentence for the user."""
        try:
            yield
        except (SQLAlchemyError, OSError, ImportError) as error:
            raise StoreError(f"{_sentence(error, self._url)} ({self._name})") from error


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        # a database in memory lives in one connection, which all threads must share
        pool_size=1 if in_memory else 5,
        max_overflow=0 if in_memory else 20,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    def connected(connection: Any, _record: Any) -> None:
        # transactions begin below, not by the driver's own rules
        connection.isolation_level = None
        for setting in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}").close()

    def begun(connection: Connection) -> None:
        # a write takes its lock before it reads, so that what it read still holds when it writes
        writes = connection.get_execution_options().get("magnet_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _columns(session: Session) -> dict[str, Any]:
    spoken = Counter(session.models.values())
    return {
        "id": session.id,
        "created": session.created.timestamp(),
        "updated": time.time(),
        "client": session.profile.name,
        "profile_id": session.profile.id,
        "attitude": session.profile.attitude.value,
        "method": session.method,
        "model": ", ".join(name for name, _ in spoken.most_common()),
        "turns": len(session.turns),
        "max_turns": session.max_turns,
        "ended": session.ended,
        "flags": len(session.flags),
        "head": session.model_dump_json(exclude={"turns", "flags"}),
    }


def _entry(row: Any) -> Entry:
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in ("created", "updated")}
    return Entry.model_validate({**row, **times})


def _stored(connection: Connection, id: str) -> Session:
    head = connection.execute(select(_SESSIONS.c.head).where(_SESSIONS.c.id == id)).scalar_one_or_none()
    if head is None:
        raise _unknown(id)
    bodies = connection.execute(select(_TURNS.c.body).where(_TURNS.c.session_id == id).order_by(_TURNS.c.number)).scalars()
    try:
        turns = tuple(Turn.model_validate_json(body) for body in bodies)
        return Session.model_validate_json(head).model_copy(update={"turns": turns})
    except ValidationError as error:
        raise StoreError(f"The session {id!r} was stored by another version of this program and cannot be read.") from error


def _joined(stored: Session, session: Session) -> Session:
    """Return the longer of two states of the same session; raise `StoreError` where they contradict each other."""
    # a file imported twice is the same session, whenever that was
    session = session.model_copy(update={"created": stored.created})
    if _bare(stored) != _bare(session):
        raise StoreError(f"Another session is stored under the id {session.id!r}; it was left as it is.")
    for number, (old, new) in enumerate(zip(stored.turns, session.turns, strict=False), 1):
        if old != new:
            raise StoreError(f"Turn {number} of session {session.id!r} is stored with other content; it was left as it is.")
    planned = stored if stored.plan else session
    if stored.plan and session.plan and _plan(stored) != _plan(session):
        raise StoreError(f"Session {session.id!r} is stored with another plan; it was left as it is.")
    longer = stored if len(stored.turns) >= len(session.turns) else session
    return planned.model_copy(update={"turns": longer.turns})


def _bare(session: Session) -> Session:
    return session.model_copy(update={"plan": None, "plan_calls": (), "plan_flags": (), "turns": ()})


def _plan(session: Session) -> tuple[Any, ...]:
    return session.plan, session.plan_calls, session.plan_flags


def _unknown(id: str) -> StoreError:
    return StoreError(f"There is no session {id!r} in the library.")


def _sentence(error: Exception, url: URL) -> str:
    cause = getattr(error, "orig", None) or error
    said = str(cause).lower()
    if isinstance(error, ImportError):
        return f"The database driver {getattr(error, 'name', None) or url.drivername!r} is not installed"
    if "locked" in said or "busy" in said:
        return "The library of sessions is in use by another program; try again in a moment"
    if "not a database" in said or "malformed" in said:
        return "The library of sessions is damaged, or the file is no database"
    if "disk" in said and "full" in said:
        return "The library of sessions cannot be written: the disk is full"
    if isinstance(error, OSError) or "readonly" in said or "unable to open" in said:
        return "The library of sessions cannot be written: check that its folder exists and is writable"
    if "connect" in said or "refused" in said:
        return "The database of the library cannot be reached; check its address, and that it runs"
    return f"The library of sessions cannot be used: {cause}"
