"""Comparisons as HTML: the table of configurations, and two dialogues in step; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from magnet_core.domain import Session, Turn
from magnet_core.scoring.compare import Cell, Configuration, Delta, Line, Row, name_of
from magnet_core.scoring.tables import FEWEST
from ui.maker import Making
from ui.scores import NONE
from ui.transcript import chips, compared, flags, message, says

DIGITS = {"$": 4, "tokens": 0, "s": 2, "calls": 0}
MARKS = {"better": "▲ better", "worse": "▼ worse", "unclear": ""}


def number(value: float | None, unit: str, *, sign: bool = False) -> str:
    """Return a figure with the digits its unit has; a dash where it is missing."""
    if value is None:
        return NONE
    digits = DIGITS.get(unit, 2)
    value = 0.0 if abs(value) < 0.5 * 10**-digits else value
    return f"{value:{'+' if sign and value else ''},.{digits}f}".replace("-", "−")


def delta_words(delta: Delta, unit: str) -> str:
    """Return a difference with its interval and n, as text."""
    if not delta.n:
        return "no pairs"
    if delta.low is None or delta.high is None:
        return f"{number(delta.mean, unit, sign=True)}, n = {delta.n}: too few for an interval"
    ends = f"{number(delta.low, unit, sign=True)} to {number(delta.high, unit, sign=True)}"
    return f"{number(delta.mean, unit, sign=True)} [{ends}], n = {delta.n}"


def table(rows: Sequence[Row], configurations: Sequence[Configuration], baseline: Configuration) -> str:
    """Return the table: a row for each figure, a column for each configuration, the baseline first."""
    order = [baseline, *(c for c in configurations if c != baseline)]
    places = [configurations.index(c) for c in order]
    heads = "".join(
        f'<th scope="col">{escape(name_of(c, configurations))}{"<i>baseline</i>" if c == baseline else ""}</th>'
        for c in order
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row.title)}<i>{escape(row.unit)}</i></th>'
        + "".join(_cell(row.cells[place], row) for place in places)
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="versus" tabindex="0" role="group" aria-label="Comparison"><table><thead><tr><th scope="col">Figure</th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell, row: Row) -> str:
    middle = f"<b>{number(cell.mean, row.unit)}</b>"
    if cell.delta is None:
        return f'<td class="base">{middle}<span>n = {cell.n}</span></td>'
    way = cell.delta.direction(row.less_is_better)
    mark = f'<em class="{way}">{MARKS[way]}</em>' if way != "unclear" else ""
    return f'<td class="{way}">{middle}{mark}<span>{escape(delta_words(cell.delta, row.unit))}</span></td>'


def as_rows(rows: Iterable[Row], configurations: Sequence[Configuration], judge: str) -> list[dict[str, Any]]:
    """Return the table as tidy rows for a file; what is missing is None."""
    return [
        {
            "figure": row.key,
            "title": row.title,
            "unit": row.unit,
            "method": configuration.method,
            "model": configuration.model,
            "visibility": configuration.visibility,
            "prompts": configuration.prompts or "ours",
            "baseline": cell.delta is None,
            "judge": judge if row.unit not in DIGITS else "",
            "mean": cell.mean,
            "n": cell.n,
            "difference": cell.delta.mean if cell.delta else None,
            "low": cell.delta.low if cell.delta else None,
            "high": cell.delta.high if cell.delta else None,
            "pairs": cell.delta.n if cell.delta else None,
        }
        for row in rows
        for configuration, cell in zip(configurations, row.cells, strict=True)
    ]


def legend() -> str:
    """Return how to read the table."""
    return (
        '<p class="hint">Large: the mean over all clients of a configuration. Small: how it differs from the baseline over the clients '
        f"that both have, with Student's 95 % interval and their number n; no interval with fewer than {FEWEST}. Colour and ▲ or ▼ only where "
        "the interval does not hold 0. The intervals stand one by one: of twenty differences that are truly 0, about one gets a colour.</p>"
    )


def progress(now: Making) -> str:
    """Return how far the making of sessions is, or how it ended."""
    words = {
        "running": f"Making sessions: {now.finished} of {now.total} finished, {now.turns} of at most {now.turns_to_make} turns.",
        "stopping": "Stopping.",
        "done": f"Made {now.finished} sessions, {now.turns} turns.",
        "stopped": f"Stopped: {now.finished} of {now.total} sessions are finished. Finished turns are kept, and gone on with next time.",
        "failed": f"Broke off: {now.finished} of {now.total} sessions are finished.",
    }[now.state]
    words += f" {now.failed} could not be finished." if now.failed else ""
    words += f" Spent so far: ${now.spent:.4f}." if now.spent else ""
    share = now.turns / now.turns_to_make if now.turns_to_make else 1.0
    bar = f'<div class="bar"><i style="width:{share:.1%}"></i></div>' if now.live else ""
    error = f'<p class="flag">{escape(now.error)}</p>' if now.error else ""
    return f'{bar}<p class="hint" role="status">{escape(words)}</p>{error}'


def head(left: Session, right: Session, names: tuple[str, str]) -> str:
    """Return how two sessions were made, side by side, with what differs marked."""
    rows = [
        ("Client", f"{left.profile.name}, {left.profile.attitude.value}", f"{right.profile.name}, {right.profile.attitude.value}"),
        ("Made with", *names),
        ("Plan", *(str(s.plan.technique or "not readable") if s.plan else "none" for s in (left, right))),
        ("Turns", str(len(left.turns)), str(len(right.turns))),
    ]  # fmt: skip
    body = "".join(
        f'<tr><th scope="row">{title}</th>'
        + "".join(f"<td{' class=differs' if a != b else ''}>{escape(text)}</td>" for text in (a, b))
        + "</tr>"
        for title, a, b in rows
    )
    return f'<table class="matrix heads"><tbody>{body}</tbody></table>'


def line(one: Line, left: Session, right: Session, *, words: bool) -> str:
    """Return one turn of both sessions; what differs is said, and its words are marked if asked for."""
    names = {"counsellor": "the counsellor's message", "client": "the client's reply", "choice": "the techniques chosen"}
    said = "Differs in " + ", ".join(names[d] for d in one.differs) if one.differs else "The same in both"
    before = one.left if words else None
    return (
        f'<section class="twin{"" if one.differs else " same"}" data-turn="{one.number}"><header><b>Turn {one.number}</b>'
        f'<span>{escape(said)}</span></header><div class="talk">{_side(one.left, left, None, one)}</div>'
        f'<div class="talk">{_side(one.right, right, before, one)}</div></section>'
    )


def _side(turn: Turn | None, session: Session, before: Turn | None, one: Line) -> str:
    if turn is None:
        return '<p class="hint">The session had ended.</p>'
    if before is None:
        counsellor = message("counsellor", "Counsellor", turn.response, below=chips(turn.choice))
        return counsellor + message("client", session.profile.name, turn.reply.text) + flags(turn.flags)
    spoken = "".join(
        f'<div class="said {speaker}"><div class="who">{escape(name)}</div>'
        f"{compared(old, new) if speaker in one.differs else says(new)}{below}</div>"
        for speaker, name, old, new, below in (
            ("counsellor", "Counsellor", before.response, turn.response, chips(turn.choice)),
            ("client", session.profile.name, before.reply.text, turn.reply.text, ""),
        )
    )
    return spoken + flags(turn.flags)
