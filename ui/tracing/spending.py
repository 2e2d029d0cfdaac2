"""What endpoints were paid for: every call from the app, kept turns or not, by day, purpose and model."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from magnet_core.costs import Prices, together
from magnet_core.meter import Purpose
from magnet_core.spending import Sum
from ui import state
from ui.scoring.judging import MOST
from ui.tracing import limit, tables
from ui.tracing.tables import Row

PURPOSES: dict[Purpose, str] = {
    "session": "Sessions",
    "judging": "Judging",
    "review": "Blind pairs",
    "lab": "Prompt lab",
    "client": "Drafting clients",
    "test": "Testing models",
}
BY = ("Day", "Purpose", "Model")


def draw() -> None:
    """Draw the day's limit, and what was used."""
    state.address.show_place(view="spending", session="")
    limit.form()
    sums = state.spending.sums()
    tables.heading("Calls to endpoints")
    tables.hint(
        "Every call made from this app to a language model, whether what it was for was kept or not. The rehearsal asks no endpoint "
        "and uses nothing. Calls from the command line are not in it; what sessions made there cost stands under “All sessions”."
    )
    if not sums:
        tables.hint("No call has been made yet.")
        return
    by = st.pills("One row for each", BY, default=list(BY), selection_mode="multi", key="trace_spending_by",
                  persist_state="session") or BY[:1]  # fmt: skip
    prices = state.spending.prices()
    rows = [cells(own, prices, by) for own in grouped(sums, by)]
    tables.draw(rows, "spending", "Calls to endpoints", total(sums, prices, by) if len(rows) > 1 else None)
    known(sums, prices)
    not_kept(sums, prices)


def known(sums: Sequence[Sum], prices: Prices) -> None:
    """Say what is missing in a total, and what is known of the rest."""
    answered = [one for one in sums if one.answered]
    counted = [one for one in answered if not one.uncounted]
    priced = [one for one in answered if one.price(prices) is not None]
    if silent := sorted({one.model for one in answered if one.uncounted}):
        read, wrote = (
            sum(getattr(one.usage, name) or 0 for one in counted) for name in ("prompt_tokens", "completion_tokens")
        )
        tables.hint(
            f"{', '.join(silent)} did not say of every call how many tokens it used. Of the other "
            f"{sum(one.answered for one in counted):,} answered calls: {read:,} tokens read, {wrote:,} written."
        )
    if priced and len(priced) < len(answered):
        tables.hint(
            f"Prices are known of {sum(one.answered for one in priced):,} of {sum(one.answered for one in answered):,} answered calls: "
            f"{tables.dollars(sum(one.price(prices) or 0.0 for one in priced))} together."
        )
    if missing := sorted({one.model for one in counted if one.price(prices) is None}):
        tables.hint(
            f"No price is known for {', '.join(missing)}; it can be added under Prices, dated back to the first of these days."
        )


def grouped(sums: Sequence[Sum], by: Sequence[str]) -> list[list[Sum]]:
    """Return sums in groups that share what each row is for, in the order the groups come up."""
    found: dict[tuple[object, ...], list[Sum]] = {}
    for one in sums:
        found.setdefault(tuple(value for name, value in named(one).items() if name in by), []).append(one)
    return list(found.values())


def named(one: Sum) -> Row:
    return {"Day": one.day.isoformat(), "Purpose": PURPOSES[one.purpose], "Model": one.model}


def cells(own: Sequence[Sum], prices: Prices, by: Sequence[str]) -> Row:
    """Return calls as a row. What was used is known of answered calls only."""
    cost = together([one.cost(prices) for one in own if one.answered])
    return {name: value for name, value in named(own[0]).items() if name in by} | {
        "Answered": cost.calls,
        "No answer": sum(one.failed for one in own),
        "Tokens read": cost.prompt_tokens,
        "of these cached": cost.cached_tokens,
        "Tokens written": cost.completion_tokens,
        "Price, $": None if cost.price is None else round(cost.price, 6),
        "Seconds": round(sum(one.seconds for one in own), 2),
    }


def total(sums: Sequence[Sum], prices: Prices, by: Sequence[str]) -> Row:
    names = [name for name in BY if name in by]
    return cells(sums, prices, by) | {name: "All" if name == names[0] else "" for name in names}


def not_kept(sums: Sequence[Sum], prices: Prices) -> None:
    """Say how much of what sessions used is in no session of the library."""
    made = sum(one.answered for one in sums if one.purpose == "session")
    if not made:
        return
    left = state.costs.lost(state.costs.traces(state.sessions.recent(MOST), prices))
    if not left:
        tables.hint(f"All {made:,} answered calls for sessions are in turns that were kept.")
        return
    cost = together([one.cost(prices) for one in left])
    st.html(
        f'<div class="facts means"><span>Of <b>{made:,}</b> answered calls for sessions, <b>{cost.calls:,}</b> are in turns that were '
        f"not kept</span><span>tokens read <b>{tables.count(cost.prompt_tokens)}</b>, written "
        f"<b>{tables.count(cost.completion_tokens)}</b></span><span>price <b>{tables.dollars(cost.price)}</b></span></div>"
    )
    tables.hint(
        "A turn is not kept when it was stopped or given up, or while it is being made; calls of sessions that have since been deleted "
        "are counted here too."
    )
