"""The command line keeps its promises: what it writes, what it says, what it leaves alone, and what a kill cannot take."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from magnet_core import batch, export, importers, profiles, prompts
from magnet_core.cli import app
from magnet_core.domain import Session
from magnet_core.errors import SettingsError
from magnet_core.events import SessionFinished
from magnet_core.models import Player
from magnet_core.packs import FORMAT
from magnet_core.session import new_session
from tests.fakes import Scripted, finished
from tests.llm_server import LlmServer
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
SAMPLES = profiles.samples()


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def generate(out: Path, *args: object, clients: object = profiles.SAMPLES) -> Result:
    return run("generate", "--profiles", clients, "--out", out, "--model", "rehearsal", "--turns", 8, *args)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return when each file of a folder was written, and its content."""
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def play(monkeypatch: pytest.MonkeyPatch, model: Scripted) -> None:
    @asynccontextmanager
    async def opened(cast: Any, limit: Any = None, meter: Any = None) -> AsyncIterator[Any]:
        yield lambda agent: Player(model)

    monkeypatch.setattr("magnet_core.cast.open_models", opened)


@pytest.mark.parametrize("pick", [("--pick", 3, 5), ("--pick", 3, "--pick", 5), ("--pick", "3,5")])
def test_the_picked_clients_get_a_session_each(tmp_path: Path, pick: tuple[object, ...]) -> None:
    result = generate(tmp_path / "a" / "b", *pick, "--seed", 7)
    assert result.exit_code == 0, result.output
    names = {SAMPLES[2].id, SAMPLES[4].id}
    assert set(files(tmp_path / "a" / "b")) == {".made-with", *(f"{name}.json" for name in names)}
    for name in names:
        session = importers.read_file(tmp_path / "a" / "b" / f"{name}.json")
        assert session.profile in SAMPLES and session.ended and session.seed == 7
        assert set(session.models.values()) == {"rehearsal"}
    assert "2 of 2 sessions are finished" in result.stderr


def test_a_rerun_repeats_nothing_and_adds_what_is_missing(tmp_path: Path) -> None:
    assert generate(tmp_path, "--pick", 1).exit_code == 0
    before = files(tmp_path)
    assert generate(tmp_path, "--pick", 1).exit_code == 0
    assert files(tmp_path) == before
    assert generate(tmp_path, "--pick", 1, 2).exit_code == 0
    after = files(tmp_path)
    assert after[f"{SAMPLES[0].id}.json"] == before[f"{SAMPLES[0].id}.json"]
    assert f"{SAMPLES[1].id}.json" in after


@pytest.mark.parametrize(
    ("args", "difference"),
    [
        (("--turns", 9), "turns 8, not 9"),
        (("--seed", 1), "seed 0, not 1"),
        (("--method", "plain"), "method magnet, not plain"),
        (("--visibility", "paper"), "visibility repaired, not paper"),
        (("--format", "magnet"), "format native, not magnet"),
        (("--model", "other", "--base-url", "http://127.0.0.1:1/v1"), "model rehearsal, not other"),
        (("--attitude", "negative"), "another origin"),
    ],
)
def test_other_arguments_for_the_same_folder_are_refused(tmp_path: Path, args: tuple[object, ...], difference: str) -> None:
    assert generate(tmp_path, "--pick", 3, "--attitude", "positive").exit_code == 0
    before = files(tmp_path)
    attitude = () if "--attitude" in args else ("--attitude", "positive")
    result = generate(tmp_path, "--pick", 3, *attitude, *args)
    assert (result.exit_code, files(tmp_path)) == (2, before)
    assert difference in " ".join(result.stderr.split())


def test_foreign_files_and_other_clients_of_the_same_name_are_left_alone(tmp_path: Path) -> None:
    samples = shutil.copytree(profiles.SAMPLES, tmp_path / "samples")
    before = files(samples)
    result = generate(samples, clients=samples)
    assert (result.exit_code, files(samples)) == (2, before)
    assert "another origin" in result.stderr

    out = tmp_path / "out"
    assert generate(out, "--pick", 1).exit_code == 0
    before = files(out)
    record = json.loads((profiles.SAMPLES / f"{SAMPLES[0].id}.json").read_text("utf-8"))
    record["intake"]["age"] = 99
    (tmp_path / "one.json").write_text(json.dumps(record), encoding="utf-8")
    result = generate(out, clients=tmp_path / "one.json")
    assert (result.exit_code, files(out)) == (2, before)


