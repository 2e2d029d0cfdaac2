"""Whether spans of every call go out to a collector, and how that went."""

from __future__ import annotations

from html import escape

import streamlit as st

from magnet_core import telemetry
from ui import state


def line() -> None:
    """Say whether spans go out, where to, and the last problem."""
    now = telemetry.sending(state.settings().otlp_endpoint)
    if not now.address:
        words = "No spans are sent to an OpenTelemetry collector; the setting MAGNET_OTLP_ENDPOINT names one."
    else:
        gone = f"{now.sent:,} sent, {now.lost:,} lost since the app was started" if now.sent or now.lost else "none sent yet"
        words = f"OpenTelemetry spans go to {now.address}: {gone}."
        if now.problem and not now.met:
            words = f"No OpenTelemetry spans can be sent to {now.address}."
    st.html(f'<p class="hint" role="status">{escape(words)}</p>')
    if now.problem:
        when = f"Last problem, {now.met:%d %b, %H:%M} UTC: " if now.met else ""
        since = " Since then spans have gone out." if now.met and now.going else ""
        st.html(f'<p class="{"hint" if now.going else "flag risk"}">{escape(f"{when}{now.problem}{since}")}</p>')
