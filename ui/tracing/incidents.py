"""What went wrong on the way to answers: counted, filtered, and each with the way to its turn and its call."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from zlib import crc32

import streamlit as st

from magnet_core.incidents import KINDS, Incident, Kind
from ui import state, theme
from ui.links import LAB_PAGE, leave, link
from ui.scoring.judging import line_of
from ui.state.costs import Trace
from ui.tracing import tables
from ui.tracing.spending import PURPOSES
from ui.tracing.tables import Row

TITLES: dict[Kind, str] = {
    "given up": "Given up: the turn was lost",
    "no answer": "No answer to a call beside sessions",
    "not mended": "Answer kept though a check did not like it",
    "asked again": "Answer not used, asked again",
    "cut off": "Cut off at the most tokens",
    "connection": "Connection failed, tried again",
}
NOBODY = "Nobody's"
BESIDE = "No session"


def draw(traces: Sequence[Trace]) -> None:
    """Draw what went wrong, with filters, counts and the way to each."""
    state.address.show_place(view="wrong", session="")
    names = {trace.entry.id: line_of(trace.entry) for trace in traces}
    found = state.costs.incidents(traces)
    shown = filtered(found, names)
    sessions = f"{len(traces):,} session{'' if len(traces) == 1 else 's'}"
    st.html(f'<p class="hint" role="status">{len(shown):,} of {len(found):,} in {sessions} and beside them.</p>')
    if not shown:
        return
    tables.heading("How many, by what and agent")
    tables.draw(counts(shown), "wrong_counts", "How many of each kind, by agent")
    tables.heading("One by one")
    # with other rows comes another table, so that what was chosen is not taken for what stands in its place now
    which = crc32(repr([(i.session, i.turn, i.agent, i.kind, i.attempt) for i in shown]).encode())
    place = tables.choose([row(one, names) for one in shown], f"wrong_{which}", "Errors and retries", {
        "Why": st.column_config.TextColumn(width="large"), "Session": st.column_config.TextColumn(width="medium"),
    })  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wrong_do"):
        tables.as_file([row(one, names) for one in shown], "wrong")
        if place is None:
            st.html('<p class="hint">Choose a row to see all of it, and to go to its turn.</p>', width="content")
    if place is not None:
        whole(shown[place], names)
    if len(state.spending.failures()) >= (most := state.spending.MOST_FAILURES):
        tables.hint(f"Of calls without an answer only the latest {most:,} were looked at; there are more.")
    tables.hint(
        "Day is the day a call was made; of a call in a kept turn, the day its session began. A call that failed and was made again is "
        "in the list once its turn is finished; a turn given up for good stands here in one line."
    )


def filtered(found: Sequence[Incident], names: dict[str, str]) -> list[Incident]:
    """Draw the filters; return what passes them."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="wrong_filters"):
        kinds = pick("What", [k for k in KINDS if any(i.kind == k for i in found)], "kinds", TITLES, 270)
        agents = pick(
            "Agent", sorted({i.agent for i in found}), "agents", {a: agent_name(a) for a in {i.agent for i in found}}, 190
        )
        models = pick("Model", sorted({i.model for i in found}), "models", {}, 190)
        ids = list(dict.fromkeys(i.session for i in found))
        sessions = pick("Session", ids, "sessions", {id: session_name(id, names) for id in ids}, 280)
        days = pick("Day", list(dict.fromkeys(i.day.isoformat() for i in found)), "days", {}, 170)
        words = st.text_input("Words", key="trace_words", width=160, persist_state="session") or ""
    return [
        i
        for i in found
        if (not kinds or i.kind in kinds)
        and (not agents or i.agent in agents)
        and (not models or i.model in models)
        and (not sessions or i.session in sessions)
        and (not days or i.day.isoformat() in days)
        and words.casefold() in i.detail.casefold()
    ]


def pick(label: str, there: Sequence[str], key: str, titles: dict[str, str] | dict[Kind, str], width: int) -> list[str]:
    """Draw a filter; return what is chosen in it."""
    field, named = f"trace_{key}", {str(name): title for name, title in titles.items()}
    state.keep(field, [one for one in state.kept(field) or [] if one in there])
    return st.multiselect(label, there, key=field, format_func=lambda one: named.get(one, one) or tables.NONE, width=width,
                          persist_state="session", placeholder="All")  # fmt: skip


def counts(found: Sequence[Incident]) -> list[Row]:
    """Return how many there are of each kind, by agent."""
    agents = list(dict.fromkeys(agent_name(i.agent) for i in sorted(found, key=lambda i: i.agent)))
    rows: list[Row] = []
    for kind in KINDS:
        own = [agent_name(i.agent) for i in found if i.kind == kind]
        if own:
            rows.append({"What": TITLES[kind], "All": len(own)} | {agent: own.count(agent) for agent in agents})
    return rows


def row(one: Incident, names: dict[str, str]) -> Row:
    return {
        "Day": one.day.isoformat(),
        "What": TITLES[one.kind],
        "For": PURPOSES[one.purpose],
        "Agent": agent_name(one.agent),
        "Model": one.model,
        "Turn": one.turn,
        "Why": one.detail,
        "Session": session_name(one.session, names),
    }


def agent_name(agent: str) -> str:
    return {"judge": "Judge", "drafting": "Drafting", "test": "Test", "": NOBODY}.get(agent) or theme.title_of(agent)


def session_name(id: str, names: dict[str, str]) -> str:
    return names.get(id) or (f"{id} (not in the library)" if id else BESIDE)


def whole(one: Incident, names: dict[str, str]) -> None:
    """Draw one of them in full, with the way to its turn and to the call in the lab."""
    where = "" if one.turn is None else ", the plan" if one.turn == 0 else f", turn {one.turn}"
    st.html(
        f'<section class="card"><header><h3>{escape(TITLES[one.kind])}</h3></header><p class="says">{escape(one.detail)}</p>'
        f'<p class="hint">{escape(f"{agent_name(one.agent)}{where} · {one.model} · {session_name(one.session, names)}")}</p></section>'
    )
    if one.session not in names:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wrong_go"):
        st.button("To this turn", icon=":material/forum:", key="wrong_turn", on_click=leave, args=(one.session, one.turn))
        if one.attempt is not None:
            place = {"session": one.session, "turn": str(one.turn or 0), "agent": one.agent, "attempt": str(one.attempt)}
            link(LAB_PAGE, "Replay this call", ":material/science:", place)
