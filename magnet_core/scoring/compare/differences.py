"""Paired differences: their mean, Student's interval, and what is left of several when all are looked at.

An interval holds the true mean in 95 of 100 cases where differences spread evenly to both sides; with few and lopsided ones it
is less (`python -m benchmarks.intervals`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Literal

from magnet_core.domain import Value
from magnet_core.scoring.agreement import student
from magnet_core.scoring.tables import FEWEST

LEVEL = 0.95
_SAME = 1e-12

Direction = Literal["better", "worse", "unclear"]


class Delta(Value):
    """How one configuration differs from the baseline in one figure, over the clients that both have."""

    n: int
    mean: float | None = None
    spread: float | None = None
    """The standard deviation of the differences."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval; None with fewer than `FEWEST` pairs."""
    p: float | None = None
    """How often so large a mean would come up if the true one were 0; None where there is no interval."""
    stands: bool = True
    """Whether it still counts as a difference after all that were looked at together are allowed for."""

    @property
    def exact(self) -> bool:
        """Tell whether the difference is the same for every client: it is then told as it is, without an interval."""
        return self.n > 1 and self.spread == 0

    @property
    def apart(self) -> bool:
        """Tell whether the interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def clear(self) -> bool:
        """Tell whether this counts as a difference."""
        return self.apart and self.stands

    def direction(self, less_is_better: bool) -> Direction:
        """Return which way a clear difference points; nothing else is ever coloured."""
        if not self.clear or self.mean is None:
            return "unclear"
        return "better" if (self.mean < 0) == less_is_better else "worse"


def delta(ours: Mapping[str, float], base: Mapping[str, float]) -> Delta:
    """Return the paired difference of two configurations, over the clients that both have."""
    return paired([ours[client] - base[client] for client in sorted(ours.keys() & base.keys())])


def paired(differences: Sequence[float]) -> Delta:
    """Return the mean of paired differences with Student's 95 % interval; none with fewer than `FEWEST`."""
    n = len(differences)
    if not n:
        return Delta(n=0)
    middle = mean(differences)
    if math.isclose(max(differences), min(differences), rel_tol=_SAME, abs_tol=_SAME):
        # numbers that differ by how they are kept only
        middle, spread = (0.0 if abs(middle) < _SAME else middle), (0.0 if n > 1 else None)
    else:
        spread = stdev(differences)
    if n < FEWEST or spread is None:
        return Delta(n=n, mean=middle, spread=spread)
    error = spread / math.sqrt(n)
    half = student(n - 1) * error
    return Delta(n=n, mean=middle, spread=spread, low=middle - half, high=middle + half, p=_chance(middle, error, n - 1))


def holm(chances: Sequence[float]) -> list[float]:
    """Return p values adjusted by Holm's step-down method, in their order."""
    found, largest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda i: chances[i])):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[place]))
        found[place] = largest
    return found


def _chance(middle: float, error: float, free: int) -> float:
    if error == 0:
        return 0.0 if middle else 1.0
    from scipy.stats import t

    return float(2 * t.sf(abs(middle) / error, free))
