"""All sessions that were kept: find, open, name, tag, take away, delete, and bring in."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from magnet_core.domain import Attitude
from magnet_core.errors import StoreError
from magnet_core.store import Entry, Found
from ui import library, links, state, theme
from ui.library import Import, Wish

LARGEST_MB = 50
OPEN = ":material/open_in_new: Open"
ROW = 35
"""Height of a row of the list in pixels."""


# What buttons do


def tried(work: Callable[[], Any]) -> bool:
    """Do something to the library; what stands in the way is kept as a sentence."""
    try:
        work()
    except StoreError as error:
        state.say(str(error))
        return False
    return True


def open_it(id: str, turn: int | None = None) -> None:
    """Make a session the one that the session page shows, and go there at the next drawing."""
    if state.sessions.open_stored(id):
        state.sessions.look_at(turn)
        state.keep("library_go", True)


def open_row(ids: Sequence[str], found: dict[str, Found]) -> None:
    """Open the session whose button in the list was pressed; restore it, where the list shows deleted ones."""
    click = state.kept("library_row")
    row: int = click["row"] if click else -1
    if not 0 <= row < len(ids):
        return
    id = ids[row]
    if state.kept("deleted"):
        restore([id])
    else:
        open_it(id, found[id].turn or None if id in found else None)


def rename(id: str) -> None:
    tried(partial(state.store().rename, id, state.kept(f"library_title_{id}") or ""))


def retag(id: str) -> None:
    tried(partial(state.store().tag, id, state.kept(f"library_tags_{id}") or ()))


def tag_all(entries: Sequence[Entry], *, add: bool) -> None:
    """Give all these sessions the tags chosen, or take them away."""
    tags = state.kept("library_bulk_tags") or []
    for entry in entries:
        own = [*entry.tags, *tags] if add else [tag for tag in entry.tags if tag not in tags]
        if not tried(partial(state.store().tag, entry.id, own)):
            return


def delete(ids: Sequence[str]) -> None:
    """Delete sessions that nobody is making just now, and remember them to be brought back."""
    busy = {id for id in ids if (run := state.engine().run_on(id)) and run.live}
    gone = [id for id in ids if id not in busy and tried(partial(state.store().delete, id))]
    if busy:
        state.say(f"{library.sessions_of(len(busy))} being made just now stayed: stop the making first.")
    state.keep("library_gone", gone)
    state.keep("library_chosen", [])


def restore(ids: Sequence[str]) -> None:
    """Bring deleted sessions back."""
    back = {id for id in ids if tried(partial(state.store().restore, id))}
    state.keep("library_gone", [id for id in state.kept("library_gone", []) if id not in back])
    state.keep("library_chosen", [])


def begin_import(field: str) -> None:
    """Read the files given into the library, beside the page."""
    files = [(file.name, file.getvalue()) for file in state.kept(field) or []]
    if files:
        state.keep("library_import", Import(state.store(), files))
        state.keep("library_field", state.kept("library_field", 0) + 1)
        state.keep("library_bring", False)


# What is drawn


def head(entries: Sequence[Entry], gone: Sequence[Entry]) -> None:
    """Draw the title and what can be done with the library as a whole."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="library_head"):
        st.header("Library", width="content")
        st.html(f'<p class="hint">{library.sessions_of(len(entries))}</p>', width="content")
        st.space("stretch")
        if gone or state.kept("deleted"):
            st.toggle(f"Show deleted ({len(gone)})", key="deleted")
        bring = st.popover(
            "Import", icon=":material/upload_file:", key="library_bring", on_change="rerun",
            type="secondary" if entries else "primary",
        )  # fmt: skip
        if bring.open:
            with bring:
                uploader()


def uploader() -> None:
    """Draw where files are given."""
    job: Import | None = state.kept("library_import")
    field = f"library_files_{state.kept('library_field', 0)}"
    st.markdown(
        "Files of this app, of the released MAGneT sessions and of the MAGneT scripts, transcripts with the usual role "
        "names as JSON or as text (“Counsellor: …”), JSON lines, or a zip of these."
    )
    files = st.file_uploader(
        "Session files", accept_multiple_files=True, key=field, max_upload_size=LARGEST_MB, label_visibility="collapsed"
    )
    busy = job is not None and job.progress.live
    st.button(
        f"Import {len(files)} file{'' if len(files) == 1 else 's'}" if files else "Import", type="primary",
        icon=":material/upload_file:", key="library_read", disabled=not files or busy, on_click=begin_import, args=(field,),
    )  # fmt: skip
    if busy:
        st.html('<p class="hint">An import is running. The next can begin when it is done.</p>')


