"""The prompt lab: every agent's prompt, filled with any moment of any session, changed, tried in variants, and kept in packs."""

from __future__ import annotations

import time
from contextlib import suppress
from html import escape
from typing import Any, cast

import streamlit as st
from streamlit.errors import StreamlitAPIException

from magnet_core import lab, prompts
from magnet_core.cast import REHEARSAL
from magnet_core.domain import Moment, Prompt, Session
from magnet_core.errors import MagnetError
from magnet_core.lab import Trial
from magnet_core.methods import METHODS, method_named
from magnet_core.packs import Pack, Version, pack_of
from magnet_core.session import moment_of
from ui import lab as drawn
from ui import lab_judges, lab_more, state, theme
from ui.bench import Bench, Wanted
from ui.judging import MOST, SESSION_PAGE, line_of, link
from ui.lab_more import OURS, Named, priced

VIEWS = {"bench": "Try a prompt", "cases": "Test cases", "packs": "Packs", "judges": "Judges' prompts"}
OVER = {"this": "This moment", "turns": "Every turn", "sessions": "Other sessions too"}
"""Over which moments variants are asked."""
OTHERS = 12
"""How many sessions at most."""
LETTERS = "ABCD"
AS_SENT = "session"
BUDGET, EVERY = 0.4, 0.5
"""Seconds a look at a running job lasts, and seconds between two looks."""
FIELDS_OF = ("role", "note", "system")


