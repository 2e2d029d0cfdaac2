"""One session being made: the dialogue on the left, the team's work on the turn looked at on the right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from magnet_core.domain import Attitude, Session, Visibility
from magnet_core.methods import METHODS
from ui import care, state, theme
from ui.engine.runner import Run, Snapshot
from ui.links import MODELS_PAGE
from ui.scoring import rules
from ui.session import change, live, seat, trace, transcript, what_if, whole
from ui.tracing import limit

if TYPE_CHECKING:
    from magnet_core.store import Entry


def settings(session: Session, key: str) -> state.sessions.Wanted:
    """Draw the settings of a session to be; return what is wanted."""
    now = state.sessions.wanted_of(session)
    clients, methods = state.clients.everyone(), list(METHODS)
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key=f"{key}_row"):
        client = st.selectbox(
            "Client", list(clients), index=list(clients).index(now.client), key=f"{key}_client", width=430,
            format_func=lambda id: _person(clients[id]),
        )  # fmt: skip
        attitude = st.segmented_control(
            "Client's attitude", list(Attitude), required=True, key=f"{key}_attitude_{client}",
            default=now.attitude if client == now.client else clients[client].attitude,
            format_func=lambda a: theme.ATTITUDES[a],
        )  # fmt: skip
        method = st.selectbox(
            "Method", methods, index=methods.index(now.method), key=f"{key}_method", width=220,
            format_func=lambda m: METHODS[m].title, help="\n".join(f"- {m.title}: {m.summary}" for m in METHODS.values()),
        )  # fmt: skip
        turns = st.number_input(
            "Turns", state.sessions.TURNS[0], state.sessions.TURNS[-1], now.turns, key=f"{key}_turns", width=110
        )
        visibility, seed = research(now, key)
    return replace(now, client=client, attitude=attitude, method=method, turns=turns, visibility=visibility, seed=seed)


def research(now: state.sessions.Wanted, key: str) -> tuple[Visibility, int]:
    """Draw the settings only a researcher asks for; return who sees what, and the seed."""
    with st.popover("More", icon=":material/science:", key=f"{key}_more"):
        visibility = st.radio(
            "Who sees what", list(trace.VISIBILITIES), index=list(trace.VISIBILITIES).index(now.visibility),
            key=f"{key}_visibility", format_func=lambda v: trace.VISIBILITIES[v],
            captions=["Every counsellor role sees plan and dialogue; the client sees its own form.",
                      "The responder sees only drafts and choice; the client sees the whole record."],
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 10**6, now.seed, key=f"{key}_seed", help="The same seed gives the same rehearsal.")
    return visibility, int(seed)


def _person(profile: Any) -> str:
    age = f", {profile.intake.age}" if profile.intake.age else ""
    own = "" if profile.id in state.samples() else f" (yours, {profile.attitude})"
    return f"{profile.name}{age}{own} · {profile.summary}" if profile.summary else f"{profile.name}{age}{own}"


def top(session: Session, snap: Snapshot | None) -> None:
    """Draw who is in the session and how it is made; settings are open until the first turn."""
    begun = state.sessions.started(session) or (snap is not None and snap.live)
    replay = state.view.showing_recording()
    with st.container(key="top", gap="small"):
        if not begun:
            wanted = settings(session, "want")
            if wanted != state.sessions.wanted_of(session):
                state.sessions.prepare(wanted)
                st.rerun()
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="top_row"):
            st.html(_facts(session, begun), width="content")
            _model()
            st.space("stretch")
            if state.voices.rehearsing() and not replay:
                st.segmented_control("Pace", list(state.voices.PACES), default=state.voices.pace(), required=True, key="pace",
                                     label_visibility="collapsed", persist_state="session")  # fmt: skip
            if begun and not replay:
                with st.popover("New session", icon=":material/add:", key="new"):
                    st.markdown("A new session begins beside this one, which stays under Recent.")
                    wanted = settings(session, "new")
                    st.button(
                        "Set up this session", type="primary", key="new_go", on_click=state.sessions.prepare, args=(wanted,)
                    )
            recent(session)


def view() -> None:
    """Draw for whom the page is drawn, and how."""
    with st.popover("View", icon=":material/visibility:", key="view"):
        st.radio(
            "Show it to a", list(state.view.AUDIENCES), index=list(state.view.AUDIENCES).index(state.view.audience()), key="audience_field",
            format_func=str.capitalize, captions=list(state.view.AUDIENCES.values()), on_change=state.view.set_audience,
            args=("audience_field",),
        )  # fmt: skip
        st.button(
            "Presenter mode", icon=":material/present_to_all:", key="present", on_click=state.view.present, args=(True,),
            help="Large type, the dialogue alone, one key to go on.",
        )  # fmt: skip


def _model() -> None:
    """Name the model that speaks and link to where it is chosen; where the page stands alone there is no link."""
    label = f"Model: {state.voices.model_line()}"
    try:
        st.page_link(MODELS_PAGE, label=theme.plain(label), icon=":material/tune:")
    except StreamlitAPIException:
        st.html(f'<div class="facts">{escape(label)}</div>', width="content")


def _facts(session: Session, begun: bool) -> str:
    facts: list[str] = []
    if begun:
        profile = session.profile
        age = f", {profile.intake.age}" if profile.intake.age else ""
        facts = [
            f"<b>{escape(profile.name)}</b>{age}",
            f"Attitude <b>{theme.ATTITUDES[profile.attitude].lower()}</b>",
            f"Method <b>{escape(METHODS[session.method].title)}</b>",
            f"<b>{session.max_turns}</b> turns at most",
        ]
    else:
        facts = ["<b>Ready to begin.</b> Next turn makes the plan and the first turn."]
    if own := state.prompts.known_as(session):
        facts.append(f'<b class="badge">Own prompts: {escape(own)}</b>')
    return f'<div class="facts">{"".join(f"<span>{fact}</span>" for fact in facts)}</div>'


def recent(session: Session) -> None:
    """Draw the list of recent sessions, read when it is opened; the one at hand is marked."""
    box = st.popover("Recent", icon=":material/history:", key="recent", on_change="rerun")
    if not box.open:
        return
    with box:
        entries = state.sessions.recent()
        if not entries:
            st.markdown("No session has been kept yet. A session is kept from its plan or first turn on.")
        for entry in entries:
            here = entry.id == session.id
            with st.container(horizontal=True, vertical_alignment="center", key=f"recent_{entry.id}", width=520):
                st.html(_entry(entry), width="stretch")
                st.button(
                    "Shown now" if here else "Open", key=f"open_{entry.id}", on_click=_open, args=(entry.id,), disabled=here
                )


def _entry(entry: Entry) -> str:
    method = METHODS[entry.method].title if entry.method in METHODS else entry.method
    turns = f"{entry.turns} {'turn' if entry.turns == 1 else 'turns'}"
    done = "finished" if entry.ended else f"of {entry.max_turns}"
    facts = [method, entry.attitude, f"{turns} {done}", entry.model, f"{entry.updated:%d %b %Y, %H:%M}"]
    name = f"<b>{escape(entry.title or entry.client)}</b>{f', {escape(entry.client)}' if entry.title else ''}"
    fork = f" · forked at turn {entry.shared + 1}" if entry.parent else ""
    return f'<p class="says">{name}{fork}</p><p class="hint">{escape(" · ".join(fact for fact in facts if fact))}</p>'


def _open(id: str) -> None:
    state.keep("recent", False)
    state.sessions.open_stored(id)


def controls(session: Session, run: Run | None, snap: Snapshot | None, shown: int, newest: int) -> None:
    """Draw the buttons that make the session go on, and those that look back; each stays in its place."""
    running = snap is not None and snap.live
    mine = snap is not None and snap.mine
    to_the_end = running and (not mine or (snap is not None and snap.goal == "end"))
    stoppable = running and mine and snap is not None and snap.state == "running"
    playing = state.view.showing_recording()
    ended, awaited = session.ended, snap is not None and snap.state == "waiting"
    speak_first = state.runs.SPEAK_FIRST if awaited else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        st.button(
            "Next turn", type="primary", icon=":material/skip_next:", key="next", shortcut="N", on_click=state.runs.go,
            args=(session, "turn"), disabled=running or ended or playing or awaited, help=speak_first,
        )  # fmt: skip
        st.button(
            "Play to the end", icon=":material/play_arrow:", key="play", shortcut="P", on_click=state.runs.go,
            args=(session, "end"), disabled=ended or playing or to_the_end or awaited, help=speak_first,
        )  # fmt: skip
        st.button(
            "Stop", icon=":material/stop:", key="stop", shortcut="S", on_click=state.runs.stop, args=(run,),
            disabled=not stoppable,
        )  # fmt: skip
        with st.popover(
            "Start over", icon=":material/restart_alt:", key="over", disabled=running or not state.sessions.started(session)
        ):
            st.markdown("Begin again with the same client and settings? This session stays under Recent.")
            st.button("Start over now", key="over_go", on_click=state.sessions.start_over, args=(session,))
        if playing:
            st.button("End the recording", icon=":material/close:", key="end_recording", on_click=state.view.end_recording)
        elif any(turn.calls for turn in session.turns):
            st.button(
                "Show recording", icon=":material/replay:", key="recording", on_click=state.view.show_recording, args=(session,),
                disabled=running, help="Plays this session's words again at a chosen speed. No model is asked.",
            )  # fmt: skip
        if not playing:
            seat.chairs(session, disabled=running or ended or awaited)
        view()
        st.space("stretch")
        looking(session, shown, newest)


def looking(session: Session, shown: int, newest: int) -> None:
    """Draw the buttons that look back and forth among the turns."""
    after = shown + 1 if shown + 1 < newest else None
    where = "Opening" if shown == 0 else f"Turn {shown} of {session.max_turns}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content", key="looking"):
        st.button(
            "Earlier turn", icon=":material/chevron_left:", key="back", shortcut="Left", help="Earlier turn", disabled=shown <= 0,
            on_click=state.sessions.look_at, args=(shown - 1,),
        )  # fmt: skip
        st.html(f'<div class="where">{where}</div>', width=110)
        st.button(
            "Later turn", icon=":material/chevron_right:", key="forward", shortcut="Right", help="Later turn",
            disabled=shown >= newest, on_click=state.sessions.look_at, args=(after,),
        )  # fmt: skip
        st.button(
            "Latest", icon=":material/last_page:", key="latest", disabled=shown >= newest, on_click=state.sessions.look_at,
            args=(None,),
        )  # fmt: skip


def notes(session: Session, snap: Snapshot | None) -> None:
    """Say what stands in the way, what was kept, and what can be done."""
    if told := state.told():
        st.warning(theme.plain(told))
    if state.view.showing_recording():
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="playing"):
            remark("This is a recording: the session's own words again. No model is asked and nothing is kept.")
            st.segmented_control("Speed", list(state.view.SPEEDS), default=state.view.speed(), required=True, key="speed",
                                 label_visibility="collapsed", on_change=state.view.set_speed)  # fmt: skip
        return
    if (typed := state.kept("typed")) and care.panel(typed):
        st.button("Close this help", key="care_close", icon=":material/close:", on_click=state.note_typed)
    if snap is None:
        return
    kept = {0: "No turn was finished yet.", 1: "The one finished turn is kept."}.get(
        len(session.turns), f"The {len(session.turns)} finished turns are kept."
    )
    if snap.state == "failed":
        with st.container(horizontal=True, vertical_alignment="center", key="failed"):
            st.error(theme.plain(f"{snap.error} {kept}"), icon=":material/error:")
            st.button("Try again", key="again", icon=":material/refresh:", on_click=state.runs.go, args=(session, snap.goal))
            if snap.spent:
                limit.link()
    elif snap.state == "stopped" and snap.given.choice and snap.given.choice.by_person and not session.ended:
        with st.container(horizontal=True, vertical_alignment="center", key="stopped"):
            named = ", ".join(theme.LOOKS[t].title for t in snap.given.choice.techniques)
            remark(f"Stopped. The techniques chosen by hand ({named}) still lead the next turn.")
            st.button("Let the team choose", key="drop_choice", on_click=state.runs.drop_given, args=(session,))
    elif snap.state == "stopped" and snap.seat and snap.seat.stays and not session.ended:
        with st.container(horizontal=True, vertical_alignment="center", key="seated"):
            remark(f"Stopped. You still sit as {seat.named(session, snap.seat)}.")
            st.button("Leave the seat", key="drop_seat", on_click=state.runs.drop_seat, args=(session,))
    elif snap.state == "paused":
        remark(f"Paused at the end of a turn, because nobody was watching. {kept} Next turn or Play goes on.")
    elif snap.live and not snap.mine:
        remark("This session is being continued in another window. You are watching it.")


def remark(text: str) -> None:
    st.html(f'<p class="remark" role="note">{escape(text)}</p>')


def announce(session: Session, snap: Snapshot | None) -> None:
    """Tell a screen reader once when a turn is complete."""
    words = f"Turn {len(session.turns)} complete." if snap is not None and session.turns else ""
    words += " The session has ended." if words and session.ended else ""
    st.html(f'<div class="sr" role="status" aria-live="polite">{words}</div>')


TABS = {
    state.view.CLINICIAN: ["This turn", "Change", "What if"],
    state.view.TEACHER: ["This turn", "Session", "Scores", "Change", "What if"],
    state.view.RESEARCHER: ["This turn", "Session", "Scores", "Change", "What if", "Calls", "Who sees what"],
}
"""What stands beside the dialogue, by audience."""


def stage(session: Session, snap: Snapshot | None, shown: int, newest: int) -> None:
    """Draw the few things a presenter needs: where we are, and one key to go on."""
    running = snap is not None and snap.live
    over = session.ended and shown >= newest
    awaited = snap is not None and snap.state == "waiting"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="stage"):
        where = "Opening" if shown == 0 else f"Turn {shown} of {session.max_turns}"
        st.html(f'<div class="where">{escape(session.profile.name)} · {where}</div>', width="content")
        st.space("stretch")
        st.button(
            "Leave",
            icon=":material/close:",
            key="leave_stage",
            shortcut="Escape",
            on_click=state.view.present,
            args=(False,),
        )
        st.button("Back", icon=":material/chevron_left:", key="stage_back", shortcut="Left", on_click=state.sessions.look_at,
                  args=(shown - 1,), disabled=shown <= 0)  # fmt: skip
        after = shown + 1 if shown + 1 < newest else None
        act, args = (state.sessions.look_at, (after,)) if shown < newest else (state.runs.go, (session, "turn"))
        st.button("Next", type="primary", icon=":material/chevron_right:", key="stage_next", shortcut="Right", on_click=act,
                  args=args, disabled=over or ((running or awaited) and shown >= newest) or state.view.showing_recording())  # fmt: skip


def on_stage(now: Snapshot | None, follow: bool) -> None:
    """Draw the turn looked at in large type; while it is made, let it grow."""
    ending: tuple[Any, str] | None = None
    with st.container(key="on_stage"):
        if follow and now and (html := live.tail(now)):
            ending = (st.html(html), html)
        else:
            st.html(transcript.one_exchange(session, shown))
        if follow and now and now.state == "waiting" and seat.composer(session, now, hints=False):
            st.rerun()
    if running and run and snap:
        live.watch(snap, partial(state.runs.look, run), {}, ending)


def turn_to(number: int) -> None:
    """Look at the turn that was clicked in the dialogue."""
    if number != shown:
        state.sessions.look_at(number if number < newest else None)
        st.rerun()


state.enter()
session = state.sessions.current()
run = state.runs.run_of(session)
snap = state.runs.look(run) if run else None
if snap:
    session = snap.session
running = snap is not None and snap.live
newest = snap.writing if snap and snap.writing else len(session.turns)
looked = state.sessions.looked_at(session)
shown = newest if looked is None else looked

for_whom = state.view.audience()
drafts = for_whom != state.view.CLINICIAN
trying = not running and what_if.busy(session, shown)
still = not running and not state.view.showing_recording()

if state.view.presenting():
    stage(session, snap, shown, newest)
else:
    top(session, snap)
    controls(session, run, snap, shown, newest)
notes(session, snap)
if not state.view.presenting() and not state.view.showing_recording():
    change.family_line(session, shown, still=still)
announce(session, snap)


@st.fragment(run_every=live.EVERY if running or trying else None)
def body() -> None:
    """Draw both sides; while a run is live, look in and redraw what grows. It stands last on the page."""
    now = state.runs.look(run) if run else None
    if state.runs.moved(session, run) or (running and not (now and now.live)):
        st.rerun()
    if not running and trying != what_if.busy(session, shown):
        st.rerun()
    follow = looked is None and now is not None and now.writing is not None
    if state.view.presenting():
        return on_stage(now, follow)
    left, right = st.columns([5, 7], gap="medium")
    ending: tuple[Any, str] | None = None
    with left, st.container(height=560, key="dialogue", autoscroll=looked is None, border=False):
        st.html(transcript.dialogue(session, None if follow else shown))
        if now and now.writing and (html := live.tail(now)):
            ending = (st.html(html), html)
    if now and now.state == "waiting" and follow:
        with left:
            if seat.composer(session, now):
                st.rerun()
    transcript.touch(shown, turn_to)
    drawn: dict[str, tuple[Any, str]] = {}
    with right, st.container(height=560, key="work", border=False):
        for name, tab in zip(
            TABS[for_whom], st.tabs(TABS[for_whom], key="side", on_change="rerun", bind="query-params"), strict=True
        ):
            if not tab.open:
                continue
            with tab:
                if name == "This turn" and follow and now:
                    drawn = live.draw(live.scene_of_run(now), drafts)
                elif name == "This turn":
                    live.draw(live.scene_of(state.forks.maker_of(session, shown), shown), drafts)
                elif name == "Change":
                    change.panel(session, shown, now)
                elif name == "What if":
                    what_if.panel(session, shown, now)
                elif name == "Session":
                    whole.panel(session, shown)
                elif name == "Scores":
                    rules.draw(session, shown, for_whom == state.view.RESEARCHER)
                elif name == "Calls":
                    trace.calls(session, shown, state.forks.maker_of)
                else:
                    trace.who_sees_what(state.forks.maker_of(session, shown))
    if running and run and snap:
        live.watch(snap, partial(state.runs.look, run), drawn, ending, drafts)


body()
