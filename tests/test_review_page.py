"""The review page without a browser: pairs are put together, raters answer blind, a local server's model reads, results are shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice
from magnet_core.domain import Session
from magnet_core.scoring import results
from magnet_core.scoring.aspects import Pair, case_of, flipped, form
from tests.llm_server import LlmServer
from tests.test_scores_page import rehearsed, words
from ui import pair_judging, rating, state

ROOT = Path(__file__).parent.parent
PAGE = "pages/judge/review.py"
QUESTIONS = [question.key for question in form().questions]
Start = Callable[..., LlmServer]


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a library of its own and the built-in cast."""
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'library.db'}")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAGNET_MODEL"):
        monkeypatch.setenv(name, "")
    st.cache_resource.clear()


def stored(clients: int = 2, methods: tuple[str, ...] = ("magnet", "plain")) -> list[Session]:
    sessions = [rehearsed(8, client, method=method) for client in range(clients) for method in methods]
    for session in sessions:
        state.store().save(session)
    return sessions


def queued(sessions: list[Session]) -> list[Pair]:
    pairs = [Pair.of(case_of(one), case_of(two)) for one, two in zip(sessions[::2], sessions[1::2], strict=True)]
    state.store().reviews.add_pairs(pairs)
    return state.store().reviews.pairs()


def opened(through_app: bool = True, view: str = "rate", **address: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / ("app.py" if through_app else PAGE)), default_timeout=30)
    for name, value in address.items():
        at.query_params[name] = value
    if through_app:
        at.run()
        at.switch_page(PAGE)
    at.session_state["review_view"] = view
    at.run()
    assert not at.exception
    return at


def come(at: AppTest, rater: str = "owl") -> AppTest:
    at.text_input(key="review_name").set_value(rater)
    next(b for b in at.button if b.label == "Begin").click().run()
    assert not at.exception
    return at


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


@pytest.mark.parametrize("through_app", [True, False])
def test_an_empty_library_says_what_will_be_here(through_app: bool) -> None:
    at = opened(through_app)
    assert "Compare sessions blind" in words(at)
    assert "No pair is waiting" in words(come(at))
    at.session_state["review_view"] = "pairs"
    assert "Nothing to compare yet" in words(at.run())
    at.session_state["review_view"] = "results"
    assert "Nobody has rated yet" in words(at.run()) and not at.exception


@pytest.mark.parametrize("through_app", [True, False])
def test_from_pairs_to_results(through_app: bool) -> None:
    stored()
    at = opened(through_app, "pairs")
    assert at.multiselect(key="pairs_makers").value == ["MAGneT · rehearsal", "Plain · rehearsal"]
    press(at, "pairs_add")
    assert len(state.store().reviews.pairs()) == 2 and at.button(key="pairs_add").disabled
    at.session_state["review_view"] = "rate"
    come(at.run())
    for n in range(2):
        for _ in QUESTIONS:
            press(at, "review_A" if n else "review_tie")
    assert "All pairs are rated" in words(at)
    at.session_state["review_view"] = "results"
    at.run()
    assert not at.exception
    shown = words(at)
    assert "Rated by people" in shown and "2 pairs, 1 rater, 20 verdicts" in shown and "77.2 %" in shown
    [figure] = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [0.5, 0.772]
    [second] = [
        p
        for p in state.store().reviews.pairs()
        if all(r.winner("safety") != "tie" for r in state.store().reviews.reviews() if r.pair == p.id)
    ]
    won = second.on("A", flipped(second.id, "owl")).maker
    assert set(figure["data"][0]["x"]) == {1.0 if won.startswith("MAGneT") else 0.0}


def test_an_answer_goes_on_is_cleared_and_comes_back() -> None:
    queued(stored(1))
    at = come(opened())
    assert f'data-question="{QUESTIONS[0]}"' in words(at) and at.button(key="review_undo").disabled
    [pair] = state.store().reviews.pairs()
    at.text_input(key=f"review_reason_0_{pair.id}_{QUESTIONS[0]}").set_value("Asks first.").run()
    press(at, "review_B")
    assert f'data-question="{QUESTIONS[1]}"' in words(at)
    [said] = state.store().reviews.reviews("owl")
    assert said.verdicts[QUESTIONS[0]].choice == "B" and said.verdicts[QUESTIONS[0]].reason == "Asks first."
    press(at, f"review_q_{QUESTIONS[0]}")
    assert at.text_input(key=f"review_reason_0_{pair.id}_{QUESTIONS[0]}").value == "Asks first."
    press(at, "review_clear")
    assert state.store().reviews.reviews("owl")[0].verdicts == {}
    press(at, "review_undo")
    assert state.store().reviews.reviews("owl") == [said] and f'data-question="{QUESTIONS[0]}"' in words(at)
    assert at.text_input(key=f"review_reason_0_{pair.id}_{QUESTIONS[0]}").value == "Asks first."
    at.text_input(key=f"review_reason_0_{pair.id}_{QUESTIONS[0]}").set_value("Asks, then listens.").run()
    assert state.store().reviews.reviews("owl")[0].verdicts[QUESTIONS[0]].reason == "Asks, then listens."
    at.toggle(key="review_auto").set_value(False).run()
    press(at, "review_tie")
    assert f'data-question="{QUESTIONS[0]}"' in words(at)


