"""Scores as HTML: every rating opens its reason, its turns and who gave it. Every text from a judge or a session is escaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from streamlit.components.v2 import component

from magnet_core.domain import Session
from magnet_core.scoring.items import INSTRUMENTS, Item, Rating, Scorecard
from magnet_core.scoring.plain import Line
from magnet_core.scoring.tables import Group, Judge, judge_of, rows
from ui.engine.scorer import Progress
from ui.scoring.rules import INDICATOR, signed

NONE = "–"
MISSING = "missing"
ABOUT = {"ctrs": "Skills", "wai": "Alliance", "panas": "Mood", "rules": "Counts"}
SCALES = {
    "general": "General skills",
    "cbt": "Cognitive skills",
    "structure": "Structure",
    "task": "Task",
    "bond": "Bond",
    "goal": "Goal",
    "positive": "Positive affect",
    "negative": "Negative affect",
}
_EXCERPT = 180


def kind_mark(judge: Judge) -> str:
    """Return what kind of number this judge gives, as a small label."""
    words = {
        "rule": INDICATOR,
        "model": "Rated by a model, not by a person",
        "person": "Rated by a person",
    }[judge.kind]
    return f'<span class="kind {judge.kind}">{escape(words)}</span>'


def reading(lines: Sequence[Line], judge: Judge | None) -> str:
    """Return what the scores say in plain words; without a judge nobody has rated, and they are what is counted in the text."""
    said = "".join(
        f'<li class="{line.tone}"><b class="tone">{ABOUT[line.about]}</b><span>{escape(line.text)}</span></li>'
        for line in lines
    )
    mark = kind_mark(judge) if judge else ""
    return (
        f'<section class="card plain-words"><header><h3>In plain words</h3>{mark}</header>'
        f'<ul>{said}</ul><p class="hint">{escape(_whence(judge))}</p></section>'
    )


def _whence(judge: Judge | None) -> str:
    """Return what a reading rests on, in a sentence."""
    if judge is None:
        return "Counted in the text by rules."
    if judge.kind == "rule":
        return "Read from the ratings of the rules and from what they count in the text."
    return f"Read from the ratings of {judge.name}; the reasons and the counts were found in the text by rules."


def scale_means(judge: Judge, card: Scorecard, scales: Sequence[str], high: int, place: str = "") -> str:
    """Return the mean of each subscale with its n, never a sum; `place` says where the session stands among others."""
    parts: list[str] = []
    for scale in scales:
        own = [r for r in card.ratings if _item(card, r.item).subscale == scale]
        there = sum(r.value is not None for r in own)
        mean = card.average(scale)
        number = f"<b>{mean:.1f}</b> of {high}" if mean is not None else f"<b>{MISSING}</b>"
        parts.append(
            f'<span title="Mean of the items of this scale">{SCALES[scale]} {number} <i>({there} of {len(own)} items)</i></span>'
        )
    where = f"<span>{escape(place)}</span>" if place else ""
    return f'<div class="facts means">{kind_mark(judge)}{"".join(parts)}{where}</div>'


def ratings(card: Scorecard, session: Session) -> str:
    """Return the ratings of a scorecard, one under the other."""
    return "".join(_rating(card, rating, _item(card, rating.item), session) for rating in card.ratings)


def moods(before: Scorecard | None, after: Scorecard | None, items: Sequence[Item], session: Session) -> str:
    """Return the words of PANAS with both of their ratings."""
    return "".join(_mood(before, after, item, session) for item in items)


def mood_means(judge: Judge, before: Scorecard | None, after: Scorecard | None, place: str = "") -> str:
    """Return both affects before and after, and how they changed; `place` says where the session stands among others."""
    parts: list[str] = []
    for scale in ("positive", "negative"):
        was, now = (card.average(scale) if card else None for card in (before, after))
        words = " → ".join(f"{v:.1f}" if v is not None else MISSING for v in (was, now))
        change = f", change <b>{signed(now - was)}</b>" if was is not None and now is not None else ""
        parts.append(f"<span>{SCALES[scale]} <b>{words}</b>{change}</span>")
    where = f"<span>{escape(place)}</span>" if place else ""
    return f'<div class="facts means">{kind_mark(judge)}{"".join(parts)}<span class="quiet">scale 1 to 5</span>{where}</div>'


def trial(card: Scorecard, session: Session) -> str:
    """Return the ratings of a card on its own."""
    return f'<section class="card"><header><h3>What it gave</h3></header>{ratings(card, session)}</section>'


def progress(now: Progress) -> str:
    """Return how far a job is, or how it ended."""
    share = now.rated / now.total if now.total else 1.0
    what = f"{now.sessions} sessions" if now.sessions > 1 else "the session"
    judge = "the rules" if now.judge == "rules" else now.judge
    gone = f" {now.missing} could not be read and are missing." if now.missing else ""
    words = {
        "running": f"{judge.capitalize() if judge == 'the rules' else judge} rates {what}: {now.rated} of {now.total} ratings.",
        "stopping": "Stopping.",
        "done": f"Scored by {judge}: {now.rated} ratings.",
        "stopped": f"Stopped. {now.rated} of {now.total} ratings were given; scales that were whole are kept.",
        "failed": "The scoring broke off.",
    }[now.state]
    if now.state == "done" and not now.error:
        return f'<p class="hint" role="status">{escape(words)}{escape(gone)}</p>'
    bar = f'<div class="bar"><i style="width:{share:.1%}"></i></div>' if now.live else ""
    bad = " bad" if now.state == "failed" or now.error else ""
    return (
        f'<section class="card report{bad}" role="status">{bar}<p class="hint">{escape(words)}{escape(gone)}</p>'
        + (f'<p class="flag risk">{escape(now.error)}</p>' if now.error else "")
        + "</section>"
    )


def table(found: Sequence[Group], *, shown: bool = False) -> list[dict[str, Any]]:
    """Return groups as rows of a table; without an interval where the sessions are too few. `shown` gives numbers as words."""

    def cell(value: float | None) -> Any:
        return (NONE if value is None else f"{value:.2f}") if shown else value

    return [
        {
            "Group": group.name,
            "n": group.n,
            "Missing": group.missing,
            "Mean": cell(group.mean),
            "SD": cell(group.spread),
            "95 % from": cell(group.low),
            "to": cell(group.high),
        }
        for group in found
    ]


def number(rating: Rating | None) -> str:
    """Return a rating as it was given, in words where it is missing."""
    return MISSING if rating is None or rating.value is None else f"{rating.value:.1f}"


def csv_of(cards: Iterable[Scorecard]) -> bytes:
    """Return ratings as CSV, a row each."""
    return as_csv(rows(cards))


def as_csv(found: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV that a spreadsheet opens; no text in it is taken for a formula."""
    out = io.StringIO()
    if found:
        writer = csv.DictWriter(out, list(found[0]))
        writer.writeheader()
        for row in found:
            writer.writerow({name: _harmless(value) for name, value in row.items()})
    return out.getvalue().encode("utf-8-sig")


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _item(card: Scorecard, key: str) -> Item:
    known = card.items or INSTRUMENTS.get(card.instrument, ())
    return next(item for item in known if item.key == key)


