"""The main paths in a real browser, on servers of their own; skipped where there is no Chromium."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from magnet_core.store import Store
from tests.browser import CHROMIUM, ROOT, address, chromium, idle, launch, page, press, serving, set_pace, settled, where

ADDRESSES = [f"/{path.stem}" for path in sorted((ROOT / "pages").glob("*/*.py")) if path.stem != "session"]
__all__ = ["address", "chromium", "page"]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_deep_link_is_right_as_the_first_request_of_a_server(
    chromium: Browser, page: Page, tmp_path: Path, path: str
) -> None:
    with serving(tmp_path) as url:
        page.goto(url + path)
        expect(page.locator(".notice")).to_be_visible()
        page.wait_for_timeout(700)
        assert page.get_by_role("dialog").count() == 0
        assert page.get_by_test_id("stSidebar").count() == 0
        assert page.url.startswith(url + path)


def test_one_press_streams_the_plan_and_the_first_turn(page: Page, address: str) -> None:
    page.goto(address)
    expect(where(page)).to_have_text("Opening")
    press(page, "Next turn")
    expect(page.locator(".card.first .status.writing")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('.st-key-panels .status.writing').length > 3")
    expect(page.locator(".said.client .cursor")).to_be_visible()
    idle(page)
    expect(where(page)).to_have_text("Turn 1 of 20")
    expect(page.get_by_role("status").filter(has_text="Turn 1 complete.")).to_be_attached()
    assert page.locator(".st-key-dialogue .said").count() == 4
    assert page.locator(".panel.chosen").count() >= 1


def test_stop_undoes_the_turn(page: Page, address: str) -> None:
    page.goto(address)
    press(page, "Next turn")
    expect(page.locator(".status.writing").first).to_be_visible()
    press(page, "Stop")
    idle(page)
    expect(where(page)).to_have_text("Opening")
    expect(page.locator(".st-key-next button")).to_be_enabled()


def test_keys_play_and_look_back_and_a_reload_comes_back(page: Page, address: str) -> None:
    page.goto(address)
    set_pace(page, "At once")
    settled(page)
    page.locator(".where").click()
    page.keyboard.press("p")
    expect(where(page)).to_have_text("Turn 20 of 20")
    idle(page)
    page.keyboard.press("ArrowLeft")
    expect(where(page)).to_have_text("Turn 19 of 20")
    expect(page.locator(".exchange.looked header")).to_have_text("Turn 19")
    expect(page.locator(".exchange.looked")).to_be_in_viewport()
    page.wait_for_url("**turn=19**")
    page.reload()
    expect(where(page)).to_have_text("Turn 19 of 20")
    page.locator(".exchange[data-turn='2'] .says").first.click()
    expect(where(page)).to_have_text("Turn 2 of 20")
    press(page, "Later turn")
    expect(where(page)).to_have_text("Turn 3 of 20")


@pytest.mark.parametrize(("scheme", "quiet"), [("light", "rgb(74, 91, 94)"), ("dark", "rgb(169, 187, 189)")])
def test_what_opens_above_the_page_has_the_colours_of_the_page(
    chromium: Browser, address: str, scheme: Literal["light", "dark"], quiet: str
) -> None:
    page = chromium.new_page(color_scheme=scheme)
    page.goto(address)
    press(page, "View")
    expect(page.get_by_role("dialog").get_by_test_id("stCaptionContainer").first.locator("p")).to_have_css("color", quiet)
    page.close()


def test_a_run_goes_on_without_its_window_and_is_taken_up_after_a_reload(page: Page, address: str) -> None:
    page.goto(address)
    press(page, "Play to the end")
    page.wait_for_url("**session=**")
    page.reload()
    expect(page.locator(".st-key-stop button")).to_be_enabled()
    press(page, "Stop")
    idle(page)


def test_a_killed_server_has_lost_no_finished_turn(page: Page, tmp_path: Path) -> None:
    server, address = launch(tmp_path)
    try:
        page.goto(address)
        set_pace(page, "Calm")
        press(page, "Play to the end")
        expect(where(page)).to_have_text("Turn 1 of 20")
        set_pace(page, "At once")
        expect(where(page)).to_have_text(re.compile(r"Turn ([3-9]|1\d|20) of 20"), timeout=120_000)
    finally:
        server.kill()
        server.wait(10)
    kept = len(Store(f"sqlite:///{tmp_path / 'library.db'}").recent())
    assert kept == 1
    with serving(tmp_path) as again:
        page.goto(again)
        press(page, "Recent")
        page.locator("[class*='st-key-open_'] button").first.click()
        expect(where(page)).to_have_text(re.compile(r"Turn ([2-9]|1\d|20) of 20"))
        expect(page.get_by_text("Good morning, Mei")).to_be_visible()
        before = int(where(page).inner_text().split()[1])
        if before < 20:
            set_pace(page, "At once")
            press(page, "Next turn")
            expect(where(page)).to_have_text(f"Turn {before + 1} of 20")


def test_a_second_window_may_watch_but_not_steer(chromium: Browser, page: Page, address: str) -> None:
    page.goto(address)
    press(page, "Play to the end")
    page.wait_for_url("**session=**")
    other = chromium.new_page()
    other.goto(page.url)
    expect(other.locator(".remark")).to_contain_text("another window")
    assert other.locator(".st-key-stop button").is_disabled()
    other.close()
    press(page, "Stop")
    idle(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_calls_are_drawn_for_the_researcher(chromium: Browser, address: str, scheme: Literal["light", "dark"]) -> None:
    page = chromium.new_page(color_scheme=scheme, viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/?audience=researcher")
    set_pace(page, "At once")
    press(page, "Next turn")
    expect(where(page)).to_have_text("Turn 1 of 20")
    idle(page)
    page.get_by_role("tab", name="Calls").click()
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    expect(page.get_by_text("Prompt, as it was sent")).to_be_visible()
    page.get_by_role("tab", name="Who sees what").click()
    expect(page.locator(".matrix")).to_be_visible()
    page.close()
