"""Who rates in this browser session, at which pair and question, and whether the desk is all that is shown.

The address holds it too, so that a reload or a lost connection leads back to the same place.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import streamlit as st

from magnet_core.domain import Session
from magnet_core.errors import StoreError
from ui.state.memory import store

NAMES = ("rater", "pair", "question")
"""What the address tells of the desk; a rater's name in it is a pseudonym and no secret."""


@dataclass
class Place:
    """Where a browser session is at the desk.

    It is one thing that changes, since Streamlit may break off what a click began wherever it touches its own state: what was answered and
    where that leads to must not be parted.
    """

    rater: str = ""
    pair: str = ""
    """The pair that was turned to; empty for the first that is not rated."""
    looked: tuple[str, str] = ("", "")
    """A pair and the question of it that was looked at."""
    back: tuple[str, str] = ("", "")
    """The pair and question that were left half-way to look at another pair."""
    noted: int = 0
    """How often a turn was pointed at to comment on it: the browser leads to the field once each time."""
    meant: tuple[str, str] = ("", "")
    """A pseudonym that is not known, and the known one that it may have been meant for."""
    hello: str = ""
    """How the rater came, until something is done: `new`, `known` or `back`."""
    seen: int | None = None
    """The last key that was taken; None in a browser session that has taken none."""
    taking: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Held while keys are taken: in a burst the page is drawn anew before its last drawing has ended, and both bring keys."""
    clicked: tuple[str, str, str] | None = None
    """The answer that a click has given in this drawing of the page: pair, question and choice."""
    visit: int = 0
    unreadable: set[str] = field(default_factory=set[str])
    """Pairs that turned out not to be readable."""


def place() -> Place:
    return st.session_state.setdefault("desk_place", Place())


def goes_on() -> bool:
    """Tell whether an answer leads to the next question by itself."""
    return st.session_state.get("review_auto", True)


def alone() -> bool:
    """Tell whether this browser session was opened by the raters' address, which leads to the desk and nowhere else."""
    if st.query_params.get("rate", "") == "only":
        st.session_state["desk_alone"] = True
    return st.session_state.get("desk_alone", False)


def address() -> str:
    """Return the whole address for raters, as this browser sees the server."""
    here = st.context.url or ""
    return f"{here.split('?')[0]}?rate=only" if here else "/review?rate=only"


def only_here() -> bool:
    """Tell whether this browser's address of the server leads to it from this computer alone."""
    return urlsplit(st.context.url or "").hostname in ("localhost", "127.0.0.1", "::1")


def told() -> dict[str, str]:
    """Return what the address says of the place at the desk, once, when a browser session begins; nothing afterwards."""
    if st.session_state.get("desk_entered"):
        return {}
    found = {name: value for name in NAMES if (value := st.query_params.get(name, ""))}
    st.session_state["desk_entered"] = True
    return found


def note(rater: str = "", pair: str = "", question: str = "") -> None:
    """Write the place at the desk into the address; what is empty is taken out."""
    for name, value in zip(NAMES, (rater, pair, question), strict=True):
        if st.query_params.get(name, "") == value:
            continue
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def session(id: str) -> Session | None:
    """Return a session to be rated; None where it cannot be read, with no word that would name it."""
    try:
        return store().session(id)
    except StoreError:
        return None
