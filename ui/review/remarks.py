"""What raters wrote: the reasons of their verdicts and their comments on turns, each with the way to the session it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from magnet_core.scoring.aspects import Form, Half, Pair, Review
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.review_files import Remark, remarks
from ui import state

EVERYTHING, COMMENTS, REASONS, EVERYBODY = "", "comments", "reasons", ""
STEP = 20
"""How many are drawn at first, and how many more at a press."""


def listed(pairs: Sequence[Pair], reviews: Sequence[Review], asked: Form, names: Mapping[Configuration, str]) -> None:
    """Draw the reasons and comments of some reviews, of one kind or question and by one rater if that is wanted."""
    every = remarks(pairs, reviews)
    with st.expander(f"Reasons and comments ({len(every)})", key="remarks", on_change="rerun"):
        if not every:
            st.html('<p class="hint">Nobody has given a reason or commented on a turn.</p>')
            return
        titles = {question.key: question.title for question in asked.questions}
        kinds = {EVERYTHING: "Everything", COMMENTS: "Comments on turns", REASONS: "All reasons"} | {
            key: f"Reasons: {t}" for key, t in titles.items()
        }
        who = [EVERYBODY, *sorted({one.rater for one in every}, key=str.casefold)]
        if state.kept("remarks_rater") not in who:
            state.keep("remarks_rater", EVERYBODY)
        with st.container(horizontal=True, gap="small"):
            wanted = st.selectbox("About", list(kinds), key="remarks_about", format_func=lambda key: kinds[key], width=320)
            by = st.selectbox("By", who, key="remarks_rater", format_func=lambda name: name or "Everybody", width=240)
        found = [one for one in every if by in (EVERYBODY, one.rater) and _is(one, wanted or EVERYTHING)]
        if not found:
            st.html('<p class="hint">There is none.</p>')
        most = state.kept("remarks_most", STEP)
        for place, one in enumerate(found[:most]):
            with st.container(key=f"remark_{place}", gap="small"):
                st.html(words(one, titles, names))
                links(one.pair, names, f"remark_{place}", one.half, one.turn)
        if len(found) > most:
            st.button(
                f"Show {min(STEP, len(found) - most)} more of {len(found)}", key="remarks_more", on_click=state.keep,
                args=("remarks_most", most + STEP),
            )  # fmt: skip


def _is(one: Remark, wanted: str) -> bool:
    """Tell whether a reason or comment is of the kind, or about the question, that is wanted."""
    kinds = {EVERYTHING: True, COMMENTS: not one.key, REASONS: bool(one.key)}
    return kinds.get(wanted, one.key == wanted)


def words(one: Remark, titles: Mapping[str, str], names: Mapping[Configuration, str]) -> str:
    """Return a reason or comment with who gave it, as HTML."""
    who = escape(one.rater) + (" (model)" if one.kind == "model" else "")
    if one.half is not None:
        about = (
            f"on turn {one.turn}, {escape(names[one.half.maker])}"
            if one.turn
            else f"on the opening, {escape(names[one.half.maker])}"
        )
    else:
        about = f"{escape(titles.get(one.key, one.key))}: {escape(names[one.won]) if one.won else 'tie'}"
    return f'<p class="remark"><b>{who}</b> <span class="quiet">{escape(one.pair.client)} · {about}</span><br>{escape(one.text)}</p>'


def links(
    pair: Pair, names: Mapping[Configuration, str], key: str, half: Half | None = None, turn: int | None = None
) -> None:
    """Draw the ways to a pair's sessions, or to the one turn that is meant."""
    with st.container(horizontal=True, gap="small"):
        for place, one in enumerate((half,) if half else (pair.one, pair.two)):
            label = f"Open {names[one.maker]}" + (f", turn {turn}" if turn else "")
            st.button(
                label, key=f"{key}_open_{place}", type="tertiary", icon=":material/forum:", on_click=state.keep,
                args=("review_open", (one.session, turn)),
            )  # fmt: skip
