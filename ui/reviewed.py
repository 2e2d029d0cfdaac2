"""What blind reviews come to, with the names put back: people or one model at a time, never both in one number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import streamlit as st

from magnet_core.errors import MagnetError
from magnet_core.methods import METHODS
from magnet_core.scoring import results
from magnet_core.scoring.agreement import Share
from magnet_core.scoring.aspects import OVERALL, Form, Pair, Review, form
from magnet_core.scoring.results import Said
from ui import charts, state, theme
from ui.judging import dark, plot

PEOPLE = "People"
NONE = "–"


def reviewed() -> None:
    """Draw the results."""
    try:
        pairs, reviews = state.store().reviews.pairs(), state.store().reviews.reviews()
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    there = {pair.id for pair in pairs}
    reviews = [review for review in reviews if review.pair in there]
    asked, models = form(), results.models_in(reviews)
    people = results.by_people(reviews)
    if not reviews:
        st.html(
            '<section class="card"><header><h3>Nobody has rated yet</h3></header><p class="says">Here the names are put back: who was preferred '
            "on which aspect, how sure that is, and how far raters agree.</p></section>"
        )
        return
    sources = [*([PEOPLE] if people else []), *models]
    if state.kept("reviewed_by") not in sources:
        state.keep("reviewed_by", sources[0] if sources else PEOPLE)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="reviewed_top"):
        by = st.segmented_control(
            "Ratings by", sources, key="reviewed_by", required=True, persist_state="session",
            format_func=lambda name: name if name == PEOPLE else f"{name} (model)",
        ) or PEOPLE  # fmt: skip
        said = people if by == PEOPLE else results.by_model(reviews, by)
        duels = duels_of(pairs, said)
        duel = st.selectbox(
            "Compared", duels, key="reviewed_duel", format_func=lambda two: f"{two[0]} against {two[1]}", width=520,
        ) if duels else None  # fmt: skip
        files(pairs, reviews, asked)
    if duel is None:
        st.html('<p class="hint">No verdict is whole yet: a model counts once it has read a pair in both orders.</p>')
        return
    maker, other = duel
    own = results.between(pairs, maker, other)
    ids = {pair.id for pair in own}
    those = [one for one in said if one.pair in ids]
    rates = results.win_rates(own, those, maker, asked)
    left, right = st.columns([7, 5], gap="medium")
    with left:
        st.html(summary(own, those, maker, other, asked, by))
        reference = asked.reference.share if "MAGneT" in maker else None
        words = f"Win rate of {maker} against {other} by aspect: " + "; ".join(
            f"{question.title} {percent(rates[question.key].value)}" for question in asked.questions
        )
        plot(charts.win_rates(rates, asked, reference, dark=dark()), "reviewed_rates", words)
        if reference:
            st.html(
                f'<p class="hint">Dashed line: {escape(asked.reference.text)} Source: {escape(asked.reference.source)} '
                "It is a reference, not a target: other sessions, other raters, another list of aspects.</p>"
            )
        st.html(table(rates, asked, maker))
        st.html(
            '<p class="hint">Win rate: wins among decided ratings; ties stand beside it. Interval: 95 %, Wilson, at the effective number of '
            "ratings where pairs were rated more than once. An interval that covers 50 % shows no difference.</p>"
        )
    with right:
        if by == PEOPLE:
            st.html(agreement(those, asked))
            st.html(sides([review for review in reviews if review.pair in ids]))
        else:
            st.html(orders(those))
        compare_with_people(people, reviews, models, ids, asked)
    ranking(pairs, said, asked)
    if by == PEOPLE:
        disagreements(own, those, asked)


def duels_of(pairs: Sequence[Pair], said: Sequence[Said]) -> list[tuple[str, str]]:
    """Return who was compared with whom, MAGneT named first, those with most ratings first."""
    counts: dict[tuple[str, str], int] = {}
    known = {pair.id: pair for pair in pairs}
    for one in said:
        if pair := known.get(one.pair):
            first, second = sorted(pair.makers, key=lambda name: (not name.startswith(METHODS["magnet"].title), name))
            counts[first, second] = counts.get((first, second), 0) + 1
    return sorted(counts, key=lambda two: -counts[two])


def summary(pairs: Sequence[Pair], said: Sequence[Said], maker: str, other: str, asked: Form, by: str) -> str:
    """Return the mean over aspects in a sentence, with what it rests on."""
    found = results.headline(pairs, said, maker, asked)
    who = "Rated by people" if by == PEOPLE else "Rated by a model, not by people"
    raters = len({one.rater for one in said})
    if found is None:
        text = "Nothing is decided yet: all ratings so far are ties."
    else:
        ends = (
            f" (95 % interval {percent(found.low)} to {percent(found.high)})"
            if found.low is not None
            else " (no interval: fewer than five pairs)"
        )
        text = f"{maker} was preferred to {other} in {percent(found.value)} of decided ratings, on average over {found.aspects} aspects{ends}."
    rated = len({one.pair for one in said})
    return (
        f'<section class="card first"><header><h3>{escape(text)}</h3></header><p class="says"><span class="kind {"person" if by == PEOPLE else "model"}">{who}</span> {rated} '
        f"{'pair' if rated == 1 else 'pairs'}, {raters} {'rater' if raters == 1 else 'raters'}, {len(said)} verdicts.</p>"
        f'<p class="hint">{escape(asked.note)}</p></section>'
    )


def table(rates: dict[str, Share], asked: Form, maker: str) -> str:
    """Return the win rates as a table."""
    rows = ""
    for question in asked.questions:
        rate = rates[question.key]
        interval = f"{percent(rate.low)} – {percent(rate.high)}" if rate.low is not None else NONE
        rows += (
            f"<tr><th scope='row'>{escape(question.title)}</th><td>{percent(rate.value)}</td><td>{interval}</td><td>{rate.wins}</td>"
            f"<td>{rate.ties}</td><td>{rate.losses}</td><td>{rate.n}</td><td>{percent(rate.with_ties)}</td></tr>"
        )
    heads = ("Question", "Win rate", "Interval", "Wins", "Ties", "Losses", "n", "Ties as half")
    return (
        f'<div class="sideways"><table class="matrix figures"><caption class="sr">Ratings for {escape(maker)}</caption><thead><tr>'
        + "".join(f"<th scope='col'>{head}</th>" for head in heads)
        + f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def agreement(said: Sequence[Said], asked: Form) -> str:
    """Return how far raters agree: alpha by question, kappa of every two."""
    found = results.alphas(said, asked)
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
        rows = "".join(
            f"<tr><th scope='row'>{escape(two.first)} and {escape(two.second)}</th><td>{number(two.kappa)}</td>"
            f"<td>{percent(two.observed)}</td><td>{two.n}</td></tr>"
            for two in results.rater_agreement(said)
        )
        parts.append(
            f"<div class='sideways'><table class='matrix figures'><thead><tr><th>Two raters</th><th>Cohen's kappa</th><th>Same</th><th>n</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )
    hint = "1 is full agreement, 0 what chance would give. “–” where it cannot be told: too few, or all said the same."
    return f'<section class="card"><header><h3>Do raters agree?</h3></header>{"".join(parts)}<p class="hint">{hint}</p></section>'


def sides(reviews: Sequence[Review]) -> str:
    """Return how often the side decided."""
    first = results.shown_first(reviews)
    return (
        '<section class="card"><header><h3>Does the side matter?</h3></header><p class="says">The session shown as A won '
        f"<b>{percent(first.value)}</b> of decided verdicts ({percent(first.low)} to {percent(first.high)}, n {first.wins + first.losses}). Sides are "
        "drawn, so this should be near 50 %.</p></section>"
    )


def orders(said: Sequence[Said]) -> str:
    """Return how a model's verdicts stood up to the other order."""
    found = results.flips(said)
    return (
        '<section class="card"><header><h3>Does the order matter to the model?</h3></header><p class="says">'
        f"Of <b>{found.n}</b> verdicts, <b>{found.same}</b> were the same in both orders, <b>{found.wavered}</b> were a tie in one of them, and "
        f"<b>{found.flipped}</b> flipped to the other session. Only what both orders give counts as a win; the rest counts as a tie.</p></section>"
    )


