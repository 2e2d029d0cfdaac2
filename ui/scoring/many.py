"""The scores of the library: one figure by group, and what the planner picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from magnet_core.domain import Attitude
from magnet_core.errors import PromptError
from magnet_core.methods import METHODS
from magnet_core.scoring.rules import Measure
from magnet_core.scoring.tables import FEWEST, Judge, collapse, counts, figures, group, value_of
from magnet_core.store import Entry
from ui import charts, state, theme
from ui.engine.scorer import sheets_of
from ui.scoring import scores
from ui.scoring.judging import BY_RULES, MOST, USUAL, Drawn, Watched, can_rate, dark, job_at_hand, look_at, nothing_yet, plot

BY: dict[str, Callable[[Entry], str]] = {
    "Attitude": lambda entry: theme.ATTITUDES[entry.attitude],
    "Method": lambda entry: METHODS[entry.method].title if entry.method in METHODS else entry.method,
    "Model": lambda entry: entry.model or "Unknown",
    "Judge": lambda entry: "",
}
COUNT = "count:"
"""Begins the key of what the rules count: no judge gives it."""
LEGEND = (
    f"A point is a session, a diamond the mean of a group, its bar the 95 % bootstrap interval (from {FEWEST} sessions on)."
)


def many() -> Drawn:
    """Draw the scores of the library; return the job to look at and the place for its progress."""
    job = job_at_hand("")
    entries = {entry.id: entry for entry in state.sessions.recent(MOST)}
    state.address.show_place(view="many", session="")
    slot = st.empty()
    if told := state.told():
        st.warning(theme.plain(told))
    if not entries:
        nothing_yet()
        return job, slot
    spread, planner = st.tabs(["Scores by group", "The planner's picks"], key="scores_many_tab", on_change="rerun")
    if spread.open:
        with spread:
            distributions(entries, job)
    if planner.open:
        with planner:
            picks(entries)
    return job, slot


def distributions(entries: dict[str, Entry], job: Watched | None) -> None:
    """Draw one figure of all scored sessions by group, of one judge at a time or with the judges as groups."""
    held = {key: cards for key, cards in state.scores.by_judge(state.scores.all_cards()).items() if key[0] in entries}
    judges = list(dict.fromkeys([BY_RULES, *(by for _, by in held)]))
    begin_with(judges, [by for _, by in held])
    known = figures(rubric.item for rubric in state.scores.rubrics())
    rules = counts()
    titles = {k: f.title for k, f in known.items()} | {f"{COUNT}{m.name}": f"Counted: {m.title}" for m in rules.values()}
    counting = str(state.kept("scores_figure") or "").startswith(COUNT)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        judge = st.selectbox(
            "Judge", judges, key="scores_many_judge", format_func=lambda j: j.title, width=230, persist_state="session",
            disabled=counting,
        )  # fmt: skip
        key = st.selectbox(
            "Score",
            list(titles),
            key="scores_figure",
            format_func=lambda k: titles[k],
            width=330,
            persist_state="session",
        )
        by = st.segmented_control(
            "By", list(BY), default="Attitude", required=True, key="scores_by", persist_state="session",
        )  # fmt: skip
        wanted = filters(entries)
        if not counting or (job and job.live):
            finish_off(entries, held, judge, job)
    if key.startswith(COUNT):
        return counted({id: e for id, e in entries.items() if e.turns and wanted(e)}, rules[key.removeprefix(COUNT)], by)
    figure = known[key]
    places = {id: place for place, id in enumerate(entries)}
    groups_of: dict[str, list[float | None]] = {}
    for (id, rated_by), cards in sorted(held.items(), key=lambda one: places[one[0][0]]):
        if wanted(entries[id]) and (by == "Judge" or rated_by == judge) and not cards.keys().isdisjoint(figure.instruments):
            name = rated_by.title if by == "Judge" else BY[by](entries[id])
            groups_of.setdefault(name, []).append(value_of(figure, cards))
    found = [group(name, values) for name, values in sorted(groups_of.items())]
    if not found:
        rated = (
            by for (id, by), cards in held.items() if wanted(entries[id]) and not cards.keys().isdisjoint(figure.instruments)
        )
        return unscored(judge, list(dict.fromkeys(rated)))
    if by == "Judge":
        st.html(
            '<p class="remark">Each row is a judge of its own kind. Rules and models do not measure on the same scale: compare within a row.</p>'
        )
    else:
        st.html(scores.kind_mark(judge))
    said = "; ".join(f"{g.name}: mean {scores.MISSING if g.mean is None else f'{g.mean:.2f}'}, n = {g.n}" for g in found)
    title = f"{figure.title}, {figure.low:g} to {figure.high:g}" + ("" if by == "Judge" else f" · {judge.title}")
    plot(charts.groups(found, figure.low, figure.high, title, dark=dark()), "groups", f"{title}. {said}")
    st.html(f'<p class="hint">{escape(LEGEND)}</p>')
    rows = scores.table(found)
    st.dataframe(
        scores.table(found, shown=True), hide_index=True, alt="Groups with n, mean and interval", key="scores_table"
    )
    every = [card for (id, _), cards in held.items() if wanted(entries[id]) for card in cards.values()]
    with st.container(horizontal=True, gap="small"):
        st.download_button("This table as CSV", partial(scores.as_csv, rows), "groups.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="scores_table_csv")  # fmt: skip
        st.download_button("All ratings as CSV", partial(scores.csv_of, every), "scores.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="scores_all_csv")  # fmt: skip


def begin_with(judges: list[Judge], rated: list[Judge]) -> None:
    """Choose the first judge that is shown: the one of the view of one session where it has rated, or else one that has."""
    if state.kept("scores_many_judge") in judges:
        return
    first = state.kept("scores_judge", BY_RULES)
    state.keep("scores_many_judge", next((judge for judge in (first, BY_RULES, *rated) if judge in rated), BY_RULES))


def unscored(judge: Judge, others: list[Judge]) -> None:
    """Say that a judge has given a score to no session here, and which judges have."""
    have = (
        f" {' and '.join(other.title for other in others)} {'has' if len(others) == 1 else 'have'} given it."
        if others
        else ""
    )
    rest = " “Score the rest” rates those that have none." if can_rate(judge) else ""
    st.html(f'<p class="hint">{escape(f"No session here has this score from {judge.title}.{have}{rest}")}</p>')


def counted(entries: dict[str, Entry], measure: Measure, by: str) -> None:
    """Draw one thing that the rules count in every session, by group; nobody rates it, so there is no judge."""
    values, left = state.scores.counted(entries.values())
    if left:
        st.progress(1 - left / len(entries), f"Counting: {len(entries) - left} of {len(entries)} sessions")
        st.rerun()
    name_of = BY[by] if by != "Judge" else lambda entry: "All sessions"
    groups_of: dict[str, list[float | None]] = {}
    for id, entry in entries.items():
        if id in values:
            groups_of.setdefault(name_of(entry), []).append(values[id][measure.name])
    found = [group(name, of) for name, of in sorted(groups_of.items())]
    there = [value for one in found for value in one.values]
    if not there:
        st.html('<p class="hint">No session here has this count.</p>')
        return
    high = measure.high if measure.high is not None else max(1.0, 1.05 * max(there))
    said = "; ".join(f"{g.name}: mean {scores.MISSING if g.mean is None else f'{g.mean:.2f}'}, n = {g.n}" for g in found)
    unit = "0 to 1" if measure.high == 1.0 else measure.unit
    title = f"{measure.title}, {unit}"
    st.html(f'<p class="remark">Counted in the text by rules; no judge. {escape(measure.read)}</p>')
    plot(charts.groups(found, measure.low, high, title, dark=dark()), "groups", f"{title}. {said}")
    st.html(f'<p class="hint">{escape(LEGEND)} Source: {escape(measure.source)}</p>')
    rows = scores.table(found)
    st.dataframe(
        scores.table(found, shown=True), hide_index=True, alt="Groups with n, mean and interval", key="scores_table"
    )
    every = [{"session": id, "group": name_of(entries[id]), "turns": entries[id].turns, **of} for id, of in values.items()]
    with st.container(horizontal=True, gap="small"):
        st.download_button("This table as CSV", partial(scores.as_csv, rows), "groups.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="scores_table_csv")  # fmt: skip
        st.download_button("All counts as CSV", partial(scores.as_csv, every), "counts.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="scores_counts_csv")  # fmt: skip


def filters(entries: dict[str, Entry]) -> Callable[[Entry], bool]:
    """Draw the filters; return what tells whether a session passes them."""
    with st.popover("Filter", icon=":material/filter_list:", key="scores_filter"):
        attitudes = st.multiselect(
            "Attitude",
            list(Attitude),
            key="scores_f_attitude",
            format_func=lambda a: theme.ATTITUDES[a],
            persist_state="session",
        )
        methods = st.multiselect("Method", sorted({e.method for e in entries.values()}), key="scores_f_method",
                                 format_func=lambda m: METHODS[m].title if m in METHODS else m, persist_state="session")  # fmt: skip
        models = st.multiselect(
            "Model", sorted({e.model for e in entries.values()}), key="scores_f_model", persist_state="session"
        )
        finished = st.toggle("Finished sessions only", True, key="scores_f_finished", persist_state="session")
    return lambda e: (
        (not attitudes or e.attitude in attitudes)
        and (not methods or e.method in methods)
        and (not models or e.model in models)
        and (e.ended or not finished)
    )


def finish_off(entries: dict[str, Entry], held: Mapping[Any, Any], judge: Judge, job: Watched | None) -> None:
    """Draw the button that has all sessions scored which this judge has not rated."""
    if job and job.live:
        return job.stop_button()
    rest = [e.id for e in entries.values() if e.turns and (e.id, judge) not in held]
    here = can_rate(judge)
    st.button(
        f"Score the rest ({len(rest)})", icon=":material/fact_check:", key="scores_rest", on_click=begin_rest, args=(rest, judge),
        disabled=not rest or not here, help=f"Rates CTRS, WAI and PANAS of the sessions that {judge.title} has not rated.",
    )  # fmt: skip


def begin_rest(ids: list[str], judge: Judge) -> None:
    try:
        sheets = state.scores.in_words_of(judge, sheets_of(USUAL))
    except PromptError as error:
        return state.say(str(error))
    look_at(state.scores.score(ids, state.scores.order(judge.name, sheets)), "many")


def picks(entries: dict[str, Entry]) -> None:
    """Draw which techniques the planner picks, against those the clients call for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = filters(entries)
    plans = [plan for plan in state.scores.plans() if plan.session_id in entries and wanted(entries[plan.session_id])]
    found = collapse((plan.technique, plan.calls_for) for plan in plans)
    if not found.sessions:
        st.html('<p class="hint">No plan here belongs to a client that is known to call for a technique.</p>')
        return
    top = max(found.picked, key=lambda technique: found.picked[technique])
    picked, called = found.varied
    st.html(
        '<div class="facts means">'
        f"<span><b>{found.fitting}</b> of {found.sessions} plans take a technique the client calls for</span>"
        f"<span><b>{escape(top.value)}</b> is picked in {found.picked[top] / found.sessions:.0%}, called for in {found.called[top] / found.sessions:.0%}</span>"
        f"<span>As varied as <b>{picked:.1f}</b> techniques evenly used; the clients call for {called:.1f}</span>"
        + (f"<span>{found.unnamed} plans name none of the twelve</span>" if found.unnamed else "")
        + "</div>"
    )
    words = "; ".join(f"{t.value} {found.picked[t]} planned, {found.called[t]:.1f} called for" for t in found.picked)
    plot(charts.techniques(found, dark=dark()), "planner", f"Techniques in {found.sessions} sessions. {words}")
    left = len(plans) - found.sessions
    st.html(
        '<p class="hint">A planner that picks the same few techniques whoever the client is has collapsed. Each sample client was '
        "written to call for one or more techniques; a client that calls for two counts half for each."
        + (f" {left} plans of clients without such a note are left out." if left else "")
        + "</p>"
    )
    rows = [
        {
            "technique": t.value,
            "planned": found.picked[t],
            "called_for": round(found.called[t], 2),
            "sessions": found.sessions,
        }
        for t in found.picked
    ]
    st.download_button("As CSV", partial(scores.as_csv, rows), "planner.csv", "text/csv", on_click="ignore",
                       icon=":material/download:", key="scores_plans_csv")  # fmt: skip
