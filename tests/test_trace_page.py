"""The Trace page: what things cost, what endpoints were paid for, what went wrong, and the prices and the limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice
from magnet_core.costs import Price, session_cost, today
from magnet_core.domain import Session, Usage
from magnet_core.meter import Limit, Use
from tests.fakes import call, made, rehearsed_once
from tests.llm_server import LlmServer, Start
from tests.screen import fresh, page_with, words
from tests.waiting import wait_until
from ui import state

PAGE = "pages/lab/trace.py"


def use(**more: Any) -> Use:
    usage = Usage(prompt_tokens=1000, cached_tokens=0, completion_tokens=100)
    return Use(**({"made": datetime.now(UTC), "purpose": "session", "model": "gpt-4o-mini", "usage": usage} | more))


def table(at: AppTest, words: str) -> Any:
    return next(frame.value for frame in at.dataframe if frame.proto.alt == words)


@pytest.mark.parametrize("view", ["one", "many", "spending", "wrong", "prices"])
@pytest.mark.parametrize("through_app", [False, True])
def test_every_view_is_there_with_and_without_sessions(view: str, through_app: bool) -> None:
    at = page_with(PAGE, through_app=through_app, trace_view=view)
    assert not at.exception
    at = page_with(PAGE, rehearsed_once(3), through_app=through_app, trace_view=view)
    assert not at.exception


def test_another_pages_address_changes_nothing_here() -> None:
    session = rehearsed_once(3)
    at = page_with(PAGE, session, trace_view="wrong", address={"view": "bench", "session": session.id})
    assert at.session_state["trace_view"] == "wrong"
    assert page_with(PAGE, session, address={"session": session.id}).session_state["trace_view"] == "one"


def test_a_session_is_shown_by_agent_and_turn() -> None:
    at = page_with(PAGE, rehearsed_once(3))
    assert "calls <b>25</b>" in words(at) and "price <b>$0.0000</b>" in words(at)
    by_agent, by_turn = table(at, "Cost by agent"), table(at, "Cost by turn")
    assert list(by_turn["Turn"]) == ["Plan", "Turn 1", "Turn 2", "Turn 3"] and list(by_turn["Calls"]) == [1, 8, 8, 8]
    assert by_agent["Tokens read"].isna().all(), "the rehearsal counts no tokens, and what is not known is not zero"


def test_an_own_price_prices_what_was_made_before(endpoint: Callable[..., LlmServer]) -> None:
    session = made(Cast(default=Voice(model="test-model", base_url=endpoint().url)), 3, method="plain")
    at = page_with(PAGE, session)
    assert "price <b>–</b>" in words(at) and "No price is known for test-model" in words(at)
    state.store().prices.keep([Price(model="test-model", since=date(2020, 1, 1), input=1, output=1)])
    at.run()
    cost = session_cost(session, state.spending.prices())
    assert cost.price and f"price <b>${cost.price:,.4f}</b>" in words(at)


def test_numbers_are_numbers_and_what_is_missing_is_no_number(endpoint: Start) -> None:
    session = made(Cast(default=Voice(model="test-model", base_url=endpoint().url)), 12, method="plain")
    at = page_with(PAGE, rehearsed_once(3), session, trace_view="many")
    cost = session_cost(session, state.spending.prices())
    assert f"tokens read <b>{cost.prompt_tokens:,}</b>" in words(at) and "sessions <b>1</b>" not in words(at)
    assert "The rehearsal, in 1 more, uses no tokens" in words(at)
    shown = table(at, "Cost by session")
    assert set(shown.select_dtypes("number").columns) == set(shown.columns) - {"Session"}
    by_calls = shown.sort_values("Calls")
    assert list(by_calls["Calls"]) == [25, 24][::-1] and by_calls["Tokens read"].isna().sum() == 1
    assert "Agents work at the same time" in words(page_with(PAGE, session))


def test_each_turn_says_how_long_one_waited_for_it() -> None:
    session = rehearsed_once(3)
    calls = (call(started=0.0, seconds=2.0), call(started=0.0, seconds=3.0), call(started=3.0, seconds=1.5))
    turn = session.turns[0].model_copy(update={"calls": calls})
    at = page_with(PAGE, session.model_copy(update={"turns": (turn,), "plan_calls": ()}))
    [row] = table(at, "Cost by turn").to_dict("records")
    assert (row["Seconds waited"], row["Seconds of calls"]) == (4.5, 6.5)


# What endpoints were paid for


def test_spending_is_shown_by_day_purpose_and_model() -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    state.store().ledger.add(
        [
            use(), use(made=yesterday), use(purpose="judging", model="stranger"), use(purpose="review"), use(purpose="lab", seconds=2.0),
            use(purpose="client"), use(purpose="judging", model="stranger", usage=Usage(), error="Busy."),
            use(usage=Usage(), error="Given up.", lost=True),
        ]
    )  # fmt: skip
    at = page_with(PAGE, trace_view="spending")
    shown = table(at, "Calls to endpoints")
    assert not at.exception and list(shown["Day"]) == [*[today().isoformat()] * 5, yesterday.date().isoformat(), "All"]
    assert set(shown["Purpose"]) == {"Sessions", "Judging", "Blind pairs", "Prompt lab", "Drafting clients", ""}
    judging = shown[shown["Purpose"] == "Judging"].iloc[0]
    assert (judging["Answered"], judging["No answer"], judging["Tokens read"]) == (1, 1, 1000)
    assert judging.isna()["Price, $"], "a price that is not known is missing"
    whole = shown.iloc[-1]
    assert (whole["Answered"], whole["No answer"], whole["Tokens written"]) == (6, 1, 600) and whole.isna()["Price, $"]
    said = words(at)
    assert "The rehearsal asks no endpoint and uses nothing" in said and "command line are not in it" in said
    assert "No price is known for stranger" in said and "Prices are known of 5 of 6 answered calls: $0.001" in said
    at.pills(key="trace_spending_by").set_value(["Model"]).run()
    assert list(table(at, "Calls to endpoints")["Model"]) == ["gpt-4o-mini", "stranger", "All"] and not at.exception
    at.pills(key="trace_spending_by").set_value([]).run()
    assert not at.exception and len(at.get("download_button")) == 1


def test_what_sessions_used_for_turns_that_were_not_kept_is_said(endpoint: Start) -> None:
    at = fresh(cast=Cast(default=Voice(model="test-model", base_url=endpoint().url)))
    state.spending.set_limit(Limit(amount=20_000, unit="tokens"))
    at.run().button(key="play").click().run()
    session = at.session_state["session"]
    wait_until(lambda: (run := state.engine().run_on(session.id)) is not None and not run.live)
    at.run()
    assert any("The limit of a day, 20,000 tokens" in error.value for error in at.error)
    assert [link for link in at.get("page_link") if link.proto.label == "Limits and prices"]
    assert state.spending.book().done()
    stored = state.store().session(session.id)
    state.store().ledger.add([use(session=session.id, turn=len(stored.turns) + 1, model="test-model")] * 2)
    at.query_params.clear()
    at.query_params["view"] = "spending"
    at.switch_page(PAGE).run()
    kept = session_cost(stored, state.spending.prices())
    [total] = state.spending.sums()
    left, read = total.answered - kept.calls, (total.usage.prompt_tokens or 0) - (kept.prompt_tokens or 0)
    assert left >= 2 and f"<b>{left:,}</b> are in turns that were not kept" in words(at)
    assert f"tokens read <b>{read:,}</b>" in words(at) and not at.exception


def test_the_limit_of_a_day_is_set_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNET_MODEL", "stranger")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    state.store().ledger.add([use(), use(purpose="judging")])
    at = page_with(PAGE, trace_view="spending")
    assert (
        "Today <b>2</b> answered calls" in words(at)
        and "tokens <b>2,200</b>" in words(at)
        and "No limit is set." in words(at)
    )
    assert "No price is known for stranger, so a limit in dollars could not be held to" in words(at)
    at.button(key="limit_keep").click().run()
    assert "A limit is at least $0.01 a day" in words(at) and state.store().ledger.limit() is None
    at.segmented_control(key="limit_unit").set_value("tokens").run()
    assert "No price is known for stranger, so" not in words(at)
    at.number_input(key="limit_tokens").set_value(5000).run()
    at.button(key="limit_keep").click().run()
    assert state.store().ledger.limit() == Limit(amount=5000, unit="tokens")
    assert "Limit of a day: 2,200 of 5,000 tokens used." in words(at)
    at.switch_page("pages/setup/models.py").run()
    assert "Limit of a day: 2,200 of 5,000 tokens used." in words(at) and not at.exception
    at.session_state["trace_view"] = "spending"
    at.switch_page(PAGE).run()
    at.button(key="limit_away").click().run()
    assert state.store().ledger.limit() is None and "No limit is set." in words(at) and not at.exception


def test_a_price_that_is_added_later_counts_for_the_limit_of_the_day() -> None:
    state.store().ledger.add([use(model="stranger")])
    state.spending.set_limit(Limit(amount=1))
    at = page_with(PAGE, trace_view="spending")
    assert "Limit of a day: – of $1.00 used." in words(at)
    state.store().prices.keep([Price(model="stranger", since=today(), input=100, output=1000)])
    st.cache_resource.clear()
    at.run()
    assert "Limit of a day: $0.2000 of $1.00 used." in words(at)


# What went wrong


def troubled(**more: Any) -> Session:
    session = rehearsed_once(3)
    calls = (call(problem="It repeats."), call(agent="client", retries=("The connection broke.",)))
    turns = (session.turns[0], session.turns[1].model_copy(update={"calls": calls}))
    return session.model_copy(update={"turns": turns, "plan_calls": ()} | more)


def test_errors_are_filtered_and_counted() -> None:
    older = troubled(id="older", created=datetime(2026, 7, 1, tzinfo=UTC))
    state.store().ledger.add(
        [
            use(session="older", turn=3, agent="responder", usage=Usage(), error="Asked three times.", lost=True),
            use(session="older", turn=9, agent="judge", purpose="judging", usage=Usage(), error="Timed out."),
        ]
    )
    at = page_with(PAGE, troubled(id="newer"), older, trace_view="wrong")
    assert "6 of 6 in 2 sessions" in words(at)
    counted = table(at, "How many of each kind, by agent").set_index("What")
    assert counted.loc["Given up: the turn was lost", "Responder"] == 1
    assert list(counted["All"]) == [1, 1, 2, 2] and counted.loc["Connection failed, tried again", "Client"] == 2

    def left(key: str, value: list[str]) -> int:
        at.multiselect(key=key).set_value(value).run()
        found = (
            0 if not any(f.proto.alt == "Errors and retries" for f in at.dataframe) else len(table(at, "Errors and retries"))
        )
        assert f"{found} of 6 in 2 sessions" in words(at) and not at.exception
        at.multiselect(key=key).set_value([]).run()
        return found

    assert left("trace_kinds", ["connection"]) == 2 and left("trace_agents", ["judge"]) == 1
    assert left("trace_models", ["gpt-4o-mini"]) == 2 and left("trace_sessions", ["older"]) == 4
    assert left("trace_days", ["2026-07-01"]) == 2
    at.text_input(key="trace_words").set_value("nothing like this").run()
    assert "0 of 6 in 2 sessions" in words(at)


def test_each_leads_to_its_turn_and_a_kept_call_to_the_lab() -> None:
    session = troubled()
    state.store().ledger.add(
        [use(session=session.id, turn=3, agent="responder", usage=Usage(), error="Asked three times.", lost=True),
         use(session="gone", turn=3, agent="responder", usage=Usage(), error="Asked three times.", lost=True)]
    )  # fmt: skip
    at = page_with(PAGE, session, trace_view="wrong")
    rows = table(at, "Errors and retries")

    def choose(what: str, whose: str) -> None:
        place = next(
            n for n, row in enumerate(rows.to_dict("records")) if row["What"].startswith(what) and whose in row["Session"]
        )
        key = next(str(frame.key) for frame in at.dataframe if frame.proto.alt == "Errors and retries")
        at.session_state[key] = {"selection": {"rows": [place], "columns": [], "cells": []}}
        at.run()

    def replays() -> list[str]:
        return [link.proto.query_string for link in at.get("page_link") if link.proto.label == "Replay this call"]

    choose("Given up", "not in the library")
    assert not replays() and not any(button.key == "wrong_turn" for button in at.button)
    choose("Given up", session.profile.name)
    assert "Asked three times." in words(at) and "turn 3" in words(at) and not replays()
    choose("Answer kept", session.profile.name)
    assert replays() == [f"session={session.id}&turn=2&agent=plain&attempt=1"]
    at.multiselect(key="trace_kinds").set_value(["given up"]).run()
    assert not any(button.key == "wrong_turn" for button in at.button), "what was chosen among other rows is chosen no more"
    at.multiselect(key="trace_kinds").set_value([]).run()
    choose("Answer kept", session.profile.name)
    at.button(key="wrong_turn").click().run()
    assert at.session_state["session"].id == session.id and at.session_state["look"] == 2 and not at.exception
    assert "Turn 2 of" in words(at), "the session page shows the turn"


def test_thousands_of_errors_stay_one_table() -> None:
    session = rehearsed_once(3)
    turn = session.turns[0].model_copy(update={"calls": tuple(call(problem=f"It repeats {n}.") for n in range(2719))})
    at = page_with(PAGE, session.model_copy(update={"turns": (turn,), "plan_calls": ()}), trace_view="wrong")
    assert (
        "2,719 of 2,719 in 1 session and" in words(at) and len(table(at, "Errors and retries")) == 2719 and not at.exception
    )


# Prices


def form(at: AppTest, model: str, **prices: float | None) -> AppTest:
    at.selectbox(key="price_model").set_value(model)
    for name, value in prices.items():
        at.number_input(key=f"price_{name}").set_value(value)
    return at.button(key="price_keep").click().run()


def test_a_field_that_is_missing_is_named_and_clears_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    at = page_with(PAGE, trace_view="prices")
    at.button(key="price_keep").click().run()
    assert "It needs the model and $ per million tokens read and $ per million tokens written." in words(at)
    at.text_input(key="price_source").set_value("A contract")
    at.date_input(key="price_since").set_value(date(2026, 3, 1))
    form(at, "test-model", input=2.0)
    assert "The price of test-model is not kept yet. It needs $ per million tokens written." in words(at)
    assert (at.selectbox(key="price_model").value, at.number_input(key="price_input").value) == ("test-model", 2.0)
    assert (at.text_input(key="price_source").value, at.date_input(key="price_since").value) == (
        "A contract",
        date(2026, 3, 1),
    )
    assert "choose a day before them" in at.date_input(key="price_since").help
    form(at, "test-model", output=8.0)
    [kept] = state.store().prices.own()
    assert kept == Price(model="test-model", since=date(2026, 3, 1), input=2, output=8, source="A contract")
    assert at.number_input(key="price_input").value is None and "not kept yet" not in words(at) and not at.exception
    form(at, "test-model", input=3.0, output=8.0)
    assert [p.input for p in state.store().prices.own()] == [3.0], "the same model and day: in place of the one before"


def test_own_prices_are_changed_and_taken_out_in_place() -> None:
    own = [Price(model=name, since=date(2026, 1, 1), input=1, cached=0.5, output=2, source="x") for name in ("a", "b", "c")]
    state.store().prices.keep(own)
    at = page_with(PAGE, trace_view="prices")
    read, cached, wrote = (f"$ per million tokens {what}" for what in ("read", "read, cached", "written"))

    def edit(changed: dict[int, dict[str, Any]], gone: list[int]) -> None:
        key = f"price_edits_{at.session_state.get('price_round', 0)}"
        at.session_state[key] = {"edited_rows": changed, "added_rows": [], "deleted_rows": gone}
        at.run().button(key="price_change").click().run()

    edit({0: {wrote: None}, 1: {read: 7.5}}, [])
    assert "The price of a is not kept yet. It needs $ per million tokens written." in words(at)
    assert state.store().prices.own() == own, "nothing is kept by halves"
    edit({0: {"Model": "b"}}, [])
    assert "Two prices cannot hold from the same day: b, since 2026-01-01." in words(at)
    edit({1: {read: 7.5, cached: None, "Since": "2025-12-01"}}, [2])
    assert state.store().prices.own() == [
        own[0],
        Price(model="b", since=date(2025, 12, 1), input=7.5, output=2, source="x"),
    ]
    edit({}, [0, 1])
    assert state.store().prices.own() == [] and not at.exception


# Spans


def test_the_page_says_whether_spans_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No spans are sent" in words(page_with(PAGE, rehearsed_once(3)))
    monkeypatch.setenv("MAGNET_OTLP_ENDPOINT", "http://name:secret@127.0.0.1:11")
    st.cache_resource.clear()
    said = words(page_with(PAGE, rehearsed_once(3)))
    assert "OpenTelemetry spans go to http://127.0.0.1:11/v1/traces: none sent yet." in said and "secret" not in said
    monkeypatch.setenv("MAGNET_OTLP_ENDPOINT", "localhost:4318")
    st.cache_resource.clear()
    assert "MAGNET_OTLP_ENDPOINT is an address such as" in words(page_with(PAGE, rehearsed_once(3)))
