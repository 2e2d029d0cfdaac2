"""The ledger: every call that was made to an endpoint from the app, what it used, and every turn or rating given up for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, String, Table, Text, case, delete, func, insert, select

from magnet_core.domain import Usage
from magnet_core.meter import Limit, Use
from magnet_core.spending import Sum
from magnet_core.store.database import TABLES, Database, readable

_USES = Table(
    "uses",
    TABLES,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("made", Float, nullable=False),
    Column("day", String(10), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("model", Text, nullable=False),
    Column("agent", String(64), nullable=False),
    Column("session", String(64), nullable=False, index=True),
    Column("turn", Integer),
    Column("prompt", Integer),
    Column("cached", Integer),
    Column("completion", Integer),
    Column("seconds", Float, nullable=False),
    Column("error", Text, nullable=False),
    Column("lost", Boolean, nullable=False),
)

_ALIKE = ("purpose", "model", "agent", "session", "turn", "seconds", "error", "lost")
"""What a call and its row name alike."""

_LIMITS = Table("limits", TABLES, Column("name", String(16), primary_key=True), Column("body", Text, nullable=False))


class Ledger:
    """The ledger of a library; every method raises `StoreError` with a sentence when it cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, uses: Iterable[Use]) -> None:
        """Write calls down."""
        rows = [
            {
                "made": use.made.timestamp(),
                "day": use.made.astimezone(UTC).date().isoformat(),
                "prompt": use.usage.prompt_tokens,
                "cached": use.usage.cached_tokens,
                "completion": use.usage.completion_tokens,
                **use.model_dump(include=set(_ALIKE)),
            }
            for use in uses
        ]
        if rows:
            with self._database.writing() as connection:
                connection.execute(insert(_USES), rows)

    def sums(self, on: date | None = None) -> list[Sum]:
        """Return what was used by day, purpose and model, the latest day first, or on one day only.

        What was given up is no call of its own.
        """
        which = [_USES.c.day == on.isoformat()] if on else []
        return self._sums(_USES.c.day, _USES.c.purpose, _USES.c.model, which=which)

    def turns(self) -> list[Sum]:
        """Return what was used for sessions by day, model, session and turn, the latest day first."""
        by = (_USES.c.day, _USES.c.purpose, _USES.c.model, _USES.c.session, _USES.c.turn)
        return self._sums(*by, which=[_USES.c.purpose == "session"])

    def _sums(self, *by: Column[Any], which: Sequence[Any] = ()) -> list[Sum]:
        told = _USES.c.prompt.is_not(None) & _USES.c.completion.is_not(None)
        answered = _USES.c.error == ""
        wanted = (
            select(
                *by,
                func.sum(case((answered, 1), else_=0)).label("answered"),
                func.sum(case((answered, 0), else_=1)).label("failed"),
                func.sum(case((answered & ~told, 1), else_=0)).label("uncounted"),
                func.sum(case((answered, _USES.c.prompt))).label("prompt_tokens"),
                func.sum(case((answered, _USES.c.cached))).label("cached_tokens"),
                func.sum(case((answered, _USES.c.completion))).label("completion_tokens"),
                func.sum(_USES.c.seconds).label("seconds"),
            )
            .where(~_USES.c.lost, *which)
            .group_by(*by)
            .order_by(_USES.c.day.desc(), *by[1:])
        )
        with self._database.reading() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
        usages = [{name: row.pop(name) for name in Usage.model_fields} for row in rows]
        return [Sum.model_validate({**row, "usage": usage}) for row, usage in zip(rows, usages, strict=True)]

    def failures(self, limit: int = 2000) -> list[Use]:
        """Return calls without an answer, and what was given up because of them, the latest first."""
        wanted = select(_USES).where(_USES.c.error != "").order_by(_USES.c.made.desc(), _USES.c.id.desc())
        with self._database.reading() as connection:
            rows = connection.execute(wanted.limit(limit)).mappings().all()
        return [
            Use.model_validate(
                {
                    **{name: row[name] for name in _ALIKE},
                    "made": datetime.fromtimestamp(row["made"], UTC),
                    "usage": Usage(
                        prompt_tokens=row["prompt"], cached_tokens=row["cached"], completion_tokens=row["completion"]
                    ),
                }
            )
            for row in rows
        ]

    def limit(self) -> Limit | None:
        """Return the most that calls of a day may use, if there is a limit."""
        with self._database.reading() as connection:
            body = connection.execute(select(_LIMITS.c.body).where(_LIMITS.c.name == "day")).scalar_one_or_none()
        return readable(Limit, body) if body is not None else None

    def set_limit(self, limit: Limit | None) -> None:
        """Keep the most that calls of a day may use; None takes the limit away."""
        with self._database.writing() as connection:
            connection.execute(delete(_LIMITS).where(_LIMITS.c.name == "day"))
            if limit:
                connection.execute(insert(_LIMITS).values(name="day", body=limit.model_dump_json()))

    def state(self) -> tuple[float, ...]:
        """Return figures that differ after every change."""
        return self._database.state(_USES.c.made)
