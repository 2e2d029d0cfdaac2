"""The prompt lab without a browser: alone and through the app, on the rehearsal and on a local server."""

from __future__ import annotations

import csv
import html
import io
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core import lab, prompts
from magnet_core.cast import Cast, Voice
from magnet_core.domain import Session
from magnet_core.lab.experiments import to_csv, to_json
from magnet_core.meter import Limit
from magnet_core.packs import to_file
from magnet_core.profiles import samples
from tests.fakes import PLAN, made, rehearsed
from tests.llm_server import LlmServer, Manners, Start
from tests.screen import LAB, in_library, job_done, open_lab, press, use_model, words
from tests.waiting import wait_until
from ui import state

ROLE = "labtext_ours_A_responder_role"


@pytest.mark.parametrize("through_app", [True, False])
def test_an_empty_library_says_where_to_begin(through_app: bool) -> None:
    at = open_lab(through_app)
    assert "No session has been kept yet" in words(at)


@pytest.mark.parametrize("through_app", [True, False])
def test_every_agent_is_shown_filled_as_it_was_sent(through_app: bool) -> None:
    session = in_library(rehearsed(2))
    at = open_lab(through_app, session=session.id)
    at.session_state["lab_tab"] = "Filled in"
    for agent in lab.AGENTS:
        at.selectbox(key="lab_agent").set_value(agent).run()
        assert not at.exception
        told = words(at)
        assert '<mark class="var' in told
        in_it = any(c.agent == agent for c in (*session.plan_calls, *session.turns[1].calls))
        assert ("Word for word what was sent" in told) == in_it, agent
    at.session_state["lab_tab"] = "As written"
    at.run()
    assert "$attitude_instruction" in words(at) or "$intake_form" in words(at)


def spoken(server: LlmServer, turns: int = 2, model: str = "test-model", **more: Any) -> Session:
    """Return a session that a local server spoke, kept in the library."""
    return in_library(made(Cast(default=Voice(model=model, base_url=server.url, **more)), turns))


def test_a_recorded_call_is_replayed_with_another_temperature_and_repeats_are_stacked(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["Tell me about Monday.", "Tell me about Monday.", "What happened then?"]
    server = endpoint(answer=lambda body, number: said[number % 3])
    session = spoken(server)
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id, turn="2", agent="responder", attempt="1")
    assert at.number_input(key="lab_turn").value == 2 and at.selectbox(key="lab_agent").value == "responder"
    assert at.query_params["turn"] in ("2", ["2"]) and at.query_params["view"] in ("bench", ["bench"])
    at.number_input(key="lab_repeats").set_value(3).run()
    assert "<b>3 calls</b>" in words(at) and "price <b>–</b>" in words(at)
    at.number_input(key="lab_heat_ours_A").set_value(1.2).run()
    before = server.record.calls
    press(at, "lab_go")
    job_done(at)
    told = words(at)
    assert "2 ×" in told and "2 different among 3 answers" in told and "test-model · temperature 1.2 · our words" in told
    assert "Used: <b>" in told and "price <b>–</b>" in told
    assert {body["temperature"] for body in server.record.bodies[before:]} == {1.2} and server.record.calls - before == 3
    assert state.store().session(session.id) == session


