"""What scores say in plain words, for a reader who does not know the scales. Texts and thresholds are data (`knowledge/scores.yaml`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from magnet_core.domain import Session, Value
from magnet_core.knowledge import read
from magnet_core.scoring.coding import read_talk
from magnet_core.scoring.items import Scorecard
from magnet_core.scoring.rater import look
from magnet_core.scoring.rules import Measure, measures

Tone = Literal["strong", "fair", "little", "note"]
NAMED = 2
"""The most weak points that a sentence gives a reason for."""


class Line(Value):
    """One thing the scores say."""

    about: str
    """ctrs, wai, panas or rules."""
    tone: Tone
    text: str


def read_scores(session: Session, cards: Iterable[Scorecard] = ()) -> tuple[Line, ...]:
    """Return what the newest scorecards of one judge say of a session, and then what its rules say."""
    held = {card.instrument: card for card in cards}
    counted = {measure.name: measure for measure in measures(session)}
    signs = {name: sign.value for name, sign in look(read_talk(session)).items()}
    facts = signs | {name: measure.value for name, measure in counted.items() if measure.value is not None}
    found: list[Line] = []
    if card := held.get("ctrs-11") or held.get("ctrs"):
        found += _ctrs(card, facts)
    if card := held.get("wai"):
        found += _wai(card, facts)
    if (before := held.get("panas-before")) and (after := held.get("panas-after")):
        found += _panas(before, after)
    return (*found, *_rules(counted))


def _ctrs(card: Scorecard, facts: Mapping[str, float]) -> list[Line]:
    known = read("scores.yaml")["ctrs"]
    rated = sorted(((r.value, r.item) for r in card.ratings if r.value is not None), key=lambda pair: -pair[0])
    strong = [known["words"][item] for value, item in rated if value >= known["strong"]]
    little = [(item, known["words"][item]) for value, item in reversed(rated) if value < known["little"]]
    if not rated:
        return [Line(about="ctrs", tone="note", text="The counsellor's skills could not be rated.")]
    said = [f"Strong on {_list(strong[:3])}"] if strong else []
    said += [f"little {word}{_because(known, item, facts)}" for item, word in little[:NAMED]]
    if len(little) > NAMED:
        said.append(f"also low: {_list([word for _, word in little[NAMED:]])}")
    elif strong and not little and rated[-1][0] < known["strong"]:
        said.append(f"least on {known['words'][rated[-1][1]]}{_because(known, rated[-1][1], facts)}")
    tone: Tone = "little" if little else "strong" if strong else "fair"
    text = _sentence("; ".join(said) or "Fair on all points, strong on none")
    return [Line(about="ctrs", tone=tone, text=text), *_missing("ctrs", card)]


def _wai(card: Scorecard, facts: Mapping[str, float]) -> list[Line]:
    known = read("scores.yaml")["wai"]
    rated = {scale: value for scale in known["words"] if (value := card.average(scale)) is not None}
    if not rated:
        return [Line(about="wai", tone="note", text="The working alliance could not be rated.")]
    best, worst = max(rated, key=lambda s: rated[s]), min(rated, key=lambda s: rated[s])
    high, low = rated[best] >= known["strong"], rated[worst] < known["little"]
    said: list[str] = []
    if high:
        said.append(f"the alliance shows most in {known['words'][best]} ({rated[best]:.1f} of 7)")
    if low:
        said.append(f"little in {known['words'][worst]} ({rated[worst]:.1f} of 7){_because(known, worst, facts)}")
    if not said:
        said.append(f"the alliance is middling throughout ({rated[worst]:.1f} to {rated[best]:.1f} of 7)")
    tone: Tone = "little" if low else "strong" if high else "fair"
    found = [Line(about="wai", tone=tone, text=_sentence("; ".join(said)))]
    if (whole := card.average()) is not None and whole >= known["ceiling"]:
        found.append(Line(about="wai", tone="note", text="Near the top of its scale: small differences mean little here."))
    return [*found, *_missing("wai", card)]


def _panas(before: Scorecard, after: Scorecard) -> list[Line]:
    known = read("scores.yaml")["panas"]
    said: list[str] = []
    better: list[float] = []
    for scale, word in known["words"].items():
        was, now = before.average(scale), after.average(scale)
        if was is None or now is None:
            continue
        change = now - was
        size = "hardly changes" if abs(change) < known["slight"] else "rises" if change > 0 else "falls"
        degree = " clearly" if abs(change) >= known["clear"] else " a little" if abs(change) >= known["slight"] else ""
        said.append(f"{word if not said else word.lower()} {size}{degree} ({_signed(change)} on a scale of 1 to 5)")
        better.append(change if scale == "positive" else -change)
    if not said:
        return [Line(about="panas", tone="note", text="The client's mood could not be compared before and after.")]
    tone: Tone = "strong" if min(better) >= known["slight"] else "little" if max(better) <= -known["slight"] else "fair"
    return [Line(about="panas", tone=tone, text=_sentence("; ".join(said))), *_missing("panas", before, after)]


def _rules(counted: Mapping[str, Measure]) -> list[Line]:
    found: list[Line] = []
    said: set[str] = set()
    for rule in read("scores.yaml")["rules"]:
        measure = counted.get(rule["measure"])
        if measure is None or measure.value is None or measure.name in said or not _holds(rule, measure.value):
            continue
        if (measure.n or 0) < rule.get("from", 0):
            continue  # too few to speak of
        said.add(measure.name)
        value = f"{measure.value:.0%}" if measure.unit == "share" else f"{measure.value:.1f}"
        found.append(Line(about="rules", tone=rule["tone"], text=rule["say"].format(value=value, n=measure.n)))
    return found


def _missing(about: str, *cards: Scorecard) -> list[Line]:
    of = sum(len(card.ratings) for card in cards)
    gone = sum(rating.value is None for card in cards for rating in card.ratings)
    return [Line(about=about, tone="note", text=f"{gone} of {of} ratings are missing.")] if gone else []


def _because(known: Mapping[str, Any], name: str, facts: Mapping[str, float]) -> str:
    for rule in known["because"].get(name, ()):
        value = facts.get(rule.get("sign") or rule["measure"])
        if value is not None and _holds(rule, value):
            return f": {rule['say']}"
    return ""


def _holds(rule: Mapping[str, Any], value: float) -> bool:
    return value > rule["above"] if "above" in rule else value < rule["below"]


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
