"""What the screen remembers: the only folder that touches Streamlit's session state and caches.

Shared by everybody: the engine, the store, the sample clients. A browser session's own: which session it looks at, at which
turn, with what settings, and its cast of models with their keys, which stay in this memory.
"""

from ui.state import address, clients, costs, forks, making, prompts, runs, scores, sessions, view, voices
from ui.state.memory import (
    FIRST_CLIENT,
    MADE,
    begin,
    copy,
    engine,
    enter,
    forget,
    keep,
    kept,
    maker,
    note_typed,
    owner,
    samples,
    say,
    scorer,
    settings,
    store,
    told,
    warm_up,
)

__all__ = [
    "FIRST_CLIENT",
    "MADE",
    "address",
    "begin",
    "clients",
    "copy",
    "costs",
    "engine",
    "enter",
    "forget",
    "forks",
    "keep",
    "kept",
    "maker",
    "making",
    "note_typed",
    "owner",
    "prompts",
    "runs",
    "samples",
    "say",
    "scorer",
    "scores",
    "sessions",
    "settings",
    "store",
    "told",
    "view",
    "voices",
    "warm_up",
]
