"""Which pairs raters are given, and who has rated them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import streamlit as st

from magnet_core.errors import MagnetError
from magnet_core.scoring.aspects import Case, Pair, Review, form
from magnet_core.scoring.queue import identical_among, likely, pairs_among, to_rate
from magnet_core.scoring.results import titles_of
from ui import state, theme
from ui.review.authorship import authorship, in_common
from ui.review.pair_reader import by_model
from ui.scoring.judging import MOST


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
        by_model(to_rate(pairs, lost), reviews)
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
    first = None
    if state.kept("pairs_makers") is None:
        first = [maker.id for maker in likely(cases, list(titles))] or list(names)[:2]
    chosen = st.multiselect(
        "Compare", list(names), default=first, key="pairs_makers", format_func=lambda id: names.get(id) or str(id), persist_state="session",
        help="How sessions were made, with the number of sessions. What all of them share is not named. Raters never see any of it.",
    )  # fmt: skip
    most = int(
        st.number_input(
            "Pairs of each client and two ways of making, at most",
            1,
            20,
            1,
            key="pairs_most",
            persist_state="session",
            width=320,
        )
    )
    compared = [maker for maker in titles if maker.id in chosen]
    found, same = pairs_among(cases, compared, most), identical_among(cases, compared)
    there = {pair.id for pair in known}
    new = [pair for pair in found if pair.id not in there]
    clients = len({pair.client for pair in found})
    st.html(
        f'<p class="says"><b>{len(found)}</b> {"pair" if len(found) == 1 else "pairs"} of <b>{clients}</b> '
        f"{'client' if clients == 1 else 'clients'}; <b>{len(new)}</b> not yet in the queue.</p>"
    )
    if same:
        st.html(
            f'<p class="flag">{same} {"pair holds" if same == 1 else "pairs hold"} the same words on both sides and '
            f"{'is' if same == 1 else 'are'} left out: there is nothing to compare.</p>"
        )
    elif len(chosen) > 1 and not found:
        st.html(
            '<p class="hint">No client has a session by two of these in the same attitude and with the same limits of length.</p>'
        )
    if len(compared) > 1:
        st.html(authorship(compared))
        st.html(in_common(compared))
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
    """Draw the pairs there are and who has rated them."""
    if not pairs:
        st.html(
            '<section class="card"><header><h3>The queue is empty</h3></header><p class="says">Pairs that you put into it are shown to every '
            "rater, in a drawn order, with sides drawn for each rater.</p></section>"
        )
        return
    asked = form()
    theirs = [r for r in reviews if r.kind == "person" and r.form == asked.sha and r.says]
    n = len({r.rater for r in theirs})
    st.html(
        f'<p class="says"><b>{len(pairs)}</b> {"pair" if len(pairs) == 1 else "pairs"} in the queue, <b>{n}</b> '
        f"{'rater' if n == 1 else 'raters'} so far. Give raters this address:</p>"
    )
    st.code(state.desk.address(), language=None)
    if state.desk.only_here():
        st.html(
            '<p class="flag">This address opens on this computer only. For raters at other computers, start the server with '
            "<code>--server.address 0.0.0.0</code> and open this page at the computer's address in your network: then that address stands "
            "here. Whoever reaches it reaches the whole library, so keep strangers out.</p>"
        )
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
    if same := sum(pair.identical for pair in pairs):
        st.html(
            f'<p class="flag">{same} {"pair holds" if same == 1 else "pairs hold"} the same words on both sides. Raters are not shown '
            f"{'it' if same == 1 else 'them'}, and verdicts on {'it' if same == 1 else 'them'} do not count.</p>"
        )
    waiting(pairs, theirs, lost)
    raters(pairs, theirs, lost)


def waiting(pairs: Sequence[Pair], theirs: Sequence[Review], lost: set[str]) -> None:
    """Draw the pairs with how many have rated each, to take some out."""
    people = Counter(r.pair for r in theirs if r.whole(form()))
    begun = Counter(r.pair for r in theirs)
    titles = titles_of((maker for pair in pairs for maker in pair.makers), state.pairs.pack_titles())
    shown = {
        p.id: "no: a session is gone" if p.id in lost else "no: the same words" if p.identical else "yes" for p in pairs
    }
    table = [
        {
            "Client": p.client, "Attitude": p.attitude or "–", "One": titles[p.one.maker], "Other": titles[p.two.maker],
            "Rated by": people[p.id], "Begun by": begun[p.id],
        } | ({"Shown": shown[p.id]} if set(shown.values()) != {"yes"} else {})
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


def raters(pairs: Sequence[Pair], theirs: Sequence[Review], lost: set[str]) -> None:
    """Draw who has rated, how far each has come, and when they were last here: a forgotten pseudonym is found again."""
    given = {pair.id for pair in to_rate(pairs, lost)}
    try:
        active = state.store().reviews.active()
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    rows = ""
    for name in sorted({review.rater for review in theirs}, key=lambda name: -active.get(name, 0.0)):
        own = [review for review in theirs if review.rater == name and review.pair in given]
        whole = sum(review.whole(form()) for review in own)
        when = f"{datetime.fromtimestamp(active[name], UTC):%d %b %Y, %H:%M} UTC" if name in active else "–"
        rows += (
            f"<tr><th scope='row'>{escape(name)}</th><td>{whole}</td><td>{len(own) - whole}</td><td>{len(given) - len(own)}</td>"
            f"<td>{when}</td></tr>"
        )
    if rows:
        heads = "".join(f"<th scope='col'>{head}</th>" for head in ("Rater", "Whole", "Begun", "Left", "Last change"))
        st.html(
            f'<h4 class="small">Raters</h4><div class="scrolls"><table class="matrix figures"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )


def take_out(ids: list[str]) -> None:
    try:
        state.store().reviews.take_out(ids)
    except MagnetError as error:
        state.say(str(error))
