"""Every call to an endpoint is counted and written down, and none is made once a budget is spent."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from magnet_core import meter
from magnet_core.cast import Cast, Voice, open_models
from magnet_core.cli import app as command_line
from magnet_core.costs import Price, Prices, session_cost, today
from magnet_core.domain import Session, Usage
from magnet_core.errors import BudgetSpent
from magnet_core.meter import Budget, Limit, Meter, Use
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session
from magnet_core.store import Store
from tests.llm_server import LlmServer, Start
from tests.screen import fresh
from tests.waiting import wait_until
from ui import state

ROOT = Path(__file__).parent.parent
LIST = Prices(entries=(Price(model="test-model", since=date(2020, 1, 1), input=1.0, output=10.0),))


def prices() -> Prices:
    return LIST


def use(**more: Any) -> Use:
    usage = Usage(prompt_tokens=1000, completion_tokens=100)
    return Use(**({"made": datetime.now(UTC), "purpose": "session", "model": "test-model", "usage": usage} | more))


def run(server: LlmServer, counted: Meter, turns: int = 3) -> tuple[Session, str]:
    """Make a session as far as the budgets allow; return it with its finished turns, and what stopped it."""

    async def work() -> tuple[Session, str]:
        async with open_models(Cast(default=Voice(model="test-model", base_url=server.url)), meter=counted) as models:
            session = new_session(samples()[0], max_turns=turns, min_turns=turns, models=models)
            try:
                async for event in run_session(session, models, live=False):
                    session = getattr(event, "session", session)
            except BudgetSpent as error:
                return session, str(error)
            return session, ""

    return asyncio.run(work())


def test_what_is_counted_is_what_the_session_cost(endpoint: Start) -> None:
    written: list[Use] = []
    budget = Budget(prices=prices)
    session, stopped = run(server := endpoint(), Meter("session", [budget], written.append))
    cost = session_cost(session, LIST)
    assert not stopped and budget.calls == cost.calls == server.record.calls == len(written)
    assert budget.tokens == cost.tokens and budget.dollars == pytest.approx(cost.price)
    assert {one.session for one in written} == {session.id} and {one.turn for one in written} == {0, 1, 2, 3}
    assert {one.agent for one in written} >= {"planner", "selector", "reflection", "responder", "client"}


def test_the_rehearsal_uses_nothing() -> None:
    async def work() -> int:
        budget = Budget(Limit(amount=1, unit="tokens"))
        async with open_models(Cast(), meter=Meter("session", [budget])) as models:
            async for _ in run_session(new_session(samples()[0], max_turns=1, models=models), models, live=False):
                pass
        return budget.calls

    assert asyncio.run(work()) == 0


@pytest.mark.parametrize("limit", [Limit(amount=12_000, unit="tokens"), Limit(amount=0.02)])
def test_no_call_is_made_once_the_budget_is_spent(endpoint: Start, limit: Limit) -> None:
    budget = Budget(limit, prices)
    session, stopped = run(server := endpoint(), Meter("session", [budget]), turns=20)
    assert re.search(rf"The budget, {re.escape(str(limit))}, (is spent|does not reach for the next call)", stopped)
    assert 0 < len(session.turns) < 20 and session.plan
    spent = budget.dollars if limit.unit == "$" else budget.tokens
    assert spent is not None and 0.5 * limit.amount < spent < 1.25 * limit.amount
    calls = server.record.calls
    budget.limit = limit.model_copy(update={"amount": spent})
    assert "is spent" in run(server, Meter("lab", [budget]))[1] and server.record.calls == calls


def test_a_budget_in_dollars_needs_a_price_and_one_in_tokens_their_number() -> None:
    with pytest.raises(BudgetSpent, match="none is known for some-model"):
        Budget(Limit(amount=1), prices).check("some-model")
    silent = Budget(Limit(amount=10, unit="tokens"), prices)
    silent.check("some-model")
    silent.add("some-model", Usage())
    with pytest.raises(BudgetSpent, match="does not say how many tokens"):
        silent.check("some-model")
    assert silent.dollars is None and Budget(prices=prices).dollars == 0


def test_a_daily_budget_begins_anew_with_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(Limit(amount=1000, unit="tokens"), prices, daily=True)
    budget.add_before(today() - timedelta(days=1), "test-model", Usage(prompt_tokens=900, completion_tokens=900), 3, 0)
    assert budget.tokens == 0
    budget.add_before(today(), "test-model", Usage(prompt_tokens=900, completion_tokens=200), 3, 0)
    with pytest.raises(BudgetSpent, match="The limit of a day, 1,000 tokens"):
        budget.check("test-model")
    monkeypatch.setattr(meter, "today", lambda: today() + timedelta(days=1))
    budget.check("test-model")
    assert budget.tokens == 0 and budget.calls == 0


def test_the_ledger_sums_by_day_purpose_and_model(store: Store) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    store.ledger.add([use(), use(seconds=2.0), use(purpose="judging", usage=Usage()), use(made=yesterday, model="other")])
    store.ledger.add(
        [use(usage=Usage(), error="The server is down."), use(usage=Usage(), error="Gave up.", lost=True, turn=4)]
    )
    found = {(s.day, s.purpose, s.model): s for s in store.ledger.sums()}
    now = found[today(), "session", "test-model"]
    assert (now.answered, now.failed, now.uncounted, now.seconds) == (2, 1, 0, 2.0)
    assert now.usage == Usage(prompt_tokens=2000, completion_tokens=200) and now.price(LIST) == pytest.approx(0.004)
    assert found[today(), "judging", "test-model"].uncounted == 1
    assert found[today(), "judging", "test-model"].price(LIST) is None
    assert found[yesterday.date(), "session", "other"].price(LIST) is None
    assert {s.day for s in store.ledger.sums(yesterday.date())} == {yesterday.date()}
    assert store.ledger.sums(today()) == [s for s in store.ledger.sums() if s.day == today()]
    assert [(f.error, f.lost, f.turn) for f in store.ledger.failures()] == [
        ("Gave up.", True, 4),
        ("The server is down.", False, None),
    ]


def test_the_limit_of_a_day_is_kept(store: Store) -> None:
    assert store.ledger.limit() is None
    store.ledger.set_limit(Limit(amount=2.5))
    store.ledger.set_limit(Limit(amount=1000, unit="tokens"))
    assert store.ledger.limit() == Limit(amount=1000, unit="tokens")
    store.ledger.set_limit(None)
    assert store.ledger.limit() is None


def page(server: LlmServer, model: str = "test-model") -> AppTest:
    return fresh(cast=Cast(default=Voice(model=model, base_url=server.url))).run()


def test_a_session_stops_at_the_limit_of_the_day_and_says_so(endpoint: Start) -> None:
    at = page(server := endpoint())
    state.store().ledger.set_limit(Limit(amount=4000, unit="tokens"))
    st.cache_resource.clear()
    at.button(key="play").click().run()
    session = at.session_state["session"]
    wait_until(lambda: (run := state.engine().run_on(session.id)) is not None and not run.live)
    at.run()
    assert any("The limit of a day, 4,000 tokens, does not reach" in alert.value for alert in [*at.error, *at.warning]) or (
        "The limit of a day, 4,000 tokens, does not reach" in " ".join(h.value for h in at.get("html"))
    )
    assert state.spending.book().done()
    [total] = [s for s in state.store().ledger.sums() if s.purpose == "session"]
    assert 0 < total.answered <= server.record.calls and total.usage.prompt_tokens and not at.exception


def test_a_turn_that_is_given_up_is_written_down(endpoint: Start) -> None:
    at = page(endpoint(status=401, body='{"error": {"message": "no such key"}}'))
    at.button(key="next").click().run()
    session = at.session_state["session"]
    wait_until(lambda: (run := state.engine().run_on(session.id)) is not None and not run.live)
    assert state.spending.book().done()
    lost, *calls = state.store().ledger.failures()
    assert (lost.lost, lost.agent, lost.turn, lost.model, lost.session) == (True, "planner", 0, "test-model", session.id)
    assert calls and all(not one.lost and one.error for one in calls)


def test_the_command_line_stops_at_its_budget_and_goes_on_later(endpoint: Start, tmp_path: Path) -> None:
    server, out = endpoint(), tmp_path / "sessions"
    arguments = ["generate", "--profiles", str(ROOT / "sample_profiles"), "--pick", "1", "--out", str(out), "--turns", "4"]
    arguments += ["--model", "test-model", "--base-url", server.url, "--method", "plain"]
    first = CliRunner().invoke(command_line, [*arguments, "--token-budget", "2500"])
    assert first.exit_code == 1 and "The budget, 2,500 tokens, does not reach" in " ".join(first.stderr.split())
    assert not list(out.glob("*.json")) and list((out / ".unfinished").glob("*.part"))
    second = CliRunner().invoke(command_line, arguments)
    assert second.exit_code == 0 and len(list(out.glob("*.json"))) == 1
    unpriced = CliRunner().invoke(command_line, [*arguments[:-1], "magnet", "--out", str(tmp_path / "b"), "--budget", "1"])
    assert unpriced.exit_code == 1 and "none is known for test-model" in " ".join(unpriced.stderr.split())
