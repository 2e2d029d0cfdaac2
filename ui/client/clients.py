"""Clients as values and HTML for the pages: who sees which part, cards, the whole client, a comparison, what became of a file.

Every text is escaped. Nothing here draws or remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Literal

from magnet_core.differences import differences
from magnet_core.domain import Attitude, ClientProfile, Conceptualisation
from magnet_core.errors import ProfileError
from magnet_core.hints import Hint, compare, hints
from magnet_core.knowledge import read
from magnet_core.profile_fields import Content, build, fields, flat
from magnet_core.profile_files import MappingReport
from ui import theme

Sight = Literal["counsellor", "client", "cast", "nobody"]
"""Who is shown a part of a client."""

MARKS: dict[Sight, tuple[str, str]] = {
    "counsellor": ("Counsellor sees", "Shown to the counsellor's side, and known to the client."),
    "client": ("Only the client", "The client is played from it; the counsellor's side hears of it only in the dialogue."),
    "cast": (
        "Only the rehearsal client",
        "The built-in cast plays the client from it. A language model as client is not shown it.",
    ),
    "nobody": ("For the reader", "Shown to no agent in the usual reading."),
}

SECTIONS: dict[str, str] = {
    "Person": "Person",
    "Intake": "Intake",
    "Attitude": "Attitude",
    "Conceptualisation": "Conceptualisation",
    "Opening": "Opening",
    "Labels": "Card and labels",
}
"""The sections of the form, in order."""

ONE_LINE = frozenset(
    (
        "intake.name",
        "intake.gender",
        "intake.occupation",
        "intake.education",
        "intake.marital_status",
        "intake.family_details",
    )
) | frozenset(("conceptualisation.emotion", "conceptualisation.topic", "conceptualisation.helper", "summary"))
"""Fields that a line is enough for."""

EXAMPLES: dict[str, str] = {
    "intake.presenting_problem": "In the client's own words: what it is, when it began, how it goes on, what has been tried",
    "intake.reason": "In the client's own words: why counselling now",
    "conceptualisation.situation": "Completes “when …”: my manager asks to see a half-finished drawing",
    "conceptualisation.automatic_thought": "In the client's own words: They will find a mistake",
    "conceptualisation.emotion": "One word: dread",
    "conceptualisation.behaviour": "Completes “I …”: recheck the same page until midnight",
    "conceptualisation.intermediate_belief": "A rule to live by: If anything is ever wrong, then …",
    "conceptualisation.core_belief": "A short sentence: I'm not safe to be trusted",
    "conceptualisation.evidence_for": "One piece a line: what has happened that speaks for the thought",
    "conceptualisation.evidence_against": "One piece a line: what has happened that speaks against it",
    "conceptualisation.fairer_thought": "What the client could come to believe",
    "conceptualisation.action": "Completes “I will …”: send one drawing after a single check",
    "conceptualisation.topic": "A few words: my work",
    "conceptualisation.helper": "A few words: my sister",
    "summary": "One line, in the third person: what brings them",
}
"""What an empty field shows."""

SHOWN_AT_ONCE = 24
"""Cards, or rows of a report, that are drawn before somebody asks for more."""


def sight(name: str) -> Sight:
    """Return who is shown a field, by its name."""
    section = fields()[name].section
    if section in ("Person", "Opening") or name == "intake.reason":
        return "counsellor"
    return {"Conceptualisation": "cast", "Labels": "nobody"}.get(section, "client")  # type: ignore[return-value]


def mark(seen_by: Sight) -> str:
    """Return the mark that says who sees a part."""
    title, why = MARKS[seen_by]
    return f'<span class="seen {seen_by}" title="{escape(why)}">{escape(title)}</span>'


def standard_instruction(attitude: str) -> str:
    """Return the text by which an attitude is played where a client has none of its own."""
    return str(read("attitudes.yaml")[attitude]).strip()


def thinking_habits(profiles: Iterable[ClientProfile]) -> list[str]:
    """Return the thinking habits that can be chosen: the known ones, and those that the clients already have."""
    known = set(read("rehearsal/facts.yaml")["by_distortion"])
    return sorted(known | {habit for profile in profiles for habit in _case(profile).distortions})


# Looking for clients


@dataclass(frozen=True, slots=True)
class Filter:
    """What a client must be like to be shown; what is empty lets everybody through."""

    words: str = ""
    attitudes: Sequence[str] = ()
    techniques: Sequence[str] = ()
    habits: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.words.strip() or self.attitudes or self.techniques or self.habits)

    def takes(self, profile: ClientProfile) -> bool:
        """Tell whether a client fits: every word stands somewhere in it, and it has one of each kind that is asked for."""
        if self.attitudes and profile.attitude not in self.attitudes:
            return False
        if self.techniques and not set(map(str, profile.calls_for)) & set(self.techniques):
            return False
        if self.habits and not set(_case(profile).distortions) & set(self.habits):
            return False
        wanted = self.words.casefold().split()
        said = _everything(profile) if wanted else ""
        return all(word in said for word in wanted)


def _everything(profile: ClientProfile) -> str:
    texts = (" ".join(c) if isinstance(c, tuple) else str(c) for n, c in flat(profile).items() if n != "source")
    return " ".join(texts).casefold()


def _case(profile: ClientProfile) -> Conceptualisation:
    return profile.conceptualisation or Conceptualisation()


# Writing a client


@dataclass(frozen=True, slots=True)
class Edit:
    """A client being written: what stands in its fields by now, and what it began as."""

    key: str
    values: Mapping[str, Content] = field(default_factory=dict)
    base: ClientProfile | None = None
    """The own client that is being changed; None for a new one."""
    origin: ClientProfile | None = None
    """The client that a new one began as a copy of."""

    @property
    def name(self) -> str:
        return str(self.values.get("intake.name") or "New client")

    @property
    def changed(self) -> bool:
        """Tell whether there is anything that would be lost without saving."""
        return bool(self.values) if self.base is None else dict(self.values) != flat(self.base)

    def put(self, name: str, content: Content | None) -> Edit:
        """Return the client with something else in a field; nothing, or only spaces, empties it."""
        if isinstance(content, str):
            content = content.strip()
        elif isinstance(content, (list, tuple)):
            content = tuple(text for item in content if (text := str(item).strip()))
        values = {key: value for key, value in self.values.items() if key != name}
        if content not in (None, "", ()):
            values[name] = content  # type: ignore[assignment]
        return replace(self, values=values)

    def profile(self) -> ClientProfile:
        """Return the client as it would be saved; raise `ProfileError` where that cannot be one."""
        kept = self.base or self.origin
        return build(self.values, id=self.base.id if self.base else "", gaps=kept.gaps if kept else ())

    def hints(self) -> tuple[Hint, ...]:
        """Return what its writer may want to look at."""
        named = self.values if self.values.get("intake.name") else {**self.values, "intake.name": NAMELESS}
        try:
            found = hints(replace(self, values=named).profile())
        except ProfileError:
            return ()
        absent = {name for name in ("opening.client", "opening.counsellor") if name not in self.values}
        if NAMELESS in named.values():
            absent.add("intake.name")
        return tuple(hint for hint in found if not absent & set(hint.fields))

    def typed(self) -> str:
        """Return the text that a person has put in since it was begun, a field a line."""
        begun = self.base or self.origin
        before = flat(begun) if begun else {}
        new = [value for name, value in self.values.items() if value != before.get(name)]
        return "\n".join("\n".join(value) if isinstance(value, tuple) else str(value) for value in new)

    def progress(self) -> dict[str, tuple[int, int]]:
        """Return for each section how many of its fields hold something, and how many there are."""
        of = {
            section: [n for n, f in fields().items() if f.section == section and n not in UNCOUNTED] for section in SECTIONS
        }
        held = self.values.keys() | {"attitude"}
        return {section: (sum(name in held for name in names), len(names)) for section, names in of.items()}


NAMELESS = "Nobody"
"""The name by which a client without one is looked over."""
UNCOUNTED = frozenset(("source", "attitude_instruction"))
"""Fields that a complete client may leave empty."""


def copy_of(profile: ClientProfile, key: str, attitude: Attitude | None = None) -> Edit:
    """Return a new client that begins as a copy, with another attitude (and its standard text) where one is given."""
    changed = profile.with_attitude(attitude) if attitude else profile
    return Edit(key, flat(changed), origin=profile)


# HTML


def line(profile: ClientProfile) -> str:
    """Return a client in a line: name and age."""
    return f"{profile.name}, {profile.intake.age}" if profile.intake.age else profile.name


def card(profile: ClientProfile, *, own: bool, unsaved: bool) -> str:
    """Return what a client's card says below the name."""
    marks = [f'<span class="tag">{theme.ATTITUDES[profile.attitude]}</span>']
    marks += ['<span class="tag own">Yours</span>'] if own else []
    marks += ['<span class="tag amber">Unsaved changes</span>'] if unsaved else []
    told = profile.summary or profile.intake.reason or profile.opening.client
    rows = [("Calls for", ", ".join(profile.calls_for)), ("Thinking habits", ", ".join(_case(profile).distortions))]
    facts = "".join(f"<div><dt>{title}:</dt> <dd>{escape(text)}</dd></div>" for title, text in rows if text)
    return f'<div class="tags">{"".join(marks)}</div><p class="told">{escape(told)}</p><dl class="about">{facts}</dl>'


