"""The editor of the lab, for agents' prompts and judges' alike: fields, remarks, what has changed, versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import cast

import streamlit as st

from magnet_core import lab
from magnet_core.domain import Prompt
from magnet_core.lab import Remark, wordings
from magnet_core.packs import Pack, Version
from magnet_core.scoring.tables import Judge
from ui import state, theme
from ui.changes import changes
from ui.lab import desk as at
from ui.lab.desk import AT_ONCE, Desk

Heights = Callable[[str, str], int]


def edit(desk: Desk, height: Heights, voice: Callable[[str], None], more: Callable[[str], None] | None = None) -> str:
    """Draw the fields of one variant at a time; return its letter.

    `voice` draws who answers in a variant, `more` what else can be done with it.
    """
    with st.container(key=f"{desk.stem}_edit", gap="small"):
        letter = bar(desk)
        st.html(badges(desk, letter))
        for name, own in desk.drawn.items():
            for field in own:
                area(desk, letter, name, field, height(name, field))
        if found := desk.remarks(letter):
            st.html(remarks(found, desk))
        voice(letter)
        buttons(desk, letter, more, broken=any(remark.kind == "error" for _, remark in found))
    return letter


def bar(desk: Desk) -> str:
    """Draw the variants there are; return the letter of the one at hand."""
    there, picked = desk.letters, f"{desk.stem}_letter_{desk.place}"
    state.keep(picked, desk.letter)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        letter = cast(str, st.segmented_control(
            "Variant", list(there), required=True, key=picked, format_func=lambda x: x if len(there) > 2 else f"Variant {x}",
            label_visibility="collapsed", persist_state="session",
        ) or "A")  # fmt: skip
        st.button(
            "Add variant" if len(there) < 3 else "Add", icon=":material/add:", key=f"{desk.stem}_add", on_click=at.add_like, args=(desk, letter),
            disabled=len(there) >= AT_ONCE, help="Begins with the words of the variant at hand.",
        )  # fmt: skip
        st.button(
            "", icon=":material/remove:", key=f"{desk.stem}_drop", on_click=at.drop, args=(desk, letter),
            disabled=len(there) < 2, help=f"Take variant {letter} away",
        )  # fmt: skip
    return letter


def badges(desk: Desk, letter: str) -> str:
    """Return which texts of a variant are not ours, which are not saved, and which of them are another's."""
    unsaved, changed = desk.unsaved(letter), desk.changed(letter)
    marks = []
    for name in dict.fromkeys([*desk.sent, *changed, *unsaved]):
        elsewhere = "" if name in desk.drawn else " (its field is not on this screen)"
        title = escape(desk.title(name))
        if name in changed:
            note = "" if name in desk.sent else ", not part of this request"
            marks.append(f'<b class="badge" title="{title}{elsewhere}">{title}: changed from ours{note}</b>')
        if name in unsaved:
            told = "not saved" if name in changed else "our words, not saved"
            marks.append(f'<b class="badge new">{title}: {told}</b>')
    return f'<div class="chips">{"".join(marks) or "<span class=hint>These are our words, unchanged.</span>"}</div>'


def area(desk: Desk, letter: str, name: str, field: str, height: int) -> None:
    """Draw the field of one text of a prompt."""
    key = desk.key(letter, name, field)
    state.keep(key, lab.fields(desk.texts(letter)[name])[field])
    st.text_area(
        desk.label(name, field), key=key, height=height, max_chars=20_000, on_change=at.type_in, args=(desk, letter, name, field)
    )  # fmt: skip


def remarks(found: Sequence[tuple[str, Remark]], desk: Desk) -> str:
    """Return what is amiss, each with the text it is about."""
    rows = "".join(
        f'<p class="flag{" risk" if r.kind == "error" else ""}"><b>{escape(desk.title(name))}</b>'
        f"{', ' + escape(desk.label(name, r.field).lower()) if r.field else ''}: {escape(r.text)}</p>"
        for name, r in found
    )
    return f'<div class="lab" role="status">{rows}</div>' if rows else ""


def stopped_by(desk: Desk, letters: Sequence[str]) -> str:
    """Return why variants are not sent, each error with its variant and text; empty where all can be."""
    found = [(letter, name, remark) for letter in letters for name, remark in desk.unsendable(letter)]
    rows = "".join(
        f'<p class="flag risk"><b>Variant {letter}, {escape(desk.title(name))}</b>: {escape(remark.text)}</p>'
        for letter, name, remark in found
    )
    return (
        f'<div class="lab" role="status"><p class="hint">A prompt with errors is not sent.</p>{rows}</div>' if rows else ""
    )


