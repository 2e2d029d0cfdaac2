"""The scores page and the scores on the session page, without a browser; the rules are the judge, or a local server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import Attitude, CbtTechnique
from magnet_core.knowledge import read
from magnet_core.lab import wordings
from magnet_core.scoring import tables
from magnet_core.scoring.instruments import sheet
from magnet_core.scoring.items import CTRS_11, INSTRUMENTS, Rating, Scorecard
from magnet_core.scoring.judge import score
from magnet_core.scoring.plain import read_scores
from magnet_core.scoring.rater import rate
from magnet_core.scoring.rubrics import Rubric, rubric_id
from magnet_core.scoring.rules import measures
from magnet_core.store import Store
from tests.fakes import rehearsed
from tests.llm_server import LlmServer, Start
from tests.screen import fresh, in_library, page_with, until, words
from tests.waiting import wait_until
from ui import state
from ui.engine.runner import Engine
from ui.engine.scorer import Job, Order, Scorer, sheets_of
from ui.scoring import rules, scores

PAGE = "pages/judge/scores.py"
USUAL = ("ctrs", "wai", "panas-before", "panas-after")
MODEL = tables.Judge(name="test-model", kind="model")
RUBRIC = Rubric(
    id="rubric-culture", title="Culture", question="Is culture taken up?", high=4, anchors={0: "Never.", 4: "Often."}
)


def scored(at: AppTest) -> AppTest:
    at.button(key="scores_go").click().run()
    return until(at, lambda at: any(b.key == "scores_go" for b in at.button) and 'class="score"' in words(at))


def figures(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


# The page: one session


@pytest.mark.parametrize("through_app", [True, False])
def test_an_empty_library_says_what_will_be_here(through_app: bool) -> None:
    at = page_with(PAGE, through_app=through_app)
    assert not at.exception
    assert "No session has been kept yet" in words(at)


@pytest.mark.parametrize("through_app", [True, False])
def test_rules_score_a_session_and_every_score_says_what_it_rests_on(through_app: bool) -> None:
    session = rehearsed()
    at = scored(page_with(PAGE, session, through_app=through_app))
    shown = words(at)
    assert "Indicator, not a validated rating" in shown and "no total out of 66" in shown
    assert shown.count('<details class="score"') == 6
    assert 'data-jump="' in shown and "Prompt hash" in shown and "Spread (SD)" in shown
    [radar] = figures(at)
    assert len(radar["data"][0]["theta"]) == 7 and radar["layout"]["polar"]["radialaxis"]["range"] == [0, 6]
    cards = {card.instrument: card for card in state.store().cards.of(session.id)}
    assert set(cards) == set(USUAL) and all(card.kind == "rule" and card.turns == 8 for card in cards.values())
    for rating in cards["ctrs"].ratings:
        assert f"{rating.value:.1f}" in shown


def test_a_session_without_a_turn_offers_nothing_to_score() -> None:
    shown = words(at := page_with(PAGE, rehearsed().upto(0)))
    assert "no turn yet" in shown and "has not been rated" not in shown and at.button(key="scores_go").disabled


def test_what_has_not_been_scored_names_the_button_that_scores_it() -> None:
    at = page_with(PAGE, rehearsed())
    assert "CTRS has not been rated by this judge. “Score this session” does it." in words(at)
    at.session_state["scores_tab"] = "Over the turns"
    at.run()
    assert "The way here has not been rated by this judge. “Score the way here” does it." in words(at)


def test_scoring_again_by_rules_keeps_no_second_copy() -> None:
    session = rehearsed()
    at = scored(page_with(PAGE, session))
    scored(at)
    assert len(state.store().cards.of(session.id)) == 4


def test_every_scale_has_its_view() -> None:
    session = rehearsed()
    at = scored(page_with(PAGE, session))
    at.session_state["scores_tab"] = "WAI"
    at.run()
    shown = words(at)
    assert shown.count('<details class="score"') == 12 and shown.count("turned round ") == 2
    assert sheet("wai").note in shown.replace("&#x27;", "'")
    card = next(c for c in state.store().cards.of(session.id) if c.instrument == "wai")
    rating = card.rating("wai-4")
    assert rating and rating.value is not None
    assert f"as rated {rating.value:.1f}, turned round {8 - rating.value:.1f}" in shown
    at.session_state["scores_tab"] = "PANAS"
    at.run()
    assert words(at).count('<details class="score"') == 20 and len(figures(at)) == 2
    at.session_state["scores_tab"] = "Rules"
    at.run()
    for measure in measures(session):
        assert rules.value(measure) in words(at)
    at.session_state["scores_tab"] = "Over the turns"
    at.run()
    assert "one point so far" in words(at) and len(figures(at)) == 3
    at.button(key="scores_way").click().run()
    until(at, lambda at: not at.button(key="scores_way").disabled)
    first = figures(at)[0]
    assert [line["x"] for line in first["data"]] == [[4, 8], [4, 8]]
    assert not at.exception


def test_what_is_missing_is_shown_as_missing_and_never_as_zero() -> None:
    session = rehearsed(2)
    state.store().save(session)
    card = rate(session, "ctrs")
    gone = card.model_copy(
        update={
            "judge": "some-model",
            "kind": "model",
            "prompt_sha": sheet("ctrs").sha,
            "ratings": (
                Rating(item="understanding", value=None, samples=(None, None), explanation="Missing: no score in it."),
                *tuple(
                    r.model_copy(update={"samples": (3.0, 5.0), "value": 4.0, "turns": (1,), "quotes": ()})
                    for r in card.ratings[1:]
                ),
            ),
        }
    )
    state.store().cards.save(gone)
    at = page_with(PAGE, session)
    judge = tables.Judge(name="some-model", kind="model")
    at.selectbox(key="scores_judge").set_value(judge).run()
    shown = words(at)
    assert "earlier ratings by some-model" in shown and at.button(key="scores_go").disabled
    assert '<b class="num">missing</b>' in shown and "Missing: no score in it." in shown
    assert "(2 of 3 items)" in shown and "1 of 6 ratings are missing." in shown
    assert sheet("ctrs").sha in shown and "3, 5" in shown and "1.41" in shown
    assert "Indicator" not in shown
    [radar] = figures(at)
    assert radar["data"][0]["r"][0] is None and radar["data"][0]["fill"] == "none"
    other = rehearsed(2, 1)
    state.store().save(other)
    at.run()
    at.selectbox(key="scores_session").set_value(other.id).run()
    assert not at.exception and at.selectbox(key="scores_judge").value == tables.Judge(name="rules", kind="rule")


def test_the_session_that_was_just_watched_is_the_one_to_score() -> None:
    first, second = rehearsed(2), rehearsed(2, 1)
    at = page_with(PAGE, first, second)
    assert at.selectbox(key="scores_session").value == second.id
    at = page_with(PAGE, address={"session": first.id})
    assert at.selectbox(key="scores_session").value == first.id
    at = page_with(PAGE, address={"session": first.id}, through_app=False)
    assert at.selectbox(key="scores_session").value == first.id


def test_text_of_a_judge_is_never_markup() -> None:
    session = rehearsed(2)
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    card = rate(session, "ctrs")
    hostile = tuple(
        r.model_copy(update={"explanation": bad, "explanations": (bad, bad + "2"), "quotes": (bad,)}) for r in card.ratings
    )
    state.store().save(session)
    state.store().cards.save(card.model_copy(update={"judge": bad, "kind": "model", "ratings": hostile}))
    at = page_with(PAGE, session)
    at.selectbox(key="scores_judge").set_value(tables.Judge(name=bad, kind="model")).run()
    assert not at.exception
    assert "&lt;script&gt;alert(1)" in words(at) and "<script>alert" not in words(at) and "<img" not in words(at)


def test_a_table_taken_away_holds_no_formula() -> None:
    session = rehearsed(2)
    card = rate(session, "ctrs")
    ratings = tuple(r.model_copy(update={"explanation": "=HYPERLINK(1)"}) for r in card.ratings)
    rows = list(
        csv.DictReader(io.StringIO(scores.csv_of([card.model_copy(update={"ratings": ratings})]).decode("utf-8-sig")))
    )
    assert [row["item"] for row in rows] == [item.key for item in INSTRUMENTS["ctrs"]]
    assert all(row["explanation"].startswith("'=") for row in rows)


# Many sessions


def test_many_sessions_are_scored_grouped_and_compared() -> None:
    made = [rehearsed(8, client, attitude=attitude) for client in range(3) for attitude in Attitude]
    at = page_with(PAGE, *made)
    at.segmented_control(key="scores_view").set_value("many").run()
    assert "No session here has this score" in words(at)
    at.button(key="scores_rest").click().run()
    until(at, lambda at: any(b.key == "scores_rest" for b in at.button))
    assert at.button(key="scores_rest").label == "Score the rest (0)"
    assert len(state.store().cards.all()) == 4 * len(made)
    spec = figures(at)[0]
    assert [name.split("<br>")[-1] for name in spec["layout"]["yaxis"]["ticktext"]] == ["n = 3"] * 3
    at.segmented_control(key="scores_by").set_value("Judge").run()
    assert figures(at)[0]["layout"]["yaxis"]["ticktext"] == ["Rules (indicator)<br>n = 9"]
    at.session_state["scores_many_tab"] = "The planner's picks"
    at.run()
    assert "of 9 plans take a technique the client calls for" in words(at)
    at.segmented_control(key="scores_view").set_value("one").run()
    assert "of 8 other sessions rated by the rules" in words(at)
    assert not at.exception


def test_a_session_nobody_rated_bears_no_mark_of_a_judge() -> None:
    at = page_with(PAGE, rehearsed(6), cast=Cast(default=Voice(model="test-model", base_url="http://localhost:9/v1")))
    at.selectbox(key="scores_judge").set_value(MODEL).run()
    assert "In plain words" in words(at) and "Counted in the text by rules." in words(at)
    assert "Rated by a model" not in words(at) and "Read from the ratings" not in words(at)


def test_many_sessions_begin_with_a_judge_that_has_rated() -> None:
    session = in_library(rehearsed(6))
    card = rate(session, "ctrs").model_copy(update={"judge": MODEL.name, "kind": MODEL.kind})
    state.store().cards.save(card)
    at = page_with(PAGE, session)
    at.segmented_control(key="scores_view").set_value("many").run()
    assert at.selectbox(key="scores_many_judge").value == MODEL and "No session here" not in words(at)
    at.selectbox(key="scores_many_judge").set_value(tables.Judge(name="rules", kind="rule")).run()
    assert f"{MODEL.title} has given it." in words(at)


def test_how_a_job_ended_is_said_only_in_the_view_it_was_begun_in() -> None:
    at = scored(page_with(PAGE, rehearsed(2)))
    assert "Scored by the rules" in words(at)
    for view in ("many", "own"):
        at.segmented_control(key="scores_view").set_value(view).run()
        assert "Scored by the rules" not in words(at)
    at.segmented_control(key="scores_view").set_value("one").run()
    assert "Scored by the rules" in words(at)


def test_what_the_rules_count_is_shown_over_many_sessions_without_any_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [rehearsed(3, client, attitude=attitude) for client in range(2) for attitude in Attitude]
    read: list[str] = []
    monkeypatch.setattr("ui.state.scores.measures", lambda session: read.append(session.id) or measures(session))
    at = page_with(PAGE, *made)
    at.segmented_control(key="scores_view").set_value("many").run()
    options = at.selectbox(key="scores_figure").options
    for title in ("Counsellor's share of the words", "Open among all questions", "Reflections to each question",
                  "Words in a counsellor's message", "Distinct-2", "Technique mix: questioning"):  # fmt: skip
        assert f"Counted: {title}" in options
    own = {s.id: {m.name: m.value for m in measures(s)} for s in made}
    for name in ("talk-share", "words-client", "reflection-to-question", "distinct-2"):
        at.selectbox(key="scores_figure").set_value(f"count:{name}").run()
        assert not at.exception
        [spec] = figures(at)
        points = [trace["x"] for trace in spec["data"] if "<br>" not in str(trace.get("name")) and len(trace["x"]) == 2]
        expected = [
            sorted(v for s in made if s.profile.attitude == a and (v := own[s.id][name]) is not None) for a in Attitude
        ]
        assert sorted(map(sorted, points)) == [pytest.approx(of) for of in sorted(expected)], name
        assert [t.split("<br>")[-1] for t in spec["layout"]["yaxis"]["ticktext"]] == ["n = 2"] * 3
        low, high = spec["layout"]["xaxis"]["range"]
        assert low == 0 and all(v <= high for of in expected for v in of)
    assert sorted(read) == sorted(own), "every session was read once"
    assert "no judge" in words(at) and "Falls with length" in words(at) and "arXiv 2509.04183" in words(at)
    assert at.selectbox(key="scores_many_judge").disabled
    assert not any(b.key == "scores_rest" for b in at.button)
    assert state.store().cards.all() == []
    at.segmented_control(key="scores_by").set_value("Judge").run()
    assert figures(at)[0]["layout"]["yaxis"]["ticktext"] == ["All sessions<br>n = 6"]
    at.selectbox(key="scores_figure").set_value("ctrs").run()
    assert any(b.key == "scores_rest" for b in at.button) and not at.exception


def test_counting_many_sessions_goes_on_over_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [rehearsed(2, client) for client in range(3)]
    for session in made:
        state.store().save(session)
    entries = state.sessions.recent()
    found, left = state.scores.counted(entries, seconds=-1)
    assert (found, left) == ({}, 3)
    assert state.scores.counted(entries[:1], seconds=60)[1] == 0
    found, left = state.scores.counted(entries, seconds=-1)
    assert (list(found), left) == ([entries[0].id], 2)
    assert set(state.scores.counted(entries, seconds=60)[0]) == {s.id for s in made}


def test_numbers_of_rules_and_models_are_never_pooled() -> None:
    session = rehearsed(2)
    card = rate(session, "ctrs")
    other = card.model_copy(update={"judge": "rules", "kind": "model"})
    held = tables.newest([card, other])
    assert len(held) == 2 and {judge.title for _, judge in held} == {"Rules (indicator)", "rules (model)"}


def test_an_interval_covers_the_mean_and_is_left_out_where_sessions_are_few() -> None:
    assert tables.interval([1.0, 2.0, 3.0, 4.0]) is None
    values = [float(n) for n in range(30)]
    low, high = tables.interval(values) or (0.0, 0.0)
    assert low < 14.5 < high and 2.0 < high - low < 8.0
    assert tables.interval(values) == (low, high)
    group = tables.group("some", [1.0, None, 3.0])
    assert (group.n, group.missing, group.mean, group.low) == (2, 1, 2.0, None)


def test_a_percentile_counts_ties_half() -> None:
    assert tables.percentile(2.0, [1.0, 2.0, 3.0, 4.0]) == 0.375
    assert tables.percentile(2.0, []) is None


def test_a_planner_that_always_picks_the_same_has_collapsed() -> None:
    one, other = CbtTechnique.DECATASTROPHIZING, CbtTechnique.PIE_CHART
    found = tables.collapse([(one, (one,)), (one, (other,)), (one, (one, other)), (None, (other,)), (one, ())])
    assert (found.sessions, found.fitting, found.unnamed) == (4, 2, 1)
    assert found.picked[one] == 3 and found.called[other] == 2.5
    picked, called = found.varied
    assert picked == 1.0 and 1.9 < called < 2.0


# What scores say


def test_every_sign_and_measure_that_a_reading_names_exists() -> None:
    known, session = read("scores.yaml"), rehearsed(2)
    signs, names = set(read("signs.yaml")["signs"]), {measure.name for measure in measures(session)}
    assert set(known["ctrs"]["words"]) == set(known["ctrs"]["because"]) == {item.key for item in CTRS_11}
    for about in ("ctrs", "wai"):
        for reasons in known[about]["because"].values():
            assert all(r["sign"] in signs if "sign" in r else r["measure"] in names for r in reasons)
    assert all(rule["measure"] in names for rule in known["rules"])


def test_a_weak_point_is_named_with_its_reason() -> None:
    session = rehearsed(8)
    turns = tuple(t.model_copy(update={"response": "You should go for a walk. You must sleep more."}) for t in session.turns)
    spoiled = session.model_copy(update={"turns": turns})
    line = read_scores(spoiled, [rate(spoiled, "ctrs")])[0]
    assert line.tone == "little" and "Little strategy for change: few kinds of work on the problem are done" in line.text
    assert "also low: guided discovery" in line.text
    whole_session = rehearsed(20)
    whole = read_scores(whole_session, [rate(whole_session, name) for name in USUAL])
    assert [line.about for line in whole][:3] == ["ctrs", "wai", "panas"] and whole[0].text.startswith("Strong on")


# Scoring behind the pages


def settled(job: Job) -> None:
    wait_until(lambda: not job.look().live)


def scorer_of(store: Store) -> Scorer:
    return Scorer(Engine(), store.cards.save, store.cards.of, store.session, 8)


def judge_of(server: LlmServer, **more: Any) -> Order:
    cast = Cast(default=Voice(model="test-model", base_url=server.url))
    return Order("test-model", sheets_of(USUAL), lambda limit: open_models(cast, limit), samples=1, **more)


def test_a_model_judges_behind_the_page_and_can_be_stopped(endpoint: Start, tmp_path: Path) -> None:
    store, session = Store(f"sqlite:///{tmp_path / 'own.db'}"), rehearsed(2)
    store.save(session)
    scorer = scorer_of(store)
    job = scorer.start([session], judge_of(endpoint()), owner="anna")
    settled(job)
    now = job.look()
    assert (now.state, now.rated, now.total, len(now.cards)) == ("done", 58, 58, 4)
    assert {card.kind for card in store.cards.of(session.id)} == {"model"}
    slow = scorer.start([session], judge_of(server := endpoint(held_after=0)), owner="anna")
    wait_until(lambda: server.record.in_flight)
    scorer.stop(slow)
    settled(slow)
    assert slow.look().state == "stopped" and len(store.cards.of(session.id)) == 4


@pytest.mark.parametrize("many", [True, False])
def test_scoring_that_another_window_began_is_seen_and_can_be_stopped(endpoint: Start, many: bool) -> None:
    session = in_library(rehearsed(2))
    server = endpoint(held_after=0)
    job = state.scorer().start([session.id if many else session], judge_of(server), owner="a window that was closed")
    wait_until(lambda: server.record.in_flight)
    at = fresh(PAGE)
    at.query_params["view"] = "many" if many else "one"
    at.run()
    at.button(key="scores_stop").click().run()
    settled(job)
    assert not at.exception and job.look().state == "stopped" and state.store().cards.of(session.id) == []


def test_a_judge_that_is_not_there_leaves_ratings_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magnet_core.models.calls._pause", lambda failures, retry_after: 0.0)
    store, session = Store(f"sqlite:///{tmp_path / 'own.db'}"), rehearsed(2)
    store.save(session)
    cast = Cast(default=Voice(model="test-model", base_url="http://127.0.0.1:9/v1"))
    order = Order("test-model", sheets_of(["ctrs"]), lambda limit: open_models(cast, limit))
    job = scorer_of(store).start([session], order, owner="anna")
    settled(job)
    assert job.look().missing == 6 and all(r.value is None for r in store.cards.of(session.id)[0].ratings)


def test_a_session_is_scored_along_without_holding_up_its_turns(endpoint: Start, tmp_path: Path) -> None:
    store, session = Store(f"sqlite:///{tmp_path / 'own.db'}"), rehearsed(6)
    store.save(session)
    scorer = scorer_of(store)
    scorer.go_along(session.id, 2, judge_of(server := endpoint(held_after=0)), "anna")
    for turns in range(1, 7):
        scorer.turn_kept(session.upto(turns))
    jobs = scorer.jobs_on(session.id)
    assert len(jobs) == 3 and all(job.look().live for job in jobs), "no turn waits for a judge"
    server.go_on()
    for job in jobs:
        settled(job)
    cards = store.cards.of(session.id)
    assert sorted(card.turns for card in cards if card.instrument == "ctrs") == [2, 4, 6]
    assert [card.turns for card in cards if card.instrument == "panas-before"] == [2]
    assert scorer.along(session.id) == 0


def test_a_judge_leaves_places_for_the_turns(endpoint: Start, tmp_path: Path) -> None:
    store, session = Store(f"sqlite:///{tmp_path / 'own.db'}"), rehearsed(2)
    store.save(session)
    server = endpoint(first_token=0.05, held_after=0)
    job = scorer_of(store).start([session], judge_of(server), owner="anna")
    wait_until(lambda: server.record.in_flight == 4)
    server.go_on()
    settled(job)
    assert server.record.max_in_flight == 4


def test_a_session_that_is_gone_does_not_stop_the_others(tmp_path: Path) -> None:
    store, session = Store(f"sqlite:///{tmp_path / 'own.db'}"), rehearsed(2)
    store.save(session)
    job = scorer_of(store).start(["nosuch", session.id], Order("rules", sheets_of(["ctrs"])), owner="anna")
    settled(job)
    now = job.look()
    assert now.state == "done" and "nosuch" in now.error and (now.rated, now.total) == (6, 6)


# On the session page


def test_the_session_page_counts_and_scores_along() -> None:
    at = fresh(address={"audience": state.view.RESEARCHER}, pace="At once", side="Scores").run()
    assert "Counted from the first turn on" in words(at)
    at.number_input(key="want_turns").set_value(8).run()
    [switch] = [t for t in at.toggle if (t.key or "").startswith("along_on_")]
    switch.set_value(True).run()
    at.button(key="play").click().run()
    until(at, lambda at: at.button(key="stop").disabled)
    id = (switch.key or "").removeprefix("along_on_")
    wait_until(lambda: {c.turns for c in state.store().cards.of(id) if c.instrument == "ctrs"} == {4, 8})
    at.run()
    shown = words(at)
    for title in ("Counsellor&#x27;s share of the words", "Open questions", "Distinct-3", "EAD", "Plan steps touched"):
        assert title in shown
    assert "Rules (indicator), after turn 8" in shown and shown.count("Source: ") >= 5


# Own rubrics


def test_a_rubric_needs_a_name_a_question_and_both_ends() -> None:
    with pytest.raises(ValueError, match="say what 0 and 4 mean"):
        Rubric(id="rubric-x", title="X", question="Q?", high=4, anchors={0: "No."})
    with pytest.raises(ValueError, match="above where it begins"):
        Rubric(id="rubric-x", title="X", question="Q?", low=3, high=3, anchors={3: "No."})
    assert rubric_id("Über-empathy: yes!") == "rubric-uber-empathy-yes" and rubric_id("???") == "rubric-own"


def test_rubrics_are_kept_changed_and_deleted(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'own.db'}")
    store.rubrics.save(RUBRIC)
    changed = RUBRIC.model_copy(update={"title": "Culture and family"})
    store.rubrics.save(changed)
    assert store.rubrics.all() == [changed]
    store.rubrics.delete(RUBRIC.id)
    assert store.rubrics.all() == []


@pytest.mark.anyio
async def test_a_model_rates_by_a_rubric_and_the_rules_cannot(endpoint: Start) -> None:
    session = await asyncio.to_thread(rehearsed, 2)
    server = endpoint()
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        [*_, last] = [event async for event in score(session, RUBRIC.sheet, models)]
    card: Scorecard = last.card  # type: ignore[union-attr]
    assert card.instrument == RUBRIC.id and card.items == (RUBRIC.item,) and 0 <= (card.ratings[0].value or 0) <= 4
    assert "Is culture taken up?" in json.dumps(server.record.bodies[0])
    assert Scorecard.model_validate_json(card.model_dump_json()) == card
    with pytest.raises(Exception, match="needs a model"):
        [_ async for _ in score(session, RUBRIC.sheet, None)]


def test_a_rubric_is_built_tried_and_used(endpoint: Start) -> None:
    server, session = endpoint(), rehearsed(2)
    at = page_with(PAGE, session, cast=Cast(default=Voice(model="test-model", base_url=server.url)))
    at.segmented_control(key="scores_view").set_value("own").run()
    at.button(key="rubric_save").click().run()
    assert "Give it a name." in words(at) and "Say what 0 means." in words(at)
    at.text_input(key="rubric_title").set_value("Cultural sensitivity")
    at.text_area(key="rubric_question").set_value("Does the counsellor take up <b>background</b>?")
    at.number_input(key="rubric_high").set_value(4).run()
    at.text_input(key="rubric_anchor_0").set_value("Never.")
    at.text_input(key="rubric_anchor_4").set_value("Wherever it fits.").run()
    assert "Give it a name." not in words(at)
    at.button(key="rubric_try").click().run()
    until(at, lambda at: "What it gave" in words(at))
    assert state.store().cards.of(session.id) == []
    at.button(key="rubric_save").click().run()
    [rubric] = state.store().rubrics.all()
    assert at.text_input(key="rubric_title").value == rubric.title and "Saved as it stands here." in words(at)
    at.button(key="rubric_try").click().run()
    assert "Give it a name." not in words(at), "what is saved stays in the form and can be tried"
    until(at, lambda at: not at.button(key="rubric_try").disabled)
    assert at.button(key="rubric_leave").label == "Begin a new one"
    assert rubric.anchors == {0: "Never.", 4: "Wherever it fits."} and "&lt;b&gt;background" in words(at)
    at.segmented_control(key="scores_view").set_value("one").run()
    at.selectbox(key="scores_judge").set_value(tables.Judge(name="test-model", kind="model")).run()
    at.pills(key="scores_instruments_model").set_value([rubric.id]).run()
    at.button(key="scores_go").click().run()
    until(at, lambda at: any(b.key == "scores_go" for b in at.button) and bool(state.store().cards.of(session.id)))
    assert [card.instrument for card in state.store().cards.of(session.id)] == [rubric.id]
    at.run()
    at.session_state["scores_tab"] = "Own"
    at.run()
    assert "Cultural sensitivity" in words(at) and "of 4" in words(at)
    assert not at.exception


def test_without_a_model_a_rubric_can_be_saved_but_not_tried() -> None:
    at = page_with(PAGE, rehearsed(2))
    at.segmented_control(key="scores_view").set_value("own").run()
    assert at.button(key="rubric_try").disabled and "needs a language model" in words(at)


def test_a_packs_judges_prompts_are_used_where_they_are_chosen(endpoint: Start) -> None:
    server, session = endpoint(), rehearsed(2)
    mine = wordings.texts()["ctrs/focus"].model_copy(update={"system": "Focus: my own question?\n\n0: None.\n6: All."})
    state.store().packs.new("Strict", [mine])
    at = page_with(PAGE, session, cast=Cast(default=Voice(model="test-model", base_url=server.url)))
    strict = tables.Judge(name="test-model", kind="model", words="“Strict”")
    at.selectbox(key="scores_judge").set_value(strict).run()
    at.pills(key="scores_instruments_model").set_value(["ctrs", "wai"]).run()
    at.button(key="scores_go").click().run()
    until(at, lambda at: any(b.key == "scores_go" for b in at.button) and len(state.store().cards.of(session.id)) == 2)
    hashes = {card.instrument: card.prompt_sha for card in state.store().cards.of(session.id)}
    assert hashes["wai"] == sheet("wai").sha and hashes["ctrs"] == wordings.reworded(sheet("ctrs"), [mine]).sha
    assert any("my own question?" in str(body) for body in server.record.bodies)
    at.run()
    told = words(at)
    assert "Rated in other words than ours: “Strict”" in told
    assert set(state.scores.by_judge(state.store().cards.of(session.id))[session.id, strict]) == {"ctrs", "wai"}
    state.store().packs.delete("strict")
    at.run()
    unknown = tables.Judge(name="test-model", kind="model", words=f"words {hashes['ctrs'][:6]}")
    assert (
        set(state.scores.by_judge(state.store().cards.of(session.id))[session.id, unknown]) == {"ctrs"} and not at.exception
    )
    at.selectbox(key="scores_judge").set_value(tables.Judge(name="rules", kind="rule")).run()
    at.button(key="scores_go").click().run()
    until(at, lambda at: any(c.kind == "rule" for c in state.store().cards.of(session.id)))
