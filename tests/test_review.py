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
from typing import Any

import pytest

from benchmarks.agreement import coverage_of_headline, coverage_of_shares, coverage_of_strengths
from magnet_core.domain import Session
from magnet_core.errors import SettingsError
from magnet_core.models import Chunk, Player, Request
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.scoring import results
from magnet_core.scoring.agreement import agreements, alpha, bradley_terry, effective, kappa, share, student, wilson
from magnet_core.scoring.aspects import (
    OVERALL,
    Case,
    Choice,
    Comment,
    Half,
    Pair,
    Review,
    Verdict,
    case_of,
    flipped,
    form,
    in_order,
    pairs_among,
    pseudonym,
)
from magnet_core.scoring.pairs import judge_pair, read_verdicts
from magnet_core.store import Reviews, Store
from tests.fakes import finished

KEYS = [question.key for question in form().questions]


def case(session: str, method: str = "magnet", client: str = "ada", **more: Any) -> Case:
    half = Half(session=session, method=method, model="test-model")
    return Case(
        half=half, client=client.title(), profile_id=client, attitude=more.pop("attitude", "neutral"), turns=4, **more
    )


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
    makers = {"MAGneT · test-model", "Plain · test-model"}
    found = pairs_among(cases, makers, most=9)
    assert {frozenset((p.one.session, p.two.session)) for p in found} == {frozenset("ab"), frozenset("bc"), frozenset("ef")}
    fewest, again = pairs_among(cases, makers), pairs_among(cases[::-1], makers)
    assert len(fewest) == 2 and {p.id for p in fewest} == {p.id for p in again}
    with pytest.raises(SettingsError, match="same client"):
        Pair.of(case("a"), case("d", "plain", "ben"))
    with pytest.raises(SettingsError, match="itself"):
        Pair.of(case("a"), case("a"))


@pytest.mark.anyio
async def test_a_pair_is_the_same_from_a_session_and_in_either_order() -> None:
    one, two = await finished(2), await finished(2)
    assert Pair.of(case_of(one), case_of(two)) == Pair.of(case_of(two), case_of(one))
    assert case_of(one).half.model


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
    for bad in ("", "  ", "ann@example.org"):
        with pytest.raises(SettingsError):
            pseudonym(bad)


# The library


@pytest.fixture
def library(store: Store) -> Reviews:
    return store.reviews


def test_every_change_is_kept_and_the_last_can_be_taken_back(library: Reviews) -> None:
    one = pair(1)
    first = review(one, "owl", {"safety": "A"})
    second = first.rated("safety", Verdict(choice="B", reason="Calmer."))
    assert [library.save(state) for state in (first, second, second)] == [True, True, False]
    cleared = second.cleared("safety")
    assert library.save(cleared) and library.reviews() == [cleared]
    key = (one.id, "owl", "person", first.flipped)
    assert library.undo(*key) and library.review(*key) == second
    assert library.undo(*key) and library.reviews("owl") == [first]
    assert library.undo(*key) and library.review(*key) is None and not library.undo(*key)


def test_raters_and_models_stand_beside_each_other(library: Reviews) -> None:
    one = pair(1)
    theirs = [review(one, "owl", "A"), review(one, "fox", "B")]
    model = [review(one, "owl", "A", side, kind="model") for side in (False, True)]
    for said in (*theirs, *model):
        library.save(said)
    assert len(library.reviews()) == 4 and library.reviews("owl") == theirs[:1]
    assert len(results.by_people(library.reviews())) == 20 and results.models_in(library.reviews()) == ["owl"]


def test_windows_that_write_a_review_at_once_lose_no_change(library: Reviews) -> None:
    one = pair(1)
    states = [review(one, "owl", {}).rated("safety", Verdict(choice="A", reason=f"Reason {n}.")) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(library.save, states))
    [last] = library.reviews()
    assert last in states
    assert sum(library.undo(one.id, "owl", "person", last.flipped) for _ in range(9)) == 8 and library.reviews() == []


