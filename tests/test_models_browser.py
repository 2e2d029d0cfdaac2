"""Language models in a real browser: a session streams from a local server, and what one window sets the other never sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import CHROMIUM, FLAGS, idle, press, serving, where
from tests.llm_server import LlmServer

KEY = "sk-verysecret-0123456789abcdef"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


def everything(page: Page) -> str:
    """Return address, document and the values of all fields of a page."""
    values = page.evaluate("[...document.querySelectorAll('input, textarea')].map(field => field.value).join('\\n')")
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state])")
    return "\n".join((page.url, page.content(), values, stored))


def write(page: Page, label: str, text: str) -> None:
    """Fill in a field; wait until the app has taken it."""
    field = page.get_by_role("textbox", name=label)
    field.fill(text)
    field.press("Enter")
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def test_two_windows_do_not_see_each_other_and_a_model_streams(endpoint: Callable[..., LlmServer], tmp_path: Path) -> None:
    server = endpoint(key=KEY, first_token=0.2, token_time=0.02)
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        mine, other = (browser.new_context(viewport={"width": 1440, "height": 900}).new_page() for _ in range(2))
        for page in (mine, other):
            page.set_default_timeout(30_000)
            page.goto(f"{url}/models")
            page.get_by_role("radio", name="A language model").click()
            page.get_by_role("radio", name="Another address").click()
        write(mine, "Address of the server", server.url)
        mine.get_by_role("textbox", name="Key, if the server asks for one").fill(KEY)
        mine.keyboard.press("Tab")
        expect(mine.get_by_text("A key is kept for this server.")).to_be_visible()
        write(mine, "Name of the model", "test-model")
        mine.get_by_role("button", name="Test", exact=True).click()
        expect(mine.locator(".verdict")).to_contain_text("It works")
        press(mine, "Use from the next turn on")
        expect(mine.locator("dl.voices")).to_contain_text("test-model")
        assert KEY not in everything(mine)

        write(other, "Address of the server", server.url)
        write(other, "Name of the model", "test-model")
        other.get_by_role("button", name="Test", exact=True).click()
        expect(other.locator(".verdict")).to_contain_text("none was given")
        assert KEY not in everything(other)
        expect(other.locator("dl.voices")).to_contain_text("Rehearsal")

        # by a link of the app: loading an address anew would begin a new browser session
        mine.get_by_role("link", name="To the session").click()
        expect(mine.get_by_role("link", name="Model")).to_contain_text("test-model")
        press(mine, "Next turn")
        mine.wait_for_function("document.querySelectorAll('.st-key-panels .status.writing').length > 3")
        idle(mine)
        expect(where(mine)).to_have_text("Turn 1 of 20")
        assert server.record.calls >= 9 and server.record.max_in_flight >= 6
        assert KEY not in everything(mine)

        other.goto(mine.url)
        expect(where(other)).to_have_text("Turn 1 of 20")
        assert KEY not in everything(other)
        browser.close()
    files = list(tmp_path.glob("library.db*"))
    assert files and not any(KEY.encode() in file.read_bytes() for file in files)
