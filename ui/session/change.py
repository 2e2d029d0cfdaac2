"""One moment lived differently: each change makes a fork and leaves the session as it is."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from magnet_core.domain import CbtTechnique, Given, Plan, Session, Technique
from magnet_core.methods import method_named
from magnet_core.session import kept
from ui import state, theme
from ui.engine.runner import Snapshot
from ui.session import forks


def panel(session: Session, shown: int, snap: Snapshot | None) -> None:
    """Draw what can be changed at the turn looked at, and before the next one."""
    if (snap is not None and snap.live) or state.view.showing_recording() or shown > len(session.turns):
        st.html('<p class="hint">A moment can be changed when the session stands still. Stop it first.</p>')
        return
    if not state.sessions.started(session):
        st.html('<p class="hint">After the first turn you can change any moment here and see what would have followed.</p>')
        return
    st.html('<p class="hint">Every change makes a fork beside this session, which stays as it is. Undo leads back.</p>')
    waiting = snap is not None and snap.state == "waiting"
    if shown == len(session.turns) and not session.ended and not waiting:
        _next_turn(session)
    if shown:
        _this_turn(session, shown)
    _plan(session, shown)


def _box(label: str, key: str) -> Any:
    return st.expander(label, key=key, on_change="rerun")


def _next_turn(session: Session) -> None:
    if not _takes_a_choice(session):
        return
    with _box(f"Choose the techniques of turn {len(session.turns) + 1} before it is made", "change_next") as box:
        if not box.open:
            return
        key = f"next_{session.id}_{len(session.turns)}"
        picked = _techniques(key)
        st.button(
            "Make the next turn with these", key="change_next_go", disabled=not picked, on_click=_chosen_next,
            args=(session, f"{key}_pills"),
        )  # fmt: skip


def _this_turn(session: Session, shown: int) -> None:
    turn, key = session.turns[shown - 1], f"{session.id}_{shown}"
    if turn.candidates and _takes_a_choice(session):
        with _box(f"Choose other techniques for turn {shown}", "change_choice") as box:
            if box.open:
                before = list(turn.choice.techniques) if turn.choice else []
                picked = _techniques(f"choice_{key}", before)
                st.button(
                    "See the other reply", key="change_choice_go", disabled=not picked or set(picked) == set(before),
                    help="The five drafts stay; message and reply are written anew.", on_click=_chosen,
                    args=(session, shown, f"choice_{key}_pills"),
                )  # fmt: skip
    with _box("Edit what the counsellor said", "change_message") as box:
        if box.open:
            _edit(session, shown, "counsellor", turn.response, key)
    with _box("Edit what the client said", "change_reply") as box:
        if box.open:
            _edit(session, shown, "client", turn.reply.text, key)
    with _box("Ask again", "change_again") as box:
        if box.open:
            _again(session, shown)


def _takes_a_choice(session: Session) -> bool:
    return bool(method_named(session.method).specialists)


def _techniques(key: str, before: list[Technique] | None = None) -> list[Technique]:
    names = {t: f"{theme.LOOKS[t].letter} · {theme.LOOKS[t].title}" for t in Technique}
    return st.pills(
        "Techniques that lead the turn", list(Technique), selection_mode="multi", default=before or [], key=f"{key}_pills",
        format_func=lambda t: names[t],
    )  # fmt: skip


def _edit(session: Session, shown: int, speaker: str, text: str, key: str) -> None:
    field = f"edit_{speaker}_{key}"
    with st.form(f"form_{speaker}", border=False):
        st.text_area(
            f"The {speaker}'s message in turn {shown}", text, key=field, height=130, max_chars=4000, persist_state="session"
        )
        if speaker == "client":
            words, note = "Keep this message", "The message takes its place; Next turn goes on from there."
        else:
            words, note = "Go on from here", "The client answers what you have written."
        st.form_submit_button(
            words, key=f"edit_{speaker}_go", help=note, on_click=_edited, args=(session, shown, speaker, field)
        )


def _again(session: Session, shown: int) -> None:
    method, turn = method_named(session.method), session.turns[shown - 1]
    there = {c.technique.value for c in turn.candidates}
    agents = [a for a in method.agents if a != "planner" and (a not in theme.TECHNIQUE_NAMES or a in there)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="again_row"):
        agent = st.selectbox(
            "One agent", agents, key="again_agent", width=220, format_func=theme.title_of,
            index=agents.index(method.speaker.name), help="What follows from its answer is written anew; the rest stays.",
        )  # fmt: skip
        st.button("Ask this agent again", key="again_go", on_click=_asked_again, args=(session, shown, agent))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="again_all"):
        st.button(
            "Another sample of the reply", icon=":material/casino:", key="sample", on_click=_asked_again,
            args=(session, shown, method.speaker.name),
        )  # fmt: skip
        st.button(
            "Run again from here", icon=":material/fork_right:", key="rerun", on_click=_run_again, args=(session, shown),
            help=f"Makes turn {shown} anew, with {method.calls(1) - bool(method.planner)} calls to the model. "
            "Show recording asks no model.",
        )  # fmt: skip
    if state.voices.rehearsing():
        st.html(
            '<p class="hint">The rehearsal cast has few other lines for a moment: what it says again may be the same.</p>'
        )


def _plan(session: Session, shown: int) -> None:
    plan = session.plan
    if plan is None:
        return
    where = f"from turn {shown + 1} on" if shown else "before the first turn"
    if shown >= session.max_turns or (shown and session.turns[shown - 1].reply.ends_session):
        return
    with _box(f"Edit the plan, {where}", "change_plan") as box:
        if not box.open:
            return
        key = f"plan_{session.id}_{shown}"
        with st.form("form_plan", border=False):
            options: list[CbtTechnique | None] = [*([] if plan.technique else [None]), *CbtTechnique]
            st.selectbox(
                "CBT technique", options, index=options.index(plan.technique), key=f"{key}_technique",
                format_func=lambda t: t.value if t else "None of the twelve",
            )  # fmt: skip
            st.text_area("Why", plan.reason, key=f"{key}_reason", height=90, persist_state="session")
            st.text_area("Steps, one a line", "\n".join(plan.steps), key=f"{key}_steps", height=170, persist_state="session")
            st.form_submit_button(
                "Go on with this plan", key="plan_go", on_click=_planned, args=(session, shown, plan, key),
                help="A fork with the new plan; Next turn goes on from there.",
            )  # fmt: skip


def _chosen_next(session: Session, field: str) -> None:
    picked = [t for t in Technique if t in (state.kept(field) or [])]
    state.runs.go(session, "turn", Given(choice=forks.choice(picked)))


def _chosen(session: Session, shown: int, field: str) -> None:
    picked = [t for t in Technique if t in (state.kept(field) or [])]
    state.forks.branch(session, shown - 1, forks.chosen_by_hand(session, shown, picked))


def _edited(session: Session, shown: int, speaker: str, field: str) -> None:
    text, turn = (state.kept(field) or "").strip(), session.turns[shown - 1]
    state.note_typed(text)
    if not text:
        return state.say("An empty message cannot be said.")
    if text == (turn.response if speaker == "counsellor" else turn.reply.text).strip():
        return state.say("Nothing was changed in the message.")
    if speaker == "counsellor":
        given = forks.message_typed(session, shown, text)
    else:
        given = forks.reply_typed(session, shown, text, turn.reply.ends_session)
    state.forks.branch(session, shown - 1, given)


def _asked_again(session: Session, shown: int, agent: str) -> None:
    state.forks.branch(session, shown - 1, kept(session.turns[shown - 1], agent), anew=True)


def _run_again(session: Session, shown: int) -> None:
    state.forks.branch(session, shown - 1, anew=True)


def _planned(session: Session, shown: int, plan: Plan, key: str) -> None:
    steps = (state.kept(f"{key}_steps") or "").splitlines()
    reason = state.kept(f"{key}_reason") or ""
    state.note_typed(reason, *steps)
    new = forks.plan_edited(plan, state.kept(f"{key}_technique"), reason, steps)
    if new == plan:
        return state.say("Nothing was changed in the plan.")
    if not new.steps:
        return state.say("A plan needs at least one step.")
    state.forks.branch_plan(session, shown, new)


def family_line(session: Session, shown: int, *, still: bool) -> None:
    """Draw where a fork comes from, its other versions, undo and redo, and the tree; nothing for a session without forks."""
    family, way = state.forks.family(session), state.forks.trail()
    if len(family) < 2 and not way.past and not way.ahead:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="family"):
        if session.parent:
            st.button(
                f"Forked at turn {session.parent.turns + 1} of {theme.plain(state.sessions.parent_name(session))}", type="tertiary", icon=":material/fork_right:",
                key="to_parent", on_click=state.forks.walk_to, args=(session.parent.session, session.parent.turns + 1),
                help="Open the session it was forked from", disabled=not still,
            )  # fmt: skip
        st.space("stretch")
        found, place = forks.versions(family, session.id, shown)
        if len(found) > 1:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="swipe"):
                _swipe(found, place - 1, shown, still, "swipe_back", ":material/chevron_left:", "The version before")
                st.html(f'<div class="where">{place + 1}/{len(found)}</div>', width=34)
                _swipe(found, place + 1, shown, still, "swipe_on", ":material/chevron_right:", "The version after")
        st.button(
            "Undo",
            icon=":material/undo:",
            key="undo",
            shortcut="U",
            on_click=state.forks.undo,
            disabled=not (still and way.past),
        )
        st.button(
            "Redo", icon=":material/redo:", key="redo", shortcut="Shift+U", on_click=state.forks.redo,
            disabled=not (still and way.ahead),
        )  # fmt: skip
        _tree(session, family, still)


def _walk_to(id: str, turn: int | None) -> None:
    state.keep("tree", False)
    state.forks.walk_to(id, turn)


def _swipe(found: list[Any], place: int, shown: int, still: bool, key: str, icon: str, words: str) -> None:
    there = 0 <= place < len(found)
    words = f"{words} of turn {shown}"
    st.button(
        words, icon=icon, key=key, help=words, disabled=not (there and still),
        on_click=state.forks.walk_to, args=(found[place].id if there else "", shown),
    )  # fmt: skip


def _tree(session: Session, family: list[Any], still: bool) -> None:
    from ui.library import tree

    box = st.popover("Tree", icon=":material/account_tree:", key="tree", on_change="rerun")
    if not box.open:
        return
    with box, st.container(gap=None, key="session_tree", width=520):
        st.html(f'<p class="hint">{len(family)} sessions that share their first turns. Each opens at a click.</p>')
        for depth, entry in tree(family):
            with st.container(key=f"bough_{min(depth, 8)}_{entry.id}"):
                if entry.deleted:
                    st.html(f'<p class="hint">{escape(forks.told(entry))}, deleted</p>')
                    continue
                here = entry.id == session.id
                icon = (
                    ":material/radio_button_checked:"
                    if here
                    else ":material/fork_right:"
                    if entry.parent
                    else ":material/circle:"
                )
                st.button(
                    theme.plain(forks.told(entry)), type="tertiary", key=f"walk_{entry.id}", icon=icon, disabled=not still,
                    on_click=_walk_to, args=(entry.id, entry.shared + 1 if entry.parent and entry.turns > entry.shared else None),
                    help="This session" if here else None,
                )  # fmt: skip
