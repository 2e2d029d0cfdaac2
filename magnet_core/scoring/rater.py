"""The rule-based rater: CTRS, WAI and PANAS estimated from signs that anyone can see in the text. No model.

An indicator, not a validated rating. The signs and what they count are data (`knowledge/signs.yaml`); this file only knows how each kind of
sign is looked for. What it is worth, and which signs were rejected, is in docs/rater.md.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from statistics import mean
from typing import Any

from magnet_core.domain import Intake, Session, Utterance
from magnet_core.guards import leak, repeats
from magnet_core.knowledge import read
from magnet_core.profiles import intake_text
from magnet_core.scoring.coding import Coded, Exchange, Talk, read_talk, stems
from magnet_core.scoring.items import INSTRUMENTS, Instrument, Item, Rating, Scorecard

JUDGE = "rules"
NOTICE = "Estimated by rules from signs in the text: an indicator, not a validated rating."
QUOTES = 4
"""The most quotes a rating carries."""

_PRIOR = 4
"""A rank is averaged with so many moments at chance: a handful of lucky answers proves little."""
_FEW = 6
"""A message with fewer content words counts as one with so many: an echo of one word is not much."""
_ASKS = frozenset({"open-question", "closed-question", "instruction", "summary"})


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in the text that shows a sign."""

    turn: int
    quote: str


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign as it was found: from 0 (not seen) to 1 (fully there), in what measure, and where."""

    name: str
    title: str
    value: float
    measure: str
    traces: tuple[Trace, ...]
    bad: bool


def rate(
    dialogue: Session | Iterable[Utterance],
    instrument: Instrument = "ctrs",
    *,
    session_id: str = "",
    intake: Intake | None = None,
) -> Scorecard:
    """Return the scorecard of a session, or of a bare transcript (its `intake` serves PANAS, if there is one).

    Every rating says in a sentence what speaks for and against it, with the turns and words it rests on.
    """
    if isinstance(dialogue, Session):
        session_id, intake = session_id or dialogue.id, intake or dialogue.profile.intake
    talk = read_talk(dialogue)
    items = INSTRUMENTS[instrument]
    if instrument in ("panas-before", "panas-after"):
        ratings = _panas(talk, items, intake, after=instrument == "panas-after")
    else:
        signs = look(talk)
        ratings = tuple(_rating(item, read("signs.yaml")[item.instrument][item.key], signs) for item in items)
    turns = len([e for e in talk.exchanges if e.turn])
    return Scorecard(
        session_id=session_id,
        instrument=instrument,
        judge=JUDGE,
        kind="rule",
        created=datetime.now(UTC),
        ratings=ratings,
        turns=len(dialogue.turns) if isinstance(dialogue, Session) else turns,
    )


def look(talk: Talk) -> dict[str, Sign]:
    """Return every sign of `knowledge/signs.yaml` as it shows in a coded dialogue."""
    close = _closeness(talk)
    return {name: _LOOK[known["how"]](name, known, talk, close) for name, known in read("signs.yaml")["signs"].items()}


# --- how close messages are to their neighbours ---


@dataclass(frozen=True, slots=True)
class _Closeness:
    """For each exchange: how its message ranks against the client's last words and against the reply, 1 the closest, 0.5 chance."""

    follows: tuple[float | None, ...]
    answered: tuple[float | None, ...]

    def fits(self, place: int) -> bool:
        """Tell whether a message answers the client's last words more than most other words of the client."""
        rank = self.follows[place]
        return rank is not None and rank > 0.6


