"""Judges' prompts in the lab: the words a judge is told, changed, compared, kept in packs, and tried."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape

import streamlit as st

from magnet_core import lab
from magnet_core.domain import Moment
from magnet_core.errors import PromptError
from magnet_core.lab import Experiment, Lane, Variant, wordings
from magnet_core.lab.experiments import words_sha
from magnet_core.lab.judge_trials import filled
from magnet_core.models import REHEARSAL
from magnet_core.packs import Pack
from magnet_core.scoring.instruments import Sheet, sheets
from magnet_core.scoring.judge import JUDGE
from ui import setups, state
from ui.engine.bench import Wanted
from ui.lab import address, editor, judged
from ui.lab.costs import Named, cost_line, estimate, limit_line
from ui.lab.desk import AT_ONCE, OURS, Desk, all_packs, back_to_ours, put
from ui.lab.moment import begin, choose_of
from ui.lab.names import apart
from ui.lab.packs import gone
from ui.lab.prompt import asked as asked_words
from ui.lab.prompt import fold, marked
from ui.lab.runs import Runs, Watched
from ui.lab.subjects import CASES, PAIRS, Subject, Topic, items_of, topic_of
from ui.lab.subjects import judges as all_judges
from ui.links import MODELS_PAGE, SESSION_PAGE, link

RUNS = Runs("lab_judge", of_judges=True)
_PARTS = {
    "system": "What opens each request",
    "single": "How to answer about one question",
    "together": "How to answer about all words at once",
    "again": "Said when an answer could not be used",
    "task": "Task",
    "scale": "What the points of the scale mean",
    "answer": "How to answer",
    "ask": "How the question is put",
    "question": "Question and points of the scale",
}
_WHOSE = {wordings.FRAME: ", shared by all instruments", PAIRS: " (blind pairs)", CASES: " (test cases)"}


def judges() -> Watched | None:
    """Draw the bench for judges' prompts; return the job to look at, how to draw it, and the place for it."""
    rubrics = tuple(rubric.sheet for rubric in state.scores.rubrics())
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        topic = choose_topic(rubrics)
        id = choose_subject(topic)
        pack, lost = choose_pack()
    gone(lost)
    session = id if topic.noun == "session" else ""
    address.show("judges", pack=pack.id, session=session, judge=topic.judge, item=topic.item)
    desk = desk_for(pack, topic, rubrics)
    models = [name for name in state.voices.choices() if name != REHEARSAL]
    left, right = st.columns([5, 7], gap="medium")
    with left:
        letter = editor.edit(desk, lambda name, _: height_of(desk, name), lambda one: voice(desk, one, models))
        if note := fixed(topic):
            st.html(f'<p class="hint">{note}</p>')
    with right:
        return beside(desk, topic, id, letter, models)


def arrive() -> None:
    """Take up which judge, item, session and pack the address asks for; a stored rating's, with the model that gave it."""
    asked = address.asked()
    judge, item, session, pack, by = (asked[name] for name in ("judge", "item", "session", "pack", "by"))
    if judge:
        state.keep("lab_judge", judge)
        state.keep(f"lab_judge_{judge}", item or None)
    if session:
        state.keep("lab_judge_session", session)
    if pack:
        state.keep("lab_judge_pack", pack)
    if by:
        replay(pack or OURS, by)


def replay(place: str, by: str) -> None:
    """Let variant A say what a rating's judge was told, asked of the same model; drafts with words of their own follow it."""
    here = next((name for name, voice in state.voices.choices().items() if voice.model == by), "")
    if not here:
        lost = f"{by} gave this rating and is not set up here, so another model answers."
        state.say(f"{state.told()} {lost} {setups.again(by) or 'It can be set up on the Models page.'}".strip())
    state.drafts.put(state.drafts.draft("judges", place).led_by(Variant(model=here)))
    state.keep(f"lab_judge_letter_{place}", "A")
    state.keep("lab_judge_over_session", "this")
    state.keep("lab_judge_tab", "Answers")


# What is looked at


def choose_topic(rubrics: Sequence[Sheet]) -> Topic:
    """Draw which judge's words are looked at, and about which item."""
    there = all_judges(rubrics)
    if state.kept("lab_judge") not in there:
        state.keep("lab_judge", next(iter(there)))
    judge = st.selectbox(
        "Judge", list(there), key="lab_judge", width=250, persist_state="session", format_func=lambda n: there.get(n, str(n))
    )
    items, item = items_of(judge, rubrics), ""
    if len(items) > 1:
        key = f"lab_judge_{judge}"
        if state.kept(key) not in items:
            state.keep(key, next(iter(items)))
        item = st.selectbox(
            "Question", list(items), key=key, width=300, persist_state="session",
            format_func=lambda k: items[k].title if k in items else str(k),
        )  # fmt: skip
    return topic_of(judge, item or next(iter(items), ""), rubrics)


