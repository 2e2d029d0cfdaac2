"""Reading what models write: tolerant, and never raising."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core.domain import CbtTechnique, Technique
from magnet_core.reading import read_choice, read_json, read_plan, read_reply, read_team, read_utterance

R, Q, S, N, P = Technique


@pytest.mark.parametrize(
    ("text", "techniques", "step"),
    [
        ('{"techniques": ["reflection", "questioning"], "plan_step": 2, "reason": "x"}', (R, Q), 2),
        ('```json\n{"techniques": ["Psycho-education"], "plan_step": 3}\n```', (P,), 3),
        ('Sure! Here you go: {"techniques": ["normalizing", "solutions"], "plan_', (N, S), None),
        ("Techniques: Reflection and Questioning, to explore further.", (R, Q), None),
        ("I would use Normalisation here, not solutions yet. This serves step 4.", (N,), 4),
        ("Psychoeducation + Providing Solutions", (P, S), None),
        ("Start by validating? No: Questioning.", (Q,), None),
        ('{"technique": "questioning"}', (Q,), None),
        ('{"techniques": [{"name": "Reflection"}, {"name": "Psycho education"}]}', (R, P), None),
        ("Whatever you like.", (), None),
        ("", (), None),
    ],
)
def test_choices_are_read_from_all_sorts_of_answers(text: str, techniques: tuple[Technique, ...], step: int | None) -> None:
    choice = read_choice(text)
    assert (choice.techniques, choice.plan_step, choice.text) == (techniques, step, text)


WHOLE = {
    "technique": "Pie Chart Technique",
    "reason": "The client takes all the blame.",
    "steps": ["1. Check the mood", "Step 2: List the causes", "Share out the slices"],
    "rejected": [
        {"technique": "Reality Testing", "reason": "No impression to check."},
        {"technique": "Pie Chart", "reason": "x"},
    ],
}


def test_a_plan_is_read_whole() -> None:
    plan = read_plan(json.dumps(WHOLE))
    assert plan.technique == CbtTechnique.PIE_CHART
    assert plan.steps == ("Check the mood", "List the causes", "Share out the slices")
    assert [r.technique for r in plan.rejected] == [CbtTechnique.REALITY_TESTING]


@pytest.mark.parametrize("cut", [40, 90, 130, 170, 220])
def test_a_plan_cut_short_still_tells_its_technique(cut: int) -> None:
    assert read_plan(json.dumps(WHOLE)[:cut]).technique == CbtTechnique.PIE_CHART


@pytest.mark.parametrize(
    ("text", "technique"),
    [
        (
            'Based on what she says, I recommend the "Decatastrophizing" technique. **Counseling planning:**',
            "Decatastrophizing",
        ),
        (
            "CBT technique: Alternating Perspective\nCounseling planning:\n1. Warm up\n2. Look again",
            "Alternative Perspective",
        ),
        ("Rather than Reality Testing I would use a behavioural experiment.", "Behavior Experiment"),
        ("pros & cons of leaving", "Pros and Cons Analysis"),
        ("Graded exposure, step by step", "Systematic Exposure"),
        ('{"cbt_technique": "Problem solving", "plan": {"a": "x", "b": "y"}}', "Problem-Solving Skills Training"),
    ],
)
def test_plans_are_read_from_prose(text: str, technique: str) -> None:
    assert read_plan(text).technique == technique


def test_steps_are_found_in_prose() -> None:
    plan = read_plan("I choose the Continuum Technique.\n1. Draw the line\n2. Place yourself\n- a remark")
    assert plan.steps == ("Draw the line", "Place yourself")


def test_a_plan_that_names_nothing_is_kept_as_text() -> None:
    plan = read_plan("Let us just talk for a while.")
    assert plan.technique is None and plan.text == "Let us just talk for a while."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Counselor: How was it?", "How was it?"),
        ("**Counsellor:** How was it?", "How was it?"),
        ('"How was it?"', "How was it?"),
        ("<think>hm, be kind</think>\nHow was it?", "How was it?"),
        ("```\nHow was it?\n```", "How was it?"),
        ('{"response": "How was it?"}', "How was it?"),
        ("Counselor's response: How was it?", "How was it?"),
        ('She said "no" and left.', 'She said "no" and left.'),
        ("Response: Therapist: How was it?", "How was it?"),
    ],
)
def test_only_the_message_is_left(text: str, said: str) -> None:
    assert read_utterance(text) == said


@pytest.mark.parametrize("mark", ["[/END]", "[/end]", "[END]", "[ /END ]"])
def test_the_end_mark_is_taken_off(mark: str) -> None:
    reply = read_reply(f"Client: Goodbye then. {mark}")
    assert reply.text == "Goodbye then." and reply.ends_session


def test_a_team_answer_that_is_prose_is_the_message_alone() -> None:
    message, choice, candidates = read_team("Counselor: That sounds heavy.")
    assert (message, choice.techniques, candidates) == ("That sounds heavy.", (), ())


def test_a_team_answer_may_nest_its_drafts() -> None:
    text = json.dumps(
        {"techniques": "Reflection", "candidates": {"Questioning": "Why?", "reflection": "So."}, "response": "So, why?"}
    )
    message, choice, candidates = read_team(text)
    assert message == "So, why?" and choice.techniques == (R,)
    assert [(c.technique, c.text) for c in candidates] == [(R, "So."), (Q, "Why?")]


@given(st.text(max_size=300) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["techniques", "steps", "rejected", "reason", "response", "candidates", "technique", "plan_step"]) | st.text(), x), max_leaves=12).map(lambda v: json.dumps(v)))  # fmt: skip
def test_reading_never_raises(text: str) -> None:
    read_json(text)
    read_choice(text)
    read_plan(text)
    read_utterance(text)
    read_reply(text)
    read_team(text)


@given(st.lists(st.sampled_from(list(Technique)), min_size=1, unique=True), st.integers(min_value=1, max_value=9))
def test_a_choice_written_as_json_is_read_back(techniques: list[Technique], step: int) -> None:
    choice = read_choice(json.dumps({"techniques": techniques, "plan_step": step, "reason": "because"}))
    assert (set(choice.techniques), choice.plan_step) == (set(techniques), step)
