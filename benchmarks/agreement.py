"""Do the 95 % intervals of blind reviews cover the truth 95 % of the time? By simulation.

python -m benchmarks.agreement
"""

from __future__ import annotations

import math
import random
from itertools import combinations, product
from typing import Any

from magnet_core.scoring import results
from magnet_core.scoring.agreement import bradley_terry, share
from magnet_core.scoring.aspects import Half, Pair, Winner, form
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.results import Said

ONE, OTHER = Configuration(method="magnet", model=""), Configuration(method="plain", model="")

SHARES = [
    # pairs, ratings of each, true share, how far the ratings of a pair go together
    (20, 1, 0.5, 0.0),
    (50, 1, 0.772, 0.0),
    (100, 1, 0.9, 0.0),
    (20, 3, 0.6, 0.0),
    (20, 3, 0.772, 0.5),
    (50, 3, 0.772, 0.5),
    (20, 3, 0.772, 1.0),
    (10, 5, 0.6, 0.7),
]


def coverage_of_shares(rounds: int = 4000, seed: int = 1) -> list[dict[str, Any]]:
    """Return how often the interval of a win rate held the truth."""
    chance, found = random.Random(seed), list[dict[str, Any]]()
    for pairs, each, truth, together in SHARES:
        covered, wide = 0, 0.0
        for _ in range(rounds):
            rated = share((n, 1 if won else -1) for n in range(pairs) for won in _together(chance, each, truth, together))
            assert rated.low is not None and rated.high is not None
            covered += rated.low <= truth <= rated.high
            wide += rated.high - rated.low
        row = {"pairs": pairs, "ratings of each": each, "truth": truth, "together": together}
        found.append(row | {"covered": covered / rounds, "width": round(wide / rounds, 3)})
    return found


def coverage_of_strengths(rounds: int = 1500, seed: int = 2) -> list[dict[str, Any]]:
    """Return how often the interval of a Bradley-Terry strength held the truth, over three things and all pairs of them.

    In `apart`, every pair has two sessions of its own; in `shared`, a client has one session of each maker, and three pairs share them.
    With effects, a session is better or worse than its maker's others by a normal draw.
    """
    effects, found = (0.0, 0.8), list[dict[str, Any]]()
    truths = {effect: _strengths_in_the_long_run(effect) for effect in effects}
    for effect, pairs, each, shared in product(effects, (6, 18, 60), (1, 3), (False, True)):
        chance = random.Random(f"{seed} {effect} {pairs} {each} {shared}")
        runs, told, held = rounds if pairs < 60 else rounds // 2, 0, list[bool]()
        for _ in range(runs):
            drawn = bradley_terry(_games(chance, pairs, each, effect, shared))
            inside = [s.low <= truths[effect][s.name] <= s.high for s in drawn if s.low is not None and s.high is not None]
            told += bool(inside)
            held += inside
        row = {
            "pairs": pairs,
            "ratings of each": each,
            "session effects": effect,
            "sessions": "shared" if shared else "apart",
            "an interval": round(told / runs, 2),
            "covered": sum(held) / len(held) if held else math.nan,
        }
        found.append(row)
    return found


STRENGTHS = {"a": 0.5, "b": 0.0, "c": -0.5}
DUELS = list(combinations(STRENGTHS, 2))


def _games(chance: random.Random, pairs: int, each: int, effect: float, shared: bool) -> list[tuple[int, str, str, float]]:
    """Return the ratings of some pairs, the three comparisons in turn."""
    games: list[tuple[int, str, str, float]] = []
    luck: dict[str, float] = {}
    for n in range(pairs):
        if n % 3 == 0 or not shared:
            luck = {name: chance.gauss(0, effect) for name in STRENGTHS}
        one, two = DUELS[n % 3]
        p = 1 / (1 + math.exp(STRENGTHS[two] + luck[two] - STRENGTHS[one] - luck[one]))
        games += [(n // 3 if shared else n, one, two, float(chance.random() < p)) for _ in range(each)]
    return games


def _strengths_in_the_long_run(effect: float, draws: int = 40_000) -> dict[str, float]:
    """Return what the strengths come to when nothing but the sessions' luck is averaged out: it draws them together."""
    chance, games = random.Random(0), list[tuple[int, str, str, float]]()
    for one, two in DUELS:
        apart = STRENGTHS[one] - STRENGTHS[two]
        p = sum(1 / (1 + math.exp(-apart - chance.gauss(0, effect * math.sqrt(2)))) for _ in range(draws)) / draws
        games.append((len(games), one, two, p))
    return {one.name: one.value or 0.0 for one in bradley_terry(games)}


def coverage_of_headline(rounds: int = 600, seed: int = 3) -> list[dict[str, Any]]:
    """Return how often the interval of the mean over nine aspects held the truth."""
    chance, asked, found = random.Random(seed), form(), list[dict[str, Any]]()
    for size, truth, together in ((10, 0.7, 0.4), (20, 0.7, 0.4), (50, 0.7, 0.4)):
        pairs = [
            Pair(
                id=str(n),
                client="",
                one=Half(session="1", maker=ONE),
                two=Half(session="2", maker=OTHER),
            )
            for n in range(size)
        ]
        covered = 0
        for _ in range(rounds):
            said: list[Said] = []
            for pair in pairs:
                for aspect, won in zip(asked.aspects, _together(chance, 9, truth, together), strict=True):
                    winner: Winner = "one" if won else "two"
                    said.append(Said(pair=pair.id, rater="r", kind="person", key=aspect.key, winner=winner))
            head = results.headline(pairs, said, ONE, asked)
            assert head is not None and head.low is not None and head.high is not None
            covered += head.low <= truth <= head.high
        found.append({"pairs": size, "truth": truth, "together": together, "covered": covered / rounds})
    return found


def _together(chance: random.Random, n: int, p: float, together: float) -> list[bool]:
    """Return n draws with the chance p, any two of which have that correlation."""
    common = chance.random() < p
    return [common if chance.random() < math.sqrt(together) else chance.random() < p for _ in range(n)]


def main() -> None:
    for name, rows in (
        ("Win rate (Wilson at the effective number)", coverage_of_shares()),
        ("Bradley-Terry (sandwich over pairs that share sessions, Student)", coverage_of_strengths()),
        (
            "Mean over nine aspects (Wilson at the number of ratings that the pairs are worth by a bootstrap)",
            coverage_of_headline(),
        ),
    ):
        print(name)
        for row in rows:
            print(
                "  "
                + ", ".join(f"{key} {value:.3f}" if key == "covered" else f"{key} {value}" for key, value in row.items())
            )


if __name__ == "__main__":
    main()
