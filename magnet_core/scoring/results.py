"""What blind reviews say, with the names put back: who won on which aspect, how far raters agree, and where they do not.

People and models are two sources and never pooled: everything here is asked for one of them. Nothing here depends on which of a pair's
sessions is called the first, nor on any id: agreement is about makers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal

from magnet_core.domain import Value
from magnet_core.scoring.agreement import (
    Agreement,
    Share,
    Strength,
    Z,
    agreements,
    alpha,
    bradley_terry,
    clusters,
    enough,
    share,
    student,
    wilson,
)
from magnet_core.scoring.aspects import OVERALL, Aspect, Form, Pair, RaterKind, Review, Winner
from magnet_core.scoring.compare import name_of
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.tables import DRAWS, FEWEST

_RESULT = {"one": 1.0, "tie": 0.5, "two": 0.0}

Code = Literal["first", "second", "tie"]
"""A verdict by maker, in the order in which the makers of a comparison stand."""


class Said(Value):
    """What one rater holds on one question about one pair."""

    pair: str
    rater: str
    kind: RaterKind
    key: str
    winner: Winner
    reason: str = ""
    order: Literal["", "same", "wavered", "flipped"] = ""
    """A model's two orders: the same winner, one tie and one win, or another winner each time. Empty for people."""


class Headline(Value):
    """The mean of the aspects' win rates, as the paper gives one."""

    value: float
    aspects: int
    pairs: int
    decided: int
    """Ratings on the aspects that are for one of the two."""
    ties: int
    low: float | None
    """Ends of the 95 % interval: Wilson's, at the number of ratings that the pairs are worth by a bootstrap; None for fewer than five pairs."""
    high: float | None

    @property
    def n(self) -> int:
        """All ratings on the aspects."""
        return self.decided + self.ties


class Flips(Value):
    """How a model's verdicts stood up to the other order."""

    n: int
    same: int
    wavered: int
    flipped: int


class Split(Value):
    """A question about a pair on which people did not all say the same."""

    pair: Pair
    key: str
    said: tuple[Said, ...]

    @property
    def opposite(self) -> bool:
        """Tell whether both sessions were given the win; else some said tie."""
        return {"one", "two"} <= {one.winner for one in self.said}


class Beside(Value):
    """How a model's verdicts on one question fit those of people on the same pairs.

    Compared is where more than half of the people say the same and the model says the same in both orders.
    """

    key: str
    n: int
    """Pairs that are compared."""
    same: int
    kappa: float | None
    no_majority: int
    """Pairs that are not, since no answer has more than half of the people."""
    moved: int
    """Pairs that are not, since the model said something else in the other order."""


def by_people(reviews: Iterable[Review]) -> list[Said]:
    """Return every verdict of people."""
    return [
        Said(pair=r.pair, rater=r.rater, kind="person", key=key, winner=winner, reason=verdict.reason)
        for r in reviews
        if r.kind == "person"
        for key, verdict in r.verdicts.items()
        if (winner := r.winner(key))
    ]


def by_model(reviews: Iterable[Review], model: str) -> list[Said]:
    """Return a model's verdicts, one from its two orders: a win only where both orders give it, else a tie.

    A question that was not answered in both orders is left out.
    """
    orders: dict[str, dict[bool, Review]] = defaultdict(dict)
    for review in reviews:
        if review.kind == "model" and review.rater == model:
            orders[review.pair][review.flipped] = review
    said: list[Said] = []
    for pair, both in orders.items():
        if len(both) < 2:
            continue
        for key in both[False].verdicts:
            first, second = both[False].winner(key), both[True].winner(key)
            if first is None or second is None:
                continue
            order = "same" if first == second else "wavered" if "tie" in (first, second) else "flipped"
            reasons = [
                f"{name}: {r.verdicts[key].reason}" for name, r in (("In order", both[False]), ("Turned round", both[True]))
            ]
            said.append(
                Said(
                    pair=pair, rater=model, kind="model", key=key, winner=first if order == "same" else "tie",
                    reason=" ".join(reasons), order=order,
                )
            )  # fmt: skip
    return said