def page() -> None:
    came = state.enter("lab")
    if came:
        arrive()
    with st.container(key="lab"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.header("Prompt lab", width="content")
            view = st.segmented_control(
                "View", list(VIEWS), default=None if state.kept("lab_view") else "bench", required=True, key="lab_view",
                format_func=lambda v: VIEWS[v], label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        if told := state.told():
            st.warning(theme.plain(told))
        watched = {"bench": bench, "cases": lab_more.cases, "packs": lab_more.packs, "judges": lab_judges.judges}[
            cast(str, view or "bench")
        ]()
    if watched:
        job, draw, slot = watched
        slot.html(draw(job.look()))
        if job.look().live:
            watch(job, draw, slot)


def arrive() -> None:
    """Take up what the address asks for: a session, a turn, an agent, and the recorded call to be replayed."""
    id, turn, agent, attempt = state.address.place_asked("session", "turn", "agent", "attempt")
    if not id:
        return
    state.keep("lab_view", "bench")
    state.keep("lab_session", id)
    state.keep("lab_attempt", int(attempt) if attempt.isdecimal() else 1)
    if agent in lab.AGENTS:
        state.keep("lab_agent", agent)
    if turn.isdecimal():
        state.keep("lab_turn", max(1, int(turn)))
    session = state.sessions.stored(id)
    if session is None:
        return
    title, own = pack_of(session, state.prompts.pack_list())
    found = next((p.id for p in state.prompts.pack_list() if p.title == title), "") if title else ""
    state.keep("lab_pack", OURS if not own else found or AS_SENT)


@st.fragment(run_every=EVERY)
def watch(job: Bench, draw: Any, slot: Any) -> None:
    """Look in on a running trial; it stands last on the page."""
    end = time.monotonic() + BUDGET
    while time.monotonic() < end:
        now = job.look()
        slot.html(draw(now))
        if not now.live:
            st.rerun()
        time.sleep(0.1)


# What is looked at


def bench() -> Any:
    """Draw the bench; return the job to look at, how to draw it, and the place for it."""
    entries = [entry for entry in state.sessions.recent(MOST) if entry.turns]
    asked = state.kept("lab_session")
    lines = {entry.id: line_of(entry) for entry in entries}
    if asked and asked not in lines and (shown := state.sessions.stored(asked)) and shown.turns:
        lines[asked] = f"{shown.profile.name} · {shown.method} · {len(shown.turns)} turns"
    if not lines:
        st.html(
            '<section class="card"><header><h3>No session has been kept yet</h3></header><p class="says">A prompt is tried on a '
            "moment of a session. Begin a session first; its first turn is enough.</p></section>"
        )
        link(SESSION_PAGE, "To the session", ":material/forum:")
        return None
    moment, session, number, agent, pack = place(lines)
    names = names_for(agent)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        variants = edit(pack, session, agent, names)
    with right:
        return beside(moment, session, number, agent, pack, names, variants)


def place(lines: dict[str, str]) -> tuple[Moment, Session, int, str, Pack]:
    """Draw which moment is looked at, and with whose prompts."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_place"):
        if state.kept("lab_session") not in lines:
            held = state.sessions.held()
            state.keep("lab_session", held.id if held and held.id in lines else next(iter(lines)))
            state.keep("lab_attempt", 1)
        id = st.selectbox(
            "Session", list(lines), key="lab_session", format_func=lambda id: lines.get(id) or str(id), width=440,
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
        number = int(
            st.number_input(
                "Turn",
                1,
                turns,
                key="lab_turn",
                width=110,
                disabled=agent == "planner",
                persist_state="session",
                on_change=state.keep,
                args=("lab_attempt", 1),
                help="The planner speaks once, before the first turn.",
            )
        )
        number = 0 if agent == "planner" else number
        session = state.forks.maker_of(shown, number)
        pack = choose_pack(session)
    attempt = int(state.kept("lab_attempt") or 1)
    state.address.show_place(session=shown.id, turn=str(number), agent=agent, attempt=str(attempt) if attempt > 1 else "")
    return moment_of(session, number, agent, attempt), session, number, agent, pack


def choose_pack(session: Session) -> Pack:
    """Draw whose prompts are looked at: ours, a pack's, or those of the session where they are other ones."""
    own = tuple(p for p in session.prompts if p.name in lab.changed(session.prompts))
    choices = {OURS: lab_more.ours()} | {p.id: p for p in state.prompts.pack_list()}
    if own:
        choices[AS_SENT] = Pack(id=AS_SENT, title="As in this session", prompts=own)
    if state.kept("lab_pack") not in choices:
        state.keep("lab_pack", OURS)
    id = st.selectbox(
        "Prompts", list(choices), key="lab_pack", width=210, persist_state="session",
        format_func=lambda i: choices[i].title if i in choices else str(i),
    )  # fmt: skip
    return choices[id]


def agent_name(agent: str) -> str:
    twice = {"single-agent": "Counsellor, single agent", "plain": "Counsellor, plain"}
    return twice.get(agent) or theme.title_of(agent)


def names_for(agent: str) -> dict[str, list[str]]:
    """Return the prompts that speak for an agent, its own first, with the texts that count in each."""
    ours = prompts.load()
    prompt = ours[agent]
    found = {agent: [f for f in FIELDS_OF if lab.fields(prompt)[f]]}
    if prompt.frame:
        found[prompt.frame] = ["system"]
    return found


# The variants


def key_of(pack: str, session: str, letter: str, name: str, field: str) -> str:
    whose = f"{pack}_{session}" if pack == AS_SENT else pack
    return f"labtext_{whose}_{letter}_{name}_{field}"


def letters(pack: Pack) -> str:
    return LETTERS[: int(state.kept(f"lab_count_{pack.id}") or 1)]


def texts_of(pack: Pack, session: Session, letter: str) -> dict[str, Prompt]:
    """Return the whole set of prompts of a variant: the pack's, with what stands in the fields."""
    found: dict[str, Prompt] = {}
    for name, prompt in pack.texts.items():
        new = {
            field: text
            for field in FIELDS_OF
            if (text := state.kept(key_of(pack.id, session.id, letter, name, field))) is not None
        }
        found[name] = prompt.model_copy(update=new) if new else prompt
    return found


def fill(pack: Pack, session: Session, letter: str, texts: dict[str, Prompt], names: dict[str, list[str]]) -> None:
    """Put prompts into the fields of a variant."""
    for name, own in names.items():
        for field in own:
            state.keep(key_of(pack.id, session.id, letter, name, field), lab.fields(texts[name])[field])


def add_variant(pack: Pack, session: Session, letter: str) -> None:
    """Begin another variant with the words, model and temperature of the one at hand."""
    count = len(letters(pack))
    new = LETTERS[count]
    texts = texts_of(pack, session, letter)
    fill(pack, session, new, texts, {name: list(FIELDS_OF) for name in texts})
    for what in ("model", "heat"):
        state.keep(f"lab_{what}_{pack.id}_{new}", state.kept(f"lab_{what}_{pack.id}_{letter}"))
    state.keep(f"lab_count_{pack.id}", count + 1)
    state.keep(f"lab_letter_{pack.id}", new)


def drop_variant(pack: Pack, session: Session) -> None:
    """Take the last variant away."""
    last = letters(pack)[-1]
    names = pack.texts
    state.forget(*(key_of(pack.id, session.id, last, name, field) for name in names for field in FIELDS_OF))
    state.keep(f"lab_count_{pack.id}", len(letters(pack)) - 1)
    state.keep(f"lab_letter_{pack.id}", letters(pack)[-1])


def reset(pack: Pack, session: Session, letter: str, names: dict[str, list[str]]) -> None:
    """Put our words back; where a pack holds others, ours are its next version, so that nothing is lost."""
    fill(pack, session, letter, prompts.load(), names)
    if pack.id not in (OURS, AS_SENT):
        keep_in(pack, [prompts.load()[name] for name in names], "Back to ours")


def keep_in(pack: Pack, texts: list[Prompt], note: str) -> None:
    try:
        state.store().packs.save(pack.id, texts, note)
    except MagnetError as error:
        state.say(str(error))


def save(pack: Pack, session: Session, letter: str, names: dict[str, list[str]]) -> None:
    """Keep a variant: as new versions in its pack, or in a new pack where it has none."""
    texts = texts_of(pack, session, letter)
    note = state.kept("lab_save_note") or ""
    try:
        if pack.id in (OURS, AS_SENT):
            made = state.store().packs.new(state.kept("lab_save_title") or "", texts.values(), note)
            fill(pack, session, letter, pack.texts, {name: list(FIELDS_OF) for name in texts})
            state.keep("lab_pack", made.id)
        else:
            state.store().packs.save(pack.id, list(texts.values()), note)
            made = pack
            fill(made, session, "A", texts, {name: list(FIELDS_OF) for name in texts})
        state.forget("lab_save_note", "lab_save_title")
        state.keep(f"lab_letter_{made.id}", "A")
        state.keep("lab_saved", made.title)
    except MagnetError as error:
        state.say(str(error))


def edit(pack: Pack, session: Session, agent: str, names: dict[str, list[str]]) -> list[str]:
    """Draw the fields of one variant at a time; return the letters of the variants."""
    there = letters(pack)
    picked = f"lab_letter_{pack.id}"
    if state.kept(picked) not in list(there):
        state.keep(picked, "A")
    with st.container(key="lab_edit", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            letter = cast(str, st.segmented_control(
                "Variant", list(there), required=True, key=picked, format_func=lambda x: f"Variant {x}",
                label_visibility="collapsed", persist_state="session",
            ) or "A")  # fmt: skip
            st.button(
                "Add variant", icon=":material/add:", key="lab_add", on_click=add_variant, args=(pack, session, letter),
                disabled=len(there) >= len(LETTERS), help="Begins with the words of the variant at hand.",
            )  # fmt: skip
            st.button(
                "", icon=":material/remove:", key="lab_drop", on_click=drop_variant, args=(pack, session),
                disabled=len(there) < 2, help="Take the last variant away",
            )  # fmt: skip
        texts = texts_of(pack, session, letter)
        st.html(badges(pack, texts, names), width="content")
        for name, own in names.items():
            for field in own:
                shared = name != agent and field == "system"
                area(pack, session, letter, name, field, texts[name], shared=shared)
        texts = texts_of(pack, session, letter)
        found = [(name, r) for name in names for r in lab.lint(texts[name], prompts.load()[name])]
        if found:
            st.html(drawn.remarks(found))
        voice(pack, letter, agent)
        buttons(pack, session, letter, names, texts, bool([r for _, r in found if r.kind == "error"]))
    return list(there)


def badges(pack: Pack, texts: dict[str, Prompt], names: dict[str, list[str]]) -> str:
    ours, saved = prompts.load(), pack.texts
    marks = []
    for name in names:
        if lab.fields(texts[name]) != lab.fields(ours[name]):
            marks.append(f'<b class="badge">{escape(drawn.name_of(name))}: changed from ours</b>')
        if lab.fields(texts[name]) != lab.fields(saved[name]):
            marks.append(f'<b class="badge new">{escape(drawn.name_of(name))}: not saved</b>')
    return f'<div class="chips">{"".join(marks) or "<span class=hint>These are our words, unchanged.</span>"}</div>'


def area(pack: Pack, session: Session, letter: str, name: str, field: str, prompt: Prompt, *, shared: bool) -> None:
    """Draw the field of one text of a prompt."""
    key = key_of(pack.id, session.id, letter, name, field)
    if state.kept(key) is None:
        state.keep(key, lab.fields(prompt)[field])
    label = f"{drawn.name_of(name)}: what opens each request of all who share it" if shared else drawn.FIELDS[field]
    height = {"role": 170, "note": 130, "system": 260}[field]
    st.text_area(label, key=key, height=height, persist_state="session", max_chars=20_000)


def voice(pack: Pack, letter: str, agent: str) -> None:
    """Draw which model answers in a variant, and how freely."""
    models = list(state.voices.known())
    now = state.voices.cast().voice(agent).model
    key = f"lab_model_{pack.id}_{letter}"
    if state.kept(key) not in models:
        state.keep(key, now if now in models else models[0])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        model = st.selectbox(
            "Model", models, key=key, persist_state="session", width=230,
            format_func=lambda m: "Rehearsal (authored)" if m == REHEARSAL else m,
            help="The models set up on the Models page.",
        )  # fmt: skip
        st.number_input(
            "Temperature", 0.0, 2.0, value=None, step=0.1, key=f"lab_heat_{pack.id}_{letter}", persist_state="session", width=150,
            placeholder=f"{usual_heat(model, agent):g}", help="Empty: the one this agent has in a session.",
        )  # fmt: skip
    if model == REHEARSAL:
        st.html(
            '<p class="remark">The rehearsal cast reads the scene, not the prompt: changed words change nothing in its answers. '
            "To see what a wording does, set a language model on the Models page.</p>"
        )


def usual_heat(model: str, agent: str) -> float:
    found = state.voices.known()[model].temperature
    return lab.AGENTS[agent].temperature if found is None else found


def buttons(
    pack: Pack, session: Session, letter: str, names: dict[str, list[str]], texts: dict[str, Prompt], broken: bool
) -> None:
    """Draw what can be done with a variant: keep it, go back to ours, use it for a session."""
    new = pack.id in (OURS, AS_SENT)
    ours, saved = prompts.load(), pack.texts
    fresh = any(lab.fields(texts[n]) != lab.fields(saved[n]) for n in texts)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover(
            "Save", icon=":material/save:", key="lab_save", disabled=broken or not (fresh or pack.id == AS_SENT)
        ):
            if new:
                st.text_input("Name of the new pack", key="lab_save_title", max_chars=80, placeholder="My prompts")
            st.text_input("What has changed, and why", key="lab_save_note", max_chars=200, placeholder="May stay empty")
            where = "as a new pack" if new else f"as a version in “{theme.plain(pack.title)}”"
            st.button(
                f"Save variant {letter} {where}", type="primary", key="lab_save_go", on_click=save,
                args=(pack, session, letter, names),
            )  # fmt: skip
        st.button(
            "Reset to ours", icon=":material/undo:", key="lab_reset", on_click=reset, args=(pack, session, letter, names),
            disabled=all(lab.fields(texts[n]) == lab.fields(ours[n]) for n in names),
        )  # fmt: skip
        if not new and st.button(
            "Run this session again with this pack", icon=":material/replay:", key="lab_again", disabled=fresh,
            help="Sets up a new session, the same but for the prompts. Save first what is not saved.",
        ):  # fmt: skip
            state.sessions.again_with(session, pack)
            with suppress(StreamlitAPIException):
                st.switch_page(SESSION_PAGE)
    if title := state.kept("lab_saved"):
        state.keep("lab_saved", "")
        st.html(f'<p class="remark" role="status">Saved in “{escape(title)}”.</p>')


# What stands beside


def beside(
    moment: Moment, session: Session, number: int, agent: str, pack: Pack, names: dict[str, list[str]], there: list[str]
) -> Any:
    """Draw answers, filled prompt, prompt as written, and what differs; one at a time."""
    letter = cast(str, state.kept(f"lab_letter_{pack.id}") or "A")
    texts = texts_of(pack, session, letter)
    calls = session.plan_calls if number == 0 else session.turns[number - 1].calls
    call = next((c for c in calls if c.agent == agent and c.attempt == len(moment.objections) + 1), None)
    titles = ["Answers", "Filled in", "As written", "What differs"]
    tabs = dict(zip(titles, st.tabs(titles, key="lab_tab", on_change="rerun"), strict=True))
    if tabs["Filled in"].open:
        with tabs["Filled in"]:
            pairs = lab.filled(texts, moment)
            st.html(drawn.sent(pairs, call, prompts.sha([m for m, _ in pairs])))
    if tabs["As written"].open:
        with tabs["As written"]:
            st.html(drawn.written([texts[name] for name in names], names))
    if tabs["What differs"].open:
        with tabs["What differs"]:
            differs(pack, session, letter, there, names, texts)
    if not tabs["Answers"].open:
        return None
    with tabs["Answers"]:
        return answers(moment, session, number, agent, pack, there, call)


def differs(
    pack: Pack, session: Session, letter: str, there: list[str], names: dict[str, list[str]], texts: dict[str, Prompt]
) -> None:
    """Draw a variant beside ours, what is saved, another variant, or an earlier version, which can be restored."""
    choices: dict[str, tuple[str, dict[str, Prompt]]] = {"ours": ("Ours", prompts.load())}
    versions: dict[str, Version] = {}
    if pack.id != OURS:
        choices["saved"] = (f"“{pack.title}” as saved", pack.texts)
    for other in there:
        if other != letter:
            choices[f"variant {other}"] = (f"Variant {other}", texts_of(pack, session, other))
    if pack.id not in (OURS, AS_SENT):
        try:
            for name in names:
                for v in state.store().packs.versions(pack.id, name):
                    key = f"{name} {v.number}"
                    versions[key] = v
                    note = f", {v.note}" if v.note else ""
                    title = f"{drawn.name_of(name)}, version {v.number} of {v.created:%d %b, %H:%M}{note}"
                    choices[key] = (title, texts | {name: v.prompt})
        except MagnetError as error:
            st.warning(theme.plain(str(error)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            f"Variant {letter} against", list(choices), key=f"lab_against_{pack.id}",
            format_func=lambda k: choices[k][0] if k in choices else str(k), width=420,
        )  # fmt: skip
        if found := versions.get(chosen):
            st.button(
                "Restore this version", icon=":material/history:", key="lab_restore", on_click=restore,
                args=(pack, session, found, names),
                help="It becomes the newest version; those between stay.",
            )  # fmt: skip
    old = choices[chosen][1]
    st.html(drawn.diffs([old[name] for name in names], [texts[name] for name in names], names))


def restore(pack: Pack, session: Session, version: Version, names: dict[str, list[str]]) -> None:
    """Make an earlier version the newest one, in the fields as well."""
    keep_in(pack, [version.prompt], f"Version {version.number} restored")
    fill(pack, session, "A", {version.name: version.prompt}, {version.name: names[version.name]})
    state.keep(f"lab_letter_{pack.id}", "A")


def answers(moment: Moment, session: Session, number: int, agent: str, pack: Pack, there: list[str], call: Any) -> Any:
    """Draw the run of all variants on one moment, and what came of the last one."""
    job: Bench | None = state.kept("lab_job")
    live = job is not None and job.look().live
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_run"):
        repeats = int(
            st.number_input(
                "Answers each",
                1,
                20,
                key="lab_repeats",
                width=120,
                persist_state="session",
                help="The same request so many times, each with a seed of its own.",
            )
        )
        where = over(session, number, agent)
        wanted = [
            want(one, f"Variant {letter}{place}", session, agent, pack, letter, repeats)
            for place, one in (where or {"": moment}).items()
            for letter in there
        ]
        broken = [
            r
            for w in wanted
            for name in names_for(agent)
            for r in lab.lint(w.texts[name], prompts.load()[name])
            if r.kind == "error"
        ]
        if live:
            st.button("Stop", icon=":material/stop:", key="lab_stop", on_click=job.stop if job else None)
        else:
            words = "Run" if len(there) == 1 else f"Run {len(there)} variants"
            st.button(
                words, type="primary", icon=":material/play_arrow:", key="lab_go", on_click=run,
                args=(wanted, agent, (session.id, number, agent), len(there)), disabled=bool(broken),
            )  # fmt: skip
        st.html(drawn.cost_line(lab.cost([trial_of(w) for w in wanted], priced([w.model for w in wanted]))), width="content")
        lab_more.make_case(moment, session, number, agent)
    if broken:
        st.html('<p class="hint">A prompt with errors is not sent.</p>')
    text = ""
    if call is not None and agent in lab.AGENTS:
        text = lab.AGENTS[agent].text(lab.AGENTS[agent].read(call.output))
    st.html(drawn.recorded(call, text))
    slot = st.empty()
    if job is None or state.kept("lab_job_of") != (session.id, number, agent):
        slot.html('<p class="hint">Answers of the lab stand here beside the session\'s own. They change no session.</p>')
        return None
    notes: dict[str, str] = state.kept("lab_notes") or {}
    return job, lambda look: drawn.results(look, notes, state.kept("lab_across") or 1), slot


def over(session: Session, number: int, agent: str) -> dict[str, Moment]:
    """Draw over which moments the variants are asked; return them by the words that tell them, none for the one at hand."""
    which = st.selectbox(
        "Over", list(OVER), key="lab_over", width=200, persist_state="session", format_func=lambda w: OVER[w],
        disabled=agent == "planner", help=f"Other sessions: the {OTHERS} newest in which this agent spoke in this turn.",
    )  # fmt: skip
    if which == "turns" and agent != "planner":
        found = {f", turn {n}": (state.forks.maker_of(session, n), n) for n in range(1, len(session.turns) + 1)}
    elif which == "sessions" and agent != "planner":
        found = {}
        for entry in state.sessions.recent(MOST):
            if len(found) == OTHERS:
                break
            spoke = entry.turns >= number and entry.method in METHODS and agent in METHODS[entry.method].agents
            if spoke and (other := state.sessions.stored(entry.id)):
                found[f", {entry.client} ({entry.id[:4]})"] = (state.forks.maker_of(other, number), number)
    else:
        return {}
    return {words: moment_of(made, n, agent) for words, (made, n) in found.items()}


def want(moment: Moment, label: str, session: Session, agent: str, pack: Pack, letter: str, repeats: int) -> Wanted:
    """Return what is asked in a variant."""
    model = state.kept(f"lab_model_{pack.id}_{letter}")
    if model not in state.voices.known():
        model = state.voices.cast().voice(agent).model
    opener, fan_out = state.voices.opener(model)
    return Wanted(
        label, moment, texts_of(pack, session, letter), model, opener, repeats,
        state.kept(f"lab_heat_{pack.id}_{letter}"), None, fan_out,
    )  # fmt: skip


def trial_of(wanted: Wanted) -> Trial:
    return Trial(
        wanted.label, wanted.moment, wanted.texts, Named(wanted.model).player, wanted.repeats, max_tokens=wanted.max_tokens
    )


def run(wanted: list[Wanted], agent: str, about: tuple[str, int, str], across: int) -> None:
    """Ask all variants in the background."""
    notes = {}
    for one in wanted:
        heat = usual_heat(one.model, agent) if one.temperature is None else one.temperature
        own = len(lab.changed(one.texts.values()))
        words = "our words" if not own else f"{own} changed"
        notes[one.label] = f"{one.model} · temperature {heat:g} · {words}"
    state.keep("lab_job", state.runs.try_prompts(wanted, agent))
    state.keep("lab_job_of", about)
    state.keep("lab_notes", notes)
    state.keep("lab_across", across)


page()
