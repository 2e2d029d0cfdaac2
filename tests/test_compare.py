"""Comparisons: the statistics against published figures and by simulation, pairing, configurations, dialogues in step."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core import prompts
from magnet_core.cast import Cast, open_models
from magnet_core.costs import shipped
from magnet_core.domain import Attitude, Session
from magnet_core.profiles import samples
from magnet_core.scoring.compare import (
    OURS,
    PAPER,
    Configuration,
    Measured,
    client_key,
    configuration_of,
    delta,
    left_out,
    measure,
    missing,
    name_of,
    needed,
    pack_of,
    paired,
    paper_table,
    power_of,
    side_by_side,
    table,
)
from magnet_core.session import fork, new_session, run_session

SLEEP = (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
"""Student's sleep data (1908): extra hours with one drug over the other, for ten patients."""
MAGNET, PLAIN = (Configuration(method=method, model="m") for method in ("magnet", "plain"))


@cache
def rehearsed(client: int = 0, method: str = "magnet") -> Session:
    async def made() -> Session:
        async with open_models(Cast()) as models:
            session = new_session(samples()[client], method=method, max_turns=8, models=models)
            async for event in run_session(session, models, live=False):
                session = getattr(event, "session", session)
            return session

    return asyncio.run(made())


def figure(client: str, configuration: Configuration, id: str, **values: float | None) -> Measured:
    return Measured(session_id=id, configuration=configuration, client=client, name=client, values=dict(values))


# Statistics


def test_the_interval_is_students_own() -> None:
    found = paired(SLEEP)
    # as printed by R: t.test(extra ~ group, data = sleep, paired = TRUE)
    assert (found.n, found.mean) == (10, pytest.approx(1.58))
    assert (found.low, found.high) == (pytest.approx(0.7001142, abs=5e-8), pytest.approx(2.4598858, abs=5e-8))
    assert (
        found.clear and found.direction(less_is_better=False) == "better" and found.direction(less_is_better=True) == "worse"
    )


@pytest.mark.parametrize("effect,power,pairs", [(0.2, 0.8, 199), (0.5, 0.8, 34), (0.8, 0.8, 15), (0.5, 0.9, 44)])
def test_pairs_needed_are_those_of_the_usual_tables(effect: float, power: float, pairs: int) -> None:
    # G*Power, difference between two dependent means, two-tailed, alpha 0.05
    found = needed(1.0, effect, 1000, power)
    assert found and found.pairs == pairs <= found.most
    assert power_of(pairs, effect) >= power > power_of(pairs - 1, effect)


def test_power_is_what_a_simulation_finds() -> None:
    chance = numpy.random.default_rng(3)
    seen = [paired(chance.normal(0.6, 1.0, 20).tolist()).clear for _ in range(2000)]
    assert numpy.mean(seen) == pytest.approx(power_of(20, 0.6), abs=0.03)


@pytest.mark.parametrize("n", [5, 10, 30])
@pytest.mark.parametrize("shape", ["normal", "flat", "thirds of a point"])
def test_intervals_cover_the_truth_as_often_as_they_say(n: int, shape: str) -> None:
    chance = numpy.random.default_rng(n)
    drawn = {
        "normal": lambda: chance.normal(0.4, 1.0, n),
        "flat": lambda: chance.uniform(-0.6, 1.4, n),
        "thirds of a point": lambda: numpy.round(3 * chance.normal(0.4, 1.0, n)) / 3,
    }[shape]
    inside = 0
    for _ in range(2000):
        found = paired(drawn().tolist())
        assert found.low is not None and found.high is not None
        inside += found.low <= 0.4 <= found.high
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


def test_skewed_differences_are_covered_less_and_never_wildly() -> None:
    chance = numpy.random.default_rng(1)
    found = [paired(chance.exponential(1.0, 10).tolist()) for _ in range(2000)]
    inside = numpy.mean([d.low is not None and d.high is not None and d.low <= 1.0 <= d.high for d in found])
    assert 0.87 < inside < 0.95


@given(st.lists(st.floats(-1e6, 1e6), max_size=40))
def test_an_interval_holds_its_mean_and_a_handful_has_none(values: list[float]) -> None:
    found = paired(values)
    assert found.n == len(values)
    if len(values) < 5:
        assert found.low is None and not found.clear and found.direction(True) == "unclear"
    else:
        assert found.low is not None and found.mean is not None and found.high is not None
        assert found.low - 1e-6 <= found.mean <= found.high + 1e-6


def test_what_cannot_be_said_is_not_said() -> None:
    assert needed(0.0, 1.0, 20) is None and needed(1.0, 0.0, 20) is None and needed(1.0, 1.0, 4) is None
    assert paired([]).mean is None


# Pairing


