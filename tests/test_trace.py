"""What sessions cost, what went wrong in them, and the spans that a collector process gets."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core import telemetry
from magnet_core.cast import Cast, Voice, open_models
from magnet_core.costs import Price, Prices, calls_of, cost_of, grouped, incidents, price_of, session_cost, shipped, waited
from magnet_core.domain import AgentCall, Session, Usage
from magnet_core.errors import SettingsError
from magnet_core.profiles import samples
from magnet_core.session import fork, new_session, run_session
from magnet_core.store import Store
from tests.llm_server import LlmServer
from ui import state

ROOT = Path(__file__).parent.parent
PAGE = "pages/lab/trace.py"
DAY = date(2026, 7, 1)
LIST = Prices(
    entries=(
        Price(model="m", since=date(2026, 1, 1), input=1.0, cached=0.5, output=4.0),
        Price(model="m", since=date(2026, 6, 1), input=2.0, cached=1.0, output=8.0),
        Price(model="plain", since=date(2026, 1, 1), input=3.0, output=5.0),
    )
)


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a library of its own and the built-in cast."""
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'library.db'}")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAGNET_MODEL", "MAGNET_OTLP_ENDPOINT"):
        monkeypatch.setenv(name, "")
    st.cache_resource.clear()


def call(
    model: str = "m", read: int | None = 1000, cached: int | None = None, wrote: int | None = 100, **more: Any
) -> AgentCall:
    usage = Usage(prompt_tokens=read, cached_tokens=cached, completion_tokens=wrote)
    return AgentCall(**({"agent": "plain", "model": model, "prompt_sha": "x", "output": "", "usage": usage} | more))


def made(cast: Cast, method: str = "magnet", turns: int = 3) -> Session:
    async def work() -> Session:
        async with open_models(cast) as models:
            session = new_session(samples()[0], method=method, max_turns=turns, models=models)
            async for event in run_session(session, models, live=False):
                session = getattr(event, "session", session)
            return session

    return asyncio.run(work())


@cache
def rehearsed() -> Session:
    return made(Cast())


def test_a_call_costs_what_its_day_says() -> None:
    assert price_of(call(cached=400), LIST, DAY) == pytest.approx((600 * 2 + 400 * 1 + 100 * 8) / 1e6)
    assert price_of(call(cached=400), LIST, date(2026, 2, 1)) == pytest.approx((600 * 1 + 400 * 0.5 + 100 * 4) / 1e6)
    assert price_of(call(), LIST, date(2025, 1, 1)) is None
    assert price_of(call("m-2026-05-06"), LIST, DAY) == price_of(call(), LIST, DAY)
    assert price_of(call("plain", cached=400), LIST, DAY) == pytest.approx((1000 * 3 + 100 * 5) / 1e6)


def test_what_is_not_known_is_missing_and_never_zero() -> None:
    assert price_of(call("stranger"), LIST, DAY) is None and price_of(call(read=None), LIST, DAY) is None
    both = cost_of([call(), call(read=None)], LIST, DAY)
    assert both.price is None and both.prompt_tokens is None and both.tokens is None and both.completion_tokens == 200
    assert cost_of([], LIST, DAY).price is None
    assert session_cost(rehearsed(), shipped()).price == 0 and session_cost(rehearsed(), shipped()).tokens is None


def test_groups_add_up_to_the_whole() -> None:
    session = rehearsed()
    whole = session_cost(session, shipped())
    for key in (lambda turn, c: turn, lambda turn, c: c.agent):
        parts = grouped(session, shipped(), key)
        assert sum(p.calls for p in parts.values()) == whole.calls == 25
        assert sum(p.seconds for p in parts.values()) == pytest.approx(whole.seconds)
    assert waited(session) > 0


def test_a_fork_is_not_charged_for_its_parents_calls() -> None:
    session = rehearsed()
    child = fork(session, 2)
    assert not list(calls_of(child, session)) and len(list(calls_of(child))) == 17


