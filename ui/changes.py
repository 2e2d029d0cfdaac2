"""Two texts drawn as one."""

from __future__ import annotations

from html import escape

from magnet_core.differences import differences

TAGS = {"same": "span", "gone": "del", "new": "ins"}


def changes(before: str, after: str) -> str:
    """Return two texts as one, what is gone struck and what is new underlined, a space between two words that would run together."""
    out: list[str] = []
    last = ""
    for piece in differences(before, after):
        runs_on = piece.kind == "new" and last[-1:].strip() and piece.text[:1].strip()
        out.append(f"{' ' if runs_on else ''}<{TAGS[piece.kind]}>{escape(piece.text)}</{TAGS[piece.kind]}>")
        last = piece.text if piece.kind == "gone" else ""
    return "".join(out)
