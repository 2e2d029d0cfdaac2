"""What made the sessions that are compared, in words: what all share, and whether the words are authored."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from magnet_core.scoring.compare import rehearsed
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.results import shared
from ui import state


def authorship(makers: Sequence[Configuration]) -> str:
    """Return, where the rehearsal cast spoke, that its sessions tell nothing about methods, as HTML; else nothing."""
    if not any(rehearsed(maker) for maker in makers):
        return ""
    return (
        '<p class="flag">Sessions of the rehearsal cast are among these. They are authored: what is said of them says nothing about the '
        "methods. They are good for trying the form and for training raters.</p>"
    )


def in_common(makers: Sequence[Configuration], turns: Sequence[int | None] = ()) -> str:
    """Return what all of some sessions share in how they were made, as a line of HTML; `turns` are their lengths where those matter."""
    parts = [f"{what}: {said}" for what, said in shared(makers, state.pairs.pack_titles()).items()]
    known = sorted({n for n in turns if n is not None})
    if known:
        ends = f"{known[0]}" if len(known) == 1 else f"{known[0]} to {known[-1]}"
        parts.append(f"{ends} {'turn' if known == [1] else 'turns'} long")
    return f'<p class="hint">In common: {escape("; ".join(parts) or "nothing but the client and the limits of length")}.</p>'
