"""What a session costs at an endpoint: call times a turn, and characters of prompts sent and new. Run: `python benchmarks/endpoint.py`."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from magnet_core.cast import Cast, Voice, open_models  # noqa: E402
from magnet_core.domain import FanOut, Session  # noqa: E402
from magnet_core.events import SessionFinished  # noqa: E402
from magnet_core.profiles import samples  # noqa: E402
from magnet_core.session import new_session, run_session  # noqa: E402

FIRST_TOKEN, TOKENS, TOKEN_TIME = 0.2, 50, 0.002
CALL_TIME = FIRST_TOKEN + (TOKENS - 1) * TOKEN_TIME
GOALS = {
    "at-once": {"call_times": 3.2, "new": 132_500},
    "primed": {"call_times": 3.8, "new": 80_000},
    "one-by-one": {},
    "one-call": {"sent": 485_000},
}


@contextmanager
def server(*options: str) -> Iterator[str]:
    """Run the test server in a process of its own; give its address."""
    command = [sys.executable, "-m", "tests.llm_server", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def ask(url: str, path: str) -> dict[str, Any]:
    with urlopen(url.removesuffix("/v1") + path, timeout=10) as answer:
        return json.load(answer)


async def one_session(url: str, name: str, turns: int) -> tuple[Session, float, float]:
    """Return a session made against the server, its seconds, and the processor seconds they took here."""
    fan_out: FanOut = name if name in get_args(FanOut) else "at-once"  # pyright: ignore[reportAssignmentType]
    cast = Cast(default=Voice(model="test-model", base_url=url), fan_out=fan_out)
    method = "one-call" if name == "one-call" else "magnet"
    async with open_models(cast) as models:
        session = new_session(samples()[0], method=method, min_turns=turns, max_turns=turns, models=models)
        wall, cpu = time.perf_counter(), time.process_time()
        async for event in run_session(session, models, fan_out=fan_out, live=False):
            if isinstance(event, SessionFinished):
                session = event.session
        return session, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("names", nargs="*", default=list(GOALS))
    args = parser.parse_args()
    options = ("--first-token", str(FIRST_TOKEN), "--tokens", str(TOKENS), "--token-time", str(TOKEN_TIME))
    with server(*options) as url:
        asyncio.run(one_session(url, "one-call", 1))  # what is loaded once is not counted
        for name in args.names:
            ask(url, "/reset")
            session, wall, cpu = asyncio.run(one_session(url, name, args.turns))
            stats = ask(url, "/stats")
            found = {
                "call_times": wall / len(session.turns) / CALL_TIME,
                "sent": stats["sent_characters"],
                "new": stats["new_characters"],
            }
            calls = stats["bodies"]
            print(
                f"{name:11} {len(session.turns)} turns {calls} calls {wall:6.2f} s  {found['call_times']:5.2f} call times a turn"
                f"  sent {found['sent']:>9,}  new {found['new']:>7,}  {1000 * cpu / calls:.1f} ms processor a call"
            )
            asked_twice = sum(call.attempt > 1 for turn in session.turns for call in turn.calls)
            for key, goal in GOALS[name].items():
                print(f"            {key} goal {goal:,}: {'met' if found[key] <= goal else 'MISSED'}")
            if asked_twice or stats["max_in_flight"] > 6:
                print(f"            asked twice {asked_twice}, at most {stats['max_in_flight']} in flight")


if __name__ == "__main__":
    main()
