"""Prompt packs in the lab: what each changes, which one new sessions are made with, and their files."""

from __future__ import annotations

from html import escape

import streamlit as st

from magnet_core.errors import MagnetError, PromptError
from magnet_core.packs import LARGEST, Pack, from_file, to_file
from ui import state
from ui.lab.desk import OURS, here_already, ours
from ui.lab.prompt import name_of


def packs() -> None:
    """Draw the packs: what each changes, which one new sessions are made with, and their files."""
    st.html(
        '<p class="says">A pack is a set of prompts with a name. It holds only what differs from ours. New sessions of this window are '
        "made with the one in use; a session keeps the words it was made with.</p>"
    )
    there, used = state.prompts.pack_list(), state.prompts.pack()
    deleted()
    for pack in [ours(), *there]:
        with st.container(border=True, key=f"lab_pack_{pack.id}", gap="xsmall"):
            row(pack, in_use=pack.id == (used.id if used else OURS))
    with st.container(border=True, key="lab_import"):
        file = st.file_uploader("Import a pack", type="json", key="lab_file", max_upload_size=2)
        if file is not None:
            st.button("Import it", type="primary", key="lab_import_go", on_click=take_in, args=(file.getvalue(),))
        for line in state.kept("lab_import_report") or ():
            st.html(f'<p class="remark" role="status">{escape(line)}</p>')


def gone(told: str) -> None:
    """Draw what is to be said of a pack that is no longer there; nothing where there is nothing to be said."""
    if told:
        st.html(f'<p class="remark" role="status">{escape(told)}</p>')


def deleted() -> None:
    """Say which pack was deleted last, and offer to bring it back."""
    if not (gone := state.kept("lab_pack_gone")):
        return
    id, title = gone
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<p class="remark" role="status">“{escape(title)}” is deleted.</p>', width="content")
        st.button("Undo", icon=":material/undo:", key="lab_pack_back", on_click=bring_back, args=(id,))


def row(pack: Pack, *, in_use: bool) -> None:
    changed = [name_of(p.name) for p in pack.prompts]
    changed += [f"judges' prompts ({len(pack.judges)})"] if pack.judges else []
    words = f"Changes: {', '.join(changed)}" if changed else "Nothing differs from ours."
    badge = ' <b class="badge">In use for new sessions</b>' if in_use else ""
    st.html(
        f'<p class="says"><b>{escape(pack.title)}</b>{badge}</p><p class="hint" title="Hash of its words: {pack.sha}">{escape(words)}</p>'
    )
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
            with st.popover("Rename", icon=":material/edit:", key=f"lab_rename_{pack.id}", on_change="rerun"):
                st.text_input("Name of the pack", value=pack.title, key=f"lab_title_{pack.id}", max_chars=80)
                st.button("Rename it", key=f"lab_rename_now_{pack.id}", on_click=rename, args=(pack,))
            with st.popover("Delete", icon=":material/delete:", key=f"lab_delete_{pack.id}"):
                st.markdown("Sessions made with it keep their words.")
                st.button("Delete it now", key=f"lab_delete_now_{pack.id}", on_click=delete, args=(pack,))


def take_in(data: bytes) -> None:
    """Keep the pack of a file, unless its words are here already; what was left out is said."""
    state.forget("lab_import_report")
    try:
        if len(data) > 4 * LARGEST:
            raise PromptError("The file is too large for a prompt pack.")
        title, texts, left = from_file(data.decode("utf-8-sig"))
        if same := here_already(texts):
            state.keep(
                "lab_import_report", [f"Already here: “{same.title}” holds the same words, so nothing was added.", *left]
            )
            return
        pack = state.store().packs.new(title, texts, "Imported")
    except UnicodeDecodeError:
        return state.say("The file is not a text in UTF-8, so it is no prompt pack.")
    except MagnetError as error:
        return state.say(str(error))
    count = len(pack.own)
    told = f"“{pack.title}” is here: {count} prompt{'' if count == 1 else 's'} that differ{'s' if count == 1 else ''} from ours."
    state.keep("lab_import_report", [told, *left])


def rename(pack: Pack) -> None:
    try:
        state.store().packs.rename(pack.id, (state.kept(f"lab_title_{pack.id}") or "").strip() or pack.title)
    except MagnetError as error:
        state.say(str(error))
    state.forget(f"lab_title_{pack.id}")
    state.keep(f"lab_rename_{pack.id}", False)


def delete(pack: Pack) -> None:
    try:
        state.store().packs.delete(pack.id)
    except MagnetError as error:
        return state.say(str(error))
    state.keep("lab_pack_gone", (pack.id, pack.title))
    if state.kept("pack") == pack.id:
        state.sessions.use_pack("")


def bring_back(id: str) -> None:
    state.forget("lab_pack_gone")
    try:
        state.store().packs.bring_back(id)
    except MagnetError as error:
        state.say(str(error))
