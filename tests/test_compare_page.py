"""The compare page without a browser: the built-in cast makes what is missing, and two sessions stand side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from magnet_core import prompts
from magnet_core.cast import Cast, Voice
from magnet_core.costs import Price
from magnet_core.domain import Session, Usage
from magnet_core.errors import BudgetSpent
from magnet_core.meter import Budget, Limit
from magnet_core.profiles import samples
from magnet_core.scoring.compare import PAPER
from magnet_core.scoring.rater import rate
from magnet_core.scoring.tables import Judge
from magnet_core.session import new_session
from tests.fakes import made, rehearsed
from tests.llm_server import LlmServer
from tests.screen import fresh, in_library, page_with, until, use_model, words
from tests.waiting import wait_until
from ui import state
from ui.compare import making
from ui.engine.maker import SAME, Batch

PAGE = "pages/judge/compare.py"


@pytest.mark.parametrize("through_app", [False, True])
def test_an_empty_library_offers_to_make_the_papers_table(through_app: bool) -> None:
    at = page_with(PAGE, through_app=through_app)
    assert not at.exception
    assert "30 of 30 are missing" in words(at)
    assert at.multiselect(key="compare_methods").value == [
        "magnet", "no-plan", "no-selector", "neither", "single-agent", "plain",
    ]  # fmt: skip


def test_what_is_missing_is_made_rated_and_compared() -> None:
    at = page_with(PAGE, compare_methods=["magnet", "plain"])
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 10 sessions" in words(at))
    at.run()
    assert not at.exception
    text = words(at)
    assert "Every client has a session under every configuration." in text
    assert "CTRS, mean of six items" in text and "Indicator, not a validated rating" in text
    assert "<b>65</b>" in text and "exactly −49 in every client, n\u00a0=\u00a05" in text, (
        "plain makes no plan, and six calls fewer a turn"
    )
    assert "0.00 [0.00" not in text and "the same in every client" in text
    assert {tag for e in state.sessions.recent() for tag in e.tags} == {"comparison"}
    assert "–" in text, "the built-in cast counts no tokens"
    at.toggle(key="compare_only").set_value(True).run()
    assert "In no figure is a difference clear" in words(at), "calls follow from the method"


def scored(session: Session, value: float) -> Session:
    """Keep a scorecard of the rules with this value for every item; return the session."""
    card = rate(session, "ctrs")
    given = tuple(r.model_copy(update={"value": value}) for r in card.ratings)
    in_library(session)
    state.store().cards.save(card.model_copy(update={"ratings": given}))
    return session


def test_only_clear_differences_are_left_on_demand() -> None:
    for client in range(5):
        scored(rehearsed(client=client), 2.0 + client / 10)
        scored(rehearsed(client=client, method="plain"), 4.0 + client / 5)
    at = page_with(PAGE)
    everything = words(at).count('<th scope="row">')
    assert "3 of 3 intervals leave 0 out" in words(at)
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
    at = page_with(PAGE, compare_methods=["magnet"])
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 5 sessions" in words(at))
    kept = state.store().session(begun.id)
    assert len(kept.turns) == 8 and kept.turns[:3] == begun.turns
    entries = state.sessions.recent()
    assert len(entries) == 5 and all(entry.ended for entry in entries)


def test_the_chosen_clients_stay_chosen_as_sessions_come() -> None:
    at = page_with(PAGE, compare_methods=["magnet"])
    [field] = [str(m.key) for m in at.multiselect if m.key and m.key.startswith("compare_clients")]
    before = at.multiselect(key=field).value
    state.store().save(rehearsed(client=samples().index(next(p for p in samples() if before[3].startswith(f"{p.id}:")))))
    at.run()
    assert at.multiselect(key=field).value == before and "4 of 5 are missing" in words(at)


def test_a_job_stops_at_once_and_keeps_its_turns() -> None:
    page_with(PAGE)
    sessions = [new_session(profile, max_turns=20) for profile in samples()]
    slow = state.making.batch_of("rehearsal", sessions)
    job = state.maker().start([slow], owner="x")
    wait_until(lambda: job.look().turns, pause=0.01)
    state.maker().stop(job)
    wait_until(lambda: not job.look().live, pause=0.01)
    now = job.look()
    assert now.state == "stopped" and now.finished < len(sessions)
    assert sum(entry.turns for entry in state.sessions.recent()) >= now.turns > 0


PRICE = Price(model="test-model", since=date(2026, 1, 1), input=1.0, output=1.0)


def served(server: LlmServer, sessions: list[Session], budget: Budget) -> Batch:
    """Return sessions to be made by a local server, counted against a budget."""
    opened = Cast(default=Voice(model="test-model", base_url=server.url))
    return Batch(tuple(sessions), state.spending.opening(opened, "session", budget), ("test-model",))


def slow_job(monkeypatch: pytest.MonkeyPatch, endpoint: Callable[..., LlmServer]) -> AppTest:
    """Return the page with a job under way that takes its time."""
    use_model(monkeypatch, endpoint(first_token=0.2).url)
    at = page_with(PAGE, compare_methods=["plain"], compare_models=["test-model"])
    at.button(key="compare_make").click().run()
    assert "Making sessions" in words(at)
    return at


def test_a_reload_finds_the_job_that_is_going_on(
    monkeypatch: pytest.MonkeyPatch, endpoint: Callable[..., LlmServer]
) -> None:
    at = slow_job(monkeypatch, endpoint)
    again = page_with(PAGE, address=dict(at.query_params))
    assert "Making sessions" in words(again) and not [b for b in again.button if b.key == "compare_make"]
    again.button(key="compare_stop").click().run()
    until(again, lambda at: "Stopped: " in words(at))
    assert again.button(key="compare_make") and "job" in again.query_params


def test_another_window_is_told_of_the_job(monkeypatch: pytest.MonkeyPatch, endpoint: Callable[..., LlmServer]) -> None:
    at = slow_job(monkeypatch, endpoint)
    other = page_with(PAGE)
    assert "Another window is making 5 sessions, 0 of them finished" in words(other)
    at.button(key="compare_stop").click().run()
    until(other, lambda at: "Another window" not in words(at))


def test_a_job_has_a_budget_of_its_own_and_stops_when_it_is_spent(endpoint: Callable[..., LlmServer]) -> None:
    server = endpoint()
    page_with(PAGE)
    session = new_session(samples()[0], method="plain", max_turns=8)
    budget = Budget(Limit(amount=0.0005), state.spending.listed(state.store()))
    with pytest.raises(BudgetSpent, match="none is known for test-model"):
        state.maker().start([served(server, [session], budget)], owner="x", budget=budget)
    state.store().prices.keep([PRICE])
    budget = Budget(Limit(amount=0.0005), state.store().prices.all)
    job = state.maker().start([served(server, [session], budget)], owner="x", budget=budget)
    assert job.future
    job.future.result(20)
    now = job.look()
    assert now.state == "stopped" and "The budget, $0.00" in now.error and now.spent, now.error
    assert now.limit == Limit(amount=0.0005) and now.calls == server.record.calls and now.failed == 0
    assert len(state.store().session(session.id).turns) < 8
    again = Budget(Limit(amount=10_000_000, unit="tokens"), state.store().prices.all)
    kept = state.store().session(session.id)
    job = state.maker().start([served(server, [kept], again)], owner="x", budget=again)
    assert job.future
    job.future.result(20)
    assert job.look().state == "done" and job.look().tokens == again.tokens > 0, "a new job counts anew"


def test_an_endpoint_that_fails_breaks_the_job_off_and_every_failure_is_told(endpoint: Callable[..., LlmServer]) -> None:
    server = endpoint(status=400, body='{"error": {"message": "This model is gone."}}')
    page_with(PAGE)
    sessions = [new_session(p, method=m, max_turns=8) for p in samples() for m in ("magnet", "plain")]
    job = state.maker().start([served(server, sessions, Budget())], owner="x", lost=state.spending.book().write)
    assert job.future
    job.future.result(30)
    now = job.look()
    assert now.state == "failed" and SAME <= now.failed < len(sessions) and now.failed + now.untried == len(sessions)
    told = making.progress(now)
    assert f"{now.untried} more were not tried" in told and told.count("<li>") == now.failed
    first = now.failures[0]
    assert first.session.profile.name in told and "Planner" in told and "This model is gone" in told


def test_two_sessions_stand_in_step_with_their_differences() -> None:
    one, other = rehearsed(), rehearsed(method="plain")
    at = page_with(PAGE, one, other, compare_view="two", compare_left=one.id, compare_right=other.id)
    text = words(at)
    assert not at.exception
    assert text.count('class="twin') == 8 and "Turn 8" in text
    assert "MAGneT" in text and "Plain" in text
    assert text.count("Drafts of the specialists (5)") == 8 and "Steps of the plans" in text and "Step 1" in text
    assert "65, of these asked again 0" in text and "Neither session has been rated yet" in text
    state.store().cards.save(rate(one, "ctrs"))
    at.run()
    assert "Scores by judge" in words(at) and "Rules (indicator)" in words(at)
    at.toggle(key="compare_words").set_value(True).run()
    assert "<del>" in words(at) and "<ins>" in words(at)
    at.selectbox(key="compare_right").set_value(one.id).run()
    assert "The same in both" in words(at)
    at.toggle(key="compare_two_only").set_value(True).run()
    assert "Word for word the same" in words(at)


def test_a_session_that_is_not_finished_has_not_ended() -> None:
    whole, begun = rehearsed(8), rehearsed(8, method="plain").upto(3)
    in_library(whole)
    at = page_with(PAGE, begun, compare_view="two", compare_left=whole.id, compare_right=begun.id)
    assert "3, unfinished" in words(at) and words(at).count("Not made yet: the session is unfinished.") == 5
    assert "The session had ended." not in words(at)


def test_what_needs_a_model_that_is_not_set_up_is_part_of_what_is_missing(endpoint: Callable[..., LlmServer]) -> None:
    there = made(Cast(default=Voice(model="test-model", base_url=endpoint().url)), 8, method="plain")
    at = page_with(PAGE, there, compare_methods=["plain", "magnet"], compare_models=["test-model"])
    found = re.search(r"(\d+) of \d+ are missing\.\s+(\d+) of them need a model or settings", words(at))
    assert found and found[1] == found[2] and at.button(key="compare_make").disabled


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a model with a price, on a server where nothing answers."""
    use_model(monkeypatch, "http://127.0.0.1:9/v1")