def test_the_queue_takes_pairs_once_and_gives_them_back(library: Reviews) -> None:
    pairs = [pair(1), pair(2)]
    assert library.add_pairs(pairs) == 2 and library.add_pairs(pairs) == 0 and library.pairs() == pairs
    library.take_out([pairs[0].id])
    assert library.pairs() == pairs[1:] and library.add_pairs(pairs) == 1 and len(library.pairs()) == 2


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
    for freedom, point in ((4, 2.776), (9, 2.262), (19, 2.093), (60, 2.000)):
        assert student(freedom) == pytest.approx(point, abs=1e-2)


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
    for row in coverage_of_strengths(rounds=250):
        assert 0.91 <= row["covered"] <= 0.985, row
    for row in coverage_of_headline(rounds=100):
        assert 0.88 <= row["covered"] <= 1, row


# Results


def test_win_rates_are_of_decided_ratings_with_ties_beside() -> None:
    pairs = [pair(n) for n in range(8)]
    said = []
    for n, one in enumerate(pairs):
        wanted = "tie" if n == 7 else "MAGneT · test-model" if n < 5 else "Plain · test-model"
        turned = flipped(one.id, "owl")
        choice = next((side for side in ("A", "B") if one.on(side, turned).maker == wanted), "tie")
        said.append(review(one, "owl", choice))  # type: ignore[arg-type]
    people = results.by_people(said)
    rates = results.win_rates(pairs, people, "MAGneT · test-model", form())
    assert all((r.wins, r.ties, r.losses) == (5, 1, 2) and r.value == pytest.approx(5 / 7) for r in rates.values())
    mirrored = results.win_rates(pairs, people, "Plain · test-model", form())
    assert mirrored["safety"].wins == 2 and mirrored["safety"].low == pytest.approx(1 - (rates["safety"].high or 0))
    head = results.headline(pairs, people, "MAGneT · test-model", form())
    assert head is not None and head.value == pytest.approx(5 / 7) and head.aspects == 9 and head.low is not None
    assert results.headline(pairs, [], "MAGneT · test-model", form()) is None


def test_raters_who_differ_are_listed_and_measured() -> None:
    pairs = [pair(n) for n in range(4)]
    owl = [review(one, "owl", "A", False) for one in pairs]
    fox = [review(one, "fox", "B" if n == 0 else "A", False) for n, one in enumerate(pairs)]
    said = results.by_people([*owl, *fox])
    found = results.splits(pairs, said)
    assert len(found) == 10 and all(split.pair == pairs[0] and len(split.said) == 2 for split in found)
    [two] = results.rater_agreement(said)
    assert (two.n, two.observed) == (40, 0.75)
    assert results.alphas(said, form())["safety"] == (alpha([["one", "two"], *[["one", "one"]] * 3]), 4)
    assert results.alphas(said, form())[""][1] == 36


def test_files_hold_every_verdict_with_who_gave_it_and_run_no_formula() -> None:
    one = pair(1)
    said = review(one, "owl", {"safety": "A", OVERALL: "tie"}, True).rated("safety", Verdict(choice="A", reason="=1+1"))
    said = said.model_copy(update={"comments": (Comment(side="B", turn=2, text="Warm."),)})
    model = review(one, "judge-model", "B", False, kind="model")
    table = list(csv.DictReader(io.StringIO(results.csv_text([one], [said, model]))))
    assert len(table) == 12 and {row["kind"] for row in table} == {"person", "model"}
    assert table[0]["reason"] == "'=1+1" and table[0]["won"] == one.two.maker and table[0]["a_session"] == one.two.session
    whole = json.loads(results.json_text([one], [said, model], form()))
    assert [Review.model_validate(r) for r in whole["reviews"]] == [said, model]
    assert whole["form"]["sha"] == said.form and "Not treatment" in whole["notice"]


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
