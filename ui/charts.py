"""Figures from values; pure, and the only place that knows plotly."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from magnet_core.domain import AgentCall
from magnet_core.scoring.agreement import Share
from magnet_core.scoring.aspects import Form
from magnet_core.scoring.items import Item, Scorecard
from magnet_core.scoring.tables import Collapse, Group
from ui import theme


def _plotly() -> Any:
    """Return plotly's figures, once pandas is there whole: plotly looks at it even while another thread still imports it."""
    import pandas  # noqa: F401
    import plotly.graph_objects as go

    return go


def waterfall(calls: Sequence[AgentCall], *, dark: bool = False) -> Any:
    """Return the calls of a turn on one clock: waiting for the first word, then writing; in milliseconds if all took under 0.5 s."""
    go = _plotly()

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


# Scores


def radar(card: Scorecard, items: Sequence[Item], *, dark: bool = False) -> Any:
    """Return the items of a scorecard as a radar, what is missing as a gap and said so on its spoke."""
    go = _plotly()

    colours = tones(dark)
    values = [rating.value if (rating := card.rating(item.key)) else None for item in items]
    names = [
        _lines(item.title, 16) + ("" if value is not None else "<br>(missing)")
        for item, value in zip(items, values, strict=True)
    ]
    figure = go.Figure()
    whole = all(value is not None for value in values)
    figure.add_scatterpolar(
        r=[*values, values[0]] if whole else values, theta=[*names, names[0]] if whole else names, mode="lines+markers",
        fill="toself" if whole else "none", line={"color": colours["lead"], "width": 2}, marker={"size": 7},
        fillcolor=colours["fill"], hovertemplate="%{theta}: %{r:.1f} of 6<extra></extra>", connectgaps=False,
    )  # fmt: skip
    figure.update_layout(
        height=340, margin={"l": 70, "r": 70, "t": 36, "b": 36}, showlegend=False,
        polar={
            "bgcolor": "rgba(0,0,0,0)",
            "radialaxis": {"range": [0, 6], "tickvals": [0, 2, 4, 6], "angle": 90, "tickangle": 90, "gridcolor": colours["grid"],
                           "linecolor": colours["grid"], "tickfont": {"size": 12, "color": colours["quiet"]}},
            "angularaxis": {"gridcolor": colours["grid"], "linecolor": colours["grid"], "rotation": 90, "direction": "clockwise",
                            "tickfont": {"size": 13, "color": colours["text"]}},
        },
    )  # fmt: skip
    return _plain(figure, colours)


def subscales(values: dict[str, float | None], low: float, high: float, middle: float, *, dark: bool = False) -> Any:
    """Return the means of a few subscales as bars on their whole scale, with the point where there is no evidence."""
    go = _plotly()

    colours = tones(dark)
    names = [name if value is not None else f"{name} (missing)" for name, value in values.items()]
    figure = go.Figure()
    figure.add_bar(
        y=names, x=[(v - low if v is not None else None) for v in values.values()], base=low, orientation="h",
        marker_color=colours["lead"], text=["" if v is None else f"{v:.1f}" for v in values.values()], textposition="outside",
        textfont={"color": colours["text"]}, hovertemplate="%{y}: %{text} of " + f"{high:g}<extra></extra>", cliponaxis=False,
    )  # fmt: skip
    figure.add_vline(x=middle, line={"color": colours["quiet"], "width": 1, "dash": "dot"})
    figure.update_layout(
        height=70 + 36 * len(names), margin={"l": 0, "r": 30, "t": 8, "b": 30}, bargap=0.4, showlegend=False,
        xaxis={"range": [low, high], "tickvals": list(range(int(low), int(high) + 1)), "gridcolor": colours["faint"]},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": names},
    )  # fmt: skip
    return _plain(figure, colours)


