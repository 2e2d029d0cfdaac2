"""What is compared: the parts that make up configurations, the length, the clients, the baseline and the judge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import streamlit as st

from magnet_core import prompts
from magnet_core.domain import ClientProfile, Visibility
from magnet_core.methods import METHODS
from magnet_core.scoring.compare import (
    OURS,
    OWN,
    PAPER,
    Configuration,
    Measured,
    Sampling,
    client_key,
    methods_to_begin_with,
    name_of,
    pack_for,
    sampling_for,
)
from magnet_core.scoring.tables import FEWEST, Judge
from ui import state
from ui.scoring.judging import BY_RULES

LENGTHS = ("8-8", "8-12", "8-20")
PAPER_LENGTH = "8-20"
MOST_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Wording:
    """Prompts that sessions can be made with: ours, a pack of the library, or what only some sessions still hold."""

    id: str
    title: str
    texts: prompts.PromptSet = field(default_factory=dict)
    example: str = ""
    """A session that holds them, where no pack does."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen."""

    length: str
    configurations: tuple[Configuration, ...]
    texts: Mapping[Configuration, prompts.PromptSet]
    """The whole set of prompts each is made with."""
    titles: Mapping[str, str]
    """Their names."""
    left: int = 0
    """Configurations that were one too many for the table."""


def choose_what(measured: Sequence[Measured]) -> Choices:
    """Draw the choices that make up configurations, and the length."""
    seen = [m.configuration for m in measured]
    models = list(dict.fromkeys([*(c.model for c in seen), *state.voices.known()]))
    packs, views = wordings(measured), list[Visibility](["repaired", "paper"])
    lengths = Counter(m.client.rpartition(":")[2] for m in measured)
    if state.kept("compare_methods") is None:
        state.keep("compare_methods", methods_to_begin_with({c.method for c in seen}))
    _only_known("compare_methods", METHODS)
    _only_known("compare_views", views)
    _only_known("compare_models", models)
    _only_known("compare_packs", packs)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_what"):
        methods = st.multiselect(
            "Methods", list(METHODS), key="compare_methods", format_func=lambda m: METHODS[m].title, persist_state="session",
            width="stretch", wrap=True,
        )  # fmt: skip
        st.button("The paper's table", icon=":material/table_chart:", key="compare_paper", on_click=papers_table,
                  help="MAGneT as the baseline, its ablations, a single agent and a plain one, over up to 20 turns.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_how"):
        spoken = st.multiselect(
            "Models", models, default=_unless_kept("compare_models", models[:1]), key="compare_models", persist_state="session",
            width=240,
        )  # fmt: skip
        seen_by = st.multiselect(
            "Who sees what", views, default=_unless_kept("compare_views", ["repaired"]), key="compare_views", persist_state="session",
            width=190, format_func=str.capitalize,
            help="Repaired: every agent sees what it needs, such as the plan and the dialogue. Paper: each sees what the paper's own "
            "published code shows it.",
        )  # fmt: skip
        worded = st.multiselect(
            "Prompts", list(packs), default=_unless_kept("compare_packs", [OURS]), key="compare_packs", persist_state="session",
            width=240, format_func=lambda id: packs[id].title if id in packs else str(id),
            help="Ours, the packs of the prompt lab, and what only some sessions were made with.",
        )  # fmt: skip
        settings = choose_settings(seen, spoken)
        choices = list(dict.fromkeys([*(name for name, _ in lengths.most_common()), *LENGTHS]))
        if state.kept("compare_length") not in (None, *choices):
            state.keep("compare_length", choices[0])
        length = st.selectbox("Turns", choices, key="compare_length", format_func=length_words, width=130, persist_state="session",
                              help="Only sessions of the same length are compared.")  # fmt: skip
    texts = {id: texts_of(packs[id]) for id in worded if id in packs}
    made: dict[Configuration, prompts.PromptSet] = {}
    titles = {pack_for(m, w.texts): w.title for w in packs.values() if w.texts for m in METHODS} | {OURS: ""}
    for model, view, id, sampling, method in product(spoken, seen_by, texts, settings, methods):
        configuration = Configuration(
            method=method, model=model, visibility=view, prompts=pack_for(method, texts[id]),
            sampling=sampling_for(method, sampling),
        )  # fmt: skip
        made.setdefault(configuration, texts[id])
    every = tuple(made)
    return Choices(str(length), every[:MOST_COLUMNS], made, titles, len(every[MOST_COLUMNS:]))


def choose_settings(seen: Sequence[Configuration], spoken: Sequence[str]) -> list[Sampling]:
    """Draw the temperatures that are compared: first what most sessions of these models have, else what is set up with them."""
    voices = state.voices.known()
    here = [Sampling(temperature=v.temperature, max_tokens=v.max_tokens) for name in spoken if (v := voices.get(name))]
    usual = [sampling for sampling, _ in Counter(c.sampling for c in seen if c.model in spoken).most_common()]
    known = {str(s): s for s in (*usual, *here, OWN, *(c.sampling for c in seen))}
    own = list(known)[:1]
    typed = [text for text in state.kept("compare_settings") or [] if text not in known]
    known |= {text: sampling for text in typed if (sampling := _typed(text))}
    if wrong := [text for text in typed if text not in known]:
        state.say(f"{', '.join(wrong)} is no temperature: give a number from 0 to 2.")
        state.keep("compare_settings", [text for text in state.kept("compare_settings") if text in known])
    chosen = st.multiselect(
        "Temperature", list(known), default=_unless_kept("compare_settings", own), key="compare_settings", persist_state="session",
        width=230, accept_new_options=True, format_func=lambda text: str(known[text]).capitalize() if text in known else text,
        help="Every agent has a temperature of its own; a number you type here replaces all of them.",
    )  # fmt: skip
    return [known[text] for text in chosen if text in known]


