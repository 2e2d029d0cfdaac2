"""The review page without a browser: pairs are put together, raters answer blind, a local server's model reads, results are shown."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice
from magnet_core.domain import Session
from magnet_core.lab import wordings
from magnet_core.meter import Limit
from magnet_core.scoring import results
from magnet_core.scoring.aspects import OVERALL, Comment, Pair, Review, Verdict, flipped, form
from magnet_core.scoring.queue import case_of, in_order, pairs_among
from magnet_core.session import fork
from magnet_core.store.reviews import Reviews
from tests.fakes import rehearsed, reworded
from tests.llm_server import LlmServer, Start
from tests.screen import fresh, job_done, page_with, press, words
from ui import state
from ui.review import agreement, desk_keys, rater, rating
from ui.review.desk_keys import Press
from ui.state.desk import Place

PAGE = "pages/judge/review.py"
QUESTIONS = [question.key for question in form().questions]


def stored(clients: int = 2, methods: tuple[str, ...] = ("magnet", "plain")) -> list[Session]:
    sessions = [
        reworded(rehearsed(8, client, method=method), f"This is way {n}.")
        for client in range(clients)
        for n, method in enumerate(methods)
    ]
    for session in sessions:
        state.store().save(session)
    return sessions


def queued(sessions: list[Session]) -> list[Pair]:
    pairs = [Pair.of(case_of(one), case_of(two)) for one, two in zip(sessions[::2], sessions[1::2], strict=True)]
    state.store().reviews.add_pairs(pairs)
    return state.store().reviews.pairs()


def opened(through_app: bool = True, view: str = "rate", **address: str) -> AppTest:
    return page_with(PAGE, through_app=through_app, address=address, review_view=view)


def come(at: AppTest, rater: str = "owl") -> AppTest:
    at.text_input(key="review_name").set_value(rater)
    next(b for b in at.button if b.label == "Begin").click().run()
    assert not at.exception
    return at


def answer(at: AppTest, choice: str) -> AppTest:
    """Press one of the three answers to the question that is shown."""
    return press(at, next(b.key for b in at.button if b.key and re.match(rf"review_{choice}_[0-9a-f]{{12}}_", b.key)))


def said_by(rater: str = "owl") -> list[Review]:
    return state.store().reviews.reviews(rater)


def rated(pairs: list[Pair], who: str, choice: Any, keys: list[str] | None = None, **more: Any) -> None:
    """Keep what somebody says about pairs; `choice` may be a maker's method, for whom it is then."""
    for pair in pairs:
        turned = flipped(pair.id, who)
        side = choice if choice in ("A", "B", "tie") else "A" if pair.on("A", turned).maker.method == choice else "B"
        verdict = Verdict(choice=side, reason=more.get("reason", ""))
        review = rater.blank(pair.id, who, form())
        state.store().reviews.save(review.model_copy(update={"verdicts": dict.fromkeys(keys or QUESTIONS, verdict)}))


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
    assert at.multiselect(key="pairs_makers").options == ["MAGneT (2)", "Plain (2)"]
    press(at, "pairs_add")
    assert len(state.store().reviews.pairs()) == 2 and at.button(key="pairs_add").disabled
    at.session_state["review_view"] = "rate"
    come(at.run())
    for n in range(2):
        for _ in QUESTIONS:
            answer(at, "A" if n else "tie")
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
    assert set(figure["data"][0]["x"]) == {1.0 if won.method == "magnet" else 0.0}


def test_an_answer_goes_on_is_cleared_and_comes_back() -> None:
    queued(stored(1))
    at = come(opened())
    assert f'data-question="{QUESTIONS[0]}"' in words(at) and at.button(key="review_undo").disabled
    [pair] = state.store().reviews.pairs()
    at.text_input(key=f"review_reason_0_{pair.id}_{QUESTIONS[0]}").set_value("Asks first.").run()
    answer(at, "B")
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
    answer(at, "tie")
    assert f'data-question="{QUESTIONS[0]}"' in words(at)


