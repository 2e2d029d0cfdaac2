"""What many blind reviews come to: win rates with intervals, how far raters agree, and a scale for three methods or more.

Pure functions on plain values. Reviews by people and by a model are never pooled: whoever calls chooses one kind.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist

from magnet_core.domain import Value

Z = NormalDist().inv_cdf(0.975)
FREE = 3
"""Degrees of freedom that an interval of a strength needs at least."""
NO_SPREAD = 1e-6
"""A standard error below this is none: the clusters do not differ, and how sure a strength is cannot be told from them."""
RELIABLE, TENTATIVE = 0.8, 0.667
"""Krippendorff's customary limits: from the first on alpha is good enough to conclude from, from the second on tentatively."""
FEWEST_COMMON = 10
"""Things that two must both have rated before a kappa is told: with fewer it is mostly noise."""


class Share(Value):
    """How often one side won, of all decided ratings; ties are counted beside it."""

    wins: int
    losses: int
    ties: int
    pairs: int
    """How many pairs the decided ratings are about: several ratings of one pair are no independent ones."""
    low: float | None = None
    """Ends of the 95 % interval; None where nothing was decided."""
    high: float | None = None

    @property
    def n(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def value(self) -> float | None:
        """Wins among decided ratings."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    @property
    def with_ties(self) -> float | None:
        """The same with a tie as half a win."""
        return (self.wins + self.ties / 2) / self.n if self.n else None


class Agreement(Value):
    """How far two raters agree on what both rated."""

    first: str
    second: str
    n: int
    observed: float | None
    """The share on which they said the same."""
    kappa: float | None
    """Cohen's kappa; None with fewer than `FEWEST_COMMON` things, and where both said the same one thing throughout."""


class Strength(Value):
    """Where something stands on the Bradley-Terry scale: the log-odds of winning against the average one."""

    name: str
    value: float | None
    """None where it cannot be placed: it, or a group it belongs to, won or lost against all others throughout, or nothing was decided."""
    low: float | None
    """Ends of the 95 % interval; None where too few clusters of games were played, or they differ too little to tell a spread."""
    high: float | None
    n: int


def wilson(wins: float, n: float) -> tuple[float, float] | None:
    """Return Wilson's score interval of a share; None for nothing."""
    if n <= 0:
        return None
    p, shrink = wins / n, 1 + Z * Z / n
    middle = (p + Z * Z / (2 * n)) / shrink
    half = Z / shrink * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(ratings: Iterable[tuple[Hashable, int]]) -> Share:
    """Return how often one side won: each rating is the pair it is about and 1 for a win, -1 for a loss, 0 for a tie.

    The interval is Wilson's. Where pairs were rated more than once it is taken at the effective number of ratings, which is smaller the more
    the ratings of a pair go together: never below the number of pairs, never above the number of ratings.
    """
    counts: Counter[int] = Counter()
    by_pair: dict[Hashable, list[int]] = defaultdict(list)
    for pair, result in ratings:
        counts[result] += 1
        if result:
            by_pair[pair].append(int(result > 0))
    n = counts[1] + counts[-1]
    size = effective(list(by_pair.values()))
    low, high = (wilson(counts[1] / n * size, size) if n else None) or (None, None)
    return Share(wins=counts[1], losses=counts[-1], ties=counts[0], pairs=len(by_pair), low=low, high=high)


def effective(clusters: Sequence[Sequence[int]]) -> float:
    """Return how many independent ratings some clusters of 0 and 1 are worth."""
    n, groups = sum(map(len, clusters)), len(clusters)
    if groups in (0, n):
        return n
    p = sum(map(sum, clusters)) / n
    if groups == 1 or p in (0.0, 1.0):
        return groups
    spread = groups / (groups - 1) * sum((sum(c) - p * len(c)) ** 2 for c in clusters) / n**2
    return min(float(n), max(float(groups), p * (1 - p) / spread)) if spread else float(n)


@lru_cache(maxsize=512)
def student(freedom: int) -> float:
    """Return Student's 97.5 % point."""
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))


def alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Return Krippendorff's alpha for nominal values: a unit holds what each of its raters said, missing ones left out.

    None where no unit has two ratings, or where all say the same one thing, which tells nothing.
    """
    pairable = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = Counter()
    for unit in pairable:
        totals.update(unit)
    n = totals.total()
    expected = n * n - sum(count * count for count in totals.values())
    if not expected:
        return None
    apart = sum((unit.total() ** 2 - sum(c * c for c in unit.values())) / (unit.total() - 1) for unit in pairable)
    return 1 - (n - 1) * apart / expected


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa of two raters' values for the same things; None where chance alone already agrees throughout."""
    n = len(first)
    if not n:
        return None
    same = sum(a == b for a, b in zip(first, second, strict=True)) / n
    one, two = Counter(first), Counter(second)
    chance = sum(one[value] * two[value] for value in one) / n**2
    return None if chance == 1 else (same - chance) / (1 - chance)


