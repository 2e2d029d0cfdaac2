"""What the rules count in a session so far: every measure with its scale, its n, how to read it, and its source."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core.domain import Session, Technique
from magnet_core.errors import PromptError
from magnet_core.scoring.rules import Measure, measures
from magnet_core.scoring.tables import Judge
from ui import state, theme
from ui.engine.scorer import sheets_of
from ui.scoring.judging import could_rate

GROUPS: dict[str, tuple[str, ...]] = {
    "Who speaks": ("talk-share", "words-counsellor", "words-client"),
    "Questions and reflections": (
        "open-questions",
        "closed-questions",
        "open-share",
        "simple-reflections",
        "complex-reflections",
        "complex-share",
        "reflection-to-question",
    ),
    "Technique mix": tuple(f"mix-{technique.value}" for technique in Technique),
    "Plan": ("plan-steps",),
    "Loops and faults": (
        "repetition-counsellor",
        "monotony-counsellor",
        "repetition-client",
        "monotony-client",
        "empty",
        "leaked",
    ),
    "Variety of words": ("distinct-1", "distinct-2", "distinct-3", "ead"),
}
ALONG: tuple[str, ...] = ("ctrs", "wai", "panas-before", "panas-after")
"""What is scored as a session grows."""
STEPS = [1, 2, 3, 4, 5, 10]
"""After how many turns each a session may be scored as it grows."""
INDICATOR = "Indicator, not a validated rating"
_FINE = frozenset(GROUPS["Variety of words"])
_SEEN: OrderedDict[tuple[str, int, str], tuple[Measure, ...]] = OrderedDict()
_MOST = 64


def counted(session: Session) -> tuple[Measure, ...]:
    """Return the measures of a session; counted once for as many turns."""
    last = session.turns[-1].response if session.turns else ""
    key = (session.id, len(session.turns), last)
    if key not in _SEEN:
        _SEEN[key] = measures(session)
        while len(_SEEN) > _MOST:
            _SEEN.popitem(last=False)
    return _SEEN[key]


def draw(session: Session, shown: int, switch: bool) -> None:
    """Draw the measures as they stood after the turn that is looked at; `switch` offers to have the session scored as it grows."""
    if switch and not state.view.showing_recording():
        along(session)
    turns = min(shown, len(session.turns))
    if not turns:
        st.html('<p class="hint">Counted from the first turn on: the opening is given, not made.</p>')
        return
    st.html(meters(counted(session.upto(turns)), after=turns))


def along(session: Session) -> None:
    """Draw the switch that has a session scored every few turns, and what the newest scores are."""
    every = state.scores.scored_along(session.id)
    judges = could_rate()
    judge = judges[min(1, len(judges) - 1)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="along"):
        st.toggle(
            "Score as it grows", bool(every), key=f"along_on_{session.id}", disabled=session.ended, on_change=_switch,
            args=(session.id, judge), help="CTRS, WAI and PANAS are rated beside the session and never hold up a turn.",
        )  # fmt: skip
        st.selectbox(
            "Turns between two scorings", STEPS, STEPS.index(every) if every in STEPS else STEPS.index(4), width=160,
            key=f"along_every_{session.id}", label_visibility="collapsed", disabled=session.ended, on_change=_switch,
            args=(session.id, judge), format_func=lambda n: "every turn" if n == 1 else f"every {n} turns",
        )  # fmt: skip
        if len(judges) > 1:
            st.selectbox(
                "Judge", judges, judges.index(judge), width=260, key=f"along_judge_{session.id}", label_visibility="collapsed",
                disabled=session.ended, on_change=_switch, args=(session.id, judge), format_func=lambda j: j.title,
            )  # fmt: skip
        else:
            st.html('<p class="hint">By rules: an indicator, not a validated rating</p>', width="content")
    if every or session.turns:
        going = state.scores.scoring(session.id)
        st.fragment(_follow, run_every=1.0 if going else None)(session, going)


def _switch(session_id: str, usual: Judge) -> None:
    on, every = state.kept(f"along_on_{session_id}"), state.kept(f"along_every_{session_id}", 4)
    judge = state.kept(f"along_judge_{session_id}") or usual
    try:
        sheets = state.scores.in_words_of(judge, sheets_of(ALONG))
    except PromptError as error:
        return state.say(str(error))
    state.scores.score_along(session_id, int(every) if on else 0, state.scores.order(judge.name, sheets))


def _follow(session: Session, going: bool) -> None:
    """Draw the newest scores, and go on doing so until those on their way are there."""
    if newest := _newest(session):
        st.html(newest)
    still = state.scores.scoring(session.id)
    if going and not still:
        st.rerun()
    if still:
        st.html('<p class="hint" role="status">Being scored beside the session.</p>')


def _newest(session: Session) -> str:
    """Return the newest scores of each judge in a line."""
    lines: list[str] = []
    for (_, judge), cards in state.scores.by_judge(state.scores.cards_of(session.id)).items():
        said: list[str] = []
        ctrs, wai = cards.get("ctrs") or cards.get("ctrs-11"), cards.get("wai")
        before, after = cards.get("panas-before"), cards.get("panas-after")
        if ctrs and (value := ctrs.average()) is not None:
            said.append(f"CTRS <b>{value:.1f}</b> of 6")
        if wai and (value := wai.average()) is not None:
            said.append(f"WAI <b>{value:.1f}</b> of 7")
        for scale in ("positive", "negative"):
            was, now = (card.average(scale) if card else None for card in (before, after))
            if was is not None and now is not None:
                said.append(f"{scale} affect <b>{signed(now - was)}</b>")
        turns = max(card.turns for card in cards.values())
        if said:
            lines.append(
                f"<span>{escape(judge.title)}, after turn {turns}:</span> " + " ".join(f"<span>{one}</span>" for one in said)
            )
    return "".join(f'<div class="facts newest">{line}</div>' for line in lines)


def meters(found: Sequence[Measure], *, after: int) -> str:
    """Return all measures as HTML, in groups."""
    by_name = {measure.name: measure for measure in found}
    listed = {name for names in GROUPS.values() for name in names}
    groups = GROUPS | {"Others": tuple(name for name in by_name if name not in listed)}
    parts: list[str] = []
    for title, names in groups.items():
        own = [by_name[name] for name in names if name in by_name]
        if own:
            sources = " ".join(dict.fromkeys(measure.source for measure in own))
            rows = "".join(map(_row, own))
            parts.append(
                f'<section class="meters"><header><h3>{escape(title)}</h3></header>{rows}'
                f'<p class="source">Source: {escape(sources)}</p></section>'
            )
    first = f"Counted by rules in the text, after turn {after}. Counts are no verdict."
    return f'<p class="hint">{first}</p>{"".join(parts)}'


def _row(measure: Measure) -> str:
    words = value(measure)
    bar = ""
    if measure.value is not None and measure.high:
        share = max(0.0, min(1.0, (measure.value - measure.low) / (measure.high - measure.low)))
        bar = f'<span class="meter" aria-hidden="true"><i style="width:{share:.1%}"></i></span>'
    title, mark = measure.title, ""
    if measure.name.startswith("mix-"):
        technique = Technique(measure.name.removeprefix("mix-"))
        title, mark = "", theme.badge(technique, name=True)
    return (
        f'<div class="measure"><div><b>{mark}{escape(title)}</b><p>{escape(measure.read)}</p></div>'
        f'<div class="amount"><b>{words}</b>{bar}<span>{escape(_of(measure))}</span></div></div>'
    )


def value(measure: Measure) -> str:
    """Return a measure's number for a reader."""
    if measure.value is None:
        return "missing"
    if measure.name in _FINE:
        return f"{measure.value:.3f}"
    if measure.unit == "share":
        return f"{measure.value:.0%}"
    return f"{measure.value:.0f}" if measure.unit == "sentences" else f"{measure.value:.1f}"


_COUNTED = {
    "talk-share": "words",
    "open-share": "questions",
    "complex-share": "reflections",
    "reflection-to-question": "reflections and questions",
    "plan-steps": "plan steps",
    "distinct-1": "words",
    "distinct-2": "word pairs",
    "distinct-3": "word triples",
    "ead": "words",
}


def _of(measure: Measure) -> str:
    """Return the scale and the n of a measure in words."""
    what = _COUNTED.get(measure.name, "sentences" if measure.unit == "sentences" else "messages")
    if measure.name == "reflection-to-question":
        return f"to 1, n = {measure.n:,} {what}"
    if measure.unit == "words":
        return f"words, n = {measure.n:,} {what}"
    return f"scale 0 to 1, n = {measure.n:,} {what}" if measure.name in _FINE else f"of {measure.n:,} {what}"


def signed(number: float) -> str:
    """Return a change with its sign, at one digit."""
    return f"{number:+.1f}".replace("-", "−")
