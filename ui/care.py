"""Care for whoever types: words that speak of a risk open a panel of crisis resources (`knowledge/safety.yaml`)."""

from __future__ import annotations

from html import escape

import streamlit as st

from magnet_core.guards import risk_flags
from magnet_core.knowledge import read


def panel(*typed: str) -> bool:
    """Draw the panel when something in what a person typed asks for it; tell whether it did.

    The words are matched, not understood: the panel offers help, and stands in nobody's way.
    """
    html = resources("\n".join(typed))
    if html:
        st.html(html)
    return bool(html)


def resources(text: str) -> str:
    """Return the panel as HTML, with the words it was opened by; empty when the text holds none."""
    found = risk_flags(text, 0, "person")
    if not found:
        return ""
    known = read("safety.yaml")["resources"]
    words = "".join(f"<li>{escape(flag.detail)}</li>" for flag in found)
    contacts = "".join(f"<dt>{escape(c['where'])}</dt><dd>{escape(c['what'])}</dd>" for c in known["contacts"])
    return (
        '<section class="care" role="region" aria-label="Where to find help"><details open><summary>Where to find help</summary>'
        f"<p>{escape(known['notice'].strip())}</p><dl>{contacts}</dl>"
        f'<p class="cause">This opened because of words that were typed here:</p><ul>{words}</ul></details></section>'
    )
