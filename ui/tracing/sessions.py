"""What sessions cost: one by agent, turn and model, and all of them by configuration."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from magnet_core.costs import Prices, day_of, grouped, session_cost, together, waited, waits
from magnet_core.domain import Session
from magnet_core.models import REHEARSAL
from magnet_core.scoring.compare import name_of
from magnet_core.store import Entry
from ui import state, theme
from ui.scoring.judging import line_of
from ui.state.costs import Trace
from ui.tracing import tables
from ui.tracing.tables import WAITED, Row


def one(entries: Sequence[Entry]) -> None:
    """Draw one session's cost by agent and by turn."""
    lines = {entry.id: line_of(entry) for entry in entries}
    if state.kept("trace_session") not in lines:
        state.keep("trace_session", next(iter(lines)))
    id = st.selectbox("Session", list(lines), key="trace_session", format_func=lambda i: lines.get(i) or str(i), width=640,
                      persist_state="session")  # fmt: skip
    state.address.show_place(view="one", session=id)
    session = state.sessions.stored(id)
    if session is None:
        return
    listed = state.spending.prices()
    cost = session_cost(session, listed)
    if not cost.calls:
        tables.hint("This session has no recorded calls: it was imported, or has not begun.")
        return
    st.html(tables.facts(cost, waited(session)))
    if session.parent:
        tables.hint(f"A fork: the {session.parent.turns} turns it shares with its parent are counted here as well.")
    agents = grouped(session, listed, lambda _, call: theme.title_of(call.agent))
    tables.heading("By agent")
    tables.draw([{"Agent": name} | tables.told(part) for name, part in agents.items()], "agent", "Cost by agent")
    tables.hint("Agents work at the same time, so their seconds overlap and add up to more than anybody waited.")
    tables.heading("By turn")
    tables.draw(by_turn(session, listed), "turn", "Cost by turn")
    models = grouped(session, listed, lambda _, call: call.model)
    if len(models) > 1:
        tables.heading("By model")
        tables.draw([{"Model": name} | tables.told(part) for name, part in models.items()], "model", "Cost by model")
    unpriced(session, listed)


def by_turn(session: Session, listed: Prices) -> list[Row]:
    """Return a row for each turn: how long a reader would have waited for it, beside what its calls took together."""
    parts, seconds = grouped(session, listed, lambda turn, _: turn), waits(session)
    return [
        {"Turn": "Plan" if turn == 0 else f"Turn {turn}", WAITED: round(seconds[turn], 2)} | tables.told(part)
        for turn, part in parts.items()
    ]


def unpriced(session: Session, listed: Prices) -> None:
    day = day_of(session)
    models = {c.model for turn in session.turns for c in turn.calls} | {c.model for c in session.plan_calls}
    if missing := sorted(m for m in models if listed.on(m, day) is None):
        tables.hint(f"No price is known for {', '.join(missing)} on {day:%d %b %Y}; it can be added under Prices.")


def many(traces: Sequence[Trace]) -> None:
    """Draw what all sessions cost, by configuration and one by one."""
    state.address.show_place(view="many", session="")
    traced = [t for t in traces if t.cost.calls]
    if not traced:
        tables.hint("No session here has recorded calls.")
        return
    paid = [t for t in traced if t.configuration.model != REHEARSAL]
    told = paid or traced
    st.html(tables.facts(together([t.cost for t in told]), sum(t.waited for t in told), len(told)))
    if paid and len(paid) < len(traced):
        tables.hint(
            f"Of sessions with a language model. The rehearsal, in {len(traced) - len(paid)} more, uses no tokens and costs nothing."
        )
    if any(t.cost.price is None for t in paid):
        known = [t.cost.price for t in paid if t.cost.price is not None]
        if known:
            tables.hint(f"Prices are known of {len(known)} of {len(paid)} sessions: {tables.dollars(sum(known))} together.")
    rows: list[Row] = []
    for configuration in dict.fromkeys(t.configuration for t in traced):
        own = [t for t in traced if t.configuration == configuration]
        rows.append(
            {
                "Configuration": name_of(configuration),
                "Who sees what": configuration.visibility,
                "Prompts": configuration.prompts or "ours",
                "Sessions": len(own),
                "Turns": sum(t.entry.turns for t in own),
                WAITED: round(sum(t.waited for t in own), 2),
            }
            | tables.told(together([t.cost for t in own]))
        )
    tables.heading("By configuration")
    tables.draw(rows, "configurations", "Cost by configuration")
    tables.heading("By session")
    tables.draw(
        [{"Session": line_of(t.entry), WAITED: round(t.waited, 2)} | tables.told(t.cost) for t in traced],
        "sessions",
        "Cost by session",
    )
    tables.hint("Of a fork, only what it added to its parent is counted.")
