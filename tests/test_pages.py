"""The pages as a visitor meets them, without a browser; the built-in cast speaks, at once."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, open_models
from magnet_core.domain import Session
from magnet_core.errors import ModelError, StoreError
from magnet_core.models import Chunk
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.profiles import samples
from magnet_core.session import new_session, prompt_of
from tests.screen import ROOT, fresh, idle, shown_session, take, until, words
from tests.waiting import wait_until
from ui import state
from ui.engine.runner import Engine, Goal, Run, SessionBusy, Snapshot

PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pages").glob("*/*.py"))


@pytest.fixture
def app() -> AppTest:
    return fresh(pace="At once").run()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_from_the_frame(app: AppTest, page: str) -> None:
    app.switch_page(page).run()
    assert not app.exception
    assert "Not treatment" in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_stands_alone(page: str) -> None:
    at = fresh(page).run()
    assert not at.exception


def test_a_sample_client_is_ready_on_the_first_visit(app: AppTest) -> None:
    assert not app.exception
    assert "Mei Lin Chow" in words(app)
    assert not app.button(key="next").disabled
    assert app.button(key="stop").disabled
    assert app.button(key="back").disabled


def test_one_press_makes_the_plan_and_the_first_turn(app: AppTest) -> None:
    take(app, "next")
    shown = words(app)
    assert "Turn 1 of 20" in shown
    assert "Turn 1 complete." in shown
    for title in ("Reflection", "Questioning", "Solutions", "Normalizing", "Psycho-education", "Techniques chosen"):
        assert title in shown
    assert "Why not the other eleven" in shown
    assert app.query_params["session"]


def test_settings_shape_the_session_to_be(app: AppTest) -> None:
    app.selectbox(key="want_client").set_value("orla-fennelly").run()
    app.selectbox(key="want_method").set_value("single-agent").run()
    app.number_input(key="want_turns").set_value(8).run()
    assert "leaves out the selector and the five specialists" in words(app)
    take(app, "next")
    assert "Orla" in words(app)
    assert "Turn 1 of 8" in words(app)


@pytest.mark.parametrize("method", ["no-plan", "no-selector", "neither", "plain", "one-call"])
def test_every_method_shows_what_there_is(app: AppTest, method: str) -> None:
    app.selectbox(key="want_method").set_value(method).run()
    take(app, "next")
    assert "Turn 1 complete." in words(app)
    app.session_state["audience"] = "researcher"
    app.run()
    app.session_state["side"] = "Calls"
    app.run()
    assert not app.exception
    app.session_state["side"] = "Who sees what"
    app.run()
    assert not app.exception


def test_a_played_session_can_be_looked_through_and_comes_back_by_its_address(app: AppTest) -> None:
    app.number_input(key="want_turns").set_value(8).run()
    take(app, "play")
    assert "Turn 8 of 8" in words(app)
    assert app.button(key="next").disabled and app.button(key="play").disabled
    app.button(key="back").click().run()
    assert "Turn 7 of 8" in words(app)
    address = dict(app.query_params)
    again = fresh(address=address).run()
    assert "Turn 7 of 8" in words(again)
    again.button(key="latest").click().run()
    assert "Turn 8 of 8" in words(again)


def test_starting_over_keeps_the_old_session(app: AppTest) -> None:
    take(app, "next")
    old = shown_session(app)
    app.button(key="over_go").click().run()
    assert "Turn 1 complete." not in words(app)
    app.session_state["recent"] = True
    app.run()
    app.button(key=f"open_{old}").click().run()
    assert "Turn 1 of 20" in words(app)


def test_an_unknown_session_says_so(app: AppTest) -> None:
    at = fresh(address={"session": "nosuchsession"}).run()
    assert any("nosuchsession" in warning.value for warning in at.warning)
    assert not at.button(key="next").disabled


def test_a_failing_agent_is_named_and_can_be_tried_again(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    take(app, "next")
    speak = Rehearsal.stream

    async def refuse(self: Rehearsal, request: Any) -> Any:
        if request.moment.agent == "responder":
            raise ModelError("The key was refused.", kind="key")
        async for chunk in speak(self, request):
            yield chunk

    monkeypatch.setattr(Rehearsal, "stream", refuse)
    take(app, "next")
    error = app.error[0].value.replace("\\", "")
    assert "responder" in error and "The key was refused." in error and "one finished turn is kept" in error
    monkeypatch.setattr(Rehearsal, "stream", speak)
    take(app, "again")
    assert not app.error
    assert "Turn 2 of 20" in words(app)


def test_what_a_model_says_is_never_markup(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    speak = Rehearsal.stream

    async def hostile(self: Rehearsal, request: Any) -> Any:
        if request.moment.agent in ("planner", "selector"):
            async for chunk in speak(self, request):
                yield chunk
        else:
            yield Chunk(f"{request.moment.agent} <script>alert(1)</script> <img src=x onerror=alert(2)> **bold**", "stop")

    monkeypatch.setattr(Rehearsal, "stream", hostile)
    take(app, "next")
    shown = words(app)
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown and "<img" not in shown


def test_a_recording_plays_without_a_model_and_keeps_nothing(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    app.number_input(key="want_turns").set_value(8).run()
    take(app, "next")
    session = shown_session(app)

    async def refuse(self: Rehearsal, request: Any) -> Any:
        raise ModelError("No model may be asked.")
        yield

    monkeypatch.setattr(Rehearsal, "stream", refuse)
    monkeypatch.setattr("ui.state.view.SPEEDS", dict.fromkeys(state.view.SPEEDS, 5000.0))
    app.button(key="recording").click().run()
    until(app, idle)
    assert "This is a recording" in words(app)
    assert "Turn 1 of 1" in words(app)
    app.button(key="end_recording").click().run()
    assert "Turn 1 of 8" in words(app)
    assert shown_session(app) == session


def test_prompts_and_answers_of_a_call_are_shown_exactly(app: AppTest) -> None:
    take(app, "next")
    app.session_state["audience"] = "researcher"
    app.run()
    app.session_state["side"] = "Calls"
    app.run()
    assert not app.exception
    session = state.store().session(shown_session(app))
    call = session.turns[0].calls[0]
    shown = [code.value for code in app.code]
    assert shown == [call.output, *(message.content for message in prompt_of(session, 1, call))]
    assert call.prompt_sha in words(app)
    assert "differs from the recorded one" not in words(app)


def started(engine: Engine, owner: str, session: Session, goal: Goal = "end", pace: float = 400.0) -> Run:
    cast = Cast(pace=pace)
    return engine.start(session, goal, owner=owner, open_models=lambda limit: open_models(cast, limit))


def settled(run: Run, owner: str) -> Snapshot:
    wait_until(lambda: not run.look(owner).live)
    return run.look(owner)


@pytest.fixture
def to_be() -> Session:
    return new_session(samples()[0], max_turns=8)


def test_two_runs_on_one_session_are_refused_and_the_owner_may_go_on(
    to_be: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.engine.runner.ADOPTED", 600.0)
    engine = Engine()
    run = started(engine, "anna", to_be, "turn", pace=1.0)
    with pytest.raises(SessionBusy, match="another window"):
        started(engine, "ben", to_be)
    assert not run.look("ben").mine
    assert started(engine, "anna", to_be, "end") is run
    assert run.look("anna").goal == "end"
    engine.stop(run)
    assert settled(run, "anna").state == "stopped"


def test_what_is_stopped_before_it_has_begun_ends_too(to_be: Session) -> None:
    engine = Engine()
    for _ in range(5):
        engine.stop(run := started(engine, "anna", to_be))
        assert settled(run, "anna").state == "stopped"


def test_a_stopped_turn_is_undone_and_the_session_goes_on_from_the_last(to_be: Session) -> None:
    engine = Engine()
    one = settled(started(engine, "anna", to_be, "turn"), "anna").session
    run = started(engine, "anna", one, "turn", pace=1.0)
    wait_until(lambda: any(said.status == "writing" for said in run.look("anna").said.values()))
    engine.stop(run)
    assert settled(run, "anna").session == one
    assert len(settled(started(engine, "anna", one, "turn"), "anna").session.turns) == 2


def test_a_run_nobody_looks_at_pauses_at_the_end_of_a_turn(to_be: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.engine.runner.ABANDONED", -1.0)
    snap = settled(started(Engine(), "anna", to_be), "anna")
    assert snap.state == "paused"
    assert len(snap.session.turns) == 1


def test_a_run_whose_owner_is_gone_passes_to_whoever_looks(to_be: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    run = started(engine, "anna", to_be, pace=1.0)
    monkeypatch.setattr("ui.engine.runner.ADOPTED", -1.0)
    assert run.look("anna, after a reload").mine
    monkeypatch.setattr("ui.engine.runner.ADOPTED", 600.0)
    assert not run.look("anna").mine
    engine.stop(run)


def test_what_cannot_be_stored_stops_the_run_and_is_said(to_be: Session) -> None:
    def full(_session: Session) -> None:
        raise StoreError("The disk is full.")

    run = Engine().start(to_be, "end", owner="anna", open_models=lambda limit: open_models(Cast(), limit), save=full)
    snap = settled(run, "anna")
    assert (snap.state, snap.error) == ("failed", "The disk is full.")
    assert snap.session.plan is not None
