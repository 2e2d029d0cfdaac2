"""Comparisons: the statistics against published figures and by simulation, pairing, configurations, dialogues in step."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core import prompts
from magnet_core.costs import Price, Prices, shipped
from magnet_core.domain import AgentCall, Attitude, Session, Usage
from magnet_core.profiles import samples
from magnet_core.scoring.compare import (
    MOST_PAIRS,
    OURS,
    OWN,
    PAPER,
    Configuration,
    Measured,
    Sampling,
    ToMake,
    client_key,
    configuration_of,
    delta,
    forecast,
    holm,
    left_out,
    measure,
    methods_to_begin_with,
    missing,
    name_of,
    needed,
    pack_for,
    pack_of,
    paired,
    power_of,
    rehearsed,
    report,
    sampling_for,
    sampling_of,
    side_by_side,
    table,
    tally,
    to_begin_with,
    twins,
)
from magnet_core.scoring.compare.numbers import delta_words, fewer_words, number
from magnet_core.session import fork, new_session
from tests.fakes import rehearsed_once
from ui.compare.figures import table as drawn_table

SLEEP = (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
"""Student's sleep data (1908): extra hours with one drug over the other, for ten patients."""
MAGNET, PLAIN = (Configuration(method=method, model="m") for method in ("magnet", "plain"))


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


def test_the_number_needed_falls_as_the_difference_grows_and_a_wider_spread_never_needs_fewer() -> None:
    answers = [needed(1.0, effect, 12) for effect in (0.01, 0.05, 0.1, 0.3, 0.8, 1.5, 3.0, 10.0, 100.0, 1e6)]
    assert all(answers)
    pairs = [a.pairs for a in answers if a]
    assert pairs == sorted(pairs, reverse=True) and pairs[-1] == 5, "never fewer than an interval takes"
    assert all(a.most >= a.pairs for a in answers if a)
    assert pairs[0] == MOST_PAIRS + 1, "78,490 pairs: more than anybody makes"


@pytest.mark.parametrize("pairs,effect", [(2, 1.0), (3, 2.0), (5, 1.0), (6, 1.5), (100, 1.0), (400, 2.0)])
def test_power_is_exact_for_few_pairs_and_for_large_effects(pairs: int, effect: float) -> None:
    chance = numpy.random.default_rng(pairs)
    drawn = chance.normal(effect, 1.0, (20_000, pairs))
    edge = {2: 12.7062, 3: 4.30265, 5: 2.77645, 6: 2.57058, 100: 1.98422, 400: 1.96593}[pairs]
    ratio = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / numpy.sqrt(pairs))
    assert power_of(pairs, effect) == pytest.approx(numpy.mean(numpy.abs(ratio) > edge), abs=0.012)


def test_chances_are_adjusted_as_holm_does() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []
    # R: t.test(extra ~ group, data = sleep, paired = TRUE)$p.value
    assert paired(SLEEP).p == pytest.approx(0.00283289, abs=5e-9)


def test_what_only_chance_explains_loses_its_colour_when_all_are_allowed_for() -> None:
    names = [f"c{n}" for n in range(8)]
    held = [figure(c, MAGNET, f"m{c}", completion=0.0, tokens=0.0, prompt=0.0) for c in names]
    some = [0.945 + (1 if n % 2 else -1) for n in range(8)]  # each alone: p = 0.04
    held += [figure(c, PLAIN, f"p{c}", completion=100.0 + n, tokens=some[n], prompt=some[n]) for n, c in enumerate(names)]
    plain, strict = (table(held, [MAGNET, PLAIN], MAGNET, {}, adjusted=adjusted) for adjusted in (False, True))
    assert tally(plain).intervals == 3 and tally(plain).apart == tally(strict).apart
    assert tally(strict).stand < tally(plain).stand == tally(plain).apart
    assert next(row for row in strict if row.key == "completion").differs, "a large difference stands"


def test_what_is_the_same_for_every_client_is_told_without_an_interval() -> None:
    same, fixed = paired([0.0] * 5), paired([-120.0] * 5)
    assert delta_words(same, "0 to 6") == "the same in every client, n\u00a0=\u00a05"
    assert delta_words(fixed, "tokens") == "exactly −120 in every client, n\u00a0=\u00a05"
    assert delta_words(paired([-1 / 3] * 6), "0 to 6") == "−0.33 in every client, n\u00a0=\u00a06", (
        "what is rounded is not exact"
    )
    assert delta_words(paired([2.0, 2.0]), "calls").endswith("n\u00a0=\u00a02: too few for an interval")
    nearly = paired([0.3 - 0.1, 0.2, 0.5 - 0.3, 0.2, 0.2])
    assert nearly.exact and nearly.mean == pytest.approx(0.2), "a rest of the arithmetic is no spread"
    assert paired([0.1 + 0.2 - 0.3, 0.0, 0.0, 0.0, 0.0]).mean == 0.0
    assert not same.apart and fixed.clear and not paired([1.0]).exact


