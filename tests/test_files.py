"""Session files: ours come back unchanged, the reference's are read as they are out there, and nonsense gets a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magnet_core import export, importers, profiles
from magnet_core.domain import (
    CbtTechnique,
    Session,
)
from magnet_core.errors import MagnetError, SessionFileError
from magnet_core.store import Store
from tests.fakes import finished
from tests.strategies import DATA, sessions, words

scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
KEYS = st.sampled_from(
    [
        "profile",
        "turns",
        "example",
        "history",
        "dialogue",
        "AI_client",
        "AI_counselor",
        "CBT",
        "intake_form",
        "attitude",
        "init_history_client",
        "init_history_counselor",
        "reason_counseling",
        "dialogue_history_init",
        "ground_truth_CBT",
        "cbt_technique",
        "cbt_plan",
        "role",
        "message",
        "method",
        "schema_version",
        "id",
        "intake",
        "opening",
        "name",
        "age",
        "counsellor",
        "client",
    ]
)
messy = st.recursive(
    scalars
    | st.sampled_from(["counselor", "client", "Name: Ann Other\nAge: 300", "Name:\n\nAge:\n", "{", "[/END]", "1. Name: x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | words, inner, max_size=6),
    max_leaves=25,
)
quick = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@quick
@given(sessions)
def test_our_own_files_lose_nothing(session: Session) -> None:
    assert importers.read_bytes(export.native(session).encode(), "x.json") == session


@quick
@given(messy)
def test_any_json_is_read_or_refused_with_a_sentence(data: Any) -> None:
    for read in (importers.read_session, profiles.read_profiles):
        try:
            read(data, "x.json")
        except MagnetError as error:
            assert str(error)


def spoilt(value: Any, spoil: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for copies of a file's data with something in it replaced or taken out."""
    if isinstance(value, dict) and value:
        key = st.sampled_from(sorted(value))
        changed = key.flatmap(lambda k: spoilt(value[k], spoil).map(lambda v: {**value, k: v}))
        return changed | key.map(lambda k: {n: v for n, v in value.items() if n != k}) | spoil
    if isinstance(value, list) and value:
        place = st.integers(0, len(value) - 1)
        return place.flatmap(lambda n: spoilt(value[n], spoil).map(lambda v: [*value[:n], v, *value[n + 1 :]])) | spoil
    return spoil


@quick
@given(spoilt(json.loads((DATA / "released.json").read_text("utf-8")), messy))
def test_a_spoilt_session_is_read_or_refused_with_a_sentence(data: Any) -> None:
    try:
        session = importers.read_session(data, "x.json")
    except SessionFileError as error:
        assert "x.json" in str(error)
    else:
        assert importers.read_bytes(export.native(session).encode(), "x.json") == session


@quick
@given(spoilt(json.loads((DATA / "rows.json").read_text("utf-8"))[0], messy))
def test_a_spoilt_row_is_read_or_refused_with_a_sentence(data: Any) -> None:
    try:
        profiles.read_profiles([data], "rows.json")
    except MagnetError as error:
        assert str(error)


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(SessionFileError, match=r"x\.json"):
        importers.read_bytes(raw, "x.json")


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["magnet", "plain"])
async def test_a_file_for_the_reference_scripts_has_their_shape(method: str) -> None:
    session = await finished(3, method=method)
    data = json.loads(json.dumps(export.magnet(session)))
    assert set(data) >= {"example", "cbt_technique", "cbt_plan", "cost", "history", "notice"}
    assert data["example"] == profiles.row(session.profile)
    assert data["notice"] == session.notice and data["cost"] == 0
    assert [said["role"] for said in data["history"]] == ["counselor", "client"] * 4
    assert [said["message"] for said in data["history"]] == [said.text for said in session.transcript]
    assert (data["cbt_technique"].startswith("Decatastrophizing"), data["cbt_plan"][:2]) == (
        (True, "1.") if method == "magnet" else (False, "")
    )

    again = importers.read_session(data, "x.json")
    assert again.transcript == session.transcript
    assert (again.method, again.ended, again.flags) == (method, True, ())
    assert (again.profile.name, again.profile.attitude) == (session.profile.name, session.profile.attitude)
    if session.plan:
        assert again.plan is not None
        assert (again.plan.technique, again.plan.reason) == (session.plan.technique, session.plan.reason)
        assert again.plan.steps == session.plan.steps


