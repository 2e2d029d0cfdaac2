"""The pairs of the library that are to be compared, and what raters said about them.

Every change of a review is a row of its own and the newest one counts, so that taking the last change back brings the former state.
Reviews under another form are other reviews. A reason without an answer waits as a draft.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, Float, Integer, String, Table, Text, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.domain import Session, Value
from magnet_core.scoring.aspects import Half, Pair, Place, Review
from magnet_core.scoring.queue import half_of
from magnet_core.store.database import TABLES, Database, readable
from magnet_core.store.entries import SESSIONS, batches
from magnet_core.store.entries import TURNS as SAID

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
    Column("form", String(64), nullable=False, server_default=""),
    Column("body", Text, nullable=False),
)
_DRAFTS = Table(
    "review_drafts",
    TABLES,
    Column("rater", String(200), primary_key=True),
    Column("pair", String(64), primary_key=True),
    Column("question", String(64), primary_key=True),
    Column("text", Text, nullable=False),
)


class Undone(Value):
    """A change that was taken back."""

    pair: str
    before: Review
    """The review with the change."""
    after: Review | None
    """The review without it; None where nothing had been said before."""


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
        return self._pairs(_PAIRS.c.deleted.is_(None))

    def take_out(self, ids: Iterable[str]) -> None:
        """Take pairs out of the queue; what was said about them is kept and is there again with the pair."""
        with self._database.writing() as connection:
            for id in ids:
                connection.execute(update(_PAIRS).where(_PAIRS.c.id == id).values(deleted=time.time()))

    def taken_out(self) -> list[Pair]:
        """Return the pairs that were taken out of the queue, the oldest first."""
        return self._pairs(_PAIRS.c.deleted.is_not(None))

    def lost(self, pairs: Collection[Pair]) -> set[str]:
        """Return which of some pairs cannot be shown any more, since one of their sessions is not in the library."""
        ids = sorted({half.session for pair in pairs for half in (pair.one, pair.two)})
        there: set[str] = set()
        with self._database.reading() as connection:
            for some in batches(ids):
                kept = select(SESSIONS.c.id).where(SESSIONS.c.id.in_(some), SESSIONS.c.deleted.is_(None))
                there |= set(connection.execute(kept).scalars())
        return {pair.id for pair in pairs if not {pair.one.session, pair.two.session} <= there}

    def save(self, *reviews: Review) -> bool:
        """Keep reviews as they stand now, all or none, and how they stood before as well; tell whether that is a change."""
        return self._database.write(lambda connection: sum(_save(connection, review) for review in reviews) > 0, ATTEMPTS)

    def change(self, start: Review, change: Callable[[Review], Review]) -> Review:
        """Apply one change to a review as it stands now, whoever wrote it last; return what it comes to.

        `start` says which review is meant, and how it begins where nothing has been said yet.
        """
        return self._database.write(partial(_change, start=start, change=change), ATTEMPTS)

    def undo(self, rater: str, form: str, pairs: Collection[str]) -> Undone | None:
        """Take the last change that a person made to any of some pairs back; None where there is none."""
        own = (_REVIEWS.c.rater == rater) & (_REVIEWS.c.kind == "person") & (_REVIEWS.c.form == form)
        newest = select(_REVIEWS.c.pair, _REVIEWS.c.flipped, _REVIEWS.c.change).where(own)
        newest = newest.order_by(_REVIEWS.c.created.desc(), _REVIEWS.c.change.desc())
        with self._database.writing() as connection:
            last = next((row for row in connection.execute(newest).all() if row.pair in pairs), None)
            if last is None:
                return None
            this = own & (_REVIEWS.c.pair == last.pair) & (_REVIEWS.c.flipped == last.flipped)
            this &= _REVIEWS.c.change == last.change
            before = Review.model_validate_json(connection.execute(select(_REVIEWS.c.body).where(this)).scalar_one())
            connection.execute(delete(_REVIEWS).where(this))
            return Undone(pair=last.pair, before=before, after=_newest(connection, before))

    def review(self, like: Review) -> Review | None:
        """Return how the review stands that is about the same pair, by the same rater in the same order and under the same form."""
        with self._database.reading() as connection:
            return _newest(connection, like)

    def reviews(self, rater: str | None = None) -> list[Review]:
        """Return how all reviews stand (of one person, if one is named), the oldest begun first."""
        key = [_REVIEWS.c[name] for name in ("pair", "kind", "rater", "flipped", "form")]
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

    def raters(self) -> list[str]:
        """Return the pseudonyms of all people who have said anything."""
        with self._database.reading() as connection:
            return sorted(
                connection.execute(select(_REVIEWS.c.rater).where(_REVIEWS.c.kind == "person").distinct()).scalars()
            )

    def changed(self, rater: str) -> float:
        """Return when a person's newest change was made; 0 where there is none."""
        with self._database.reading() as connection:
            newest = select(func.max(_REVIEWS.c.created)).where(_REVIEWS.c.rater == rater, _REVIEWS.c.kind == "person")
            return connection.execute(newest).scalar_one() or 0.0

    def active(self) -> dict[str, float]:
        """Return when each person made their newest change."""
        newest = select(_REVIEWS.c.rater, func.max(_REVIEWS.c.created)).where(_REVIEWS.c.kind == "person")
        with self._database.reading() as connection:
            rows = connection.execute(newest.group_by(_REVIEWS.c.rater)).all()
            return {row[0]: row[1] for row in rows}

    def times(self) -> dict[Place, dict[str, datetime]]:
        """Return when each verdict came to be as it is now, by review and question: a changed reason is a change."""
        every = select(_REVIEWS.c.created, _REVIEWS.c.body).order_by(_REVIEWS.c.change)
        before: dict[Place, Review] = {}
        found: dict[Place, dict[str, datetime]] = {}
        with self._database.reading() as connection:
            rows = connection.execute(every).all()
        for row in rows:
            if not (review := readable(Review, row.body)):
                continue
            held = before[review.place].verdicts if review.place in before else {}
            when, earlier = datetime.fromtimestamp(row.created, UTC), found.get(review.place, {})
            found[review.place] = {
                key: earlier[key] if held.get(key) == verdict else when for key, verdict in review.verdicts.items()
            }
            before[review.place] = review
        return found

    def draft(self, rater: str, pair: str, question: str, text: str) -> None:
        """Keep words that are not given yet, a reason without an answer or a comment; empty ones are taken away."""
        own = (_DRAFTS.c.rater == rater) & (_DRAFTS.c.pair == pair) & (_DRAFTS.c.question == question)

        def write(connection: Connection) -> None:
            connection.execute(delete(_DRAFTS).where(own))
            if text:
                connection.execute(insert(_DRAFTS).values(rater=rater, pair=pair, question=question, text=text))

        self._database.write(write)

    def drafts(self, rater: str, pair: str) -> dict[str, str]:
        """Return a rater's words about a pair that are not given yet, by question or by what they are a comment on."""
        wanted = select(_DRAFTS.c.question, _DRAFTS.c.text).where(_DRAFTS.c.rater == rater, _DRAFTS.c.pair == pair)
        with self._database.reading() as connection:
            return {row.question: row.text for row in connection.execute(wanted)}

    def _pairs(self, which: Any) -> list[Pair]:
        wanted = select(_PAIRS.c.body).where(which).order_by(_PAIRS.c.created, _PAIRS.c.id)
        with self._database.reading() as connection:
            return [pair for body in connection.execute(wanted).scalars() if (pair := readable(Pair, body))]