def test_a_turn_can_be_commented_on() -> None:
    queued(stored(1))
    at = come(opened())
    [pair] = state.store().reviews.pairs()
    at.session_state["review_comment"] = True
    at.run()
    at.number_input(key="review_turn").set_value(3).run()
    at.text_input(key=f"review_text_0_{pair.id}_A_3").set_value("Too fast.").run()
    press(at, "review_add")
    assert at.text_input(key=f"review_text_0_{pair.id}_A_3").value == "" and "began to write" not in words(at)
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
    answer(at, "A")
    press(at, "review_leave")
    come(at, "fox")
    assert "Mine alone." not in repr(at.main)
    assert f'data-question="{QUESTIONS[0]}"' in words(at) and at.button(key="review_undo").disabled
    answer(at, "B")
    assert {r.rater: list(r.verdicts) for r in state.store().reviews.reviews()} == {
        "owl": QUESTIONS[:1],
        "fox": QUESTIONS[:1],
    }


@pytest.mark.parametrize("through_app", [True, False])
def test_an_address_for_raters_shows_the_desk_alone_and_no_names(through_app: bool) -> None:
    sessions = stored(1)
    queued(sessions)
    at = come(fresh("app.py" if through_app else PAGE, {"rate": "only"}).run())
    assert not any(getattr(one, "key", "") == "review_view" for one in at.main)
    assert "Not treatment" in words(at) if through_app else True
    everything = repr(at.main)
    for name in ("MAGneT", "magnet", "Plain", "rehearsal", *(session.id for session in sessions)):
        assert name not in everything
    assert "pairs_add" not in everything and "reviewed_csv" not in everything


def test_a_pair_that_lost_a_session_is_passed_over_and_its_id_is_not_shown() -> None:
    sessions = stored(3)
    queued(sessions)
    shown = in_order(state.store().reviews.pairs())
    gone = shown[0].one.session
    at = come(opened())
    assert "Pair 1 of 3" in words(at)
    state.store().delete(gone)
    at.run()
    assert "Pair 1 of 2" in words(at) and "0 of 2 rated" in words(at) and gone not in repr(at.main)
    answer(at, "A")
    assert [review.pair for review in said_by()] == [shown[1].id]
    at.session_state["review_view"] = "pairs"
    at.run()
    assert "1 pair has lost a session" in words(at) and not at.exception
    assert list(at.dataframe[0].value["Shown"]).count("yes") == 2


def test_a_session_that_cannot_be_read_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    queued(stored(2))
    first, second = in_order(state.store().reviews.pairs())
    read = state.desk.session
    monkeypatch.setattr(state.desk, "session", lambda id: None if id == first.two.session else read(id))
    at = come(opened())
    assert "Pair 1 of 1" in words(at) and first.two.session not in repr(at.main)
    answer(at, "A")
    assert [review.pair for review in said_by()] == [second.id]


def test_two_windows_of_a_rater_do_not_overwrite_each_other() -> None:
    [pair] = queued(stored(1))
    one, two = come(opened()), come(opened())
    answer(one, "A")
    press(one, f"review_q_{QUESTIONS[1]}")
    answer(two, "B")  # the window still shows the first question, and has not read the other's answer
    answer(one, "tie")
    press(two, f"review_q_{QUESTIONS[5]}")
    answer(two, "A")
    [said] = said_by()
    assert {key: verdict.choice for key, verdict in said.verdicts.items()} == {
        QUESTIONS[0]: "B", QUESTIONS[1]: "tie", QUESTIONS[5]: "A",
    }  # fmt: skip
    press(two, f"review_q_{QUESTIONS[1]}")
    field = f"review_reason_0_{pair.id}_{QUESTIONS[1]}"
    two.text_input(key=field).set_value("Because.").run()
    press(one, f"review_q_{QUESTIONS[1]}")
    assert one.text_input(key=field).value == "Because."
    answer(one, "A")
    assert said_by()[0].verdicts[QUESTIONS[1]] == Verdict(choice="A", reason="Because.")


def test_undo_reaches_back_into_an_earlier_visit() -> None:
    queued(stored(1))
    answer(answer(come(opened()), "A"), "B")
    again = come(opened(), "OWL ")
    press(again, "review_undo")
    assert list(said_by()[0].verdicts) == QUESTIONS[:1] and f'data-question="{QUESTIONS[1]}"' in words(again)
    press(again, "review_undo")
    assert said_by() == [] and again.button(key="review_undo").disabled


