"""How many pairs are needed to see a difference: exact for a two-sided paired t test at 5 %, small numbers as well."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from magnet_core.domain import Value
from magnet_core.scoring.agreement import student
from magnet_core.scoring.tables import FEWEST

MOST_PAIRS = 10_000
"""More than so many are not counted further: nobody would make them."""
_EDGE = 1e-13
_NODES = 600


class Needed(Value):
    """How many pairs are needed to see a difference; more than `MOST_PAIRS` where no practical number is enough."""

    pairs: int
    most: int
    """The same if the spread of the differences is underestimated: with its upper 80 % bound."""
    upper: float
    """That bound."""


def needed(spread: float, worth: float, n: int, power: float = 0.8) -> Needed | None:
    """Return how many pairs show a difference `worth` seeing, when differences spread like this; None if that cannot be said.

    Never fewer than `FEWEST`: below it no interval is given. `n` is how many pairs the spread was taken from: the fewer, the
    wider its own bound.
    """
    if n < FEWEST or spread <= 0 or worth == 0:
        return None
    from scipy.stats import chi2

    upper = spread * math.sqrt((n - 1) / float(chi2.ppf(0.2, n - 1)))
    pairs = _pairs(abs(worth) / spread, power)
    return Needed(pairs=pairs, most=max(pairs, _pairs(abs(worth) / upper, power)), upper=upper)


def to_begin_with(spread: float, digits: int) -> float:
    """Return a difference to begin with: half a standard deviation of the differences, in two figures and at most so many digits."""
    half = spread / 2
    shown = min(digits, 1 - math.floor(math.log10(half))) if half > 0 else digits
    return max(round(half, shown), 10.0**-digits)


def power_of(pairs: int, effect: float) -> float:
    """Return how likely a paired t test at 5 % sees an effect, in standard deviations of the differences.

    The chance to see it given the spread that happens to be found, averaged over that spread: this stays exact where library
    routines for the noncentral t distribution give up.
    """
    from scipy.special import ndtr

    free, shift = pairs - 1, abs(effect) * math.sqrt(pairs)
    edge = student(free)
    spreads, weights = _spreads(free)
    seen = ndtr(shift - edge * spreads) + ndtr(-shift - edge * spreads)
    return min(1.0, float((weights * seen).sum()))


@lru_cache(maxsize=4096)
def _spreads(free: int) -> tuple[Any, Any]:
    """Return what a standard deviation may be found to be where the true one is 1, and how likely each is."""
    import numpy
    from scipy.stats import chi2

    low, high = math.sqrt(chi2.ppf(_EDGE, free) / free), math.sqrt(chi2.isf(_EDGE, free) / free)
    nodes, weights = _rule()
    spreads = (high - low) / 2 * nodes + (high + low) / 2
    weights = weights * (high - low) / 2 * 2 * free * spreads * chi2.pdf(free * numpy.square(spreads), free)
    return spreads, weights / weights.sum()


@lru_cache(maxsize=1)
def _rule() -> tuple[Any, Any]:
    import numpy

    return numpy.polynomial.legendre.leggauss(_NODES)


def _pairs(effect: float, power: float) -> int:
    """Return the fewest pairs with that power, at least `FEWEST`; `MOST_PAIRS` + 1 where so many are not enough."""
    low, high = FEWEST, MOST_PAIRS + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, effect) >= power else (middle + 1, high)
    return low