def test_what_went_wrong_is_listed_by_kind() -> None:
    session = rehearsed()
    calls = (
        call(problem="It repeats.", attempt=1),
        call(attempt=2, retries=("The connection broke.",)),
        call(agent="client", problem="Empty.", finish_reason="length"),
    )
    turn = session.turns[0].model_copy(update={"calls": calls})
    found = incidents(session.model_copy(update={"turns": (turn,), "plan_calls": ()}))
    assert [(i.kind, i.agent, i.turn) for i in found] == [
        ("asked again", "plain", 1), ("connection", "plain", 1), ("not mended", "client", 1), ("cut off", "client", 1),
    ]  # fmt: skip


def test_own_prices_go_before_the_shipped_ones(store: Store) -> None:
    book = store.prices
    mini = shipped().on("gpt-4o-mini", DAY)
    assert mini and mini.input > 0
    own = [
        Price(model="gpt-4o-mini", since=date(2026, 6, 30), input=9, output=9),
        Price(model="x", since=DAY, input=1, output=1),
    ]
    book.keep(own)
    assert book.own() == own
    now = book.all()
    assert now.on("gpt-4o-mini", DAY) == own[0] and now.on("gpt-4o-mini", date(2026, 6, 29)) == mini
    book.keep([])
    assert set(book.all().entries) == set(shipped().entries)


