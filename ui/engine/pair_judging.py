"""A model reviewing pairs behind the pages: in the engine's thread, kept as soon as a review is whole. Nothing here knows the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from magnet_core.domain import Session
from magnet_core.errors import BudgetSpent, MagnetError
from magnet_core.meter import Budget
from magnet_core.models import ModelFor
from magnet_core.scoring.aspects import Pair, Review
from magnet_core.scoring.pairs import Words, judge_pair
from ui.engine.jobs import Background, Stands, State
from ui.engine.mistakes import mistake
from ui.engine.runner import Engine, OpenModels

AT_ONCE = 4
"""Pairs that are reviewed at the same time."""


@dataclass(frozen=True, slots=True)
class Standing(Stands):
    """How a job stands at one moment."""

    state: State
    judge: str
    pairs: int
    done: int = 0
    errors: tuple[str, ...] = ()
    """Why pairs were left out, a sentence each: nothing of these was kept."""


@dataclass(kw_only=True)
class PairJob(Background[Standing]):
    """Some pairs being reviewed by a model."""

    budget: Budget
    """What its calls have used so far."""


def begin(
    engine: Engine,
    pairs: Sequence[Pair],
    judge: str,
    open_models: OpenModels,
    load: Callable[[str], Session],
    save: Callable[[Sequence[Review]], object],
    budget: Budget | None = None,
    told: Words | None = None,
    called: str = "",
) -> PairJob:
    """Begin to have pairs reviewed by a model, each in both orders; the `budget` counts what that uses.

    It is `told` our words, or others, which are `called` something.
    """
    job = PairJob(standing=Standing("running", judge, len(pairs)), budget=budget or Budget())
    job.future = engine.call(_drive(job, engine, pairs, open_models, load, save, told, called))
    return job


async def _drive(
    job: PairJob,
    engine: Engine,
    pairs: Sequence[Pair],
    open_models: OpenModels,
    load: Callable[[str], Session],
    save: Callable[[Sequence[Review]], object],
    told: Words | None,
    called: str,
) -> None:
    gate, spent = asyncio.Semaphore(AT_ONCE), list[str]()

    async def one(pair: Pair, models: ModelFor) -> None:
        async with gate:
            if spent:
                return
            try:
                first = await asyncio.to_thread(load, pair.one.session)
                second = await asyncio.to_thread(load, pair.two.session)
                async with aclosing(judge_pair(pair, first, second, models, told, called)) as reviews:
                    both = [review async for review in reviews]
                await asyncio.to_thread(save, both)
                job.tell(done=job.look().done + 1)
            except BudgetSpent as error:
                spent[:] = [str(error)]
            except MagnetError as error:
                job.tell(errors=(*job.look().errors, f"{pair.client}: {error}"))

    try:
        async with open_models(engine.limit) as models, asyncio.TaskGroup() as tasks:
            for pair in pairs:
                tasks.create_task(one(pair, models))
        now = job.look()
        failed = bool(spent or (now.errors and not now.done))
        job.tell(state="failed" if failed else "done", errors=(*now.errors, *spent))
    except asyncio.CancelledError:
        job.tell(state="stopped")
    except MagnetError as error:
        job.tell(state="failed", errors=(*job.look().errors, str(error)))
    except Exception as error:
        job.tell(state="failed", errors=(*job.look().errors, mistake(error, "Reviewing")))
