"""The clients: look for one, read the whole of it, start a session with it; write, copy, compare, draft, import and export."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from html import escape

import streamlit as st
from streamlit.errors import StreamlitAPIException

from magnet_core.domain import Attitude, CbtTechnique, ClientProfile
from magnet_core.errors import MagnetError, StoreError
from magnet_core.hints import Hint
from magnet_core.profile_files import profiles_csv, profiles_json
from ui import care, state, theme
from ui.client import client_form, client_sources, clients
from ui.client.clients import SECTIONS, SHOWN_AT_ONCE, Edit, Filter, View
from ui.links import SESSION_PAGE

PLACE = ("client", "with")
"""The names in the address that say which client is shown, and which it is compared with."""


# What is shown


def current(came: bool) -> View:
    """Return what the page shows: what the address asks for, or what this browser session looked at last."""
    held: View | None = state.kept("clients_view")
    id, other = state.address.place_asked(*PLACE)
    known = state.clients.everyone()
    if held is None or (came and id) or (not came and state.address.place_moved(PLACE)):
        there = [View("compare", id, other)] if other in known else [View("client", id)] if id else []
        held = there[0] if there and id in known else View()
        if id and id not in known:
            state.say(f"There is no client {id!r} here.")
    if (held.kind == "edit" and held.id not in client_form.edits()) or (held.kind == "client" and held.id not in known):
        held = View()
    state.keep("clients_view", held)
    edit = client_form.edits().get(held.id)
    shown = (edit.base.id if edit and edit.base else "") if held.kind == "edit" else held.id
    state.address.show_place(**{"client": shown, "with": held.other})
    return held


def show(view: View) -> None:
    """Show something else on this page."""
    state.keep("clients_view", view)
    state.keep("clients_done", "")
    state.keep("clients_amiss", "")


def write(edit: Edit, section: str = "Person") -> None:
    """Open the form."""
    client_form.keep(edit)
    state.keep("clients_section", section)
    show(View("edit", edit.key))


def new() -> None:
    """Open the form on nobody yet; what was opened before and left empty is gone."""
    for edit in client_form.edits().values():
        if edit.base is None and not edit.changed:
            client_form.forget(edit.key)
    write(Edit(secrets.token_hex(4)))


def change(profile: ClientProfile) -> None:
    """Open the form on a client: on itself where it is an own one, on a copy where it is a sample."""
    if profile.id not in state.clients.own():
        return write(clients.copy_of(profile, secrets.token_hex(4)))
    begun = next((edit for edit in client_form.edits().values() if edit.base and edit.base.id == profile.id), None)
    write(begun or Edit(secrets.token_hex(4), clients.flat(profile), base=profile))


def clone(profile: ClientProfile, attitude: Attitude | None) -> None:
    write(clients.copy_of(profile, secrets.token_hex(4), attitude), "Attitude" if attitude else "Person")


# What is done to the library


def save(key: str, *, start: bool = False) -> None:
    """Keep what is being written; what stands in the way is said in the form."""
    edit = client_form.edits()[key]
    try:
        profile = edit.profile()
        if edit.base:
            state.store().clients.save(profile, over=edit.base)
        else:
            (profile,) = state.store().clients.add([profile], taken=state.samples())
    except MagnetError as error:
        if not edit.values.get("intake.name"):
            state.keep("clients_section", "Person")
        return state.keep("clients_amiss", str(error))
    client_form.forget(key)
    state.sessions.client_changed(profile.id)
    show(View("client", profile.id))
    state.keep("clients_done", f"{profile.name} is saved.")
    if edit.origin and edit.origin.id in state.clients.everyone():
        state.keep("clients_origin", {**state.kept("clients_origin", {}), profile.id: edit.origin.id})
    if start:
        begin(profile)


def save_as_new(key: str) -> None:
    """Keep what is being written beside the client that was changed elsewhere meanwhile."""
    edit = client_form.edits()[key]
    client_form.keep(Edit(key, edit.values, origin=edit.base))
    save(key)


def discard(key: str) -> None:
    edit = client_form.edits()[key]
    client_form.forget(key)
    origin = edit.base or edit.origin
    show(View("client", origin.id) if origin and origin.id in state.clients.everyone() else View())


def delete(profile: ClientProfile) -> None:
    if _tried(partial(state.store().clients.delete, profile.id)):
        state.sessions.client_changed(profile.id)
        show(View())
        state.keep("clients_done", f"{profile.name} is deleted. Sessions made with this client stay.")
        state.keep("clients_gone", profile.id)


def restore(id: str) -> None:
    if _tried(partial(state.store().clients.restore, id)):
        show(View("client", id))
        state.keep("clients_done", "The client is back.")


def _tried(work: Callable[[], object]) -> bool:
    try:
        work()
    except StoreError as error:
        state.say(str(error))
        return False
    return True


def begin(profile: ClientProfile) -> None:
    """Go to the session page with a client chosen."""
    state.sessions.prepare_with(profile)
    try:
        st.switch_page(SESSION_PAGE)
    except StreamlitAPIException:
        state.keep("clients_done", f"The session page is ready for {profile.name}.")


# The list


def browse() -> None:
    """Draw the clients as cards, with what narrows them down."""
    own, everybody = state.clients.own(), state.clients.everyone()
    st.header("Clients")
    st.markdown(
        "Everybody here is invented. Open a client to read the whole of it and to start a session; write one of your own, or "
        "begin from notes."
    )
    notes()
    wanted = narrowed(everybody.values())
    care.panel(wanted.words)
    found = [profile for profile in everybody.values() if wanted.takes(profile)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="clients_do"):
        st.button("New client", type="primary", icon=":material/person_add:", key="clients_new", on_click=new)
        for view, title, icon in (
            (View("draft"), "Draft from notes", "edit_note"),
            (View("import"), "Import", "upload_file"),
            (View("compare"), "Compare", "compare"),
        ):
            st.button(title, icon=f":material/{icon}:", key=f"clients_{view.kind}", on_click=show, args=(view,))
        export(found, "clients", f"Export {_count(len(found))}")
        bin_of_clients()
        st.space("stretch")
        mine = sum(profile.id in own for profile in found)
        told = f"{_count(len(found))} of {len(everybody)}" if wanted else _count(len(found))
        st.html(f'<p class="hint">{told}, {mine} of your own</p>', width="content")
    cards(found, own, bool(wanted))


def _count(number: int) -> str:
    return f"{number} client{'' if number == 1 else 's'}"


def narrowed(known: Iterable[ClientProfile]) -> Filter:
    """Draw what narrows the list down; return what is wanted."""
    words, attitude, technique, habit = st.columns([3.1, 4, 3, 3], vertical_alignment="bottom", gap="small")
    with words:
        st.text_input(
            "Search", key="client_words", placeholder="Problem, name, any words", icon=":material/search:",
            bind="query-params",
        )  # fmt: skip
    with attitude:
        st.pills(
            "Attitude", list(Attitude), selection_mode="multi", key="client_attitude", bind="query-params",
            format_func=lambda a: theme.ATTITUDES[a],
        )  # fmt: skip
    with technique:
        st.multiselect(
            "Calls for", [t.value for t in CbtTechnique], key="client_technique", bind="query-params", placeholder="Any technique",
            select_all=False,
        )  # fmt: skip
    with habit:
        st.multiselect(
            "Thinking habit", clients.thinking_habits(known), key="client_habit", bind="query-params",
            placeholder="Any habit", select_all=False,
        )  # fmt: skip
    return Filter(*(state.kept(f"client_{name}") or "" for name in ("words", "attitude", "technique", "habit")))


def clear() -> None:
    for name, empty in (("words", ""), ("attitude", []), ("technique", []), ("habit", [])):
        state.keep(f"client_{name}", empty)


def cards(found: Sequence[ClientProfile], own: dict[str, ClientProfile], narrowed: bool) -> None:
    """Draw the clients found, those being written first."""
    begun = {edit.base.id: edit for edit in client_form.edits().values() if edit.base and edit.changed}
    unsaved = [edit for edit in client_form.edits().values() if edit.base is None and edit.changed]
    if not found and not (unsaved and not narrowed):
        st.html('<p class="remark">No client is like this.</p>')
        st.button("Show everybody", key="clients_clear", icon=":material/filter_alt_off:", on_click=clear)
        return
    most = state.kept("clients_most", SHOWN_AT_ONCE)
    with st.grid(3, min_column_width=300, gap="small", key="clients_grid"):
        for edit in [] if narrowed else unsaved:
            with st.container(border=True, height="stretch", gap="xsmall", key=f"card_{edit.key}"):
                st.button(theme.plain(edit.name), type="tertiary", key=f"write_{edit.key}", on_click=show,
                          args=(View("edit", edit.key),))  # fmt: skip
                st.html(
                    '<div class="tags"><span class="tag amber">Not saved yet</span></div><p class="told">Go on writing.</p>'
                )
        for profile in found[:most]:
            with st.container(border=True, height="stretch", gap="xsmall", key=f"card_{profile.id}"):
                st.button(theme.plain(clients.line(profile)), type="tertiary", key=f"open_{profile.id}", on_click=show,
                          args=(View("client", profile.id),))  # fmt: skip
                st.html(clients.card(profile, own=profile.id in own, unsaved=profile.id in begun))
    if len(found) > most:
        st.button(f"Show more ({len(found) - most} left)", key="clients_more", on_click=state.keep,
                  args=("clients_most", most + 4 * SHOWN_AT_ONCE))  # fmt: skip


def bin_of_clients() -> None:
    """Draw the clients that can be brought back, read when the list is opened."""
    box = st.popover("Deleted", icon=":material/delete_history:", key="clients_bin", on_change="rerun")
    if not box.open:
        return
    with box:
        gone: list[ClientProfile] = []
        _tried(lambda: gone.extend(state.store().clients.deleted()))
        if not gone:
            st.markdown("Nobody is deleted. Your own clients can be deleted, and brought back from here.")
        for profile in gone:
            with st.container(horizontal=True, vertical_alignment="center", width=380, key=f"gone_{profile.id}"):
                st.html(f'<p class="says">{escape(clients.line(profile))}</p>', width="stretch")
                st.button("Restore", key=f"restore_{profile.id}", on_click=restore, args=(profile.id,))


def notes() -> None:
    """Say what was done, with its undoing, and what stood in the way."""
    if told := state.told():
        st.warning(theme.plain(told))
    if done := state.kept("clients_done", ""):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="clients_told"):
            st.html(f'<p class="remark" role="status">{escape(done)}</p>', width="content")
            if "is deleted" in done and (id := state.kept("clients_gone")):
                st.button("Undo", icon=":material/undo:", key="clients_undo", on_click=restore, args=(id,))


def export(profiles: Sequence[ClientProfile], name: str, label: str) -> None:
    """Draw the download of some clients, as JSON or CSV; a file is made when it is asked for."""
    stem = f"magnet_{name}_{datetime.now():%Y%m%d-%H%M}"
    with st.popover(label, icon=":material/download:", key=f"export_{name}", disabled=not profiles):
        st.markdown("JSON keeps everything and can be imported again. CSV opens in a spreadsheet.")
        for kind, make, mime in (("json", profiles_json, "application/json"), ("csv", profiles_csv, "text/csv")):
            st.download_button(
                kind.upper(), partial(_file, make, tuple(profiles)), f"{stem}.{kind}", mime, on_click="ignore",
                key=f"export_{name}_{kind}", icon=":material/download:",
            )  # fmt: skip


def _file(make: Callable[[Sequence[ClientProfile]], str], profiles: Sequence[ClientProfile]) -> bytes:
    return make(profiles).encode()


# One client


def whole(profile: ClientProfile) -> None:
    """Draw all there is about a client, and what can be done with it."""
    own = profile.id in state.clients.own()
    back()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="client_head"):
        st.header(theme.plain(clients.line(profile)), width="content")
        tags = [theme.ATTITUDES[profile.attitude], "Yours" if own else "Sample"]
        st.html(f'<div class="tags">{"".join(f"<span class=tag>{tag}</span>" for tag in tags)}</div>', width="content")
    if profile.summary:
        st.markdown(theme.plain(profile.summary))
    notes()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="client_do"):
        if st.button("Start a session with this client", type="primary", icon=":material/forum:", key="client_start"):
            begin(profile)
            st.rerun()
        unsaved = any(e.base and e.base.id == profile.id and e.changed for e in client_form.edits().values())
        st.button(
            "Go on editing" if unsaved else "Edit" if own else "Edit a copy", icon=":material/edit:", key="client_edit",
            on_click=change, args=(profile,), help=None if own else "Sample clients stay as they are; a copy is yours.",
        )  # fmt: skip
        with st.popover("Clone with a change", icon=":material/content_copy:", key="client_clone"):
            st.markdown("The same person, other attitude:")
            with st.container(horizontal=True, gap="small"):
                for attitude in Attitude:
                    if attitude != profile.attitude:
                        st.button(
                            theme.ATTITUDES[attitude], key=f"clone_{attitude}", on_click=clone, args=(profile, attitude)
                        )
            st.markdown("Or change anything else in a copy:")
            st.button("Copy and edit", key="clone_copy", on_click=clone, args=(profile, None))
        origin = state.kept("clients_origin", {}).get(profile.id, "")
        st.button(
            "Compare", icon=":material/compare:", key="client_compare", on_click=show,
            args=(View("compare", origin, profile.id) if origin else View("compare", profile.id),),
        )  # fmt: skip
        export([profile], profile.id, "Export")
        if own:
            with st.popover("Delete", icon=":material/delete:", key="client_delete"):
                st.markdown("Delete this client? It can be brought back. Sessions made with it stay.")
                st.button("Delete now", key="client_delete_now", on_click=delete, args=(profile,))
    left, right = st.columns(2, gap="medium")
    with left:
        st.html(clients.counsellor_part(profile) + clients.label_part(profile))
    with right:
        st.html(clients.client_part(profile))
    st.html(clients.case_part(profile))


def back() -> None:
    st.button(
        "All clients", type="tertiary", icon=":material/arrow_back:", key="clients_back", on_click=show, args=(View(),)
    )


# Writing


def form(edit: Edit) -> None:
    """Draw the form on the left, and on the right what can be done with what is written."""
    back()
    origin = edit.base or edit.origin
    title = edit.name if edit.base else f"New client from {origin.name}" if origin else "New client"
    st.header(theme.plain(title))
    if edit.origin and edit.origin.id in state.samples():
        st.markdown(f"This is a copy of your own. The sample {theme.plain(edit.origin.name)} stays as it is.")
    if told := state.told():
        st.warning(theme.plain(told))
    found = edit.hints()
    left, right = st.columns([7, 4], gap="large")
    with left, st.container(gap="xsmall", key="client_form"):
        client_form.draw(
            edit, found, clients.thinking_habits(state.clients.everyone().values()), state.kept("clients_amiss", "")
        )
    with right, st.container(gap="small", key="client_side"):
        side(edit, found)


def side(edit: Edit, found: Sequence[Hint]) -> None:
    """Draw how far the client has come, what does not fit together, and what can be done."""
    section = state.kept("clients_section", "Person")
    with st.container(border=True, gap="small", key="client_state"):
        status = "Unsaved changes" if edit.changed else "Nothing to save"
        st.html(
            f'<div class="tags"><b>{escape(edit.name)}</b><span class="tag {"amber" if edit.changed else ""}" role="status">'
            f"{status}</span></div>"
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Save", type="primary", icon=":material/check:", key="client_save", disabled=not edit.changed,
                      on_click=save, args=(edit.key,))  # fmt: skip
            st.button("Save and start a session" if edit.changed else "Start a session", icon=":material/forum:", key="client_save_start",
                      disabled=not edit.values, on_click=save, args=(edit.key,), kwargs={"start": True})  # fmt: skip
        if edit.base and "another window" in state.kept("clients_amiss", ""):
            st.button("Save as a new client", key="client_save_new", on_click=save_as_new, args=(edit.key,))
        rows = "".join(
            f'<li class="{"now" if name == section else ""}"><span>{SECTIONS[name]}</span><i>{filled} of {all_}</i></li>'
            for name, (filled, all_) in edit.progress().items()
        )
        st.html(f'<ol class="filled" aria-label="Fields filled by section">{rows}</ol>')
        with st.container(horizontal=True, gap="small"):
            if following := client_form.section_after(section):
                st.button(f"Next: {SECTIONS[following]}", icon=":material/arrow_forward:", key="client_next",
                          on_click=state.keep, args=("clients_section", following))  # fmt: skip
            with st.popover("Discard", icon=":material/delete_sweep:", key="client_discard"):
                st.markdown("Throw away what is not saved?")
                st.button("Discard now", key="client_discard_now", on_click=discard, args=(edit.key,))
    odd = [hint for hint in found if hint.kind == "contradiction"]
    if odd:
        notes_ = "".join(f'<p class="flag">{escape(hint.text)}</p>' for hint in odd)
        st.html(
            '<section class="card"><header><h3>Does this fit together?</h3></header><p class="hint">Only hints: a client may be '
            f"right as it is.</p>{notes_}</section>"
        )
    if origin := edit.base or edit.origin:
        with st.expander("What you have changed", key="client_changes", on_change="rerun") as box:
            if box.open:
                try:
                    st.html(clients.comparison(origin, edit.profile(), ("Before", "Now")))
                except MagnetError as error:
                    st.html(f'<p class="hint">{escape(str(error))}</p>')


# Two clients


def comparing(view: View) -> None:
    """Draw what differs between two clients."""
    back()
    st.header("Compare two clients")
    known, own = state.clients.everyone(), state.clients.own()
    ids = list(known)
    first = ids.index(view.id) if view.id in known else None
    second = ids.index(view.other) if view.other in known else None

    def name(id: str) -> str:
        profile = known[id]
        return f"{clients.line(profile)} · {profile.attitude}{' · yours' if id in own else ''}"

    left, right = st.columns(2)
    for column, title, index, key in (
        (left, "One client", first, "compare_one"),
        (right, "The other", second, "compare_other"),
    ):
        with column:
            st.selectbox(title, ids, index, key=f"{key}_{view.id}_{view.other}", format_func=name, placeholder="Choose a client",
                         on_change=_compare, args=(view,))  # fmt: skip
    if first is not None and second is not None:
        st.html(clients.comparison(known[view.id], known[view.other]))
    else:
        st.html('<p class="remark">Choose two clients. Fields that differ are shown side by side, word by word.</p>')


def _compare(view: View) -> None:
    one, other = (state.kept(f"{key}_{view.id}_{view.other}") or "" for key in ("compare_one", "compare_other"))
    state.keep("clients_view", View("compare", one, other))


def page() -> None:
    """Draw what is looked at."""
    view = current(state.enter("clients"))
    if view.kind == "client":
        whole(state.clients.everyone()[view.id])
    elif view.kind == "edit":
        form(client_form.edits()[view.id])
    elif view.kind == "compare":
        comparing(view)
    elif view.kind == "draft":
        back()
        if made := client_sources.draft():
            write(made)
            st.rerun()
    elif view.kind == "import":
        back()
        if done := client_sources.imports():
            show(View())
            state.keep("clients_done", done)
            st.rerun()
    else:
        browse()


page()
