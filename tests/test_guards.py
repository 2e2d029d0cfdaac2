"""Guards: what they refuse, and what they must let pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core.domain import Moment, Reply, Turn
from magnet_core.guards import SPOKEN, Answer, first_problem, risk_flags
from magnet_core.profiles import samples
from magnet_core.session import new_session

SAID = "I keep thinking about the meeting and how they all looked at me when I came in late."


def problem(text: str, agent: str = "responder", finish: str = "stop") -> str:
    """Return the kind of problem with an answer in a session where SAID was said before by both sides."""
    session = new_session(samples()[0]).add(Turn(response=SAID, reply=Reply(text=SAID)))
    found = first_problem(SPOKEN, Answer(text, text, finish, Moment(agent=agent, session=session)))
    return found.kind if found else ""


@pytest.mark.parametrize(
    ("text", "agent", "kind"),
    [
        ("", "client", "empty"),
        ("Client:", "client", "empty"),
        ("...", "client", "empty"),
        (SAID, "client", "repetition"),
        (SAID.upper() + "!", "client", "repetition"),
        (SAID.replace("late", "early"), "client", "repetition"),
        ("It was a heavy week. What went through your mind? It was a heavy week!", "responder", "repetition"),
        ("I felt so small there.\nI felt so small there.", "client", "repetition"),
        ("Here is a response that combines reflection and questioning: how are you?", "responder", "meta"),
        ("Here's a potential counselor response: how are you?", "responder", "meta"),
        ("How are you? (Note: I combined Normalization and Psychoeducation.)", "responder", "meta"),
        ("As an AI, I cannot feel that.", "client", "meta"),
        ("<|start_header_id|>How are you?", "responder", "meta"),
        ("How are you?\n\nsolutions: try a list.\nChosen: solutions", "responder", "meta"),
        ("Let us see.\n\n1/3 responder", "responder", "meta"),
        ("Fine, I suppose. [turn 3]", "client", "meta"),
        ("I'm glad you chose reflection, questioning, and solutions.", "responder", "meta"),
        ("I chose to walk home, and it was a solution of sorts.", "client", ""),
        ("Solutions are what my boss wants.", "client", ""),
        ("How are you?\nClient: Fine, thanks.", "responder", "other-speaker"),
        ("Fine.\n**Counselor:** And now?", "client", "other-speaker"),
        ("What did you notice first when you opened the door?", "responder", ""),
        ("There's one note: the one my mother left on the table.", "client", "meta"),
        ("My response to that was to leave the room.", "client", ""),
        ("I asked the client about the invoice, and she laughed.", "client", ""),
        ("No.", "client", ""),
    ],
)
def test_answers_are_refused_for_what_is_wrong_with_them(text: str, agent: str, kind: str) -> None:
    assert problem(text, agent) == kind


def test_an_answer_cut_off_is_refused() -> None:
    assert problem("And then we could", finish="length") == "truncated"


def test_a_client_who_only_gives_the_counsellor_back_is_refused() -> None:
    session = new_session(samples()[0])
    said = "What was the first thing you noticed when you opened that letter?"
    moment = Moment(agent="client", session=session, response=said)
    found = first_problem(SPOKEN, Answer(said, said, "stop", moment))
    assert found and found.kind == "repetition" and "counsellor" in found.detail
    parrot = session.profile.opening.client
    found = first_problem(SPOKEN, Answer(parrot, parrot, "stop", Moment(agent="reflection", session=session)))
    assert found and "client has just said" in found.detail


def test_a_short_answer_may_come_twice_in_other_words() -> None:
    assert problem("I keep thinking about the garden.", "client") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Last night I thought about ending it all.",
        "I've been hurting myself again.",
        "He hits me when he drinks.",
        "Honestly, I don't want to be here anymore.",
    ],
)
def test_risk_words_are_seen(text: str) -> None:
    (flag,) = risk_flags(text, 3)
    assert flag.turn == 3 and text in flag.detail


@pytest.mark.parametrize(
    "text", ["I nearly died laughing.", "That deadline is killing me.", "I cut the cake.", "We beat them 3-1."]
)
def test_figures_of_speech_are_let_pass(text: str) -> None:
    assert risk_flags(text, 1) == ()


@given(st.text(max_size=400))
def test_guards_never_raise(text: str) -> None:
    problem(text, "client")
    risk_flags(text, 0)
