"""Forks as values: which sessions hold another version of one turn, and the words that tell them apart. Nothing here draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from magnet_core.domain import Choice, Given, Plan, Reply, Session, Technique
from magnet_core.methods import METHODS, method_named
from magnet_core.prompts import plan_text
from magnet_core.session import kept, new_session
from ui import theme

if TYPE_CHECKING:
    from magnet_core.store import Entry


def versions(family: Sequence[Entry], id: str, number: int) -> tuple[list[Entry], int]:
    """Return the sessions that hold a version of a turn, all after the same turns before it, and which of them is shown."""
    members = {entry.id: entry for entry in family}
    if id not in members or not 1 <= number <= members[id].turns:
        return [], 0

    def maker(entry: Entry, turn: int) -> str:
        while entry.parent in members and turn <= entry.shared:
            entry = members[entry.parent]
        return entry.id

    before = maker(members[id], number - 1)
    found: dict[str, Entry] = {}
    for entry in family:
        if entry.turns >= number and entry.deleted is None and maker(entry, number - 1) == before:
            found.setdefault(maker(entry, number), entry)
    return list(found.values()), list(found).index(maker(members[id], number))


def told(entry: Entry) -> str:
    """Return what tells a session of a family from the others."""
    method = METHODS[entry.method].title if entry.method in METHODS else entry.method
    name = entry.title or f"{theme.ATTITUDES[entry.attitude].lower()} client, {method}, {entry.model or 'no model'}"
    begins = f"Fork at turn {entry.shared + 1}" if entry.parent else "First"
    return f"{begins}, {entry.turns} turn{'' if entry.turns == 1 else 's'}: {name}"


def chosen_by_hand(session: Session, number: int, techniques: Iterable[Technique]) -> Given:
    """Return a turn's drafts with other techniques chosen by a person; the message and the reply are to be written anew."""
    turn = session.turns[number - 1]
    return kept(turn, "selector").model_copy(update={"choice": choice(techniques, turn.choice)})


def choice(techniques: Iterable[Technique], before: Choice | None = None) -> Choice:
    """Return a choice that a person made."""
    return Choice(techniques=tuple(techniques), by_person=True, plan_step=before.plan_step if before else None)


def message_typed(session: Session, number: int, text: str) -> Given:
    """Return a turn with the counsellor's message a person's own; the reply is to be written anew."""
    turn, speaker = session.turns[number - 1], method_named(session.method).speaker.name
    still = kept(turn, "client") if session.method != "one-call" else Given(choice=turn.choice, candidates=turn.candidates)
    return still.model_copy(
        update={
            "response": text,
            "typed": ("counsellor",),
            "calls": tuple(c for c in still.calls if c.agent != speaker),
            "flags": tuple(f for f in still.flags if f.agent != speaker),
        }
    )


def reply_typed(session: Session, number: int, text: str, ends: bool) -> Given:
    """Return a turn with the client's message a person's own."""
    still = kept(session.turns[number - 1], "client")
    return still.model_copy(
        update={
            "reply": Reply(text=text, ends_session=ends),
            "typed": (*(s for s in still.typed if s != "client"), "client"),
        }
    )


def plan_edited(plan: Plan, technique: Any, reason: str, steps: Iterable[str]) -> Plan:
    """Return a plan with a person's changes."""
    clean = tuple(line for step in steps if (line := " ".join(step.split())))
    new = plan.model_copy(update={"technique": technique, "reason": reason.strip(), "steps": clean})
    return new if new == plan else new.model_copy(update={"text": plan_text(new), "by_person": True})


def by_method(session: Session, name: str) -> dict[str, Any]:
    """Return what of a session changes when another method goes on with it."""
    own = {prompt.name: prompt for prompt in session.prompts}
    texts = new_session(session.profile, method=name).prompts
    changes: dict[str, Any] = {"method": name, "prompts": tuple(own.get(prompt.name, prompt) for prompt in texts)}
    if not method_named(name).planner:
        changes |= {
            "plan": None,
            "plan_calls": (),
            "plan_flags": tuple(f for f in session.plan_flags if f.agent != "planner"),
        }
    return changes


def methods_for(session: Session) -> list[str]:
    """Return the other methods that can go on with a session: one that plans needs the plan that is there."""
    return [name for name, m in METHODS.items() if name != session.method and (session.plan or not m.planner)]
