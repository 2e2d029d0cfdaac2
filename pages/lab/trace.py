"""What sessions cost in time, tokens and money; what went wrong on the way; and the prices it is counted by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import streamlit as st
from pydantic import ValidationError

from magnet_core.cast import REHEARSAL
from magnet_core.costs import Cost, Price, grouped, session_cost, shipped, today, together, waited
from magnet_core.domain import Session
from magnet_core.errors import StoreError
from magnet_core.scoring.compare import name_of
from magnet_core.store import Entry
from ui import scores, state, theme
from ui.judging import MOST, line_of
from ui.state.costs import Trace

VIEWS = {"one": "One session", "many": "All sessions", "wrong": "Errors and retries", "prices": "Prices"}
NONE = "–"
KINDS = {
    "connection": "Connection failed, tried again",
    "asked again": "Answer not used, asked again",
    "not mended": "Answer kept though a check did not like it",
    "cut off": "Cut off at the most tokens",
}


def dollars(price: float | None) -> str:
    """Return a price with four significant places; a dash where it is not known."""
    return NONE if price is None else f"${price:,.4f}"


def count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def row(name: dict[str, Any], cost: Cost) -> dict[str, Any]:
    """Return a cost as a row of a table."""
    return name | {
        "Calls": cost.calls,
        "Tokens read": cost.prompt_tokens,
        "of these cached": cost.cached_tokens,
        "Tokens written": cost.completion_tokens,
        "Seconds of calls": round(cost.seconds, 2),
        "Price, $": None if cost.price is None else round(cost.price, 6),
        "Asked again": cost.asked_again,
        "Retries": cost.retries,
    }


def table(rows: Sequence[dict[str, Any]], key: str, words: str) -> None:
    """Draw rows with what is missing as a dash, and offer them as a file."""
    import pandas

    shown = pandas.DataFrame(
        [{k: NONE if v is None else f"{v:,}" if isinstance(v, (int, float)) else v for k, v in r.items()} for r in rows]
    )
    st.dataframe(shown, hide_index=True, alt=words, key=f"trace_{key}")
    st.download_button("As CSV", partial(scores.as_csv, rows), f"trace-{key}.csv", "text/csv", on_click="ignore",
                       icon=":material/download:", key=f"trace_{key}_csv")  # fmt: skip


def facts(cost: Cost, seconds: float, sessions: int = 1) -> str:
    """Return a cost in a line."""
    parts = [
        f"<span>{'sessions' if sessions != 1 else 'session'} <b>{sessions:,}</b></span>",
        f"<span>calls <b>{cost.calls:,}</b></span>",
        f"<span>tokens read <b>{count(cost.prompt_tokens)}</b>, written <b>{count(cost.completion_tokens)}</b></span>",
        f"<span>cached <b>{count(cost.cached_tokens)}</b></span>",
        f"<span>waited <b>{seconds:,.1f} s</b>, all calls summed {cost.seconds:,.1f} s</span>",
        f"<span>price <b>{dollars(cost.price)}</b></span>",
        f"<span>asked again <b>{cost.asked_again}</b>, retries <b>{cost.retries}</b></span>",
    ]
    return f'<div class="facts means">{"".join(parts)}</div>'


def one(entries: list[Entry]) -> None:
    """Draw one session's cost by agent and by turn."""
    lines = {entry.id: line_of(entry) for entry in entries}
    if state.kept("trace_session") not in lines:
        [asked] = state.address.place_asked("session")
        state.keep("trace_session", asked if asked in lines else next(iter(lines)))
    id = st.selectbox("Session", list(lines), key="trace_session", format_func=lambda i: lines.get(i) or str(i), width=640,
                      persist_state="session")  # fmt: skip
    state.address.show_place(view="one", session=id)
    session = state.sessions.stored(id)
    if session is None:
        return
    listed = state.costs.prices()
    cost = session_cost(session, listed)
    if not cost.calls:
        st.html('<p class="hint">This session has no recorded calls: it was imported, or has not begun.</p>')
        return
    st.html(facts(cost, waited(session)))
    if session.parent:
        st.html(
            f'<p class="hint">A fork: the {session.parent.turns} turns it shares with its parent are counted here as well.</p>'
        )
    by: dict[str, Callable[[int, Any], tuple[str, Any]]] = {
        "agent": lambda _, call: ("Agent", theme.title_of(call.agent)),
        "turn": lambda turn, _: ("Turn", "Plan" if turn == 0 else f"Turn {turn}"),
        "model": lambda _, call: ("Model", call.model),
    }
    for name, key in by.items():
        found = grouped(session, listed, key)
        if name == "model" and len(found) < 2:
            continue
        st.html(f'<h3 class="small">By {escape(name)}</h3>')
        table([row(dict([label]), part) for label, part in found.items()], name, f"Cost by {name}")
    unpriced(session)


