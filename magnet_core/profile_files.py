"""Files of client profiles: read in any of four shapes with an account of what became of every entry, and written as JSON or CSV.

Shapes: our own JSON, rows of the MAGneT/CACTUS list, cognitive conceptualisations as PATIENT-Psi keeps them (and any other JSON
whose keys name fields), and CSV tables whose columns name fields.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from magnet_core.domain import ClientProfile, Value
from magnet_core.errors import ProfileError
from magnet_core.finding import tidy
from magnet_core.knowledge import read
from magnet_core.profile_fields import Content, build, field_named, fields, flat
from magnet_core.profiles import client_information, read_intake, read_profile, slug, with_own_ids

LARGEST = 20_000_000
"""Bytes of the largest file that is read."""
MOST = 5000
"""The most profiles that one file may hold."""
OWN = "No other source or licence is named for this client."
"""The licence note of a client that no import brought in."""
Shape = Literal["ours", "row", "conceptualisation", "csv"]


class Mapped(Value):
    """An entry of the file, and the field it went to."""

    key: str
    field: str


class Dropped(Value):
    """An entry of the file that has no place in a profile, or was not taken."""

    key: str
    reason: str


class MappingReport(Value):
    """What became of one profile in a file."""

    profile_id: str
    name: str
    shape: Shape
    mapped: tuple[Mapped, ...] = ()
    missing: tuple[str, ...] = ()
    """Fields that the file gave nothing for, whether they are empty now or something stands in."""
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    """What was mended or stands in, a sentence each."""


class Import(Value):
    """The profiles of some files, a report for each, and a sentence for everything that could not be read."""

    profiles: tuple[ClientProfile, ...] = ()
    reports: tuple[MappingReport, ...] = ()
    problems: tuple[str, ...] = ()


def read_files(files: Iterable[tuple[str, bytes]]) -> Import:
    """Return what files, given by name and content, hold; what cannot be read is named with its reason, the rest goes in."""
    found, problems = list[tuple[ClientProfile, MappingReport]](), list[str]()
    for name, raw in files:
        try:
            entries = _entries(name, raw)
        except ProfileError as error:
            problems.append(str(error))
            continue
        for number, (entry, shape) in enumerate(entries, 1):
            try:
                found.append(_profile(entry, shape, name))
            except ProfileError as error:
                problems.append(f"Profile {number} of {name}: {error}")
    profiles = with_own_ids(profile for profile, _ in found)
    reports = (
        report.model_copy(update={"profile_id": profile.id, "notes": profile.gaps})
        for profile, (_, report) in zip(profiles, found, strict=True)
    )
    return Import(profiles=tuple(profiles), reports=tuple(reports), problems=tuple(problems))


def profiles_json(profiles: Iterable[ClientProfile]) -> str:
    """Return profiles as our own JSON, a list even of one; reading it gives them back unchanged."""
    return json.dumps([profile.model_dump(mode="json") for profile in profiles], indent=2, ensure_ascii=False)


def profiles_csv(profiles: Iterable[ClientProfile]) -> str:
    """Return profiles as a table for a spreadsheet, a row each; lists stand in one cell, a line an item."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["id", *fields()])
    for profile in profiles:
        held = flat(profile)
        cells = (held.get(name, "") for name in fields())
        writer.writerow([profile.id, *(cell("\n".join(c) if isinstance(c, tuple) else str(c)) for c in cells)])
    return BOM + table.getvalue()


BOM = "\ufeff"
"""The mark by which spreadsheets know UTF-8."""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def cell(text: str) -> str:
    """Return a text as a spreadsheet shows it: one that would be run as a formula gets an apostrophe before it."""
    return f"'{text}" if _FORMULA.match(text) else text


