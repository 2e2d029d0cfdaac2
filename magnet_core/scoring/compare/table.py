"""The table of a comparison: every figure over all configurations, with the differences from the baseline, and client by client.

A pair is one client (every word of it, its attitude too) over the same length, under two configurations; several sessions of
one client under one configuration count as their mean, so that n is a number of clients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from magnet_core.domain import Value
from magnet_core.scoring.compare.configurations import Configuration, rehearsed
from magnet_core.scoring.compare.differences import LEVEL, Delta, Direction, delta, holm
from magnet_core.scoring.compare.measures import COUNTS, Measured
from magnet_core.scoring.compare.numbers import fewer_words
from magnet_core.scoring.items import Instrument, Scorecard
from magnet_core.scoring.tables import Figure, figures, value_of

SCORES = ("ctrs", "ctrs:general", "ctrs:cbt", "wai", "wai:task", "wai:bond", "wai:goal", "panas:positive", "panas:negative")
"""The scales that are compared; single items stay on the Scores page."""

Cards = Mapping[str, Mapping[Instrument, Scorecard]]
"""One judge's scorecards by session."""


class Cell(Value):
    """One configuration in one figure."""

    mean: float | None
    """Over its clients, whether they are paired or not."""
    n: int
    """Clients with this figure."""
    delta: Delta | None
    """None for the baseline itself."""
    judged: bool = True
    """Whether the difference may be called better or worse; not where how the sessions are made fixes it."""
    fewer: str = ""
    """That the difference rests on fewer clients than the means, in words; empty where it does not."""

    @property
    def counts(self) -> bool:
        """Tell whether the difference has an interval and could turn out either way."""
        d = self.delta
        return bool(self.judged and d and d.p is not None and (d.spread or d.mean))

    @property
    def differs(self) -> bool:
        """Tell whether the difference is clear and may be called one."""
        return bool(self.judged and self.delta and self.delta.clear)

    def way(self, less_is_better: bool) -> Direction:
        """Return which way a clear difference points; nothing else is ever coloured."""
        return self.delta.direction(less_is_better) if self.judged and self.delta else "unclear"


class Row(Value):
    """One figure over all configurations."""

    key: str
    title: str
    unit: str
    less_is_better: bool
    cells: tuple[Cell, ...]
    """In the order of the configurations."""

    @property
    def differs(self) -> bool:
        """Tell whether any configuration clearly differs from the baseline here."""
        return any(cell.differs for cell in self.cells)


class Tally(Value):
    """How many intervals of a table leave 0 out, and how many of them count."""

    intervals: int
    apart: int
    stand: int

    @property
    def words(self) -> str:
        """How many are seen, against how many chance alone would show."""
        leave = "leaves" if self.apart == 1 else "leave"
        kind = "interval" if self.intervals == 1 else "intervals"
        return f"{self.apart} of {self.intervals} {kind} {leave} 0 out; about {self.intervals / 20:.1f} would by chance if nothing differed"


class Twin(Value):
    """One client under the baseline and under another configuration, in one figure; None where one of them has none."""

    client: str
    name: str
    base: float | None
    other: float | None
    base_sessions: tuple[str, ...]
    other_sessions: tuple[str, ...]

    @property
    def difference(self) -> float | None:
        return None if self.base is None or self.other is None else self.other - self.base


def table(
    measured: Iterable[Measured],
    configurations: Sequence[Configuration],
    baseline: Configuration,
    cards: Cards,
    *,
    adjusted: bool = False,
) -> list[Row]:
    """Return every figure over the configurations, with its differences from the baseline.

    Figures that no session has are left out. When `adjusted`, a difference counts only if it stands Holm's test among all.
    """
    groups, known = _grouped(measured), figures()
    rows = [_row(key, groups, configurations, baseline, cards, known) for key in (*SCORES, *COUNTS)]
    rows = [row for row in rows if any(cell.n for cell in row.cells)]
    return _adjusted(rows) if adjusted else rows


def tally(rows: Iterable[Row]) -> Tally:
    """Return how many of the intervals that could be coloured leave 0 out, and how many count as differences."""
    found = [cell.delta for row in rows for cell in row.cells if cell.counts and cell.delta]
    return Tally(intervals=len(found), apart=sum(d.apart for d in found), stand=sum(d.clear for d in found))


