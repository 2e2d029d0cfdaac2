"""The clients in a real browser: one is built by the form and sits in a session; links and the browser's Back lead to clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from magnet_core.profile_fields import build
from magnet_core.profile_files import profiles_json
from tests.browser import CHROMIUM, chromium, idle, page, press, serving, set_pace, where

__all__ = ["chromium", "page"]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("library")) as url:
        yield f"{url}/clients"


def write(page: Page, label: str, text: str) -> None:
    page.get_by_role("textbox", name=label).fill(text)


def test_a_client_is_built_by_the_form_and_the_first_turn_appears(page: Page, clients: str) -> None:
    page.goto(clients)
    press(page, "New client")
    write(page, "Name", "Tom Ashby")
    page.get_by_role("spinbutton", name="Age").fill("28")
    write(page, "Occupation", "Sous-chef")
    press(page, "Next: Intake")
    write(
        page,
        "Reason for seeking counselling",
        "One wrong plate and I am sure they all see that I do not belong in that kitchen.",
    )
    write(page, "Presenting problem", "I keep thinking that I am a fraud.")
    page.get_by_role("radio", name="Conceptualisation").click()
    write(page, "Situation", "the head chef tastes my sauce")
    write(page, "Automatic thought", "They will see that I am a fraud")
    expect(page.locator(".st-key-client_state")).to_contain_text("Unsaved changes")

    page.get_by_role("button", name="Watch").click()
    page.get_by_role("menuitem", name="Session").click()
    expect(where(page)).to_be_visible()
    page.get_by_role("button", name="Watch").click()
    page.get_by_role("menuitem", name="Clients").click()
    expect(page.get_by_role("textbox", name="Situation")).to_have_value("the head chef tastes my sauce")
    press(page, "Save and start a session")

    expect(page.get_by_role("combobox", name="Client")).to_have_value("Tom Ashby, 28 (yours, neutral)")
    set_pace(page, "At once")
    press(page, "Next turn")
    expect(where(page)).to_have_text("Turn 1 of 20")
    idle(page)
    expect(page.locator(".st-key-dialogue .said")).to_have_count(4)
    expect(page.locator(".st-key-dialogue .said.client .who").first).to_have_text("Tom Ashby")


def test_a_card_opens_by_mouse_and_keyboard_and_back_leads_to_the_list(page: Page, clients: str) -> None:
    page.goto(clients)
    card = page.locator(".st-key-card_mei-lin-chow")
    expect(card.get_by_role("button")).to_have_css("position", "static")
    card.click(position={"x": 150, "y": 90})
    expect(page.locator(".part.counsellor")).to_contain_text("Every unfinished drawing")
    page.wait_for_url("**client=mei-lin-chow")
    page.wait_for_timeout(1100)
    page.go_back()
    expect(card).to_be_visible()
    card.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".part.client")).to_be_visible()
    page.reload()
    expect(page.locator(".part.client")).to_be_visible()


def test_a_file_comes_in_and_goes_out_again(page: Page, clients: str, tmp_path: Path) -> None:
    made = build({"intake.name": "Rosa <b>Lindqvist</b>", "intake.reason": "I keep thinking of the ward."})
    file = tmp_path / "one.json"
    file.write_text(profiles_json([made]), encoding="utf-8")
    page.goto(clients)
    page.locator(".st-key-clients_import button").click()
    page.locator("input[type=file]").set_input_files(file)
    page.locator(".st-key-clients_keep button").click()
    expect(page.locator(".st-key-clients_told")).to_contain_text("1 client is kept.")
    page.locator(f".st-key-open_{made.id} button").click()
    expect(page.get_by_role("heading", name="Rosa <b>Lindqvist</b>")).to_be_visible()
    press(page, "Export")
    with page.expect_download() as download:
        press(page, "JSON")
    assert json.loads(download.value.path().read_text(encoding="utf-8")) == [made.model_dump(mode="json")]
    press(page, "Delete")
    press(page, "Delete now")
    press(page, "Undo")
    expect(page.get_by_role("heading", name="Rosa <b>Lindqvist</b>")).to_be_visible()