def test_a_pseudonym_is_said_to_be_new_or_known_in_whichever_capitals() -> None:
    pairs = queued(stored(2))
    rated(pairs[:1], "Owl", "A")
    assert "<b>fox</b> is new here" in words(come(opened(), "fox"))
    at = come(opened(), "oWL")
    assert "<b>Owl</b> has rated 1 of 2 pairs" in words(at)
    for _ in QUESTIONS:
        answer(at, "B")
    assert {review.rater for review in state.store().reviews.reviews()} == {"Owl"} and len(said_by("Owl")) == 2
    assert "has rated" not in words(at)


def test_a_reload_keeps_rater_pair_question_and_the_reason_that_waits() -> None:
    queued(stored(2))
    at = come(opened())
    press(at, "review_after")
    press(at, f"review_q_{QUESTIONS[3]}")
    second = in_order(state.store().reviews.pairs())[1]
    field = f"review_reason_0_{second.id}_{QUESTIONS[3]}"
    at.text_input(key=field).set_value("Half a thought").run()
    place = {name: at.query_params[name] for name in ("rater", "pair", "question")}
    place = {name: value[0] if isinstance(value, list) else value for name, value in place.items()}
    assert place == {"rater": "owl", "pair": second.id, "question": QUESTIONS[3]}
    again = fresh(PAGE, place).run()
    assert not again.exception and "You are back as <b>owl</b>" in words(again) and "Pair 2 of 2" in words(again)
    assert again.text_input(key=field).value == "Half a thought"
    answer(again, "B")
    [said] = said_by()
    assert said.pair == second.id and said.verdicts == {QUESTIONS[3]: Verdict(choice="B", reason="Half a thought")}
    assert state.store().reviews.drafts("owl", second.id) == {}
    press(again, "review_leave")
    assert "Your pseudonym" in [field.label for field in again.text_input] and "rater" not in again.query_params


def test_quick_keys_count_for_the_questions_they_were_pressed_at_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys of a burst come in one message; none of them reaches the next pair, and none counts twice."""
    queued(stored(2))
    first, second = in_order(state.store().reviews.pairs())
    sent: list[Press] = []
    monkeypatch.setattr(desk_keys, "listen", lambda data, pressed, picked: list(sent))
    at = come(opened())
    sent += [Press(n, "", first.id, key, "A" if n % 2 else "B") for n, key in enumerate(QUESTIONS[:4], 1)]
    sent += [Press(5, "", first.id, "", "undo"), Press(6, "", first.id, "", "tie")]
    token = rater_stamp("owl")
    sent[:] = [replace(one, token=token) for one in sent]
    at.run()
    assert not at.exception
    [said] = said_by()
    assert {key: verdict.choice for key, verdict in said.verdicts.items()} == {
        QUESTIONS[0]: "A", QUESTIONS[1]: "B", QUESTIONS[2]: "A", QUESTIONS[3]: "tie",
    }  # fmt: skip
    press(at, "review_undo")
    assert len(said_by()[0].verdicts) == 3  # the keys are still in the message and are not done again
    sent += [
        Press(7, "", second.id, "nonsense", "A"),
        Press(8, "", "gone", QUESTIONS[0], "A"),
    ]
    at.run()
    assert len(said_by()) == 1 and len(said_by()[0].verdicts) == 3


def test_a_key_pressed_while_the_connection_was_lost_is_kept_by_the_next_browser_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The browser sends what it holds again: what was kept already is not done twice, what was not is done."""
    [pair] = queued(stored(1))
    sent: list[Press] = []
    monkeypatch.setattr(desk_keys, "listen", lambda data, pressed, picked: list(sent))
    answer(come(opened()), "A")
    done, token = Press(1, "an earlier change", pair.id, QUESTIONS[0], "B"), rater_stamp("owl")
    sent += [done, Press(2, token, pair.id, QUESTIONS[1], "B")]
    again = fresh(PAGE, {"rater": "owl"}).run()
    assert not again.exception
    assert {key: verdict.choice for key, verdict in said_by()[0].verdicts.items()} == {QUESTIONS[0]: "A", QUESTIONS[1]: "B"}


