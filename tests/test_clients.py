"""Clients from anywhere: drafted from text, read from files of several shapes, looked over for gaps, compared."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from magnet_core import drafting, hints, profile_files
from magnet_core.domain import (
    Attitude,
    CbtTechnique,
    ClientProfile,
    Conceptualisation,
    Functioning,
    Intake,
    Opening,
)
from magnet_core.errors import ModelError, ProfileError
from magnet_core.models import Chunk, Player, Request
from magnet_core.profile_fields import build, field_named, fields, flat
from magnet_core.profiles import row, samples

DATA = Path(__file__).parent / "data"
quick = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

NOTES = """Rosa Lindqvist is a 34-year-old nurse who lives with her husband and two sons. She worries that she will harm a patient.
It began last spring, after a near miss. Whenever she hands over a ward, she thinks "I have forgotten something." She sleeps about
five hours. Her sister is supportive. As a teenager she was treated for panic attacks. She came to counselling because her manager
suggested that she talk to someone. The weather has been fine."""

OWN_WORDS = """My name is Tom Ashby, I'm 28 and I work as a sous-chef at a hotel. I'm single and live alone. I keep thinking that
I am a fraud. When the head chef tastes my sauce my stomach turns, about 80%. If I get one plate wrong, then I shouldn't be there.
Deep down I believe I'm not good enough."""


def test_notes_in_the_third_person_are_sorted_into_the_form() -> None:
    found = drafting.draft(NOTES)
    values = found.values
    assert (values["intake.name"], values["intake.age"], values["intake.occupation"]) == ("Rosa Lindqvist", 34, "nurse")
    assert values["intake.family_details"] == "lives with her husband and two sons"
    assert values["conceptualisation.automatic_thought"] == "I have forgotten something"
    assert "panic attacks" in str(values["intake.past_history"]) and "manager" in str(values["intake.reason"])
    assert values["intake.support"] == "Her sister is supportive."
    assert found.unused == ("The weather has been fine.",)
    assert "intake.gender" in found.missing and "intake.education" in found.missing, "what is not said stays empty"


def test_own_words_are_sorted_into_the_form() -> None:
    values = drafting.draft(OWN_WORDS).values
    assert (values["intake.name"], values["intake.age"], values["intake.marital_status"]) == ("Tom Ashby", 28, "single")
    assert (values["conceptualisation.intensity"], values["conceptualisation.core_belief"]) == (80, "I'm not good enough")
    assert values["conceptualisation.intermediate_belief"] == "If I get one plate wrong, then I shouldn't be there"


@pytest.mark.parametrize("profile", samples(), ids=lambda p: p.id)
def test_an_intake_form_is_taken_as_it_stands(profile: ClientProfile) -> None:
    form = row(profile)["AI_client"]["intake_form"]
    values = drafting.draft(form).values
    told = flat(profile)
    for name in fields():
        if name.startswith("intake."):
            assert values.get(name) == told.get(name), name


@pytest.mark.parametrize("text", [NOTES, OWN_WORDS, *(row(p)["AI_client"]["intake_form"] for p in samples()[:3])])
def test_every_drafted_field_stands_with_words_of_the_text(text: str) -> None:
    whole = " ".join(text.split())
    for drafted in drafting.draft(text).fields:
        for sentence in drafted.source.split(". "):
            assert " ".join(sentence.split()).rstrip(".") in whole, drafted


@quick
@given(
    st.text(max_size=400) | st.lists(st.sampled_from([*NOTES.split(". "), "Name:", "Age: x", "2. Reason"])).map("\n".join)
)
def test_any_text_is_drafted_from_or_refused_with_a_sentence(text: str) -> None:
    try:
        found = drafting.draft(text)
        drafting.confirmed(found.values)
    except ProfileError as error:
        assert str(error)


def test_a_text_that_is_empty_or_too_long_is_refused() -> None:
    for text, reason in ((" \n", "no text"), ("a " * drafting.LONGEST, "at most")):
        with pytest.raises(ProfileError, match=reason):
            drafting.draft(text)


