"""The built-in cast: authored, rule-driven lines for every role. Not a language model, and it says so everywhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from zlib import crc32

from magnet_core.models import REHEARSAL, Chunk, Request
from magnet_core.rehearsal.script import perform

_FORMS_PACE = 6.0
"""How much faster a structured answer comes than a spoken one."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Speak the authored lines for a moment; it reads the scene, not the prompt.

    `pace` is in words per second, 0 for all at once; plan and choice, which nobody reads word by word, come faster.
    Counts no tokens, because it has none.
    """

    pace: float = 0.0
    name: str = REHEARSAL

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        text = perform(request.moment)
        if not self.pace or not request.live:
            yield Chunk(text, "stop")
            return
        moment = request.moment
        pace = self.pace * (_FORMS_PACE if request.schema else 1.0)
        thinking = 4 + crc32(f"{moment.agent}{moment.turn}".encode()) % 12
        await asyncio.sleep(thinking / self.pace)
        loop, start = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        for number, word in enumerate(re.findall(r"\s*\S+", text), 1):
            yield Chunk(word)
            await asyncio.sleep(max(0.0, start + number / pace - loop.time()))
        yield Chunk("", "stop")