def test_what_the_method_fixes_is_neither_coloured_nor_counted() -> None:
    rehearsal = Configuration(method="magnet", model="rehearsal")
    mixed = Configuration(method="magnet", model="m (client: rehearsal)")
    assert [rehearsed(c) for c in (MAGNET, rehearsal, mixed)] == [False, True, True]
    values = ((MAGNET, 161.0, 9e4), (PLAIN, 40.0, 2e4), (rehearsal, 161.0, 0.0))
    held = [figure(str(n), c, f"{c.id}{n}", calls=v, tokens=t + n, price=t) for c, v, t in values for n in range(6)]
    rows = {row.key: row for row in table(held, [MAGNET, PLAIN, rehearsal], MAGNET, {})}
    assert all(cell.delta.clear for cell in rows["tokens"].cells[1:2] if cell.delta)
    assert [cell.way(True) for cell in rows["calls"].cells] == ["unclear"] * 3 and not rows["calls"].differs
    assert [cell.way(True) for cell in rows["price"].cells] == ["unclear", "better", "unclear"], "the rehearsal has no price"
    found = tally(rows.values())
    assert (found.intervals, found.apart) == (1 + 1, 2), "tokens and price of the model alone"
    against = table(held, [MAGNET, PLAIN, rehearsal], rehearsal, {})
    assert not any(row.differs for row in against) and tally(against).intervals == 0


def test_a_difference_over_fewer_clients_than_the_means_says_so() -> None:
    held = [figure(str(n), MAGNET, f"m{n}", tokens=10.0 + n) for n in range(8)]
    held += [figure(str(n), PLAIN, f"p{n}", tokens=7.0) for n in range(2, 7)]
    [row] = table(held, [MAGNET, PLAIN], MAGNET, {})
    assert [(cell.n, cell.fewer) for cell in row.cells] == [(8, ""), (5, "over 5 of the baseline's 8 clients")]
    assert fewer_words(3, 4, 3) == "over 3 of these 4 clients" and fewer_words(0, 4, 3) == "" == fewer_words(3, 3, 3)
    assert fewer_words(2, 4, 3) == "over 2 of these 4 and of the baseline's 3 clients"
    [row] = table([m for m in held if m.client in "23456"], [MAGNET, PLAIN], MAGNET, {})
    assert not row.cells[1].fewer
    drawn = drawn_table([row], [MAGNET, PLAIN], MAGNET, {})
    assert "baseline&#x27;s" not in drawn and drawn.count("<small>n\u00a0=\u00a05</small>") == 2
    [row] = table(held, [MAGNET, PLAIN], MAGNET, {})
    assert "over 5 of the baseline&#x27;s 8 clients" in drawn_table([row], [MAGNET, PLAIN], MAGNET, {})


def test_a_comparison_never_begins_with_one_method() -> None:
    assert methods_to_begin_with([]) == list(PAPER)
    assert methods_to_begin_with(["magnet"]) == ["magnet", "plain"]
    assert methods_to_begin_with(["plain"]) == ["magnet", "plain"]
    assert methods_to_begin_with(["one-call"]) == ["magnet", "one-call"]
    assert methods_to_begin_with(["plain", "no-plan", "gone"]) == ["no-plan", "plain"]


def test_time_and_variety_are_shown_and_never_called_better() -> None:
    held = [
        figure(str(n), c, f"{c.method}{n}", seconds=v + n, ead=v + n)
        for c, v in ((MAGNET, 50.0), (PLAIN, 1.0))
        for n in range(6)
    ]
    rows = table(held, [MAGNET, PLAIN], MAGNET, {})
    assert [row.key for row in rows] == ["seconds", "ead"] and not any(row.differs for row in rows)
    assert all(row.cells[1].delta and row.cells[1].delta.apart for row in rows) and tally(rows).intervals == 0
    assert measure(rehearsed_once(), shipped()).values["seconds"] is None, "the rehearsal's pace is no measurement"


@given(st.lists(st.floats(-1e4, 1e4), min_size=5, max_size=12), st.sampled_from(["0 to 6", "$", "tokens", "s", "share"]))
def test_an_interval_that_leaves_0_out_is_printed_without_it(values: list[float], unit: str) -> None:
    found = paired(values)
    if (
        found.low is None
        or found.high is None
        or not found.apart
        or found.exact
        or min(abs(found.low), abs(found.high)) < 1e-8
    ):
        return
    told = delta_words(found, unit)
    ends = re.search(r"\[(\S+)\sto\s(\S+)\]", told)
    assert ends and all(re.search(r"[1-9]", end) for end in ends.groups()), told