def test_a_turn_can_be_commented_on() -> None:
    queued(stored(1))
    at = come(opened())
    [pair] = state.store().reviews.pairs()
    at.session_state["review_comment"] = True
    at.run()
    at.number_input(key="review_turn").set_value(3).run()
    at.text_input(key=f"review_text_{pair.id}").set_value("Too fast.")
    next(b for b in at.button if b.label == "Keep the comment").click().run()
    assert not at.exception
    [said] = state.store().reviews.reviews("owl")
    assert [(c.side, c.turn, c.text) for c in said.comments] == [("A", 3, "Too fast.")]
    assert "You commented on this turn" in words(at)
    press(at, "review_drop_0")
    assert state.store().reviews.reviews("owl")[0].comments == ()


def test_several_raters_have_queues_of_their_own() -> None:
    queued(stored(1))
    at = come(opened())
    [pair] = state.store().reviews.pairs()
    at.text_input(key=f"review_reason_0_{pair.id}_{QUESTIONS[0]}").set_value("Mine alone.").run()
    press(at, "review_A")
    press(at, "review_leave")
    come(at, "fox")
    assert "Mine alone." not in repr(at.main)
    assert f'data-question="{QUESTIONS[0]}"' in words(at) and at.button(key="review_undo").disabled
    press(at, "review_B")
    assert {r.rater: list(r.verdicts) for r in state.store().reviews.reviews()} == {
        "owl": QUESTIONS[:1],
        "fox": QUESTIONS[:1],
    }


def test_an_address_for_raters_shows_the_desk_alone_and_no_names() -> None:
    sessions = stored(1)
    queued(sessions)
    at = AppTest.from_file(str(ROOT / PAGE), default_timeout=30)
    at.query_params["rate"] = "only"
    come(at.run())
    assert not any(getattr(one, "key", "") == "review_view" for one in at.main)
    everything = repr(at.main)
    for name in ("MAGneT", "magnet", "Plain", "rehearsal", *(session.id for session in sessions)):
        assert name not in everything
    assert "pairs_add" not in everything and "reviewed_csv" not in everything


def test_a_session_that_is_gone_is_said_and_passed() -> None:
    sessions = stored()
    queued(sessions)
    at = come(opened())
    state.store().delete(sessions[0].id)
    state.store().delete(sessions[2].id)
    at.run()
    assert "no longer kept" in words(at) and not at.exception
    press(at, "review_after")
    assert "no longer kept" in words(at)


def test_a_dialogue_shows_words_alone_and_escapes_them() -> None:
    session = rehearsed(2)
    turn = session.turns[0].model_copy(update={"response": "<script>alert(1)</script>"})
    session = session.model_copy(update={"turns": (turn, *session.turns[1:])})
    pair = Pair.of(case_of(session), case_of(rehearsed(2, method="plain")))
    shown = rating.dialogue(session, "A", rating.blank(pair, "owl", form()))
    assert "&lt;script&gt;" in shown and "<script" not in shown and "chip" not in shown and session.id not in shown


def by_server(at: AppTest, server: LlmServer) -> None:
    voice = Voice(model="test-model", base_url=server.url)
    at.session_state["cast"] = Cast(default=voice)
    at.run()


def judged(at: AppTest) -> Any:
    end = time.monotonic() + 20
    while at.session_state["pairs_job"].look().live:
        assert time.monotonic() < end
        time.sleep(0.05)
    at.run()
    assert not at.exception
    return at.session_state["pairs_job"].look()


def test_a_model_reads_in_both_orders_and_is_never_mixed_with_people(endpoint: Start) -> None:
    def answer(body: dict[str, Any], number: int) -> str:
        keys = body["response_format"]["json_schema"]["schema"]["properties"]
        return json.dumps({key: {"reason": "First.", "choice": "A"} for key in keys})

    server = endpoint(answer=answer)
    queued(stored(2))
    at = opened(view="pairs")
    assert "cannot judge" in words(at)
    by_server(at, server)
    press(at, "pairs_judge")
    now = judged(at)
    assert (now.state, now.done, now.errors) == ("done", 2, ()) and server.record.calls == 4
    assert at.button(key="pairs_judge").disabled
    reviews = state.store().reviews.reviews()
    assert len(reviews) == 4 and results.by_people(reviews) == []
    at.session_state["review_view"] = "results"
    at.run()
    assert not at.exception
    shown = words(at)
    assert "Rated by a model, not by people" in shown and "<b>20</b> flipped" in shown


def test_an_endpoint_that_fails_is_said_and_leaves_nothing_half(endpoint: Start) -> None:
    server = endpoint(status=401, body='{"error": {"message": "Wrong key."}}')
    queued(stored(1))
    at = opened(view="pairs")
    by_server(at, server)
    press(at, "pairs_judge")
    now = judged(at)
    assert now.state == "failed" and now.errors and state.store().reviews.reviews() == []
    assert "could not go on" in words(at)


def test_a_model_can_be_stopped(endpoint: Start) -> None:
    server = endpoint(first_token=30)
    queued(stored(1))
    at = opened(view="pairs")
    by_server(at, server)
    at.button(key="pairs_judge").click().run()
    job: pair_judging.PairJob = at.session_state["pairs_job"]
    job.stop()
    assert judged(at).state == "stopped" and state.store().reviews.reviews() == []
