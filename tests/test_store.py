"""The library keeps every finished turn once, whatever happens, and says clearly when it cannot."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from magnet_core.domain import ClientProfile, Session
from magnet_core.errors import StoreError
from magnet_core.profile_fields import build
from magnet_core.scoring.items import Rating, Scorecard
from magnet_core.session import fork
from magnet_core.store import Store
from tests.fakes import finished

ROOT = Path(__file__).parent.parent


@pytest.fixture
async def session() -> Session:
    return await finished(3)


def before_plan(session: Session) -> Session:
    return session.model_copy(update={"plan": None, "plan_calls": (), "turns": ()})


@pytest.mark.anyio
async def test_a_session_comes_back_as_it_was(store: Store, session: Session) -> None:
    store.save(session)
    assert store.session(session.id) == session


@pytest.mark.anyio
async def test_saving_after_every_turn_adds_what_is_new(store: Store, session: Session) -> None:
    for state in (before_plan(session), session.upto(0), session.upto(1), session.upto(2), session):
        store.save(state)
        assert store.session(session.id) == state
        store.save(state)
    store.save(session.upto(1))
    store.save(before_plan(session))
    assert store.session(session.id) == session, "an older state takes nothing away"


@pytest.mark.anyio
async def test_the_list_shows_the_latest_worked_on_first(store: Store, session: Session) -> None:
    other = session.model_copy(update={"id": "another", "method": "no-plan"})
    store.save(session.upto(1))
    store.save(other)
    store.save(session)
    first, second = store.recent()
    assert (first.id, second.id) == (session.id, "another")
    assert (first.client, first.profile_id) == (session.profile.name, session.profile.id)
    assert (first.turns, first.max_turns, first.ended, first.model) == (3, 3, True, "scripted")
    assert first.created == session.created and first.updated >= first.created
    assert store.recent(1) == [first]


@pytest.mark.anyio
async def test_a_turn_is_never_overwritten(store: Store, session: Session) -> None:
    store.save(session.upto(2))
    changed = session.turns[1].model_copy(update={"response": "Something else."})
    fork = session.model_copy(update={"turns": (session.turns[0], changed, session.turns[2])})
    with pytest.raises(StoreError, match=r"Turn 2 .* other content"):
        store.save(fork)
    assert store.session(session.id) == session.upto(2), "nothing of the other session was written"


@pytest.mark.anyio
async def test_the_head_is_never_overwritten(store: Store, session: Session) -> None:
    store.save(session)
    with pytest.raises(StoreError, match="Another session"):
        store.save(session.model_copy(update={"seed": 5}))
    assert session.plan is not None
    plan = session.plan.model_copy(update={"reason": "Another."})
    with pytest.raises(StoreError, match="another plan"):
        store.save(session.model_copy(update={"plan": plan}))
    assert store.session(session.id) == session


@pytest.mark.anyio
async def test_threads_that_save_the_same_turns_double_nothing(store: Store) -> None:
    session = await finished(8)
    start = threading.Barrier(6)

    def work(_: int) -> None:
        start.wait()
        for turns in range(9):
            store.save(session.upto(turns))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert store.session(session.id) == session
    assert len(store.recent()) == 1


@pytest.mark.anyio
async def test_threads_with_different_turns_keep_one_of_them_whole(store: Store, session: Session) -> None:
    def attempt(name: str) -> bool:
        turn = session.turns[0].model_copy(update={"response": name})
        try:
            store.save(session.model_copy(update={"turns": (turn,)}))
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, ["one", "two", "three", "four"])) == 1
    assert len(store.session(session.id).turns) == 1


@pytest.mark.anyio
async def test_a_deleted_session_can_be_restored_until_it_is_purged(store: Store, session: Session) -> None:
    store.save(session)
    store.tag(session.id, ["kept"])
    store.delete(session.id)
    for ask in (store.session, store.delete):
        with pytest.raises(StoreError, match=f"no session '{session.id}'"):
            ask(session.id)
    assert store.recent() == [] and store.search("scripted") == store.search(session.profile.name) == []
    [gone] = store.deleted()
    assert gone.id == session.id and gone.deleted is not None
    store.restore(session.id)
    assert store.session(session.id) == session and store.recent()[0].tags == ("kept",)
    store.delete(session.id)
    store.save(session.upto(1))
    assert store.session(session.id) == session, "saving a deleted session brings it back whole"
    with pytest.raises(StoreError, match="no deleted session"):
        store.restore(session.id)
    store.delete(session.id)
    assert store.purge(before=session.created) == 0 and store.purge() == 1
    with pytest.raises(StoreError, match="no deleted session"):
        store.restore(session.id)
    store.save(session.upto(1))
    assert store.session(session.id) == session.upto(1), "no turn of the purged one is left"


@pytest.mark.anyio
async def test_titles_and_tags_belong_to_the_library(store: Store, session: Session) -> None:
    store.save(session)
    store.rename(session.id, "  The bridge\n drawing ")
    store.tag(session.id, ["demo", "demo", " ", "for  Monday"])
    store.save(session)
    [entry] = store.recent()
    assert (entry.title, entry.tags) == ("The bridge drawing", ("demo", "for Monday"))
    assert store.session(session.id) == session
    for write in (lambda: store.rename("none", "x"), lambda: store.tag("none", [])):
        with pytest.raises(StoreError, match="no session 'none'"):
            write()


@pytest.mark.anyio
async def test_words_are_found_in_all_that_is_spoken_planned_and_noted(store: Store, session: Session) -> None:
    reply = session.turns[1].reply.model_copy(update={"text": "Es tut 100% WEH, says Ömer. " + "And so on. " * 40})
    second = session.turns[1].model_copy(update={"reply": reply})
    session = session.model_copy(update={"turns": (session.turns[0], second, session.turns[2])})
    store.save(session)
    store.save(session.upto(0).model_copy(update={"id": "other"}))
    store.rename("other", "Second thoughts")
    [hit] = store.search("ömer weh")
    assert (hit.entry.id, hit.turn, hit.places) == (session.id, 2, 1)
    assert "WEH, says Ömer" in hit.quote and hit.quote.endswith("…") and len(hit.quote) < 170
    assert [hit.entry.id for hit in store.search("thoughts")] == ["other"]
    assert [hit.turn for hit in store.search("grows with every telling")] == [0, 0]
    assert {hit.entry.id for hit in store.search(session.profile.name)} == {session.id, "other"}
    assert len(store.search('"100% weh"')) == 1
    for nothing in ("", '""', "  ", "100_", '"weh 100%"', "selector1", "prompt_sha", "\\"):
        assert store.search(nothing) == []


@pytest.mark.anyio
async def test_the_fork_tree_holds_together_whatever_is_deleted(store: Store, session: Session) -> None:
    child, other = fork(session, 2), fork(session, 1)
    grandchild = fork(child, 1)
    for one in (session, child, other, grandchild):
        store.save(one)
    assert {e.id for e in store.children(session.id)} == {child.id, other.id}
    assert [(e.parent, e.shared) for e in store.children(child.id)] == [(child.id, 1)]
    for one in (session, child, other, grandchild):
        assert [e.id for e in store.family(one.id)] == [session.id, child.id, other.id, grandchild.id]
    store.delete(child.id)
    store.delete(other.id)
    family = store.family(grandchild.id)
    assert [(e.id, e.deleted is not None) for e in family] == [
        (session.id, False),
        (child.id, True),
        (grandchild.id, False),
    ]
    with pytest.raises(StoreError, match="no session"):
        store.family("none")


@pytest.mark.anyio
async def test_a_library_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, session: Session) -> None:
    file = tmp_path / "magnet.db"
    store = Store(f"sqlite:///{file}")
    child = fork(session, 2)
    store.save(session)
    store.save(child)
    store.save(session.model_copy(update={"id": "unreadable"}))
    store.close()
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE sessions SET head = '{}' WHERE id = 'unreadable'")
        raw.execute("DROP INDEX ix_sessions_parent")
        for table, columns in {"sessions": "title tags deleted parent shared words", "turns": "words"}.items():
            for column in columns.split():
                raw.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    raw.close()
    for _ in range(2):
        store = Store(f"sqlite:///{file}")
        assert store.session(session.id) == session and store.session(child.id) == child
        assert [e.shared for e in store.children(session.id)] == [2]
        assert [hit.turn for hit in store.search("responder3word1") if hit.entry.id == session.id] == [3]
        with pytest.raises(StoreError, match="another version"):
            store.session("unreadable")
        store.rename(session.id, "Old and new")
        store.close()


def card(session: Session, value: float | None, day: int = 1) -> Scorecard:
    rating = Rating(
        item="focus",
        value=value,
        samples=(value, None),
        explanation="Because.",
        explanations=("Because.", "?"),
        turns=(0, 2),
    )
    return Scorecard(
        session_id=session.id,
        instrument="ctrs",
        judge="test-judge",
        kind="model",
        prompt_sha="abc",
        created=datetime(2026, 1, day, tzinfo=UTC),
        ratings=(rating,),
        turns=3,
    )


@pytest.mark.anyio
async def test_scorecards_are_kept_beside_each_other_and_go_with_their_session(store: Store, session: Session) -> None:
    store.save(session)
    later, earlier = card(session, 4.0, 2), card(session, None, 1)
    for kept in (later, earlier, later):
        store.cards.save(kept)
    assert store.cards.of(session.id) == [earlier, later]
    assert store.cards.of("another") == []
    store.delete(session.id)
    assert store.cards.of(session.id) == []
    with pytest.raises(StoreError, match="no session"):
        store.cards.save(earlier)


@pytest.mark.anyio
async def test_a_killed_program_loses_only_the_running_turn(tmp_path: Path, session: Session) -> None:
    url, file = f"sqlite:///{tmp_path}/magnet.db", tmp_path / "session.json"
    file.write_text(session.model_dump_json(), encoding="utf-8")
    program = f"""