def test_a_row_that_cannot_be_used_does_not_stop_the_others(tmp_path: Path) -> None:
    result = generate(tmp_path, clients=DATA / "rows.json")
    assert result.exit_code == 1
    assert "Profile 4 of rows.json cannot be used. The row's AI_client holds no intake_form text." in result.stderr
    assert "4 of 5 sessions are finished" in result.stderr
    assert "Osei Lindqvist (osei-lindqvist-neutral): The greeting was broken" in result.stderr
    assert {p.stem for p in tmp_path.glob("*.json")} == {
        "tilda-marchetti-neutral",
        "tilda-marchetti-negative",
        "osei-lindqvist-neutral",
        "wren-abara-neutral",
    }
    assert generate(tmp_path, "--pick", 5, 1, clients=DATA / "rows.json").exit_code == 0


def test_a_broken_file_in_a_folder_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(profiles.SAMPLES / f"{SAMPLES[0].id}.json", tmp_path / "in")
    (tmp_path / "in" / "broken.json").write_text("{", encoding="utf-8")
    result = generate(tmp_path / "out", clients=tmp_path / "in")
    assert result.exit_code == 1
    assert "broken.json is not valid JSON" in result.stderr
    assert (tmp_path / "out" / f"{SAMPLES[0].id}.json").exists()


def test_a_failed_session_is_named_and_goes_on_from_its_last_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Scripted(lambda agent, turn: agent == "client" and turn == 4)
    play(monkeypatch, failing)
    result = generate(tmp_path, "--pick", 1)
    assert result.exit_code == 1
    sentence = " ".join(result.stderr.split())
    assert (
        f"{SAMPLES[0].name} ({SAMPLES[0].id}) stopped in turn 4. The client agent could not answer: the scripted" in sentence
    )
    assert "The 3 finished turns are kept" in sentence
    part = importers.read_file(tmp_path / ".unfinished" / f"{SAMPLES[0].id}.part")
    assert len(part.turns) == 3 and not (tmp_path / f"{SAMPLES[0].id}.json").exists()

    well = Scripted()
    play(monkeypatch, well)
    assert generate(tmp_path, "--pick", 1).exit_code == 0
    session = importers.read_file(tmp_path / f"{SAMPLES[0].id}.json")
    assert session.upto(3) == part and len(session.turns) == 8
    assert {turn for _, _, turn in well.asked} == set(range(4, 9)), "neither the plan nor a finished turn is made again"
    assert not (tmp_path / ".unfinished").exists()


@pytest.mark.parametrize(("method", "place"), [("magnet", "the plan"), ("plain", "turn 1")])
def test_a_run_that_made_nothing_leaves_the_folder_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, place: str
) -> None:
    play(monkeypatch, Scripted(lambda agent, turn: True))
    result = generate(tmp_path, "--pick", 1, "--method", method)
    assert result.exit_code == 1 and f"stopped in {place}." in result.stderr
    play(monkeypatch, Scripted())
    assert generate(tmp_path, "--pick", 1, "--method", method, "--seed", 3).exit_code == 0


def test_a_damaged_leftover_is_named_and_the_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, Scripted(lambda agent, turn: turn == 2))
    generate(tmp_path, "--pick", 1, 2)
    (tmp_path / ".unfinished" / f"{SAMPLES[0].id}.part").write_text("{", encoding="utf-8")
    play(monkeypatch, Scripted())
    result = generate(tmp_path, "--pick", 1, 2)
    assert result.exit_code == 1
    assert f"{SAMPLES[0].id}.part is not valid JSON" in " ".join(result.stderr.split())
    assert [p.stem for p in tmp_path.glob("*.json")] == [SAMPLES[1].id]


