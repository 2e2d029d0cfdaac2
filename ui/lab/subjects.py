"""What a judge is asked in the lab: which judge it is, and on which sessions, blind pairs or answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from magnet_core.domain import Prompt, Session, Value
from magnet_core.errors import MagnetError
from magnet_core.lab import Case, wordings
from magnet_core.lab.judge_trials import Asked, OnAnswer, OnPair, OnSession
from magnet_core.methods import METHODS
from magnet_core.scoring.aspects import OVERALL
from magnet_core.scoring.instruments import Sheet, sheets
from magnet_core.scoring.items import Item, Scorecard
from magnet_core.scoring.judge import Question
from magnet_core.store import Entry
from ui import state
from ui.lab import names
from ui.scoring.judging import KNOWN, MOST

PAIRS, CASES = wordings.PAIRS, wordings.CASES
PAIRS_AT_MOST = 300
ANSWERS_AT_MOST = 5
"""Of a test case, on which its judge is tried."""


class Before(Value):
    """What a judge gave on something before, as it is kept."""

    value: float | None = None
    said: str
    note: str = ""
    """By whom, when, and in which words."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something a judge is asked about."""

    words: str
    """Names it among others."""
    session: Session
    ask: Callable[[Iterable[Prompt]], Asked]
    """Makes the question in some words; raises `PromptError` where they cannot be used."""
    before: Callable[[str], Before | None]
    """Returns what a model gave on it before."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A judge, and what it can be asked about."""

    judge: str
    """An instrument, an own rubric's id, `pairs` or `case`."""
    item: str
    title: str
    noun: str
    texts: Sequence[str]
    """The names of the texts its request is made of."""
    there: dict[str, str]
    """What it can be asked about, by id, in a line."""
    subjects: Callable[[str], list[Subject]]
    hint: str = ""
    """What to do where there is nothing to ask about."""
    short: Mapping[str, str] = field(default_factory=dict[str, str])
    """The same as `there` in a few words, as far as its lines are long."""


def judges(rubrics: Iterable[Sheet]) -> dict[str, str]:
    """Return the judges whose words can be changed, by key."""
    own = {sheet.instrument: f"Own: {sheet.title}" for sheet in rubrics}
    return KNOWN | own | {PAIRS: "Blind pairs", CASES: "Test cases"}


def items_of(judge: str, rubrics: Iterable[Sheet]) -> dict[str, Item]:
    """Return what a judge is asked one by one; nothing where one request asks about all."""
    sheet = ({s.instrument: s for s in rubrics} | sheets()).get(judge)
    return {} if sheet is None or sheet.together else {item.key: item for item in sheet.items}


def topic_of(judge: str, item: str, rubrics: Sequence[Sheet]) -> Topic:
    if judge == PAIRS:
        return _on_pairs()
    if judge == CASES:
        return _on_cases()
    return _on_sessions(({s.instrument: s for s in rubrics} | sheets())[judge], item)


# Sessions


def _on_sessions(sheet: Sheet, item: str) -> Topic:
    items = sheet.items if sheet.together else tuple(i for i in sheet.items if i.key == item)
    keys = [i.key for i in items]
    entries = {entry.id: entry for entry in state.sessions.recent(MOST) if entry.turns}
    there = names.sessions(entries.values())
    title = KNOWN.get(sheet.instrument, sheet.title)

    def subjects(id: str) -> list[Subject]:
        session = state.sessions.stored(id)
        if session is None or not session.turns:
            return []

        def ask(own: Iterable[Prompt]) -> Asked:
            return OnSession(Question(wordings.reworded(sheet, own), items, session))

        return [Subject(names.with_packs([entries[id]])[id], session, ask, partial(_rated, session, sheet, items))]

    scale = f", {items[0].low} to {items[0].high}"
    about = (f"{title}: {items[0].title}" if len(items) == 1 and title != items[0].title else title) + scale
    return Topic(
        sheet.instrument, item, about, "session", wordings.told_in(sheet, keys), there, subjects,
        "With a session in the library, the request is shown as it is sent, and can be tried.",
        names.sessions(entries.values(), names.short),
    )  # fmt: skip


def _rated(session: Session, sheet: Sheet, items: Sequence[Item], model: str) -> Before | None:
    """Return the newest rating of a session by a model that is kept: the six items of CTRS stand in both of its forms."""
    family = sheet.instrument.removesuffix("-11")
    cards = [
        card
        for card in state.scores.cards_of(session.id)
        if card.kind == "model" and card.judge == model and card.instrument.removesuffix("-11") == family
        and any(card.rating(item.key) for item in items)
    ]  # fmt: skip
    if not cards:
        return None
    card = max(cards, key=lambda one: one.created)
    return Before(value=_value(card, items), said=_said(card, items), note=_note(card, sheet, session))


def _value(card: Scorecard, items: Sequence[Item]) -> float | None:
    rating = card.rating(items[0].key) if len(items) == 1 else None
    return rating.value if rating else None


def _said(card: Scorecard, items: Sequence[Item]) -> str:
    ratings = [(item, card.rating(item.key)) for item in items]
    if len(items) > 1:
        return ", ".join(f"{i.key} {r.value:.1f}" for i, r in ratings if r and r.value is not None) or "Missing"
    rating = ratings[0][1]
    if rating is None or rating.value is None:
        return f"Missing. {rating.explanation if rating else ''}".strip()
    samples = [f"{s:g}" if s is not None else "missing" for s in rating.samples]
    told = f" (mean of {', '.join(samples)})" if len(samples) > 1 else ""
    return f"Score {rating.value:.1f}{told}. {rating.explanation}".strip()


