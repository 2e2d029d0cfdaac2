"""The library's own clients. A client may change: a session keeps the client it was made with."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Column, Float, String, Table, Text, insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.domain import ClientProfile
from magnet_core.errors import StoreError
from magnet_core.store.database import TABLES, Database

ATTEMPTS = 20
"""How often free ids for new clients are looked for while other programs take them."""

CLIENTS = Table(
    "clients",
    TABLES,
    Column("id", String(120), primary_key=True),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)


class Clients:
    """The own clients; every method raises `StoreError` with a sentence when they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, profiles: Iterable[ClientProfile], taken: Iterable[str] = ()) -> list[ClientProfile]:
        """Keep new clients, all or none; return them with the ids they got: their own, or the next one that is free.

        Ids in `taken` are not given. A client that is there already, word for word, is returned as it is there.
        """
        return self._database.write(partial(_add, profiles=list(profiles), taken=set(taken)), ATTEMPTS)

    def save(self, profile: ClientProfile, over: ClientProfile | None = None) -> None:
        """Keep a client under its id, in place of what is there; a deleted one is back.

        With `over`, only while just that is there: raises `StoreError` when it was changed or deleted elsewhere meanwhile.
        """
        self._database.write(partial(_save, profile=profile, over=over))

    def all(self) -> list[ClientProfile]:
        """Return the own clients, the latest changed first."""
        return self._clients(CLIENTS.c.deleted.is_(None), order=CLIENTS.c.updated.desc())

    def deleted(self, limit: int = 50) -> list[ClientProfile]:
        """Return the own clients that can still be restored, the latest deleted first."""
        return self._clients(CLIENTS.c.deleted.is_not(None), order=CLIENTS.c.deleted.desc(), limit=limit)

    def state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to the own clients: who has read them need not read them again."""
        return self._database.state(CLIENTS.c.updated, CLIENTS.c.deleted.is_(None))

    def delete(self, id: str) -> None:
        """Take a client out of the list; until it is purged, it can be restored. Sessions made with it stay as they are."""
        self._database.take_out(CLIENTS, id, "client")

    def restore(self, id: str) -> None:
        """Undo the deletion of a client."""
        self._database.put_back(CLIENTS, id, "client", updated=time.time())

    def _clients(self, which: Any, order: Any, limit: int | None = None) -> list[ClientProfile]:
        wanted = select(CLIENTS.c.id, CLIENTS.c.body).where(which).order_by(order, CLIENTS.c.id).limit(limit)
        with self._database.reading() as connection:
            return [_client(id, body) for id, body in connection.execute(wanted)]


def _add(connection: Connection, profiles: list[ClientProfile], taken: set[str]) -> list[ClientProfile]:
    found, rows, now = list[ClientProfile](), list[dict[str, Any]](), time.time()
    known = connection.execute(select(CLIENTS.c.id, CLIENTS.c.body, CLIENTS.c.deleted)).all()
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
        connection.execute(insert(CLIENTS), rows)
    return found


def _save(connection: Connection, profile: ClientProfile, over: ClientProfile | None) -> None:
    own, body, now = CLIENTS.c.id == profile.id, profile.model_dump_json(), time.time()
    there = connection.execute(select(CLIENTS.c.body, CLIENTS.c.deleted).where(own).with_for_update()).one_or_none()
    if over is not None and (there is None or there.deleted is not None):
        raise StoreError(f"{over.name} was deleted in another window meanwhile.")
    if over is not None and there is not None and _client(profile.id, there.body) != over:
        raise StoreError(f"{over.name} was changed in another window meanwhile.")
    if there is None:
        row = {"id": profile.id, "created": now, "updated": now, "deleted": None, "body": body}
        connection.execute(insert(CLIENTS).values(row))
    elif there.body != body or there.deleted is not None:
        connection.execute(update(CLIENTS).where(own).values(body=body, updated=now, deleted=None))


def _client(id: str, body: str) -> ClientProfile:
    try:
        return ClientProfile.model_validate_json(body)
    except ValidationError as error:
        raise StoreError(f"The client {id!r} was stored by another version of this program and cannot be read.") from error


def _nameless(id: str, body: str) -> str:
    """Return a stored client's text with its id blanked: two that are alike are the same client."""
    return body.replace(f'"id":"{id}"', '"id":""', 1)


def _free(id: str, used: set[str]) -> str:
    free, number = id, 1
    while free in used:
        number += 1
        free = f"{id[:110].strip('-')}-{number}"
    return free
