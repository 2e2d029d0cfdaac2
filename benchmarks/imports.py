"""What becomes of files of other hands: fields mapped, missing and dropped, and what comes back from an export.

    python -m benchmarks.imports FOLDER [--sessions 442]

FOLDER holds files of client profiles, and sessions in folders within it. With `--sessions`, that many sessions, told apart by a
number in their first message, are read, stored and listed, and the seconds are given.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from magnet_core import export, importers, profile_files
from magnet_core.domain import Session
from magnet_core.profile_fields import fields
from magnet_core.store import Store


def profiles(files: list[Path]) -> None:
    """Print, for the profiles of some files, how many fields were mapped, missing and dropped, and which."""
    found = profile_files.read_files((file.name, file.read_bytes()) for file in files)
    mapped, lacking, dropped = Counter[str](), Counter[str](), Counter[str]()
    for report in found.reports:
        own = {one.field for one in report.mapped}
        mapped.update(own)
        lacking.update(report.missing)
        dropped.update(f"{one.key.partition('.')[2] or one.key}: {one.reason.partition(':')[0]}" for one in report.dropped)
    count, possible = len(found.profiles), len(fields()) - 1
    of_form = [name for name in fields() if name.startswith(("intake.", "attitude", "opening.")) or name == "calls_for"]
    there = sum(mapped[name] for name in of_form)
    print(f"{count} profiles, {len(found.problems)} that cannot be read")
    print(f"  fields mapped {mapped.total()}, missing {lacking.total()}, of {count * possible} that a profile can hold")
    print(f"  of the {len(of_form)} that such a row can hold: {there} of {count * len(of_form)} mapped")
    for name in of_form:
        if lacking[name]:
            print(f"    missing in {lacking[name]}: {fields()[name].title}")
    print(f"  entries dropped {dropped.total()}")
    for reason, times in dropped.most_common():
        print(f"    {times:4} {reason}")
    print(f"  mended or standing in: {sum(len(report.notes) for report in found.reports)} notes")
    for note, times in Counter(note for report in found.reports for note in report.notes).most_common():
        print(f"    {times:4} {note[:110]}")


def sessions(files: list[Path]) -> list[Session]:
    """Print what was read from files of sessions, and whether exports give the same back."""
    found, problems = importers.read_many((file.name, file.read_bytes()) for file in files)
    print(f"{len(found)} sessions, {len(problems)} that cannot be read: {problems}")
    for file in files:
        data = json.loads(file.read_bytes())
        [session], _ = importers.read_many([(file.name, file.read_bytes())])
        said = next(data[key] for key in ("dialogue", "history") if key in data)
        kinds = Counter(flag.kind for flag in session.flags)
        plan = session.plan
        taken = {
            "AI_client",
            "AI_counselor",
            "example",
            "cbt_technique",
            "cbt_plan",
            "dialogue",
            "history",
            "ground_truth_CBT",
        }
        print(
            f"  {file.name}: {len(said)} messages -> {len(session.turns)} turns after the opening; plan "
            f"{plan.technique.value if plan and plan.technique else 'not read'}, {len(plan.steps) if plan else 0} steps; "
            f"keys dropped {sorted(data.keys() - taken) or 'none'}; notes {len(session.profile.gaps)}; flags {dict(kinds)}"
        )
        native = importers.read_bytes(export.native(session).encode(), file.name) == session
        again = importers.read_session(json.loads(json.dumps(export.magnet(session))), file.name)
        print(f"    native round trip equal: {native}; reference round trip: {_same(session, again)}")
    return found


def _same(session: Session, again: Session) -> str:
    """Name the parts of a session that the reference's shape did not give back."""
    parts: dict[str, tuple[Any, Any]] = {
        "dialogue": (session.transcript, again.transcript),
        "intake form": (session.profile.intake, again.profile.intake),
        "attitude": (session.profile.attitude, again.profile.attitude),
        "labels": (session.profile.calls_for, again.profile.calls_for),
        "technique": (session.plan and session.plan.technique, again.plan and again.plan.technique),
        "reason": (session.plan and session.plan.reason, again.plan and again.plan.reason),
        "steps": (session.plan and session.plan.steps, again.plan and again.plan.steps),
        "flags": ([f for f in session.flags if f.turn], [f for f in again.flags if f.turn]),
    }
    differ = [name for name, (one, other) in parts.items() if one != other]
    return f"differs in {', '.join(differ)}" if differ else "equal"


def many(files: list[Path], count: int) -> None:
    """Print how long it takes to read, store and list many sessions."""
    copies: list[tuple[str, bytes]] = []
    for number in range(count):
        data = json.loads(files[number % len(files)].read_bytes())
        key = "dialogue" if "dialogue" in data else "history"
        data[key][2]["message"] += f" ({number})"
        copies.append((f"session_{number}.json", json.dumps(data).encode()))
    started = time.perf_counter()
    found, problems = importers.read_many(copies)
    read = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/magnet.db")
        for session in found:
            store.save(session)
        saved = time.perf_counter()
        entries = store.recent(count)
        listed = time.perf_counter()
        hits = store.search("feel", count)
        searched = time.perf_counter()
        store.close()
    print(
        f"{len(found)} sessions: read {read - started:.1f} s, stored {saved - read:.1f} s, "
        f"listed {len(entries)} in {(listed - saved) * 1000:.0f} ms, found a word in {len(hits)} in {(searched - listed) * 1000:.0f} ms; "
        f"{len(problems)} problems"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=0)
    options = parser.parse_args()
    profiles(sorted(options.folder.glob("*.json")))
    files = sorted(options.folder.glob("*/*.json"))
    sessions(files)
    if options.sessions and files:
        many(files, options.sessions)


if __name__ == "__main__":
    main()
