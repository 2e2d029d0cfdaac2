"""Trying variants out: who answers, over which moments, what it takes, and the answers beside the session's own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import streamlit as st

from magnet_core import lab
from magnet_core.cast import Voice
from magnet_core.domain import Session
from magnet_core.lab import Experiment, Lane, Variant, words_sha
from magnet_core.models import REHEARSAL
from ui import setups, state
from ui.engine.bench import Wanted
from ui.lab import answers as drawn
from ui.lab import case_form, editor, moment
from ui.lab.costs import cost_line, estimate, limit_line
from ui.lab.desk import AT_ONCE, Desk, put
from ui.lab.moment import Place, Scene
from ui.lab.runs import Runs, Watched

RUNS = Runs("lab")


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers in a variant, and how freely."""

    name: str
    """Of the model as it is listed here, with its server where two have one by the same name."""
    voice: Voice
    temperature: float
    usual: float
    """The temperature when none is chosen."""
    lost: str = ""
    """Why another answers than was recorded or chosen; empty where it does not."""
    gone: str = ""
    """The model that does not answer, then."""


# Who answers


def speaker_of(desk: Desk, letter: str, scene: Scene, agent: str) -> Speaker:
    """Return who answers in a variant: who was chosen there, else who spoke in the recorded call, else who speaks now."""
    own, call, known = desk.variant(letter).model, scene.call, state.voices.choices()
    name, lost, gone = state.voices.name_of(state.voices.cast().voice(agent)), "", ""
    if own and (own in known or state.voices.has_server()):
        name = own
    elif own:
        lost, gone = f"{own} was chosen for this variant", own
    elif call and (known.get(name) is None or known[name].model != call.model):
        recorded = next((other for other, voice in known.items() if voice.model == call.model), "")
        name, gone = recorded or name, "" if recorded else call.model
        lost = f"{gone} spoke in the session" if gone else ""
    voice = state.voices.called(name)
    as_recorded = call.temperature if call and call.model == voice.model else None
    heat = lab.AGENTS[agent].temperature if voice.temperature is None else voice.temperature
    usual = heat if as_recorded is None else as_recorded
    chosen = desk.variant(letter).temperature
    return Speaker(name, voice, usual if chosen is None else chosen, usual, lost, gone)


def voice(desk: Desk, place: Place, letter: str) -> None:
    """Draw which model answers in a variant, and how freely."""
    now = speaker_of(desk, letter, place.scene, place.agent)
    key, heat = f"lab_model_{desk.place}_{letter}", f"lab_heat_{desk.place}_{letter}"
    known = list(state.voices.choices())
    state.keep(key, now.name)
    state.keep(heat, desk.variant(letter).temperature)

    def choose() -> None:
        own = desk.variant(letter)
        name = " ".join((state.kept(key) or "").split())
        as_it_was = name == speaker_of(desk, letter, place.scene, place.agent).name
        model = own.model if as_it_was else name
        put(desk, letter, own.model_copy(update={"model": model, "temperature": state.kept(heat)}))

    def follow() -> None:
        put(desk, letter, desk.variant(letter).model_copy(update={"model": "", "temperature": None}))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Model", known if now.name in known else [*known, now.name], key=key, width=230, on_change=choose,
            format_func=lambda m: "Rehearsal (authored)" if m == REHEARSAL else m, accept_new_options=state.voices.has_server(),
            help="The one that spoke in the session, unless you choose another. Type a name for a further model of a server that is "
            "set up; with several servers, name and server as in “small-model · localhost:8000”.",
        )  # fmt: skip
        st.number_input(
            "Temperature", 0.0, 2.0, value=None, step=0.1, key=heat, width=150, on_change=choose,
            placeholder=f"{now.usual:g}", help="Empty: the one of the recorded call, else the one this agent has.",
        )  # fmt: skip
        if desk.variant(letter).model or desk.variant(letter).temperature is not None:
            st.button(
                "As in the session", icon=":material/restart_alt:", key=f"lab_follow_{letter}", on_click=follow,
                help="Follow the recorded call's model and temperature again.",
            )  # fmt: skip
    remark(now)


def remark(now: Speaker) -> None:
    """Say what a reader must know of who answers."""
    if now.lost:
        again = setups.again(now.gone)
        otherwise = "Set it up on the Models page, or type its name into the field if its server is set up."
        st.html(
            f'<p class="remark">{escape(now.lost)} and is not set up here, so another answers. '
            f"{escape(again or otherwise)}</p>"
        )
        if again:
            setups.link()
    if now.voice.model == REHEARSAL:
        st.html(
            '<p class="remark">The rehearsal cast reads the scene, not the prompt: changed words change nothing in its answers. '
            "To see what a wording does, choose a language model here; one is set up on the Models page.</p>"
        )


# A recorded call


def replay(session: Session) -> None:
    """Let variant A say what a session's prompts said, asked as they were asked; drafts with words of their own follow it."""
    place = moment.place_of(state.kept("lab_pack"), session)
    state.drafts.put(state.drafts.draft("agents", place).led_by(Variant()))
    state.keep(f"lab_letter_{place}", "A")


