"""Tables of numbers that sort as numbers, with what is missing as a dash, and the same as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from magnet_core.costs import Cost
from ui.scoring import scores

NONE = "–"
Row = dict[str, Any]
WAITED = "Seconds waited"
SUMMED = "Seconds of calls"


def _whole(help: str | None = None) -> Any:
    return st.column_config.NumberColumn(format="localized", help=help, alignment="right")


def _decimal(places: int, help: str | None = None) -> Any:
    return st.column_config.NumberColumn(format=f"%.{places}f", help=help, alignment="right")


def columns() -> dict[str, Any]:
    """Return how the columns of numbers are written, by their names."""
    return {
        "Calls": _whole("Answered calls to a model."),
        "Answered": _whole("Calls that were answered."),
        "No answer": _whole(
            "Calls that failed or were stopped. What they used is not known; a provider may charge them all the same."
        ),
        "Tokens read": _whole(),
        "of these cached": _whole("Tokens of prompts that the endpoint had read before."),
        "Tokens written": _whole(),
        WAITED: _decimal(1, "From the first call to the last answer of each turn."),
        SUMMED: _decimal(1, "Of all calls, as if they came one after the other. Calls of a turn overlap."),
        "Seconds": _decimal(1, "Of all calls, answered or not, as if they came one after the other."),
        "Price, $": _decimal(4, "Missing where a price, or how many tokens were used, is not known."),
        "Asked again": _whole("Calls made because an answer was not used."),
        "Retries": _whole("Failures of the connection that were overcome."),
        "Sessions": _whole(),
        "Turns": _whole(),
        "Turn": _whole("0 is the plan."),
    }


def told(cost: Cost) -> Row:
    """Return a cost as the cells of a row."""
    return {
        SUMMED: round(cost.seconds, 2),
        "Calls": cost.calls,
        "Tokens read": cost.prompt_tokens,
        "of these cached": cost.cached_tokens,
        "Tokens written": cost.completion_tokens,
        "Price, $": None if cost.price is None else round(cost.price, 6),
        "Asked again": cost.asked_again,
        "Retries": cost.retries,
    }


def frame(rows: Sequence[Row]) -> Any:
    """Return rows as a table in which numbers stay numbers, also where some are missing."""
    import pandas

    def column(name: str) -> Any:
        values = [row.get(name) for row in rows]
        if not _is_number(name, values):
            return values
        return pandas.array(values, dtype="Float64" if any(isinstance(v, float) for v in values) else "Int64")

    return pandas.DataFrame({name: column(name) for name in (rows[0] if rows else {})})


def _is_number(name: str, values: Sequence[Any]) -> bool:
    there = [v for v in values if v is not None]
    return all(isinstance(v, (int, float)) for v in there) and bool(there or name in columns())


def written(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how the columns of numbers in some rows are written."""
    named, names = columns(), list(rows[0]) if rows else []
    return {name: named.get(name) or _whole() for name in names if _is_number(name, [row.get(name) for row in rows])}


def draw(rows: Sequence[Row], key: str, words: str, total: Row | None = None) -> None:
    """Draw rows, and under them a total that is not in the file; offer them as a file."""
    shown = [*rows, total] if total else rows
    st.dataframe(
        frame(shown), hide_index=True, alt=words, key=f"trace_{key}", placeholder=NONE, column_config=written(shown)
    )
    as_file(rows, key)


def choose(rows: Sequence[Row], key: str, words: str, config: Mapping[str, Any]) -> int | None:
    """Draw rows of which one can be chosen; return its place, None while none is."""
    picked: Any = st.dataframe(
        frame(rows), hide_index=True, alt=words, key=f"trace_{key}", placeholder=NONE, on_select="rerun",
        selection_mode="single-row", column_config={**written(rows), **config},
    )  # fmt: skip
    return next((place for place in picked["selection"]["rows"] if place < len(rows)), None)


def as_file(rows: Sequence[Row], key: str) -> None:
    st.download_button("As CSV", partial(scores.as_csv, rows), f"trace-{key}.csv", "text/csv", on_click="ignore",
                       icon=":material/download:", key=f"trace_{key}_csv")  # fmt: skip


def dollars(price: float | None) -> str:
    """Return a price with four decimals; a dash where it is not known."""
    return NONE if price is None else f"${price:,.4f}"


def count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def facts(cost: Cost, seconds: float, sessions: int = 1) -> str:
    """Return a cost in a line."""
    parts = [
        f"<span>{'sessions' if sessions != 1 else 'session'} <b>{sessions:,}</b></span>",
        f"<span>calls <b>{cost.calls:,}</b></span>",
        f"<span>tokens read <b>{count(cost.prompt_tokens)}</b>, written <b>{count(cost.completion_tokens)}</b></span>",
        f"<span>cached <b>{count(cost.cached_tokens)}</b></span>",
        f"<span>waited <b>{seconds:,.1f} s</b>, all calls summed {cost.seconds:,.1f} s</span>",
        f"<span>price <b>{dollars(cost.price)}</b></span>",
        f"<span>asked again <b>{cost.asked_again}</b>, retries <b>{cost.retries}</b></span>",
    ]
    return f'<div class="facts means">{"".join(parts)}</div>'


def heading(text: str) -> None:
    st.html(f'<h3 class="small">{escape(text)}</h3>')


def hint(text: str) -> None:
    st.html(f'<p class="hint">{escape(text)}</p>')