def test_a_replay_opens_with_the_recorded_words_model_and_temperature_and_drafts_follow_it(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = endpoint(answer=lambda body, number: f"Answer {number}.", models=("first-model",))
    session, other = spoken(server, model="first-model", temperature=0.3), in_library(rehearsed(2))
    use_model(monkeypatch, server.url, "first-model")
    at = open_lab(session=other.id, turn="1", agent="responder")
    at.text_area(key=ROLE).set_value("responder: a draft.").run()
    at.selectbox(key="lab_model_ours_A").set_value("first-model").run()
    at.number_input(key="lab_heat_ours_A").set_value(1.9).run()
    at.switch_page("pages/watch/session.py").run()
    at.query_params.clear()
    at.switch_page(LAB)
    for name, value in {"session": session.id, "turn": "2", "agent": "responder", "attempt": "1"}.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    assert at.text_area(key=ROLE).value == prompts.load()["responder"].role
    assert at.selectbox(key="lab_model_ours_A").value == "first-model"
    assert at.number_input(key="lab_heat_ours_A").value is None
    assert at.number_input(key="lab_heat_ours_A").placeholder == "0.3"
    assert at.session_state["lab_letter_ours"] == "A" and "not saved" not in words(at)
    at.segmented_control(key="lab_letter_ours").set_value("B").run()
    assert at.text_area(key=ROLE.replace("_A_", "_B_")).value == "responder: a draft."
    assert at.number_input(key="lab_heat_ours_B").value == 1.9


def test_the_model_follows_the_recorded_call_unless_it_was_chosen(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = endpoint(answer=lambda body, number: f"Answer {number}.", models=("gone-model", "test-model"))
    gone, here, rehearsal = spoken(server, 1, "gone-model"), spoken(server, 1, "test-model"), in_library(rehearsed(1))
    use_model(monkeypatch, server.url)
    at = open_lab(session=rehearsal.id)
    assert at.selectbox(key="lab_model_ours_A").value == "rehearsal"
    at.selectbox(key="lab_session").set_value(here.id).run()
    assert at.selectbox(key="lab_model_ours_A").value == "test-model"
    at.selectbox(key="lab_session").set_value(gone.id).run()
    assert at.selectbox(key="lab_model_ours_A").value == "test-model"
    assert "gone-model spoke in the session and is not set up here" in words(at)
    at.selectbox(key="lab_model_ours_A").set_value("rehearsal").run()
    at.selectbox(key="lab_session").set_value(here.id).run()
    assert at.selectbox(key="lab_model_ours_A").value == "rehearsal"
    press(at, "lab_follow_A")
    assert at.selectbox(key="lab_model_ours_A").value == "test-model"


def test_a_chosen_model_that_is_gone_after_a_reload_is_named_and_not_called(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = in_library(rehearsed(1))
    use_model(monkeypatch, endpoint().url)
    at = open_lab(session=session.id, agent="responder")
    at.selectbox(key="lab_model_ours_A").set_value("test-model").run()
    draft = at.query_params["draft"]
    for name in ("OPENAI_BASE_URL", "MAGNET_MODEL"):
        monkeypatch.setenv(name, "")
    st.cache_resource.clear()
    again = open_lab(
        session=session.id, agent="responder", view="bench", draft=draft if isinstance(draft, str) else draft[0]
    )
    assert again.selectbox(key="lab_model_ours_A").value == "rehearsal"
    assert "test-model was chosen for this variant and is not set up here" in words(again)
    press(again, "lab_follow_A")
    assert "is not set up here" not in words(again)


def test_two_variants_stand_side_by_side_and_the_words_reach_the_model(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = endpoint(answer=lambda body, number: "Short." if "ten words" in json.dumps(body) else "Rather a longer answer.")
    session = spoken(server)
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id)
    press(at, "lab_add")
    at.text_area(key="labtext_ours_B_responder_role").set_value("responder: at most ten words.").run()
    assert "not saved" in words(at) and "changed from ours" in words(at)
    press(at, "lab_go")
    job_done(at)
    told = words(at)
    assert "--n:2" in told and "Short." in told and "Rather a longer answer." in told
    assert "<td><b>B</b></td><td>1</td><td>0</td><td>1.0</td>" in told or "One answer, 1 word." in told
    press(at, "lab_drop")
    assert at.session_state["lab_letter_ours"] == "A"
    press(at, "lab_undo_go")
    assert at.session_state["notebook"].draft("agents", "ours").variants[1].prompts


def test_changes_to_other_agents_are_shown_linted_and_reset(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id, turn="1", agent="selector")
    at.text_area(key="labtext_ours_A_selector_role").set_value("selector: ALWAYS $bogus.").run()
    at.selectbox(key="lab_agent").set_value("responder").run()
    told = words(at)
    assert "Selector: changed from ours" in told and "Selector: not saved" in told
    assert "There is no variable $bogus" in told and "Variant A, Selector" in told
    assert at.button(key="lab_go").disabled and not at.button(key="lab_reset").disabled
    at.selectbox(key="lab_agent").set_value("client").run()
    assert "not part of this request" in words(at) and not at.button(key="lab_go").disabled
    at.selectbox(key="lab_agent").set_value("responder").run()
    press(at, "lab_reset")
    assert "These are our words, unchanged." in words(at)
    press(at, "lab_undo_go")
    assert "Selector: changed from ours" in words(at)


def test_an_error_names_its_variant_and_text() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id, agent="responder")
    at.text_area(key=ROLE).set_value("responder: $foo.").run()
    press(at, "lab_add")
    press(at, "lab_reset")
    assert "These are our words" in words(at) and at.button(key="lab_go").disabled
    assert "Variant A, Responder" in words(at)


def test_a_variant_is_run_over_chosen_turns_and_chosen_sessions_with_a_table(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = endpoint(answer=lambda body, number: "Tell me about <b>Monday</b>.")
    in_library(rehearsed(2, method="plain"))
    other, session = spoken(server, 2), spoken(server, 6)
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id, turn="2", agent="responder")
    press(at, "lab_add")
    at.selectbox(key="lab_over").set_value("turns").run()
    assert "<b>12 calls</b>" in words(at)
    at.multiselect(key=f"lab_over_turns_{session.id}").set_value([1, 2, 3, 4, 5]).run()
    assert "<b>10 calls</b>" in words(at)
    at.multiselect(key=f"lab_over_turns_{session.id}").set_value([]).run()
    assert "<b>0 calls</b>" in words(at) and "tokens in" not in words(at) and at.button(key="lab_go").disabled
    at.multiselect(key=f"lab_over_turns_{session.id}").set_value([1, 2, 3, 4, 5]).run()
    before = server.record.calls
    press(at, "lab_go")
    job_done(at)
    told = words(at)
    assert "<h3>Turn 1</h3>" in told and "<h3>Turn 4</h3>" in told and "<h3>Turn 5</h3>" not in told and "--n:2" in told
    row = "<td>5</td><td>0</td><td>4.0 ± 0.0</td><td>4 of 5</td><td>5 of 5</td>"
    assert f"<td><b>A</b></td>{row}" in told and "Over 5 moments." in told and "<b>Monday" not in told
    at.selectbox(key="lab_over").set_value("sessions").run()
    assert "<b>4 calls</b>" in words(at)
    at.multiselect(key="lab_over_numbers").set_value([1, 2]).run()
    assert "<b>8 calls</b>" in words(at)
    at.multiselect(key="lab_over_sessions").set_value([other.id]).run()
    assert "<b>4 calls</b>" in words(at)
    press(at, "lab_go")
    job_done(at)
    told = words(at)
    assert (
        "2 turns: turn 2</h3>" in told and other.id[:4] not in told.split("Run of")[1] and server.record.calls - before == 14
    )
    assert "1 of 2 chosen" in told and "2 moments × 2 variants × 1 answer" in told


def test_the_planner_is_run_over_chosen_clients_and_its_plans_are_told_apart(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = json.loads(PLAN)
    server = endpoint(answer=lambda body, number: json.dumps(plan | {"reason": f"Reason {number}."}))
    session = in_library(rehearsed(2))
    state.store().clients.save(
        samples()[1].model_copy(update={"id": "my-own", "intake": samples()[1].intake.model_copy(update={"name": "My Own"})})
    )
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id, agent="planner")
    at.selectbox(key="lab_model_ours_A").set_value("test-model").run()
    at.selectbox(key="lab_over_plans").set_value("clients").run()
    at.multiselect(key="lab_over_clients").set_value(["my-own", samples()[2].id]).run()
    at.number_input(key="lab_repeats").set_value(2).run()
    assert "<b>4 calls</b>" in words(at)
    press(at, "lab_go")
    job_done(at)
    told = words(at)
    assert "<h3>My Own</h3>" in told and samples()[2].name in told
    assert "2 different among 2 answers" in told and "Decatastrophizing 2 of 2." in told and "Decatastrophizing 4" in told
    assert all(s.text.splitlines()[0] in told for s in at.session_state["lab_job"].look().samples)
    assert told.count("The other 1 in full") == 2
    assert "1. Set the agenda" in told


def test_answers_of_earlier_words_say_so_and_runs_are_kept_and_exported(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = endpoint(answer=lambda body, number: f"=Answer {number}.")
    session = spoken(server, 1)
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id, agent="responder")
    for number in range(6):
        at.text_area(key=ROLE).set_value(f"responder: wording {number}.").run()
        assert ("given to earlier words" in words(at)) == (number > 0)
        press(at, "lab_go")
        job_done(at)
        assert "given to earlier words" not in words(at)
    at.text_input(key="lab_save_title").set_value("Kept").run()
    press(at, "lab_save_go")
    assert at.selectbox(key="lab_pack").value == "kept" and "given to earlier words" not in words(at)
    at.selectbox(key="lab_pack").set_value("ours").run()
    assert "given to earlier words" in words(at)
    past = state.store().experiments.past()
    assert len(past) == 6
    at.selectbox(key="lab_shown").set_value(past[-1].id).run()
    first = state.store().experiments.of(past[-1].id)
    assert first and first.samples[0].text in words(at) and "given to earlier words" in words(at)
    body = json.loads(to_json(first))
    assert body["samples"][0]["text"] == first.samples[0].text and body["pack"] == "Ours, as shipped"
    rows = list(csv.DictReader(io.StringIO(to_csv(first))))
    assert rows[0]["answer"] == f"'{first.samples[0].text}" and rows[0]["variant"] == "A" and rows[0]["tokens_in"]
    again = open_lab(session=session.id, agent="responder")
    assert len(again.selectbox(key="lab_shown").options) == 7
    newest = state.store().experiments.of(past[0].id)
    assert newest and newest.samples[0].text in words(again) and "Used: <b>" in words(again)
    again.selectbox(key="lab_agent").set_value("client").run()
    assert newest.samples[0].text not in words(again) and again.selectbox(key="lab_shown").value == ""


def test_the_address_without_a_session_holds_pack_agent_turn_and_number() -> None:
    in_library(rehearsed(3))
    pack = state.store().packs.new("Mine", [prompts.load()["client"].model_copy(update={"note": "turn $turn"})])
    at = open_lab(view="bench", pack=pack.id, agent="selector", turn="2", each="4")
    assert at.selectbox(key="lab_pack").value == pack.id and at.selectbox(key="lab_agent").value == "selector"
    assert at.number_input(key="lab_turn").value == 2 and at.number_input(key="lab_repeats").value == 4
    at.number_input(key="lab_repeats").set_value(3).run()
    assert at.query_params["each"] in ("3", ["3"])
    at = open_lab(view="bench", each="999")
    assert at.number_input(key="lab_repeats").value == 20


def test_what_is_saved_is_run_against_the_words_it_came_from_at_once() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id, agent="responder")
    at.text_area(key=ROLE).set_value("responder: ten words.").run()
    at.text_input(key="lab_save_title").set_value("Ten words").run()
    press(at, "lab_save_go")
    assert "Saved in “Ten words”. Variant B says what ours says, so that both can be run at once." in words(at)
    assert at.button(key="lab_go").label == "Run 2 variants"
    at.segmented_control(key="lab_letter_ten-words").set_value("B").run()
    assert at.text_area(key="labtext_ten-words_B_responder_role").value == prompts.load()["responder"].role
    assert "our words, not saved" in words(at) and "It runs with “Ten words” as saved" in words(at)
    assert "Another visit left" not in words(open_lab(session=session.id))
    press(at, "lab_again")
    assert "Own prompts: Ten words" in words(at)


def test_the_same_words_are_not_saved_as_a_second_pack() -> None:
    session = in_library(rehearsed(2))
    own = prompts.load()["responder"].model_copy(update={"role": "responder: ten words."})
    pack = state.store().packs.new("Ten words", [own])
    at = open_lab(session=session.id, agent="responder", view="bench", pack="ours")
    at.text_area(key=ROLE).set_value("responder: ten words.").run()
    press(at, "lab_save_go")
    assert "“Ten words” holds the same words already." in words(at) and len(state.store().packs.packs()) == 1
    press(at, "lab_open_same")
    assert at.selectbox(key="lab_pack").value == pack.id and "holds the same words already" not in words(at)


def test_sessions_are_told_apart_in_plain_words() -> None:
    own = prompts.load()["responder"].model_copy(update={"role": "responder: ten words."})
    pack = state.store().packs.new("Ten words", [own])
    first, second, third = (
        in_library(rehearsed(2)),
        in_library(rehearsed(2)),
        in_library(rehearsed(2, prompt_set=pack.texts)),
    )
    at = open_lab()
    names = at.selectbox(key="lab_session").options
    assert len(set(names)) == 3 and sum(name.endswith("prompts “Ten words”") for name in names) == 1
    assert not any(session.id[:4] in name for name in names for session in (first, second, third))


def test_a_server_that_is_down_is_no_answer_and_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with LlmServer(Manners(answer=lambda body, number: "Fine.")) as server:
        session = spoken(server, 1)
        use_model(monkeypatch, server.url)
    at = open_lab(session=session.id, agent="responder")
    at.number_input(key="lab_repeats").set_value(2).run()
    press(at, "lab_go")
    job_done(at)
    told = words(at)
    assert "No answer: 2 of 2." in told and "0 answers in" in told and "2 asked without an answer" in told
    assert "<td><b>A</b></td><td>0</td><td>2</td><td>–</td>" in told


def test_a_spent_budget_is_said_in_one_sentence(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = endpoint(answer=lambda body, number: "Fine.")
    session = spoken(server, 1)
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id, agent="responder")
    state.spending.set_limit(Limit(amount=1, unit="tokens"))
    before = server.record.calls
    press(at, "lab_go")
    job_done(at)
    assert words(at).count("The limit of a day, 1 tokens, does not reach") == 1 and 'role="alert"' in words(at)
    assert server.record.calls == before and not state.store().experiments.past()


def test_before_a_run_it_is_said_that_todays_limit_would_not_reach(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = spoken(endpoint(answer=lambda body, number: "Fine."), 1)
    at = open_lab(session=session.id, agent="responder")
    state.spending.set_limit(Limit(amount=1, unit="tokens"))
    at.run()
    assert "left of the limit of a day" not in words(at)  # the rehearsal cast uses none of it
    use_model(monkeypatch, endpoint().url)
    state.spending.set_limit(Limit(amount=5, unit="tokens"))
    at = open_lab(session=session.id, agent="responder")
    assert "and 5 tokens are left of the limit of a day: it would stop before its end." in words(at)
    state.spending.set_limit(Limit(amount=5_000_000, unit="tokens"))
    at.run()
    assert "limit of a day" not in words(at)


def test_a_reload_loses_no_draft_and_the_address_holds_the_place() -> None:
    session = in_library(rehearsed(2))
    pack = state.store().packs.new("Mine", [prompts.load()["client"].model_copy(update={"note": "turn $turn"})])
    at = open_lab(session=session.id, turn="1", agent="responder")
    at.selectbox(key="lab_pack").set_value(pack.id).run()
    role = ROLE.replace("ours", pack.id)
    at.text_area(key=role).set_value("responder: one.").run()
    press(at, "lab_add")
    at.text_area(key=role.replace("_A_", "_B_")).set_value("responder: two.").run()
    place = {name: at.query_params[name] for name in ("view", "pack", "session", "turn", "agent", "draft")}
    assert place["pack"] in (pack.id, [pack.id])
    again = open_lab(**{name: value if isinstance(value, str) else value[0] for name, value in place.items()})
    assert again.selectbox(key="lab_pack").value == pack.id and again.number_input(key="lab_turn").value == 1
    assert again.text_area(key=role).value == "responder: one."
    again.segmented_control(key=f"lab_letter_{pack.id}").set_value("B").run()
    assert again.text_area(key=role.replace("_A_", "_B_")).value == "responder: two."
    fresh = open_lab(session=session.id)
    assert "Another visit left 2 unsaved variants" in words(fresh)
    press(fresh, "lab_take_up")
    fresh.selectbox(key="lab_pack").set_value(pack.id).run()
    assert fresh.text_area(key=role).value == "responder: one."


def test_saving_or_restoring_one_variant_leaves_the_drafts_of_others() -> None:
    session = in_library(rehearsed(2))
    one = prompts.load()["responder"].model_copy(update={"role": "responder: saved."})
    pack = state.store().packs.new("Mine", [one])
    at = open_lab(session=session.id, turn="1", agent="responder")
    at.selectbox(key="lab_pack").set_value(pack.id).run()
    role = ROLE.replace("ours", pack.id)
    at.text_area(key=role).set_value("responder: draft A.").run()
    press(at, "lab_add")
    at.text_area(key=role.replace("_A_", "_B_")).set_value("responder: draft B.").run()
    press(at, "lab_save_go")
    assert state.store().packs.packs()[0].texts["responder"].role == "responder: draft B."
    assert at.session_state[f"lab_letter_{pack.id}"] == "B" and "Saved in “Mine”" in words(at)
    at.segmented_control(key=f"lab_letter_{pack.id}").set_value("A").run()
    assert at.text_area(key=role).value == "responder: draft A."
    at.session_state["lab_tab"] = "What differs"
    at.run()
    at.selectbox(key=f"lab_against_{pack.id}").set_value("responder 1").run()
    press(at, "lab_restore")
    assert at.text_area(key=role).value == "responder: saved."
    assert "Your unsaved words went to variant C" in words(at)
    at.segmented_control(key=f"lab_letter_{pack.id}").set_value("C").run()
    assert at.text_area(key=role.replace("_A_", "_C_")).value == "responder: draft A."


def test_what_the_session_holds_is_told_in_words() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id, turn="1", agent="selector")
    told = words(at)
    shown = told.split("In the session</h3>")[1].split("<details")[0]
    assert "{" not in shown and "techniques" not in shown and "The answer as it came" in told
    at.selectbox(key="lab_agent").set_value("planner").run()
    assert session.plan and f"1. {session.plan.steps[0]}" in html.unescape(words(at))


def test_a_rehearsed_run_costs_no_tokens() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    assert "of the rehearsal cast: no tokens, no price" in words(at)
    at.number_input(key="lab_repeats").set_value(3).run()
    press(at, "lab_go")
    job_done(at)
    assert "3 answers in" in words(at) and "Used:" not in words(at)


def test_a_price_is_told_where_it_is_known(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = endpoint(models=("gpt-4o-mini",))
    session = spoken(server, 1, "gpt-4o-mini")
    use_model(monkeypatch, server.url, "gpt-4o-mini")
    at = open_lab(session=session.id)
    assert "price <b>about $0." in words(at)
    press(at, "lab_go")
    job_done(at)
    assert "Used: <b>" in words(at) and "price <b>$0." in words(at)


def test_models_of_two_servers_by_one_name_are_told_apart(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = endpoint(answer=lambda body, number: "First."), endpoint(answer=lambda body, number: "Second.")
    session = in_library(rehearsed(2))
    use_model(monkeypatch, first.url)
    at = open_lab(session=session.id, agent="responder")
    default = Voice(model="test-model", base_url=first.url)
    at.session_state["cast"] = Cast(
        default=default, overrides={"client": default.model_copy(update={"base_url": second.url})}
    )
    at.run()
    names = [name for name in at.selectbox(key="lab_model_ours_A").options if name.startswith("test-model · ")]
    assert len(names) == 2
    second_name = next(name for name in names if str(urlsplit(second.url).port) in name)
    at.selectbox(key="lab_model_ours_A").set_value(second_name).run()
    press(at, "lab_go")
    job_done(at)
    assert "Second." in words(at) and second.record.calls == 1 and first.record.calls == 0


def test_a_run_is_stopped(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(first_token=30).url)
    at = open_lab(session=session.id)
    at.selectbox(key="lab_model_ours_A").set_value("test-model").run()
    press(at, "lab_go")
    press(at, "lab_stop")
    job_done(at)
    assert "Stopped after 0 of 1 answers" in words(at)


def test_the_linter_keeps_a_broken_prompt_from_being_run_or_saved() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    at.text_area(key=ROLE).set_value("responder: <|im_start|> use $paln").run()
    assert "Is $plan meant?" in words(at) and "chat format" in words(at)
    assert at.button(key="lab_go").disabled


def test_save_restore_and_reset_make_versions_and_a_session_is_run_again_with_the_pack() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    at.text_area(key=ROLE).set_value("responder: version one.").run()
    at.text_input(key="lab_save_title").set_value("Short words").run()
    press(at, "lab_save_go")
    assert at.selectbox(key="lab_pack").value == "short-words" and at.text_area(key=ROLE.replace("ours", "short-words"))
    at.text_area(key=ROLE.replace("ours", "short-words")).set_value("responder: version two.").run()
    press(at, "lab_save_go")
    assert [v.prompt.role[-4:] for v in state.store().packs.versions("short-words", "responder")] == ["two.", "one."]
    at.session_state["lab_tab"] = "What differs"
    at.run()
    at.selectbox(key="lab_against_short-words").set_value("responder 1").run()
    assert "<del>one</del> <ins>two</ins>" in words(at)
    press(at, "lab_restore")
    assert state.store().packs.packs()[0].texts["responder"].role == "responder: version one."
    assert at.text_area(key=ROLE.replace("ours", "short-words")).value == "responder: version one."
    assert len(state.store().packs.versions("short-words", "responder")) == 3
    assert not at.button(key="lab_again").disabled
    press(at, "lab_again")
    assert "Own prompts: Short words" in words(at)
    press(at, "next")
    wait_until(lambda: any(e.turns for e in state.store().recent() if e.id != session.id))
    again = state.store().session(next(e.id for e in state.store().recent() if e.id != session.id))
    assert {p.name: p.role for p in again.prompts}["responder"] == "responder: version one."
    at.switch_page(LAB).run()
    press(at, "lab_reset")
    assert state.store().packs.packs()[0].texts["responder"].role == "responder: version one."
    assert at.text_area(key=ROLE.replace("ours", "short-words")).value == prompts.load()["responder"].role
    press(at, "lab_save_go")
    assert state.store().packs.packs()[0].prompts == ()


def import_file(at: AppTest, name: str, data: bytes) -> str:
    at.file_uploader(key="lab_file").upload(name, data, "application/json").run()
    press(at, "lab_import_go")
    return words(at)


def test_a_pack_is_imported_used_for_new_sessions_and_deleted() -> None:
    own = prompts.load()["client"].model_copy(update={"note": "turn $turn, be brief"})
    pack = state.store().packs.new("From a file", [own])
    text = to_file(pack)
    other = to_file(pack.model_copy(update={"prompts": (own.model_copy(update={"note": "turn $turn, be long"}),)}))
    at = open_lab()
    at.segmented_control(key="lab_view").set_value("packs").run()
    told = import_file(at, "pack.json", text.encode())
    assert "Already here: “From a file” holds the same words" in told and len(state.store().packs.packs()) == 1
    told = import_file(at, "other.json", other.encode())
    assert "“From a file (2)” is here: 1 prompt that differs from ours" in told and "Already here" not in told
    told = import_file(at, "none.json", b"{}")
    assert "is here" not in told and "is no prompt pack" in "".join(w.value for w in at.warning).replace("\\", "")
    press(at, f"lab_use_{pack.id}")
    assert "In use for new sessions" in words(at)
    at.text_input(key=f"lab_title_{pack.id}").set_value("Brief").run()
    press(at, f"lab_rename_now_{pack.id}")
    assert "<b>Brief</b>" in words(at)
    for title, kept in (("   ", "Brief"), ("Ours, as shipped", "Ours, as shipped (2)"), ("Brief", "Brief")):
        at.text_input(key=f"lab_title_{pack.id}").set_value(title).run()
        press(at, f"lab_rename_now_{pack.id}")
        assert next(p.title for p in state.store().packs.packs() if p.id == pack.id) == kept
    at.switch_page("pages/watch/session.py").run()
    assert not at.exception and "Own prompts: Brief" in words(at)
    assert next(p for p in at.session_state["session"].prompts if p.name == "client").note == "turn $turn, be brief"
    at.switch_page(LAB).run()
    press(at, f"lab_delete_now_{pack.id}")
    assert len(state.store().packs.packs()) == 1 and "“Brief” is deleted." in words(at)
    press(at, "lab_pack_back")
    assert {p.title for p in state.store().packs.packs()} == {"Brief", "From a file (2)"}


def test_a_pack_that_is_deleted_elsewhere_is_missed_in_a_sentence() -> None:
    session = in_library(rehearsed(2))
    pack = state.store().packs.new("Mine", [prompts.load()["responder"].model_copy(update={"role": "responder: mine."})])
    at = open_lab(session=session.id, pack=pack.id, view="bench", agent="responder")
    assert "not in the library" not in words(at)
    state.store().packs.delete(pack.id)
    role = f"labtext_{pack.id}_A_responder_role"
    at.text_area(key=role).set_value("responder: mine, and unsaved.").run()
    assert at.selectbox(key="lab_pack").value == "ours" and "The pack that was chosen is not in the library" in words(at)
    assert "not in the library" not in words(at.run())
    state.store().packs.bring_back(pack.id)
    at.run()
    at.selectbox(key="lab_pack").set_value(pack.id).run()
    assert at.text_area(key=role).value == "responder: mine, and unsaved."
    assert "The pack that was chosen is not in the library" in words(open_lab(view="judges", pack="gone"))


def test_a_replayed_session_finds_its_pack_by_its_words() -> None:
    own = prompts.load()["responder"].model_copy(update={"role": "responder: mine."})
    others = [prompts.load()["responder"].model_copy(update={"role": f"responder: {n}."}) for n in range(2)]
    first = state.store().packs.new("Mine", [others[0]])
    pack = state.store().packs.new("Mine", [own])
    state.store().packs.new("Mine", [others[1]])
    assert (first.title, pack.title) == ("Mine", "Mine (2)")
    session = in_library(rehearsed(2, prompt_set=pack.texts))
    at = open_lab(session=session.id, turn="1", agent="responder", attempt="1")
    assert at.selectbox(key="lab_pack").value == pack.id
    assert at.text_area(key=ROLE.replace("ours", pack.id)).value == "responder: mine."


def test_a_session_made_with_other_prompts_is_looked_at_with_its_own() -> None:
    own = prompts.load()["responder"].model_copy(update={"role": "responder: <b>own</b> words."})
    session = in_library(rehearsed(2, prompt_set=lab.with_own([own])))
    at = open_lab(session=session.id, turn="1", agent="responder")
    assert at.selectbox(key="lab_pack").value == "session"
    at.session_state["lab_tab"] = "Filled in"
    at.run()
    told = words(at)
    assert "Word for word what was sent" in told and "&lt;b&gt;own&lt;/b&gt;" in told and "<b>own</b>" not in told


def test_drafts_stay_while_other_agents_and_pages_are_looked_at() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    at.text_area(key=ROLE).set_value("responder: a draft.").run()
    at.selectbox(key="lab_agent").set_value("client").run()
    at.switch_page("pages/setup/models.py").run()
    at.switch_page(LAB).run()
    assert at.selectbox(key="lab_agent").value == "client"
    at.selectbox(key="lab_agent").set_value("responder").run()
    assert at.text_area(key=ROLE).value == "responder: a draft."