class Says:
    """A model that always gives the same answer."""

    name = "says"

    def __init__(self, answer: str) -> None:
        self.answer, self.asked = answer, list[Request]()

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.asked.append(request)
        yield Chunk(self.answer, "stop")


@pytest.mark.anyio
@pytest.mark.parametrize("shape", ["list", "object", "nested"])
async def test_a_model_drafts_in_one_call_and_what_the_text_does_not_say_is_refused(shape: str) -> None:
    told: dict[str, tuple[Any, str]] = {
        "name": ("Rosa Lindqvist", "Rosa Lindqvist is a 34-year-old nurse"),
        "age": ("34", "Rosa Lindqvist is a 34-year-old nurse"),
        "core_belief": ("I am helpless", "She has always felt helpless."),
        "evidence_for": (["a near miss last spring"], "It began last spring, after a near miss."),
        "no_such_field": ("x", "y"),
    }
    listed = {"fields": [{"field": n, "value": v, "quote": q} for n, (v, q) in told.items()]}
    by_name: dict[str, Any] = {n: {"value": v, "quote": q} for n, (v, q) in told.items()}
    nested = {"intake": {n: by_name[n]["value"] for n in ("name", "age")}, "conceptualisation": by_name}
    data = {"list": listed, "object": by_name, "nested": nested}[shape]
    model = Says(f"Here it is:\n```json\n{json.dumps(data)}\n```")
    found = await drafting.draft_with(NOTES, Player(model))
    assert found.by == "says" and len(model.asked) == 1
    assert NOTES in model.asked[0].messages[-1].content and model.asked[0].schema is not None
    assert found.values["intake.name"] == "Rosa Lindqvist" and found.values["intake.age"] == 34
    assert found.values["conceptualisation.evidence_for"] == ("a near miss last spring",)
    assert "conceptualisation.core_belief" not in found.values and "Core belief" in found.refused[0]


@pytest.mark.anyio
async def test_a_model_that_answers_nothing_useful_is_reported() -> None:
    for answer in ("I cannot do that.", "{}", '{"fields": []}', '{"fields": [{"field": "shoe size", "value": 4}]}'):
        with pytest.raises(ModelError, match="names no field"):
            await drafting.draft_with(NOTES, Player(Says(answer)))


@quick
@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.text(max_size=20) | st.integers(),
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from(["fields", "field", "value", "quote", "name", "age"]), s),
        max_leaves=12,
    ).map(json.dumps)
)
@example('{"fields": [{"field": "age", "value": {"a": 1}, "quote": "34"}]}')
def test_any_answer_of_a_model_is_read_or_reported(answer: str) -> None:
    try:
        found = drafting.read_draft(answer, NOTES, "m")
        assert {d.field for d in found.fields} <= set(fields())
    except ModelError as error:
        assert str(error)


def test_every_field_is_found_by_all_its_names() -> None:
    for field in fields().values():
        for name in (field.name, field.title, *field.also):
            assert field_named(name) == field


@pytest.mark.parametrize("profile", samples(), ids=lambda p: p.id)
def test_the_sample_clients_contradict_nothing(profile: ClientProfile) -> None:
    assert hints.contradictions(profile) == ()
    assert hints.completeness(profile) == ()


def changed(**parts: dict[str, Any]) -> ClientProfile:
    """Return the first engineer among the samples with some fields changed."""
    profile = next(p for p in samples() if p.id == "mei-lin-chow")
    values: dict[str, Any] = flat(profile) | {
        f"{part}.{name}" if part != "profile" else name: value for part, own in parts.items() for name, value in own.items()
    }
    return build({name: value for name, value in values.items() if value != ""}, id=profile.id)


