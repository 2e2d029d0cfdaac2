"""The library as a visitor meets it, without a browser: alone and in the frame; what it reads, finds, changes and gives away."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from magnet_core import export, importers
from magnet_core.domain import Attitude, Flag, Origin, Session
from magnet_core.store import Entry, Store
from tests.fakes import finished
from tests.screen import fresh, words
from tests.waiting import wait_until
from ui import library, state

PAGE = "pages/watch/library.py"


@pytest.fixture(scope="module")
def session() -> Session:
    return anyio.run(finished, 3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'library.db'}")


def alone(at: AppTest | None = None) -> AppTest:
    return (at or fresh(PAGE)).run()


def framed() -> AppTest:
    at = fresh().run()
    return at.switch_page(PAGE).run()


def param(at: AppTest, name: str) -> list[str]:
    """Return what the page's address says of a field."""
    found = at.query_params.get(name, [])
    return found if isinstance(found, list) else [found]


def listed(at: AppTest) -> list[str]:
    """Return the clients of the list, in order."""
    return list(at.dataframe[0].value["client"])


def choose(at: AppTest, store: Store, *ids: str) -> AppTest:
    """Tick sessions in the list, which shows all sessions, all deleted ones, or the only one that is looked for."""
    gone = any(toggle.value for toggle in at.toggle)
    shown = [entry.id for entry in (store.deleted() if gone else store.recent())]
    rows = [shown.index(id) for id in ids] if len(listed(at)) > 1 else [0]
    at.session_state[at.dataframe[0].key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    return at.run()


def copies(session: Session, number: int) -> list[Session]:
    return [session.model_copy(update={"id": f"copy-{n}", "seed": n}) for n in range(number)]


def imported(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """Give files to the page and wait until they are read."""
    at.session_state["library_bring"] = True
    at.run()
    at.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in files]).run()
    at.button(key="library_read").click().run()
    wait_until(lambda: not at.session_state["library_import"].progress.live)
    return at.run()


@pytest.mark.parametrize("opened", [alone, framed])
def test_an_empty_library_says_what_will_stand_there(opened: Any) -> None:
    at = opened()
    assert not at.exception
    assert "No session is here yet" in words(at)
    at.button(key="library_first").click().run()
    assert at.file_uploader


@pytest.mark.parametrize("opened", [alone, framed])
def test_every_session_stands_in_the_list_with_what_is_known_of_it(opened: Any, store: Store, session: Session) -> None:
    store.save(session)
    store.rename(session.id, "Before supper")
    store.tag(session.id, ["seminar"])
    at = opened()
    assert not at.exception
    row = at.dataframe[0].value.iloc[0]
    assert row["client"] == session.profile.name
    assert (row["title"], list(row["tags"])) == ("Before supper", ["seminar"])
    assert (row["method"], row["model"], row["turns"], row["state"]) == ("MAGneT", "scripted", 3, "finished")
    assert "1 session" in words(at)


def test_the_list_begins_with_what_is_needed_most_and_has_no_empty_columns(store: Store, session: Session) -> None:
    store.save(session.model_copy(update={"turns": tuple(turn.model_copy(update={"flags": ()}) for turn in session.turns)}))
    always = ["do", "client", "updated", "turns", "state", "attitude", "method", "model"]
    assert list(alone().dataframe[0].value) == always
    flag = Flag(turn=0, agent="planner", kind="repetition", detail="Said before.")
    store.save(session.model_copy(update={"id": "flagged", "plan_flags": (flag,)}))
    assert list(alone().dataframe[0].value) == [*always[:-1], "flags", "model"]


def test_the_notice_stays(store: Store, session: Session) -> None:
    store.save(session)
    assert "Not treatment" in words(framed())


def test_words_are_found_in_what_was_said_and_the_session_opens_there(store: Store, session: Session) -> None:
    other = copies(session.upto(1), 1)[0]
    store.save(session)
    store.save(other)
    at = alone()
    at.text_input(key="search").set_value("responder2word3").run()
    assert len(listed(at)) == 1
    assert at.dataframe[0].value["found"][0].startswith("Turn 2: …responder2word1")
    assert param(at, "search") == ["responder2word3"]
    choose(at, store, session.id)
    assert "<mark>responder2word3</mark>" in words(at)
    at.button(key="library_open").click().run()
    assert at.session_state["session"] == session
    assert at.session_state["look"] == 2
    at.text_input(key="search").set_value("nobody said this").run()
    assert "No session matches" in words(at)


