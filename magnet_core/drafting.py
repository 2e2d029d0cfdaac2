"""Drafting a client profile from pasted free text, by rules or by one call to a model, for a person to confirm.

Every field stands with the sentence it was read from. Nothing is invented: what the text does not say stays empty, and what no
field took is shown too. The patterns are data (`knowledge/drafting.yaml`, `knowledge/rehearsal/facts.yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from magnet_core import finding, prompts, reading
from magnet_core.domain import ClientProfile, Value
from magnet_core.errors import ModelError, ProfileError
from magnet_core.finding import Finding, sentences
from magnet_core.hints import SMALL_WORDS
from magnet_core.knowledge import read
from magnet_core.models import Message, Player, Request
from magnet_core.models.calls import beside_sessions, whole
from magnet_core.profile_fields import Content, build, field_named, fields, read_number

LONGEST = 20_000
"""Characters of a text that can be drafted from."""
NOT_DRAFTED = frozenset({"attitude", "attitude_instruction", "calls_for", "summary", "source"})
"""Fields that are decided, not read from a text; they are taken only where the text labels them."""
_ANSWER_TOKENS = 2000
_NOTHING = re.compile(r"(?i)(?:not (?:specified|given|provided|known)|n/?a|none|unknown|-+)\.?")
_WRAPPED = re.compile(r"(?<![.!?:\n\"”’])[ \t]*\n[ \t]*(?![ \t]*\n|[-•*#])")
"""A line's end inside a sentence."""
_ASIDE = ("intake.past_history", "intake.support")
"""Sections that tell of other times and other people than the moment."""
_OF_THE_MOMENT = ("intake.presenting_problem", "intake.reason")


class Drafted(Value):
    """A field as it was read, and the words of the text it rests on."""

    field: str
    value: Content
    source: str
    inferred: bool = False
    """Whether the words are ours, and the sentence only points to them."""