def test_a_key_that_another_window_has_overtaken_is_not_taken_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    [pair] = queued(stored(1))
    sent: list[Press] = []
    monkeypatch.setattr(desk_keys, "listen", lambda data, pressed, picked: list(sent))
    one, two = come(opened()), come(opened())
    early = rater_stamp("owl")
    answer(one, "A")
    sent.append(Press(1, early, pair.id, QUESTIONS[0], "B"))
    two.run()
    assert "changed in another window, so this key was not taken" in two.warning[0].value
    assert said_by()[0].verdicts[QUESTIONS[0]].choice == "A"
    sent.append(Press(2, rater_stamp("owl"), pair.id, QUESTIONS[1], "B"))
    two.run()
    assert not two.warning and said_by()[0].verdicts[QUESTIONS[1]].choice == "B"


def test_keys_that_two_drawings_bring_at_once_are_taken_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, _ = queued(stored())
    burst = [Press(n, rater_stamp("owl"), pair.id, key, "A") for n, key in enumerate(QUESTIONS, 1)]
    here, change = Place(rater="owl", pair=pair.id), Reviews.change
    first, later = threading.Event(), threading.Event()

    def slow(self: Reviews, *args: Any) -> Review:
        if not first.is_set():
            first.set()
            later.wait(0.5)  # as long as the later drawing would take, if it did not wait for this one
        return change(self, *args)

    def drawing(presses: list[Press]) -> None:
        rater.take(here, presses)
        later.set()

    monkeypatch.setattr(Reviews, "change", slow)
    drawings = [threading.Thread(target=drawing, args=(presses,)) for presses in (burst[:3], burst)]
    for one in drawings:
        one.start()
        assert first.wait(60)
    for one in drawings:
        one.join()
    assert [verdict.choice for verdict in said_by()[0].verdicts.values()] == ["A"] * len(QUESTIONS)
    assert (here.pair, here.looked, here.seen) == ("", ("", ""), len(QUESTIONS)), "the next pair is shown"


def rater_stamp(who: str) -> str:
    return f"{state.store().reviews.changed(who):.6f}"


def test_a_dialogue_shows_words_alone_and_escapes_them() -> None:
    session = rehearsed(2)
    turn = session.turns[0].model_copy(update={"response": "<script>alert(1)</script>"})
    session = session.model_copy(update={"turns": (turn, *session.turns[1:])})
    pair = Pair.of(case_of(session), case_of(rehearsed(2, method="plain")))
    shown = rating.dialogue(session, "A", rater.blank(pair.id, "owl", form()))
    assert "&lt;script&gt;" in shown and "<script" not in shown and "chip" not in shown and session.id not in shown


def by_server(at: AppTest, server: LlmServer) -> None:
    voice = Voice(model="test-model", base_url=server.url)
    at.session_state["cast"] = Cast(default=voice)
    at.run()


def judged(at: AppTest) -> Any:
    job_done(at, "pairs_job")
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
    assert "4 calls answered · tokens" in words(at) and "price –" in words(at)
    assert "has read all 2 pairs in both orders" in words(at) and not [b for b in at.button if b.key == "pairs_judge"]
    reviews = state.store().reviews.reviews()
    assert len(reviews) == 4 and results.by_people(reviews) == []
    at.session_state["review_view"] = "results"
    at.run()
    assert not at.exception
    shown = words(at)
    assert "Rated by a model, not by people" in shown and "<b>20</b> flipped" in shown
    assert "test-model decided nothing: of 20 verdicts, 20 turned round with the order" in shown
    assert "ratings so far are ties" not in shown and not at.get("plotly_chart")


def test_a_model_told_the_words_of_a_pack_is_another_reader(endpoint: Start) -> None:
    def answer(body: dict[str, Any], number: int) -> str:
        keys = body["response_format"]["json_schema"]["schema"]["properties"]
        return json.dumps({key: {"reason": "So.", "choice": "tie"} for key in keys})

    server = endpoint(answer=answer)
    queued(stored(1))
    task = wordings.texts()["pairs/task"].model_copy(update={"system": "MY TASK"})
    state.store().packs.new("Strict", [task])
    at = opened(view="pairs")
    by_server(at, server)
    press(at, "pairs_judge")
    judged(at)
    assert not [b for b in at.button if b.key == "pairs_judge"]
    at.selectbox(key="pairs_words").set_value("strict").run()
    press(at, "pairs_judge")
    judged(at)
    told = [json.dumps(body) for body in server.record.bodies]
    assert [("MY TASK" in one) for one in told] == [False, False, True, True]
    raters = {review.rater for review in state.store().reviews.reviews()}
    assert len(raters) == 2 and any(rater.startswith("test-model, “Strict”, hash") for rater in raters)
    assert not [b for b in at.button if b.key == "pairs_judge"]


