"""The words judges are told, as texts that can be changed one by one: of the instruments, own rubrics, blind pairs, test cases.

Each text is a `Prompt` with its words in `system`: "judge/…" for what all rating requests share, then an instrument's task, scale
and items; "pairs/…" and "case/…" for the other judges. Items that two instruments have in common are one text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from pydantic import ValidationError

from magnet_core.domain import Prompt
from magnet_core.errors import PromptError
from magnet_core.lab.remarks import Remark
from magnet_core.lab.remarks import lint as lint_text
from magnet_core.lab.texts import fields
from magnet_core.scoring import expectation, pairs
from magnet_core.scoring.instruments import Sheet, Wording, points, sheets
from magnet_core.scoring.items import INSTRUMENTS
from magnet_core.scoring.rubrics import PREFIX

FRAME = "judge"
"""Begins the names of the texts that all judges' requests share."""

PAIRS, CASES = "pairs", "case"
"""Begin the names of what is told to the judge of blind pairs, and to that of test cases."""

_FRAME_PARTS = ("system", "single", "together", "again")
_PAIR_PARTS = ("system", "task", "answer", "again")
_CASE_PARTS = ("system", "ask")
_FILLED: dict[str, frozenset[str]] = {
    f"{FRAME}/single": frozenset({"low", "high"}),
    f"{FRAME}/together": frozenset({"low", "high", "words"}),
    f"{FRAME}/again": frozenset({"problem"}),
    f"{PAIRS}/answer": frozenset({"keys"}),
    f"{PAIRS}/again": frozenset({"problem"}),
    f"{CASES}/ask": frozenset({"question"}),
}
"""The texts that are filled in, with their variables; all others are sent as they are."""
_POINT = re.compile(r"^\s*(\d{1,3})\s*:\s*(.*\S)\s*$")
_OWN = re.compile(rf"^{PREFIX}[a-z0-9-]+/(task|question)$")


def texts(own: Iterable[Sheet] = ()) -> dict[str, Prompt]:
    """Return every text a judge is told, in our words, by name; those of own rubrics as these were written."""
    return {**_ours(), **{name: prompt for sheet in own for name, prompt in texts_of(sheet).items() if _OWN.match(name)}}


@cache
def _ours() -> Mapping[str, Prompt]:
    found = {name: prompt for one in sheets().values() for name, prompt in texts_of(one).items()}
    pair, case = pairs.words(), expectation.words()
    found |= {f"{PAIRS}/{part}": _text(f"{PAIRS}/{part}", getattr(pair, part)) for part in _PAIR_PARTS}
    return found | {f"{CASES}/{part}": _text(f"{CASES}/{part}", getattr(case, part)) for part in _CASE_PARTS}


def _text(name: str, words: str) -> Prompt:
    return Prompt(name=name, system=words)


def texts_of(sheet: Sheet) -> dict[str, Prompt]:
    """Return the texts of an instrument or an own rubric by name, in the order they are told."""
    found = {f"{FRAME}/{part}": getattr(sheet.frame, part) for part in _FRAME_PARTS}
    found[_task(sheet)] = sheet.task
    if sheet.scale:
        found[_scale(sheet)] = points(sheet.scale)
    for key, wording in sheet.wordings.items():
        found[_item(sheet, key)] = f"{wording.question}\n\n{points(wording.anchors)}".strip()
    return {name: _text(name, words) for name, words in found.items()}


def told_in(sheet: Sheet, items: Iterable[str]) -> list[str]:
    """Return the names of the texts that the request about some items is made of."""
    frame = [f"{FRAME}/system", f"{FRAME}/{'together' if sheet.together else 'single'}", f"{FRAME}/again"]
    keys = {_item(sheet, key) for key in items}
    own = [name for name in texts_of(sheet) if not name.startswith(f"{FRAME}/")]
    return [frame[0], *(n for n in own if n in (_task(sheet), _scale(sheet)) or n in keys), *frame[1:]]


def told_on_pairs() -> list[str]:
    """Return the names of the texts that the request about two sessions is made of."""
    return [f"{PAIRS}/{part}" for part in _PAIR_PARTS]


