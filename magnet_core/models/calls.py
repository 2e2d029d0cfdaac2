"""One call to a model, heard to its end: failures of the connection are overcome where that can be."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from magnet_core.domain import ClientProfile, Intake, Moment, Opening, Session, Usage
from magnet_core.errors import ModelError
from magnet_core.models import Chunk, Model, Request

RETRIES = 5
"""How often a failed connection is tried again."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The call failed and is made again, so that what was said so far is void."""

    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model said in the end, a text for each sample asked for, and how long it took."""

    texts: tuple[str, ...]
    finish_reason: str
    """Of the first sample."""
    usage: Usage
    started: float
    """On the clock of `time.perf_counter`."""
    first_token: float | None
    seconds: float
    retries: tuple[str, ...]


async def hear(model: Model, request: Request) -> AsyncGenerator[Chunk | Failed | Heard]:
    """Yield the pieces of an answer as they come, and at last the whole; raise `ModelError` when there is none for good."""
    retries: list[str] = []
    while True:
        started, first = time.perf_counter(), None
        usages: list[Usage] = []
        pieces: list[list[str]] = [[] for _ in range(request.samples)]
        finish = ""
        try:
            async with aclosing(cast(Any, model.stream(request))) as chunks:
                async for chunk in chunks:
                    if chunk.text and chunk.index < len(pieces):
                        if first is None:
                            first = time.perf_counter() - started
                        pieces[chunk.index].append(chunk.text)
                        yield replace(chunk, text=_whole(chunk.text))
                    if chunk.index == 0:
                        finish = chunk.finish_reason or finish
                    if chunk.usage:
                        usages.append(chunk.usage)
            break
        except ModelError as error:
            retries.append(str(error))
            if not error.transient or len(retries) > RETRIES:
                raise
            yield Failed(str(error))
            await asyncio.sleep(_pause(len(retries), error.retry_after))
    yield Heard(
        texts=tuple(_whole("".join(own)) for own in pieces),
        finish_reason=finish,
        usage=Usage.total(usages),
        started=started,
        first_token=None if first is None else round(first, 4),
        seconds=round(time.perf_counter() - started, 4),
        retries=tuple(retries),
    )


async def whole(model: Model, request: Request) -> Heard:
    """Return an answer once it is whole, for whoever does not watch it come; raise `ModelError` when there is none for good."""
    async with aclosing(hear(model, request)) as pieces:
        return [piece async for piece in pieces if isinstance(piece, Heard)][-1]


def beside_sessions(agent: str) -> Moment:
    """Return the scene of a call that belongs to no session."""
    nobody = ClientProfile(id="nobody", intake=Intake(name="Nobody"), opening=Opening(counsellor="-", client="-"))
    return Moment(agent=agent, session=Session(id="", created=datetime.now(UTC), profile=nobody))


def _whole(text: str) -> str:
    """Return a text that can be written and shown: halves of a character that belong together joined, others replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pause(failures: int, retry_after: float | None) -> float:
    """Return how long to wait before trying again: what the server asked for, else a growing, jittered pause (seconds)."""
    if retry_after is not None:
        return min(retry_after, 60.0)
    return min(0.25 * 2 ** (failures - 1), 8.0) * random.uniform(0.75, 1.25)
