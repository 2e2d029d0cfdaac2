"""What sessions cost, what went wrong in them, and the spans that a collector process gets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from magnet_core import telemetry
from magnet_core.cast import Cast, Voice
from magnet_core.costs import Price, Prices, calls_of, cost_of, grouped, price_of, session_cost, shipped, waited, waits
from magnet_core.domain import Usage
from magnet_core.errors import SettingsError
from magnet_core.incidents import in_ledger, in_session
from magnet_core.meter import Use
from magnet_core.profiles import samples
from magnet_core.session import fork, new_session
from magnet_core.spending import kept_of, unkept
from magnet_core.store import Store
from tests.fakes import call, made, rehearsed_once
from tests.llm_server import LlmServer
from ui import state

ROOT = Path(__file__).parent.parent
DAY = date(2026, 7, 1)
LIST = Prices(
    entries=(
        Price(model="m", since=date(2026, 1, 1), input=1.0, cached=0.5, output=4.0),
        Price(model="m", since=date(2026, 6, 1), input=2.0, cached=1.0, output=8.0),
        Price(model="plain", since=date(2026, 1, 1), input=3.0, output=5.0),
    )
)


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
    assert (
        session_cost(rehearsed_once(3), shipped()).price == 0 and session_cost(rehearsed_once(3), shipped()).tokens is None
    )


def test_groups_add_up_to_the_whole() -> None:
    session = rehearsed_once(3)
    whole = session_cost(session, shipped())
    for key in (lambda turn, c: turn, lambda turn, c: c.agent):
        parts = grouped(session, shipped(), key)
        assert sum(p.calls for p in parts.values()) == whole.calls == 25
        assert sum(p.seconds for p in parts.values()) == pytest.approx(whole.seconds)
    assert waited(session) > 0


def test_a_fork_is_not_charged_for_its_parents_calls() -> None:
    session = rehearsed_once(3)
    child = fork(session, 2)
    assert not list(calls_of(child, session)) and len(list(calls_of(child))) == 17


def test_what_went_wrong_is_listed_by_kind() -> None:
    session = rehearsed_once(3)
    calls = (
        call(problem="It repeats.", attempt=1),
        call(attempt=2, retries=("The connection broke.",)),
        call(agent="client", problem="Empty.", finish_reason="length"),
    )
    turn = session.turns[0].model_copy(update={"calls": calls})
    found = in_session(session.model_copy(update={"turns": (turn,), "plan_calls": ()}))
    assert [(i.kind, i.agent, i.turn) for i in found] == [
        ("asked again", "plain", 1), ("connection", "plain", 1), ("not mended", "client", 1), ("cut off", "client", 1),
    ]  # fmt: skip


def test_waiting_is_counted_from_the_first_call_of_a_turn_to_its_last_answer() -> None:
    session = rehearsed_once(3)
    calls = (call(started=0.5, seconds=2.0), call(started=0.5, seconds=3.0), call(started=4.0, seconds=1.0))
    turn = session.turns[0].model_copy(update={"calls": calls})
    session = session.model_copy(
        update={"turns": (turn, session.turns[1].model_copy(update={"calls": ()})), "plan_calls": calls[:1]}
    )
    assert waits(session) == {0: 2.0, 1: 4.5}, "a turn without calls has no waiting, not one of nought"
    assert waited(session) == 6.5 and session_cost(session, LIST).seconds == 8.0
    assert waited(fork(session, 1), session) == 0


def test_what_the_ledger_says_went_wrong_is_listed_once() -> None:
    def use(**more: Any) -> Use:
        return Use(**({"made": datetime(2026, 7, 1, tzinfo=UTC), "purpose": "session", "model": "m"} | more))

    found = in_ledger(
        [
            use(agent="responder", session="s", turn=4, error="Asked three times.", lost=True),
            use(agent="responder", session="s", turn=4, error="Busy."),
            use(agent="judge", session="s", turn=9, purpose="judging", error="Timed out."),
            use(agent="responder", session="s", turn=2, purpose="lab", error="Refused."),
        ]
    )
    assert [(i.kind, i.purpose, i.agent, i.turn, i.day, i.attempt) for i in found] == [
        ("given up", "session", "responder", 4, DAY, None),
        ("no answer", "judging", "judge", None, DAY, None),
        ("no answer", "lab", "responder", 2, DAY, None),
    ]


def test_what_no_session_holds_is_told_apart_turn_by_turn(store: Store) -> None:
    turn = rehearsed_once(3).turns[0].model_copy(update={"calls": (call(), call(agent="client"))})
    session = rehearsed_once(3).model_copy(update={"turns": (turn,), "plan_calls": ()})

    def use(number: int, day: int = 1, **more: Any) -> Use:
        made = {
            "made": datetime(2026, 7, day, tzinfo=UTC),
            "purpose": "session",
            "model": "m",
            "session": session.id,
            "turn": number,
        }
        return Use(**(made | {"usage": Usage(prompt_tokens=1000, completion_tokens=100)} | more))

    broken_off = [use(1), use(1, usage=Usage(), error="Stopped before the answer was whole.")]
    kept = [use(1, 2), use(1, 2, agent="client")]
    store.ledger.add(
        [*broken_off, *kept, use(2, 2), use(1, 2, purpose="lab"), use(1, 2, session="deleted", model="stranger")]
    )
    left = unkept(store.ledger.turns(), kept_of(session))
    assert [(s.session, s.turn, s.day.day, s.answered, s.usage.prompt_tokens, s.usage.completion_tokens) for s in left] == [
        (session.id, 2, 2, 1, 1000, 100),
        ("deleted", 1, 2, 1, 1000, 100),
        (session.id, 1, 1, 1, 1000, 100),
    ]
    assert [s.price(LIST) for s in left] == [pytest.approx(0.0028), None, pytest.approx(0.0028)]
    assert unkept(store.ledger.turns()[:0], kept_of(session)) == [], "what was made elsewhere is not in the ledger"
    assert not kept_of(rehearsed_once(3)), "the rehearsal uses nothing"


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
    session = made(Cast(default=Voice(model="test-model", base_url=endpoint().url, temperature=0.5)), 3)
    spans = telemetry.Spans(address)
    for number in range(len(session.turns) + 1):
        spans.turn(session, number)
    assert spans.flush(30)
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
    job = state.maker().start([state.making.batch_of("rehearsal", [session])], owner="x")
    assert job.future
    job.future.result(20)
    spans = telemetry.spans_to(address)
    assert spans and spans.flush(30)
    assert sum(s["name"] == "invoke_workflow magnet" for s in read(file)) == 3, "the plan and two turns"
    spans.close()


def without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let OpenTelemetry be not installed, whether or not it has been imported before."""
    for name in ["opentelemetry", *(name for name in sys.modules if name.startswith("opentelemetry."))]:
        monkeypatch.setitem(sys.modules, name, None)