def choose_subject(topic: Topic) -> str:
    """Draw which session, pair or test case is looked at; return its id, empty where there is none."""
    if not topic.there:
        return ""
    key = f"lab_judge_{topic.noun.replace(' ', '_')}"
    if state.kept(key) not in topic.there:
        state.keep(key, next(iter(topic.there)))
    return st.selectbox(
        topic.noun.capitalize(), list(topic.there), key=key, width=510, persist_state="session",
        format_func=lambda i: topic.there.get(i) or str(i),
    )  # fmt: skip


def choose_pack() -> tuple[Pack, str]:
    """Draw whose prompts are looked at; return them, with what is to be said of a pack that is no longer there."""
    packs = all_packs()
    lost = back_to_ours("lab_judge_pack", packs)
    id = st.selectbox(
        "Prompts", list(packs), key="lab_judge_pack", width=210, persist_state="session",
        format_func=lambda i: packs[i].title if i in packs else str(i),
    )  # fmt: skip
    return packs[id], lost


def desk_for(pack: Pack, topic: Topic, rubrics: tuple[Sheet, ...]) -> Desk:
    """Return the desk at which a judge's texts are edited."""
    told = {name: ["system"] for name in topic.texts}
    titles = {sheet.instrument: sheet.title for sheet in rubrics}

    def title(name: str) -> str:
        return title_of(name, titles)

    return Desk("judges", pack, pack.id, told, told, title, lambda name, _: title(name), rubrics)


def height_of(desk: Desk, name: str) -> int:
    return 260 if name.endswith("/system") else 190 if len(desk.saved[name].system) > 250 else 110


def title_of(name: str, rubrics: dict[str, str]) -> str:
    """Return a text's name for the screen."""
    family, _, part = name.partition("/")
    known = {item.key: item.title for sheet in sheets().values() for item in sheet.items}
    whose = f" (own: {rubrics.get(family, 'deleted')})" if family.startswith("rubric-") else _WHOSE.get(family, "")
    return (_PARTS.get(part) or f"Question: {known.get(part, part)}") + whose


def fixed(topic: Topic) -> str:
    """Return what of the request is not changed here."""
    if topic.judge == PAIRS:
        return "The aspects are those people rate by; they are the same for everybody and stand in a file."
    if topic.judge == CASES:
        return "The question itself belongs to the test case."
    return "" if topic.item else "The words to be rated are fixed."


# What stands beside


def beside(desk: Desk, topic: Topic, id: str, letter: str, models: list[str]) -> Watched | None:
    """Draw answers, the request as it is sent and as it is written, and what differs; one at a time."""
    titles = ["Answers", "As sent", "As written", "What differs"]
    tabs = dict(zip(titles, st.tabs(titles, key="lab_judge_tab", on_change="rerun"), strict=True))
    if tabs["What differs"].open:
        with tabs["What differs"]:
            editor.differs(desk, letter)
    if tabs["As written"].open:
        with tabs["As written"]:
            st.html(written(desk, letter))
    subjects = topic.subjects(id) if id else []
    if tabs["As sent"].open:
        with tabs["As sent"]:
            st.html(sent(desk, letter, subjects[0]) if subjects else f'<p class="hint">{escape(topic.hint)}</p>')
    if not tabs["Answers"].open:
        return None
    with tabs["Answers"]:
        return answers(desk, topic, id, models)


def written(desk: Desk, letter: str) -> str:
    """Return the texts as they are written, their variables marked."""
    texts = desk.texts(letter)
    cards = "".join(
        f'<section class="card"><header><h3>{escape(desk.title(name))}</h3></header><p class="words">'
        f"{marked(lab.variables_in(texts[name].system), filled=False, known=wordings.variables(name))}</p></section>"
        for name in desk.sent
    )
    used = sorted({v for name in desk.sent for v in wordings.variables(name)})
    legend = "".join(f"<li><code>${name}</code> {_MEANS[name]}</li>" for name in used)
    return f'<div class="lab">{cards}<ul class="legend">{legend}</ul></div>'


_MEANS = {
    "low": "Lowest point of the scale",
    "high": "Highest point of the scale",
    "words": "The words to be rated",
    "problem": "Why the last answer could not be used",
    "keys": "Names of the questions",
    "question": "The test case's question",
}


