"""Test cases of the lab: run against one pack or two beside each other, changed, deleted, and taken in and out as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import streamlit as st

from magnet_core.errors import MagnetError, PromptError
from magnet_core.lab import Case, wordings
from magnet_core.lab.cases import LARGEST, Result, from_file, to_file
from magnet_core.models import REHEARSAL
from magnet_core.packs import Pack
from ui import state, theme
from ui.engine.bench import Bench, Look, Wanted
from ui.lab import address
from ui.lab.answers import progress
from ui.lab.case_form import edit_case
from ui.lab.case_table import Column, table
from ui.lab.costs import cost_line, estimate, limit_line, used_line
from ui.lab.desk import OURS, all_packs
from ui.lab.moment import scene_of
from ui.lab.runs import Watched
from ui.links import SESSION_PAGE, link

NONE = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """Against what the cases are run, and by whom they are judged."""

    columns: tuple[Column, ...]
    model: str
    """By the name it is listed under."""
    repeats: int
    judge: str
    """The judge's model."""
    words: Pack
    """The pack whose words the judge is told."""


def arrive() -> None:
    """Take up which packs the address asks for."""
    asked = address.asked()
    if asked["pack"]:
        state.keep("lab_cases_pack", asked["pack"])
        state.keep("lab_cases_beside", asked["beside"])


def cases() -> Watched | None:
    """Draw all test cases and the run of them; return the job to look at, how to draw it, and the place for it."""
    try:
        kept, results = state.store().cases.all(), state.store().cases.results()
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return None
    undo_line()
    if not kept:
        address.show("cases")
        return nothing_yet()
    setting = choose()
    packs = [column.pack.id for column in setting.columns]
    address.show("cases", pack=packs[0], beside="".join(packs[1:]))
    actions(kept, setting)
    remarks(kept, setting)
    shown = [with_own(case) for case in kept]
    job: Bench | None = state.kept("lab_cases_job")
    slot = st.empty()
    if job is None:
        slot.html(table(shown, setting.columns, results, None) + used_last(results))
        return None

    def draw(look: Look) -> str:
        return table(shown, setting.columns, results, look) + progress(look) + ("" if look.live else used_line(look.samples))

    return job, draw, slot


