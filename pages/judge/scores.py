"""How good a session is said to be, by whom, and why: one session, many sessions, and questions of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import cast

import streamlit as st

from magnet_core.domain import Session
from magnet_core.scoring.instruments import sheets
from magnet_core.scoring.items import Instrument, Scorecard
from magnet_core.scoring.plain import read_scores
from magnet_core.scoring.rater import NOTICE
from magnet_core.scoring.tables import Judge, judge_of
from magnet_core.store import Entry
from ui import links, state, theme
from ui.scoring import many, rubrics, rules, scales, scores
from ui.scoring.judging import (
    BY_RULES,
    KNOWN,
    MOST,
    USUAL,
    Drawn,
    Watched,
    begin,
    begun_in,
    can_rate,
    could_rate,
    job_at_hand,
    line_of,
    nothing_yet,
)
from ui.waiting import watch

PLACE = ("view", "session")
"""What of the page is in its address."""
VIEWS = {"one": "One session", "many": "Many sessions", "own": "Own rubrics"}


def judges_for(cards: list[Scorecard]) -> list[Judge]:
    """Return who could rate here, and who has rated, the latest first."""
    titles = state.scores.titles()
    return list(dict.fromkeys([*could_rate(), *(judge_of(card, titles) for card in reversed(cards))]))


def choose_session(entries: list[Entry]) -> str:
    """Draw the list of sessions; return the id of the one that is chosen."""
    ids = [entry.id for entry in entries]
    lines = {entry.id: line_of(entry) for entry in entries}
    if state.kept("scores_session") not in ids:
        held, [asked] = state.sessions.held(), state.address.place_asked("session")
        first = asked if asked in ids else held.id if held and held.id in ids else ids[0]
        state.keep("scores_session", first)
    return st.selectbox(
        "Session",
        ids,
        key="scores_session",
        format_func=lambda id: lines.get(id) or str(id),
        persist_state="session",
        width=640,
    )


def order_fields(judge: Judge) -> tuple[list[str], int]:
    """Draw what is to be scored; return the instruments and how many samples a judge is asked for."""
    own = {rubric.id: rubric.title for rubric in state.scores.rubrics()}
    names = KNOWN | ({} if judge == BY_RULES else own)
    with st.popover("What to score", icon=":material/checklist:", key="scores_what"):
        chosen = st.pills(
            "Instruments", list(names), selection_mode="multi", default=USUAL, key=f"scores_instruments_{judge.kind}",
            format_func=lambda name: names[name], persist_state="session",
        )  # fmt: skip
        samples = 3
        if judge == BY_RULES:
            st.html('<p class="hint">Own rubrics need a model as judge: the rules know only the signs they were given.</p>')
        else:
            samples = st.number_input(
                "Samples of each rating", 1, 8, 3, key="scores_samples", persist_state="session",
                help="The paper takes three. Their mean is the rating, their spread is shown.",
            )  # fmt: skip
    return [name for name in names if name in (chosen or [])], int(samples)


def one() -> Drawn:
    """Draw one session's scores; return the job to look at and the place for its progress."""
    entries = state.sessions.recent(MOST)
    if not entries:
        nothing_yet()
        return None, None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="scores_top"):
        id = choose_session(entries)
        job = job_at_hand(id)
        session = state.sessions.stored(id)
        cards = state.scores.cards_of(id) if session else []
        judges = judges_for(cards)
        judge = st.selectbox(
            "Judge", judges, key="scores_judge", format_func=lambda j: j.title, width=230, persist_state="session",
            help="The rules need no model. A model is set on the Models page.",
        )  # fmt: skip
        instruments, samples = order_fields(judge)
        live = job is not None and job.live
        here = can_rate(judge)
        if job and live:
            job.stop_button()
        else:
            st.button(
                "Score this session", type="primary", icon=":material/fact_check:", key="scores_go", on_click=begin,
                args=(session, judge, instruments, samples), disabled=not (session and session.turns and here and instruments),
            )  # fmt: skip
        st.button(
            "Open session",
            icon=":material/forum:",
            key="scores_open",
            on_click=links.leave,
            args=(id, None),
            help="Open the session",
        )
    state.address.show_place(view="", session=id)
    slot = st.empty()
    if told := state.told():
        st.warning(theme.plain(told))
    if session is None:
        return job, slot
    if not here:
        st.html(f'<p class="remark">These are earlier ratings by {escape(judge.name)}, which is not set as a model now.</p>')
    shown = [card for card in cards if (card.judge, card.kind) == (judge.name, judge.kind)]
    held = state.scores.by_judge(shown).get((session.id, judge), {})
    left, right = st.columns([5, 7], gap="medium")
    with left:
        overview(session, judge, shown, held)
    if session.turns:
        with right:
            details(session, judge, shown, held, instruments, samples, live)
    scores.touch(partial(jump_now, id), partial(try_words, session))
    return job, slot


def jump_now(id: str, turn: int) -> None:
    links.leave(id, turn)
    st.rerun()


def try_words(session: Session, asked: str) -> None:
    """Go to the prompt lab with the words of a rating: its judge, its item, its session."""
    links.go(links.LAB_PAGE, words_of(session, asked))