def notes() -> None:
    """Say what stands in the way, what was deleted, and what came of an import."""
    if told := state.told():
        st.warning(theme.plain(told))
    if gone := state.kept("library_gone"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="library_undo"):
            st.html(
                f'<p class="remark" role="status">{library.sessions_of(len(gone))} deleted. '
                "Deleted sessions can be brought back.</p>",
                width="stretch",
            )
            st.button("Undo", icon=":material/undo:", key="library_undo_go", on_click=restore, args=(gone,))
            st.button("Close", icon=":material/close:", help="Close", key="library_undo_close", on_click=state.keep,
                      args=("library_gone", []))  # fmt: skip


def importing() -> tuple[Import, Any] | None:
    """Draw a running import, or what came of the last; return the running one with the place to draw it anew."""
    job: Import | None = state.kept("library_import")
    if job is None:
        return None
    now = job.progress
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="library_report"):
        place = st.container()
        if now.live:
            st.button("Stop", icon=":material/stop:", key="library_stop", on_click=job.stop)
        else:
            place.html(library.report(now))
            st.button("Close this report", icon=":material/close:", help="Close this report", key="library_report_close",
                      on_click=state.keep, args=("library_import", None))  # fmt: skip
    return (job, place) if now.live else None


def nothing() -> None:
    """Say what will stand here."""
    st.html(
        '<section class="card shelf"><header><h3>No session is here yet</h3></header>'
        '<p class="says">Every session appears here from its plan or first turn on: with its client, method, model, turns '
        "and flags. You can search in what was said, name and tag sessions, see which was forked from which, and take "
        "them away as files.</p></section>"
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Import sessions", icon=":material/upload_file:", key="library_first", type="primary",
                  on_click=state.keep, args=("library_bring", True))  # fmt: skip
        links.link(links.SESSION_PAGE, "Start a session", ":material/forum:")


def wishes(entries: Sequence[Entry]) -> tuple[str, Wish]:
    """Draw the search and the filters; return the words looked for and which sessions are wanted."""
    options: dict[str, tuple[str, list[str], Callable[[str], str]]] = {
        "attitude": ("Attitude", [a.value for a in Attitude], lambda a: theme.ATTITUDES[Attitude(a)]),
        "method": ("Method", list(dict.fromkeys(entry.method for entry in entries)), library.method_title),
        "model": ("Model", sorted({m for entry in entries for m in library.models_of(entry)}, key=str.lower), str),
        "tag": ("Tag", tags_of(entries), str),
        "show": ("Show", list(library.STATES), str),
    }
    chosen: dict[str, tuple[str, ...]] = {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="library_wishes"):
        state.address.from_address("search")
        words = st.text_input(
            "Search", key="search", persist_state="session", icon=":material/search:", width=320,
            placeholder="Words of a client, plan, title or dialogue",
            help='All words must stand somewhere in the session. Words in "double quotes" must stand together.',
        )  # fmt: skip
        for name, (label, values, title) in options.items():
            state.address.from_address(name, values)
            chosen[name] = tuple(
                st.multiselect(
                    label,
                    values,
                    key=name,
                    persist_state="session",
                    format_func=title,
                    width=170,
                    placeholder="All" if name == "show" else "Any",
                )
            )
    state.address.to_address("search", *options)
    attitudes = tuple(map(Attitude, chosen["attitude"]))
    return words.strip(), Wish(attitudes, chosen["method"], chosen["model"], chosen["tag"], chosen["show"])


def tags_of(entries: Sequence[Entry]) -> list[str]:
    return sorted({tag for entry in entries for tag in entry.tags}, key=str.lower)


