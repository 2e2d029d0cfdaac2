"""Colours, letters and names as data, and the stylesheet built on them.

The five techniques carry Okabe and Ito's colour-blind safe hues, darkened in the light theme and lightened in the dark one,
so that letter on colour and colour on page keep their contrast. A letter always stands beside a colour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from magnet_core.domain import Attitude, Technique


@dataclass(frozen=True, slots=True)
class Look:
    """How one technique looks everywhere."""

    letter: str
    title: str
    light: str
    """Ground of its badge in the light theme, under a white letter."""
    dark: str
    """Ground of its badge in the dark theme, under a dark letter."""
    does: str
    """What its specialist writes, for a reader who meets it first."""


LOOKS: dict[Technique, Look] = {
    Technique.REFLECTION: Look("R", "Reflection", "#00639B", "#6CBDEB", "Gives back what the client said and felt."),
    Technique.QUESTIONING: Look("Q", "Questioning", "#B34700", "#F0874A", "Asks one open question."),
    Technique.SOLUTIONS: Look("S", "Solutions", "#00735A", "#3DBD98", "Offers one small step to try."),
    Technique.NORMALIZING: Look("N", "Normalizing", "#7D6200", "#E9C24A", "Shows the reaction is human and understandable."),
    Technique.PSYCHOEDUCATION: Look(
        "P", "Psycho-education", "#9A3F75", "#DE9AC0", "Explains one piece of psychology plainly."
    ),
}

AGENTS: dict[str, str] = {
    "planner": "Planner",
    "selector": "Selector",
    "responder": "Responder",
    "single-agent": "Counsellor",
    "plain": "Counsellor",
    "one-call": "Counsellor's team in one call",
    "client": "Client",
} | {technique.value: look.title for technique, look in LOOKS.items()}
"""Every agent's name for the screen."""

TECHNIQUE_NAMES = frozenset(technique.value for technique in Technique)

ATTITUDES: dict[Attitude, str] = {
    Attitude.POSITIVE: "Positive",
    Attitude.NEUTRAL: "Neutral",
    Attitude.NEGATIVE: "Negative",
}

NOTICE = "Synthetic, for research and teaching. Not treatment."


def title_of(agent: str) -> str:
    """Return an agent's name for the screen."""
    return AGENTS.get(agent, agent)


def css_class(technique: Technique) -> str:
    return f"t-{LOOKS[technique].letter.lower()}"


def badge(technique: Technique, *, name: bool = False) -> str:
    """Return the coloured letter of a technique as HTML, with its name when asked for."""
    look = LOOKS[technique]
    words = f"<span>{escape(look.title)}</span>" if name else ""
    label = "" if name else f' role="img" aria-label="{escape(look.title)}"'
    return (
        f'<span class="chip {css_class(technique)}" title="{escape(look.title)}">'
        f'<b class="letter"{label}>{look.letter}</b>{words}</span>'
    )


def _technique_css() -> str:
    return "\n".join(
        f".{css_class(technique)} {{ --tone: light-dark({look.light}, {look.dark}); --ink: light-dark(#fff, #10171a); }}"
        for technique, look in LOOKS.items()
    )


@cache
def stylesheet(dark: bool = False) -> str:
    """Return the whole stylesheet as a style element; it holds no text from outside."""
    sheet = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    floating = f"#stFloatingOverlayPortal, #portal {{ color-scheme: {'dark' if dark else 'light'}; }}"
    return f"<style>{sheet}\n{_technique_css()}\n{floating}</style>"


def plain(text: str) -> str:
    """Return a text so that Streamlit's markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", text)
