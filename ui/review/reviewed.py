"""What blind reviews come to, with the names put back: people or one model at a time, never both in one number."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core.errors import MagnetError
from magnet_core.scoring import results, review_files
from magnet_core.scoring.agreement import Share, Strength
from magnet_core.scoring.aspects import OVERALL, Form, Pair, Review
from ui import charts, state, theme
from ui.review import remarks
from ui.review.agreement import NONE, agreement, compare_with_people, number, orders, percent, sides
from ui.review.authorship import authorship, in_common
from ui.review.rated import Duel, Source, chosen, chosen_duel, unread
from ui.scoring.judging import dark, plot

HOW = (
    '<p class="hint">An interval that covers 50 % shows no difference. “12 of 20”: 12 of 20 ratings were for one of the two, the others are '
    "ties; only the 12 are in the win rate.</p><details class='hint'><summary>How this is computed</summary><p>Win rate: wins among decided "
    "ratings. “Ties as half” is the same with each tie as half a win. How many ratings a question has differs where reviews are unfinished or "
    "answers could not be read. The interval would hold the true share in 95 of 100 studies like this one (the method is Wilson's). Several "
    "ratings of one pair tell less than as many ratings of different pairs: where raters said the same about a pair, the interval is as wide as "
    "if there were fewer ratings, down to one a pair. The mean over aspects weighs all aspects alike; its interval comes from drawing the "
    "pairs anew many times.</p></details>"
)
FAIR = 20
"""Pairs from which on the interval of the mean over aspects holds as often as it says."""


def reviewed() -> None:
    """Draw the results."""
    try:
        kept = state.store().reviews
        pairs, out, reviews = kept.pairs(), kept.taken_out(), [review for review in kept.reviews() if review.says]
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return
    if told := state.told():
        st.info(theme.plain(told))
    fair = [pair for pair in pairs if not pair.identical]
    there = {pair.id for pair in fair}
    queued = [review for review in reviews if review.pair in there]
    if not queued:
        nothing(reviews)
        if reviews:
            files(pairs, out, reviews)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="reviewed_top"):
        source = chosen(fair, queued)
        files(pairs, out, reviews)
    duel = chosen_duel(source)
    if same := len(pairs) - len(fair):
        st.html(
            f'<p class="flag">{same} {"pair holds" if same == 1 else "pairs hold"} the same words on both sides: verdicts on '
            f"{'it' if same == 1 else 'them'} are left out here and stand in the files.</p>"
        )
    if duel is None:
        st.html(f'<p class="hint">{escape(unread(source))}</p>')
    else:
        draw(source, duel)
    remarks.listed(duel.pairs if duel else source.pairs, source.theirs, source.asked, source.names)


def nothing(reviews: Sequence[Review]) -> None:
    """Say that there is nothing to show."""
    rest = " What was said is about pairs that were taken out of the queue; the files below hold it." if reviews else ""
    st.html(
        '<section class="card"><header><h3>Nobody has rated yet</h3></header><p class="says">Here the names are put back: who was preferred '
        f"on which aspect, how sure that is, and how far raters agree.{rest}</p></section>"
    )


def draw(source: Source, duel: Duel) -> None:
    """Draw one way of making sessions against another."""
    ids, asked = {pair.id for pair in duel.pairs}, source.asked
    rates = results.win_rates(duel.pairs, duel.said, duel.maker, asked)
    with st.container(key="reviewed_duel_body"):
        left, right = st.columns([7, 5], gap="medium")
    with left:
        st.html(summary(source, duel))
        chart(rates, duel, asked)
        st.html(table(rates, asked, duel.name))
        st.html(HOW)
    with right:
        if source.people:
            st.html(agreement(duel, asked))
            st.html(sides([review for review in source.reviews if review.pair in ids]))
        else:
            st.html(orders(duel.said))
        compare_with_people(source, duel)
    ranking(source)
    if source.people:
        disagreements(duel, asked)


def chart(rates: dict[str, Share], duel: Duel, asked: Form) -> None:
    """Draw the win rates as a figure; where nothing is decided, there is nothing to draw."""
    if all(rate.value is None for rate in rates.values()):
        st.html('<p class="hint">Every verdict so far is a tie, so there is no win rate to draw.</p>')
        return
    reference = asked.reference.share if duel.maker.method == "magnet" != duel.other.method else None
    words = f"Win rate of {duel.name} against {duel.other_name} by aspect: " + "; ".join(
        f"{question.title} {percent(rates[question.key].value)}" for question in asked.questions
    )
    plot(charts.win_rates(rates, asked, reference, dark=dark()), "reviewed_rates", words)
    if reference:
        st.html(
            f'<p class="hint">Dashed line: {escape(asked.reference.text)} Source: {escape(asked.reference.source)} '
            "It is a reference, not a target: other sessions, other raters, another list of aspects.</p>"
        )


def summary(source: Source, duel: Duel) -> str:
    """Return the mean over aspects in a sentence, with what it rests on."""
    found = results.headline(duel.pairs, duel.said, duel.maker, source.asked)
    who = "Rated by people" if source.people else "Rated by a model, not by people"
    narrow = ""
    raters, rated = len({one.rater for one in duel.said}), len({one.pair for one in duel.said})
    if found is not None:
        ends = (
            f" (95 % interval {percent(found.low)} to {percent(found.high)})"
            if found.low is not None
            else f" (no interval: it takes five pairs with a decided rating, here there {'is' if found.pairs == 1 else 'are'} {found.pairs})"
        )
        unclear = ", so no difference is shown" if found.low is not None and found.low <= 0.5 <= (found.high or 1.0) else ""
        text = (
            f"{duel.name} was preferred to {duel.other_name} in {percent(found.value)} of decided ratings, on average over "
            f"{found.aspects} {'aspect' if found.aspects == 1 else 'aspects'}{ends}{unclear}; {percent(found.ties / found.n)} of all "
            f"{found.n} ratings on aspects were ties."
        )
        if found.low is not None and found.pairs < FAIR:
            narrow = (
                '<p class="hint">With so few pairs this interval is a little too narrow: in simulations of 10 pairs it held the true value in '
                "92 of 100 cases, from 20 pairs on in 95.</p>"
            )
    elif source.people:
        text = "Nothing is decided yet: on the aspects, all ratings so far are ties."
    else:
        turned = results.flips(duel.said)
        text = f"{source.by} decided nothing: of {turned.n} verdicts, {turned.flipped} turned round with the order and {turned.wavered} were a tie in one of them, which all count as ties."
    return (
        f'<section class="card first"><header><h3>{escape(text)}</h3></header><p class="says"><span class="kind {"person" if source.people else "model"}">{who}</span> {rated} '
        f"{'pair' if rated == 1 else 'pairs'}, {raters} {'rater' if raters == 1 else 'raters'}, {len(duel.said)} verdicts.</p>"
        f"{authorship([duel.maker, duel.other])}{common(source)}"
        f'{halfway(source, duel)}{narrow}<p class="hint">{escape(source.asked.note)}</p></section>'
    )


def common(source: Source) -> str:
    """Return what all sessions that were compared share, as HTML."""
    halves = [half for pair in source.pairs for half in (pair.one, pair.two)]
    return in_common([half.maker for half in halves], [half.turns for half in halves])


def halfway(source: Source, duel: Duel) -> str:
    """Return which reviews are unfinished, as HTML."""
    ids = {pair.id for pair in duel.pairs}
    open_ones = results.unfinished([review for review in source.theirs if review.pair in ids], source.asked)
    if not open_ones:
        return ""
    who = ", ".join(sorted({review.rater for review in open_ones}, key=str.casefold))
    n, asked = len(open_ones), len(source.asked.questions)
    given = sum(len(review.verdicts) for review in open_ones)
    why = "unfinished" if source.people else "not read whole"
    return (
        f'<p class="says">{n} {"review is" if n == 1 else "reviews are"} {why} ({escape(who)}): {given} of {n * asked} questions are answered in '
        f"{'it' if n == 1 else 'them'}, and these count.</p>"
    )


def table(rates: dict[str, Share], asked: Form, maker: str) -> str:
    """Return the win rates as a table."""
    rows = ""
    for question in asked.questions:
        rate = rates[question.key]
        interval = f"{percent(rate.low)} – {percent(rate.high)}" if rate.low is not None else NONE
        rows += (
            f"<tr><th scope='row'>{escape(question.title)}</th><td>{percent(rate.value)}</td><td>{interval}</td>"
            f"<td>{rate.wins} · {rate.ties} · {rate.losses}</td><td>{rate.wins + rate.losses} of {rate.n}</td><td>{percent(rate.with_ties)}</td></tr>"
        )
    heads = ("Question", "Win rate", "95 % interval", "Wins · ties · losses", "Decided", "Ties as half")
    return (
        f'<div class="scrolls"><table class="matrix figures"><caption class="sr">Ratings for {escape(maker)}</caption><thead><tr>'
        + "".join(f"<th scope='col'>{head}</th>" for head in heads)
        + f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def ranking(source: Source) -> None:
    """Draw the Bradley-Terry scale where three or more were compared."""
    if len(source.names) < 3:
        return
    st.html('<h4 class="small">All ways of making on one scale</h4>')
    titles = {question.key: question.title for question in source.asked.questions}
    key = st.selectbox(
        "Question",
        [OVERALL, *(a.key for a in source.asked.aspects)],
        key="reviewed_scale",
        format_func=lambda k: titles[k],
        width=320,
    )
    found = results.strengths(source.pairs, source.said, source.names, key or OVERALL)
    rows = "".join(
        f"<tr><th scope='row'>{escape(one.name)}</th><td>{number(one.value)}</td><td>{f'{number(one.low)} to {number(one.high)}' if one.low is not None else NONE}</td><td>{one.n}</td></tr>"
        for one in found
    )
    st.html(
        f"<div class='scrolls'><table class='matrix figures'><thead><tr><th>Made by</th><th>Strength</th><th>95 % interval</th><th>Ratings</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{standing(source, found, key or OVERALL)}"
    )


def standing(source: Source, found: Sequence[Strength], key: str) -> str:
    """Return how the scale is to be read, or why there is none, as HTML."""
    rated = [one for one in source.said if one.key == key]
    if not any(one.value is not None for one in found):
        if not rated:
            why = "nobody has answered this question yet"
        elif all(one.winner == "tie" for one in rated):
            turned = results.flips(rated)
            moved = f" ({turned.flipped + turned.wavered} of them since the model moved with the order)" if turned.n else ""
            why = f"all {len(rated)} verdicts on this question are ties{moved}"
        else:
            why = "one of them, or a group of them, has won or lost throughout, or was not compared with the rest"
        return f'<p class="hint">They cannot be placed: {why}.</p>'
    without = (
        " “–” for an interval: too few clients were compared (it takes at least two more than there are ways of making), or their verdicts do "
        "not differ in a way that tells how sure this is."
        if any(one.low is None for one in found)
        else ""
    )
    return (
        f'<p class="hint">0 is the average of all; the higher, the more often preferred. Two that are 1 apart: the stronger is preferred in 73 of '
        f"100 decided comparisons; 2 apart, in 88.{without}</p><details class='hint'><summary>How this is computed</summary><p>The scale is that of "
        "Bradley and Terry: the difference of two strengths is the logarithm of the odds of the one being preferred to the other; a tie counts "
        "as half a win. The intervals allow for several ratings of one pair, and for pairs that share a session; in simulations of 6, 18 and 60 "
        "pairs they held the true value in at least 94 of 100 cases.</p></details>"
    )


def disagreements(duel: Duel, asked: Form) -> None:
    """Draw where people did not all say the same about a pair, with their reasons: those who preferred opposite sessions first."""
    found, common = results.splits(duel.pairs, duel.said), results.rated_by_two(duel.said)
    opposite = sum(split.opposite for split in found)
    with st.expander(f"Where raters disagree ({len(found)} of {common})", key="reviewed_splits"):
        st.html(
            f'<p class="hint">{common} questions about pairs were answered by two raters or more. On {opposite} of them raters preferred opposite '
            f"sessions, on {len(found) - opposite} some preferred one and others said tie, on {common - len(found)} all said the same.</p>"
        )
        order = st.segmented_control(
            "First",
            ["Opposite verdicts", "By client", "By question"],
            default="Opposite verdicts",
            key="reviewed_splits_order",
            required=True,
        )
        places = {question.key: place for place, question in enumerate(asked.questions)}
        if order == "By client":
            found = sorted(found, key=lambda split: (split.pair.client, split.pair.id))
        elif order == "By question":
            found = sorted(found, key=lambda split: places.get(split.key, len(places)))
        titles = {question.key: question.title for question in asked.questions}
        for place, split in enumerate(found[:30]):
            names = {"one": duel.names[split.pair.one.maker], "two": duel.names[split.pair.two.maker], "tie": "Tie"}
            lines = "".join(
                f"<li><b>{escape(one.rater)}:</b> {escape(names[one.winner])}{f' – {escape(one.reason)}' if one.reason else ''}</li>"
                for one in split.said
            )
            st.html(
                f'<section class="card"><header><h3>{escape(split.pair.client)}: {escape(titles.get(split.key, split.key))}</h3><span class="status">{"opposite" if split.opposite else "tie or win"}</span></header><ul>{lines}</ul></section>'
            )
            remarks.links(split.pair, duel.names, f"split_{place}")
        if len(found) > 30:
            st.html(f'<p class="hint">{len(found) - 30} more are in the files.</p>')


def files(queued: list[Pair], out: list[Pair], reviews: list[Review]) -> None:
    """Offer everything as files; when verdicts were given is read only when a file is asked for."""
    times, pairs, taken_out = state.store().reviews.times, [*queued, *out], {pair.id for pair in out}
    st.download_button(
        "CSV", lambda: review_files.csv_text(pairs, reviews, taken_out, times()), "reviews.csv", "text/csv", key="reviewed_csv", on_click="ignore",
        icon=":material/download:", help="A row for every verdict and comment, of people and models, each marked; pairs taken out of the queue too",
    )  # fmt: skip
    st.download_button(
        "JSON", lambda: review_files.json_text(pairs, reviews, taken_out, times()), "reviews.json", "application/json", key="reviewed_json",
        on_click="ignore", icon=":material/download:", help="Everything that was asked and said, comments too",
    )  # fmt: skip
