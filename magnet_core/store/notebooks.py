"""The unsaved drafts of the lab, a notebook a browser session, so that neither a reload nor a closed window loses them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import delete, select

from magnet_core.domain import Value
from magnet_core.lab.drafts import Notebook
from magnet_core.store.database import Database, put, readable, things

_NOTEBOOKS = things("prompt_drafts")
DAYS = 60
"""How long drafts that nobody has touched are kept."""


class Left(Value):
    """Drafts that a browser session left, and when."""

    notebook: Notebook
    written: datetime


class Notebooks:
    """The notebooks; every method raises `StoreError` where they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, notebook: Notebook) -> None:
        """Keep a notebook under its id, and let go of those that are old."""
        with self._database.writing() as connection:
            put(connection, _NOTEBOOKS, notebook.id, notebook)
            connection.execute(delete(_NOTEBOOKS).where(_NOTEBOOKS.c.updated < time.time() - DAYS * 86_400))

    def of(self, id: str) -> Notebook | None:
        """Return a notebook by its id."""
        with self._database.reading() as connection:
            body = connection.execute(select(_NOTEBOOKS.c.body).where(_NOTEBOOKS.c.id == id)).scalar()
        return readable(Notebook, body) if body else None

    def newest(self, *, but: str = "") -> Left | None:
        """Return the notebook written last that holds drafts, other than one's own and those taken up since."""
        there = _NOTEBOOKS.c.deleted.is_(None) & (_NOTEBOOKS.c.id != but)
        wanted = select(_NOTEBOOKS).where(there).order_by(_NOTEBOOKS.c.updated.desc()).limit(20)
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        for row in rows:
            if (notebook := readable(Notebook, row.body)) and notebook.drafts:
                return Left(notebook=notebook, written=datetime.fromtimestamp(row.updated, UTC))
        return None

    def take_up(self, id: str) -> None:
        """Mark a notebook as gone on with elsewhere; it can still be opened by its id."""
        self._database.take_out(_NOTEBOOKS, id, "notebook of drafts")
