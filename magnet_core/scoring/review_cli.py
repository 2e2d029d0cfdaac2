"""What `reviews` does: print what blind reviews come to, by people and by each model, as the Review page has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from magnet_core.scoring import results
from magnet_core.scoring.aspects import Form, Pair, Review
from magnet_core.scoring.compare import rehearsed
from magnet_core.scoring.results import Said

if TYPE_CHECKING:
    from rich.table import Table


def sources(reviews: Sequence[Review], asked: Form) -> list[tuple[str, list[Said]]]:
    """Return whose verdicts there are under the present form: people's first, then each model's. They are never pooled."""
    under = [review for review in reviews if review.form == asked.sha]
    people = results.by_people(under)
    models = [(f"{model} (model)", results.by_model(under, model)) for model in results.models_in(under)]
    return [one for one in [("People", people), *models] if one[1]]


def cautions(pairs: Sequence[Pair]) -> list[str]:
    """Return what a reader of the tables must know: pairs without a difference, and words that no model wrote."""
    found: list[str] = []
    if same := sum(pair.identical for pair in pairs):
        found.append(f"{same} of the pairs hold the same words on both sides; they are in the file and not in the tables.")
    if any(rehearsed(maker) for pair in pairs for maker in pair.makers):
        found.append("Sessions of the rehearsal cast are authored: what is said of them says nothing about the methods.")
    return found


def tables(pairs: Sequence[Pair], reviews: Sequence[Review], asked: Form) -> Iterator[Table]:
    """Yield, for everybody who has rated and every two makers, the win rates with alpha beside them."""
    from rich.table import Table

    pairs = [pair for pair in pairs if not pair.identical]
    names = results.titles_of(maker for pair in pairs for maker in pair.makers)
    for who, said in sources(reviews, asked):
        for maker, other in results.duels(pairs, said):
            own = results.between(pairs, maker, other)
            ids = {pair.id for pair in own}
            theirs = [one for one in said if one.pair in ids]
            rates, alphas = results.win_rates(own, theirs, maker, asked), results.alphas(own, theirs, asked)
            head = results.headline(own, theirs, maker, asked)
            mean = (
                f"mean over aspects {_share(head.value)}{_ends(head.low, head.high)}, {_share(head.ties / head.n)} ties"
                if head
                else "nothing decided on the aspects"
            )
            title = f"{who}: {names[maker]} against {names[other]}\n{len({one.pair for one in theirs})} pairs, {mean}"
            table = Table(
                "question", "win rate", "95 % interval", "wins", "ties", "losses", "alpha", "rated by two", title=title
            )
            for question in asked.questions:
                rate, (alpha, n) = rates[question.key], alphas[question.key]
                table.add_row(
                    question.title, _share(rate.value), _ends(rate.low, rate.high).strip(" ()"), str(rate.wins), str(rate.ties),
                    str(rate.losses), "–" if alpha is None else f"{alpha:.2f}", str(n),
                )  # fmt: skip
            yield table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({_share(low)} to {_share(high)})"
