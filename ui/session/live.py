"""A turn as it is made, and as it was made: one scene, drawn by the same code from a run or from a finished session."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Any

import streamlit as st

from magnet_core import reading
from magnet_core.domain import Candidate, Choice, Flag, Plan, Session, Speaker, Technique
from magnet_core.methods import Method, method_named
from ui import theme
from ui.engine.runner import Said, Snapshot
from ui.session import transcript
from ui.session.transcript import CURSOR, TYPED, chips, exchange, flags, message, says

TICK = 0.1
"""Seconds between two looks at a live run."""
BUDGET = 0.4
"""Seconds a fragment run keeps looking before it lets others have their turn; less than `EVERY`."""
EVERY = 0.5

_WORDS = {"idle": "Waiting for its turn", "waiting": "Waiting for the model", "writing": "Writing", "done": ""}


@dataclass(frozen=True)
class Scene:
    """Everything one turn shows."""

    session: Session
    method: Method
    turn: int
    """1 for the first turn, 0 for the opening and the plan."""
    planning: Said
    plan: Plan | None
    choice: Choice | None
    texts: dict[str, str]
    """What each speaking agent has said, by name."""
    said: dict[str, Said] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    typed: tuple[Speaker, ...] = ()
    """Whose message of this turn a person typed."""
    live: bool = False

    def of(self, agent: str) -> Said:
        return self.said.get(agent, Said(agent))

    def panel(self, technique: Technique) -> Said:
        """Return how far a specialist is; in one-call its draft is a part of the one answer."""
        if self.method.specialists:
            return self.of(technique.value)
        team = self.of(self.method.speaker.name)
        if team.status == "writing":
            later = self.texts.get("response") or any(self.texts.get(t.value) for t in _after(technique))
            begun = self.texts.get(technique.value)
            return Said(technique.value, "done" if begun and later else "writing" if begun else "waiting")
        return team

    @property
    def drafts(self) -> bool:
        """Tell whether this method shows five drafts."""
        return bool(self.method.specialists) or self.method.name == "one-call"


def _after(technique: Technique) -> list[Technique]:
    order = list(Technique)
    return order[order.index(technique) + 1 :]


def scene_of(session: Session, number: int) -> Scene:
    """Return the scene of a finished turn, or of the one to come when there is no such turn yet."""
    method = method_named(session.method)
    planning = Said("planner", "done" if session.plan else "idle")
    if not 1 <= number <= len(session.turns):
        return Scene(session, method, number, planning, session.plan, None, {})
    turn = session.turns[number - 1]
    texts = {c.technique.value: c.text for c in turn.candidates}
    texts |= {"response": turn.response, "client": turn.reply.text}
    said: dict[str, Said] = {}
    for call in turn.calls:
        before = said.get(call.agent)
        problems = " ".join(p for p in (before.reason if before else "", call.problem) if p)
        said[call.agent] = Said(call.agent, "done", reason=problems, seconds=call.seconds)
    for agent in method.agents:
        said.setdefault(agent, Said(agent, "done"))
    return Scene(session, method, number, planning, session.plan, turn.choice, texts, said, turn.flags, turn.typed)


def scene_of_run(snap: Snapshot) -> Scene:
    """Return the scene of the turn a run is making."""
    session, said = snap.session, dict(snap.said)
    method = method_named(session.method)
    planning = said.pop("planner", Said("planner", "done" if session.plan else "idle"))
    plan = session.plan or (_partial_plan(planning.text) if planning.text else None)
    choice = _partial_choice(said["selector"].text) if said.get("selector") and said["selector"].text else None
    choice = snap.given.choice or choice
    texts = {name: reading.read_utterance(one.text) for name, one in said.items() if one.text}
    speaker = said.get(method.speaker.name)
    if method.name == "one-call":
        response, choice, candidates = _partial_team(speaker.text) if speaker and speaker.text else ("", None, ())
        texts |= {c.technique.value: c.text for c in candidates}
        texts["response"] = response
    elif speaker and speaker.text:
        texts["response"] = texts[speaker.agent]
    if (client := said.get("client")) and client.text:
        texts["client"] = reading.read_reply(re.sub(r"\[/?E?N?D?$", "", client.text)).text
    return Scene(session, method, snap.turn, planning, plan, choice, texts, said, typed=snap.given.typed, live=snap.live)


@lru_cache(maxsize=256)
def _partial_plan(text: str) -> Plan | None:
    """Read a plan that is still being written: no half-read JSON is ever shown as prose."""
    if text.lstrip().startswith(("{", "`", "<think>")) and not reading.read_json(text).get("technique"):
        return None
    return reading.read_plan(text)


@lru_cache(maxsize=256)
def _partial_choice(text: str) -> Choice | None:
    if text.lstrip().startswith(("{", "`", "<think>")) and not reading.read_json(text).get("techniques"):
        return None
    return reading.read_choice(text)


@lru_cache(maxsize=256)
def _partial_team(text: str) -> tuple[str, Choice | None, tuple[Any, ...]]:
    if text.lstrip().startswith(("{", "`", "<think>")) and not reading.read_json(text):
        return "", None, ()
    response, choice, candidates = reading.read_team(text)
    return response, choice if choice.techniques else None, candidates


def status(one: Said, live: bool) -> str:
    """Return how far an agent is, in words; nothing before anything has begun."""
    if one.status == "idle" and not live:
        return ""
    if one.status == "again":
        return f'<span class="status again">Asked again: {escape(one.reason)}</span>'
    words = _WORDS[one.status]
    if one.status == "done" and one.reason:
        return f'<span class="status again" title="{escape(one.reason)}">Was asked again</span>'
    return f'<span class="status {one.status}">{words}</span>' if words else ""


def _body(text: str, one: Said) -> str:
    if text:
        return says(text, writing=one.status == "writing")
    return f'<p class="says quiet">{CURSOR if one.status == "writing" else ""}</p>'


def plan_card(scene: Scene) -> str:
    """Return the plan in full: technique, why, and the steps with the one this turn serves lit."""
    if not scene.method.planner:
        return '<div class="card first"><header><h3>No plan</h3></header><p>This method works without a plan.</p></div>'
    plan, one = scene.plan, scene.planning
    head = f"<header><h3>Plan{_technique(plan)}</h3>{_edited(plan)}{status(one, scene.live)}</header>"
    if plan is None:
        idle = "The planner reads what the client brings, chooses one of twelve CBT techniques and plans this one session."
        return f'<div class="card first">{head}<p class="quiet">{idle}</p></div>'
    writing = one.status == "writing"
    steps = "".join(_step(n, step, n == _now(scene)) for n, step in enumerate(plan.steps, 1))
    why = says(plan.reason or ("" if plan.technique else plan.text), writing=writing and not steps)
    return f'<div class="card first">{head}{why}{f"<ol class=steps>{steps}</ol>" if steps else ""}</div>'


def plan_line(scene: Scene) -> str:
    """Return the plan in brief: technique, a mark for every step, and the words of the one this turn serves."""
    plan, now = scene.plan, _now(scene)
    if plan is None:
        return plan_card(scene)
    total = len(plan.steps)
    marks = "".join(
        f'<b class="{"now" if n == now else ""}" title="{escape(step)}">{n}</b>' for n, step in enumerate(plan.steps, 1)
    )
    if now and now <= total:
        words = f"Step {now} of {total}: {plan.steps[now - 1]}"
    elif scene.method.selector or scene.method.name == "one-call":
        words = "The step for this turn is being chosen." if scene.live else "No step of the plan was named for this turn."
    else:
        words = "The counsellor follows the plan; no step is named turn by turn."
    head = (
        f"<header><h3>Plan{_technique(plan)}</h3>{_edited(plan)}<span class=marks aria-hidden=true>{marks}</span></header>"
    )
    return f'<div class="card first">{head}<p>{escape(words)}</p></div>'


def _step(number: int, text: str, now: bool) -> str:
    if now:
        return f'<li class="now" aria-current="step"><b>{number}</b><span>{escape(text)}</span><i>this turn</i></li>'
    return f"<li><b>{number}</b><span>{escape(text)}</span></li>"


def _now(scene: Scene) -> int | None:
    return scene.choice.plan_step if scene.choice else None


def _technique(plan: Plan | None) -> str:
    return f": {escape(plan.technique)}" if plan and plan.technique else ""


def _edited(plan: Plan | None) -> str:
    return '<span class="typed">edited by a person</span>' if plan and plan.by_person else ""


def choice_card(scene: Scene) -> str:
    """Return which techniques lead this turn, and why."""
    if not scene.method.selector and scene.method.name != "one-call":
        return ""
    one, choice = scene.of("selector" if scene.method.selector else scene.method.speaker.name), scene.choice
    if scene.method.name == "one-call" and one.status == "writing" and scene.texts:
        one = Said(one.agent, "done")
    head = "<header><h3>Techniques chosen</h3></header>"
    if choice is None:
        words = "The selector picks one to three techniques for this turn, and the plan step it serves."
        return f'<div class="panel lead">{head}<p class="says quiet">{words}</p>{status(one, scene.live)}</div>'
    if choice.by_person:
        words = choice.reason or "A person chose these, in place of the selector."
        head = '<header><h3>Techniques chosen</h3><span class="typed">by a person</span></header>'
        return (
            f'<div class="panel lead">{head}{chips(choice)}<p class="says quiet">{escape(words)}</p>{_before(scene)}</div>'
        )
    named = chips(choice) or '<p class="flag">None of the five was named.</p>'
    body = says(choice.reason or choice.text, writing=one.status == "writing")
    return f'<div class="panel lead">{head}{named}{body}{_before(scene)}{status(one, scene.live)}</div>'


def _before(scene: Scene) -> str:
    """Say so where the message that a choice led is not the one that stands there."""
    if "counsellor" not in scene.typed:
        return ""
    return '<p class="hint">Chosen before a person typed the counsellor\'s words.</p>'


def panel(scene: Scene, technique: Technique) -> str:
    """Return one specialist's draft."""
    look, one = theme.LOOKS[technique], scene.panel(technique)
    text = scene.texts.get(technique.value, "")
    decided = bool(scene.choice and scene.choice.techniques)
    chosen = decided and technique in scene.choice.techniques if scene.choice else False
    mark = " chosen" if chosen else " passed" if decided and one.status == "done" else ""
    right = '<span class="picked">chosen</span>' if chosen else ""
    body = _body(text, one) if text or one.status == "writing" else f'<p class="says quiet">{escape(look.does)}</p>'
    return (
        f'<div class="panel {theme.css_class(technique)}{mark}"><header>{theme.badge(technique, name=True)}{right}</header>'
        f"{body}{status(one, scene.live)}</div>"
    )


