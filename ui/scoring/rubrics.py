"""Own rubrics: the list, the form, and a trial on a session."""

from __future__ import annotations

from html import escape

import streamlit as st
from pydantic import ValidationError

from magnet_core.errors import StoreError
from magnet_core.scoring.rubrics import WIDEST, Rubric, rubric_id
from ui import care, state, theme
from ui.links import MODELS_PAGE, link
from ui.scoring import scores
from ui.scoring.judging import MOST, Drawn, Watched, job_at_hand, line_of, look_at


def own() -> Drawn:
    """Draw the own rubrics, and the form for one; return the job to look at and the place for its progress."""
    state.address.show_place(view="own", session="")
    kept = {rubric.id: rubric for rubric in state.scores.rubrics()}
    editing = kept.get(state.kept("rubric_id") or "")
    if told := state.told():
        st.warning(theme.plain(told))
    left, right = st.columns([5, 7], gap="large")
    with left:
        st.html(
            '<p class="says">A question of your own about a session, with a scale. A model rates it as it rates the known items, '
            "with a reason and the turns it rests on. Saved rubrics stand under “What to score”.</p>"
        )
        for rubric in kept.values():
            with st.container(border=True, key=f"rubric_{rubric.id}", gap="xsmall"):
                st.html(
                    f'<p class="says"><b>{escape(rubric.title)}</b>, {rubric.low} to {rubric.high}</p>'
                    f'<p class="hint">{escape(rubric.question)}</p>'
                )
                with st.container(horizontal=True, gap="small"):
                    st.button("Edit", icon=":material/edit:", key=f"edit_{rubric.id}", on_click=edit, args=(rubric,))
                    with st.popover("Delete", icon=":material/delete:", key=f"delete_{rubric.id}"):
                        st.markdown("What was scored with it stays.")
                        st.button("Delete it now", key=f"delete_now_{rubric.id}", on_click=delete, args=(rubric,))
        if not kept:
            st.html('<p class="hint">None yet. The form beside begins one.</p>')
    with right:
        job, slot = form(editing)
    return job, slot


def edit(rubric: Rubric | None) -> None:
    """Fill the form with a rubric, or empty it."""
    state.keep("rubric_id", rubric.id if rubric else "")
    state.keep("rubric_title", rubric.title if rubric else "")
    state.keep("rubric_question", rubric.question if rubric else "")
    state.keep("rubric_low", rubric.low if rubric else 0)
    state.keep("rubric_high", rubric.high if rubric else 6)
    for point in range(WIDEST + 1):
        state.keep(f"rubric_anchor_{point}", rubric.anchors.get(point, "") if rubric else "")
    state.keep("rubric_asked", False)


def delete(rubric: Rubric) -> None:
    try:
        state.store().rubrics.delete(rubric.id)
    except StoreError as error:
        state.say(str(error))
    if state.kept("rubric_id") == rubric.id:
        edit(None)


def form(editing: Rubric | None) -> Drawn:
    """Draw the fields of a rubric with what is amiss beside them, and what can be done with it."""
    st.html(f"<h3 class='part'>{'Change a rubric' if editing else 'A new rubric'}</h3>")
    asked = bool(state.kept("rubric_asked"))
    title = st.text_input(
        "Name", key="rubric_title", max_chars=80, persist_state="session", placeholder="Say, Cultural sensitivity"
    )
    question = st.text_area(
        "Question to the judge", key="rubric_question", max_chars=600, persist_state="session", height=90,
        placeholder="Say: does the counsellor take up what the client says about family and background?",
    )  # fmt: skip
    if state.kept("rubric_high") is None:
        state.keep("rubric_high", 6)
    with st.container(horizontal=True, gap="small"):
        low = int(st.number_input("Scale from", 0, WIDEST - 1, key="rubric_low", persist_state="session", width=150))
        high = int(st.number_input("Scale to", 1, WIDEST, key="rubric_high", persist_state="session", width=150))
    anchors: dict[int, str] = {}
    if low < high:
        st.html('<p class="hint">What the points mean. The two ends are needed; points without words lie in between.</p>')
        sides = st.columns(2)
        for point in range(low, high + 1):
            words = sides[(point - low) % 2].text_input(
                f"{point}", key=f"rubric_anchor_{point}", max_chars=300, persist_state="session",
                placeholder="Needed" if point in (low, high) else "May stay empty",
            )  # fmt: skip
            if words.strip():
                anchors[point] = words.strip()
    care.panel(title, question, *anchors.values())
    rubric, amiss = made(editing, title, question, low, high, anchors)
    if asked and amiss:
        st.html("".join(f'<p class="flag risk" role="alert">{escape(one)}</p>' for one in amiss))
    return use(rubric, editing)


