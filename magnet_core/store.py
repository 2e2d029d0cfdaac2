"""The library of sessions and of own clients: a SQLite file by default, PostgreSQL by URL, the same code for both.

A session is stored as its head and its turns, a row each, so that every finished turn costs one small row and the list
reads heads only. What is stored never changes: saving adds what is not there, and refuses what contradicts it. A title, tags and the
mark of deletion belong to the library, not to the session. A client may change: a session keeps the client it was made with.
A database of an earlier version is brought up to date in place.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
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
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from magnet_core.domain import Attitude, CbtTechnique, ClientProfile, Session, Turn, Value
from magnet_core.errors import StoreError
from magnet_core.scoring.items import Scorecard
from magnet_core.scoring.rubrics import Rubric

BUSY_SECONDS = 15
"""How long a write waits for another program's write."""
ATTEMPTS = 20
"""How often free ids for new clients are looked for while other programs take them."""
QUOTED = 160
"""Characters of a text that a found session quotes."""

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
    Column("title", Text, nullable=False, server_default=""),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("deleted", Float),
    Column("parent", String(64), nullable=False, server_default="", index=True),
    Column("shared", Integer, nullable=False, server_default="0"),
    Column("words", Text, nullable=False, server_default=""),
    Column("head", Text, nullable=False),
)
_TURNS = Table(
    "turns",
    _TABLES,
    Column("session_id", String(64), ForeignKey(_SESSIONS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("words", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False),
)
_CARDS = Table(
    "scorecards",
    _TABLES,
    Column("session_id", String(64), ForeignKey(_SESSIONS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("sha", String(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("body", Text, nullable=False),
)
_RUBRICS = Table(
    "rubrics",
    _TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)
_CLIENTS = Table(
    "clients",
    _TABLES,
    Column("id", String(120), primary_key=True),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
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


class Planned(Value):
    """Which CBT technique a session's planner picked, and which ones its client was written to call for."""

    session_id: str
    technique: CbtTechnique | None
    """None when the plan named none of the twelve."""
    calls_for: tuple[CbtTechnique, ...]


class Found(Value):
    """A session whose text holds the words looked for."""

    entry: Entry
    turn: int
    """The first turn that holds them; 0 for the opening, the plan, the title, the tags or the client."""
    quote: str
    """The words with what stands around them."""
    places: int
    """In how many turns they stand."""


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
                _migrate(connection)
                _TABLES.create_all(connection)

    def save(self, session: Session) -> None:
        """Write, in one transaction, what of a session is not stored yet; saving it again changes nothing.

        A plan or a turn that is stored with other content is never overwritten: then nothing is written at all. A deleted
        session that is saved again is back in the library.
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
        return self._entries(_SESSIONS.c.deleted.is_(None), limit=limit)

    def deleted(self, limit: int = 50) -> list[Entry]:
        """Return the sessions that can still be restored, the latest worked on first."""
        return self._entries(_SESSIONS.c.deleted.is_not(None), limit=limit)

    def children(self, id: str) -> list[Entry]:
        """Return the sessions that were forked from one, the latest worked on first."""
        return self._entries(_SESSIONS.c.deleted.is_(None), _SESSIONS.c.parent == id)

    def family(self, id: str) -> list[Entry]:
        """Return all sessions of a fork tree, oldest first: where one comes from, and every fork of all of these.

        Deleted sessions that hold the tree together are in it, marked as deleted.
        """
        with self._sentences(), self._engine.begin() as connection:
            links: dict[str, str] = {
                row.id: row.parent for row in connection.execute(select(_SESSIONS.c.id, _SESSIONS.c.parent))
            }
        if id not in links:
            raise _unknown(id)
        root, seen = id, {id}
        while (above := links.get(root, "")) in links and above not in seen:
            root = above
            seen.add(root)
        forks: dict[str, list[str]] = {}
        for child, parent in links.items():
            forks.setdefault(parent, []).append(child)
        family, found = [root], {root}
        for member in family:
            new = [child for child in forks.get(member, ()) if child not in found]
            family += new
            found |= set(new)
        entries = [entry for some in _batches(family) for entry in self._entries(_SESSIONS.c.id.in_(some))]
        needed = {entry.id for entry in entries if entry.deleted is None}
        for member in reversed(family):
            needed |= {links[member]} if member in needed else set()
        return sorted((entry for entry in entries if entry.id in needed), key=lambda entry: (entry.created, entry.id))

    def search(self, words: str, limit: int = 50) -> list[Found]:
        """Return the sessions in whose dialogue, plan, client, title or tags all these words stand, capitals or not.

        Words in double quotes must stand together.
        """
        wanted = [one for pair in _PHRASE.findall(words.casefold()) if (one := " ".join("".join(pair).split()))]
        if not wanted:
            return []
        turns = select(_TURNS.c.session_id, _TURNS.c.number, _TURNS.c.words).where(or_(*(_holds(_TURNS, w) for w in wanted)))
        heads = select(_SESSIONS.c.id, _SESSIONS.c.title, _SESSIONS.c.tags, _SESSIONS.c.words)
        hits: dict[str, list[tuple[int, str]]] = {}
        with self._sentences(), self._engine.begin() as connection:
            for id, title, tags, said in connection.execute(heads.where(_SESSIONS.c.deleted.is_(None))):
                hits[id] = [(0, f"{title}\n{' '.join(json.loads(tags))}\n{said}".casefold())]
            for id, number, said in connection.execute(turns.order_by(_TURNS.c.number)):
                if id in hits:
                    hits[id].append((number, said))
        found = {id: own for id, told in hits.items() if (own := _matching(told, wanted))}
        entries = [e for some in _batches(list(found)) for e in self._entries(_SESSIONS.c.id.in_(some))]
        entries.sort(key=lambda entry: entry.updated, reverse=True)
        del entries[limit:]
        said = self._said({entry.id: found[entry.id][0] for entry in entries})
        return [_found(entry, found[entry.id], said.get(entry.id, ""), wanted) for entry in entries]

    def rename(self, id: str, title: str) -> None:
        """Give a session a title; an empty one takes it away."""
        self._note(id, title=" ".join(title.split())[:200])

    def tag(self, id: str, tags: Iterable[str]) -> None:
        """Give a session these tags in place of those it has."""
        clean = dict.fromkeys(" ".join(tag.split())[:60] for tag in tags)
        self._note(id, tags=json.dumps([tag for tag in clean if tag], ensure_ascii=False))

    def delete(self, id: str) -> None:
        """Take a session out of the library; until it is purged, it can be restored."""
        self._note(id, deleted=time.time())

    def restore(self, id: str) -> None:
        """Undo the deletion of a session."""
        with self._sentences(), self._writer.begin() as connection:
            gone = (_SESSIONS.c.id == id) & _SESSIONS.c.deleted.is_not(None)
            if not connection.execute(update(_SESSIONS).where(gone).values(deleted=None)).rowcount:
                raise StoreError(f"There is no deleted session {id!r} to restore.")

    def purge(self, before: datetime | None = None) -> int:
        """Remove for good the sessions and clients that are deleted (or were before a time); return how many sessions."""

        def gone(table: Table) -> Any:
            old = table.c.deleted.is_not(None)
            return old if before is None else old & (table.c.deleted < before.timestamp())

        with self._sentences(), self._writer.begin() as connection:
            connection.execute(delete(_CLIENTS).where(gone(_CLIENTS)))
            return connection.execute(delete(_SESSIONS).where(gone(_SESSIONS))).rowcount

    def add_clients(self, profiles: Iterable[ClientProfile], taken: Iterable[str] = ()) -> list[ClientProfile]:
        """Keep new clients, all or none; return them with the ids they got: their own, or the next one that is free.

        Ids in `taken` are not given. A client that is there already, word for word, is returned as it is there.
        """
        new, others = list(profiles), set(taken)
        with self._sentences():
            for _ in range(ATTEMPTS - 1):
                # another program may take an id first: then look again which are free
                with suppress(IntegrityError):
                    return self._add_clients(new, others)
            return self._add_clients(new, others)

    def save_client(self, profile: ClientProfile, over: ClientProfile | None = None) -> None:
        """Keep a client under its id, in place of what is there; a deleted one is back.

        With `over`, only while just that is there: raises `StoreError` when it was changed or deleted elsewhere meanwhile.
        """
        with self._sentences():
            try:
                self._save_client(profile, over)
            except IntegrityError:
                self._save_client(profile, over)

    def clients(self) -> list[ClientProfile]:
        """Return the own clients, the latest changed first."""
        return self._clients(_CLIENTS.c.deleted.is_(None), order=_CLIENTS.c.updated.desc())

    def deleted_clients(self, limit: int = 50) -> list[ClientProfile]:
        """Return the own clients that can still be restored, the latest deleted first."""
        return self._clients(_CLIENTS.c.deleted.is_not(None), order=_CLIENTS.c.deleted.desc(), limit=limit)

    def clients_state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to the own clients: who has read them need not read them again."""
        kept = _CLIENTS.c.deleted.is_(None)
        seen = select(func.count(), func.sum(_CLIENTS.c.updated), func.max(_CLIENTS.c.updated)).where(kept)
        with self._sentences(), self._engine.begin() as connection:
            return tuple(figure or 0 for figure in connection.execute(seen).one())

    def delete_client(self, id: str) -> None:
        """Take a client out of the list; until it is purged, it can be restored. Sessions made with it stay as they are."""
        there = (_CLIENTS.c.id == id) & _CLIENTS.c.deleted.is_(None)
        with self._sentences(), self._writer.begin() as connection:
            if not connection.execute(update(_CLIENTS).where(there).values(deleted=time.time())).rowcount:
                raise StoreError(f"There is no client {id!r} in the library.")

    def restore_client(self, id: str) -> None:
        """Undo the deletion of a client."""
        gone = (_CLIENTS.c.id == id) & _CLIENTS.c.deleted.is_not(None)
        with self._sentences(), self._writer.begin() as connection:
            if not connection.execute(update(_CLIENTS).where(gone).values(deleted=None, updated=time.time())).rowcount:
                raise StoreError(f"There is no deleted client {id!r} to restore.")

    def save_card(self, card: Scorecard) -> None:
        """Keep a scorecard beside the session it is about; the same card saved again changes nothing."""
        body = card.model_dump_json()
        row = {
            "session_id": card.session_id,
            "sha": hashlib.sha256(body.encode()).hexdigest(),
            "created": card.created.timestamp(),
            "body": body,
        }
        same = (_CARDS.c.session_id == row["session_id"]) & (_CARDS.c.sha == row["sha"])
        there = (_SESSIONS.c.id == card.session_id) & _SESSIONS.c.deleted.is_(None)
        with self._sentences(), self._writer.begin() as connection:
            if connection.execute(select(_SESSIONS.c.id).where(there).with_for_update()).first() is None:
                raise _unknown(card.session_id)
            if connection.execute(select(_CARDS.c.sha).where(same)).first() is None:
                connection.execute(insert(_CARDS).values(row))

    def cards(self, session_id: str) -> list[Scorecard]:
        """Return the scorecards of a session, oldest first; none for a session that is not in the library."""
        own = (_CARDS.c.session_id == session_id) & (_SESSIONS.c.id == _CARDS.c.session_id) & _SESSIONS.c.deleted.is_(None)
        with self._sentences(), self._engine.begin() as connection:
            bodies = connection.execute(select(_CARDS.c.body).where(own).order_by(_CARDS.c.created, _CARDS.c.sha)).scalars()
            try:
                return [Scorecard.model_validate_json(body) for body in bodies]
            except ValidationError as error:
                raise StoreError(
                    f"A scorecard of session {session_id!r} was stored by another version of this program."
                ) from error

    def all_cards(self) -> list[Scorecard]:
        """Return the scorecards of all sessions in the library, oldest first; those that cannot be read are left out."""
        there = (_SESSIONS.c.id == _CARDS.c.session_id) & _SESSIONS.c.deleted.is_(None)
        wanted = select(_CARDS.c.body).where(there).order_by(_CARDS.c.created, _CARDS.c.sha)
        with self._sentences(), self._engine.begin() as connection:
            return [card for body in connection.execute(wanted).scalars() if (card := _card(body))]

    def cards_state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to the scorecards, or to which sessions are in the library."""
        there = (_SESSIONS.c.id == _CARDS.c.session_id) & _SESSIONS.c.deleted.is_(None)
        seen = select(func.count(), func.sum(_CARDS.c.created), func.max(_CARDS.c.created)).where(there)
        with self._sentences(), self._engine.begin() as connection:
            return tuple(figure or 0 for figure in connection.execute(seen).one())

    def plans(self) -> list[Planned]:
        """Return what the planner picked in every session of the library that has a plan, the latest worked on first."""
        wanted = select(_SESSIONS.c.id, _SESSIONS.c.head).where(_SESSIONS.c.deleted.is_(None))
        found: list[Planned] = []
        with self._sentences(), self._engine.begin() as connection:
            for id, text in connection.execute(wanted.order_by(_SESSIONS.c.updated.desc(), _SESSIONS.c.id)):
                head = json.loads(text)
                if plan := head.get("plan"):
                    calls_for = head["profile"].get("calls_for", ())
                    found.append(Planned(session_id=id, technique=plan["technique"], calls_for=calls_for))
        return found

    def sessions_state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to which sessions are in the library, and to what is in them."""
        seen = select(func.count(), func.sum(_SESSIONS.c.updated), func.max(_SESSIONS.c.updated))
        with self._sentences(), self._engine.begin() as connection:
            return tuple(figure or 0 for figure in connection.execute(seen.where(_SESSIONS.c.deleted.is_(None))).one())

    def save_rubric(self, rubric: Rubric) -> None:
        """Keep an own rubric under its id, in place of what is there; a deleted one is back. Its scorecards stay."""
        own = _RUBRICS.c.id == rubric.id
        row = {"id": rubric.id, "updated": time.time(), "deleted": None, "body": rubric.model_dump_json()}
        with self._sentences(), self._writer.begin() as connection:
            if connection.execute(update(_RUBRICS).where(own).values(row)).rowcount == 0:
                connection.execute(insert(_RUBRICS).values(row))

    def rubrics(self) -> list[Rubric]:
        """Return the own rubrics, the latest changed first; those that cannot be read are left out."""
        kept = select(_RUBRICS.c.body).where(_RUBRICS.c.deleted.is_(None)).order_by(_RUBRICS.c.updated.desc(), _RUBRICS.c.id)
        with self._sentences(), self._engine.begin() as connection:
            return [rubric for body in connection.execute(kept).scalars() if (rubric := _rubric(body))]

    def delete_rubric(self, id: str) -> None:
        """Take an own rubric out of the list; what was scored with it stays."""
        there = (_RUBRICS.c.id == id) & _RUBRICS.c.deleted.is_(None)
        with self._sentences(), self._writer.begin() as connection:
            if not connection.execute(update(_RUBRICS).where(there).values(deleted=time.time())).rowcount:
                raise StoreError(f"There is no rubric {id!r} in the library.")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read tables that other modules keep in the same database."""
        with self._sentences(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection to write such tables; what is written there is written whole or not at all."""
        with self._sentences(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of all connections; the store opens new ones when it is used again."""
        self._engine.dispose()

    def _entries(self, *which: Any, limit: int | None = None) -> list[Entry]:
        columns = [_SESSIONS.c[name] for name in Entry.model_fields]
        wanted = select(*columns).where(*which).order_by(_SESSIONS.c.updated.desc(), _SESSIONS.c.id).limit(limit)
        with self._sentences(), self._engine.begin() as connection:
            return [_entry(row._mapping) for row in connection.execute(wanted)]

    def _clients(self, which: Any, order: Any, limit: int | None = None) -> list[ClientProfile]:
        wanted = select(_CLIENTS.c.id, _CLIENTS.c.body).where(which).order_by(order, _CLIENTS.c.id).limit(limit)
        with self._sentences(), self._engine.begin() as connection:
            return [_client(id, body) for id, body in connection.execute(wanted)]

    def _add_clients(self, profiles: list[ClientProfile], taken: set[str]) -> list[ClientProfile]:
        found, rows, now = list[ClientProfile](), list[dict[str, Any]](), time.time()
        with self._writer.begin() as connection:
            known = connection.execute(select(_CLIENTS.c.id, _CLIENTS.c.body, _CLIENTS.c.deleted)).all()
            used = {row.id for row in known} | taken
            kept = {_nameless(row.id, row.body): row.id for row in known if row.deleted is None}
            for profile in profiles:
                words = _nameless(profile.id, profile.model_dump_json())
                if words not in kept:
                    kept[words] = _free(profile.id, used)
                    used.add(kept[words])
                    body = profile.model_copy(update={"id": kept[words]}).model_dump_json()
                    rows.append({"id": kept[words], "created": now, "updated": now, "deleted": None, "body": body})
                found.append(profile.model_copy(update={"id": kept[words]}))
            if rows:
                connection.execute(insert(_CLIENTS), rows)
        return found

    def _save_client(self, profile: ClientProfile, over: ClientProfile | None) -> None:
        own, body, now = _CLIENTS.c.id == profile.id, profile.model_dump_json(), time.time()
        with self._writer.begin() as connection:
            there = connection.execute(
                select(_CLIENTS.c.body, _CLIENTS.c.deleted).where(own).with_for_update()
            ).one_or_none()
            if over is not None and (there is None or there.deleted is not None):
                raise StoreError(f"{over.name} was deleted in another window meanwhile.")
            if over is not None and there is not None and _client(profile.id, there.body) != over:
                raise StoreError(f"{over.name} was changed in another window meanwhile.")
            if there is None:
                row = {"id": profile.id, "created": now, "updated": now, "deleted": None, "body": body}
                connection.execute(insert(_CLIENTS).values(row))
            elif there.body != body or there.deleted is not None:
                connection.execute(update(_CLIENTS).where(own).values(body=body, updated=now, deleted=None))

    def _note(self, id: str, **values: Any) -> None:
        """Write what the library notes on a session that is in it."""
        there = (_SESSIONS.c.id == id) & _SESSIONS.c.deleted.is_(None)
        with self._sentences(), self._writer.begin() as connection:
            if not connection.execute(update(_SESSIONS).where(there).values(**values)).rowcount:
                raise _unknown(id)

    def _said(self, places: dict[str, int]) -> dict[str, str]:
        """Return what is written in one turn of each session, or in its head where the turn is 0."""
        heads = select(_SESSIONS.c.id, _SESSIONS.c.head)
        turns = select(_TURNS.c.session_id, _TURNS.c.body)
        said: dict[str, str] = {}
        with self._sentences(), self._engine.begin() as connection:
            for ids in _batches([id for id, turn in places.items() if not turn]):
                for id, head in connection.execute(heads.where(_SESSIONS.c.id.in_(ids))):
                    said[id] = _told(id, head)
            for ids in _batches([id for id, turn in places.items() if turn], size=250):
                spots = tuple_(_TURNS.c.session_id, _TURNS.c.number).in_([(id, places[id]) for id in ids])
                for id, body in connection.execute(turns.where(spots)):
                    said[id] = _told(id, body, turn=True)
        return said

    def _save(self, session: Session) -> None:
        with self._writer.begin() as connection:
            row = connection.execute(
                select(_SESSIONS.c.deleted).where(_SESSIONS.c.id == session.id).with_for_update()
            ).one_or_none()
            if row is None:
                connection.execute(insert(_SESSIONS).values(_columns(session)))
                before = 0
                changed = False
            else:
                stored = _stored(connection, session.id, also_deleted=True)
                before = len(stored.turns)
                session = _joined(stored, session)
                changed = session != stored or row.deleted is not None
            added = [
                {
                    "session_id": session.id,
                    "number": number,
                    "words": _turn_words(turn).casefold(),
                    "body": turn.model_dump_json(),
                }
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
        "deleted": None,
        "parent": session.parent.session if session.parent else "",
        "shared": session.parent.turns if session.parent else 0,
        "words": _head_words(session).casefold(),
        "head": session.model_dump_json(exclude={"turns", "flags"}),
    }


def _entry(row: Any) -> Entry:
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in ("created", "updated", "deleted") if row[name]}
    return Entry.model_validate({**row, "tags": tuple(json.loads(row["tags"])), **times})


def _stored(connection: Connection, id: str, *, also_deleted: bool = False) -> Session:
    head = select(_SESSIONS.c.head).where(_SESSIONS.c.id == id)
    head = connection.execute(head if also_deleted else head.where(_SESSIONS.c.deleted.is_(None))).scalar_one_or_none()
    if head is None:
        raise _unknown(id)
    bodies = connection.execute(select(_TURNS.c.body).where(_TURNS.c.session_id == id).order_by(_TURNS.c.number)).scalars()
    try:
        turns = tuple(Turn.model_validate_json(body) for body in bodies)
        return Session.model_validate_json(head).model_copy(update={"turns": turns})
    except ValidationError as error:
        raise StoreError(f"The session {id!r} was stored by another version of this program and cannot be read.") from error


def _client(id: str, body: str) -> ClientProfile:
    try:
        return ClientProfile.model_validate_json(body)
    except ValidationError as error:
        raise StoreError(f"The client {id!r} was stored by another version of this program and cannot be read.") from error


def _card(body: str) -> Scorecard | None:
    try:
        return Scorecard.model_validate_json(body)
    except ValidationError:
        return None


def _rubric(body: str) -> Rubric | None:
    try:
        return Rubric.model_validate_json(body)
    except ValidationError:
        return None


def _nameless(id: str, body: str) -> str:
    """Return a stored client's text with its id blanked: two that are alike are the same client."""
    return body.replace(f'"id":"{id}"', '"id":""', 1)


def _free(id: str, used: set[str]) -> str:
    free, number = id, 1
    while free in used:
        number += 1
        free = f"{id[:110].strip('-')}-{number}"
    return free


def _migrate(connection: Connection) -> None:
    """Add to the tables of an earlier version what they lack, and fill it from what they hold."""
    there = inspect(connection)
    lacking = [
        column
        for table in _TABLES.sorted_tables
        if there.has_table(table.name)
        for column in table.columns
        if column.name not in {known["name"] for known in there.get_columns(table.name)}
    ]
    for column in lacking:
        kind = column.type.compile(connection.dialect)
        rest = "" if column.nullable else f" NOT NULL DEFAULT '{column.server_default.arg}'"  # type: ignore[union-attr]
        connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}{rest}"))
    if any(column.table is _SESSIONS for column in lacking):
        connection.execute(text("CREATE INDEX IF NOT EXISTS ix_sessions_parent ON sessions (parent)"))
        for id, head in connection.execute(select(_SESSIONS.c.id, _SESSIONS.c.head)).all():
            values = _from_head(head)
            connection.execute(update(_SESSIONS).where(_SESSIONS.c.id == id).values(**values))
    if any(column.table is _TURNS for column in lacking):
        rows = connection.execute(select(_TURNS.c.session_id, _TURNS.c.number, _TURNS.c.body)).all()
        for id, number, body in rows:
            own = (_TURNS.c.session_id == id) & (_TURNS.c.number == number)
            connection.execute(update(_TURNS).where(own).values(words=_from_body(body)))


def _from_head(head: str) -> dict[str, Any]:
    """Return what the list and the search know of a stored head; little of one that cannot be read."""
    try:
        columns = _columns(Session.model_validate_json(head))
    except ValidationError:
        return {}
    return {name: columns[name] for name in ("parent", "shared", "words")}


def _from_body(body: str) -> str:
    try:
        return _turn_words(Turn.model_validate_json(body)).casefold()
    except ValidationError:
        return ""


def _told(id: str, body: str, *, turn: bool = False) -> str:
    """Return the text of a stored turn or head that can be searched, as it is written there."""
    try:
        return _turn_words(Turn.model_validate_json(body)) if turn else _head_words(Session.model_validate_json(body))
    except ValidationError as error:
        raise StoreError(f"The session {id!r} was stored by another version of this program and cannot be read.") from error


def _found(entry: Entry, places: list[int], said: str, wanted: list[str]) -> Found:
    """Quote a session's first place that holds the words."""
    own = said if places[0] else f"{entry.title}\n{', '.join(entry.tags)}\n{said}"
    return Found(entry=entry, turn=places[0], quote=_quote(own, wanted), places=len(places))


def _head_words(session: Session) -> str:
    """Return the text of a session's head that can be searched: client, opening and plan."""
    profile, plan = session.profile, session.plan
    planned = [plan.technique.value if plan.technique else "", plan.reason, *plan.steps] if plan else []
    opening = profile.opening
    return "\n".join([profile.name, profile.summary, opening.counsellor, opening.client, *planned])


def _turn_words(turn: Turn) -> str:
    return f"{turn.response}\n{turn.reply.text}"


_PHRASE = re.compile(r'"([^"]+)"|([^\s"]+)')


def _holds(table: Table, words: str) -> Any:
    escaped = re.sub(r"([\\%_])", r"\\\1", words)
    return table.c.words.like(f"%{escaped}%", escape="\\")


def _matching(told: list[tuple[int, str]], wanted: list[str]) -> list[int]:
    """Return in which turns any of the words stand, if all of them stand somewhere."""
    if not all(any(words in said for _, said in told) for words in wanted):
        return []
    return [number for number, said in told if any(words in said for words in wanted)]


def _quote(said: str, wanted: list[str]) -> str:
    """Return a stretch of text around the first of the words, at the ends of words."""
    line = " ".join(said.split())
    found = [place.start() for words in wanted if (place := re.search(re.escape(words), line, re.I))]
    start = max(0, min(found, default=0) - QUOTED // 3)
    start = line.find(" ", start) + 1 if start else 0
    end = start + QUOTED
    cut = line[start:end] if end >= len(line) else line[start:end].rpartition(" ")[0] or line[start:end]
    return f"{'…' if start else ''}{cut}{'…' if start + len(cut) < len(line) else ''}"


def _batches(ids: list[str], size: int = 500) -> Iterator[list[str]]:
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


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
