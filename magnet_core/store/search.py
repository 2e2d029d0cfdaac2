"""Words looked for in the sessions of the library: where they stand, and what stands around them."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import Table, or_, select, tuple_
from sqlalchemy.engine import Connection

from magnet_core.domain import Session, Turn, Value
from magnet_core.store.entries import (
    SESSIONS,
    TURNS,
    Entry,
    batches,
    entries_of,
    head_words,
    of_this_version,
    turn_words,
)

QUOTED = 160
"""Characters of a text that a found session quotes."""

_PHRASE = re.compile(r'"([^"]+)"|([^\s"]+)')


class Found(Value):
    """A session whose text holds the words looked for."""

    entry: Entry
    turn: int
    """The first turn that holds them; 0 for the opening, the plan, the title, the tags or the client."""
    quote: str
    """The words with what stands around them."""
    places: int
    """In how many turns they stand."""


def search(connection: Connection, words: str, limit: int) -> list[Found]:
    """Return the sessions in whose text all these words stand, the latest worked on first; quoted words stand together."""
    wanted = [one for pair in _PHRASE.findall(words.casefold()) if (one := " ".join("".join(pair).split()))]
    if not wanted:
        return []
    places = _places(connection, wanted)
    entries = sorted(entries_of(connection, places), key=lambda entry: entry.updated, reverse=True)[:limit]
    said = _said(connection, {entry.id: places[entry.id][0] for entry in entries})
    return [_found(entry, places[entry.id], said.get(entry.id, ""), wanted) for entry in entries]


def _places(connection: Connection, wanted: list[str]) -> dict[str, list[int]]:
    """Return the turns that hold any of the words, by the sessions in which all of them stand; 0 is the head."""
    heads = select(SESSIONS.c.id, SESSIONS.c.title, SESSIONS.c.tags, SESSIONS.c.words)
    turns = select(TURNS.c.session_id, TURNS.c.number, TURNS.c.words).where(or_(*(_holds(TURNS, w) for w in wanted)))
    told: dict[str, list[tuple[int, str]]] = {}
    for id, title, tags, said in connection.execute(heads.where(SESSIONS.c.deleted.is_(None))):
        told[id] = [(0, f"{title}\n{' '.join(json.loads(tags))}\n{said}".casefold())]
    for id, number, said in connection.execute(turns.order_by(TURNS.c.number)):
        if id in told:
            told[id].append((number, said))
    return {id: own for id, texts in told.items() if (own := _matching(texts, wanted))}


def _holds(table: Table, words: str) -> Any:
    escaped = re.sub(r"([\\%_])", r"\\\1", words)
    return table.c.words.like(f"%{escaped}%", escape="\\")


def _matching(told: list[tuple[int, str]], wanted: list[str]) -> list[int]:
    """Return in which turns any of the words stand, if all of them stand somewhere."""
    if not all(any(words in said for _, said in told) for words in wanted):
        return []
    return [number for number, said in told if any(words in said for words in wanted)]


def _said(connection: Connection, places: dict[str, int]) -> dict[str, str]:
    """Return what is written in one turn of each session, or in its head where the turn is 0."""
    said: dict[str, str] = {}
    for ids in batches([id for id, turn in places.items() if not turn]):
        for id, head in connection.execute(select(SESSIONS.c.id, SESSIONS.c.head).where(SESSIONS.c.id.in_(ids))):
            with of_this_version(id):
                said[id] = head_words(Session.model_validate_json(head))
    for ids in batches([id for id, turn in places.items() if turn], size=250):
        spots = tuple_(TURNS.c.session_id, TURNS.c.number).in_([(id, places[id]) for id in ids])
        for id, body in connection.execute(select(TURNS.c.session_id, TURNS.c.body).where(spots)):
            with of_this_version(id):
                said[id] = turn_words(Turn.model_validate_json(body))
    return said


def _found(entry: Entry, places: list[int], said: str, wanted: list[str]) -> Found:
    """Quote a session's first place that holds the words."""
    own = said if places[0] else f"{entry.title}\n{', '.join(entry.tags)}\n{said}"
    return Found(entry=entry, turn=places[0], quote=_quote(own, wanted), places=len(places))


def _quote(said: str, wanted: list[str]) -> str:
    """Return a stretch of text around the first of the words, at the ends of words."""
    line = " ".join(said.split())
    found = [place.start() for words in wanted if (place := re.search(re.escape(words), line, re.I))]
    start = max(0, min(found, default=0) - QUOTED // 3)
    start = line.find(" ", start) + 1 if start else 0
    end = start + QUOTED
    cut = line[start:end] if end >= len(line) else line[start:end].rpartition(" ")[0] or line[start:end]
    return f"{'…' if start else ''}{cut}{'…' if start + len(cut) < len(line) else ''}"