def made(
    editing: Rubric | None, title: str, question: str, low: int, high: int, anchors: dict[int, str]
) -> tuple[Rubric | None, list[str]]:
    """Return the rubric that the fields describe, or what is amiss with them."""
    amiss = [] if title.strip() else ["Give it a name."]
    amiss += [] if question.strip() else ["Write the question that the judge is to answer."]
    amiss += [] if low < high else ["The scale must end above where it begins."]
    amiss += [f"Say what {point} means." for point in (low, high) if low < high and point not in anchors]
    if amiss:
        return None, amiss
    try:
        return Rubric(
            id=editing.id if editing else free_id(title), title=title.strip(), question=question.strip(), low=low, high=high,
            anchors=anchors,
        ), []  # fmt: skip
    except ValidationError as error:
        return None, [f"{one['msg'].removeprefix('Value error, ').capitalize()}." for one in error.errors()]


def free_id(title: str) -> str:
    taken = {rubric.id for rubric in state.scores.rubrics()}
    first = rubric_id(title)
    return next(id for n in range(1, len(taken) + 3) if (id := first if n == 1 else f"{first}-{n}") not in taken)


def save(rubric: Rubric | None) -> None:
    """Keep a rubric, which stays in the form; where it is not whole, say from now on what is amiss."""
    if rubric is None:
        return state.keep("rubric_asked", True)
    try:
        state.store().rubrics.save(rubric)
    except StoreError as error:
        return state.say(str(error))
    edit(rubric)


def attempt(rubric: Rubric | None, id: str) -> None:
    """Have one session rated by a rubric without keeping what comes of it."""
    session = state.sessions.stored(id)
    if rubric is None or session is None:
        return state.keep("rubric_asked", True)
    wanted = state.scores.order(state.voices.judge_model(), [rubric.sheet], kept=False)
    state.keep("rubric_job", state.scores.score([session], wanted))
    look_at(state.kept("rubric_job"), "own")


def use(rubric: Rubric | None, editing: Rubric | None) -> Drawn:
    """Draw what can be done with a rubric: keep it, or try it on a session."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.button("Save", type="primary", icon=":material/save:", key="rubric_save", on_click=save, args=(rubric,))
        if editing:
            saved = rubric == editing
            away = "Begin a new one" if saved else "Leave it as it was"
            st.button(away, key="rubric_leave", on_click=edit, args=(None,))
            if saved:
                st.html('<p class="hint" role="status">Saved as it stands here.</p>', width="content")
    entries = [entry for entry in state.sessions.recent(MOST) if entry.turns]
    model = state.voices.judge_model()
    slot = None
    job: Watched | None = None
    if entries:
        lines = {entry.id: line_of(entry) for entry in entries}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            id = st.selectbox(
                "Try it on", list(lines), key="rubric_session", format_func=lambda id: lines.get(id) or str(id), width=440
            )
            job = job_at_hand(id)
            live = job is not None and job.live
            st.button(
                "Try it",
                icon=":material/play_arrow:",
                key="rubric_try",
                on_click=attempt,
                args=(rubric, id),
                disabled=not model or live,
            )
        slot = st.empty()
        if job and not job.live and job.seen.id == state.kept("rubric_job") and (session := state.sessions.stored(id)):
            for card in job.seen.cards:
                if card.session_id == id:
                    st.html(scores.trial(card, session))
    if not model:
        st.html(
            '<p class="remark">A rubric of your own needs a language model as judge: the rules know only the signs they were given. '
            "It can be written and saved now, and used once a model is set.</p>"
        )
        link(MODELS_PAGE, "To the models", ":material/tune:")
    return job, slot
