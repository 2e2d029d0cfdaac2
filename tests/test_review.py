"""Blind reviews: the form, the drawing of sides, the library of reviews, the statistics against known answers, and a model as reader."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql
from typer.testing import CliRunner

from benchmarks.agreement import coverage_of_headline, coverage_of_shares, coverage_of_strengths
from magnet_core.cli import app
from magnet_core.domain import Session
from magnet_core.errors import ModelError, SettingsError
from magnet_core.models import Chunk, Player, Request
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.scoring import compare, results, review_cli, review_files
from magnet_core.scoring.agreement import (
    agreements,
    alpha,
    bradley_terry,
    clusters,
    effective,
    kappa,
    share,
    student,
    wilson,
)
from magnet_core.scoring.aspects import (
    OVERALL,
    Case,
    Choice,
    Comment,
    Half,
    Pair,
    Review,
    Verdict,
    alike,
    flipped,
    form,
    pseudonym,
)
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.pairs import judge_pair, read_verdicts
from magnet_core.scoring.queue import case_of, identical_among, in_order, likely, pairs_among
from magnet_core.store import Reviews, Store
from tests.fakes import finished, rehearsed, reworded

KEYS = [question.key for question in form().questions]


def maker(method: str) -> Configuration:
    return Configuration(method=method, model="test-model")


MAGNET, PLAIN = maker("magnet"), maker("plain")


def case(
    session: str,
    method: str = "magnet",
    client: str = "ada",
    attitude: str = "neutral",
    turns_held: int | None = None,
    **more: Any,
) -> Case:
    half = Half(session=session, maker=maker(method).model_copy(update=more), turns=turns_held)
    return Case(half=half, client=client.title(), key=f"{client}:{attitude}:1-8", turns=4)


def pair(n: int, one: str = "magnet", two: str = "plain") -> Pair:
    return Pair.of(case(f"s{n:03}a", one, f"client-{n}"), case(f"s{n:03}b", two, f"client-{n}"))


def review(
    of: Pair, rater: str, choices: dict[str, Choice] | Choice, side: bool | None = None, kind: Any = "person"
) -> Review:
    told = dict.fromkeys(KEYS, choices) if isinstance(choices, str) else choices
    turned = flipped(of.id, rater) if side is None else side
    verdicts = {key: Verdict(choice=choice) for key, choice in told.items()}
    return Review(
        pair=of.id, rater=rater, kind=kind, flipped=turned, form=form().sha, verdicts=verdicts, created=datetime.now(UTC)
    )


# The form, pairs and sides


def test_nine_aspects_are_asked_in_plain_words_and_marked_as_ours() -> None:
    asked = form()
    assert [aspect.title.lower() for aspect in asked.aspects] == [
        "comprehensiveness", "professionalism", "authenticity", "safety", "content naturalness",
        "directiveness", "exploratoriness", "supportiveness", "expressiveness",
    ]  # fmt: skip
    assert all(one.question.endswith("?") and one.better and one.worse for one in asked.questions[:9])
    assert "this project" in asked.note and asked.reference.share == 0.772 and "2509.04183" in asked.reference.source


def test_pairs_share_client_and_attitude_and_differ_in_what_made_them() -> None:
    cases = [
        case("a"), case("b", "plain"), case("c"), case("d", "plain", "ben"), case("e", attitude="negative"),
        case("f", "plain", attitude="negative"), case("g", "single-agent"),
    ]  # fmt: skip
    makers = [MAGNET, PLAIN]
    found = pairs_among(cases, makers, most=9)
    assert {frozenset((p.one.session, p.two.session)) for p in found} == {frozenset("ab"), frozenset("bc"), frozenset("ef")}
    fewest, again = pairs_among(cases, makers), pairs_among(cases[::-1], makers)
    assert len(fewest) == 2 and {p.id for p in fewest} == {p.id for p in again}
    with pytest.raises(SettingsError, match="same client"):
        Pair.of(case("a"), case("d", "plain", "ben"))
    with pytest.raises(SettingsError, match="itself"):
        Pair.of(case("a"), case("a"))


def test_the_two_ways_of_making_that_share_most_clients_are_proposed() -> None:
    cases = [
        case("a", "single-agent"), case("b", "magnet", "ben"), case("c", "plain", "ben"), case("d", "magnet", "cy"),
        case("e", "plain", "cy"), case("f", "single-agent", "cy"),
    ]  # fmt: skip
    makers = [maker("single-agent"), MAGNET, PLAIN]
    assert likely(cases, makers) == (MAGNET, PLAIN)
    assert likely(cases[:2], makers) == () and likely([], []) == ()


def test_sessions_with_the_same_words_are_no_pair_and_are_counted() -> None:
    one = rehearsed(4)
    same = one.model_copy(update={"id": "same", "method": "plain"})
    other = reworded(same).model_copy(update={"id": "other"})
    cases = [case_of(session) for session in (one, same, other)]
    makers = [cases[0].half.maker, cases[1].half.maker]
    assert (
        makers[0] != makers[1] == cases[2].half.maker
        and Pair.of(cases[0], cases[1]).identical
        and not Pair.of(cases[0], cases[2]).identical
    )
    [found] = pairs_among(cases, makers)
    assert {found.one.session, found.two.session} == {one.id, "other"} and identical_among(cases, makers) == 1
    assert found.attitude == one.profile.attitude.value and found.one.turns == found.two.turns == 4
    assert not pair(1).identical  # where the words are not known, nothing is said of them


@pytest.mark.anyio
async def test_a_pair_is_the_same_from_a_session_and_in_either_order() -> None:
    one, two = await finished(2), await finished(2)
    assert Pair.of(case_of(one), case_of(two)) == Pair.of(case_of(two), case_of(one))
    assert case_of(one).half.maker.model


def test_makers_differ_by_all_that_a_comparison_knows_and_are_named_by_it() -> None:
    """Who sees what and which prompts were used is part of how a session was made, so such sessions can be compared."""
    cases = [case("a"), case("b", visibility="paper"), case("c", prompts="responder · 1a2b3c")]
    makers = [one.half.maker for one in cases]
    assert len(pairs_among(cases, makers)) == 3
    names = results.titles_of(makers, {"responder · 1a2b3c": "Short answers"})
    assert len(set(names.values())) == 3 and "paper visibility" in names[makers[1]] and "Short answers" in names[makers[2]]


def test_half_a_pair_of_an_earlier_version_is_still_read() -> None:
    old = Half.model_validate({"session": "s", "method": "plain", "model": "m"})
    assert old.maker == Configuration(method="plain", model="m")


def test_sides_are_drawn_evenly_and_always_the_same() -> None:
    pairs = [pair(n) for n in range(400)]
    for rater in ("owl", "fox"):
        turned = [flipped(p.id, rater) for p in pairs]
        assert 160 < sum(turned) < 240 and turned == [flipped(p.id, rater) for p in pairs]
    assert 160 < sum(flipped(p.id, "owl") == flipped(p.id, "fox") for p in pairs) < 240
    order = in_order(pairs)
    assert order == in_order(pairs[::-1]) and order != pairs


def test_a_verdict_is_for_a_session_whichever_side_it_stood_on() -> None:
    one = pair(1)
    for turned, winner in ((False, "one"), (True, "two")):
        said = review(one, "owl", "A", turned)
        assert said.winner("safety") == winner and one.on("A", turned) == getattr(one, winner)
    assert review(one, "owl", "tie").winner("safety") == "tie" and review(one, "owl", {}).winner("safety") is None


def test_a_rater_has_a_pseudonym() -> None:
    assert pseudonym("  night \n owl ") == "night owl"
    assert pseudonym("Night OWL", ["fox", "night owl"]) == "night owl" and pseudonym("Owl", ["night owl"]) == "Owl"
    for bad in ("", "  ", "ann@example.org"):
        with pytest.raises(SettingsError):
            pseudonym(bad)


def test_an_unknown_pseudonym_close_to_a_known_one_is_noticed() -> None:
    known = ["Owl", "night fox"]
    assert [alike(name, known) for name in ("owls", "night-fox", "hare", "OWL")] == ["Owl", "night fox", "", ""]
    assert alike("rater 2", ["rater 1"]) == "" and alike("ratter 1", ["rater 1"]) == "rater 1"


# The library


@pytest.fixture
def library(store: Store) -> Reviews:
    return store.reviews


def undone(library: Reviews, like: Review) -> Review | None:
    """Take one change back; return what is left."""
    done = library.undo(like.rater, like.form, [like.pair])
    assert done is not None
    return done.after


def test_every_change_is_kept_and_the_last_can_be_taken_back(library: Reviews) -> None:
    one = pair(1)
    first = review(one, "owl", {"safety": "A"})
    second = first.rated("safety", Verdict(choice="B", reason="Calmer."))
    assert [library.save(state) for state in (first, second, second)] == [True, True, False]
    cleared = second.cleared("safety")
    assert library.save(cleared) and library.reviews() == [cleared]
    assert undone(library, first) == second == library.review(first)
    assert undone(library, first) == first and library.reviews("owl") == [first]
    assert undone(library, first) is None and library.review(first) is None
    assert library.undo("owl", first.form, [one.id]) is None


def test_the_last_change_is_taken_back_whichever_pair_it_was_about(library: Reviews) -> None:
    """It is found in the library, so that undo works in another visit; pairs that are not shown are left alone."""
    one, two = pair(1), pair(2)
    for said in (review(one, "owl", "A"), review(two, "owl", "B"), review(two, "fox", "A")):
        library.save(said)
    done = library.undo("owl", form().sha, [one.id, two.id])
    assert done and done.pair == two.id and done.after is None and len(done.before.verdicts) == 10
    assert {r.pair for r in library.reviews("owl")} == {one.id} and len(library.reviews("fox")) == 1
    assert library.undo("owl", form().sha, [two.id]) is None


def test_two_windows_of_a_rater_change_one_review_and_lose_nothing(library: Reviews) -> None:
    """Each writes one change, not the review as it saw it: what the other has done since stays."""
    start = review(pair(1), "owl", {})
    for n, key in enumerate(KEYS):  # the two windows in turn, neither of which has read what the other wrote
        verdict = Verdict(choice="A" if n % 2 else "B")
        library.change(start, partial(Review.rated, key=key, verdict=verdict))
    library.change(start, lambda r: r.with_comment(Comment(side="A", turn=1, text="Warm.")))
    library.change(start, lambda r: r.cleared("safety"))
    [said] = library.reviews("owl")
    assert set(said.verdicts) == set(KEYS) - {"safety"} and len(said.comments) == 1
    assert [said.verdicts[key].choice for key in KEYS if key != "safety"] == [
        "A" if n % 2 else "B" for n, key in enumerate(KEYS) if key != "safety"
    ]
    assert library.change(start, lambda r: r) == said


def test_a_change_that_changes_nothing_leaves_nothing(library: Reviews) -> None:
    assert library.change(review(pair(1), "owl", {}), lambda r: r.cleared("safety")).verdicts == {}
    assert library.reviews() == [] and library.raters() == []


def test_windows_that_change_a_review_at_the_same_moment_lose_no_change(library: Reviews) -> None:
    start = review(pair(1), "owl", {})

    def rate(key: str) -> Review:
        return library.change(start, lambda r: r.rated(key, Verdict(choice="A", reason=key)))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(rate, KEYS))
    [said] = library.reviews()
    assert {key: verdict.reason for key, verdict in said.verdicts.items()} == {key: key for key in KEYS}


def test_reviews_under_another_form_are_other_reviews(library: Reviews) -> None:
    one = pair(1)
    old = review(one, "owl", "A").model_copy(update={"form": "0" * 16})
    library.save(old)
    new = library.change(review(one, "owl", {}), lambda r: r.rated("safety", Verdict(choice="B")))
    assert set(new.verdicts) == {"safety"} and len(library.reviews()) == 2
    assert results.forms_of(library.reviews(), form()) == [form().sha, "0" * 16]
    assert undone(library, new) is None and library.reviews() == [old]
    told = results.form_of("0" * 16, [old], form())
    assert [aspect.key for aspect in told.aspects] == KEYS[:-1]


def test_a_reason_without_an_answer_waits(library: Reviews) -> None:
    library.draft("owl", "p", "safety", "Because")
    library.draft("owl", "p", "safety", "Because of that.")
    library.draft("owl", "p", "overall", "x")
    library.draft("owl", "p", "overall", "")
    assert library.drafts("owl", "p") == {"safety": "Because of that."} and library.drafts("fox", "p") == {}


@pytest.mark.anyio
async def test_pairs_without_a_session_are_told_from_others(store: Store) -> None:
    one, two = await finished(1), await finished(1)
    store.save(one)
    store.save(two)
    of = Pair.of(case_of(one), case_of(two))
    assert store.reviews.lost([of]) == set()
    store.delete(two.id)
    assert store.reviews.lost([of, pair(1)]) == {of.id, pair(1).id}
    store.restore(two.id)
    assert store.reviews.lost([of]) == set()


@pytest.mark.anyio
async def test_a_library_of_an_earlier_version_learns_how_sessions_were_made(tmp_path: Path) -> None:
    """Pairs were kept with method and model alone, and reviews without their form beside them."""
    url = f"sqlite:///{tmp_path}/magnet.db"
    store = Store(url)
    one, two = await finished(1, visibility="paper"), await finished(1)
    for session in (one, two):
        store.save(session)
    of = Pair.of(case_of(one), case_of(two))
    said = review(of, "owl", "A")
    store.reviews.add_pairs([of])
    store.reviews.save(said)
    old = json.loads(of.model_dump_json())
    del old["attitude"]
    for half in ("one", "two"):
        old[half] = {"session": old[half]["session"], "method": "magnet", "model": "scripted"}
    with store.writing() as connection:
        connection.execute(sql("UPDATE review_pairs SET body = :body"), {"body": json.dumps(old)})
        connection.execute(sql("ALTER TABLE reviews DROP COLUMN form"))
    store.close()
    again = Store(url)
    assert again.reviews.pairs() == [of] and again.reviews.reviews("owl") == [said]
    assert again.reviews.change(said, lambda r: r.cleared("safety")).verdicts.keys() == set(KEYS) - {"safety"}
    again.close()


def test_raters_and_models_stand_beside_each_other(library: Reviews) -> None:
    one = pair(1)
    theirs = [review(one, "owl", "A"), review(one, "fox", "B")]
    model = [review(one, "owl", "A", side, kind="model") for side in (False, True)]
    for said in (*theirs, *model):
        library.save(said)
    assert len(library.reviews()) == 4 and library.reviews("owl") == theirs[:1]
    assert len(results.by_people(library.reviews())) == 20 and results.models_in(library.reviews()) == ["owl"]


def test_the_queue_takes_pairs_once_and_gives_them_back(library: Reviews) -> None:
    pairs = [pair(1), pair(2)]
    assert library.add_pairs(pairs) == 2 and library.add_pairs(pairs) == 0 and library.pairs() == pairs
    library.take_out([pairs[0].id])
    assert (
        library.pairs() == pairs[1:]
        and library.taken_out() == pairs[:1]
        and library.add_pairs(pairs) == 1
        and len(library.pairs()) == 2
    )


# Statistics against known answers


def test_alpha_gives_krippendorffs_own_examples() -> None:
    """Computing Krippendorff's Alpha-Reliability (2011): B, two observers; C, four observers with missing values."""
    two = ([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    assert alpha(list(zip(*two, strict=True))) == pytest.approx(0.095, abs=5e-4)
    four = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    units = [[value for value in unit if value != "."] for unit in zip(*four, strict=True)]
    assert alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert alpha([]) is None and alpha([["a", "a"], ["a", "a"]]) is None and alpha([["a"], ["b"]]) is None


@pytest.mark.parametrize(
    ("yes", "first", "second", "no", "expected"), [(20, 5, 10, 15, 0.4), (45, 15, 25, 15, 0.1304), (25, 35, 5, 35, 0.2593)]
)
def test_kappa_gives_the_textbook_tables(yes: int, first: int, second: int, no: int, expected: float) -> None:
    one = [1] * (yes + first) + [0] * (second + no)
    two = [1] * yes + [0] * first + [1] * second + [0] * no
    assert kappa(one, two) == pytest.approx(expected, abs=5e-5)
    assert kappa([], []) is None and kappa([1, 1], [1, 1]) is None
    [found] = agreements({"owl": dict(enumerate(one)), "fox": dict(enumerate(two))})
    assert (found.n, found.kappa) == (len(one), pytest.approx(expected, abs=5e-5))


def test_a_kappa_needs_ten_things_in_common_and_the_surest_stands_first() -> None:
    said = {"cat": {n: n % 2 for n in range(9)}, "fox": {n: n % 3 for n in range(40)}, "owl": {n: n % 2 for n in range(40)}}
    found = agreements(said)  # type: ignore[arg-type]
    assert [(two.first, two.second, two.n) for two in found] == [("fox", "owl", 40), ("cat", "fox", 9), ("cat", "owl", 9)]
    assert found[0].kappa is not None and [two.kappa for two in found[1:]] == [None, None]
    assert found[2].observed == 1.0


LEAGUE = {
    "Milwaukee": (0, 7, 9, 7, 7, 9, 11),
    "Detroit": (6, 0, 7, 5, 11, 9, 9),
    "Toronto": (4, 6, 0, 7, 7, 8, 12),
    "New York": (6, 8, 6, 0, 6, 7, 10),
    "Boston": (6, 2, 6, 7, 0, 7, 12),
    "Cleveland": (4, 4, 5, 6, 6, 0, 6),
    "Baltimore": (2, 4, 1, 3, 1, 7, 0),
}
"""Agresti, Categorical Data Analysis, table 10.10: wins in the American League's eastern division, 1987."""


def league() -> list[tuple[int, str, str, float]]:
    played = [
        (winner, loser) for winner, wins in LEAGUE.items() for loser, n in zip(LEAGUE, wins, strict=True) for _ in range(n)
    ]
    return [(n, winner, loser, 1.0) for n, (winner, loser) in enumerate(played)]


def test_bradley_terry_gives_agrestis_baseball_example() -> None:
    found = {one.name: one.value or 0.0 for one in bradley_terry(league())}
    published = {"Milwaukee": 1.58, "Detroit": 1.44, "Toronto": 1.29, "New York": 1.25, "Boston": 1.11, "Cleveland": 0.68}
    assert {n: round(v - found["Baltimore"], 2) for n, v in found.items() if n != "Baltimore"} == published
    assert sum(found.values()) == pytest.approx(0, abs=1e-9)


def test_bradley_terry_agrees_with_zermelos_own_iteration() -> None:
    """The fixed-point iteration of 1929 is another way to the same answer, ties as half a win among it."""
    chance = random.Random(4)
    games = [(n, *chance.sample("abcd", 2), chance.choice([0.0, 0.5, 1.0])) for n in range(120)]
    worth = dict.fromkeys("abcd", 1.0)
    for _ in range(3000):
        won, against = dict.fromkeys("abcd", 0.0), dict.fromkeys("abcd", 0.0)
        for _, one, two, result in games:
            won[one] += result
            won[two] += 1 - result
            for name in (one, two):
                against[name] += 1 / (worth[one] + worth[two])
        worth = {name: won[name] / against[name] for name in worth}
    middle = sum(math.log(w) for w in worth.values()) / 4
    for one in bradley_terry(games):
        assert one.value == pytest.approx(math.log(worth[one.name]) - middle, abs=1e-6)


def test_what_cannot_be_placed_is_missing_not_infinite() -> None:
    assert all(one.value is None for one in bradley_terry([(n, "a", "b", 1.0) for n in range(9)]))
    apart = [(n, *two, float(n % 2)) for n in range(8) for two in (("a", "b"), ("c", "d"))]
    assert all(one.value is None for one in bradley_terry(apart)) and bradley_terry([]) == []


def test_wilsons_interval_gives_newcombes_examples() -> None:
    """Newcombe (1998), table I, method 3."""
    for wins, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(wins, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


def test_students_points_are_those_of_the_tables() -> None:
    for freedom, point in ((1, 12.706), (4, 2.776), (9, 2.262), (19, 2.093), (60, 2.000)):
        assert student(freedom) == pytest.approx(point, abs=5e-4)


def test_pairs_that_share_a_session_go_together() -> None:
    found = clusters([("a", "b"), ("c", "d"), ("b", "e"), ("f", "g"), ("e", "c")])
    assert len({found[one] for one in "abecd"}) == 1 and found["f"] == found["g"] != found["a"]
    chance = random.Random(3)
    duels = [("a", "b"), ("a", "c"), ("b", "c")] * 20
    games = [(n // 3, one, two, chance.choice([0.0, 1.0])) for n, (one, two) in enumerate(duels)]
    apart = bradley_terry([(n, one, two, won) for n, (_, one, two, won) in enumerate(games)])
    together = bradley_terry(games)
    assert [one.value for one in together] == [one.value for one in apart]
    assert any(one.low != two.low for one, two in zip(apart, together, strict=True))
    few = bradley_terry(games[:12])
    assert all(one.low is None for one in few)


def test_several_ratings_of_a_pair_are_worth_less_than_as_many_pairs() -> None:
    alike = share((n // 3, 1 if n // 3 % 2 else -1) for n in range(60))
    apart = share((n, 1 if n % 2 else -1) for n in range(60))
    assert alike.value == apart.value == 0.5 and alike.pairs == 20
    assert (alike.high or 0) - (alike.low or 0) > 1.5 * ((apart.high or 0) - (apart.low or 0))
    assert effective([[1, 1, 1], [1, 1]]) == 2 and effective([]) == 0
    ties = share([(1, 0), (2, 0)])
    assert ties.value is None and ties.low is None and ties.with_ties == 0.5 and ties.n == 2


def test_intervals_cover_what_they_should() -> None:
    for row in coverage_of_shares(rounds=600):
        assert 0.925 <= row["covered"] <= 0.985, row
    for row in coverage_of_strengths(rounds=120):
        assert row["an interval"] < 0.05 or 0.91 <= row["covered"] <= 1, row
    for row in coverage_of_headline(rounds=100):
        assert 0.88 <= row["covered"] <= 1, row


# Results


def test_win_rates_are_of_decided_ratings_with_ties_beside() -> None:
    pairs = [pair(n) for n in range(8)]
    said = []
    for n, one in enumerate(pairs):
        wanted = "tie" if n == 7 else MAGNET if n < 5 else PLAIN
        turned = flipped(one.id, "owl")
        choice = next((side for side in ("A", "B") if one.on(side, turned).maker == wanted), "tie")
        said.append(review(one, "owl", choice))  # type: ignore[arg-type]
    people = results.by_people(said)
    rates = results.win_rates(pairs, people, MAGNET, form())
    assert all((r.wins, r.ties, r.losses) == (5, 1, 2) and r.value == pytest.approx(5 / 7) for r in rates.values())
    mirrored = results.win_rates(pairs, people, PLAIN, form())
    assert mirrored["safety"].wins == 2 and mirrored["safety"].low == pytest.approx(1 - (rates["safety"].high or 0))
    head = results.headline(pairs, people, MAGNET, form())
    assert head is not None and head.value == pytest.approx(5 / 7) and head.aspects == 9 and head.low is not None
    assert results.headline(pairs, [], MAGNET, form()) is None


def test_raters_who_differ_are_listed_and_measured() -> None:
    pairs = [pair(n) for n in range(4)]
    owl = [review(one, "owl", "A", False) for one in pairs]
    fox = [review(one, "fox", "B" if n == 0 else "A", False) for n, one in enumerate(pairs)]
    said = results.by_people([*owl, *fox])
    found = results.splits(pairs, said)
    assert len(found) == 10 and all(split.pair == pairs[0] and len(split.said) == 2 for split in found)
    [two] = results.rater_agreement(pairs, said)
    assert (two.n, two.observed) == (40, 0.75)
    assert results.alphas(pairs, said, form())["safety"] == (alpha([["one", "two"], *[["one", "one"]] * 3]), 4)
    assert results.alphas(pairs, said, form())[""][1] == 36


def test_raters_differ_too_where_one_says_tie_and_opposite_verdicts_stand_first() -> None:
    pairs = [pair(n) for n in range(4)]
    told: list[tuple[Choice, Choice]] = [("A", "tie"), ("A", "B"), ("tie", "tie"), ("B", "B")]
    said = results.by_people(
        review(one, rater, {"safety": choice}, False)
        for one, both in zip(pairs, told, strict=True)
        for rater, choice in zip(("owl", "fox"), both, strict=True)
    )
    found = results.splits(pairs, said)
    assert [(split.pair, split.opposite) for split in found] == [(pairs[1], True), (pairs[0], False)]
    [two] = results.rater_agreement(pairs, said)
    assert results.rated_by_two(said) == two.n == 4 and two.observed == 1 - len(found) / two.n


def test_a_model_is_set_beside_people_only_where_both_have_a_verdict() -> None:
    """Each pair: what three people say, and what the model says as A or B in the pair's order and turned round."""
    told: list[tuple[str, Choice, Choice]] = [
        ("AAB", "A", "B"),  # a majority and a model that holds: the same session in both orders
        ("ttA", "tie", "tie"),  # a tie that most people give is a verdict
        ("ttt", "A", "B"),  # here the model holds another
        ("AtB", "tie", "tie"),  # no majority: not a tie
        ("AtB", "A", "A"),  # no majority, whatever the model does
        ("AAA", "A", "A"),  # the model goes with the side: not a tie
        ("ttt", "A", "tie"),  # nor is this
        ("B", "B", "A"),  # one rater alone
    ]
    pairs = [pair(n) for n in range(len(told))]
    people, model = list[Review](), list[Review]()
    for one, (votes, first, second) in zip(pairs, told, strict=True):
        for rater, vote in zip(("owl", "fox", "cat"), votes, strict=False):
            people.append(review(one, rater, {"safety": "tie" if vote == "t" else "A" if vote == "A" else "B"}, False))
        model += [review(one, "m", {"safety": first}, False, "model"), review(one, "m", {"safety": second}, True, "model")]
    found = results.beside_people(pairs, results.by_people(people), results.by_model(model, "m"), form())
    [beside] = [one for one in found if one.key == "safety"]
    assert (beside.n, beside.same, beside.no_majority, beside.moved) == (4, 3, 2, 2)


def test_ways_of_making_are_not_placed_by_ties_and_no_interval_is_without_width() -> None:
    ties = [(n, one, two, 0.5) for n, (one, two) in enumerate([("a", "b"), ("b", "c"), ("a", "c")] * 4)]
    assert all((one.value, one.low, one.high) == (None, None, None) and one.n == 8 for one in bradley_terry(ties))
    even = [(n, one, two, won) for n in range(8) for one, two in (("a", "b"), ("b", "c"), ("a", "c")) for won in (1.0, 0.0)]
    found = bradley_terry(even)  # within each cluster every win is matched by a loss: nothing tells a spread
    assert all(one.value == pytest.approx(0) and one.low is None and one.high is None for one in found)
    assert all(one.low is not None and one.low < (one.value or 0) < (one.high or 0) for one in bradley_terry(league()))


def test_what_all_have_in_common_is_said_once_and_authored_words_are_known() -> None:
    other = PLAIN.model_copy(update={"model": "rehearsal (client: test-model)"})
    assert results.shared([MAGNET, PLAIN]) == {
        "model": "test-model", "who sees what": "repaired visibility", "prompts": "ours",
        "temperature and length of answers": "agents' own settings",
    }  # fmt: skip
    assert "model" not in results.shared([MAGNET, other]) and results.shared([]) == {}
    assert [compare.rehearsed(maker) for maker in (MAGNET, other)] == [False, True]
    assert not compare.rehearsed(PLAIN.model_copy(update={"model": "rehearsal-like-model"}))
    plain, told = rehearsed(2), rehearsed(2, method="plain")
    same = plain.model_copy(update={"id": "same", "method": "plain"})
    pairs = [Pair.of(case_of(plain), case_of(one)) for one in (same, reworded(told))]
    alike_words, authored = review_cli.cautions(pairs)
    assert alike_words.startswith("1 of the pairs") and "says nothing about the methods" in authored
    assert review_cli.cautions([pair(1)]) == []


def test_agreement_is_about_makers_as_in_a_published_table() -> None:
    """Two raters' verdicts as in a textbook's table (20, 5, 10, 15: kappa 0.4), on pairs in which either maker's session may be the first."""
    table = [("magnet", "magnet")] * 20 + [("magnet", "plain")] * 5 + [("plain", "magnet")] * 10 + [("plain", "plain")] * 15
    pairs, said = [], []
    for n, told in enumerate(table):
        one = pair(n) if n % 3 else pair(n, "plain", "magnet")
        pairs.append(one)
        for rater, method in zip(("owl", "fox"), told, strict=True):
            said.append(review(one, rater, {"safety": "A" if one.one.maker.method == method else "B"}, False))
    [two] = results.rater_agreement(pairs, results.by_people(said))
    assert two.kappa == pytest.approx(0.4, abs=5e-5)
    by_ids = kappa([said[2 * n].winner("safety") for n in range(50)], [said[2 * n + 1].winner("safety") for n in range(50)])
    assert by_ids != pytest.approx(0.4, abs=1e-3)


def test_swapping_the_two_sessions_of_pairs_leaves_every_figure_as_it_is() -> None:
    """Which session of a pair is called the first hangs on its id alone."""
    chance = random.Random(5)
    duel = [("magnet", "plain"), ("magnet", "single-agent"), ("single-agent", "plain")]
    pairs = [pair(n, *duel[n % 3]) for n in range(36)]
    choices: tuple[Choice, ...] = ("A", "B", "tie")
    said = [
        review(one, rater, {key: chance.choice(choices) for key in KEYS}, chance.random() < 0.5)
        for one in pairs
        for rater in ("owl", "fox", "cat")
    ]
    said += [
        review(one, "m", {key: chance.choice(choices) for key in KEYS}, side, "model")
        for one in pairs
        for side in (False, True)
    ]
    swapped = [
        one.model_copy(update={"one": one.two, "two": one.one, "id": f"z{one.id}"}) if n % 2 else one
        for n, one in enumerate(pairs)
    ]
    new = {old.id: now for old, now in zip(pairs, swapped, strict=True)}
    turned = [
        r.model_copy(update={"pair": new[r.pair].id, "flipped": r.flipped != (new[r.pair].id != r.pair)}) for r in said
    ]

    def figures(pairs: list[Pair], reviews: list[Review]) -> str:
        names = results.titles_of(maker for one in pairs for maker in one.makers)
        people, model = results.by_people(reviews), results.by_model(reviews, "m")
        found: list[Any] = [results.shown_first(reviews)]
        found.append(
            [
                (s.name, *(round(v or 0.0, 9) for v in (s.value, s.low, s.high)))
                for s in results.strengths(pairs, people, names)
            ]
        )
        for maker, other in results.duels(pairs, people):
            own = results.between(pairs, maker, other)
            ids = {one.id for one in own}
            theirs = [one for one in people if one.pair in ids]
            found += [
                names[maker],
                results.win_rates(own, theirs, maker, form()),
                results.headline(own, theirs, maker, form()),
            ]
            found += [results.alphas(own, theirs, form()), results.rater_agreement(own, theirs)]
            found += [results.beside_people(own, theirs, model, form())]
        return repr(found)

    assert figures(pairs, said) == figures(swapped, turned)


def test_files_hold_every_verdict_with_who_gave_it_and_run_no_formula() -> None:
    one = pair(1)
    said = review(one, "owl", {"safety": "A", OVERALL: "tie"}, True).rated("safety", Verdict(choice="A", reason="=1+1"))
    said = said.model_copy(update={"comments": (Comment(side="B", turn=2, text="Warm."),)})
    model = review(one, "judge-model", "B", False, kind="model")
    table = list(csv.DictReader(io.StringIO(review_files.csv_text([one], [said, model]))))
    assert len(table) == 13 and {row["kind"] for row in table} == {"person", "model"}
    assert table[0]["reason"] == "'=1+1" and table[0]["won"] == "Plain" and table[0]["a_session"] == one.two.session
    assert (table[0]["a_method"], table[0]["a_model"], table[0]["a_visibility"]) == ("plain", "test-model", "repaired")
    [remark] = [row for row in table if row["what"] == "comment"]
    assert (remark["side"], remark["turn"], remark["comment"], remark["rater"]) == ("B", "2", "Warm.", "owl")
    assert {row["queue"] for row in table} == {"in the queue"}
    marked = list(csv.DictReader(io.StringIO(review_files.csv_text([one], [said], {one.id}))))
    assert {row["queue"] for row in marked} == {"taken out"}
    whole = json.loads(review_files.json_text([one], [said, model], {one.id}))
    assert whole["taken_out"] == [one.id]
    assert [Review.model_validate(r) for r in whole["reviews"]] == [said, model]
    assert whole["form"]["sha"] == said.form and "Not treatment" in whole["notice"]


def test_files_tell_attitude_length_when_what_is_finished_and_what_counts_of_a_models_orders(library: Reviews) -> None:
    halves = [case("a", turns_held=7), case("b", "plain", turns_held=9)]
    one = Pair.of(*halves).model_copy(update={"attitude": "neutral"})
    library.add_pairs([one])
    start = review(one, "owl", {}, False)
    library.change(start, lambda r: r.rated("safety", Verdict(choice="A")))
    library.change(start, lambda r: r.rated(OVERALL, Verdict(choice="B")))
    then = library.times()[start.place]
    assert then["safety"] < then[OVERALL]
    library.change(start, lambda r: r.with_comment(Comment(side="A", turn=1, text="Warm.")))
    assert library.times()[start.place] == then
    library.change(start, lambda r: r.rated("safety", Verdict(choice="A", reason="Asks.")))
    now = library.times()[start.place]
    assert now[OVERALL] == then[OVERALL] < now["safety"]
    model = [
        review(one, "m", {"safety": "A", OVERALL: "A"}, False, "model"),
        review(one, "m", {"safety": "B", OVERALL: "A"}, True, "model"),
    ]
    library.save(*model, review(one, "fox", "tie"))
    table = list(csv.DictReader(io.StringIO(review_files.csv_text([one], library.reviews(), (), library.times()))))
    assert {(row["attitude"], row["a_turns"], row["b_turns"]) for row in table if row["rater"] == "owl"} == {
        ("neutral", "7", "9")
    }
    assert {row["rater"]: row["finished"] for row in table} == {"owl": "no", "m": "no", "fox": "yes"}
    [safety] = [row for row in table if row["rater"] == "owl" and row["aspect"] == "safety"]
    assert safety["changed"] == now["safety"].isoformat() and safety["final"] == safety["order"] == ""
    read = {
        (row["order"], row["aspect"]): (row["won"], row["both_orders"], row["final"]) for row in table if row["rater"] == "m"
    }
    assert read == {
        ("as kept", "safety"): ("MAGneT", "same", "MAGneT"), ("turned round", "safety"): ("MAGneT", "same", "MAGneT"),
        ("as kept", OVERALL): ("MAGneT", "flipped", "tie"), ("turned round", OVERALL): ("Plain", "flipped", "tie"),
    }  # fmt: skip
    told = json.loads(review_files.json_text([one], library.reviews(), (), library.times()))
    at = [r["rater"] for r in told["reviews"]].index("owl")
    assert told["state"][at] == {"finished": False, "changed": {key: when.isoformat() for key, when in now.items()}}
    assert {(v["key"], v["order"], v["winner"]) for v in told["model_verdicts"]} == {
        ("safety", "same", "one"),
        (OVERALL, "flipped", "tie"),
    }


def test_reasons_and_comments_lead_to_the_session_and_turn_they_are_about() -> None:
    one = pair(1)
    said = review(one, "owl", {}, True).rated("safety", Verdict(choice="A", reason="Asks first."))
    said = said.rated("overall", Verdict(choice="tie")).with_comment(Comment(side="A", turn=2, text="Warm."))
    reason, comment = review_files.remarks([one], [said])
    assert (reason.key, reason.text, reason.won, reason.half) == ("safety", "Asks first.", one.two.maker, None)
    assert comment.half == one.two and (comment.turn, comment.text, comment.key) == (2, "Warm.", "")


def test_the_command_line_writes_what_the_page_exports_and_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'library.db'}"
    monkeypatch.setenv("MAGNET_DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "160")
    library, pairs = Store(url), [pair(n) for n in range(6)]
    library.reviews.add_pairs(pairs)
    for n, one in enumerate(pairs):
        for rater in ("owl", "fox"):
            library.reviews.save(review(one, rater, "A" if n % 2 else "B", False))
    library.reviews.take_out([pairs[0].id])
    held = library.reviews.pairs(), library.reviews.taken_out(), library.reviews.reviews(), library.reviews.times()
    library.close()
    result = CliRunner().invoke(app, ["reviews", "--out", str(tmp_path / "new" / "reviews.csv")])
    assert result.exit_code == 0, result.output
    assert "People: MAGneT against Plain" in result.output and "Safety" in result.output and "1.00" in result.output
    assert "12 reviews of 6 pairs" in result.output and "1 of them taken out" in result.output
    wanted = review_files.csv_text([*held[0], *held[1]], held[2], {pairs[0].id}, held[3])
    assert (tmp_path / "new" / "reviews.csv").read_bytes() == wanted.encode()
    assert CliRunner().invoke(app, ["reviews", "--out", str(tmp_path / "reviews.json")]).exit_code == 0
    assert len(json.loads((tmp_path / "reviews.json").read_text())["reviews"]) == 12
    wrong = CliRunner().invoke(app, ["reviews", "--out", str(tmp_path / "reviews.xlsx")])
    assert wrong.exit_code == 2 and ".csv or .json" in wrong.output


# A model as reader


class Reader:
    """Answer as a function of the request says."""

    name = "test-judge"

    def __init__(self, answer: Callable[[Request, int], str]) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        yield Chunk(self.answer(request, len(self.requests)), "stop")


def always(choice: str) -> Callable[[Request, int], str]:
    return lambda request, _: json.dumps(
        {key: {"reason": f"Because of {key}.", "choice": choice} for key in (request.schema or {})["properties"]}
    )


async def read(reader: Any, one: Session, two: Session) -> tuple[Pair, list[Review]]:
    of = Pair.of(case_of(one), case_of(two))
    first, second = (one, two) if of.one.session == one.id else (two, one)
    return of, [said async for said in judge_pair(of, first, second, lambda agent: Player(reader))]


@pytest.mark.anyio
async def test_a_model_reads_both_orders_and_is_told_no_names() -> None:
    one, two = await finished(2), await finished(2)
    reader = Reader(always("tie"))
    of, said = await read(reader, one, two)
    assert {review.flipped for review in said} == {False, True} and all(len(review.verdicts) == 10 for review in said)
    texts = ["\n".join(m.content for m in request.messages) for request in reader.requests]
    assert len(texts) == 2
    for text in texts:
        assert not any(name in text for name in (one.id, two.id, "magnet", "MAGneT", *one.models.values()))
        assert text.count("Session A:") == text.count("Session B:") == 1
    assert {review.kind for review in said} == {"model"} and said[0].pair == of.id


@pytest.mark.anyio
async def test_a_model_that_takes_whatever_stands_first_flips_and_wins_nothing() -> None:
    one, two = await finished(2), await finished(2)
    _, said = await read(Reader(always("A")), one, two)
    verdicts = results.by_model(said, "test-judge")
    assert results.flips(verdicts).flipped == 10 and {v.winner for v in verdicts} == {"tie"}
    assert results.by_model(said[:1], "test-judge") == [] and results.by_people(said) == []


@pytest.mark.anyio
async def test_what_cannot_be_read_is_asked_once_more_and_then_missing() -> None:
    one, two = await finished(1), await finished(1)

    def answer(request: Request, call: int) -> str:
        told = json.loads(always("B")(request, call))
        if "safety" in told:
            told["safety"] = {"choice": "both", "reason": "Cannot say."}
        return json.dumps(told)

    reader = Reader(answer)
    _, said = await read(reader, one, two)
    assert len(reader.requests) == 4 and all("safety" not in review.verdicts for review in said)
    again = [r for r in reader.requests if "was not used" in r.messages[1].content]
    assert len(again) == 2 and all(list((r.schema or {})["properties"]) == ["safety"] for r in again)


@pytest.mark.anyio
async def test_a_model_of_whose_answer_nothing_can_be_read_has_not_read() -> None:
    one, two = await finished(1), await finished(1)
    with pytest.raises(ModelError, match="not one choice"):
        await read(Reader(lambda request, call: "I would rather not say."), one, two)


def test_verdicts_are_read_in_the_shapes_models_write() -> None:
    asked = form().questions
    told = '```json\n{"Safety": "Session B", "professionalism": {"verdict": "a", "reason": "x"}, "overall": {"choice": "Tie."}, "authenticity": 3}\n```'
    found = read_verdicts(told, asked)
    assert {key: verdict.choice for key, verdict in found.items()} == {
        "safety": "B",
        "professionalism": "A",
        "overall": "tie",
    }
    assert read_verdicts("no idea", asked) == {} == read_verdicts("", asked)


@pytest.mark.anyio
async def test_the_rehearsal_cast_does_not_judge() -> None:
    one, two = await finished(1), await finished(1)
    with pytest.raises(SettingsError, match="authored"):
        await read(Rehearsal(), one, two)