# Spans


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Run a collector process; give its address and the file with what it got."""
    file = tmp_path / "spans.jsonl"
    command = [sys.executable, "-m", "tests.otlp_receiver", str(file)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}", file
    process.terminate()
    process.wait(10)
    process.stdout.close()


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_collector_process_gets_the_spans_of_a_session(
    collector: tuple[str, Path], endpoint: Callable[..., LlmServer]
) -> None:
    address, file = collector
    session = made(Cast(default=Voice(model="test-model", base_url=endpoint().url, temperature=0.5)))
    spans = telemetry.Spans(address)
    for number in range(len(session.turns) + 1):
        spans.turn(session, number)
    assert spans.flush()
    spans.close()
    got = read(file)
    roots = [s for s in got if not s["parent"]]
    agents = [s for s in got if s["name"].startswith("invoke_agent ")]
    chats = [s for s in got if s["name"] == "chat test-model"]
    calls = [c for _, c in calls_of(session)]
    assert {s["name"] for s in roots} == {"invoke_workflow magnet"} and len(roots) == 4
    assert len(chats) == len(calls) and len(got) == len(roots) + len(agents) + len(chats)
    assert {s["parent"] for s in agents} == {s["id"] for s in roots if s["id"] in {a["parent"] for a in agents}}
    assert {s["parent"] for s in chats} <= {s["id"] for s in agents}
    assert all(s["attributes"]["gen_ai.conversation.id"] == session.id and s["service"] == "magnet-explorer" for s in got)
    for key, total in {
        "gen_ai.usage.input_tokens": sum(c.usage.prompt_tokens or 0 for c in calls),
        "gen_ai.usage.output_tokens": sum(c.usage.completion_tokens or 0 for c in calls),
    }.items():
        assert sum(s["attributes"][key] for s in chats) == total > 0
    one = chats[0]["attributes"]
    assert one["gen_ai.operation.name"] == "chat" and one["gen_ai.request.model"] == "test-model"
    assert one["gen_ai.request.temperature"] == 0.5 and one["gen_ai.response.finish_reasons"] == ["stop"]
    assert all(s["kind"] == 3 and s["start"] <= s["end"] for s in chats)
    said = session.turns[0].response
    assert said not in file.read_text(encoding="utf-8"), "what was said is not sent"


def test_one_setting_sends_what_the_pages_make(collector: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    address, file = collector
    monkeypatch.setenv("MAGNET_OTLP_ENDPOINT", address)
    st.cache_resource.clear()
    session = new_session(samples()[0], max_turns=2)
    job = state.maker().start([state.making.batch_of("rehearsal", [session])], owner="x", prices=shipped())
    assert job.future
    job.future.result(20)
    spans = telemetry.spans_to(address)
    assert spans and spans.flush()
    assert sum(s["name"] == "invoke_workflow magnet" for s in read(file)) == 3, "the plan and two turns"
    spans.close()


def test_nothing_is_sent_by_default_and_a_lost_collector_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state.settings().otlp_endpoint == "" and telemetry.spans_to("") is None
    with pytest.raises(SettingsError, match="is an address"):
        telemetry.Spans("localhost")
    begun = time.monotonic()
    telemetry.newest(rehearsed(), "not an address")
    assert time.monotonic() - begun < 1
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingsError, match="requirements-otlp"):
        telemetry.Spans("http://127.0.0.1:9")


# The page


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


@pytest.mark.parametrize("view", ["one", "many", "wrong", "prices"])
@pytest.mark.parametrize("through_app", [False, True])
def test_every_view_is_there_with_and_without_sessions(view: str, through_app: bool) -> None:
    at = page_with(through_app=through_app, trace_view=view)
    assert not at.exception
    at = page_with(rehearsed(), through_app=through_app, trace_view=view)
    assert not at.exception


def test_a_session_is_shown_by_agent_and_turn() -> None:
    at = page_with(rehearsed())
    assert "calls <b>25</b>" in words(at) and "price <b>$0.0000</b>" in words(at)
    by_agent, by_turn = (frame.value for frame in at.dataframe)
    assert list(by_turn["Turn"]) == ["Plan", "Turn 1", "Turn 2", "Turn 3"] and list(by_turn["Calls"]) == ["1", "8", "8", "8"]
    assert set(by_agent["Tokens read"]) == {"–"}


def test_an_own_price_prices_what_was_made_before(endpoint: Callable[..., LlmServer]) -> None:
    session = made(Cast(default=Voice(model="test-model", base_url=endpoint().url)), "plain")
    at = page_with(session)
    assert "price <b>–</b>" in words(at) and "No price is known for test-model" in words(at)
    state.store().prices.keep([Price(model="test-model", since=date(2020, 1, 1), input=1, output=1)])
    at.run()
    cost = session_cost(session, state.costs.prices())
    assert cost.price and f"price <b>${cost.price:,.4f}</b>" in words(at)


def test_errors_are_filtered() -> None:
    session = rehearsed()
    broken = session.turns[0].model_copy(
        update={"calls": (call(problem="It repeats."), call(agent="client", retries=("The connection broke.",)))}
    )
    at = page_with(session.model_copy(update={"turns": (broken, *session.turns[1:])}), trace_view="wrong")
    assert "2 of 2 in 1 sessions" in words(at)
    at.multiselect(key="trace_kinds").set_value(["connection"]).run()
    assert "1 of 2 in 1 sessions" in words(at)
    at.text_input(key="trace_words").set_value("nothing like this").run()
    assert "0 of 2 in 1 sessions" in words(at)


def test_a_price_is_written_changed_and_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    at = page_with(rehearsed(), trace_view="prices")
    at.button(key="price_keep").click().run()
    assert "the model" in at.warning[0].value and state.store().prices.own() == []

    def write(model: str, read: float, written: float) -> None:
        at.selectbox(key="price_model").set_value(model)
        at.number_input(key="price_input").set_value(read)
        at.number_input(key="price_output").set_value(written)
        at.button(key="price_keep").click().run()

    write("test-model", 2.0, 8.0)
    assert not at.exception
    [kept] = state.store().prices.own()
    assert (kept.model, kept.input, kept.cached, kept.output) == ("test-model", 2.0, None, 8.0)
    write("test-model", 3.0, 8.0)
    assert [p.input for p in state.store().prices.own()] == [3.0]
    at.button(key="price_out").click().run()
    assert state.store().prices.own() == [] and not at.exception