def part(title: str, seen_by: Sight, rows: Iterable[tuple[str, Content]], *, before: str = "", also: str = "") -> str:
    """Return a part of a client as a card with the mark of who sees it; rows without content are left out."""
    told = _dl(rows)
    body = before + (f'<dl class="rows">{told}</dl>' if told else "")
    body = body or '<p class="hint">Nothing is given here.</p>'
    return f'<section class="card part {seen_by}"><header><h3>{escape(title)}</h3>{mark(seen_by)}</header>{body}{also}</section>'


def counsellor_part(profile: ClientProfile) -> str:
    """Return what the counsellor's side is shown of a client."""
    person = _rows(profile, [name for name, field in fields().items() if field.section == "Person"])
    said = _rows(profile, [n for n, f in fields().items() if sight(n) == "counsellor" and f.section != "Person"])
    return part("Person, reason and first words", "counsellor", said, before=f'<dl class="rows wide">{_dl(person)}</dl>')


def client_part(profile: ClientProfile) -> str:
    """Return what only the client knows of itself, with the attitude and the text it is played by."""
    names = [name for name in fields() if sight(name) == "client" and not name.startswith("attitude")]
    own = profile.attitude_instruction
    played = own or standard_instruction(profile.attitude)
    text = "a text of its own" if own else "the standard text"
    attitude: list[tuple[str, Content]] = [
        ("Attitude", theme.ATTITUDES[profile.attitude]),
        (f"How the attitude is played ({text})", played),
    ]
    return part("Life and attitude", "client", [*_rows(profile, names), *attitude])