def response_card(scene: Scene, drafts: bool = True) -> str:
    """Return the counsellor's message of this turn; where its drafts are shown, with the words that came from them."""
    speaker = scene.method.speaker.name
    one = scene.of(speaker)
    text = scene.texts.get("response", "")
    if scene.method.name == "one-call" and one.status == "writing" and not text:
        one = Said(speaker, "waiting")
    idle = (
        "The responder weaves the drafts, led by the chosen techniques, into one message."
        if scene.drafts
        else "One counsellor writes the message alone."
    )
    return _speech(scene, "Counsellor's message", one, text, idle, origins=drafts and scene.drafts)


def reply_card(scene: Scene) -> str:
    """Return the client's answer of this turn."""
    attitude = theme.ATTITUDES[scene.session.profile.attitude].lower()
    idle = f"{scene.session.profile.name}, played with a {attitude} attitude, answers."
    return _speech(scene, "Client's reply", scene.of("client"), scene.texts.get("client", ""), idle)


def _speech(scene: Scene, title: str, one: Said, text: str, idle: str, origins: bool = False) -> str:
    speaker: Speaker = "client" if one.agent == "client" else "counsellor"
    mark = TYPED if speaker in scene.typed and text else ""
    body = _body(text, one) if text or one.status == "writing" else f'<p class="quiet">{escape(idle)}</p>'
    if origins and text and one.status == "done" and not mark:
        body = _with_origins(scene, text)
    return f'<div class="card"><header><h3>{title}</h3>{mark}{status(one, scene.live)}</header>{body}</div>'