def _typed(text: str) -> Sampling | None:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return Sampling(temperature=value) if 0 <= value <= 2 else None


def wordings(measured: Sequence[Measured]) -> dict[str, Wording]:
    """Return the prompts that can be chosen, by their ids: ours, those of the library, and those that only sessions hold."""
    found = {OURS: Wording(OURS, "Ours", prompts.load())}
    names = set[str]()
    for pack in state.prompts.pack_list():
        if pack.prompts:
            title = pack.title if pack.title not in names else f"{pack.title} ({pack.id})"
            names.add(title)
            found[pack.id] = Wording(pack.id, title, pack.texts)
    held = {pack_for(method, one.texts) for one in found.values() for method in METHODS}
    for m in measured:
        key = m.configuration.prompts
        if key not in held and key not in found:
            found[key] = Wording(key, key, example=m.session_id)
    return found


def texts_of(wording: Wording) -> prompts.PromptSet:
    """Return the whole set of prompts; what no pack holds is read from a session."""
    if wording.texts:
        return wording.texts
    session = state.sessions.stored(wording.example)
    return prompts.load() | {p.name: p for p in session.prompts} if session else prompts.load()


def papers_table() -> None:
    """Choose what the paper's own table holds; models, prompts and who sees what stay as they are."""
    state.keep("compare_methods", list(PAPER))
    state.keep("compare_length", PAPER_LENGTH)
    state.keep("compare_base", "")


def choose_clients(held: Sequence[Measured], length: str) -> frozenset[str]:
    """Draw which clients count; return their keys."""
    names = {m.client: m.name for m in held} | {
        key: f"{profile.name}, {profile.attitude.value}" for key, profile in offered(length).items()
    }
    there = list(dict.fromkeys(m.client for m in held))
    options = [*there, *(key for key in names if key not in there)]
    name = f"compare_clients_{length}"
    if asked := state.kept("compare_clients_asked"):
        wanted = [key for key in options if short(key) in asked.split("~")]
        state.forget("compare_clients_asked")
        if wanted:
            state.keep(name, wanted)
    if state.kept(name) is None:
        state.keep(name, options[: max(len(there), FEWEST)])
    chosen = [key for key in state.kept(name) if key in names]
    with st.popover(f"Clients ({len(chosen)})", icon=":material/groups:", key="compare_who"):
        st.multiselect(
            "Clients that count", options, key=name, format_func=lambda key: names.get(key) or str(key), persist_state="session",
            help="A client is the same only word for word, with the same attitude.",
        )  # fmt: skip
    return frozenset(chosen)


def short(client: str) -> str:
    """Return the part of a client's key that tells it from all others, for an address."""
    return client.split(":")[2] if client.count(":") == 3 else client


def offered(length: str) -> dict[str, ClientProfile]:
    """Return the clients that sessions can be made with, as they are now, by their keys at a length."""
    least, most = ends(length)
    return {client_key(profile, most, least): profile for profile in state.clients.everyone().values()}


def choose_baseline(choices: Choices) -> Configuration:
    """Draw what all else is compared with; it stays while it is among what is compared."""
    by_id = {c.id: c for c in choices.configurations}
    wanted = state.kept("compare_base")
    state.keep("compare_baseline", wanted if wanted in by_id else next(iter(by_id)))
    id = st.selectbox(
        "Baseline", list(by_id), key="compare_baseline", width=260, on_change=state.copy, args=("compare_baseline", "compare_base"),
        format_func=lambda id: name_of(by_id[id], choices.configurations, choices.titles) if id in by_id else str(id),
    )  # fmt: skip
    return by_id[id]


def choose_judge(judges: Sequence[Judge]) -> Judge:
    """Draw whose scores are compared; judges are never pooled."""
    by_title = {judge.title: judge for judge in judges}
    wanted = state.kept("compare_by")
    state.keep("compare_judge", wanted if wanted in by_title else BY_RULES.title)
    title = st.selectbox(
        "Judge", list(by_title), key="compare_judge", width=230, on_change=state.copy, args=("compare_judge", "compare_by"),
        help="Who gave the scores, and in whose words a model was asked for them.",
    )  # fmt: skip
    return by_title[title]


def ends(length: str) -> tuple[int, int]:
    """Return the fewest and the most turns of a length."""
    found = re.fullmatch(r"(\d+)-(\d+)", length)
    return (int(found[1]), int(found[2])) if found else (8, 20)


def length_words(length: str) -> str:
    least, most = ends(length)
    return f"{most}" if least == most else f"{least} to {most}"


def _unless_kept(name: str, default: list[str]) -> list[str] | None:
    """Return what a field begins with; nothing where it stands already."""
    return default if state.kept(name) is None else None


def _only_known(name: str, options: Sequence[str] | Mapping[str, object]) -> None:
    """Take out of a field what can no longer be chosen."""
    if (held := state.kept(name)) is not None and any(value not in options for value in held):
        state.keep(name, [value for value in held if value in options])