def _note(card: Scorecard, sheet: Sheet, session: Session) -> str:
    told = state.scores.titles().get(card.prompt_sha)
    same = (
        "our words of now"
        if card.prompt_sha == sheet.sha
        else f"words of {told}"
        if told
        else "other words than ours of now"
    )
    late = "" if card.turns == len(session.turns) else f" · after turn {card.turns}"
    return f"{card.judge} · {card.created:%d %b %Y, %H:%M} UTC · {same}{late}"


# Blind pairs


def _on_pairs() -> Topic:
    entries = {entry.id: entry for entry in state.sessions.recent(MOST) if entry.turns}
    pairs = _pairs(entries)
    there = names.apart({id: f"{one.client}: {_maker(one)} and {_maker(two)}" for id, (one, two) in pairs.items()})

    def subjects(id: str) -> list[Subject]:
        one, two = (state.sessions.stored(entry.id) for entry in pairs[id])
        if one is None or two is None:
            return []
        orders = {False: "in this order", True: "the other way round"}
        return [
            Subject(f"{there[id]}, {words}", one, _ask_pair(one, two, flipped), partial(_reviewed, id, flipped))
            for flipped, words in orders.items()
        ]

    return Topic(
        PAIRS, "", "Blind pairs", "pair", wordings.told_on_pairs(), there, subjects,
        "Two sessions with the same client are needed; then the request is shown as it is sent, and can be tried.",
    )  # fmt: skip


def _ask_pair(one: Session, two: Session, flipped: bool) -> Callable[[Iterable[Prompt]], Asked]:
    return lambda own: OnPair(one, two, wordings.pair_words(own), flipped)


def _pairs(entries: dict[str, Entry]) -> dict[str, tuple[Entry, Entry]]:
    """Return which sessions can be compared, by the pair's id: those in the queue of the review first."""
    found: dict[str, tuple[Entry, Entry]] = {}
    try:
        queue = state.store().reviews.pairs()
    except MagnetError as error:
        state.say(str(error))
        queue = []
    for pair in queue:
        if pair.one.session in entries and pair.two.session in entries:
            found[pair.id] = entries[pair.one.session], entries[pair.two.session]
    clients: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries.values():
        clients.setdefault((entry.profile_id, entry.attitude), []).append(entry)
    for own in clients.values():
        for some in combinations(own, 2):
            if len(found) >= PAIRS_AT_MOST:
                return found
            one, two = sorted(some, key=lambda entry: entry.id)
            found.setdefault(hashlib.sha256(f"{one.id} {two.id}".encode()).hexdigest()[:12], (one, two))
    return found


def _maker(entry: Entry) -> str:
    method = METHODS[entry.method].title if entry.method in METHODS else entry.method
    return f"{method} of {entry.updated:%d %b %H:%M}"


def _reviewed(pair: str, flipped: bool, model: str) -> Before | None:
    """Return what a model said about a pair in an order; the overall preference by session."""
    try:
        reviews = state.store().reviews.reviews()
    except MagnetError:
        return None
    own = [r for r in reviews if (r.pair, r.flipped, r.kind) == (pair, flipped, "model") and r.rater.startswith(model)]
    if not own:
        return None
    review = own[-1]
    winner = {"one": "first", "two": "second", "tie": "tie", None: "not said"}[review.winner(OVERALL)]
    reason = review.verdicts[OVERALL].reason if OVERALL in review.verdicts else ""
    note = f"{review.rater} · {review.created:%d %b %Y, %H:%M} UTC"
    return Before(said=f"Overall: {winner}. {reason}".strip(), note=note)


# Test cases


def _on_cases() -> Topic:
    cases = {case.id: case for case in _kept_cases() if case.rule.question}
    return Topic(
        CASES, "", "Test cases", "test case", wordings.told_on_cases(), {id: case.title for id, case in cases.items()},
        lambda id: _answers(cases[id]), "Make a test case that a judge decides; its judge is tried on the answers of its last run.",
    )  # fmt: skip


def _kept_cases() -> list[Case]:
    try:
        return state.store().cases.all()
    except MagnetError as error:
        state.say(str(error))
        return []


def _answers(case: Case) -> list[Subject]:
    """Return the answers a case's last runs brought, each once."""
    try:
        results = [r for r in state.store().cases.results() if r.case == case.id]
    except MagnetError as error:
        state.say(str(error))
        results = []
    found = {s.text: s for result in reversed(results) for s in result.samples if s.text and not s.error}
    told = list(found.items())[-ANSWERS_AT_MOST:]

    def subject(number: int, text: str) -> Subject:
        def ask(own: Iterable[Prompt]) -> Asked:
            return OnAnswer(case.moment, text, case.rule.question, wordings.case_words(own))

        def before(model: str) -> Before | None:
            verdict = found[text].verdict
            if verdict is None or verdict.judge != model:
                return None
            return Before(said=verdict.told, note=f"{model} · in the last run")

        shown = text if len(text) <= 160 else f"{text[:160].rpartition(' ')[0]} …"
        return Subject(f"{case.title}, answer {number}: “{shown}”", case.moment.session, ask, before)

    return [subject(number, text) for number, (text, _) in enumerate(told, 1)]
