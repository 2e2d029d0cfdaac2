"""A typed key is taken as soon as its field is left, also by way of the button in the field that shows what is typed."""

from __future__ import annotations

from streamlit.components.v2 import component

_LEAVE = """
const FIELD = '[class*="st-key-models_key_"] [data-testid="stTextInput"]'
const fieldOf = (event) => event.target.tagName === 'BUTTON' ? event.target.closest(FIELD) : null
const take = (field) => field.querySelector('input').dispatchEvent(new FocusEvent('focusout', { bubbles: true }))

export default function () {
  // the Tab key leads from what is typed to the button; a click on the button is meant to show it first
  const reached = (event) => { if (fieldOf(event) && event.target.matches(':focus-visible')) take(fieldOf(event)) }
  const left = (event) => { if (fieldOf(event) && !fieldOf(event).contains(event.relatedTarget)) take(fieldOf(event)) }
  document.addEventListener('focusin', reached)
  document.addEventListener('focusout', left)
  return () => {
    document.removeEventListener('focusin', reached)
    document.removeEventListener('focusout', left)
  }
}
"""
"""Streamlit takes what is typed when its field is left, but not when the way out leads over the button in the field."""


def take_when_left() -> None:
    """Have typed keys taken when their fields are left, whichever way."""
    component("key_fields", html="<span></span>", js=_LEAVE)(key="models_key_fields", height=1)