def test_a_small_difference_gets_the_digits_it_needs() -> None:
    found = paired([0.0012, 0.0013, 0.0011, 0.0012, 0.0014])
    assert delta_words(found, "0 to 6") == "+0.001 [+0.001\u00a0to\u00a0+0.001], n\u00a0=\u00a05"
    assert number(0.004, "0 to 6") == "0.00" and number(None, "$") == "–" and number(1234567.0, "tokens") == "1,234,567"


def test_a_figure_is_followed_to_its_clients() -> None:
    held = [figure(str(n), MAGNET, f"m{n}", calls=10.0) for n in range(3)]
    held += [
        figure("0", PLAIN, "p0", calls=12.0),
        figure("0", PLAIN, "p0b", calls=14.0),
        figure("1", PLAIN, "p1", calls=5.0),
    ]
    found = twins("calls", held, MAGNET, PLAIN, {})
    assert [(t.client, t.difference) for t in found] == [("1", -5.0), ("0", 3.0), ("2", None)]
    assert found[1].other_sessions == ("p0", "p0b") and found[2].other_sessions == ()


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


def test_a_forecast_begins_with_half_a_standard_deviation_and_names_its_bound() -> None:
    assert to_begin_with(0.8314, 3) == 0.42 and to_begin_with(1234.5, 0) == 620 and to_begin_with(0.0001, 3) == 0.001
    found = needed(1.0, 0.5, 10)
    # chi-square with 9 degrees of freedom, 20th percentile: 5.380
    assert found and found.upper == pytest.approx((9 / 5.380) ** 0.5, abs=1e-3) and found.most > found.pairs == 34


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
    values = ((MAGNET, (1.0,) * 6), (PLAIN, (0.0, 2.0, 0.0, 2.0, 0.0, 2.0)))
    held = [figure(str(n), c, f"{c.method}{n}", tokens=v) for c, some in values for n, v in enumerate(some)]
    [row] = table(held, [MAGNET, PLAIN], MAGNET, {})
    assert not row.differs


def test_configurations_are_read_from_what_a_session_recorded() -> None:
    session = rehearsed_once()
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


def called(**more: Any) -> AgentCall:
    return AgentCall.model_validate({"agent": "responder", "model": "m", "prompt_sha": "", "output": ""} | more)


def test_settings_count_only_where_they_are_not_the_agents_own() -> None:
    own = [called(temperature=0.7), called(agent="selector", temperature=0.0), called(agent="client", temperature=0.7)]
    assert sampling_of(own) == OWN == sampling_of([]) == sampling_of([called(temperature=None)])
    cool = [called(agent=c.agent, temperature=0.2) for c in own]
    assert sampling_of(cool) == Sampling(temperature=0.2) and str(sampling_of(cool)) == "temperature 0.2"
    assert sampling_of([*own[:2], called(agent="client", temperature=0.2)]).others == "client: temperature 0.2"
    assert sampling_of([called(max_tokens=300), called(agent="client", max_tokens=300)]) == Sampling(max_tokens=300)
    assert sampling_for("plain", Sampling(temperature=0.7)) == OWN, "both agents of this method have it by themselves"
    assert sampling_for("magnet", Sampling(temperature=0.7)) == Sampling(temperature=0.7), "the selector has not"
    two = [MAGNET, MAGNET.model_copy(update={"sampling": Sampling(temperature=0.2)})]
    assert [name_of(c, two) for c in two] == ["MAGneT, agents' own settings", "MAGneT, temperature 0.2"]
    assert configuration_of(rehearsed_once()).sampling == OWN


def test_a_pack_is_known_before_the_first_session_with_it() -> None:
    texts = prompts.load()
    changed = texts | {"responder": texts["responder"].model_copy(update={"note": "Be brief."})}
    session = new_session(samples()[0], prompt_set=changed)
    assert pack_for("magnet", changed) == pack_of(session.prompts) != OURS
    assert pack_for("plain", changed) == OURS, "a method without a responder is not changed by it"
    titled = MAGNET.model_copy(update={"prompts": pack_of(session.prompts)})
    assert name_of(titled, [MAGNET, titled], {titled.prompts: "Brief ones"}) == "MAGneT, prompts: Brief ones"


# What sessions will take

LISTED = Prices(entries=(Price(model="m", since=date(2026, 1, 1), input=1.0, output=2.0),))


