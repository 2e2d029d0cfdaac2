"""Prompt packs: named sets of prompts that differ from ours, every saved version of them, and the test cases of the lab.

They are kept in the library's database, beside the sessions. A version never changes: to restore one is to save it again.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import Field, ValidationError
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, func, insert, select, update

from magnet_core import prompts
from magnet_core.domain import Prompt, Session, Value
from magnet_core.errors import PromptError, StoreError
from magnet_core.lab import Case, changed, fields, lint, usable, with_own
from magnet_core.scoring import wordings
from magnet_core.store import Store

FORMAT = "magnet-prompt-pack"
LARGEST = 2_000_000
"""Letters a file of a pack may have."""

_TABLES = MetaData()
_PACKS = Table(
    "prompt_packs",
    _TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)
_VERSIONS = Table(
    "prompt_versions",
    _TABLES,
    Column("pack", String(80), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created", Float, nullable=False),
    Column("note", Text, nullable=False),
    Column("body", Text, nullable=False),
)
_CASES = Table(
    "prompt_cases",
    _TABLES,
    Column("id", String(80), primary_key=True),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("body", Text, nullable=False),
)


class Pack(Value):
    """A named set of prompts; those it does not hold are ours."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)
    title: str = Field(min_length=1, max_length=80)
    prompts: tuple[Prompt, ...] = ()
    judges: tuple[Prompt, ...] = ()
    """Texts that judges are told, by the names of `scoring.wordings`."""

    @property
    def judge_texts(self) -> dict[str, Prompt]:
        """Every text a judge is told, by name."""
        return wordings.texts() | {p.name: p for p in self.judges}

    @property
    def texts(self) -> dict[str, Prompt]:
        """The whole set by name."""
        return with_own(self.prompts)

    @property
    def sha(self) -> str:
        """A short hash of the words it has in place of ours."""
        told = sorted((p.name, *fields(p).values()) for p in (*self.prompts, *self.judges))
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


class Version(Value):
    """A prompt as it was saved once."""

    pack: str
    name: str
    number: int
    created: datetime
    note: str = ""
    prompt: Prompt


class Packs:
    """The packs, versions and test cases in a library; every method raises `StoreError` where it cannot be read or written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.writing() as connection:
            _TABLES.create_all(connection)

    def packs(self) -> list[Pack]:
        """Return the packs, the latest changed first; those that cannot be read are left out."""
        wanted = select(_PACKS.c.body).where(_PACKS.c.deleted.is_(None)).order_by(_PACKS.c.updated.desc(), _PACKS.c.id)
        with self._store.reading() as connection:
            return [p for body in connection.execute(wanted).scalars() if (p := _read(Pack, body))]

    def new_pack(self, title: str, texts: Iterable[Prompt] = (), note: str = "") -> Pack:
        """Keep a new pack with those of the prompts that differ from ours; each is its first version there."""
        title = " ".join(title.split())[:80] or "My prompts"
        own = _different(_usable(p) for p in texts)
        with self._store.writing() as connection:
            taken = set(connection.execute(select(_PACKS.c.id)).scalars())
            first = _slug(title)
            id = next(i for n in range(1, len(taken) + 3) if (i := first if n == 1 else f"{first}-{n}") not in taken)
            pack = Pack(id=id, title=title, **_parted(own))
            connection.execute(insert(_PACKS).values(id=id, updated=time.time(), deleted=None, body=pack.model_dump_json()))
            for prompt in own:
                _add(connection, id, prompt, note)
        return pack

    def save(self, pack_id: str, texts: Sequence[Prompt], note: str = "") -> Pack:
        """Keep prompts in a pack, each as a new version where its words are not those that stand there; return the pack.

        A prompt with our words leaves the pack. Raises `PromptError` for one that cannot be used.
        """
        for prompt in texts:
            _usable(prompt)
        with self._store.writing() as connection:
            own = (_PACKS.c.id == pack_id) & _PACKS.c.deleted.is_(None)
            row = connection.execute(select(_PACKS.c.body).where(own).with_for_update()).one_or_none()
            pack = _read(Pack, row.body) if row else None
            if pack is None:
                raise StoreError(f"There is no prompt pack {pack_id!r} in the library.")
            now = pack.texts | pack.judge_texts
            new = [p for p in texts if fields(p) != fields(now[p.name])]
            for prompt in new:
                _add(connection, pack_id, prompt, note)
            kept = {p.name: p for p in (*pack.prompts, *pack.judges)} | {p.name: p for p in new}
            pack = pack.model_copy(update=_parted(_different(kept.values())))
            connection.execute(update(_PACKS).where(own).values(body=pack.model_dump_json(), updated=time.time()))
        return pack

    def delete(self, pack_id: str) -> None:
        """Take a pack out of the list; sessions made with it keep its words."""
        self._mark(_PACKS, pack_id, "prompt pack")

    def versions(self, pack_id: str, name: str) -> list[Version]:
        """Return the saved versions of a prompt in a pack, the newest first."""
        own = (_VERSIONS.c.pack == pack_id) & (_VERSIONS.c.name == name)
        with self._store.reading() as connection:
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
            if (prompt := _read(Prompt, row.body))
        ]

    def save_case(self, case: Case) -> None:
        """Keep a test case under its id."""
        row = {"id": case.id, "updated": time.time(), "deleted": None, "body": case.model_dump_json()}
        with self._store.writing() as connection:
            if connection.execute(update(_CASES).where(_CASES.c.id == case.id).values(row)).rowcount == 0:
                connection.execute(insert(_CASES).values(row))

    def cases(self) -> list[Case]:
        """Return the test cases, the latest changed first; those that cannot be read are left out."""
        wanted = select(_CASES.c.body).where(_CASES.c.deleted.is_(None)).order_by(_CASES.c.updated.desc(), _CASES.c.id)
        with self._store.reading() as connection:
            return [case for body in connection.execute(wanted).scalars() if (case := _read(Case, body))]

    def delete_case(self, id: str) -> None:
        self._mark(_CASES, id, "test case")

    def _mark(self, table: Table, id: str, what: str) -> None:
        there = (table.c.id == id) & table.c.deleted.is_(None)
        with self._store.writing() as connection:
            if not connection.execute(update(table).where(there).values(deleted=time.time())).rowcount:
                raise StoreError(f"There is no {what} {id!r} in the library.")


def case_id() -> str:
    return secrets.token_hex(6)


def pack_of(session: Session, packs: Iterable[Pack]) -> tuple[str, list[str]]:
    """Return the title of the pack a session was made with, and which of its prompts are not ours.

    The title is empty where all prompts are ours, or where no pack holds just these.
    """
    own = changed(session.prompts)
    if not own:
        return "", []
    for pack in packs:
        texts = pack.texts
        if pack.prompts and all(fields(texts[p.name]) == fields(p) for p in session.prompts if p.name in texts):
            return pack.title, own
    return "", own


def pack_of_agents(title: str, texts: Iterable[Prompt]) -> Pack:
    """Return a pack that is kept nowhere, of those agents' prompts that differ from ours."""
    return Pack(id=_slug(title), title=" ".join(title.split())[:80], prompts=_parted(_different(texts))["prompts"])