class Draft(Value):
    """What a text says about a client, field by field; nothing counts until a person has confirmed it."""

    fields: tuple[Drafted, ...] = ()
    unused: tuple[str, ...] = ()
    """Sentences that no field took."""
    refused: tuple[str, ...] = ()
    """What a model put forward without the text saying it, a sentence each."""
    by: str = "rules"
    """Who read it: "rules", or a model's name."""

    @property
    def values(self) -> dict[str, Content]:
        return {drafted.field: drafted.value for drafted in self.fields}

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the fields that the text says nothing about, in the order of the form."""
        return tuple(name for name in fields() if name not in self.values)


def draft(text: str) -> Draft:
    """Return what the rules find in a text: labelled lines first, then plain sentences."""
    text = _checked(text)
    bodies, plain = _labelled(text)
    told = sentences(_WRAPPED.sub(" ", plain))
    sections = _sections(told)
    aside = {s for name, own in sections.items() if name in _ASIDE for s in own}
    moment = [*(text for name in _OF_THE_MOMENT for text in bodies.get(name, ())), *(s for s in told if s not in aside)]
    support = [*bodies.get("intake.support", ()), *sections.get("intake.support", ())]
    found = {name: _drafted(name, body) for name, body in bodies.items()}
    for name, fact in (*_facts([*told, *moment]), *_moment("\n".join(moment), "\n".join(support))):
        if fact.value and name not in found:
            found[name] = _drafted(name, [fact.value], fact.source)
    for name, own in sections.items():
        found.setdefault(name, _drafted(name, own))
    used = " ".join(one.source for one in found.values() if one)
    return Draft(
        fields=tuple(one for name in fields() if (one := found.get(name))),
        unused=tuple(sentence for sentence in told if sentence not in used),
    )


async def draft_with(text: str, player: Player) -> Draft:
    """Return what a model finds in a text in one call; an entry that the text does not bear out is refused.

    Raises `ModelError` when there is no answer, or none that can be read.
    """
    text = _checked(text)
    request = Request(
        messages=_messages(text),
        moment=beside_sessions("drafting"),
        temperature=0.0 if player.temperature is None else player.temperature,
        max_tokens=player.max_tokens or _ANSWER_TOKENS,
        schema=_schema(),
        schema_name="drafting",
        live=False,
    )
    heard = await whole(player.model, request)
    return read_draft(heard.texts[0], text, player.model.name)


def read_draft(answer: str, text: str, by: str) -> Draft:
    """Return the draft in a model's answer, read tolerantly: a list of entries, or an object of fields.

    Raises `ModelError` when it names no field at all.
    """
    found, refused = dict[str, Drafted](), list[str]()
    entries = list(_entries(reading.read_json(answer)))
    for label, value, quote in entries:
        field = field_named(label)
        if field is None or field.name in found or value in (None, "", [], {}):
            continue
        if source := _borne_out(" ".join(_listed(value)), quote, text):
            drafted = _drafted(field.name, list(_listed(value)), source)
            found |= {field.name: drafted} if drafted else {}
        else:
            refused.append(f"{field.title} {str(value)[:80]!r} was refused: the text does not say it.")
    if not found and not refused:
        raise ModelError(f"The answer of {by} names no field of a profile.", kind="broken")
    used = " ".join(drafted.source for drafted in found.values())
    return Draft(
        fields=tuple(found[name] for name in fields() if name in found),
        unused=tuple(s for s in sentences(text) if _plain(s) not in _plain(used)),
        refused=tuple(refused),
        by=by,
    )


def confirmed(values: Mapping[str, Content], source: str = "") -> ClientProfile:
    """Return the profile with the fields that a person confirmed; raise `ProfileError` where that cannot be one."""
    return build({name: value for name, value in values.items() if value not in ("", ())}, source=source)


def _checked(text: str) -> str:
    if not text.strip():
        raise ProfileError("There is no text to draft a profile from.")
    if len(text) > LONGEST:
        raise ProfileError(f"The text has {len(text):,} characters; a profile is drafted from {LONGEST:,} at most.")
    return text.replace("\r\n", "\n")


def _labelled(text: str) -> tuple[dict[str, list[str]], str]:
    """Return the lines under each heading or label that names a field, and the text without them."""
    bodies, plain = dict[str, list[str]](), list[str]()
    current = ""
    for line in text.split("\n"):
        label, value = _label(line)
        if label:
            current, own = label, bodies.setdefault(label, [])
            own += [value] if value else []
        elif current and line.strip() and not (bodies[current] and fields()[current].section == "Person"):
            bodies[current].append(line.strip())
        elif line.strip() or bodies.get(current):
            current = ""
            plain.append(line)
    return {name: own for name, own in bodies.items() if own and not _NOTHING.fullmatch(" ".join(own))}, "\n".join(plain)


def _drafted(name: str, body: list[str], source: str = "") -> Drafted | None:
    """Return a field with what its lines say; None where they say nothing that it can hold."""
    field, joined = fields()[name], " ".join(body)
    value: Content | None = joined
    if field.kind == "number":
        value = read_number(field, joined)
    elif field.kind == "list":
        value = tuple(item for line in body for part in line.split(";") if (item := part.strip(" -•*.")))
    if value in (None, "", ()):
        return None
    source = source or joined
    stems = {word[:4] for word in _plain(source).split()}
    said = all(word[:4] in stems for word in _plain(joined).split())
    return Drafted(field=name, value=value, source=source, inferred=not said)


def _label(line: str) -> tuple[str | None, str]:
    """Return the field that a line's label or heading names, and what follows it on the line."""
    caught = re.match(r"^\W{0,4}(?:\d\s*[.)]\s*)?\**([A-Za-z][\w /()'’-]{1,60}?)\**\s*:\**\s*(.*)$", line)
    heading = re.match(r"^\s*(?:#+\s*)?\d\s*[.)]\s*([A-Za-z][\w /()'’-]{2,60}?)\s*$", line)
    if caught and (field := field_named(caught.group(1))):
        return field.name, caught.group(2).strip()
    if heading and (field := field_named(heading.group(1))):
        return field.name, ""
    return None, ""


