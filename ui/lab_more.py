"""The lab's test cases and prompt packs: lists, forms, files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, cast

import streamlit as st
from pydantic import ValidationError

from magnet_core import lab
from magnet_core.cast import REHEARSAL
from magnet_core.domain import Moment, Session
from magnet_core.errors import MagnetError
from magnet_core.lab import RULES, Case, Rule, Trial
from magnet_core.models import Chunk, Player, Request
from magnet_core.packs import LARGEST, Pack, case_id, from_file, to_file
from ui import lab as drawn
from ui import state, theme
from ui.bench import Bench, Wanted

OURS = "ours"


def ours() -> Pack:
    return Pack(id=OURS, title="Ours, as shipped")


@dataclass(frozen=True, slots=True)
class Named:
    """Stands for a model where only its name counts, as in an estimate."""

    name: str

    @property
    def player(self) -> Player:
        return Player(self)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        raise NotImplementedError
        yield Chunk()


def priced(models: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return dollars for a million tokens in and out, by model, as far as they are known today."""
    book, today = state.costs.prices(), datetime.now(UTC).date()
    return {name: (price.input, price.output) for name in models if (price := book.on(name, today))}


# Test cases


def make_case(moment: Moment, session: Session, number: int, agent: str) -> None:
    """Draw the form that keeps a moment as a test case."""
    with st.popover("Make a test case", icon=":material/rule:", key="lab_case"):
        st.html('<p class="hint">Keeps this moment, and what is expected of the agent in it.</p>')
        place = "the plan" if number == 0 else f"turn {number}"
        st.text_input("Name", key="lab_case_title", max_chars=120, placeholder=f"{theme.title_of(agent)}, {place}")
        kind = st.selectbox("The answer", list(RULES), key="lab_case_kind", format_func=lambda k: RULES[k])
        if kind in ("contains", "lacks"):
            st.text_input(
                "Words", key="lab_case_text", max_chars=400, help="Several, with | between them: one of them counts."
            )
        elif kind == "judge":
            st.text_area(
                "Question about the answer", key="lab_case_question", max_chars=400, height=90,
                placeholder="Does it take up what the client has just said?",
                help="Put to the judge's model of the Models page. A yes is expected; what cannot be read is missing, never a yes.",
            )  # fmt: skip
        elif kind == "at-most-words":
            st.number_input("Words at most", 1, 2000, 60, key="lab_case_most")
        source = f"{session.profile.name}, {place}, session {session.id}"
        st.button(
            "Keep this test case", type="primary", key="lab_case_go", on_click=keep_case, args=(moment, source, place, agent)
        )
    if title := state.kept("lab_case_kept"):
        state.keep("lab_case_kept", "")
        st.html(f'<p class="hint" role="status">Kept: {escape(title)}</p>', width="content")


def keep_case(moment: Moment, source: str, place: str, agent: str) -> None:
    title = (state.kept("lab_case_title") or "").strip() or f"{theme.title_of(agent)}, {place}"
    kind = state.kept("lab_case_kind")
    try:
        rule = Rule(
            kind=kind,
            text=state.kept(field) or "" if (field := _FIELD_OF.get(kind or "")) else "",
            most=int(state.kept("lab_case_most") or 0) if kind == "at-most-words" else 0,
        )
        case = Case(id=case_id(), title=title, moment=lab.case_moment(moment), rule=rule, source=source)
        state.store().packs.save_case(case)
    except ValidationError as error:
        return state.say(f"This is no rule yet: {error.errors()[0]['msg'].removeprefix('Value error, ')}.")
    except MagnetError as error:
        return state.say(str(error))
    state.keep("lab_case_kept", title)
    state.forget("lab_case_title", "lab_case_text", "lab_case_question")


_FIELD_OF = {"contains": "lab_case_text", "lacks": "lab_case_text", "judge": "lab_case_question"}


