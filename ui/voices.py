"""The fields of the models page as values: what they mean, what is amiss with them, the cast they describe. Nothing here draws."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from magnet_core.cast import PRESETS, Cast, Preset, Voice
from magnet_core.domain import FanOut
from magnet_core.errors import SettingsError
from magnet_core.methods import METHODS
from magnet_core.models import REHEARSAL
from magnet_core.models.check import Verdict, test_voice
from magnet_core.models.failures import place
from magnet_core.models.openai import OPENAI_URL, check_key, check_url
from ui import theme

if TYPE_CHECKING:
    from magnet_core.meter import Meter

Source = Literal["same", "rehearsal", "own"]
"""Where an agent's own voice comes from: the server of all others, the built-in cast, a server of its own."""

OTHER = "other"
SERVERS: dict[str, Preset] = PRESETS | {
    OTHER: Preset(
        title="Another address",
        base_url="",
        needs_key=False,
        fan_out="at-once",
        hint="Any server that speaks OpenAI's chat protocol will do. Most addresses end in `/v1`.",
    )
}

FAN_OUTS: dict[FanOut, tuple[str, str]] = {
    "at-once": ("At once", "The selector and the five specialists start together. Quickest with a hosted service."),
    "primed": (
        "Primed",
        "The selector starts, the specialists follow at its first word. For a server that remembers what it has read (vLLM).",
    ),
    "one-by-one": (
        "One by one",
        "Each starts when the one before has finished. For a server on this computer (Ollama, LM Studio, llama.cpp).",
    ),
}

AGENTS: dict[str, str] = {name: theme.title_of(name) for method in METHODS.values() for name in method.agents} | {
    "single-agent": "Counsellor of the method Single agent",
    "plain": "Counsellor of the method Plain",
    "one-call": "Counsellor of the method One call",
}
"""Every agent that can have a voice of its own."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the fields for one voice."""

    base_url: str
    model: str
    key: SecretStr | None = None
    typed_key: str = ""
    """A key still in its field, because it can be none."""
    needs_key: bool = False
    azure: bool = False
    api_version: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = 60.0

    def voice(self) -> Voice:
        """Return the voice these fields describe; ask `amiss` first."""
        return Voice(
            model=self.model.strip(),
            base_url=check_url(self.base_url),
            api_key=self.key,
            api_version=self.api_version.strip() if self.azure else "",
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            timeout=self.timeout or 60.0,
        )


@dataclass(frozen=True, slots=True)
class Amiss:
    """What keeps fields from being a voice: a sentence by the name of the field."""

    wrong: dict[str, str] = field(default_factory=dict)
    """Said at once."""
    missing: dict[str, str] = field(default_factory=dict)
    """Said when somebody wants to go on without it."""

    def __bool__(self) -> bool:
        return bool(self.wrong or self.missing)

    def say(self, name: str, asked: bool) -> str:
        """Return the sentence to stand beside a field; empty when there is none."""
        return self.wrong.get(name, "") or (self.missing.get(name, "") if asked else "")


def amiss(fields: Fields) -> Amiss:
    """Return what is wrong or missing in the fields of a voice."""
    wrong: dict[str, str] = {}
    missing: dict[str, str] = {}
    try:
        url = check_url(fields.base_url)
        if not url:
            missing["base_url"] = "Give the address of the server, for example http://localhost:8000/v1"
    except SettingsError as error:
        wrong["base_url"] = str(error)
    if "YOUR-RESOURCE" in fields.base_url:
        missing["base_url"] = "Put the name of your own resource in place of YOUR-RESOURCE."
    if fields.azure and not fields.api_version.strip():
        missing["api_version"] = "Give the API version, for example 2024-10-21"
    elif fields.azure and not fields.api_version.strip().replace("-", "").isalnum():
        wrong["api_version"] = "An API version looks like 2024-10-21 or 2025-04-01-preview"
    try:
        check_key(fields.typed_key)
        if fields.needs_key and not fields.key:
            missing["key"] = "This service asks for a key."
    except SettingsError as error:
        wrong["key"] = str(error)
    if not fields.model.strip():
        missing["model"] = "Give the name of the model."
    elif fields.model.strip() == REHEARSAL:
        wrong["model"] = "This is the name of the built-in cast. Choose Rehearsal above, or another model here."
    if fields.temperature is not None and not 0 <= fields.temperature <= 2:
        wrong["temperature"] = "A temperature lies between 0 and 2."
    if fields.max_tokens is not None and fields.max_tokens < 1:
        wrong["max_tokens"] = "At least one token is needed."
    if fields.timeout is not None and not 1 <= fields.timeout <= 3600:
        wrong["timeout"] = "A time-out lies between 1 and 3600 seconds."
    return Amiss(wrong, missing)


