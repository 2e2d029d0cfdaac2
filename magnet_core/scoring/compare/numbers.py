"""Figures and differences in words, with as many digits as they need."""

from __future__ import annotations

from magnet_core.scoring.compare.differences import Delta

NONE = "–"
"""Stands where a figure is missing."""

DIGITS = {"$": 4, "tokens": 0, "s": 2, "calls": 0, "share": 3, "ratio": 3}
"""Digits after the point, by unit; two for a score."""
MOST_DIGITS = 9


def number(value: float | None, unit: str, *, sign: bool = False, digits: int | None = None) -> str:
    """Return a figure with the digits its unit has; a dash where it is missing."""
    if value is None:
        return NONE
    digits = DIGITS.get(unit, 2) if digits is None else digits
    value = 0.0 if abs(value) < 0.5 * 10**-digits else value
    return f"{value:{'+' if sign and value else ''},.{digits}f}".replace("-", "−")


def digits_of(delta: Delta, unit: str) -> int:
    """Return the digits a difference needs: where its interval leaves 0 out, no end of it may be printed as 0."""
    digits = DIGITS.get(unit, 2)
    if delta.apart:
        ends = [abs(end) for end in (delta.low, delta.high, delta.mean) if end]
        while digits < MOST_DIGITS and any(end < 0.5 * 10**-digits for end in ends):
            digits += 1
    return digits


def pairs(n: int) -> str:
    """Return a number of clients, not to be parted at a line's end."""
    return f"n\u00a0=\u00a0{n}"


def delta_words(delta: Delta, unit: str) -> str:
    """Return a difference with its interval and n, as text."""
    if not delta.n:
        return "no pairs"
    digits = digits_of(delta, unit)
    middle = number(delta.mean, unit, sign=True, digits=digits)
    if delta.exact:
        few = ": too few for an interval" if delta.low is None else ""
        return f"{_exactly(delta, middle, digits)} in every client, {pairs(delta.n)}{few}"
    if delta.low is None or delta.high is None:
        return f"{middle}, {pairs(delta.n)}: too few for an interval"
    low, high = (number(end, unit, sign=True, digits=digits) for end in (delta.low, delta.high))
    return f"{middle} [{low}\u00a0to\u00a0{high}], {pairs(delta.n)}"


def fewer_words(n: int, own: int, base: int) -> str:
    """Return that a difference over `n` clients rests on fewer than the means, over `own` and the baseline's `base`; else nothing."""
    these = f"these {own}" if n < own else ""
    those = f"the baseline's {base}" if n < base else ""
    return f"over {n} of {' and of '.join(filter(None, (these, those)))} clients" if n and (these or those) else ""


def _exactly(delta: Delta, middle: str, digits: int) -> str:
    if not delta.mean:
        return "the same"
    return f"exactly {middle}" if abs(delta.mean - round(delta.mean, digits)) < 10.0**-MOST_DIGITS else middle
