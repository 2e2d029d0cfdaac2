"""Reading a judge's answer: the schema where it was kept, else prose, labels, fractions, lists; never raising, never guessing.

Where an answer gives no score, several, or one beyond the scale, the reading says what is wrong instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from magnet_core.reading import read_json
from magnet_core.scoring.items import Item


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says about one item."""

    value: float | None
    reason: str = ""
    turns: tuple[int, ...] = ()
    problem: str = ""
    """Why there is no value, in a sentence for the judge; empty when there is one."""


LONGEST = 20_000
"""How many characters of an answer are looked at."""

_SCORE_KEYS = ("score", "rating", "value", "grade")
_REASON_KEYS = ("reason", "explanation", "why", "rationale", "justification")
_WORDS = {w: n for n, w in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven"))}

_NUMBER = r"(?<![\w.,/])[-−]?\d+(?:\.\d+)?(?![\w/]|[.,]\d)"
_WORD = rf"\b(?:{'|'.join(_WORDS)})\b(?=[*_\s]*(?:$|[.,;:\n/)]|out of))"
_OF = r"(?:\s*(?:/|out of|of)\s*(?P<of>\d{1,4})\b)?"
_SCALE = re.compile(
    r"(?i)\(?\b(?:on|from|using)?\s*(?:a|the)?\s*\b(?:scale|range)\s*(?:of|from|is|:)?\s*\d\s*(?:-|–|to)\s*\d\)?"
    r"|\(\s*\d\s*(?:-|–|to)\s*\d\s*\)|\bfrom\s+\d\s+to\s+\d\b"
)
_TURNS = re.compile(
    r"(?i)\b(?:turns?|messages?|exchanges?)\s*(?:numbers?\s*)?#?((?:\d+(?:\s*(?:,|and|&|-|–|to)\s*)?)+)|\[(\d+)\]"
)
_COUNTED = re.compile(
    r"(?i)\b\d+\s*(?:%|percent|turns?|messages?|times|minutes?|sessions?|questions?|sentences?|weeks?|items?)\b"
)
_LABELLED = re.compile(
    r"(?i)(?:\b(?:score|rating)\b(?:\s+(?:is|of|would be|here is))?(?:[\s*_`\"':=>]|[-–](?=\s)){0,6}|\b(?:grade|value)[*_]*\s*[:=][\s*_]*)"
    rf"(?P<n>{_NUMBER}|{_WORD})(?P<tail>{_OF})"
)
_GIVEN = re.compile(
    rf"(?i)\b(?:give|gives|giving|award|assign|say|rate|rated|scores?|deserves?|merits?)\b(?:\s+(?:it|this|that|them|the|a|an|at|as|item|session|counsellor|counselor)\b){{0,4}}[\s*_]*(?P<n>{_NUMBER}|{_WORD})(?P<tail>{_OF})"
)
_LEADING = re.compile(
    rf"(?i)^[\s*_`\"'(\[#]*(?P<n>{_NUMBER})(?P<tail>{_OF})[*_`\"')\]]*\s*(?:points?\b)?\s*(?:$|[.,;:\n](?!\s*\d)|[–—-]|because\b|since\b|as\b|for\b)"
)
_FRACTION = re.compile(r"(?i)(?<![\w./])(?P<n>[-−]?\d+(?:\.\d+)?)\s*(?:/|out of)\s*(?P<of>\d{1,4})(?![\w/])")


def read_rating(text: str, item: Item) -> Reading:
    """Return what an answer says about one item."""
    body = spoken(text)
    data = read_json(body)
    if {str(key).lower() for key in data} & {*_SCORE_KEYS, *_REASON_KEYS, "turns"}:
        return _from_fields(data, item)
    if not body:
        return Reading(None, problem="it was empty.")
    score = _in_prose(body, item)
    reason = re.sub(r"^[\s.,;:–—-]+", "", _LEADING.sub("", body)).strip() if score.value is not None else body
    return Reading(score.value, squeeze(reason or body), turns_in(body), score.problem)


def read_ratings(text: str, items: Iterable[Item]) -> dict[str, Reading]:
    """Return what an answer says about each of several items that are named by words."""
    items = tuple(items)
    body = spoken(text)
    told = _by_word(read_json(body), items) if "{" in body else {}
    if not told:
        for line in body.splitlines():
            named = [item for item in items if re.search(rf"(?i)\b{item.key}\b", line)]
            if len(named) == 1 and named[0].key not in told:
                told[named[0].key] = line
    return {item.key: _one_of(told.get(item.key), item) for item in items}


def turns_in(text: str) -> tuple[int, ...]:
    """Return the turn numbers a text speaks of, in order, each once."""
    found: list[int] = []
    for match in _TURNS.finditer(text):
        found += [int(n) for n in re.findall(r"\d+", match.group(1) or match.group(2))[:12] if len(n) < 5]
    return tuple(dict.fromkeys(found))


def spoken(text: str) -> str:
    """Return an answer without what was only thought; what no answer needs, a cut-off rest, is left out."""
    said = re.sub(r"(?s)<think>.*?(?:</think>|\Z)", "", text)
    return re.sub(r"\n\s+", "\n", re.sub(r"[^\S\n]+", " ", said)).strip()[:LONGEST]


def _by_word(data: Mapping[str, Any], items: Iterable[Item]) -> dict[str, Any]:
    """Return what a JSON answer holds for each word: at the top, one level down, or in a list of objects that name theirs."""
    keys = {item.key for item in items}
    found: dict[str, Any] = {}
    nested = [value for value in data.values() if isinstance(value, (Mapping, list))]
    for group in (data, *nested):
        if isinstance(group, Mapping):
            found = {str(k).strip().lower(): v for k, v in group.items() if str(k).strip().lower() in keys} | found
        else:
            for entry in group:
                if isinstance(entry, Mapping):
                    named = [v.strip().lower() for v in entry.values() if isinstance(v, str) and v.strip().lower() in keys]
                    found |= {named[0]: entry} if named and named[0] not in found else {}
    return found


def _one_of(told: Any, item: Item) -> Reading:
    if told is None:
        return Reading(None, problem=f"it gave no score for {item.key}.")
    if isinstance(told, Mapping):
        return _from_fields(told, item)
    if isinstance(told, str):
        line = re.sub(rf"(?i)^[\s\d.)\-*]*[*_\"']*\b{item.key}\b[*_\"']*\s*[:,=–—-]*\s*", "", told)
        reading = _in_prose(line, item)
        if reading.value is None and (last := re.search(rf"(?P<n>{_NUMBER})(?P<tail>{_OF})[\s.*)]*$", line)):
            reading = _checked(last, item)
        return Reading(reading.value, squeeze(line), turns_in(line), reading.problem)
    return _from_fields({"score": told}, item)


def _from_fields(data: Mapping[str, Any], item: Item) -> Reading:
    fields = {str(key).lower(): value for key, value in data.items()}
    reason = next((squeeze(str(fields[key])) for key in _REASON_KEYS if fields.get(key) not in (None, "", [])), "")
    told = fields.get("turns", fields.get("turn", ()))
    listed = told if isinstance(told, (list, tuple)) else re.findall(r"\d+", str(told))
    turns = tuple(
        dict.fromkeys(
            int(n)
            for entry in listed
            if not isinstance(entry, bool)
            for n in re.findall(r"^[^\d\-]*(\d{1,4})(?!\d)", str(entry))
        )
    )
    given = next((fields[key] for key in _SCORE_KEYS if key in fields), None)
    if isinstance(given, Mapping):
        return _from_fields(given, item)
    if isinstance(given, str):
        score = _in_prose(given, item)
    elif isinstance(given, (int, float)) and not isinstance(given, bool):
        score = _in_range(given, item)
    else:
        score = Reading(None, problem="it held no score.")
    return Reading(score.value, reason, turns, score.problem)


def _in_prose(text: str, item: Item) -> Reading:
    """Return the one score that a text gives; what is only a turn, a count or the scale itself is no score."""
    body = _COUNTED.sub(" ", _TURNS.sub(" ", _SCALE.sub(" ", text)))
    listed = re.search(r"(?m)^\W{0,3}2[.)]\s", body) is not None
    for pattern in (_LABELLED, *(() if listed else (_LEADING,)), _FRACTION, _GIVEN):
        found = [_checked(match, item) for match in pattern.finditer(body)]
        values = {reading.value for reading in found if reading.value is not None}
        if len(values) > 1:
            return Reading(None, problem="it gave several scores.")
        if values:
            return Reading(values.pop())
        if found:
            return found[0]
    words = body.split()
    numbers = re.findall(_NUMBER, body)
    if len(numbers) == 1 and len(words) <= 12:
        return _in_range(_number(numbers[0]), item)
    if len(words) == 1 and (word := words[0].strip(".,!*_\"'").lower()) in _WORDS:
        return _in_range(_WORDS[word], item)
    return Reading(None, problem="it held no score that could be read.")


def _checked(match: re.Match[str], item: Item) -> Reading:
    parts = match.groupdict()
    if re.match(r"\s*(?:-|–|to\b|or\b)\s*\d", match.string[match.end() :]) or re.match(
        r"\s*(?:-|–)\s*\d", match.string[match.end("n") :]
    ):
        return Reading(None, problem="it gave a range, not one score.")
    of = parts.get("of")
    if of and int(of) != item.high:
        return Reading(None, problem=f"its score was out of {of}; the scale goes from {item.low} to {item.high}.")
    return _in_range(_number(parts["n"]), item)


def _number(text: str) -> float:
    return _WORDS[text.lower()] if text.lower() in _WORDS else float(text.replace("−", "-"))


def _in_range(value: float, item: Item) -> Reading:
    if not item.low <= value <= item.high:
        shown = f"{value:g}" if -1e6 < value < 1e6 else "no number on it"
        return Reading(None, problem=f"its score was {shown}; the scale goes from {item.low} to {item.high}.")
    return Reading(float(value))


def squeeze(text: str, limit: int = 1000) -> str:
    """Return a text on one line, cut to a length, without half characters that could not be stored."""
    words = " ".join(text.split()).encode("utf-8", "replace").decode()
    return words if len(words) <= limit else f"{words[: limit - 1]}…"