def compare_with_people(people: list[Said], reviews: list[Review], models: list[str], ids: set[str], asked: Form) -> None:
    """Draw how each model's verdicts fit those of people on the same pairs."""
    theirs = [one for one in people if one.pair in ids]
    for model in models:
        own = [one for one in results.by_model(reviews, model) if one.pair in ids]
        found = [one for one in results.beside_people(theirs, own, asked) if one.n]
        if not found:
            continue
        titles = {question.key: question.title for question in asked.questions}
        rows = "".join(
            f"<tr><th scope='row'>{escape(titles[one.key])}</th><td>{one.same} of {one.n}</td><td>{number(one.kappa)}</td></tr>"
            for one in found
        )
        st.html(
            f'<section class="card"><header><h3>{escape(model)} against people</h3></header><table class="matrix figures"><thead><tr><th>Question</th>'
            f"<th>Same verdict</th><th>Kappa</th></tr></thead><tbody>{rows}</tbody></table><p class='hint'>People: what more than half of them "
            "said about the pair; no majority counts as a tie.</p></section>"
        )


def ranking(pairs: Sequence[Pair], said: Sequence[Said], asked: Form) -> None:
    """Draw the Bradley-Terry scale where three or more were compared."""
    if len({maker for pair in pairs for maker in pair.makers}) < 3:
        return
    st.html('<h4 class="small">All makers on one scale (Bradley-Terry)</h4>')
    titles = {question.key: question.title for question in asked.questions}
    key = st.selectbox(
        "Question",
        [OVERALL, *(a.key for a in asked.aspects)],
        key="reviewed_scale",
        format_func=lambda k: titles[k],
        width=320,
    )
    found = results.strengths(pairs, said, key or OVERALL)
    rows = "".join(
        f"<tr><th scope='row'>{escape(one.name)}</th><td>{number(one.value)}</td><td>{f'{number(one.low)} to {number(one.high)}' if one.low is not None else NONE}</td><td>{one.n}</td></tr>"
        for one in found
    )
    placed = any(one.value is not None for one in found)
    st.html(
        f"<div class='sideways'><table class='matrix figures'><thead><tr><th>Maker</th><th>Strength</th><th>95 % interval</th><th>Ratings</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        + (
            '<p class="hint">Log-odds of being preferred to the average maker; a tie counts as half a win. The intervals allow for several ratings '
            "of one pair; there are none where pairs are too few.</p>"
            if placed
            else '<p class="hint">They cannot be placed yet: some maker, or group of makers, has won or lost throughout, or was not compared with the rest.</p>'
        )
    )