import os, signal, sys
from magnet_core.domain import Session
from magnet_core.store import Store
session, store = Session.model_validate_json(open({str(file)!r}).read()), Store({url!r})
store.save(session.upto(2))
with store.writing() as connection:
    connection.exec_driver_sql("UPDATE turns SET body = 'half'")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert ended.returncode == -9
    store = Store(url)
    assert store.session(session.id) == session.upto(2)
    store.save(session)
    assert store.session(session.id) == session
    store.close()


@pytest.mark.anyio
async def test_the_list_stays_fast_with_hundreds_of_sessions(tmp_path: Path, session: Session) -> None:
    store = Store(f"sqlite:///{tmp_path}/magnet.db")
    store.save(session)
    with sqlite3.connect(tmp_path / "magnet.db") as raw:
        [row] = raw.execute("SELECT * FROM sessions").fetchall()
        raw.executemany(
            f"INSERT INTO sessions VALUES ({','.join('?' * len(row))})",
            # a head that cannot be read shows that the list does not look at it
            [(f"copy-{n}", *row[1:-1], "x" * 50_000) for n in range(500)],
        )
    raw.close()
    assert len(store.recent(1000)) == 501
    store.close()


def test_a_library_in_memory_is_one_for_all_threads() -> None:
    store = Store("sqlite://")
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: store.recent(), range(6))) == [[]] * 6
    store.close()


