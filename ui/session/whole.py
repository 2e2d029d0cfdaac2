"""The whole session at a glance: techniques turn by turn, plan steps touched, and the parts of a CBT session with their evidence."""

from __future__ import annotations

from functools import lru_cache
from html import escape

import streamlit as st

from magnet_core.domain import Session, Technique, Utterance
from magnet_core.scoring import structure
from ui import theme


def panel(session: Session, shown: int) -> None:
    """Draw the session as a whole; a click on a turn leads there."""
    if not session.turns:
        st.html('<p class="hint">The shape of the session appears here with its first turn.</p>')
        return
    st.html(heat(session, shown) + touched(session) + parts(session))


def heat(session: Session, shown: int) -> str:
    """Return the techniques chosen in every turn as a strip; a turn of it is a button."""
    turns = range(1, len(session.turns) + 1)
    head = "".join(f'<th scope="col" class="{"now" if n == shown else ""}">{_go(n, str(n))}</th>' for n in turns)
    rows = ""
    for technique in Technique:
        cells = ""
        for n in turns:
            turn = session.turns[n - 1]
            picked = turn.choice and technique in turn.choice.techniques
            drafted = turn.candidate(technique) is not None
            look = theme.LOOKS[technique]
            mark = (
                f'<b class="letter" title="{look.title}, turn {n}">{look.letter}</b>'
                if picked
                else "<i></i>"
                if drafted
                else ""
            )
            cells += f'<td data-turn="{n}">{mark}</td>'
        count = sum(1 for t in session.turns if t.choice and technique in t.choice.techniques)
        rows += (
            f'<tr class="{theme.css_class(technique)}"><th scope="row">{theme.LOOKS[technique].title}</th>{cells}'
            f'<td class="sum">{count}</td></tr>'
        )
    if not any(turn.choice for turn in session.turns):
        return '<div class="card"><header><h3>Techniques</h3></header><p class="quiet">This method names no technique turn by turn.</p></div>'
    steps = ""
    if any(turn.choice and turn.choice.plan_step for turn in session.turns):
        cells = "".join(f"<td>{(t.choice.plan_step if t.choice else None) or ''}</td>" for t in session.turns)
        steps = f'<tr class="steps"><th scope="row">Plan step</th>{cells}<td></td></tr>'
    return (
        '<div class="card"><header><h3>Techniques, turn by turn</h3></header><div class="scroll"><table class="heat">'
        f"<thead><tr><td></td>{head}<th>all</th></tr></thead><tbody>{rows}{steps}</tbody></table></div>{_typed(session)}</div>"
    )


def _typed(session: Session) -> str:
    """Name the turns whose techniques were chosen before a person typed the words."""
    turns = [n for n, turn in enumerate(session.turns, 1) if turn.choice and "counsellor" in turn.typed]
    if not turns:
        return ""
    named = f"turn{'s' if len(turns) > 1 else ''} {', '.join(map(str, turns))}"
    return f'<p class="hint">In {named} the techniques were chosen before a person typed the counsellor\'s words.</p>'


def _go(number: int, words: str) -> str:
    return f'<button type="button" data-turn="{number}" aria-label="Look at turn {number}">{words}</button>'


def touched(session: Session) -> str:
    """Return the plan's steps with the turns that served each."""
    plan = session.plan
    if plan is None or not plan.steps:
        return ""
    served: dict[int, list[int]] = {}
    for n, turn in enumerate(session.turns, 1):
        if turn.choice and turn.choice.plan_step:
            served.setdefault(turn.choice.plan_step, []).append(n)
    if not served:
        return ""
    rows = ""
    for n, step in enumerate(plan.steps, 1):
        turns = "".join(_go(t, str(t)) for t in served.get(n, ()))
        where = f"turns {turns}" if turns else "not yet" if not session.ended else "not touched"
        rows += (
            f'<li class="{"met" if turns else ""}"><b>{n}</b><span>{escape(step)}</span><i class="jumps">{where}</i></li>'
        )
    count = sum(1 for n in range(1, len(plan.steps) + 1) if n in served)
    mark = '<span class="typed">edited by a person</span>' if plan.by_person else ""
    return (
        f'<div class="card"><header><h3>Plan steps touched: {count} of {len(plan.steps)}</h3>{mark}</header>'
        f'<ol class="steps">{rows}</ol></div>'
    )


def parts(session: Session) -> str:
    """Return the parts of a CBT session, each with the words that show it."""
    rows = ""
    for part in _parts(session.transcript):
        quotes, note = "", f'<p class="hint">{escape(part.note)}</p>' if part.note else ""
        if part.evidence:
            first, *more = part.evidence
            quotes = _quote(first)
            if more:
                rest = "".join(_quote(one) for one in more)
                quotes += f"<details><summary>{len(more)} more</summary>{rest}</details>"
        kind = "part-" + part.status.replace(" ", "-")
        rows += (
            f'<li class="{kind}"><b>{escape(part.name.capitalize())}</b><span class="mark">{part.status}</span>'
            f"<div>{quotes}{note}</div></li>"
        )
    source = f"{structure.SOURCE} Found by rules in the counsellor's words; a sign, not a rating."
    return (
        '<div class="card"><header><h3>Parts of a CBT session</h3></header>'
        f'<ol class="parts">{rows}</ol><p class="hint">{escape(source)}</p></div>'
    )


def _quote(one: structure.Evidence) -> str:
    where = _go(one.turn, f"Turn {one.turn}") if one.turn else "Opening"
    return f'<p class="quote">{where} “{escape(one.quote)}”</p>'


def _parts(said: tuple[Utterance, ...]) -> tuple[structure.Part, ...]:
    return _parts_of(tuple((u.speaker, u.text) for u in said))


@lru_cache(maxsize=32)
def _parts_of(said: tuple[tuple[str, str], ...]) -> tuple[structure.Part, ...]:
    return structure.strip([Utterance.model_validate({"speaker": speaker, "text": text}) for speaker, text in said])