def values_of(key: str, measured: Iterable[Measured], cards: Cards) -> dict[str, float | None]:
    """Return every session's number of a figure, by its id."""
    if key in COUNTS:
        return {m.session_id: m.values.get(key) for m in measured}
    return _scores(figures()[key], measured, cards)


def by_client(measured: Iterable[Measured], values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the value of each client of one configuration: the mean over its sessions that have one."""
    found: dict[str, list[float]] = {}
    for one in measured:
        value = values.get(one.session_id)
        if value is not None:
            found.setdefault(one.client, []).append(value)
    return {client: sum(some) / len(some) for client, some in found.items()}


def twins(key: str, measured: Iterable[Measured], baseline: Configuration, other: Configuration, cards: Cards) -> list[Twin]:
    """Return a figure client by client under two configurations, the largest difference first, then what is not paired."""
    groups = _grouped(measured)
    sides = [groups.get(c, []) for c in (baseline, other)]
    values = values_of(key, [m for side in sides for m in side], cards)
    base, ours = (by_client(side, values) for side in sides)
    sessions: list[dict[str, tuple[str, ...]]] = [{}, {}]
    for side, held in zip(sides, sessions, strict=True):
        for m in side:
            held[m.client] = (*held.get(m.client, ()), m.session_id)
    found = [
        Twin(client=client, name=name, base=base.get(client), other=ours.get(client),
             base_sessions=sessions[0].get(client, ()), other_sessions=sessions[1].get(client, ()))
        for client, name in {m.client: m.name for side in sides for m in side}.items()
    ]  # fmt: skip
    return sorted(found, key=lambda t: (t.difference is None, -abs(t.difference or 0.0), t.name))


def missing(
    measured: Iterable[Measured], configurations: Iterable[Configuration], clients: Iterable[str]
) -> list[tuple[Configuration, str]]:
    """Return the configurations and clients that have no session yet."""
    there = {(m.configuration, m.client) for m in measured}
    keys = list(clients)
    return [(c, client) for c in configurations for client in keys if (c, client) not in there]


def _grouped(measured: Iterable[Measured]) -> dict[Configuration, list[Measured]]:
    found: dict[Configuration, list[Measured]] = {}
    for one in measured:
        found.setdefault(one.configuration, []).append(one)
    return found


def _scores(figure: Figure, measured: Iterable[Measured], cards: Cards) -> dict[str, float | None]:
    return {m.session_id: value_of(figure, cards.get(m.session_id, {})) for m in measured}


def _row(
    key: str, groups: Mapping[Configuration, Sequence[Measured]], configurations: Sequence[Configuration], baseline: Configuration,
    cards: Cards, known: Mapping[str, Figure],
) -> Row:  # fmt: skip
    def values(of: Configuration) -> dict[str, float]:
        own = groups.get(of, ())
        return by_client(own, values_of(key, own, cards) if key in COUNTS else _scores(known[key], own, cards))

    count = COUNTS.get(key)

    def judged(of: Configuration) -> bool:
        return count is None or (count.judged and not (count.of_models and (rehearsed(baseline) or rehearsed(of))))

    base, cells = values(baseline), list[Cell]()
    for configuration in configurations:
        own = base if configuration == baseline else values(configuration)
        middle = mean(own.values()) if own else None
        if configuration == baseline:
            cells.append(Cell(mean=middle, n=len(own), delta=None))
            continue
        apart = delta(own, base)
        fewer = fewer_words(apart.n, len(own), len(base))
        cells.append(Cell(mean=middle, n=len(own), delta=apart, judged=judged(configuration), fewer=fewer))
    if count:
        return Row(key=key, title=count.title, unit=count.unit, less_is_better=count.less_is_better, cells=tuple(cells))
    figure = known[key]
    scale = f"{figure.low:g} to {figure.high:g}".replace("-", "−")
    return Row(key=key, title=figure.title, unit=scale, less_is_better=key == "panas:negative", cells=tuple(cells))


def _adjusted(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with every difference marked that does not stand when all are allowed for."""
    told = [cell.delta.p for row in rows for cell in row.cells if cell.counts and cell.delta and cell.delta.p is not None]
    chances = iter(holm(told))

    def checked(cell: Cell) -> Cell:
        if not cell.counts or cell.delta is None:
            return cell
        return cell.model_copy(update={"delta": cell.delta.model_copy(update={"stands": next(chances) < 1 - LEVEL})})

    return [row.model_copy(update={"cells": tuple(checked(cell) for cell in row.cells)}) for row in rows]
