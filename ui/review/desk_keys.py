"""The keys of the rater's desk: every press counts for the question that was current when it was pressed, in order.

The page in the browser numbers the presses and sends all that the server has not yet taken, so that none is lost while the page is drawn
anew. A press never counts for a pair that the rater has only just been shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from streamlit.components.v2 import component

from magnet_core.scoring.aspects import Choice

UNDO, COMMENT = "undo", "comment"

_JS = """
const PAUSE = 1000
const LETTERS = { '1': 'A', '2': 'tie', '3': 'B', 'a': 'A', 't': 'tie', 'b': 'B', 'u': 'undo' }
const BUTTONS = { n: 'review_after', p: 'review_before', f: 'review_first', x: 'review_clear' }
const button = (key) => document.querySelector(`.st-key-${key} button`)
const choices = () => [...document.querySelectorAll('.st-key-review_choices button')]

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const desk = (parentElement.desk ??= { presses: [], number: Date.now(), pair: data.pair, rest: 0, at: -1, idle: 0, noted: data.noted })
  const tell = (words) => { parentElement.querySelector('span').textContent = words }
  desk.presses = desk.presses.filter((press) => press.number > data.seen)
  if (desk.pair !== data.pair && data.fresh) desk.rest = Date.now() + PAUSE
  if (desk.pair !== data.pair) tell('')
  desk.pair = data.pair
  if (desk.at >= 0 && document.activeElement === document.body) setTimeout(() => choices()[desk.at]?.focus({ preventScroll: true }), 50)
  if (data.noted > desk.noted) {
    let typed = desk.typed
    const show = () => {
      const field = document.querySelector('.st-key-review_note')
      field?.scrollIntoView({ block: 'nearest' })
      // where the field stands under the dialogues, the turn that is pointed at moves down to it
      const turn = document.querySelector('.st-key-review_sides .looked')
      let box = turn?.parentElement
      while (box && !/auto|scroll/.test(getComputedStyle(box).overflowY)) box = box.parentElement
      if (box && innerWidth <= 1150) box.scrollTop += turn.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom + 8
      const words = typed && field?.querySelector('input[type=text]')
      if (words) words.focus({ preventScroll: true })
      if (words) typed = false  // whoever has left the field since is not led back into it
    }
    setTimeout(show, 100)
    setTimeout(show, 600)  // once more when the field has unfolded
  }
  desk.noted = data.noted
  desk.typed = false
  clearTimeout(desk.idle)
  if (data.kept && !desk.presses.length) desk.idle = setTimeout(() => setStateValue('presses', []), 3000)

  const go = (key) => {
    desk.typed = key === 'c'
    return desk.typed ? setTriggerValue('turn', 'comment') : button(BUTTONS[key])?.click()
  }
  // a key that leads elsewhere waits for the answers before it, and is forgotten when they have led to another pair
  if (desk.later && !desk.presses.length) {
    const { key, pair } = desk.later
    desk.later = null
    if (pair === data.pair) setTimeout(() => go(key), 50)
  }

  const press = (event) => {
    const into = event.target.closest?.('input, textarea, [contenteditable=true], [role=combobox]')
    if (into && event.key === 'Enter' && into.closest('.st-key-review_why')) into.blur()
    if (into && event.key === 'Enter' && into.closest('.st-key-review_note')) {
      into.blur()
      setTimeout(() => button('review_add')?.click(), 100)
    }
    if (into && event.key === 'Escape' && into.closest('.st-key-review_note, .st-key-review_why')) into.blur()
    const key = event.key.toLowerCase(), choice = LETTERS[key]
    const other = BUTTONS[key] || key === 'c'
    if (into || !(choice || other) || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !choices().length) return
    if (choices()[0].disabled) return tell('There is no connection to the server: this key was not taken.')
    if (other) {
      if (key === 'c') event.preventDefault()
      if (!desk.presses.length) return go(key)
      if (key === 'x') return tell('Your last answer is still on its way. This key was not taken.')
      desk.later = { key, pair: data.pair }
      return
    }
    if (Date.now() < desk.rest) {
      desk.rest = Math.max(desk.rest, Date.now() + PAUSE / 2)
      return tell('A new pair has come: read it first. This key was not taken.')
    }
    const led = desk.presses.some((one) => one.choice === 'undo')
    const pending = desk.presses.filter((one) => one.pair === data.pair).map((one) => one.question)
    const ahead = data.auto ? data.ahead.filter((question) => !pending.includes(question)) : data.ahead.slice(0, 1)
    if (choice !== 'undo' && !led && !ahead.length) return tell('The next pair is on its way. This key was not taken.')
    const question = choice === 'undo' || led ? '' : ahead[0]
    desk.number += 1
    desk.presses.push({ number: desk.number, token: data.token, pair: data.pair, question, choice })
    clearTimeout(desk.idle)
    tell('')
    setStateValue('presses', [...desk.presses])
  }
  const pick = (event) => {
    const turn = event.target.closest('.st-key-review_sides [data-turn]')
    const side = turn?.closest('[data-side]')
    if (turn && side && !String(getSelection())) setTriggerValue('turn', `${side.dataset.side} ${turn.dataset.turn}`)
  }
  const focus = (event) => { desk.at = choices().indexOf(event.target) }
  // this is called anew with every drawing of the page, and its end is told only when the desk is gone
  const listeners = { keydown: press, click: pick, focusin: focus }
  desk.stop?.()
  desk.stop = () => Object.entries(listeners).forEach(([name, what]) => document.removeEventListener(name, what))
  Object.entries(listeners).forEach(([name, what]) => document.addEventListener(name, what))
  return () => { clearTimeout(desk.idle); desk.stop() }
}
"""
_HTML = '<span role="status" style="font: 14px/1.4 inherit; color: inherit"></span>'


@dataclass(frozen=True, slots=True)
class Press:
    """One key: which answer, to which question of which pair."""

    number: int
    """Later presses have higher numbers, in whichever browser session."""
    token: str
    """What the rater had changed last when the key was pressed."""
    pair: str
    question: str
    """Empty after an undo that the page had not shown yet: then it is the question which that led to."""
    choice: Choice | str
    """An answer, or `UNDO`."""


def listen(data: Mapping[str, Any], pressed: Callable[[], None], picked: Callable[[], None]) -> list[Press]:
    """Listen to the keys, and to clicks on a turn; return what was pressed and may not have been taken yet."""
    mount: Callable[..., Any] = component("review_keys", html=_HTML, js=_JS)
    result = mount(key="review_keys", data=dict(data), on_presses_change=pressed, on_turn_change=picked)
    return read_presses(result)


def read_presses(told: Any) -> list[Press]:
    """Return the presses that came from a browser, in order; what is none is left out."""
    given = getattr(told, "presses", None)
    found: list[Press] = []
    for one in cast(Sequence[Any], given) if isinstance(given, (list, tuple)) else ():
        try:
            texts = [str(one[name]) for name in ("token", "pair", "question", "choice")]
            found.append(Press(int(one["number"]), *texts))
        except (KeyError, TypeError, ValueError):
            continue
    return sorted((one for one in found if one.choice in ("A", "B", "tie", UNDO)), key=lambda one: one.number)
