"""How long the session page's script runs for a rerun with a 20-turn session open, as a researcher sees it.

    python -m benchmarks.page

A forked session of twenty turns in a library of `--others` more is looked through turn by turn, in every tab; the figure is the
median over `--reruns` reruns, in milliseconds, measured around the script without a browser.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Fill a library, open the page on it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reruns", type=int, default=20)
    parser.add_argument("--others", type=int, default=100)
    wanted = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"MAGNET_DATABASE_URL": f"sqlite:///{folder}/library.db", "MAGNET_MODEL": "", "OPENAI_API_KEY": ""}
        session_id = asyncio.run(_fill(wanted.others))
        _measure(session_id, wanted.reruns)


async def _fill(others: int) -> str:
    """Keep a finished session, a finished fork of it at turn 7 and more forks; return the fork's id."""
    from magnet_core.events import SessionFinished
    from magnet_core.models import Player
    from magnet_core.models.rehearsal import Rehearsal
    from magnet_core.profiles import samples
    from magnet_core.session import fork, new_session, run_session
    from magnet_core.store import Store
    from ui.state import settings

    store, player = Store(settings().database_url), Player(Rehearsal())

    async def played(session):
        async for event in run_session(session, lambda agent: player, live=False):
            if isinstance(event, SessionFinished):
                store.save(event.session)
                return event.session

    first = await played(new_session(samples()[0], max_turns=20, models=lambda agent: player))
    forked = await played(fork(first, 6, seed=1))
    for n in range(others):
        store.save(fork(first if n % 4 == 0 else new_session(samples()[1]), 5 if n % 4 == 0 else 0))
    return forked.id


def _measure(session_id: str, reruns: int) -> None:
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.query_params["session"] = session_id
    at.query_params["audience"] = "researcher"
    at.run()
    time.sleep(3)  # the warm-up thread
    gc.collect()
    gc.freeze()
    for tab in [tab.label for tab in at.tabs]:
        at.session_state["side"] = tab
        at.run()
        times: list[float] = []
        for n in range(reruns):
            at.session_state["look"] = 1 + n % 20
            start = time.perf_counter()
            at.run()
            times.append(1000 * (time.perf_counter() - start))
        shown = "".join(element.proto.body for element in at.get("html"))
        assert f"Turn {1 + (reruns - 1) % 20} of 20" in shown
        if at.exception:
            print(f"{tab:14} {at.exception[0].message}")
            continue
        print(f"{tab:14} median {median(times):6.1f} ms   longest {max(times):6.1f} ms   n {len(times)}")


if __name__ == "__main__":
    main()