def test_a_model_whose_answers_cannot_be_read_is_reported_and_can_be_asked_again(endpoint: Start) -> None:
    server = endpoint(answer=lambda body, number: "I would rather not say.")
    queued(stored(2))
    at = opened(view="pairs")
    by_server(at, server)
    press(at, "pairs_judge")
    now = judged(at)
    assert (now.state, now.done, len(now.errors)) == ("failed", 0, 2) and state.store().reviews.reviews() == []
    assert "not one choice of A, B or tie could be read" in words(at) and "has read 0 of 2 pairs" in words(at)
    assert at.button(key="pairs_judge").label == "Try again with test-model" and not at.button(key="pairs_judge").disabled
    at.session_state["review_view"] = "results"
    assert "Nobody has rated yet" in words(at.run()) and not at.exception


def test_a_model_stops_when_the_budget_is_spent(endpoint: Start) -> None:
    server = endpoint(answer=lambda body, number: "{}")
    queued(stored(2))
    at = opened(view="pairs")
    by_server(at, server)
    state.spending.set_limit(Limit(amount=1, unit="$"))
    press(at, "pairs_judge")
    now = judged(at)
    assert now.state == "failed" and len(now.errors) == 1 and "needs a price" in now.errors[0] and server.record.calls == 0


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
    after_a_reload = opened(view="pairs")
    assert "test-model is reading 0 of 1 pairs" in words(after_a_reload)
    after_a_reload.button(key="pairs_stop").click().run()
    assert judged(at).state == "stopped" and state.store().reviews.reviews() == []


# Pairs and results


def test_what_does_not_show_a_method_alone_is_left_out_and_said() -> None:
    sessions = stored(2)
    forked = fork(sessions[0], 4)
    state.store().save(forked)
    at = opened(view="pairs")
    assert "Left out: 1 forked" in words(at) and "<b>2</b> pairs" in words(at)
    assert at.multiselect(key="pairs_makers").options == ["MAGneT (2)", "Plain (2)"]
    at.multiselect(key="pairs_also").set_value(["forked"]).run()
    assert "Left out" not in words(at) and at.multiselect(key="pairs_makers").options[0] == "MAGneT (3)"


def test_who_sees_what_tells_makers_apart() -> None:
    stored(1, ("magnet",))
    state.store().save(reworded(rehearsed(8, 0, visibility="paper")))
    at = opened(view="pairs")
    assert at.multiselect(key="pairs_makers").options == ["MAGneT, paper visibility (1)", "MAGneT, repaired visibility (1)"]
    press(at, "pairs_add")
    assert len(state.store().reviews.pairs()) == 1


def test_the_whole_address_for_raters_is_given_to_copy_with_what_it_cannot_keep() -> None:
    queued(stored(1))
    at = opened(view="pairs")
    assert at.code[0].value.endswith("/review?rate=only") and "typing another address" in words(at)


def test_raters_can_be_left_out_and_unfinished_reviews_are_said() -> None:
    pairs = queued(stored(6))
    rated(pairs, "owl", "magnet")
    rated(pairs, "fox", "plain")
    rated(pairs[:1], "cat", "tie", QUESTIONS[:7])
    at = opened(view="results")
    assert "1 review is unfinished (cat): 7 of 10 questions are answered" in words(at) and "3 raters, 127 verdicts" in words(
        at
    )
    assert "preferred to Plain in 50.0 % of decided" in words(at)
    kappas = re.findall(r"<th scope='row'>(\w+ and \w+)</th><td>(.+?)</td>", words(at))
    assert [name for name, _ in kappas] == ["fox and owl"] and "2 more have fewer than 10 things in common" in words(at)
    at.multiselect(key="reviewed_without").set_value(["fox", "cat"]).run()
    assert not at.exception and "preferred to Plain in 100.0 % of decided" in words(at) and "is unfinished" not in words(at)