def preset_of(voice: Voice) -> str:
    """Return which kind of server a voice speaks through."""
    if voice.api_version:
        return "azure"
    url = voice.base_url or OPENAI_URL
    return next((name for name, preset in PRESETS.items() if preset.base_url == url), OTHER)


def distinct(cast: Cast) -> list[Voice]:
    """Return the voices of a cast that speak through a server, each kind once."""
    alike: dict[tuple[object, ...], Voice] = {}
    for voice in (cast.default, *cast.overrides.values()):
        if voice.model != REHEARSAL:
            alike.setdefault((voice.model, voice.base_url, voice.api_key, voice.api_version), voice)
    return list(alike.values())


def alike(one: Cast, other: Cast) -> bool:
    """Tell whether two casts sound the same: how the built-in cast could be reached makes no difference."""

    def heard(cast: Cast) -> tuple[object, ...]:
        voices = {None: cast.default} | cast.overrides
        plain = {
            agent: Voice() if v.model == REHEARSAL else v.model_copy(update={"base_url": v.base_url or OPENAI_URL})
            for agent, v in voices.items()
        }
        return plain, cast.fan_out if distinct(cast) else ""

    return heard(one) == heard(other)


async def try_all(voices: Iterable[Voice], meter: Meter) -> list[Verdict]:
    """Try every voice out, all at the same time, and have the calls counted."""
    return await asyncio.gather(*(test_voice(voice, meter) for voice in voices))


def name_of(voice: Voice) -> str:
    return "Rehearsal" if voice.model == REHEARSAL else voice.model


def where(voice: Voice) -> str:
    """Return in a few words where a voice comes from."""
    return "authored, not a language model" if voice.model == REHEARSAL else f"at {place(voice.base_url or OPENAI_URL)}"


def speaking(cast: Cast) -> str:
    """Return who speaks in a cast, as HTML."""
    rest = "Everybody" if not cast.overrides else "Everybody else"
    voices = [*((AGENTS.get(agent, agent), voice) for agent, voice in cast.overrides.items()), (rest, cast.default)]
    rows = "".join(
        f"<dt>{escape(who)}</dt><dd><b>{escape(name_of(voice))}</b> <span>{escape(where(voice))}</span></dd>"
        for who, voice in voices
    )
    calls = f'<p class="hint">Calls leave: {escape(FAN_OUTS[cast.fan_out][0].lower())}</p>' if distinct(cast) else ""
    return f'<section class="card"><header><h3>Speaking now</h3></header><dl class="voices">{rows}</dl>{calls}</section>'


def verdict(voice: Voice, found: Verdict) -> str:
    """Return what a test has found, as HTML."""
    head = "It works" if found.ok else "Test stopped" if found.stopped else "It does not work yet"
    facts = [
        ("Words appear as they are written", _yes(found.streams)),
        ("Keeps to a given form (JSON schema)", _yes(found.holds_to_schema)),
    ]
    table = "".join(f"<dt>{what}</dt><dd>{value}</dd>" for what, value in facts) if found.ok else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.adapted)
    adapted = f'<p class="hint">What this server does not take, and how that is met:</p><ul>{notes}</ul>' if notes else ""
    return (
        f'<section class="card verdict {"good" if found.ok else "bad"}" role="status"><header><h3>{head}</h3>'
        f'<span class="hint">{escape(voice.model)} {escape(where(voice))}</span></header>'
        f"<p>{escape(found.sentence)}</p>{f'<dl>{table}</dl>' if table else ''}{adapted}</section>"
    )


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "–"}[value]


def listed(names: Sequence[str]) -> list[str]:
    return sorted(dict.fromkeys(names), key=str.lower)
