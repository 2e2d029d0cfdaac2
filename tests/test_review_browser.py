"""Reviewing in a real browser: pairs are queued, rated by keys, taken back, and nothing that reaches the rater names a maker."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect, sync_playwright

from magnet_core.domain import Session
from magnet_core.scoring.aspects import Pair, flipped, form
from magnet_core.scoring.queue import case_of, in_order
from magnet_core.store import Store
from tests.browser import CHROMIUM, FLAGS, launch, press, serving, settled
from tests.fakes import rehearsed, reworded
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")

QUESTIONS = [question.key for question in form().questions]


def asked(page: Page, key: str) -> None:
    expect(page.locator("[data-question]")).to_have_attribute("data-question", key)


def queued(folder: Path) -> tuple[Store, list[Session]]:
    """Return a library with two pairs in its queue, and their sessions."""
    store = Store(f"sqlite:///{folder / 'library.db'}")
    sessions = [
        reworded(rehearsed(8, client, method=method), f"This is way {n}.")
        for client in range(2)
        for n, method in enumerate(("magnet", "plain"))
    ]
    for session in sessions:
        store.save(session)
    store.reviews.add_pairs(
        Pair.of(case_of(one), case_of(two)) for one, two in zip(sessions[::2], sessions[1::2], strict=True)
    )
    return store, sessions


@contextmanager
def closing(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the app until a test kills it, or ends."""
    server, url = launch(folder)
    try:
        yield server, url
    finally:
        server.kill()
        server.wait(10)


def ready(page: Page, question: str) -> None:
    """Wait until the desk asks a question and listens to keys."""
    asked(page, question)
    expect(page.locator(".st-key-review_keys span").first).to_be_attached()
    page.wait_for_selector("[data-test-script-state='notRunning']")
    page.evaluate("document.activeElement.blur()")


def test_a_rater_compares_blind_by_keys(tmp_path: Path) -> None:
    store, sessions = queued(tmp_path)
    secrets = [b"rehearsal", b"single-agent", b"MAGneT", b"Plain,", *(s.id.encode() for s in sessions)]
    frames: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda sent: frames.append(sent if isinstance(sent, bytes) else sent.encode()))

    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.on("websocket", listen)
        page.goto(f"{url}/review?rate=only")
        page.get_by_role("textbox", name="Your pseudonym").fill("night owl")
        press(page, "Begin")
        ready(page, QUESTIONS[0])
        expect(page.get_by_role("radio", name="Results")).to_have_count(0)
        for key, question in zip("123atb", QUESTIONS[1:7], strict=True):
            page.keyboard.press(key)
            asked(page, question)
        [said] = store.reviews.reviews("night owl")
        assert [said.verdicts[key].choice for key in QUESTIONS[:6]] == ["A", "tie", "B", "A", "tie", "B"]
        assert said.flipped == flipped(said.pair, "night owl")
        page.keyboard.press("u")
        asked(page, QUESTIONS[5])
        expect(page.get_by_role("button", name="Clear")).to_be_disabled()
        assert len(store.reviews.reviews("night owl")[0].verdicts) == 5
        page.get_by_role("textbox", name=re.compile("^Why")).fill("123 ta")
        page.keyboard.press("Enter")
        page.keyboard.press("1")
        asked(page, QUESTIONS[6])
        verdict = store.reviews.reviews("night owl")[0].verdicts[QUESTIONS[5]]
        assert (verdict.choice, verdict.reason) == ("A", "123 ta")
        page.locator("[data-side='B'] [data-turn='2']").click()
        expect(page.get_by_role("spinbutton", name="Turn")).to_have_value("2")
        page.get_by_role("textbox", name="Comment").fill("Well put.")
        press(page, "Keep the comment")
        expect(page.locator(".remark")).to_have_text("B, turn 2: Well put.")
        page.evaluate("document.activeElement.blur()")
        for question in [*QUESTIONS[7:], QUESTIONS[0]]:
            page.keyboard.press("3")
            asked(page, question)
        expect(page.locator(".where")).to_have_text("Pair 2 of 2")
        source = page.content().encode()
        assert not [name for name in secrets if name in source]
        assert frames and not [name for name in secrets if any(name in frame for frame in frames)]
        page.goto(f"{url}/review")
        page.get_by_text("Results", exact=True).click()
        expect(page.locator(".js-plotly-plot")).to_be_visible()
        expect(page.locator(".card.first h3")).to_contain_text("MAGneT was preferred to Plain")
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        assert "night owl" in Path(download.value.path()).read_text()
        browser.close()
    store.close()


