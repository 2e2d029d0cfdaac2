"""What the process shares with everybody, and what one browser session remembers from one drawing of a page to the next."""

from __future__ import annotations

import gc
import secrets
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from magnet_core import profiles as profile_files
from magnet_core import telemetry
from magnet_core.domain import ClientProfile, Session
from magnet_core.scoring.judge import RULES
from magnet_core.settings import Settings
from magnet_core.settings import settings as read_settings
from ui.engine.maker import Maker
from ui.engine.runner import Engine
from ui.engine.scorer import Order, Scorer, sheets_of

if TYPE_CHECKING:
    from magnet_core.store import Store

T = TypeVar("T")
FIRST_CLIENT = "mei-lin-chow"
MADE = "comparison"
"""The tag of sessions that were made for a comparison."""


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    return Engine(settings().calls_in_flight)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the library of sessions; raise `StoreError` when it cannot be opened."""
    from magnet_core.store import Store

    return Store(settings().database_url)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings from the environment, `.env` and Streamlit's secrets, in this order."""
    return read_settings(**_secrets())


@st.cache_resource(show_spinner=False)
def samples() -> dict[str, ClientProfile]:
    """Return the sample clients by id, the first one to be shown first."""
    found = {profile.id: profile for profile in profile_files.samples()}
    first = {FIRST_CLIENT: found[FIRST_CLIENT]} if FIRST_CLIENT in found else {}
    return first | found


@st.cache_resource(show_spinner=False)
def warm_up() -> bool:
    """Import what is heavy beside the first page view, then let the garbage collector forget it: reruns stay quick."""

    def work() -> None:
        import pandas
        import plotly.graph_objects

        from magnet_core import store as _store
        from magnet_core.models.openai import open_client

        _ = (pandas.DataFrame, plotly.graph_objects.Figure, _store.Store)
        _ = open_client("", "none").chat.completions
        gc.collect()
        gc.freeze()

    threading.Thread(target=work, daemon=True, name="warm-up").start()
    return True


def _secrets() -> dict[str, Any]:
    """Return the top level of Streamlit's secrets; empty when there is no secrets file."""
    try:
        return {name: value for name, value in st.secrets.items() if isinstance(value, (str, int, float))}
    except (FileNotFoundError, KeyError):
        return {}


def owner() -> str:
    """Return this browser session's token; whoever started a run may stop it."""
    return st.session_state.setdefault("owner", secrets.token_urlsafe(12))


def begin(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin some work beside the page."""
    return engine().call(work)


def kept(name: str, otherwise: Any = None) -> Any:
    """Return what a page has kept, or what stands in a field."""
    return st.session_state.get(name, otherwise)


def keep(name: str, value: Any) -> None:
    st.session_state[name] = value


def copy(field: str, to: str) -> None:
    """Put into one field what was chosen in another."""
    if value := st.session_state.get(field):
        st.session_state[to] = value


def say(text: str) -> None:
    """Keep a sentence for the next drawing of the page."""
    st.session_state["note"] = text


def told() -> str:
    """Return the kept sentence, once."""
    return st.session_state.pop("note", "")


def note_typed(*texts: str) -> None:
    """Remember what a person typed last, so that help can be offered where its words ask for it."""
    st.session_state["typed"] = "\n".join(texts)


def enter(page: str = "") -> bool:
    """Begin a page; every page calls this first. Tell whether this browser session was elsewhere just before."""
    before = st.session_state.get("page")
    st.session_state["page"] = page
    return before != page


@st.cache_resource(show_spinner=False)
def scorer() -> Scorer:
    """Return what scores sessions in the background; raise `StoreError` when the library cannot be opened."""
    kept = store()
    return Scorer(engine(), kept.cards.save, kept.cards.of, kept.session, settings().calls_in_flight)


@st.cache_resource(show_spinner=False)
def maker() -> Maker:
    """Return what makes many sessions in the background; raise `StoreError` when the library cannot be opened."""
    sheets, scores, kept = sheets_of(("ctrs", "wai", "panas-before", "panas-after")), scorer(), store()
    begun, collector = set[str](), settings().otlp_endpoint

    def keep_made(session: Session) -> None:
        kept.save(session)
        telemetry.newest(session, collector, kept.prices.all)
        if session.id not in begun:
            begun.add(session.id)
            kept.tag(session.id, [MADE])

    def finished(session: Session, by: str) -> Future[None] | None:
        return scores.start([session], Order(RULES, sheets), owner=by, quiet=True).future

    return Maker(engine(), keep_made, finished)


def forget(*names: str) -> None:
    """Let fields be filled anew when they are drawn next."""
    for name in names:
        st.session_state.pop(name, None)
