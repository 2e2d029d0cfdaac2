"""How a session stands in the database: a row for its head, which the list shows as an entry, and a row for each turn.

So every finished turn costs one small row, and the list reads heads only. Beside each row lie the words that can be searched.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, String, Table, Text, select, update
from sqlalchemy.engine import Connection

from magnet_core.domain import Attitude, Session, Turn, Value
from magnet_core.errors import StoreError
from magnet_core.store.database import TABLES, readable

SESSIONS = Table(
    "sessions",
    TABLES,
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
    Column("title", Text, nullable=False, server_default=""),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("deleted", Float),
    Column("parent", String(64), nullable=False, server_default="", index=True),
    Column("shared", Integer, nullable=False, server_default="0"),
    Column("words", Text, nullable=False, server_default=""),
    Column("head", Text, nullable=False),
)
TURNS = Table(
    "turns",
    TABLES,
    Column("session_id", String(64), ForeignKey(SESSIONS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("words", Text, nullable=False, server_default=""),
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
    title: str = ""
    """A name that a person gave it."""
    tags: tuple[str, ...] = ()
    deleted: datetime | None = None
    """When it was deleted, if it was; until it is purged it can be restored."""
    parent: str = ""
    """The session it was forked from, if it was."""
    shared: int = 0
    """How many turns it shares with its parent."""


def entries(connection: Connection, *which: Any, limit: int | None = None) -> list[Entry]:
    """Return the sessions in question as the list shows them, the latest worked on first."""
    columns = [SESSIONS.c[name] for name in Entry.model_fields]
    wanted = select(*columns).where(*which).order_by(SESSIONS.c.updated.desc(), SESSIONS.c.id).limit(limit)
    return [_entry(row._mapping) for row in connection.execute(wanted)]


def entries_of(connection: Connection, ids: Iterable[str]) -> list[Entry]:
    """Return the sessions with these ids, deleted ones as well, in no order."""
    return [entry for some in batches(list(ids)) for entry in entries(connection, SESSIONS.c.id.in_(some))]


def batches(ids: list[str], size: int = 500) -> Iterator[list[str]]:
    """Part a list into pieces that a database takes in one question."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


def head_row(session: Session) -> dict[str, Any]:
    """Return the row of a session's head; title and tags are not in it, they belong to the library."""
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
        "deleted": None,
        "parent": session.parent.session if session.parent else "",
        "shared": session.parent.turns if session.parent else 0,
        "words": head_words(session).casefold(),
        "head": session.model_dump_json(exclude={"turns", "flags"}),
    }


def turn_row(session_id: str, number: int, turn: Turn) -> dict[str, Any]:
    """Return the row of a turn."""
    return {
        "session_id": session_id,
        "number": number,
        "words": turn_words(turn).casefold(),
        "body": turn.model_dump_json(),
    }


def head_words(session: Session) -> str:
    """Return the text of a session's head that can be searched: client, opening and plan."""
    profile, plan = session.profile, session.plan
    planned = [plan.technique.value if plan.technique else "", plan.reason, *plan.steps] if plan else []
    opening = profile.opening
    return "\n".join([profile.name, profile.summary, opening.counsellor, opening.client, *planned])


def turn_words(turn: Turn) -> str:
    """Return the text of a turn that can be searched: what was said in it."""
    return f"{turn.response}\n{turn.reply.text}"


def fill(connection: Connection, tables: set[Table]) -> None:
    """Fill the columns that were added to tables of an earlier version from what the rows hold."""
    if SESSIONS in tables:
        for id, head in connection.execute(select(SESSIONS.c.id, SESSIONS.c.head)).all():
            if known := _from_head(head):
                connection.execute(update(SESSIONS).where(SESSIONS.c.id == id).values(**known))
    if TURNS in tables:
        for id, number, body in connection.execute(select(TURNS.c.session_id, TURNS.c.number, TURNS.c.body)).all():
            turn, own = readable(Turn, body), (TURNS.c.session_id == id) & (TURNS.c.number == number)
            connection.execute(update(TURNS).where(own).values(words=turn_words(turn).casefold() if turn else ""))


def unknown(id: str) -> StoreError:
    return StoreError(f"There is no session {id!r} in the library.")


@contextmanager
def of_this_version(id: str) -> Iterator[None]:
    """Read a stored session; raise `StoreError` when another version of this program wrote it."""
    try:
        yield
    except ValidationError as error:
        raise StoreError(f"The session {id!r} was stored by another version of this program and cannot be read.") from error


def _entry(row: Any) -> Entry:
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in ("created", "updated", "deleted") if row[name]}
    return Entry.model_validate({**row, "tags": tuple(json.loads(row["tags"])), **times})


def _from_head(head: str) -> dict[str, Any]:
    """Return what the list and the search know of a stored head; nothing of one that cannot be read."""
    session = readable(Session, head)
    row = head_row(session) if session else {}
    return {name: row[name] for name in ("parent", "shared", "words") if name in row}
