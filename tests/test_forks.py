"""Forks, edits, undo and redo in any order: every session stays valid, no finished turn is lost, parents keep their text."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magnet_core import session as making
from magnet_core.domain import Choice, Given, Reply, Session, Technique
from magnet_core.events import SessionOpened, TurnFinished
from magnet_core.models import Player
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.profiles import samples
from magnet_core.store import Store
from magnet_core.trail import Trail

STEPS = 1000
PLAYER = Player(Rehearsal())


async def opened(session: Session) -> Session:
    async for event in making.open_session(session, lambda agent: PLAYER, live=False):
        if isinstance(event, SessionOpened):
            session = event.session
    return session


async def with_turn(session: Session, given: Given = making.NOTHING) -> Session:
    async for event in making.take_turn(session, lambda agent: PLAYER, live=False, given=given):
        if isinstance(event, TurnFinished):
            session = event.session
    return session


class Desk:
    """What a person does with a library of sessions, and a record of every finished turn that was ever stored."""

    def __init__(self, store: Store, first: Session, dice: random.Random) -> None:
        self.store, self.dice = store, dice
        self.record: dict[str, Session] = {}
        self.trail = Trail(now=first.id)
        self.keep(first)

    def keep(self, session: Session) -> None:
        self.store.save(session)
        self.record[session.id] = session
        self.trail = self.trail.to(session.id)

    async def step(self, number: int) -> None:
        now = self.store.session(self.trail.now)
        dice, turns = self.dice, len(now.turns)
        act = dice.choice(["next", "fork", "edit", "choose", "again", "plan", "undo", "undo", "redo", "jump"])
        if act == "undo":
            self.trail = self.trail.undo()
        elif act == "redo":
            self.trail = self.trail.redo()
        elif act == "jump":
            self.trail = self.trail.to(dice.choice(sorted(self.record)))
        elif act == "next" and not now.ended:
            self.keep(await with_turn(now))
        elif act == "fork":
            self.keep(making.fork(now, dice.randint(0, turns)))
        elif act == "plan" and now.plan:
            plan = now.plan.model_copy(update={"steps": (*now.plan.steps, f"Step of {number}")})
            self.keep(making.fork(now, dice.randint(0, turns), plan=plan))
        elif act in ("edit", "choose", "again") and turns:
            at = dice.randrange(turns)
            old = now.turns[at]
            if act == "edit" and dice.random() < 0.5:
                given = Given(response=f"Typed at step {number}.", typed=("counsellor",))
            elif act == "edit":
                kept = making.kept(old, "client")
                given = kept.model_copy(
                    update={"reply": Reply(text=f"Typed at step {number}."), "typed": (*kept.typed, "client")}
                )
            elif act == "choose":
                given = Given(choice=Choice(techniques=(dice.choice(list(Technique)),), by_person=True))
            else:
                given = making.kept(old, dice.choice(["selector", "reflection", "responder", "client"]))
            branch = making.fork(now, at)
            if not branch.ended:
                self.keep(await with_turn(branch, given))

    def check(self, ids: list[str]) -> None:
        """Compare what is stored with the record, whole, and with what a file of it gives back."""
        for id in ids:
            stored = self.store.session(id)
            assert stored == self.record[id]
            assert Session.model_validate_json(stored.model_dump_json()) == stored
            if stored.parent:
                shared, parent = stored.parent.turns, self.record[stored.parent.session]
                assert stored.turns[:shared] == parent.turns[:shared]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    library = Store(f"sqlite:///{tmp_path}/magnet.db")
    yield library
    library.close()


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1])
async def test_a_thousand_random_steps_lose_nothing(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    first = await opened(making.new_session(samples()[seed], max_turns=8, min_turns=3, models=lambda agent: PLAYER))
    desk = Desk(store, first, dice)
    for number in range(STEPS):
        before = desk.trail.now
        await desk.step(number)
        desk.check([before, desk.trail.now])
    desk.check(sorted(desk.record))
    assert len(store.recent(5000)) == len(desk.record) > STEPS / 4
    assert {entry.id for entry in store.family(first.id)} == set(desk.record)
    for id in dice.sample(sorted(desk.record), 20):
        for child in store.children(id):
            assert desk.record[child.id].parent == making.Origin(session=id, turns=child.shared)


def test_undo_and_redo_walk_back_and_forth() -> None:
    trail = Trail(now="a").to("b").to("b").to("c")
    assert (trail.past, trail.undo().now, trail.undo().undo().now, trail.undo().undo().undo().now) == (
        ("a", "b"),
        "b",
        "a",
        "a",
    )
    assert trail.undo().undo().redo().redo().redo() == trail
    assert trail.undo().to("d").redo().now == "d"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(["undo", "redo", "a", "b", "c"]), max_size=40))
def test_a_redo_takes_back_an_undo(steps: list[str]) -> None:
    trail = Trail(now="a")
    for step in steps:
        trail = trail.undo() if step == "undo" else trail.redo() if step == "redo" else trail.to(step)
        if trail.past:
            assert trail.undo().redo() == trail
