"""The form in which a client is written: a section at a time, with hints beside the fields; what is typed is kept at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import streamlit as st

from magnet_core.domain import Attitude, CbtTechnique
from magnet_core.hints import Hint
from magnet_core.profile_fields import Field, fields
from ui import care, state, theme
from ui.client import clients
from ui.client.clients import SECTIONS, Edit

EDITS = "clients_edits"
"""Where this browser session keeps the clients that are being written, by key."""


def edits() -> dict[str, Edit]:
    """Return the clients that are being written in this browser session, saved or not, by key."""
    return state.kept(EDITS, {})


def keep(edit: Edit) -> None:
    state.keep(EDITS, edits() | {edit.key: edit})


def forget(key: str) -> None:
    state.keep(EDITS, {own: edit for own, edit in edits().items() if own != key})


def draw(edit: Edit, hints: Sequence[Hint], habits: Sequence[str], amiss: str) -> None:
    """Draw the section of the form that is open; `amiss` is what kept the client from being saved."""
    if not state.kept("clients_section"):
        state.keep("clients_section", "Person")
    section = st.segmented_control(
        "Section of the form", list(SECTIONS), required=True, key="clients_section", label_visibility="collapsed",
        persist_state="session", format_func=lambda s: SECTIONS[s],
    )  # fmt: skip
    care.panel(edit.typed())
    if amiss:
        st.html(f'<p class="flag risk" role="alert">{escape(amiss)}</p>')
    own = [field for field in fields().values() if field.section == section and field.name != "source"]
    for seen_by in clients.MARKS:
        group = [field for field in own if clients.sight(field.name) == seen_by]
        if group:
            why = clients.MARKS[seen_by][1]
            st.html(f'<div class="whose">{clients.mark(seen_by)}<span class="hint">{escape(why)}</span></div>')
            _group(edit, group, hints, habits)


def _group(edit: Edit, group: Sequence[Field], hints: Sequence[Hint], habits: Sequence[str]) -> None:
    """Draw fields under each other, the short ones in pairs."""
    short = [field for field in group if field.name in clients.ONE_LINE or field.kind == "number"]
    waiting: list[Field] = []
    for field in group:
        if field in short:
            waiting.append(field)
        if waiting and (field not in short or len(waiting) == 2 or field is group[-1]):
            for column, one in zip(st.columns(2), waiting, strict=False):
                with column:
                    _field(edit, one, habits)
                    _beside(edit, hints, one)
            waiting = []
        if field not in short:
            _field(edit, field, habits)
            _beside(edit, hints, field)


def _beside(edit: Edit, hints: Sequence[Hint], field: Field) -> None:
    if html := clients.beside(hints, field.name):
        st.html(html)


def _field(edit: Edit, field: Field, habits: Sequence[str]) -> None:
    """Draw one field."""
    name, key = field.name, f"client_{edit.key}_{field.name}"
    value, hint = edit.values.get(name), clients.EXAMPLES.get(name)
    if name == "attitude":
        st.segmented_control(
            "How the client meets the counselling", list(Attitude), default=Attitude(str(value or Attitude.NEUTRAL)),
            required=True, key=key, format_func=lambda a: theme.ATTITUDES[a], on_change=_take, args=(edit.key, name, key, str),
        )  # fmt: skip
    elif name == "attitude_instruction":
        _instruction(edit, field)
    elif name == "calls_for":
        _choose(edit, field, key, [t.value for t in CbtTechnique], own=False)
    elif name == "conceptualisation.distortions":
        _choose(edit, field, key, habits, own=True)
    elif field.kind == "number":
        low, high, step = (5, 120, 1) if name == "intake.age" else (0, 100, 5)
        st.number_input(
            field.title if name == "intake.age" else f"{field.title} (0 to 100)", low, high,
            value if isinstance(value, int) else None, step, key=key, on_change=_take, args=(edit.key, name, key, None),
        )  # fmt: skip
    elif field.kind == "list":
        st.text_area(
            f"{field.title} (one a line)", "\n".join(value) if isinstance(value, tuple) else "", height=104, key=key,
            placeholder=hint, on_change=_take, args=(edit.key, name, key, str.splitlines),
        )  # fmt: skip
    elif name in clients.ONE_LINE:
        st.text_input(
            field.title, str(value or ""), key=key, placeholder=hint, on_change=_take, args=(edit.key, name, key, None)
        )
    else:
        height = 160 if name == "intake.presenting_problem" else 104 if name.startswith("intake.") else 76
        st.text_area(
            field.title, str(value or ""), height=height, key=key, placeholder=hint, on_change=_take,
            args=(edit.key, name, key, None),
        )  # fmt: skip


def _choose(edit: Edit, field: Field, key: str, options: Sequence[str], *, own: bool) -> None:
    value = edit.values.get(field.name)
    chosen = list(value) if isinstance(value, tuple) else []
    st.multiselect(
        field.title, list(dict.fromkeys([*options, *chosen])), chosen, key=key, accept_new_options=own, select_all=False,
        placeholder="Choose, or write another" if own else "Choose", on_change=_take, args=(edit.key, field.name, key, tuple),
    )  # fmt: skip


def _instruction(edit: Edit, field: Field) -> None:
    """Draw the text by which the attitude is played: the standard one, until somebody changes it."""
    attitude = str(edit.values.get("attitude") or Attitude.NEUTRAL)
    standard, own = clients.standard_instruction(attitude), str(edit.values.get(field.name) or "")
    key = f"client_{edit.key}_instruction_{attitude}"
    st.text_area(
        field.title, own or standard, height=190, key=key, on_change=_take_instruction, args=(edit.key, key, standard)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if own:
            st.html(
                '<p class="hint">This text is the client\'s own. It stays when the attitude is changed.</p>', width="content"
            )
            st.button(
                "Back to the standard text", icon=":material/undo:", key=f"{key}_back", on_click=_standard,
                args=(edit.key, key, standard),
            )  # fmt: skip
        else:
            st.html('<p class="hint">This is the standard text. Change it, and this client is played by your words.</p>')


def _take(key: str, name: str, field: str, read: Callable[..., object] | None) -> None:
    """Keep what stands in a field now."""
    if edit := edits().get(key):
        content = state.kept(field)
        keep(edit.put(name, read(content) if read and content is not None else content))  # type: ignore[arg-type]
        state.keep("clients_amiss", "")


def _take_instruction(key: str, field: str, standard: str) -> None:
    if edit := edits().get(key):
        text = str(state.kept(field) or "")
        keep(edit.put("attitude_instruction", "" if text.split() == standard.split() else text))


def _standard(key: str, field: str, standard: str) -> None:
    state.keep(field, standard)
    _take_instruction(key, field, standard)


def section_after(section: str) -> str:
    """Return the section that follows; empty after the last."""
    names = list(SECTIONS)
    place = names.index(section) + 1
    return names[place] if place < len(names) else ""