def models_in(reviews: Iterable[Review]) -> list[str]:
    """Return the models that have said anything, by name."""
    return sorted({review.rater for review in reviews if review.kind == "model" and review.verdicts})


def titles_of(makers: Iterable[Configuration], packs: Mapping[str, str] | None = None) -> dict[Configuration, str]:
    """Return makers by name, MAGneT first: each name says how it differs from the others, and no two are the same."""
    known = sorted(set(makers), key=_rank)
    names = {maker: name_of(maker, known, packs) for maker in known}
    often = Counter(names.values())
    return {maker: f"{name} ({maker.id})" if often[name] > 1 else name for maker, name in names.items()}


def shared(makers: Iterable[Configuration], packs: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what all of some makers have in common, in words, by what it is."""
    told: list[dict[str, str]] = [
        {
            "model": maker.model,
            "who sees what": f"{maker.visibility} visibility",
            "prompts": (packs or {}).get(maker.prompts, maker.prompts) or "ours",
            "temperature and length of answers": str(maker.sampling),
        }
        for maker in makers
    ]
    return {what: said for what, said in told[0].items() if all(one[what] == said for one in told)} if told else {}


def duels(pairs: Iterable[Pair], said: Iterable[Said]) -> list[tuple[Configuration, Configuration]]:
    """Return who was compared with whom, MAGneT named first, those with most verdicts first."""
    known = {pair.id: in_makers_order(pair) for pair in pairs}
    counts = Counter(known[one.pair] for one in said if one.pair in known)
    return sorted(counts, key=lambda two: (-counts[two], [maker.model_dump_json() for maker in two]))


def in_makers_order(pair: Pair) -> tuple[Configuration, Configuration]:
    """Return a pair's makers as they stand in every pair of these two: MAGneT first, then by what they are."""
    first, second = sorted(pair.makers, key=_rank)
    return first, second


def code(pair: Pair, winner: Winner) -> Code:
    """Return a verdict by maker, so that agreement does not hang on which session of a pair is called the first."""
    if winner == "tie":
        return "tie"
    return "first" if (winner == "one") == (pair.one.maker == in_makers_order(pair)[0]) else "second"


def forms_of(reviews: Iterable[Review], asked: Form) -> list[str]:
    """Return the forms that reviews were given under, the present one first, then those with most reviews."""
    counts = Counter(review.form for review in reviews if review.says)
    return sorted(counts, key=lambda sha: (sha != asked.sha, -counts[sha], sha))


def form_of(sha: str, reviews: Iterable[Review], asked: Form) -> Form:
    """Return the questions of a form: the present one, or of another one what its answers tell, with the titles known now."""
    if sha == asked.sha:
        return asked
    keys = dict.fromkeys(key for review in reviews if review.form == sha for key in review.verdicts if key != OVERALL)
    known = {aspect.key: aspect for aspect in asked.aspects}
    unknown = {
        key: Aspect(key=key, title=key.capitalize(), question=key, better=key, worse=key) for key in keys if key not in known
    }
    return asked.model_copy(update={"aspects": tuple((known | unknown)[key] for key in keys)})


def unfinished(reviews: Iterable[Review], form: Form) -> list[Review]:
    """Return the reviews in which some questions are answered and others are not."""
    return [review for review in reviews if review.verdicts and not review.whole(form)]


def between(pairs: Iterable[Pair], first: Configuration, second: Configuration) -> list[Pair]:
    """Return the pairs of two makers."""
    return [pair for pair in pairs if pair.makers in ((first, second), (second, first))]


def win_rates(pairs: Sequence[Pair], said: Iterable[Said], maker: Configuration, form: Form) -> dict[str, Share]:
    """Return how often a maker won in these pairs, by question."""
    sides = {pair.id: "one" if pair.one.maker == maker else "two" for pair in pairs if maker in pair.makers}
    ratings: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for one in said:
        if one.pair in sides:
            result = 0 if one.winner == "tie" else 1 if one.winner == sides[one.pair] else -1
            ratings[one.key].append((one.pair, result))
    return {question.key: share(ratings[question.key]) for question in form.questions}


def headline(pairs: Sequence[Pair], said: Sequence[Said], maker: Configuration, form: Form) -> Headline | None:
    """Return the mean over aspects of a maker's win rate among decided ratings; None where nothing is decided."""
    keys = [aspect.key for aspect in form.aspects]
    sides = {pair.id: "one" if pair.one.maker == maker else "two" for pair in pairs if maker in pair.makers}
    every = [one for one in said if one.pair in sides and one.key in keys]
    rated = [one for one in every if one.winner != "tie"]
    if not rated:
        return None
    import numpy

    there = sorted({one.pair for one in rated})
    counts = numpy.zeros((2, len(there), len(keys)))
    for one in rated:
        counts[int(one.winner == sides[one.pair]), there.index(one.pair), keys.index(one.key)] += 1

    def average(lost: Any, won: Any) -> Any:
        with numpy.errstate(invalid="ignore"):
            rates = numpy.where(lost + won > 0, won / (lost + won), numpy.nan)
        known = ~numpy.isnan(rates)
        return numpy.where(known, rates, 0).sum(axis=-1) / numpy.maximum(known.sum(axis=-1), 1)

    # pairs stand in an order of their content, so that what is drawn does not hang on their ids
    counts = counts[:, sorted(range(len(there)), key=lambda n: counts[:, n].ravel().tolist())]
    value = float(average(counts[0].sum(axis=0), counts[1].sum(axis=0)))
    low = high = None
    if len(there) >= FEWEST:
        drawn = numpy.random.default_rng(0).multinomial(len(there), [1 / len(there)] * len(there), size=DRAWS)
        spread = float(average(drawn @ counts[0], drawn @ counts[1]).var()) * len(there) / (len(there) - 1)
        # a percentile interval covers too seldom with few pairs: the spread gives the number of ratings they are worth
        worth = value * (1 - value) / spread * (Z / student(len(there) - 1)) ** 2 if spread else 0.0
        size = min(float(len(rated)), max(float(len(there)), worth))
        low, high = wilson(value * size, size) or (None, None)
    return Headline(
        value=value,
        aspects=len({one.key for one in rated}),
        pairs=len(there),
        decided=len(rated),
        ties=len(every) - len(rated),
        low=low,
        high=high,
    )


def flips(said: Iterable[Said]) -> Flips:
    """Return how a model's verdicts stood up to the other order."""
    orders = Counter(one.order for one in said if one.order)
    return Flips(n=orders.total(), same=orders["same"], wavered=orders["wavered"], flipped=orders["flipped"])


def shown_first(reviews: Iterable[Review]) -> Share:
    """Return how often people said that the session shown as A won: near one half where the side decides nothing."""
    sides = {"A": 1, "B": -1, "tie": 0}
    return share((r.pair, sides[v.choice]) for r in reviews if r.kind == "person" for v in r.verdicts.values())


def alphas(pairs: Iterable[Pair], said: Iterable[Said], form: Form) -> dict[str, tuple[float | None, int]]:
    """Return Krippendorff's alpha by question, and under "" for all aspects together; each with how many things two or more rated."""
    units: dict[tuple[str, str], list[Code]] = defaultdict(list)
    for one, coded in _coded(pairs, said):
        units[one.pair, one.key].append(coded)
    found: dict[str, tuple[float | None, int]] = {}
    aspects = {aspect.key for aspect in form.aspects}
    for key in ("", *(question.key for question in form.questions)):
        own = [w for (_, k), w in units.items() if len(w) > 1 and (k in aspects if not key else k == key)]
        found[key] = alpha(own), len(own)
    return found


def rater_agreement(pairs: Iterable[Pair], said: Iterable[Said]) -> list[Agreement]:
    """Return how far every two raters agree, over all questions both answered."""
    told: dict[str, dict[Hashable, Hashable]] = defaultdict(dict)
    for one, coded in _coded(pairs, said):
        told[one.rater][one.pair, one.key] = coded
    return agreements(told)


def strengths(
    pairs: Iterable[Pair], said: Iterable[Said], names: Mapping[Configuration, str], key: str = OVERALL
) -> list[Strength]:
    """Return where each maker stands on one question, by Bradley and Terry; pairs that share a session go together."""
    known = {pair.id: pair for pair in pairs}
    rated = [one for one in said if one.key == key and one.pair in known]
    groups = clusters((known[one.pair].one.session, known[one.pair].two.session) for one in rated)
    return bradley_terry(
        (groups[pair.one.session], names[pair.one.maker], names[pair.two.maker], _RESULT[one.winner])
        for one in rated
        for pair in (known[one.pair],)
    )


def splits(pairs: Iterable[Pair], said: Iterable[Said]) -> list[Split]:
    """Return the questions on which people differ about a pair: those where both sessions won first, then those with most verdicts."""
    known = {pair.id: pair for pair in pairs}
    found: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in said:
        if one.pair in known:
            found[one.pair, one.key].append(one)
    split = [
        Split(pair=known[id], key=key, said=tuple(own))
        for (id, key), own in found.items()
        if len({one.winner for one in own}) > 1
    ]
    return sorted(split, key=lambda one: (not one.opposite, -len(one.said), one.pair.client, one.pair.id))


def rated_by_two(said: Iterable[Said]) -> int:
    """Return how many questions about pairs two raters or more have answered."""
    return sum(n > 1 for n in Counter((one.pair, one.key) for one in said).values())


def beside_people(pairs: Iterable[Pair], people: Iterable[Said], model: Iterable[Said], form: Form) -> list[Beside]:
    """Return, by question, how a model's verdicts fit what most people said on the same pairs.

    A tie is a verdict only where it is what most people say, or what the model says in both orders.
    """
    pairs = list(pairs)
    votes: dict[tuple[str, str], Counter[Code]] = defaultdict(Counter)
    for one, coded in _coded(pairs, people):
        votes[one.pair, one.key][coded] += 1
    told = {(one.pair, one.key): coded if one.order == "same" else None for one, coded in _coded(pairs, model)}
    found: list[Beside] = []
    for question in form.questions:
        shared = [unit for unit in told if unit in votes and unit[1] == question.key]
        clear = [(most, told[unit]) for unit in shared if (most := _majority(votes[unit]))]
        held = [(most, own) for most, own in clear if own]
        most, own = [most for most, _ in held], [own for _, own in held]
        found.append(
            Beside(
                key=question.key, n=len(held), same=sum(a == b for a, b in held), kappa=enough(most, own),
                no_majority=len(shared) - len(clear), moved=len(clear) - len(held),
            )
        )  # fmt: skip
    return found


def _rank(maker: Configuration) -> tuple[bool, str, str]:
    """Return where a maker stands among others: MAGneT first, then by what they are."""
    return maker.method != "magnet", maker.method, maker.model_dump_json()


def _coded(pairs: Iterable[Pair], said: Iterable[Said]) -> list[tuple[Said, Code]]:
    """Return verdicts about some pairs with what each comes to by maker."""
    known = {pair.id: pair for pair in pairs}
    return [(one, code(known[one.pair], one.winner)) for one in said if one.pair in known]


def _majority(votes: Counter[Code]) -> Code | None:
    """Return what more than half of the votes are for; None where there is no such thing."""
    [(winner, count)] = votes.most_common(1)
    return winner if 2 * count > votes.total() else None
