"""The prompt lab without a browser: alone and through the app, on the rehearsal and on a local server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core import lab, prompts
from magnet_core.cast import Cast, open_models
from magnet_core.domain import Session
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session
from tests.llm_server import LlmServer
from ui import state

ROOT = Path(__file__).parent.parent
PAGE = "pages/lab/prompts.py"
ROLE = "labtext_ours_A_responder_role"
Start = Callable[..., LlmServer]


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a library of its own and the built-in cast."""
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'library.db'}")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAGNET_MODEL"):
        monkeypatch.setenv(name, "")
    st.cache_resource.clear()


def rehearsed(turns: int = 2, **more: Any) -> Session:
    """Return a session of the built-in cast that is in the library."""

    async def made() -> Session:
        async with open_models(Cast()) as models:
            session = new_session(samples()[0], max_turns=turns, models=models, **more)
            async for event in run_session(session, models, live=False):
                session = getattr(event, "session", session)
            return session

    session = asyncio.run(made())
    state.store().save(session)
    return session


def open_page(through_app: bool = True, **place: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / ("app.py" if through_app else PAGE)), default_timeout=30)
    if through_app:
        at.run()
        at.switch_page(PAGE)
    for name, value in place.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def words(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


def finished(at: AppTest, job: str = "lab_job") -> AppTest:
    end = time.monotonic() + 20
    while at.session_state[job].look().live:
        assert time.monotonic() < end, words(at)
        time.sleep(0.02)
    at.run()
    assert not at.exception
    return at


@pytest.mark.parametrize("through_app", [True, False])
def test_an_empty_library_says_where_to_begin(through_app: bool) -> None:
    at = open_page(through_app)
    assert "No session has been kept yet" in words(at)


@pytest.mark.parametrize("through_app", [True, False])
def test_every_agent_is_shown_filled_as_it_was_sent(through_app: bool) -> None:
    session = rehearsed()
    at = open_page(through_app, session=session.id)
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


def test_a_recorded_call_is_replayed_with_another_temperature_and_repeats_are_stacked(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = rehearsed()
    said = ["Tell me about Monday.", "Tell me about Monday.", "What happened then?"]
    server = endpoint(answer=lambda body, number: said[number % 3])
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    st.cache_resource.clear()
    at = open_page(session=session.id, turn="2", agent="responder", attempt="1")
    assert at.number_input(key="lab_turn").value == 2 and at.selectbox(key="lab_agent").value == "responder"
    assert at.query_params["turn"] in ("2", ["2"])
    at.number_input(key="lab_repeats").set_value(3).run()
    assert "<b>3 calls</b>" in words(at) and "price <b>–</b>" in words(at)
    at.number_input(key="lab_heat_ours_A").set_value(1.2).run()
    press(at, "lab_go")
    finished(at)
    told = words(at)
    assert "2 ×" in told and "2 different of 3" in told and "test-model · temperature 1.2 · our words" in told
    assert {body["temperature"] for body in server.record.bodies} == {1.2} and server.record.calls == 3
    assert state.store().session(session.id) == session


def test_two_variants_stand_side_by_side_and_the_words_reach_the_model(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = rehearsed()
    server = endpoint(answer=lambda body, number: "Short." if "ten words" in json.dumps(body) else "Rather a longer answer.")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    st.cache_resource.clear()
    at = open_page(session=session.id)
    press(at, "lab_add")
    at.text_area(key="labtext_ours_B_responder_role").set_value("responder: at most ten words.").run()
    assert "not saved" in words(at) and "changed from ours" in words(at)
    press(at, "lab_go")
    finished(at)
    told = words(at)
    assert "--n:2" in told and "Short." in told and "Rather a longer answer." in told
    press(at, "lab_drop")
    assert at.session_state["lab_letter_ours"] == "A"


def test_a_variant_is_run_over_every_turn_and_over_other_sessions(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed(method="plain")
    other, session = rehearsed(2), rehearsed(3)
    server = endpoint(answer=lambda body, number: f"Answer {number}.")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    st.cache_resource.clear()
    at = open_page(session=session.id, turn="2", agent="responder")
    press(at, "lab_add")
    at.selectbox(key="lab_over").set_value("turns").run()
    assert "<b>6 calls</b>" in words(at)
    press(at, "lab_go")
    finished(at)
    assert "Variant A, turn 1" in words(at) and "Variant B, turn 3" in words(at) and "--n:2" in words(at)
    at.selectbox(key="lab_over").set_value("sessions").run()
    assert "<b>4 calls</b>" in words(at)
    press(at, "lab_go")
    finished(at)
    assert f"({other.id[:4]})" in words(at) and f"({session.id[:4]})" in words(at) and server.record.calls == 10


def test_a_price_is_told_where_it_is_known(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = rehearsed()
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint().url)
    monkeypatch.setenv("MAGNET_MODEL", "gpt-4o-mini")
    st.cache_resource.clear()
    assert "price <b>about $0." in words(open_page(session=session.id))


def test_a_run_is_stopped(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = rehearsed()
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint(first_token=30).url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    st.cache_resource.clear()
    at = open_page(session=session.id)
    press(at, "lab_go")
    press(at, "lab_stop")
    finished(at)
    assert "Stopped after 0 of 1 answers" in words(at)


def test_the_linter_keeps_a_broken_prompt_from_being_run_or_saved() -> None:
    session = rehearsed()
    at = open_page(session=session.id)
    at.text_area(key=ROLE).set_value("responder: <|im_start|> use $paln").run()
    assert "Is $plan meant?" in words(at) and "chat format" in words(at)
    assert at.button(key="lab_go").disabled


def test_save_restore_and_reset_make_versions_and_a_session_is_run_again_with_the_pack() -> None:
    session = rehearsed()
    at = open_page(session=session.id)
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
    assert "<del>one</del><ins>two</ins>" in words(at)
    press(at, "lab_restore")
    assert state.store().packs.packs()[0].texts["responder"].role == "responder: version one."
    assert at.text_area(key=ROLE.replace("ours", "short-words")).value == "responder: version one."
    assert len(state.store().packs.versions("short-words", "responder")) == 3
    assert not at.button(key="lab_again").disabled
    press(at, "lab_again")
    assert "Own prompts: Short words" in words(at)
    press(at, "next")
    end = time.monotonic() + 20
    while not any(e.turns for e in state.store().recent() if e.id != session.id):
        assert time.monotonic() < end
        time.sleep(0.05)
    again = state.store().session(next(e.id for e in state.store().recent() if e.id != session.id))
    assert {p.name: p.role for p in again.prompts}["responder"] == "responder: version one."
    at.switch_page(PAGE).run()
    press(at, "lab_reset")
    assert state.store().packs.packs()[0].prompts == ()
    assert at.text_area(key=ROLE.replace("ours", "short-words")).value == prompts.load()["responder"].role


def test_a_pack_is_imported_used_for_new_sessions_and_deleted() -> None:
    pack = state.store().packs.new(
        "From a file", [prompts.load()["client"].model_copy(update={"note": "turn $turn, be brief"})]
    )
    from magnet_core.packs import to_file

    text = to_file(pack)
    at = open_page()
    at.segmented_control(key="lab_view").set_value("packs").run()
    at.file_uploader(key="lab_file").upload("pack.json", text.encode(), "application/json").run()
    press(at, "lab_import_go")
    assert "1 prompt that differs from ours" in words(at) and len(state.store().packs.packs()) == 2
    press(at, f"lab_use_{pack.id}")
    assert "In use for new sessions" in words(at)
    at.switch_page("pages/watch/session.py").run()
    assert not at.exception and "Own prompts: From a file" in words(at)
    assert next(p for p in at.session_state["session"].prompts if p.name == "client").note == "turn $turn, be brief"
    at.switch_page(PAGE).run()
    press(at, f"lab_delete_now_{pack.id}")
    assert len(state.store().packs.packs()) == 1


def test_a_moment_becomes_a_case_and_all_cases_are_run() -> None:
    session = rehearsed()
    at = open_page(session=session.id)
    at.selectbox(key="lab_case_kind").set_value("at-most-words").run()
    at.number_input(key="lab_case_most").set_value(2).run()
    press(at, "lab_case_go")
    at.selectbox(key="lab_case_kind").set_value("one-question").run()
    press(at, "lab_case_go")
    at.selectbox(key="lab_case_kind").set_value("contains").run()
    press(at, "lab_case_go")
    assert "no rule yet" in "".join(w.value for w in at.warning)
    state.store().delete(session.id)
    at.segmented_control(key="lab_view").set_value("cases").run()
    assert not at.exception
    at.number_input(key="lab_cases_repeats").set_value(2).run()
    press(at, "lab_cases_go")
    finished(at, "lab_cases_job")
    told = words(at)
    assert "Broken</b> 0 of 2" in told and "Kept</b> 2 of 2" in told


def test_a_judge_says_whether_cases_are_as_expected(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = rehearsed()
    verdicts = ['{"reason": "It is <b>kind</b>.", "answer": "yes"}', "I could not say."]

    def answer(body: dict[str, Any], number: int) -> str:
        return verdicts.pop(0) if "Is it warm?" in json.dumps(body) else "That sounds hard."

    server = endpoint(answer=answer)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    st.cache_resource.clear()
    at = open_page(session=session.id)
    at.selectbox(key="lab_case_kind").set_value("judge").run()
    press(at, "lab_case_go")
    assert "write the question" in "".join(w.value for w in at.warning)
    at.text_area(key="lab_case_question").set_value("Is it warm?").run()
    press(at, "lab_case_go")
    at.segmented_control(key="lab_view").set_value("cases").run()
    assert "<b>2 calls</b>" in words(at) and "gets a yes from a judge to “Is it warm?”" in words(at)
    press(at, "lab_cases_go")
    finished(at, "lab_cases_job")
    assert "Kept</b> 1 of 1" in words(at) and "test-model as judge: yes. It is &lt;b&gt;kind&lt;/b&gt;." in words(at)
    assert "judge test-model" in words(at)
    press(at, "lab_cases_go")
    finished(at, "lab_cases_job")
    assert "Missing</b> 0 of 1, 1 not judged" in words(at) and "neither yes nor no: I could not say." in words(at)


def test_without_a_model_a_judges_case_is_missing() -> None:
    session = rehearsed()
    at = open_page(session=session.id)
    at.selectbox(key="lab_case_kind").set_value("judge").run()
    at.text_area(key="lab_case_question").set_value("Is it warm?").run()
    press(at, "lab_case_go")
    at.segmented_control(key="lab_view").set_value("cases").run()
    assert "No language model is set as judge" in words(at)
    press(at, "lab_cases_go")
    finished(at, "lab_cases_job")
    assert "Missing</b> 0 of 1" in words(at) and "cannot judge" in words(at)


def test_a_session_made_with_other_prompts_is_looked_at_with_its_own() -> None:
    own = prompts.load()["responder"].model_copy(update={"role": "responder: <b>own</b> words."})
    session = rehearsed(prompt_set=lab.with_own([own]))
    at = open_page(session=session.id, turn="1", agent="responder")
    assert at.selectbox(key="lab_pack").value == "session"
    at.session_state["lab_tab"] = "Filled in"
    at.run()
    told = words(at)
    assert "Word for word what was sent" in told and "&lt;b&gt;own&lt;/b&gt;" in told and "<b>own</b>" not in told


def test_drafts_stay_while_other_agents_and_pages_are_looked_at() -> None:
    session = rehearsed()
    at = open_page(session=session.id)
    at.text_area(key=ROLE).set_value("responder: a draft.").run()
    at.selectbox(key="lab_agent").set_value("client").run()
    at.switch_page("pages/setup/models.py").run()
    at.switch_page(PAGE).run()
    assert at.selectbox(key="lab_agent").value == "client"
    at.selectbox(key="lab_agent").set_value("responder").run()
    assert at.text_area(key=ROLE).value == "responder: a draft."


FOCUS = "labjudge_ours_A_ctrs/focus"
MINE = "Focus: my own question?\n\n0: None.\n6: All."


def test_a_judges_prompt_is_changed_tried_saved_restored_and_reset(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = rehearsed()

    def answer(body: dict[str, Any], number: int) -> str:
        return json.dumps({"turns": [1], "reason": "<i>So</i>.", "score": 5 if "my own" in json.dumps(body) else 2})

    server = endpoint(answer=answer)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    st.cache_resource.clear()
    at = open_page()
    at.segmented_control(key="lab_view").set_value("judges").run()
    at.selectbox(key="lab_judge_ctrs").set_value("focus").run()
    assert "These are our words" in words(at) and at.button(key="lab_judge_reset").disabled
    press(at, "lab_judge_add")
    at.text_area(key=FOCUS.replace("_A_", "_B_")).set_value("Focus?\n0: None.").run()
    assert "must describe 0, 6" in words(at) and at.button(key="lab_judge_go").disabled
    at.text_area(key=FOCUS.replace("_A_", "_B_")).set_value(MINE).run()
    assert "changed from ours" in words(at) and "not saved" in words(at)
    at.number_input(key="lab_judge_repeats").set_value(2).run()
    assert "<b>4 calls</b>" in words(at)
    press(at, "lab_judge_go")
    finished(at, "lab_judge_job")
    told = words(at)
    assert (
        "Score 2. &lt;i&gt;So&lt;/i&gt;." in told and "Score 5. " in told and "2 of 2 scores read: 5 each, mean 5.00" in told
    )
    assert state.store().cards.of(session.id) == []
    at.text_input(key="lab_judge_save_title").set_value("Strict").run()
    press(at, "lab_judge_save_go")
    assert at.selectbox(key="lab_judge_pack").value == "strict" and [
        p.name for p in state.store().packs.packs()[0].judges
    ] == ["ctrs/focus"]
    own = FOCUS.replace("ours", "strict")
    at.text_area(key=own).set_value(MINE.replace("None", "Nothing")).run()
    press(at, "lab_judge_save_go")
    at.session_state["lab_judge_tab"] = "What differs"
    at.run()
    at.selectbox(key="lab_judge_against_strict").set_value("ctrs/focus 1").run()
    assert "<del>None</del><ins>Nothing</ins>" in words(at)
    press(at, "lab_judge_restore")
    assert at.text_area(key=own).value == MINE and state.store().packs.packs()[0].judge_texts["ctrs/focus"].system == MINE
    at.session_state["lab_judge_tab"] = "As sent"
    at.run()
    assert "my own question?" in words(at) and ", ours " in words(at)
    press(at, "lab_judge_reset")
    assert state.store().packs.packs()[0].judges == () and len(state.store().packs.versions("strict", "ctrs/focus")) == 4
    assert "These are our words" in words(at)


def test_without_a_model_judges_prompts_are_read_and_saved_but_not_tried() -> None:
    rehearsed()
    at = open_page()
    at.segmented_control(key="lab_view").set_value("judges").run()
    assert "cannot rate" in words(at) and not [b for b in at.button if b.key == "lab_judge_go"]


def test_what_a_judge_is_asked_is_shown_word_for_word() -> None:
    rehearsed()
    at = open_page()
    at.session_state["lab_judge_tab"] = "As sent"
    at.segmented_control(key="lab_view").set_value("judges").run()
    for name in at.selectbox(key="lab_judge").options:
        assert name
    for instrument in ("ctrs", "wai", "panas-before", "panas-after"):
        at.selectbox(key="lab_judge").set_value(instrument).run()
        assert not at.exception
        assert "experienced supervisor" in words(at)
