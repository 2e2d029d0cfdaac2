"""The rater's desk: two dialogues with nothing that tells what made them, one question at a time, keys, and every change undone.

What stands here is drawn from the dialogue alone: no method, model, technique, flag or session id reaches the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from magnet_core.domain import Session
from magnet_core.errors import MagnetError
from magnet_core.scoring.aspects import SIDES, Aspect, Choice, Form, Pair, Review, Side, form
from ui import state, theme
from ui.review import desk_keys, rater
from ui.review.desk_comments import comments, drafted, pick_turn
from ui.session import transcript
from ui.state.desk import Place

CHOICES: dict[Choice, str] = {"A": "A is better", "tie": "Tie", "B": "B is better"}
HEARTBEAT = 3600
"""Seconds between two looks of a page that nobody touches; having one at all lets it draw itself anew when a lost connection is back."""


def desk() -> None:
    """Draw the desk: who rates, then the pair whose turn it is."""
    here = state.desk.place()
    rater.come_back(here)
    if not here.rater:
        state.desk.note()
        return introduce()
    try:
        now, sessions = rater.queue(here), dict[Side, Session]()
        while (place := now.place(here.pair)) is not None and not (sessions := shown(now, place)):
            # one that is there and cannot be read is passed over like one that is not there
            here.unreadable.add(now.pairs[place].id)
            now = rater.queue(here)
        if not now.pairs:
            return nobody_waits(here)
        top(here, now, place)
        hello(here, now)
        if told := state.told():
            st.warning(theme.plain(told))
        if place is None:
            all_rated(now)
        else:
            rate(here, now, now.pairs[place], sessions)
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    leave(now.rater)
    heartbeat()


def shown(now: rater.Queue, place: int) -> dict[Side, Session]:
    """Return the two sessions of a pair by the side they stand on; nothing where one cannot be read."""
    pair = now.pairs[place]
    turned = now.review(pair.id).flipped
    found: dict[Side, Session] = {}
    for side in SIDES:
        if session := state.desk.session(pair.on(side, turned).session):
            found[side] = session
    return found if len(found) == len(SIDES) else {}


def rate(here: Place, now: rater.Queue, pair: Pair, sessions: dict[Side, Session]) -> None:
    """Draw a pair and what is asked about it."""
    review = now.review(pair.id)
    question = rater.current(here, review, now.asked)
    state.desk.note(now.rater, pair.id, question.key)
    if state.kept("review_comment_about") != pair.id:  # another pair has come: no turn of it is pointed at yet
        for name, value in (("review_comment_about", pair.id), ("review_comment", False), ("review_turn", 0)):
            state.keep(name, value)
    drafts = state.store().reviews.drafts(now.rater, pair.id)
    written = drafted(drafts)
    pointed = (state.kept("review_side") or "A", state.kept("review_turn") or 0) if state.kept("review_comment") else None
    with st.container(key="review_desk"):
        st.html('<p class="offline" role="alert">No connection: answers are not taken.</p>')
        left, right = st.columns([8, 4], gap="medium")
        with left, st.container(key="review_sides"):
            for column, (side, session) in zip(st.columns(2, gap="small"), sessions.items(), strict=True):
                with column:
                    st.html(f'<h3 class="side-name"><b class="side">{side}</b> Session {side}</h3>')
                    with st.container(height=520, border=True, key=f"review_side_{side}_{pair.id}"):
                        turn = pointed[1] if pointed and pointed[0] == side else None
                        st.html(dialogue(session, side, review, turn, [n for s, n in written if s == side]))
        with right, st.container(key="review_form", gap="small"):
            with st.container(key="review_ask", gap="small"):
                ask(here, pair, review, now.asked, question, drafts)
            with st.container(key="review_rest", gap="small"):
                questions(pair, review, now.asked, question)
            with st.container(key="review_remarks", gap="small"):
                comments(here, pair, review, sessions, written)
    keys = {
        "pair": pair.id,
        "ahead": [question.key, *rater.ahead(review, question.key, now.asked)],
        "auto": state.desk.goes_on(),
        "fresh": not review.verdicts,
        "seen": here.seen or 0,
        "kept": bool(desk_keys.read_presses(state.kept("review_keys"))),
        "token": rater.stamp(here),
        "noted": here.noted,
    }
    if rater.take(here, desk_keys.listen(keys, rater.take_keys, pick_turn)):
        st.rerun()


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
                help="Not your real name: it stands beside your ratings in every export, and in this page's address. The same pseudonym, "
                "in capitals or not, leads back to your queue.",
            )  # fmt: skip
            st.form_submit_button(
                "Begin", type="primary", icon=":material/play_arrow:", key="review_start", on_click=rater.come
            )
        if told := state.told():
            st.warning(theme.plain(told))
        did_you_mean(*state.desk.place().meant)


def did_you_mean(name: str, near: str) -> None:
    """Ask whether an unknown pseudonym was meant for a known one that is much like it."""
    if not name:
        return
    st.html(
        f'<p class="says" role="alert"><b>{escape(name)}</b> has not rated here yet. Did you mean <b>{escape(near)}</b>?</p>'
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            theme.plain(f"Yes, go on as {near}"),
            key="review_near",
            on_click=rater.come_as,
            args=(near, True),
        )
        st.button(theme.plain(f"No, begin as {name}"), key="review_new", on_click=rater.come_as, args=(name, False))


def hello(here: Place, now: rater.Queue) -> None:
    """Say, until something is done, whether the pseudonym is known here and how far it has come."""
    n, done, name = len(now.pairs), len(now.whole), f"<b>{escape(now.rater)}</b>"
    words = {
        "new": f"{name} is new here. If you have rated before, it was under another pseudonym.",
        "known": f"{name} has rated {done} of {n} {'pair' if n == 1 else 'pairs'}. If that is not you, choose another pseudonym below.",
        "back": f"You are back as {name}, with {done} of {n} {'pair' if n == 1 else 'pairs'} rated. If the connection was lost while you were "
        "pressing something, see whether it is there.",
    }
    if said := words.get(here.hello):
        st.html(f'<p class="says" role="status">{said}</p>')


def nobody_waits(here: Place) -> None:
    """Say that there is nothing to rate."""
    state.desk.note(here.rater)
    if here.hello == "new":
        st.html(f'<p class="says" role="status"><b>{escape(here.rater)}</b> is new here.</p>')
    st.html(
        '<section class="card"><header><h3>No pair is waiting</h3></header><p class="says">Whoever leads the study puts '
        "pairs of sessions into the queue first.</p></section>"
    )
    leave(here.rater)


def all_rated(now: rater.Queue) -> None:
    """Thank the rater."""
    state.desk.note(now.rater)
    st.html(
        '<section class="card first" role="status"><header><h3>All pairs are rated</h3></header><p class="says">Thank you. '
        "You can still go back to any pair and change what you said.</p></section>"
    )


def leave(name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<p class="hint">You rate as <b>{escape(name)}</b>.</p>', width="content")
        st.button("Rate under another pseudonym", key="review_leave", type="tertiary", on_click=rater.go)


def top(here: Place, now: rater.Queue, place: int | None) -> None:
    """Draw where in the queue the rater is, and the way through it."""
    pairs, n, whole = now.pairs, len(now.pairs), len(now.whole)
    where = f"Pair {place + 1} of {n}" if place is not None else f"{n} {'pair' if n == 1 else 'pairs'}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="review_top"):
        st.button(
            "The pair before", icon=":material/chevron_left:", key="review_before", help="The pair before (key P)", on_click=rater.turn_to,
            args=(pairs[(n if place is None else place) - 1].id if place != 0 else "",), disabled=place == 0,
        )  # fmt: skip
        st.html(f'<p class="where sr" role="status" aria-live="polite">{where}</p>', width="content")
        listed(now, place)
        st.button(
            "The next pair", icon=":material/chevron_right:", key="review_after", help="The next pair (key N)", on_click=rater.turn_to,
            args=(pairs[place + 1].id if place is not None and place + 1 < n else "",), disabled=place is None or place + 1 >= n,
        )  # fmt: skip
        back = rater.way_back(here, now, pairs[place].id) if place is not None else None
        if back is not None:
            st.button(
                f"Back to where I was (pair {back + 1})", icon=":material/reply:", key="review_back", on_click=rater.go_back
            )
        first = next((one.id for one in pairs if not now.finished(one.id)), "")
        st.button(
            "First unrated", icon=":material/first_page:", key="review_first", on_click=rater.turn_to, args=(first,),
            disabled=not first or (place is not None and pairs[place].id == first), help="Go to the first pair that is not rated whole (key F)",
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
            "Undo", icon=":material/undo:", key="review_undo", on_click=rater.undo, disabled=not now.own,
            help="Take your last change back, also one of an earlier visit; what was there before is there again (key U)",
        )  # fmt: skip


def listed(now: rater.Queue, place: int | None) -> None:
    """Draw the list of all pairs, with how far each is, to go to one."""
    ids = [pair.id for pair in now.pairs]
    number = {id: n for n, id in enumerate(ids, 1)}
    # the name holds the place and how far it is, so that the list shows both, whatever led there: the browser keeps a shown line
    done = len(now.review(ids[place]).verdicts) if place is not None else 0
    field = f"review_goto_{place}_{done}"
    st.selectbox(
        "Go to a pair", ids, index=place, key=field, placeholder="Go to a pair", width=236, label_visibility="collapsed",
        format_func=lambda id: f"Pair {number.get(id, '–')} of {len(ids)} · {now.state(id)}", on_change=rater.jump, args=(field,),
    )  # fmt: skip


def ask(here: Place, pair: Pair, review: Review, asked: Form, question: Aspect, drafts: Mapping[str, str]) -> None:
    """Draw the question whose turn it is, the reason, and its three answers."""
    verdict = review.verdicts.get(question.key)
    number = asked.questions.index(question) + 1
    st.html(
        f'<section class="card first" data-question="{question.key}"><header><h3>{escape(question.title)}</h3><span class="status">{number} of '
        f'{len(asked.questions)}</span></header><p class="says"><b>{escape(question.question)}</b></p><dl class="anchors"><dt>Better</dt>'
        f"<dd>{escape(question.better)}</dd><dt>Worse</dt><dd>{escape(question.worse)}</dd><dt>Tie</dt><dd>{escape(asked.tie)}</dd></dl></section>"
    )
    with st.container(key="review_why"):
        kept = verdict.reason if verdict else drafts.get(question.key, "")
        field = rater.filled(f"review_reason_{here.visit}_{pair.id}_{question.key}", kept)
        st.text_input(
            "Why (if you like, before you choose)", key=field, max_chars=1000, autocomplete="off", label_visibility="collapsed",
            placeholder="Why (if you like, before you choose)",
            on_change=rater.give_reason, args=(pair.id, question.key, field),
        )  # fmt: skip
    with st.container(horizontal=True, gap="small", key="review_choices"):
        for choice, label in CHOICES.items():
            # the name holds pair and question: a click that comes late can never count for another one
            about = (pair.id, question.key, choice)
            clicked = st.button(
                label, key=f"review_{choice}_{pair.id}_{question.key}", width="stretch",
                type="primary" if verdict and verdict.choice == choice else "secondary", on_click=rater.choose, args=about,
            )  # fmt: skip
            if clicked and here.clicked != about:  # just after a lost connection the server does not yet know whom to call
                rater.choose(*about)
                st.rerun()
    here.clicked = None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            '<p class="hint">Keys: 1, 2, 3 or A, T, B answer; U undoes, X clears, C comments; P and N lead to the pair before and after.</p>'
        )
        st.button(
            "Clear", icon=":material/backspace:", key="review_clear", type="tertiary", disabled=verdict is None,
            on_click=rater.clear, args=(pair.id, question.key), help="Take the answer to this question away (key X)",
        )  # fmt: skip


def questions(pair: Pair, review: Review, asked: Form, question: Aspect) -> None:
    """Draw all questions with what was said, to go to one."""
    with st.container(horizontal=True, gap="small", key="review_questions"):
        for one in asked.questions:
            given = review.verdicts.get(one.key)
            said = given.choice if given else "–"
            st.button(
                f"{one.title}: {said}", key=f"review_q_{one.key}", type="primary" if one == question else "secondary",
                on_click=rater.look, args=(pair.id, one.key),
            )  # fmt: skip


def dialogue(session: Session, side: Side, review: Review, pointed: int | None = None, written: Sequence[int] = ()) -> str:
    """Return a session as a rater may see it: its words and its turn numbers; the turn that is pointed at is marked."""
    said = session.transcript
    marked = {comment.turn for comment in review.comments if comment.side == side}
    parts: list[str] = []
    for number in range(len(said) // 2):
        pair = said[2 * number : 2 * number + 2]
        names = {"counsellor": f"Counsellor {side}", "client": "Client"}
        messages = "".join(transcript.message(one.speaker, names[one.speaker], one.text) for one in pair)
        note = '<p class="hint">You commented on this turn.</p>' if number in marked else ""
        note += '<p class="hint">You began to write about this turn.</p>' if number in written else ""
        parts.append(
            transcript.exchange(
                f"Turn {number}" if number else "Opening, given with the client",
                messages,
                number,
                looked=number == pointed,
                notes=note,
            )
        )
    return (
        f'<div class="talk" data-side="{side}" tabindex="0" role="group" aria-label="Session {side}">{"".join(parts)}</div>'
    )


@st.fragment(run_every=HEARTBEAT)
def heartbeat() -> None:
    """Draw nothing, now and then."""
