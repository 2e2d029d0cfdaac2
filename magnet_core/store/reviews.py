"""The pairs of the library that are to be compared, and what raters said about them.

Every change of a review is a row of its own and the newest one counts, so that taking the last change back brings the former state.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import Column, Float, Integer, String, Table, Text, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.scoring.aspects import Pair, RaterKind, Review
from magnet_core.store.database import TABLES, Database, readable

ATTEMPTS = 20
"""How often a change is tried while another program writes the same review."""

_PAIRS = Table(
    "review_pairs",
    TABLES,
    Column("id", String(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)
_REVIEWS = Table(
    "reviews",
    TABLES,
    Column("pair", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("rater", String(200), primary_key=True),
    Column("flipped", Integer, primary_key=True, autoincrement=False),
    Column("change", Integer, primary_key=True, autoincrement=False),
    Column("created", Float, nullable=False),
    Column("body", Text, nullable=False),
)


class Reviews:
    """The pairs and reviews; every method raises `StoreError` with a sentence when they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_pairs(self, pairs: Iterable[Pair]) -> int:
        """Put pairs into the queue; return how many are new there. A pair that was taken out is back."""
        new = 0
        with self._database.writing() as connection:
            for pair in pairs:
                known = connection.execute(select(_PAIRS.c.deleted).where(_PAIRS.c.id == pair.id)).one_or_none()
                if known is None:
                    row = {"id": pair.id, "created": time.time(), "deleted": None, "body": pair.model_dump_json()}
                    connection.execute(insert(_PAIRS).values(row))
                elif known.deleted is not None:
                    connection.execute(update(_PAIRS).where(_PAIRS.c.id == pair.id).values(deleted=None))
                new += known is None or known.deleted is not None
        return new

    def pairs(self) -> list[Pair]:
        """Return the pairs of the queue, the oldest first."""
        kept = select(_PAIRS.c.body).where(_PAIRS.c.deleted.is_(None)).order_by(_PAIRS.c.created, _PAIRS.c.id)
        with self._database.reading() as connection:
            return [pair for body in connection.execute(kept).scalars() if (pair := readable(Pair, body))]

    def take_out(self, ids: Iterable[str]) -> None:
        """Take pairs out of the queue; what was said about them is kept and is there again with the pair."""
        with self._database.writing() as connection:
            for id in ids:
                connection.execute(update(_PAIRS).where(_PAIRS.c.id == id).values(deleted=time.time()))

    def save(self, review: Review) -> bool:
        """Keep a review as it stands now, and how it stood before as well; tell whether that is a change."""
        return self._database.write(partial(_save, review=review), ATTEMPTS)

    def undo(self, pair: str, rater: str, kind: RaterKind, flipped: bool) -> bool:
        """Take the last change of a review back; tell whether there was one."""
        own = _own(pair, rater, kind, flipped)
        with self._database.writing() as connection:
            last = connection.execute(select(func.max(_REVIEWS.c.change)).where(own)).scalar_one()
            if last is None:
                return False
            connection.execute(delete(_REVIEWS).where(own, _REVIEWS.c.change == last))
        return True

    def review(self, pair: str, rater: str, kind: RaterKind, flipped: bool) -> Review | None:
        """Return how a review stands; None where nothing has been said."""
        own = _own(pair, rater, kind, flipped)
        newest = select(_REVIEWS.c.body).where(own).order_by(_REVIEWS.c.change.desc()).limit(1)
        with self._database.reading() as connection:
            body = connection.execute(newest).scalar_one_or_none()
        return readable(Review, body) if body is not None else None

    def reviews(self, rater: str | None = None) -> list[Review]:
        """Return how all reviews stand (of one person, if one is named), the oldest begun first."""
        key = [_REVIEWS.c[name] for name in ("pair", "kind", "rater", "flipped")]
        last = select(*key, func.max(_REVIEWS.c.change).label("last")).group_by(*key).subquery()
        wanted = select(_REVIEWS.c.body).join(
            last,
            (_REVIEWS.c.pair == last.c.pair)
            & (_REVIEWS.c.kind == last.c.kind)
            & (_REVIEWS.c.rater == last.c.rater)
            & (_REVIEWS.c.flipped == last.c.flipped)
            & (_REVIEWS.c.change == last.c.last),
        )
        if rater is not None:
            wanted = wanted.where(_REVIEWS.c.rater == rater, _REVIEWS.c.kind == "person")
        with self._database.reading() as connection:
            found = [review for body in connection.execute(wanted).scalars() if (review := readable(Review, body))]
        return sorted(found, key=lambda review: (review.created, review.pair, review.rater, review.flipped))


def _save(connection: Connection, review: Review) -> bool:
    own = _own(review.pair, review.rater, review.kind, review.flipped)
    body = review.model_dump_json()
    newest = select(_REVIEWS.c.change, _REVIEWS.c.body).where(own).order_by(_REVIEWS.c.change.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    if last is not None and last.body == body:
        return False
    row = {
        "pair": review.pair,
        "kind": review.kind,
        "rater": review.rater,
        "flipped": int(review.flipped),
        "change": 1 if last is None else last.change + 1,
        "created": time.time(),
        "body": body,
    }
    connection.execute(insert(_REVIEWS).values(row))
    return True


def _own(pair: str, rater: str, kind: RaterKind, flipped: bool) -> Any:
    return (
        (_REVIEWS.c.pair == pair)
        & (_REVIEWS.c.kind == kind)
        & (_REVIEWS.c.rater == rater)
        & (_REVIEWS.c.flipped == int(flipped))
    )
