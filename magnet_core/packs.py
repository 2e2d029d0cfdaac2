"""Prompt packs: named sets of prompts that differ from ours, their saved versions, and their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from magnet_core import profiles, prompts
from magnet_core.domain import Prompt, Session, Value
from magnet_core.errors import PromptError
from magnet_core.lab import changed, fields, lint, usable, with_own, wordings
from magnet_core.scoring.instruments import Sheet

FORMAT = "magnet-prompt-pack"
OURS_TITLE = "Ours, as shipped"
"""What our own prompts are called, which is no other pack's title."""
LARGEST = 2_000_000
"""Letters a file of a pack may have."""


class Pack(Value):
    """A named set of prompts; those it does not hold are ours."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)
    title: str = Field(min_length=1, max_length=80)
    prompts: tuple[Prompt, ...] = ()
    judges: tuple[Prompt, ...] = ()
    """Texts that judges are told, by the names of `lab.wordings`."""

    @property
    def texts(self) -> dict[str, Prompt]:
        """The whole set by name."""
        return with_own(self.prompts)

    @property
    def sha(self) -> str:
        """A short hash of the words it has in place of ours."""
        told = sorted((p.name, *fields(p).values()) for p in self.own)
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    @property
    def own(self) -> tuple[Prompt, ...]:
        """The prompts it has in place of ours."""
        return (*self.prompts, *self.judges)

    def holding(self, texts: Iterable[Prompt], rubrics: Iterable[Sheet] = ()) -> Pack:
        """Return the pack with prompts in place of those by their names; one with our words is not held.

        Nor is one with the words that one of the own `rubrics` was written with.
        """
        own = _different([*self.own, *texts], rubrics)
        return self.model_copy(
            update={
                "prompts": tuple(p for p in own if not wordings.is_judges(p.name)),
                "judges": tuple(p for p in own if wordings.is_judges(p.name)),
            }
        )


class Version(Value):
    """A prompt as it was saved once."""

    pack: str
    name: str
    number: int
    created: datetime
    note: str = ""
    prompt: Prompt


def pack_of(session: Session, packs: Iterable[Pack]) -> tuple[str, list[str]]:
    """Return the title of the pack a session was made with, and which of its prompts are not ours.

    The title is empty where all prompts are ours, or where no pack holds just these.
    """
    own = changed(session.prompts)
    found = pack_holding(session, packs) if own else None
    return found.title if found else "", own


def pack_holding(session: Session, packs: Iterable[Pack]) -> Pack | None:
    """Return the first pack whose words are those a session was made with; None where all are ours, or none says just these."""
    if not changed(session.prompts):
        return None
    for pack in packs:
        texts = pack.texts
        if pack.prompts and all(fields(texts[p.name]) == fields(p) for p in session.prompts if p.name in texts):
            return pack
    return None


def same_words(own: Iterable[Prompt], packs: Iterable[Pack]) -> Pack | None:
    """Return the first pack that holds just these words; `own` are those in place of ours."""
    words = _words(own)
    return next((pack for pack in packs if _words(pack.own) == words), None)


def _words(own: Iterable[Prompt]) -> set[tuple[str, ...]]:
    return {(p.name, *fields(p).values()) for p in own}


def pack_of_agents(title: str, texts: Iterable[Prompt]) -> Pack:
    """Return a pack that is kept nowhere, of those agents' prompts that differ from ours."""
    pack = Pack(id=slug(title), title=" ".join(title.split())[:80])
    return pack.holding(texts).model_copy(update={"judges": ()})


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
        of_judge = wordings.is_judges(prompt.name)
        check = wordings.lint if of_judge else lint
        errors = [remark.text for remark in check(prompt, original) if remark.kind == "error"]
        if original is None and not of_judge:
            left.append(f"There is no agent or frame named “{prompt.name}”.")
        elif errors:
            left.append(f"“{prompt.name}” cannot be used. {' '.join(errors)}")
        else:
            # where a prompt belongs is not for a file to say
            original = original or Prompt(name=prompt.name)
            found[prompt.name] = prompt.model_copy(update={"frame": original.frame, "follows": original.follows})
    if not found and left:
        raise PromptError(f"Nothing in the file can be used. {' '.join(left)}")
    title = data.get("title")
    return (title if isinstance(title, str) and title.strip() else "Imported prompts"), list(found.values()), left


def checked(prompt: Prompt) -> Prompt:
    """Return a prompt of an agent or a judge; raise `PromptError` when it cannot be used."""
    return wordings.usable(prompt) if wordings.is_judges(prompt.name) else usable(prompt)


def slug(title: str) -> str:
    """Return a title as an id: small letters, figures and hyphens."""
    return profiles.slug(title)[:60].strip("-") or "pack"


def _different(own: Iterable[Prompt], rubrics: Iterable[Sheet] = ()) -> list[Prompt]:
    """Return those prompts whose words are not ours; of several by one name, the last."""
    own = list({p.name: p for p in own}.values())
    names = {*changed(p for p in own if not wordings.is_judges(p.name)), *wordings.changed(own, rubrics)}
    return [p for p in own if p.name in names]
