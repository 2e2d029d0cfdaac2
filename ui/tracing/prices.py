"""The price list: what comes with the project, and the library's own entries, which can be added, changed and taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st
from pydantic import ValidationError

from magnet_core.costs import Price, shipped, today
from magnet_core.errors import StoreError
from magnet_core.models import REHEARSAL
from magnet_core.store import Entry
from ui import state, theme
from ui.tracing import tables
from ui.tracing.tables import Row

SINCE = (
    "The first day this price holds. A session is counted by the price of the day it began, so to price sessions made earlier, choose "
    "a day before them."
)
READ, CACHED, WRITTEN = "$ per million tokens read", "$ per million tokens read, cached", "$ per million tokens written"
CACHED_HELP = "For tokens of a prompt that the endpoint had read before. Empty counts them like the others."
FIELDS = ("model", "since", "input", "cached", "output", "source")
NAMED = {
    "model": "the model",
    "since": "the day",
    "input": READ,
    "cached": CACHED,
    "output": WRITTEN,
    "source": "the source",
}
HEADS = {"model": "Model", "since": "Since", "input": READ, "cached": CACHED, "output": WRITTEN, "source": "Source"}
EDITED = "price_edits"


def draw(entries: Sequence[Entry]) -> None:
    """Draw the form for a new price, the own entries to be changed in place, and the list that comes with the project."""
    state.address.show_place(view="prices", session="")
    st.html(
        '<p class="remark">US dollars for a million tokens, each from a day on. Of several prices of a model, a session is counted by '
        "the one that held on the day it began. Prices change: check yours at the provider. The same name on a server of your own may "
        "cost nothing, or something else; an own entry for the same model and day takes the place of one in the list below.</p>"
    )
    try:
        own = state.store().prices.own()
    except StoreError as error:
        st.warning(theme.plain(str(error)))
        return
    seen = [name for entry in entries for name in entry.model.split(", ") if name and name != REHEARSAL]
    form(list(dict.fromkeys([*(m for m in state.voices.known() if m != REHEARSAL), *seen, *(p.model for p in own)])))
    if own:
        change(own)
    tables.heading("The list that comes with the project")
    listing(shipped().entries)


def form(names: list[str]) -> None:
    """Draw the fields of a new price; what stands in them stays until it is kept."""
    if state.kept("price_since") is None:
        state.keep("price_since", today())
    with st.form("trace_price"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.selectbox("Model", names, index=None, accept_new_options=True, key="price_model", width=260)
            st.date_input("Since", key="price_since", width=150, help=SINCE)
            st.text_input("Source", key="price_source", width=260, max_chars=500)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.number_input(READ, 0.0, None, None, format="%.4f", key="price_input", width=220)
            st.number_input(CACHED, 0.0, None, None, format="%.4f", key="price_cached", width=270, help=CACHED_HELP)
            st.number_input(WRITTEN, 0.0, None, None, format="%.4f", key="price_output", width=230)
            st.form_submit_button("Keep this price", type="primary", icon=":material/save:", key="price_keep", on_click=add)
        said("price_told")


def add() -> None:
    """Keep what stands in the form, in place of a price for the same model and day."""
    given = {name: state.kept(f"price_{name}") for name in FIELDS}
    found, problem = read(given)
    if found is None:
        return state.keep("price_told", problem)
    try:
        own = state.store().prices.own()
    except StoreError as error:
        return state.keep("price_told", str(error))
    if state.costs.keep_prices([*(p for p in own if (p.model, p.since) != (found.model, found.since)), found]):
        for name in ("model", "input", "cached", "output"):
            state.keep(f"price_{name}", None)
        state.keep("price_source", "")
        anew()


def read(given: Mapping[str, Any]) -> tuple[Price | None, str]:
    """Return the price that some fields describe, or what they lack, as a sentence."""
    clean = {
        name: (value or "").strip() if name in ("model", "source") and (value is None or isinstance(value, str)) else value
        for name, value in given.items()
    }
    try:
        return Price.model_validate(clean), ""
    except ValidationError as error:
        amiss = dict.fromkeys(NAMED.get(str(e["loc"][0]), str(e["loc"][0])) for e in error.errors())
        of = f" of {clean['model']}" if clean.get("model") else ""
        return None, f"The price{of} is not kept yet. It needs {' and '.join(amiss)}."


def change(own: Sequence[Price]) -> None:
    """Draw the own entries so that they can be changed and taken out in place."""
    tables.heading("Own entries")
    tables.hint(
        "Change a cell by typing into it; mark rows at the left and press Delete to take them out. Nothing changes until you keep it."
    )
    key = f"{EDITED}_{state.kept('price_round', 0)}"
    edited = st.data_editor(
        table(own), hide_index=True, num_rows="delete", key=key, placeholder=tables.NONE, column_config=heads(),
        alt="Own prices",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Keep the changes", icon=":material/save:", key="price_change", on_click=keep, args=(edited.to_dict("records"),)
        )
        st.button("Undo", icon=":material/undo:", key="price_undo", on_click=anew)
    said("price_changed")


def keep(rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep the own entries as they stand in the table; if one lacks something, none."""
    back = {head: name for name, head in HEADS.items()}
    found: list[Price] = []
    problems: list[str] = []
    for row in rows:
        price, problem = read({back[head]: None if missing(value) else value for head, value in row.items()})
        if price is None:
            problems.append(problem)
        else:
            found.append(price)
    twice = sorted(
        {f"{p.model}, since {p.since}" for p in found if sum((p.model, p.since) == (q.model, q.since) for q in found) > 1}
    )
    if twice:
        problems.append(f"Two prices cannot hold from the same day: {'; '.join(twice)}.")
    if problems:
        state.keep("price_changed", " ".join(problems))
    elif state.costs.keep_prices(found):
        anew()


def anew() -> None:
    """Draw the own entries as they are kept."""
    state.keep("price_round", state.kept("price_round", 0) + 1)


def missing(value: Any) -> bool:
    import pandas

    return value is None or value is pandas.NaT or value is pandas.NA or value != value


def said(key: str) -> None:
    """Say once what is amiss, beside what it is about."""
    if told := state.kept(key):
        state.keep(key, "")
        st.html(f'<p class="flag risk" role="alert">{escape(told)}</p>')


def table(found: Sequence[Price]) -> Any:
    """Return prices as a table."""
    import pandas

    rows: list[Row] = [{HEADS[name]: getattr(price, name) for name in FIELDS} for price in found]
    money = dict.fromkeys((READ, CACHED, WRITTEN), "float64")
    return pandas.DataFrame(rows, columns=list(HEADS.values())).astype(money)


def heads() -> dict[str, Any]:
    """Return how the columns of prices are written."""
    money = {"min_value": 0.0, "format": "%.4f", "alignment": "right"}
    return {
        "Model": st.column_config.TextColumn(max_chars=200),
        "Since": st.column_config.DateColumn(help=SINCE, format="YYYY-MM-DD"),
        READ: st.column_config.NumberColumn(**money),
        CACHED: st.column_config.NumberColumn(**money, help=CACHED_HELP),
        WRITTEN: st.column_config.NumberColumn(**money),
        "Source": st.column_config.TextColumn(max_chars=500, width="large"),
    }


def listing(found: Sequence[Price]) -> None:
    """Draw prices as a table to be read."""
    st.dataframe(
        table(found), hide_index=True, alt="Prices", key="trace_prices", placeholder=tables.NONE, column_config=heads()
    )
