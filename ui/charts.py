"""Figures from values; pure, and the only place that knows plotly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magnet_core.domain import AgentCall
from ui import theme


def waterfall(calls: Sequence[AgentCall], *, dark: bool = False) -> Any:
    """Return the calls of a turn on one clock: waiting for the first word, then writing; in milliseconds if all took under 0.5 s."""
    import plotly.graph_objects as go

    wait, write = ("#5E7477", "#7CC4C8") if dark else ("#B9C8CA", "#2F6F73")
    rows = [_row(call) for call in calls]
    brief = max((call.started + call.seconds for call in calls), default=0.0) < 0.5
    scale, unit, digits = (1000, "ms", ".1f") if brief else (1, "s", ".2f")
    waits = [scale * (call.first_token if call.first_token is not None else call.seconds) for call in calls]
    writes = [scale * call.seconds - w for call, w in zip(calls, waits, strict=True)]
    starts = [scale * call.started for call in calls]
    figure = go.Figure()
    figure.add_bar(
        y=rows, x=waits, base=starts, orientation="h", name="Waiting for the first word", marker_color=wait,
        hovertemplate=f"%{{y}}: waited %{{x:{digits}}} {unit}<extra></extra>",
    )  # fmt: skip
    figure.add_bar(
        y=rows, x=writes, base=[s + w for s, w in zip(starts, waits, strict=True)], orientation="h", name="Writing",
        marker_color=write, hovertemplate=f"%{{y}}: wrote for %{{x:{digits}}} {unit}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        barmode="overlay",
        height=90 + 30 * max(len(rows), 2),
        margin={"l": 0, "r": 8, "t": 28, "b": 36},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"title": f"{'Milliseconds' if brief else 'Seconds'} after the turn began", "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": rows},
        bargap=0.35,
    )
    return figure


def _row(call: AgentCall) -> str:
    name = theme.title_of(call.agent)
    return name if call.attempt == 1 else f"{name}, asked {call.attempt} times"
