"""The prompt lab in a real browser: from an odd reply to a session made with other words, on a local server that reads its prompt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from magnet_core.store import Store
from tests import lab_walk
from tests.browser import CHROMIUM, FLAGS, go_to, idle, press, serving, set_pace, settled, where
from tests.llm_server import LlmServer

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


def test_an_odd_reply_is_replayed_rewritten_saved_and_the_session_run_again(
    tmp_path: Path, endpoint: Callable[..., LlmServer]
) -> None:
    server = endpoint(answer=lab_walk.answer, first_token=0.05)
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        lab_walk.begin(page, url, server)
        lab_walk.open_calls(page)
        lab_walk.choose_call(page)
        lab_walk.replay(page)
        page.get_by_role("tab", name="Filled in").click()
        expect(page.get_by_text("Word for word what was sent in this session")).to_be_visible()
        expect(page.locator("mark.var").first).to_be_visible()
        page.get_by_role("tab", name="Answers").click()
        expect(page.get_by_role("combobox", name="Model")).to_have_value("test-model")
        for letter, text in (
            ("B", "responder: be brief."),
            ("C", "responder: write the next message in at most ten words."),
        ):
            lab_walk.add_variant(page, letter, text)
        lab_walk.five_each(page)
        before = server.record.calls
        settled(page)
        lab_walk.run_variants(page)
        expect(page.get_by_text("Used:")).to_be_visible()
        expect(page.locator("table.sums tbody tr")).to_have_count(3)
        assert server.record.calls - before == 15
        expect(page.locator(".recorded")).to_contain_text("In the session")
        expect(page.locator(".trials .card")).to_have_count(3)
        expect(page.locator(".trials .card").nth(2).locator(".times")).to_have_text("5 ×")
        assert page.locator(".trials .card").nth(0).locator(".stack").count() == 3

        lab_walk.save_third(page)
        expect(page.get_by_role("button", name="Save variant")).to_be_hidden()
        lab_walk.set_up_again(page)
        lab_walk.first_turn(page)
        browser.close()
    made = Store(f"sqlite:///{tmp_path / 'library.db'}")
    assert [made.session(entry.id).turns[0].response == lab_walk.SHORT for entry in made.recent()] == [True, False]


def test_back_leads_through_what_was_looked_at_and_out_of_the_page(tmp_path: Path) -> None:
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        set_pace(page, "At once")
        lab_walk.first_turn(page)
        go_to(page, "Lab", "Trace")
        for view, place in (("All sessions", "many"), ("Errors and retries", "wrong")):
            page.get_by_role("radio", name=view).click()
            page.wait_for_url(f"**/trace?view={place}")
            page.wait_for_timeout(1100)  # an address that was written a moment ago is not yet one gone to by hand
        page.go_back()
        expect(page.get_by_role("radio", name="All sessions")).to_be_checked()
        page.go_forward()
        expect(page.get_by_role("radio", name="Errors and retries")).to_be_checked()
        go_to(page, "Lab", "Prompts")
        page.wait_for_url("**/prompts?view=bench**agent=responder")
        page.wait_for_timeout(1100)
        lab_walk.rewrite(page, "A", "responder: be brief.")
        page.wait_for_url("**draft=**")
        page.get_by_role("radio", name="Packs").click()
        page.wait_for_url("**/prompts?view=packs**")
        page.wait_for_timeout(1100)
        page.go_back()
        role = page.locator("[class*='_A_responder_role'] textarea")
        expect(role).to_have_value("responder: be brief.")
        page.wait_for_timeout(1100)
        page.go_back()
        page.wait_for_url(lambda address: "draft" not in address)
        expect(role).to_have_value("responder: be brief.")
        page.wait_for_timeout(1100)
        page.go_back()  # from what the page wrote at once into its own address
        page.wait_for_timeout(1100)
        page.go_back()
        page.wait_for_url("**/trace?**")
        expect(page.get_by_role("radio", name="Errors and retries")).to_be_checked()
        browser.close()


def test_another_model_of_the_server_is_typed_and_two_variants_run_over_turns(
    tmp_path: Path, endpoint: Callable[..., LlmServer]
) -> None:
    server = endpoint(answer=lab_walk.answer, models=("test-model", "small-model"))
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 900, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        lab_walk.speak_by(page, server, "test-model")
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
        lab_walk.rewrite(page, "B", "responder: a draft that is not saved.")
        expect(page.get_by_text("given to earlier words")).to_be_visible()
        page.reload()
        settled(page)
        page.get_by_role("radio", name="Variant B").click()
        settled(page)
        expect(page.locator("[class*='_B_responder_role'] textarea")).to_have_value("responder: a draft that is not saved.")
        browser.close()