def disagreements(pairs: Sequence[Pair], said: Sequence[Said], asked: Form) -> None:
    """Draw where people gave the win to both sessions of a pair, with their reasons."""
    found = results.splits(pairs, said)
    with st.expander(f"Where raters disagree ({len(found)})", key="reviewed_splits"):
        if not found:
            st.html('<p class="hint">On no question did raters give the win to both sessions of a pair.</p>')
        titles = {question.key: question.title for question in asked.questions}
        for split in found[:100]:
            names = {"one": split.pair.one.maker, "two": split.pair.two.maker, "tie": "Tie"}
            lines = "".join(
                f"<li><b>{escape(one.rater)}:</b> {escape(names[one.winner])}{f' – {escape(one.reason)}' if one.reason else ''}</li>"
                for one in split.said
            )
            st.html(
                f'<section class="card"><header><h3>{escape(split.pair.client)}: {escape(titles.get(split.key, split.key))}</h3></header><ul>{lines}</ul></section>'
            )


def files(pairs: list[Pair], reviews: list[Review], asked: Form) -> None:
    st.download_button(
        "CSV", partial(results.csv_text, pairs, reviews), "reviews.csv", "text/csv", key="reviewed_csv", on_click="ignore",
        icon=":material/download:", help="A row for every verdict, of people and models, each marked",
    )  # fmt: skip
    st.download_button(
        "JSON", partial(results.json_text, pairs, reviews, asked), "reviews.json", "application/json", key="reviewed_json",
        on_click="ignore", icon=":material/download:", help="Everything that was asked and said, comments too",
    )  # fmt: skip


def percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}".replace("-", "−")
