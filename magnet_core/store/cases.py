"""The test cases of the lab, and what came of each when it was last run."""

from __future__ import annotations

from collections.abc import Iterable

from magnet_core.lab.cases import Case, Result
from magnet_core.store.database import Database, let_go, put, things

_CASES = things("prompt_cases")
_RESULTS = things("prompt_case_results")
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
        with self._database.writing() as connection:
            for result in results:
                put(connection, _RESULTS, result.id, result)
            let_go(connection, _RESULTS, _RESULTS.c.updated, MOST)

    def results(self) -> list[Result]:
        """Return what came of test cases, the newest first; what cannot be read is left out."""
        return self._database.kept(_RESULTS, Result)
