"""How far ratings can be trusted: whether raters agree, whether side or order decided, and how a model fits people."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core.scoring import results
from magnet_core.scoring.agreement import FEWEST_COMMON
from magnet_core.scoring.aspects import Form, Review
from magnet_core.scoring.results import Said
from ui.rated import Duel, Source

NONE = "–"


def agreement(duel: Duel, asked: Form) -> str:
    """Return how far raters agree: alpha by question, kappa of every two."""
    found = results.alphas(duel.pairs, duel.said, asked)
    alpha, n = found[""]
    parts = [
        f"<p class='says'>Krippendorff's alpha over all aspects: <b>{number(alpha)}</b>, {n} things rated by two or more.</p>"
    ]
    if n:
        rows = "".join(
            f"<tr><th scope='row'>{escape(question.title)}</th><td>{number(found[question.key][0])}</td><td>{found[question.key][1]}</td></tr>"
            for question in asked.questions
        )
        parts.append(
            f"<details><summary>Alpha by question</summary><table class='matrix figures'><thead><tr><th>Question</th><th>Alpha</th><th>n</th>"
            f"</tr></thead><tbody>{rows}</tbody></table></details>"
        )
        twos = results.rater_agreement(duel.pairs, duel.said)
        enough = [two for two in twos if two.n >= FEWEST_COMMON]
        rows = "".join(
            f"<tr><th scope='row'>{escape(two.first)} and {escape(two.second)}</th><td>{number(two.kappa)}</td>"
            f"<td>{percent(two.observed)}</td><td>{two.n}</td></tr>"
            for two in enough
        )
        if few := len(twos) - len(enough):
            rows += f"<tr><td colspan='4' class='quiet'>{few} more {'has' if few == 1 else 'have'} fewer than {FEWEST_COMMON} things in common.</td></tr>"
        parts.append(
            f"<div class='scrolls'><table class='matrix figures'><thead><tr><th>Two raters</th><th>Cohen's kappa</th><th>Same</th><th>n</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )
    hint = (
        "1 is full agreement, 0 what chance would give. “–” where it cannot be told, since all said the same. A kappa needs "
        f"{FEWEST_COMMON} things that both rated."
    )
    return f'<section class="card"><header><h3>Do raters agree?</h3></header>{"".join(parts)}<p class="hint">{hint}</p></section>'


def sides(reviews: Sequence[Review]) -> str:
    """Return how often the side decided."""
    first = results.shown_first(reviews)
    decided = first.wins + first.losses
    words = (
        f"The session shown as A won <b>{percent(first.value)}</b> of decided verdicts ({percent(first.low)} to {percent(first.high)}, "
        f"n {decided}). Sides are drawn, so this should be near 50 %."
        if decided
        else "Nothing is decided yet, so it cannot be told."
    )
    return f'<section class="card"><header><h3>Does the side matter?</h3></header><p class="says">{words}</p></section>'


def orders(said: Sequence[Said]) -> str:
    """Return how a model's verdicts stood up to the other order."""
    found = results.flips(said)
    return (
        '<section class="card"><header><h3>Does the order matter to the model?</h3></header><p class="says">'
        f"Of <b>{found.n}</b> verdicts, <b>{found.same}</b> were the same in both orders, <b>{found.wavered}</b> were a tie in one of them, and "
        f"<b>{found.flipped}</b> flipped to the other session. Only what both orders give counts as a win; the rest counts as a tie.</p></section>"
    )


def compare_with_people(source: Source, duel: Duel) -> None:
    """Draw how each model's verdicts fit those of people on the same pairs."""
    ids = {pair.id for pair in duel.pairs}
    theirs = [one for one in results.by_people(source.reviews) if one.pair in ids]
    titles = {question.key: question.title for question in source.asked.questions}
    for model in results.models_in(source.reviews):
        found = results.beside_people(duel.pairs, theirs, results.by_model(source.reviews, model), source.asked)
        rows = "".join(
            f"<tr><th scope='row'>{escape(titles[one.key])}</th><td>{one.same} of {one.n}</td><td>{number(one.kappa)}</td></tr>"
            for one in found
            if one.n
        )
        if rows:
            st.html(
                f'<section class="card"><header><h3>{escape(model)} against people</h3></header><table class="matrix figures"><thead><tr><th>Question</th>'
                f"<th>Same verdict</th><th>Kappa</th></tr></thead><tbody>{rows}</tbody></table><p class='hint'>People: what more than half of them "
                f"said about the pair; no majority counts as a tie. Kappa from {FEWEST_COMMON} pairs on.</p></section>"
            )


def percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}".replace("-", "−")
