"""Judges' prompts and test cases in a real browser, on a local server that reads its prompt."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from magnet_core import prompts
from magnet_core.scoring.instruments import sheet
from magnet_core.scoring.items import Rating, Scorecard
from magnet_core.store import Store
from tests.browser import CHROMIUM, FLAGS, go_to, press, serving, settled, write
from tests.fakes import finished
from tests.llm_server import LlmServer

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")
MINE = "Focus: my own question?\n\n0: None.\n6: All."


def answer(body: dict[str, Any], number: int) -> str:
    """Rate higher where the judge's own words stand, say yes to short answers, and be short where the prompt wants it."""
    told = json.dumps(body, ensure_ascii=False)
    if "You check one answer" in told:
        return json.dumps({"reason": "It has few words.", "answer": "yes" if "Say more." in told else "no"})
    if "experienced supervisor" in told:
        return json.dumps({"turns": [1], "reason": "So it is.", "score": 5 if "my own question" in told else 2})
    return "Say more." if "MY WORDS" in told else "That is a long answer to what was said just now."


def filled(url: str) -> None:
    """Put a session, a rating by a model and a pack into a library."""
    store = Store(url)
    session = asyncio.run(finished(2))
    store.save(session)
    ratings = tuple(Rating(item=i.key, value=3, samples=(3,), explanation="As it was.") for i in sheet("ctrs").items)
    store.cards.save(
        Scorecard(
            session_id=session.id, instrument="ctrs", judge="test-model", kind="model", prompt_sha=sheet("ctrs").sha,
            created=datetime.now(UTC), ratings=ratings, turns=2,
        )
    )  # fmt: skip
    role = prompts.load()["responder"].model_copy(update={"role": "responder: MY WORDS."})
    store.packs.new("Short", [role])
    store.close()


def set_model(page: Page, url: str) -> None:
    go_to(page, "Set up", "Models")
    page.get_by_role("radio", name="A language model").click()
    settled(page)
    page.get_by_role("radio", name="Another address").click()
    settled(page)
    write(page, "Address of the server (base URL)", url)
    write(page, "Name of the model", "test-model")
    press(page, "Use from the next turn on")
    expect(page.locator("dl.voices")).to_contain_text("test-model")


def choose(page: Page, key: str, name: str) -> None:
    page.locator(f".st-key-{key}").get_by_role("combobox").click()
    page.get_by_role("option", name=name, exact=True).click()
    settled(page)


def rewrite(page: Page, text: str) -> None:
    field = page.get_by_role("textbox", name="Question: Focus on key thoughts and behaviours")
    field.fill(text)
    field.press("Control+Enter")
    settled(page)


def test_a_ratings_words_are_opened_changed_tried_saved_and_restored_and_a_case_is_judged(
    tmp_path: Path, endpoint: Callable[..., LlmServer]
) -> None:
    server = endpoint(answer=answer, first_token=0.02)
    filled(f"sqlite:///{tmp_path / 'library.db'}")
    with sync_playwright() as playwright, serving(tmp_path) as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{url}/?audience=researcher")
        set_model(page, server.url)

        go_to(page, "Judge", "Scores")
        settled(page)
        page.locator(".st-key-scores_judge").get_by_role("combobox").click()
        page.get_by_role("option", name=re.compile("^test-model")).first.click()
        settled(page)
        page.locator("details.score[data-item=focus] summary").click()
        page.locator("details.score[data-item=focus] [data-try]").click()
        page.wait_for_url("**/prompts?**")
        expect(page.get_by_text("These are our words, unchanged.")).to_be_visible()
        expect(page.locator(".recorded")).to_have_count(0)

        rewrite(page, "Focus?\n0: None.")
        expect(page.get_by_text("must describe 0, 6").first).to_be_visible()
        expect(page.get_by_text("Variant A, Question: Focus on key thoughts and behaviours")).to_be_visible()
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
        rewrite(page, MINE)
        press(page, "Run")
        expect(page.get_by_text("1 answer in")).to_be_visible()
        expect(page.locator(".trials")).to_contain_text("Score 5. So it is.")
        expect(page.locator(".recorded")).to_contain_text("Score 3.0. As it was.")

        page.locator(".st-key-lab_judge_save button").first.click()
        write(page, "Name of the new pack", "Strict")
        page.get_by_role("button", name="Save variant A as a new pack").click()
        expect(page.get_by_text("Saved in “Strict”.")).to_be_visible()
        settled(page)
        rewrite(page, MINE.replace("None", "Nothing"))
        page.locator(".st-key-lab_judge_save button").first.click()
        page.get_by_role("button", name="Save variant A as a version").click()
        settled(page)
        page.get_by_role("tab", name="What differs").click()
        page.locator(".st-key-lab_judge_against_strict").get_by_role("combobox").click()
        page.get_by_role("option", name=re.compile("version 1 of")).click()
        expect(page.locator("del").first).to_have_text("None")
        page.get_by_role("button", name="Restore this version").click()
        expect(page.get_by_role("textbox", name="Question: Focus on key thoughts and behaviours")).to_have_value(MINE)

        page.get_by_role("radio", name="Try a prompt").click()
        settled(page)
        page.locator(".st-key-lab_case button").first.click()
        choose(page, "lab_case_kind", "gets a yes from a judge")
        field = page.get_by_role("textbox", name="Question about the answer")
        field.fill("Is it short?")
        field.press("Control+Enter")
        settled(page)
        page.get_by_role("button", name="Keep this test case").click()
        expect(page.get_by_text(re.compile("Kept: .*Is it short"))).to_be_visible()
        page.get_by_role("radio", name="Test cases").click()
        settled(page)
        choose(page, "lab_cases_beside", "Short")
        press(page, "Run all")
        expect(page.get_by_text("2 answers in")).to_be_visible()
        expect(page.locator(".cases tbody .verdict-no")).to_have_text("Broken")
        expect(page.locator(".cases tbody .verdict-yes")).to_have_text("Kept")
        expect(page.locator(".cases tfoot")).to_contain_text("1 broken")
        expect(page.locator(".cases tfoot")).to_contain_text("1 kept")
        page.reload()
        expect(page.locator(".cases tfoot")).to_contain_text("1 broken")
        expect(page.locator(".cases thead")).to_contain_text("answers of test-model, which was asked last")
        browser.close()
    library = Store(f"sqlite:///{tmp_path / 'library.db'}")
    assert {p.title: [q.name for q in p.judges] for p in library.packs.packs()} == {"Strict": ["ctrs/focus"], "Short": []}
    assert sorted(r.tally.told for r in library.cases.results()) == ["kept 0 of 1", "kept 1 of 1"]
