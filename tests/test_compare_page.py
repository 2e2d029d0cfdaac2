"""The compare page without a browser: the built-in cast makes what is missing, and two sessions stand side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice, open_models
from magnet_core.costs import Price
from magnet_core.domain import Session
from magnet_core.errors import SettingsError
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session
from tests.llm_server import LlmServer
from ui import state
from ui.maker import Batch

ROOT = Path(__file__).parent.parent
PAGE = "pages/judge/compare.py"


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a library of its own and the built-in cast."""
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'library.db'}")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAGNET_MODEL"):
        monkeypatch.setenv(name, "")
    st.cache_resource.clear()


def rehearsed(client: int = 0, turns: int = 8, **more: Any) -> Session:
    """Return a session of the built-in cast."""

    async def made() -> Session:
        async with open_models(Cast()) as models:
            session = new_session(samples()[client], max_turns=turns, models=models, **more)
            async for event in run_session(session, models, live=False):
                session = getattr(event, "session", session)
            return session

    return asyncio.run(made())


def page_with(*sessions: Session, through_app: bool = True, **kept: Any) -> AppTest:
    for session in sessions:
        state.store().save(session)
    at = AppTest.from_file(str(ROOT / ("app.py" if through_app else PAGE)), default_timeout=30)
    for name, value in kept.items():
        at.session_state[name] = value
    at.run()
    return at.switch_page(PAGE).run() if through_app else at


def words(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def until(at: AppTest, done: Callable[[AppTest], bool], seconds: float = 20.0) -> AppTest:
    end = time.monotonic() + seconds
    while not done(at):
        assert time.monotonic() < end, words(at)
        at.run()
    return at


@pytest.mark.parametrize("through_app", [False, True])
def test_an_empty_library_offers_to_make_the_papers_table(through_app: bool) -> None:
    at = page_with(through_app=through_app)
    assert not at.exception
    assert "30 of 30 are missing" in words(at)
    assert at.multiselect(key="compare_methods").value == [
        "magnet", "no-plan", "no-selector", "neither", "single-agent", "plain",
    ]  # fmt: skip


def test_what_is_missing_is_made_rated_and_compared() -> None:
    at = page_with(compare_methods=["magnet", "plain"])
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 10 sessions" in words(at))
    at.run()
    assert not at.exception
    text = words(at)
    assert "Every client has a session under every configuration." in text
    assert "CTRS, mean of six items" in text and "Indicator, not a validated rating" in text
    assert "<b>65</b>" in text and "−49 [−49 to −49], n = 5" in text, "plain makes no plan, and six calls fewer a turn"
    assert {tag for e in state.sessions.recent() for tag in e.tags} == {"comparison"}
    assert "–" in text, "the built-in cast counts no tokens"
    everything = text.count('<th scope="row">')
    at.toggle(key="compare_only").set_value(True).run()
    table = next(t for t in (e.proto.body for e in at.get("html")) if 'class="versus"' in t)
    rows = table.split("<tr>")[2:]
    assert rows and all('class="better"' in row or 'class="worse"' in row for row in rows)
    assert len(rows) < everything


def test_what_an_earlier_job_left_unfinished_is_gone_on_with() -> None:
    whole = rehearsed(turns=8)
    begun = whole.upto(3)
    state.store().save(begun)
    state.store().tag(begun.id, ["comparison"])
    at = page_with(compare_methods=["magnet"])
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 5 sessions" in words(at))
    kept = state.store().session(begun.id)
    assert len(kept.turns) == 8 and kept.turns[:3] == begun.turns
    entries = state.sessions.recent()
    assert len(entries) == 5 and all(entry.ended for entry in entries)


def test_the_chosen_clients_stay_chosen_as_sessions_come() -> None:
    at = page_with(compare_methods=["magnet"])
    [field] = [m.key for m in at.multiselect if m.key and m.key.startswith("compare_clients")]
    before = at.multiselect(key=field).value
    state.store().save(rehearsed(client=samples().index(next(p for p in samples() if before[3].startswith(f"{p.id}:")))))
    at.run()
    assert at.multiselect(key=field).value == before and "4 of 5 are missing" in words(at)


def test_a_job_stops_at_once_and_keeps_its_turns() -> None:
    page_with()
    sessions = [new_session(profile, max_turns=20) for profile in samples()]
    slow = state.making.batch_of("rehearsal", sessions)
    job = state.maker().start([slow], owner="x", prices=state.costs.prices())
    end = time.monotonic() + 10
    while not job.look().turns:
        assert time.monotonic() < end
        time.sleep(0.01)
    state.maker().stop(job)
    while job.look().live:
        assert time.monotonic() < end
        time.sleep(0.01)
    now = job.look()
    assert now.state == "stopped" and now.finished < len(sessions)
    assert sum(entry.turns for entry in state.sessions.recent()) >= now.turns > 0


def test_a_budget_needs_prices_and_ends_the_job(endpoint: Callable[..., LlmServer]) -> None:
    server = endpoint()
    page_with()
    opened = Cast(default=Voice(model="test-model", base_url=server.url))
    session = new_session(samples()[0], method="plain", max_turns=8)
    batch = Batch((session,), partial(open_models, opened), ("test-model",))
    with pytest.raises(SettingsError, match="none is known for test-model"):
        state.maker().start([batch], owner="x", prices=state.costs.prices(), budget=1.0)
    state.store().prices.keep([Price(model="test-model", since=date(2026, 1, 1), input=1.0, output=1.0)])
    job = state.maker().start([batch], owner="x", prices=state.costs.prices(), budget=1e-9)
    assert job.future
    job.future.result(20)
    now = job.look()
    assert now.state == "stopped" and "budget" in now.error and now.spent, now.error
    made = state.store().session(session.id)
    assert 1 <= len(made.turns) < 8
    used = [c.usage for turn in made.turns for c in turn.calls]
    assert now.spent == pytest.approx(sum((u.prompt_tokens or 0) + (u.completion_tokens or 0) for u in used) / 1_000_000)


def test_two_sessions_stand_in_step_with_their_differences() -> None:
    one, other = rehearsed(), rehearsed(method="plain")
    at = page_with(one, other, compare_view="two", compare_left=one.id, compare_right=other.id)
    text = words(at)
    assert not at.exception
    assert text.count('class="twin') == 8 and "Turn 8" in text
    assert "MAGneT" in text and "Plain" in text
    at.toggle(key="compare_words").set_value(True).run()
    assert "<del>" in words(at) and "<ins>" in words(at)
    at.selectbox(key="compare_right").set_value(one.id).run()
    assert "The same in both" in words(at)
    at.toggle(key="compare_two_only").set_value(True).run()
    assert "Word for word the same" in words(at)


def test_a_budget_is_offered_before_the_first_session_of_a_priced_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    at = page_with(compare_methods=["plain"])
    assert at.multiselect(key="compare_models").value == ["test-model"], "the model that is set up comes first"
    assert not [n for n in at.number_input if n.key == "compare_budget"], "no price is known for it"
    state.store().prices.keep([Price(model="test-model", since=date(2026, 1, 1), input=1.0, output=1.0)])
    at.run()
    assert at.number_input(key="compare_budget").value is None and "tokens, $–" in words(at)
