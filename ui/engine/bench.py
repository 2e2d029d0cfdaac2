"""Trials of the prompt lab behind the page: a job in the engine's thread that a page begins, looks at, and can stop.

Nothing here knows the screen, and nothing a trial brings is kept in a session.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace

from magnet_core.domain import FanOut, Moment
from magnet_core.errors import MagnetError
from magnet_core.lab import Grown, Sample, Trial, try_out
from magnet_core.lab.judge_trials import Asked, JudgeTrial
from magnet_core.models import ModelFor, Player
from magnet_core.prompts import PromptSet
from magnet_core.scoring import expectation
from magnet_core.scoring.judge import JUDGE
from ui.engine.jobs import Stands, State
from ui.engine.mistakes import mistake
from ui.engine.runner import Engine, OpenModels


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trial to be: what is asked, and how to reach who is asked."""

    label: str
    moment: Moment
    texts: PromptSet
    model: str
    """For a reader; who speaks is up to `open`."""
    open: OpenModels
    repeats: int = 1
    temperature: float | None = None
    max_tokens: int | None = None
    fan_out: FanOut = "at-once"
    question: str = ""
    """Put to the judge about each answer."""
    judge: OpenModels | None = None
    """Opens the judge, where there is a question."""
    judge_words: expectation.Words | None = None
    """What that judge is told; ours where there are none."""
    rates: Asked | None = None
    """What a judge is asked, where a judge's own prompt is tried."""

    def trial(self, player: Player, judge: Player | None = None) -> Trial:
        """Return what a player is asked, and the judge of its answers where there is a question."""
        how = (self.repeats, self.temperature, self.max_tokens)
        if self.rates:
            return JudgeTrial(self.label, self.moment, self.texts, player, *how, asked=self.rates)
        return Trial(self.label, self.moment, self.texts, player, *how, self.question, judge, self.judge_words)


@dataclass(frozen=True, slots=True)
class Look(Stands):
    """A job as it stands at one moment."""

    state: State
    agent: str
    labels: tuple[str, ...]
    total: int
    samples: tuple[Sample, ...] = ()
    growing: dict[tuple[str, int], str] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0

    def of(self, label: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.label == label]


class Bench:
    """One run of trials. The engine's thread writes it, the page reads it by `look`."""

    def __init__(
        self, engine: Engine, wanted: Sequence[Wanted], agent: str = "", ended: Callable[[Look], None] | None = None
    ) -> None:
        """Begin to ask; `ended` is told once how the run stands at its end, before any page is."""
        self._lock, self._ended = threading.Lock(), ended
        self._engine, self._began = engine, time.monotonic()
        self._now = Look("running", agent, tuple(w.label for w in wanted), sum(w.repeats for w in wanted))
        self._future: Future[None] = engine.call(self._drive(tuple(wanted)))

    def look(self) -> Look:
        with self._lock:
            return replace(self._now, growing=dict(self._now.growing))

    def stop(self) -> None:
        """Stop at once; answers that are whole stay."""
        with self._lock:
            if not self._now.live:
                return
            self._now = replace(self._now, state="stopping")
        self._future.cancel()

    def _take(self, item: Grown | Sample) -> None:
        with self._lock:
            growing = self._now.growing
            if isinstance(item, Grown):
                growing[item.label, item.number] = item.text
                return
            growing.pop((item.label, item.number), None)
            self._now = replace(self._now, samples=(*self._now.samples, item))

    async def _finish(self, state: State, error: str = "") -> None:
        took = time.monotonic() - self._began
        last = replace(self.look(), state=state, error=error, growing={}, seconds=took)
        if self._ended:
            try:
                await asyncio.to_thread(self._ended, last)
            except MagnetError as lost:
                last = replace(last, error=error or f"The answers are not kept: {lost}")
        with self._lock:
            self._now = last

    async def _drive(self, wanted: tuple[Wanted, ...]) -> None:
        try:
            async with AsyncExitStack() as stack:
                casts: dict[OpenModels, ModelFor] = {}
                trials: list[Trial] = []
                for one in wanted:
                    for opener in [one.open, *([one.judge] if one.judge else [])]:
                        if opener not in casts:
                            casts[opener] = await stack.enter_async_context(opener(self._engine.limit))
                    player = casts[one.open](one.moment.agent)
                    judge = casts[one.judge](JUDGE) if one.judge else None
                    trials.append(one.trial(player, judge))
                fan_out: FanOut = "one-by-one" if any(w.fan_out == "one-by-one" for w in wanted) else "at-once"
                async with aclosing(try_out(trials, fan_out)) as events:
                    async for item in events:
                        self._take(item)
            await self._finish("done")
        except asyncio.CancelledError:
            await self._finish("stopped")
        except MagnetError as error:
            await self._finish("failed", str(error))
        except Exception as error:
            await self._finish("failed", mistake(error, "A trial"))