def told_on_cases() -> list[str]:
    """Return the names of the texts that the request about an answer in a test case is made of."""
    return [f"{CASES}/{part}" for part in _CASE_PARTS]


def variables(name: str) -> frozenset[str]:
    """Return the variables that are filled in in a text; none where it is sent as it is."""
    return _FILLED.get(name, frozenset())


def reworded(sheet: Sheet, own: Iterable[Prompt]) -> Sheet:
    """Return an instrument in other words; raise `PromptError` where a text leaves out what its scale needs."""
    words = {p.name: p.system for p in own}
    body = sheet.model_dump()
    body["frame"] |= {part: words[f"{FRAME}/{part}"] for part in _FRAME_PARTS if f"{FRAME}/{part}" in words}
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


def pair_words(own: Iterable[Prompt] = ()) -> pairs.Words:
    """Return what the judge of blind pairs is told, with other texts in the place of ours."""
    return pairs.words().model_copy(update=_parts_of(PAIRS, own))


def case_words(own: Iterable[Prompt] = ()) -> expectation.Words:
    """Return what the judge of a test case is told, with other texts in the place of ours."""
    return expectation.words().model_copy(update=_parts_of(CASES, own))


def _parts_of(family: str, own: Iterable[Prompt]) -> dict[str, str]:
    return {p.name.partition("/")[2]: p.system for p in own if p.name.startswith(f"{family}/")}


def is_judges(name: str) -> bool:
    """Tell whether a text by that name is a judge's: one of ours, or one of an own rubric."""
    return name in _ours() or _OWN.match(name) is not None


def rates_sessions(name: str) -> bool:
    """Tell whether a text is told to the judges who rate sessions, not to those of blind pairs or test cases."""
    return is_judges(name) and name.partition("/")[0] not in (PAIRS, CASES)


def lint(prompt: Prompt, ours: Prompt | None = None, own: Iterable[Sheet] = ()) -> list[Remark]:
    """Return what is amiss with a text, errors first, by the same rules as an agent's prompt and by those of its scale.

    `own` are the own rubrics; what their scales need is only known where they are given.
    """
    ours = ours or texts(own).get(prompt.name)
    found = lint_text(prompt, ours, variables(prompt.name))
    if not any(remark.kind == "error" for remark in found):
        try:
            for sheet in (*sheets().values(), *own):
                reworded(sheet, [prompt])
            if ours is None and prompt.name.endswith("/question"):
                _wording(prompt.system, _ANY)
        except PromptError as error:
            found.insert(0, Remark(kind="error", field="", text=str(error)))
    return [remark.model_copy(update={"field": ""}) for remark in found]


def usable(prompt: Prompt) -> Prompt:
    """Return the text; raise `PromptError` with what is amiss where it cannot be used."""
    if not is_judges(prompt.name):
        raise PromptError(f"There is no judges' text named {prompt.name!r}.")
    if errors := [remark.text for remark in lint(prompt) if remark.kind == "error"]:
        raise PromptError(f"The judges' text {prompt.name!r} cannot be used. {' '.join(errors)}")
    return prompt


def changed(own: Iterable[Prompt], rubrics: Iterable[Sheet] = ()) -> list[str]:
    """Return the names of those judges' texts whose words are not ours, or not those that an own rubric was written with."""
    ours = texts(rubrics)
    return [p.name for p in own if is_judges(p.name) and (p.name not in ours or fields(p) != fields(ours[p.name]))]


_ANY = Wording(question="Any?", anchors={0: "None", 1: "All"})


def _family(sheet: Sheet) -> str:
    """Return how the names of an instrument's texts begin; those that two have in common are one text."""
    return sheet.instrument.split("-")[0] if sheet.instrument in INSTRUMENTS else sheet.instrument


def _task(sheet: Sheet) -> str:
    """Return the name of an instrument's task; before and after a session the mood's are two."""
    return f"{sheet.instrument if _family(sheet) == 'panas' else _family(sheet)}/task"


def _scale(sheet: Sheet) -> str:
    return f"{_family(sheet)}/scale"


def _item(sheet: Sheet, key: str) -> str:
    return f"{_family(sheet)}/{key if sheet.instrument in INSTRUMENTS else 'question'}"


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
