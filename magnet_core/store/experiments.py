"""The last runs of the lab with their answers."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, Float, Integer, String, Table, Text, delete, insert, select

from magnet_core.domain import Value
from magnet_core.lab.experiments import Experiment
from magnet_core.store.database import TABLES, Database, let_go, readable

_RUNS = Table(
    "prompt_runs",
    TABLES,
    Column("id", String(80), primary_key=True),
    Column("made", Float, nullable=False),
    Column("agent", String(80), nullable=False),
    Column("title", Text, nullable=False),
    Column("session", Text, nullable=False, server_default=""),
    Column("turn", Integer, nullable=False, server_default="0"),
    Column("body", Text, nullable=False),
)
MOST = 40
"""How many runs are kept; the oldest goes first."""


class Past(Value):
    """A run that is kept, without its answers."""

    id: str
    made: datetime
    agent: str
    session: str
    """The id of what it was begun at; empty for a run of an earlier version of this program."""
    turn: int
    title: str


class Experiments:
    """The runs; every method raises `StoreError` where they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, made: Experiment) -> None:
        """Keep a run, and let the oldest go."""
        row = {
            "id": made.id,
            "made": made.made.timestamp(),
            "agent": made.agent,
            "title": made.title,
            "session": made.session,
            "turn": made.turn,
            "body": made.model_dump_json(),
        }
        with self._database.writing() as connection:
            connection.execute(delete(_RUNS).where(_RUNS.c.id == made.id))
            connection.execute(insert(_RUNS).values(row))
            let_go(connection, _RUNS, _RUNS.c.made, MOST)

    def past(self) -> list[Past]:
        """Return the runs, the newest first."""
        columns = [_RUNS.c[name] for name in Past.model_fields]
        wanted = select(*columns).order_by(_RUNS.c.made.desc())
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        return [Past.model_validate(dict(row._mapping) | {"made": datetime.fromtimestamp(row.made, UTC)}) for row in rows]

    def of(self, id: str) -> Experiment | None:
        """Return a run with its answers; None where it is no longer kept."""
        with self._database.reading() as connection:
            body = connection.execute(select(_RUNS.c.body).where(_RUNS.c.id == id)).scalar()
        return readable(Experiment, body) if body else None
