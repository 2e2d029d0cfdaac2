"""Two sessions side by side: how they were made, what they took, their scores and plans, and their turns in step."""

from __future__ import annotations

import streamlit as st

from magnet_core.costs import Prices, session_cost, waited
from magnet_core.domain import Session
from magnet_core.models import REHEARSAL
from magnet_core.packs import pack_of
from magnet_core.scoring.compare import configuration_of, name_of, side_by_side
from magnet_core.scoring.compare.numbers import number
from magnet_core.store import Entry
from ui import state
from ui.compare import place, twins
from ui.compare.making import dollars
from ui.scoring.judging import line_of


def two(entries: list[Entry]) -> None:
    """Draw two sessions in step."""
    if len(entries) < 2:
        st.html('<p class="hint">Two sessions are needed; the library holds fewer.</p>')
        return
    lines = {entry.id: line_of(entry) for entry in entries}
    left, right = (state.sessions.stored(id) for id in choose_two(entries, lines))
    if left is None or right is None:
        return
    with st.container(horizontal=True, gap="medium"):
        only = st.toggle("Only where they differ", key="compare_two_only", persist_state="session")
        words = st.toggle("Mark the words", key="compare_words", persist_state="session",
                          help="Struck through: only on the left. Marked: only on the right.")  # fmt: skip
    made = [configuration_of(s) for s in (left, right)]
    packs = state.prompts.pack_list()
    titles = {c.prompts: title for c, s in zip(made, (left, right), strict=True) if (title := pack_of(s, packs)[0])}
    names, listed = (name_of(made[0], made, titles), name_of(made[1], made, titles)), state.spending.prices()
    st.html(twins.head(left, right, names, (took(left, listed), took(right, listed))))
    if steps := twins.plans(left, right):
        st.html(steps)
    st.html(
        twins.ratings(left, right, state.scores.by_judge([c for s in (left, right) for c in state.scores.cards_of(s.id)]))
    )
    found = side_by_side(left, right)
    drawn = [line for line in found if line.differs or not only]
    st.html("".join(twins.line(one, left, right, words=words) for one in drawn)
            or '<p class="remark">Word for word the same.</p>')  # fmt: skip


def choose_two(entries: list[Entry], lines: dict[str, str]) -> list[str]:
    """Draw the choice of two sessions; at first the newest one and one of the same client by another method."""
    ids = list(lines)
    alike = [e for e in entries[1:] if e.profile_id == entries[0].profile_id]
    mate = next((e.id for e in alike if e.method != entries[0].method), alike[0].id if alike else ids[1])
    for name, first in (("left", ids[0]), ("right", mate)):
        if state.kept(f"compare_{name}") not in lines:
            [asked] = state.address.place_asked(name)
            state.keep(f"compare_{name}", asked if asked in lines else first)
    columns = st.columns(2, gap="small")
    picked = [
        str(
            column.selectbox(
                title, ids, key=f"compare_{name}", format_func=lambda id: lines.get(id) or str(id), persist_state="session"
            )
        )
        for column, name, title in zip(columns, ("left", "right"), ("Left", "Right"), strict=True)
    ]
    place.show_two(*picked)
    return picked


def took(session: Session, listed: Prices) -> dict[str, str]:
    """Return what a session took, in words."""
    cost = session_cost(session, listed)
    if not cost.calls:
        return {"Calls": "not recorded", "Tokens": "–", "Time to wait": "–", "Price": "–"}
    rehearsed = any(c.model == REHEARSAL for turn in session.turns for c in turn.calls)
    return {
        "Calls": f"{cost.calls:,}, of these asked again {cost.asked_again}",
        "Tokens": number(cost.tokens, "tokens"),
        "Time to wait": "the rehearsal's own pace" if rehearsed else f"{waited(session):,.1f} s, as measured",
        "Price": dollars(cost.price),
    }
