"""The sessions of the library as raters could be given them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from magnet_core.errors import StoreError
from magnet_core.methods import METHODS
from magnet_core.scoring.aspects import Case
from magnet_core.scoring.compare import OURS, left_out, pack_for
from magnet_core.scoring.queue import case_of

if TYPE_CHECKING:
    from magnet_core.store import Entry
    from ui.engine.pair_judging import PairJob

from ui.state import prompts
from ui.state.memory import keep, kept, say, store


def cases(entries: Iterable[Entry]) -> list[tuple[Case, str]]:
    """Return sessions that have a turn, each with why it is no fair sample of what made it, or nothing; each is read once."""
    held, found = _cases(), []
    for entry in entries:
        if not entry.turns:
            continue
        known = (entry.id, entry.turns, entry.ended)
        if known not in held:
            try:
                session = store().session(entry.id)
            except StoreError as error:
                say(str(error))
                continue
            held[known] = (case_of(session), left_out(session))
        found.append(held[known])
    return found


def pack_titles() -> dict[str, str]:
    """Return the titles of the library's prompt packs by what a session made with them says of its prompts."""
    packs = [pack for pack in prompts.pack_list() if pack.prompts]
    return {pack_for(method, pack.texts): pack.title for pack in packs for method in METHODS} | {OURS: ""}


def reading() -> PairJob | None:
    """Return a model's reading of pairs that is going on, in whichever window it was begun, else the last one begun in this."""
    live = next((job for job in _readings() if job.look().live), None)
    return live or kept("pairs_job")


def read_by_model(job: PairJob) -> None:
    """Take note of a reading that has begun; a reload finds it again."""
    _readings()[:] = [job, *(old for old in _readings() if old.look().live)]
    keep("pairs_job", job)


@st.cache_resource(show_spinner=False)
def _readings() -> list[PairJob]:
    return []


@st.cache_resource(show_spinner=False)
def _cases() -> dict[tuple[str, int, bool], tuple[Case, str]]:
    """Return what was read of sessions, by id and how far each had come."""
    return {}
