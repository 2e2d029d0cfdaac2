"""Judges' prompts in the lab without a browser: of instruments, own rubrics, blind pairs and test cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from magnet_core import lab
from magnet_core.domain import Session
from magnet_core.lab import Case, Rule, Sample, wordings
from magnet_core.lab.cases import Result
from magnet_core.scoring.instruments import sheet
from magnet_core.scoring.items import Rating, Scorecard
from magnet_core.scoring.rubrics import Rubric
from magnet_core.scoring.tables import Judge
from magnet_core.session import moment_of
from tests.fakes import rehearsed
from tests.llm_server import Start
from tests.screen import in_library, job_done, open_lab, press, use_model, words
from ui import state

FOCUS = "labjudge_ours_A_ctrs/focus"
MINE = "Focus: my own question?\n\n0: None.\n6: All."
OWN = Rubric(id="rubric-own", title="Own", question="Is it kind?", anchors={0: "No", 6: "Yes"})


def judges(**place: str) -> AppTest:
    at = open_lab(**({"view": "judges"} | place))
    assert at.session_state["lab_view"] == "judges"
    return at


def tab(at: AppTest, name: str) -> str:
    at.session_state["lab_judge_tab"] = name
    at.run()
    assert not at.exception
    return words(at)


def ran(at: AppTest) -> str:
    press(at, "lab_judge_go")
    job_done(at, "lab_judge_job")
    return words(at)


def scored(session: Session, value: float, model: str = "test-model") -> Scorecard:
    ratings = tuple(
        Rating(item=i.key, value=value, samples=(value,), explanation="It <i>was</i> so.") for i in sheet("ctrs").items
    )
    card = Scorecard(
        session_id=session.id, instrument="ctrs", judge=model, kind="model", prompt_sha=sheet("ctrs").sha,
        created=datetime(2026, 11, 1, tzinfo=UTC), ratings=ratings, turns=len(session.turns),
    )  # fmt: skip
    state.store().cards.save(card)
    return card


def strict(body: dict[str, Any], number: int) -> str:
    return json.dumps({"turns": [1], "reason": "<i>So</i>.", "score": 5 if "my own" in json.dumps(body) else 2})


def test_a_judges_prompt_is_changed_tried_saved_restored_and_reset(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(answer=strict).url)
    at = judges()
    at.selectbox(key="lab_judge_ctrs").set_value("focus").run()
    assert "These are our words" in words(at) and at.button(key="lab_judge_reset").disabled
    press(at, "lab_judge_add")
    at.text_area(key=FOCUS.replace("_A_", "_B_")).set_value("Focus?\n0: None.").run()
    assert "Variant B, Question: Focus" in words(at) and at.button(key="lab_judge_go").disabled
    at.text_area(key=FOCUS.replace("_A_", "_B_")).set_value(MINE).run()
    assert "changed from ours" in words(at) and "not saved" in words(at)
    at.number_input(key="lab_judge_repeats").set_value(2).run()
    assert "<b>4 calls</b>" in words(at)
    told = ran(at)
    assert "Score 2. &lt;i&gt;So&lt;/i&gt;." in told and "Score 5. " in told and "2 of 2 scores read: 5 each" in told
    assert "<td><b>Variant B</b></td><td>1</td><td>5.00</td><td>–</td><td>0.00</td><td>2</td><td>0</td><td>0</td>" in told
    assert state.store().cards.of(session.id) == [] and len(state.store().experiments.past()) == 1
    at.text_input(key="lab_judge_save_title").set_value("Strict").run()
    press(at, "lab_judge_save_go")
    assert at.selectbox(key="lab_judge_pack").value == "strict"
    assert [p.name for p in state.store().packs.packs()[0].judges] == ["ctrs/focus"]
    assert "choose “test-model (model, “Strict”)” under “Judge” on the Scores page" in words(at)
    own = FOCUS.replace("ours", "strict")
    at.text_area(key=own).set_value(MINE.replace("None", "Nothing")).run()
    press(at, "lab_judge_save_go")
    tab(at, "What differs")
    at.selectbox(key="lab_judge_against_strict").set_value("ctrs/focus 1").run()
    assert "<del>None</del> <ins>Nothing</ins>" in words(at)
    press(at, "lab_judge_restore")
    assert at.text_area(key=own).value == MINE and state.store().packs.packs()[0].judges[0].system == MINE
    assert "my own question?" in tab(at, "As sent") and "that of ours is " in words(at).split("For the record")[1]
    press(at, "lab_judge_reset")
    assert at.text_area(key=own).value == wordings.texts()["ctrs/focus"].system and "not saved" in words(at)
    assert state.store().packs.packs()[0].judges[0].system == MINE
    press(at, "lab_judge_save_go")
    assert state.store().packs.packs()[0].judges == () and "These are our words" in words(at)


def test_an_error_in_another_text_of_the_variant_does_not_stop_this_one_or_says_where(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(answer=strict).url)
    at = judges(judge="ctrs", item="focus")
    at.text_area(key=FOCUS).set_value("Focus?\n0: None.").run()
    at.selectbox(key="lab_judge").set_value("wai").run()
    assert not at.button(key="lab_judge_go").disabled
    assert "Question: Focus on key thoughts and behaviours" in words(at) and "must describe 0, 6" in words(at)
    at.text_area(key="labjudge_ours_A_judge/single").set_value("JSON: $lwo to $high").run()
    assert at.button(key="lab_judge_go").disabled
    assert "Variant A, How to answer about one question, shared by all instruments" in words(at)


def test_variables_are_marked_as_written_and_what_was_filled_in_as_sent() -> None:
    session = in_library(rehearsed(2))
    at = judges(judge="ctrs", item="focus")
    told = tab(at, "As written")
    assert '<mark class="var" title="low">$low</mark>' in told and "Lowest point of the scale" in told
    told = tab(at, "As sent")
    assert '<mark class="var" title="the session">' in told and '<mark class="var" title="low">0</mark>' in told
    assert session.turns[0].response[:20] in told
    for name in ("ctrs-11", "wai", "panas-before", "panas-after", "pairs", "case"):
        at.selectbox(key="lab_judge").set_value(name).run()
        assert not at.exception
    assert "Make a test case that a judge decides" in words(at)
    at.selectbox(key="lab_judge").set_value("panas-after").run()
    assert '<mark class="var" title="words">' in words(at) and "experienced supervisor" in words(at)


def test_a_judge_is_tried_over_several_sessions_beside_what_is_kept(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = in_library(rehearsed(2)), in_library(rehearsed(3))
    scored(one, 4.0)
    scored(two, 1.0, "another-model")
    server = endpoint(answer=lambda body, n: "no idea" if n == 2 else strict(body, n))
    use_model(monkeypatch, server.url)
    at = judges(judge="ctrs", item="focus", session=one.id)
    at.selectbox(key="lab_judge_over_session").set_value("chosen").run()
    at.number_input(key="lab_judge_repeats").set_value(2).run()
    assert "<b>4 calls</b>" in words(at)
    told = ran(at)
    assert server.record.calls == 4
    assert told.count("On record</h3>") == 1 and "Score 4.0. It &lt;i&gt;was&lt;/i&gt; so." in told
    assert "test-model · 01 Nov 2026, 00:00 UTC · our words of now" in told and "another-model" not in told
    assert "<td>2</td><td>2.00</td><td>0.00</td><td>0.00</td><td>3</td><td>1</td><td>0</td>" in told
    assert "<td><b>On record</b></td><td>1</td><td>4.00</td>" in told and "no idea" in told
    at.text_area(key=FOCUS).set_value(MINE).run()
    assert "given to earlier words" in words(at)


def test_a_stored_rating_opens_with_its_words_and_its_model_and_drafts_follow(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, session = in_library(rehearsed(3)), in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(answer=strict).url)
    at = judges(judge="wai", session=other.id)
    at.text_area(key="labjudge_ours_A_wai/task").set_value("My draft.").run()
    at.switch_page("pages/judge/scores.py").run()
    place = {
        "view": "judges",
        "judge": "ctrs",
        "item": "strategy",
        "session": session.id,
        "pack": "ours",
        "by": "gone-model",
    }
    at.switch_page("pages/lab/prompts.py")
    for name, value in place.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception and at.selectbox(key="lab_judge_ctrs").value == "strategy"
    assert at.selectbox(key="lab_judge_session").value == session.id and at.selectbox(key="lab_judge").value == "ctrs"
    assert "gave this rating and is not set up here" in "".join(w.value for w in at.warning)
    assert "These are our words" in words(at) and at.session_state["lab_judge_letter_ours"] == "A"
    at.selectbox(key="lab_judge").set_value("wai").run()
    at.segmented_control(key="lab_judge_letter_ours").set_value("B").run()
    assert at.text_area(key="labjudge_ours_B_wai/task").value == "My draft."


def test_an_answer_that_cannot_be_read_is_shown_as_it_came(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(answer=lambda body, n: "I would <b>rather</b> not say." if n < 3 else "").url)
    at = judges(judge="ctrs", item="focus")
    at.number_input(key="lab_judge_repeats").set_value(3).run()
    told = ran(at)
    assert "Nothing could be read in any of 3 answers" in told or "Nothing could be read in any of 2 answers" in told
    assert "I would &lt;b&gt;rather&lt;/b&gt; not say." in told and "The score could not be read" in told
    assert "<th>Not readable</th>" in told and "<th>Yes</th>" not in told


def test_own_rubrics_are_changed_here_and_kept_in_a_pack(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    in_library(rehearsed(2))
    server = endpoint(answer=strict)
    use_model(monkeypatch, server.url)
    state.store().rubrics.save(OWN)
    at = judges(judge="rubric-own")
    field = "labjudge_ours_A_rubric-own/question"
    at.text_area(key=field).set_value("Is it my own?\n0: Cold").run()
    assert "must describe 0, 6" in words(at)
    at.text_area(key=field).set_value("Is it my own?\n\n0: Cold\n6: Warm").run()
    assert "Score 5." in ran(at) and "Is it my own?" in json.dumps(server.record.bodies)
    at.text_input(key="lab_judge_save_title").set_value("Warm").run()
    press(at, "lab_judge_save_go")
    [pack] = state.store().packs.packs()
    assert [p.name for p in pack.judges] == ["rubric-own/question"]
    told = wordings.reworded(OWN.sheet, pack.judges)
    assert told.wordings["rubric-own"].anchors == {0: "Cold", 6: "Warm"}
    assert state.scores.titles()[told.sha] == "“Warm”"
    [rated] = state.scores.in_words_of(Judge(name="test-model", kind="model", words="“Warm”"), [OWN.sheet])
    assert rated == told and state.scores.pack_of_words(OWN.sheet, told.sha) == "warm"
    assert state.scores.pack_of_words(OWN.sheet, OWN.sheet.sha) == "" and state.scores.pack_of_words(OWN.sheet, "x") is None


def test_the_judge_of_blind_pairs_is_tried_in_both_orders(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    in_library(rehearsed(2))
    in_library(rehearsed(2, method="plain"))

    def answer(body: dict[str, Any], number: int) -> str:
        keys = body["response_format"]["json_schema"]["schema"]["properties"]
        return json.dumps({key: {"reason": "So.", "choice": "A"} for key in keys})

    server = endpoint(answer=answer)
    use_model(monkeypatch, server.url)
    at = judges(judge="pairs")
    task = "labjudge_ours_A_pairs/task"
    at.text_area(key=task).set_value("MY TASK: A, B or tie.").run()
    told = ran(at)
    assert server.record.calls == 2 and all("MY TASK" in json.dumps(body) for body in server.record.bodies)
    assert "Overall: first." in told and "Overall: second." in told
    assert "<td>1</td><td>1</td><td>0</td><td>0</td><td>0</td><td>1 of 1</td>" in told
    assert '<mark class="var" title="the second session">' in tab(at, "As sent")


def test_the_judge_of_a_test_case_is_tried_on_the_answers_of_its_last_run(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = in_library(rehearsed(2))
    use_model(
        monkeypatch,
        endpoint(answer=lambda body, n: json.dumps({"reason": "It is.", "answer": "no" if n > 1 else "yes"})).url,
    )
    rule = Rule(kind="judge", text="Is it warm?")
    case = Case(id="one", title="Warm", moment=lab.case_moment(moment_of(session, 2, "responder")), rule=rule)
    state.store().cases.save(case)
    at = judges(judge="case")
    assert "Make a test case that a judge decides" in words(at)
    samples = [Sample(label="x", number=n, model="m", prompt_sha="0", text=text) for n, text in enumerate(("Hm.", "Oh."), 1)]
    state.store().cases.save_results(
        [Result(case="one", rule=rule, pack="ours", title="Ours", sha="a", model="m", created=datetime.now(UTC), samples=tuple(samples))]
    )  # fmt: skip
    at.run()
    told = ran(at)
    assert "Warm, answer 1: “Hm.”" in told and "Warm, answer 2: “Oh.”" in told and "Yes. It is." in told
    assert "<td><b>Variant A</b></td><td>1</td><td>1</td><td>0</td><td>0</td>" in told


def test_without_a_model_judges_prompts_are_read_and_saved_but_not_tried() -> None:
    in_library(rehearsed(2))
    at = judges()
    assert "cannot rate" in words(at) and not [b for b in at.button if b.key == "lab_judge_go"]


def test_an_empty_library_says_what_is_tried_here_and_what_is_missing() -> None:
    at = judges()
    told = words(at)
    assert "Here a judge's prompt is tried" in told and "With a session in the library" in told and "cannot rate" in told
    at.segmented_control(key="lab_view").set_value("cases").run()
    assert "No test case yet" in words(at) and "It begins with a session" in words(at)


def test_the_newest_run_of_a_judge_is_shown_after_a_reload(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = in_library(rehearsed(2))
    use_model(monkeypatch, endpoint(answer=strict).url)
    place = {"judge": "ctrs", "item": "focus", "session": session.id}
    at = judges(**place)
    at.number_input(key="lab_judge_repeats").set_value(2).run()
    assert "2 of 2 scores read" in ran(at)
    each = at.query_params["each"]
    again = judges(**place, each=each if isinstance(each, str) else each[0])
    assert "2 of 2 scores read" in words(again) and again.number_input(key="lab_judge_repeats").value == 2
