"""How many sessions would show a difference that is worth seeing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from magnet_core.scoring.compare import MOST_PAIRS, Configuration, Needed, Row, name_of, needed
from magnet_core.scoring.compare.numbers import DIGITS, number
from magnet_core.scoring.tables import FEWEST
from ui.compare.choices import Choices


def how_many(rows: Sequence[Row], choices: Choices, baseline: Configuration) -> None:
    """Draw the question and its answer."""
    others = [c for c in choices.configurations if c != baseline]
    if not others:
        return
    with st.expander("How many sessions are needed to see a difference?", key="compare_power", on_change="rerun") as box:
        if not box.open:
            return
        by_key = {row.key: row for row in rows}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            key = st.selectbox(
                "Figure", list(by_key), key="compare_p_figure", format_func=lambda k: by_key[k].title, width=300
            )
            other = st.selectbox("Against the baseline", others, key="compare_p_other", width=260,
                                 format_func=lambda c: name_of(c, choices.configurations, choices.titles))  # fmt: skip
            row = by_key[key]
            found = row.cells[list(choices.configurations).index(other)].delta
            worth = choose_worth(row)
            power = st.selectbox(
                "Seen with a chance of", [0.8, 0.9], key="compare_p_power", format_func=lambda p: f"{p:.0%}", width=170
            )
        if not worth:
            st.html(
                '<p class="hint" id="needed">Say how large a difference would matter to you, in the unit of the figure.</p>'
            )
            return
        answer = needed(found.spread, worth, found.n, float(power)) if found and found.spread else None
        if answer is None or found is None:
            why = (
                "the differences do not spread at all"
                if found and found.spread == 0
                else f"fewer than {FEWEST} pairs are there"
            )
            st.html(f'<p class="hint" id="needed">It cannot be said: {why}.</p>')
            return
        spread = number(found.spread, row.unit)
        st.html(
            f'<p class="remark" id="needed">{answer_words(answer)} The differences of {found.n} pairs spread by '
            f"{spread} (standard deviation). Two-sided paired t test at 5\u00a0%; never fewer than {FEWEST}, as below that no interval is "
            "given.</p>"
        )


def choose_worth(row: Row) -> float | None:
    """Draw how large a difference matters, in steps that the figure's unit shows."""
    digits = DIGITS.get(row.unit, 2) + (1 if row.unit not in ("tokens", "calls") else 0)
    step = 10.0**-digits
    return st.number_input(
        "A difference of", min_value=step, value=None, step=step, format=f"%.{digits}f", key=f"compare_p_worth_{row.key}", width=170,
        placeholder=row.unit, help="The smallest difference that would matter to you.",
    )  # fmt: skip


def answer_words(answer: Needed) -> str:
    """Return how many clients are needed, and how many if the spread is larger than it looks."""
    if answer.pairs > MOST_PAIRS:
        return f"<b>More than {MOST_PAIRS:,} clients</b>: not practical."
    up_to = f"more than {MOST_PAIRS:,}, which is not practical," if answer.most > MOST_PAIRS else f"{answer.most:,} clients"
    return (
        f"<b>{answer.pairs:,} clients</b>, that is {2 * answer.pairs:,} sessions, one of each kind for every client; up to {up_to} if the "
        "spread is larger than it looks."
    )