def _rating(card: Scorecard, rating: Rating, item: Item, session: Session) -> str:
    number, note = MISSING, ""
    bar = ""
    if rating.value is not None:
        value = item.favourable(rating.value)
        number = f"{value:.1f}"
        bar = _meter((value - item.low) / (item.high - item.low))
        note = f"as rated {rating.value:.1f}, turned round {value:.1f}" if item.reversed else ""
    title = escape(item.title) + (f' <i class="turned">{escape(note)}</i>' if note else "")
    return (
        f'<details class="score" data-item="{escape(item.key)}"><summary><span class="what">{title}</span>{bar}'
        f'<b class="num">{number}</b><span class="of">of {item.high}</span></summary>{_why(card, rating, session)}</details>'
    )


def _mood(before: Scorecard | None, after: Scorecard | None, item: Item, session: Session) -> str:
    pair = [(card, card.rating(item.key)) if card else (None, None) for card in (before, after)]
    values = [rating.value if rating else None for _, rating in pair]
    words = " → ".join(f"{value:.1f}" if value is not None else MISSING for value in values)
    change = signed(values[1] - values[0]) if values[0] is not None and values[1] is not None else NONE
    parts = "".join(
        f'<h4 class="small">{side}</h4>{_why(card, rating, session)}'
        for side, (card, rating) in zip(("Before", "After"), pair, strict=True)
        if card and rating
    )
    return (
        f'<details class="score" data-item="{escape(item.key)}"><summary><span class="what">{escape(item.title.capitalize())}</span>'
        f'<b class="num wide">{words}</b><span class="of">{change}</span></summary>{parts}</details>'
    )


