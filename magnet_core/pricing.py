"""Own prices, kept in the same database as the library: they go before the shipped list where both know a model's day."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError
from sqlalchemy import Column, Float, MetaData, String, Table, Text, delete, insert, select

from magnet_core.costs import Price, Prices, shipped
from magnet_core.store import Store

_TABLES = MetaData()
_PRICES = Table(
    "prices",
    _TABLES,
    Column("model", String(200), primary_key=True),
    Column("since", String(10), primary_key=True),
    Column("input", Float, nullable=False),
    Column("cached", Float),
    Column("output", Float, nullable=False),
    Column("source", Text, nullable=False, server_default=""),
)


class PriceBook:
    """The price list of a library; raises `StoreError` with a sentence when it cannot be read or written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.writing() as connection:
            _TABLES.create_all(connection)

    def own(self) -> list[Price]:
        """Return the own entries by model, the oldest first."""
        with self._store.reading() as connection:
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
        with self._store.writing() as connection:
            connection.execute(delete(_PRICES))
            if rows:
                connection.execute(insert(_PRICES), list(rows.values()))
