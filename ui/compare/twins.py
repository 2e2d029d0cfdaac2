"""Two sessions as HTML: how they were made, their plans, their scores, and their turns in step; every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from magnet_core.domain import Session, Turn
from magnet_core.scoring.compare import SCORES, Line
from magnet_core.scoring.compare.numbers import number
from magnet_core.scoring.items import Instrument, Scorecard
from magnet_core.scoring.tables import Judge, figures, value_of
from ui import theme
from ui.session.transcript import compared, flags, led_by, message, says

TIED = "\u00a0"
"""A space that keeps the ends of a scale on one line."""
PARTS = {"counsellor": "the counsellor's message", "client": "the client's reply", "choice": "the techniques chosen"}


def head(left: Session, right: Session, names: tuple[str, str], took: tuple[Mapping[str, str], Mapping[str, str]]) -> str:
    """Return how two sessions were made and what they took, side by side, with what differs marked."""
    rows = [
        ("Client", f"{left.profile.name}, {left.profile.attitude.value}", f"{right.profile.name}, {right.profile.attitude.value}"),
        ("Made with", *names),
        ("Plan", *(str(s.plan.technique or "not readable") if s.plan else "none" for s in (left, right))),
        ("Turns", *(_turns(s) for s in (left, right))),
        *((title, took[0][title], took[1][title]) for title in took[0]),
    ]  # fmt: skip
    return f'<table class="matrix heads"><tbody>{"".join(_row(*row) for row in rows)}</tbody></table>'


def _turns(session: Session) -> str:
    by_client = bool(session.turns) and session.turns[-1].reply.ends_session
    return f"{len(session.turns)}{', ended by the client' if by_client else '' if session.ended else ', unfinished'}"


def plans(left: Session, right: Session) -> str:
    """Return the steps of two plans side by side; nothing where neither has any."""
    steps = [list(s.plan.steps) if s.plan else [] for s in (left, right)]
    longest = max(len(some) for some in steps)
    if not longest:
        return ""
    sides = [[*some, *["–"] * (longest - len(some))] for some in steps]
    body = "".join(_row(f"Step {n}", a, b) for n, (a, b) in enumerate(zip(*sides, strict=True), 1))
    return f'<details class="fold"><summary>Steps of the plans</summary><table class="matrix heads"><tbody>{body}</tbody></table></details>'


def ratings(left: Session, right: Session, held: Mapping[tuple[str, Judge], Mapping[Instrument, Scorecard]]) -> str:
    """Return the scores of two sessions, judge by judge."""
    known, tables = figures(), list[str]()
    for judge in dict.fromkeys(judge for _, judge in held):
        rows: list[str] = []
        for key in SCORES:
            values = [value_of(known[key], held.get((s.id, judge), {})) for s in (left, right)]
            if values != [None, None]:
                figure = known[key]
                unit = f"{figure.low:g} to {figure.high:g}".replace("-", "−")
                rows.append(
                    _row(f"{figure.title} ({unit.replace(' ', TIED)})", *(number(v, unit) for v in values), mark=False)
                )
        if rows:
            tables.append(
                f'<table class="matrix heads scored"><caption>{escape(judge.title)}</caption><tbody>{"".join(rows)}</tbody></table>'
            )
    if not tables:
        return '<p class="hint">Neither session has been rated yet.</p>'
    note = "Two sessions alone say nothing about how their methods differ in general."
    return f'<details class="fold"><summary>Scores by judge</summary>{"".join(tables)}<p class="hint">{note}</p></details>'


def _row(title: str, left: str, right: str, *, mark: bool = True) -> str:
    differs = " class=differs" if mark and left != right else ""
    return (
        f'<tr><th scope="row">{escape(title)}</th>'
        + "".join(f"<td{differs}>{escape(t)}</td>" for t in (left, right))
        + "</tr>"
    )


def line(one: Line, left: Session, right: Session, *, words: bool) -> str:
    """Return one turn of both sessions; what differs is said, and its words are marked if asked for."""
    said = "Differs in " + ", ".join(PARTS[d] for d in one.differs) if one.differs else "The same in both"
    before = one.left if words else None
    return (
        f'<section class="twin{"" if one.differs else " same"}" data-turn="{one.number}"><header><b>Turn {one.number}</b>'
        f'<span>{escape(said)}</span></header><div class="talk">{_side(one.left, left, None, one, 0)}</div>'
        f'<div class="talk">{_side(one.right, right, before, one, 1)}</div></section>'
    )


def _side(turn: Turn | None, session: Session, before: Turn | None, one: Line, side: int) -> str:
    if turn is None:
        return f'<p class="hint">{"The session had ended." if session.ended else "Not made yet: the session is unfinished."}</p>'
    below = (
        _drafts(turn)
        + flags(turn.flags)
        + ('<p class="hint">The client ended the session here.</p>' if one.ends[side] else "")
    )
    if before is None:
        counsellor = message("counsellor", "Counsellor", turn.response, below=led_by(turn))
        return counsellor + message("client", session.profile.name, turn.reply.text) + below
    spoken = "".join(
        f'<div class="said {speaker}"><div class="who">{escape(name)}</div>'
        f"{compared(old, new) if speaker in one.differs else says(new)}{under}</div>"
        for speaker, name, old, new, under in (
            ("counsellor", "Counsellor", before.response, turn.response, led_by(turn)),
            ("client", session.profile.name, before.reply.text, turn.reply.text, ""),
        )
    )
    return spoken + below


def _drafts(turn: Turn) -> str:
    """Return what the specialists proposed, folded; nothing where there were none."""
    if not turn.candidates:
        return ""
    drafts = "".join(f"<li>{theme.badge(c.technique, name=True)}{says(c.text)}</li>" for c in turn.candidates)
    return f'<details class="fold"><summary>Drafts of the specialists ({len(turn.candidates)})</summary><ul>{drafts}</ul></details>'
