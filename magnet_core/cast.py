"""The cast: which voice (a model, and how to reach it) speaks for which agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr

from magnet_core.domain import FanOut, Value
from magnet_core.models import REHEARSAL, Model, ModelFor, Player
from magnet_core.models.openai import OpenAIModel, open_client

if TYPE_CHECKING:
    from magnet_core.meter import Meter


class Voice(Value):
    """A model and how to reach it."""

    model: str = REHEARSAL
    base_url: str = ""
    """Where the endpoint is, up to and with `/v1`; empty means OpenAI's own."""
    api_key: SecretStr | None = None
    api_version: str = ""
    """Set for an Azure endpoint, and only there."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=60.0, gt=0)
    """Seconds of silence after which a call is given up; an answer that comes in one piece is silent until it is there."""


class Cast(Value):
    """Who speaks for the agents, and how many calls may run."""

    default: Voice = Voice()
    overrides: dict[str, Voice] = Field(default_factory=dict)
    """Other voices, by the agent's name."""
    fan_out: FanOut = "at-once"
    calls_in_flight: int = Field(default=64, ge=1)
    pace: float = Field(default=0.0, ge=0)
    """Words per second of the rehearsal cast; 0 means at once."""

    def voice(self, agent: str) -> Voice:
        return self.overrides.get(agent, self.default)


class Preset(Value):
    """A kind of endpoint to start from."""

    title: str
    base_url: str
    needs_key: bool
    fan_out: FanOut
    hint: str


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        needs_key=True,
        fan_out="at-once",
        hint="Make a key under API keys at platform.openai.com; the name of the model is written as in its list of models.",
    ),
    "azure": Preset(
        title="Azure OpenAI",
        base_url="https://YOUR-RESOURCE.openai.azure.com",
        needs_key=True,
        fan_out="at-once",
        hint="Give the API version, and as the model the name of your deployment.",
    ),
    "ollama": Preset(
        title="Ollama",
        base_url="http://localhost:11434/v1",
        needs_key=False,
        fan_out="one-by-one",
        hint="Fetch a model with `ollama pull` first; its default context is short, so set OLLAMA_CONTEXT_LENGTH to 8192 or more.",
    ),
    "lm-studio": Preset(
        title="LM Studio",
        base_url="http://localhost:1234/v1",
        needs_key=False,
        fan_out="one-by-one",
        hint="Load a model with a context of 8192 tokens or more and start the server on the Developer page.",
    ),
    "llama.cpp": Preset(
        title="llama.cpp",
        base_url="http://localhost:8080/v1",
        needs_key=False,
        fan_out="one-by-one",
        hint="Start it as `llama-server -m MODEL.gguf -c 8192 -np 1`: one slot, so that what was read once stays in memory.",
    ),
    "vllm": Preset(
        title="vLLM",
        base_url="http://localhost:8000/v1",
        needs_key=False,
        fan_out="at-once",
        hint="Start it as `vllm serve MODEL`; choose `primed` where prompts are long and reading them is what takes the time.",
    ),
}


@asynccontextmanager
async def open_models(
    cast: Cast, limit: asyncio.Semaphore | None = None, meter: Meter | None = None
) -> AsyncIterator[ModelFor]:
    """Give the players of a cast while the context is open; close their connections at its end.

    `limit` counts the calls in flight where several casts share an endpoint; `meter` counts what they use. Raises
    `SettingsError` for a broken address.
    """
    limit = limit or asyncio.Semaphore(cast.calls_in_flight)
    async with AsyncExitStack() as stack:
        clients: dict[tuple[str, SecretStr | None, str], Any] = {}
        models: dict[Voice, Model] = {}

        def model(voice: Voice) -> Model:
            if voice.model == REHEARSAL:
                from magnet_core.models.rehearsal import Rehearsal

                return Rehearsal(cast.pace)
            place = (voice.base_url, voice.api_key, voice.api_version)
            if place not in clients:
                key = voice.api_key.get_secret_value() if voice.api_key else ""
                clients[place] = client = open_client(voice.base_url, key, voice.api_version)
                stack.push_async_callback(client.close)
            model = OpenAIModel(voice.model, clients[place], timeout=voice.timeout, limit=limit)
            return meter.over(model) if meter else model

        players: dict[Voice, Player] = {}
        for voice in (cast.default, *cast.overrides.values()):
            kind = voice.model_copy(update={"temperature": None, "max_tokens": None})
            if kind not in models:
                models[kind] = model(kind)
            players[voice] = Player(models[kind], voice.temperature, voice.max_tokens)
        yield lambda agent: players[cast.voice(agent)]
