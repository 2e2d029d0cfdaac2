"""Measure the utterance coding against sentences coded by hand: precision and recall per code and set.

    python -m benchmarks.coding [--sessions FOLDER] [--misses SET]

`tests/data/coding.json` holds the hand-coding: the rehearsal cast's sentences in full, those of the released sessions by fingerprint only
(found again in `--sessions`, else left out). `first` was coded before any rule was written, but its sentences were in view when they were;
`second` was coded and measured on frozen rules, then its misses were read and rules widened; `third` was coded after that, and the rules have
not changed since. Only `third` is a held-out figure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from magnet_core.importers import read_file
from magnet_core.scoring.coding import code, read_talk, sentences

HAND = Path(__file__).parent.parent / "tests" / "data" / "coding.json"


def hand_coded(folder: Path | None = None) -> Iterator[tuple[str, frozenset[str], frozenset[str], str]]:
    """Yield for each sentence that is at hand: its set, the hand's codes, the rules' codes, and the sentence."""
    released: dict[str, tuple[str, str, bool]] = {}
    for path in sorted(folder.glob("*.json")) if folder else ():
        for exchange in read_talk(read_file(path)).exchanges:
            for place, sentence in enumerate(sentences(exchange.said)):
                mark = hashlib.sha256(sentence.encode()).hexdigest()[:16]
                released.setdefault(mark, (sentence, exchange.heard, place == 0 and bool(exchange.heard)))
    for row in json.loads(HAND.read_text(encoding="utf-8")):
        if row["source"] == "rehearsal":
            sentence, heard, first = row["sentence"], row["heard"], row["first"]
        elif row["sha256"] in released:
            sentence, heard, first = released[row["sha256"]]
        else:
            continue
        yield row["set"], frozenset(row["codes"]), frozenset(code(sentence, heard, first=first)), sentence


def agreement(pairs: Iterable[tuple[frozenset[str], frozenset[str]]]) -> Mapping[str, dict[str, Any]]:
    """Return n, precision and recall per code; questions and reflections also taken together."""
    both, hand, rules = Counter[str](), Counter[str](), Counter[str]()
    for wanted, found in pairs:
        wanted, found = (
            codes | {k for k in ("question", "reflection") if any(k in c for c in codes)} for codes in (wanted, found)
        )
        both.update(wanted & found)
        hand.update(wanted)
        rules.update(found)
    return {
        c: {
            "n": hand[c],
            "found": rules[c],
            "precision": both[c] / rules[c] if rules[c] else None,
            "recall": both[c] / hand[c] if hand[c] else None,
        }
        for c in sorted(hand | rules)
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sessions", type=Path)
    arguments.add_argument("--misses", help="print where hand and rules differ, in this set")
    given = arguments.parse_args()
    rows = list(hand_coded(given.sessions))
    for name in ("first", "second", "third"):
        chosen = [row for row in rows if row[0] == name]
        print(f"\n{name}: {len(chosen)} sentences")
        for codes, figures in agreement((row[1], row[2]) for row in chosen).items():
            shares = "  ".join(
                f"{what} {figures[what]:.2f}" if figures[what] is not None else f"{what}   - "
                for what in ("precision", "recall")
            )
            print(f"  {codes:20} hand {figures['n']:3}  rules {figures['found']:3}  {shares}")
        if given.misses == name:
            for _, wanted, found, sentence in chosen:
                if wanted != found:
                    print(f"    {sentence[:110]}\n        hand {sorted(wanted)} rules {sorted(found)}")


if __name__ == "__main__":
    main()