def test_many_programs_may_open_a_new_library_at_once(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def work(_: int) -> None:
        start.wait()
        Store(f"sqlite:///{tmp_path}/magnet.db").close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no database, only words " * 100)
    for url, words in {
        f"sqlite:///{tmp_path}/file": "damaged, or the file is no database",
        f"sqlite:///{tmp_path}/file/magnet.db": "folder exists and is writable",
        f"sqlite:///{tmp_path}": "folder exists and is writable",
        "no url": "not a URL",
        "nosuch://host/magnet": "cannot be used|not installed",
    }.items():
        with pytest.raises(StoreError, match=words):
            Store(url)
    monkeypatch.setattr("magnet_core.store.database.BUSY_SECONDS", 0)
    store = Store(f"sqlite:///{tmp_path}/magnet.db")
    other = sqlite3.connect(tmp_path / "magnet.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="in use by another program"):
        store.delete("any")
    other.close()
    store.close()


@pytest.mark.anyio
async def test_a_row_of_another_version_is_reported(tmp_path: Path, session: Session) -> None:
    store = Store(f"sqlite:///{tmp_path}/magnet.db")
    store.save(session)
    with sqlite3.connect(tmp_path / "magnet.db") as raw:
        raw.execute("UPDATE turns SET body = '{\"new\": 1}' WHERE number = 2")
    raw.close()
    with pytest.raises(StoreError, match="another version"):
        store.session(session.id)
    store.close()


def test_the_password_of_a_database_is_not_shown() -> None:
    with pytest.raises(StoreError) as caught:
        Store("nosuch://someone:secret-word@host/magnet")
    assert "secret-word" not in str(caught.value)


def an_own_client(name: str = "Rosa Lindqvist", **changes: Any) -> ClientProfile:
    made = build({"intake.name": name, "intake.age": 34, "intake.reason": "I keep thinking of the ward."})
    return made.model_copy(update=changes)


def test_own_clients_come_back_as_they_were_the_latest_changed_first(store: Store) -> None:
    first, second = store.clients.add([an_own_client(), an_own_client("Tom Ashby")])
    assert {profile.id for profile in store.clients.all()} == {first.id, second.id}
    changed = first.model_copy(update={"summary": "A nurse who checks"})
    store.clients.save(changed, over=first)
    assert store.clients.all() == [changed, second]


def test_a_new_client_gets_a_free_id_and_the_same_one_is_kept_once(store: Store) -> None:
    rosa = an_own_client()
    other = rosa.model_copy(update={"summary": "Somebody else of that name"})
    first, again, second = store.clients.add([rosa, rosa, other], taken=[rosa.id])
    assert (first.id, again.id, second.id) == (f"{rosa.id}-2", f"{rosa.id}-2", f"{rosa.id}-3")
    assert store.clients.add([other]) == [second]
    assert len(store.clients.all()) == 2


def test_a_client_changed_or_deleted_elsewhere_is_not_overwritten(store: Store) -> None:
    (rosa,) = store.clients.add([an_own_client()])
    theirs, mine = (rosa.model_copy(update={"summary": text}) for text in ("Theirs", "Mine"))
    store.clients.save(theirs, over=rosa)
    with pytest.raises(StoreError, match="changed in another window"):
        store.clients.save(mine, over=rosa)
    store.clients.delete(rosa.id)
    with pytest.raises(StoreError, match="deleted in another window"):
        store.clients.save(mine, over=theirs)
    store.clients.save(mine)
    assert store.clients.all() == [mine]


def test_a_deleted_client_can_be_restored_until_it_is_purged(store: Store) -> None:
    (rosa,) = store.clients.add([an_own_client()])
    store.clients.delete(rosa.id)
    assert store.clients.all() == [] and store.clients.deleted() == [rosa]
    with pytest.raises(StoreError, match="no client"):
        store.clients.delete(rosa.id)
    store.clients.restore(rosa.id)
    assert store.clients.all() == [rosa] and store.clients.deleted() == []
    store.clients.delete(rosa.id)
    store.purge()
    with pytest.raises(StoreError, match="no deleted client"):
        store.clients.restore(rosa.id)


def test_every_change_to_the_own_clients_is_seen_by_others(store: Store) -> None:
    seen = [store.clients.state()]
    (rosa,) = store.clients.add([an_own_client()])
    seen.append(store.clients.state())
    store.clients.save(rosa.model_copy(update={"summary": "A nurse"}), over=rosa)
    seen.append(store.clients.state())
    store.clients.delete(rosa.id)
    seen.append(store.clients.state())
    store.clients.restore(rosa.id)
    seen.append(store.clients.state())
    store.clients.add([an_own_client("Tom Ashby")])
    seen.append(store.clients.state())
    assert all(before != after for before, after in itertools.pairwise(seen))


def test_what_stands_beside_the_sessions_finds_a_place_in_a_database_without_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    Store(url).close()
    with sqlite3.connect(tmp_path / "old.db") as old:
        for table in [
            "scorecards",
            "rubrics",
            "clients",
            "prompt_packs",
            "prompt_versions",
            "prompt_cases",
            "review_pairs",
            "reviews",
            "prices",
        ]:
            old.execute(f"DROP TABLE {table}")
    old.close()
    library = Store(url)
    (rosa,) = library.clients.add([an_own_client()])
    pack = library.packs.new("Mine")
    library.close()
    again = Store(url)
    assert again.clients.all() == [rosa] and again.packs.packs() == [pack]
    assert (
        again.cards.all() == again.rubrics.all() == again.cases.all() == again.reviews.reviews() == again.prices.own() == []
    )
    again.close()


def test_two_programs_adding_the_same_name_at_once_both_keep_theirs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    Store(url).close()

    def add(number: int) -> str:
        return Store(url).clients.add([an_own_client(summary=f"Number {number}")])[0].id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(add, range(8)))
    assert len(set(ids)) == 8 == len(Store(url).clients.all())