def test_a_pair_is_a_client_that_both_have() -> None:
    held = [figure(str(n), MAGNET, f"m{n}", calls=10.0 + n) for n in range(8)]
    held += [figure(str(n), PLAIN, f"p{n}", calls=7.0 + n) for n in range(2, 8)]
    held += [figure("2", PLAIN, "again", calls=13.0), figure("stranger", PLAIN, "x", calls=99.0)]
    [row] = table(held, [MAGNET, PLAIN], MAGNET, {})
    assert row.key == "calls" and row.cells[0].delta is None and row.cells[0].n == 8
    other = row.cells[1].delta
    assert other and other.n == 6, "six clients have both; the one with two plain sessions counts once, as their mean"
    assert other.mean == pytest.approx(numpy.mean([12.0 + (9.0 - 12.0 + 13.0 - 12.0) / 2 - 12.0, *[-3.0] * 5]))
    assert row.cells[1].n == 7


def test_a_missing_figure_is_no_zero() -> None:
    held = [figure(str(n), MAGNET, f"m{n}", tokens=None, calls=1.0) for n in range(6)]
    assert [row.key for row in table(held, [MAGNET, PLAIN], MAGNET, {})] == ["calls"]
    assert delta({}, {"a": 1.0}).n == 0


def test_only_what_lies_wholly_on_one_side_of_zero_is_a_difference() -> None:
    values = {MAGNET: (1.0,) * 6, PLAIN: (0.0, 2.0, 0.0, 2.0, 0.0, 2.0)}
    held = [figure(str(n), c, f"{c.method}{n}", calls=v) for c, some in values.items() for n, v in enumerate(some)]
    [row] = table(held, [MAGNET, PLAIN], MAGNET, {})
    assert not row.differs


def test_configurations_are_read_from_what_a_session_recorded() -> None:
    session = rehearsed()
    assert configuration_of(session) == Configuration(method="magnet", model="rehearsal", visibility="repaired")
    other = session.turns[0].model_copy(
        update={
            "calls": tuple(
                c.model_copy(update={"model": "x" if c.agent == "client" else c.model}) for c in session.turns[0].calls
            )
        }
    )
    assert configuration_of(session.model_copy(update={"turns": (other,)})).model == "rehearsal (client: x)"
    changed = tuple(p.model_copy(update={"note": "Be brief."}) if p.name == "responder" else p for p in session.prompts)
    assert pack_of(changed).startswith("responder · ") and pack_of(session.prompts) == OURS
    assert pack_of(prompts.load().values()) == OURS


def test_the_same_client_is_the_same_word_for_word() -> None:
    mei = samples()[0]
    key = client_key(mei, 8, 8)
    assert key == client_key(mei.model_copy(update={"summary": "Another line for the card"}), 8, 20)
    others = [
        client_key(mei, 12, 8),
        client_key(mei.with_attitude(next(a for a in Attitude if a != mei.attitude)), 8, 8),
        client_key(mei.model_copy(update={"intake": mei.intake.model_copy(update={"age": 35})}), 8, 8),
    ]
    assert len({key, *others}) == 4


def test_what_people_or_forks_had_a_hand_in_is_left_out() -> None:
    session = rehearsed()
    typed = session.turns[-1].model_copy(update={"typed": ("client",)})
    assert left_out(session) == ""
    assert left_out(fork(session, 8)) == "forked"
    assert left_out(session.upto(4)) == "not finished"
    assert left_out(session.model_copy(update={"turns": (*session.turns[:-1], typed)})) == "typed in by a person"


def test_the_papers_table_is_what_is_missing_until_it_is_made() -> None:
    wanted = paper_table(Configuration(method="magnet", model="rehearsal"))
    assert tuple(c.method for c in wanted) == PAPER
    done = [measure(rehearsed(client, method), shipped()) for client in (0, 1) for method in ("magnet", "plain")]
    keys = {m.client for m in done}
    gaps = missing(done, wanted, sorted(keys))
    assert len(gaps) == 8 and {c.method for c, _ in gaps} == set(PAPER) - {"magnet", "plain"}
    assert done[0].values["calls"] == 65 and done[0].values["tokens"] is None and done[0].values["price"] == 0


def test_a_name_says_only_what_sets_apart() -> None:
    paper = MAGNET.model_copy(update={"visibility": "paper"})
    assert name_of(MAGNET, [MAGNET, PLAIN]) == "MAGneT"
    assert name_of(paper, [MAGNET, paper]) == "MAGneT, paper visibility"


# Two sessions


def test_dialogues_go_in_step_and_the_longer_one_goes_on_alone() -> None:
    one: Any = rehearsed()
    assert all(not line.differs for line in side_by_side(one, one))
    lines = side_by_side(one, one.upto(5))
    assert [line.number for line in lines] == list(range(1, 9))
    assert not lines[4].differs and lines[5].right is None and "counsellor" in lines[5].differs
    swapped = one.turns[2].model_copy(update={"response": "Other words."})
    other = one.model_copy(update={"turns": (*one.turns[:2], swapped, *one.turns[3:])})
    assert [line.differs for line in side_by_side(one, other)][1:4] == [(), ("counsellor",), ()]
