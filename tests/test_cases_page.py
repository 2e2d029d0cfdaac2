"""Test cases in the lab without a browser: made, run against packs, edited, deleted, and taken in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core.lab import Case, Rule, case_moment, wordings
from magnet_core.lab.cases import to_file
from magnet_core.meter import Limit
from magnet_core.prompts import load
from magnet_core.session import moment_of
from tests.fakes import rehearsed
from tests.llm_server import Start
from tests.screen import in_library, job_done, open_lab, press, use_model, words
from ui import state


def make(at: AppTest, kind: str, **fields: Any) -> None:
    at.selectbox(key="lab_case_kind").set_value(kind).run()
    for name, value in fields.items():
        kinds = {"most": at.number_input, "question": at.text_area}
        kinds.get(name, at.text_input)(key=f"lab_case_{name}").set_value(value).run()
    press(at, "lab_case_go")


def to_cases(at: AppTest) -> AppTest:
    at.segmented_control(key="lab_view").set_value("cases").run()
    assert not at.exception
    return at


def ran(at: AppTest, button: str = "lab_cases_go") -> str:
    press(at, button)
    job_done(at, "lab_cases_job")
    return words(at)


def test_a_moment_becomes_a_case_and_all_cases_are_run_kept_and_counted() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    make(at, "at-most-words", most=2)
    make(at, "one-question")
    make(at, "one-question")
    make(at, "contains")
    assert "no rule yet" in "".join(w.value for w in at.warning)
    titles = [case.title for case in state.store().cases.all()]
    assert len(set(titles)) == 3 and any(title.endswith(" (2)") for title in titles)
    state.store().delete(session.id)
    to_cases(at)
    assert "not run" in words(at)
    at.number_input(key="lab_cases_repeats").set_value(2).run()
    told = ran(at)
    assert "Broken</b>: kept 0 of 2" in told and "Kept</b>: kept 2 of 2" in told and "2 kept, 1 broken" in told
    assert "<th>In the session</th>" in told and "it has" in told.split("kept 0 of 2")[0] and session.id not in told
    st.cache_resource.clear()
    again = to_cases(open_lab())
    assert "2 kept, 1 broken" in words(again) and " UTC</p>" in words(again) and "hash" not in words(again)


def test_one_case_is_run_and_two_packs_stand_beside_each_other(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    server = endpoint(answer=lambda body, n: "One?" if "MY WORDS" in json.dumps(body) else "One? Two?")
    use_model(monkeypatch, server.url)
    mine = load()["responder"].model_copy(update={"role": "responder: MY WORDS."})
    pack = state.store().packs.new("Mine", [mine])
    at = open_lab(session=session.id)
    make(at, "one-question", title="One at most")
    make(at, "lacks", text="two")
    to_cases(at)
    at.selectbox(key="lab_cases_beside").set_value(pack.id).run()
    assert "<b>4 calls</b>" in words(at)
    one = next(case for case in state.store().cases.all() if case.title == "One at most")
    at.selectbox(key="lab_cases_case").set_value(one.id).run()
    told = ran(at, "lab_cases_run_one")
    assert server.record.calls == 2 and told.count("1 not run as they stand") == 2
    assert "Broken</b>: kept 0 of 1" in told and "Kept</b>: kept 1 of 1" in told and "it asks 2 questions" in told
    told = ran(at)
    assert "<b>2 broken</b>" in told and "<b>2 kept</b>" in told
    assert told.count("Used: <b>") == 1 and "Used: <b>" in words(to_cases(open_lab()))
    state.store().packs.save(pack.id, [mine.model_copy(update={"role": "responder: MY WORDS, changed."})])
    at.run()
    assert words(at).count("Run with earlier words of this pack.") == 2
    found = {name: at.query_params[name] for name in ("view", "pack", "beside")}
    assert found == {"view": "cases", "pack": "ours", "beside": pack.id}
    assert words(open_lab(view="cases", pack="ours", beside=pack.id)).count("Run with earlier words of this pack.") == 2


def test_a_server_that_is_down_breaks_no_case(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    server = endpoint(status=401, body=json.dumps({"error": {"message": "no"}}))
    use_model(monkeypatch, server.url)
    at = open_lab(session=session.id)
    make(at, "one-question")
    told = ran(to_cases(at))
    assert "Undecided</b>: 1 without an answer" in told and "<b>1 undecided</b>" in told and "Broken" not in told


def test_a_run_that_is_stopped_keeps_no_half_results(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(first_token=30).url)
    at = open_lab(session=session.id)
    make(at, "one-question")
    press(to_cases(at), "lab_cases_go")
    assert "running" in words(at)
    press(at, "lab_cases_stop")
    job_done(at, "lab_cases_job")
    assert "Stopped after 0 of 1 answers" in words(at) and "not run" in words(at) and state.store().cases.results() == []


def test_a_judge_says_whether_cases_are_as_expected(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    verdicts = ['{"reason": "It is <b>kind</b>.", "answer": "yes"}', "I could not say."]
    asked: list[str] = []

    def answer(body: dict[str, Any], number: int) -> str:
        told = json.dumps(body, ensure_ascii=False)
        if "Is it warm?" not in told:
            return "That sounds hard."
        asked.append(told)
        return verdicts.pop(0)

    use_model(monkeypatch, endpoint(answer=answer).url)
    at = open_lab(session=session.id)
    make(at, "judge")
    assert "write the question" in "".join(w.value for w in at.warning)
    make(at, "judge", question="Is it warm?")
    to_cases(at)
    assert "<b>2 calls</b>" in words(at) and "gets a yes from a judge to “Is it warm?”" in words(at)
    told = ran(at)
    assert "Kept</b>: kept 1 of 1" in told and "test-model as judge: yes. It is &lt;b&gt;kind&lt;/b&gt;." in told
    assert "judge test-model" in told
    assert "The five candidates" in asked[0] and "That sounds hard." in asked[0]
    own = wordings.texts()["case/ask"].model_copy(update={"system": "MY WORDS: $question"})
    state.store().packs.new("Strict", [own])
    assert state.scores.worded() == {}
    at.run()
    at.selectbox(key="lab_cases_words").set_value("strict").run()
    told = ran(at)
    assert "Undecided</b>: 1 not judged" in told and "neither yes nor no: I could not say." in told
    assert "MY WORDS: Is it warm?" in asked[1] and "judge test-model, Strict" in told


def test_without_a_model_a_judges_case_is_undecided() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    make(at, "judge", question="Is it warm?")
    to_cases(at)
    assert "No language model is set as judge" in words(at)
    told = ran(at)
    assert "Undecided</b>: 1 not judged" in told and "cannot judge" in told


def test_a_case_is_edited_deleted_and_brought_back() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    make(at, "at-most-words", most=2)
    assert "Broken" in ran(to_cases(at))
    [case] = state.store().cases.all()
    stem = f"lab_case_edit_{case.id}"
    at.text_input(key=f"{stem}_title").set_value("Short").run()
    at.number_input(key=f"{stem}_most").set_value(500).run()
    press(at, f"{stem}_go")
    [changed] = state.store().cases.all()
    assert (changed.title, changed.rule.most, changed.id) == ("Short", 500, case.id)
    assert "before the test case was changed" in words(at)
    assert "Kept</b>: kept 1 of 1" in ran(at)
    press(at, "lab_case_delete")
    assert state.store().cases.all() == [] and "“Short” is deleted." in words(at)
    press(at, "lab_case_undo")
    assert state.store().cases.all() == [changed] and "Kept</b>" in words(at)


def test_a_name_that_says_what_is_expected_follows_a_changed_rule() -> None:
    at = open_lab(session=in_library(rehearsed(2)).id)
    make(at, "lacks", text="cat")
    [case] = state.store().cases.all()
    assert case.title.endswith(": does not contain “cat”")
    to_cases(at)
    stem = f"lab_case_edit_{case.id}"
    at.text_input(key=f"{stem}_text").set_value("dog").run()
    press(at, f"{stem}_go")
    [changed] = state.store().cases.all()
    assert changed.title == case.title.replace("cat", "dog")
    at.text_input(key=f"{stem}_title").set_value("No pets").run()
    press(at, f"{stem}_go")
    at.selectbox(key=f"{stem}_kind").set_value("one-question").run()
    press(at, f"{stem}_go")
    assert [case.title for case in state.store().cases.all()] == ["No pets"]


def test_before_cases_are_run_it_is_said_that_todays_limit_would_not_reach(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = in_library(rehearsed(2))
    use_model(monkeypatch, endpoint().url)
    at = open_lab(session=session.id)
    make(at, "one-question")
    state.spending.set_limit(Limit(amount=5, unit="tokens"))
    assert "5 tokens are left of the limit of a day" in words(to_cases(at))
    at.selectbox(key="lab_cases_model").set_value("rehearsal").run()
    assert "limit of a day" not in words(at)


def test_a_case_of_an_earlier_version_finds_the_sessions_own_answer_and_hides_its_code() -> None:
    session = in_library(rehearsed(2))
    moment = case_moment(moment_of(session, 2, "responder"))
    source = f"Mei-Lin Chow, turn 2, session {session.id}"
    state.store().cases.save(
        Case(id="one", title="Short", moment=moment, rule=Rule(kind="at-most-words", most=2), source=source)
    )
    told = words(to_cases(open_lab()))
    assert f"it has {len(session.turns[1].response.split())} words" in told and session.id not in told
    state.store().delete(session.id)
    state.store().purge()
    assert "answer is not known" in words(to_cases(open_lab()))


def test_cases_are_taken_in_from_a_file() -> None:
    session = in_library(rehearsed(2))
    at = open_lab(session=session.id)
    make(at, "one-question")
    [case] = state.store().cases.all()
    text = to_file([case])
    state.store().cases.delete(case.id)
    to_cases(at)
    at.file_uploader(key="lab_cases_file").upload("cases.json", text.encode(), "application/json").run()
    press(at, "lab_cases_import")
    assert state.store().cases.all() == [case] and "1 test case came in." in words(at)
    at.file_uploader(key="lab_cases_file").upload("cases.json", text.encode(), "application/json").run()
    press(at, "lab_cases_import")
    assert "is already here." in words(at) and len(state.store().cases.all()) == 1
    at.file_uploader(key="lab_cases_file").upload("bad.json", b"{}", "application/json").run()
    press(at, "lab_cases_import")
    assert "no test cases that were exported here" in "".join(w.value for w in at.warning)