def _closeness(talk: Talk) -> _Closeness:
    """Compare each message with what the client said before and after it, and with all else the client said.

    Shared content words count for more the fewer of the client's and of the counsellor's messages hold them, so that the theme of the whole
    session does not pass for listening.
    """
    exchanges = talk.exchanges
    client = [e.reply for e in exchanges]
    if exchanges and exchanges[0].heard:
        client = [exchanges[0].heard, *client]
    shift = len(client) - len(exchanges)
    heard, said = [stems(text) for text in client], [stems(e.said) for e in exchanges]
    distinct = set(filter(None, heard))  # a client who says the same again does not make it the theme
    spoken = max(1, len(distinct))
    in_client = Counter(word for text in distinct for word in text)
    in_counsellor = Counter(word for text in said for word in text)
    weight = {
        word: math.log((spoken + 1) / in_client[word]) * math.log((len(said) + 1) / count)
        for word, count in in_counsellor.items()
        if word in in_client
    }
    size = [math.sqrt(1 + math.fsum(weight.get(word, 0.0) for word in text)) for text in heard]

    def likeness(place: int, other: int) -> float:
        return math.fsum(weight[word] for word in said[place] & heard[other]) / size[other]

    def rank(place: int, own: int, barred: Sequence[int]) -> float | None:
        if not 0 <= own < len(heard) or not heard[own]:
            return None
        nearness = likeness(place, own)
        others = [likeness(place, n) for n in range(len(heard)) if n not in barred and heard[n] and heard[n] != heard[own]]
        if not others:
            return 1.0 if nearness else 0.5
        return mean(1.0 if nearness > other else 0.5 if nearness == other else 0.0 for other in others)

    follows: list[float | None] = []
    answered: list[float | None] = []
    for place in range(len(exchanges)):
        after = place + shift
        before = next((n for n in range(after - 1, -1, -1) if client[n]), -1)
        follows.append(rank(place, before, (before, after)))
        answered.append(rank(place, after, (before, after)) if exchanges[place].turn else None)
    return _Closeness(tuple(follows), tuple(answered))


# --- the kinds of signs ---

_Known = Mapping[str, Any]


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _found(known: _Known, text: str) -> bool:
    return "pattern" not in known or _pattern(known["pattern"]).search(text.replace("’", "'")) is not None


def _later(talk: Talk) -> list[tuple[int, Exchange]]:
    """Return the exchanges with their places; the opening's message is given, not earned, and stays out."""
    return [(place, e) for place, e in enumerate(talk.exchanges) if e.turn]


def _sign(name: str, known: _Known, value: float, measure: str, traces: Iterable[Trace]) -> Sign:
    value = min(1.0, max(0.0, value / known.get("enough", 1.0)))
    return Sign(name, known["title"], value, measure, tuple(traces), bool(known.get("bad")))


def _sentence(known: _Known, coded: Iterable[Coded]) -> str:
    """Return the first sentence that carries one of the codes and the pattern; empty when none does."""
    wanted = frozenset(known.get("codes", ()))
    return next((s.text for s in coded if (not wanted or s.codes & wanted) and _found(known, s.text)), "")


