"""Which pairs raters are given, and a model as one more reader of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from magnet_core.errors import MagnetError
from magnet_core.lab.wordings import PAIRS, pair_words
from magnet_core.meter import Budget
from magnet_core.scoring.aspects import Case, Pair, Review, form
from magnet_core.scoring.pairs import Words
from magnet_core.scoring.queue import pairs_among
from magnet_core.scoring.results import titles_of
from ui import pair_judging, state, theme
from ui.judging import MOST
from ui.pair_judging import PairJob, Standing

BUDGET, EVERY = 0.4, 0.5
"""Seconds a look at a running job lasts, and seconds between two looks."""


def pairing() -> None:
    """Draw how pairs are made, which there are, and the model that can review them."""
    try:
        pairs, reviews = state.store().reviews.pairs(), state.store().reviews.reviews()
        lost = state.store().reviews.lost(pairs)
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    if told := state.told():
        st.info(theme.plain(told))
    left, right = st.columns([5, 7], gap="medium")
    with left, st.container(key="pairs_make", gap="small"):
        make(pairs)
        by_model([pair for pair in pairs if pair.id not in lost], reviews)
    with right, st.container(key="pairs_queue", gap="small"):
        queue(pairs, reviews, lost)


def make(known: list[Pair]) -> None:
    """Draw what is to be compared, and put its pairs into the queue."""
    cases = fair(state.pairs.cases(state.sessions.recent(MOST)))
    makers = Counter(case.half.maker for case in cases)
    titles = titles_of(makers, state.pairs.pack_titles())
    names = {maker.id: f"{title} ({makers[maker]})" for maker, title in titles.items()}
    if len(names) < 2:
        st.html(
            '<section class="card"><header><h3>Nothing to compare yet</h3></header><p class="says">A pair needs two sessions with the same '
            "client and attitude and the same limits of length, made in different ways: by another method or model, with other prompts or "
            "settings. Make them on the Compare page or the Session page, or many at once from the command line; then come back.</p></section>"
        )
        return
    chosen = st.multiselect(
        "Compare", list(names), default=list(names)[:2], key="pairs_makers", format_func=lambda id: names.get(id) or str(id), persist_state="session",
        help="How sessions were made, with the number of sessions. What all of them share is not named. Raters never see any of it.",
    )  # fmt: skip
    most = int(
        st.number_input(
            "Pairs of each client and two makers, at most", 1, 20, 1, key="pairs_most", persist_state="session", width=320
        )
    )
    found = pairs_among(cases, [maker for maker in titles if maker.id in chosen], most)
    there = {pair.id for pair in known}
    new = [pair for pair in found if pair.id not in there]
    clients = len({pair.client for pair in found})
    st.html(
        f'<p class="says"><b>{len(found)}</b> {"pair" if len(found) == 1 else "pairs"} of <b>{clients}</b> '
        f"{'client' if clients == 1 else 'clients'}; <b>{len(new)}</b> not yet in the queue.</p>"
    )
    if len(chosen) > 1 and not found:
        st.html(
            '<p class="hint">No client has a session by two of these in the same attitude and with the same limits of length.</p>'
        )
    st.button(
        "Put into the queue", type="primary", icon=":material/playlist_add:", key="pairs_add", on_click=add, args=(new,),
        disabled=not new,
    )  # fmt: skip


def fair(cases: Sequence[tuple[Case, str]]) -> list[Case]:
    """Return the sessions that say something of what made them, and those that were asked for all the same; say what is left out."""
    reasons = Counter(reason for _, reason in cases if reason)
    taken: list[str] = []
    if reasons:
        taken = st.multiselect(
            "Take these as well", sorted(reasons), key="pairs_also", format_func=lambda reason: f"{reason} ({reasons[reason]})",
            persist_state="session", placeholder="None",
            help="Sessions that were forked, typed or steered do not show what their method does alone, and unfinished ones are no "
            "whole session. They are left out unless you choose them here.",
        )  # fmt: skip
        out = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()) if reason not in taken)
        if out:
            st.html(f'<p class="hint">Left out: {escape(out)}.</p>')
    return [case for case, reason in cases if not reason or reason in taken]


def add(pairs: list[Pair]) -> None:
    try:
        n = state.store().reviews.add_pairs(pairs)
        state.say(f"{n} {'pair is' if n == 1 else 'pairs are'} in the queue now.")
    except MagnetError as error:
        state.say(str(error))


def queue(pairs: list[Pair], reviews: list[Review], lost: set[str]) -> None:
    """Draw the pairs there are, with how many have rated each."""
    if not pairs:
        st.html(
            '<section class="card"><header><h3>The queue is empty</h3></header><p class="says">Pairs that you put into it are shown to every '
            "rater, in a drawn order, with sides drawn for each rater.</p></section>"
        )
        return
    asked = form()
    theirs = [r for r in reviews if r.kind == "person" and r.form == asked.sha and r.says]
    people = Counter(r.pair for r in theirs if r.whole(asked))
    begun = Counter(r.pair for r in theirs)
    raters = len({r.rater for r in theirs})
    st.html(
        f'<p class="says"><b>{len(pairs)}</b> {"pair" if len(pairs) == 1 else "pairs"} in the queue, <b>{raters}</b> '
        f"{'rater' if raters == 1 else 'raters'} so far. Give raters this address:</p>"
    )
    st.code(state.desk.address(), language=None)
    st.html(
        '<p class="hint">It shows the desk alone: no menu, no other page, no name of a method or model. It cannot keep a rater from typing '
        "another address of this server by hand, where everything stands; nor a session's own words from telling what made it. If that "
        "matters, put this server behind something that lets raters reach the desk only.</p>"
    )
    if lost:
        st.html(
            f'<p class="flag">{len(lost)} {"pair has" if len(lost) == 1 else "pairs have"} lost a session. Raters are not shown '
            f"{'it' if len(lost) == 1 else 'them'}; what was said before still counts. Restore the session in the Library, or take the pair out.</p>"
        )
    titles = titles_of((maker for pair in pairs for maker in pair.makers), state.pairs.pack_titles())
    table = [
        {
            "Client": p.client, "One": titles[p.one.maker], "Other": titles[p.two.maker], "Rated by": people[p.id], "Begun by": begun[p.id],
        } | ({"Shown": "no: a session is gone" if p.id in lost else "yes"} if lost else {})
        for p in pairs
    ]  # fmt: skip
    picked: Any = st.dataframe(
        table, key="pairs_table", hide_index=True, on_select="rerun", selection_mode="multi-row", height=420,
        alt="The pairs in the queue with client, how the two sessions were made, and how many people rated them",
    )  # fmt: skip
    rows = [row for row in picked.selection.rows if row < len(pairs)]
    st.button(
        f"Take {len(rows)} out" if rows else "Take out", icon=":material/playlist_remove:", key="pairs_remove", disabled=not rows,
        on_click=take_out, args=([pairs[row].id for row in rows],), help="What was said about a pair stays and comes back with it",
    )  # fmt: skip


def take_out(ids: list[str]) -> None:
    try:
        state.store().reviews.take_out(ids)
    except MagnetError as error:
        state.say(str(error))


def by_model(pairs: list[Pair], reviews: list[Review]) -> None:
    """Draw the model that can fill in the same form, and how far it is."""
    st.html('<h4 class="small">A model as reader</h4>')
    job: PairJob | None = state.kept("pairs_job")
    model = state.voices.judge_model()
    live = job is not None and job.look().live
    if live and job is not None:
        st.button("Stop", icon=":material/stop:", key="pairs_stop", on_click=job.stop)
    elif not model:
        st.html(
            '<p class="hint">The rehearsal cast cannot judge. Name a model on the Models page and it can fill in the same form, in both orders. '
            "Its answers are never mixed with those of people.</p>"
        )
    else:
        asked, (told, called) = form(), words_told()
        rater = f"{model}, {called}" if called else model
        read = Counter(
            r.pair for r in reviews if r.kind == "model" and r.rater == rater and r.form == asked.sha and r.verdicts
        )
        waiting = [pair for pair in pairs if read[pair.id] < 2]
        again = bool(job and job.look().errors and waiting)
        st.button(
            f"Try again with {model}" if again else f"Let {model} fill in the form", icon=":material/smart_toy:", key="pairs_judge",
            on_click=judge, args=(waiting, model, told, called), disabled=not waiting,
        )  # fmt: skip
        st.html(
            f'<p class="hint">{len(waiting)} {"pair" if len(waiting) == 1 else "pairs"}, at least {2 * len(waiting)} calls: each pair in both '
            "orders, and once more where an answer cannot be read. Its answers are never mixed with those of people.</p>"
        )
    if job is not None:
        slot = st.empty()
        slot.html(progress(job.look(), job.budget))
        if live:
            watch(job, slot)


def words_told() -> tuple[Words | None, str]:
    """Draw whose words the model is told, where a pack of the prompt lab holds others; return them, and what they are called."""
    own = {p.id: p for p in state.prompts.pack_list() if any(one.name.startswith(f"{PAIRS}/") for one in p.judges)}
    if not own:
        return None, ""
    titles = {"": "Ours"} | {id: pack.title for id, pack in own.items()}
    if state.kept("pairs_words") not in titles:
        state.keep("pairs_words", "")
    id = st.selectbox(
        "Judges' prompts", list(titles), key="pairs_words", width=240, persist_state="session",
        format_func=lambda i: titles.get(i, str(i)),
        help="Packs of the prompt lab that change what this judge is told. In other words than ours a model counts as another reader.",
    )  # fmt: skip
    if id not in own:
        return None, ""
    told = pair_words(own[id].judges)
    return told, f"“{own[id].title}”, hash {told.sha[:8]}"


def judge(pairs: list[Pair], model: str, told: Words | None = None, called: str = "") -> None:
    """Let the judge's model fill in the form for some pairs."""
    now = state.voices.cast()
    try:
        kept = state.store()
        budget = Budget(prices=state.spending.listed(kept))
        opening = state.spending.opening(now, "review", budget)
        job = pair_judging.begin(
            state.engine(), pairs, model, opening, kept.session, lambda both: kept.reviews.save(*both), budget, told, called
        )
    except MagnetError as error:
        return state.say(str(error))
    state.keep("pairs_job", job)


