"""The limit of a day: the most that calls to endpoints may use before they stop."""

from __future__ import annotations

from html import escape

import streamlit as st

from magnet_core.errors import BudgetSpent, StoreError
from magnet_core.meter import Budget, Limit, Unit, amount
from magnet_core.models import REHEARSAL
from ui import links, state
from ui.tracing import tables
from ui.tracing.tables import NONE

UNITS: dict[Unit, str] = {"$": "$", "tokens": "Tokens"}


def day() -> Budget | None:
    """Return what today's calls have used; None, with a sentence kept, where the library cannot be read."""
    try:
        return state.spending.today()
    except StoreError as error:
        state.say(str(error))
        return None


def line(budget: Budget) -> str:
    """Return how much of the limit of a day is used; empty where there is none."""
    if budget.limit is None:
        return ""
    used = NONE if budget.used is None else amount(budget.used, budget.limit.unit).removesuffix(" tokens")
    return f"Limit of a day: {used} of {budget.limit} used."


def small() -> None:
    """Draw in a line how much of the limit of a day is used, where there is one."""
    if (budget := day()) and (told := line(budget)):
        tables.hint(told)
        link()


def notice(model: str = "") -> None:
    """Say, where calls to a language model begin, that the limit of a day lets none through; nothing where it does or none would be made.

    Without a name, the model that speaks in this browser session is meant.
    """
    asked = model or state.voices.cast().default.model
    if asked != REHEARSAL and (stopped := stopping(asked)):
        st.html(f'<p class="flag risk" role="alert">{escape(stopped)}</p>')
        link()


def stopping(model: str) -> str:
    """Return why the limit of a day lets no call to a model through now; empty where it does."""
    budget = day()
    if budget is None or budget.limit is None:
        return ""
    try:
        budget.check(model)
    except BudgetSpent as error:
        return str(error)
    return ""


def link() -> None:
    """Link to where the limit and the prices are changed."""
    links.link(links.TRACE_PAGE, "Limits and prices", ":material/query_stats:", {"view": "spending"})


def form() -> None:
    """Draw what today's calls have used, and the fields of the limit."""
    budget = day()
    if budget is None:
        return
    tables.heading("Limit of a day")
    st.html(
        f'<div class="facts means"><span>Today <b>{budget.calls:,}</b> answered calls</span><span>tokens <b>'
        f"{tables.count(None if budget.uncounted else budget.tokens)}</b></span><span>price <b>{tables.dollars(budget.dollars)}</b></span>"
        f"<span>{escape(line(budget) or 'No limit is set.')}</span></div>"
    )
    kept = budget.limit
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="limit"):
        unit: Unit = st.segmented_control(
            "Counted in", list(UNITS), default=kept.unit if kept else "$", required=True, key="limit_unit",
            format_func=lambda u: UNITS[u],
        )  # fmt: skip
        own = kept.amount if kept and kept.unit == unit else None
        if unit == "$":
            st.number_input("At most, $ a day", 0.0, None, own, 0.5, "%.2f", key="limit_dollars", width=170)
        else:
            st.number_input(
                "At most, tokens a day", 0, None, int(own) if own else None, 10_000, key="limit_tokens", width=190
            )
        st.button("Keep this limit", icon=":material/save:", key="limit_keep", on_click=keep, args=(unit,))
        st.button("Take it away", icon=":material/delete:", key="limit_away", on_click=take_away, disabled=kept is None)
    if told := state.kept("limit_told"):
        state.keep("limit_told", "")
        st.html(f'<p class="flag risk" role="alert">{escape(told)}</p>')
    if budget.limit and budget.used is not None and budget.used >= budget.limit.amount:
        st.html(
            '<p class="flag risk" role="alert">More than that is used already: until the limit is raised or the day is over, no call to a '
            "language model is made.</p>"
        )
    for sentence in doubts(budget, unit):
        st.html(f'<p class="flag{" risk" if kept else ""}">{escape(sentence)}</p>')
    tables.hint(
        "It holds for all calls from this app together. A day begins at midnight UTC. The turn being made when it is reached is left "
        "undone, though its calls are paid; finished turns are kept."
    )


def doubts(budget: Budget, unit: Unit) -> list[str]:
    """Return why a limit in some unit could not be held to today, a sentence each."""
    found: list[str] = []
    voices = state.voices.cast()
    speaking = [voice.model for voice in (voices.default, *voices.overrides.values()) if voice.model != REHEARSAL]
    if unit == "$" and (unpriced := budget.unpriced(*speaking)):
        found.append(
            f"No price is known for {', '.join(unpriced)}, so a limit in dollars could not be held to: while one is set, calls stop. "
            "Add the price under Prices, or limit the tokens."
        )
    if silent := budget.uncounted:
        found.append(
            f"{', '.join(silent)} did not say today how many tokens it used, so no limit can be held to: while one is set, calls stop."
        )
    return found


def keep(unit: Unit) -> None:
    """Keep what stands in the field as the limit of a day."""
    given = state.kept("limit_dollars" if unit == "$" else "limit_tokens")
    least = 0.01 if unit == "$" else 1
    if given is None or given < least:
        state.keep("limit_told", f"A limit is at least {'$0.01' if unit == '$' else '1 token'} a day. Type an amount first.")
    else:
        state.spending.set_limit(Limit(amount=given, unit=unit))


def take_away() -> None:
    if state.spending.set_limit(None):
        state.keep("limit_dollars", None)
        state.keep("limit_tokens", None)
