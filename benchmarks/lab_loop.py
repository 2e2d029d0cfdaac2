"""Walk from an odd reply to a session made with better words, and count the clicks and the seconds of waiting that are ours.

`python -m benchmarks.lab_loop` runs the app and a local model server whose first token takes no time, drives both in Chromium, and
prints each step. The model's own seconds are the server's; all others are the page's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests import lab_walk
from tests.browser import CHROMIUM, FLAGS, serving, settled
from tests.llm_server import LlmServer, Manners


class Walk:
    """The steps taken so far: what was done, how many clicks it took, and how long the page made one wait."""

    def __init__(self, page: Page) -> None:
        self.page, self.steps = page, list[tuple[str, int, float]]()

    def step(self, words: str, clicks: int, act: Callable[[Page], object], *, model: bool = False) -> None:
        start = time.perf_counter()
        act(self.page)
        took = time.perf_counter() - start
        settled(self.page)
        self.steps.append((words + (" (mostly the model)" if model else ""), clicks, 0.0 if model else took))
        print(f"{took:6.2f} s  {clicks} clicks  {words}{'  [the model]' if model else ''}")


def walk(page: Page) -> Walk:
    """Find the reply's call, change its prompt, try three variants five times each, save the best, run the session again."""
    taken = Walk(page)
    taken.step("open the calls", 1, lab_walk.open_calls)
    taken.step("choose the odd reply's call", 1, lab_walk.choose_call)
    taken.step("open it in the lab", 1, lab_walk.replay)
    for place, letter, text in (("second", "B", "responder: be brief."), ("third", "C", "responder: at most ten words.")):
        taken.step(f"a {place} variant, and its words", 1, partial(lab_walk.add_variant, letter=letter, text=text))
    taken.step("five answers each", 0, lab_walk.five_each)
    taken.step("run fifteen calls", 1, lab_walk.run_variants, model=True)
    taken.step("save the best as a pack", 2, lab_walk.save_third)
    taken.step("set up the session again with it", 1, lab_walk.set_up_again)
    taken.step("its first turn", 1, lab_walk.first_turn, model=True)
    return taken


def main() -> None:
    server = LlmServer(Manners(answer=lab_walk.answer)).start()
    try:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, serving(Path(folder)) as url:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(20_000)
            lab_walk.begin(page, url, server)
            taken = walk(page)
            browser.close()
    finally:
        server.stop()
    print(
        f"{sum(clicks for _, clicks, _ in taken.steps)} clicks, {sum(s for _, _, s in taken.steps):.1f} s of waiting that is ours"
    )


if __name__ == "__main__":
    main()
