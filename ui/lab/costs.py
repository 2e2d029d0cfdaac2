"""What a run of the lab will take, and what it took."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from magnet_core import lab
from magnet_core.costs import price_of_usage, today
from magnet_core.domain import Usage
from magnet_core.errors import BudgetSpent
from magnet_core.lab import Cost, Sample
from magnet_core.meter import Budget, Limit, amount
from magnet_core.models import REHEARSAL, Chunk, Player, Request
from ui import state
from ui.engine.bench import Wanted
from ui.tracing import limit


@dataclass(frozen=True, slots=True)
class Named:
    """Stands for a model where only its name counts, as in an estimate."""

    name: str

    @property
    def player(self) -> Player:
        return Player(self)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        raise NotImplementedError
        yield Chunk()


def priced(models: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return dollars for a million tokens in and out, by model, as far as they are known today."""
    book, day = state.spending.prices(), today()
    return {name: (price.input, price.output) for name in models if (price := book.on(name, day))}


def estimate(wanted: Sequence[Wanted], judge: str = "") -> Cost:
    """Return what a run takes; `judge` names the model that answers the questions about its answers."""
    trials = [one.trial(Named(one.model).player, Named(judge).player) for one in wanted]
    return lab.cost(trials, priced({*(one.model for one in wanted), judge}))


def cost_line(cost: Cost) -> str:
    """Return what a run will take, in a line."""
    calls = "1 call" if cost.calls == 1 else f"{cost.calls:,} calls"
    if not cost.calls:
        return '<p class="facts cost"><span><b>0 calls</b></span></p>'
    if cost.calls == cost.rehearsed:
        return (
            f'<p class="facts cost"><span><b>{calls}</b></span><span>of the rehearsal cast: no tokens, no price</span></p>'
        )
    price = "–" if cost.price is None else "nothing" if cost.price == 0 else f"about {dollars(cost.price)}"
    rehearsed = f"<span>{cost.rehearsed:,} of them rehearsed, without tokens</span>" if cost.rehearsed else ""
    return (
        f'<p class="facts cost"><span><b>{calls}</b></span>{rehearsed}<span>about <b>{cost.tokens_in:,}</b> tokens in, '
        f"<b>{cost.tokens_out:,}</b> out</span><span>price <b>{price}</b></span></p>"
    )


def limit_line(cost: Cost, models: Iterable[str]) -> None:
    """Say where the limit of a day lets no call of a run through, or would stop it before its end."""
    asked = [model for model in dict.fromkeys(models) if model != REHEARSAL]
    budget = limit.day() if asked and cost.calls else None
    if budget is None or budget.limit is None:
        return
    try:
        for model in asked:
            budget.check(model)
        told, kind = short_by(cost, budget, budget.limit), "flag"
    except BudgetSpent as error:
        told, kind = str(error), "flag risk"
    if told:
        st.html(f'<p class="{kind}" role="alert">{escape(told)}</p>')
        limit.link()


def short_by(cost: Cost, budget: Budget, most: Limit) -> str:
    """Return that a run takes more than is left of a limit, in a sentence; empty where it does not, or where that is not known."""
    wanted = cost.price if most.unit == "$" else cost.tokens_in + cost.tokens_out
    used = budget.used
    if wanted is None or used is None or used + wanted <= most.amount:
        return ""
    left = amount(max(0.0, most.amount - used), most.unit)
    return f"This run takes about {amount(wanted, most.unit)}, and {left} are left of the limit of a day: it would stop before its end."


def used_line(samples: Sequence[Sample]) -> str:
    """Return what a run really took, in a line; empty where only the rehearsal cast spoke."""
    book, day = state.spending.prices(), today()

    def price(model: str, usage: Usage) -> float | None:
        return price_of_usage(model, usage, book, day)

    used = lab.used(samples, price)
    if not used.calls:
        return ""
    cost = "–" if used.price is None else dollars(used.price)
    if used.uncounted == used.calls:
        tokens = "The server did not say how many tokens were used"
    else:
        tokens = f"Used: <b>{used.tokens_in:,}</b> tokens in, <b>{used.tokens_out:,}</b> out"
        tokens += f" (not told for {used.uncounted} of {used.calls} answers)" if used.uncounted else ""
    return f'<p class="facts cost"><span>{tokens}</span><span>price <b>{cost}</b></span></p>'


def dollars(amount: float) -> str:
    return f"${amount:.4f}" if amount < 1 else f"${amount:,.2f}"
