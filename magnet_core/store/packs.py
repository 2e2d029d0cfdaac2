"""The prompt packs of the library, and every saved version of their prompts.

A version never changes: to restore one is to save it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Column, Float, Integer, String, Table, Text, func, insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.domain import Prompt
from magnet_core.errors import StoreError
from magnet_core.lab import fields, wordings
from magnet_core.packs import OURS_TITLE, Pack, Version, checked, slug
from magnet_core.scoring.instruments import Sheet
from magnet_core.scoring.rubrics import Rubric
from magnet_core.store.database import TABLES, Database, readable, things

_PACKS = things("prompt_packs")
_VERSIONS = Table(
    "prompt_versions",
    TABLES,
    Column("pack", String(80), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created", Float, nullable=False),
    Column("note", Text, nullable=False),
    Column("body", Text, nullable=False),
)


class Packs:
    """The packs and their versions; every method raises `StoreError` where they cannot be read or written."""

    def __init__(self, database: Database, rubrics: Callable[[], list[Rubric]] = list) -> None:
        """Begin to keep packs; `rubrics` returns the own rubrics, whose words are no more in a pack than ours."""
        self._database, self._rubrics = database, rubrics

    def packs(self) -> list[Pack]:
        """Return the packs, the latest changed first; those that cannot be read are left out."""
        return self._database.kept(_PACKS, Pack)

    def state(self) -> tuple[float, ...]:
        """Return figures that differ after every change to the packs: who has read them need not read them again."""
        return self._database.state(_PACKS.c.updated, _PACKS.c.deleted.is_(None))

    def new(self, title: str, texts: Iterable[Prompt] = (), note: str = "") -> Pack:
        """Keep a new pack with those of the prompts that differ from ours; each is its first version there.

        A title that another pack has gets a number.
        """
        title = _clean(title)
        pack = Pack(id=slug(title), title=title).holding([checked(p) for p in texts], self._sheets())
        with self._database.writing() as connection:
            taken = set(connection.execute(select(_PACKS.c.id)).scalars())
            pack = pack.model_copy(update={"id": _free(pack.id, taken), "title": _apart(title, self._titles(connection))})
            row = {"id": pack.id, "updated": time.time(), "deleted": None, "body": pack.model_dump_json()}
            connection.execute(insert(_PACKS).values(row))
            for prompt in pack.own:
                _add(connection, pack.id, prompt, note)
        return pack

    def save(self, pack_id: str, texts: Sequence[Prompt], note: str = "") -> Pack:
        """Keep prompts in a pack, each as a new version where its words are not those that stand there; return the pack.

        A prompt with our words leaves the pack. Raises `PromptError` for one that cannot be used.
        """
        for prompt in texts:
            checked(prompt)
        sheets = self._sheets()
        with self._database.writing() as connection:
            pack = _there(connection, pack_id)
            now = pack.texts | wordings.texts(sheets) | {p.name: p for p in pack.judges}
            new = [p for p in texts if p.name not in now or fields(p) != fields(now[p.name])]
            for prompt in new:
                _add(connection, pack_id, prompt, note)
            pack = pack.holding(new, sheets)
            _replace(connection, pack)
        return pack

    def rename(self, pack_id: str, title: str) -> Pack:
        """Give a pack another title; return it. A title that another pack has gets a number."""
        with self._database.writing() as connection:
            pack = _there(connection, pack_id)
            pack = pack.model_copy(update={"title": _apart(_clean(title), self._titles(connection, but=pack_id))})
            _replace(connection, pack)
        return pack

    def delete(self, pack_id: str) -> None:
        """Take a pack out of the list; sessions made with it keep its words. `bring_back` undoes it."""
        self._database.take_out(_PACKS, pack_id, "prompt pack")

    def bring_back(self, pack_id: str) -> None:
        """Put a deleted pack into the list again."""
        self._database.put_back(_PACKS, pack_id, "prompt pack")

    def versions(self, pack_id: str, name: str) -> list[Version]:
        """Return the saved versions of a prompt in a pack, the newest first."""
        own = (_VERSIONS.c.pack == pack_id) & (_VERSIONS.c.name == name)
        with self._database.reading() as connection:
            rows = connection.execute(select(_VERSIONS).where(own).order_by(_VERSIONS.c.number.desc())).all()
        return [
            Version(
                pack=row.pack,
                name=row.name,
                number=row.number,
                created=datetime.fromtimestamp(row.created, UTC),
                note=row.note,
                prompt=prompt,
            )
            for row in rows
            if (prompt := readable(Prompt, row.body))
        ]

    def _titles(self, connection: Connection, but: str = "") -> set[str]:
        there = _PACKS.c.deleted.is_(None) & (_PACKS.c.id != but)
        bodies = connection.execute(select(_PACKS.c.body).where(there)).scalars()
        return {OURS_TITLE.casefold()} | {pack.title.casefold() for body in bodies if (pack := readable(Pack, body))}

    def _sheets(self) -> list[Sheet]:
        return [rubric.sheet for rubric in self._rubrics()]


def _there(connection: Connection, pack_id: str) -> Pack:
    """Return a pack, held until it is written again; raise `StoreError` where there is none that can be read."""
    own = (_PACKS.c.id == pack_id) & _PACKS.c.deleted.is_(None)
    body = connection.execute(select(_PACKS.c.body).where(own).with_for_update()).scalar()
    pack = readable(Pack, body) if body else None
    if pack is None:
        raise StoreError(f"There is no prompt pack {pack_id!r} in the library.")
    return pack


def _replace(connection: Connection, pack: Pack) -> None:
    new = {"body": pack.model_dump_json(), "updated": time.time()}
    connection.execute(update(_PACKS).where(_PACKS.c.id == pack.id).values(new))


def _add(connection: Connection, pack_id: str, prompt: Prompt, note: str) -> None:
    """Keep a prompt as the next version there."""
    own = (_VERSIONS.c.pack == pack_id) & (_VERSIONS.c.name == prompt.name)
    last = connection.execute(select(func.max(_VERSIONS.c.number)).where(own)).scalar() or 0
    row = {
        "pack": pack_id,
        "name": prompt.name,
        "number": last + 1,
        "created": time.time(),
        "note": " ".join(note.split())[:200],
        "body": prompt.model_dump_json(),
    }
    connection.execute(insert(_VERSIONS).values(row))


def _free(id: str, taken: set[str]) -> str:
    return next(free for n in range(1, len(taken) + 3) if (free := id if n == 1 else f"{id}-{n}") not in taken)


def _clean(title: str) -> str:
    return " ".join(title.split())[:80] or "My prompts"


def _apart(title: str, taken: set[str]) -> str:
    """Return a title that no other pack has: with a number where one has it."""
    named = (title if n == 1 else f"{title[:74]} ({n})" for n in range(1, len(taken) + 3))
    return next(free for free in named if free.casefold() not in taken)
