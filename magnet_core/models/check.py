"""Trying an endpoint out: does it answer, does it stream, does it hold to a schema, how soon does it begin."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import Value
from magnet_core.errors import BudgetSpent, MagnetError, ModelError
from magnet_core.models import REHEARSAL, Message, Model, Request
from magnet_core.models.calls import beside_sessions
from magnet_core.models.openai import OpenAIModel, open_client
from magnet_core.reading import read_json

if TYPE_CHECKING:
    from magnet_core.meter import Meter


class Verdict(Value):
    """What trying a voice out has shown."""

    ok: bool
    sentence: str
    stopped: bool = False
    """Whether a budget kept the endpoint from being asked, or from being asked to the end."""
    streams: bool | None = None
    """Whether answers come in pieces; None when that was not found out."""
    holds_to_schema: bool | None = None
    """The same of a schema."""
    first_token: float | None = None
    """Seconds to the first piece of an answer."""
    adapted: tuple[str, ...] = ()
    """What the endpoint did not take and how that is met."""
    known_models: tuple[str, ...] = ()
    """What the endpoint lists, as far as it does."""


_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["calm", "tense"]}, "strength": {"type": "integer"}},
    "required": ["mood", "strength"],
    "additionalProperties": False,
}


async def test_voice(voice: Voice, meter: Meter | None = None) -> Verdict:
    """Try a voice with two tiny calls, which a `meter` counts; every failure is a verdict, never an exception."""
    if voice.model == REHEARSAL:
        return Verdict(ok=True, sentence="The rehearsal cast is built in: it needs no endpoint.", streams=True)
    known: tuple[str, ...] = ()
    try:
        async with open_models(Cast(default=voice)) as models:
            model = models("test").model
            counted = meter.over(model) if meter else model
            try:
                pieces, first = await _streamed(counted)
            except ModelError as error:
                if error.kind == "model" and (known := await known_models(voice)):
                    some = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
                    return Verdict(ok=False, sentence=f"{error} It knows: {some}", known_models=known)
                raise
            adapted = model.adapted if isinstance(model, OpenAIModel) else ()
            streams = pieces > 1 and not any(note.startswith("stream:") for note in adapted)
            holds, lost = await _schema_held(counted)
            adapted = model.adapted if isinstance(model, OpenAIModel) else ()
            words = [f"{voice.model} answers, the first token after {first:.1f} s."]
            words += [] if streams else ["It does not stream: answers will come in one piece."]
            if lost:
                words += [f"Whether it holds to a JSON schema was not found out: {lost}"]
            elif not holds:
                words += ["It does not hold to a JSON schema: plans and choices are read from its prose."]
            return Verdict(
                ok=True,
                sentence=" ".join(words),
                streams=streams,
                holds_to_schema=holds,
                first_token=round(first, 3),
                adapted=adapted,
                known_models=known,
            )
    except BudgetSpent as error:
        return Verdict(ok=False, sentence=str(error), stopped=True)
    except MagnetError as error:
        return Verdict(ok=False, sentence=str(error), known_models=known)
    except Exception as error:
        return Verdict(ok=False, sentence=f"The endpoint could not be tried ({type(error).__name__}).", known_models=known)


test_voice.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


def _request(text: str, **more: Any) -> Request:
    return Request((Message("user", text),), beside_sessions("test"), max_tokens=256, **more)


async def _streamed(model: Model) -> tuple[int, float]:
    """Return the number of pieces of a short answer, and the seconds to its first piece."""
    began, first, pieces = time.perf_counter(), 0.0, 0
    async with aclosing(cast(Any, model.stream(_request("Say in one sentence how spring feels.")))) as chunks:
        async for chunk in chunks:
            if chunk.text:
                first = first or time.perf_counter() - began
                pieces += 1
    return pieces, first


async def _schema_held(model: Model) -> tuple[bool | None, str]:
    """Return whether an answer follows a schema that its prompt does not speak of, and why that was not found out."""
    request = _request("How does a rainy day feel to you?", schema=_SCHEMA, schema_name="mood", live=False)
    pieces: list[str] = []
    try:
        async with aclosing(cast(Any, model.stream(request))) as chunks:
            async for chunk in chunks:
                pieces.append(chunk.text)
    except ModelError as error:
        return (None, str(error)) if error.transient else (False, "")
    data = read_json("".join(pieces))
    return data.get("mood") in ("calm", "tense") and isinstance(data.get("strength"), int), ""


async def known_models(voice: Voice) -> tuple[str, ...]:
    """Return the models an endpoint lists; none where it does not."""
    key = voice.api_key.get_secret_value() if voice.api_key else ""
    client = open_client(voice.base_url, key, voice.api_version)
    try:
        listed = await client.with_options(timeout=10.0).models.list()
        return tuple(str(model.id) for model in listed.data)
    except Exception:
        return ()
    finally:
        await client.close()