def test_nothing_is_sent_by_default_and_a_lost_collector_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state.settings().otlp_endpoint == "" and telemetry.spans_to("") is None
    with pytest.raises(SettingsError, match="is an address"):
        telemetry.Spans("localhost")
    telemetry.newest(rehearsed_once(3), "not an address")
    without_opentelemetry(monkeypatch)
    with pytest.raises(SettingsError, match="requirements-otlp"):
        telemetry.Spans("http://127.0.0.1:9")


def test_spans_carry_the_librarys_own_price_of_the_sessions_day(
    collector: tuple[str, Path], endpoint: Callable[..., LlmServer]
) -> None:
    address, file = collector
    made_in_may = made(Cast(default=Voice(model="test-model", base_url=endpoint().url)), 1, method="plain")
    made_in_may = made_in_may.model_copy(update={"created": datetime(2026, 5, 20, tzinfo=UTC)})
    own = [
        Price(model="test-model", since=date(2026, 5, 1), input=1, output=1),
        Price(model="test-model", since=DAY, input=9, output=9),
    ]
    state.store().prices.keep(own)
    telemetry.newest(made_in_may, address, state.store().prices.all)
    spans = telemetry.spans_to(address)
    assert spans and spans.flush(30)
    spans.close()
    told = sum(s["attributes"]["magnet.price_usd"] for s in read(file) if s["name"] == "chat test-model")
    cost = session_cost(made_in_may, Prices(entries=tuple(own[:1])))
    assert told == pytest.approx(cost.price) and cost.price
    now = telemetry.sending(address)
    assert now.sent == len(read(file)) and now.going and not now.problem and now.address == f"{address}/v1/traces"


def test_what_keeps_spans_from_going_out_is_told(
    monkeypatch: pytest.MonkeyPatch, endpoint: Callable[..., LlmServer]
) -> None:
    assert telemetry.sending("") == telemetry.Sending()
    for wrong in ("localhost:4318", "http://host:port", "http://[x"):
        now = telemetry.sending(wrong)
        assert "is an address such as" in now.problem and not now.going and now.address
    nobody = telemetry.Spans("http://name:secret@127.0.0.1:9", patience=0.1)
    nobody.turn(rehearsed_once(3), 1)
    nobody.flush()
    nobody.close()
    now = nobody.sending
    assert "could not be reached" in now.problem and now.lost == 17 and now.met and not now.going and not now.sent
    assert now.address == "http://127.0.0.1:9/v1/traces", "no name and no password"
    another = telemetry.Spans(endpoint().url)
    another.turn(rehearsed_once(3), 1)
    another.flush()
    another.close()
    assert "did not take the spans" in another.sending.problem
    without_opentelemetry(monkeypatch)
    assert "requirements-otlp" in telemetry.sending("http://127.0.0.1:10").problem