def cases() -> Any:
    """Draw all test cases and the run of them against a pack."""
    state.address.show_place(session="", turn="", agent="", attempt="")
    try:
        kept = state.store().packs.cases()
    except MagnetError as error:
        st.warning(theme.plain(str(error)))
        return None
    if not kept:
        st.html(
            '<section class="card"><header><h3>No test case yet</h3></header><p class="says">A test case is a moment of a session and '
            "what is expected of an agent in it, such as one question at most. Make one beside the answers under “Try a prompt”; then "
            "all of them can be run against any pack.</p></section>"
        )
        return None
    choices = {OURS: ours()} | {p.id: p for p in state.prompts.pack_list()}
    job: Bench | None = state.kept("lab_cases_job")
    live = job is not None and job.look().live
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if state.kept("lab_cases_pack") not in choices:
            state.keep("lab_cases_pack", state.kept("lab_pack") if state.kept("lab_pack") in choices else OURS)
        pack = choices[
            st.selectbox(
                "Prompts",
                list(choices),
                key="lab_cases_pack",
                width=220,
                persist_state="session",
                format_func=lambda i: choices[i].title if i in choices else str(i),
            )
        ]
        models = list(state.voices.known())
        if state.kept("lab_cases_model") not in models:
            state.keep("lab_cases_model", state.voices.cast().default.model)
        model = st.selectbox(
            "Model", models, key="lab_cases_model", width=220, persist_state="session",
            format_func=lambda m: "Rehearsal (authored)" if m == REHEARSAL else m,
        )  # fmt: skip
        repeats = int(st.number_input("Answers each", 1, 10, key="lab_cases_repeats", width=120, persist_state="session"))
        opener, fan_out = state.voices.opener(model)
        judge = state.voices.judge_model() or REHEARSAL
        judging, order = state.voices.judge_opener()
        if any(c.rule.question for c in kept) and "one-by-one" in (fan_out, order):
            fan_out = "one-by-one"
        wanted = [
            Wanted(
                c.id, c.moment, pack.texts, model, opener, repeats, fan_out=fan_out, question=c.rule.question,
                judge=judging if c.rule.question else None,
            )
            for c in kept
        ]  # fmt: skip
        if live:
            st.button("Stop", icon=":material/stop:", key="lab_cases_stop", on_click=cast(Bench, job).stop)
        else:
            st.button(
                "Run all", type="primary", icon=":material/play_arrow:", key="lab_cases_go", on_click=run_cases,
                args=(wanted, f"{pack.title}, {model}" + (f", judge {judge}" if any(w.question for w in wanted) else "")),
            )  # fmt: skip
        trials = [
            Trial(w.label, w.moment, w.texts, Named(model).player, repeats, question=w.question, judge=Named(judge).player)
            for w in wanted
        ]
        st.html(drawn.cost_line(lab.cost(trials, priced([model, judge]))), width="content")
        with st.popover("Delete one", icon=":material/delete:", key="lab_cases_delete"):
            for case in kept:
                st.button(
                    theme.plain(f"Delete “{case.title}”"),
                    key=f"lab_case_delete_{case.id}",
                    on_click=delete_case,
                    args=(case.id,),
                )
    if model == REHEARSAL:
        st.html(
            '<p class="remark">The rehearsal cast reads the scene, not the prompt: it answers alike under every pack.</p>'
        )
    if judge == REHEARSAL and any(w.question for w in wanted):
        st.html(
            '<p class="remark">No language model is set as judge on the Models page, so what a judge should say is missing.</p>'
        )
    if job is not None:
        st.html(f'<p class="hint">Last run against: {escape(state.kept("lab_cases_of") or "")}</p>')
    slot = st.empty()
    if job is None:
        slot.html(drawn.case_rows(kept, None))
        return None
    return job, lambda look: drawn.case_rows(kept, look) + drawn.progress(look), slot


def run_cases(wanted: list[Wanted], words: str) -> None:
    state.keep("lab_cases_job", state.runs.try_prompts(wanted))
    state.keep("lab_cases_of", words)


def delete_case(id: str) -> None:
    try:
        state.store().packs.delete_case(id)
    except MagnetError as error:
        state.say(str(error))


# Packs


def packs() -> Any:
    """Draw the packs: what each changes, which one new sessions are made with, and their files."""
    state.address.show_place(session="", turn="", agent="", attempt="")
    st.html(
        '<p class="says">A pack is a set of prompts with a name. It holds only what differs from ours. New sessions of this window are '
        "made with the one in use; a session keeps the words it was made with.</p>"
    )
    used = state.prompts.pack()
    for pack in [ours(), *state.prompts.pack_list()]:
        with st.container(border=True, key=f"lab_pack_{pack.id}", gap="xsmall"):
            row(pack, in_use=pack.id == (used.id if used else OURS))
    with st.container(border=True, key="lab_import"):
        file = st.file_uploader("Import a pack", type="json", key="lab_file", max_upload_size=2)
        if file is not None:
            st.button("Import it", type="primary", key="lab_import_go", on_click=take_in, args=(file.getvalue(),))
        for line in state.kept("lab_import_report") or ():
            st.html(f'<p class="remark" role="status">{escape(line)}</p>')
    return None


def row(pack: Pack, *, in_use: bool) -> None:
    changed = [drawn.name_of(p.name) for p in pack.prompts]
    changed += [f"judges' prompts ({len(pack.judges)})"] if pack.judges else []
    words = f"Changes: {', '.join(changed)} · hash {pack.sha}" if changed else "Nothing differs from ours."
    badge = ' <b class="badge">In use for new sessions</b>' if in_use else ""
    st.html(f'<p class="says"><b>{escape(pack.title)}</b>{badge}</p><p class="hint">{escape(words)}</p>')
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Use for new sessions", icon=":material/check:", key=f"lab_use_{pack.id}", disabled=in_use, on_click=state.sessions.use_pack,
            args=("" if pack.id == OURS else pack.id,),
        )  # fmt: skip
        st.download_button(
            "Export", to_file(pack), f"prompts-{pack.id}.json", "application/json", key=f"lab_export_{pack.id}",
            icon=":material/download:", on_click="ignore", disabled=not changed,
        )  # fmt: skip
        if pack.id != OURS:
            with st.popover("Delete", icon=":material/delete:", key=f"lab_delete_{pack.id}"):
                st.markdown("Sessions made with it keep their words.")
                st.button("Delete it now", key=f"lab_delete_now_{pack.id}", on_click=delete, args=(pack.id,))


def take_in(data: bytes) -> None:
    """Keep the pack of a file; what was left out is said."""
    try:
        if len(data) > 4 * LARGEST:
            raise ValueError
        title, texts, left = from_file(data.decode("utf-8-sig"))
        pack = state.store().packs.new(title, texts, "Imported")
    except ValueError:
        return state.say("The file is not a text in UTF-8, so it is no prompt pack.")
    except MagnetError as error:
        return state.say(str(error))
    count = len(pack.prompts) + len(pack.judges)
    told = f"“{pack.title}” is here: {count} prompt{'' if count == 1 else 's'} that differ{'s' if count == 1 else ''} from ours."
    state.keep("lab_import_report", [told, *left])


def delete(id: str) -> None:
    try:
        state.store().packs.delete(id)
    except MagnetError as error:
        state.say(str(error))
    if state.kept("pack") == id:
        state.sessions.use_pack("")
