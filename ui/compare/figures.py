"""The table of configurations as HTML and as rows of a file, with how to read it; every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from magnet_core.scoring.compare import Cell, Configuration, Row, Tally, name_of
from magnet_core.scoring.compare.numbers import delta_words, number, pairs
from magnet_core.scoring.tables import FEWEST

MARKS = {"better": "▲ better", "worse": "▼ worse", "unclear": ""}
WIDE, WIDER = 5, 8
"""From so many configurations on the table is wider than a narrow window, and than a usual one."""
Titles = Mapping[str, str]
"""Names of prompt packs, by what a configuration says of its prompts."""


def table(rows: Sequence[Row], configurations: Sequence[Configuration], baseline: Configuration, titles: Titles) -> str:
    """Return the table: a row for each figure, a column for each configuration, the baseline first."""
    order = [baseline, *(c for c in configurations if c != baseline)]
    places = [configurations.index(c) for c in order]
    heads = "".join(
        f'<th scope="col">{escape(name_of(c, configurations, titles))}{"<i>baseline</i>" if c == baseline else ""}</th>'
        for c in order
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row.title)}<i>{escape(row.unit)}</i></th>'
        + "".join(_cell(row.cells[place], row) for place in places)
        + "</tr>"
        for row in rows
    )
    size = "wider" if len(order) >= WIDER else "wide" if len(order) >= WIDE else ""
    return (
        f'<p class="hint sideways {size}">The table goes on to the right: scroll it sideways.</p>'
        '<div class="versus" tabindex="0" role="group" aria-label="Comparison"><table><thead><tr><th scope="col">Figure</th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell, row: Row) -> str:
    middle = f"<b>{number(cell.mean, row.unit)}</b><small>{pairs(cell.n)}</small>"
    if cell.delta is None:
        return f'<td class="base">{middle}</td>'
    way = cell.way(row.less_is_better)
    mark = f'<em class="{way}">{MARKS[way]}</em>' if way != "unclear" else ""
    fewer = f"<span>{escape(cell.fewer)}</span>" if cell.fewer else ""
    return f'<td class="{way}">{middle}{mark}<span>{escape(delta_words(cell.delta, row.unit))}</span>{fewer}</td>'


def verdict(found: Tally, adjusted: bool) -> str:
    """Return how many differences are seen, against how many chance alone would show."""
    if not found.intervals:
        return f'<p class="hint">No interval is there yet: it takes {FEWEST} clients that both have.</p>'
    words = f"{found.words}."
    if adjusted:
        stand = "1 still counts when all are" if found.stand == 1 else f"{found.stand} still count when all are"
        words += f" {stand} allowed for (Holm's method); only {'this one is' if found.stand == 1 else 'these are'} coloured."
    return f'<p class="remark" role="status">{words}</p>'


def legend() -> str:
    """Return how to read the table."""
    return (
        '<p class="hint">Above: the mean over all clients of a configuration, and their number n. Below: how it differs from the baseline '
        f"over the clients that both have, with a 95 % interval in brackets; no interval with fewer than {FEWEST}, and none where every "
        "client differs by the same. Colour and ▲ or ▼ only where the difference is clearly not 0.</p>"
        '<details class="fold"><summary>What these words mean</summary><div class="hint explained">'
        "<p><b>95 % interval:</b> the differences of a few clients only hint at the difference over all clients. If sessions were made "
        "again and again with other clients, 95 of 100 such intervals would hold the true mean difference (Student's interval for pairs). "
        "With few clients and lopsided differences it is fewer: 81 to 93 of 100 in simulations of 5 to 30 clients.</p>"
        "<p><b>CTRS</b> (Cognitive Therapy Rating Scale): how skilled the counsellor is, 0 to 6; here six of its eleven items. "
        "<b>WAI</b> (Working Alliance Inventory): how well client and counsellor agree on tasks and goals and trust each other, 1 to 7. "
        "<b>PANAS</b> (Positive and Negative Affect Schedule): how the client's good and bad feelings change, in points of a scale from 1 to "
        "5.</p>"
        "<p><b>Calls</b> follow from the method and the number of turns, so they are never called better or worse. Nor are tokens and price "
        "of the rehearsal, which uses none.</p>"
        "<p><b>Time to wait</b> is from the first call to the last answer of every turn, as it was when the session was made. How many "
        "sessions were made at once, and how busy the endpoint was, is in it: so it is shown and never called better or worse. The "
        "rehearsal's pace is a setting and is not shown.</p>"
        "<p><b>Distinct-1, -2, -3</b>: the share of different words, pairs and triples of words in a session. They fall as a session gets "
        "longer, and more variety is not by itself better counselling, so they are never coloured. <b>EAD</b> sets the different words "
        "against as many as that length would lead one to expect.</p>"
        "<p><b>Repaired</b>: every agent sees what it needs, such as the plan and the dialogue. <b>Paper</b>: each sees what the paper's own "
        "published code shows it.</p>"
        "<p>What an endpoint did not count, and what has no price, is “–”. Missing is never taken for zero.</p></div></details>"
    )
