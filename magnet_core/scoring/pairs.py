"""A model compares pairs as people do: the same form, no names, and each pair in both orders, since order alone can decide."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import cache
from string import Template
from typing import Any

import yaml
from pydantic import Field, ValidationError

from magnet_core.domain import Moment, Session, Value
from magnet_core.errors import ModelError, PromptError, SettingsError
from magnet_core.models import REHEARSAL, Message, ModelFor, Player, Request
from magnet_core.models.calls import whole
from magnet_core.reading import read_json
from magnet_core.scoring.answers import squeeze
from magnet_core.scoring.aspects import Aspect, Form, Pair, Review, Verdict, form
from magnet_core.scoring.instruments import FOLDER, numbered
from magnet_core.scoring.judge import JUDGE
from magnet_core.streams import merge

TOKENS = 2000
"""How long an answer may be."""
_CHOICES = {"a": "A", "b": "B", "tie": "tie"}


class Words(Value):
    """What a model is told, the sessions and the questions apart."""

    system: str = Field(min_length=1)
    task: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    """Holds `$keys`, the names of the fields of an answer."""
    again: str = Field(min_length=1)
    follows: str = ""

    @property
    def sha(self) -> str:
        """A short hash of everything a model is told, the sessions and the form apart."""
        return hashlib.sha256(self.model_dump_json(exclude={"follows"}).encode()).hexdigest()[:16]


@cache
def words() -> Words:
    """Return what a model is told; raise `PromptError` where the file does not fit."""
    try:
        return Words.model_validate(yaml.safe_load((FOLDER / "pairs.yaml").read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PromptError(f"The instrument file pairs.yaml cannot be used: {error}") from error


async def judge_pair(
    pair: Pair, one: Session, two: Session, models: ModelFor, told: Words | None = None, called: str = ""
) -> AsyncGenerator[Review]:
    """Yield a model's review of a pair in each of the two orders, as they come.

    The model is `told` our words, or others, which are `called` something: then it stands under that name as well, as another rater.
    A question whose answer cannot be read is asked once more and is then missing. Raises `ModelError` where the endpoint gives no answer
    in an order, or none of which anything could be read, and `SettingsError` where the judge is the rehearsal cast, which cannot compare.
    """
    player = models(JUDGE)
    if player.model.name == REHEARSAL:
        raise SettingsError("The rehearsal cast is authored and cannot compare sessions; name a model as judge.")
    async with aclosing(
        merge(*(_asked(pair, one, two, flipped, player, told or words(), called) for flipped in (False, True)))
    ) as reviews:
        async for review in reviews:
            yield review


async def _asked(
    pair: Pair, one: Session, two: Session, flipped: bool, player: Player, told: Words, called: str
) -> AsyncGenerator[Review]:
    first, second = (two, one) if flipped else (one, two)
    asked, verdicts, problem = form(), dict[str, Verdict](), ""
    for _ in range(2):
        unread = [aspect for aspect in asked.questions if aspect.key not in verdicts]
        try:
            heard = await whole(player.model, _request(first, second, asked, unread, problem, player, told))
        except ModelError:
            if verdicts:
                break
            raise
        verdicts |= read_verdicts(heard.texts[0], unread)
        missing = [aspect.key for aspect in unread if aspect.key not in verdicts]
        if not missing:
            break
        problem = f"it gave no choice of A, B or tie for {', '.join(missing)}."
    if not verdicts:
        raise ModelError(
            f"{player.model.name} answered twice, and not one choice of A, B or tie could be read in it.", kind="broken"
        )
    yield Review(
        pair=pair.id, rater=f"{player.model.name}, {called}" if called else player.model.name, kind="model", flipped=flipped, form=asked.sha, verdicts=verdicts,
        created=datetime.now(UTC),
    )  # fmt: skip


def request_words(
    first: Session, second: Session, asked: Form, questions: Sequence[Aspect], problem: str = "", told: Words | None = None
) -> str:
    """Return what a model is asked about two sessions: their dialogues come first, and nothing that names what made them."""
    said = told or words()
    parts = [f"Session A:\n{numbered(first)}", f"Session B:\n{numbered(second)}", said.task]
    parts += [f"{one.key}: {one.question}\nBetter: {one.better}\nWorse: {one.worse}" for one in questions]
    parts += [f"tie: {asked.tie}", Template(said.answer).safe_substitute(keys=", ".join(one.key for one in questions))]
    if problem:
        parts.append(Template(said.again).safe_substitute(problem=problem))
    return "\n\n".join(part.strip() for part in parts)


def request(
    first: Session, second: Session, asked: Form, questions: Sequence[Aspect], problem: str = "", told: Words | None = None
) -> tuple[Message, ...]:
    """Return the messages that ask a model about two sessions."""
    system = (told or words()).system.strip()
    return Message("system", system), Message("user", request_words(first, second, asked, questions, problem, told))


def read_verdicts(text: str, questions: Sequence[Aspect]) -> dict[str, Verdict]:
    """Return what an answer says on each question; what cannot be read is left out, never guessed."""
    told = {str(key).strip().lower(): value for key, value in read_json(text).items()}
    found: dict[str, Verdict] = {}
    for question in questions:
        given = told.get(question.key, told.get(question.title.lower()))
        reason = ""
        if isinstance(given, dict):
            fields = {str(key).lower(): value for key, value in given.items()}
            reason = squeeze(str(fields.get("reason") or ""), 600)
            given = next((fields[key] for key in ("choice", "verdict", "preference", "winner") if key in fields), None)
        if isinstance(given, str):
            name = re.sub(r"^(?:session|counsellor|counselor)\s+|[\s.*\"']+", "", given.strip().lower())
            if choice := _CHOICES.get(name):
                found[question.key] = Verdict.model_validate({"choice": choice, "reason": reason})
    return found


def _request(
    first: Session, second: Session, asked: Form, questions: Sequence[Aspect], problem: str, player: Player, told: Words
) -> Request:
    return Request(
        messages=request(first, second, asked, questions, problem, told),
        moment=Moment(agent=JUDGE, session=first),
        temperature=0.0 if player.temperature is None else player.temperature,
        max_tokens=player.max_tokens or TOKENS,
        seed=first.seed,
        schema=schema(questions),
        schema_name="pair_review",
        live=False,
    )


def schema(questions: Sequence[Aspect]) -> dict[str, Any]:
    """Return the JSON schema of an answer: the reason before the choice, so that the choice follows from it."""
    answer = {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": 300},
            "choice": {"type": "string", "enum": ["A", "B", "tie"]},
        },
        "required": ["reason", "choice"],
        "additionalProperties": False,
    }
    keys = [question.key for question in questions]
    return {"type": "object", "properties": dict.fromkeys(keys, answer), "required": keys, "additionalProperties": False}
