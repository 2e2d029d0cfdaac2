"""Pages without a browser: opened, read and worked as a visitor does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core.domain import Session
from tests.waiting import wait_until
from ui import state

ROOT = Path(__file__).parent.parent
LAB = "pages/lab/prompts.py"


def fresh(file: str = "app.py", address: Mapping[str, Any] | None = None, **kept: Any) -> AppTest:
    """Return the app, or one page alone, before its first run, with an address and with what a visitor's state holds."""
    at = AppTest.from_file(str(ROOT / file), default_timeout=60)
    for name, value in kept.items():
        at.session_state[name] = value
    for name, value in (address or {}).items():
        at.query_params[name] = value
    return at


def page_with(
    page: str, *sessions: Session, through_app: bool = True, address: Mapping[str, Any] | None = None, **kept: Any
) -> AppTest:
    """Open a page, from the app's frame or alone, on a library that holds these sessions; the page finds the address given."""
    for session in sessions:
        in_library(session)
    if not through_app:
        at = fresh(page, address, **kept).run()
    else:
        at = fresh(**kept).run().switch_page(page)
        for name, value in (address or {}).items():
            at.query_params[name] = value
        at.run()
    assert not at.exception
    return at


def open_lab(through_app: bool = True, **place: str) -> AppTest:
    """Open the prompt lab at the place that its address names."""
    return page_with(LAB, through_app=through_app, address=place)


def in_library(session: Session) -> Session:
    """Keep a session in the test's library; return it."""
    state.store().save(session)
    return session


def use_model(monkeypatch: pytest.MonkeyPatch, url: str, model: str = "test-model") -> None:
    """Set up a model of a server as the environment does."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("MAGNET_MODEL", model)
    st.cache_resource.clear()


def words(at: AppTest) -> str:
    """Return all HTML of the page in one text, without its styles."""
    return "\n".join(body for element in at.get("html") if not (body := element.proto.body).startswith("<style>"))


def press(at: AppTest, key: str) -> AppTest:
    """Press a button; the page must bear it."""
    at.button(key=key).click().run()
    assert not at.exception
    return at


def until(at: AppTest, done: Callable[[AppTest], bool], seconds: float = 60.0) -> AppTest:
    """Look again until something is so, as a browser's timer does."""
    end = time.monotonic() + seconds
    while not done(at):
        assert time.monotonic() < end, words(at)
        at.run()
    assert not at.exception
    return at


def idle(at: AppTest) -> bool:
    """Return whether no run is going on on the session page."""
    return at.button(key="stop").disabled


def take(at: AppTest, key: str) -> AppTest:
    """Press a button of the session page that may start a run, and wait for the run's end."""
    return until(press(at, key), idle)


def shown_session(at: AppTest) -> str:
    """Return the id of the session in the page's address."""
    found = at.query_params["session"]
    return found[0] if isinstance(found, list) else found


def job_done(at: AppTest, job: str = "lab_job") -> AppTest:
    """Wait for the end of a job that the page has started, and look again."""
    wait_until(lambda: not at.session_state[job].look().live)
    at.run()
    assert not at.exception
    return at
