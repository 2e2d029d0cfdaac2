"""The last runs of the lab with their answers."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, Float, String, Table, Text, delete, insert, select

from magnet_core.domain import Value
from magnet_core.lab.experiments import Experiment
from magnet_core.store.database import TABLES, Database, readable

_RUNS = Table(
    "prompt_runs",
    TABLES,
    Column("id", String(80), primary_key=True),
    Column("made", Float, nullable=False),
    Column("agent", String(80), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
)
MOST = 40
"""How many runs are kept; the oldest goes first."""


class Past(Value):
    """A run that is kept, without its answers."""

    id: str
    made: datetime
    agent: str
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
            "body": made.model_dump_json(),
        }
        with self._database.writing() as connection:
            connection.execute(delete(_RUNS).where(_RUNS.c.id == made.id))
            connection.execute(insert(_RUNS).values(row))
            old = select(_RUNS.c.id).order_by(_RUNS.c.made.desc()).offset(MOST)
            gone = list(connection.execute(old.limit(1000)).scalars())
            connection.execute(delete(_RUNS).where(_RUNS.c.id.in_(gone)))

    def past(self) -> list[Past]:
        """Return the runs, the newest first."""
        wanted = select(_RUNS.c.id, _RUNS.c.made, _RUNS.c.agent, _RUNS.c.title).order_by(_RUNS.c.made.desc())
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        return [Past(id=r.id, made=datetime.fromtimestamp(r.made, UTC), agent=r.agent, title=r.title) for r in rows]

    def of(self, id: str) -> Experiment | None:
        """Return a run with its answers; None where it is no longer kept."""
        with self._database.reading() as connection:
            body = connection.execute(select(_RUNS.c.body).where(_RUNS.c.id == id)).scalar()
        return readable(Experiment, body) if body else None
