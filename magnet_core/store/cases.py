"""The test cases of the lab, and what came of each when it was last run."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Column, Float, String, Table, Text, delete, func, select

from magnet_core.lab.cases import Case, Result
from magnet_core.store.database import TABLES, Database

_CASES = Table(
    "prompt_cases",
    TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)
_RESULTS = Table(
    "prompt_case_results",
    TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)
MOST = 500
"""How many results are kept; the oldest make room."""


class Cases:
    """The test cases; every method raises `StoreError` with a sentence when they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, case: Case) -> None:
        """Keep a test case under its id, in place of what is there; a deleted one is back."""
        self._database.keep(_CASES, case.id, case)

    def all(self) -> list[Case]:
        """Return the test cases, the latest changed first; those that cannot be read are left out."""
        return self._database.kept(_CASES, Case)

    def delete(self, id: str) -> None:
        """Take a test case out of the list; what came of it stays."""
        self._database.take_out(_CASES, id, "test case")

    def save_results(self, results: Iterable[Result]) -> None:
        """Keep what came of test cases, each in place of what came of it before under the same words and model."""
        for result in results:
            self._database.keep(_RESULTS, result.id, result)
        with self._database.writing() as connection:
            if (connection.execute(select(func.count()).select_from(_RESULTS)).scalar() or 0) > MOST:
                old = select(_RESULTS.c.id).order_by(_RESULTS.c.updated.desc(), _RESULTS.c.id).offset(MOST)
                connection.execute(delete(_RESULTS).where(_RESULTS.c.id.in_(list(connection.execute(old).scalars()))))

    def results(self) -> list[Result]:
        """Return what came of test cases, the newest first; what cannot be read is left out."""
        return self._database.kept(_RESULTS, Result)
