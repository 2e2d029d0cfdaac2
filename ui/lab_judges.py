"""Judges' prompts in the lab: the words a judge is told about one question, changed, compared, kept in packs, and tried."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, cast

import streamlit as st

from magnet_core import lab
from magnet_core.cast import REHEARSAL
from magnet_core.domain import Moment, Prompt, Session
from magnet_core.errors import MagnetError, PromptError
from magnet_core.packs import Pack, Version
from magnet_core.scoring import wordings
from magnet_core.scoring.instruments import Sheet, sheets
from magnet_core.scoring.judge import JUDGE, Question
from magnet_core.scoring.wordings import JudgeTrial
from ui import lab as drawn
from ui import state, theme
from ui.bench import Bench, Wanted
from ui.judging import KNOWN, MOST, line_of
from ui.lab_more import OURS, Named, ours, priced

LETTERS = "ABCD"
_PARTS = {
    "system": "What opens each request",
    "single": "How to answer about one question",
    "together": "How to answer about all words at once",
    "again": "Said when an answer could not be used",
    "task": "Task",
    "scale": "What the points of the scale mean",
}


def judges() -> Any:
    """Draw the bench for judges' prompts; return the job to look at, how to draw it, and the place for it."""
    state.address.show_place(session="", turn="", agent="", attempt="")
    lines = {entry.id: line_of(entry) for entry in state.sessions.recent(MOST) if entry.turns}
    found = dict(sheets()) | {rubric.id: rubric.sheet for rubric in state.scores.rubrics()}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.selectbox(
            "Instrument", list(found), key="lab_judge", width=260, persist_state="session",
            format_func=lambda n: KNOWN.get(n) or (found[n].title if n in found else str(n)),
        )  # fmt: skip
        sheet = found[name]
        items = {item.key: item for item in sheet.items}
        keys = tuple(items)
        if not sheet.together:
            keys = (
                st.selectbox(
                    "Question", list(items), key=f"lab_judge_{name}", width=260, persist_state="session",
                    format_func=lambda k: items[k].title if k in items else k,
                ),
            )  # fmt: skip
        id = st.selectbox(
            "Session", list(lines), key="lab_judge_session", width=380, format_func=lambda i: lines.get(i) or str(i),
            persist_state="session",
        ) if lines else None  # fmt: skip
        packs = {OURS: ours()} | {p.id: p for p in state.prompts.pack_list()}
        if state.kept("lab_judge_pack") not in packs:
            state.keep("lab_judge_pack", OURS)
        pack = packs[
            st.selectbox(
                "Prompts", list(packs), key="lab_judge_pack", width=210, persist_state="session",
                format_func=lambda i: packs[i].title if i in packs else str(i),
            )
        ]  # fmt: skip
    names = wordings.told_in(sheet, keys)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        letter = edit(pack, sheet, names)
    with right:
        session = state.sessions.stored(id) if id else None
        return beside(pack, sheet, keys, names, session, letter)


def key_of(pack: Pack, letter: str, name: str) -> str:
    return f"labjudge_{pack.id}_{letter}_{name}"


def letters(pack: Pack) -> str:
    return LETTERS[: int(state.kept(f"lab_judge_count_{pack.id}") or 1)]


def texts_of(pack: Pack, letter: str) -> dict[str, Prompt]:
    """Return all judges' texts of a variant: the pack's, with what stands in the fields."""
    return {
        name: prompt
        if (text := state.kept(key_of(pack, letter, name))) is None
        else prompt.model_copy(update={"system": text})
        for name, prompt in pack.judge_texts.items()
    }


def fill(pack: Pack, letter: str, own: Iterable[Prompt]) -> None:
    for prompt in own:
        state.keep(key_of(pack, letter, prompt.name), prompt.system)


def title_of(name: str) -> str:
    """Return a text's name for the screen."""
    family, _, part = name.partition("/")
    known = {item.key: item.title for sheet in sheets().values() for item in sheet.items}
    shared = ", shared by all instruments" if family == wordings.FRAME else ""
    return (_PARTS.get(part) or f"Question: {known.get(part, part)}") + shared


# The variants


