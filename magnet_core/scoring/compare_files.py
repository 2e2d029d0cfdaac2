"""What `compare` does: read session files, rate them by the rules, print configurations against a baseline, write tidy rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magnet_core.costs import Prices
from magnet_core.domain import Value
from magnet_core.errors import SettingsError
from magnet_core.profile_files import cell
from magnet_core.scoring.cli import RULES, Named
from magnet_core.scoring.compare import (
    Configuration,
    Row,
    as_rows,
    configuration_of,
    left_out,
    measure,
    name_of,
    table,
    tally,
)
from magnet_core.scoring.compare.numbers import delta_words, number
from magnet_core.scoring.rater import rate
from magnet_core.scoring.tables import FEWEST, newest

if TYPE_CHECKING:
    from rich.table import Table

USUAL = ("ctrs", "wai", "panas-before", "panas-after")
MARKS = {"better": " better", "worse": " worse", "unclear": ""}


class Comparison(Value):
    """Configurations against a baseline."""

    rows: tuple[Row, ...]
    configurations: tuple[Configuration, ...]
    """The baseline first."""
    left_out: dict[str, int]
    """How many sessions cannot be compared, by the reason."""


def compare_files(sessions: Sequence[Named], baseline: str, prices: Prices, *, adjusted: bool = False) -> Comparison:
    """Return the sessions by how they were made, against the busiest configuration with the method `baseline`.

    Raises `SettingsError` where no session that can be compared was made by it.
    """
    out = Counter(reason for named in sessions if (reason := left_out(named.session)))
    held = [named.session for named in sessions if not left_out(named.session)]
    counts = Counter(configuration_of(session) for session in held)
    found = [configuration for configuration, _ in counts.most_common()]
    base = next((c for c in found if c.method == baseline), None)
    if base is None:
        methods = ", ".join(dict.fromkeys(c.method for c in found)) or "none"
        raise SettingsError(
            f"No finished session here was made by {baseline!r}, so it cannot be the baseline. There are: {methods}."
        )
    cards = newest(rate(session, instrument) for session in held for instrument in USUAL)
    by_session = {id: own for (id, _), own in cards.items()}
    order = (base, *(c for c in found if c != base))
    rows = table([measure(session, prices) for session in held], order, base, by_session, adjusted=adjusted)
    return Comparison(rows=tuple(rows), configurations=order, left_out=dict(out))


def comparison_table(found: Comparison) -> Table:
    """Return the comparison as a table to print."""
    from rich.markup import escape
    from rich.table import Table

    names = [escape(name_of(c, found.configurations)) for c in found.configurations]
    shown = Table("figure", f"{names[0]} (baseline)", *names[1:], title="Against the baseline, scored by rules")
    for row in found.rows:
        shown.add_row(escape(f"{row.title} ({row.unit})"), *(escape(_cell(row, place)) for place in range(len(names))))
    return shown


def comparison_notes(found: Comparison) -> list[str]:
    """Return what a reader of the table should know."""
    seen = tally(found.rows)
    notes = [
        "In brackets: the 95 % interval of the mean paired difference (Student), n clients that both have; "
        f"none with fewer than {FEWEST}. The rules are an indicator, not a validated rating."
    ]
    if seen.intervals:
        notes.append(f"{seen.words}.")
    if found.left_out:
        notes.append(f"Left out: {', '.join(f'{n} {why}' for why, n in sorted(found.left_out.items()))}.")
    return notes


def write_comparison(found: Comparison, out: Path) -> None:
    """Write the comparison as CSV; raise `SettingsError` where that cannot be."""
    rows = as_rows(found.rows, found.configurations, RULES)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else ["figure"])
            writer.writeheader()
            writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror or error}.") from error


def _cell(row: Row, place: int) -> str:
    one = row.cells[place]
    middle = number(one.mean, row.unit)
    if one.delta is None:
        return f"{middle}, n = {one.n}"
    fewer = f", {one.fewer}" if one.fewer else ""
    return f"{middle}, n = {one.n}{MARKS[one.way(row.less_is_better)]}\n{delta_words(one.delta, row.unit)}{fewer}"


def _safe(value: Any) -> Any:
    return cell(value) if isinstance(value, str) else value