def _share(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    traces: list[Trace] = []
    later = _later(talk)
    for place, exchange in later:
        if exchange.codes & frozenset(known.get("without", ())) or (known.get("fitting") and not close.fits(place)):
            continue
        if known.get("leak"):
            quote = leak(exchange.said)
        elif known.get("repeat"):
            earlier = (e.said for e in talk.exchanges[:place])
            quote = exchange.said if any(repeats(exchange.said, before) for before in earlier) else ""
        else:
            quote = _sentence(known, exchange.coded)
        if quote:
            traces.append(Trace(exchange.turn, quote))
    of = len(later) + (0 if known.get("bad") else talk.counsellor_empty)
    return _sign(name, known, len(traces) / of if of else 0.0, f"{len(traces)} of {of} messages", traces)


def _seen(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    count = len(talk.exchanges)
    start, end = {
        "anywhere": (0, count),
        "start": (0, max(3, count // 5 + 1)),
        "end": (count - max(3, count // 4), count),
        "close": (count - 2, count),
    }[known["place"]]
    hits = [Trace(e.turn, q) for n, e in enumerate(talk.exchanges) if start <= n < end and (q := _sentence(known, e.coded))]
    return _sign(name, known, float(bool(hits)), "seen" if hits else "not seen", hits)


def _kinds(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    said: list[tuple[int, str]] = []
    for exchange in talk.exchanges:
        if known.get("client"):
            said.append((exchange.turn, exchange.reply))
        else:
            said += [(exchange.turn, s.text) for s in exchange.coded if not known.get("asking") or s.codes & _ASKS]
    kinds = read("signs.yaml")["signs"][known["like"]]["kinds"] if "like" in known else known["kinds"]
    places: dict[str, dict[int, str]] = {}
    for turn, text in said:
        plain = text.replace("’", "'")
        for kind, pattern in kinds.items():
            if hit := _pattern(pattern).search(plain):
                quote = _around(text, hit.start())
                if quote not in places.setdefault(kind, {}).values():  # the same sentence again is no further work
                    places[kind].setdefault(turn, quote)
    there = [kind for kind in kinds if len(places.get(kind, ())) >= known.get("turns", 1)]
    traces = [Trace(*list(places[kind].items())[known.get("turns", 1) - 1]) for kind in there]
    names = ", ".join(there) or "none"
    return _sign(name, known, len(there), f"{len(there)} of {len(kinds)}: {names}", traces)


def _replies(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    asked = frozenset(known.get("after", ()))
    traces: list[Trace] = []
    later = _later(talk)
    for _, exchange in later:
        hit = _pattern(known["pattern"]).search(exchange.reply.replace("’", "'"))
        if hit and (not asked or exchange.codes & asked):
            traces.append(Trace(exchange.turn, _around(exchange.reply, hit.start())))
    of = len(later) + (0 if known.get("bad") else talk.counsellor_empty)
    return _sign(name, known, len(traces) / of if of else 0.0, f"{len(traces)} of {of} replies", traces)


def _moments(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    wanted = frozenset(known["codes"])
    moments = [(place, e) for place, e in _later(talk) if _found(known, e.heard)]
    met = [
        Trace(e.turn, next(s.text for s in e.coded if s.codes & wanted))
        for place, e in moments
        if e.codes & wanted and close.fits(place)
    ]
    value = len(met) / len(moments) if moments else 0.0
    return _sign(name, known, value, f"{len(met)} of {len(moments)} moments", met)


def _ranked(which: Callable[[_Closeness], tuple[float | None, ...]]) -> Callable[..., Sign]:
    def sign(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
        ranks = [(rank, e) for rank, e in zip(which(close), talk.exchanges, strict=True) if rank is not None and e.turn]
        average = mean([rank for rank, _ in ranks] + [0.5] * (talk.counsellor_empty + _PRIOR))
        best = sorted(ranks, key=lambda pair: -pair[0])[:QUOTES]
        traces = [Trace(e.turn, e.coded[0].text if e.coded else e.said) for rank, e in best if rank > 0.5]
        return _sign(name, known, 2 * average - 1, f"closer than {average:.0%} of the others, 50% is chance", traces)

    return sign


def _material(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    taken: dict[str, Trace] = {}
    for _, exchange in _later(talk):
        for sentence in exchange.coded:
            for word in sorted(stems(sentence.text) & stems(exchange.heard)):
                taken.setdefault(word, Trace(exchange.turn, sentence.text))
    return _sign(name, known, len(taken), f"{len(taken)} different words of the client's", dict.fromkeys(taken.values()))


def _words(name: str, known: _Known, talk: Talk, close: _Closeness) -> Sign:
    shares: list[tuple[float, Exchange]] = []
    for place, exchange in _later(talk):
        heard = frozenset().union(*(stems(e.heard) for e in talk.exchanges[max(0, place - 2) : place + 1]))
        said = stems(exchange.said)
        shares.append((len(said & heard) / math.sqrt(max(_FEW, len(said)) * max(_FEW, len(heard))), exchange))
    of = len(shares) + talk.counsellor_empty
    average = sum(share for share, _ in shares) / of if of else 0.0
    best = sorted(shares, key=lambda pair: -pair[0])[:QUOTES]
    traces = [Trace(e.turn, e.coded[0].text if e.coded else e.said) for share, e in best if share > 0]
    return _sign(name, known, average, f"{average:.0%} of the content words in common", traces)


_LOOK: dict[str, Callable[[str, _Known, Talk, _Closeness], Sign]] = {
    "share": _share,
    "seen": _seen,
    "kinds": _kinds,
    "replies": _replies,
    "moments": _moments,
    "material": _material,
    "words": _words,
    "follows": _ranked(lambda close: close.follows),
    "answered": _ranked(lambda close: close.answered),
}


def _around(text: str, place: int) -> str:
    """Return the sentence of a text that holds a place."""
    start = max(text.rfind(mark, 0, place) for mark in ".!?\n") + 1
    end = min((e for mark in ".!?\n" if (e := text.find(mark, place)) >= 0), default=len(text) - 1)
    return text[start : end + 1].strip()


# --- from signs to ratings ---


def _weighed(weights: Mapping[str, float], signs: Mapping[str, Sign]) -> float:
    return weights.get("base", 0.0) + sum(w * signs[name].value for name, w in weights.items() if name != "base")


def _reasons(weights: Mapping[str, float], signs: Mapping[str, Sign], high_is_good: bool) -> tuple[str, list[Trace]]:
    """Return in a sentence what speaks for and against, with the places that show it."""
    good = 1 if high_is_good else -1
    weighty = {name: w * good for name, w in weights.items() if name != "base"}
    helps = [
        n for n, w in sorted(weighty.items(), key=lambda p: -p[1] * signs[p[0]].value) if w > 0 and signs[n].value > 0.15
    ]
    lacks = [
        n
        for n, w in sorted(weighty.items(), key=lambda p: -p[1] * (1 - signs[p[0]].value))
        if w > 0 and signs[n].value < 0.6 and n not in helps[:3]
    ]
    hurts = [
        n for n, w in sorted(weighty.items(), key=lambda p: p[1] * signs[p[0]].value) if w < 0 and signs[n].value > 0.15
    ]
    told: list[str] = []
    for label, names in (("For it", helps[:3]), ("Missing or thin", lacks[:2]), ("Against it", hurts[:2])):
        if names:
            told.append(f"{label}: " + "; ".join(f"{signs[n].title} ({signs[n].measure})" for n in names) + ".")
    traces = [t for depth in range(2) for n in (*hurts[:1], *helps[:3]) for t in signs[n].traces[depth : depth + 1]]
    return " ".join(told) or "None of its signs was seen.", traces


def _cited(traces: Iterable[Trace]) -> dict[str, Any]:
    kept = sorted(dict.fromkeys(traces), key=lambda t: t.turn)[:QUOTES]
    return {"turns": tuple(dict.fromkeys(t.turn for t in kept)), "quotes": tuple(t.quote for t in kept)}


def _rating(item: Item, weights: Mapping[str, float], signs: Mapping[str, Sign]) -> Rating:
    value = item.low + (item.high - item.low) * min(1.0, max(0.0, _weighed(weights, signs)))
    reason, traces = _reasons(weights, signs, not item.reversed)
    return Rating(item=item.key, value=round(value, 2), explanation=reason, **_cited(traces))


def _panas(talk: Talk, items: Sequence[Item], intake: Intake | None, *, after: bool) -> tuple[Rating, ...]:
    known = read("signs.yaml")["panas"]
    first = next(((e.turn, e.reply) for e in talk.exchanges if e.reply), (0, ""))
    form = intake_text(intake) if intake else first[1]
    signs = look(talk) if after else {}
    late = [e for _, e in _later(talk)]
    late = late[-max(1, len(late) // 3) :]
    ratings: list[Rating] = []
    for item in items:
        scale, cue = known[item.subscale], _pattern(known["cues"][item.key])
        before = min(3.5, scale["start"] + min(2, len(cue.findall(form))))
        shown = [Trace(0, _around(form, hit.start())) for hit in list(cue.finditer(form))[:1]]
        if not after:
            source = "the intake form" if intake else "the client's first message"
            reason = f"{len(cue.findall(form))} words for it in {source}."
            ratings.append(Rating(item=item.key, value=before, explanation=reason, quotes=tuple(t.quote for t in shown)))
            continue
        weights = dict(scale["shift"])
        for name, weight in scale["words"][item.key].items():
            weights[name] = weights.get(name, 0.0) + weight
        new = [
            Trace(e.turn, _around(e.reply, hit.start()))
            for e in late
            if (hit := cue.search(e.reply)) and not cue.search(form)
        ]
        value = before + _weighed(weights, signs) + min(1.0, 0.5 * len(new)) * known.get("new", 1.0)
        reason, traces = _reasons(weights, signs, item.subscale == "positive")
        spoken = f" {len(new)} late replies speak of it anew." if new else ""
        rated = min(float(item.high), max(float(item.low), value))
        ratings.append(
            Rating(
                item=item.key,
                value=round(rated, 2),
                explanation=f"Before {before:g}. {reason}{spoken}",
                **_cited(new[:1] + traces),
            )
        )
    return tuple(ratings)