def nothing_yet() -> None:
    """Say what will be here, and where it begins."""
    st.html(
        '<section class="card"><header><h3>No test case yet</h3></header><p class="says">A test case is a moment of a session and '
        "what is expected of an agent in it, such as one question at most. Make one beside the answers under “Try a prompt”; then "
        "all of them can be run against any pack.</p></section>"
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if any(entry.turns for entry in state.sessions.recent(1)):
            st.button(
                "Try a prompt",
                icon=":material/edit_note:",
                key="lab_cases_begin",
                on_click=state.keep,
                args=("lab_view", "bench"),
            )
        else:
            st.html('<p class="hint">It begins with a session; its first turn is enough.</p>', width="content")
            link(SESSION_PAGE, "To the session", ":material/forum:")
        files([])


def with_own(case: Case) -> Case:
    """Return a case with the session's own answer; one of an earlier version has none, so it is looked up where that is kept."""
    moment = case.moment
    if case.own or case.rule.question:
        return case
    try:
        session = state.store().session(moment.session.id)
    except MagnetError:
        return case
    if moment.turn > len(session.turns):
        return case
    call = scene_of(session, moment.turn, moment.agent, "", len(moment.objections) + 1).call
    return case.model_copy(update={"own": call.output if call else ""})


def used_last(results: Sequence[Result]) -> str:
    """Return what the answers of the last run took that are kept; empty where only the rehearsal cast spoke."""
    newest = max((result.created for result in results), default=None)
    line = used_line([sample for result in results if result.created == newest for sample in result.samples])
    return f'<p class="hint">The run of {newest:%d %b %Y, %H:%M} UTC:</p>{line}' if line else ""


# Against what


def choose() -> Setting:
    """Draw against which packs, with which model and how often cases are run."""
    packs = all_packs()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if state.kept("lab_cases_pack") not in packs:
            state.keep("lab_cases_pack", state.kept("lab_pack") if state.kept("lab_pack") in packs else OURS)
        first = _pack("Prompts", "lab_cases_pack", {id: p.title for id, p in packs.items()})
        others = {NONE: "None"} | {id: p.title for id, p in packs.items() if id != first}
        if state.kept("lab_cases_beside") not in others:
            state.keep("lab_cases_beside", NONE)
        second = _pack("Beside it", "lab_cases_beside", others)
        model = _model()
        repeats = int(st.number_input("Answers each", 1, 10, key="lab_cases_repeats", width=120, persist_state="session"))
        words = _judges_words(packs)
    chosen = [packs[id] for id in (first, second) if id]
    called = state.voices.called(model).model
    return Setting(
        tuple(Column(pack, called) for pack in chosen), model, repeats, state.voices.judge_model() or REHEARSAL, words
    )


def _pack(label: str, key: str, there: dict[str, str]) -> str:
    return st.selectbox(
        label, list(there), key=key, width=210, persist_state="session", format_func=lambda i: there.get(i, str(i))
    )


def _model() -> str:
    models = list(state.voices.choices())
    if not state.kept("lab_cases_model"):
        state.keep("lab_cases_model", state.voices.name_of(state.voices.cast().default))
    now = state.kept("lab_cases_model")
    return st.selectbox(
        "Model", models if now in models else [*models, now], key="lab_cases_model", width=210, persist_state="session",
        format_func=lambda m: "Rehearsal (authored)" if m == REHEARSAL else m, accept_new_options=state.voices.has_server(),
    ) or REHEARSAL  # fmt: skip


def _judges_words(packs: dict[str, Pack]) -> Pack:
    """Draw whose words the judge is told, where a pack holds others than ours."""
    own = {id: p for id, p in packs.items() if any(name.name.startswith(f"{wordings.CASES}/") for name in p.judges)}
    if not own:
        return packs[OURS]
    there = {OURS: packs[OURS]} | own
    if state.kept("lab_cases_words") not in there:
        state.keep("lab_cases_words", OURS)
    return there[_pack("Judge's prompts", "lab_cases_words", {id: p.title for id, p in there.items()})]


def remarks(kept: Sequence[Case], setting: Setting) -> None:
    if setting.model == REHEARSAL:
        st.html(
            '<p class="remark">The rehearsal cast reads the scene, not the prompt: it answers alike under every pack.</p>'
        )
    if setting.judge == REHEARSAL and any(case.rule.question for case in kept):
        st.html(
            '<p class="remark">No language model is set as judge on the Models page, so what a judge should say is missing.</p>'
        )


# What can be done


def actions(kept: Sequence[Case], setting: Setting) -> None:
    """Draw what can be done with all cases, and with the one that is chosen."""
    there = {case.id: case for case in kept}
    job: Bench | None = state.kept("lab_cases_job")
    live = job is not None and job.look().live
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_cases_bar"):
        if live and job:
            st.button("Stop", icon=":material/stop:", key="lab_cases_stop", on_click=job.stop)
        else:
            words = "Run all" if len(kept) == 1 else f"Run all {len(kept)}"
            st.button(
                words, type="primary", icon=":material/play_arrow:", key="lab_cases_go", on_click=run, args=(kept, setting)
            )
        taken = estimate(wants(kept, setting), setting.judge)
        st.html(cost_line(taken), width="content")
    limit_line(taken, [setting.columns[0].model, *([setting.judge] if any(case.rule.question for case in kept) else [])])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_cases_one"):
        if state.kept("lab_cases_case") not in there:
            state.keep("lab_cases_case", next(iter(there)))
        case = there[
            st.selectbox(
                "One test case", list(there), key="lab_cases_case", width=380, persist_state="session",
                format_func=lambda i: there[i].title if i in there else str(i),
            )
        ]  # fmt: skip
        st.button(
            "Run this one",
            icon=":material/play_arrow:",
            key="lab_cases_run_one",
            on_click=run,
            args=([case], setting),
            disabled=live,
        )
        edit_case(case, [other.title for other in kept if other.id != case.id])
        st.button("Delete", icon=":material/delete:", key="lab_case_delete", on_click=delete, args=(case,))
        files(kept)


def delete(case: Case) -> None:
    try:
        state.store().cases.delete(case.id)
    except MagnetError as error:
        return state.say(str(error))
    state.keep("lab_case_gone", case)


def undo_line() -> None:
    """Draw the way back from what was deleted last, and what an import brought."""
    if gone := state.kept("lab_case_gone"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<p class="remark" role="status">“{escape(gone.title)}” is deleted.</p>', width="content")
            st.button("Undo", icon=":material/undo:", key="lab_case_undo", on_click=bring_back, args=(gone,))
    for line in state.kept("lab_cases_report") or ():
        st.html(f'<p class="remark" role="status">{escape(line)}</p>')
    state.forget("lab_cases_report")


def bring_back(case: Case) -> None:
    try:
        state.store().cases.save(case)
    except MagnetError as error:
        return state.say(str(error))
    state.forget("lab_case_gone")


# The run


def wants(wanted: Sequence[Case], setting: Setting) -> list[Wanted]:
    """Return what the cases ask."""
    opener, fan_out = state.voices.opener(setting.model)
    judging, order = state.voices.judge_opener()
    if any(case.rule.question for case in wanted) and "one-by-one" in (fan_out, order):
        fan_out = "one-by-one"
    told = wordings.case_words(setting.words.judges)
    return [
        Wanted(
            column.label(case), case.moment, column.pack.texts, column.model, opener, setting.repeats, fan_out=fan_out,
            question=case.rule.question, judge=judging if case.rule.question else None, judge_words=told,
        )
        for case in wanted
        for column in setting.columns
    ]  # fmt: skip


def run(wanted: Sequence[Case], setting: Setting) -> None:
    """Ask what the cases ask in the background; what comes of it is kept as soon as it is whole."""
    state.forget("lab_case_gone")
    state.keep("lab_cases_job", state.runs.try_prompts(wants(wanted, setting), "", keeping(wanted, setting)))


def keeping(wanted: Sequence[Case], setting: Setting) -> Callable[[Look], None]:
    """Return what keeps the results of a run; those of cases that were broken off are not kept."""
    cases_kept = state.store().cases
    judge = setting.judge + (f", {setting.words.title}" if setting.words.id != OURS else "")

    def keep(look: Look) -> None:
        now = datetime.now(UTC)
        cases_kept.save_results(
            Result(
                case=case.id, rule=case.rule, pack=column.pack.id, title=column.pack.title, sha=column.pack.sha,
                model=column.model, judge=judge if case.rule.question else "", created=now, samples=tuple(own),
            )
            for case in wanted
            for column in setting.columns
            if len(own := look.of(column.label(case))) == setting.repeats
        )  # fmt: skip

    return keep


# Files


def files(kept: Sequence[Case]) -> None:
    """Draw the file of all cases, and the way in for one."""
    with st.popover("Files", icon=":material/folder:", key="lab_cases_files", on_change="rerun"):
        if kept:
            st.download_button(
                "Export all test cases", to_file(kept), "test-cases.json", "application/json", key="lab_cases_export",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        file = st.file_uploader("Import test cases", type="json", key="lab_cases_file", max_upload_size=20)
        if file is not None:
            st.button("Import them", type="primary", key="lab_cases_import", on_click=take_in, args=(file.getvalue(),))


def take_in(data: bytes) -> None:
    """Keep the cases of a file; what was left out is said."""
    try:
        if len(data) > 4 * LARGEST:
            raise PromptError("The file is too large for test cases.")
        found, left = from_file(data.decode("utf-8-sig"), state.store().cases.all())
        for case in reversed(found):
            state.store().cases.save(case)
    except UnicodeDecodeError:
        return state.say("The file is not a text in UTF-8, so it holds no test cases.")
    except MagnetError as error:
        return state.say(str(error))
    came = f"{len(found)} test case{'' if len(found) == 1 else 's'} came in."
    state.keep("lab_cases_report", [came, *left])
    state.keep("lab_cases_files", False)
