"""`compare` prints the Compare page's table from session files, writes it as CSV, and says what it left out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from magnet_core import export
from magnet_core.cli import app
from tests.fakes import rehearsed


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "160"})


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Return a folder with five clients under two methods, and one session that is not finished."""
    folder = tmp_path / "made"
    folder.mkdir()
    for method in ("magnet", "plain"):
        for client in range(5):
            whole = rehearsed(8, client, method=method)
            (folder / f"{method}-{client}.json").write_text(export.native(whole), encoding="utf-8")
    (folder / "begun.json").write_text(export.native(whole.upto(3)), encoding="utf-8")
    return folder


def test_the_table_is_printed_and_written(sessions: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "table.csv"
    result = run("compare", sessions, "--baseline", "plain", "--out", out)
    assert result.exit_code == 0, result.output
    assert "Plain (baseline)" in result.output and "CTRS, mean of six items" in result.output
    assert "0 out; about" in result.output and "1 not finished" in result.output
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    calls = {row["method"]: row for row in rows if row["figure"] == "calls"}
    assert calls["plain"]["baseline"] == "True" and float(calls["magnet"]["difference"]) == 49
    assert calls["magnet"]["pairs"] == "5" and {row["judge"] for row in rows if row["figure"] == "ctrs"} == {"rules"}


def test_a_baseline_that_is_not_there_is_said(sessions: Path) -> None:
    result = run("compare", sessions, "--baseline", "one-call")
    assert result.exit_code == 2 and "one-call" in result.output and "magnet" in result.output
    file = sessions / "magnet-0.json"
    before = file.read_bytes()
    assert run("compare", sessions, "--out", file).exit_code == 2 and file.read_bytes() == before
