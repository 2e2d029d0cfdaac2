"""The rehearsal cast: every client, every length, no model."""

from __future__ import annotations

from statistics import mean

import pytest

from benchmarks.rehearsal import distinct2, faults, play
from magnet_core.domain import Attitude, CbtTechnique, ClientProfile, Intake, Opening, Technique
from magnet_core.errors import AgentFailed
from magnet_core.models import Player
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.profiles import samples
from magnet_core.rehearsal.facts import second_person
from magnet_core.rehearsal.script import LONGEST, arc, choose, techniques
from magnet_core.session import new_session, run_session

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("attitude", Attitude)
@pytest.mark.parametrize("number", range(14))
async def test_every_sample_client_is_carried_through_a_whole_session(number: int, attitude: Attitude) -> None:
    session = await play(samples()[number].with_attitude(attitude), LONGEST, seed=number)
    assert faults(session, LONGEST) == []
    assert session.turns[-1].reply.ends_session and len(session.turns) == LONGEST
    assert distinct2(session) >= 0.55
    for side in ("counsellor", "client"):
        assert 20 <= mean(len(u.text.split()) for u in session.transcript if u.speaker == side) <= 90


@pytest.mark.parametrize("turns", range(4, LONGEST + 1))
async def test_a_shorter_session_is_still_a_whole_one(turns: int) -> None:
    assert faults(await play(samples()[turns % 14], turns, seed=1), turns) == []


@pytest.mark.parametrize("technique", CbtTechnique)
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, LONGEST])
def test_an_arc_has_the_length_asked_for_and_the_techniques_own_work(technique: CbtTechnique, length: int) -> None:
    beats = arc(length, technique)
    own = {beat["id"] for beat in techniques()[technique]["beats"]}
    assert len(beats) == length and len({b["id"] for b in beats}) == length
    assert length < 4 or own & {b["id"] for b in beats}


def test_every_beat_has_all_that_a_turn_needs() -> None:
    for technique, known in techniques().items():
        assert len(known["beats"]) == 6 and sorted(b["rank"] for b in known["beats"]) == [1, 2, 3, 4, 5, 6], technique
        for beat in arc(LONGEST, technique):
            assert set(beat["candidates"]) == {t.value for t in Technique}
            assert set(beat["choice"]) <= {t.value for t in Technique}
            assert all(len(beat["client"][a.value]) >= 2 for a in Attitude)


async def test_the_same_seed_gives_the_same_session_and_another_seed_another() -> None:
    lines = [[u.text for u in (await play(samples()[4], 12, seed)).transcript] for seed in (3, 3, 4)]
    assert lines[0] == lines[1] != lines[2]


async def test_the_three_attitudes_are_three_clients() -> None:
    said = [{t.reply.text for t in (await play(samples()[6].with_attitude(a), LONGEST, 0)).turns} for a in Attitude]
    assert all(len(a & b) < LONGEST / 4 for i, a in enumerate(said) for b in said[i + 1 :])


def test_the_planner_hears_what_each_sample_client_calls_for() -> None:
    chosen = {p.id: choose(p) for p in samples()}
    assert chosen == {p.id: p.calls_for[0] for p in samples()}
    assert set(chosen.values()) == set(CbtTechnique)


BARE = ClientProfile(
    id="bare",
    intake=Intake(name="Noor"),
    opening=Opening(counsellor="Hello Noor, what brings you here?", client="I don't really know."),
)
WORDY = ClientProfile(
    id="wordy",
    intake=Intake(
        name="Jo March",
        age=19,
        presenting_problem=(
            "I have a strong belief that I will always be the one who ruins things, causing trouble. It started in May. "
            "I feel this whenever I walk into a seminar room; {braces} and $dollars and [brackets] are in my notes. "
            "I avoid speaking in seminars."
        ),
        reason="My tutor suggested it.",
    ),
    opening=Opening(counsellor="Hello Jo.", client="Hi. It's about university, I suppose."),
)


@pytest.mark.parametrize("profile", [BARE, WORDY], ids=["bare", "wordy"])
@pytest.mark.parametrize("attitude", Attitude)
async def test_a_client_without_conceptualisation_is_carried_too(profile: ClientProfile, attitude: Attitude) -> None:
    session = await play(profile.with_attitude(attitude), LONGEST, 2)
    assert faults(session, LONGEST) == []


async def test_what_the_form_tells_is_spoken_of() -> None:
    said = " ".join(u.text for u in (await play(WORDY, LONGEST, 0)).transcript)
    assert "I will always be the one who ruins things" in said and "I walk into a seminar room" in said
    assert "you avoid" in said or "I avoid" in said


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        ("my manager asks me to stay", "your manager asks you to stay"),
        ("I'm late and I was late", "you're late and you were late"),
        ("I've told myself it's mine", "you've told yourself it's yours"),
        ("we said we'd manage on our own", "you said you'd manage on your own"),
        ("the army of ants in Miami", "the army of ants in Miami"),
    ],
)
def test_clauses_change_person(mine: str, yours: str) -> None:
    assert second_person(mine) == yours


async def test_the_chosen_techniques_shape_the_message() -> None:
    from magnet_core.domain import Choice, Given
    from magnet_core.session import take_turn

    session = (await play(samples()[2], 10, 0)).upto(4)
    said = set()
    for technique in Technique:
        given = Given(choice=Choice(techniques=(technique,), by_person=True))
        async for event in take_turn(session, lambda agent: Player(Rehearsal()), given=given, live=False):
            last = event
        said.add(last.session.turns[-1].response)  # type: ignore[union-attr]
    assert len(said) == len(Technique)


async def test_the_cast_says_when_it_has_no_more_lines() -> None:
    session = new_session(BARE, min_turns=30, max_turns=30)
    with pytest.raises(AgentFailed, match="lines for 20 turns"):
        async for _ in run_session(session, lambda agent: Player(Rehearsal()), live=False):
            pass


async def test_a_paced_cast_says_the_same_in_pieces() -> None:
    from magnet_core.domain import Moment
    from magnet_core.models import Request

    request = Request((), Moment(agent="planner", session=new_session(samples()[0])))
    whole = [chunk.text async for chunk in Rehearsal().stream(request)]
    pieces = [chunk.text async for chunk in Rehearsal(pace=100_000).stream(request)]
    assert len(whole) == 1 and len(pieces) > 50 and "".join(pieces) == whole[0]