def grown(turns: int, tokens: bool = True) -> Session:
    """Return a finished plain session of a model whose prompts grow by 100 tokens a turn, one answer of it asked again."""
    own = rehearsed_once(method="plain")

    def calls(number: int) -> tuple[AgentCall, ...]:
        used = Usage(prompt_tokens=100 * number, completion_tokens=10) if tokens else Usage()
        again = [called(agent="plain", attempt=2, usage=used)] if number == 1 else []
        return (called(agent="plain", usage=used), *again, called(agent="client", usage=used))

    made = [turn.model_copy(update={"calls": calls(n), "typed": ()}) for n, turn in enumerate(own.turns[:turns], 1)]
    return own.model_copy(update={"turns": tuple(made), "max_turns": turns})


def wanted(method: str = "plain", turns: int = 8, model: str = "m") -> ToMake:
    return ToMake(configuration=Configuration(method=method, model=model), profile=samples()[1], turns=turns)


def test_a_forecast_is_learnt_turn_by_turn() -> None:
    known = [measure(grown(8), LISTED)]
    about = forecast([wanted()], known, LISTED)
    assert (about.calls, about.learnt_from, about.guessed) == (17, 1, 0) and about.again == pytest.approx(1 / 17)
    read, written = 2 * 3600 + 100, 170
    assert about.tokens == read + written and about.price == pytest.approx((read + 2 * written) / 1e6)
    longer = forecast([wanted(turns=10)], known, LISTED)
    assert longer.tokens == pytest.approx(read + written + 2 * (900 + 1000) + 40, rel=0.01), "later turns follow the line"
    begun = forecast([wanted().model_copy(update={"begun": 6})], known, LISTED)
    assert begun.calls == 4 and begun.tokens == 2 * (700 + 800) + 40


def test_a_priced_model_has_a_forecast_before_its_first_session() -> None:
    about = forecast([wanted("magnet", 20), wanted("plain", 20)], [], LISTED)
    assert about.calls == 201 and about.guessed == 2 and about.again is None
    assert about.tokens and about.price and about.tokens > 100_000, "prompts of the usual length, growing with the dialogue"
    assert forecast([wanted(model="other")], [], LISTED).price is None
    silent = forecast([wanted()], [measure(grown(8, tokens=False), LISTED)], LISTED)
    assert silent.tokens is None and silent.price is None and silent.calls == 17
    rehearsal = forecast([wanted(model="rehearsal")], [], LISTED)
    assert rehearsal.tokens == 0 and rehearsal.price == 0


def test_what_the_paper_reports_says_where_it_stands() -> None:
    found = report()
    assert {"77.2 %", "+3.2 %", "+4.3 %"} <= {one.value for one in found.figures}
    assert all(one.where and one.n and one.judge for one in found.figures) and "not comparable" in found.note
    assert "printed" not in found.note.lower(), "some of it was counted: each row says which"
    counted = {one.figure for one in found.figures if one.origin == "counted"}
    assert counted == {"diversity"} and all(one.against for one in found.figures if one.origin == "printed")


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
    session = rehearsed_once()
    typed = session.turns[-1].model_copy(update={"typed": ("client",)})
    assert left_out(session) == ""
    assert left_out(fork(session, 8)) == "forked"
    assert left_out(session.upto(4)) == "not finished"
    assert left_out(session.model_copy(update={"turns": (*session.turns[:-1], typed)})) == "typed in by a person"


def test_the_papers_table_is_what_is_missing_until_it_is_made() -> None:
    wanted = [Configuration(method=method, model="rehearsal") for method in PAPER]
    done = [measure(rehearsed_once(8, client, method), shipped()) for client in (0, 1) for method in ("magnet", "plain")]
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
    one: Any = rehearsed_once()
    assert all(not line.differs for line in side_by_side(one, one))
    lines = side_by_side(one, one.upto(5))
    assert [line.number for line in lines] == list(range(1, 9))
    assert not lines[4].differs and lines[5].right is None and "counsellor" in lines[5].differs
    swapped = one.turns[2].model_copy(update={"response": "Other words."})
    other = one.model_copy(update={"turns": (*one.turns[:2], swapped, *one.turns[3:])})
    assert [line.differs for line in side_by_side(one, other)][1:4] == [(), ("counsellor",), ()]


def test_another_order_of_techniques_and_an_end_are_no_other_words() -> None:
    one: Any = rehearsed_once()
    turn = one.turns[-1]
    picked = turn.choice.model_copy(update={"techniques": ("reflection", "solutions")})
    turned = turn.choice.model_copy(update={"techniques": ("solutions", "reflection")})
    left = one.model_copy(update={"turns": (*one.turns[:-1], turn.model_copy(update={"choice": picked}))})
    ended = turn.model_copy(
        update={"choice": turned, "reply": turn.reply.model_copy(update={"ends_session": not turn.reply.ends_session})}
    )
    right = one.model_copy(update={"turns": (*one.turns[:-1], ended)})
    last = side_by_side(left, right)[-1]
    assert last.differs == () and sorted(last.ends) == [False, True]
