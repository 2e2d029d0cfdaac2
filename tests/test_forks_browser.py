"""Forks, what-ifs and a person's seat in a real browser; skipped where there is no Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser import CHROMIUM, address, chromium, idle, page, press, set_pace, where

__all__ = ["address", "chromium", "page"]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")


def open_box(page: Page, key: str) -> None:
    page.locator(f".st-key-{key} summary").click()


def begin(page: Page, address: str, turns: int) -> str:
    """Make some turns at once; return the session's address."""
    page.goto(address)
    set_pace(page, "At once")
    for number in range(1, turns + 1):
        press(page, "Next turn")
        expect(where(page)).to_have_text(f"Turn {number} of 20")
        idle(page)
    page.wait_for_url("**session=**")
    return page.url


def three_rows_stand_above_the_dialogue(page: Page) -> None:
    """Check that the head of a fork's page breaks nowhere, and that the notice hides nothing of the dialogue."""
    page.wait_for_function(
        """() => {
            const box = name => document.querySelector(name).getBoundingClientRect();
            const rows = [".st-key-top_row", ".st-key-controls", ".st-key-family"].map(box);
            return rows.every(row => row.height < 60) && box(".st-key-dialogue").bottom <= box(".notice").top;
        }"""
    )


def test_a_technique_by_hand_makes_a_fork_and_undo_leads_back(page: Page, address: str) -> None:
    first = begin(page, address, 2)
    tab(page, "Change")
    open_box(page, "change_choice")
    page.locator(".st-key-change_choice").get_by_role("button", name="Solutions").click()
    page.get_by_role("button", name="See the other reply").click()
    expect(page.locator(".forked")).to_be_visible()
    idle(page)
    assert page.url.split("session=")[1][:16] != first.split("session=")[1][:16]
    expect(page.locator(".st-key-swipe")).to_contain_text("2/2")
    tab(page, "This turn")
    expect(page.locator(".panel.lead")).to_contain_text("by a person")
    page.locator(".where").first.click()
    page.keyboard.press("u")
    expect(page.locator(".forked")).to_have_count(0)
    expect(page.locator(".st-key-swipe")).to_contain_text("1/2")
    page.keyboard.press("Shift+U")
    expect(page.locator(".forked")).to_be_visible()
    press(page, "Tree")
    expect(page.locator(".st-key-session_tree").get_by_role("button")).to_have_count(2)
    page.keyboard.press("Escape")
    for width in (1440, 1366, 1280, 900):
        page.set_viewport_size({"width": width, "height": 900})
        three_rows_stand_above_the_dialogue(page)


def test_an_edited_message_is_a_fork_marked_as_typed(page: Page, address: str) -> None:
    begin(page, address, 1)
    tab(page, "Change")
    open_box(page, "change_message")
    page.locator(".st-key-change_message textarea").fill("What would your sister say to that?")
    page.get_by_role("button", name="Go on from here").click()
    expect(page.locator(".said.counsellor .typed")).to_be_visible()
    expect(page.locator(".said.counsellor").last).to_contain_text("What would your sister say")
    idle(page)


def test_three_attitudes_beside_each_other(page: Page, address: str) -> None:
    begin(page, address, 1)
    tab(page, "What if")
    page.locator(".st-key-ask_attitudes button").click()
    expect(page.get_by_role("button", name="Go on with this one")).to_have_count(2)
    expect(page.locator(".panel.version h3", has_text="client")).to_have_text(
        ["Positive client", "Neutral client", "Negative client"]
    )
    page.get_by_text("Mark the words that differ").click()
    expect(page.locator(".compared ins").first).to_be_visible()
    page.get_by_role("button", name="Go on with this one").first.click()
    expect(page.locator(".facts").first).to_contain_text("positive")


def test_a_person_sits_as_the_client_and_risk_words_offer_help(page: Page, address: str) -> None:
    begin(page, address, 1)
    press(page, "Take a seat")
    press(page, "Sit down")
    box = page.locator(".st-key-composer textarea")
    expect(box).to_be_visible()
    box.fill("Some days I want to kill myself with work.")
    press(page, "Say it")
    expect(page.locator(".said.client .typed")).to_be_visible()
    expect(page.locator(".care")).to_contain_text("Where to find help")
    idle(page)
    expect(where(page)).to_have_text("Turn 2 of 20")


def test_presenter_mode_goes_on_with_one_key(page: Page, address: str) -> None:
    begin(page, address, 1)
    press(page, "View")
    press(page, "Presenter mode")
    expect(page.locator(".st-key-on_stage")).to_be_visible()
    expect(page.locator(".panel")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(where(page)).to_contain_text("Turn 2 of 20")
    page.keyboard.press("Escape")
    expect(page.locator(".st-key-on_stage")).to_have_count(0)
    tab(page, "Session")
    page.locator(".heat button[data-turn='1']").click()
    expect(where(page)).to_have_text("Turn 1 of 20")