def listing(entries: Sequence[Entry], names: dict[str, str], found: dict[str, Found], words: str, gone: bool) -> list[Entry]:
    """Draw the list; return the sessions chosen in it: those whose boxes are ticked, else the one that was clicked."""
    ids = [entry.id for entry in entries]
    kept = set(state.kept("library_chosen", []))
    # a list of other sessions is another list: what is chosen goes with the sessions, never with the places
    key = f"library_list_{zlib.crc32(repr((gone, ids)).encode()):x}"
    config = st.column_config
    columns = {
        "do": config.ButtonColumn("", width=68, type="tertiary", key="library_row", on_click=open_row, args=(ids, found)),
        "client": config.TextColumn("Client"),
        "title": config.TextColumn("Title", width=150),
        "found": config.TextColumn("Where it stands", width=330),
        "updated": config.DatetimeColumn("Last change", format="D MMM YYYY, HH:mm", timezone=st.context.timezone, width=126),
        "turns": config.NumberColumn("Turns", width=50),
        "state": config.TextColumn("", width=66),
        "attitude": config.TextColumn("Attitude", width=70),
        "method": config.TextColumn("Method"),
        "flags": config.NumberColumn("Flags", width=54, help="Notes on texts: repetitions, possible risk and the like."),
        "model": config.TextColumn("Model", width=110),
        "tags": config.ListColumn("Tags", width=130),
        "forked": config.TextColumn("Forked from", width=180),
    }
    table = st.dataframe(
        library.rows(entries, names, found, words, "Restore" if gone else OPEN), key=key, hide_index=True, column_config=columns,
        on_select="rerun", selection_mode=["multi-row", "single-cell"], placeholder="", height=min(len(ids), 15) * ROW + 38,
        selection_default={"selection": {"rows": [n for n, id in enumerate(ids) if id in kept]}}, alt="List of sessions",
    )  # fmt: skip
    picked = list(table.selection.rows) or [row for row, _ in table.selection.cells]
    picks = [entries[row] for row in picked if row < len(entries)]
    state.keep("library_chosen", [entry.id for entry in picks])
    return picks


def one(entry: Entry, entries: Sequence[Entry], names: dict[str, str], found: Found | None, words: str) -> None:
    """Draw one session and what can be done with it."""
    st.html(library.about(entry, names))
    if found:
        st.html(library.quoted(found, words))
    turn = found.turn or None if found else None
    with st.container(horizontal=True, gap="small", key="library_do"):
        st.button(
            f"Open at turn {turn}" if turn else "Open", type="primary", icon=":material/open_in_new:", key="library_open",
            on_click=open_it, args=(entry.id, turn), width="stretch",
        )  # fmt: skip
        remove([entry])
    forks(entry)
    st.text_input(
        "Title", entry.title, key=f"library_title_{entry.id}", on_change=rename, args=(entry.id,), max_chars=200,
        placeholder="A name of your own",
    )  # fmt: skip
    st.multiselect(
        "Tags", sorted({*tags_of(entries), *entry.tags}, key=str.lower), entry.tags, key=f"library_tags_{entry.id}",
        accept_new_options=True, on_change=retag, args=(entry.id,), placeholder="Choose or write tags",
    )  # fmt: skip
    take_away([entry])


def forks(entry: Entry) -> None:
    """Draw the fork tree of a session, where it has one; each session of it opens at a click."""
    try:
        family = state.store().family(entry.id)
    except StoreError as error:
        st.warning(theme.plain(str(error)))
        return
    if len(family) < 2:
        return
    st.html('<h4 class="small">Fork tree</h4>')
    with st.container(gap=None, key="library_tree"):
        for depth, member in library.tree(family):
            words = library.branch(member, entry)
            here = member.id == entry.id
            with st.container(key=f"branch_{min(depth, 8)}_{member.id}"):
                if member.deleted:
                    st.html(f'<p class="hint">{escape(words)}, deleted</p>')
                else:
                    st.button(
                        theme.plain(words), type="tertiary", key=f"library_fork_{member.id}", on_click=open_it,
                        args=(member.id,), icon=":material/radio_button_checked:" if here else ":material/fork_right:"
                        if member.parent else ":material/circle:", help="This session" if here else None,
                    )  # fmt: skip