def uncell(text: str) -> str:
    """Return a text without the apostrophe that `cell` put before it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _entries(name: str, raw: bytes) -> list[tuple[Any, Shape]]:
    """Return the entries of a file with the shape of each; raise `ProfileError` naming the file."""
    if len(raw) > LARGEST:
        raise ProfileError(f"{name} has {len(raw) // 1_000_000} MB; a file of profiles may have {LARGEST // 1_000_000}.")
    text = _decoded(name, raw)
    if name.lower().endswith((".csv", ".tsv")):
        return [(row, "csv") for row in _table(name, text)]
    try:
        data = _parsed(text) if not name.lower().endswith(".jsonl") else [_parsed(s) for s in text.splitlines() if s.strip()]
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{name} is not valid JSON: {error}.") from error
    if isinstance(data, Mapping):
        inner = next(
            (data[key] for key in ("profiles", "clients", "patients", "data") if isinstance(data.get(key), list)), None
        )
        data = inner if inner is not None else [data]
    if not isinstance(data, list) or not data:
        raise ProfileError(f"{name} holds no profile: it needs a JSON object, or a list of them.")
    if len(data) > MOST:
        raise ProfileError(f"{name} holds {len(data)} profiles; {MOST} can be read at once.")
    return [(entry, _shape(entry)) for entry in data]


def _decoded(name: str, raw: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            if encoding == "utf-8-sig" and name.lower().endswith((".csv", ".tsv")):
                continue
            break
    raise ProfileError(f"{name} is not a text file in UTF-8.")


def _parsed(text: str) -> Any:
    """Return parsed JSON; halves of characters, which could not be written again, become "?"."""
    data = json.loads(text)
    return json.loads(json.dumps(data, ensure_ascii=False).encode(errors="replace")) if "\\ud" in text.lower() else data


def _table(name: str, text: str) -> list[dict[str, str]]:
    """Return the rows of a table by column; the mark between cells is the commonest one of its first line."""
    head = text.split("\n", 1)[0]
    mark = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=mark, restkey="", restval="", strict=True))
    except csv.Error as error:
        raise ProfileError(f"{name} is not a table that can be read: {error}.") from error
    if len(rows) > MOST:
        raise ProfileError(f"{name} holds {len(rows)} rows; {MOST} can be read at once.")
    filled = [
        {str(k): uncell(v) for k, v in row.items() if k and isinstance(v, str)}
        for row in rows
        if any(map(str, row.values()))
    ]
    if not filled:
        raise ProfileError(f"{name} holds no row below its line of column names.")
    if not any((known := field_named(key)) and known.name == "intake.name" for key in filled[0]):
        raise ProfileError(f"{name} has no column for the client's name; its columns are {', '.join(filled[0])[:200]}.")
    return filled


def _shape(entry: Any) -> Shape:
    if isinstance(entry, Mapping) and "AI_client" in entry:
        return "row"
    return "ours" if isinstance(entry, Mapping) and {"intake", "opening"} <= entry.keys() else "conceptualisation"


def _profile(entry: Any, shape: Shape, source: str) -> tuple[ClientProfile, MappingReport]:
    if not isinstance(entry, Mapping):
        raise ProfileError("A profile must be a JSON object.")
    if shape == "row":
        profile = read_profile(entry, source)
        mapped, dropped = _row(entry, profile)
    elif shape == "ours" and (own := _own(entry)):
        profile, dropped = own, []
        mapped = [Mapped(key=name, field=name) for name in flat(profile)]
    else:
        profile, mapped, dropped = _loose(entry, shape, source)
    report = MappingReport(
        profile_id=profile.id,
        name=profile.name,
        shape=shape,
        mapped=tuple(mapped),
        missing=tuple(name for name in fields() if name not in {one.field for one in mapped} | {"source"}),
        dropped=tuple(dropped),
        notes=profile.gaps,
    )
    return profile, report


def _own(entry: Mapping[str, Any]) -> ClientProfile | None:
    """Return a profile of our own shape; None when something in it does not fit, so that it must be read field by field."""
    try:
        profile = ClientProfile.model_validate(entry)
    except ValidationError:
        return None
    return profile if profile.name.strip() else None


def _row(row: Mapping[str, Any], profile: ClientProfile) -> tuple[list[Mapped], list[Dropped]]:
    """Account for every entry of a MAGneT/CACTUS row."""
    form, told = str(row["AI_client"].get("intake_form")), flat(profile)
    intake, _ = read_intake(form)
    of_form = [name for name in flat(profile.model_copy(update={"intake": intake})) if name.startswith("intake.")]
    mapped = [Mapped(key="AI_client.intake_form", field=name) for name in of_form]
    dropped: list[Dropped] = []
    taken = {
        "AI_client.attitude": "attitude",
        "AI_client.attitude_instruction": "attitude_instruction",
        "AI_counselor.CBT.init_history_counselor": "opening.counsellor",
        "AI_counselor.CBT.init_history_client": "opening.client",
        "ground_truth_CBT": "calls_for",
    }
    for key, value in _leaves(row):
        if key == "AI_client.intake_form" or value in (None, "", []):
            continue
        field, content = taken.get(key, ""), told.get(taken.get(key, ""), "")
        if key == "ground_truth_CBT" and isinstance(value, list):
            mapped += [Mapped(key=key, field=field)] if content else []
            strange = [str(name) for name in value if str(name).lower() not in {str(c).lower() for c in content}]  # type: ignore[union-attr]
            dropped += [Dropped(key=key, reason=f"{name!r} is not one of the twelve techniques.") for name in strange]
        elif key == "AI_counselor.CBT.reason_counseling" and "intake.reason" not in of_form and "intake.reason" in told:
            mapped.append(Mapped(key=key, field="intake.reason"))
        elif field and (_same(str(content), str(value)) or str(content) in str(value)):
            mapped.append(Mapped(key=key, field=field))
        elif field:
            dropped.append(Dropped(key=key, reason=f"It cannot be used as it is: {str(value)[:60]!r}."))
        else:
            dropped.append(Dropped(key=key, reason=_copy(key, str(value), profile)))
    return mapped, dropped


def _copy(key: str, value: str, profile: ClientProfile) -> str:
    """Return why an entry of a row was left out: it says again what the form says, or something else."""
    opening = f"{profile.opening.counsellor} {profile.opening.client}"
    originals = {
        "client_information": client_information(profile),
        "reason_counseling": profile.intake.reason,
        "dialogue_history_init": opening,
    }
    original = originals.get(key.rpartition(".")[2])
    if original is None:
        return "It has no place in a profile."
    labels = re.sub(r"(?im)^\s*(?:counselor|client)\s*:", "", value)
    return "It says again what was read already." if _same(labels, original) else "It differs from what was read."


def _same(one: str, other: str) -> bool:
    """Tell whether two texts have the same words, whatever labels without a value stand between them."""
    blank = (
        r"(?im)^[\w ]+:[ \t]*\n?[ \t]*(?:not (?:specified|provided|disclosed|available|applicable)|n/?a|none|unknown)\.?$"
    )
    first, second = (re.findall(r"\w+", re.sub(blank, "", text).lower()) for text in (one, other))
    return first == second


def _loose(entry: Mapping[str, Any], shape: Shape, source: str) -> tuple[ClientProfile, list[Mapped], list[Dropped]]:
    """Read a profile field by field, by what its keys mean."""
    values, notes = dict[str, Content](), list[str]()
    mapped, dropped = list[Mapped](), list[Dropped]()
    coping: tuple[str, str] | None = None
    own_id = ""
    for key, value in _leaves(entry):
        last = re.sub(r"[^a-z]+", " ", key.rpartition(".")[2].lower()).strip()
        if value in (None, "", [], {}) or not _texts(value):
            continue
        if last == "id":
            own_id = str(value)
            mapped.append(Mapped(key=key, field="id"))
        elif last in ("coping strategies", "coping strategy", "coping", "compensatory strategies"):
            coping = key, " ".join(_texts(value))
        elif last in ("type", "style", "types", "styles", "conversational style", "communication style"):
            _take_style(key, value, values, mapped, dropped, notes)
        elif field := field_named(key):
            _take(key, value, field.name, values, mapped, dropped, several=shape != "csv")
        else:
            dropped.append(Dropped(key=key, reason="No field of a profile is called so."))
    if coping:
        _take_coping(*coping, values, mapped, dropped)
    if shape != "csv":
        _tell(values, notes, coping[1] if coping else "")
    name = str(values.get("intake.name", ""))
    if not own_id or shape != "ours":
        own_id = "-".join(part for part in (slug(name), slug(own_id) if slug(own_id) != slug(name) else "") if part)
        own_id = slug(str(entry.get("id", ""))) if shape == "csv" and entry.get("id") else own_id
    if not any((known := field_named(key)) and known.name == "source" for key, _ in _leaves(entry)):
        values["source"] = f"Imported from {source}; its licence is not known to this program." if source else ""
    profile = build({key: value for key, value in values.items() if value}, id=own_id, gaps=tuple(notes))
    held = flat(profile)
    unread = [one for one in mapped if one.field in fields() and one.field not in held]
    dropped += [
        Dropped(key=one.key, reason=f"It could not be read as {fields()[one.field].title.lower()}.") for one in unread
    ]
    return profile, [one for one in mapped if one not in unread], dropped


def _take(
    key: str,
    value: Any,
    name: str,
    values: dict[str, Content],
    mapped: list[Mapped],
    dropped: list[Dropped],
    several: bool,
) -> None:
    """Put a value into a field; a field that holds one text keeps the first, and the others are named."""
    kind, texts = fields()[name].kind, _texts(value)
    if kind == "list":
        if isinstance(value, str):
            mark = r"\n" if "\n" in value else r"[|;]" if re.search(r"[|;]", value) else r"," if name in _OF_NAMES else r"\n"
            texts = [item.strip(" -•*") for item in re.split(mark, value) if item.strip(" -•*")]
        values[name] = (*values.get(name, ()), *texts)  # type: ignore[misc]
        mapped.append(Mapped(key=key, field=name))
        return
    if name in values:
        dropped.append(Dropped(key=key, reason=f"{fields()[name].title} is filled already: {' '.join(texts)[:60]!r}."))
        return
    if name in _ONE and len(texts) > 1:
        texts, rest = texts[:1], texts[1:]
        dropped += [Dropped(key=key, reason=f"{fields()[name].title} holds one: {text[:60]!r}.") for text in rest]
    joined = (
        "\n".join(texts)
        if not several
        else _JOINTS.get(name.partition(".")[0] if name != _EMOTION else name, " ").join(texts)
    )
    values[name] = tidy(joined) if several and name in _CLAUSES else joined
    mapped.append(Mapped(key=key, field=name))


_EMOTION = "conceptualisation.emotion"
_JOINTS = {"conceptualisation": "; ", _EMOTION: ", "}
_OF_NAMES = ("conceptualisation.distortions", "calls_for")
_ONE = ("conceptualisation.core_belief", "conceptualisation.automatic_thought", "conceptualisation.intermediate_belief")
_CLAUSES = tuple(
    f"conceptualisation.{name}" for name in ("automatic_thought", "intermediate_belief", "core_belief", "fairer_thought")
)


def _take_style(
    key: str,
    value: Any,
    values: dict[str, Content],
    mapped: list[Mapped],
    dropped: list[Dropped],
    notes: list[str],
) -> None:
    styles: dict[str, str] = read("styles.yaml")
    known = [text for text in _texts(value) if text.strip().lower() in styles]
    if not known or "attitude" in values:
        dropped.append(Dropped(key=key, reason=f"The style {' '.join(_texts(value))[:40]!r} is not known here."))
        return
    values["attitude"] = styles[known[0].strip().lower()]
    mapped.append(Mapped(key=key, field="attitude"))
    notes.append(f"The style {known[0]!r} was read as the attitude {values['attitude']!r}.")
    dropped += [Dropped(key=key, reason=f"Attitude holds one: {text!r}.") for text in known[1:]]


def _take_coping(key: str, text: str, values: dict[str, Content], mapped: list[Mapped], dropped: list[Dropped]) -> None:
    """Find a place for the ways of coping: what the client does, else a part of the problem's description."""
    if "conceptualisation.behaviour" not in values:
        values["conceptualisation.behaviour"] = text
        mapped.append(Mapped(key=key, field="conceptualisation.behaviour"))
    elif "intake.presenting_problem" not in values:
        mapped.append(Mapped(key=key, field="intake.presenting_problem"))
    else:
        dropped.append(Dropped(key=key, reason="Behaviour and presenting problem are filled already."))


