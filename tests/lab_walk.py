"""The way from an odd reply to a session made with other words, step by step in a browser, and the model that speaks on it."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser import go_to, idle, press, set_pace, settled, where, write
from tests.fakes import PLAN
from tests.llm_server import LlmServer

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


def rewrite(page: Page, letter: str, text: str) -> None:
    """Change the responder's words in a variant."""
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


def begin(page: Page, url: str, server: LlmServer) -> None:
    """Open the app as a researcher, set up a model of a local server, and make a turn."""
    page.goto(f"{url}/?audience=researcher")
    speak_by(page, server, "test-model")
    go_to(page, "Watch", "Session")
    first_turn(page)


def first_turn(page: Page) -> None:
    """Make the first turn of a session."""
    press(page, "Next turn")
    expect(where(page)).to_have_text("Turn 1 of 20")
    idle(page)


def open_calls(page: Page) -> None:
    """Open the calls of the turn."""
    page.get_by_role("tab", name="Calls").click()


def choose_call(page: Page) -> None:
    """Choose the responder's call."""
    page.get_by_role("combobox", name="One call in full").click()
    page.keyboard.type("Responder")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Replay this call")).to_have_attribute("href", re.compile("agent=responder"))


def replay(page: Page) -> None:
    """Open the chosen call in the lab."""
    page.get_by_role("link", name="Replay this call").click()
    page.wait_for_url("**/prompts?**")
    page.locator(".st-key-lab_go").wait_for()


def add_variant(page: Page, letter: str, text: str) -> None:
    """Add a variant in which the responder's words are others."""
    press(page, "Add variant")
    rewrite(page, letter, text)


def five_each(page: Page) -> None:
    """Ask for five answers of each of three variants."""
    field = page.get_by_role("spinbutton", name="Answers each")
    field.fill("5")
    field.press("Enter")
    expect(page.locator(".cost")).to_contain_text("15 calls")


def run_variants(page: Page) -> None:
    """Run three variants five times each."""
    press(page, "Run 3 variants")
    expect(page.get_by_text("15 answers in")).to_be_visible()


def save_third(page: Page) -> None:
    """Save the third variant as a new pack."""
    page.locator(".st-key-lab_save button").first.click()
    write(page, "Name of the new pack", "Ten words")
    page.get_by_role("button", name="Save variant C").click()
    expect(page.get_by_text("Saved in “Ten words”.")).to_be_visible()


def set_up_again(page: Page) -> None:
    """Set up the session again with the pack that was saved."""
    press(page, "Run this session again with this pack")
    expect(page.locator(".badge")).to_have_text("Own prompts: Ten words")