def to_file(pack: Pack) -> str:
    """Return a pack as one JSON file."""
    body: dict[str, Any] = {"format": FORMAT, "version": 1, "title": pack.title}
    body["prompts"] = [p.model_dump() for p in pack.prompts]
    if pack.judges:
        body["judges"] = [p.model_dump(include={"name", "system"}) for p in pack.judges]
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def from_file(text: str) -> tuple[str, list[Prompt], list[str]]:
    """Return title and prompts of a pack's file, and a sentence for each prompt that was left out.

    Raises `PromptError` when the file is no pack, or nothing in it can be used.
    """
    if len(text) > LARGEST:
        raise PromptError("The file is too large for a prompt pack.")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PromptError("The file is not JSON, so it is no prompt pack.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("prompts"), list):
        raise PromptError(f"The file is no prompt pack: it does not say it has the format {FORMAT!r}.")
    if data.get("version") != 1:
        raise PromptError("The prompt pack was written by a later version of this program.")
    judges = data.get("judges", [])
    if not isinstance(judges, list):
        raise PromptError("The file is no prompt pack: its judges' texts are no list.")
    ours, found, left = prompts.load() | wordings.texts(), {}, []
    for number, one in enumerate([*data["prompts"], *judges], 1):
        try:
            prompt = Prompt.model_validate(one)
        except ValidationError as error:
            left.append(f"Entry {number} is no prompt: {error.errors()[0]['msg']}.")
            continue
        original = ours.get(prompt.name)
        check = wordings.lint if prompt.name in wordings.texts() else lint
        errors = [remark.text for remark in check(prompt, original) if remark.kind == "error"]
        if original is None:
            left.append(f"There is no agent or frame named “{prompt.name}”.")
        elif errors:
            left.append(f"“{prompt.name}” cannot be used. {' '.join(errors)}")
        else:
            # where a prompt belongs is not for a file to say
            found[prompt.name] = prompt.model_copy(update={"frame": original.frame, "follows": original.follows})
    if not found and left:
        raise PromptError(f"Nothing in the file can be used. {' '.join(left)}")
    title = data.get("title")
    return (title if isinstance(title, str) and title.strip() else "Imported prompts"), list(found.values()), left


def _usable(prompt: Prompt) -> Prompt:
    return wordings.usable(prompt) if prompt.name in wordings.texts() else usable(prompt)


def _different(own: Iterable[Prompt]) -> list[Prompt]:
    """Return those prompts whose words are not ours; of several by one name, the last."""
    own = list({p.name: p for p in own}.values())
    judges = wordings.texts()
    names = {*changed(p for p in own if p.name not in judges), *wordings.changed(own)}
    return [p for p in own if p.name in names]


def _parted(own: Sequence[Prompt]) -> dict[str, tuple[Prompt, ...]]:
    """Return prompts as a pack holds them: the agents' and the judges'."""
    judges = wordings.texts()
    return {
        "prompts": tuple(p for p in own if p.name not in judges),
        "judges": tuple(p for p in own if p.name in judges),
    }


def _add(connection: Any, pack_id: str, prompt: Prompt, note: str) -> None:
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


def _read(kind: Any, body: str) -> Any:
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        return None


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:60].strip("-") or "pack"
