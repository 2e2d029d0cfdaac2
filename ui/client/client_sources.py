"""Where clients come from beside the form: notes that are drafted from, and files that are imported. Nothing counts unconfirmed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from html import escape

import streamlit as st

from magnet_core import drafting
from magnet_core.cast import Cast
from magnet_core.domain import ClientProfile
from magnet_core.drafting import Draft, Drafted
from magnet_core.errors import MagnetError, StoreError
from magnet_core.models import REHEARSAL
from magnet_core.profile_fields import Content, fields, read_number
from magnet_core.profile_files import LARGEST, Import, read_files
from ui import care, state, theme
from ui.client import clients
from ui.client.clients import Edit
from ui.waiting import waited

KINDS = ["json", "jsonl", "csv", "tsv"]


# Notes


def draft() -> Edit | None:
    """Draw notes and what was read in them; return the client to write on when somebody goes on with it."""
    st.header("Draft from notes")
    st.markdown(
        "Paste notes, a case vignette or an intake form. Each field that is found stands with the sentence it came from; what "
        "the text does not say stays empty. **Leave out whatever could point to a real person.**"
    )
    voice = state.voices.cast().voice("drafting")
    st.text_area("Notes", key="clients_pasted", height=200, persist_state="session", max_chars=drafting.LONGEST)
    text = state.kept("clients_pasted") or ""
    care.panel(text)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        by_model = False
        if voice.model != REHEARSAL:
            who = st.segmented_control(
                "Who reads the notes", ["model", "rules"], default="model", required=True, key="clients_reader",
                label_visibility="collapsed", persist_state="session",
                format_func=lambda w: f"Read by {voice.model}" if w == "model" else "By rules",
            )  # fmt: skip
            by_model = who == "model"
        asked = st.button("Find the fields", type="primary", icon=":material/manage_search:", key="clients_find")
        told = (
            f"The notes are sent to {voice.model}." if by_model
            else "Rules read them here; nothing leaves this server."
        )  # fmt: skip
        st.html(f'<p class="hint">{escape(told)}</p>', width="content")
    if asked:
        _read(text, by_model)
    if amiss := state.kept("clients_draft_amiss", ""):
        st.html(f'<p class="flag risk" role="alert">{escape(amiss)}</p>')
    held: tuple[str, str, Draft] | None = state.kept("clients_drafted")
    return _confirm(*held, stale=held[1] != text) if held else None


def _read(text: str, by_model: bool) -> None:
    """Draft from the notes; what goes wrong is kept as a sentence, and the notes stay."""
    state.keep("clients_draft_amiss", "")
    try:
        found = waited(_ask(text, state.voices.cast()), "Reading the notes") if by_model else drafting.draft(text)
        state.keep("clients_drafted", (secrets.token_hex(3), text, found))
    except MagnetError as error:
        state.keep("clients_draft_amiss", str(error))


async def _ask(text: str, cast: Cast) -> Draft:
    async with state.spending.opening(cast, "client")(state.engine().limit) as players:
        return await drafting.draft_with(text, players("drafting"))


def _confirm(key: str, text: str, found: Draft, *, stale: bool) -> Edit | None:
    """Draw what was found for confirmation, field by field."""
    if stale:
        st.html('<p class="flag" role="note">The notes have changed since. Find the fields again to read them anew.</p>')
    if not found.fields:
        st.html('<p class="remark">No field was found in this text. You can write the client by the form.</p>')
    else:
        by = "by rules" if found.by == "rules" else f"by {found.by}"
        st.subheader(f"{len(found.fields)} fields were found {theme.plain(by)}")
        st.markdown("Tick each field that is right; mend its words first where they are not.")
    taken: dict[str, Content] = {}
    section = ""
    with st.container(key="clients_draft_rows", gap="small"):
        for drafted in found.fields:
            field = fields()[drafted.field]
            if field.section != section:
                section = field.section
                st.html(f'<h4 class="small">{clients.SECTIONS[section]}</h4>')
            content = _row(key, drafted)
            if content is not None:
                taken[drafted.field] = content
    _left(found)
    ready = st.button(
        f"Go on with {len(taken)} confirmed field{'' if len(taken) == 1 else 's'}", type="primary",
        icon=":material/arrow_forward:", key="clients_draft_go", disabled=not taken,
    )  # fmt: skip
    if not ready:
        return None
    edit = Edit(secrets.token_hex(4))
    for name, content in taken.items():
        edit = edit.put(name, content)
    state.keep("clients_drafted", None)
    return edit


def _row(key: str, drafted: Drafted) -> Content | None:
    """Draw one field that was found; return its content when it is confirmed."""
    field = fields()[drafted.field]
    name = f"draft_{key}_{drafted.field}"
    tick, words, source = st.columns([0.4, 5, 6], vertical_alignment="center", gap="small")
    with words:
        label = field.title if field.kind != "list" else f"{field.title} (one a line)"
        value = "\n".join(drafted.value) if isinstance(drafted.value, tuple) else str(drafted.value)
        if field.kind == "list" or len(value) > 60:
            said = st.text_area(label, value, key=name, height=104, persist_state="session")
        else:
            said = st.text_input(label, value, key=name, persist_state="session")
    with tick:
        right = st.checkbox(
            f"Confirm {field.title}", key=f"{name}_right", label_visibility="collapsed", persist_state="session"
        )
    with source:
        told = "The words are ours; they rest on:" if drafted.inferred else "From the notes:"
        st.html(f'<div class="quoted"><span>{told}</span><q>{escape(drafted.source)}</q></div>')
    if not right:
        return None
    if field.kind == "list":
        return tuple((said or "").splitlines())
    if field.kind == "number":
        return read_number(field, said)
    return said or ""


def _left(found: Draft) -> None:
    """Say what the notes do not tell, what no field took, and what was refused."""
    names = ", ".join(fields()[name].title for name in found.missing if name not in drafting.NOT_DRAFTED)
    parts = [("Not found in the notes", f'<p class="says">{escape(names)}</p>' if names else "")]
    for title, told in (("Sentences that no field took", found.unused), ("Refused", found.refused)):
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
        parts.append((title, f'<ul class="notes">{items}</ul>' if items else ""))
    body = "".join(f"<div><h4>{title}</h4>{text}</div>" for title, text in parts if text)
    st.html(f'<div class="became">{body}</div>')


# Files


def imports() -> str:
    """Draw files and what became of every entry in them; return a sentence when their clients are kept."""
    st.header("Import clients")
    st.markdown(
        "Read here: files that were exported here, rows of the MAGneT or CACTUS list, cognitive conceptualisations as PATIENT-Psi "
        "keeps them, and tables (CSV) whose columns name fields. Nothing is kept before you say so."
    )
    files = st.file_uploader(
        "Files of clients", type=KINDS, accept_multiple_files=True, key="clients_files", max_upload_size=LARGEST // 1_000_000
    )
    names = tuple((file.file_id, file.name) for file in files)
    if names and names != state.kept("clients_read_of"):
        with st.spinner("Reading"):
            found = read_files((file.name, file.getvalue()) for file in files)
        state.keep("clients_read", found)
        state.keep("clients_read_of", names)
        state.keep("clients_most_read", clients.SHOWN_AT_ONCE)
    found: Import | None = state.kept("clients_read")
    if not found:
        return ""
    for problem in found.problems[: clients.SHOWN_AT_ONCE]:
        st.error(theme.plain(problem), icon=":material/error:")
    if not found.profiles:
        return ""
    return _keep(found)


def _keep(found: Import) -> str:
    """Draw the report of every client in the files, and the button that keeps them."""
    known = {_bare(profile) for profile in state.clients.everyone().values()}
    there = [_bare(profile) in known for profile in found.profiles]
    sums = [sum(len(getattr(told, kind)) for told in found.reports) for kind in ("mapped", "missing", "dropped")]
    st.html(
        '<section class="card"><header><h3>What became of the entries</h3></header><div class="facts">'
        f"<span><b>{len(found.profiles)}</b> client{'' if len(found.profiles) == 1 else 's'}</span>"
        f"<span><b>{sums[0]}</b> entries mapped to a field</span><span><b>{sums[1]}</b> fields missing</span>"
        f"<span><b>{sums[2]}</b> entries dropped</span></div></section>"
    )
    above = st.container()
    most = state.kept("clients_most_read", clients.SHOWN_AT_ONCE)
    left_out: set[int] = set()
    with st.container(key="clients_read_rows", gap="small"):
        for number, told in enumerate(found.reports[:most]):
            if not _row_of_report(number, told.name, found.profiles[number], found, there[number]):
                left_out.add(number)
    if len(found.reports) > most:
        st.button(f"Show more ({len(found.reports) - most} left)", key="clients_more_read", on_click=state.keep,
                  args=("clients_most_read", most + 4 * clients.SHOWN_AT_ONCE))  # fmt: skip
    wanted = [p for n, p in enumerate(found.profiles) if n not in left_out and not there[n]]
    asked = above.button(
        f"Keep {len(wanted)} client{'' if len(wanted) == 1 else 's'}", type="primary", icon=":material/check:",
        key="clients_keep", disabled=not wanted,
    )  # fmt: skip
    if asked:
        return _kept(wanted, sum(there))
    return ""


def _row_of_report(number: int, name: str, profile: ClientProfile, found: Import, there: bool) -> bool:
    """Draw the report of one client, read when it is opened; tell whether the client is to be kept."""
    told = found.reports[number]
    key = f"clients_read_{state.kept('clients_read_of')[0][0]}_{number}"
    tick, words = st.columns([0.4, 11], vertical_alignment="top", gap="small")
    with tick:
        wanted = st.checkbox(f"Keep {name}", not there, key=f"{key}_keep", label_visibility="collapsed", disabled=there)
    with words:
        label = f"{clients.line(profile)}, {profile.attitude} · {len(told.mapped)} mapped, {len(told.missing)} missing, {len(told.dropped)} dropped"
        box = st.expander(theme.plain(label + (" · already here" if there else "")), key=key, on_change="rerun")
        if box.open:
            with box:
                st.html(clients.report(told))
    return wanted


def _kept(wanted: Sequence[ClientProfile], there: int) -> str:
    try:
        state.store().clients.add(wanted, taken=state.samples())
    except StoreError as error:
        st.error(theme.plain(str(error)))
        return ""
    for name in ("clients_read", "clients_read_of"):
        state.keep(name, None)
    already = f" {there} {'was' if there == 1 else 'were'} here already." if there else ""
    return f"{len(wanted)} client{' is' if len(wanted) == 1 else 's are'} kept.{already}"


def _bare(profile: ClientProfile) -> str:
    return profile.model_copy(update={"id": ""}).model_dump_json()
