"""What rating a session costs at an endpoint: call times, and the share of the prompts' characters that is new.

    python -m benchmarks.judge [--samples 3] [--rounds 5] [--every 5]

Rates two sessions of 20 turns on CTRS, WAI and PANAS (20 calls): one made against the test server, one by the rehearsal cast. One
call's time is what one of them (PANAS after the session) takes by itself, samples and all. Then a session is made with and without being
rated every few turns while it grows.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.endpoint import CALL_TIME, FIRST_TOKEN, TOKEN_TIME, TOKENS, ask, one_session, server
from benchmarks.rehearsal import play
from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import FanOut, Session
from magnet_core.events import TurnFinished
from magnet_core.models import ModelFor
from magnet_core.profiles import samples as clients
from magnet_core.scoring.events import SessionScored
from magnet_core.scoring.items import Instrument
from magnet_core.scoring.judge import score_all
from magnet_core.session import new_session, run_session

INSTRUMENTS: tuple[Instrument, ...] = ("ctrs", "wai", "panas-before", "panas-after")
GOALS: dict[FanOut, tuple[float, float | None]] = {"at-once": (1.3, None), "primed": (2.1, 0.15), "one-by-one": (99.0, 0.15)}


async def rated(
    session: Session, models: ModelFor, instruments: Sequence[Instrument], samples: int, fan_out: FanOut
) -> tuple[float, int]:
    """Return the seconds that rating a session took, and how many items are missing."""
    began, missing = time.perf_counter(), 0
    async for event in score_all(session, instruments, models, samples=samples, fan_out=fan_out):
        if isinstance(event, SessionScored):
            missing += sum(rating.value is None for rating in event.card.ratings)
    return time.perf_counter() - began, missing


async def measure(url: str, title: str, session: Session, samples: int, rounds: int) -> None:
    async with open_models(Cast(default=Voice(model="test-model", base_url=url))) as models:
        await rated(session, models, INSTRUMENTS, samples, "at-once")  # what is loaded once is not counted
        alone = median([(await rated(session, models, ["panas-after"], samples, "at-once"))[0] for _ in range(rounds)])
        print(
            f"{title}: {len(session.turns)} turns, {samples} samples, one call {1000 * alone:.0f} ms (server: {1000 * CALL_TIME:.0f})"
        )
        for fan_out, (most, share) in GOALS.items():
            times: list[float] = []
            stats: dict[str, int] = {}
            missing = 0
            for _ in range(1 if fan_out == "one-by-one" else rounds):
                ask(url, "/reset")
                seconds, missing = await rated(session, models, INSTRUMENTS, samples, fan_out)
                times.append(seconds / alone)
                stats = ask(url, "/stats")
            new = stats["new_characters"] / stats["sent_characters"]
            goals = [f"{most:g} {'met' if median(times) <= most else 'MISSED'}"] if most < 99 else []
            goals += [f"share {share:g} {'met' if new <= share else 'MISSED'}"] if share else []
            print(
                f"  {fan_out:11} {stats['bodies']} calls  {median(times):5.2f} call times  sent {stats['sent_characters']:>8,}"
                f"  new {stats['new_characters']:>7,}  share {new:.3f}  missing {missing}  {'goal ' + ', '.join(goals) if goals else ''}"
            )


async def made(url: str, every: int, samples: int) -> tuple[float, int]:
    """Return the seconds to make a session of 20 turns, rated beside it every so many turns (0: not), and the cards that came of it."""
    async with open_models(Cast(default=Voice(model="test-model", base_url=url))) as models:
        session = new_session(clients()[0], min_turns=20, max_turns=20, models=models)
        ratings: list[asyncio.Task[tuple[float, int]]] = []
        began = time.perf_counter()
        async for event in run_session(session, models, live=False):
            if every and isinstance(event, TurnFinished) and len(event.session.turns) % every == 0:
                ratings.append(asyncio.create_task(rated(event.session, models, INSTRUMENTS, samples, "at-once")))
        seconds = time.perf_counter() - began
        await asyncio.gather(*ratings)
    return seconds, len(ratings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=5, help="rate a growing session every so many turns; 0: leave that out")
    args = parser.parse_args()
    options = ("--first-token", str(FIRST_TOKEN), "--tokens", str(TOKENS), "--token-time", str(TOKEN_TIME))
    with server(*options) as url:
        served = asyncio.run(one_session(url, "one-call", 20))[0]
        acted = asyncio.run(play(clients()[0], 20, 0))
        for title, session in (("made against the server", served), ("made by the rehearsal cast", acted)):
            asyncio.run(measure(url, title, session, args.samples, args.rounds))
        if args.every:
            pairs = [
                [asyncio.run(made(url, every, args.samples))[0] for every in (0, args.every)] for _ in range(args.rounds)
            ]
            without, beside = zip(*pairs, strict=True)
            more = median(b / w for w, b in pairs) - 1
            print(
                f"rated every {args.every} turns: {median(beside):.2f} s, not rated {median(without):.2f} s, {more:+.1%}"
                f"  goal 5% {'met' if more < 0.05 else 'MISSED'}"
            )


if __name__ == "__main__":
    main()
