"""What scores cost the pages: time added to a session that is scored as it grows, and the scores page over a large library.

    python -m benchmarks.scores_page [--rounds 5] [--every 4] [--sessions 500]

Sessions of 20 turns are made by the pages' engine against the test server, by turns scored along by a model, by the rules and not at all.
Then a library is filled, scored by the rules, and the page's script is timed view by view.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.endpoint import server
from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import Attitude
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session
from magnet_core.store import Store
from ui.engine.runner import Engine
from ui.engine.scorer import Order, Scorer, sheets_of

USUAL = ("ctrs", "wai", "panas-before", "panas-after")


def made(url: str, store: Store, every: int, judge: str) -> tuple[float, int]:
    """Return the seconds to make a session by the engine, and how many scorecards came of it."""
    cast = Cast(default=Voice(model="test-model", base_url=url))
    engine = Engine(64)
    scorer = Scorer(engine, store.cards.save, store.cards.of, store.session, 64)
    session = new_session(samples()[0], min_turns=20, max_turns=20)
    if judge:
        opener = None if judge == "rules" else lambda limit: open_models(cast, limit)
        scorer.go_along(session.id, every, Order(judge, sheets_of(USUAL), opener), "me")

    def save(session: Any) -> None:
        store.save(session)
        scorer.turn_kept(session)

    began = time.perf_counter()
    run = engine.start(session, "end", owner="me", open_models=lambda limit: open_models(cast, limit), save=save)
    while run.look("me").live:
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    while any(job.look().live for job in scorer.jobs_on(session.id)):
        time.sleep(0.05)
    return seconds, len(store.cards.of(session.id))


def live(rounds: int, every: int) -> None:
    with server() as url, tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'own.db'}")
        made(url, store, every, "")
        times: dict[str, list[float]] = {"": [], "rules": [], "test-model": []}
        cards = dict.fromkeys(times, 0)
        for _ in range(rounds):
            for judge in times:
                seconds, cards[judge] = made(url, store, every, judge)
                times[judge].append(seconds)
        base = median(times[""])
        print(f"20 turns by the engine, no scores: {base:.2f} s (median of {rounds})")
        for judge in ("rules", "test-model"):
            added = median(times[judge]) / base - 1
            verdict = "met" if added < 0.05 else "MISSED"
            print(
                f"  scored every {every} turns by {judge:10} {median(times[judge]):.2f} s  {added:+.1%}  {cards[judge]} cards  goal +5%: {verdict}"
            )


async def fill(store: Store, sessions: int) -> None:
    """Fill a library with rehearsals of all sample clients and attitudes."""
    people = [person.with_attitude(attitude) for person in samples() for attitude in Attitude]
    async with open_models(Cast()) as models:
        for number in range(sessions):
            session = new_session(people[number % len(people)], max_turns=20, models=models, seed=number)
            async for event in run_session(session, models, live=False):
                session = getattr(event, "session", session)
            store.save(session)


def page(sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'library.db'}"
        os.environ |= {"MAGNET_DATABASE_URL": url, "MAGNET_MODEL": "", "OPENAI_API_KEY": ""}
        store = Store(url)
        asyncio.run(fill(store, sessions))
        scorer = Scorer(Engine(8), store.cards.save, store.cards.of, store.session, 8)
        began = time.perf_counter()
        job = scorer.start([entry.id for entry in store.recent(sessions)], Order("rules", sheets_of(USUAL)), owner="me")
        while job.look().live:
            time.sleep(0.05)
        print(f"{sessions} sessions scored by the rules in {time.perf_counter() - began:.1f} s")
        from streamlit.testing.v1 import AppTest

        at = AppTest.from_file(str(Path(__file__).parent.parent / "pages/judge/scores.py"), default_timeout=120)

        def timed(title: str, rounds: int = 9) -> None:
            began = time.perf_counter()
            at.run()
            first = time.perf_counter() - began
            again: list[float] = []
            for _ in range(rounds):
                began = time.perf_counter()
                at.run()
                again.append(time.perf_counter() - began)
            assert not at.exception, at.exception
            print(
                f"  {title:22} first {1000 * first:5.0f} ms  then {1000 * median(again):5.0f} ms (script, median of {rounds})"
            )

        timed("one session")
        at.segmented_control(key="scores_view").set_value("many")
        timed("many, by group")
        at.session_state["scores_many_tab"] = "The planner's picks"
        timed("many, the planner")
        at.segmented_control(key="scores_view").set_value("own")
        timed("own rubrics")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--sessions", type=int, default=500)
    given = parser.parse_args()
    live(given.rounds, given.every)
    page(given.sessions)


if __name__ == "__main__":
    main()
