"""Which moment of which session the lab looks at, with whose prompts; and over which others a prompt is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from magnet_core import lab, prompts
from magnet_core.domain import AgentCall, Moment, Session
from magnet_core.methods import METHODS, method_named
from magnet_core.packs import Pack, pack_holding
from magnet_core.session import moment_of, new_session
from ui import state, theme
from ui.lab import names
from ui.lab.desk import AS_SENT, OURS, Desk, Fields, all_packs, back_to_ours
from ui.lab.packs import gone
from ui.lab.prompt import FIELDS, name_of
from ui.scoring.judging import MOST

OTHERS = 12
"""How many sessions are tried over unless others are chosen."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A moment an agent is asked in, and the call that was made in it then."""

    words: str
    """Names it among others."""
    moment: Moment
    call: AgentCall | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What the lab looks at: an agent in a turn of a session."""

    shown: Session
    """The session as it was chosen."""
    made: Session
    """The one in which the turn was made: of a fork's shared turns, its parent."""
    turn: int
    agent: str
    scene: Scene


def lines() -> dict[str, str]:
    """Return the sessions that can be looked at, each in a line, by id."""
    found = names.sessions(entry for entry in state.sessions.recent(MOST) if entry.turns)
    asked = state.kept("lab_session")
    if asked and asked not in found and (shown := state.sessions.stored(asked)) and shown.turns:
        found[asked] = f"{shown.profile.name} · {shown.method} · {len(shown.turns)} turns"
    return names.apart(found)


def choose(there: dict[str, str]) -> tuple[Place, Desk]:
    """Draw which moment is looked at, and with whose prompts."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_place"):
        if state.kept("lab_session") not in there:
            held = state.sessions.held()
            state.keep("lab_session", held.id if held and held.id in there else next(iter(there)))
            state.keep("lab_attempt", 1)
        id = st.selectbox(
            "Session", list(there), key="lab_session", format_func=lambda id: there.get(id) or str(id), width=540,
            persist_state="session", on_change=state.keep, args=("lab_attempt", 1),
        )  # fmt: skip
        shown = state.sessions.stored(id)
        assert shown is not None
        own = method_named(shown.method).agents
        order = [*own, *(name for name in lab.AGENTS if name not in own)]
        if state.kept("lab_agent") not in lab.AGENTS:
            state.keep("lab_agent", method_named(shown.method).speaker.name)
        agent = st.selectbox(
            "Agent", order, key="lab_agent", width=230, persist_state="session", on_change=state.keep, args=("lab_attempt", 1),
            format_func=lambda a: agent_name(a) + ("" if a in own else " (not in this session)"),
        )  # fmt: skip
        turns = len(shown.turns)
        state.keep("lab_turn", min(max(1, state.kept("lab_turn") or turns), turns))
        typed = st.number_input(
            "Turn", 1, turns, key="lab_turn", width=110, disabled=agent == "planner", persist_state="session",
            on_change=state.keep, args=("lab_attempt", 1), help="The planner speaks once, before the first turn.",
        )  # fmt: skip
        number = 0 if agent == "planner" else int(typed)
        made = state.forks.maker_of(shown, number)
        pack, lost = choose_pack(made)
    gone(lost)
    scene = scene_of(made, number, agent, "", int(state.kept("lab_attempt") or 1))
    return Place(shown, made, number, agent, scene), desk_for(pack, made, agent)


def choose_pack(session: Session) -> tuple[Pack, str]:
    """Draw whose prompts are looked at: ours, a pack's, or those of the session where they are other ones.

    What is to be said of a pack that is no longer there is returned with it.
    """
    choices = all_packs()
    if as_sent := pack_as_sent(session):
        choices[AS_SENT] = as_sent
    lost = back_to_ours("lab_pack", choices)
    told = names.apart({id: pack.title for id, pack in choices.items()})
    id = st.selectbox(
        "Prompts", list(choices), key="lab_pack", width=210, persist_state="session", format_func=lambda i: told.get(i, str(i)),
    )  # fmt: skip
    return choices[id], lost


def pack_as_sent(session: Session) -> Pack | None:
    """Return the prompts of a session as a pack; None where all of them are ours."""
    own = tuple(p for p in session.prompts if p.name in lab.changed(session.prompts))
    return Pack(id=AS_SENT, title="As in this session", prompts=own) if own else None


def pack_id_of(session: Session) -> str:
    """Return which prompts a session was made with: ours, those of the pack that says the same, or its own."""
    if not lab.changed(session.prompts):
        return OURS
    found = pack_holding(session, state.prompts.pack_list())
    return found.id if found else AS_SENT


def desk_for(pack: Pack, session: Session, agent: str) -> Desk:
    """Return the desk at which an agent's prompt is edited."""
    drawn = texts_of(agent)

    def label(name: str, field: str) -> str:
        if name != agent and field == "system":
            return f"{name_of(name)}: what opens each request of all who share it"
        return FIELDS[field]

    return Desk("agents", pack, place_of(pack.id, session), drawn, sent_with(agent, session), name_of, label)


def place_of(pack: str, session: Session) -> str:
    """Return under which name drafts of a pack's prompts are kept; a session's own prompts are another pack in every session."""
    return f"{pack}_{session.id}" if pack == AS_SENT else pack


def texts_of(agent: str) -> Fields:
    """Return the prompts that speak for an agent, its own first, with the texts that count in each."""
    prompt = prompts.load()[agent]
    found = {agent: [field for field in ("role", "note", "system") if lab.fields(prompt)[field]]}
    if prompt.frame:
        found[prompt.frame] = ["system"]
    return found


