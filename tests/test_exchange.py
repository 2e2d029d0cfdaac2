"""Sessions go out in many shapes and come back: nothing is lost that a shape can hold, and bad files are named."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magnet_core import archives, export, importers
from magnet_core.domain import Session
from magnet_core.profiles import row, samples
from magnet_core.session import fork
from tests.fakes import finished
from tests.strategies import DATA, sessions

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
EVIL = "<script>alert(1)</script> =cmd() | **bold** [x](http://evil.example) & “quoted”"


@pytest.fixture
async def session() -> Session:
    """A session whose first reply a person typed, from an imported client."""
    made = await finished(3)
    first = made.turns[0]
    typed = first.model_copy(update={"typed": ("client",), "reply": first.reply.model_copy(update={"text": EVIL})})
    profile = made.profile.model_copy(update={"source": "Row of x.json; rows of that list are GPL-2.0."})
    return made.model_copy(update={"turns": (typed, *made.turns[1:]), "profile": profile})


def zipped(files: dict[str, bytes], **more: Any) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", more.get("kind", zipfile.ZIP_DEFLATED)) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return content.getvalue()


@pytest.mark.anyio
async def test_every_export_says_what_it_is(session: Session) -> None:
    everything = {
        "native": export.native(session),
        "magnet": json.dumps(export.magnet(session), ensure_ascii=False),
        "jsonl": export.jsonl([session]),
        "csv": export.table([session]),
        "markdown": export.markdown(session),
        "html": export.html(session),
        "bundle": zipfile.ZipFile(io.BytesIO(export.bundle([session]))).read("NOTICE.txt").decode(),
    }
    for shape, text in everything.items():
        bare = text.replace("\\", "")
        assert session.notice in bare and "scripted" in bare and "rows of that list are GPL-2.0" in bare, shape
        if shape != "native":
            assert all(export.prompt_hash(prompt) in bare for prompt in session.prompts), shape
    assert all(prompt.note in export.native(session) or "\n" in prompt.note for prompt in session.prompts)


@pytest.mark.anyio
async def test_messages_that_a_person_typed_are_marked_in_every_export(session: Session) -> None:
    assert [message.get("typed", False) for message in export.magnet(session)["history"]] == [False] * 3 + [True] + [
        False
    ] * 4
    rows = [json.loads(line) for line in export.jsonl([session]).splitlines()]
    assert [r["typed"] for r in rows] == [[], ["client"], [], []]
    assert export.markdown(session).count("typed by a person") == 1
    assert export.html(session).count("typed by a person") == 1
    table = list(csv.DictReader(io.StringIO(export.table([session])[1:], newline="")))
    assert [r["typed"] for r in table] == ["", "client", "", ""]
    bundle = zipfile.ZipFile(io.BytesIO(export.bundle([session])))
    [inside] = [json.loads(bundle.read(name)) for name in bundle.namelist() if name.startswith("sessions/")]
    for whole in (json.loads(export.native(session)), inside):
        assert [turn["typed"] for turn in whole["turns"]] == [["client"], [], []]
    back = importers.read_session(export.magnet(session), "x.json")
    assert [turn.typed for turn in back.turns] == [("client",), (), ()]


@pytest.mark.anyio
async def test_a_plan_edited_and_techniques_chosen_by_a_person_are_marked_in_every_export(session: Session) -> None:
    assert session.plan is not None and session.turns[1].choice is not None
    second = session.turns[1].model_copy(update={"choice": session.turns[1].choice.model_copy(update={"by_person": True})})
    plan = session.plan.model_copy(update={"by_person": True})
    made = session.model_copy(update={"plan": plan, "turns": (session.turns[0], second, session.turns[2])})
    rows = [json.loads(line) for line in export.jsonl([made]).splitlines()]
    assert [r["choice_by_person"] for r in rows] == [False, False, True, False]
    assert all(r["plan_by_person"] is True for r in rows)
    table = list(csv.DictReader(io.StringIO(export.table([made])[1:], newline="")))
    assert [r["choice_by_person"] for r in table] == ["False", "False", "True", "False"]
    assert {r["plan_by_person"] for r in table} == {"True"}
    text, page = export.markdown(made), export.html(made)
    assert text.count("## Plan (edited by a person)") == 1 and text.count("chosen by a person)") == 1
    assert page.count(">Edited by a person</p>") == 1 and page.count(", chosen by a person</h3>") == 1
    again = importers.read_session(json.loads(json.dumps(export.magnet(made))), "x.json")
    assert again.plan is not None and again.plan.by_person
    assert importers.read_session(json.loads(export.native(made)), "x.json") == made
    plain = export.markdown(session) + export.html(session) + json.dumps(export.magnet(session))
    assert not re.search(r"(edited|chosen) by a person|plan_by_person", plain, re.IGNORECASE)
    old = json.loads(export.native(session))
    del old["plan"]["by_person"]
    assert importers.read_session(old, "x.json") == session, "files from before the mark are read"


@pytest.mark.anyio
async def test_a_table_holds_a_turn_a_row_and_no_formula(session: Session) -> None:
    evil = session.turns[1].reply.model_copy(update={"text": "=1+1"})
    turns = (session.turns[0], session.turns[1].model_copy(update={"reply": evil}), session.turns[2])
    text = export.table([session.model_copy(update={"turns": turns}), session])
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:], newline="")))
    assert [r["turn"] for r in rows] == ["0", "1", "2", "3"] * 2
    assert rows[2]["client"] == "'=1+1" and rows[1]["client"] == EVIL
    assert not any(cell.startswith(("=", "+", "-", "@")) for r in rows for cell in r.values())
    assert rows[1]["techniques"] == "questioning; reflection" and "reflection: reflection1word0" in rows[1]["candidates"]


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            str(value) for name, value in attrs if name in ("src", "href", "action", "data") or name.startswith("on")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.anyio
async def test_the_page_is_escaped_and_asks_nothing_of_the_network(session: Session) -> None:
    named = session.profile.intake.model_copy(update={"name": EVIL})
    made = session.model_copy(update={"profile": session.profile.model_copy(update={"intake": named, "source": EVIL})})
    text = export.html(made)
    page = Page()
    page.feed(text)
    assert "script" not in page.tags and page.links == [] and page.text.count(EVIL) >= 4
    assert not re.search(r"https?://(?!evil\.example)|@import|url\(", text)
    for words in ("prefers-color-scheme: dark", "@media print", "default-src 'none'", '<html lang="en">'):
        assert words in text
    assert "<script" not in export.markdown(made) and "**bold**" not in export.markdown(made)


@pytest.mark.anyio
async def test_files_are_named_after_client_time_and_session(session: Session) -> None:
    name = export.file_name(session, "json")
    assert re.fullmatch(rf"magnet_{session.profile.id}_\d{{8}}-\d{{4}}_{session.id}\.json", name)
    odd = session.model_copy(update={"id": "../../etc/passwd"})
    assert "/" not in export.file_name(odd, "json") and ".." not in export.file_name(odd, "json").removesuffix(".json")


@quick
@given(st.lists(sessions, max_size=4))
def test_a_bundle_gives_its_sessions_back_unchanged(kept: list[Session]) -> None:
    own = [one.model_copy(update={"id": f"s{n}"}) for n, one in enumerate(kept)]
    found, problems = importers.read_many([("all.zip", export.bundle(own))])
    assert not problems and {one.id: one for one in found} == {one.id: one for one in own}


@quick
@given(sessions)
def test_every_export_can_be_made_of_any_session(session: Session) -> None:
    for make in (export.native, export.magnet, export.markdown, export.html):
        assert make(session)
    page = Page()
    page.feed(export.html(session))
    assert not {"script", "img", "a", "iframe", "link", "object", "form", "svg"} & set(page.tags)
    assert len(export.jsonl([session]).splitlines()) >= len(session.turns) + 1
    assert len(list(csv.reader(io.StringIO(export.table([session])[1:], newline="")))) == len(session.turns) + 2


@pytest.mark.anyio
async def test_the_reference_shape_comes_back_equal_in_all_that_it_can_hold(session: Session) -> None:
    again = importers.read_session(json.loads(json.dumps(export.magnet(session))), "x.json")
    assert again.transcript == session.transcript and again.models == session.models and again.method == session.method
    assert again.plan is not None and session.plan is not None
    assert (again.plan.technique, again.plan.reason, again.plan.steps) == (
        session.plan.technique,
        session.plan.reason,
        session.plan.steps,
    )
    for field in ("intake", "attitude", "attitude_instruction", "opening", "calls_for", "source"):
        assert getattr(again.profile, field) == getattr(session.profile, field), field
    own = session.model_copy(update={"profile": session.profile.model_copy(update={"source": ""})})
    assert importers.read_session(export.magnet(own), "x.json").profile.source == ""
    twice = importers.read_session(export.magnet(again), "x.json")
    assert export.magnet(twice) == export.magnet(again), "a second time round changes nothing at all"


@pytest.mark.anyio
async def test_json_lines_hold_a_session_or_a_turn_a_line(session: Session) -> None:
    other = fork(session, 2)
    whole = "\n".join(one.model_dump_json() for one in (session, other)) + "\n{broken\n\n[]\n"
    found, problems = importers.read_many([("x.jsonl", whole.encode())])
    assert found == [session, other]
    assert len(problems) == 2 and problems[0].startswith("Line 3 of x.jsonl is not valid JSON")
    [back, short], problems = importers.read_many([("t.jsonl", export.jsonl([session, other]).encode())])
    assert not problems and (back.transcript, short.transcript) == (session.transcript, other.transcript)
    assert (back.models, back.notice, back.profile.name) == (session.models, session.notice, session.profile.name)
    assert [turn.typed for turn in back.turns] == [("client",), (), ()]


LINES = [
    ("Therapist", "Good morning."),
    ("Patient", "I slept badly."),
    ("Therapist", "Since when?"),
    ("Patient", "Since May."),
]
USUAL: list[Any] = [
    [{"role": who, "content": text} for who, text in LINES],
    {"messages": [{"role": "system", "content": "Be kind."}, *({"role": {"Therapist": "assistant", "Patient": "user"}[w], "content": [{"type": "text", "text": t}]} for w, t in LINES)]},
    {"conversations": [{"from": {"Therapist": "gpt", "Patient": "human"}[who], "value": text} for who, text in LINES]},
    {"dialog": [{"speaker": {"Therapist": "supporter", "Patient": "seeker"}[who], "text": text} for who, text in LINES]},
    {"history": [f"{who}: {text}" for who, text in LINES]},
    {"conversation": "\n".join(f"{who}: {text}" for who, text in LINES)},
    [{"author": who.upper(), "utterance": text} for who, text in LINES],
]  # fmt: skip
TEXTS = [
    "\n".join(f"{who}: {text}" for who, text in LINES),
    "A session\n=========\n\n" + "\n\n".join(f"**{who}:** {text}" for who, text in LINES),
    "\r\n".join(f"[00:0{n}] {who.upper()} {n} : {text}" for n, (who, text) in enumerate(LINES)),
    "T: Good\nmorning.\nP: I slept badly.\nT: Since when?\nP: Since May.",
]


@pytest.mark.parametrize("data", USUAL, ids=range(len(USUAL)))
def test_transcripts_with_the_usual_keys_are_read(data: Any) -> None:
    [session], problems = importers.read_many([("talk.json", json.dumps(data).encode())])
    assert not problems and [said.text for said in session.transcript] == [text for _, text in LINES]
    assert session.notice == importers.TRANSCRIPT_NOTICE and "licence is not known" in session.profile.source
    assert session.profile.gaps[0] == "The transcript comes without an intake form."


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_plain_texts_with_speakers_labels_are_read(text: str) -> None:
    [session], problems = importers.read_many([("talk.txt", text.encode())])
    assert not problems
    assert [" ".join(said.text.split()) for said in session.transcript] == [text for _, text in LINES]
    assert ("left out" in " ".join(session.profile.gaps)) == text.startswith("A session")


@pytest.mark.anyio
async def test_a_bad_file_is_named_and_the_rest_go_in(session: Session, tmp_path: Path) -> None:
    good = export.native(session).encode()
    files = [
        ("good.json", good),
        ("bad.json", b"{"),
        ("profile.json", samples()[0].model_dump_json().encode()),
        ("talk.txt", b"Nobody speaks here."),
        ("photo.png", b"\x89PNG"),
        ("broken.zip", b"PK\x03\x04 and no more"),
        ("released.json", (DATA / "released.json").read_bytes()),
        ("list.json", json.dumps([export.magnet(session), {"AI_client": 3, "history": []}]).encode()),
    ]
    found, problems = importers.read_many(files)
    assert [one.profile.name for one in found] == [session.profile.name, "Tilda Marchetti", session.profile.name]
    for name in ("bad.json", "profile.json", "talk.txt", "photo.png", "broken.zip", "Session 2 of list.json"):
        assert sum(name in problem for problem in problems) == 1, name
    assert len(problems) == 6


@pytest.mark.anyio
async def test_copies_are_taken_once_and_the_later_state_wins(session: Session) -> None:
    raw = (DATA / "released.json").read_bytes()
    inner = {
        "a/session_1.json": raw,
        "a/.ipynb_checkpoints/session_1-checkpoint.json": json.dumps(json.loads(raw), indent=3).encode(),
        "b/early.json": export.native(session.upto(1)).encode(),
        "b/late.json": export.native(session).encode(),
        "b/again.json": export.native(session.upto(2)).encode(),
        "__MACOSX/a/._session_1.json": b"\x00",
        ".DS_Store": b"\x00",
    }
    found, problems = importers.read_many([("all.zip", zipped(inner)), ("session_1.json", raw)])
    assert not problems and len(found) == 2 and found[1] == session
    changed = session.model_copy(update={"seed": 9})
    found, problems = importers.read_many(
        [("a.json", export.native(session).encode()), ("b.json", export.native(changed).encode())]
    )
    assert found == [session] and "b.json holds another session" in problems[0]


def test_zips_that_mean_harm_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = (DATA / "released.json").read_bytes()
    link = zipfile.ZipInfo("link.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    content = io.BytesIO(
        zipped(
            {"../../up.json": raw, "/root.json": raw, "C:\\x.json": raw, "in.zip": zipped({"x.json": raw}), "ok.json": raw}
        )
    )
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("packed.json", raw, compress_type=zipfile.ZIP_BZIP2)
    found, problems = importers.read_many([("evil.zip", content.getvalue())])
    assert len(found) == 1 and len(problems) == 6
    assert sum("leads out of the zip" in problem for problem in problems) == 3
    for words in ("zip within a zip", "a link to another file", "packed in a way"):
        assert any(words in problem for problem in problems)

    monkeypatch.setattr(archives, "LARGEST", 2_000_000)
    monkeypatch.setattr(archives, "LARGEST_UNZIPPED", 5_000_000)
    bomb = zipped({"huge.json": b" " * 9_000_000, "ok.json": raw})
    assert len(bomb) < 100_000
    found, problems = importers.read_many([("bomb.zip", bomb)])
    assert len(found) == 1 and "unpacks to more than 2 MB" in problems[0]
    found, problems = importers.read_many([("many.zip", zipped({f"{n}.json": b" " * 1_900_000 for n in range(9)}))])
    assert not found and "more than 5 MB; reading it stopped at 2.json" in problems[-1]
    found, problems = importers.read_many([("big.json", b" " * 2_000_001)])
    assert "big.json has 3 MB" in problems[0]
    monkeypatch.setattr(archives, "MOST", 3)
    _, problems = importers.read_many([("count.zip", zipped({f"{n}.json": raw for n in range(4)}))])
    assert problems == ["count.zip holds 4 files; 3 can be read at once."]


def test_a_zip_that_lies_about_its_sizes_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 1_000_000)
    raw = bytearray(zipped({"x.json": b" " * 3_000_000}))
    real = (3_000_000).to_bytes(4, "little")
    assert raw.count(real) >= 1
    found, problems = importers.read_many([("lie.zip", bytes(raw.replace(real, (10).to_bytes(4, "little"))))])
    assert not found and len(problems) == 1


keys = st.sampled_from(
    [
        "messages",
        "history",
        "dialogue",
        "role",
        "content",
        "text",
        "from",
        "value",
        "conversations",
        "session",
        "turn",
        "client",
        "counsellor",
    ]
)
said = st.sampled_from(["client", "assistant", "T: a\nC: b\nT: c\nC: d", "Counsellor: x", "", "x"])
messy = st.recursive(
    st.none() | st.booleans() | st.integers() | said | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=30,
)


@settings(quick, max_examples=200)
@given(messy | st.lists(messy, max_size=4), st.sampled_from(["json", "jsonl", "txt"]))
def test_any_data_is_read_or_named(data: Any, ending: str) -> None:
    lines = data if ending == "jsonl" and isinstance(data, list) else [data]
    raw = "\n".join(json.dumps(line) for line in lines).encode()
    found, problems = importers.read_many([(f"x.{ending}", raw)])
    assert found or problems
    for session in found:
        assert importers.read_bytes(export.native(session).encode(), "x.json") == session


@settings(quick, max_examples=200)
@given(st.binary(max_size=300), st.sampled_from(["x.json", "x.jsonl", "x.txt", "x.zip", "x"]), st.booleans())
def test_any_bytes_are_read_or_named(raw: bytes, name: str, inside: bool) -> None:
    found, problems = importers.read_many([(name, raw)] if not inside else [("z.zip", zipped({name: raw}))])
    assert found or problems


@quick
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_zip_spoilt_anywhere_is_read_or_named(place: int, junk: bytes) -> None:
    raw = bytearray(zipped({"a.json": (DATA / "released.json").read_bytes(), "b.txt": TEXTS[0].encode()}))
    place = place * len(raw) // 401
    raw[place : place + len(junk)] = junk
    found, problems = importers.read_many([("x.zip", bytes(raw))])
    assert found or problems


def test_rows_go_out_as_they_came_in() -> None:
    for profile in samples():
        data = {"example": row(profile), "history": [{"role": "counselor", "message": f"{n}."} if n % 2 == 0 else {"role": "client", "message": f"{n}."} for n in range(4)]}  # fmt: skip
        assert importers.read_session(data, "x.json").profile.intake == profile.intake