def test_filters_narrow_the_list_and_stand_in_the_address(store: Store, session: Session) -> None:
    one, two, three = copies(session, 3)
    store.save(one)
    store.save(
        two.model_copy(
            update={"method": "plain", "profile": session.profile.model_copy(update={"attitude": Attitude.POSITIVE})}
        )
    )
    store.save(three.upto(1))
    store.tag(one.id, ["blue"])
    at = alone()
    assert len(listed(at)) == 3
    for field, value, left in (
        ("attitude", "positive", 1),
        ("method", "plain", 1),
        ("tag", "blue", 1),
        ("show", "Under way", 1),
    ):
        at.multiselect(key=field).set_value([value]).run()
        assert len(listed(at)) == left
        assert param(at, field) == [value]
        at.multiselect(key=field).set_value([]).run()
    assert not any(at.query_params.values())
    again = fresh(PAGE, {"method": ["plain", "no such method"], "show": "Finished"})
    assert len(listed(again.run())) == 1
    assert again.multiselect(key="method").value == ["plain"]


def test_a_session_is_named_and_tagged(store: Store, session: Session) -> None:
    store.save(session)
    at = choose(alone(), store, session.id)
    at.text_input(key=f"library_title_{session.id}").set_value("  <b>One</b> ").run()
    at.multiselect(key=f"library_tags_{session.id}").set_value(["good", "for class"]).run()
    entry = store.recent()[0]
    assert (entry.title, entry.tags) == ("<b>One</b>", ("good", "for class"))
    assert "&lt;b&gt;One&lt;/b&gt;" in words(at)
    assert "<b>One</b>" not in words(at)


def test_deleting_can_be_undone(store: Store, session: Session) -> None:
    kept, gone = copies(session, 2)
    store.save(kept)
    store.save(gone)
    at = choose(alone(), store, gone.id)
    assert "You can bring deleted sessions back" in "".join(text.value for text in at.markdown)
    at.button(key="library_delete_go").click().run()
    assert [entry.id for entry in store.recent()] == [kept.id]
    assert "1 session deleted" in words(at)
    at.button(key="library_undo_go").click().run()
    assert len(store.recent()) == 2
    assert not store.deleted()
    assert "1 session deleted" not in words(at)


def test_deleted_sessions_are_shown_and_restored(store: Store, session: Session) -> None:
    for one in copies(session, 3):
        store.save(one)
    store.delete("copy-0")
    store.delete("copy-1")
    at = alone()
    assert len(listed(at)) == 1
    at.toggle(key="deleted").set_value(True).run()
    assert len(listed(at)) == 2
    choose(at, store, "copy-0", "copy-1")
    at.button(key="library_restore").click().run()
    assert len(store.recent()) == 3
    assert "No session is deleted" in words(at)
    at.toggle(key="deleted").set_value(False).run()
    assert len(listed(at)) == 3
    for one in store.recent():
        store.delete(one.id)
    at.run()
    assert "No session is here yet" in words(at)
    assert at.toggle(key="deleted").label == "Show deleted (3)"


def test_many_are_tagged_and_deleted_together(store: Store, session: Session) -> None:
    for one in copies(session, 4):
        store.save(one)
    store.tag("copy-0", ["old"])
    at = choose(alone(), store, "copy-0", "copy-1", "copy-2")
    assert "3 sessions chosen" in words(at)
    at.multiselect(key="library_bulk_tags").set_value(["old", "new"]).run()
    at.button(key="library_bulk_add").click().run()
    tags = {entry.id: entry.tags for entry in store.recent()}
    assert tags == {"copy-0": ("old", "new"), "copy-1": ("old", "new"), "copy-2": ("old", "new"), "copy-3": ()}
    at.button(key="library_bulk_take").click().run()
    assert not any(entry.tags for entry in store.recent())
    at.button(key="library_delete_go").click().run()
    assert [entry.id for entry in store.recent()] == ["copy-3"]
    at.button(key="library_undo_go").click().run()
    assert len(store.recent()) == 4