def edit(pack: Pack, sheet: Sheet, names: list[str]) -> str:
    """Draw the fields of one variant at a time; return its letter."""
    picked, there = f"lab_judge_letter_{pack.id}", letters(pack)
    if state.kept(picked) not in list(there):
        state.keep(picked, "A")
    with st.container(key="lab_judge_edit", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            letter = cast(str, st.segmented_control(
                "Variant", list(there), required=True, key=picked, format_func=lambda x: f"Variant {x}",
                label_visibility="collapsed", persist_state="session",
            ) or "A")  # fmt: skip
            st.button(
                "Add variant", icon=":material/add:", key="lab_judge_add", on_click=add_variant, args=(pack, letter),
                disabled=len(there) >= len(LETTERS), help="Begins with the words of the variant at hand.",
            )  # fmt: skip
            st.button(
                "", icon=":material/remove:", key="lab_judge_drop", on_click=drop_variant, args=(pack,),
                disabled=len(there) < 2, help="Take the last variant away",
            )  # fmt: skip
        st.html(badges(pack, texts_of(pack, letter), names), width="content")
        for name in names:
            key = key_of(pack, letter, name)
            if state.kept(key) is None:
                state.keep(key, pack.judge_texts[name].system)
            height = 260 if name == "judge/system" else 190 if len(pack.judge_texts[name].system) > 250 else 110
            st.text_area(title_of(name), key=key, height=height, persist_state="session", max_chars=20_000)
        if not sheet.wordings or sheet.instrument not in KNOWN:
            words = "An own rubric's question is written on the Scores page."
            st.html(f'<p class="hint">{words if sheet.instrument not in KNOWN else "The words to be rated are fixed."}</p>')
        texts = texts_of(pack, letter)
        found = [(name, remark) for name in names for remark in wordings.lint(texts[name])]
        if found:
            st.html(remarks(found))
        buttons(pack, letter, names, texts, any(remark.kind == "error" for _, remark in found))
    return letter


def badges(pack: Pack, texts: dict[str, Prompt], names: list[str]) -> str:
    marks = [f'<b class="badge">{escape(title_of(n))}: changed from ours</b>' for n in names if wordings.changed([texts[n]])]
    marks += [f'<b class="badge new">{escape(title_of(n))}: not saved</b>' for n in names if texts[n] != pack.judge_texts[n]]
    return f'<div class="chips">{"".join(marks) or "<span class=hint>These are our words, unchanged.</span>"}</div>'


def remarks(found: list[tuple[str, lab.Remark]]) -> str:
    rows = "".join(
        f'<p class="flag{" risk" if r.kind == "error" else ""}"><b>{escape(title_of(name))}</b>: {escape(r.text)}</p>'
        for name, r in found
    )
    return f'<div class="lab" role="status">{rows}</div>'


def add_variant(pack: Pack, letter: str) -> None:
    new = LETTERS[len(letters(pack))]
    fill(pack, new, texts_of(pack, letter).values())
    for what in ("model", "heat"):
        state.keep(f"lab_judge_{what}_{pack.id}_{new}", state.kept(f"lab_judge_{what}_{pack.id}_{letter}"))
    state.keep(f"lab_judge_count_{pack.id}", len(letters(pack)) + 1)
    state.keep(f"lab_judge_letter_{pack.id}", new)


def drop_variant(pack: Pack) -> None:
    last = letters(pack)[-1]
    state.forget(*(key_of(pack, last, name) for name in pack.judge_texts))
    state.keep(f"lab_judge_count_{pack.id}", len(letters(pack)) - 1)
    state.keep(f"lab_judge_letter_{pack.id}", letters(pack)[-1])


def buttons(pack: Pack, letter: str, names: list[str], texts: dict[str, Prompt], broken: bool) -> None:
    """Draw what can be done with a variant: keep it, or go back to ours."""
    new = pack.id == OURS
    fresh = any(texts[n] != prompt for n, prompt in pack.judge_texts.items())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover("Save", icon=":material/save:", key="lab_judge_save", disabled=broken or not fresh):
            if new:
                st.text_input("Name of the new pack", key="lab_judge_save_title", max_chars=80, placeholder="My prompts")
            st.text_input(
                "What has changed, and why", key="lab_judge_save_note", max_chars=200, placeholder="May stay empty"
            )
            where = "as a new pack" if new else f"as a version in “{theme.plain(pack.title)}”"
            st.button(
                f"Save variant {letter} {where}", type="primary", key="lab_judge_save_go", on_click=save, args=(pack, letter)
            )
        st.button(
            "Reset to ours", icon=":material/undo:", key="lab_judge_reset", on_click=reset, args=(pack, letter, names),
            disabled=not wordings.changed(texts[n] for n in names),
        )  # fmt: skip
    if title := state.kept("lab_judge_saved"):
        state.keep("lab_judge_saved", "")
        words = f"Saved in “{title}”. The Scores page rates with it where it is chosen under “What to score”."
        st.html(f'<p class="remark" role="status">{escape(words)}</p>')


def save(pack: Pack, letter: str) -> None:
    """Keep a variant: as new versions in its pack, or in a new pack where the words were ours."""
    texts = texts_of(pack, letter)
    note = state.kept("lab_judge_save_note") or ""
    try:
        if pack.id == OURS:
            made = state.store().packs.new(state.kept("lab_judge_save_title") or "", texts.values(), note)
            fill(pack, letter, pack.judge_texts.values())
            state.keep("lab_judge_pack", made.id)
        else:
            made = state.store().packs.save(pack.id, list(texts.values()), note)
            fill(made, "A", texts.values())
    except MagnetError as error:
        return state.say(str(error))
    state.forget("lab_judge_save_note", "lab_judge_save_title")
    state.keep(f"lab_judge_letter_{made.id}", "A")
    state.keep("lab_judge_saved", made.title)


def reset(pack: Pack, letter: str, names: list[str]) -> None:
    """Put our words back; where a pack holds others, ours are their next version, so that nothing is lost."""
    back = [wordings.texts()[name] for name in names]
    fill(pack, letter, back)
    if pack.id != OURS:
        keep_in(pack, back, "Back to ours")


def restore(pack: Pack, version: Version) -> None:
    """Make an earlier version the newest one, in the field as well."""
    keep_in(pack, [version.prompt], f"Version {version.number} restored")
    fill(pack, "A", [version.prompt])
    state.keep(f"lab_judge_letter_{pack.id}", "A")


def keep_in(pack: Pack, texts: list[Prompt], note: str) -> None:
    try:
        state.store().packs.save(pack.id, texts, note)
    except MagnetError as error:
        state.say(str(error))


# What stands beside


def beside(pack: Pack, sheet: Sheet, keys: tuple[str, ...], names: list[str], session: Session | None, letter: str) -> Any:
    """Draw answers, the request as it is sent, and what differs; one at a time."""
    titles = ["Answers", "As sent", "What differs"]
    tabs = dict(zip(titles, st.tabs(titles, key="lab_judge_tab", on_change="rerun"), strict=True))
    if tabs["What differs"].open:
        with tabs["What differs"]:
            differs(pack, letter, names)
    if session is None:
        with tabs["Answers"]:
            st.html(
                '<p class="hint">With a session in the library, the request is shown as it is sent, and can be tried.</p>'
            )
        return None
    if tabs["As sent"].open:
        with tabs["As sent"]:
            try:
                told = wordings.reworded(sheet, texts_of(pack, letter).values())
                st.html(
                    f'<p class="hint">Hash of the instrument in these words: {escape(told.sha)}'
                    f"{'' if told.sha == sheet.sha else f', ours {escape(sheet.sha)}'}. Every scorecard names the hash it was rated with.</p>"
                )
                st.html(drawn.asked([(m, [lab.Stretch(m.content)]) for m in question(told, keys, session).messages]))
            except PromptError as error:
                st.html(f'<p class="flag risk">{escape(str(error))}</p>')
    if not tabs["Answers"].open:
        return None
    with tabs["Answers"]:
        return answers(pack, sheet, keys, session, letter)


def question(sheet: Sheet, keys: tuple[str, ...], session: Session) -> JudgeTrial:
    """Return the trial of some items, for its request."""
    return trial(Question(sheet, tuple(i for i in sheet.items if i.key in keys), session), "", "")


def trial(asked: Question, label: str, model: str, repeats: int = 1) -> JudgeTrial:
    moment = Moment(agent=JUDGE, session=asked.session)
    return JudgeTrial(label, moment, {}, Named(model).player, repeats, asked=asked)


def differs(pack: Pack, letter: str, names: list[str]) -> None:
    """Draw a variant beside ours, what is saved, another variant, or an earlier version, which can be restored."""
    texts = texts_of(pack, letter)
    choices: dict[str, tuple[str, dict[str, Prompt]]] = {"ours": ("Ours", wordings.texts())}
    versions: dict[str, Version] = {}
    if pack.id != OURS:
        choices["saved"] = (f"“{pack.title}” as saved", pack.judge_texts)
    for other in letters(pack):
        if other != letter:
            choices[f"variant {other}"] = (f"Variant {other}", texts_of(pack, other))
    if pack.id != OURS:
        try:
            for name in names:
                for v in state.store().packs.versions(pack.id, name):
                    key = f"{name} {v.number}"
                    note = f", {v.note}" if v.note else ""
                    title = f"{title_of(name)}, version {v.number} of {v.created:%d %b, %H:%M}{note}"
                    versions[key] = v
                    choices[key] = (title, texts | {name: v.prompt})
        except MagnetError as error:
            st.warning(theme.plain(str(error)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            f"Variant {letter} against", list(choices), key=f"lab_judge_against_{pack.id}",
            format_func=lambda k: choices[k][0] if k in choices else str(k), width=420,
        )  # fmt: skip
        if found := versions.get(chosen):
            st.button(
                "Restore this version", icon=":material/history:", key="lab_judge_restore", on_click=restore,
                args=(pack, found), help="It becomes the newest version; those between stay.",
            )  # fmt: skip
    old = choices[chosen][1]
    cards = "".join(
        f'<section class="card"><header><h3>{escape(title_of(name))}</h3></header>'
        f'<p class="words compare">{drawn.diff(old[name].system, texts[name].system)}</p></section>'
        for name in names
        if old[name].system != texts[name].system
    )
    st.html(f'<div class="lab">{cards or "<p class=hint>Not a word differs.</p>"}</div>')


def answers(pack: Pack, sheet: Sheet, keys: tuple[str, ...], session: Session, letter: str) -> Any:
    """Draw the run of all variants on one question, and what came of the last one."""
    models = [name for name in state.voices.known() if name != REHEARSAL]
    if not models:
        st.html(
            '<p class="remark">The rehearsal cast is authored and cannot rate. Set a language model on the Models page to try this.</p>'
        )
        return None
    voice(pack, letter, models)
    job: Bench | None = state.kept("lab_judge_job")
    live = job is not None and job.look().live
    about = (session.id, sheet.instrument, keys)
    items = tuple(item for item in sheet.items if item.key in keys)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_judge_run"):
        repeats = int(st.number_input("Answers each", 1, 20, key="lab_judge_repeats", width=120, persist_state="session"))
        wanted: list[Wanted] = []
        broken = ""
        for one in letters(pack):
            try:
                if any(r.kind == "error" for p in texts_of(pack, one).values() for r in wordings.lint(p)):
                    raise PromptError("A prompt with errors is not sent.")
                told = wordings.reworded(sheet, texts_of(pack, one).values())
                wanted.append(want(pack, one, Question(told, items, session), models, repeats))
            except PromptError as error:
                broken = f"Variant {one}: {error}"
        if live:
            st.button("Stop", icon=":material/stop:", key="lab_judge_stop", on_click=cast(Bench, job).stop)
        else:
            words = "Run" if len(wanted) < 2 else f"Run {len(wanted)} variants"
            st.button(
                words, type="primary", icon=":material/play_arrow:", key="lab_judge_go", on_click=run, args=(wanted, about),
                disabled=bool(broken),
            )  # fmt: skip
        cost = lab.cost(
            [trial(cast(Question, w.rates), w.label, w.model, repeats) for w in wanted], priced([w.model for w in wanted])
        )
        st.html(drawn.cost_line(cost), width="content")
    if broken:
        st.html(f'<p class="hint">{escape(broken)}</p>')
    slot = st.empty()
    if job is None or state.kept("lab_judge_of") != about:
        slot.html('<p class="hint">Scores that are tried here are shown beside each other and kept nowhere.</p>')
        return None
    notes: dict[str, str] = state.kept("lab_judge_notes") or {}
    return job, lambda look: drawn.results(look, notes, len(look.labels)), slot


def voice(pack: Pack, letter: str, models: list[str]) -> None:
    """Draw which model judges in a variant, and how freely."""
    key, now = f"lab_judge_model_{pack.id}_{letter}", state.voices.judge_model()
    if state.kept(key) not in models:
        state.keep(key, now if now in models else models[0])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(f"Model of variant {letter}", models, key=key, persist_state="session", width=230)
        st.number_input(
            "Temperature", 0.0, 2.0, value=None, step=0.1, key=f"lab_judge_heat_{pack.id}_{letter}", persist_state="session",
            width=150, placeholder="Usual", help="Empty: the one a judge has, 0 for one answer and 0.7 for several.",
        )  # fmt: skip


def want(pack: Pack, letter: str, asked: Question, models: list[str], repeats: int) -> Wanted:
    model = state.kept(f"lab_judge_model_{pack.id}_{letter}")
    if model not in models:
        model = state.voices.judge_model() if state.voices.judge_model() in models else models[0]
    opener, fan_out = state.voices.opener(model)
    return Wanted(
        f"Variant {letter}", Moment(agent=JUDGE, session=asked.session), {}, model, opener, repeats,
        state.kept(f"lab_judge_heat_{pack.id}_{letter}"), None, fan_out, rates=asked,
    )  # fmt: skip


def run(wanted: list[Wanted], about: tuple[str, str, tuple[str, ...]]) -> None:
    """Ask all variants in the background."""
    state.keep("lab_judge_job", state.runs.try_prompts(wanted, JUDGE))
    state.keep("lab_judge_of", about)
    state.keep("lab_judge_notes", {w.label: f"{w.model} · hash {cast(Question, w.rates).sheet.sha}" for w in wanted})
