"""Measure the rule-based rater: does it rank a session above spoiled copies of itself, and for the right reason?

    python -m benchmarks.rater [--sessions FOLDER ...] [--seeds 5] [--rehearsals 1] [--items]

Reads every session file in the folders given, and plays the built-in cast for every sample profile (20 turns, `--rehearsals` seeds each).
Each session is spoiled five ways: the counsellor's messages shuffled within the session, swapped in from another session of the same
source, replaced by plain advice, the session cut to its first third, the counsellor's questions removed. Prints per spoiling and instrument
the share of pairs ranked right (a tie counts as wrong), with `--items` the mean fall of every item, and the correlation of the CTRS total
with the number of words among unspoiled sessions.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import correlation, mean

from benchmarks.rehearsal import play
from magnet_core.domain import Session
from magnet_core.importers import read_file
from magnet_core.profiles import samples
from magnet_core.scoring.coding import sentences
from magnet_core.scoring.items import ITEMS, Scorecard
from magnet_core.scoring.rater import rate

GOAL_ALL, GOAL_EACH, GOAL_WORDS = 0.95, 0.85, 0.3
SPOILINGS = ("shuffled", "swapped", "advice", "cut", "no questions")
SCORES = ("CTRS (6)", "CTRS (11)", "WAI", "PANAS change")
FALLS = {
    "shuffled": ("understanding", "focus"),
    "swapped": ("understanding", "focus"),
    "advice": ("guided-discovery", "collaboration"),
    "cut": ("strategy", "application"),
    "no questions": ("guided-discovery",),
}
"""Which items must fall for the right reason, in at least `GOAL_EACH` of the pairs."""

_PLAIN = (
    "You should try to go for a walk every day. Fresh air helps.",
    "You need to stop thinking about it so much. Keep yourself busy instead.",
    "I recommend that you write a list of your tasks each morning and tick them off.",
    "Try to sleep eight hours. Avoid your phone before bed.",
    "You should talk to a friend about this. Friends are a great help in hard times.",
    "Make a plan for the week and stick to it. That is the best way to feel better.",
    "You have to be more positive. Tell yourself every morning that you can do it.",
    "It would be good to take up a hobby. Sport is very good against stress.",
    "Just tell them what you think. You must stand up for yourself.",
    "I suggest you read a book about self-confidence. There are many good ones.",
    "Eat regular meals, drink enough water and cut down on coffee.",
    "You ought to set yourself a goal and reward yourself when you reach it.",
)
_KIND = (
    "Mindfulness can be a helpful tool. Set aside ten minutes each evening and follow your breath.",
    "It might help to keep a gratitude journal. Write down three good things every night before bed.",
    "Consider joining a support group, since hearing from others in a similar position can be encouraging.",
    "One good strategy is to break large tasks into smaller ones. Start with the easiest and work your way up.",
    "Deep breathing calms the nervous system. Breathe in for four counts, hold for four, and breathe out for six.",
    "Exercise releases endorphins, so aim for thirty minutes of activity three times a week.",
    "Healthy boundaries matter. Practise saying no politely, and remember that your needs count too.",
    "Reframing negative thoughts is a useful habit. Whenever one comes up, replace it with a balanced statement.",
    "I'd encourage you to reach out to someone you trust and let them know how they can support you.",
    "Good sleep is important for your well-being. Keep a regular bedtime and a dark, quiet room.",
    "Be kind to yourself. Treat yourself as you would treat a good friend, and celebrate small wins.",
    "Setting realistic goals will help. Choose one thing for this week, and build from there.",
)


def with_responses(session: Session, responses: Sequence[str]) -> Session:
    """Return the session with other counsellor's messages, as many turns as there are messages."""
    turns = [t.model_copy(update={"response": said}) for t, said in zip(session.turns, responses, strict=False)]
    return session.model_copy(update={"turns": tuple(turns)})


def without_questions(text: str) -> str:
    return " ".join(s for s in sentences(text) if not s.rstrip("\"”’') ").endswith("?"))