def sent_with(agent: str, session: Session) -> Fields:
    """Return every text that reaches an agent's request: its own, its frame's, and the roles of the team it is told of."""
    ours, frame = prompts.load(), prompts.load()[agent].frame or agent
    team = lab.method_for(agent, session).roster
    roles = {name: ["role"] for name in team if ours[name].frame == frame and ours[name].role}
    return roles | {name: list(own) for name, own in texts_of(agent).items()}


def agent_name(agent: str) -> str:
    twice = {"single-agent": "Counsellor, single agent", "plain": "Counsellor, plain"}
    return twice.get(agent) or theme.title_of(agent)


# Over which moments


OVER = {"this": "This moment", "turns": "Chosen turns", "sessions": "Chosen sessions"}
OVER_PLANS = {"this": "This client", "clients": "Chosen clients", "sessions": "Chosen sessions"}
"""For the planner, who speaks before the first turn."""


def scenes(place: Place) -> list[Scene]:
    """Draw over which moments the variants are asked; return them, the one at hand where no others are chosen."""
    planner = place.agent == "planner"
    ways = OVER_PLANS if planner else OVER
    which = st.selectbox(
        "Over", list(ways), key=f"lab_over{'_plans' if planner else ''}", width=170, persist_state="session",
        format_func=lambda w: ways[w],
    )  # fmt: skip
    if which == "turns":
        return over_turns(place)
    if which == "clients":
        return over_clients(place)
    if which == "sessions":
        return over_sessions(place)
    return [place.scene]


def over_turns(place: Place) -> list[Scene]:
    """Draw which turns of this session count."""
    all_turns = list(range(1, len(place.shown.turns) + 1))
    key = f"lab_over_turns_{place.shown.id}"
    begin(key, all_turns, all_turns)
    chosen = st.multiselect("Turns", all_turns, key=key, width=300, wrap=True, persist_state="session")
    return [
        scene_of(state.forks.maker_of(place.shown, n), n, place.agent, f"turn {n}") for n in sorted(int(n) for n in chosen)
    ]


def over_clients(place: Place) -> list[Scene]:
    """Draw for which clients the planner plans: samples and the library's own."""
    there = state.clients.everyone()
    begin("lab_over_clients", list(there), list(state.samples())[:5])
    listed = names.apart({id: f"{client.name} · {client.attitude}" for id, client in there.items()})
    chosen = choose_of("Clients", listed, "lab_over_clients")
    found = []
    for id in chosen:
        session = new_session(
            there[id], method=place.made.method, visibility=place.made.visibility, min_turns=place.made.min_turns,
            max_turns=place.made.max_turns, seed=place.made.seed,
        )  # fmt: skip
        found.append(Scene(there[id].name, moment_of(session, 0, place.agent)))
    told = names.apart({scene.moment.session.profile.id: scene.words for scene in found})
    return [Scene(told[scene.moment.session.profile.id], scene.moment) for scene in found]


def over_sessions(place: Place) -> list[Scene]:
    """Draw which sessions of the library count, in which of their turns; first the newest in which this agent spoke."""
    spoke = {
        entry.id: entry
        for entry in state.sessions.recent(MOST)
        if entry.turns and entry.method in METHODS and place.agent in METHODS[entry.method].agents
    }
    long = [id for id, entry in spoke.items() if entry.turns >= place.turn]
    begin("lab_over_sessions", list(spoke), long[:OTHERS])
    chosen = choose_of("Sessions", names.sessions(spoke.values(), names.short), "lab_over_sessions")
    numbers = [0] if place.turn == 0 else turns_of_sessions(place, max((e.turns for e in spoke.values()), default=1))
    told, found = names.apart(names.with_packs(spoke[id] for id in chosen)), list[Scene]()
    for id in chosen:
        if not (other := state.sessions.stored(id)):
            continue
        for number in (n for n in numbers if n <= len(other.turns)):
            words = told[id] + (f": turn {number}" if len(numbers) > 1 else "")
            found.append(scene_of(state.forks.maker_of(other, number), number, place.agent, words))
    return found


def choose_of(label: str, there: Mapping[str, str], key: str) -> list[str]:
    """Draw which of several things count, by their names, with how many are chosen: a long list of them does not fit."""
    with st.container(width=420, gap="xsmall"):
        chosen = st.multiselect(
            label, list(there), key=key, wrap=True, persist_state="session", format_func=lambda id: there.get(id, str(id))
        )
        st.html(f'<p class="hint">{len(chosen)} of {len(there)} chosen</p>')
    return chosen


def begin(key: str, there: Sequence[Any], otherwise: Sequence[Any]) -> None:
    """Fill a field of several choices that has not been drawn yet; what is no longer there is no longer chosen."""
    chosen = state.kept(key)
    state.keep(key, list(otherwise) if chosen is None else [one for one in chosen if one in there])


def turns_of_sessions(place: Place, most: int) -> list[int]:
    """Draw which turns count in every session; without any, the one at hand."""
    begin("lab_over_numbers", range(1, most + 1), [])
    chosen = st.multiselect(
        "Turns", list(range(1, most + 1)), key="lab_over_numbers", width=200, wrap=True, persist_state="session",
        placeholder=f"Turn {place.turn}",
    )  # fmt: skip
    return sorted(int(n) for n in chosen) or [place.turn]


def scene_of(made: Session, number: int, agent: str, words: str, attempt: int = 1) -> Scene:
    """Return a moment with the call that was made in it."""
    moment = moment_of(made, number, agent, attempt)
    calls = made.plan_calls if number == 0 else made.turns[number - 1].calls
    call = next((c for c in calls if c.agent == agent and c.attempt == len(moment.objections) + 1), None)
    return Scene(words, moment, call)