def case_part(profile: ClientProfile) -> str:
    """Return the conceptualisation as a path from the moment to the fairer thought."""
    case = _case(profile)
    if case == Conceptualisation():
        none = '<p class="hint">None is written. The built-in cast then works one out from the intake form.</p>'
        return f'<section class="card part cast"><header><h3>Conceptualisation</h3>{mark("cast")}</header>{none}</section>'
    strength = f"{case.intensity} of 100" if case.intensity is not None else ""
    feeling = ", ".join(text for text in (case.emotion, strength) if text)
    steps = [
        ("Situation", case.situation), ("Automatic thought", case.automatic_thought), ("Emotion", feeling),
        ("Behaviour", case.behaviour),
    ]  # fmt: skip
    path = "".join(f"<li><b>{title}</b><span>{_content(text) or NOTHING}</span></li>" for title, text in steps)
    sides = "".join(
        f"<div><h4>{title}</h4>{_content(items) or NOTHING}</div>"
        for title, items in (("Evidence for the thought", case.evidence_for), ("Evidence against it", case.evidence_against))
    )
    rest = _rows(profile, [f"conceptualisation.{name}" for name in ("fairer_thought", "action", "topic", "helper")])
    deep = _rows(profile, [f"conceptualisation.{name}" for name in ("intermediate_belief", "core_belief", "distortions")])
    return (
        f'<section class="card part cast"><header><h3>Conceptualisation</h3>{mark("cast")}</header>'
        f'<ol class="path">{path}</ol><dl class="rows wide">{_dl(deep)}</dl><div class="sides">{sides}</div>'
        f'<dl class="rows wide">{_dl(rest)}</dl></section>'
    )


def label_part(profile: ClientProfile) -> str:
    """Return what is kept about a client for readers only."""
    rows = _rows(profile, [name for name in fields() if sight(name) == "nobody"])
    gaps = "".join(f"<li>{escape(gap)}</li>" for gap in profile.gaps)
    also = f'<p class="hint">What its import or its writing left open:</p><ul class="notes">{gaps}</ul>' if gaps else ""
    return part("Card and labels", "nobody", rows, also=also)


