"""From a difference to the clients it comes from: one figure under two configurations, client by client, with their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import streamlit as st

from magnet_core.scoring.compare import Cards, Configuration, Measured, Row, Twin, client_rows, name_of, twins
from magnet_core.scoring.compare.numbers import DIGITS, number
from ui import charts, state
from ui.compare.choices import Choices
from ui.links import SESSION_PAGE, link
from ui.scoring import scores
from ui.scoring.judging import dark, plot

EACH = 10
"""Clients on one page of the list."""
DRAWN = 40
"""The most clients that are drawn as dots."""


def client_by_client(
    rows: Sequence[Row], choices: Choices, baseline: Configuration, shown: Sequence[Measured], cards: Cards, judge: str
) -> None:
    """Draw one figure of every client under the baseline and another configuration."""
    others = {c.id: c for c in choices.configurations if c != baseline}
    if not others or not rows:
        return
    by_key = {row.key: row for row in rows}
    with st.expander(
        "Client by client", key="compare_each", on_change="rerun", expanded=bool(state.kept("compare_figure"))
    ) as box:
        if not box.open:
            return
        _keep_known("compare_figure", list(by_key))
        _keep_known("compare_against", list(others))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            key = st.selectbox("Figure", list(by_key), key="compare_figure", width=300, persist_state="session",
                               format_func=lambda k: by_key[k].title)  # fmt: skip
            id = st.selectbox(
                "Against the baseline", list(others), key="compare_against", width=300, persist_state="session",
                format_func=lambda i: name_of(others[i], choices.configurations, choices.titles) if i in others else str(i),
            )  # fmt: skip
            only = st.toggle("Only clients that differ", key="compare_each_only", persist_state="session")
        row, other = by_key[key], others[id]
        found = twins(key, shown, baseline, other, cards)
        names = tuple(name_of(c, choices.configurations, choices.titles) for c in (baseline, other))
        drawn = [t for t in found if t.difference != 0.0] if only else found
        if not drawn:
            st.html('<p class="remark">Every client has the same value under both.</p>')
            return
        draw(drawn, row, (names[0], names[1]))
        if len(drawn) < len(found):
            st.html(f'<p class="hint">{len(found) - len(drawn)} more have the same value under both.</p>')
        st.download_button(
            "Every client and figure as CSV", partial(as_csv, rows, tuple(others.values()), choices, baseline, shown, cards, judge),
            "clients.csv", "text/csv", on_click="ignore", icon=":material/download:", key="compare_each_csv",
        )  # fmt: skip


def as_csv(
    rows: Sequence[Row], others: Sequence[Configuration], choices: Choices, baseline: Configuration, shown: Sequence[Measured],
    cards: Cards, judge: str,
) -> bytes:  # fmt: skip
    """Return every figure of every client under every configuration beside the baseline, as a file."""
    return scores.as_csv(
        [
            line
            for row in rows
            for other in others
            for line in client_rows(
                twins(row.key, shown, baseline, other, cards), row, baseline, other, judge, choices.titles
            )
        ]
    )


def draw(found: Sequence[Twin], row: Row, names: tuple[str, str]) -> None:
    """Draw clients as pairs of dots, and as a list with links to their sessions."""
    paired = [t for t in found if t.difference is not None]
    digits = DIGITS.get(row.unit, 2)
    if paired:
        said = "; ".join(f"{t.name}: {number(t.base, row.unit)} and {number(t.other, row.unit)}" for t in paired[:DRAWN])
        title = f"{row.title}, {row.unit}"
        plot(
            charts.twins([(t.name, t.base, t.other) for t in paired[:DRAWN]], names, title, digits, dark=dark()),
            "clients", f"{title}. {names[0]} and {names[1]}. {said}",
        )  # fmt: skip
        if len(paired) > DRAWN:
            st.html(f'<p class="hint">Drawn: the {DRAWN} clients with the largest differences of {len(paired)}.</p>')
    pages = -(-len(found) // EACH)
    page = 1
    if pages > 1:
        page = int(st.number_input(f"Page of {pages}", 1, pages, 1, key=f"compare_each_page_{pages}", width=130))
    for place, twin in enumerate(found[(page - 1) * EACH : page * EACH]):
        one(twin, row.unit, names, place)


def one(twin: Twin, unit: str, names: tuple[str, str], place: int) -> None:
    """Draw one client with its values, and the ways to its sessions."""
    values = " · ".join(
        f"{escape(name)} <b>{number(value, unit)}</b>{f' (mean of {len(ids)})' if len(ids) > 1 else ''}"
        for name, value, ids in (
            (names[0], twin.base, twin.base_sessions),
            (names[1], twin.other, twin.other_sessions),
        )
    )
    apart = "no pair" if twin.difference is None else f"difference <b>{number(twin.difference, unit, sign=True)}</b>"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"compare_client_{place}"):
        st.html(f'<p class="hint client"><b>{escape(twin.name)}</b> {values} · {apart}</p>', width="stretch")
        if twin.base_sessions and twin.other_sessions:
            st.button("Two sessions", icon=":material/view_column_2:", key=f"compare_both_{place}", on_click=show_both,
                      args=(twin.base_sessions[0], twin.other_sessions[0]), type="tertiary")  # fmt: skip
        for label, ids in (("Baseline", twin.base_sessions), ("Other", twin.other_sessions)):
            if ids:
                link(SESSION_PAGE, label, ":material/forum:", {"session": ids[0]})


def show_both(left: str, right: str) -> None:
    """Go over to two sessions side by side."""
    for name, value in (("compare_view", "two"), ("compare_left", left), ("compare_right", right)):
        state.keep(name, value)


def _keep_known(name: str, options: Sequence[str]) -> None:
    if state.kept(name) not in options:
        state.keep(name, options[0])