def test_files_for_the_reference_scripts(tmp_path: Path) -> None:
    assert generate(tmp_path, "--pick", 2, "--format", "magnet").exit_code == 0
    data = json.loads((tmp_path / f"{SAMPLES[1].id}.json").read_text("utf-8"))
    theirs = {"example", "cbt_technique", "cbt_plan", "cost", "history"}
    assert set(data) == theirs | {"method", "notice", "models", "prompts", "licence"}
    assert len(data["history"]) >= 4


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--pick", "99"), "no profile number 99"),
        (("--pick", "first"), "'first' is none"),
        (("--method", "nosuch"), "no method 'nosuch'"),
        (("--turns", "0"), "--turns"),
        (("--attitude", "cross"), "--attitude"),
        (("--base-url", "http://localhost/v1"), "needs a model's name"),
        (("--model", "m", "--base-url", "localhost"), "looks like http"),
        (("--profiles", "nosuch.json"), "no file or folder nosuch.json"),
        (("--profiles", str(DATA)), "finished"),
    ],
)
def test_wrong_arguments_get_a_sentence(tmp_path: Path, args: tuple[str, ...], sentence: str) -> None:
    result = generate(tmp_path / "out", *args)
    assert sentence in result.stderr
    assert result.exit_code == (1 if sentence == "finished" else 2)
    assert sentence == "finished" or not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = generate(tmp_path / "file", "--pick", 1)
    assert result.exit_code == 2 and "cannot be written" in result.stderr


def test_two_runs_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    folder = batch.Folder(tmp_path)
    with folder.claim({}, []), pytest.raises(SettingsError, match="Another run"), batch.Folder(tmp_path).claim({}, []):
        pass
    with folder.claim({}, []):
        pass


@pytest.mark.anyio
async def test_no_more_sessions_run_at_once_than_asked() -> None:
    model = Scripted(seconds=0.002)
    sessions = [new_session(client, max_turns=2, models=lambda agent: Player(model)) for client in SAMPLES[:5]]
    ended: list[Session] = []
    async for event in batch.run_batch(sessions, lambda agent: Player(model), concurrency=2):
        if isinstance(event, SessionFinished):
            ended.append(event.session)
    assert {session.id for session in ended} == {session.id for session in sessions}
    order = list(dict.fromkeys(name for name, _, _ in model.asked))
    assert order == [client.name for client in SAMPLES[:5]]
    places = {name: [n for n, asked in enumerate(model.asked) if asked[0] == name] for name in order}
    for n in range(len(model.asked)):
        assert sum(spots[0] <= n <= spots[-1] for spots in places.values()) <= 2