def test_what_is_chosen_goes_with_the_session_not_with_its_place(store: Store, session: Session) -> None:
    store.save(copies(session, 1)[0])
    at = choose(alone(), store, "copy-0")
    store.save(session)
    at.run()
    assert at.session_state["library_chosen"] == ["copy-0"]
    at.button(key="library_delete_go").click().run()
    assert [entry.id for entry in store.recent()] == [session.id]


def test_the_fork_tree_tells_who_comes_from_whom(store: Store, session: Session) -> None:
    fork = session.upto(2).model_copy(update={"id": "fork", "parent": Origin(session=session.id, turns=1)})
    twig = session.upto(2).model_copy(update={"id": "twig", "parent": Origin(session="fork", turns=2)})
    lost = session.upto(1).model_copy(update={"id": "lost", "parent": Origin(session="nowhere", turns=1)})
    for one in (session, fork, twig, lost):
        store.save(one)
    at = choose(alone(), store, "fork")
    branches = [button.label.replace("\\", "") for button in at.button if (button.key or "").startswith("library_fork_")]
    assert branches == [f"{session.profile.name}: 3 turns", "After turn 1: 2 turns", "After turn 2: 2 turns"]
    froms = dict(zip(at.dataframe[0].value["turns"].index, at.dataframe[0].value["forked"], strict=True))
    assert sorted(froms.values()) == sorted(
        [
            "",
            f"{session.profile.name}, after turn 1",
            f"{session.profile.name}, after turn 2",
            "a session that is not here, after turn 1",
        ]
    )
    at.button(key="library_fork_twig").click().run()
    assert at.session_state["session"] == twig
    at = choose(alone(), store, "fork")
    store.delete(session.id)
    at.run()
    assert "3 turns, deleted" in words(at)


def test_a_session_opens_on_its_page_in_the_frame(store: Store, session: Session) -> None:
    store.save(session)
    at = choose(framed(), store, session.id)
    at.button(key="library_open").click().run()
    assert not at.exception
    assert "Turn 3 of 3" in words(at)


