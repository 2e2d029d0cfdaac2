"""The database of the library: its connections, its tables, and what goes wrong in it, as a sentence.

SQLite by default, PostgreSQL by URL, the same code for both. A thing that is kept whole is a row with its id, a time, the mark of
deletion and a body in JSON; a body of another version of this program is never guessed at.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import (
    Column,
    Float,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from magnet_core.domain import Value
from magnet_core.errors import StoreError

T = TypeVar("T")
V = TypeVar("V", bound=Value)

BUSY_SECONDS = 15
"""How long a write waits for another program's write."""

TABLES = MetaData()
"""All tables of the library; each is described where its rows are read and written."""


def things(name: str) -> Table:
    """Describe a table of things that are each kept whole."""
    return Table(
        name,
        TABLES,
        Column("id", String(80), primary_key=True),
        Column("updated", Float, nullable=False),
        Column("deleted", Float),
        Column("body", Text, nullable=False),
    )


class Database:
    """The database at a URL; safe to use from several threads and programs at once.

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

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with."""
        with self._sentences(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection to write with; what is written there is written whole or not at all."""
        with self._sentences(), self._writer.begin() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T], attempts: int = 2) -> T:
        """Do a piece of writing, whole or not at all; again where another program wrote the same rows first."""
        with self._sentences():
            for _ in range(attempts - 1):
                with suppress(IntegrityError), self._writer.begin() as connection:
                    return work(connection)
            with self._writer.begin() as connection:
                return work(connection)

    def state(self, changed: Column[float], *which: Any) -> tuple[float, ...]:
        """Return figures that differ after every change to the rows in question, from the times at which these changed."""
        seen = select(func.count(), func.sum(changed), func.max(changed)).where(*which)
        with self.reading() as connection:
            return tuple(figure or 0 for figure in connection.execute(seen).one())

    def keep(self, table: Table, id: str, body: Value) -> None:
        """Keep something under its id, in place of what is there; what was deleted is back."""
        with self.writing() as connection:
            put(connection, table, id, body)

    def kept(self, table: Table, kind: type[V]) -> list[V]:
        """Return what is kept, the latest changed first; what cannot be read is left out."""
        wanted = select(table.c.body).where(table.c.deleted.is_(None)).order_by(table.c.updated.desc(), table.c.id)
        with self.reading() as connection:
            return [value for body in connection.execute(wanted).scalars() if (value := readable(kind, body))]

    def take_out(self, table: Table, id: str, noun: str) -> None:
        """Mark something as deleted; raise `StoreError` when it is not there."""
        there = (table.c.id == id) & table.c.deleted.is_(None)
        with self.writing() as connection:
            if not connection.execute(update(table).where(there).values(deleted=time.time())).rowcount:
                raise StoreError(f"There is no {noun} {id!r} in the library.")

    def put_back(self, table: Table, id: str, noun: str, **changes: Any) -> None:
        """Undo that something was deleted; raise `StoreError` when no deleted one is there."""
        gone = (table.c.id == id) & table.c.deleted.is_not(None)
        with self.writing() as connection:
            if not connection.execute(update(table).where(gone).values(deleted=None, **changes)).rowcount:
                raise StoreError(f"There is no deleted {noun} {id!r} to restore.")

    def close(self) -> None:
        """Let go of all connections; new ones are opened when the database is used again."""
        self._engine.dispose()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn what a database says into a sentence for the user."""
        try:
            yield
        except (SQLAlchemyError, OSError, ImportError) as error:
            raise StoreError(f"{_sentence(error, self._url)} ({self._name})") from error


def readable(kind: type[V], body: str) -> V | None:
    """Return what is kept in a body; None where another version of this program wrote it."""
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        return None


def put(connection: Connection, table: Table, id: str, body: Value) -> None:
    """Put something under its id, in place of what is there; what was deleted is back."""
    row = {"id": id, "updated": time.time(), "deleted": None, "body": body.model_dump_json()}
    if connection.execute(update(table).where(table.c.id == id).values(row)).rowcount == 0:
        connection.execute(insert(table).values(row))


def let_go(connection: Connection, table: Table, age: Column[float], most: int) -> None:
    """Remove for good all rows but the newest so many."""
    by_age = select(table.c.id).order_by(age.desc(), table.c.id)
    if old := connection.execute(by_age.offset(most)).scalars().all():
        connection.execute(delete(table).where(table.c.id.in_(old)))


def add_columns(connection: Connection) -> set[Table]:
    """Add to the tables of an earlier version the columns they lack, and the indexes on these; return those tables."""
    there = inspect(connection)
    lacking = [
        column
        for table in TABLES.sorted_tables
        if there.has_table(table.name)
        for column in table.columns
        if column.name not in {known["name"] for known in there.get_columns(table.name)}
    ]
    for column in lacking:
        kind = column.type.compile(connection.dialect)
        rest = "" if column.nullable else f" NOT NULL DEFAULT '{column.server_default.arg}'"  # type: ignore[union-attr]
        connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}{rest}"))
    changed = {column.table for column in lacking}
    for index in [index for table in changed for index in table.indexes]:
        index.create(connection, checkfirst=True)
    return changed


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
        for setting in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}").close()
        # a new file's change to WAL does not wait for another program's, so it is tried again
        for left in reversed(range(50)):
            try:
                connection.execute("PRAGMA journal_mode=WAL").close()
                return
            except sqlite3.OperationalError as error:
                if not left or "locked" not in str(error):
                    raise
                time.sleep(0.01)

    def begun(connection: Connection) -> None:
        # a write takes its lock before it reads, so that what it read still holds when it writes
        writes = connection.get_execution_options().get("magnet_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


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