def unpriced(session: Session) -> None:
    listed, day = state.costs.prices(), session.created.date()
    models = {c.model for turn in session.turns for c in turn.calls} | {c.model for c in session.plan_calls}
    if missing := sorted(m for m in models if listed.on(m, day) is None):
        st.html(f'<p class="hint">No price is known for {escape(", ".join(missing))}; it can be added under Prices.</p>')


def many(traces: list[Trace]) -> None:
    """Draw what all sessions cost, by configuration and one by one."""
    state.address.show_place(view="many", session="")
    traced = [t for t in traces if t.cost.calls]
    if not traced:
        st.html('<p class="hint">No session here has recorded calls.</p>')
        return
    st.html(facts(together([t.cost for t in traced]), sum(t.waited for t in traced), len(traced)))
    if any(t.cost.price is None for t in traced):
        known = [t.cost.price for t in traced if t.cost.price is not None]
        st.html(
            f'<p class="hint">Prices are known of {len(known)} of {len(traced)} sessions: {dollars(sum(known))} together.</p>'
        )
    configurations = list(dict.fromkeys(t.configuration for t in traced))
    rows: list[dict[str, Any]] = []
    for configuration in configurations:
        own = [t for t in traced if t.configuration == configuration]
        told = {"Configuration": name_of(configuration), "Who sees what": configuration.visibility,
                "Prompts": configuration.prompts or "ours", "Sessions": len(own), "Turns": sum(t.entry.turns for t in own)}  # fmt: skip
        rows.append(row(told, together([t.cost for t in own])) | {"Seconds waited": round(sum(t.waited for t in own), 2)})
    st.html('<h3 class="small">By configuration</h3>')
    table(rows, "configurations", "Cost by configuration")
    st.html('<h3 class="small">By session</h3>')
    table([row({"Session": line_of(t.entry)}, t.cost) | {"Seconds waited": round(t.waited, 2)} for t in traced], "sessions",
          "Cost by session")  # fmt: skip
    st.html('<p class="hint">Of a fork, only what it added to its parent is counted.</p>')


def wrong(traces: list[Trace]) -> None:
    """Draw what went wrong, with filters."""
    state.address.show_place(view="wrong", session="")
    found = [(t, i) for t in traces for i in t.incidents]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kinds = st.multiselect(
            "What", list(KINDS), key="trace_kinds", format_func=lambda k: KINDS[k], width=420, persist_state="session"
        )
        agents = st.multiselect("Agent", sorted({i.agent for _, i in found}), key="trace_agents", format_func=theme.title_of, width=240,
                                persist_state="session")  # fmt: skip
        models = st.multiselect(
            "Model", sorted({i.model for _, i in found}), key="trace_models", width=240, persist_state="session"
        )
        words = st.text_input("Words", key="trace_words", width=200, persist_state="session")
    rows = [
        {"Session": line_of(t.entry), "Turn": i.turn, "Agent": theme.title_of(i.agent), "Model": i.model, "What": KINDS[i.kind],
         "Why": i.detail}
        for t, i in found
        if (not kinds or i.kind in kinds) and (not agents or i.agent in agents) and (not models or i.model in models)
        and words.casefold() in i.detail.casefold()
    ]  # fmt: skip
    st.html(f'<p class="hint" role="status">{len(rows)} of {len(found)} in {len(traces)} sessions.</p>')
    if rows:
        table(rows, "wrong", "Errors and retries")
    st.html(
        '<p class="hint">A turn that failed for good is not kept, so it is not in this list; the Session page says why when it happens.</p>'
    )


