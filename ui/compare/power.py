"""How many sessions would show a difference that is worth seeing, and what that number rests on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core.scoring.compare import (
    MOST_PAIRS,
    SCORES,
    Configuration,
    Delta,
    Needed,
    Row,
    name_of,
    needed,
    rehearsed,
    to_begin_with,
)
from magnet_core.scoring.compare.numbers import DIGITS, number
from magnet_core.scoring.tables import FEWEST
from ui import state
from ui.compare.choices import Choices

POINTS = {
    "ctrs": "One point of the CTRS is one step from 0 to 6 on every item, where 2 is weak, 4 is sound and 6 is excellent.",
    "wai": "One point of the WAI is one step from 1 to 7 on every statement, where 1 is plain evidence against it, 4 is none either way and "
    "7 is plain evidence for it.",
    "panas": "One point of the PANAS is one step from 1 (not at all) to 5 (extremely) on every feeling; the figure is its change over the "
    "session.",
}
"""What one point means, by instrument."""


def how_many(rows: Sequence[Row], choices: Choices, baseline: Configuration, judge: str) -> None:
    """Draw the question and its answer."""
    others = {c.id: c for c in choices.configurations if c != baseline}
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
            id = st.selectbox(
                "Against the baseline", list(others), key="compare_p_other", width=260,
                format_func=lambda i: name_of(others[i], choices.configurations, choices.titles) if i in others else str(i),
            )  # fmt: skip
            row, other = by_key[key], others[id]
            found = row.cells[choices.configurations.index(other)].delta or Delta(n=0)
            worth = choose_worth(row, found)
            power = float(
                st.selectbox(
                    "Seen with a chance of", [0.8, 0.9], key="compare_p_power", format_func=lambda p: f"{p:.0%}", width=170
                )
            )
        point = POINTS.get(row.key.partition(":")[0], "") if row.key in SCORES else ""
        if point:
            st.html(f'<p class="hint">{point}</p>')
        answer = needed(found.spread, worth, found.n, power) if found.spread and worth else None
        if answer is None:
            st.html(f'<p class="hint" id="needed">{unknown_words(found)}</p>')
            return
        names = tuple(name_of(c, choices.configurations, choices.titles) for c in (other, baseline))
        source = source_words(row, found, (names[0], names[1]), judge)
        st.html(
            f'<p class="remark" id="needed">{answer_words(answer, row.unit)}</p>'
            f'<p class="hint">{escape(source)} Two-sided paired t test at 5\u00a0%; {start_words(row.key)}</p>'
            f"{carry_words([other, baseline])}"
        )


def choose_worth(row: Row, found: Delta) -> float | None:
    """Draw how large a difference matters, in steps that the figure's unit shows; until one is given, half a standard deviation."""
    digits = DIGITS.get(row.unit, 2) + (1 if row.unit not in ("tokens", "calls") else 0)
    step, field = 10.0**-digits, f"compare_p_worth_{row.key}"
    if state.kept(own_field(row.key)) is None:
        state.keep(field, to_begin_with(found.spread, digits) if found.spread else None)
    return st.number_input(
        "A difference of", min_value=step, value=None, step=step, format=f"%.{digits}f", key=field, width=170, persist_state="session",
        on_change=state.copy, args=(field, own_field(row.key)), placeholder=row.unit,
        help="The smallest difference that would matter to you, in the unit of the figure.",
    )  # fmt: skip


def own_field(key: str) -> str:
    """Return where the difference is kept that a visitor gave for a figure."""
    return f"compare_p_own_{key}"


def start_words(key: str) -> str:
    """Return how few clients there may be, and what stands in the field as long as nobody has changed it."""
    floor = f"never fewer than {FEWEST} clients, as below that no interval is given."
    if state.kept(own_field(key)) is not None:
        return floor
    return (
        f"{floor} The field begins with half a standard deviation of the differences, which asks for about as many clients whatever the "
        "figure: put in the difference that would matter to you."
    )


def unknown_words(found: Delta) -> str:
    """Return why no number can be given."""
    if found.n < FEWEST:
        return f"It cannot be said: {found.n} clients are there that both have, and it takes {FEWEST} to see how the differences spread."
    if found.spread == 0:
        return f"It cannot be said: the difference is the same in all {found.n} clients that both have, so nothing shows how it spreads."
    return "Say how large a difference would matter to you, in the unit of the figure."


def answer_words(answer: Needed, unit: str) -> str:
    """Return how many clients are needed, and how many if the spread is larger than it looks."""
    if answer.pairs > MOST_PAIRS:
        return f"<b>More than {MOST_PAIRS:,} clients</b>: not practical."
    most = f"more than {MOST_PAIRS:,}, which is not practical" if answer.most > MOST_PAIRS else f"{answer.most:,} clients"
    floor = f" {FEWEST} is the floor: the difference alone may ask for fewer." if answer.pairs == FEWEST else ""
    return (
        f"<b>{answer.pairs:,} clients</b>, that is {2 * answer.pairs:,} sessions, one of each kind for every client.{floor} If the spread is "
        f"larger than it looks, as large as its upper 80\u00a0% bound of {number(answer.upper, unit)}: {most}."
    )


def source_words(row: Row, found: Delta, names: tuple[str, str], judge: str) -> str:
    """Return what the number rests on: the figure, who gave it, which two configurations, how many clients."""
    who = f"judge: {judge}" if row.key in SCORES else "counted, not rated"
    return (
        f"Rests on {row.title}; {who}; {names[0]} less {names[1]}, over {found.n} clients that both have. Their differences have a standard "
        f"deviation of {number(found.spread, row.unit)}."
    )


def carry_words(pair: Sequence[Configuration]) -> str:
    """Return what the number cannot be carried over to."""
    if any(rehearsed(c) for c in pair):
        return (
            '<p class="flag">These sessions are the rehearsal\'s, which is authored. This number tries the page out and says nothing about how '
            f"many a language model needs: make at least {FEWEST} pairs with that model first.</p>"
        )
    return (
        '<p class="hint">It holds for these models, prompts, clients and this judge. With another model or judge the differences may spread '
        "otherwise, so it cannot be carried over.</p>"
    )
