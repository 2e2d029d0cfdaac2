"""The library in a real browser: a file comes in, is opened, goes out again, is deleted and brought back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
from playwright.sync_api import Page, expect

from magnet_core import export, importers
from magnet_core.domain import Origin, Session
from magnet_core.store import Store
from tests.browser import CHROMIUM, chromium, page, press, serving, where
from tests.fakes import finished

__all__ = ["chromium", "page"]

ROW = 35
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium.")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path) as url:
        yield f"{url}/library"


def made(turns: int) -> Session:
    """Return a finished session; made in a thread, since Playwright's own loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, finished, turns).result()


def click_row(page: Page, row: int, across: int = 200) -> None:
    """Click into a row of the list, counted from 0, -1 for its head; it is drawn on a canvas."""
    page.locator(".st-key-library_left .dvn-scroller").click(position={"x": across, "y": ROW * (row + 1.5)})


def bring(page: Page, *files: Path) -> None:
    page.locator("input[type=file]").set_input_files(files)
    button = page.locator(".st-key-library_read button")
    expect(button).to_contain_text("Import 1 file" if len(files) == 1 else f"Import {len(files)} files")
    button.click()


def test_a_file_comes_in_is_opened_goes_out_is_deleted_and_comes_back(page: Page, library: str, tmp_path: Path) -> None:
    session = made(3)
    good, bad = tmp_path / "one.json", tmp_path / "two.json"
    good.write_text(export.native(session), encoding="utf-8")
    bad.write_text('{"name": "<b>nobody</b>"}', encoding="utf-8")
    page.goto(library)
    expect(page.get_by_text("No session is here yet")).to_be_visible()
    press(page, "Import sessions")
    bring(page, good, bad)
    expect(page.locator(".report")).to_contain_text("1 session went in")
    expect(page.locator(".report .flag")).to_contain_text("two.json holds no session")
    expect(page.locator(".notice")).to_be_in_viewport()

    click_row(page, 0)
    expect(page.locator(".shelf h3")).to_have_text(session.profile.name)
    title = page.get_by_role("textbox", name="Title")
    title.fill("<i>Before</i> supper")
    title.press("Enter")
    expect(page.locator(".shelf h3")).to_have_text("<i>Before</i> supper")
    with page.expect_download() as taken:
        page.locator(".st-key-library_download button").click()
    assert importers.read_file(Path(taken.value.path())) == session
    assert taken.value.suggested_filename == export.file_name(session, "json")

    press(page, "Delete")
    press(page, "Delete this session")
    expect(page.locator(".st-key-library_undo")).to_contain_text("1 session deleted")
    press(page, "Undo")
    expect(page.locator(".st-key-library_undo")).to_have_count(0)
    expect(page.get_by_text("1 session", exact=True)).to_be_visible()
    click_row(page, 0)
    expect(page.locator(".shelf h3")).to_have_text("<i>Before</i> supper")
    page.locator(".st-key-library_open button").click()
    expect(where(page)).to_have_text("Turn 3 of 3")
    page.wait_for_url(f"**session={session.id}**")


def test_a_press_in_the_list_opens_the_row_that_is_seen_also_when_it_is_sorted(
    page: Page, library: str, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'library.db'}")
    first = made(3)
    fork = first.upto(1).model_copy(update={"id": "fork", "parent": Origin(session=first.id, turns=1)})
    store.save(fork)
    store.save(first)
    store.close()
    page.goto(library)
    click_row(page, 0)
    expect(page.locator(".shelf dl")).to_contain_text("3, finished")
    # by a click on the column's head: the fewest turns come first
    click_row(page, -1, across=375)
    click_row(page, 0)
    expect(page.locator(".shelf dl")).to_contain_text("1 of 3")
    expect(page.locator(".st-key-library_tree")).to_contain_text("After turn 1")
    click_row(page, 0, across=66)
    expect(where(page)).to_have_text("Turn 1 of 3")
    page.wait_for_url("**session=fork**")


def test_what_is_looked_for_stands_in_the_address_and_what_is_ticked_stays_with_its_session(
    page: Page, library: str, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'library.db'}")
    one, two = made(2), made(3)
    store.save(one)
    store.save(two)
    store.close()
    page.goto(library)
    click_row(page, 1, across=16)
    expect(page.locator(".shelf dl")).to_contain_text("2, finished")
    search = page.get_by_role("textbox", name="Search")
    search.fill("responder2word3")
    search.press("Enter")
    page.wait_for_url("**search=responder2word3**")
    expect(page.locator(".remark mark")).to_have_text("responder2word3")
    search.fill("responder3word3")
    search.press("Enter")
    page.wait_for_url("**search=responder3word3**")
    expect(page.get_by_text("1 session of 2")).to_be_visible()
    expect(page.locator(".shelf dl")).to_have_count(0)
    page.reload()
    expect(search).to_have_value("responder3word3")
    click_row(page, 0)
    press(page, "Open at turn 3")
    expect(where(page)).to_have_text("Turn 3 of 3")