def test_ties_alone_are_said_in_words_and_not_drawn() -> None:
    rated(queued(stored(1)), "owl", "tie")
    at = opened(view="results")
    assert "all ratings so far are ties" in words(at) and "no win rate to draw" in words(at)
    assert not at.get("plotly_chart") and not at.exception


def test_ratings_under_another_form_are_kept_apart() -> None:
    pairs = queued(stored(1))
    rated(pairs, "owl", "magnet")
    old = rater.blank(pairs[0].id, "fox", form()).model_copy(
        update={"form": "f" * 16, "verdicts": {"warmth": Verdict(choice="A"), OVERALL: Verdict(choice="B")}}
    )
    state.store().reviews.save(old)
    at = opened(view="results")
    assert "1 pair, 1 rater, 10 verdicts" in words(at)
    at.selectbox(key="reviewed_form").set_value("f" * 16).run()
    assert not at.exception and "1 pair, 1 rater, 2 verdicts" in words(at) and "Warmth" in words(at)


def test_reasons_comments_and_disagreements_lead_to_the_sessions() -> None:
    pairs = queued(stored(1))
    rated(pairs, "owl", "magnet", reason="Asks first.")
    rated(pairs, "fox", "plain", [QUESTIONS[0]])
    review = rater.blank(pairs[0].id, "fox", form())
    state.store().reviews.change(review, lambda r: r.with_comment(Comment(side="A", turn=2, text="Well put.")))
    at = opened(view="results")
    assert "Where raters disagree (1 of 1)" in [one.label for one in at.expander] and at.button(key="split_0_open_1")
    at.session_state["remarks"] = True
    at.run()
    assert "Reasons and comments (11)" in [one.label for one in at.expander] and words(at).count("Asks first.") >= 10
    at.selectbox(key="remarks_about").set_value("comments").run()
    assert "Well put." in words(at)
    commented = pairs[0].on("A", review.flipped).session
    press(at, "remark_0_open_0")
    assert at.session_state["session"].id == commented and at.session_state["look"] == 2


def test_pairs_taken_out_stay_in_the_files() -> None:
    pairs = queued(stored(2))
    rated(pairs, "owl", "A")
    state.store().reviews.take_out([pairs[0].id])
    at = opened(view="results")
    assert "1 pair, 1 rater, 10 verdicts" in words(at)
    state.store().reviews.take_out([pairs[1].id])
    assert "taken out of the queue" in words(at.run()) and len(at.get("download_button")) == 2


def test_what_is_written_about_a_turn_waits_until_it_is_kept_also_through_a_reload() -> None:
    [pair] = queued(stored(1))
    at = come(opened())
    at.session_state["review_comment"] = True
    at.session_state["review_turn"] = 3
    at.run()
    field = f"review_text_0_{pair.id}_A_3"
    at.text_input(key=field).set_value("Half a rem").run()
    assert state.store().reviews.drafts("owl", pair.id) == {"comment A 3": "Half a rem"} and said_by() == []
    assert words(at).count(
        "You began to write about this turn"
    ) == 1 and 'looked" aria-current="true" data-turn="3"' in words(at)
    again = fresh(PAGE, {"rater": "owl"}).run()
    press(again, "review_write_A_3")
    assert again.text_input(key=field).value == "Half a rem"
    again.text_input(key=field).set_value("Half a remark.").run()
    press(again, "review_add")
    [said] = said_by()
    assert [(c.side, c.turn, c.text) for c in said.comments] == [("A", 3, "Half a remark.")]
    assert state.store().reviews.drafts("owl", pair.id) == {} and again.text_input(key=field).value == ""
    press(again, "review_add")
    assert len(said_by()[0].comments) == 1  # an empty field is no comment


def test_a_pseudonym_close_to_a_known_one_is_asked_about() -> None:
    rated(queued(stored(2))[:1], "owl", "A")
    at = come(opened(), "owls")
    assert "Did you mean <b>owl</b>?" in words(at) and "Pair 1" not in words(at)
    assert "<b>owl</b> has rated 1 of 2 pairs" in words(press(at, "review_near"))
    other = come(opened(), "owls")
    assert "<b>owls</b> is new here" in words(press(other, "review_new"))
    assert "has not rated here yet" not in words(come(opened(), "hare"))


