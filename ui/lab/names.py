"""How sessions and runs are named in the lab's lists: by client, date, turns and prompts, so that no two have one name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from magnet_core.methods import METHODS
from magnet_core.store import Entry
from ui import state
from ui.scoring.judging import line_of

LOOKED_INTO = 40
"""The most sessions that are opened to tell whose prompts they were made with; the newest of those that are alike."""


def apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return names by id, numbered where two are the same: a list knows its entries by their names. The last one is the first."""
    counts = Counter(names.values())
    taken, seen = set(names.values()), Counter[str]()
    found: dict[str, str] = {}
    for id, name in reversed(list(names.items())):
        told = name
        while counts[name] > 1 and (told == name or told in taken):
            seen[name] += 1
            told = f"{name} ({seen[name]})"
        taken.add(told)
        found[id] = told
    return {id: found[id] for id in names}


def sessions(entries: Iterable[Entry], line: Callable[[Entry], str] = line_of) -> dict[str, str]:
    """Return sessions in a line each, by id; with whose prompts they were made where the list holds several that are alike."""
    there = list(entries)
    packs = packs_of(alike(there)[:LOOKED_INTO])
    return apart({entry.id: line(entry) + _with(packs.get(entry.id, "")) for entry in there})


def alike(entries: Iterable[Entry]) -> list[str]:
    """Return the ids of sessions that only their date tells apart."""
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for one in entries:
        groups[one.title, one.profile_id, one.attitude, one.method, one.model, one.turns].append(one.id)
    return [id for group in groups.values() if len(group) > 1 for id in group]


def packs_of(ids: Iterable[str]) -> dict[str, str]:
    """Return whose prompts sessions were made with, as a reader knows them; empty for ours."""
    packs = tuple((pack.title, pack.sha) for pack in state.prompts.pack_list())
    known, told = state.kept("lab_packs_of") or ((), {})
    told = dict(told) if known == packs else {}
    for id in ids:
        if id not in told and (session := state.sessions.stored(id)):
            told[id] = state.prompts.known_as(session)
    state.keep("lab_packs_of", (packs, told))
    return told


def short(entry: Entry) -> str:
    """Return a session in a few words, where a whole line would be cut."""
    method = METHODS[entry.method].title if entry.method in METHODS else entry.method
    turns = f"{entry.turns} {'turn' if entry.turns == 1 else 'turns'}"
    return f"{entry.title or entry.client} · {method} · {entry.updated:%d %b %H:%M} · {turns}"


def with_packs(entries: Iterable[Entry]) -> dict[str, str]:
    """Return sessions in a few words each, by id, with whose prompts they were made."""
    there = list(entries)
    packs = packs_of(entry.id for entry in there)
    return {entry.id: short(entry) + _with(packs.get(entry.id, "")) for entry in there}


def _with(pack: str) -> str:
    return f" · prompts “{pack}”" if pack else ""