def buttons(desk: Desk, letter: str, more: Callable[[str], None] | None, *, broken: bool) -> None:
    """Draw what can be done with a variant: keep it, go back to ours, undo, and what else there is."""
    stem, unsaved = desk.stem, desk.unsaved(letter)
    sent_as_ours = not any(name in desk.sent for name in desk.changed(letter))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        saves = st.popover(
            "Save", icon=":material/save:", key=f"{stem}_save", on_change="rerun",
            disabled=broken or not (unsaved or desk.pack.id == at.AS_SENT),
        )  # fmt: skip
        with saves:
            if not desk.kept:
                st.text_input("Name of the new pack", key=f"{stem}_save_title", max_chars=80, placeholder="My prompts")
            st.text_input("What has changed, and why", key=f"{stem}_save_note", max_chars=200, placeholder="May stay empty")
            if unsaved:
                st.html(f'<p class="hint">Not saved so far: {escape(", ".join(desk.title(n) for n in unsaved))}</p>')
            where = f"as a version in “{theme.plain(desk.pack.title)}”" if desk.kept else "as a new pack"
            st.button(
                f"Save variant {letter} {where}",
                type="primary",
                key=f"{stem}_save_go",
                on_click=at.save,
                args=(desk, letter),
            )
            same_pack(desk)
        st.button(
            "Reset to ours", icon=":material/undo:", key=f"{stem}_reset", on_click=at.reset, args=(desk, letter),
            disabled=sent_as_ours, help="Puts our words into every text of this request. What is saved stays as it is.",
        )  # fmt: skip
        if words := at.undoable(desk):
            st.button("Undo", icon=":material/history:", key=f"{stem}_undo_go", on_click=at.undo, args=(desk,), help=words)
        if more:
            more(letter)
    for words in (at.undoable(desk), state.kept(f"{stem}_done") or ""):
        if words:
            st.html(f'<p class="remark" role="status">{escape(words)}</p>')
    state.forget(f"{stem}_done")
    if (id := state.kept(f"{stem}_saved")) == desk.pack.id:
        told = f"Saved in “{desk.pack.title}”."
        if ours := next((one for one in desk.letters if desk.unsaved(one) and not desk.changed(one)), ""):
            told += f" Variant {ours} says what ours says, so that both can be run at once."
        if desk.reader == "judges":
            told += f" {where_used(desk.pack)}"
        st.html(f'<p class="remark" role="status">{escape(told)}</p>')
    if id:
        state.forget(f"{stem}_saved")


def same_pack(desk: Desk) -> None:
    """Say which pack holds the words already that were to be saved, and offer to open it."""
    place, id = state.kept(f"{desk.stem}_same") or ("", "")
    same = next((pack for pack in state.prompts.pack_list() if pack.id == id), None) if place == desk.place else None
    if same is None:
        return
    st.html(f'<p class="remark" role="status">“{escape(same.title)}” holds the same words already.</p>')
    st.button(f"Open “{theme.plain(same.title)}”", key=f"{desk.stem}_open_same", on_click=at.open_pack, args=(desk, same.id))


def where_used(pack: Pack) -> str:
    """Return where judges are told what a pack says."""
    titles = {held.id: title for title, held in state.scores.worded().items()}
    told: list[str] = []
    if title := titles.get(pack.id):
        judge = Judge(name=state.voices.judge_model() or "the judge's model", kind="model", words=title)
        told.append(f"To rate with it, choose “{judge.title}” under “Judge” on the Scores page.")
    if any(p.name.startswith(f"{wordings.CASES}/") for p in pack.judges):
        told.append("Test cases are judged with it where it is chosen under “Judge's prompts”.")
    return " ".join(told)


def differs(desk: Desk, letter: str) -> None:
    """Draw a variant beside ours, what is saved, another variant, or an earlier version, which can be restored."""
    texts = desk.texts(letter)
    names = list(dict.fromkeys([*desk.sent, *desk.unsaved(letter)]))
    choices: dict[str, tuple[str, Mapping[str, Prompt]]] = {"ours": ("Ours", desk.ours)}
    if desk.pack.id != at.OURS:
        choices["saved"] = (f"“{desk.pack.title}” as saved" if desk.kept else desk.pack.title, desk.saved)
    for other in desk.letters:
        if other != letter:
            choices[f"variant {other}"] = (f"Variant {other}", desk.texts(other))
    there: dict[str, Version] = {f"{v.name} {v.number}": v for v in at.versions(desk, names)}
    for key, v in there.items():
        note = f", {v.note}" if v.note else ""
        title = f"{desk.title(v.name)}, version {v.number} of {v.created:%d %b, %H:%M}{note}"
        choices[key] = (title, texts | {v.name: v.prompt})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            f"Variant {letter} against", list(choices), key=f"{desk.stem}_against_{desk.pack.id}",
            format_func=lambda k: choices[k][0] if k in choices else str(k), width=420,
        )  # fmt: skip
        if found := there.get(chosen):
            st.button(
                "Restore this version", icon=":material/history:", key=f"{desk.stem}_restore", on_click=at.restore,
                args=(desk, letter, found), help="It becomes the newest version; those between stay.",
            )  # fmt: skip
    old = choices[chosen][1]
    st.html(diffs(desk, {n: old[n] for n in names}, {n: texts[n] for n in names}))


def diffs(desk: Desk, old: Mapping[str, Prompt], new: Mapping[str, Prompt]) -> str:
    """Return where prompts differ, word by word."""
    cards = []
    for name, after in new.items():
        before, now = lab.fields(old[name]), lab.fields(after)
        for field in before:
            if before[field] != now[field]:
                head = (
                    f"{desk.title(name)}: {desk.label(name, field).lower()}" if desk.reader == "agents" else desk.title(name)
                )
                cards.append(
                    f'<section class="card"><header><h3>{escape(head)}</h3></header>'
                    f'<p class="words compare">{changes(before[field], now[field])}</p></section>'
                )
    return f'<div class="lab">{"".join(cards) or "<p class=hint>Not a word differs.</p>"}</div>'