def progress(now: Standing, used: Budget) -> str:
    """Return how a model's reading stands and what it has used, as HTML."""
    words = {
        "running": "is reading",
        "stopping": "is being stopped",
        "done": "has read",
        "stopped": "was stopped; what was whole is kept. It has read",
        "failed": "could not go on. It has read",
    }[now.state]
    errors = "".join(f'<p class="flag">{escape(error)}</p>' for error in now.errors)
    left = now.pairs - now.done
    kept = f" Of {left} nothing was kept; you can try again." if now.errors and left and not now.live else ""
    share = 100 * (now.done + len(now.errors)) / max(1, now.pairs)
    return (
        f'<div role="status"><p class="says">{escape(now.judge)} {words} {now.done} of {now.pairs} pairs.{kept}</p>'
        f'<div class="review-bar"><span class="track"><i style="width:{min(100.0, share):.1f}%"></i></span></div>'
        f'<p class="hint">{cost(used)}</p>{errors}</div>'
    )


def cost(used: Budget) -> str:
    """Return what calls have used in a line; what is not known is a dash."""
    price = "–" if used.dollars is None or not used.calls else f"${used.dollars:,.4f}"
    tokens = "–" if used.uncounted else f"{used.tokens:,}"
    return f"{used.calls:,} {'call' if used.calls == 1 else 'calls'} answered · tokens {tokens} · price {price}"


@st.fragment(run_every=EVERY)
def watch(job: PairJob, slot: Any) -> None:
    """Look in on a running job; draw the page anew when it has ended."""
    end = time.monotonic() + BUDGET
    while time.monotonic() < end:
        now = job.look()
        slot.html(progress(now, job.budget))
        if not now.live:
            st.rerun()
        time.sleep(0.1)
