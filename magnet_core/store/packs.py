"""The prompt packs of the library, every saved version of their prompts, and the test cases of the lab.

A version never changes: to restore one is to save it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Column, Float, Integer, String, Table, Text, func, insert, select, update
from sqlalchemy.engine import Connection

from magnet_core.domain import Prompt
from magnet_core.errors import StoreError
from magnet_core.lab import Case, fields
from magnet_core.packs import Pack, Version, checked, slug
from magnet_core.store.database import TABLES, Database, readable

_PACKS = Table(
    "prompt_packs",
    TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)
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
_CASES = Table(
    "prompt_cases",
    TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)


class Packs:
    """The packs, versions and test cases; every method raises `StoreError` where they cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def packs(self) -> list[Pack]:
        """Return the packs, the latest changed first; those that cannot be read are left out."""
        return self._database.kept(_PACKS, Pack)

    def new(self, title: str, texts: Iterable[Prompt] = (), note: str = "") -> Pack:
        """Keep a new pack with those of the prompts that differ from ours; each is its first version there."""
        title = " ".join(title.split())[:80] or "My prompts"
        pack = Pack(id=slug(title), title=title).holding(checked(p) for p in texts)
        with self._database.writing() as connection:
            taken = set(connection.execute(select(_PACKS.c.id)).scalars())
            pack = pack.model_copy(update={"id": _free(pack.id, taken)})
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
        with self._database.writing() as connection:
            own = (_PACKS.c.id == pack_id) & _PACKS.c.deleted.is_(None)
            row = connection.execute(select(_PACKS.c.body).where(own).with_for_update()).one_or_none()
            pack = readable(Pack, row.body) if row else None
            if pack is None:
                raise StoreError(f"There is no prompt pack {pack_id!r} in the library.")
            now = pack.texts | pack.judge_texts
            new = [p for p in texts if fields(p) != fields(now[p.name])]
            for prompt in new:
                _add(connection, pack_id, prompt, note)
            pack = pack.holding(new)
            connection.execute(update(_PACKS).where(own).values(body=pack.model_dump_json(), updated=time.time()))
        return pack

    def delete(self, pack_id: str) -> None:
        """Take a pack out of the list; sessions made with it keep its words."""
        self._database.take_out(_PACKS, pack_id, "prompt pack")

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

    def save_case(self, case: Case) -> None:
        """Keep a test case under its id."""
        self._database.keep(_CASES, case.id, case)

    def cases(self) -> list[Case]:
        """Return the test cases, the latest changed first; those that cannot be read are left out."""
        return self._database.kept(_CASES, Case)

    def delete_case(self, id: str) -> None:
        """Take a test case out of the list."""
        self._database.take_out(_CASES, id, "test case")


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
