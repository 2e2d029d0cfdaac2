"""The rater's desk: two dialogues with nothing that tells what made them, one question at a time, keys, and every change undone.

What stands here is drawn from the dialogue alone: no method, model, technique, flag or session id reaches the browser.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from magnet_core.domain import Session
from magnet_core.errors import MagnetError
from magnet_core.scoring.aspects import (
    Aspect,
    Choice,
    Comment,
    Form,
    Pair,
    Review,
    Side,
    Verdict,
    flipped,
    form,
    in_order,
    pseudonym,
)
from ui import state, theme, transcript

SIDES: tuple[Side, Side] = ("A", "B")
CHOICES: dict[Choice, str] = {"A": "A is better", "tie": "Tie", "B": "B is better"}
KEYS: dict[Choice, str] = {"A": "A", "tie": "T", "B": "B"}

_KEYS = """
export default function ({ parentElement, setTriggerValue }) {
  const numbers = { '1': 'review_A', '2': 'review_tie', '3': 'review_B' }
  const press = (event) => {
    const into = event.target.closest?.('input, textarea, [contenteditable=true], [role=combobox]')
    if (into && event.key === 'Enter' && into.closest('.st-key-review_why')) into.blur()
    if (into || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return
    if (numbers[event.key]) document.querySelector(`.st-key-${numbers[event.key]} button`)?.click()
  }
  const pick = (event) => {
    const turn = event.target.closest('.st-key-review_sides [data-turn]')
    const side = turn?.closest('[data-side]')
    if (turn && side && !String(getSelection())) setTriggerValue('turn', `${side.dataset.side} ${turn.dataset.turn}`)
  }
  document.addEventListener('keydown', press)
  document.addEventListener('click', pick)
  return () => { document.removeEventListener('keydown', press); document.removeEventListener('click', pick) }
}
"""


def desk() -> None:
    """Draw the desk: who rates, then the pair whose turn it is."""
    rater = state.kept("review_rater") or ""
    if not rater:
        return introduce()
    try:
        pairs = in_order(state.store().reviews.pairs())
        own = {review.pair: review for review in state.store().reviews.reviews(rater)}
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    if not pairs:
        st.html(
            '<section class="card"><header><h3>No pair is waiting</h3></header><p class="says">Whoever leads the study puts '
            "pairs of sessions into the queue first.</p></section>"
        )
        return leave(rater)
    asked = form()
    whole = [pair.id for pair in pairs if done(own.get(pair.id), asked)]
    at = state.kept("review_pair")
    place = next((n for n, pair in enumerate(pairs) if pair.id == at), None)
    if place is None:
        place = next((n for n, pair in enumerate(pairs) if pair.id not in whole), None)
    top(rater, pairs, place, len(whole))
    if place is None:
        st.html(
            '<section class="card first" role="status"><header><h3>All pairs are rated</h3></header><p class="says">Thank you. '
            "You can still go back to any pair and change what you said.</p></section>"
        )
        return leave(rater)
    pair = pairs[place]
    review = own.get(pair.id) or blank(pair, rater, asked)
    sessions: dict[Side, Session | None] = {
        side: state.sessions.stored(pair.on(side, review.flipped).session) for side in SIDES
    }
    if told := state.told():
        st.warning(theme.plain(told))
    if not all(sessions.values()):
        st.html(
            '<p class="flag">One of these two sessions is no longer kept, so the pair cannot be shown. Go on to the next.</p>'
        )
        return leave(rater)
    with st.container(key="review_desk"):
        left, right = st.columns([8, 4], gap="medium")
        with left, st.container(key="review_sides"):
            for column, (side, session) in zip(st.columns(2, gap="small"), sessions.items(), strict=True):
                with column:
                    st.html(f'<h3 class="side-name"><b class="side">{side}</b> Session {side}</h3>')
                    with st.container(height=520, border=True, key=f"review_side_{side}_{pair.id}"):
                        st.html(dialogue(session, side, review))
        with right, st.container(key="review_form", gap="small"):
            ask(pair, review, asked)
            comments(pair, review, sessions)
    keys(pair)
    leave(rater)


def introduce() -> None:
    """Ask for a pseudonym, and say what will happen."""
    asked = form()
    with st.container(key="review_welcome", width=640):
        st.html(
            '<section class="card first"><header><h3>Compare sessions blind</h3></header><p class="says">You will read two sessions '
            f"with the same client side by side and say, on {len(asked.aspects)} aspects and all in all, which is better, or that "
            "neither is. What made them is hidden, and which one stands left is drawn anew for each pair. Every answer is kept at "
            f'once; you can stop and go on at any time under the same pseudonym.</p><p class="hint">{escape(asked.note)}</p></section>'
        )
        with st.form("review_begin", border=False):
            st.text_input(
                "Your pseudonym", key="review_name", max_chars=40, autocomplete="off",
                help="Not your real name: it stands beside your ratings in every export. The same pseudonym leads back to your queue.",
            )  # fmt: skip
            st.form_submit_button("Begin", type="primary", icon=":material/play_arrow:", key="review_start", on_click=come)
        if told := state.told():
            st.warning(theme.plain(told))


def come() -> None:
    try:
        state.keep("review_rater", pseudonym(state.kept("review_name") or ""))
    except MagnetError as error:
        state.say(str(error))


def go() -> None:
    """Let another rater come: nothing of this one's visit stays on the page."""
    for name in ("review_rater", "review_pair", "review_trail", "review_at"):
        state.keep(name, None)
    state.keep("review_visit", state.kept("review_visit", 0) + 1)


def reason_field(pair: Pair | str, key: str) -> str:
    """Return the name of the field for a reason in this visit."""
    return f"review_reason_{state.kept('review_visit', 0)}_{pair if isinstance(pair, str) else pair.id}_{key}"


def leave(rater: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<p class="hint">You rate as <b>{escape(rater)}</b>.</p>', width="content")
        st.button("Rate under another pseudonym", key="review_leave", type="tertiary", on_click=go)


def top(rater: str, pairs: list[Pair], place: int | None, whole: int) -> None:
    """Draw where in the queue the rater is, and the way through it."""
    n = len(pairs)
    where = f"Pair {place + 1} of {n}" if place is not None else f"{n} pairs"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="review_top"):
        st.button(
            "", icon=":material/chevron_left:", key="review_before", help="The pair before", on_click=turn_to,
            args=(pairs[(n if place is None else place) - 1].id if place != 0 else "",), disabled=place == 0,
        )  # fmt: skip
        st.html(f'<p class="where" role="status" aria-live="polite">{where}</p>', width="content")
        st.button(
            "", icon=":material/chevron_right:", key="review_after", help="The next pair", on_click=turn_to,
            args=(pairs[place + 1].id if place is not None and place + 1 < n else "",), disabled=place is None or place + 1 >= n,
        )  # fmt: skip
        st.html(
            f'<div class="review-bar" role="img" aria-label="{whole} of {n} pairs are rated"><span class="track">'
            f'<i style="width:{100 * whole / n:.1f}%"></i></span><span>{whole} of {n} rated</span></div>'
        )
        st.toggle(
            "Go on by itself", value=True, key="review_auto", persist_state="session",
            help="After an answer, go to the next question that has none; after the last, to the next pair.",
        )  # fmt: skip
        st.button(
            "Undo", icon=":material/undo:", key="review_undo", shortcut="U", on_click=undo, args=(rater,),
            disabled=not state.kept("review_trail"), help="Take the last change back; the former answer is there again",
        )  # fmt: skip


def ask(pair: Pair, review: Review, asked: Form) -> None:
    """Draw the question whose turn it is, its three answers, the reason, and all questions with what was said."""
    question = current(pair, review, asked)
    verdict = review.verdicts.get(question.key)
    number = asked.questions.index(question) + 1
    st.html(
        f'<section class="card first" data-question="{question.key}"><header><h3>{escape(question.title)}</h3><span class="status">{number} of '
        f'{len(asked.questions)}</span></header><p class="says"><b>{escape(question.question)}</b></p><dl class="anchors"><dt>Better</dt>'
        f"<dd>{escape(question.better)}</dd><dt>Worse</dt><dd>{escape(question.worse)}</dd><dt>Tie</dt><dd>{escape(asked.tie)}</dd></dl></section>"
    )
    reason_key = reason_field(pair, question.key)
    with st.container(key="review_why"):
        if state.kept(reason_key) is None:
            state.keep(reason_key, verdict.reason if verdict else "")
        st.text_input(
            "Why (if you like, before you choose)", key=reason_key, max_chars=1000, autocomplete="off",
            on_change=give_reason, args=(pair, review, question, reason_key),
        )  # fmt: skip
    with st.container(horizontal=True, gap="small", key="review_choices"):
        for choice, label in CHOICES.items():
            st.button(
                label, key=f"review_{choice}", shortcut=KEYS[choice], width="stretch",
                type="primary" if verdict and verdict.choice == choice else "secondary",
                on_click=choose, args=(pair, review, question, choice, reason_key),
            )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<p class="hint">Keys: 1, 2, 3 or A, T, B; U undoes.</p>')
        st.button(
            "Clear", icon=":material/backspace:", key="review_clear", type="tertiary", disabled=verdict is None,
            on_click=clear, args=(pair, review, question), help="Take the answer to this question away",
        )  # fmt: skip
    with st.container(horizontal=True, gap="small", key="review_questions"):
        for one in asked.questions:
            given = review.verdicts.get(one.key)
            said = {"A": "A", "B": "B", "tie": "tie"}[given.choice] if given else "–"
            st.button(
                f"{one.title}: {said}", key=f"review_q_{one.key}", type="primary" if one == question else "secondary",
                on_click=look_at, args=(pair.id, one.key),
            )  # fmt: skip


def comments(pair: Pair, review: Review, sessions: dict[Side, Session | None]) -> None:
    """Draw what was said about single turns, and the fields for more."""
    for number, comment in enumerate(review.comments):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<p class="remark"><b>{comment.side}, turn {comment.turn}:</b> {escape(comment.text)}</p>')
            st.button(
                "", icon=":material/close:", key=f"review_drop_{number}", type="tertiary", help="Remove this comment",
                on_click=drop, args=(review, number),
            )  # fmt: skip
    with st.expander("Comment on a turn", key="review_comment", icon=":material/comment:", on_change="rerun"):
        st.html('<p class="hint">Click a turn in a dialogue, or name it here.</p>')
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            side = st.segmented_control(
                "Session", ["A", "B"], default=None if state.kept("review_side") else "A", key="review_side", required=True
            )
            session = sessions["B" if side == "B" else "A"]
            last = len(session.turns) if session else 0
            if (state.kept("review_turn") or 0) > last:
                state.keep("review_turn", last)
            st.number_input("Turn", 0, last, key="review_turn", width=110, help="0 is the opening")
        with st.form(f"review_comment_form_{pair.id}", clear_on_submit=True, border=False):
            text = st.text_input("Comment", key=f"review_text_{pair.id}", max_chars=1000, autocomplete="off")
            if st.form_submit_button("Keep the comment", key="review_add") and text.strip():
                comment = Comment(
                    side="B" if side == "B" else "A", turn=int(state.kept("review_turn") or 0), text=text.strip()
                )
                keep(review.model_copy(update={"comments": (*review.comments, comment)}), "")
                st.rerun()


def dialogue(session: Session | None, side: Side, review: Review) -> str:
    """Return a session as a rater may see it: its words and its turn numbers."""
    if session is None:
        return ""
    said = session.transcript
    marked = {comment.turn for comment in review.comments if comment.side == side}
    parts: list[str] = []
    for number in range(len(said) // 2):
        pair = said[2 * number : 2 * number + 2]
        names = {"counsellor": f"Counsellor {side}", "client": "Client"}
        messages = "".join(transcript.message(one.speaker, names[one.speaker], one.text) for one in pair)
        note = '<p class="hint">You commented on this turn.</p>' if number in marked else ""
        parts.append(
            transcript.exchange(
                f"Turn {number}" if number else "Opening, given with the client", messages, number, notes=note
            )
        )
    return (
        f'<div class="talk" data-side="{side}" tabindex="0" role="group" aria-label="Session {side}">{"".join(parts)}</div>'
    )


def keys(pair: Pair) -> None:
    """Listen to the number keys, and to clicks on a turn."""
    mount: Callable[..., Any] = component("review_keys", html="<span></span>", js=_KEYS)
    result = mount(key="review_keys", on_turn_change=take_turn, height=1)
    _ = (pair, result)


def take_turn() -> None:
    """Put the turn that was clicked into the fields of a comment."""
    told = str(getattr(state.kept("review_keys"), "turn", "") or "")
    side, _, turn = told.partition(" ")
    if side in ("A", "B") and turn.isdecimal():
        state.keep("review_side", side)
        state.keep("review_turn", int(turn))
        state.keep("review_comment", True)


# What a rater does


def blank(pair: Pair, rater: str, asked: Form) -> Review:
    """Return a review in which nothing has been said."""
    return Review(
        pair=pair.id, rater=rater, kind="person", flipped=flipped(pair.id, rater), form=asked.sha, created=datetime.now(UTC)
    )


def done(review: Review | None, asked: Form) -> bool:
    return review is not None and all(question.key in review.verdicts for question in asked.questions)


def current(pair: Pair, review: Review, asked: Form) -> Aspect:
    """Return the question whose turn it is: the one looked at, else the first without an answer, else the last."""
    about, key = state.kept("review_at") or ("", "")
    if about == pair.id and (found := next((one for one in asked.questions if one.key == key), None)):
        return found
    return next((one for one in asked.questions if one.key not in review.verdicts), asked.overall)


def choose(pair: Pair, review: Review, question: Aspect, choice: Choice, reason_key: str) -> None:
    """Keep an answer and go on."""
    changed = review.rated(question.key, Verdict(choice=choice, reason=str(state.kept(reason_key) or "").strip()))
    if not keep(changed, question.key):
        return
    look_at(pair.id, question.key)
    if state.kept("review_auto", True):
        asked = form()
        order = asked.questions
        at = order.index(question)
        ahead = next((one.key for one in (*order[at + 1 :], *order[:at]) if one.key not in changed.verdicts), None)
        if ahead:
            look_at(pair.id, ahead)
        elif not done(review, asked):
            turn_to("")


def give_reason(pair: Pair, review: Review, question: Aspect, reason_key: str) -> None:
    """Keep a reason with the answer it belongs to; without one it waits in its field."""
    look_at(pair.id, question.key)
    if verdict := review.verdicts.get(question.key):
        reason = str(state.kept(reason_key) or "").strip()
        keep(review.rated(question.key, verdict.model_copy(update={"reason": reason})), question.key)


def clear(pair: Pair, review: Review, question: Aspect) -> None:
    keep(review.cleared(question.key), question.key)
    state.keep(reason_field(pair, question.key), None)
    look_at(pair.id, question.key)


def undo(rater: str) -> None:
    """Take the last change of this visit back, and show what it was about."""
    trail = list(state.kept("review_trail") or [])
    if not trail:
        return
    pair, key = trail.pop()
    try:
        state.store().reviews.undo(pair, rater, "person", flipped(pair, rater))
    except MagnetError as error:
        return state.say(str(error))
    state.keep("review_trail", trail)
    state.keep("review_pair", pair)
    if key:
        state.keep(reason_field(pair, key), None)
        look_at(pair, key)


def drop(review: Review, number: int) -> None:
    """Take a comment away."""
    keep(review.model_copy(update={"comments": review.comments[:number] + review.comments[number + 1 :]}), "")


def keep(review: Review, key: str) -> bool:
    """Keep a review; tell whether it was kept."""
    try:
        changed = state.store().reviews.save(review)
    except MagnetError as error:
        state.say(str(error))
        return False
    state.keep("review_pair", review.pair)
    if changed:
        state.keep("review_trail", [*(state.kept("review_trail") or []), (review.pair, key)])
    return True


def look_at(pair: str, key: str) -> None:
    state.keep("review_at", (pair, key))


def turn_to(pair: str) -> None:
    """Show a pair; an empty name stands for the next one that is not rated."""
    state.keep("review_pair", pair or None)
    state.keep("review_at", None)
