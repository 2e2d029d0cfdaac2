"""What is amiss with a prompt's text: unknown and missing variables, words of one model's chat format, length."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from string import Template
from typing import Literal, get_args

from magnet_core import prompts
from magnet_core.domain import Prompt, Value, Visibility
from magnet_core.errors import PromptError
from magnet_core.lab.texts import AGENTS, fields, tokens

LONG = 1.5
"""A prompt this many times as long as ours is remarked upon."""

_NEEDED = frozenset({"catalogue", "words", "keys", "question"})
"""Variables without which an answer cannot be what is asked for."""
_CHAT_TOKENS = re.compile(
    r"<\|[a-z_0-9|]+\|>|\[/?INST\]|<</?SYS>>|</?s>|</?(?:start|end)_of_turn>|<[｜|][^>]{2,40}[｜|]>"
    r"|(?m:^###\s*(?:Instruction|Response|Human|Assistant)s?:)|(?m:^(?:Human|Assistant|USER|ASSISTANT):)"
)
_VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)


class Remark(Value):
    """What a reader should know about a prompt's text; an error keeps it from being used."""

    kind: Literal["error", "warning"]
    field: str
    """Which text of the prompt: system, role or note; empty for the whole."""
    text: str


def lint(prompt: Prompt, ours: Prompt | None = None, known: Collection[str] = prompts.VARIABLES) -> list[Remark]:
    """Return what is amiss with a prompt, errors first.

    `ours` is the one it was made from, `known` the variables it may name; with none it is sent as it is written.
    """
    found: list[Remark] = []
    for field, text in fields(prompt).items():
        found += _lint_text(prompt, field, text, known)
    if ours:
        found += _lint_against(prompt, ours)
    return sorted(found, key=lambda remark: remark.kind)


def usable(prompt: Prompt) -> Prompt:
    """Return the prompt; raise `PromptError` with what is amiss where it cannot be used."""
    ours = prompts.load().get(prompt.name)
    if ours is None:
        raise PromptError(f"There is no agent or frame named {prompt.name!r}.")
    if errors := [remark.text for remark in lint(prompt, ours) if remark.kind == "error"]:
        raise PromptError(f"The prompt {prompt.name!r} cannot be used. {' '.join(errors)}")
    return prompt


def _lint_text(prompt: Prompt, field: str, text: str, known: Collection[str]) -> list[Remark]:
    found: list[Remark] = []
    template = Template(text)
    named = template.get_identifiers()
    if known and not template.is_valid():
        words = "A lone dollar sign is sent as it is. Write $$ for the sign, or a variable's name after it."
        found.append(Remark(kind="warning", field=field, text=words))
    for name in named:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f" Is ${close[0]} meant?" if close else ""
            found.append(Remark(kind="error", field=field, text=f"There is no variable ${name}.{hint}"))
        elif (part := prompts.part_of(name)) and not _seen_by_any(prompt, part):
            words = f"No agent that is given this text is shown ${name}, so its paragraph is always left out."
            found.append(Remark(kind="warning", field=field, text=words))
    for token in dict.fromkeys(match.group() for match in _CHAT_TOKENS.finditer(text)):
        words = f"{token.strip()} belongs to one model's chat format; other models read it as text, or break off."
        found.append(Remark(kind="warning", field=field, text=words))
    return found


def _lint_against(prompt: Prompt, ours: Prompt) -> list[Remark]:
    found: list[Remark] = []
    for field, text in fields(ours).items():
        now = fields(prompt)[field]
        if text.strip() and not now.strip():
            found.append(Remark(kind="error", field=field, text="This text is empty; ours is not."))
            continue
        lost = [name for name in Template(text).get_identifiers() if f"${name}" not in now and f"${{{name}}}" not in now]
        for name in lost:
            part = prompts.PARTS.get(prompts.part_of(name) or "")
            what = f" ({part.lower()})" if part else ""
            words = f"${name}{what} is missing: what it stands for is not told."
            found.append(Remark(kind="error" if name in _NEEDED else "warning", field=field, text=words))
        if len(now) > LONG * len(text) and len(now) - len(text) > 200:
            words = f"About {tokens(now):,} tokens; ours has {tokens(text):,}. Every call reads it."
            found.append(Remark(kind="warning", field=field, text=words))
    return found


def _seen_by_any(prompt: Prompt, part: str) -> bool:
    readers = [name for name in AGENTS if name == prompt.name or _frame(name) == prompt.name]
    return not readers or any(part in prompts.sees(name, v) for name in readers for v in _VISIBILITIES)


def _frame(name: str) -> str:
    return prompts.load()[name].frame
