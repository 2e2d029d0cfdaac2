"""A real browser and servers of the app for it: what the browser tests start, press, wait for and look at."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=60_000)  # what is looked for comes later on a busy machine


def launch(folder: Path, tries: int = 3) -> tuple[subprocess.Popen[bytes], str]:
    """Start the app with a library of its own; return its process and its address when it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {
        "MAGNET_DATABASE_URL": f"sqlite:///{folder / 'library.db'}",
        "MAGNET_MODEL": "",
        "OPENAI_API_KEY": "",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.fileWatcherType", "none"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
            return server, address
        except OSError:
            if server.poll() is not None and tries > 1:
                return launch(folder, tries - 1)  # somebody else was quicker to take the port
            if time.monotonic() > end or server.poll() is not None:
                end_of(server)
                raise AssertionError("The server did not start.") from None
            time.sleep(0.1)


def end_of(server: subprocess.Popen[bytes]) -> None:
    """End a server; one that does not go is killed."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run the app with a library of its own; yield its address."""
    server, address = launch(folder)
    try:
        yield address
    finally:
        end_of(server)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start a browser for the tests of a file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the app for the tests of a file; return its address."""
    with serving(tmp_path_factory.mktemp("library")) as url:
        yield url


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Open a window; the test fails when it asked anything of another host."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    window = context.new_page()
    window.set_default_timeout(30_000)
    strangers: list[str] = []
    window.on("request", lambda request: strangers.append(request.url) if _strange(request.url) else None)
    yield window
    context.close()
    assert not strangers


def _strange(url: str) -> bool:
    return not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", url)


def where(page: Page) -> Locator:
    """Return the line of the session page that says how far the session has come."""
    return page.locator(".where")


def press(page: Page, name: str) -> None:
    """Press the first button of a name."""
    page.get_by_role("button", name=name).first.click()


def set_pace(page: Page, pace: str) -> None:
    """Set the pace of the session page."""
    page.locator(".st-key-pace").get_by_text(pace).click()
    expect(page.locator(".st-key-pace [aria-checked=true]")).to_have_text(pace)


def idle(page: Page) -> None:
    """Wait for the end of a run on the session page."""
    expect(page.locator(".st-key-stop button")).to_be_disabled()


def settled(page: Page) -> None:
    """Wait until the app has taken what was done last."""
    page.wait_for_timeout(250)  # what was pressed last may not have reached the server yet
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def go_to(page: Page, section: str, name: str) -> None:
    """Go to a page by the menu."""
    page.get_by_role("button", name=section).first.click()
    page.get_by_role("menuitem", name=name).click()


def write(page: Page, label: str, text: str) -> None:
    """Fill in a field; wait until the app has taken it."""
    field = page.get_by_role("textbox", name=label)
    field.fill(text)
    field.press("Enter")
    settled(page)
