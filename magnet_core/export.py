"""Sessions as files: whole in our own shape, in the reference's shape, and as tables, text and one page to read.

Every file says that the session is synthetic, which models speak in it, from which prompts, and under which licence its client stands.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from html import escape
from typing import Any

from magnet_core import profiles
from magnet_core.domain import Plan, Prompt, Session
from magnet_core.profile_files import BOM, OWN, cell, profiles_json
from magnet_core.report import CHOSEN_BEFORE, page


def native(session: Session) -> str:
    """Return a session with its whole trace as indented JSON; `importers.read_session` gives it back unchanged."""
    return session.model_dump_json(indent=2)


def magnet(session: Session) -> dict[str, Any]:
    """Return a session in the shape that the reference's scripts write.

    The trace has no place there. `method`, `notice`, `models`, `prompts`, `licence` and the marks of a typed message and an edited
    plan are ours: its scripts read by key and pass over them.
    """
    roles = {"counsellor": "counselor", "client": "client"}
    typed = [(), *(turn.typed for turn in session.turns)]
    history: list[dict[str, Any]] = []
    for number, said in enumerate(session.transcript):
        mark = {"typed": True} if said.speaker in typed[number // 2] else {}
        history.append({"role": roles[said.speaker], "message": said.text, **mark})
    return {
        "example": profiles.row(session.profile),
        "cbt_technique": _technique(session.plan),
        "cbt_plan": _steps(session.plan),
        **({"plan_by_person": True} if session.plan and session.plan.by_person else {}),
        "cost": 0,
        "history": history,
        "method": session.method,
        **about(session),
    }


def about(session: Session) -> dict[str, Any]:
    """Return what every file of a session carries: notice, models, prompt hashes and the licence note of its client."""
    return {
        "notice": session.notice,
        "models": dict(session.models),
        "prompts": {prompt.name: prompt_hash(prompt) for prompt in session.prompts},
        "licence": licence(session),
    }


def licence(session: Session) -> str:
    """Return where the session's client comes from and under which licence."""
    return session.profile.source or OWN


def prompt_hash(prompt: Prompt) -> str:
    """Return a short hash of a prompt's words."""
    return hashlib.sha256(prompt.model_dump_json().encode()).hexdigest()[:16]


def file_name(session: Session, ending: str) -> str:
    """Return the name of a session's file, as in magnet_mei-lin-chow_20260131-1405_1f2e3d4c.json; `ending` has no dot."""
    return file_named(session.profile.id, session.created, session.id, ending)


def file_named(client: str, created: datetime, id: str, ending: str) -> str:
    """Return the name of the file of a session of which only these are known."""
    safe = re.sub(r"[^A-Za-z0-9-]+", "-", id)[:40]
    return f"magnet_{client}_{created:%Y%m%d-%H%M}_{safe}.{ending}"


def jsonl(sessions: Iterable[Session]) -> str:
    """Return sessions as JSON lines, a turn a row."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for session in sessions for row in rows(session))


def table(sessions: Iterable[Session]) -> str:
    """Return the turns of sessions as a table for a spreadsheet, a turn a row."""
    content = io.StringIO()
    writer = csv.writer(content)
    header: list[str] = []
    for session in sessions:
        for row in rows(session):
            if not header:
                header = list(row)
                writer.writerow(header)
            writer.writerow([cell(_cell(row[name])) for name in header])
    return BOM + content.getvalue()


def rows(session: Session) -> Iterator[dict[str, Any]]:
    """Yield a session's turns as flat rows; the opening pair is turn 0."""
    profile, plan = session.profile, session.plan
    head = {
        "session": session.id,
        "profile": profile.id,
        "client_name": profile.name,
        "attitude": profile.attitude.value,
        "method": session.method,
        "visibility": session.visibility,
        "seed": session.seed,
        "plan_technique": plan.technique.value if plan and plan.technique else "",
        "plan_by_person": bool(plan and plan.by_person),
    }
    tail = about(session)
    yield {
        **head,
        "turn": 0,
        "techniques": [],
        "plan_step": None,
        "choice_by_person": False,
        "counsellor": profile.opening.counsellor,
        "client": profile.opening.client,
        "typed": [],
        "ends_session": False,
        "candidates": {},
        "flags": [f"{flag.agent}: {flag.kind}: {flag.detail}" for flag in session.plan_flags],
        **tail,
    }
    for number, turn in enumerate(session.turns, 1):
        yield {
            **head,
            "turn": number,
            "techniques": [technique.value for technique in turn.choice.techniques] if turn.choice else [],
            "plan_step": turn.choice.plan_step if turn.choice else None,
            "choice_by_person": bool(turn.choice and turn.choice.by_person),
            "counsellor": turn.response,
            "client": turn.reply.text,
            "typed": list(turn.typed),
            "ends_session": turn.reply.ends_session,
            "candidates": {candidate.technique.value: candidate.text for candidate in turn.candidates},
            "flags": [f"{flag.agent}: {flag.kind}: {flag.detail}" for flag in turn.flags],
            **tail,
        }


