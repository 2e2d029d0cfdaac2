"""Scorecards, and the scoring that goes on in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core import telemetry
from magnet_core.domain import Session
from magnet_core.errors import MagnetError, PromptError, StoreError
from magnet_core.lab.wordings import rates_sessions, reworded
from magnet_core.scoring import tables
from magnet_core.scoring.instruments import Sheet, sheets
from magnet_core.scoring.items import INSTRUMENTS, Instrument, Scorecard
from magnet_core.scoring.judge import RULES
from magnet_core.scoring.rubrics import Rubric
from magnet_core.scoring.rules import measures
from magnet_core.scoring.tables import Judge
from ui.engine.scorer import Job, Order

if TYPE_CHECKING:
    from magnet_core.packs import Pack
    from magnet_core.store import Entry, Planned

from ui.state import spending, voices
from ui.state.memory import owner, say, scorer, settings, store


def keeping() -> Callable[[Session], None]:
    """Return what keeps a new turn, and has it scored where that is wanted."""
    kept, along, collector = store(), scorer(), settings().otlp_endpoint

    def keep_turn(session: Session) -> None:
        kept.save(session)
        telemetry.newest(session, collector, kept.prices.all)
        along.turn_kept(session)

    return keep_turn


@dataclass(frozen=True, slots=True)
class Told:
    """What a pack changes in the words of those who rate sessions."""

    pack: Pack
    shas: dict[Instrument, str]
    """The hashes of the instruments and rubrics that it puts into other words."""
    same: frozenset[Instrument]
    """The instruments that it leaves as they are."""


def by_judge(cards: Iterable[Scorecard]) -> dict[tuple[str, Judge], dict[Instrument, Scorecard]]:
    """Return the newest cards of every session and judge.

    A pack may change the words of some instruments only: its judge has the others' cards from the same model in our words.
    """
    packs = _told()
    found = tables.newest(cards, _titles(packs))
    for (id, judge), own in found.items():
        if told := packs.get(judge.words):
            ours = found.get((id, judge.model_copy(update={"words": ""})), {})
            own.update({name: card for name, card in ours.items() if name not in own and name in told.same})
    return found


def titles() -> dict[str, str]:
    """Return whose words a judge was told, by the hash of an instrument in them."""
    return _titles(_told())


def worded() -> dict[str, Pack]:
    """Return the packs that change what judges are told who rate sessions, by a title of which there is one."""
    return {title: told.pack for title, told in _told().items()}


def pack_of_words(one: Sheet, sha: str) -> str | None:
    """Return the id of the pack in whose words an instrument has a hash, empty for our words; None where nobody's have it."""
    if sha == one.sha:
        return ""
    return next((told.pack.id for told in _told().values() if told.shas.get(one.instrument) == sha), None)


def in_words_of(judge: Judge, sheets: Iterable[Sheet]) -> tuple[Sheet, ...]:
    """Return instruments in the words a judge is told; raise `PromptError` where these do not fit them."""
    pack = worded().get(judge.words)
    return tuple(reworded(one, pack.judges) for one in sheets) if pack else tuple(sheets)


def _titles(packs: Mapping[str, Told]) -> dict[str, str]:
    return {sha: title for title, told in packs.items() for sha in told.shas.values()}


def _told() -> dict[str, Told]:
    """Return what packs change, by their titles; worked out again only when there are other packs or rubrics."""
    try:
        return _told_by(store().packs.state(), store().rubrics.state())
    except StoreError as error:
        say(str(error))
        return {}


@st.cache_resource(show_spinner=False, max_entries=1)
def _told_by(packs_stand: tuple[float, ...], rubrics_stand: tuple[float, ...]) -> dict[str, Told]:
    own = [rubric.sheet for rubric in store().rubrics.all()]
    found: dict[str, Told] = {}
    for pack in store().packs.packs():
        if any(rates_sessions(prompt.name) for prompt in pack.judges):
            title = f"“{pack.title}”"
            found[title if title not in found else f"{title} ({pack.id})"] = _changes(pack, own)
    return found


def _changes(pack: Pack, own: Iterable[Sheet]) -> Told:
    """Return what a pack changes; what its words do not fit is neither changed nor left as it is."""
    ours = {one.instrument: one for one in (*sheets().values(), *own)}
    shas: dict[Instrument, str] = {}
    for name, one in ours.items():
        with suppress(PromptError):
            shas[name] = reworded(one, pack.judges).sha
    changed = {name: sha for name, sha in shas.items() if sha != ours[name].sha}
    return Told(pack, changed, frozenset(shas.keys() & INSTRUMENTS.keys() - changed.keys()))


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
