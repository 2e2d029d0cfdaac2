"""`compare` prints the Compare page's table from session files, writes it as CSV, and says what it left out."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from magnet_core import export
from magnet_core.cast import Cast, open_models
from magnet_core.cli import app
from magnet_core.domain import Session
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "160"})


async def made(client: int, method: str) -> Session:
    async with open_models(Cast()) as models:
        session = new_session(samples()[client], method=method, max_turns=8, models=models)
        async for event in run_session(session, models, live=False):
            session = getattr(event, "session", session)
        return session


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with five clients under two methods, and one session that is not finished."""
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'library.db'}")
    folder = tmp_path / "made"
    folder.mkdir()
    for method in ("magnet", "plain"):
        for client in range(5):
            whole = asyncio.run(made(client, method))
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