def test_a_rater_goes_to_any_pair_and_back_to_where_they_were() -> None:
    queued(stored(3))
    first, second, _ = in_order(state.store().reviews.pairs())
    rated([first], "owl", "A")
    at = come(opened())
    places = at.selectbox(key="review_goto_1_0").options
    assert places == ["Pair 1 of 3 · rated", "Pair 2 of 3 · not begun", "Pair 3 of 3 · not begun"]
    assert at.button(key="review_first").disabled
    answer(at, "A")
    press(at, f"review_q_{QUESTIONS[4]}")
    at.selectbox(key="review_goto_1_1").set_value(first.id).run()
    assert "Pair 1 of 3" in words(at) and at.button(key="review_back").label == "Back to where I was (pair 2)"
    press(at, f"review_q_{QUESTIONS[0]}")
    answer(at, "B")
    assert "Pair 1 of 3" in words(at) and said_by()[0].verdicts[QUESTIONS[0]].choice == "B"
    press(at, "review_back")
    assert "Pair 2 of 3" in words(at) and f'data-question="{QUESTIONS[4]}"' in words(at)
    assert not [b for b in at.button if b.key == "review_back"]
    press(at, "review_after")
    assert "Pair 3 of 3" in words(at)
    press(at, "review_first")
    assert "Pair 2 of 3" in words(at) and at.selectbox(key="review_goto_1_1").options[1] == "Pair 2 of 3 · 1 of 10 answered"
    assert {review.pair for review in said_by()} == {first.id, second.id}


def test_pairs_with_the_same_words_are_left_out_everywhere_and_counted() -> None:
    sessions = stored(2)
    same = sessions[0].model_copy(update={"id": "same", "method": "plain"})
    state.store().save(same)
    at = opened(view="pairs")
    assert "1 pair holds the same words on both sides and is left out" in words(at)
    press(at, "pairs_add")
    twins = Pair.of(case_of(sessions[0]), case_of(same))
    state.store().reviews.add_pairs([twins])
    rated([twins], "fox", "tie")
    rated([pair for pair in state.store().reviews.pairs() if not pair.identical], "fox", "magnet")
    at.run()
    assert "Raters are not shown it, and verdicts on it do not count" in words(at)
    assert list(at.dataframe[0].value["Shown"]).count("no: the same words") == 1
    assert "Pair 1 of 2" in words(come(opened()))
    shown = words(opened(view="results"))
    assert "1 pair holds the same words on both sides" in shown and "2 pairs, 1 rater, 20 verdicts" in shown


def test_authored_sessions_and_what_all_share_are_said() -> None:
    rated(queued(stored(1)), "owl", "magnet")
    pairs, shown = words(opened(view="pairs")), words(opened(view="results"))
    for one in (pairs, shown):
        assert "says nothing about the methods" in one
        assert "In common: model: rehearsal; who sees what: repaired visibility; prompts: ours" in one
    assert "8 turns long" in shown


def test_whoever_leads_the_study_sees_how_far_raters_are_and_whether_the_address_leads_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = queued(stored(3))
    rated(pairs[:2], "owl", "A")
    rated(pairs[2:], "owl", "A", QUESTIONS[:2])
    rated(pairs[:1], "fox", "A")
    monkeypatch.setattr(state.desk, "only_here", lambda: True)
    shown = words(opened(view="pairs"))
    assert "<th scope='row'>owl</th><td>2</td><td>1</td><td>0</td>" in shown
    assert "<th scope='row'>fox</th><td>1</td><td>0</td><td>2</td>" in shown and "UTC" in shown
    assert "opens on this computer only" in shown and "--server.address 0.0.0.0" in shown
    monkeypatch.setattr(state.desk, "only_here", lambda: False)
    assert "opens on this computer only" not in words(opened(view="pairs"))


