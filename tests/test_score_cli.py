"""`score` and `diversity` write a row for everything they measure, mark what is missing, and say what could not be read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from magnet_core import export
from magnet_core.cli import app
from magnet_core.lab import wordings
from magnet_core.packs import Pack, to_file
from magnet_core.scoring.cli import score_tables
from magnet_core.scoring.instruments import sheet
from magnet_core.scoring.items import CTRS, CTRS_11, PANAS, WAI
from magnet_core.scoring.rubrics import Rubric
from magnet_core.store import Store
from tests.fakes import finished
from tests.llm_server import Start

COLUMNS = ["session", "instrument", "item", "value", "spread", "n", "judge", "prompt_sha", "explanation", "turns"]


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAGNET_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("magnet_core.models.calls._pause", lambda failures, retry_after: 0.0)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Return a folder with two sessions, one in our own shape and one in the reference's."""
    folder = tmp_path / "made"
    folder.mkdir()
    first, second = asyncio.run(finished(3)), asyncio.run(finished(2))
    (folder / "first.json").write_text(export.native(first), encoding="utf-8")
    (folder / "second.json").write_text(json.dumps(export.magnet(second)), encoding="utf-8")
    return folder


def test_the_rules_rate_files_of_any_shape(tmp_path: Path, sessions: Path) -> None:
    out = tmp_path / "new" / "rows.jsonl"
    result = run("score", sessions / "first.json", sessions / "second.json", "--out", out)
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert all(list(row) == COLUMNS for row in found)
    assert [r["session"] for r in found] == sorted(r["session"] for r in found)
    for name in ("first", "second"):
        own = [row for row in found if row["session"] == name]
        for instrument, items in (("ctrs", CTRS), ("wai", WAI), ("panas-before", PANAS), ("panas-after", PANAS)):
            assert [r["item"] for r in own if r["instrument"] == instrument] == [item.key for item in items]
        assert {r["judge"] for r in own} == {"rules"}
        assert [r for r in own if r["instrument"] == "rules"]
        assert all(r["value"] is None or r["n"] >= 1 for r in own if r["instrument"] != "rules")
    assert "first" in result.output
    assert "2 of 2 sessions" in result.output


