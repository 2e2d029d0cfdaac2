"""Forks, what-ifs, reading aids and human seats on the session page, without a browser; the built-in cast speaks, at once."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from magnet_core.cast import Cast, Voice
from magnet_core.domain import Choice, Given, Session, Technique
from magnet_core.errors import ModelError
from magnet_core.export import html, markdown, rows
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.session import prompt_of
from tests.llm_server import LlmServer
from tests.screen import fresh, idle, shown_session, take, until, words
from ui import state
from ui.session import whole


def stored(at: AppTest) -> Session:
    return state.store().session(shown_session(at))


def open_tab(at: AppTest, name: str) -> AppTest:
    at.session_state["side"] = name
    return at.run()


def open_box(at: AppTest, key: str) -> AppTest:
    at.session_state[key] = True
    return at.run()


def ready(at: AppTest) -> list[Button]:
    """Return the buttons that go on with a what-if which is there."""
    return [b for b in at.button if (b.key or "").startswith("take_") and not b.disabled]


@pytest.fixture
def begun() -> AppTest:
    """Open a session of eight turns at most with two of them made."""
    at = fresh(pace="At once").run()
    at.number_input(key="want_turns").set_value(8).run()
    take(at, "next")
    return take(at, "next")


def test_other_techniques_make_a_fork_and_undo_leads_back(begun: AppTest) -> None:
    first = stored(begun)
    open_tab(begun, "Change")
    open_box(begun, "change_choice")
    begun.pills(key=f"choice_{first.id}_2_pills").set_value([Technique.SOLUTIONS]).run()
    take(begun, "change_choice_go")
    forked = stored(begun)
    assert forked.id != first.id
    assert forked.parent is not None and (forked.parent.session, forked.parent.turns) == (first.id, 1)
    assert forked.turns[0] == first.turns[0]
    choice = forked.turns[1].choice
    assert choice and choice.techniques == (Technique.SOLUTIONS,) and choice.by_person
    assert forked.turns[1].candidates == first.turns[1].candidates
    assert forked.turns[1].response != first.turns[1].response
    assert state.store().session(first.id) == first
    assert "Another way from here" in words(begun)
    assert begun.button(key="to_parent")
    begun.button(key="undo").click().run()
    assert shown_session(begun) == first.id
    assert "Turn 2 of 8" in words(begun)
    begun.button(key="redo").click().run()
    assert shown_session(begun) == forked.id
    assert "2/2" in words(begun)
    begun.button(key="swipe_back").click().run()
    assert shown_session(begun) == first.id and "1/2" in words(begun)


def test_techniques_can_be_chosen_before_a_turn(begun: AppTest) -> None:
    first = stored(begun)
    open_tab(begun, "Change")
    open_box(begun, "change_next")
    begun.pills(key=f"next_{first.id}_2_pills").set_value([Technique.NORMALIZING, Technique.QUESTIONING]).run()
    take(begun, "change_next_go")
    after = stored(begun)
    choice = after.turns[2].choice
    assert after.id == first.id and choice and choice.by_person
    assert choice.techniques == (Technique.QUESTIONING, Technique.NORMALIZING)
    assert not [call for call in after.turns[2].calls if call.agent == "selector"]


@pytest.mark.parametrize("speaker", ["counsellor", "client"])
def test_an_edited_message_is_a_fork_and_marked_everywhere(begun: AppTest, speaker: str) -> None:
    first = stored(begun)
    open_tab(begun, "Change")
    open_box(begun, "change_message" if speaker == "counsellor" else "change_reply")
    begun.text_area(key=f"edit_{speaker}_{first.id}_2").set_value("I would rather talk about <b>rain</b>.")
    take(begun, f"edit_{speaker}_go")
    forked = stored(begun)
    turn = forked.turns[1]
    assert turn.typed == (speaker,)
    assert (turn.response if speaker == "counsellor" else turn.reply.text) == "I would rather talk about <b>rain</b>."
    assert "typed by a person" in words(begun) and "<b>rain" not in words(begun)
    assert "typed by a person" in markdown(forked) and "typed by a person" in html(forked)
    assert list(rows(forked))[2]["typed"] == [speaker]
    assert state.store().session(first.id) == first
    assert {call.agent for call in turn.calls}.isdisjoint({"responder"} if speaker == "counsellor" else {"client"})
    for number, one in enumerate(forked.turns, 1):
        for call in one.calls:
            assert prompt_of(state.forks.maker_of(forked, number), number, call)


def test_typed_words_do_not_keep_the_techniques_of_the_message_they_replaced(begun: AppTest) -> None:
    first = stored(begun)
    assert words(begun).count('class="chips"') == 3, "two messages, and the choice of the turn looked at"
    open_tab(begun, "Change")
    open_box(begun, "change_message")
    begun.text_area(key=f"edit_counsellor_{first.id}_2").set_value("It is raining here.")
    take(begun, "edit_counsellor_go")
    forked = stored(begun)
    assert forked.turns[1].choice == first.turns[1].choice
    open_tab(begun, "This turn")
    assert words(begun).count('class="chips"') == 2 and "Chosen before a person typed" in words(begun)
    open_tab(begun, "What if")
    assert words(begun).count('class="chips"') == 1
    for text in (markdown(forked), html(forked)):
        assert text.count("chosen before the words were typed") == 1
    assert "In turn 2 the techniques were chosen before" in whole.heat(forked, 2)
    assert "chosen before" not in whole.heat(first, 2) + markdown(first) + html(first)


def test_recent_sessions_tell_forks_apart_and_close_when_one_is_opened(begun: AppTest) -> None:
    first = stored(begun)
    state.store().rename(first.id, "The <b>first</b> talk")
    open_tab(begun, "Change")
    open_box(begun, "change_again")
    take(begun, "rerun")
    forked = stored(begun)
    open_box(begun, "recent")
    assert "The &lt;b&gt;first&lt;/b&gt; talk" in words(begun) and words(begun).count("forked at turn 2") == 1
    here, other = begun.button(key=f"open_{forked.id}"), begun.button(key=f"open_{first.id}")
    assert (here.label, here.disabled) == ("Shown now", True) and (other.label, other.disabled) == ("Open", False)
    other.click().run()
    assert shown_session(begun) == first.id
    assert not [b for b in begun.button if (b.key or "").startswith("open_")], "the list covers nothing"


def test_risk_words_that_are_typed_open_the_crisis_resources(begun: AppTest) -> None:
    first = stored(begun)
    assert "Where to find help" not in words(begun)
    open_tab(begun, "Change")
    open_box(begun, "change_reply")
    begun.text_area(key=f"edit_client_{first.id}_2").set_value("I want to kill myself.")
    take(begun, "edit_client_go")
    assert "Where to find help" in words(begun)
    begun.button(key="care_close").click().run()
    assert "Where to find help" not in words(begun)


def test_the_plan_can_be_edited_and_old_turns_keep_their_own(begun: AppTest) -> None:
    first = stored(begun)
    open_tab(begun, "Change")
    open_box(begun, "change_plan")
    begun.text_area(key=f"plan_{first.id}_2_steps").set_value("Begin\nGo on\nEnd")
    take(begun, "plan_go")
    forked = stored(begun)
    assert forked.plan and forked.plan.steps == ("Begin", "Go on", "End") and forked.plan.by_person
    assert first.plan and not first.plan.by_person
    assert "Plan (edited by a person)" in markdown(forked) and "Edited by a person" in html(forked)
    assert forked.turns == first.turns
    open_tab(begun, "This turn")
    assert "edited by a person" not in words(begun), "the turn looked at was made by the planner's own plan"
    take(begun, "next")
    assert "edited by a person" in words(begun)
    begun.query_params["audience"] = "researcher"
    begun.button(key="back").click().run()
    begun.radio(key="audience_field").set_value("researcher").run()
    open_tab(begun, "Calls")
    assert not begun.exception
    assert "differs from the recorded one" not in words(begun)


def test_one_agent_is_asked_again_and_the_rest_stays(begun: AppTest) -> None:
    first = stored(begun)
    open_tab(begun, "Change")
    open_box(begun, "change_again")
    begun.selectbox(key="again_agent").set_value("client").run()
    take(begun, "again_go")
    forked = stored(begun)
    assert forked.id != first.id and forked.turns[1].response == first.turns[1].response
    open_tab(begun, "Change")
    take(begun, "rerun")
    again = stored(begun)
    assert again.parent and again.parent.session == forked.id and len(again.turns) == 2


def test_what_if_the_client_were_otherwise(begun: AppTest) -> None:
    first = stored(begun)
    open_tab(begun, "What if")
    begun.button(key="ask_attitudes").click().run()
    until(begun, lambda at: len(ready(at)) == 2)
    assert not begun.exception
    forks = state.store().children(first.id)
    assert {str(e.attitude) for e in forks} == {"positive", "negative"}
    for entry in forks:
        assert state.store().session(entry.id).turns[1].response == first.turns[1].response
    begun.toggle(key="mark_words").set_value(True).run()
    assert "<ins>" in words(begun)
    begun.session_state["what_kind"] = "words"
    begun.run()
    assert not begun.exception
    begun.session_state["what_kind"] = "method"
    begun.run()
    begun.selectbox(key="what_method").set_value("plain").run()
    begun.button(key="ask_method").click().run()
    until(begun, lambda at: len(ready(at)) == 1)
    ready(begun)[0].click().run()
    assert not begun.exception
    assert stored(begun).method == "plain"
    take(begun, "next")
    assert len(stored(begun).turns) == 3
    begun.session_state["what_kind"] = "model"
    open_tab(begun, "What if")
    assert not begun.exception


def test_what_if_another_model_spoke(begun: AppTest, endpoint: Callable[..., LlmServer]) -> None:
    first, server = stored(begun), endpoint()
    begun.session_state["what_kind"] = "model"
    open_tab(begun, "What if")
    assert "Only the rehearsal cast is set up" in words(begun)
    begun.session_state["cast"] = Cast(overrides={"client": Voice(model="test-model", base_url=server.url)})
    begun.run()
    begun.selectbox(key="what_model").set_value("test-model").run()
    left, right = versions(begun)
    assert "rehearsal: counsellor" in left and first.turns[1].response in unescape(left)
    assert "test-model: counsellor" in right and "Not asked yet." in right
    begun.button(key="ask_model").click().run()
    until(begun, lambda at: len(ready(at)) == 1)
    assert not begun.exception
    [entry] = state.store().children(first.id)
    other = state.store().session(entry.id)
    assert other.parent and other.parent.turns == 1 and other.turns[0] == first.turns[0]
    assert {call.model for call in other.turns[1].calls} == {"test-model"} == set(other.models.values())
    assert server.record.calls == len(other.turns[1].calls) == 8
    left, right = versions(begun)
    assert "rehearsal: counsellor" in left and first.turns[1].response in unescape(left)
    assert "test-model: counsellor" in right and other.turns[1].response in unescape(right)
    assert other.turns[1].reply.text in unescape(right) and other.turns[1].response != first.turns[1].response
    assert stored(begun) == first, "the session itself stays as it is, and is still shown"
    ready(begun)[0].click().run()
    assert shown_session(begun) == other.id


def versions(at: AppTest) -> tuple[str, str]:
    """Return what stands in the two columns of a what-if."""
    found = ["\n".join(e.proto.body for e in c.get("html") if "panel version" in e.proto.body) for c in at.columns]
    left, right = [text for text in found if "panel version" in text and text.count(": counsellor</h3>") == 1]
    return left, right


def test_stopping_a_turn_with_techniques_by_hand_keeps_them_for_the_next_try(
    begun: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stored(begun)

    def stopped_in_the_third() -> None:
        open_tab(begun, "Change")
        open_box(begun, "change_next")
        begun.pills(key=f"next_{first.id}_2_pills").set_value([Technique.NORMALIZING]).run()
        monkeypatch.setattr("ui.state.voices.PACES", dict.fromkeys(state.voices.PACES, 2.0))
        begun.button(key="change_next_go").click().run()
        begun.button(key="stop").click().run()
        until(begun, idle)
        monkeypatch.undo()
        assert len(stored(begun).turns) == 2 and "chosen by hand (Normalizing) still lead" in words(begun)

    stopped_in_the_third()
    take(begun, "next")
    choice = stored(begun).turns[2].choice
    assert choice and choice.by_person and choice.techniques == (Technique.NORMALIZING,)
    assert "still lead" not in words(begun)


def test_a_choice_kept_over_a_stop_can_be_dropped(begun: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    run = state.runs.run_of(stored(begun))
    assert run
    run.given, run.state = Given(choice=Choice(techniques=(Technique.SOLUTIONS,), by_person=True)), "stopped"
    begun.run()
    begun.button(key="drop_choice").click().run()
    assert "still lead" not in words(begun)
    take(begun, "next")
    choice = stored(begun).turns[2].choice
    assert choice and not choice.by_person


def test_a_person_in_a_seat_can_speak_in_presenter_mode(begun: AppTest) -> None:
    open_box(begun, "seat")
    begun.radio(key="seat_speaker").set_value("counsellor").run()
    take(begun, "seat_go")
    session = stored(begun)
    begun.button(key="present").click().run()
    assert "You sit as the counsellor" in words(begun) and 'class="panel' not in words(begun)
    assert begun.button(key="stage_next").disabled, "Next would speak in the person's place"
    assert not [b for b in begun.button if (b.key or "").startswith("hint_")]
    begun.text_area(key=f"say_{session.id}_3_counsellor").set_value("It is raining here.")
    begun.button(key="say_go").click().run()
    until(begun, lambda at: not at.button(key="stage_next").disabled)
    assert not begun.exception
    turn = stored(begun).turns[2]
    assert turn.response == "It is raining here." and turn.typed == ("counsellor",)
    assert "It is raining here." in words(begun) and "typed by a person" in words(begun)


def test_a_person_sits_as_the_client_for_a_turn(begun: AppTest) -> None:
    take(open_box(begun, "seat"), "seat_go")
    session = stored(begun)
    assert len(session.turns) == 2
    assert "You sit as Mei Lin Chow" in words(begun)
    begun.text_area(key=f"say_{session.id}_3_client").set_value("It is raining here.")
    take(begun, "say_go")
    after = stored(begun)
    assert after.turns[2].reply.text == "It is raining here." and after.turns[2].typed == ("client",)
    assert {call.agent for call in after.turns[2].calls} == {"selector", "responder", *Technique}
    assert "You sit as" not in words(begun)


def test_a_person_sits_as_the_counsellor_for_the_session_with_drafts_as_hints(begun: AppTest) -> None:
    open_box(begun, "seat")
    begun.radio(key="seat_speaker").set_value("counsellor")
    begun.radio(key="seat_stays").set_value(True).run()
    take(begun, "seat_go")
    session = stored(begun)
    begun.button(key="hint_reflection").click().run()
    hint = begun.text_area(key=f"say_{session.id}_3_counsellor").value
    assert hint
    take(begun, "say_go")
    after = stored(begun)
    assert after.turns[2].response == hint and after.turns[2].typed == ("counsellor",)
    assert "Turn 4 waits for your words" in words(begun)
    take(begun, "stand_up")
    after = stored(begun)
    assert len(after.turns) == 4 and after.turns[3].typed == ()


def test_while_a_person_is_waited_for_nothing_speaks_in_their_place(begun: AppTest) -> None:
    other = fresh(address={"session": shown_session(begun)}).run()
    open_box(begun, "seat")
    begun.radio(key="seat_stays").set_value(True).run()
    take(begun, "seat_go")
    session = stored(begun)
    field = f"say_{session.id}_3_client"
    for key in ("next", "play"):
        assert begun.button(key=key).disabled and begun.button(key=key).help == state.runs.SPEAK_FIRST
    other.button(key="next").click().run()
    assert any("has not spoken yet" in warning.value for warning in other.warning), "a window drawn before they sat down"
    assert "You sit as Mei Lin Chow" in words(begun.run()) and stored(begun) == session
    open_tab(begun, "Change")
    begun.button(key="back").click().run()
    assert not [e for e in begun.expander if e.label.startswith("Choose the techniques of turn 3")]
    begun.button(key="latest").click().run()
    begun.text_area(key=field).set_value("It is raining here.")
    take(begun, "say_go")
    assert stored(begun).turns[2].reply.text == "It is raining here."
    assert "Turn 4 waits for your words" in words(begun)
    take(begun, "stand_up")
    assert not begun.button(key="next").disabled and not begun.button(key="next").help
    take(begun, "next")
    assert [turn.typed for turn in stored(begun).turns[2:]] == [("client",), (), ()]


@pytest.mark.parametrize("leaves", [False, True])
def test_a_seat_for_the_session_is_kept_over_a_stop_until_it_is_left(
    begun: AppTest, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    quick = state.voices.PACES
    monkeypatch.setattr("ui.state.voices.PACES", dict.fromkeys(quick, 5.0))
    open_box(begun, "seat")
    begun.radio(key="seat_stays").set_value(True).run()
    begun.button(key="seat_go").click().run()
    begun.button(key="stop").click().run()
    until(begun, idle)
    assert "You still sit as Mei Lin Chow" in words(begun)
    begun.button(key="next").click().run()
    begun.button(key="stop").click().run()
    until(begun, idle)
    assert "You still sit as Mei Lin Chow" in words(begun)
    monkeypatch.setattr("ui.state.voices.PACES", quick)
    if leaves:
        begun.button(key="drop_seat").click().run()
        assert "You still sit" not in words(begun)
    take(begun, "next")
    assert ("You sit as Mei Lin Chow. Turn 3 waits" in words(begun)) is not leaves
    assert len(stored(begun).turns) == (3 if leaves else 2)


def test_a_recording_plays_what_a_person_typed(begun: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    take(open_box(begun, "seat"), "seat_go")
    begun.text_area(key=f"say_{shown_session(begun)}_3_client").set_value("It is raining here.")
    take(begun, "say_go")
    played = stored(begun)

    async def refuse(self: Rehearsal, request: object) -> object:
        raise ModelError("No model may be asked.")
        yield

    monkeypatch.setattr(Rehearsal, "stream", refuse)
    monkeypatch.setattr("ui.state.view.SPEEDS", dict.fromkeys(state.view.SPEEDS, 5000.0))
    begun.button(key="recording").click().run()
    until(begun, lambda at: idle(at) and "Turn 3 of 3" in words(at))
    assert "It is raining here." in words(begun)
    begun.button(key="end_recording").click().run()
    assert shown_session(begun) == played.id


@pytest.mark.parametrize("audience", ["clinician", "teacher", "researcher"])
def test_the_audience_is_in_the_address_and_shapes_the_page(begun: AppTest, audience: str) -> None:
    begun.radio(key="audience_field").set_value(audience).run()
    assert audience in begun.query_params.get("audience", "researcher")
    again = fresh(address=dict(begun.query_params)).run()
    shown, tabs = words(again), [tab.label for tab in again.tabs]
    assert ("Gives back what" in shown or 'class="panel t-r' in shown) == (audience != "clinician")
    assert ("Session" in tabs) == (audience != "clinician")
    assert ("Calls" in tabs) == (audience == "researcher")


def test_the_session_at_a_glance(begun: AppTest) -> None:
    open_tab(begun, "Session")
    shown = words(begun)
    assert "Techniques, turn by turn" in shown and "Plan steps touched" in shown
    assert "not applicable" in shown and "not seen" in shown and "“" in shown


def test_presenter_mode_shows_the_dialogue_and_one_key(begun: AppTest) -> None:
    begun.button(key="present").click().run()
    assert not begun.exception
    assert 'class="panel' not in words(begun)
    begun.button(key="stage_next").click().run()
    until(begun, lambda at: "Turn 3 of 8" in words(at) and not at.button(key="stage_next").disabled)
    begun.button(key="leave_stage").click().run()
    assert len(stored(begun).turns) == 3
