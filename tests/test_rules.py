"""The counts of a dialogue, the structure strip, and the coding they rest on."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.coding import agreement, hand_coded
from benchmarks.rehearsal import play
from magnet_core.domain import Session, Utterance
from magnet_core.profiles import samples
from magnet_core.scoring.coding import code, read_talk, sentences
from magnet_core.scoring.rules import measures
from magnet_core.scoring.structure import NAMES, strip


def talk(*texts: str) -> list[Utterance]:
    """Return a dialogue of these texts, the counsellor first."""
    return [Utterance(speaker="client" if n % 2 else "counsellor", text=text) for n, text in enumerate(texts)]


def values(dialogue: Session | list[Utterance]) -> dict[str, float | None]:
    return {m.name: m.value for m in measures(dialogue)}


@pytest.fixture(scope="module")
def rehearsed() -> Session:
    return asyncio.run(play(samples()[0], 20, 0))


HAND = talk(
    "Hello. What brings you here today?",
    "My boss shouted at me and I felt small.",
    "It sounds like the shouting made you feel small. What went through your mind?",
    "That I am useless.",
    "Many people think that when they are shouted at. Did you sleep?",
    "No.",
)


def test_a_dialogue_counted_by_hand() -> None:
    found = values(HAND)
    assert found["open-questions"] == 1  # the opening is given, not generated
    assert found["closed-questions"] == 1
    assert found["open-share"] == 0.5
    assert (found["simple-reflections"] or 0) + (found["complex-reflections"] or 0) == 1
    assert found["reflection-to-question"] == 0.5
    assert found["mix-questioning"] == 1.0
    assert found["mix-normalizing"] == 0.5
    assert found["words-client"] == (9 + 4 + 1) / 3
    assert found["talk-share"] == (6 + 14 + 12) / (6 + 14 + 12 + 14)
    assert found["empty"] == found["leaked"] == 0
    assert found["plan-steps"] is None


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("How did that feel?", {"open-question"}),
        ("Can you tell me more about that?", {"open-question"}),
        ("Tell me what happened next.", {"open-question"}),
        ("Do you live alone?", {"closed-question"}),
        ("How strong is it, nought to ten?", {"closed-question"}),
        ("You should go out more.", {"advice"}),
        ("Let's look at that moment.", {"instruction"}),
        ("It's not uncommon to think so.", {"normalizing"}),
        ("Research suggests that avoidance keeps fear alive.", {"information"}),
        ("It takes courage to say that.", {"affirmation"}),
    ],
)
def test_a_sentence_is_coded(sentence: str, expected: set[str]) -> None:
    assert code(sentence) == expected


def test_coding_agrees_with_the_held_out_hand_coding() -> None:
    rows = [row for row in hand_coded() if row[0] == "third"]
    found = agreement((row[1], row[2]) for row in rows)
    assert len(rows) == 45
    assert found["question"]["precision"] >= 0.95 and found["question"]["recall"] >= 0.95
    assert found["reflection"]["recall"] >= 0.8


def test_sentences_keep_every_word() -> None:
    text = "Dr. Miller said “It helps.” Then he left! Why? I don't know…\nNo idea."
    assert sentences(text) == ("Dr. Miller said “It helps.", "Then he left!", "Why?", "I don't know…", "No idea.")


def test_empty_and_leaked_messages_are_counted() -> None:
    found = values(talk("Hello.", "Client:", "Here's a potential response that combines both. How are you?", ""))
    assert found["empty"] == 0.5
    assert found["leaked"] == 0.25


def test_repetition_and_mannerism_show() -> None:
    line = "I do not know how to go on with any of this now."
    found = values(talk("Hello.", line, "It sounds like that hurts.", line, "It sounds like a long day.", "Yes."))
    assert found["repetition-client"] == pytest.approx(1 / 3)
    assert found["repetition-counsellor"] == 0
    assert found["monotony-counsellor"] == pytest.approx(2 / 3)


def test_nothing_to_count_is_missing_not_zero() -> None:
    for measure in measures([]):
        assert measure.value is None and measure.n == 0, measure.name


def test_each_measure_says_what_it_is(rehearsed: Session) -> None:
    found = measures(rehearsed)
    assert len({m.name for m in found}) == len(found)
    for measure in found:
        assert measure.title and measure.unit and measure.read and measure.source
        if measure.value is not None:
            assert measure.low <= measure.value <= (measure.high if measure.high is not None else float("inf")), measure.name


def test_a_session_and_its_utterances_count_alike(rehearsed: Session) -> None:
    session, bare = values(rehearsed), values(list(rehearsed.transcript))
    assert session["plan-steps"] is not None and bare["plan-steps"] is None
    assert {k: v for k, v in session.items() if k != "plan-steps"} == {k: v for k, v in bare.items() if k != "plan-steps"}


def test_the_strip_of_a_whole_first_session(rehearsed: Session) -> None:
    parts = {part.name: part for part in strip(rehearsed)}
    assert tuple(parts) == NAMES
    assert parts["bridge"].status == parts["homework review"].status == "not applicable"
    for name in set(NAMES) - {"bridge", "homework review"}:
        assert parts[name].status == "seen", name
        for evidence in parts[name].evidence:
            said = rehearsed.transcript[2 * evidence.turn].text
            assert evidence.quote in said
    assert [parts[n].turn for n in ("mood check", "summary", "close")] == sorted(
        parts[n].turn or 0 for n in ("mood check", "summary", "close")
    )


def test_the_strip_of_a_later_session() -> None:
    later = talk("How did the homework go since our last session?", "Fine.")
    parts = {part.name: part.status for part in strip(later, first_session=False)}
    assert parts["bridge"] == parts["homework review"] == "seen"
    assert parts["close"] == "not seen"
    assert {p.name: p.status for p in strip([], first_session=False)}["bridge"] == "not seen"


@given(
    st.lists(st.builds(Utterance, speaker=st.sampled_from(["counsellor", "client"]), text=st.text(max_size=60)), max_size=12)
)
def test_any_dialogue_can_be_counted(dialogue: list[Utterance]) -> None:
    for measure in measures(dialogue):
        assert measure.value is None or measure.value >= 0
    assert len(strip(dialogue)) == len(NAMES)
    coded = read_talk(dialogue)
    assert coded.messages == sum(u.speaker == "counsellor" for u in dialogue)
