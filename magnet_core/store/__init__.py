"""The library: sessions, and what is kept beside them, in a SQLite file by default, in PostgreSQL by URL.

A database of an earlier version is brought up to date in place when it is opened.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete
from sqlalchemy.engine import Connection

from magnet_core.spending import Sum
from magnet_core.store.cards import Cards
from magnet_core.store.cases import Cases
from magnet_core.store.clients import CLIENTS, Clients
from magnet_core.store.database import TABLES, Database, add_columns
from magnet_core.store.entries import SESSIONS, Entry, fill
from magnet_core.store.experiments import Experiments, Past
from magnet_core.store.ledger import Ledger
from magnet_core.store.notebooks import Notebooks
from magnet_core.store.packs import Packs
from magnet_core.store.prices import PriceBook
from magnet_core.store.reviews import Reviews, bring_up_to_date
from magnet_core.store.rubrics import Rubrics
from magnet_core.store.search import Found
from magnet_core.store.sessions import Planned, Sessions
from magnet_core.store.setups import Setup, Setups

__all__ = [
    "Cards",
    "Cases",
    "Clients",
    "Entry",
    "Experiments",
    "Found",
    "Ledger",
    "Notebooks",
    "Packs",
    "Past",
    "Planned",
    "PriceBook",
    "Reviews",
    "Rubrics",
    "Setup",
    "Setups",
    "Store",
    "Sum",
]


class Store(Sessions):
    """The library of sessions at a database URL, and what is kept beside them; safe to use from several threads and programs.

    Every method raises `StoreError` with a sentence for the user when the database cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        database = Database(url)
        with database.writing() as connection:
            fill(connection, add_columns(connection))
            TABLES.create_all(connection)
            bring_up_to_date(connection)
        super().__init__(database)
        self.clients = Clients(database)
        self.cards = Cards(database)
        self.rubrics = Rubrics(database)
        self.packs = Packs(database, self.rubrics.all)
        self.cases = Cases(database)
        self.notebooks = Notebooks(database)
        self.experiments = Experiments(database)
        self.reviews = Reviews(database)
        self.prices = PriceBook(database)
        self.ledger = Ledger(database)
        self.setups = Setups(database)

    def purge(self, before: datetime | None = None) -> int:
        """Remove for good the sessions and clients that are deleted (or were before a time); return how many sessions."""

        def gone(table: Table) -> Any:
            old = table.c.deleted.is_not(None)
            return old if before is None else old & (table.c.deleted < before.timestamp())

        with self._database.writing() as connection:
            connection.execute(delete(CLIENTS).where(gone(CLIENTS)))
            return connection.execute(delete(SESSIONS).where(gone(SESSIONS))).rowcount

    def writing(self) -> AbstractContextManager[Connection]:
        """Give a connection to write to the database with; what is written there is written whole or not at all."""
        return self._database.writing()

    def close(self) -> None:
        """Let go of all connections; the store opens new ones when it is used again."""
        self._database.close()
