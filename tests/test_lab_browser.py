"""The prompt lab in a real browser: from an odd reply to a session made with other words, on a local server that reads its prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from magnet_core.store import Store
from tests.fakes import PLAN
from tests.llm_server import LlmServer
from tests.test_browser import CHROMIUM, FLAGS, idle, press, serving, set_pace, where

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")
SAID = [
    "It sounds as if Monday is on your mind. What happened then?",
    "That was a heavy week for you. What went through your mind on Monday?",
    "You have carried this alone. Where did it begin?",
]
SHORT = "What went through your mind then?"


def answer(body: dict[str, Any], number: int) -> str:
    """Answer each agent in its way; the responder is short where its prompt wants ten words at most."""
    note = body["messages"][-1]["content"].rsplit("[", 1)[-1]
    if "planner" in note:
        return PLAN
    if "selector" in note:
        return json.dumps({"techniques": ["reflection"], "plan_step": 1, "reason": "It is early."})
    if "responder" in note and "at most ten words" in body["messages"][0]["content"]:
        return SHORT
    return f"{SAID[number % 3]} {number}" if "responder" not in note else SAID[number % 3]


def go_to(page: Page, section: str, name: str) -> None:
    page.get_by_role("button", name=section).first.click()
    page.get_by_role("menuitem", name=name).click()


def write(page: Page, label: str, text: str, key: str = "Enter") -> None:
    field = page.get_by_role("textbox", name=label)
    field.fill(text)
    field.press(key)
    settled(page)


def settled(page: Page) -> None:
    page.wait_for_timeout(250)  # what was pressed last may not have reached the server yet
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def rewrite(page: Page, letter: str, text: str) -> None:
    field = page.locator(f"[class*='_{letter}_responder_role'] textarea")
    field.fill(text)
    field.press("Control+Enter")
    expect(page.locator(".badge.new")).to_be_visible()
    settled(page)


def speak_by(page: Page, server: LlmServer, model: str) -> None:
    """Set up a model of a local server on the Models page, as a person would."""
    set_pace(page, "At once")
    go_to(page, "Set up", "Models")
    page.get_by_role("radio", name="A language model").click()
    settled(page)
    page.get_by_role("radio", name="Another address").click()
    settled(page)
    write(page, "Address of the server (base URL)", server.url)
    write(page, "Name of the model", model)
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator(".verdict")).to_contain_text("It works")
    press(page, "Use from the next turn on")
    expect(page.locator("dl.voices")).to_contain_text(model)


def test_an_odd_reply_is_replayed_rewritten_saved_and_the_session_run_again(
    tmp_path: Path, endpoint: Callable[..., LlmServer]
) -> None:
    server = endpoint(answer=answer, first_token=0.05)
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.goto(f"{url}/?audience=researcher")
        speak_by(page, server, "test-model")
        go_to(page, "Watch", "Session")
        press(page, "Next turn")
        expect(where(page)).to_have_text("Turn 1 of 20")
        idle(page)
        page.get_by_role("tab", name="Calls").click()
        page.get_by_role("combobox", name="One call in full").click()
        page.keyboard.type("Responder")
        page.keyboard.press("Enter")
        replay = page.get_by_role("link", name="Replay this call")
        expect(replay).to_have_attribute("href", re.compile("agent=responder"))
        replay.click()
        page.wait_for_url("**/prompts?**")
        page.get_by_role("tab", name="Filled in").click()
        expect(page.get_by_text("Word for word what was sent in this session")).to_be_visible()
        expect(page.locator("mark.var").first).to_be_visible()
        page.get_by_role("tab", name="Answers").click()
        expect(page.get_by_role("combobox", name="Model")).to_have_value("test-model")
        for letter, text in (
            ("B", "responder: be brief."),
            ("C", "responder: write the next message in at most ten words."),
        ):
            press(page, "Add variant")
            rewrite(page, letter, text)
        field = page.get_by_role("spinbutton", name="Answers each")
        field.fill("5")
        field.press("Enter")
        expect(page.locator(".cost")).to_contain_text("15 calls")
        before = server.record.calls
        settled(page)
        press(page, "Run 3 variants")
        expect(page.get_by_text("15 answers in")).to_be_visible()
        expect(page.get_by_text("Used:")).to_be_visible()
        expect(page.locator("table.sums tbody tr")).to_have_count(3)
        assert server.record.calls - before == 15
        expect(page.locator(".recorded")).to_contain_text("In the session")
        expect(page.locator(".trials .card")).to_have_count(3)
        expect(page.locator(".trials .card").nth(2).locator(".times")).to_have_text("5 ×")
        assert page.locator(".trials .card").nth(0).locator(".stack").count() == 3

        page.locator(".st-key-lab_save button").first.click()
        write(page, "Name of the new pack", "Ten words")
        page.get_by_role("button", name="Save variant C").click()
        expect(page.get_by_role("button", name="Save variant")).to_be_hidden()
        expect(page.get_by_text("Saved in “Ten words”.")).to_be_visible()
        press(page, "Run this session again with this pack")
        expect(page.locator(".badge")).to_have_text("Own prompts: Ten words")
        press(page, "Next turn")
        expect(where(page)).to_have_text("Turn 1 of 20")
        idle(page)
        browser.close()
    made = Store(f"sqlite:///{tmp_path / 'library.db'}")
    assert [made.session(entry.id).turns[0].response == SHORT for entry in made.recent()] == [True, False]


def test_another_model_of_the_server_is_typed_and_two_variants_run_over_turns(
    tmp_path: Path, endpoint: Callable[..., LlmServer]
) -> None:
    server = endpoint(answer=answer, models=("test-model", "small-model"))
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 900, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.goto(url)
        speak_by(page, server, "test-model")
        go_to(page, "Watch", "Session")
        for turn in (1, 2):
            press(page, "Next turn")
            expect(where(page)).to_have_text(f"Turn {turn} of 20")
            idle(page)
        go_to(page, "Lab", "Prompts")
        settled(page)
        press(page, "Add variant")
        field = page.get_by_role("combobox", name="Model")
        field.click()
        page.keyboard.press("Control+A")
        page.keyboard.type("small-model")
        page.keyboard.press("Enter")
        settled(page)
        expect(field).to_have_value("small-model")
        page.get_by_role("combobox", name="Over").click()
        page.keyboard.type("Chosen turns")
        page.keyboard.press("Enter")
        settled(page)
        expect(page.locator(".cost").first).to_contain_text("4 calls")
        press(page, "Run 2 variants")
        expect(page.get_by_text("4 answers in")).to_be_visible()
        expect(page.locator(".trials .status").nth(1)).to_contain_text("small-model")
        assert sum(body["model"] == "small-model" for body in server.record.bodies) == 2
        with page.expect_download() as download:
            page.get_by_role("button", name="Answers as CSV").click()
        rows = download.value.path().read_text().splitlines()
        assert len(rows) == 5 and rows[0].startswith("variant,moment,number,model")
        rewrite(page, "B", "responder: a draft that is not saved.")
        expect(page.get_by_text("given to earlier words")).to_be_visible()
        page.reload()
        settled(page)
        page.get_by_role("radio", name="Variant B").click()
        settled(page)
        expect(page.locator("[class*='_B_responder_role'] textarea")).to_have_value("responder: a draft that is not saved.")
        browser.close()