def words_of(session: Session, asked: str) -> dict[str, str]:
    """Return where in the prompt lab the words of a rating stand; where no pack holds them any more, ours, and that is said."""
    instrument, item, sha, by = asked.split(" ", 3)
    rubric = next((r.sheet for r in state.scores.rubrics() if r.id == instrument), None)
    one = sheets().get(instrument) or rubric
    if one is None:
        state.say("The rubric of this rating is deleted, so its words cannot be tried.")
        return {"view": "judges"}
    pack = state.scores.pack_of_words(one, sha)
    if pack is None:
        state.say(f"This was rated in words that are in no pack here (hash {sha}). These are ours.")
    return {
        "view": "judges", "judge": instrument, "item": "" if one.together else item, "session": session.id,
        "pack": pack or "ours", "by": by,
    }  # fmt: skip


def overview(session: Session, judge: Judge, cards: list[Scorecard], held: Mapping[Instrument, Scorecard]) -> None:
    """Draw what the scores say in plain words, and what they are."""
    with st.container(key="scores_reading", gap="small"):
        if not session.turns:
            st.html(
                '<section class="card"><p class="says">This session has no turn yet, so there is nothing to rate.</p></section>'
            )
            return
        lines = read_scores(session, held.values())
        if not held:
            who = (
                "by the rules takes a second"
                if judge == BY_RULES
                else f"by {judge.name} takes as long as a few of its answers"
            )
            st.html(
                '<section class="card"><header><h3>Not scored yet</h3></header><p class="says">Scoring it '
                f"{escape(who)}. What can be counted without a score is here already.</p></section>"
            )
        if lines:
            st.html(scores.reading(lines, judge if held else None))
        if judge == BY_RULES:
            st.html(f'<p class="hint">{escape(NOTICE)}</p>')
        if judge.words:
            st.html(f'<p class="remark">Rated in other words than ours: {escape(judge.words)}.</p>')
        if held and (late := max(card.turns for card in held.values())) < len(session.turns):
            st.html(
                f'<p class="flag">These scores stop at turn {late}; the session has {len(session.turns)} turns by now.</p>'
            )
        if held:
            st.download_button(
                "Scores as CSV", partial(scores.csv_of, cards), f"scores-{session.id}.csv", "text/csv", on_click="ignore",
                icon=":material/download:", key="scores_csv",
            )  # fmt: skip


def details(
    session: Session, judge: Judge, cards: list[Scorecard], held: Mapping[Instrument, Scorecard], instruments: list[str],
    samples: int, live: bool,
) -> None:  # fmt: skip
    """Draw the scales one at a time, with the evidence of every rating."""
    own = [card for name, card in held.items() if name not in KNOWN]
    names = ["CTRS", "WAI", "PANAS", "Rules", "Over the turns", *(["Own"] if own else [])]
    tabs = dict(zip(names, st.tabs(names, key="scores_tab", on_change="rerun"), strict=True))
    if tabs["CTRS"].open:
        with tabs["CTRS"]:
            scales.ctrs(session, judge, held)
    if tabs["WAI"].open:
        with tabs["WAI"]:
            scales.wai(session, judge, held)
    if tabs["PANAS"].open:
        with tabs["PANAS"]:
            scales.panas(session, judge, held)
    if tabs["Rules"].open:
        with tabs["Rules"]:
            st.html(rules.meters(rules.counted(session), after=len(session.turns)))
    if tabs["Over the turns"].open:
        with tabs["Over the turns"]:
            scales.over_turns(session, judge, cards, instruments, samples, live)
    if own and tabs["Own"].open:
        with tabs["Own"]:
            for card in own:
                st.html(scores.kind_mark(judge) + scores.ratings(card, session))


def arrive(came: bool) -> None:
    """Look at what the address asks for, or at the session that the session page shows, where either is new."""
    asked, id = state.address.place_asked(*PLACE)
    if came or state.address.place_moved(PLACE):
        if asked in VIEWS or id:
            state.keep("scores_view", asked if asked in VIEWS else "one")
        if id:
            state.keep("scores_session", id)
    held = state.sessions.held()
    if came and held and not id and held.id != state.kept("scores_held"):
        state.keep("scores_session", held.id)
    state.keep("scores_held", held.id if held else "")


def page() -> None:
    """Draw the view that is wanted; what is running stands last."""
    links.left()
    arrive(state.enter("scores"))
    with st.container(key="scores"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Scores", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("scores_view") else "one", required=True, key="scores_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        job, slot = {"one": one, "many": many.many, "own": rubrics.own}[cast(str, view or "one")]()
    if job is None or slot is None:
        return
    if job.live:
        with slot:
            watch(partial(look, job))
    elif begun_in(view or "one") == job.seen.id:
        slot.html(scores.progress(job.seen))


def look(job: Watched) -> tuple[str, bool]:
    """Return how a running job stands, and whether there are more scorecards, or it has ended."""
    now = job.job.look()
    return scores.progress(now), not now.live or (len(now.cards) > len(job.seen.cards) and now.sessions == 1)


page()
