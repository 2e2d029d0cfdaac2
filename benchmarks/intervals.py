"""How often do Student's 95 % intervals of the Compare page hold the true mean of paired differences? By simulation.

python -m benchmarks.intervals
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from magnet_core.scoring.compare import paired

NUMBERS = (5, 8, 10, 20, 30)
"""Clients that both configurations have."""
SHAPES: dict[str, tuple[float, Callable[[Any, int], Any]]] = {
    "even to both sides (normal)": (0.4, lambda chance, n: chance.normal(0.4, 1.0, n)),
    "flat": (0.4, lambda chance, n: chance.uniform(-0.6, 1.4, n)),
    "thirds of a point": (0.4, lambda chance, n: numpy.round(3 * chance.normal(0.4, 1.0, n)) / 3),
    "lopsided (exponential)": (1.0, lambda chance, n: chance.exponential(1.0, n)),
    "very lopsided (lognormal)": (math.exp(0.5), lambda chance, n: chance.lognormal(0.0, 1.0, n)),
}
"""True mean of the differences, and how they are drawn."""


def coverage(rounds: int = 4000, seed: int = 1) -> list[dict[str, Any]]:
    """Return how often the interval held the truth, by the shape and the number of the differences."""
    chance, found = numpy.random.default_rng(seed), list[dict[str, Any]]()
    for shape, (truth, draw) in SHAPES.items():
        for n in NUMBERS:
            covered = 0
            for _ in range(rounds):
                one = paired(draw(chance, n).tolist())
                assert one.low is not None and one.high is not None
                covered += one.low <= truth <= one.high
            found.append({"shape": shape, "n": n, "covered": covered / rounds})
    return found


def main() -> None:
    found = coverage()
    print(f"{'Differences are':<30}" + "".join(f"{f'n = {n}':>9}" for n in NUMBERS))
    for shape in SHAPES:
        print(f"{shape:<30}" + "".join(f"{row['covered']:>9.3f}" for row in found if row["shape"] == shape))


if __name__ == "__main__":
    main()
