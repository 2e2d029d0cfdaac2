"""Measure the rehearsal cast: every profile given, full length, several seeds.

    python -m benchmarks.rehearsal sample_profiles [MORE ...] [--turns 20] [--seeds 3] [--show N]

Prints, over all sessions: repeated messages and openings, unfilled slots, flags, missing parts of a session, words per message,
Distinct-2 (whitespace tokens), and how many client messages the same profile shares under two attitudes.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import mean

from magnet_core.domain import Attitude, ClientProfile, Session
from magnet_core.models import Player
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.profiles import read_path
from magnet_core.rehearsal.script import choose
from magnet_core.session import new_session, run_session

PARTS = {
    "mood check": r"\bmood\b",
    "agenda": r"\bagenda\b",
    "summary": r"summar|sum up|sum it up",
    "homework": r"\bhomework\b|between now and next",
    "feedback": r"\bfeedback\b",
    "close": r"see you next|take care",
}


async def play(profile: ClientProfile, turns: int, seed: int, method: str = "magnet") -> Session:
    session = new_session(profile, max_turns=turns, seed=seed, method=method)
    async for event in run_session(session, lambda agent: Player(Rehearsal()), live=False):
        session = getattr(event, "session", session)
    return session


def distinct2(session: Session) -> float:
    """Return distinct bigrams over all bigrams, whitespace tokens, all messages of the session."""
    tokens = " ".join(u.text for u in session.transcript).split()
    pairs = list(pairwise(tokens))
    return len(set(pairs)) / len(pairs)


def faults(session: Session, turns: int) -> list[str]:
    """Return what is wrong with a session, a sentence each."""
    found: list[str] = []
    where = f"{session.profile.id}/{session.profile.attitude}/{session.seed}"
    if len(session.turns) != turns:
        found.append(f"{where}: {len(session.turns)} turns")
    for speaker in ("counsellor", "client"):
        said = [u.text for u in session.transcript if u.speaker == speaker]
        for what, count in Counter(said).items():
            if count > 1:
                found.append(f"{where}: {speaker} repeats: {what[:70]}")
        for what, count in Counter(text[:60] for text in said).items():
            if count > 1:
                found.append(f"{where}: {speaker} repeats an opening: {what}")
    for turn in session.turns:
        texts = [turn.response, turn.reply.text, *(c.text for c in turn.candidates)]
        found += [f"{where}: slot or blank: {t[:80]}" for t in texts if re.search(r"[{}\[\]<>]|\$\w", t)]
        found += [f"{where}: empty message" for t in texts if not t.strip()]
        if len(set(texts[2:])) != len(texts[2:]):
            found.append(f"{where}: two candidates are equal")
    found += [f"{where}: flag {flag.kind}: {flag.detail}" for flag in session.flags]
    spoken = " ".join(t.response for t in session.turns)
    found += [f"{where}: no {part}" for part, pattern in PARTS.items() if not re.search(pattern, spoken, re.I)]
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("profiles", nargs="+", type=Path)
    arguments.add_argument("--turns", type=int, default=20)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--show", type=int, default=0, help="print the first N sessions in full")
    given = arguments.parse_args()

    people = [p for path in given.profiles for p in read_path(path)]
    sessions = [asyncio.run(play(p, given.turns, seed)) for p in people for seed in range(given.seeds)]
    wrong = [fault for session in sessions for fault in faults(session, given.turns)]
    shared: list[float] = []
    for person in {p.intake.name: p for p in people}.values():
        own = [asyncio.run(play(person.with_attitude(a), given.turns, 0)) for a in Attitude]
        lines = [{t.reply.text for t in s.turns} for s in own]
        shared += [len(a & b) / len(a) for i, a in enumerate(lines) for b in lines[i + 1 :]]
    words = {
        who: [mean(len(u.text.split()) for u in s.transcript[2:] if u.speaker == who) for s in sessions]
        for who in ("counsellor", "client")
    }
    diversity = [distinct2(s) for s in sessions]
    for session in sessions[: given.show]:
        print(f"\n=== {session.profile.id} {session.profile.attitude} {session.plan and session.plan.technique}")
        for utterance in session.transcript:
            print(f"{utterance.speaker:>10}: {utterance.text}")
    called = [p for p in people if p.calls_for]
    print(f"{len(sessions)} sessions of {given.turns} turns, {len(people)} profiles, {given.seeds} seeds")
    for fault in wrong[:40]:
        print("  FAULT", fault)
    print(f"faults: {len(wrong)}")
    for who, values in words.items():
        print(f"words per {who} message, mean of a session: {min(values):.1f} to {max(values):.1f}")
    print(f"Distinct-2 of a session: mean {mean(diversity):.3f}, lowest {min(diversity):.3f}")
    print(f"client messages shared by two attitudes of a profile: highest {max(shared):.2%}")
    hits = sum(choose(p) in p.calls_for for p in called)
    print(f"planner's technique among those the profile calls for: {hits} of {len(called)}")


if __name__ == "__main__":
    main()