def test_a_released_file_is_read_with_its_flaws_flagged() -> None:
    session = importers.read_file(DATA / "released.json")
    assert session.profile.name == "Tilda Marchetti"
    assert session.plan is not None and session.plan.technique == CbtTechnique.DECATASTROPHIZING
    assert session.plan.steps == ("Name the fear.", "Follow it to the end.", "Plan for the morning after.")
    assert len(session.turns) == 3 and session.ended
    assert set(session.models.values()) == {"imported"}
    assert [(flag.turn, flag.agent, flag.kind) for flag in session.flags] == [
        (2, "client", "empty"),
        (3, "responder", "meta"),
        (3, "client", "repetition"),
    ]


def test_roles_and_breaks_of_other_hands_are_understood() -> None:
    data = json.loads((DATA / "released.json").read_text("utf-8"))
    data["dialogue"] = [
        {"role": "Patient", "content": "Nobody said hello."},
        {"role": "Therapist", "content": "First half."},
        {"role": "therapist", "content": "Second half."},
        {"role": "USER", "text": "Heard. [/END]"},
        {"role": "counsellor", "text": "One more thing."},
    ]
    session = importers.read_session(data, "x.json")
    greeting = "Good morning Tilda, what would you like to look at today?"
    assert [said.text for said in session.transcript] == [
        greeting,
        "Nobody said hello.",
        "First half.\n\nSecond half.",
        "Heard.",
    ]
    assert session.turns[0].reply.ends_session
    assert len([gap for gap in session.profile.gaps if "greeting" in gap or "no answer" in gap]) == 2


def test_a_file_imported_twice_is_the_same_session(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/magnet.db")
    for _ in range(2):
        store.save(importers.read_file(DATA / "released.json"))
    assert len(store.recent()) == 1
    store.close()


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    session = Session(id="x", created=datetime.now(UTC), profile=profiles.samples()[0])
    newer = {**json.loads(export.native(session)), "schema_version": 2}
    released = json.loads((DATA / "released.json").read_text("utf-8"))
    stranger = [*released["dialogue"], {"role": "narrator", "message": "Night fell."}]
    nameless = {**released, "AI_client": {**released["AI_client"], "intake_form": "Age: 4"}}
    cases: dict[str, tuple[Any, str]] = {
        "list": ([1], "JSON object"),
        "empty": ({}, "it needs 'profile'"),
        "newer": (newer, "newer version"),
        "broken": ({"profile": {}, "turns": 3}, "profile.intake"),
        "stranger": ({**released, "dialogue": stranger}, "Message 9 .* 'narrator'"),
        "short": ({**released, "dialogue": released["dialogue"][:2]}, "0 turns"),
        "nameless": (nameless, "gives no name"),
        "wordless": ({**released, "dialogue": [{"role": "client", "message": 3}]}, "Message 1 .* no text"),
    }
    for name, (data, sentence) in cases.items():
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        with pytest.raises(SessionFileError, match=f"{name}.json.*{sentence}|{sentence}.*"):
            importers.read_file(file)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "digits.json").write_text("1" * 10_000)
    for name in ("deep.json", "digits.json", "none.json"):
        with pytest.raises(SessionFileError, match=name):
            importers.read_file(tmp_path / name)


def test_halves_of_characters_do_not_spoil_a_session(tmp_path: Path) -> None:
    raw = (DATA / "released.json").read_bytes().replace(b"spine", b"\\uD83D \\uD83D\\uDE42")
    session = importers.read_bytes(raw, "x.json")
    assert session.turns[0].reply.text.startswith("A ? \N{SLIGHTLY SMILING FACE} that")
    assert importers.read_bytes(export.native(session).encode(), "x.json") == session
