"""The sessions of the library.

What is stored never changes: saving adds what is not there, and refuses what contradicts it. A title, tags and the mark of
deletion belong to the library, not to the session.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.domain import CbtTechnique, Session, Turn, Value
from magnet_core.errors import StoreError
from magnet_core.store.database import Database
from magnet_core.store.entries import (
    SESSIONS,
    TURNS,
    Entry,
    entries,
    entries_of,
    head_row,
    of_this_version,
    turn_row,
    unknown,
)
from magnet_core.store.search import Found, search


class Planned(Value):
    """Which CBT technique a session's planner picked, and which ones its client was written to call for."""

    session_id: str
    technique: CbtTechnique | None
    """None when the plan named none of the twelve."""
    calls_for: tuple[CbtTechnique, ...]


class Sessions:
    """The sessions in a database; every method raises `StoreError` with a sentence when they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, session: Session) -> None:
        """Write, in one transaction, what of a session is not stored yet; saving it again changes nothing.

        A plan or a turn that is stored with other content is never overwritten: then nothing is written at all. A deleted
        session that is saved again is back in the library.
        """
        # where another program wrote the same rows first, they are looked at, and what is still missing is added
        self._database.write(partial(_save, session=session))

    def session(self, id: str) -> Session:
        """Return a session with all its finished turns."""
        with self._database.reading() as connection:
            return _stored(connection, id)

    def recent(self, limit: int = 50) -> list[Entry]:
        """Return the newest sessions, the latest worked on first."""
        return self._entries(SESSIONS.c.deleted.is_(None), limit=limit)

    def deleted(self, limit: int = 50) -> list[Entry]:
        """Return the sessions that can still be restored, the latest worked on first."""
        return self._entries(SESSIONS.c.deleted.is_not(None), limit=limit)

    def children(self, id: str) -> list[Entry]:
        """Return the sessions that were forked from one, the latest worked on first."""
        return self._entries(SESSIONS.c.deleted.is_(None), SESSIONS.c.parent == id)

    def family(self, id: str) -> list[Entry]:
        """Return all sessions of a fork tree, oldest first: where one comes from, and every fork of all of these.

        Deleted sessions that hold the tree together are in it, marked as deleted.
        """
        with self._database.reading() as connection:
            links = {row.id: row.parent for row in connection.execute(select(SESSIONS.c.id, SESSIONS.c.parent))}
            if id not in links:
                raise unknown(id)
            family = _tree(id, links)
            found = entries_of(connection, family)
        needed = {entry.id for entry in found if entry.deleted is None}
        for member in reversed(family):
            needed |= {links[member]} if member in needed else set()
        return sorted((entry for entry in found if entry.id in needed), key=lambda entry: (entry.created, entry.id))

    def search(self, words: str, limit: int = 50) -> list[Found]:
        """Return the sessions in whose dialogue, plan, client, title or tags all these words stand, capitals or not.

        Words in double quotes must stand together.
        """
        with self._database.reading() as connection:
            return search(connection, words, limit)

    def plans(self) -> list[Planned]:
        """Return what the planner picked in every session of the library that has a plan, the latest worked on first."""
        wanted = select(SESSIONS.c.id, SESSIONS.c.head).where(SESSIONS.c.deleted.is_(None))
        found: list[Planned] = []
        with self._database.reading() as connection:
            for id, text in connection.execute(wanted.order_by(SESSIONS.c.updated.desc(), SESSIONS.c.id)):
                head = json.loads(text)
                if plan := head.get("plan"):
                    calls_for = head["profile"].get("calls_for", ())
                    found.append(Planned(session_id=id, technique=plan["technique"], calls_for=calls_for))
        return found

    def state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to which sessions are in the library, and to what is in them."""
        return self._database.state(SESSIONS.c.updated, SESSIONS.c.deleted.is_(None))

    def rename(self, id: str, title: str) -> None:
        """Give a session a title; an empty one takes it away."""
        self._note(id, title=" ".join(title.split())[:200])

    def tag(self, id: str, tags: Iterable[str]) -> None:
        """Give a session these tags in place of those it has."""
        clean = dict.fromkeys(" ".join(tag.split())[:60] for tag in tags)
        self._note(id, tags=json.dumps([tag for tag in clean if tag], ensure_ascii=False))

    def delete(self, id: str) -> None:
        """Take a session out of the library; until it is purged, it can be restored."""
        self._database.take_out(SESSIONS, id, "session")

    def restore(self, id: str) -> None:
        """Undo the deletion of a session."""
        self._database.put_back(SESSIONS, id, "session")

    def _entries(self, *which: Any, limit: int | None = None) -> list[Entry]:
        with self._database.reading() as connection:
            return entries(connection, *which, limit=limit)

    def _note(self, id: str, **values: Any) -> None:
        """Write what the library notes on a session that is in it."""
        there = (SESSIONS.c.id == id) & SESSIONS.c.deleted.is_(None)
        with self._database.writing() as connection:
            if not connection.execute(update(SESSIONS).where(there).values(**values)).rowcount:
                raise unknown(id)


def _save(connection: Connection, session: Session) -> None:
    own = SESSIONS.c.id == session.id
    row = connection.execute(select(SESSIONS.c.deleted).where(own).with_for_update()).one_or_none()
    if row is None:
        connection.execute(insert(SESSIONS).values(head_row(session)))
        before, changed = 0, False
    else:
        stored = _stored(connection, session.id, also_deleted=True)
        session = _joined(stored, session)
        before, changed = len(stored.turns), session != stored or row.deleted is not None
    if added := [turn_row(session.id, n, turn) for n, turn in enumerate(session.turns, 1) if n > before]:
        connection.execute(insert(TURNS), added)
    if changed:
        connection.execute(update(SESSIONS).where(own).values(head_row(session)))


def _stored(connection: Connection, id: str, *, also_deleted: bool = False) -> Session:
    head = select(SESSIONS.c.head).where(SESSIONS.c.id == id)
    head = connection.execute(head if also_deleted else head.where(SESSIONS.c.deleted.is_(None))).scalar_one_or_none()
    if head is None:
        raise unknown(id)
    bodies = connection.execute(select(TURNS.c.body).where(TURNS.c.session_id == id).order_by(TURNS.c.number)).scalars()
    with of_this_version(id):
        turns = tuple(Turn.model_validate_json(body) for body in bodies)
        return Session.model_validate_json(head).model_copy(update={"turns": turns})


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


def _tree(id: str, links: dict[str, str]) -> list[str]:
    """Return the ids of a fork tree from its root on, each after the one it was forked from; `links` gives each its parent."""
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
    return family
