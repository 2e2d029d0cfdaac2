"""Prompts: read from YAML, filled from a moment of a session, hashed; and who sees what.

A prompt's paragraphs may name variables. A paragraph that names a part of the session which its agent does not see, or which
does not exist (no plan, no choice), is left out: so one text serves both visibilities and every ablation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template

import yaml
from pydantic import ValidationError

from magnet_core.domain import CbtTechnique, Choice, ClientProfile, Moment, Plan, Prompt, Technique, Visibility
from magnet_core.errors import PromptError
from magnet_core.knowledge import attitude_instruction
from magnet_core.models import Message
from magnet_core.profiles import client_information, intake_text

FOLDER = Path(__file__).parent.parent / "prompts"

PARTS: dict[str, str] = {
    "client_information": "Client's demographics",
    "reason": "Reason for seeking counselling",
    "intake_form": "Whole intake form",
    "attitude": "Attitude and its instruction",
    "labels": "Technique labels of the record",
    "first_line": "Client's first line",
    "plan": "Plan",
    "dialogue": "Dialogue so far",
    "candidates": "The five candidates",
    "choice": "Techniques chosen",
}
"""The parts of a session an agent may or may not be shown, with the words for the screen."""

_PART_OF = {part: part for part in PARTS} | {"attitude_instruction": "attitude"}
_PLAIN = frozenset({"turn", "max_turns", "min_turns", "catalogue", "cbt_techniques"})
VARIABLES = frozenset(_PART_OF) | _PLAIN
"""Every variable a prompt may name."""

PromptSet = Mapping[str, Prompt]


@cache
def load(folder: Path = FOLDER) -> dict[str, Prompt]:
    """Return the prompts of a folder by name; raise `PromptError` for a broken file or an unknown variable."""
    found: dict[str, Prompt] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.stem == "visibility":
            continue
        try:
            prompt = Prompt.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, ValidationError) as error:
            raise PromptError(f"The prompt file {path.name} cannot be read: {error}") from error
        if unknown := variables(prompt) - VARIABLES:
            raise PromptError(f"The prompt {prompt.name!r} names unknown variables: {', '.join(sorted(unknown))}.")
        found[prompt.name] = prompt
    return found


def variables(prompt: Prompt) -> frozenset[str]:
    """Return the names of all variables a prompt asks for."""
    return frozenset(name for text in (prompt.system, prompt.role, prompt.note) for name in _named(text))


def part_of(variable: str) -> str:
    """Return the part of a session that a variable stands for (a key of `PARTS`); empty for one that all agents may name."""
    return _PART_OF.get(variable, "")


@cache
def _visibility() -> dict[str, dict[str, list[str]]]:
    return yaml.safe_load((FOLDER / "visibility.yaml").read_text(encoding="utf-8"))


def sees(agent: str, visibility: Visibility) -> frozenset[str]:
    """Return the parts of a session that an agent is shown (keys of `PARTS`)."""
    table = _visibility()[visibility]
    return frozenset(table["specialist" if agent in {t.value for t in Technique} else agent])


def shown(moment: Moment) -> dict[str, str]:
    """Return the parts of the session that the moment's agent is shown and that exist, as text, by the keys of `PARTS`.

    The dialogue is sent as chat, so that it stands here by its name only.
    """
    seen = sees(moment.agent, moment.session.visibility)
    return {part: text for part, text in _parts(moment).items() if part in seen and text}


def render(prompts: PromptSet, roster: Iterable[str], moment: Moment) -> tuple[Message, ...]:
    """Return the chat messages for the moment's agent.

    `roster` names the agents of the method, whose roles make up the frame's catalogue. The layout is append-only: fixed
    text and the case first, then the dialogue as chat, the agent's note at the very end, so that prefix caches are used.
    """
    session, prompt = moment.session, prompts[moment.agent]
    frame = prompts[prompt.frame] if prompt.frame else prompt
    seen = shown(moment)
    values = {name: seen[part] for name, part in _PART_OF.items() if part in seen} | {
        "turn": str(moment.turn),
        "max_turns": str(session.max_turns),
        "min_turns": str(session.min_turns),
        "cbt_techniques": ", ".join(CbtTechnique),
    }
    if "attitude" in seen:
        values["attitude_instruction"] = session.profile.attitude_instruction or attitude_instruction(
            session.profile.attitude
        )
    roles = [prompts[name].role for name in roster if prompts[name].frame == frame.name and prompts[name].role]
    values["catalogue"] = "\n".join(_fill(role, values).strip() for role in roles)
    note = "\n\n".join(
        [
            *_paragraphs(prompt.note, values),
            *(f"Your last answer was not used: {objection} Write a new one." for objection in moment.objections[-1:]),
        ]
    )
    head, _, line = note.rpartition("\n\n")
    note = f"{head}\n\n[{line}]" if head else f"[{line}]"
    return (
        Message("system", "\n\n".join(_paragraphs(frame.system, values))),
        *_chat(moment, seen, note),
    )


def _chat(moment: Moment, seen: Mapping[str, str], note: str) -> list[Message]:
    """Lay the dialogue out as chat, the other speaker as the user, the note joined to the last user message."""
    own = "client" if moment.agent == "client" else "counsellor"
    said = list(moment.session.transcript) if "dialogue" in seen else []
    if "first_line" in seen:
        said = said[1:2] or list(moment.session.transcript[1:2])
    lines = [("assistant" if u.speaker == own else "user", u.text) for u in said]
    if moment.response is not None and said:
        lines.append(("user" if own == "client" else "assistant", moment.response))
    if lines and lines[0][0] == "assistant":
        lines.insert(0, ("user", "[The session begins]"))
    if lines and lines[-1][0] == "user":
        lines[-1] = ("user", f"{lines[-1][1]}\n\n{note}")
    else:
        lines.append(("user", note))
    return [Message("user" if role == "user" else "assistant", text) for role, text in lines]


def sha(messages: Iterable[Message]) -> str:
    """Return a short hash of rendered messages."""
    return hashlib.sha256(json.dumps([[m.role, m.content] for m in messages]).encode()).hexdigest()[:16]


def plan_text(plan: Plan) -> str:
    """Return a plan as the agents read it: technique, reason, numbered steps; the raw answer if it could not be read."""
    if plan.technique is None and not plan.steps:
        return plan.text.strip()
    lines = [f"{plan.technique or ''}: {plan.reason}".strip(": ")]
    return "\n".join(lines + [f"{n}. {step}" for n, step in enumerate(plan.steps, 1)])


def choice_text(choice: Choice) -> str:
    """Return a choice as the responder reads it; the raw answer if it named no technique."""
    if not choice.techniques:
        return choice.text.strip()
    step = f" (plan step {choice.plan_step})" if choice.plan_step else ""
    return ", ".join(choice.techniques) + step


def labels_text(profile: ClientProfile) -> str:
    return f"Techniques this record calls for: {', '.join(profile.calls_for)}" if profile.calls_for else ""


def _parts(moment: Moment) -> dict[str, str]:
    """Return every part of the session as text; empty where it does not exist."""
    session = moment.session
    profile = session.profile
    return {
        "client_information": client_information(profile),
        "reason": profile.intake.reason,
        "intake_form": intake_text(profile.intake),
        "attitude": profile.attitude.value,
        "labels": labels_text(profile) or "None.",
        "first_line": profile.opening.client,
        "plan": plan_text(session.plan) if session.plan else "",
        "dialogue": "dialogue",
        "candidates": "\n".join(f"{c.technique.value}: {c.text}" for c in moment.candidates),
        "choice": choice_text(moment.choice) if moment.choice else "",
    }


def _named(text: str) -> list[str]:
    try:
        return Template(text).get_identifiers()
    except ValueError as error:
        raise PromptError(f"A prompt has a stray '$': {error}. Write '$$' for a dollar sign.") from error


def _fill(text: str, values: Mapping[str, str]) -> str:
    return Template(text).safe_substitute(values)


def _paragraphs(text: str, values: Mapping[str, str]) -> list[str]:
    """Return the filled paragraphs of a text, without those that name something that is not there."""
    kept = (p for p in re.split(r"\n\s*\n", text.strip()) if all(name in values for name in _named(p)))
    return [filled for p in kept if (filled := _fill(p, values).strip())]
