"""The words a judge is told, as texts that can be changed one by one; an instrument in other words; and trials of them.

Each text is a `Prompt` with its words in `system`: "judge/…" for what all requests share, then an instrument's task, scale and items.
Items that two instruments have in common are one text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from magnet_core.agents import Agent
from magnet_core.domain import Prompt
from magnet_core.errors import PromptError
from magnet_core.guards import Answer, Problem
from magnet_core.lab import Remark, Trial, fields
from magnet_core.lab import lint as lint_text
from magnet_core.models import Message
from magnet_core.scoring.answers import Reading
from magnet_core.scoring.instruments import Sheet, Wording, points, sheets
from magnet_core.scoring.items import INSTRUMENTS
from magnet_core.scoring.judge import JUDGE, TEMPERATURE, Question, room

FRAME = "judge"
"""Begins the names of the texts that all judges' requests share."""

_FILLED: dict[str, frozenset[str]] = {
    f"{FRAME}/single": frozenset({"low", "high"}),
    f"{FRAME}/together": frozenset({"low", "high", "words"}),
    f"{FRAME}/again": frozenset({"problem"}),
}
"""The texts that are filled in, with their variables; all others are sent as they are."""
_POINT = re.compile(r"^\s*(\d{1,3})\s*:\s*(.*\S)\s*$")


@cache
def texts() -> dict[str, Prompt]:
    """Return every text a judge is told, in our words, by name."""
    return {name: prompt for one in sheets().values() for name, prompt in texts_of(one).items()}


def texts_of(sheet: Sheet) -> dict[str, Prompt]:
    """Return the texts of an instrument by name, in the order they are told. Of an own rubric, only the frame's."""
    found = {f"{FRAME}/{part}": getattr(sheet.frame, part) for part in ("system", "single", "together", "again")}
    if sheet.instrument in INSTRUMENTS:
        found[_task(sheet)] = sheet.task
        if sheet.scale:
            found[_scale(sheet)] = points(sheet.scale)
        for key, wording in sheet.wordings.items():
            found[_item(sheet, key)] = f"{wording.question}\n\n{points(wording.anchors)}".strip()
    return {name: Prompt(name=name, system=text) for name, text in found.items()}


def told_in(sheet: Sheet, items: Iterable[str]) -> list[str]:
    """Return the names of the texts that the request about some items is made of."""
    frame = [f"{FRAME}/system", f"{FRAME}/{'together' if sheet.together else 'single'}", f"{FRAME}/again"]
    keys = {_item(sheet, key) for key in items}
    own = [name for name in texts_of(sheet) if not name.startswith(f"{FRAME}/")]
    return [frame[0], *(n for n in own if n in (_task(sheet), _scale(sheet)) or n in keys), *frame[1:]]


def reworded(sheet: Sheet, own: Iterable[Prompt]) -> Sheet:
    """Return an instrument in other words; raise `PromptError` where a text leaves out what its scale needs."""
    words = {p.name: p.system for p in own}
    parts = ("system", "single", "together", "again")
    body = sheet.model_dump()
    body["frame"] |= {part: words[f"{FRAME}/{part}"] for part in parts if f"{FRAME}/{part}" in words}
    if sheet.instrument in INSTRUMENTS:
        body["task"] = words.get(_task(sheet), sheet.task)
        if sheet.scale and _scale(sheet) in words:
            body["scale"] = _points(words[_scale(sheet)])
        for key, wording in sheet.wordings.items():
            if (text := words.get(_item(sheet, key))) is not None:
                body["wordings"][key] = _wording(text, wording).model_dump()
    try:
        return Sheet.model_validate(body)
    except ValidationError as error:
        raise PromptError(f"{error.errors()[0]['msg'].removeprefix('Value error, ').capitalize()}.") from error


def lint(prompt: Prompt, ours: Prompt | None = None) -> list[Remark]:
    """Return what is amiss with a text, errors first, by the same rules as an agent's prompt and by those of its scale."""
    ours = ours or texts().get(prompt.name)
    found = lint_text(prompt, ours, _FILLED.get(prompt.name, frozenset()))
    if not any(remark.kind == "error" for remark in found):
        try:
            for sheet in sheets().values():
                reworded(sheet, [prompt])
        except PromptError as error:
            found.insert(0, Remark(kind="error", field="", text=str(error)))
    return [remark.model_copy(update={"field": ""}) for remark in found]


def usable(prompt: Prompt) -> Prompt:
    """Return the text; raise `PromptError` with what is amiss where it cannot be used."""
    if prompt.name not in texts():
        raise PromptError(f"There is no judges' text named {prompt.name!r}.")
    if errors := [remark.text for remark in lint(prompt) if remark.kind == "error"]:
        raise PromptError(f"The judges' text {prompt.name!r} cannot be used. {' '.join(errors)}")
    return prompt


def changed(own: Iterable[Prompt]) -> list[str]:
    """Return the names of those judges' texts whose words are not ours."""
    ours = texts()
    return [p.name for p in own if p.name in ours and fields(p) != fields(ours[p.name])]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTrial(Trial):
    """One question of an instrument, put to a judge several times; nothing of it is kept as a score."""

    asked: Question

    @property
    def agent(self) -> Agent[Any]:
        return Agent(
            name=JUDGE,
            read=self.asked.read,
            text=in_words,
            guards=(self._unread,),
            temperature=TEMPERATURE if self.repeats > 1 else 0.0,
            max_tokens=room(self.asked.sheet),
            schema=self.asked.sheet.schema(self.asked.items),
        )

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.asked.sheet.request(self.asked.session, self.asked.items)

    def _unread(self, answer: Answer) -> Problem | None:
        problem = next((r.problem for r in self.asked.read(answer.raw).values() if r.value is None), "")
        return Problem("unread", f"The score could not be read: {problem}") if problem else None


def in_words(readings: Mapping[str, Reading]) -> str:
    """Return what an answer gives: score and reason of one item, or the scores of several; empty where nothing was read."""
    there = {key: reading for key, reading in readings.items() if reading.value is not None}
    if len(readings) == 1:
        return "".join(f"Score {r.value:g}. {r.reason}".strip() for r in there.values())
    return ", ".join(f"{key} {r.value:g}" for key, r in there.items())


def _family(sheet: Sheet) -> str:
    return sheet.instrument.split("-")[0]


def _task(sheet: Sheet) -> str:
    """Return the name of an instrument's task; before and after a session the mood's are two."""
    return f"{sheet.instrument if _family(sheet) == 'panas' else _family(sheet)}/task"


def _scale(sheet: Sheet) -> str:
    return f"{_family(sheet)}/scale"


def _item(sheet: Sheet, key: str) -> str:
    return f"{_family(sheet)}/{key}"


def _wording(text: str, ours: Wording) -> Wording:
    """Return an item's question and the points below it; where the scale is the same for all items there are none."""
    lines = text.strip().splitlines()
    first = next((n for n, line in enumerate(lines) if _POINT.match(line)), len(lines)) if ours.anchors else len(lines)
    question = "\n".join(lines[:first]).strip()
    if not question:
        raise PromptError("The question is missing: write it above the points of the scale.")
    return Wording(question=question, anchors=_points("\n".join(lines[first:])))


def _points(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        match = _POINT.match(line)
        if match is None:
            raise PromptError(f"A point of the scale is a line such as “3: Plainly”; this is none: “{line.strip()[:60]}”.")
        if int(match[1]) in found:
            raise PromptError(f"Point {match[1]} of the scale is described twice.")
        found[int(match[1])] = match[2]
    return found