def sent(desk: Desk, letter: str, subject: Subject) -> str:
    """Return the request as it is sent, marked what was filled in, with the hash of the words in a fold."""
    try:
        pairs = filled(subject.ask, desk.texts(letter).values())
        told, plain = subject.ask(desk.texts(letter).values()).sha, subject.ask(desk.ours.values()).sha
    except PromptError as error:
        return f'<p class="flag risk">{escape(str(error))}</p>'
    length = sum(lab.tokens(message.content) for message, _ in pairs)
    whose = "These are our words." if told == plain else "These are not our words."
    words = f"{whose} About {length:,} tokens. Marked: what was filled in; point at it to see what it is."
    record = f"What is rated is kept with the hash of these words, {told}" + (
        f"; that of ours is {plain}." if told != plain else "."
    )
    return f'<p class="hint">{escape(words)}</p>{asked_words(pairs)}{fold("For the record", record)}'


# Trying them


OVER = {"this": "This {}", "chosen": "Chosen {}s"}
MOST_AT_FIRST = 6
"""How many sessions are tried over unless others are chosen."""


def over(topic: Topic, id: str) -> list[Subject]:
    """Draw over what the variants are tried; return it, what is at hand where no others are chosen."""
    stem = f"lab_judge_over_{topic.noun.replace(' ', '_')}"
    way = st.selectbox(
        "Over", list(OVER), key=stem, width=170, persist_state="session", format_func=lambda w: OVER[w].format(topic.noun)
    )
    if way == "this":
        return topic.subjects(id)
    begin(f"{stem}_ids", list(topic.there), [id, *(other for other in topic.there if other != id)][:MOST_AT_FIRST])
    chosen = choose_of(f"{topic.noun.capitalize()}s", {**topic.there, **topic.short}, f"{stem}_ids")
    found = [subject for one in chosen for subject in topic.subjects(one)]
    told = apart({str(number): subject.words for number, subject in enumerate(found)})
    return [replace(subject, words=told[str(number)]) for number, subject in enumerate(found)]


def answers(desk: Desk, topic: Topic, id: str, models: list[str]) -> Watched | None:
    """Draw the run of all variants, and what came of the last one."""
    if not models or not id:
        return begin_here(topic, id, models)
    letters = desk.letters[:AT_ONCE]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab_judge_run"):
        repeats = RUNS.repeats()
        subjects = over(topic, id)
        stopped = editor.stopped_by(desk, letters)
        wanted, broken = ([], "") if stopped else wants(desk, letters, subjects, models, repeats)

        def run() -> None:
            RUNS.start(wanted, plan(desk, topic, id, subjects, letters, wanted))

        RUNS.button(len(letters), run, disabled=bool(broken or stopped) or not wanted)
    taken = estimate(wanted)
    asked = f"{len(subjects)} requests × {len(letters)} variant{'s' * (len(letters) > 1)} × {repeats} answer{'s' * (repeats > 1)}"
    st.html(cost_line(taken) + (f'<p class="hint">{asked}</p>' if len(subjects) > 1 else ""))
    limit_line(taken, (w.model for w in wanted))
    if not subjects:
        st.html(f'<p class="hint">{escape(topic.hint)}</p>')
    if broken:
        st.html(f'<p class="flag risk">{escape(broken)}</p>')
    if stopped:
        st.html(stopped)
    return shown(desk, topic, id)


def begin_here(topic: Topic, id: str, models: list[str]) -> None:
    """Say what stands here once a judge can be asked, and what is missing so far."""
    st.html(
        '<section class="card"><header><h3>Here a judge\'s prompt is tried</h3></header><p class="says">On the left are the words that a '
        f"judge is told; they can be read, changed and saved now. Asked here, it answers about {_ABOUT[topic.noun]}, several times if you "
        "like, beside what is on record.</p></section>"
    )
    if not id:
        st.html(f'<p class="remark">{escape(topic.hint)}</p>')
        link(SESSION_PAGE, "To the session", ":material/forum:")
    if not models:
        st.html(
            '<p class="remark">The rehearsal cast is authored and cannot rate. Set a language model on the Models page to try this.</p>'
        )
        link(MODELS_PAGE, "To the models", ":material/settings:")


_ABOUT = {
    "session": "a session",
    "pair": "a pair of sessions, in both orders",
    "test case": "the answers that a test case brought",
}


