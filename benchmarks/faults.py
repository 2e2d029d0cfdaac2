"""Many sessions at once against an endpoint that fails now and then: `python benchmarks/faults.py`.

Every session must come to its end or name the turn it could not finish; nothing may be lost and nothing doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.endpoint import ask, server
from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import Session
from magnet_core.errors import AgentFailed
from magnet_core.events import SessionFinished, SessionOpened, TurnFinished
from magnet_core.methods import method_named
from magnet_core.models import ModelFor
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session


async def one(number: int, turns: int, models: ModelFor) -> tuple[Session, str]:
    """Return a session as far as it came, and what stopped it."""
    people = samples()
    session = new_session(people[number % len(people)], min_turns=turns, max_turns=turns, seed=number, models=models)
    try:
        async for event in run_session(session, models, live=False):
            if isinstance(event, SessionOpened | TurnFinished | SessionFinished):
                session = event.session
    except AgentFailed as error:
        return session, f"turn {len(session.turns) + 1}: {error}"
    return session, ""


async def many(url: str, sessions: int, turns: int) -> tuple[list[tuple[Session, str]], float, float]:
    cast = Cast(default=Voice(model="test-model", base_url=url, timeout=1.0))
    async with open_models(cast) as models:
        wall, cpu = time.perf_counter(), time.process_time()
        found = await asyncio.gather(*(one(number, turns, models) for number in range(sessions)))
        return list(found), time.perf_counter() - wall, time.process_time() - cpu


def wrong(session: Session, turns: int, stopped: str) -> list[str]:
    """Return what is lost or doubled in a session."""
    found: list[str] = []
    agents = set(method_named(session.method).agents)
    if not stopped and len(session.turns) != turns:
        found.append(f"{session.id} has {len(session.turns)} turns and no word why")
    for number, turn in enumerate(session.turns, 1):
        first = [call.agent for call in turn.calls if call.attempt == 1]
        if sorted(first) != sorted(agents - {"planner"}):
            found.append(f"{session.id} turn {number}: asked {first}")
        if len(turn.candidates) != 5 or not turn.response or not turn.reply.text or turn.choice is None:
            found.append(f"{session.id} turn {number}: a part is missing")
    said = [text for turn in session.turns for text in (turn.response, turn.reply.text, *(c.text for c in turn.candidates))]
    found += [f"{session.id}: said twice: {text[:40]}" for text, n in collections.Counter(said).items() if n > 1]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.05)
    args = parser.parse_args()
    with server("--first-token", "0.005", "--token-time", "0.0001", "--rate", str(args.rate), "--slow", "2") as url:
        found, wall, cpu = asyncio.run(many(url, args.sessions, args.turns))
        stats = ask(url, "/stats")
    faults, calls = sum(stats["faults"].values()), stats["bodies"]
    retries = sum(
        len(call.retries) for s, _ in found for calls_ in (s.plan_calls, *(t.calls for t in s.turns)) for call in calls_
    )
    done = sum(not stopped for _, stopped in found)
    troubles = [trouble for session, stopped in found for trouble in wrong(session, args.turns, stopped)]
    print(
        f"{done} of {args.sessions} sessions of {args.turns} turns finished in {wall:.1f} s, {calls} calls, {1000 * cpu / calls:.2f} ms processor a call"
    )
    print(
        f"faults met: {faults} ({', '.join(f'{kind} {n}' for kind, n in sorted(stats['faults'].items()))}); overcome and noted: {retries}"
    )
    for _, stopped in found:
        if stopped:
            print(f"stopped in {stopped}")
    print(f"lost or doubled: {len(troubles)}")
    for trouble in troubles[:10]:
        print(f"  {trouble}")
    sys.exit(bool(troubles))


if __name__ == "__main__":
    main()
