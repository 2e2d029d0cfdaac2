"""Which pairs raters are given: sessions with the same client over the same length, made differently, in a drawn order."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

from magnet_core.domain import Session
from magnet_core.scoring.aspects import Case, Half, Pair, drawn
from magnet_core.scoring.compare import client_key, configuration_of
from magnet_core.scoring.configuration import Configuration


def in_order(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs in a drawn order that says nothing of what made them.

    It is the same for all raters, so that those who stop early have rated the same pairs and can be compared.
    """
    return sorted(pairs, key=lambda pair: drawn("order", pair.id))


def to_rate(pairs: Iterable[Pair], lost: Collection[str]) -> list[Pair]:
    """Return the pairs that raters are given: those that are not among the `lost`, by id, and differ in their words."""
    return [pair for pair in pairs if pair.id not in lost and not pair.identical]


def pairs_among(cases: Sequence[Case], makers: Collection[Configuration], most: int = 1) -> list[Pair]:
    """Return pairs of sessions by different ones of some makers with the same client over the same length, and other words.

    At most so many of each client and two makers; which, is drawn once, so that asking again gives the same.
    """
    found: dict[tuple[str, frozenset[Configuration]], list[Pair]] = defaultdict(list)
    for key, pair in _every(cases, makers):
        if not pair.identical:
            found[key, frozenset(pair.makers)].append(pair)
    return [pair for pairs in found.values() for pair in sorted(pairs, key=lambda pair: pair.id)[:most]]


def likely(cases: Sequence[Case], makers: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """Return the two of some makers that share the most clients; of equals the first, none where no two share one."""
    shared = Counter(frozenset(pair.makers) for pair in pairs_among(cases, makers))
    order = list(combinations(makers, 2))
    best = max(order, key=lambda two: shared[frozenset(two)], default=())
    return best if best and shared[frozenset(best)] else ()


def identical_among(cases: Sequence[Case], makers: Collection[Configuration]) -> int:
    """Return how many pairs of sessions by some makers hold the same words on both sides."""
    return sum(pair.identical for _, pair in _every(cases, makers))


def _every(cases: Sequence[Case], makers: Collection[Configuration]) -> list[tuple[str, Pair]]:
    """Return all pairs of sessions by different ones of some makers, each with the key of its client."""
    clients: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.turns and case.half.maker in makers:
            clients[case.key].append(case)
    return [
        (key, Pair.of(one, two))
        for key, own in clients.items()
        for one, two in combinations(own, 2)
        if one.half.maker != two.half.maker
    ]


def half_of(session: Session) -> Half:
    """Return what a pair keeps of a session: what made it, its length, and a hash of its words."""
    said = "\x00".join(f"{one.speaker}\x00{one.text}" for one in session.transcript)
    return Half(
        session=session.id,
        maker=configuration_of(session),
        turns=len(session.turns),
        words=hashlib.sha256(said.encode()).hexdigest()[:16],
    )


def case_of(session: Session) -> Case:
    """Return a session as something that could be compared."""
    return Case(
        half=half_of(session),
        client=session.profile.name,
        attitude=session.profile.attitude.value,
        key=client_key(session.profile, session.max_turns, session.min_turns),
        turns=len(session.turns),
    )
