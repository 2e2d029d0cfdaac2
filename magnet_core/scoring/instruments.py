"""What a judge is told about each instrument: read from YAML, checked against the items, laid out for one request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from magnet_core import prompts
from magnet_core.domain import Session, Value
from magnet_core.errors import PromptError
from magnet_core.models import Message
from magnet_core.profiles import intake_text
from magnet_core.scoring.items import INSTRUMENTS, Instrument, Item

FOLDER = prompts.FOLDER / "instruments"

_FILES: dict[Instrument, str] = {
    "ctrs": "ctrs",
    "ctrs-11": "ctrs",
    "wai": "wai",
    "panas-before": "panas",
    "panas-after": "panas",
}


class Frame(Value):
    """The words that all judges' requests share."""

    system: str
    single: str
    """How to answer about one item."""
    together: str
    """How to answer about several items at once."""
    again: str
    """Said when an answer could not be used."""
    follows: str = ""


class Wording(Value):
    """What is asked about one item, and what the points of its scale mean."""

    question: str = Field(min_length=1)
    anchors: dict[int, str] = Field(default_factory=dict)


class Sheet(Value):
    """One instrument as a judge is given it."""

    instrument: Instrument
    title: str
    note: str = ""
    """What a reader of its scores should know."""
    follows: str = ""
    """Which facts of the paper it follows, and where it departs from them."""
    task: str
    scale: dict[int, str] = Field(default_factory=dict)
    """What the points mean, where that is the same for all items."""
    items: tuple[Item, ...]
    wordings: dict[str, Wording] = Field(default_factory=dict)
    """By the item's key; none where the items are words, asked about all at once."""
    form: bool = False
    """Whether the client's intake form is shown."""
    dialogue: bool = True
    """Whether the session is shown."""
    frame: Frame

    @property
    def together(self) -> bool:
        """Tell whether one request asks about all items."""
        return not self.wordings

    @property
    def sha(self) -> str:
        """A short hash of everything a judge is told, the session apart."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        keys = {item.key for item in self.items}
        if self.wordings and (odd := keys ^ set(self.wordings)):
            raise ValueError(f"its items do not fit: {', '.join(sorted(odd))}")
        for item in self.items:
            wording = self.wordings.get(item.key)
            points = set((wording.anchors if wording else {}) or self.scale)
            if not {item.low, item.high} <= points <= set(range(item.low, item.high + 1)):
                raise ValueError(f"the scale of {item.key} must describe {item.low}, {item.high} and nothing beyond them")
        return self

    def request(self, session: Session, items: tuple[Item, ...], problem: str = "") -> tuple[Message, ...]:
        """Return the messages that ask about some items: what all requests about a session share comes first."""
        words: list[str] = []
        if self.dialogue:
            words.append(f"Transcript:\n{numbered(session)}")
        if self.form:
            words.append(f"Intake form:\n{intake_text(session.profile.intake)}")
        words.append(self.task)
        if self.scale:
            words.append(points(self.scale))
        for item in items:
            if wording := self.wordings.get(item.key):
                words += [wording.question, points(wording.anchors)]
        ask = self.frame.together if self.together else self.frame.single
        names = ", ".join(item.key for item in items)
        words.append(_fill(ask, low=str(items[0].low), high=str(items[0].high), words=names))
        if problem:
            words.append(_fill(self.frame.again, problem=problem))
        return (
            Message("system", self.frame.system.strip()),
            Message("user", "\n\n".join(w.strip() for w in words if w.strip())),
        )

    def schema(self, items: tuple[Item, ...]) -> dict[str, Any]:
        """Return the JSON schema of an answer: the evidence before the score, so that the score follows from it."""
        if self.together:
            return _object({item.key: _answer(item, 3, 160) for item in items})
        return _answer(items[0], 6, 400)


@cache
def sheets(folder: Path = FOLDER) -> dict[Instrument, Sheet]:
    """Return the instruments by name; raise `PromptError` for a file that does not fit."""
    return {instrument: _sheet(folder, instrument) for instrument in INSTRUMENTS}


def sheet(instrument: str) -> Sheet:
    """Return one instrument; raise `PromptError` for one that does not exist."""
    found = sheets()
    if instrument not in found:
        raise PromptError(f"There is no instrument {instrument!r}; there are {', '.join(found)}.")
    return found[instrument]


@cache
def frame(folder: Path = FOLDER) -> Frame:
    """Return the words that all judges' requests share."""
    return Frame.model_validate(yaml.safe_load((folder / "judge.yaml").read_text(encoding="utf-8")))


def numbered(session: Session) -> str:
    """Return the dialogue with each message's turn in brackets, 0 for the opening pair."""
    return "\n".join(f"[{n // 2}] {said.speaker.capitalize()}: {said.text}" for n, said in enumerate(session.transcript))


def _sheet(folder: Path, instrument: Instrument) -> Sheet:
    path = folder / f"{_FILES[instrument]}.yaml"
    items = INSTRUMENTS[instrument]
    try:
        data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        wordings = dict(data.pop("items", {}))
        if instrument == "ctrs":
            wordings = {key: text for key, text in wordings.items() if key in {item.key for item in items}}
        task = data.pop("task")
        return Sheet.model_validate(
            data
            | {
                "instrument": instrument,
                "items": items,
                "wordings": wordings,
                "task": task[instrument] if isinstance(task, Mapping) else task,
                "form": instrument.startswith("panas"),
                "dialogue": instrument != "panas-before",
                "frame": frame(folder),
            }
        )
    except (OSError, yaml.YAMLError, ValidationError, KeyError, TypeError, AttributeError) as error:
        raise PromptError(f"The instrument file {path.name} cannot be used for {instrument}: {error}") from error


def points(anchors: Mapping[int, str]) -> str:
    """Return the points of a scale with what they mean, a line each."""
    return "\n".join(f"{point}: {text}" for point, text in sorted(anchors.items()))


def _fill(text: str, **values: str) -> str:
    return Template(text).safe_substitute(values)


def _answer(item: Item, turns: int, letters: int) -> dict[str, Any]:
    return _object(
        {
            "turns": {"type": "array", "items": {"type": "integer"}, "maxItems": turns},
            "reason": {"type": "string", "maxLength": letters},
            "score": {"type": "integer", "enum": list(range(item.low, item.high + 1))},
        }
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
