"""The library's own prices: they go before the shipped list where both know a model's day."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError
from sqlalchemy import Column, Float, String, Table, Text, delete, insert, select

from magnet_core.costs import Price, Prices, shipped
from magnet_core.store.database import TABLES, Database

_PRICES = Table(
    "prices",
    TABLES,
    Column("model", String(200), primary_key=True),
    Column("since", String(10), primary_key=True),
    Column("input", Float, nullable=False),
    Column("cached", Float),
    Column("output", Float, nullable=False),
    Column("source", Text, nullable=False, server_default=""),
)


class PriceBook:
    """The price list of a library; every method raises `StoreError` with a sentence when it cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def own(self) -> list[Price]:
        """Return the own entries by model, the oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(select(_PRICES).order_by(_PRICES.c.model, _PRICES.c.since)).all()
        prices: list[Price] = []
        for row in found:
            try:
                prices.append(Price.model_validate(dict(row._mapping)))
            except ValidationError:
                continue
        return prices

    def all(self) -> Prices:
        """Return the shipped list with the own entries over it."""
        return shipped().over(self.own())

    def keep(self, entries: Iterable[Price]) -> None:
        """Keep these own entries in place of all that were there."""
        rows = {(p.model, p.since): p.model_dump() | {"since": p.since.isoformat()} for p in entries}
        with self._database.writing() as connection:
            connection.execute(delete(_PRICES))
            if rows:
                connection.execute(insert(_PRICES), list(rows.values()))