def _tell(values: dict[str, Content], notes: list[str], coping: str) -> None:
    """Put the presenting problem together from the conceptualisation's own texts, since the client is played from it."""
    if "intake.presenting_problem" in values:
        return
    names = ("situation", "automatic_thought", "emotion", "behaviour", "core_belief")
    said = [str(values.get(f"conceptualisation.{name}", "")) for name in names] + [coping]
    told = list(dict.fromkeys(f"{text.strip().rstrip('.')}." for text in said if text.strip()))
    if told:
        values["intake.presenting_problem"] = " ".join(text[:1].upper() + text[1:] for text in told)
        notes.append("The presenting problem is missing; the conceptualisation's own texts, put in a row, stand in for it.")


def _leaves(data: Mapping[str, Any], way: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every value of nested objects with the keys that lead to it, joined by dots."""
    for key, value in data.items():
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
            value = value[0]
        if isinstance(value, Mapping) and depth < 8:
            yield from _leaves(value, f"{way}{key}.", depth + 1)
        else:
            yield f"{way}{key}", value


def _texts(value: Any) -> list[str]:
    """Return the texts of a value, whatever it is."""
    if isinstance(value, Mapping):
        return [f"{key}: {text}" for key, inner in value.items() for text in _texts(inner)]
    if isinstance(value, (list, tuple)):
        return [text for inner in value for text in _texts(inner)]
    return [str(value).strip()] if value is not None and str(value).strip() else []
