"""The scorecards of the library, each beside the session it is about; they go with their session."""

from __future__ import annotations

import hashlib

from pydantic import ValidationError
from sqlalchemy import Column, Float, ForeignKey, String, Table, Text, insert, select

from magnet_core.errors import StoreError
from magnet_core.scoring.items import Scorecard
from magnet_core.store.database import TABLES, Database, readable
from magnet_core.store.entries import SESSIONS, unknown

_CARDS = Table(
    "scorecards",
    TABLES,
    Column("session_id", String(64), ForeignKey(SESSIONS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("sha", String(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("body", Text, nullable=False),
)
_THERE = (SESSIONS.c.id == _CARDS.c.session_id) & SESSIONS.c.deleted.is_(None)
"""Cards whose session is in the library."""


class Cards:
    """The scorecards; every method raises `StoreError` with a sentence when they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, card: Scorecard) -> None:
        """Keep a scorecard beside the session it is about; the same card saved again changes nothing."""
        body = card.model_dump_json()
        row = {
            "session_id": card.session_id,
            "sha": hashlib.sha256(body.encode()).hexdigest(),
            "created": card.created.timestamp(),
            "body": body,
        }
        same = (_CARDS.c.session_id == row["session_id"]) & (_CARDS.c.sha == row["sha"])
        session = (SESSIONS.c.id == card.session_id) & SESSIONS.c.deleted.is_(None)
        with self._database.writing() as connection:
            if connection.execute(select(SESSIONS.c.id).where(session).with_for_update()).first() is None:
                raise unknown(card.session_id)
            if connection.execute(select(_CARDS.c.sha).where(same)).first() is None:
                connection.execute(insert(_CARDS).values(row))

    def of(self, session_id: str) -> list[Scorecard]:
        """Return the scorecards of a session, oldest first; none for a session that is not in the library."""
        own = select(_CARDS.c.body).where(_CARDS.c.session_id == session_id, _THERE)
        with self._database.reading() as connection:
            bodies = connection.execute(own.order_by(_CARDS.c.created, _CARDS.c.sha)).scalars()
            try:
                return [Scorecard.model_validate_json(body) for body in bodies]
            except ValidationError as error:
                raise StoreError(
                    f"A scorecard of session {session_id!r} was stored by another version of this program."
                ) from error

    def all(self) -> list[Scorecard]:
        """Return the scorecards of all sessions in the library, oldest first; those that cannot be read are left out."""
        wanted = select(_CARDS.c.body).where(_THERE).order_by(_CARDS.c.created, _CARDS.c.sha)
        with self._database.reading() as connection:
            return [card for body in connection.execute(wanted).scalars() if (card := readable(Scorecard, body))]

    def state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to the scorecards, or to which sessions are in the library."""
        return self._database.state(_CARDS.c.created, _THERE)
