"""The same moment otherwise: other attitudes, methods and models beside it, and any two replies word by word."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from magnet_core.domain import Attitude, Session
from magnet_core.methods import METHODS, method_named
from magnet_core.session import NOTHING, fork, kept
from ui import state, theme
from ui.engine.runner import Snapshot
from ui.session import forks, live
from ui.session.transcript import TYPED, compared, led_by, says

KINDS = {"attitude": "Other attitude", "method": "Other method", "model": "Other model", "words": "Compare words"}
SIDES = {"counsellor": "Counsellor", "client": "Client"}


def busy(session: Session, shown: int) -> bool:
    """Tell whether a what-if of this moment is being made."""
    return any(state.runs.going_on(id) for kind in KINDS for id in state.forks.what_ifs(session, shown, kind).values())


def panel(session: Session, shown: int, snap: Snapshot | None) -> None:
    """Draw what else this moment could have been."""
    if not 1 <= shown <= len(session.turns):
        st.html('<p class="hint">Look at a finished turn to see what else it could have been.</p>')
        return
    kind = st.segmented_control(
        "What if", list(KINDS), default="attitude", required=True, key="what_kind", label_visibility="collapsed", bind="query-params",
        format_func=lambda k: KINDS[k],
    )  # fmt: skip
    free = snap is None or not (snap.live or state.view.showing_recording())
    {"attitude": _attitudes, "method": _methods, "model": _models, "words": _words}[kind](session, shown, free)


def _ask(label: str, key: str, made: Any, free: bool, note: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_row"):
        st.button(label, key=key, icon=":material/fork_right:", on_click=made, disabled=not free)
        st.html(f'<p class="hint">{escape(note)}</p>', width="stretch")


def _attitudes(session: Session, shown: int, free: bool) -> None:
    maker = state.forks.maker_of(session, shown)
    own, turn = maker.profile.attitude, session.turns[shown - 1]
    others = [a for a in Attitude if a != own]
    asked = state.forks.what_ifs(session, shown, "attitude")

    def ask() -> None:
        made = {
            other.value: (
                fork(session, shown - 1, profile=session.profile.with_attitude(other)), kept(turn, "client"), None,
            )
            for other in others
        }  # fmt: skip
        state.forks.ask_what_if(session, shown, "attitude", made)

    words = " and ".join(theme.ATTITUDES[a].lower() for a in others)
    _ask(f"Ask a {words} client too", "ask_attitudes", ask, free,
         "The same counsellor's message, the same person; one call each.")  # fmt: skip
    st.html(_one("The counsellor says", says(turn.response), session, shown, "counsellor"))
    mark = _mark_words(bool(asked))
    grid = st.grid("auto", min_column_width=190, gap="small")
    for attitude in Attitude:
        with grid.container():
            title = f"{theme.ATTITUDES[attitude]} client"
            if attitude == own:
                st.html(_one(title, says(turn.reply.text), session, shown, "client", here=True))
            elif id := asked.get(attitude.value):
                _other(title, id, shown, ["client"], turn.reply.text if mark else None, free)
            else:
                st.html(_one(title, '<p class="says quiet">Not asked yet.</p>'))


def _methods(session: Session, shown: int, free: bool) -> None:
    there = forks.methods_for(session)
    with st.container(horizontal=True, vertical_alignment="bottom", key="method_row"):
        name = st.selectbox(
            "Method", there, key="what_method", width=240, format_func=lambda m: METHODS[m].title,
            help="Methods that plan can go on with a session only where there is a plan.",
        )  # fmt: skip
        label = f"Make turn {shown} so"

        def ask() -> None:
            made = fork(session, shown - 1, **forks.by_method(session, name))
            state.forks.ask_what_if(session, shown, "method", {name: (made, NOTHING, None)})

        st.button(label, key="ask_method", icon=":material/fork_right:", on_click=ask, disabled=not free)
    st.html(f'<p class="hint">{escape(METHODS[name].summary)}</p>')
    _beside(
        session,
        shown,
        METHODS[session.method].title,
        METHODS[name].title,
        state.forks.what_ifs(session, shown, "method").get(name),
        free,
    )


def _models(session: Session, shown: int, free: bool) -> None:
    if not state.voices.has_server():
        words = "Only the rehearsal cast is set up. Set up a language model on the Models page to hear another voice here."
        st.html(f'<p class="hint">{words}</p>')
        return
    voices = state.voices.known()
    spoken = ", ".join(dict.fromkeys(call.model for call in session.turns[shown - 1].calls)) or "this session"
    with st.container(horizontal=True, vertical_alignment="bottom", key="model_row"):
        name = st.selectbox(
            "Model", list(voices), key="what_model", width=300, accept_new_options=True,
            help="The models that are set up here, or the name of another one on the same server.",
        )  # fmt: skip

        def ask() -> None:
            other = state.voices.cast_of(name)
            agents = method_named(session.method).agents
            made = fork(session, shown - 1, models=dict.fromkeys(agents, other.default.model))
            state.forks.ask_what_if(session, shown, "model", {name: (made, NOTHING, other)})

        st.button(f"Make turn {shown} so", key="ask_model", icon=":material/fork_right:", on_click=ask,
                  disabled=not free or not name)  # fmt: skip
    _beside(session, shown, spoken, name or "", state.forks.what_ifs(session, shown, "model").get(name or ""), free)


def _beside(session: Session, shown: int, mine: str, other: str, id: str | None, free: bool) -> None:
    turn = session.turns[shown - 1]
    mark = _mark_words(bool(id))
    left, right = st.columns(2, gap="small")
    with left:
        st.html(_one(f"{mine}: counsellor", says(turn.response) + led_by(turn), session, shown, "counsellor", here=True))
        st.html(_one("Client", says(turn.reply.text), session, shown, "client", here=True))
    with right:
        if id:
            _other(f"{other}: counsellor", id, shown, ["counsellor", "client"], turn.response if mark else None, free,
                   turn.reply.text)  # fmt: skip
        else:
            st.html(_one(f"{other}: counsellor", '<p class="says quiet">Not asked yet.</p>'))


def _mark_words(there: bool) -> bool:
    return there and st.toggle("Mark the words that differ", key="mark_words")


def _other(
    title: str, id: str, shown: int, sides: list[str], before: str | None, free: bool, reply_before: str = ""
) -> None:
    """Draw another version of the moment, as it is made or as it is."""
    session, snap = state.runs.at(id)
    if session is None:
        st.html(_one(title, '<p class="says quiet">It is no longer kept.</p>'))
        return
    if len(session.turns) >= shown:
        turn = session.turns[shown - 1]
        texts = {"counsellor": turn.response, "client": turn.reply.text}
        olds = {"counsellor": before, "client": (reply_before or before) if before is not None else None}
        for side in sides:
            body = says(texts[side]) if before is None else compared(olds[side] or "", texts[side])
            body += led_by(turn) if side == "counsellor" else ""
            st.html(_one(title if side == sides[0] else "Client", body))
        st.button("Go on with this one", key=f"take_{id}", on_click=state.forks.walk_to, args=(id, shown),
                  disabled=not free or bool(snap and snap.live))  # fmt: skip
        return
    if snap and snap.state == "failed":
        st.html(_one(title, f'<p class="flag">{escape(snap.error)}</p>'))
        return
    scene = live.scene_of_run(snap) if snap else None
    for side, slot in (("counsellor", "response"), ("client", "client")):
        if side in sides:
            text = scene.texts.get(slot, "") if scene else ""
            body = says(text, writing=True) if text else '<p class="says quiet">Being made…</p>'
            st.html(_one(title if side == sides[0] else "Client", body))


def _one(title: str, body: str, session: Session | None = None, shown: int = 0, side: str = "", here: bool = False) -> str:
    typed = TYPED if session and side in session.turns[shown - 1].typed else ""
    mark = '<span class="here">this session</span>' if here and not typed else ""
    return f'<div class="panel version {"mine" if here else ""}"><header><h3>{escape(title)}</h3>{typed}{mark}</header>{body}</div>'


def _words(session: Session, shown: int, free: bool) -> None:
    """Draw any two replies of the family of forks as one text, with what differs marked."""
    family = [e for e in state.forks.family(session) if e.turns and e.deleted is None]
    if not family:
        return
    by_id = {e.id: e for e in family}
    found, place = forks.versions(family, session.id, shown)
    other = found[place - 1].id if len(found) > 1 else session.id
    side = st.segmented_control("Whose", list(SIDES), default="counsellor", required=True, key="words_side",
                                format_func=lambda s: SIDES[s])  # fmt: skip
    picked: list[tuple[str, int]] = []
    ids = list(by_id)
    default = {"a": (other, shown if len(found) > 1 else max(1, shown - 1)), "b": (session.id, shown)}
    for name, column in zip("ab", st.columns(2, gap="small"), strict=True):
        with column:
            id, turn = default[name]
            chosen = st.selectbox(
                {"a": "From", "b": "To"}[name], ids, index=ids.index(id) if id in ids else 0, key=f"words_{name}_{session.id}_{shown}",
                format_func=lambda i: forks.told(by_id[i]) + (" (this session)" if i == session.id else ""),
            )  # fmt: skip
            most = by_id[chosen].turns
            number = st.number_input("Turn", 1, most, min(turn, most), key=f"words_turn_{name}_{chosen}_{shown}")
            picked.append((chosen, int(number)))
    texts: list[str] = []
    for id, number in picked:
        one, _ = state.runs.at(id)
        turn = one.turns[number - 1] if one and len(one.turns) >= number else None
        texts.append((turn.response if side == "counsellor" else turn.reply.text) if turn else "")
    same = texts[0] == texts[1]
    note = (
        "The two are the same, word for word." if same else "Struck through: only in the first. Marked: only in the second."
    )
    st.html(_one(SIDES[side], compared(*texts)) + f'<p class="hint">{note}</p>')