def _facts(prose: Iterable[str]) -> Iterator[tuple[str, Finding]]:
    """Yield what single sentences say about the person and the moment."""
    told = list(prose)
    for name, patterns in read("drafting.yaml")["facts"].items():
        for entry in patterns:
            pattern, given = (entry, "") if isinstance(entry, str) else (entry["pattern"], entry["is"])
            hit = next(((s, caught) for s in told if (caught := re.search(pattern, s))), None)
            if hit:
                yield name, Finding(given or finding.tidy(hit[1].group(1)), hit[0])
                break


def _moment(text: str, support: str) -> Iterator[tuple[str, Finding]]:
    """Yield what the text tells about the moment itself, by the rules that the rehearsal cast also reads by."""
    thought = finding.thought(text)
    own = "conceptualisation."
    yield own + "situation", finding.situation(text)
    yield own + "automatic_thought", thought
    yield own + "emotion", finding.emotion(text)
    yield own + "behaviour", finding.behaviour(text)
    yield own + "distortions", Finding(finding.distortion(thought.value).value, thought.source)
    yield own + "topic", finding.topic(text)
    yield own + "helper", finding.helper(support)


def _sections(prose: Iterable[str]) -> dict[str, list[str]]:
    """Sort whole sentences into the sections of the form."""
    cues: dict[str, str] = read("drafting.yaml")["sections"]
    placed: dict[str, list[str]] = {}
    for sentence in prose:
        hits = {name: len(re.findall(pattern, sentence, re.I)) for name, pattern in cues.items()}
        best = max(hits, key=lambda name: hits[name])
        if hits[best]:
            placed.setdefault(best, []).append(sentence)
    return placed


def _messages(text: str) -> tuple[Message, ...]:
    names = "\n".join(f"- {name.rpartition('.')[2]}: {field.title}" for name, field in _asked().items())
    return (
        Message("system", f"{prompts.load()['drafting'].system.strip()}\n\nThe fields:\n{names}"),
        Message("user", f"The notes:\n<notes>\n{text}\n</notes>"),
    )


def _asked() -> dict[str, Any]:
    return {name: field for name, field in fields().items() if name not in NOT_DRAFTED}


def _schema() -> dict[str, Any]:
    text = {"type": "string"}
    entry = {
        "type": "object",
        "properties": {
            "field": {"type": "string", "enum": [name.rpartition(".")[2] for name in _asked()]},
            "value": {"anyOf": [text, {"type": "array", "items": text}]},
            "quote": text,
        },
        "required": ["field", "value", "quote"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"fields": {"type": "array", "items": entry}},
        "required": ["fields"],
        "additionalProperties": False,
    }


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    listed = data.get("fields", data.get("profile", data))
    if isinstance(listed, Mapping):
        for label, value in _leaves(listed):
            if isinstance(value, Mapping):
                yield label, value.get("value"), str(value.get("quote") or value.get("source") or "")
            else:
                yield label, value, ""
    elif isinstance(listed, list):
        for entry in listed:
            if isinstance(entry, Mapping):
                yield str(entry.get("field", entry.get("name", ""))), entry.get("value"), str(entry.get("quote") or "")


def _leaves(data: Mapping[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping) and "value" not in value:
            yield from _leaves(value, f"{way}{key}.")
        else:
            yield f"{way}{key}", value


def _listed(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(text for item in items if (text := " ".join(str(item).split())))


def _borne_out(said: str, quote: str, text: str) -> str:
    """Return the sentence of the text that bears out an entry; empty when there is none.

    That is the quote if it stands in the text, else the sentence that shares at least half of the entry's own words.
    """
    if len(_plain(quote).split()) >= 2 and _plain(quote) in _plain(text):
        return " ".join(quote.split())
    words = set(_plain(said).split())
    own = words - SMALL_WORDS or words
    shared = [(len(own & set(_plain(s).split())) / len(own), s) for s in sentences(text)] if own else []
    most, sentence = max(shared, default=(0.0, ""))
    return sentence if most >= 0.5 else ""


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))
