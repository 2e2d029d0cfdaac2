"""Walk from an odd reply to a session made with better words, and count the clicks and the seconds of waiting that are ours.

`python -m benchmarks.lab_loop` runs the app and a local model server whose first token takes no time, drives both in Chromium, and
prints each step. The model's own seconds are the server's; all others are the page's.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.llm_server import LlmServer, Manners
from tests.test_browser import CHROMIUM, FLAGS, idle, press, serving, where
from tests.test_lab_browser import answer, go_to, rewrite, settled, speak_by, write


class Walk:
    """The steps taken so far: what was done, how many clicks it took, and how long the page made one wait."""

    def __init__(self, page: Page) -> None:
        self.page, self.steps = page, list[tuple[str, int, float]]()

    def step(self, words: str, clicks: int, act: Callable[[], object], *, model: bool = False) -> None:
        start = time.perf_counter()
        act()
        took = time.perf_counter() - start
        settled(self.page)
        self.steps.append((words + (" (mostly the model)" if model else ""), clicks, 0.0 if model else took))
        print(f"{took:6.2f} s  {clicks} clicks  {words}{'  [the model]' if model else ''}")


def prepare(page: Page, url: str, server: LlmServer) -> None:
    """Set the local server as the model, and make a turn."""
    page.goto(f"{url}/?audience=researcher")
    speak_by(page, server, "test-model")
    go_to(page, "Watch", "Session")
    press(page, "Next turn")
    expect(where(page)).to_have_text("Turn 1 of 20")
    idle(page)


def walk(page: Page) -> Walk:
    """Find the reply's call, change its prompt, try three variants five times each, save the best, run the session again."""
    taken = Walk(page)

    def choose() -> None:
        page.get_by_role("combobox", name="One call in full").click()
        page.keyboard.type("Responder")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Replay this call")).to_have_attribute("href", re.compile("agent=responder"))

    def replay() -> None:
        page.get_by_role("link", name="Replay this call").click()
        page.locator(".st-key-lab_go").wait_for()

    def another(letter: str, text: str) -> None:
        press(page, "Add variant")
        rewrite(page, letter, text)

    def repeats() -> None:
        field = page.get_by_role("spinbutton", name="Answers each")
        field.fill("5")
        field.press("Enter")
        expect(page.locator(".cost")).to_contain_text("15 calls")

    def run() -> None:
        press(page, "Run 3 variants")
        expect(page.get_by_text("15 answers in")).to_be_visible()

    def save() -> None:
        page.locator(".st-key-lab_save button").first.click()
        write(page, "Name of the new pack", "Ten words")
        page.get_by_role("button", name="Save variant C").click()
        expect(page.get_by_text("Saved in “Ten words”.")).to_be_visible()

    def again() -> None:
        press(page, "Run this session again with this pack")
        expect(page.locator(".badge")).to_have_text("Own prompts: Ten words")

    def turn() -> None:
        press(page, "Next turn")
        expect(where(page)).to_have_text("Turn 1 of 20")
        idle(page)

    taken.step("open the calls", 1, lambda: page.get_by_role("tab", name="Calls").click())
    taken.step("choose the odd reply's call", 1, choose)
    taken.step("open it in the lab", 1, replay)
    taken.step("a second variant, and its words", 1, lambda: another("B", "responder: be brief."))
    taken.step("a third variant, and its words", 1, lambda: another("C", "responder: at most ten words."))
    taken.step("five answers each", 0, repeats)
    taken.step("run fifteen calls", 1, run, model=True)
    taken.step("save the best as a pack", 2, save)
    taken.step("set up the session again with it", 1, again)
    taken.step("its first turn", 1, turn, model=True)
    return taken


def main() -> None:
    server = LlmServer(Manners(answer=answer)).start()
    try:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, serving(Path(folder)) as url:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(20_000)
            prepare(page, url, server)
            taken = walk(page)
            browser.close()
    finally:
        server.stop()
    print(
        f"{sum(clicks for _, clicks, _ in taken.steps)} clicks, {sum(s for _, _, s in taken.steps):.1f} s of waiting that is ours"
    )


if __name__ == "__main__":
    main()
