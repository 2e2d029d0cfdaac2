"""A plain question about one answer of an agent, put to a judge: yes, no, or missing where the judge cannot be understood."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from functools import cache
from string import Template
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from magnet_core import prompts
from magnet_core.domain import Moment, Usage, Value
from magnet_core.errors import ModelError, PromptError
from magnet_core.models import REHEARSAL, Message, Player, Request
from magnet_core.models.calls import whole
from magnet_core.profiles import intake_text
from magnet_core.reading import read_json
from magnet_core.scoring.answers import spoken, squeeze
from magnet_core.scoring.instruments import FOLDER, numbered
from magnet_core.scoring.judge import JUDGE

TOKENS = 200
"""How long a verdict may be."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 300}, "answer": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["reason", "answer"],
    "additionalProperties": False,
}

_YES = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_FIRST = re.compile(r"(?i)^[\W_]*(yes|no|true|false)\b(?!\s*(?:and|or|/)\s*(?:yes|no)\b)")
_LABELLED = re.compile(
    r"(?i)\b(?:answer|verdict)\b[\s*_`\"':=]*(?:is\b)?[\s*_`\"':=]*(yes|no|true|false)\b(?!\s*(?:and|or|/)\s*(?:yes|no)\b)"
)


class Verdict(Value):
    """What a judge says to a question about an answer."""

    answer: Literal["yes", "no", "missing"]
    reason: str = ""
    judge: str = ""
    """The model that was asked."""
    usage: Usage = Usage()
    """What its answer took, as far as its server said."""

    @property
    def told(self) -> str:
        """The verdict in words."""
        return f"{self.answer.capitalize()}. {self.reason}".strip()


class Words(Value):
    """What a judge is told, the session, the answer and the question apart."""

    system: str = Field(min_length=1)
    ask: str = Field(min_length=1)
    """Holds `$question`."""

    @property
    def sha(self) -> str:
        """A short hash of everything a judge is told, the session, the answer and the question apart."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


@cache
def words() -> Words:
    """Return what a judge is told, in our words; raise `PromptError` where the file does not fit."""
    try:
        return Words.model_validate(yaml.safe_load((FOLDER / "expectation.yaml").read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PromptError(f"The instrument file expectation.yaml cannot be used: {error}") from error


def request(moment: Moment, text: str, question: str, told: Words | None = None) -> tuple[Message, ...]:
    """Return the messages that put a question about an agent's answer in a moment: what the agent was shown, then the answer."""
    told = told or words()
    parts = [
        *_shown(moment),
        f"Answer of the agent named {moment.agent}:\n{text}",
        Template(told.ask).safe_substitute(question=question),
    ]
    return (Message("system", told.system.strip()), Message("user", "\n\n".join(part.strip() for part in parts)))


def _shown(moment: Moment) -> list[str]:
    """Return what the agent was shown, part by part; the dialogue stands in any case, since most questions are about it."""
    seen = {part: text for part, text in prompts.shown(moment).items() if text != "None."}
    told = {part: f"{title}:\n{seen.get(part, '')}" for part, title in prompts.PARTS.items() if part in {*seen, "dialogue"}}
    told.pop("first_line", None)
    if moment.agent == "planner" and "intake_form" not in seen:
        form = intake_text(moment.session.profile.intake)
        told["reason"] = f"Whole intake form, of which the agent was shown demographics and reason only:\n{form}"
        told.pop("client_information", None)
    return list((told | {"dialogue": _dialogue(moment, seen)}).values())


def _dialogue(moment: Moment, seen: Collection[str]) -> str:
    note = (
        "" if "dialogue" in seen
        else ", of which the agent was shown the client's first line only" if "first_line" in seen
        else ", which the agent was not shown"
    )  # fmt: skip
    new = f"\n[{moment.turn}] Counsellor: {moment.response}" if moment.response else ""
    return f"Transcript so far{note}:\n{numbered(moment.session)}{new}"


async def ask(player: Player, moment: Moment, text: str, question: str, seed: int, told: Words | None = None) -> Verdict:
    """Return the judge's verdict; an answer that cannot be read, or none at all, is missing and never a yes."""
    name = player.model.name
    if name == REHEARSAL:
        return Verdict(answer="missing", reason="The rehearsal cast is authored and cannot judge.", judge=name)
    wanted = Request(
        messages=request(moment, text, question, told),
        moment=moment.model_copy(update={"agent": JUDGE}),
        temperature=0.0 if player.temperature is None else player.temperature,
        max_tokens=player.max_tokens or TOKENS,
        seed=seed,
        schema=SCHEMA,
        schema_name="verdict",
        live=False,
    )
    try:
        heard = await whole(player.model, wanted)
    except ModelError as error:
        return Verdict(answer="missing", reason=str(error), judge=name)
    return read_verdict(heard.texts[0]).model_copy(update={"judge": name, "usage": heard.usage})


def read_verdict(text: str) -> Verdict:
    """Return what an answer says: the schema where it was kept, else a yes or no it begins with or names as its answer."""
    body = spoken(text)
    data = {str(key).lower(): value for key, value in read_json(body).items()}
    reason = next((squeeze(str(data[k])) for k in ("reason", "explanation", "why") if data.get(k)), "")
    for key in ("answer", "verdict", "result"):
        if key in data:
            found = _FIRST.match(str(data[key]))
            return _verdict({_YES[found[1].lower()]} if found else set(), reason or squeeze(body))
    if data:
        return _verdict(set(), squeeze(body))
    first = _FIRST.match(body)
    said = {_YES[m.lower()] for m in _LABELLED.findall(body)} | ({_YES[first[1].lower()]} if first else set())
    return _verdict(said, squeeze(body))


def _verdict(said: set[str], reason: str) -> Verdict:
    if len(said) != 1:
        told = f"The judge's answer says neither yes nor no: {reason}" if reason else "The judge's answer was empty."
        return Verdict(answer="missing", reason=told)
    return Verdict(answer="yes" if said == {"yes"} else "no", reason=reason)
