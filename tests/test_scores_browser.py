"""Scores in a real browser: a rehearsal is scored by the rules, a score opens its reason, and its quote leads to the turn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import CHROMIUM, FLAGS, idle, press, serving, set_pace, where

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


def test_a_score_opens_its_reason_and_leads_to_its_turn(tmp_path: Path) -> None:
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        set_pace(page, "At once")
        press(page, "Play to the end")
        expect(where(page)).to_have_text("Turn 20 of 20")
        idle(page)
        page.get_by_role("button", name="Judge").click()
        page.get_by_role("menuitem", name="Scores").click()
        expect(page.locator(".st-key-scores_go button")).to_be_enabled()
        press(page, "Score this session")
        understanding = page.locator("details.score[data-item='understanding']")
        expect(understanding).to_be_visible()
        expect(page.locator(".st-key-scores_go button")).to_be_enabled()
        expect(page.locator(".kind").first).to_have_text("Indicator, not a validated rating")
        expect(page.locator(".js-plotly-plot")).to_be_visible()
        assert understanding.get_attribute("open") is None
        understanding.locator("summary").click()
        expect(understanding.locator(".why .says")).to_contain_text("For it:")
        place = understanding.locator("button.jump").last
        turn = re.sub(r"\D", "", place.inner_text())
        quote = understanding.locator("q").last.inner_text().strip("“”\"'")
        place.click()
        expect(where(page)).to_have_text(f"Turn {turn} of 20")
        expect(page.locator(".exchange.looked")).to_contain_text(quote)
        page.go_back()
        expect(page.locator("details.score").first).to_be_visible()
        browser.close()
