"""Hold sessions of the released corpus against the whole of it: mean Distinct-1/2/3 of a session.

`python -m benchmarks.diversity FOLDER` reads the session files in a folder. The figures beside them are the means over all 442 released
sessions, counted once on their raw text, split at blanks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean, stdev

from magnet_core.importers import read_file
from magnet_core.scoring.diversity import counted, document

WHOLE = {"distinct_1": 0.186, "distinct_2": 0.478, "distinct_3": 0.617}


def main(folder: Path) -> None:
    """Print the mean, its spread, n and the corpus' mean of each figure."""
    found = [counted([document(read_file(path)).split()]) for path in sorted(folder.glob("*.json"))]
    if not found:
        sys.exit(f"{folder} holds no session file.")
    print(f"{len(found)} sessions")
    for name, whole in WHOLE.items():
        values = [getattr(one, name) for one in found]
        spread = f"{stdev(values):.3f}" if len(values) > 1 else "none"
        print(
            f"{name.replace('_', '-').capitalize()}: mean {mean(values):.3f}, standard deviation {spread}; all 442: {whole:.3f}"
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