def test_the_raters_address_has_no_menu_and_a_reload_keeps_the_rater(tmp_path: Path) -> None:
    store, _ = queued(tmp_path)
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{url}/review?rate=only")
        page.get_by_role("textbox", name="Your pseudonym").fill("Owl")
        press(page, "Begin")
        ready(page, QUESTIONS[0])
        expect(page).to_have_title("Rating desk")
        expect(page.get_by_test_id("stTopNavSection")).to_have_count(0)
        for name in ("Library", "Scores", "Results", "MAGneT"):
            expect(page.get_by_text(name)).to_have_count(0)
        expect(page.locator(".notice")).to_contain_text("Not treatment")
        expect(page.get_by_role("button", name="The next pair")).to_be_enabled()
        expect(page.get_by_text("Owl is new here")).to_be_visible()
        page.get_by_role("textbox", name=re.compile("^Why")).fill("Half a thought")
        page.evaluate("document.activeElement.blur()")
        page.wait_for_function("location.search.includes('rater=Owl')")
        first = in_order(store.reviews.pairs())[0].id
        wait_until(lambda: "Half a thought" in store.reviews.drafts("Owl", first).values())
        page.reload()
        ready(page, QUESTIONS[0])
        expect(page.get_by_text("You are back as Owl")).to_be_visible()
        expect(page.get_by_role("textbox", name=re.compile("^Why"))).to_have_value("Half a thought")
        for key in "123123123123123":  # a burst: ten questions, and more keys than there are
            page.keyboard.press(key)
        expect(page.locator(".where")).to_have_text("Pair 2 of 2")
        settled(page)
        [said] = store.reviews.reviews("Owl")
        assert said.pair == first
        assert [said.verdicts[key].choice for key in QUESTIONS] == ["A", "tie", "B"] * 3 + ["A"]
        assert said.verdicts[QUESTIONS[0]].reason == "Half a thought"
        browser.close()
    store.close()


def test_a_small_window_keeps_question_answers_and_keys_in_sight(tmp_path: Path) -> None:
    store, _ = queued(tmp_path)
    first, second = in_order(store.reviews.pairs())
    with sync_playwright() as playwright, closing(tmp_path) as (server, url):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 900, "height": 800}).new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{url}/review?rate=only&rater=owl")
        ready(page, QUESTIONS[0])
        for part in (".st-key-review_ask .card", ".st-key-review_choices button >> nth=2", ".st-key-review_ask .hint"):
            expect(page.locator(part)).to_be_in_viewport(ratio=1)
        expect(page.locator("[data-side='A'] .said").first).to_be_in_viewport(ratio=1)
        page.locator("[data-side='B'] [data-turn='2'] .said").first.click()
        expect(page.locator("[data-side='B'] [data-turn='2']")).to_have_attribute("aria-current", "true")
        field = page.get_by_role("textbox", name="Comment on B, turn 2")
        expect(field).to_be_in_viewport(ratio=1)
        expect(page.locator("[data-side='B'] [data-turn='2']")).to_be_in_viewport()
        page.keyboard.press("c")
        expect(field).to_be_focused()
        page.keyboard.type("12 ab")
        page.keyboard.press("Enter")
        expect(page.locator(".remark")).to_have_text("B, turn 2: 12 ab")
        settled(page)  # a key belongs to what is drawn when it is pressed
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("1")
        asked(page, QUESTIONS[1])
        page.keyboard.press("n")
        expect(page.locator(".where")).to_have_text("Pair 2 of 2")
        page.keyboard.press("p")
        expect(page.locator(".where")).to_have_text("Pair 1 of 2")
        page.get_by_role("button", name=re.compile("^Comprehensiveness")).click()
        asked(page, QUESTIONS[0])
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("x")
        expect(page.get_by_role("button", name="Clear")).to_be_disabled()
        [said] = store.reviews.reviews("owl")
        assert said.pair == first.id != second.id and not said.verdicts and [c.text for c in said.comments] == ["12 ab"]
        expect(page.get_by_text("No connection: answers are not taken.")).to_be_hidden()
        server.kill()
        server.wait(10)
        expect(page.get_by_text("No connection: answers are not taken.")).to_be_in_viewport(ratio=1)
        browser.close()
    store.close()