def _why(card: Scorecard, rating: Rating, session: Session) -> str:
    """Return the reason of a rating, the turns it rests on, and where it comes from."""
    reason = f'<p class="says">{escape(rating.explanation or "No reason was given.")}</p>'
    others = [text for text in dict.fromkeys(rating.explanations) if text and text != rating.explanation]
    if others:
        said = "".join(f"<li>{escape(text)}</li>" for text in others)
        reason += f'<p class="hint">The other samples said:</p><ul class="others">{said}</ul>'
    quotes = "".join(_quote(turn, text) for turn, text in _evidence(rating, session))
    evidence = f'<ul class="quotes">{quotes}</ul>' if quotes else '<p class="hint">It names no turn.</p>'
    return f'<div class="why">{reason}{evidence}<div class="facts origin">{_origin(card, rating)}</div>{_try(card, rating)}</div>'


def _try(card: Scorecard, rating: Rating) -> str:
    """Return the way to the words a model was told about an item, where they can be changed and tried."""
    if card.kind != "model":
        return ""
    asked = escape(" ".join((card.instrument, rating.item, card.prompt_sha or "-", card.judge)))
    return f'<button type="button" class="jump" data-try="{asked}">Try this judge\'s prompt</button>'


def _origin(card: Scorecard, rating: Rating) -> str:
    judge = judge_of(card)
    samples = ", ".join(MISSING if s is None else f"{s:g}" for s in rating.samples)
    facts = {
        "Judge": judge.title,
        "Samples": samples or ("one, by rule" if rating.value is not None else NONE),
        "Spread (SD)": NONE if rating.spread is None else f"{rating.spread:.2f}",
        "n": str(rating.n),
        "Prompt hash": card.prompt_sha or NONE,
        "After turn": str(card.turns),
        "Scored": f"{card.created:%d %b %Y, %H:%M} UTC",
    }
    return "".join(f"<span>{escape(name)}: <b>{escape(value)}</b></span>" for name, value in facts.items())


def _quote(turn: int | None, text: str) -> str:
    where = "Intake form" if turn is None else "Opening" if turn == 0 else f"Turn {turn}"
    if turn is None:
        return f'<li><span class="jump">{where}</span><q>{escape(text)}</q></li>'
    label = f"Go to {where.lower()} of the session"
    button = f'<button type="button" class="jump" data-jump="{turn}" aria-label="{label}" title="{label}">{where}</button>'
    return f"<li>{button}<q>{escape(text)}</q></li>"


def _evidence(rating: Rating, session: Session) -> list[tuple[int | None, str]]:
    """Return quotes with the turn each stands in (None: in no turn); where a judge named turns only, how these begin."""
    if rating.quotes:
        return [
            (next((turn for turn in rating.turns if quote in _said(session, turn)), None), quote) for quote in rating.quotes
        ]
    return [(turn, _excerpt(_said(session, turn))) for turn in rating.turns if turn <= len(session.turns)]


def _said(session: Session, turn: int) -> str:
    if turn > len(session.turns):
        return ""
    opening = session.profile.opening
    counsellor, client = (
        (session.turns[turn - 1].response, session.turns[turn - 1].reply.text)
        if turn
        else (opening.counsellor, opening.client)
    )
    return f"{counsellor}\n{client}"


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT].rpartition(" ")[0] + " …"


def _meter(share: float) -> str:
    return f'<span class="meter" aria-hidden="true"><i style="width:{max(0.0, min(1.0, share)):.1%}"></i></span>'


_TOUCH = """
export default function ({ setTriggerValue }) {
  const box = document.querySelector('.st-key-scores')
  if (!box) return
  const pick = (event) => {
    const place = event.target.closest('[data-jump]')
    if (place) setTriggerValue('turn', Number(place.dataset.jump))
    const words = event.target.closest('[data-try]')
    if (words) setTriggerValue('words', words.dataset.try)
  }
  box.addEventListener('click', pick)
  return () => box.removeEventListener('click', pick)
}
"""


def touch(on_turn: Callable[[int], None], on_words: Callable[[str], None]) -> None:
    """Call `on_turn` with the turn whose place in the evidence is clicked, `on_words` with the rating whose words are to be tried."""
    mount = component("scores_touch", html="<span></span>", js=_TOUCH)
    result = mount(key="scores_touch", on_turn_change=lambda: None, on_words_change=lambda: None, height=1)
    if result.turn is not None:
        on_turn(int(result.turn))
    if result.words is not None:
        on_words(str(result.words))