def spoiled(session: Session, others: Sequence[Session], seeds: int) -> Iterator[tuple[str, Session]]:
    """Yield spoiled copies of a session, with the name of the spoiling."""
    said = [turn.response for turn in session.turns]
    for seed in range(seeds):
        chance = random.Random(f"{session.id}/{seed}")
        yield "shuffled", with_responses(session, chance.sample(said, len(said)))
        other = chance.choice(others)
        yield "swapped", with_responses(session, [turn.response for turn in other.turns])
        for lines in (_PLAIN, _KIND):
            order = [chance.choice(lines) for _ in said]
            yield "advice", with_responses(session, order)
    yield "cut", session.upto(len(said) // 3)
    yield "no questions", with_responses(session, [without_questions(text) for text in said])


def cards(session: Session) -> dict[str, Scorecard]:
    return {name: rate(session, name) for name in ("ctrs", "ctrs-11", "wai", "panas-before", "panas-after")}


def totals(found: dict[str, Scorecard]) -> dict[str, float]:
    """Return CTRS and WAI means (reversed items turned round), and how far PANAS moved the wanted way."""
    before, after = found["panas-before"], found["panas-after"]
    moved = {s: (after.average(s) or 0) - (before.average(s) or 0) for s in ("positive", "negative")}
    ctrs, eleven, wai = (found[name].average() or 0 for name in ("ctrs", "ctrs-11", "wai"))
    return dict(zip(SCORES, (ctrs, eleven, wai, moved["positive"] - moved["negative"]), strict=True))


def items_of(found: dict[str, Scorecard]) -> dict[str, float]:
    ratings = [*found["ctrs-11"].ratings, *found["wai"].ratings]
    return {r.item: ITEMS[r.item].favourable(r.value) for r in ratings if r.value is not None}


def words(session: Session) -> int:
    return sum(len(u.text.split()) for u in session.transcript)


def report(name: str, sessions: list[Session], seeds: int, show_items: bool) -> list[bool]:
    """Print the figures of one source; return whether each goal is met."""
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    falls: dict[tuple[str, str], list[float]] = defaultdict(list)
    originals = {s.id: cards(s) for s in sessions}
    for session in sessions:
        score, items = totals(originals[session.id]), items_of(originals[session.id])
        others = [other for other in sessions if other.profile.name != session.profile.name]
        for spoiling, copy in spoiled(session, others, seeds):
            found = cards(copy)
            worse, less = totals(found), items_of(found)
            for which in SCORES:
                right[spoiling, which].append(worse[which] < score[which] - 1e-9)
            for item, value in items.items():
                falls[spoiling, item].append(value - less[item])
    print(f"\n{name}: {len(sessions)} sessions")
    print(f"{'':14}" + "".join(f"{which:>14}" for which in SCORES) + "   pairs")
    for spoiling in SPOILINGS:
        shares = [mean(right[spoiling, which]) for which in SCORES]
        print(f"{spoiling:14}" + "".join(f"{share:14.3f}" for share in shares) + f"{len(right[spoiling, SCORES[0]]):8}")
    met = [mean(hits) >= GOAL_EACH for hits in right.values()]
    for which in SCORES:
        over = mean(mean(right[spoiling, which]) for spoiling in SPOILINGS)
        met.append(over >= GOAL_ALL)
        print(f"  {which}: over all {over:.3f} (goal {GOAL_ALL}) {'met' if met[-1] else 'MISSED'}")
    for spoiling, items in FALLS.items():
        for item in items:
            share = mean(fall > 1e-9 for fall in falls[spoiling, item])
            met.append(share >= GOAL_EACH)
            print(f"  {spoiling}: {item} falls in {share:.3f} of pairs, by {mean(falls[spoiling, item]):.2f} on average")
    if show_items:
        print(f"{'mean fall':14}" + "".join(f"{spoiling:>14}" for spoiling in SPOILINGS))
        for item in items_of(originals[sessions[0].id]):
            print(f"{item:18}" + "".join(f"{mean(falls[spoiling, item]):14.2f}" for spoiling in SPOILINGS))
    return met


def by_length(name: str, sessions: list[Session]) -> bool:
    """Print how the CTRS totals go with the number of words; return whether that is little enough."""
    found = [totals(cards(s)) for s in sessions]
    r = {which: correlation([f[which] for f in found], [words(s) for s in sessions]) for which in SCORES[:2]}
    print(
        f"  {name} ({len(sessions)}): correlation with words "
        + ", ".join(f"{which} {value:+.2f}" for which, value in r.items())
    )
    return abs(r[SCORES[0]]) < GOAL_WORDS


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sessions", nargs="*", type=Path, default=[])
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--rehearsals", type=int, default=1, help="seeds of the built-in cast per sample profile")
    arguments.add_argument("--items", action="store_true", help="print the mean fall of every item")
    given = arguments.parse_args()

    sources: dict[str, list[Session]] = {}
    for folder in given.sessions:
        if files := sorted(folder.glob("*.json")):
            sources[folder.name] = [read_file(path) for path in files]
    sources["rehearsal"] = [asyncio.run(play(p, 20, seed)) for p in samples() for seed in range(given.rehearsals)]
    met = [goal for name, sessions in sources.items() for goal in report(name, sessions, given.seeds, given.items)]
    print("\nCTRS and words, unspoiled sessions")
    met += [by_length(name, sessions) for name, sessions in sources.items() if len(sessions) > 2]
    if len(sources) > 1:
        by_length("all together", [s for sessions in sources.values() for s in sessions])
    print(f"\ngoals met: {sum(met)} of {len(met)}")


if __name__ == "__main__":
    main()