_HOW = (
    "Message and drafts are compared word by word. Three or more words in a row that stand in both, and are not small words only, are "
    "underlined in the colour of the draft; the longest are taken first, and of several drafts the first is named. It sees copied "
    "words, not ideas: a draft put in other words is not found. It measures overlap, not what a model did."
)


def _with_origins(scene: Scene, text: str) -> str:
    """Return the counsellor's message with the words that came from a draft underlined, and how they were found."""
    drafts = tuple(Candidate(technique=t, text=scene.texts[t.value]) for t in Technique if scene.texts.get(t.value))
    body, part = transcript.origins(text, drafts)
    if not part:
        return body
    summary = f"Underlined: words that stand in a draft too, {part:.0%} of the message"
    return f'{body}<details class="how"><summary>{summary}</summary><p>{_HOW}</p></details>'


def left_out(method: Method) -> str:
    """Say in a line what a method leaves out of the full team; empty for the full team."""
    if method.name == "one-call":
        return "One answer of one model holds the choice, the five drafts and the message."
    out = [
        words
        for there, words in (
            (method.planner, "the planner"),
            (method.selector, "the selector"),
            (method.specialists, "the five specialists"),
        )
        if not there
    ]
    if not out:
        return ""
    listed = out[0] if len(out) == 1 else f"{', '.join(out[:-1])} and {out[-1]}"
    return f"This method leaves out {listed}."


