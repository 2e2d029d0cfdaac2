"""How far ratings can be trusted: whether raters agree, whether side or order decided, and how a model fits people."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core.scoring import results
from magnet_core.scoring.agreement import FEWEST_COMMON, RELIABLE, TENTATIVE
from magnet_core.scoring.aspects import Form, Review
from magnet_core.scoring.results import Said
from ui.review.rated import Duel, Source

NONE = "–"


def agreement(duel: Duel, asked: Form) -> str:
    """Return how far raters agree: alpha by question, kappa of every two."""
    found = results.alphas(duel.pairs, duel.said, asked)
    alpha, n = found[""]
    things = "question about a pair" if n == 1 else "questions about pairs"
    parts = [
        f"<p class='says'><b>{escape(verdict(alpha, n))}</b> Krippendorff's alpha over the aspects is <b>{number(alpha)}</b>, from {n} {things} "
        "that two raters or more answered.</p>"
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
    fold = (
        "<details class='hint'><summary>How this is computed</summary><p>Both figures set what raters said the same against what would be the "
        "same by chance: 1 is full agreement, 0 what chance alone gives, below 0 less than chance. “–” where it cannot be told, since all said "
        "the same throughout. Alpha takes all raters together and the aspects alone: its n counts each question about a pair once. Kappa takes "
        "two raters at a time and the overall preference as well, so its n is another, and it needs at least "
        f"{FEWEST_COMMON} answers that both gave. The limits {RELIABLE:g} and {TENTATIVE:g} are Krippendorff's own custom (Content Analysis, "
        "2nd edition, 2004, page 241): from the upper one on he concludes from ratings, from the lower one on tentatively.</p></details>"
    )
    return f'<section class="card"><header><h3>Do raters agree?</h3></header>{"".join(parts)}{fold}</section>'


def verdict(alpha: float | None, n: int) -> str:
    """Return in plain words how far ratings with this alpha can be relied on."""
    if not n:
        return "No question was answered by two raters yet, so it cannot be told."
    if alpha is None:
        return "It cannot be told: all said the same throughout, so there was nothing to differ on."
    if alpha >= RELIABLE:
        return "Yes, well enough to conclude from."
    if alpha >= TENTATIVE:
        return "Somewhat: good for tentative conclusions only."
    if alpha >= 0:
        return "Too little to conclude from: what one rater prefers tells little about what another does."
    return "No, less than by chance: raters tend to prefer the opposite, or there are too few answers to tell."


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
            f"<tr><th scope='row'>{escape(titles[one.key])}</th><td>{f'{one.same} of {one.n}' if one.n else NONE}</td><td>{number(one.kappa)}</td>"
            f"<td>{one.no_majority}</td><td>{one.moved}</td></tr>"
            for one in found
            if one.n + one.no_majority + one.moved
        )
        if rows:
            st.html(
                f'<section class="card"><header><h3>{escape(model)} against people</h3></header><div class="scrolls"><table class="matrix figures"><thead>'
                "<tr><th>Question</th><th>Same verdict</th><th>Kappa</th><th>No majority</th><th>Model moved</th></tr></thead>"
                f"<tbody>{rows}</tbody></table></div><p class='hint'>Compared are the pairs on which more than half of the people said the same (a single "
                "rater counts) and the model said the same in both orders; a tie is a verdict like any other there. Not compared: pairs on which "
                f"people have no majority, and of the rest those on which the model moved with the order. Kappa from {FEWEST_COMMON} pairs on.</p></section>"
            )


def percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}".replace("-", "−")