def comparison(before: ClientProfile, after: ClientProfile, heads: tuple[str, str] | None = None) -> str:
    """Return the fields in which two clients differ, side by side, with the words that differ marked.

    Given `heads` stand over the sides in place of the names, and the marks of who sees what are left out.
    """
    changes = compare(before, after)
    if not changes:
        return '<p class="remark">Nothing differs: every field holds the same.</p>'
    rows = "".join(
        f"<tr><th>{escape(change.title)}{'' if heads else mark(sight(change.field))}</th>"
        f"<td>{_side(change.before, change.after, 'gone')}</td><td>{_side(change.before, change.after, 'new')}</td></tr>"
        for change in changes
    )
    old, new = flat(before), flat(after)
    same = sum(content == new.get(name) for name, content in old.items())
    named = [f"{escape(line(p))}<br><span>{theme.ATTITUDES[p.attitude].lower()}</span>" for p in (before, after)]
    head = "".join(f"<th>{name}</th>" for name in heads or named)
    told = f"{len(changes)} field{' differs' if len(changes) == 1 else 's differ'}, {same} {'is' if same == 1 else 'are'} the same."
    return (
        f'<p class="hint">{told}</p><table class="compare"><thead><tr><th><span class="sr">Field</span></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def report(told: MappingReport) -> str:
    """Return what became of every entry of one client in a file."""
    names = fields()

    def title(name: str) -> str:
        return names[name].title if name in names else name

    mapped = "".join(f"<tr><td>{escape(m.key)}</td><td>{escape(title(m.field))}</td></tr>" for m in told.mapped)
    dropped = "".join(f"<li><b>{escape(d.key)}</b> {escape(d.reason)}</li>" for d in told.dropped)
    notes = "".join(f"<li>{escape(note)}</li>" for note in told.notes)
    missing = ", ".join(title(name) for name in told.missing)
    blocks = [
        ("Mapped", f'<table class="mapped"><tbody>{mapped}</tbody></table>' if mapped else ""),
        ("Missing", f'<p class="says">{escape(missing)}</p>' if missing else ""),
        ("Dropped", f'<ul class="notes">{dropped}</ul>' if dropped else ""),
        ("Mended or stands in", f'<ul class="notes">{notes}</ul>' if notes else ""),
    ]
    body = "".join(f"<div><h4>{name}</h4>{text or NOTHING}</div>" for name, text in blocks)
    return f'<div class="became">{body}</div>'


def beside(found: Iterable[Hint], name: str) -> str:
    """Return the hints to stand under a field: what is missing quietly, what does not fit together in amber."""
    told: list[str] = []
    for hint in found:
        if name not in hint.fields:
            continue
        if hint.kind == "missing":
            told.append(f'<p class="hint">{escape(hint.why)}</p>')
        elif hint.kind == "thin":
            told.append(f'<p class="hint">{escape(hint.text)}</p>')
        else:
            why = f" {escape(hint.why)}" if hint.why else ""
            told.append(f'<p class="flag" role="note">{escape(hint.text)}{why}</p>')
    return "".join(told)


NOTHING = '<span class="quiet">Nothing</span>'


def _rows(profile: ClientProfile, names: Iterable[str]) -> list[tuple[str, Content]]:
    held = flat(profile)
    return [(fields()[name].title, held[name]) for name in names if name in held]


def _dl(rows: Iterable[tuple[str, Content]]) -> str:
    return "".join(
        f"<div><dt>{escape(title)}</dt><dd>{_content(content)}</dd></div>"
        for title, content in rows
        if content not in ("", ())
    )


def _content(content: Content) -> str:
    """Return what a field holds as escaped HTML; empty for nothing."""
    if isinstance(content, tuple):
        return f'<ul class="notes">{"".join(f"<li>{escape(item)}</li>" for item in content)}</ul>' if content else ""
    return escape(str(content))


def _side(before: Content, after: Content, kind: Literal["gone", "new"]) -> str:
    """Return one side of a change; the words that stand only there are marked, unless the two have little in common."""
    old, new = ("\n".join(c) if isinstance(c, tuple) else str(c) for c in (before, after))
    own = old if kind == "gone" else new
    if not own:
        return NOTHING
    pieces = differences(old, new)
    kept = sum(len(piece.text.strip()) for piece in pieces if piece.kind == "same")
    if kept < ALIKE * max(len(old), len(new)):
        return f'<p class="says">{escape(own)}</p>'
    tag = "del" if kind == "gone" else "ins"
    words = "".join(
        escape(piece.text) if piece.kind == "same" else f"<{tag}>{escape(piece.text)}</{tag}>"
        for piece in pieces
        if piece.kind in ("same", kind)
    )
    return f'<p class="says">{words}</p>'


ALIKE = 0.4
"""Share of the longer text that two must have in common to be compared word by word."""


# What the page shows


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows: the list, a client, a client being written, two compared, notes to draft from, files to read."""

    kind: Literal["list", "client", "edit", "compare", "draft", "import"] = "list"
    id: str = ""
    """The client's id, or the key of what is being written."""
    other: str = ""
    """The client it is compared with."""
