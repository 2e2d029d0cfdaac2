"""Ways of making sessions against each other on the same clients, and two sessions side by side."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from magnet_core.models import REHEARSAL
from magnet_core.scoring.compare import SCORES, as_rows, table, tally
from magnet_core.store import Entry
from ui import state, theme
from ui.compare import clients, figures, making, place, power, variety
from ui.compare.choices import MOST_COLUMNS, choose_baseline, choose_clients, choose_judge, choose_what
from ui.compare.two import two
from ui.engine.maker import MakingJob
from ui.engine.scorer import Job
from ui.scoring import scores
from ui.scoring.judging import MOST, can_rate, could_rate, job_at_hand
from ui.scoring.many import begin_rest
from ui.waiting import watch

"""Seconds a look at a running job lasts, and seconds between two looks."""


def many(entries: list[Entry]) -> None:
    """Draw configurations against a baseline, and what is missing."""
    measured, out = state.costs.measured(entries, state.spending.prices())
    choices = choose_what(measured)
    held = [m for m in measured if m.client.endswith(f":{choices.length}")]
    if choices.left:
        total = len(choices.configurations) + choices.left
        st.html(
            f'<p class="flag">{total} configurations are too many for one table; the first {MOST_COLUMNS} are shown.</p>'
        )
    if not choices.configurations:
        st.html(
            '<p class="hint">Choose at least one method, one model, one way of seeing, one set of prompts and one temperature.</p>'
        )
        return
    alone = len(choices.configurations) == 1
    if alone:
        st.html('<p class="flag">One configuration alone has nothing to differ from: add a method to compare with, or a model, prompts or a '
                "temperature.</p>")  # fmt: skip
    cards = state.scores.by_judge(state.scores.all_cards())
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_base_row"):
        those = choose_clients(held, choices.length)
        baseline = choose_baseline(choices)
        judge = choose_judge([*could_rate(), *(by for _, by in cards)])
        shown = [m for m in held if m.client in those and m.configuration in choices.configurations]
        own = {id: found for (id, by), found in cards.items() if by == judge}
        unrated = [m.session_id for m in shown if m.session_id not in own]
        if unrated:
            st.button(
                f"Score the rest ({len(unrated)})", icon=":material/fact_check:", key="compare_score", on_click=begin_rest,
                args=(unrated, judge), disabled=not can_rate(judge),
            )  # fmt: skip
    with st.container(horizontal=True, gap="medium", key="compare_marks"):
        only = st.toggle("Only where they differ", key="compare_only", persist_state="session")
        adjusted = st.toggle(
            "Allow for how many are looked at", key="compare_holm", persist_state="session",
            help="Looked at together, some intervals leave 0 out by chance. Holm's method colours only those that still count when all "
            "differences of the table are allowed for.",
        )  # fmt: skip
    place.show_many()
    making.make_missing(entries, choices, those, shown, held, measured)
    rows = table(shown, choices.configurations, baseline, own, adjusted=adjusted)
    drawn = [row for row in rows if row.differs] if only and not alone else rows
    if not rows:
        st.html(
            '<p class="hint">No finished session of these configurations and clients is there yet. Make the missing ones above.</p>'
        )
    elif not drawn:
        st.html('<p class="remark">In no figure is a difference clear: nothing here is known to differ.</p>')
    else:
        if any(row.key in SCORES for row in drawn):
            st.html(scores.kind_mark(judge))
        st.html(figures.table(drawn, choices.configurations, baseline, choices.titles))
    if rows:
        if not alone:
            st.html(figures.verdict(tally(rows), adjusted))
        if any(c.model == REHEARSAL for c in choices.configurations):
            st.html('<p class="remark">The rehearsal is authored: its counsellor says much the same whatever the method. Scores of it try '
                    "this page out, and say nothing about the methods. Set up a language model to compare those.</p>")  # fmt: skip
        st.html(figures.legend())
        tidy = as_rows(rows, choices.configurations, judge.title, choices.titles)
        st.download_button("Table as CSV", partial(scores.as_csv, tidy), "comparison.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="compare_csv")  # fmt: skip
        clients.client_by_client(rows, choices, baseline, shown, own, judge.title)
        power.how_many(rows, choices, baseline, judge.title)
        variety.diversity(choices, baseline, shown)
    variety.papers_figures()
    if out:
        words = ", ".join(f"{n} {why}" for why, n in sorted(out.items()))
        st.html(f'<p class="hint">Left out of every comparison: {escape(words)}.</p>')


def page() -> None:
    """Draw the view that is wanted; what is running stands last."""
    if state.enter("compare") or state.kept("compare_view") is None:
        place.take()
    job, rating = state.making.job(state.kept("compare_job") or ""), job_at_hand("")
    seen = job.look() if job else None
    with st.container(key="compare"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Compare", width="content")
            view = st.segmented_control(
                "View", list(place.VIEWS), default=None if state.kept("compare_view") else "many", required=True, key="compare_view",
                format_func=lambda v: place.VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        slot = st.empty()
        if seen:
            slot.html(making.progress(seen))
        entries = state.sessions.recent(MOST)
        if view == "two":
            two(entries)
        else:
            many(entries)
        if told := state.told():
            st.warning(theme.plain(told))
    if (seen and seen.live) or (rating and rating.live):
        with slot:
            watch(partial(look, job, seen.finished if seen else 0, rating.job if rating else None))


def look(job: MakingJob | None, drawn: int, rating: Job | None) -> tuple[str, bool]:
    """Return how what is running stands, and whether a session is finished that is not `drawn` yet, or all is done."""
    now = job.look() if job else None
    going = (now and now.live) or (rating and rating.look().live)
    return making.progress(now) if now else "", not going or bool(now and now.finished > drawn)


page()
