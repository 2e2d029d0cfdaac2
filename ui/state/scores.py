"""Scorecards, and the scoring that goes on in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core import telemetry
from magnet_core.domain import Session
from magnet_core.errors import MagnetError, PromptError, StoreError
from magnet_core.lab.wordings import rates_sessions, reworded
from magnet_core.scoring import tables
from magnet_core.scoring.instruments import Sheet, sheet, sheets
from magnet_core.scoring.items import INSTRUMENTS, Instrument, Scorecard
from magnet_core.scoring.judge import RULES
from magnet_core.scoring.rubrics import Rubric
from magnet_core.scoring.rules import measures
from magnet_core.scoring.tables import Judge
from ui.engine.scorer import Job, Order

if TYPE_CHECKING:
    from magnet_core.packs import Pack
    from magnet_core.store import Entry, Planned

from ui.state import prompts, spending, voices
from ui.state.memory import owner, say, scorer, settings, store


def keeping() -> Callable[[Session], None]:
    """Return what keeps a new turn, and has it scored where that is wanted."""
    kept, along, collector = store(), scorer(), settings().otlp_endpoint

    def keep_turn(session: Session) -> None:
        kept.save(session)
        telemetry.newest(session, collector, kept.prices.all)
        along.turn_kept(session)

    return keep_turn


def judge_of(card: Scorecard) -> Judge:
    """Return who gave a card, and in whose words."""
    return tables.judge_of(card, titles())


def by_judge(cards: Iterable[Scorecard]) -> dict[tuple[str, Judge], dict[Instrument, Scorecard]]:
    """Return the newest cards of every session and judge.

    A pack may change the words of some instruments only: its judge has the others' cards from the same model in our words.
    """
    found, packs = tables.newest(cards, titles()), worded()
    for (id, judge), own in found.items():
        ours = found.get((id, judge.model_copy(update={"words": ""})), {})
        if pack := packs.get(judge.words):
            own.update({name: card for name, card in ours.items() if name not in own and _same(name, pack)})
    return found


def titles() -> dict[str, str]:
    """Return whose words a judge was told, by the hash of an instrument in them."""
    asked = [*sheets().values(), *(rubric.sheet for rubric in rubrics())]
    return {
        words.sha: title
        for title, pack in worded().items()
        for one in asked
        if (words := _in_words(one, pack)) is not None and words.sha != one.sha
    }


def worded() -> dict[str, Pack]:
    """Return the packs that change what judges are told who rate sessions, by a title of which there is one."""
    found: dict[str, Pack] = {}
    for pack in prompts.pack_list():
        if any(rates_sessions(prompt.name) for prompt in pack.judges):
            title = f"“{pack.title}”"
            found[title if title not in found else f"{title} ({pack.id})"] = pack
    return found


def pack_of_words(one: Sheet, sha: str) -> str | None:
    """Return the id of the pack in whose words an instrument has a hash, empty for our words; None where nobody's have it."""
    if sha == one.sha:
        return ""
    packs = worded().values()
    return next((pack.id for pack in packs if (words := _in_words(one, pack)) and words.sha == sha), None)


def in_words_of(judge: Judge, sheets: Iterable[Sheet]) -> tuple[Sheet, ...]:
    """Return instruments in the words a judge is told; raise `PromptError` where these do not fit them."""
    pack = worded().get(judge.words)
    return tuple(reworded(one, pack.judges) for one in sheets) if pack else tuple(sheets)


def _same(name: Instrument, pack: Pack) -> bool:
    """Tell whether a pack leaves the words of an instrument as they are."""
    words = _in_words(sheet(name), pack) if name in INSTRUMENTS else None
    return words is not None and words.sha == sheet(name).sha


def _in_words(one: Sheet, pack: Pack) -> Sheet | None:
    try:
        return reworded(one, pack.judges)
    except PromptError:
        return None


def order(judge: str, sheets: Iterable[Sheet], samples: int = 3, *, kept: bool = True) -> Order:
    """Return what is to be scored by the rules or by this browser session's model."""
    now = voices.cast()
    opener = None if judge == RULES else spending.opening(now, "judging")
    return Order(judge, tuple(sheets), opener, now.fan_out, samples, kept)


def score(sessions: Iterable[Session | str], wanted: Order, *, every: int = 0) -> str:
    """Begin to score sessions; return the job's id, empty with a sentence kept where it cannot begin."""
    try:
        return scorer().start(sessions, wanted, owner=owner(), every=every).look().id
    except MagnetError as error:
        say(str(error))
        return ""


def stop_scoring(job: Job) -> None:
    if job.owner == owner():
        scorer().stop(job)


def score_along(session_id: str, every: int, wanted: Order | None = None) -> None:
    """Let a session be scored by itself after every so many turns; 0 ends it."""
    try:
        scorer().go_along(session_id, every, wanted, owner())
    except MagnetError as error:
        say(str(error))


def scored_along(session_id: str) -> int:
    try:
        return scorer().along(session_id)
    except MagnetError:
        return 0


def scoring(session_id: str) -> bool:
    """Tell whether a session is being scored just now."""
    try:
        return any(job.look().live for job in scorer().jobs_on(session_id))
    except MagnetError:
        return False


def cards_of(session_id: str) -> list[Scorecard]:
    """Return a session's scorecards, oldest first; none, with a sentence kept, when they cannot be read."""
    try:
        return store().cards.of(session_id)
    except StoreError as error:
        say(str(error))
        return []


def all_cards() -> list[Scorecard]:
    """Return the scorecards of the whole library; read again only when there are others."""
    try:
        return _all_cards(store().cards.state())
    except StoreError as error:
        say(str(error))
        return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _all_cards(stands: tuple[float, ...]) -> list[Scorecard]:
    return store().cards.all()


def plans() -> list[Planned]:
    """Return what the planners of the library picked; read again only when there is other."""
    try:
        return _plans(store().state())
    except StoreError as error:
        say(str(error))
        return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _plans(stands: tuple[float, ...]) -> list[Planned]:
    return store().plans()


def counted(entries: Iterable[Entry], seconds: float = 1.0) -> tuple[dict[str, dict[str, float | None]], int]:
    """Return what the rules count in stored sessions, by their ids, and how many are left to be counted.

    Each is read once for as many turns as it has; after some `seconds` those that are left wait for the next call.
    """
    held, found, left = _counted(), dict[str, dict[str, float | None]](), 0
    end = time.monotonic() + seconds
    for entry in entries:
        key = (entry.id, entry.turns)
        if key not in held:
            if time.monotonic() > end:
                left += 1
                continue
            try:
                held[key] = {m.name: m.value for m in measures(store().session(entry.id))}
            except StoreError as error:
                say(str(error))
                continue
        found[entry.id] = held[key]
    return found, left


@st.cache_resource(show_spinner=False)
def _counted() -> dict[tuple[str, int], dict[str, float | None]]:
    """Return what was counted, by session and its turns."""
    return {}


def rubrics() -> list[Rubric]:
    """Return the own rubrics; none, with a sentence kept, when they cannot be read."""
    try:
        return store().rubrics.all()
    except StoreError as error:
        say(str(error))
        return []
