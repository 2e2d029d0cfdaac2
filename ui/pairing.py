"""Which pairs raters are given, and a model as one more reader of them."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from magnet_core.cast import open_models
from magnet_core.errors import MagnetError
from magnet_core.methods import METHODS
from magnet_core.scoring.aspects import Case, Half, Pair, Review, form, pairs_among
from magnet_core.store import Entry
from ui import pair_judging, state, theme
from ui.judging import MOST
from ui.pair_judging import PairJob, Standing

BUDGET, EVERY = 0.4, 0.5
"""Seconds a look at a running job lasts, and seconds between two looks."""


def pairing() -> None:
    """Draw how pairs are made, which there are, and the model that can review them."""
    try:
        pairs, reviews = state.store().reviews.pairs(), state.store().reviews.reviews()
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    if told := state.told():
        st.info(theme.plain(told))
    left, right = st.columns([5, 7], gap="medium")
    with left, st.container(key="pairs_make", gap="small"):
        make(pairs)
        by_model(pairs, reviews)
    with right, st.container(key="pairs_queue", gap="small"):
        queue(pairs, reviews)


def case(entry: Entry) -> Case:
    """Return a session of the library as something that could be compared."""
    return Case(
        half=Half(session=entry.id, method=entry.method, model=entry.model),
        client=entry.client,
        profile_id=entry.profile_id,
        attitude=entry.attitude.value,
        turns=entry.turns,
    )


def make(known: list[Pair]) -> None:
    """Draw what is to be compared, and put its pairs into the queue."""
    entries = state.sessions.recent(MOST)
    finished = st.toggle("Finished sessions only", value=True, key="pairs_finished", persist_state="session")
    cases = [case(entry) for entry in entries if entry.turns and (entry.ended or not finished)]
    makers = Counter(case.half.maker for case in cases)
    names = sorted(makers, key=lambda name: (not name.startswith(METHODS["magnet"].title), -makers[name], name))
    if len(names) < 2:
        st.html(
            '<section class="card"><header><h3>Nothing to compare yet</h3></header><p class="says">A pair needs two sessions with the same '
            "client and attitude, made by different methods or models. Make them on the Session page, or many at once from the command "
            "line; then come back.</p></section>"
        )
        return
    chosen = st.multiselect(
        "Compare", names, default=names[:2], key="pairs_makers", format_func=lambda name: f"{name} ({makers[name]})",
        persist_state="session", help="Method and model, with the number of sessions. Raters never see them.",
    )  # fmt: skip
    most = int(
        st.number_input(
            "Pairs of each client and two makers, at most", 1, 20, 1, key="pairs_most", persist_state="session", width=320
        )
    )
    found = pairs_among(cases, chosen, most)
    there = {pair.id for pair in known}
    new = [pair for pair in found if pair.id not in there]
    clients = len({pair.client for pair in found})
    st.html(
        f'<p class="says"><b>{len(found)}</b> {"pair" if len(found) == 1 else "pairs"} of <b>{clients}</b> '
        f"{'client' if clients == 1 else 'clients'}; <b>{len(new)}</b> not yet in the queue.</p>"
    )
    if len(chosen) > 1 and not found:
        st.html('<p class="hint">No client has a session by two of these makers in the same attitude.</p>')
    st.button(
        "Put into the queue", type="primary", icon=":material/playlist_add:", key="pairs_add", on_click=add, args=(new,),
        disabled=not new,
    )  # fmt: skip


def add(pairs: list[Pair]) -> None:
    try:
        n = state.store().reviews.add_pairs(pairs)
        state.say(f"{n} {'pair is' if n == 1 else 'pairs are'} in the queue now.")
    except MagnetError as error:
        state.say(str(error))


def queue(pairs: list[Pair], reviews: list[Review]) -> None:
    """Draw the pairs there are, with how many have rated each."""
    if not pairs:
        st.html(
            '<section class="card"><header><h3>The queue is empty</h3></header><p class="says">Pairs that you put into it are shown to every '
            "rater, in a drawn order, with sides drawn for each rater.</p></section>"
        )
        return
    asked = form()
    people = Counter(r.pair for r in reviews if r.kind == "person" and len(r.verdicts) == len(asked.questions))
    begun = Counter(r.pair for r in reviews if r.kind == "person")
    raters = len({r.rater for r in reviews if r.kind == "person"})
    st.html(
        f'<p class="says"><b>{len(pairs)}</b> {"pair" if len(pairs) == 1 else "pairs"} in the queue, <b>{raters}</b> '
        f"{'rater' if raters == 1 else 'raters'} so far. Give raters this address, which shows the desk alone: <code>/review?rate=only</code></p>"
    )
    table = [
        {"Client": p.client, "One": p.one.maker, "Other": p.two.maker, "Rated by": people[p.id], "Begun by": begun[p.id]}
        for p in pairs
    ]
    picked: Any = st.dataframe(
        table, key="pairs_table", hide_index=True, on_select="rerun", selection_mode="multi-row", height=420,
        alt="The pairs in the queue with client, the two makers, and how many people rated them",
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
        whole = Counter(r.pair for r in reviews if r.kind == "model" and r.rater == model)
        waiting = [pair for pair in pairs if whole[pair.id] < 2]
        st.button(
            f"Let {model} fill in the form", icon=":material/smart_toy:", key="pairs_judge", on_click=judge, args=(waiting, model),
            disabled=not waiting,
        )  # fmt: skip
        st.html(
            f'<p class="hint">{len(waiting)} {"pair" if len(waiting) == 1 else "pairs"}, {2 * len(waiting)} calls: each pair in both orders. '
            "Its answers are never mixed with those of people.</p>"
        )
    if job is not None:
        slot = st.empty()
        slot.html(progress(job.look()))
        if live:
            watch(job, slot)


def judge(pairs: list[Pair], model: str) -> None:
    now = state.voices.cast()
    try:
        job = pair_judging.begin(
            state.engine(), pairs, model, partial(open_models, now), state.store().session, lambda review: _keep(review)
        )
    except MagnetError as error:
        return state.say(str(error))
    state.keep("pairs_job", job)


def _keep(review: Review) -> None:
    state.store().reviews.save(review)


def progress(now: Standing) -> str:
    """Return how a model's reading stands, as HTML."""
    words = {
        "running": "is reading",
        "stopping": "is being stopped",
        "done": "has read",
        "stopped": "was stopped; what was whole is kept. It has read",
        "failed": "could not go on. It has read",
    }[now.state]
    errors = "".join(f'<p class="flag">{escape(error)}</p>' for error in now.errors[-3:])
    share = 100 * (now.done + len(now.errors)) / max(1, now.pairs)
    return (
        f'<div role="status"><p class="says">{escape(now.judge)} {words} {now.done} of {now.pairs} pairs.</p>'
        f'<div class="review-bar"><span class="track"><i style="width:{share:.1f}%"></i></span></div>{errors}</div>'
    )


@st.fragment(run_every=EVERY)
def watch(job: PairJob, slot: Any) -> None:
    """Look in on a running job; draw the page anew when it has ended."""
    end = time.monotonic() + BUDGET
    while time.monotonic() < end:
        now = job.look()
        slot.html(progress(now))
        if not now.live:
            st.rerun()
        time.sleep(0.1)
