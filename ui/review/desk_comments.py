"""What a rater says about single turns: kept comments, half-written ones that wait, and the turn that is pointed at."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from magnet_core.domain import Session
from magnet_core.errors import MagnetError
from magnet_core.scoring.aspects import Comment, Pair, Review, Side
from ui import state
from ui.review import rater
from ui.review.desk_keys import COMMENT
from ui.state.desk import Place


def comments(
    here: Place, pair: Pair, review: Review, sessions: dict[Side, Session], written: Mapping[tuple[Side, int], str]
) -> None:
    """Draw what was said about single turns, and the fields for more."""
    for number, comment in enumerate(review.comments):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<p class="remark"><b>{comment.side}, turn {comment.turn}:</b> {escape(comment.text)}</p>')
            st.button(
                "Remove this comment", icon=":material/close:", key=f"review_drop_{number}", type="tertiary",
                help="Remove this comment", on_click=drop, args=(pair.id, comment),
            )  # fmt: skip
    open_now = (state.kept("review_side"), state.kept("review_turn")) if state.kept("review_comment") else None
    for side, turn in written:
        if (side, turn) == open_now:  # what is written just now is in the field
            continue
        st.button(
            f"Go on writing about {side}, turn {turn}", icon=":material/edit:", key=f"review_write_{side}_{turn}", type="tertiary",
            help="What you began to write about this turn is not kept as a comment yet", on_click=write_on, args=(side, turn),
        )  # fmt: skip
    with (
        st.expander("Comment on a turn", key="review_comment", icon=":material/comment:", on_change="rerun"),
        st.container(key="review_note", gap="small"),
    ):
        st.html('<p class="hint">Click a turn in a dialogue, or name it here.</p>')
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            chosen = st.segmented_control(
                "Session", ["A", "B"], default=None if state.kept("review_side") else "A", key="review_side", required=True
            )
            side: Side = "B" if chosen == "B" else "A"
            last = len(sessions[side].turns)
            if (state.kept("review_turn") or 0) > last:
                state.keep("review_turn", last)
            turn = int(st.number_input("Turn", 0, last, key="review_turn", width=110, help="0 is the opening"))
        field = rater.filled(f"review_text_{here.visit}_{pair.id}_{side}_{turn}", written.get((side, turn), ""))
        about = (pair.id, side, turn, field)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.text_input(
                f"Comment on {side}, turn {turn}", key=field, max_chars=1000, autocomplete="off", on_change=write_comment, args=about
            )  # fmt: skip
            st.button("Keep the comment", key="review_add", on_click=keep_comment, args=about)


def draft_of(side: Side, turn: int) -> str:
    """Return the name under which a comment waits that is not kept yet."""
    return f"{COMMENT} {side} {turn}"


def drafted(drafts: Mapping[str, str]) -> dict[tuple[Side, int], str]:
    """Return of a rater's drafts the comments that are not kept yet, by side and turn."""
    found: dict[tuple[Side, int], str] = {}
    for name, text in drafts.items():
        what, _, place = name.partition(" ")
        side, _, turn = place.partition(" ")
        if what == COMMENT and side in ("A", "B") and turn.isdecimal():
            found["A" if side == "A" else "B", int(turn)] = text
    return found


def write_comment(pair: str, side: Side, turn: int, field: str) -> None:
    """Let what stands in the field of a comment wait."""
    here = state.desk.place()
    try:
        state.store().reviews.draft(here.rater, pair, draft_of(side, turn), str(state.kept(field) or "").strip())
    except MagnetError as error:
        rater.not_kept(error)
    here.pair = pair


def keep_comment(pair: str, side: Side, turn: int, field: str) -> None:
    """Keep what stands in the field as a comment on a turn; without words, nothing is done."""
    here, text = state.desk.place(), str(state.kept(field) or "").strip()
    if text and rater.change(here, pair, lambda review: review.with_comment(Comment(side=side, turn=turn, text=text))):
        state.keep(field, "")
        write_comment(pair, side, turn, field)


def drop(pair: str, said: Comment) -> None:
    """Take a comment away."""
    rater.change(state.desk.place(), pair, lambda review: review.without_comment(said))


def pick_turn() -> None:
    """Put the turn that was clicked into the fields of a comment; a key alone opens them as they are."""
    told = str(getattr(state.kept("review_keys"), "turn", "") or "")
    side, _, turn = told.partition(" ")
    if side in ("A", "B") and turn.isdecimal():
        write_on("A" if side == "A" else "B", int(turn))
    elif told == COMMENT:
        state.keep("review_comment", True)
        state.desk.place().noted += 1


def write_on(side: Side, turn: int) -> None:
    """Open the field for a comment on a turn."""
    state.keep("review_side", side)
    state.keep("review_turn", turn)
    state.keep("review_comment", True)
    state.desk.place().noted += 1
