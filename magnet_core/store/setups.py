"""The set-ups used before: which models spoke and where they are, never with what keys, so that a reload costs one click."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from sqlalchemy import Column, Float, String, Table, Text, delete, insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.cast import Cast, Voice
from magnet_core.domain import Value
from magnet_core.models import REHEARSAL
from magnet_core.models.openai import OPENAI_URL, check_url
from magnet_core.store.database import TABLES, Database, let_go, readable

_SETUPS = Table(
    "setups",
    TABLES,
    Column("id", String(64), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("body", Text, nullable=False),
)
MOST = 10
"""How many set-ups are remembered."""


class Setup(Value):
    """A set-up as it is remembered."""

    id: str
    cast: Cast
    """Who spoke; no voice in it has a key."""
    keyed: tuple[str, ...] = ()
    """The addresses that a key was sent to."""
    used: datetime


class Setups:
    """The set-ups used before; every method raises `StoreError` where they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, cast: Cast) -> None:
        """Remember a cast without its keys, as the one used last, and let go of the oldest.

        Nothing is kept of an address but server and path. Raises `SettingsError` for an address that is none.
        """
        setup = _setup(cast)
        row = {"id": setup.id, "updated": setup.used.timestamp(), "body": setup.model_dump_json()}

        def work(connection: Connection) -> None:
            if connection.execute(update(_SETUPS).where(_SETUPS.c.id == setup.id).values(row)).rowcount == 0:
                connection.execute(insert(_SETUPS).values(row))
            let_go(connection, _SETUPS, _SETUPS.c.updated, MOST)

        self._database.write(work)

    def all(self) -> list[Setup]:
        """Return the set-ups, the one used last first; those that cannot be read are left out."""
        wanted = select(_SETUPS.c.body).order_by(_SETUPS.c.updated.desc(), _SETUPS.c.id)
        with self._database.reading() as connection:
            return [setup for body in connection.execute(wanted).scalars() if (setup := readable(Setup, body))]

    def forget(self, id: str) -> None:
        """Remove a set-up for good; one that is gone already stays gone."""
        with self._database.writing() as connection:
            connection.execute(delete(_SETUPS).where(_SETUPS.c.id == id))

    def forget_all(self) -> None:
        """Remove every set-up for good."""
        with self._database.writing() as connection:
            connection.execute(delete(_SETUPS))


def _setup(cast: Cast) -> Setup:
    """Return a cast as it is remembered; casts that sound the same have the same id."""
    voices = (cast.default, *cast.overrides.values())
    bare = Cast(
        default=_bare(cast.default),
        overrides={agent: _bare(cast.overrides[agent]) for agent in sorted(cast.overrides)},
        fan_out=cast.fan_out,
    )
    keyed = sorted({_bare(voice).base_url for voice in voices if voice.model != REHEARSAL and voice.api_key})
    id = hashlib.sha256(bare.model_dump_json().encode()).hexdigest()
    return Setup(id=id, cast=bare, keyed=tuple(keyed), used=datetime.now(UTC))


def _bare(voice: Voice) -> Voice:
    """Return a voice without its key, and without anything in its address that may be one."""
    if voice.model == REHEARSAL:
        return Voice()
    address = re.split(r"[?#]", re.sub(r"//[^/?#]*@", "//", voice.base_url))[0]
    return voice.model_copy(update={"api_key": None, "base_url": check_url(address) or OPENAI_URL})