def test_ties_are_in_headline_chart_and_table() -> None:
    pairs = queued(stored(6))
    rated(pairs[:4], "owl", "magnet")
    rated(pairs[4:], "owl", "tie")
    at = opened(view="results")
    assert "in 100.0 % of decided ratings" in words(at) and "33.3 % of all 54 ratings on aspects were ties" in words(at)
    assert words(at).count("<td>4 of 6</td>") == 10
    [figure] = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    assert figure["data"][1]["text"] == ["33% ties"] * 10


def test_an_interval_that_covers_half_is_no_difference() -> None:
    pairs = queued(stored(6))
    rated(pairs[:3], "owl", "magnet")
    rated(pairs[3:], "owl", "plain")
    assert "in 50.0 % of decided ratings" in words(at := opened(view="results")) and "so no difference is shown" in words(at)
    rated(pairs, "owl", "magnet")
    assert "so no difference is shown" not in words(opened(view="results"))
    rated(pairs[2:], "owl", "tie")
    assert "it takes five pairs with a decided rating, here there are 2" in words(opened(view="results"))


def test_the_papers_line_stands_beside_other_methods_alone() -> None:
    methods = queued(stored(1))
    rated(methods, "owl", "magnet")
    assert "Dashed line: Experts preferred MAGneT" in words(opened(view="results"))
    state.store().reviews.take_out([pair.id for pair in methods])
    ways = [reworded(rehearsed(8, visibility=sees), f"As {sees}.") for sees in ("repaired", "paper")]
    for session in ways:
        state.store().save(session)
    rated(queued(ways), "owl", "A")
    shown = words(opened(view="results"))
    assert "MAGneT, paper" in shown and "Dashed line" not in shown


def test_a_scale_of_ties_alone_places_nobody_and_says_why() -> None:
    sessions = stored(6, ("magnet", "plain", "single-agent"))
    cases = [case_of(session) for session in sessions]
    pairs = pairs_among(cases, {case.half.maker for case in cases})
    state.store().reviews.add_pairs(pairs)
    rated(pairs, "owl", "tie")
    at = opened(view="results")
    assert "They cannot be placed: all 18 verdicts on this question are ties." in words(at) and not at.exception
    rated(pairs, "owl", "magnet")
    assert "has won or lost throughout" in words(opened(view="results"))


def test_reasons_and_comments_are_of_those_looked_at_and_can_be_narrowed_down() -> None:
    sessions = stored(2, ("magnet", "plain", "single-agent"))
    cases = [case_of(session) for session in sessions]
    pairs = pairs_among(cases, {case.half.maker for case in cases})
    state.store().reviews.add_pairs(pairs)
    rated(pairs, "owl", "magnet", QUESTIONS[:1], reason="Owl says.")
    rated(pairs, "fox", "plain", QUESTIONS[:1], reason="Fox says.")
    model = rater.blank(pairs[0].id, "m", form()).model_copy(
        update={"kind": "model", "verdicts": {QUESTIONS[0]: Verdict(choice="A", reason="Model says.")}}
    )
    state.store().reviews.save(model)
    at = opened(view="results")
    at.session_state["remarks"] = True
    at.run()
    assert "Reasons and comments (4)" in [one.label for one in at.expander]  # two clients, two raters, one duel of three
    assert "Owl says." in words(at) and "Model says." not in words(at)
    at.selectbox(key="remarks_rater").set_value("fox").run()
    assert "Fox says." in words(at) and words(at).count("Owl says.") < 4
    at.selectbox(key="remarks_about").set_value("comments").run()
    assert "There is none." in words(at)
    at.multiselect(key="reviewed_without").set_value(["fox"]).run()
    assert "Reasons and comments (2)" in [one.label for one in at.expander] and not at.exception


def test_agreement_is_judged_in_plain_words() -> None:
    judged_as = [
        (0.85, "Yes"),
        (0.7, "tentative"),
        (0.2, "Too little"),
        (-0.1, "less than by chance"),
        (None, "same throughout"),
    ]
    assert all(part in agreement.verdict(alpha, 20) for alpha, part in judged_as)
    assert "cannot be told" in agreement.verdict(None, 0)
    pairs = queued(stored(3))
    rated(pairs, "owl", "magnet")
    rated(pairs, "fox", "plain")
    shown = words(opened(view="results"))
    assert "No, less than by chance" in shown and "Krippendorff's own custom" in shown