@pytest.mark.parametrize(
    ("parts", "field", "words"),
    [
        ({"intake": {"age": 12}}, "intake.occupation", "“Structural engineer” is unusual as an occupation at 12"),
        ({"intake": {"age": 17}}, "intake.marital_status", "“Married” is unusual at 17"),
        ({"intake": {"marital_status": "Single"}}, "intake.marital_status", "speaks of “my husband”"),
        ({"intake": {"family_details": "Lives alone"}}, "intake.family_details", "“Lives alone”"),
        ({"intake": {"family_details": "No children"}}, "intake.family_details", "“my son”"),
        ({"intake": {"occupation": "Retired"}}, "intake.occupation", "Retired at 34"),
        ({"intake": {"gender": "male", "support": "I am a mother of one."}}, "intake.gender", "I am a mother"),
        (
            {"profile": {"attitude": "positive"}, "opening": {"client": "I don't see the point of this, honestly."}},
            "attitude",
            "don't see the point",
        ),
        (
            {"profile": {"attitude": "negative"}, "opening": {"client": "I'm so glad to be here, and hopeful."}},
            "attitude",
            "so glad",
        ),
        ({"opening": {"counsellor": "Hello Laura, what brings you?"}}, "opening.counsellor", "to Laura"),
        (
            {
                "conceptualisation": {
                    "core_belief": "Nobody could ever love me",
                    "intermediate_belief": "",
                    "automatic_thought": "I will fail this exam",
                }
            },
            "conceptualisation.core_belief",
            "do not seem linked",
        ),
        (
            {"conceptualisation": {"evidence_for": ("my boss sighed at the plan", "my boss sighed at the new plan")}},
            "conceptualisation.evidence_for",
            "twice",
        ),
        (
            {
                "conceptualisation": {
                    "evidence_for": ("my boss sighed at the plan",),
                    "evidence_against": ("my boss sighed at the plan",),
                }
            },
            "conceptualisation.evidence_against",
            "on both sides",
        ),
        (
            {"conceptualisation": {"evidence_for": ("they will find a mistake and it will all come down",)}},
            "conceptualisation.evidence_for",
            "only repeats",
        ),
        (
            {"conceptualisation": {"fairer_thought": "They will find a mistake and it will all come down!"}},
            "conceptualisation.fairer_thought",
            "thought again",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_together_is_hinted_at(parts: dict[str, Any], field: str, words: str) -> None:
    found = hints.contradictions(changed(**parts))
    assert any(field in hint.fields and words in hint.text for hint in found), found


def test_what_is_missing_is_named_with_why_it_matters() -> None:
    profile = ClientProfile(
        id="x", intake=Intake(name="X", reason="Tired."), opening=Opening(counsellor="Hello", client="Hi")
    )
    found = {hint.fields[0]: hint for hint in hints.hints(profile)}
    assert found["intake.presenting_problem"].kind == "missing" and "made up" in found["intake.presenting_problem"].why
    assert found["intake.reason"].kind == "thin" and "1 word;" in found["intake.reason"].text
    assert all(hint.why or hint.kind != "missing" for hint in found.values())


def test_two_profiles_are_compared_field_by_field() -> None:
    before = changed()
    after = changed(intake={"age": 35}, conceptualisation={"action": ""}, profile={"attitude": "negative"})
    assert hints.compare(before, before) == ()
    assert [(c.title, c.before, c.after) for c in hints.compare(before, after)] == [
        ("Age", 34, 35),
        ("Attitude", "neutral", "negative"),
        ("Action", "send one drawing after a single check", ""),
    ]


ALBA = {
    "name": "Alba",
    "id": "1-1",
    "type": ["upset", "plain"],
    "history": "Alba grew up over a shop.",
    "helpless_belief": ["I am helpless.", "I am out of control."],
    "unlovable_belief": [],
    "intermediate_belief": "If I ask for help, then I am weak.",
    "coping_strategies": "She keeps lists.",
    "situation": "The boiler broke down.",
    "auto_thought": "I cannot cope.",
    "emotion": ["anxious", "ashamed"],
    "behavior": "She went to bed.",
    "shoe_size": 38,
}


def read(name: str, data: Any) -> profile_files.Import:
    return profile_files.read_files([(name, data if isinstance(data, bytes) else json.dumps(data).encode())])


def test_a_cognitive_conceptualisation_of_other_hands_is_mapped() -> None:
    found = read("cases.json", [ALBA])
    [profile], [report] = found.profiles, found.reports
    case = profile.conceptualisation
    assert case is not None and profile.attitude == Attitude.NEGATIVE and profile.id == "alba-1-1"
    assert (case.situation, case.automatic_thought, case.core_belief) == (
        "The boiler broke down.",
        "I cannot cope",
        "I am helpless",
    )
    assert (case.emotion, case.behaviour) == ("anxious, ashamed", "She went to bed.")
    assert (
        profile.intake.past_history == "Alba grew up over a shop."
        and "She keeps lists." in profile.intake.presenting_problem
    )
    assert profile.opening.client == "The boiler broke down."
    assert [(d.key, d.reason) for d in report.dropped] == [
        ("type", "Attitude holds one: 'plain'."),
        ("helpless_belief", "Core belief holds one: 'I am out of control.'."),
        ("shoe_size", "No field of a profile is called so."),
    ]
    assert {"intake.age", "opening.client", "intake.reason"} <= set(report.missing)
    assert len(report.notes) == 4 and "licence is not known" in profile.source


@pytest.mark.parametrize(
    "data",
    [
        {
            "Name": "Alba",
            "cognitive_model": {"automatic_thoughts": "I cannot cope.", "emotions": "dread"},
            "core_beliefs": ["I am weak"],
        },
        {
            "patients": [
                {
                    "name": "Alba",
                    "cognitive_models": [{"autoThought": "I cannot cope.", "emotion": "dread"}],
                    "coreBelief": "I am weak",
                }
            ]
        },
        {"profile": {"patient_name": "Alba"}, "thought": "I cannot cope", "feeling": "dread", "beliefs": ["I am weak"]},
    ],
)
def test_keys_of_many_kinds_are_understood(data: Any) -> None:
    [profile] = read("x.json", data).profiles
    case = profile.conceptualisation
    assert case is not None and (case.automatic_thought, case.emotion, case.core_belief) == (
        "I cannot cope",
        "dread",
        "I am weak",
    )


def test_rows_are_accounted_for_entry_by_entry() -> None:
    found = read("rows.json", (DATA / "rows.json").read_bytes())
    assert found.profiles and found.reports
    for profile, report in zip(found.profiles, found.reports, strict=True):
        mapped = {one.field for one in report.mapped}
        assert report.profile_id == profile.id and report.shape == "row"
        assert mapped.isdisjoint(report.missing) and mapped | set(report.missing) == set(fields()) - {"source"}
        assert {name for name in mapped if name.startswith("intake.")} == {
            n for n in flat(profile) if n.startswith("intake.")
        }


def test_a_table_with_other_column_names_is_read() -> None:
    table = "Client name;Sex;AGE;Job;Automatic Thought;Distortions;Evidence for;Intensity;Nonsense\r\n"
    table += 'Ivo Brandt;male;41 years;"Baker; at night";I will fail;"mind reading, labelling";"it burnt\nit fell";7/10;x\r\n;;;;;;;;\r\n'
    found = profile_files.read_files([("clients.csv", ("\ufeff" + table).encode())])
    [profile], [report] = found.profiles, found.reports
    case = profile.conceptualisation
    assert (profile.intake.age, profile.intake.gender, profile.intake.occupation) == (41, "male", "Baker; at night")
    assert case is not None and (case.distortions, case.evidence_for, case.intensity) == (
        ("mind reading", "labelling"),
        ("it burnt", "it fell"),
        70,
    )
    assert [d.key for d in report.dropped] == ["Nonsense"] and report.shape == "csv"


def test_a_bad_profile_is_named_and_the_others_go_in() -> None:
    good = json.dumps([p.model_dump(mode="json") for p in samples()[:2]]).encode()
    mixed = json.dumps(
        [ALBA, {"history": "No name."}, 4, {**samples()[0].model_dump(mode="json"), "extra": {"deep": 1}}]
    ).encode()
    files = [
        ("a.json", good),
        ("b.json", mixed),
        ("c.json", b"{"),
        ("d.csv", b"a,b\n1,2\n"),
        ("e.json", b"\xff\xfe\x00"),
        ("f.json", b"[]"),
    ]
    found = profile_files.read_files(files)
    assert len(found.profiles) == 4 and len({p.id for p in found.profiles}) == 4
    for words in (
        "Profile 2 of b.json",
        "Profile 3 of b.json",
        "c.json is not valid JSON",
        "d.csv has no column",
        "e.json",
        "f.json",
    ):
        assert any(words in problem for problem in found.problems), words
    assert [(d.key, d.reason) for d in found.reports[3].dropped] == [("extra.deep", "No field of a profile is called so.")]


clean = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=30).map(lambda t: " ".join(t.split()))
risky = clean | st.sampled_from(["=1+1", "-2", "+3", "@x", "'=quoted", "''-x", "'tis", "a, b; c", '"q"', "x | y"])
lists = st.lists(risky.filter(bool), max_size=3).map(tuple)
cases = st.builds(
    Conceptualisation, situation=risky, automatic_thought=risky, intensity=st.none() | st.integers(0, 100), evidence_for=st.lists(risky.filter(lambda t: t.strip(" -•*") == t and bool(t) and not set("|;") & set(t)), max_size=3).map(tuple), core_belief=risky
)  # fmt: skip
people = st.builds(
    Intake,
    name=risky.filter(bool),
    age=st.none() | st.integers(5, 120),
    reason=risky,
    occupation=risky,
    functioning=st.builds(Functioning, daily_life=risky),
)
clients = st.builds(
    ClientProfile,
    id=st.from_regex(r"[a-z]{1,8}(-[0-9]{1,3})?", fullmatch=True),
    intake=people,
    attitude=st.sampled_from(Attitude),
    attitude_instruction=risky,
    conceptualisation=st.none() | cases.filter(lambda case: case != Conceptualisation()),
    opening=st.builds(Opening, counsellor=risky.filter(bool), client=risky.filter(bool)),
    calls_for=st.lists(st.sampled_from(CbtTechnique), unique=True, max_size=3).map(tuple),
    summary=risky,
)


@quick
@given(st.lists(clients, min_size=1, max_size=3, unique_by=lambda p: p.id))
def test_profiles_come_back_from_their_files_unchanged(kept: list[ClientProfile]) -> None:
    as_json = read("x.json", profile_files.profiles_json(kept).encode())
    assert list(as_json.profiles) == kept and not as_json.problems
    as_table = read("x.csv", profile_files.profiles_csv(kept).encode())
    assert list(as_table.profiles) == kept and not as_table.problems


@quick
@given(st.lists(clients, min_size=1, max_size=3, unique_by=lambda p: p.id))
def test_no_cell_of_a_table_runs_as_a_formula(kept: list[ClientProfile]) -> None:
    table = profile_files.profiles_csv(kept)
    assert table.startswith("\ufeff")
    for cells in csv.reader(io.StringIO(table[1:], newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


keys = st.sampled_from(
    [*ALBA, "intake", "opening", "AI_client", "attitude", "age", "intake_form", "profiles", "evidence_for"]
)
messy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=8), inner, max_size=8),
    max_leaves=30,
)


@quick
@given(messy)
def test_any_json_is_imported_or_named(data: Any) -> None:
    found = read("x.json", data)
    assert found.profiles or found.problems
    for report in found.reports:
        assert {one.field for one in report.mapped} <= {*fields(), "id"}


@quick
@given(st.binary(max_size=200), st.sampled_from(["x.json", "x.csv", "x.jsonl", "x"]))
def test_any_bytes_are_imported_or_named(raw: bytes, name: str) -> None:
    found = profile_files.read_files([(name, raw)])
    assert found.profiles or found.problems
