"""The scales of one session, each with its figure and the evidence of every rating."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from magnet_core.domain import Session
from magnet_core.scoring.instruments import sheet
from magnet_core.scoring.items import CTRS, CTRS_11, PANAS, Scorecard
from magnet_core.scoring.tables import Judge
from ui import charts
from ui.scoring import scores
from ui.scoring.judging import KNOWN, begin, can_rate, dark, place_of, plot


def ctrs(session: Session, judge: Judge, held: Mapping[str, Scorecard]) -> None:
    """Draw the cognitive therapy scale as a radar and item by item."""
    there = [name for name in ("ctrs", "ctrs-11") if name in held]
    if not there:
        return absent("CTRS")
    which = there[0]
    if len(there) > 1:
        which = st.segmented_control(
            "Items", there, default="ctrs", required=True, key="scores_ctrs", label_visibility="collapsed",
            format_func=lambda name: "Six items, as the paper" if name == "ctrs" else "All eleven items",
        )  # fmt: skip
    card, items = held[which], CTRS if which == "ctrs" else CTRS_11
    scales = ["general", "cbt", *(["structure"] if which == "ctrs-11" else [])]
    st.html(scores.scale_means(judge, card, scales, 6, place_of(session, judge, held, "ctrs")))
    plot(charts.radar(card, items, dark=dark()), "ctrs", in_words("CTRS, 0 to 6", card))
    if which == "ctrs":
        st.html('<p class="hint">Six of the scale\'s eleven items, as in the paper: no total out of 66 can be given.</p>')
    st.html(scores.ratings(card, session))


def wai(session: Session, judge: Judge, held: Mapping[str, Scorecard]) -> None:
    """Draw the working alliance by subscale and statement by statement."""
    card = held.get("wai")
    if card is None:
        return absent("WAI")
    means = {scores.SCALES[scale]: card.average(scale) for scale in ("task", "bond", "goal")}
    st.html(scores.scale_means(judge, card, ["task", "bond", "goal"], 7, place_of(session, judge, held, "wai")))
    plot(
        charts.subscales(means, 1, 7, 4, dark=dark()), "wai",
        "Working alliance, 1 to 7: " + ", ".join(f"{name} {scores.MISSING if v is None else f'{v:.1f}'}" for name, v in means.items()),
    )  # fmt: skip
    st.html(
        f'<p class="flag">{escape(sheet("wai").note)}</p><p class="hint">4 (dotted) is no evidence, or as much on both sides. '
        "Statements 4 and 10 are keyed the other way: shown turned round, so that more is better, with the raw rating beside.</p>"
    )
    st.html(scores.ratings(card, session))


def panas(session: Session, judge: Judge, held: Mapping[str, Scorecard]) -> None:
    """Draw the client's mood before and after, by scale and word by word."""
    before, after = held.get("panas-before"), held.get("panas-after")
    if before is None and after is None:
        return absent("PANAS")
    st.html(scores.mood_means(judge, before, after, place_of(session, judge, held, "panas:positive")))
    st.html(
        '<p class="hint">Before: from the intake form alone. After: with the session. Rated from texts, not by the client.</p>'
    )
    for scale, title in (("positive", "Positive affect"), ("negative", "Negative affect")):
        items = [item for item in PANAS if item.subscale == scale]
        st.html(f'<h3 class="part">{title}</h3>')
        words = "; ".join(
            f"{item.title} "
            + " to ".join(scores.number(card.rating(item.key) if card else None) for card in (before, after))
            for item in items
        )
        plot(charts.mood(before, after, items, dark=dark()), f"panas-{scale}", f"{title} before and after, 1 to 5: {words}")
        st.html(scores.moods(before, after, items, session))


def over_turns(
    session: Session, judge: Judge, cards: list[Scorecard], instruments: list[str], samples: int, live: bool
) -> None:
    """Draw the scores as they stood after each turn that was scored, each scale on an axis of its own."""
    here = can_rate(judge)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        every = st.number_input(
            "Turns between two scorings", 1, 10, 4, key="scores_every", persist_state="session", width=200
        )
        known = [name for name in instruments if name in KNOWN]
        st.button(
            "Score the way here", icon=":material/show_chart:", key="scores_way", on_click=begin,
            args=(session, judge, known, samples, int(every)),
            disabled=live or not here or not known or len(session.turns) < every,
            help="Rates the session as it stood after every so many turns.",
        )  # fmt: skip
    if cards:
        st.html(scores.kind_mark(judge))
    points: dict[tuple[str, int], Scorecard] = {(card.instrument, card.turns): card for card in cards}
    drawn = False
    for title, name, low, high, scales in (
        ("CTRS", "ctrs", 0, 6, ("general", "cbt")),
        ("WAI", "wai", 1, 7, ("task", "bond", "goal")),
        ("PANAS after", "panas-after", 1, 5, ("positive", "negative")),
    ):
        own = sorted(((turns, card) for (about, turns), card in points.items() if about == name), key=lambda pair: pair[0])
        if not own:
            continue
        drawn = True
        lines = {scores.SCALES[scale]: [(turns, card.average(scale)) for turns, card in own] for scale in scales}
        said = "; ".join(
            f"{label} " + ", ".join(f"{scores.MISSING if v is None else f'{v:.1f}'} after turn {t}" for t, v in values)
            for label, values in lines.items()
        )
        st.html(f'<h3 class="part">{title}, {low} to {high}</h3>')
        plot(charts.curve(lines, low, high, dark=dark()), f"curve-{name}", f"{title}: {said}")
    if not drawn:
        absent("The way here", "Score the way here")
    elif len({card.turns for card in cards}) == 1:
        st.html('<p class="hint">There is one point so far. “Score the way here” adds those before it.</p>')


def absent(what: str, button: str = "Score this session") -> None:
    st.html(f'<p class="hint">{escape(what)} has not been rated by this judge. “{escape(button)}” does it.</p>')


def in_words(what: str, card: Scorecard) -> str:
    return f"{what}: " + ", ".join(f"{rating.item} {scores.number(rating)}" for rating in card.ratings)