def mood(before: Scorecard | None, after: Scorecard | None, items: Sequence[Item], *, dark: bool = False) -> Any:
    """Return every word of PANAS before and after, joined by a line; a side that is missing is not drawn."""
    go = _plotly()

    colours = tones(dark)
    figure = go.Figure()
    ends: dict[str, list[float | None]] = {"Before": [], "After": []}
    for item in items:
        pair = [rating.value if card and (rating := card.rating(item.key)) else None for card in (before, after)]
        for side, value in zip(ends, pair, strict=True):
            ends[side].append(value)
        if None not in pair:
            figure.add_scatter(
                x=pair, y=[item.title] * 2, mode="lines", line={"color": colours["grid"], "width": 3}, showlegend=False,
                hoverinfo="skip",
            )  # fmt: skip
    looks = {"Before": ("circle-open", colours["quiet"]), "After": ("circle", colours["lead"])}
    for side, values in ends.items():
        symbol, colour = looks[side]
        figure.add_scatter(
            x=values, y=[item.title for item in items], mode="markers", name=side,
            marker={"symbol": symbol, "color": colour, "size": 11, "line": {"width": 2, "color": colour}},
            hovertemplate=f"%{{y}}, {side.lower()}: %{{x:.1f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=80 + 26 * len(items), margin={"l": 0, "r": 8, "t": 28, "b": 30},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"range": [0.9, 5.1], "tickvals": [1, 2, 3, 4, 5], "gridcolor": colours["faint"]},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": [item.title for item in items]},
    )  # fmt: skip
    return _plain(figure, colours)


def curve(lines: dict[str, list[tuple[int, float | None]]], low: float, high: float, *, dark: bool = False) -> Any:
    """Return scores over the turns they cover; a turn whose score is missing breaks the line."""
    go = _plotly()

    colours = tones(dark)
    figure = go.Figure()
    looks = zip(colours["series"], ("solid", "dash", "dot"), ("circle", "square", "diamond"), strict=False)
    for (name, points), (colour, dash, symbol) in zip(lines.items(), looks, strict=False):
        figure.add_scatter(
            x=[turn for turn, _ in points], y=[value for _, value in points], mode="lines+markers", name=name,
            line={"color": colour, "dash": dash, "width": 2}, marker={"size": 9, "symbol": symbol}, connectgaps=False,
            hovertemplate=f"{name} after turn %{{x}}: %{{y:.1f}}<extra></extra>",
        )  # fmt: skip
    turns = sorted({turn for points in lines.values() for turn, _ in points})
    figure.update_layout(
        height=230, margin={"l": 0, "r": 8, "t": 28, "b": 36},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": "After turn", "range": [0, max(turns, default=1) + 1], "gridcolor": colours["faint"], "dtick": 2},
        yaxis={"range": [low - 0.15, high + 0.15], "tickvals": list(range(int(low), int(high) + 1)), "gridcolor": colours["faint"]},
    )  # fmt: skip
    return _plain(figure, colours)


def groups(found: Sequence[Group], low: float, high: float, title: str, *, dark: bool = False) -> Any:
    """Return every session as a point by group, with the group's mean and its interval where there is one."""
    go = _plotly()

    colours = tones(dark)
    names = [f"{_lines(group.name, 24)}<br>n = {group.n}" for group in found]
    figure = go.Figure()
    for place, group in enumerate(found):
        shift = [0.16 * ((7 * n) % 11 - 5) / 5 for n in range(group.n)]
        figure.add_scatter(
            x=list(group.values), y=[place + s for s in shift], mode="markers", showlegend=False, cliponaxis=False,
            marker={"color": colours["lead"], "size": 8, "opacity": 0.45},
            hovertemplate=f"{group.name}: %{{x:.2f}}<extra></extra>",
        )  # fmt: skip
        if group.mean is None:
            continue
        ends = None
        if group.low is not None and group.high is not None:
            ends = {"type": "data", "symmetric": False, "array": [group.high - group.mean],
                    "arrayminus": [group.mean - group.low], "color": colours["text"], "thickness": 2, "width": 7}  # fmt: skip
        figure.add_scatter(
            x=[group.mean], y=[place], mode="markers", showlegend=False, error_x=ends,
            marker={"symbol": "diamond", "size": 13, "color": colours["text"], "line": {"color": colours["page"], "width": 1}},
            hovertemplate=f"{group.name}: mean %{{x:.2f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=90 + 74 * max(1, len(found)), margin={"l": 0, "r": 8, "t": 8, "b": 40},
        xaxis={"title": title, "range": [low, high], "gridcolor": colours["faint"], "zeroline": low < 0,
               "zerolinecolor": colours["quiet"]},
        yaxis={"tickvals": list(range(len(found))), "ticktext": names, "range": [len(found) - 0.5, -0.5], "showgrid": False,
               "zeroline": False},
    )  # fmt: skip
    return _plain(figure, colours)