def begin(url: str, out: Path, **environment: str) -> subprocess.Popen[str]:
    args = ["--profiles", profiles.SAMPLES, "--pick", 1, 2, 3, "--out", out, "--model", "test-model", "--base-url", url]
    return subprocess.Popen(
        [sys.executable, "-m", "magnet_core", "generate", *map(str, args), "--turns", "8", "--concurrency", "2"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def parts(out: Path) -> dict[str, Session]:
    return {p.stem: importers.read_file(p) for p in (out / ".unfinished").glob("*.part")}


def test_a_kill_takes_the_running_turn_at_most(tmp_path: Path, endpoint: Callable[..., LlmServer]) -> None:
    # of the 65 calls of a session, so many that one of the two has three turns and none is finished
    server = endpoint(tokens=1, held_after=60)
    running = begin(server.url, tmp_path)
    wait_until(lambda: any(len(session.turns) >= 3 for session in parts(tmp_path).values()))
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    kept = parts(tmp_path)
    server.go_on()
    again = begin(server.url, tmp_path)
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    made = {p.stem: importers.read_file(p) for p in tmp_path.glob("*.json")}
    assert set(made) == {client.id for client in SAMPLES[:3]}
    for name, session in made.items():
        assert session.ended
        if name in kept:
            assert session.upto(len(kept[name].turns)) == kept[name]
    assert not (tmp_path / ".unfinished").exists()


def test_an_interrupt_ends_cleanly_and_the_key_is_nowhere(tmp_path: Path, endpoint: Callable[..., LlmServer]) -> None:
    server = endpoint(tokens=1, held_after=40, key="sk-secret-word")
    running = begin(server.url, tmp_path, OPENAI_API_KEY="sk-secret-word")
    wait_until(lambda: any(session.turns for session in parts(tmp_path).values()))
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "Stopped. Finished turns are kept" in said and "Traceback" not in said
    assert parts(tmp_path)
    assert "secret-word" not in out + said
    assert not any(b"secret-word" in content for _, content in files(tmp_path).values())


@pytest.mark.anyio
async def test_show_prints_a_session_of_any_shape(tmp_path: Path) -> None:
    session = await finished(2)
    reply = session.turns[1].reply.model_copy(update={"text": "[bold]Not markup[/bold] :smile: [/nothing]"})
    session = session.model_copy(update={"turns": (session.turns[0], session.turns[1].model_copy(update={"reply": reply}))})
    (tmp_path / "native.json").write_text(export.native(session), encoding="utf-8")
    (tmp_path / "magnet.json").write_text(json.dumps(export.magnet(session)), encoding="utf-8")
    for name in ("native.json", "magnet.json"):
        result = run("show", tmp_path / name)
        assert result.exit_code == 0, result.output
        printed = " ".join(result.stdout.split())
        assert f"{session.profile.name}, {session.profile.intake.age} · {session.profile.attitude} client" in printed
        assert "Plan: Decatastrophizing" in printed and session.notice in printed
        assert "Client: [bold]Not markup[/bold] :smile: [/nothing]" in printed
    assert "Turn 2 [Q R] · step 2" in run("show", tmp_path / "native.json").stdout
    released = run("show", DATA / "released.json")
    assert released.exit_code == 0 and "Flag, meta (responder)" in released.stdout


@pytest.mark.anyio
async def test_show_marks_what_a_person_did(tmp_path: Path) -> None:
    session = await finished(2)
    first, second = session.turns
    assert session.plan and second.choice
    turns = (
        first.model_copy(update={"typed": ("client",)}),
        second.model_copy(update={"choice": second.choice.model_copy(update={"by_person": True}), "typed": ("counsellor",)}),
    )
    plan = session.plan.model_copy(update={"by_person": True})
    made = session.model_copy(update={"plan": plan, "turns": turns})
    (tmp_path / "made.json").write_text(export.native(made), encoding="utf-8")
    (tmp_path / "plain.json").write_text(export.native(session), encoding="utf-8")
    printed, plain = run("show", tmp_path / "made.json").stdout, run("show", tmp_path / "plain.json").stdout
    assert f"Plan: {plan.technique}, edited by a person" in printed
    assert printed.count("Client (typed by a person): ") == printed.count("Counsellor (typed by a person): ") == 1
    assert printed.count(", chosen by a person") == 1 and "Turn 2 [" in printed
    assert "by a person" not in plain


def test_show_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    for file, sentence in ((tmp_path / "x.json", "holds no session"), (tmp_path / "y.json", "cannot be read")):
        result = run("show", file)
        assert (result.exit_code, sentence in result.stderr) == (2, True)


def test_help_and_wrong_arguments_load_nothing_heavy() -> None:
    heavy = ("pydantic", "sqlalchemy", "openai", "yaml", "hypothesis", "rich.progress")
    program = f"import sys, magnet_core.cli; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]", loaded.stderr


def test_sessions_are_made_with_a_packs_prompts_and_a_folder_keeps_to_them(tmp_path: Path) -> None:
    own = prompts.load()["client"].model_copy(update={"note": "Turn $turn, be brief."})
    mine, body = tmp_path / "mine.json", {"format": FORMAT, "version": 1, "title": "Mine"}
    judges = [{"name": "judge/system", "system": "Be strict."}]
    mine.write_text(json.dumps(body | {"prompts": [own.model_dump()], "judges": judges}))
    out = tmp_path / "out"
    assert generate(out, "--pick", 1, "--prompts", mine).exit_code == 0
    session = importers.read_file(out / f"{SAMPLES[0].id}.json")
    assert {p.name: p.note for p in session.prompts}["client"] == own.note
    assert not any("/" in p.name for p in session.prompts)
    assert generate(out, "--pick", 1, "--prompts", mine).exit_code == 0
    refused = generate(out, "--pick", 2)
    assert refused.exit_code == 2 and "were made with prompts pack " in refused.stderr
    plain = tmp_path / "plain"
    assert generate(plain, "--pick", 1).exit_code == 0
    assert generate(plain, "--pick", 1, "--prompts", mine).exit_code == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe\x00", "not a text in UTF-8"),
        (b"{}", "no prompt pack"),
        (json.dumps({"prompts": [{"name": "client", "note": "$trun", "role": "x"}]}).encode(), "cannot be used"),
        (json.dumps({"prompts": [], "judges": [{"name": "judge/system", "system": "Be strict."}]}).encode(), "no agent's"),
    ],
)
def test_a_pack_that_cannot_be_used_is_refused_before_anything_is_made(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file, out = tmp_path / "pack.json", tmp_path / "out"
    if content is not None:
        if content.startswith(b'{"'):
            content = json.dumps({"format": FORMAT, "version": 1, "title": "T"} | json.loads(content)).encode()
        file.write_bytes(content)
    result = generate(out, "--pick", 1, "--prompts", file)
    assert result.exit_code == 2 and says in " ".join(result.stderr.split()) and not out.exists(), result.stderr