def bring_up_to_date(connection: Connection) -> None:
    """Fill in what pairs and reviews of an earlier version do not say: how sessions were made, how long they are, and the form."""
    for id, body in connection.execute(select(_PAIRS.c.id, _PAIRS.c.body).where(~_PAIRS.c.body.contains('"words"'))).all():
        if pair := readable(Pair, body):
            body = _made(connection, pair).model_dump_json()
            connection.execute(update(_PAIRS).where(_PAIRS.c.id == id).values(body=body))
    for row in connection.execute(select(_REVIEWS).where(_REVIEWS.c.form == "")).all():
        if review := readable(Review, row.body):
            this = _own(review) & (_REVIEWS.c.change == row.change)
            connection.execute(update(_REVIEWS).where(this).values(form=review.form))


def _made(connection: Connection, pair: Pair) -> Pair:
    """Return a pair with all that its sessions recorded of how they were made; where one cannot be read, that half is as it is."""
    one, two = _session(connection, pair.one), _session(connection, pair.two)
    known = one or two
    return Pair(
        id=pair.id,
        client=pair.client,
        attitude=known.profile.attitude.value if known else pair.attitude,
        one=half_of(one) if one else pair.one,
        two=half_of(two) if two else pair.two,
    )


def _session(connection: Connection, half: Half) -> Session | None:
    head = connection.execute(select(SESSIONS.c.head).where(SESSIONS.c.id == half.session)).scalar_one_or_none()
    bodies = select(SAID.c.body).where(SAID.c.session_id == half.session).order_by(SAID.c.number)
    turns = [json.loads(body) for body in connection.execute(bodies).scalars()]
    return readable(Session, json.dumps(json.loads(head) | {"turns": turns})) if head else None


def _save(connection: Connection, review: Review) -> bool:
    return _changed(connection, review, lambda _: review)[1]


def _change(connection: Connection, start: Review, change: Callable[[Review], Review]) -> Review:
    return _changed(connection, start, change)[0]


def _changed(connection: Connection, start: Review, change: Callable[[Review], Review]) -> tuple[Review, bool]:
    """Write what a change makes of a review as it stands; return it, and whether it is another."""
    # the number is read first: where another program writes in between, ours is taken, and all this is done again
    last = connection.execute(select(func.max(_REVIEWS.c.change)).where(_own(start))).scalar_one()
    newest = _newest(connection, start)
    changed = change(newest or start)
    if changed == (newest or start) and (newest or not changed.says):
        return changed, False
    row = {
        "pair": changed.pair,
        "kind": changed.kind,
        "rater": changed.rater,
        "flipped": int(changed.flipped),
        "change": (last or 0) + 1,
        "created": time.time(),
        "form": changed.form,
        "body": changed.model_dump_json(),
    }
    connection.execute(insert(_REVIEWS).values(row))
    return changed, True


def _newest(connection: Connection, like: Review) -> Review | None:
    newest = (
        select(_REVIEWS.c.body).where(_own(like), _REVIEWS.c.form == like.form).order_by(_REVIEWS.c.change.desc()).limit(1)
    )
    body = connection.execute(newest).scalar_one_or_none()
    return readable(Review, body) if body is not None else None


def _own(review: Review) -> Any:
    return (
        (_REVIEWS.c.pair == review.pair)
        & (_REVIEWS.c.kind == review.kind)
        & (_REVIEWS.c.rater == review.rater)
        & (_REVIEWS.c.flipped == int(review.flipped))
    )
