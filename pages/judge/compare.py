"""Ways of making sessions against each other on the same clients, and two sessions side by side."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from html import escape
from itertools import product
from typing import Any

import streamlit as st

from magnet_core import prompts
from magnet_core.cast import REHEARSAL
from magnet_core.domain import ClientProfile, Session, Visibility
from magnet_core.methods import METHODS, method_named
from magnet_core.scoring.compare import (
    OURS,
    PAPER,
    SCORES,
    Configuration,
    Measured,
    Row,
    client_key,
    configuration_of,
    missing,
    name_of,
    needed,
    side_by_side,
    table,
)
from magnet_core.scoring.tables import FEWEST, newest
from magnet_core.session import new_session
from magnet_core.store import Entry
from ui import comparing, scores, state, theme
from ui.judging import BY_RULES, MOST, USUAL, can_rate, job_at_hand, line_of
from ui.maker import MakingJob
from ui.scorer import Job, sheets_of

VIEWS = {"many": "Configurations", "two": "Two sessions"}
MOST_COLUMNS = 12
LENGTHS = ("8-8", "8-12", "8-20")
BUDGET, EVERY = 0.4, 0.5
"""Seconds a look at a running job lasts, and seconds between two looks."""


def many(entries: list[Entry]) -> None:
    """Draw configurations against a baseline, and what is missing."""
    measured, out = state.costs.measured(entries, state.costs.prices())
    length, wanted = choose_what(measured)
    held = [m for m in measured if m.client.endswith(f":{length}")]
    known = list(dict.fromkeys(m.configuration for m in held))
    configurations = [c for c in wanted if c.prompts == OURS or c in known]
    if len(configurations) > MOST_COLUMNS:
        words = f"{len(configurations)} configurations are too many for one table; the first {MOST_COLUMNS} are shown."
        st.html(f'<p class="flag">{words}</p>')
        configurations = configurations[:MOST_COLUMNS]
    if not configurations:
        st.html('<p class="hint">Choose at least one method and one model.</p>')
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_base"):
        clients = choose_clients(held, length)
        baseline = st.selectbox(
            "Baseline", configurations, key="compare_baseline", format_func=lambda c: name_of(c, configurations), width=260,
        )  # fmt: skip
        cards = newest(state.scores.all_cards())
        judges = list(dict.fromkeys([BY_RULES, *(by for _, by in cards)]))
        judge = st.selectbox(
            "Judge", judges, key="compare_judge", format_func=lambda j: j.title, width=230, persist_state="session"
        )
        only = st.toggle("Only where they differ", key="compare_only", persist_state="session")
        shown = [m for m in held if m.client in clients and m.configuration in configurations]
        own = {id: found for (id, by), found in cards.items() if by == judge}
        unrated = [m.session_id for m in shown if m.session_id not in own]
        if unrated:
            st.button(
                f"Score the rest ({len(unrated)})", icon=":material/fact_check:", key="compare_score", on_click=rate_rest,
                args=(unrated, judge.name), disabled=not can_rate(judge),
            )  # fmt: skip
    make_missing(shown, configurations, clients, held, measured, length)
    rows = table(shown, configurations, baseline, own)
    drawn = [row for row in rows if row.differs] if only else rows
    if not rows:
        st.html(
            '<p class="hint">No finished session of these configurations and clients is there yet. Make the missing ones above.</p>'
        )
    elif not drawn:
        st.html('<p class="remark">In no figure does an interval leave 0 out: nothing here is known to differ.</p>')
    else:
        if any(row.key in SCORES for row in drawn):
            st.html(scores.kind_mark(judge))
        st.html(comparing.table(drawn, configurations, baseline))
        if any(c.model == REHEARSAL for c in configurations):
            st.html('<p class="remark">The rehearsal is authored: its counsellor says much the same whatever the method. Scores of it try '
                    "this page out, and say nothing about the methods. Set up a language model to compare those.</p>")  # fmt: skip
        st.html(comparing.legend())
        st.html('<p class="hint">Time to wait is from the first call to the last answer of every turn; of the rehearsal it is the '
                "pace that was chosen. What an endpoint did not count, and what has no price, is “–”.</p>")  # fmt: skip
        tidy = comparing.as_rows(rows, configurations, judge.name)
        st.download_button("Table as CSV", partial(scores.as_csv, tidy), "comparison.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="compare_csv")  # fmt: skip
    if rows:
        how_many(rows, configurations, baseline)
    if out:
        words = ", ".join(f"{n} {why}" for why, n in sorted(out.items()))
        st.html(f'<p class="hint">Left out of every comparison: {escape(words)}.</p>')


def choose_what(measured: Sequence[Measured]) -> tuple[str, list[Configuration]]:
    """Draw the four choices that make up configurations, and the length; return both."""
    seen = [m.configuration for m in measured]
    models = list(dict.fromkeys([*(c.model for c in seen), *state.voices.known()]))
    packs = list(dict.fromkeys([OURS, *(c.prompts for c in seen)]))
    views: list[Visibility] = ["repaired", "paper"]
    lengths = Counter(m.client.rpartition(":")[2] for m in measured)
    if state.kept("compare_methods") is None:
        state.keep("compare_methods", [m for m in METHODS if any(c.method == m for c in seen)] or list(PAPER))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_what"):
        methods = st.multiselect(
            "Methods", list(METHODS), key="compare_methods", format_func=lambda m: METHODS[m].title, persist_state="session",
            width=460,
        )  # fmt: skip
        spoken = st.multiselect(
            "Models", models, default=models[:1], key="compare_models", persist_state="session", width=260
        )
        seen_by = st.multiselect("Who sees what", views, default=["repaired"], key="compare_views", persist_state="session", width=200,
                                 format_func=str.capitalize)  # fmt: skip
        worded = [OURS]
        if len(packs) > 1:
            worded = st.multiselect("Prompts", packs, default=[OURS], key="compare_packs", persist_state="session", width=260,
                                    format_func=lambda p: p or "Ours")  # fmt: skip
        choices = list(dict.fromkeys([*(name for name, _ in lengths.most_common()), *LENGTHS]))
        length = st.selectbox("Turns", choices, key="compare_length", format_func=_length, width=140, persist_state="session",
                              help="Only sessions of the same length are compared.")  # fmt: skip
        st.button("The paper's table", icon=":material/table_chart:", key="compare_paper", on_click=state.keep,
                  args=("compare_methods", list(PAPER)),
                  help="MAGneT, its ablations, a single agent and a plain one.")  # fmt: skip
    made = [
        Configuration(method=method, model=model, visibility=view, prompts=pack)
        for model, view, pack, method in product(spoken, seen_by, worded, methods)
    ]
    return str(length), made


def choose_clients(held: Sequence[Measured], length: str) -> frozenset[str]:
    """Draw which clients count; return their keys."""
    names = {m.client: m.name for m in held} | {
        key: f"{profile.name}, {profile.attitude.value}" for key, profile in offered(length).items()
    }
    there = list(dict.fromkeys(m.client for m in held))
    options = [*there, *(key for key in names if key not in there)]
    field = f"compare_clients_{length}"
    if state.kept(field) is None:
        state.keep(field, options[: max(len(there), FEWEST)])
    with st.popover("Clients", icon=":material/groups:", key="compare_who"):
        chosen = st.multiselect(
            "Clients that count", options, key=field, format_func=lambda key: names.get(key) or str(key), persist_state="session",
            help="A client is the same only word for word, with the same attitude.",
        )  # fmt: skip
    return frozenset(chosen)


def offered(length: str) -> dict[str, ClientProfile]:
    """Return the clients that sessions can be made with, as they are now, by their keys at a length."""
    least, most = _ends(length)
    return {client_key(profile, most, least): profile for profile in state.clients.everyone().values()}


def make_missing(
    shown: Sequence[Measured],
    configurations: Sequence[Configuration],
    clients: frozenset[str],
    held: Sequence[Measured],
    everything: Sequence[Measured],
    length: str,
) -> None:
    """Draw what is missing, what making it takes, and the button; or how far a running job is."""
    job = state.making.job(state.kept("compare_job") or "")
    if job and job.look().live:
        st.button("Stop", icon=":material/stop:", key="compare_stop", on_click=state.making.stop, args=(job,))
        return
    if not clients:
        st.html('<p class="hint">Choose at least one client.</p>')
        return
    gaps = missing(shown, configurations, sorted(clients))
    if not gaps:
        st.html('<p class="hint">Every client has a session under every configuration.</p>')
        return
    voices, profiles = state.voices.known(), offered(length)
    stored = {m.client: m.session_id for m in held}
    can = [(c, key) for c, key in gaps if c.model in voices and (key in profiles or key in stored)]
    _, most = _ends(length)
    calls = sum(method_named(c.method).calls(most) for c, _ in can)
    tokens, price = estimate(can, everything, most)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare_missing"):
        priced = all(state.costs.prices().on(c.model, _today()) is not None for c, _ in can)
        limit = None
        if priced and any(c.model != REHEARSAL for c, _ in can):
            limit = st.number_input("Stop at, $", min_value=0.01, value=None, key="compare_budget", width=150, placeholder="no limit",
                                    help="The job stops once finished turns have cost this much; calls under way are paid as well.")  # fmt: skip
        st.button(
            f"Make the missing sessions ({len(can)})", type="primary", icon=":material/playlist_add:", key="compare_make",
            on_click=begin, args=(can, length, profiles, stored, held, limit), disabled=not can,
        )  # fmt: skip
        away = f" {len(gaps) - len(can)} more need a model that is not set up here." if len(gaps) > len(can) else ""
        st.html(
            f'<p class="hint">{len(gaps)} of {len(configurations) * len(clients)} are missing. At most {calls:,} calls, '
            f"{comparing.number(tokens, 'tokens')} tokens, ${comparing.number(price, '$')}.{escape(away)} "
            "Each is rated by the rules when it is finished.</p>"
        )


def estimate(
    wanted: Sequence[tuple[Configuration, str]], known: Sequence[Measured], turns: int
) -> tuple[float | None, float | None]:
    """Return tokens and price of sessions to be made, from the means of those with the same method and model; None if unknown."""
    sums: list[float | None] = [0.0, 0.0]
    for configuration, _ in wanted:
        alike = [
            m
            for m in known
            if (m.configuration.method, m.configuration.model) == (configuration.method, configuration.model)
        ]
        for place, key in enumerate(("tokens", "price")):
            per_call = [v / m.values["calls"] for m in alike if (v := m.values[key]) is not None and m.values["calls"]]
            total = sums[place]
            mean_call = sum(per_call) / len(per_call) if per_call else None
            sums[place] = (
                None
                if total is None or mean_call is None
                else total + mean_call * method_named(configuration.method).calls(turns)
            )
    return sums[0], sums[1]


def begin(
    wanted: Sequence[tuple[Configuration, str]],
    length: str,
    profiles: dict[str, ClientProfile],
    stored: dict[str, str],
    held: Sequence[Measured],
    budget: float | None,
) -> None:
    """Have the missing sessions made, going on with what an earlier job left unfinished."""
    least, most = _ends(length)
    left = unfinished()
    examples = {m.configuration: m.session_id for m in held}
    by_model: dict[str, list[Session]] = {}
    for configuration, key in wanted:
        session = left.get((configuration, key)) or _new(configuration, key, profiles, stored, examples, least, most)
        if session:
            by_model.setdefault(configuration.model, []).append(session)
    state.keep(
        "compare_job", state.making.make([state.making.batch_of(model, made) for model, made in by_model.items()], budget)
    )


def _new(
    configuration: Configuration, key: str, profiles: dict[str, ClientProfile], stored: dict[str, str],
    examples: dict[Configuration, str], least: int, most: int,
) -> Session | None:  # fmt: skip
    profile = profiles.get(key)
    if profile is None and (example := state.sessions.stored(stored.get(key, ""))):
        profile = example.profile
    if profile is None:
        return None
    texts = prompts.load()
    if configuration.prompts != OURS and (example := state.sessions.stored(examples.get(configuration, ""))):
        texts = texts | {p.name: p for p in example.prompts}
    made = new_session(
        profile, method=configuration.method, visibility=configuration.visibility, min_turns=least, max_turns=most, prompt_set=texts,
    )  # fmt: skip
    return made.model_copy(update={"models": dict.fromkeys(method_named(configuration.method).agents, configuration.model)})


def unfinished() -> dict[tuple[Configuration, str], Session]:
    """Return what earlier jobs left unfinished, by configuration and client."""
    return {
        (configuration_of(session), client_key(session.profile, session.max_turns, session.min_turns)): session
        for session in state.making.left_unfinished(state.sessions.recent(MOST))
    }


def rate_rest(ids: list[str], judge: str) -> None:
    state.keep("scores_job", state.scores.score(ids, state.scores.order(judge, sheets_of(USUAL))))


def how_many(rows: Sequence[Row], configurations: Sequence[Configuration], baseline: Configuration) -> None:
    """Draw how many sessions would show a difference that is worth seeing."""
    others = [c for c in configurations if c != baseline]
    if not others:
        return
    with st.expander("How many sessions are needed to see a difference?", key="compare_power", on_change="rerun") as box:
        if not box.open:
            return
        by_key = {row.key: row for row in rows}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            key = st.selectbox(
                "Figure", list(by_key), key="compare_p_figure", format_func=lambda k: by_key[k].title, width=300
            )
            other = st.selectbox("Against the baseline", others, key="compare_p_other", width=260,
                                 format_func=lambda c: name_of(c, configurations))  # fmt: skip
            row = by_key[key]
            found = row.cells[list(configurations).index(other)].delta
            worth = st.number_input("A difference of", min_value=0.0001, value=None, key=f"compare_p_worth_{key}", width=150,
                                    placeholder=row.unit, help="The smallest difference that would matter to you.")  # fmt: skip
            power = st.selectbox(
                "Seen with a chance of", [0.8, 0.9], key="compare_p_power", format_func=lambda p: f"{p:.0%}", width=170
            )
        if not worth:
            st.html(
                '<p class="hint" id="needed">Say how large a difference would matter to you, in the unit of the figure.</p>'
            )
            return
        answer = needed(found.spread, float(worth), found.n, float(power)) if found and found.spread else None
        if answer is None or found is None:
            why = (
                "the differences do not spread at all"
                if found and found.spread == 0
                else f"fewer than {FEWEST} pairs are there"
            )
            st.html(f'<p class="hint" id="needed">It cannot be said: {why}.</p>')
            return
        spread = comparing.number(found.spread, row.unit)
        st.html(
            f'<p class="remark" id="needed"><b>{answer.pairs} clients</b>, that is {2 * answer.pairs} sessions, one of each kind for every '
            f"client; up to {answer.most} clients if the spread is larger than it looks. The differences of {found.n} pairs spread by "
            f"{spread} (standard deviation). Two-sided paired t test at 5 %.</p>"
        )


def two(entries: list[Entry]) -> None:
    """Draw two sessions in step."""
    if len(entries) < 2:
        st.html('<p class="hint">Two sessions are needed; the library holds fewer.</p>')
        return
    lines = {entry.id: line_of(entry) for entry in entries}
    ids = list(lines)
    alike = [e for e in entries[1:] if e.profile_id == entries[0].profile_id]
    mate = next((e.id for e in alike if e.method != entries[0].method), alike[0].id if alike else ids[1])
    for name, first in (("left", ids[0]), ("right", mate)):
        if state.kept(f"compare_{name}") not in lines:
            [asked] = state.address.place_asked(name)
            state.keep(f"compare_{name}", asked if asked in lines else first)
    columns = st.columns(2, gap="small")
    picked = [
        column.selectbox(
            title, ids, key=f"compare_{name}", format_func=lambda id: lines.get(id) or str(id), persist_state="session"
        )
        for column, name, title in zip(columns, ("left", "right"), ("Left", "Right"), strict=True)
    ]
    left, right = (state.sessions.stored(id) for id in picked)
    state.address.show_place(view="two", left=picked[0], right=picked[1])
    if left is None or right is None:
        return
    with st.container(horizontal=True, gap="medium"):
        only = st.toggle("Only where they differ", key="compare_two_only", persist_state="session")
        words = st.toggle("Mark the words", key="compare_words", persist_state="session",
                          help="Struck through: only on the left. Marked: only on the right.")  # fmt: skip
    made = [configuration_of(s) for s in (left, right)]
    st.html(comparing.head(left, right, (name_of(made[0], made), name_of(made[1], made))))
    found = side_by_side(left, right)
    drawn = [line for line in found if line.differs or not only]
    st.html("".join(comparing.line(one, left, right, words=words) for one in drawn)
            or '<p class="remark">Word for word the same.</p>')  # fmt: skip


def page() -> None:
    """Draw the view that is wanted; what is running stands last."""
    if state.enter("compare") or state.kept("compare_view") is None:
        [asked] = state.address.place_asked("view")
        if asked in VIEWS:
            state.keep("compare_view", asked)
    job, rating = state.making.job(state.kept("compare_job") or ""), job_at_hand("")
    seen = job.look() if job else None
    with st.container(key="compare"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Compare", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("compare_view") else "many", required=True, key="compare_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        slot = st.empty()
        entries = state.sessions.recent(MOST)
        if view == "two":
            two(entries)
        else:
            state.address.show_place(view="many", left="", right="")
            many(entries)
        if told := state.told():
            st.warning(theme.plain(told))
    if job and seen:
        slot.html(comparing.progress(job.look()))
    if (seen and seen.live) or (rating and rating.live):
        watch(job, seen.finished if seen else 0, rating.job if rating else None, slot)


@st.fragment(run_every=EVERY)
def watch(job: MakingJob | None, drawn: int, rating: Job | None, slot: Any) -> None:
    """Look in on what is running; draw the page anew when a session is finished that is not `drawn` yet, or when all is done."""
    end = time.monotonic() + BUDGET
    while time.monotonic() < end:
        now = job.look() if job else None
        if now:
            slot.html(comparing.progress(now))
        if not ((now and now.live) or (rating and rating.look().live)) or (now and now.finished > drawn):
            st.rerun()
        time.sleep(0.1)


def _ends(length: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)-(\d+)", length)
    return (int(found[1]), int(found[2])) if found else (8, 20)


def _length(length: str) -> str:
    least, most = _ends(length)
    return f"{most}" if least == most else f"{least} to {most}"


def _today() -> Any:
    from magnet_core.costs import today

    return today()


page()
