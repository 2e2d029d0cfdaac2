"""Comparing in a real browser: the paper's table is made, read and filtered; two sessions stand in step; the trace counts them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from magnet_core.store import Store
from tests.browser import CHROMIUM, FLAGS, press, serving

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


def test_the_papers_table_is_made_and_read(tmp_path: Path) -> None:
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{url}/compare")
        expect(page.get_by_text("30 of 30 are missing")).to_be_visible()
        press(page, "Make the missing sessions (30)")
        expect(page.get_by_text("Made 30 sessions")).to_be_visible(timeout=180_000)
        expect(page.locator(".versus thead th")).to_have_count(7)
        expect(page.locator(".versus")).to_contain_text("CTRS, mean of six items")
        expect(page.get_by_text("Every client has a session under every configuration.")).to_be_visible()
        rows = page.locator(".versus tbody tr")
        expect(rows.filter(has_text="Calls")).to_contain_text("in every client")
        assert not rows.filter(has_text="Calls").locator("td.better, td.worse").count()
        page.locator(".st-key-compare_power summary").click()
        expect(page.get_by_text("which is authored. This number tries the page out")).to_be_visible()
        page.get_by_role("spinbutton", name="A difference of").fill("0.004")
        page.keyboard.press("Enter")
        expect(page.get_by_role("spinbutton", name="A difference of")).to_have_value("0.004")
        expect(page.locator("#needed")).to_contain_text("clients")
        shown = browser.new_context(viewport={"width": 900, "height": 900}).new_page()
        shown.goto(page.url)
        expect(shown.locator(".versus tbody tr")).to_have_count(rows.count())
        expect(shown.get_by_text("The table goes on to the right")).to_be_visible()
        shown.close()
        page.locator(".st-key-compare_each summary").click()
        expect(page.locator(".hint.client")).to_have_count(5)
        page.locator(".st-key-compare_both_0 button").click()
        expect(page.locator(".twin")).to_have_count(8)
        page.locator(".twin .fold summary").first.click()
        page.get_by_text("Configurations", exact=True).click()
        expect(page.locator(".hint.client")).to_have_count(5)
        page.locator(".st-key-compare_client_0").get_by_role("link", name="Other").click()
        expect(page).to_have_url(re.compile(r"/\?session="))
        held = {
            entry.method: entry.id
            for entry in Store(f"sqlite:///{tmp_path / 'library.db'}").recent()
            if "Mei" in entry.client
        }
        page.goto(f"{url}/compare?view=two&left={held['plain']}&right={held['single-agent']}")
        expect(page.locator(".heads td.differs").first).to_be_visible()
        page.locator(".st-key-compare_words label").first.click()
        expect(page.locator(".twin del").first).to_be_visible()
        page.goto(f"{url}/trace?view=many")
        expect(page.locator(".facts")).to_contain_text("sessions 30")
        page.goto(f"{url}/trace")
        expect(page.locator(".facts")).to_contain_text("calls")
        browser.close()