def techniques(found: Collapse, *, dark: bool = False) -> Any:
    """Return how often each CBT technique was planned, beside how often clients call for it."""
    go = _plotly()

    colours = tones(dark)
    order = sorted(found.picked, key=lambda t: (-found.picked[t], -found.called[t]))
    names = [technique.value for technique in order]
    figure = go.Figure()
    sides = (("Planned", [found.picked[t] for t in order], colours["lead"]),
             ("Called for by the clients", [found.called[t] for t in order], colours["second"]))  # fmt: skip
    for name, values, colour in sides:
        figure.add_bar(
            y=names, x=[value / max(1, found.sessions) for value in values], orientation="h", name=name, marker_color=colour,
            customdata=values, hovertemplate=f"%{{y}}, {name.lower()}: %{{x:.0%}} (%{{customdata:.1f}} sessions)<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="group", height=90 + 34 * len(names), margin={"l": 0, "r": 8, "t": 28, "b": 40}, bargap=0.3,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"title": f"Share of {found.sessions} sessions", "tickformat": ".0%", "rangemode": "tozero", "gridcolor": colours["faint"]},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": names},
    )  # fmt: skip
    return _plain(figure, colours)


def win_rates(rates: Mapping[str, Share], form: Form, reference: float | None, *, dark: bool = False) -> Any:
    """Return how often one of two ways of making won by question, with its interval and the share of ties; one half and the paper's figure are lines."""
    go = _plotly()

    colours = tones(dark)
    titles = {question.key: question.title for question in form.questions}
    rated = [(titles[key], rate) for key, rate in rates.items() if rate.n]
    there = [(title, rate) for title, rate in rated if rate.value is not None]
    values = [rate.value or 0.0 for _, rate in there]
    figure = go.Figure()
    figure.add_scatter(
        x=values, y=[title for title, _ in there], mode="markers", marker={"size": 11, "color": colours["lead"]},
        error_x={
            "type": "data", "symmetric": False, "thickness": 2, "width": 6, "color": colours["lead"],
            "array": [(r.high or 0.0) - v for (_, r), v in zip(there, values, strict=True)],
            "arrayminus": [v - (r.low or 0.0) for (_, r), v in zip(there, values, strict=True)],
        },
        customdata=[(r.wins, r.ties, r.losses, r.low, r.high) for _, r in there],
        hovertemplate="%{y}: %{x:.1%} (%{customdata[3]:.1%} to %{customdata[4]:.1%})<br>%{customdata[0]} wins, %{customdata[1]} ties, "
        "%{customdata[2]} losses<extra></extra>",
    )  # fmt: skip
    # what is no win and no loss has no place on the axis, so it stands beside it in words
    figure.add_scatter(
        x=[1.06] * len(rated), y=[title for title, _ in rated], mode="text", text=[f"{rate.ties / rate.n:.0%} ties" for _, rate in rated],
        textposition="middle right", textfont={"size": 13, "color": colours["text"]}, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    figure.add_vline(x=0.5, line={"color": colours["grid"], "width": 1.5})
    if reference is not None:
        figure.add_vline(
            x=reference, line={"color": colours["series"][1], "width": 1.5, "dash": "dash"}, annotation_text=f"Paper: {reference:.1%}",
            annotation_position="top", annotation_font={"size": 13, "color": colours["text"]},
        )  # fmt: skip
    figure.update_layout(
        height=76 + 30 * max(len(titles), 1), margin={"l": 0, "r": 24, "t": 28, "b": 40}, showlegend=False,
        xaxis={"title": "Win rate among decided ratings, 95 % interval", "range": [-0.02, 1.24], "tickformat": ".0%", "gridcolor": colours["faint"],
               "tickvals": [0, 0.25, 0.5, 0.75, 1], "zeroline": False},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": list(titles.values())},
    )  # fmt: skip
    return _plain(figure, colours)


def twins(
    found: Sequence[tuple[str, float | None, float | None]], names: tuple[str, str], title: str, digits: int, *, dark: bool = False
) -> Any:  # fmt: skip
    """Return what has two values as pairs of marks joined by a line, one row each; `names` are those of the two values."""
    go = _plotly()

    colours = tones(dark)
    rows = [escape(name) for name, _, _ in found]
    figure = go.Figure()
    for place, (_, one, other) in enumerate(found):
        figure.add_scatter(
            x=[one, other], y=[place, place], mode="lines", showlegend=False, line={"color": colours["grid"], "width": 2}, hoverinfo="skip"
        )  # fmt: skip
    sides = ((1, "circle-open", colours["text"]), (2, "diamond", colours["lead"]))
    for name, (side, symbol, colour) in zip(names, sides, strict=True):
        figure.add_scatter(
            x=[row[side] for row in found], y=list(range(len(found))), mode="markers", name=escape(name), customdata=rows,
            marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2}},
            hovertemplate=f"%{{customdata}}, {escape(name)}: %{{x:.{digits}f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=110 + 26 * max(2, len(found)), margin={"l": 0, "r": 8, "t": 34, "b": 40},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        xaxis={"title": title, "gridcolor": colours["faint"], "zeroline": False},
        yaxis={"tickvals": list(range(len(found))), "ticktext": rows, "range": [len(found) - 0.5, -0.5], "showgrid": False,
               "zeroline": False},
    )  # fmt: skip
    return _plain(figure, colours)


