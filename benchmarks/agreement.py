"""Do the 95 % intervals of blind reviews cover the truth 95 % of the time? By simulation.

python -m benchmarks.agreement
"""

from __future__ import annotations

import math
import random
from typing import Any

from magnet_core.scoring import results
from magnet_core.scoring.agreement import bradley_terry, share
from magnet_core.scoring.aspects import Half, Pair, Winner, form
from magnet_core.scoring.results import Said

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


def coverage_of_strengths(rounds: int = 2000, seed: int = 2) -> list[dict[str, Any]]:
    """Return how often the interval of a Bradley-Terry strength held the truth, over four things."""
    chance, found = random.Random(seed), list[dict[str, Any]]()
    truth = {"a": 0.6, "b": 0.2, "c": -0.2, "d": -0.6}
    names = [(one, two) for one in truth for two in truth if one < two]
    for pairs, each, together in ((20, 1, 0.0), (20, 3, 0.5)):
        covered = n = 0
        for _ in range(rounds):
            games: list[tuple[int, str, str, float]] = []
            for one, two in names:
                p = 1 / (1 + math.exp(truth[two] - truth[one]))
                for _ in range(pairs):
                    about = len(games)
                    games += [(about, one, two, float(won)) for won in _together(chance, each, p, together)]
            for strength in bradley_terry(games):
                if strength.low is not None and strength.high is not None:
                    n += 1
                    covered += strength.low <= truth[strength.name] <= strength.high
        found.append({"pairs": pairs, "ratings of each": each, "together": together, "covered": covered / n, "n": n})
    return found


def coverage_of_headline(rounds: int = 600, seed: int = 3) -> list[dict[str, Any]]:
    """Return how often the interval of the mean over nine aspects held the truth."""
    chance, asked, found = random.Random(seed), form(), list[dict[str, Any]]()
    for size, truth, together in ((10, 0.7, 0.4), (20, 0.7, 0.4), (50, 0.7, 0.4)):
        pairs = [
            Pair(
                id=str(n),
                client="",
                one=Half(session="1", method="a", model=""),
                two=Half(session="2", method="b", model=""),
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
            head = results.headline(pairs, said, "a", asked)
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
        ("Bradley-Terry (sandwich over pairs)", coverage_of_strengths()),
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