def test_a_session_being_made_is_not_deleted(store: Store, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(session)
    at = choose(alone(), store, session.id)

    class Live:
        live = True

    monkeypatch.setattr(type(state.engine()), "run_on", lambda _engine, _id: Live())
    at.button(key="library_delete_go").click().run()
    assert len(store.recent()) == 1
    assert "being made just now stayed" in at.warning[0].value


def test_files_of_all_kinds_come_in_and_what_cannot_is_named(store: Store, session: Session) -> None:
    one, two, three = copies(session, 3)
    talk = "Therapist: Good morning.\nPatient: Hello.\nTherapist: How are you?\nPatient: *Not* <b>well</b>.\nTherapist: Oh."
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("two.json", export.native(two))
        archive.writestr("../three.json", export.native(three))
    at = imported(
        alone(),
        ("one.json", export.native(one).encode()),
        ("all.zip", packed.getvalue()),
        ("lines.jsonl", export.native(three).replace("\n", "").encode() + b'\n{"no": "session"}\n'),
        ("talk.txt", talk.encode()),
        ("<script>.json", b"{"),
        ("picture.png", b"\x89PNG"),
    )
    assert not at.exception
    shown = words(at)
    assert "4 sessions went in" in shown
    assert "Refused: 4" in shown
    for reason in (
        "all.zip: ../three.json was passed over",
        "Line 2 of lines.jsonl",
        "&lt;script&gt;.json",
        "picture.png was",
    ):
        assert reason in shown
    assert "<script>" not in shown
    assert "1 session came as dialogue only" in shown
    assert "The counsellor&#x27;s last message had no answer and was left out. (1 session)" in shown
    assert [store.session(f"copy-{n}") for n in range(3)] == [one, two, three]
    at = imported(at, ("one.json", export.native(one).encode()))
    assert "Nothing new" in words(at)
    assert "1 session was here already" in words(at)
    at.button(key="library_report_close").click().run()
    assert "report" not in words(at)


def test_an_import_adds_new_turns_and_brings_deleted_sessions_back(store: Store, session: Session) -> None:
    gone, grown = copies(session, 2)
    store.save(gone)
    store.save(grown.upto(1))
    store.delete(gone.id)
    clash = grown.model_copy(update={"id": "clash"})
    store.save(clash)
    at = imported(
        alone(),
        ("a.json", export.native(gone).encode()),
        ("b.json", export.native(grown).encode()),
        ("c.json", export.native(clash.model_copy(update={"seed": 99})).encode()),
    )
    shown = words(at)
    assert "2 sessions went in" in shown
    assert "1 session was here already and went on" in shown
    assert "1 session was deleted before and is back" in shown
    assert "Another session is stored under the id" in shown
    assert store.session(grown.id) == grown


def test_an_import_can_be_stopped_and_what_went_in_stays(store: Store, session: Session, tmp_path: Path) -> None:
    begun = threading.Event()

    class Slow(Store):
        def save(self, session: Session) -> None:
            super().save(session)
            begun.wait(60)
            job.stop()

    slow = Slow(f"sqlite:///{tmp_path / 'library.db'}")
    job = library.Import(slow, [(f"{n}.json", export.native(one).encode()) for n, one in enumerate(copies(session, 9))])
    begun.set()
    wait_until(lambda: not job.progress.live)
    assert job.progress.stopped
    assert job.progress.new == len(store.recent()) < 9
    assert "stopped" in library.report(job.progress)


@pytest.mark.parametrize("kind", list(library.FORMATS))
def test_sessions_go_out_in_every_kind_one_or_several(store: Store, session: Session, kind: str) -> None:
    one, two = copies(session, 2)
    store.save(one)
    store.save(two)
    at = choose(alone(), store, one.id)
    at.selectbox(key="library_format").set_value(kind).run()
    assert not at.exception
    alone_file, both = library.file_of(store, [one.id], kind), library.file_of(store, [one.id, two.id], kind)
    for content in (alone_file, both):
        text = content.decode(errors="replace")
        if content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert archive.testzip() is None
                text = "\n".join(archive.read(name).decode() for name in archive.namelist())
        assert session.notice in text or json.dumps(session.notice) in text
        assert "scripted" in text
        assert session.profile.name in text
    entries = {entry.id: entry for entry in store.recent()}
    name = library.file_name([entries[one.id]], kind)
    assert name.startswith(f"magnet_{session.profile.id}_") and name.endswith(library.FORMATS[kind].ending)
    assert library.file_name(list(entries.values()), kind).startswith("magnet_2-sessions")
    if kind in ("native", "bundle"):
        assert {s.id: s for s in importers.read_many([("x.zip", both)])[0]} == {one.id: one, two.id: two}


def test_a_list_of_500_takes_half_a_second_of_work_to_draw(store: Store, session: Session) -> None:
    for one in copies(session, 500):
        store.save(one)
    at = alone()
    took: list[float] = []
    for _ in range(5):
        start = time.process_time()
        at.run()
        took.append(time.process_time() - start)
    assert len(listed(at)) == 500
    assert min(took) < 0.5


def test_a_library_that_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'bad.db'}")
    st.cache_resource.clear()
    at = alone()
    assert not at.exception
    assert "damaged" in at.error[0].value


@given(links=some.lists(some.integers(-1, 12), max_size=12))
def test_every_session_stands_once_in_its_tree_below_its_parent(links: list[int]) -> None:
    now = "2026-01-01T00:00:00Z"
    family = [
        Entry.model_validate(
            {
                "id": str(n), "created": now, "updated": now, "client": "C", "profile_id": "c", "attitude": "neutral",
                "method": "magnet", "model": "m", "turns": 1, "max_turns": 2, "ended": False, "flags": 0,
                "parent": "" if above < 0 else str(above), "shared": 1,
            }
        )
        for n, above in enumerate(links)
    ]  # fmt: skip
    ordered = library.tree(family)
    assert len(ordered) == len({entry.id for _, entry in ordered})
    places = {entry.id: place for place, (_, entry) in enumerate(ordered)}
    depths = {entry.id: depth for depth, entry in ordered}
    for entry in family:
        if entry.id in places and entry.parent in places and depths[entry.id]:
            assert places[entry.parent] < places[entry.id]
            assert depths[entry.id] == depths[entry.parent] + 1