def tail(snap: Snapshot) -> str:
    """Return the turn that is being written, as it will stand in the dialogue."""
    scene = scene_of_run(snap)
    if snap.writing is None:
        return ""
    speaker, client = scene.of(scene.method.speaker.name), scene.of("client")
    response = scene.texts.get("response", "")
    parts = ""
    if response:
        parts += message(
            "counsellor", "Counsellor", response, writing=speaker.status == "writing", below=_below(scene),
            typed="counsellor" in scene.typed,
        )  # fmt: skip
    if client.status in ("waiting", "writing", "again", "done"):
        parts += message("client", snap.session.profile.name, scene.texts.get("client", ""), writing=client.status != "done",
                         typed="client" in scene.typed)  # fmt: skip
    doing = "" if response or snap.state == "waiting" else _doing(scene)
    heading = f"Turn {snap.writing}" if snap.turn else "Before turn 1"
    note = f'<p class="hint">{escape(doing)}{CURSOR}</p>' if doing else ""
    return f'<div class="talk">{exchange(heading, parts, snap.writing, looked=True, notes=note)}</div>'


def _below(scene: Scene) -> str:
    return "" if "counsellor" in scene.typed else transcript.below(chips(scene.choice))


def _doing(scene: Scene) -> str:
    if scene.planning.status != "done" and scene.method.planner and scene.session.plan is None:
        return "The planner is planning the session"
    if any(one.status == "again" for one in scene.said.values()):
        return "An agent is being asked again"
    if scene.method.specialists and any(scene.panel(t).status != "done" for t in Technique):
        return "The specialists are drafting"
    return "The counsellor is about to speak"


def slots(scene: Scene, drafts: bool = True) -> dict[str, str]:
    """Return the cards of a scene by slot, in the order of the work, with or without the specialists' drafts."""
    if scene.turn == 0 and not scene.live and scene.plan:
        return {"plan": plan_card(scene)}
    cards = {"plan": plan_line(scene) if scene.turn else plan_card(scene), "choice": choice_card(scene)}
    if scene.drafts and drafts:
        cards |= {technique.value: panel(scene, technique) for technique in Technique}
    return cards | {"response": response_card(scene, drafts), "client": reply_card(scene)}


def draw(scene: Scene, drafts: bool = True) -> dict[str, tuple[Any, str]]:
    """Draw a scene, with or without the specialists' drafts; return each slot's placeholder with what it shows."""
    cards = slots(scene, drafts)
    drawn: dict[str, tuple[Any, str]] = {}

    def place(slot: str, where: Any = st) -> None:
        if cards.get(slot):
            drawn[slot] = (where.html(cards[slot]), cards[slot])

    if line := left_out(scene.method):
        st.html(f'<p class="hint">{escape(line)}</p>')
    place("plan")
    if scene.plan and scene.planning.status == "done":
        _whole_plan(scene)
    if scene.drafts and drafts:
        grid = st.grid("auto", min_column_width=220, gap="small", key="panels")
        for slot in ("choice", *(technique.value for technique in Technique)):
            place(slot, grid)
    else:
        place("choice")
    place("response")
    place("client")
    if scene.flags:
        st.html(flags(scene.flags))
    return drawn


def _whole_plan(scene: Scene) -> None:
    plan = scene.plan
    assert plan is not None
    rows = "".join(f"<tr><th scope=row>{escape(r.technique)}</th><td>{escape(r.reason)}</td></tr>" for r in plan.rejected)
    count = {11: "eleven"}.get(len(plan.rejected), str(len(plan.rejected)))
    why_not = f"Why not the other {count}"
    if scene.turn == 0:
        if rows:
            with st.expander(why_not, key="why_not", type="compact"):
                st.html(f'<table class="matrix"><tbody>{rows}</tbody></table>')
        return
    label = f"The whole plan, and why not the other {count}" if rows else "The whole plan"
    with st.expander(label, key="whole_plan", type="compact"):
        st.html(plan_card(scene))
        if rows:
            st.html(f'<h4 class="small">{why_not}</h4><table class="matrix"><tbody>{rows}</tbody></table>')


def watch(
    page: Snapshot,
    look: Callable[[], Snapshot],
    drawn: dict[str, tuple[Any, str]],
    ending: tuple[Any, str] | None,
    drafts: bool = True,
) -> None:
    """Look at a live run for a moment and redraw what has grown; a new turn or state redraws the whole page.

    `page` is how the run stood when the page was drawn, `drawn` the slots to keep up to date, `ending` the dialogue's end.
    """
    until = time.monotonic() + BUDGET
    while True:
        snap = look()
        if _mark(snap) != _mark(page):
            st.rerun()
        fresh: dict[str, str] = slots(scene_of_run(snap), drafts) if drawn else {}
        for slot, html in fresh.items():
            if slot in drawn and drawn[slot][1] != html:
                drawn[slot][0].html(html)
                drawn[slot] = (drawn[slot][0], html)
        if ending and (html := tail(snap)) and html != ending[1]:
            ending[0].html(html)
            ending = (ending[0], html)
        if time.monotonic() >= until:
            return
        time.sleep(TICK)


def _mark(snap: Snapshot) -> tuple[Any, ...]:
    return snap.state, snap.turn, len(snap.session.turns), snap.session.plan is None, snap.mine
