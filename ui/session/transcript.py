"""The dialogue as HTML: every text is escaped, so that nothing a model or a file says is ever markup."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from html import escape

from streamlit.components.v2 import component

from magnet_core.attribution import Lent, attribute, share
from magnet_core.domain import Candidate, Choice, Flag, Session, Turn
from ui import theme
from ui.changes import changes

CURSOR = '<span class="cursor" aria-hidden="true"></span>'


def says(text: str, *, writing: bool = False) -> str:
    """Return a text as an escaped paragraph, with the cursor behind it while it is being written."""
    return f'<p class="says">{escape(text)}{CURSOR if writing else ""}</p>'


def chips(choice: Choice | None) -> str:
    """Return the chosen techniques as coloured letters with their names."""
    if not choice or not choice.techniques:
        return ""
    return f'<div class="chips">{"".join(theme.badge(t, name=True) for t in choice.techniques)}</div>'


def led_by(turn: Turn) -> str:
    """Return the techniques that led the counsellor's message; nothing where a person typed it, since they led another one."""
    return "" if "counsellor" in turn.typed else chips(turn.choice)


def flags(found: Iterable[Flag]) -> str:
    """Return notes a reader should see: amber, and red where a risk was recognised."""
    notes: list[str] = []
    for flag in found:
        who = theme.title_of(flag.agent)
        kind = "risk" if flag.kind == "risk" else ""
        notes.append(f'<p class="flag {kind}" role="note"><b>{escape(who)}:</b> {escape(flag.detail)}</p>')
    return "".join(notes)


TYPED = '<span class="typed">typed by a person</span>'


def message(speaker: str, name: str, text: str, *, below: str = "", writing: bool = False, typed: bool = False) -> str:
    """Return one message of the dialogue."""
    body, mark = says(text, writing=writing), TYPED if typed else ""
    return f'<div class="said {speaker}"><div class="who">{escape(name)}{mark}</div>{body}{below}</div>'


def compared(before: str, after: str) -> str:
    """Return two texts as one, with what is gone and what is new in it marked."""
    return f'<p class="says compared">{changes(before, after)}</p>'


def origins(text: str, candidates: tuple[Candidate, ...]) -> tuple[str, float]:
    """Return a message as a paragraph with the words that stand in a draft underlined in its colour, and their share."""
    lent, part = _lent(text, candidates)
    body, end = "", 0
    for one in lent:
        look = theme.LOOKS[one.technique]
        also = f", and in {', '.join(theme.LOOKS[t].title for t in one.also)}" if one.also else ""
        body += escape(text[end : one.start])
        body += f'<u class="{theme.css_class(one.technique)}" title="In the draft of {look.title}{also}">'
        body += f"{escape(text[one.start : one.end])}<sup>{look.letter}</sup></u>"
        end = one.end
    return f'<p class="says">{body}{escape(text[end:])}</p>', part


@lru_cache(maxsize=256)
def _lent(text: str, candidates: tuple[Candidate, ...]) -> tuple[tuple[Lent, ...], float]:
    lent = attribute(text, candidates)
    return lent, share(text, lent)


def exchange(heading: str, messages: str, number: int, *, looked: bool = False, notes: str = "") -> str:
    """Return one turn of the dialogue under its heading; 0 is the opening."""
    mark = ' looked" aria-current="true' if looked else ""
    return (
        f'<section class="exchange{mark}" data-turn="{number}"><header>{escape(heading)}</header>{messages}{notes}</section>'
    )


def dialogue(session: Session, looked: int | None) -> str:
    """Return the finished dialogue; `looked` is the turn shown beside it, 0 for the opening."""
    opening = session.profile.opening
    name = session.profile.name
    first = message("counsellor", "Counsellor", opening.counsellor) + message("client", name, opening.client)
    parts = [exchange("Opening, given with the client", first, 0, looked=looked == 0, notes=flags(session.plan_flags))]
    for number, turn in enumerate(session.turns, 1):
        if session.parent and number == session.parent.turns + 1 > 1:
            parts.append('<p class="forked">Another way from here</p>')
        parts.append(_turn(number, turn, name, looked == number))
    if session.ended:
        by_client = session.turns and session.turns[-1].reply.ends_session
        why = "The client ended the session." if by_client else "The session has reached its length."
        parts.append(f'<p class="hint">{why}</p>')
    return f'<div class="talk" tabindex="0" role="group" aria-label="Dialogue">{"".join(parts)}</div>'


def one_exchange(session: Session, number: int) -> str:
    """Return one exchange of the dialogue alone; 0 is the opening."""
    name = session.profile.name
    if number:
        return f'<div class="talk">{_turn(number, session.turns[number - 1], name, False)}</div>'
    opening = session.profile.opening
    first = message("counsellor", "Counsellor", opening.counsellor) + message("client", name, opening.client)
    return f'<div class="talk">{exchange("Opening", first, 0)}</div>'


def _turn(number: int, turn: Turn, client: str, looked: bool) -> str:
    messages = message(
        "counsellor", "Counsellor", turn.response, below=below(led_by(turn)), typed="counsellor" in turn.typed
    )
    messages += message("client", client, turn.reply.text, typed="client" in turn.typed)
    return exchange(f"Turn {number}", messages, number, looked=looked, notes=flags(turn.flags))


def below(row: str) -> str:
    """Return a row of techniques as it stands under a message."""
    return f'<div style="margin-top:6px">{row}</div>' if row else ""


_TOUCH = """
const shown = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const box = document.querySelector('.st-key-dialogue')
  const work = document.querySelector('.st-key-work')
  if (!box) return
  const pick = (event) => {
    const turn = event.target.closest('[data-turn]')
    if (turn && !String(getSelection())) setTriggerValue('turn', Number(turn.dataset.turn))
  }
  box.addEventListener('click', pick)
  work?.addEventListener('click', pick)
  const frame = requestAnimationFrame(() => {
    const lit = [...box.querySelectorAll('.exchange.looked')].pop()
    if (!lit || shown.get(box) === data.turn) return
    shown.set(box, data.turn)
    box.scrollTo({ top: box.scrollTop + lit.getBoundingClientRect().top - box.getBoundingClientRect().top - 12 })
  })
  return () => { box.removeEventListener('click', pick); work?.removeEventListener('click', pick); cancelAnimationFrame(frame) }
}
"""


def touch(turn: int, on_turn: Callable[[int], None]) -> None:
    """Bring the looked-at turn into the dialogue's view, and call `on_turn` with the turn that is clicked in it."""
    mount = component("dialogue_touch", html="<span></span>", js=_TOUCH)
    result = mount(key="dialogue_touch", data={"turn": turn}, on_turn_change=lambda: None, height=1)
    if result.turn is not None:
        on_turn(int(result.turn))