def test_a_priced_model_has_a_figure_before_its_first_session(priced: None) -> None:
    at = page_with(PAGE, compare_methods=["plain"])
    assert at.multiselect(key="compare_models").value == ["test-model"], "the model that is set up comes first"
    assert "price not known" in words(at) and at.selectbox(key="compare_unit").value == "tokens"
    state.store().prices.keep([PRICE])
    at.run()
    found = re.search(r"About 80 calls, ([\d,]+) tokens, \$([\d.]+): guessed from the length of the prompts", words(at))
    assert found and int(found[1].replace(",", "")) > 50_000 and float(found[2]) > 0.05


def test_a_spent_limit_stops_the_job_and_stays_in_its_field(
    endpoint: Callable[..., LlmServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_model(monkeypatch, endpoint().url)
    at = page_with(PAGE, compare_methods=["magnet"], compare_unit="tokens")
    at.number_input(key="compare_limit_tokens").set_value(30_000.0).run()
    for _ in range(2):
        at.button(key="compare_make").click().run()
        until(at, lambda at: "The budget, 30,000 tokens" in words(at))
        at.run()
        assert "limit 30,000 tokens" in words(at) and "Used so far" in words(at)
        assert at.number_input(key="compare_limit_tokens").value == 30_000.0
    assert Judge(name="test-model", kind="model").title in at.selectbox(key="compare_judge").options


def test_missing_sessions_are_made_client_by_client_so_that_a_stopped_job_can_be_paired(
    endpoint: Callable[..., LlmServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_model(monkeypatch, endpoint().url)
    at = page_with(PAGE, compare_methods=["plain", "single-agent"])
    at.button(key="compare_make").click().run()
    until(at, lambda at: len([e for e in state.sessions.recent() if e.ended]) >= 6)
    begun = sorted(state.sessions.recent(), key=lambda entry: entry.created)
    made = [(entry.profile_id, entry.method) for entry in begun[:6]]
    assert len({client for client, _ in made}) == 3 and {method for _, method in made} == {"plain", "single-agent"}
    until(at, lambda at: "Every client has a session" in words(at))


def test_a_limit_of_a_day_that_is_spent_is_said_before_the_button_is_pressed(priced: None) -> None:
    at = page_with(PAGE, compare_methods=["plain"])
    assert "limit of a day" not in words(at)
    state.spending.set_limit(Limit(amount=10, unit="tokens"))
    state.spending.today().add("test-model", Usage(prompt_tokens=9, completion_tokens=9))
    at.run()
    assert "The limit of a day, 10 tokens, is spent: 18 tokens were used" in words(at)


def test_a_limit_stays_in_its_field(priced: None) -> None:
    state.store().prices.keep([PRICE])
    at = page_with(PAGE, compare_methods=["plain"])
    assert at.selectbox(key="compare_unit").value == "$"
    at.number_input(key="compare_limit_dollars").set_value(0.25).run()
    at.multiselect(key="compare_methods").set_value([]).run()
    at.multiselect(key="compare_methods").set_value(["plain"]).run()
    assert at.number_input(key="compare_limit_dollars").value == 0.25
    at.switch_page("pages/lab/trace.py").run()
    at.switch_page(PAGE).run()
    assert at.number_input(key="compare_limit_dollars").value == 0.25


def two_of_each(turns: int = 8) -> list[Session]:
    return [rehearsed(turns, client, method=method) for client in range(5) for method in ("magnet", "plain")]


def test_the_address_holds_the_whole_comparison() -> None:
    at = page_with(PAGE, *two_of_each())
    at.multiselect(key="compare_methods").set_value(["plain", "magnet"]).run()
    baseline = at.selectbox(key="compare_baseline")
    other = next(id for id in baseline.options if id != baseline.value) if "MAGneT" not in baseline.options else "MAGneT"
    at.selectbox(key="compare_baseline").select(other).run()
    at.toggle(key="compare_holm").set_value(True).run()
    [field] = [str(m.key) for m in at.multiselect if m.key and m.key.startswith("compare_clients")]
    at.multiselect(key=field).set_value(at.multiselect(key=field).value[:3]).run()
    address = dict(at.query_params)
    assert {"method", "model", "turns", "base", "judge", "clients", "holm"} <= address.keys()
    again = fresh(PAGE, address).run()
    assert not again.exception
    assert again.multiselect(key="compare_methods").value == ["plain", "magnet"]
    assert again.selectbox(key="compare_baseline").value == at.selectbox(key="compare_baseline").value
    assert again.toggle(key="compare_holm").value and len(again.multiselect(key=field).value) == 3
    again.query_params["method"] = "nonsense"
    nonsense = {"method": "nonsense", "turns": "x", "base": "x", "judge": "x", "model": "x", "figure": "x"}
    assert not fresh(PAGE, nonsense).run().exception


def test_the_baseline_stays_when_other_configurations_come() -> None:
    at = page_with(PAGE, *two_of_each(), compare_methods=["magnet", "plain"])
    at.selectbox(key="compare_baseline").select("Plain").run()
    chosen = at.selectbox(key="compare_baseline").value
    at.multiselect(key="compare_methods").set_value(["neither", "magnet", "plain"]).run()
    assert at.selectbox(key="compare_baseline").value == chosen
    at.multiselect(key="compare_methods").set_value(["magnet"]).run()
    at.multiselect(key="compare_methods").set_value(["magnet", "plain"]).run()
    assert at.selectbox(key="compare_baseline").value == chosen, "it comes back with its configuration"


def test_the_papers_table_is_one_press_and_keeps_who_sees_what() -> None:
    at = page_with(PAGE, *two_of_each(), compare_methods=["plain"], compare_views=["paper"])
    at.button(key="compare_paper").click().run()
    assert at.multiselect(key="compare_methods").value == list(PAPER) and at.selectbox(key="compare_length").value == "8-20"
    assert at.multiselect(key="compare_views").value == ["paper"]
    assert "30 of 30 are missing" in words(at) and len(at.selectbox(key="compare_baseline").options) == 6


def test_a_pack_of_the_library_is_made_and_named_by_its_title() -> None:
    texts = prompts.load()
    brief = texts["responder"].model_copy(update={"note": texts["responder"].note + "\n\nBe brief."})
    at = page_with(PAGE, compare_methods=["magnet", "plain"])
    state.store().packs.new("Brief ones", [brief])
    at.run()
    field = at.multiselect(key="compare_packs")
    assert "Brief ones" in field.options and "10 of 10 are missing" in words(at)
    field.set_value(["", "brief-ones"]).run()
    assert "15 of 15 are missing" in words(at), "a method without that prompt is the same with both"
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 15 sessions" in words(at))
    at.run()
    assert not at.exception and "prompts: Brief ones" in words(at)
    assert "Every client has a session under every configuration." in words(at)
    made = [state.store().session(e.id) for e in state.sessions.recent()]
    assert sum("Be brief." in p.note for s in made for p in s.prompts) == 5, "ours stay ours"


def test_temperatures_are_an_axis() -> None:
    at = page_with(PAGE, compare_methods=["plain"])
    own = at.multiselect(key="compare_settings").value
    at.multiselect(key="compare_settings").set_value([*own, "0.3", "hot"]).run()
    assert any("is no temperature" in w.value for w in at.warning) and "10 of 10 are missing" in words(at)
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 10 sessions" in words(at))
    at.run()
    assert "Plain, temperature 0.3" in words(at) and "Plain, agents&#x27; own settings" in words(at)
    sessions = [state.store().session(e.id) for e in state.sessions.recent()]
    assert sorted({c.temperature for s in sessions for t in s.turns for c in t.calls if c.temperature}) == [0.3, 0.7]
    assert "Every client has a session under every configuration." in words(at)


def test_a_difference_leads_to_its_clients_and_their_sessions() -> None:
    sessions = two_of_each()
    at = page_with(PAGE, *sessions, compare_methods=["magnet", "plain"], compare_figure="calls")
    assert not at.exception
    text = words(at)
    assert text.count('class="hint client"') == 5 and "difference <b>−49</b>" in text
    assert "No interval is there yet" in text, "calls follow from the method, so they do not count"
    at.selectbox(key="compare_figure").set_value("distinct-1").run()
    at.toggle(key="compare_each_only").set_value(True).run()
    assert not at.exception
    at.button(key="compare_both_0").click().run()
    assert not at.exception and words(at).count('class="twin') == 8
    pair = {str(at.selectbox(key=f"compare_{side}").value) for side in ("left", "right")}
    held = {s.id: s for s in sessions}
    assert len({held[id].profile.id for id in pair}) == 1 and {held[id].method for id in pair} == {"magnet", "plain"}


def test_diversity_is_pooled_over_equal_samples() -> None:
    at = page_with(PAGE, *two_of_each(), compare_methods=["magnet", "plain"], compare_variety=True, compare_printed=True)
    assert not at.exception
    text = words(at)
    assert "One session of each of the 5 clients" in text and "not comparable one to one" in text and "77.2 %" in text
    assert text.count("printed in the paper") == 3 and text.count("counted by this project") == 2


def test_how_many_are_needed_is_told_with_the_digits_of_the_figure() -> None:
    at = page_with(PAGE, *two_of_each(), compare_methods=["magnet", "plain"], compare_power=True)
    at.selectbox(key="compare_p_figure").set_value("distinct-1").run()
    worth = at.number_input(key="compare_p_worth_distinct-1")
    assert worth.step == pytest.approx(0.0001) and worth.proto.format == "%.4f"
    assert worth.value and worth.value >= 0.0001 and "34 clients" in words(at), "half a standard deviation to begin with"
    assert "The field begins with half a standard deviation" in words(at)
    worth.set_value(0.0001).run()
    assert "The field begins" not in words(at)
    assert "More than 10,000 clients" in words(at) and "not practical" in words(at)
    at.number_input(key="compare_p_worth_distinct-1").set_value(0.9).run()
    text = words(at)
    assert "<b>5 clients</b>" in text and "5 is the floor" in text and "upper 80\u00a0% bound" in text
    assert "Rests on Distinct-1; counted, not rated; Plain less MAGneT, over 5 clients that both have" in text
    assert "rehearsal's, which is authored" in text
    at.selectbox(key="compare_p_figure").set_value("calls").run()
    assert "the same in all 5 clients" in words(at)
    at.selectbox(key="compare_p_figure").set_value("distinct-1").run()
    assert at.number_input(key="compare_p_worth_distinct-1").value == 0.9, "a number given by hand stays"


def test_a_forecast_names_the_judge_and_what_a_point_means() -> None:
    for client in range(5):
        scored(rehearsed(client=client), 2.0)
        scored(rehearsed(client=client, method="plain"), 3.0 + client / 5)
    at = page_with(PAGE, compare_power=True)
    text = words(at)
    assert "CTRS, mean of six items; judge: Rules (indicator); Plain less MAGneT" in text
    assert "One point of the CTRS" in text and at.number_input(key="compare_p_worth_ctrs").value == pytest.approx(0.16)


def test_a_library_of_one_method_opens_with_a_second_and_one_alone_says_what_to_add() -> None:
    at = page_with(PAGE, rehearsed())
    assert at.multiselect(key="compare_methods").value == ["magnet", "plain"] and "add a method to compare" not in words(at)
    at.multiselect(key="compare_methods").set_value(["magnet"]).run()
    assert "add a method to compare with" in words(at) and "No interval is there yet" not in words(at)


def test_prompts_that_only_a_session_holds_can_be_made_again() -> None:
    texts = prompts.load()
    odd = texts | {"client": texts["client"].model_copy(update={"note": texts["client"].note + "\n\nBe odd."})}
    at = page_with(PAGE, rehearsed(method="plain", prompt_set=odd), compare_methods=["plain"])
    [name] = [option for option in at.multiselect(key="compare_packs").options if option.startswith("client · ")]
    at.multiselect(key="compare_packs").set_value([name]).run()
    assert "4 of 5 are missing" in words(at)
    at.button(key="compare_make").click().run()
    until(at, lambda at: "Made 4 sessions" in words(at))
    held = [state.store().session(e.id) for e in state.sessions.recent()]
    assert len(held) == 5 and all(any("Be odd." in p.note for p in s.prompts) for s in held)
