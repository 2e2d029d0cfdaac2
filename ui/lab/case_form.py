"""The form of a test case: what is expected of an agent's answer in a moment."""

from __future__ import annotations

from html import escape

import streamlit as st
from pydantic import ValidationError

from magnet_core import lab
from magnet_core.domain import Moment, Session
from magnet_core.errors import MagnetError
from magnet_core.lab import RULES, Case, Rule
from magnet_core.lab.cases import case_id, free_title
from ui import state, theme

NEW, CHANGED = "lab_case", "lab_case_edit"
"""Begin the names of the fields of a new case, and of one that is changed."""
ANY = Rule(kind="one-question")
"""Of a case whose rule is still being written."""


def make_case(moment: Moment, session: Session, number: int, agent: str, own: str) -> None:
    """Draw the form that keeps a moment as a test case; `own` is the session's own raw answer there."""
    place = "the plan" if number == 0 else f"turn {number}"
    usual = f"{theme.title_of(agent)}, {place}"
    with st.popover("Make a test case", icon=":material/rule:", key=NEW, on_change="rerun"):
        st.html('<p class="hint">Keeps this moment, and what is expected of the agent in it.</p>')
        fields(NEW, f"{usual}: what is expected")
        source = f"{session.profile.name}, {place}, session of {session.created:%d %b %Y, %H:%M} UTC"
        case = Case(id=case_id(), title=usual, moment=lab.case_moment(moment), rule=ANY, source=source, own=own)
        st.button("Keep this test case", type="primary", key=f"{NEW}_go", on_click=keep_case, args=(case,))
    if title := state.kept(f"{NEW}_kept"):
        state.forget(f"{NEW}_kept")
        st.html(f'<p class="hint" role="status">Kept: {escape(title)}</p>', width="content")


def fields(stem: str, placeholder: str) -> None:
    """Draw the fields of a case."""
    st.text_input("Name", key=f"{stem}_title", max_chars=120, placeholder=placeholder)
    kind = st.selectbox("The answer", list(RULES), key=f"{stem}_kind", format_func=lambda k: RULES[k])
    if kind in ("contains", "lacks"):
        st.text_input(
            "Words", key=f"{stem}_text", max_chars=400,
            help="Several, with | between them: one of them counts. Capitals and the kind of apostrophe, quotation mark or dash "
            "make no difference.",
        )  # fmt: skip
    elif kind == "judge":
        st.text_area(
            "Question about the answer", key=f"{stem}_question", max_chars=400, height=90,
            placeholder="Does it take up what the client has just said?",
            help="Put to the judge's model of the Models page, with all that the agent was shown. A yes is expected; what cannot be "
            "read is missing, never a yes.",
        )  # fmt: skip
    elif kind == "at-most-words":
        if state.kept(f"{stem}_most") is None:
            state.keep(f"{stem}_most", 60)
        st.number_input("Words at most", 1, 2000, key=f"{stem}_most")


def rule_in(stem: str) -> Rule | None:
    """Return the rule that stands in the fields; None, with a sentence kept, where it is none yet."""
    kind = state.kept(f"{stem}_kind")
    field = {"contains": "text", "lacks": "text", "judge": "question"}.get(kind or "", "")
    try:
        return Rule(
            kind=kind,
            text=state.kept(f"{stem}_{field}") or "" if field else "",
            most=int(state.kept(f"{stem}_most") or 0) if kind == "at-most-words" else 0,
        )
    except ValidationError as error:
        state.say(f"This is no rule yet: {error.errors()[0]['msg'].removeprefix('Value error, ')}.")
        return None


def keep_case(case: Case) -> None:
    """Keep a new case with the rule of the fields, under a name of its own."""
    if (rule := rule_in(NEW)) is None:
        return
    try:
        taken = [other.title for other in state.store().cases.all()]
        title = free_title((state.kept(f"{NEW}_title") or "").strip() or f"{case.title}: {_short(rule)}", taken)
        state.store().cases.save(case.model_copy(update={"title": title, "rule": rule}))
    except MagnetError as error:
        return state.say(str(error))
    state.keep(f"{NEW}_kept", title)
    state.keep(NEW, False)
    state.forget(f"{NEW}_title", f"{NEW}_text", f"{NEW}_question")


def _short(rule: Rule) -> str:
    """Return what is expected in a few words."""
    words = rule.text.strip() if rule.question else rule.told
    return words if len(words) <= 60 else f"{words[:60].rpartition(' ')[0]} …"


def edit_case(case: Case, others: list[str]) -> None:
    """Draw the form that changes what is expected in a case; its moment stays."""
    stem = f"{CHANGED}_{case.id}"
    with st.popover("Edit", icon=":material/edit:", key=stem, on_change="rerun"):
        if state.kept(f"{stem}_kind") is None:
            fill(stem, case)
        fields(stem, case.title)
        st.button("Save the test case", type="primary", key=f"{stem}_go", on_click=change_case, args=(case, stem, others))
        st.html('<p class="hint">Results of before stay, and say that the case has changed.</p>')


def fill(stem: str, case: Case) -> None:
    state.keep(f"{stem}_title", case.title)
    state.keep(f"{stem}_kind", case.rule.kind)
    state.keep(f"{stem}_text", "" if case.rule.question else case.rule.text)
    state.keep(f"{stem}_question", case.rule.question)
    state.keep(f"{stem}_most", case.rule.most or 60)


def retitled(case: Case, rule: Rule) -> str:
    """Return the title of a case whose rule is another now: it follows where it said what was expected before."""
    before = f": {_short(case.rule)}"
    return f"{case.title.removesuffix(before)}: {_short(rule)}" if case.title.endswith(before) else case.title


def change_case(case: Case, stem: str, others: list[str]) -> None:
    if (rule := rule_in(stem)) is None:
        return
    title = (state.kept(f"{stem}_title") or "").strip() or case.title
    if title == case.title:
        title = retitled(case, rule)
    title = free_title(title, others)
    try:
        state.store().cases.save(case.model_copy(update={"title": title, "rule": rule}))
    except MagnetError as error:
        return state.say(str(error))
    state.keep(stem, False)
    state.forget(*(f"{stem}_{field}" for field in ("title", "kind", "text", "question", "most")))