def markdown(session: Session) -> str:
    """Return a session as Markdown to read: who and how, the plan, the dialogue; the texts stand there as texts."""
    profile, plan = session.profile, session.plan
    lines = [f"# {_plain(profile.name)}: a synthetic counselling session", "", f"> {_plain(session.notice)}", ""]
    lines += [f"- {name}: {_plain(value)}" for name, value in facts(session)]
    lines.append("")
    if plan:
        lines += [
            f"## Plan{' (edited by a person)' if plan.by_person else ''}",
            "",
            _plain(f"{plan.technique.value if plan.technique else 'No known technique'}: {plan.reason}"),
            "",
        ]
        lines += [f"{number}. {_plain(step)}" for number, step in enumerate(plan.steps, 1)] + [""]
    lines += ["## Dialogue", ""]
    for row in rows(session):
        by_person = ["chosen by a person"] if row["choice_by_person"] else []
        before = [CHOSEN_BEFORE] if "counsellor" in row["typed"] else []
        note = f" ({', '.join([*row['techniques'], *by_person, *before])})" if row["techniques"] else ""
        lines += [f"### Turn {row['turn']}{note}" if row["turn"] else "### Opening", ""]
        for speaker in ("counsellor", "client"):
            typed = " (typed by a person)" if speaker in row["typed"] else ""
            lines += [f"**{speaker.capitalize()}{typed}:** {_plain(row[speaker])}", ""]
        lines += [f"*Flag, {_plain(flag)}*\n" for flag in row["flags"]]
    return "\n".join(lines).rstrip() + "\n"


def html(session: Session) -> str:
    """Return a session as one page that needs nothing from the network, prints well, and is light or dark as the reader likes."""
    return page(session, facts(session), list(rows(session)))


def facts(session: Session) -> list[tuple[str, str]]:
    """Return who is in a session and how it was made, as named facts for a reader."""
    spoken = Counter(session.models.values())
    hashes = ", ".join(f"{name} {sha}" for name, sha in about(session)["prompts"].items())
    found = [
        ("Client", f"{session.profile.name}{f', {age}' if (age := session.profile.intake.age) else ''}"),
        ("Attitude", session.profile.attitude.value),
        ("Method", f"{session.method} ({session.visibility} visibility)"),
        ("Models", ", ".join(name for name, _ in spoken.most_common()) or "not known"),
        ("Turns", f"{len(session.turns)} of at most {session.max_turns}"),
        ("Made", session.created.strftime("%d %B %Y, %H:%M UTC")),
        ("Session", session.id),
        ("Licence", licence(session)),
        ("Prompts", hashes or "not known"),
    ]
    if session.parent:
        found.insert(-2, ("Forked from", f"{session.parent.session}, after turn {session.parent.turns}"))
    typed = sum(len(turn.typed) for turn in session.turns)
    chosen = sum(bool(turn.choice and turn.choice.by_person) for turn in session.turns)
    return [
        *found,
        *([("Edited by a person", "the plan")] if session.plan and session.plan.by_person else []),
        *([("Chosen by a person", f"the techniques of {chosen} turn{'s' if chosen > 1 else ''}")] if chosen else []),
        *([("Typed by a person", f"{typed} message{'s' if typed > 1 else ''}")] if typed else []),
    ]


def bundle(sessions: Iterable[Session]) -> bytes:
    """Return a zip of sessions in our own shape, with their clients and a notice; `importers.read_many` reads it back."""
    kept = list(sessions)
    clients = {profile.model_dump_json(): profile for profile in (session.profile for session in kept)}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("NOTICE.txt", _notice(kept))
        archive.writestr("profiles.json", profiles_json(clients.values()))
        for name, session in _named(kept, "json"):
            archive.writestr(f"sessions/{name}", native(session))
    return content.getvalue()


def files(sessions: Iterable[Session], ending: str, write: Callable[[Session], str]) -> bytes:
    """Return a zip with a file for each session, as `write` gives it, and a notice."""
    kept = list(sessions)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("NOTICE.txt", _notice(kept))
        for name, session in _named(kept, ending):
            archive.writestr(name, write(session))
    return content.getvalue()


def _named(sessions: Iterable[Session], ending: str) -> Iterator[tuple[str, Session]]:
    """Yield different sessions, each with a file name of its own."""
    named: dict[str, Session] = {}
    for session in sessions:
        name, n = file_name(session, ending), 1
        while named.get(name, session) != session:
            n += 1
            name = file_name(session, f"{n}.{ending}")
        if name not in named:
            named[name] = session
            yield name, session


def _notice(sessions: list[Session]) -> str:
    """Return what a bundle says of all its sessions."""
    models = Counter(model for session in sessions for model in set(session.models.values()))
    prompts = {(prompt.name, prompt_hash(prompt)) for session in sessions for prompt in session.prompts}
    parts = [
        *dict.fromkeys(session.notice for session in sessions),
        f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}.",
        "Models: " + (", ".join(f"{name} ({n})" for name, n in models.most_common()) or "not known"),
        "Prompts: " + (", ".join(f"{name} {sha}" for name, sha in sorted(prompts)) or "not known"),
        "Licence of the clients:\n" + "\n".join(f"- {note}" for note in dict.fromkeys(map(licence, sessions))),
    ]
    return "\n\n".join(parts) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if isinstance(value, dict):
        return "\n".join(f"{name}: {text}" for name, text in value.items())
    return "" if value is None else str(value)


def _plain(text: str) -> str:
    """Return a text on one line with the marks of Markdown and HTML made harmless."""
    line = escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|~!$])", r"\\\1", line)


def _technique(plan: Plan | None) -> str:
    """Return the technique and its reason as the reference's planner gives them, in one text."""
    if plan is None:
        return ""
    if plan.technique is None:
        return plan.reason
    return f"{plan.technique.value}: {plan.reason}" if plan.reason else plan.technique.value


def _steps(plan: Plan | None) -> str:
    if plan is None:
        return ""
    return "\n".join(f"{number}. {step}" for number, step in enumerate(plan.steps, 1)) or plan.text.strip()