def prices(entries: list[Entry]) -> None:
    """Draw the price list, and let own entries be added, changed and taken out."""
    state.address.show_place(view="prices", session="")
    st.html(
        '<p class="remark">US dollars for a million tokens, from a day on. A session is counted by the newest entry that is not younger than '
        "it. Prices change: check yours at the provider. The same name on a server of your own may cost nothing, or something else.</p>"
    )
    try:
        own = state.store().prices.own()
    except StoreError as error:
        st.warning(theme.plain(str(error)))
        return
    seen = [name for entry in entries for name in entry.model.split(", ") if name and name != REHEARSAL]
    names = list(dict.fromkeys([*(m for m in state.voices.known() if m != REHEARSAL), *seen, *(p.model for p in own)]))
    with (
        st.form("trace_price", clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        model = st.selectbox("Model", names, index=None, accept_new_options=True, key="price_model", width=260)
        since = st.date_input("Since", today(), key="price_since", width=150)
        read = st.number_input("Read", min_value=0.0, value=None, format="%.4f", key="price_input", width=130)
        cached = st.number_input("Read, cached", min_value=0.0, value=None, format="%.4f", key="price_cached", width=130,
                                 help="Empty counts cached tokens like the others.")  # fmt: skip
        written = st.number_input("Written", min_value=0.0, value=None, format="%.4f", key="price_output", width=130)
        source = st.text_input("Source", key="price_source", width=220, max_chars=500)
        if st.form_submit_button("Keep this price", type="primary", icon=":material/save:", key="price_keep"):
            own = keep(own, {"model": (model or "").strip(), "since": since, "input": read, "cached": cached, "output": written,
                             "source": source})  # fmt: skip
    if own:
        st.html('<h3 class="small">Own entries</h3>')
        listing(own, "own")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            named = {f"{p.model}, since {p.since}": p for p in own}
            gone = st.selectbox("Own entry", list(named), key="price_gone", width=320)
            left = [p for name, p in named.items() if name != gone]
            st.button("Take out", icon=":material/delete:", key="price_out", on_click=take_out, args=(left,))
    st.html('<h3 class="small">The list that comes with the project</h3>')
    listing(shipped().entries, "shipped")


def take_out(left: list[Price]) -> None:
    state.costs.keep_prices(left)


def listing(found: Sequence[Price], key: str) -> None:
    """Draw prices as a table."""
    rows = [
        {"Model": p.model, "Since": p.since.isoformat(), "Read": f"{p.input:g}", "Read, cached": NONE if p.cached is None else f"{p.cached:g}",
         "Written": f"{p.output:g}", "Source": p.source}
        for p in found
    ]  # fmt: skip
    st.dataframe(rows, hide_index=True, alt="Prices", key=f"trace_prices_{key}")


def keep(own: list[Price], given: dict[str, Any]) -> list[Price]:
    """Keep a price in place of one for the same model and day; return the own prices. What does not fit is said."""
    try:
        new = Price.model_validate(given)
    except ValidationError as error:
        names = {"model": "the model", "input": "the price of what is read", "output": "the price of what is written"}
        missing = dict.fromkeys(names.get(str(e["loc"][0]), str(e["loc"][0])) for e in error.errors())
        state.say(f"A price needs {' and '.join(missing)}.")
        return own
    now = [*(p for p in own if (p.model, p.since) != (new.model, new.since)), new]
    return now if state.costs.keep_prices(now) else own


def page() -> None:
    """Draw the view that is wanted."""
    if state.enter("trace") or state.kept("trace_view") is None:
        asked, session = state.address.place_asked("view", "session")
        if asked in VIEWS or session:
            state.keep("trace_view", asked if asked in VIEWS else "one")
    with st.container(key="trace", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Trace", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("trace_view") else "one", required=True, key="trace_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        entries = state.sessions.recent(MOST)
        if view == "prices":
            prices(entries)
        elif not entries:
            st.html(
                '<section class="card"><header><h3>No session has been kept yet</h3></header><p class="says">Here every session shows '
                "what it took: time, tokens and, where prices are known, money. Begin a session first.</p></section>"
            )
        elif view == "many":
            many(state.costs.traces(entries, state.costs.prices()))
        elif view == "wrong":
            wrong(state.costs.traces(entries, state.costs.prices()))
        else:
            one(entries)
        if told := state.told():
            st.warning(theme.plain(told))


page()