def agreements(said: Mapping[str, Mapping[Hashable, Hashable]]) -> list[Agreement]:
    """Return how far every two raters agree, from what each said about each thing; those with most in common first."""
    found: list[Agreement] = []
    for first, second in combinations(sorted(said), 2):
        shared = said[first].keys() & said[second].keys()
        one, two = [said[first][unit] for unit in shared], [said[second][unit] for unit in shared]
        same = sum(a == b for a, b in zip(one, two, strict=True)) / len(shared) if shared else None
        found.append(Agreement(first=first, second=second, n=len(shared), observed=same, kappa=enough(one, two)))
    return sorted(found, key=lambda two: -two.n)


def enough(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa where there is enough to tell it from."""
    return kappa(first, second) if len(first) >= FEWEST_COMMON else None


def bradley_terry(games: Iterable[tuple[Hashable, str, str, float]]) -> list[Strength]:
    """Return the strength of each of several things from comparisons of two, the strongest first; a tie counts half.

    A game is the cluster it belongs to, the two names, and 1, 0.5 or 0 for the first. Strengths add up to 0. The 95 % intervals allow for
    the games of a cluster going together: a sandwich estimate over clusters, with Student's point at as many degrees of freedom as there are
    more clusters than free strengths. With fewer than `FREE` of these there is none. `benchmarks/agreement.py` tells how often they hold.
    """
    import numpy

    played = [game for game in games if game[1] != game[2]]
    names = sorted({name for _, one, two, _ in played for name in (one, two)})
    counts = Counter(name for _, one, two, _ in played for name in (one, two))
    decided = any(result != 0.5 for *_, result in played)  # ties alone would place all at 0, as if that were known
    if not decided or not _connected(names, played):
        return [Strength(name=name, value=None, low=None, high=None, n=counts[name]) for name in names]
    place = {name: at for at, name in enumerate(names)}
    left = numpy.array([place[one] for _, one, _, _ in played])
    right = numpy.array([place[two] for _, _, two, _ in played])
    won = numpy.array([result for *_, result in played], dtype=float)
    k = len(names)
    design = numpy.zeros((len(played), k))
    design[numpy.arange(len(played)), left] += 1
    design[numpy.arange(len(played)), right] -= 1
    strength = numpy.zeros(k)
    centre = numpy.full((k, k), 1 / k)
    information = centre
    for _ in range(100):
        chance = 1 / (1 + numpy.exp(-design @ strength))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        # the strengths are only known up to a constant: the added matrix fixes their sum at 0 and changes nothing else
        step = numpy.linalg.solve(information + centre, design.T @ (won - chance))
        strength = strength + step * min(1.0, 2.0 / max(float(numpy.abs(step).max()), 1e-12))
        if numpy.abs(step).max() < 1e-10:
            break
    chance = 1 / (1 + numpy.exp(-design @ strength))
    scores: dict[Hashable, numpy.ndarray] = defaultdict(lambda: numpy.zeros(k))
    for row, (cluster, *_), rest in zip(design, played, won - chance, strict=True):
        scores[cluster] += row * rest
    sums = numpy.array(list(scores.values()))
    inverse = numpy.linalg.inv(information + centre) - centre
    meat = sums.T @ sums * (len(sums) / max(1, len(sums) - 1))
    error = numpy.sqrt(numpy.clip(numpy.diag(inverse @ meat @ inverse), 0, None))
    freedom = len(sums) - (k - 1)
    reach = student(freedom) if freedom >= FREE else None
    found = [
        Strength(
            name=name,
            value=float(strength[at]),
            low=None if reach is None or error[at] < NO_SPREAD else float(strength[at] - reach * error[at]),
            high=None if reach is None or error[at] < NO_SPREAD else float(strength[at] + reach * error[at]),
            n=counts[name],
        )
        for name, at in place.items()
    ]
    return sorted(found, key=lambda one: -(one.value or 0.0))


def _connected(names: Sequence[str], played: Sequence[tuple[Hashable, str, str, float]]) -> bool:
    """Tell whether every one has, through others, both won and lost against every other: only then is there an estimate."""
    beat: dict[str, set[str]] = defaultdict(set)
    for _, one, two, result in played:
        if result > 0:
            beat[one].add(two)
        if result < 1:
            beat[two].add(one)
    lost: dict[str, set[str]] = defaultdict(set)
    for winner, losers in beat.items():
        for loser in losers:
            lost[loser].add(winner)
    return all(_reached(names[0], ways) == set(names) for ways in (beat, lost))


def _reached(start: str, ways: Mapping[str, set[str]]) -> set[str]:
    seen, wave = {start}, [start]
    while wave:
        for name in ways.get(wave.pop(), set()) - seen:
            seen.add(name)
            wave.append(name)
    return seen


def clusters(links: Iterable[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Return for each of several things the number of the group it belongs to: what is linked, even through others, goes together."""
    found: dict[Hashable, Hashable] = {}

    def root(thing: Hashable) -> Hashable:
        while found.setdefault(thing, thing) != thing:
            thing = found[thing]
        return thing

    for one, two in links:
        found[root(one)] = root(two)
    numbers: dict[Hashable, int] = {}
    return {thing: numbers.setdefault(root(thing), len(numbers)) for thing in list(found)}
