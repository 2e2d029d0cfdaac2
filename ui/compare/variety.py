"""Diversity as the paper counts it, pooled over equally many sessions; and what the paper itself reports."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core.scoring.compare import Configuration, Measured, Printed, name_of, report
from magnet_core.scoring.compare.numbers import NONE, number
from magnet_core.scoring.diversity import Diversity
from ui import state
from ui.compare.choices import Choices

ORIGINS = {
    "printed": "printed in the paper's abstract",
    "counted": "not printed: counted by this project on the released sessions",
}


def diversity(choices: Choices, baseline: Configuration, shown: Sequence[Measured]) -> None:
    """Draw how varied the words of each configuration are, over the clients that all of them have."""
    with st.expander("Diversity, pooled as the paper counts it", key="compare_variety", on_change="rerun") as box:
        if not box.open:
            return
        order = [baseline, *(c for c in choices.configurations if c != baseline)]
        by = {c: {m.client: m.session_id for m in shown if m.configuration == c} for c in order}
        there = [c for c in order if by[c]]
        common = sorted(set.intersection(*(set(by[c]) for c in there))) if there else []
        if not common:
            st.html(
                '<p class="hint">No client has a session under every configuration, so no equally large samples can be drawn.</p>'
            )
            return
        heads = "".join(f'<th scope="col">{escape(name_of(c, choices.configurations, choices.titles))}</th>' for c in there)
        found = [state.costs.variety(tuple(by[c][client] for client in common)) for c in there]
        st.html(
            f'<div class="versus"><table><thead><tr><th scope="col">Figure</th>{heads}</tr></thead><tbody>{_body(found)}</tbody></table></div>'
            f'<p class="hint">One session of each of the {len(common)} clients that every configuration here has, so that all samples are '
            "equally large: these figures fall as a sample grows. Cleaned by the paper's recipe; tokens are words, where the paper takes those of "
            "a language model. Pooled figures have no interval.</p>"
        )


def _body(found: Sequence[Diversity]) -> str:
    figures = (
        ("Distinct-1", [f.distinct_1 for f in found]),
        ("Distinct-2", [f.distinct_2 for f in found]),
        ("Distinct-3", [f.distinct_3 for f in found]),
        ("EAD", [f.ead for f in found]),
    )
    rows = "".join(
        f'<tr><th scope="row">{title}</th>'
        + "".join(f"<td><b>{number(v, 'share', digits=4)}</b></td>" for v in values)
        + "</tr>"
        for title, values in figures
    )
    return rows + '<tr><th scope="row">Words</th>' + "".join(f"<td>{f.tokens:,}</td>" for f in found) + "</tr>"


def papers_figures() -> None:
    """Draw what the paper reports, with what it rests on."""
    with st.expander("What the paper reports", key="compare_printed", on_change="rerun") as box:
        if not box.open:
            return
        found = report()
        titles = ("Figure", "Value", "Against", "Sessions", "Judge", "Origin")
        heads = "".join(f'<th scope="col">{title}</th>' for title in titles)
        st.html(
            f'<div class="versus"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(map(_printed, found.figures))}</tbody></table></div>'
            f'<p class="hint">{escape(found.note)} Source: {escape(found.source)}.</p>'
        )


def _printed(one: Printed) -> str:
    told = (one.against or NONE, one.n, one.judge, ORIGINS[one.origin])
    cells = "".join(f"<td>{escape(text)}</td>" for text in told)
    return f'<tr><th scope="row">{escape(one.what)}<i>{escape(one.where)}</i></th><td><b>{escape(one.value)}</b></td>{cells}</tr>'