def take_away(entries: Sequence[Entry]) -> None:
    """Draw the kinds of files that sessions go out in; a file is made when it is asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="library_export"):
        kind = st.selectbox(
            "Export as", list(library.FORMATS), key="library_format", format_func=lambda k: library.FORMATS[k].title,
            persist_state="session",
        )  # fmt: skip
        st.download_button(
            "Download", partial(library.file_of, state.store(), [entry.id for entry in entries], kind),
            library.file_name(entries, kind), library.mime_of(entries, kind), icon=":material/download:", on_click="ignore",
            key="library_download",
        )  # fmt: skip
    each = " One file for each session, in a zip." if len(entries) > 1 and library.FORMATS[kind].each else ""
    st.html(f'<p class="hint">{library.TELLS[kind]}{each}</p>')


def remove(entries: Sequence[Entry]) -> None:
    """Draw the way to delete sessions, which asks first."""
    what = "this session" if len(entries) == 1 else f"these {library.sessions_of(len(entries))}"
    with st.popover("Delete", icon=":material/delete:", key="library_delete"):
        st.markdown(f"Delete {what}? You can bring deleted sessions back.")
        st.button(f"Delete {what}", type="primary", key="library_delete_go", on_click=delete,
                  args=([entry.id for entry in entries],))  # fmt: skip


def many(picks: Sequence[Entry], entries: Sequence[Entry]) -> None:
    """Draw what can be done with several sessions at once."""
    st.html(library.chosen(picks))
    st.multiselect("Tags", tags_of(entries), key="library_bulk_tags", accept_new_options=True,
                   placeholder="Choose or write tags")  # fmt: skip
    none = not state.kept("library_bulk_tags")
    with st.container(horizontal=True, gap="small"):
        st.button("Add to all", icon=":material/new_label:", key="library_bulk_add", disabled=none,
                  on_click=partial(tag_all, add=True), args=(picks,))  # fmt: skip
        st.button("Take from all", icon=":material/label_off:", key="library_bulk_take", disabled=none,
                  on_click=partial(tag_all, add=False), args=(picks,))  # fmt: skip
    take_away(picks)
    remove(picks)


def gone_ones(picks: Sequence[Entry], names: dict[str, str]) -> None:
    """Draw what can be done with deleted sessions."""
    st.html(library.about(picks[0], names) if len(picks) == 1 else library.chosen(picks))
    st.button("Restore", type="primary", icon=":material/restore_from_trash:", key="library_restore", width="stretch",
              on_click=restore, args=([entry.id for entry in picks],))  # fmt: skip


def body(entries: Sequence[Entry], gone: Sequence[Entry]) -> None:
    """Draw search, list and, beside it, the sessions chosen."""
    in_bin = bool(state.kept("deleted"))
    shelf = gone if in_bin else entries
    names = {entry.id: library.called(entry) for entry in (*entries, *gone)}
    found: dict[str, Found] = {}
    words = ""
    if not in_bin:
        words, wish = wishes(entries)
        shelf = [entry for entry in entries if wish.met(entry)]
        if words:
            found = {one.entry.id: one for one in state.store().search(words, limit=library.MOST)}
            shelf = [entry for entry in shelf if entry.id in found]
    if not shelf:
        st.html(f'<p class="remark" role="status">{"No session is deleted." if in_bin else "No session matches."}</p>')
        return
    left, right = st.columns([5, 2], gap="medium")
    with left, st.container(key="library_left", gap="xsmall"):
        picks = listing(shelf, names, found, words, in_bin)
        shown = f"{library.sessions_of(len(shelf))} of {len(entries):,}" if len(shelf) < len(entries) and not in_bin else ""
        st.html(f'<p class="hint" role="status">{shown}</p>')
    with right, st.container(key="library_right", gap="small"):
        if not picks:
            more = "restored" if in_bin else "tagged, exported or deleted"
            st.html(
                '<section class="card shelf"><p class="says">Click a session to see it here. Tick the boxes to choose '
                f"several: they can be {more} together.</p></section>"
            )
        elif in_bin:
            gone_ones(picks, names)
        elif len(picks) == 1:
            one(picks[0], entries, names, found.get(picks[0].id), words)
        else:
            many(picks, entries)


def page() -> None:
    """Draw the page; a running import is looked in on last, from a place above."""
    if state.kept("library_go"):
        state.keep("library_go", False)
        links.go(links.SESSION_PAGE)
    try:
        entries, gone = state.store().recent(library.MOST), state.store().deleted(library.MOST)
        head(entries, gone)
        notes()
        running = importing()
        if entries or state.kept("deleted"):
            body(entries, gone)
        elif not running:
            nothing()
    except StoreError as error:
        st.error(theme.plain(str(error)), icon=":material/error:")
        return
    if running:
        job, place = running
        with place:
            watch(job)


@st.fragment(run_every=0.5)
def watch(job: Import) -> None:
    """Show how far an import is; draw the page anew when it is done."""
    now = job.progress
    if not now.live:
        st.rerun()
    st.html(library.going(now))


state.enter()
page()
