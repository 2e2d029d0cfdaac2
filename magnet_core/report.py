"""One session as one HTML page: self-contained, escaped, fit to print, light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from string import Template
from typing import Any

from magnet_core.domain import Plan, Session

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #52606d; --page: #ffffff; --card: #f2f5f8; --line: #c9d3dc; --client: #e6f0ec;
  --warn: #8a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #a9b6c2; --page: #12181f; --card: #1b242d; --line: #384653;
  --client: #1a2b26; --warn: #ffc078; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 17px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: .9rem; margin: 1.4rem 0 .3rem; color: var(--soft); font-weight: 600; }
.notice { border: 2px solid var(--warn); border-radius: .5rem; padding: .6rem .9rem; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.said { border-radius: .5rem; padding: .6rem .9rem; margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.counsellor { background: var(--card); margin-right: 2rem; } .client { background: var(--client); margin-left: 2rem; }
.who { display: block; font-size: .8rem; font-weight: 600; color: var(--soft); }
.flag { color: var(--warn); font-size: .88rem; margin: .2rem 0; overflow-wrap: anywhere; }
details { font-size: .92rem; margin: .3rem 0; } summary { cursor: pointer; color: var(--soft); }
footer { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .6rem; color: var(--soft); font-size: .9rem; }
@media print { :root { --ink: #000; --soft: #333; --page: #fff; --card: #fff; --client: #fff; --line: #999; --warn: #000; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; } .said { border: 1px solid var(--line); break-inside: avoid; }
  h3 { break-after: avoid; } details { display: none; } }
"""
_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="notice">$notice</p>
<dl>
$facts
</dl>
$plan
<h2>Dialogue</h2>
$turns
<footer>$notice</footer>
</main>
</body>
</html>
"""
)

CHOSEN_BEFORE = "chosen before the words were typed"
"""What is said of the techniques of a turn whose message a person typed: they led another message."""


def page(session: Session, facts: Iterable[tuple[str, str]], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the page of a session, with facts to name above and its turns as `export.rows` gives them."""
    return _PAGE.substitute(
        title=escape(f"{session.profile.name}: a synthetic counselling session"),
        style=_STYLE,
        notice=escape(session.notice),
        facts="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts),
        plan=_plan(session.plan) if session.plan else "",
        turns="\n".join(_turn(row) for row in rows),
    )


def _plan(plan: Plan) -> str:
    name = plan.technique.value if plan.technique else "No known technique"
    steps = "".join(f"<li>{escape(step)}</li>" for step in plan.steps)
    others = "".join(f"<li>{escape(f'{one.technique.value}: {one.reason}')}</li>" for one in plan.rejected)
    why_not = f"<details><summary>Why not the others</summary><ul>{others}</ul></details>" if others else ""
    reason = f"<p>{escape(plan.reason)}</p>" if plan.reason else ""
    mark = '<p class="who">Edited by a person</p>' if plan.by_person else ""
    return f"<h2>Plan: {escape(name)}</h2>\n{mark}\n{reason}\n{f'<ol>{steps}</ol>' if steps else ''}\n{why_not}"


def _turn(row: Mapping[str, Any]) -> str:
    step = f", plan step {row['plan_step']}" if row["plan_step"] else ""
    by_person = ", chosen by a person" if row["choice_by_person"] else ""
    before = f", {CHOSEN_BEFORE}" if "counsellor" in row["typed"] else ""
    chosen = f": {', '.join(row['techniques'])}{step}{by_person}{before}" if row["techniques"] else ""
    said = "\n".join(_said(speaker, row) for speaker in ("counsellor", "client"))
    flags = "".join(f'<p class="flag">Flag, {escape(flag)}</p>' for flag in row["flags"])
    drafts = "".join(f"<li><b>{escape(name)}</b>: {escape(text)}</li>" for name, text in row["candidates"].items())
    candidates = f"<details><summary>Candidates</summary><ul>{drafts}</ul></details>" if drafts else ""
    heading = f"Turn {row['turn']}{chosen}" if row["turn"] else "Opening"
    return f"<h3>{escape(heading)}</h3>\n{said}\n{flags}{candidates}"


def _said(speaker: str, row: Mapping[str, Any]) -> str:
    who = f"{speaker.capitalize()}{', typed by a person' if speaker in row['typed'] else ''}"
    return f'<div class="said {speaker}"><span class="who">{who}</span>{escape(row[speaker])}</div>'