# What stands beside


def answers(place: Place, desk: Desk) -> Watched | None:
    """Draw the run of all variants, and what came of the last one; return the job to look at and how to draw it."""
    letters = desk.letters[:AT_ONCE]
    stopped = editor.stopped_by(desk, letters)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_run"):
        repeats = RUNS.repeats()
        over = moment.scenes(place)
        wanted = [
            want(desk, place, scene, number, letter, repeats) for number, scene in enumerate(over) for letter in letters
        ]

        def run() -> None:
            RUNS.start(wanted, plan(place, desk, over, letters, repeats))

        RUNS.button(len(letters), run, disabled=bool(stopped) or not wanted)
        case_form.make_case(
            place.scene.moment, place.made, place.turn, place.agent, place.scene.call.output if place.scene.call else ""
        )
    taken = estimate(wanted)
    asked = f"{len(over)} moments × {count('variant', len(letters))} × {count('answer', repeats)}"
    many = f'<p class="hint">{asked}</p>' if len(over) > 1 else ""
    st.html(cost_line(taken) + many)
    limit_line(taken, (w.model for w in wanted))
    if len(desk.letters) > AT_ONCE:
        st.html(f'<p class="hint">A run takes the first {AT_ONCE} variants; the others are kept.</p>')
    if not over:
        st.html('<p class="hint">Choose at least one moment.</p>')
    if stopped:
        st.html(stopped)
    return shown(place, desk)


def shown(place: Place, desk: Desk) -> Watched | None:
    """Draw the run that is looked at: the one going on, the last one about this moment, or an earlier one."""
    here = RUNS.at_hand(lambda made: (made.session, made.turn, made.agent) == (place.shown.id, place.turn, place.agent))
    slot = st.empty()
    if here is None:
        with slot.container():
            if place.scene.call:
                st.html(drawn.in_session(place.scene.call, place.agent))
            st.html('<p class="hint">Answers of the lab stand here beside the session\'s own. They change no session.</p>')
        return None
    return RUNS.show(here, stale(here, desk), drawn.experiment, slot)


def stale(here: Experiment, desk: Desk) -> frozenset[str]:
    """Return the variants of a run whose words are others now; at the desk of another pack, those that stand nowhere there."""
    if here.agent not in desk.drawn:
        return frozenset(here.variants)
    now = {letter: words_sha(desk.texts(letter), desk.sent) for letter in desk.letters}
    moved = here.place != desk.place
    return frozenset(
        lane.variant for lane in here.lanes if lane.words not in (now.values() if moved else [now.get(lane.variant)])
    )


# The run


def want(desk: Desk, place: Place, scene: Scene, number: int, letter: str, repeats: int) -> Wanted:
    """Return what is asked in a variant at one moment; a recorded call's own model may write as much as it might then."""
    now, call = speaker_of(desk, letter, place.scene, place.agent), scene.call
    opener, fan_out = state.voices.opener(now.name)
    most = call.max_tokens if call and call.model == now.voice.model else None
    return Wanted(
        f"{letter}{number}", scene.moment, desk.texts(letter), now.voice.model, opener, repeats, now.temperature, most, fan_out
    )  # fmt: skip


def plan(place: Place, desk: Desk, over: Sequence[Scene], letters: str, repeats: int) -> Experiment:
    """Return a run as it will be kept, without its answers."""
    where = f"turn {place.turn}" if place.turn else "the plan"
    here = f"{moment.agent_name(place.agent)}, {place.shown.profile.name}, {where}"
    title = here if len(over) == 1 and not over[0].words else f"{moment.agent_name(place.agent)}, {len(over)} moments"
    lanes = [
        Lane(
            label=f"{letter}{number}",
            variant=letter,
            moment=scene.words,
            note=note_of(desk, place, letter),
            words=words_sha(desk.texts(letter), desk.sent),
            own=scene.call.output if scene.call else "",
        )
        for number, scene in enumerate(over)
        for letter in letters
    ]
    return Experiment(
        id=secrets.token_hex(8), made=datetime.now(UTC), agent=place.agent, session=place.shown.id, turn=place.turn,
        title=f"{title} · {desk.pack.title} · {count('variant', len(letters))} × {repeats}", pack=desk.pack.title, place=desk.place,
        lanes=tuple(lanes),
    )  # fmt: skip


def count(noun: str, number: int) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def note_of(desk: Desk, place: Place, letter: str) -> str:
    """Return who answers in a variant and how far its words are ours, in a line."""
    now, own = speaker_of(desk, letter, place.scene, place.agent), [n for n in desk.changed(letter) if n in desk.sent]
    words = "our words" if not own else f"changed: {', '.join(desk.title(name) for name in own)}"
    name = "Rehearsal" if now.name == REHEARSAL else now.name
    return f"{name} · temperature {now.temperature:g} · {words}"
