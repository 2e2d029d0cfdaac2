"""A client profile as a flat list of named fields, and back: what forms, tables and comparisons of profiles share.

Fields are named by their place in the profile, as in "intake.age"; titles and other names are data (`knowledge/fields.yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import ValidationError

from magnet_core.domain import Attitude, CbtTechnique, ClientProfile, Value
from magnet_core.errors import ProfileError
from magnet_core.knowledge import read
from magnet_core.profiles import slug

Content = str | int | tuple[str, ...]
"""What a field holds."""


class Field(Value):
    """A field of a client profile."""

    name: str
    """Its place in the profile, as in "conceptualisation.situation"."""
    title: str
    section: str
    kind: Literal["text", "number", "list"] = "text"
    also: tuple[str, ...] = ()
    """Other names for it in files and forms."""


@cache
def fields() -> dict[str, Field]:
    """Return all fields by name, in the order of the form."""
    return {name: Field(name=name, **about) for name, about in read("fields.yaml").items()}


def field_named(label: str) -> Field | None:
    """Return the field that a heading, column or key means; None when it means none."""
    return _names().get(_plain(label)) or _names().get(_plain(label.rpartition(".")[2]))


@cache
def _names() -> dict[str, Field]:
    known = fields().values()
    return {
        **{_plain(own): field for field in known for own in (field.name, field.title, field.name.rpartition(".")[2])},
        **{_plain(other): field for field in known for other in field.also},
    }


def _plain(label: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(re.findall(r"[a-z0-9]+", words.lower())).removeprefix("ai client ")


def flat(profile: ClientProfile) -> dict[str, Content]:
    """Return what a profile's fields hold, by name; empty fields are left out."""
    found: dict[str, Content] = {}
    for name in fields():
        value: Any = profile
        for part in name.split("."):
            value = getattr(value, part, None)
        if value not in (None, "", ()):
            found[name] = (
                tuple(map(str, value)) if isinstance(value, tuple) else value if isinstance(value, int) else str(value)
            )
    return found


def missing(profile: ClientProfile) -> tuple[str, ...]:
    """Return the names of the fields that hold nothing."""
    held = flat(profile)
    return tuple(name for name in fields() if name not in held)


def build(values: Mapping[str, Any], *, id: str = "", source: str = "", gaps: tuple[str, ...] = ()) -> ClientProfile:
    """Return the profile with these field contents; what cannot be read is left out and named in its `gaps`.

    The opening pair stands in where it is not given. Raises `ProfileError` when there is no name, or no use in the rest.
    """
    notes, data = list(gaps), dict[str, Any]()
    for name, content in values.items():
        value = _read(fields()[name], content, notes)
        if value not in (None, "", ()):
            place = data
            *way, last = name.split(".")
            for part in way:
                place = place.setdefault(part, {})
            place[last] = value
    intake = data.setdefault("intake", {})
    if not intake.get("name"):
        raise ProfileError("The profile gives no name.")
    opening, first_name = data.setdefault("opening", {}), intake["name"].split()[0]
    if not opening.get("counsellor"):
        opening["counsellor"] = f"Hello {first_name}, I'm glad you're here. What brings you today?"
        notes.append("The counsellor's greeting is missing; a plain one stands in for it.")
    if not opening.get("client"):
        situation = data.get("conceptualisation", {}).get("situation")
        told = {
            "reason for counselling": intake.get("reason"),
            "situation": situation,
            "presenting problem": intake.get("presenting_problem"),
        }
        stand_in = next((name for name, text in told.items() if text), "")
        opening["client"] = told.get(stand_in) or "I am not sure where to begin."
        notes.append(
            f"The client's first line is missing; {f'the {stand_in}' if stand_in else 'a plain one'} stands in for it."
        )
    data.setdefault("source", source)
    attitude = data.setdefault("attitude", Attitude.NEUTRAL.value)
    own_id = slug(id) or f"{slug(intake['name']) or 'client'}-{attitude}"
    try:
        return ClientProfile.model_validate({"id": own_id, "gaps": tuple(dict.fromkeys(notes)), **data})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'profile'}: {e['msg']}" for e in error.errors()[:4])
        raise ProfileError(f"{faults}.") from error


def _read(field: Field, content: Any, notes: list[str]) -> Any:
    """Return a field's content as the profile holds it; None, with a note, where it cannot be read."""
    if content in (None, "", (), []):
        return None
    if field.name == "attitude":
        found = re.search(r"positive|neutral|negative", str(content).lower())
        if not found:
            notes.append(f"The attitude {str(content)[:40]!r} is not known; neutral was taken.")
        return found.group() if found else None
    if field.kind == "number":
        number = read_number(field, content)
        if number is None:
            low, high = _range(field)
            notes.append(f"{field.title} {str(content)[:40]!r} is not a number from {low} to {high}; it was left out.")
        return number
    if field.kind == "list":
        items = [content] if isinstance(content, str) else list(content)
        found_items = tuple(text for item in items if (text := str(item).strip()))
        return _techniques(found_items, notes) if field.name == "calls_for" else found_items
    return str(content).strip()


def read_number(field: Field, content: Any) -> int | None:
    """Return the age, or the strength from 0 to 100, that a text gives; "8/10" is 80."""
    low, high = _range(field)
    caught = re.search(r"(?<![\d.-])(\d{1,3})(?![\d])(?:[.,]\d+)?(?:\s*(?:/|out of)\s*(10|ten)\b)?", str(content), re.I)
    number = int(caught.group(1)) * (10 if caught.group(2) and high == 100 else 1) if caught else None
    return number if number is not None and low <= number <= high else None


def _range(field: Field) -> tuple[int, int]:
    return (5, 120) if field.name == "intake.age" else (0, 100)


def _techniques(names: tuple[str, ...], notes: list[str]) -> tuple[CbtTechnique, ...]:
    known = {technique.value.lower(): technique for technique in CbtTechnique}
    notes += [f"The label {name!r} is not one of the twelve techniques." for name in names if name.lower() not in known]
    return tuple(dict.fromkeys(known[name.lower()] for name in names if name.lower() in known))