def _plain(figure: Any, colours: dict[str, Any]) -> Any:
    """Return a figure with words that can be read on its axes."""
    words = {"tickfont": {"size": 13, "color": colours["text"]}, "title_font": {"size": 13, "color": colours["quiet"]}}
    figure.update_xaxes(**words)
    figure.update_yaxes(**words)
    return figure.update_layout(legend_font={"size": 13, "color": colours["text"]})


def tones(dark: bool) -> dict[str, Any]:
    """Return the colours of figures in a theme; lines that carry a meaning differ by dash and mark as well."""
    if dark:
        return {"lead": "#7CC4C8", "fill": "rgba(124,196,200,.22)", "grid": "#5E7477", "faint": "#2A3739", "second": "#5E7477", "quiet": "#A9BBBD", "text": "#E6EDED",
                "page": "#12191B", "series": ("#7CC4C8", "#F0874A", "#E9C24A")}  # fmt: skip
    return {"lead": "#2F6F73", "fill": "rgba(47,111,115,.16)", "grid": "#B9C8CA", "faint": "#E3EAEA", "second": "#8299A0", "quiet": "#4A5B5E", "text": "#1E2B2D",
            "page": "#FBFCFC", "series": ("#2F6F73", "#B34700", "#7D6200")}  # fmt: skip


def _lines(text: str, width: int) -> str:
    """Return a text broken into lines for an axis; it is shown as text."""
    return "<br>".join(textwrap.wrap(escape(text), width))