def shown(desk: Desk, topic: Topic, id: str) -> Watched | None:
    """Draw the run that is looked at: the one going on, the last one about this, or an earlier one."""
    here = RUNS.at_hand(lambda made: made.title.startswith(topic.title) and made.session == id)
    slot = st.empty()
    if here is None:
        slot.html(
            '<p class="hint">What is tried here is shown beside what is kept already, and is kept as a trial only, not as a score.</p>'
        )
        return None
    return RUNS.show(here, stale(here, desk), judged.experiment, slot)


def stale(here: Experiment, desk: Desk) -> frozenset[str]:
    """Return the variants of a run whose words are no longer those that were asked."""
    return frozenset(
        lane.variant
        for lane in here.lanes
        if here.place != desk.place
        or lane.variant not in desk.letters
        or words_sha(desk.texts(lane.variant), desk.sent) != lane.words
    )


def voice(desk: Desk, letter: str, models: list[str]) -> None:
    """Draw which model judges in a variant, and how freely."""
    if not models:
        return
    now = judge_of(desk, letter, models)
    key, heat = f"lab_judge_model_{desk.place}_{letter}", f"lab_judge_heat_{desk.place}_{letter}"
    state.keep(key, now)
    state.keep(heat, desk.variant(letter).temperature)

    def choose() -> None:
        name = " ".join((state.kept(key) or "").split())
        chosen = {"model": "" if name == judge_of(desk, letter, models) else name, "temperature": state.kept(heat)}
        put(desk, letter, desk.variant(letter).model_copy(update=chosen))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            f"Model of variant {letter}", models if now in models else [*models, now], key=key, width=230, on_change=choose,
            accept_new_options=True, help="The judge of the Models page, unless you choose another or type the name of one.",
        )  # fmt: skip
        st.number_input(
            "Temperature", 0.0, 2.0, value=None, step=0.1, key=heat, width=150, on_change=choose,
            placeholder="Usual", help="Empty: the one a judge has, 0 for one answer and 0.7 for several.",
        )  # fmt: skip


def judge_of(desk: Desk, letter: str, models: list[str]) -> str:
    """Return the model that judges in a variant: the one chosen there, else the one set up as judge."""
    chosen = desk.variant(letter).model
    if chosen:
        return chosen
    now = state.voices.name_of(state.voices.cast().voice(JUDGE))
    return now if now in models else models[0]


# The run


def wants(
    desk: Desk, letters: str, subjects: Sequence[Subject], models: list[str], repeats: int
) -> tuple[list[Wanted], str]:
    """Return what is asked, and why a variant cannot be."""
    found: list[Wanted] = []
    for letter in letters:
        name = judge_of(desk, letter, models)
        opener, fan_out = state.voices.opener(name)
        model, texts = state.voices.called(name).model, list(desk.texts(letter).values())
        for number, subject in enumerate(subjects):
            try:
                asked = subject.ask(texts)
            except PromptError as error:
                return [], f"Variant {letter}: {error}"
            found.append(
                Wanted(
                    f"{letter}{number}", Moment(agent=JUDGE, session=subject.session), {}, model, opener, repeats,
                    desk.variant(letter).temperature, None, fan_out, rates=asked,
                )
            )  # fmt: skip
    return found, ""


def plan(
    desk: Desk, topic: Topic, id: str, subjects: Sequence[Subject], letters: str, wanted: Sequence[Wanted]
) -> Experiment:
    """Return a run as it will be kept, without its answers."""
    lanes = [
        Lane(
            label=w.label,
            variant=w.label[0],
            moment=(subject := subjects[int(w.label[1:])]).words,
            note=note_of(desk, w),
            words=words_sha(desk.texts(w.label[0]), desk.sent),
            own=one.model_dump_json() if (one := subject.before(w.model)) else "",
        )
        for w in wanted
    ]
    about = f"{len(subjects)} {topic.noun}s" if len(subjects) > 1 and topic.noun == "session" else topic.there.get(id, "")
    repeats = wanted[0].repeats if wanted else 0
    return Experiment(
        id=secrets.token_hex(8), made=datetime.now(UTC), agent=JUDGE, session=id, turn=0,
        title=f"{topic.title} · {about} · {len(letters)} × {repeats}", pack=desk.pack.title, place=desk.place, lanes=tuple(lanes),
    )  # fmt: skip


def note_of(desk: Desk, wanted: Wanted) -> str:
    """Return who judges in a variant, how freely, and in whose words, in a line."""
    heat = wanted.trial(Named(wanted.model).player).agent.temperature if wanted.temperature is None else wanted.temperature
    own = any(name in desk.sent for name in desk.changed(wanted.label[0]))
    return f"{wanted.model} · temperature {heat:g} · {'changed' if own else 'our'} words"