def test_a_model_rates_at_its_endpoint(tmp_path: Path, sessions: Path, endpoint: Start) -> None:
    server, out = endpoint(), tmp_path / "rows.jsonl"
    result = run(
        "score", sessions, "--instruments", "ctrs-11,wai", "--judge", "test-model", "--base-url", server.url,
        "--samples", 2, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert len(found) == 2 * (len(CTRS_11) + len(WAI)) == server.record.calls * 1
    assert {row["judge"] for row in found} == {"test-model"}
    assert {row["n"] for row in found} == {2}
    assert all(row["spread"] is not None and row["explanation"] for row in found)
    assert all(set(row["turns"]) <= {0, 1, 2, 3} for row in found)


def test_a_model_is_told_the_judges_words_of_a_pack(tmp_path: Path, sessions: Path, endpoint: Start) -> None:
    server, out, pack = endpoint(), tmp_path / "rows.jsonl", tmp_path / "pack.json"
    mine = wordings.texts()["ctrs/focus"].model_copy(update={"system": "Focus: my own question?\n\n0: None.\n6: All."})
    pack.write_text(to_file(Pack(id="strict", title="Strict", judges=(mine,))), encoding="utf-8")
    arguments = ("score", sessions / "first.json", "--judge", "test-model", "--base-url", server.url, "--samples", 1)
    result = run(*arguments, "--instruments", "ctrs,wai", "--prompts", pack, "--out", out)
    assert result.exit_code == 0, result.output
    told = {row["instrument"]: row["prompt_sha"] for row in rows(out)}
    assert told == {"ctrs": wordings.reworded(sheet("ctrs"), [mine]).sha, "wai": sheet("wai").sha}
    assert told["ctrs"] != sheet("ctrs").sha and any("my own question?" in str(body) for body in server.record.bodies)
    calls = server.record.calls
    same = run(*arguments, "--instruments", "wai", "--prompts", pack, "--out", tmp_path / "other.jsonl")
    assert same.exit_code == 2 and "nothing else than our words" in same.output and server.record.calls == calls


def test_rating_stops_at_its_budget(tmp_path: Path, sessions: Path, endpoint: Start) -> None:
    server, out = endpoint(), tmp_path / "rows.jsonl"
    result = run(
        "score", sessions, "--instruments", "ctrs,wai", "--judge", "test-model", "--base-url", server.url, "--samples", 1,
        "--token-budget", 9000, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 1 and "The budget, 9,000 tokens, does not reach" in " ".join(result.output.split())
    assert 0 < server.record.calls < 2 * (6 + len(WAI))


def test_what_was_rated_before_the_budget_was_spent_is_kept(
    tmp_path: Path, sessions: Path, endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magnet_core.scoring.cli._AT_ONCE", 1)
    server, out = endpoint(), tmp_path / "rows.jsonl"
    result = run(
        "score", sessions, "--instruments", "ctrs", "--judge", "test-model", "--base-url", server.url, "--samples", 1,
        "--token-budget", 5500, "--out", out,
    )  # fmt: skip
    said = " ".join(result.output.split())
    assert result.exit_code == 1 and "What was rated before is kept. 1 of 2 sessions are in" in said
    assert {row["session"] for row in rows(out)} == {"first"} and len(rows(out)) == len(CTRS)


@pytest.fixture
def rubric(tmp_path: Path) -> Rubric:
    """Return an own rubric that the library holds."""
    made = Rubric(
        id="rubric-culture",
        title="Culture [care]",
        question="Is culture taken up?",
        high=4,
        anchors={0: "Never.", 4: "Often."},
    )
    store = Store(f"sqlite:///{tmp_path / 'library.db'}")
    store.rubrics.save(made)
    store.close()
    return made


@pytest.mark.parametrize("name", ["rubric-culture", "culture", "Culture [Care]"])
def test_a_model_rates_by_an_own_rubric(tmp_path: Path, sessions: Path, endpoint: Start, rubric: Rubric, name: str) -> None:
    server, out = endpoint(), tmp_path / "rows.jsonl"
    result = run(
        "score", sessions, "--instruments", f"{name},rubric-culture", "--judge", "test-model", "--base-url", server.url,
        "--samples", 2, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert [row["session"] for row in found] == ["first", "second"]
    assert {(row["instrument"], row["item"], row["judge"]) for row in found} == {(rubric.id, rubric.id, "test-model")}
    assert all(0 <= row["value"] <= 4 and row["n"] == 2 and row["explanation"] for row in found)
    assert "Is culture taken up?" in json.dumps(server.record.bodies)
    assert "Culture [care] (0-4)" in result.output


def test_an_unknown_rubric_lists_what_there_is(tmp_path: Path, sessions: Path, rubric: Rubric) -> None:
    out = tmp_path / "rows.jsonl"
    result = run("score", sessions, "--instruments", "ctrs,mood", "--judge", "test-model", "--out", out)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "'mood' is none" in said and "rubric-culture (“Culture [care]”)" in said and "ctrs-11" in said
    result = run("score", sessions, "--instruments", "culture", "--out", out)
    assert result.exit_code == 2 and "needs a model as judge" in " ".join(result.output.split())
    assert not out.exists()


def test_an_answer_that_cannot_be_read_is_a_null(tmp_path: Path, sessions: Path, endpoint: Start) -> None:
    server = endpoint(answer=lambda body, number: "I would rather not say.")
    out = tmp_path / "rows.jsonl"
    result = run(
        "score", sessions / "first.json", "--instruments", "ctrs", "--judge", "test-model", "--base-url", server.url,
        "--samples", 1, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert [row["value"] for row in found] == [None] * 6
    assert all(row["n"] == 0 and row["spread"] is None for row in found)
    assert "6 values are missing" in result.output
    assert "missing" in next(iter(found))["explanation"].lower()


def test_a_judge_that_does_not_answer_is_not_asked_for_the_rest(tmp_path: Path, sessions: Path, endpoint: Start) -> None:
    server, out = endpoint(key="sk-right"), tmp_path / "rows.jsonl"
    result = run(
        "score", sessions, "--instruments", "ctrs,wai", "--judge", "test-model", "--base-url", server.url, "--out", out
    )  # fmt: skip
    assert result.exit_code == 1
    assert "gave no answer for first" in result.output
    assert "API key" in result.output
    assert {row["session"] for row in rows(out)} == {"first"}
    assert all(row["value"] is None for row in rows(out))


def test_a_bad_file_is_named_and_the_rest_go_on(tmp_path: Path, sessions: Path) -> None:
    (sessions / "bad.json").write_text('{"no": "session"}', encoding="utf-8")
    out = tmp_path / "rows.jsonl"
    result = run("score", sessions, "--instruments", "ctrs", "--out", out)
    assert result.exit_code == 1
    assert "bad.json holds no session" in result.output
    assert {row["session"] for row in rows(out)} == {"first", "second"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--instruments", "ctrs,mood"), "'mood' is none"),
        (("--instruments", ","), "none was named"),
        (("--judge", "rehearsal"), "cannot rate"),
        (("--base-url", "http://localhost:1/v1"), "needs a model's name"),
        (("--judge", "x", "--base-url", "localhost"), "http://"),
        (("--prompts", "pack.json"), "The rules read no prompts"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, sessions: Path, args: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "rows.jsonl"
    result = run("score", sessions, "--out", out, *args)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert not out.exists()


def test_a_session_is_never_written_over(tmp_path: Path, sessions: Path) -> None:
    file = sessions / "first.json"
    before = file.read_bytes()
    for command in ("score", "diversity"):
        result = run(command, sessions, "--out", file)
        assert result.exit_code == 2, result.output
        assert "one of the sessions" in result.output
    assert file.read_bytes() == before
    assert run("score", file, "--out", tmp_path).exit_code == 2
    assert run("score", tmp_path / "gone.json", "--out", tmp_path / "x").exit_code == 2


def test_diversity_counts_every_session_and_all_together(tmp_path: Path, sessions: Path) -> None:
    out = tmp_path / "rows.jsonl"
    result = run("diversity", sessions / "first.json", sessions / "second.json", "--recipe", "paper", "--out", out)
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert all(list(row) == COLUMNS for row in found)
    assert list(dict.fromkeys(row["session"] for row in found)) == ["first", "second", "(all)"]
    assert [row["item"] for row in found if row["session"] == "(all)"][:4] == [
        "distinct-1",
        "distinct-2",
        "distinct-3",
        "ead",
    ]
    assert {row["judge"] for row in found} == {"paper, words"}
    assert "distinct-2" in result.output


def test_corpora_are_compared_on_samples_of_equal_size(tmp_path: Path, sessions: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "third.json").write_text(export.native(asyncio.run(finished(4))), encoding="utf-8")
    out = tmp_path / "rows.jsonl"
    assert run("diversity", sessions, other, "--out", out).exit_code == 0
    notes = {row["session"]: row["explanation"] for row in rows(out) if row["session"].startswith("(")}
    assert notes == {"(made)": "a random 1 of 2 sessions", "(other)": "all 1 sessions"}


def test_a_tokenizer_that_cannot_be_read_is_said(tmp_path: Path, sessions: Path) -> None:
    result = run("diversity", sessions, "--tokenizer", tmp_path / "none.json")
    assert result.exit_code == 2
    assert "tokenizer" in result.output


def test_reversed_items_are_turned_round_in_the_table_and_raw_in_the_rows(
    tmp_path: Path, endpoint: Start, sessions: Path
) -> None:
    server = endpoint(answer=lambda body, number: "7")
    out = tmp_path / "rows.jsonl"
    result = run(
        "score", sessions / "first.json", "--instruments", "wai", "--judge", "test-model", "--base-url", server.url,
        "--samples", 1, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert {row["value"] for row in found} == {7.0}
    [table] = score_tables(found)
    cells = {str(column.header): next(iter(column.cells)) for column in table.columns}
    assert cells == {"session": "first", "task (1-7)": "7.00", "bond (1-7)": "7.00", "goal (1-7)": "4.00"}
