"""The own rubrics of the library."""

from __future__ import annotations

from magnet_core.scoring.rubrics import Rubric
from magnet_core.store.database import Database, things

_RUBRICS = things("rubrics")


class Rubrics:
    """The own rubrics; every method raises `StoreError` with a sentence when they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, rubric: Rubric) -> None:
        """Keep an own rubric under its id, in place of what is there; a deleted one is back. Its scorecards stay."""
        self._database.keep(_RUBRICS, rubric.id, rubric)

    def all(self) -> list[Rubric]:
        """Return the own rubrics, the latest changed first; those that cannot be read are left out."""
        return self._database.kept(_RUBRICS, Rubric)

    def state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to the own rubrics: who has read them need not read them again."""
        return self._database.state(_RUBRICS.c.updated, _RUBRICS.c.deleted.is_(None))

    def delete(self, id: str) -> None:
        """Take an own rubric out of the list; what was scored with it stays."""
        self._database.take_out(_RUBRICS, id, "rubric")
