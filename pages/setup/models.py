"""Who speaks: the built-in cast, or language models through servers of the user's own choice."""

from __future__ import annotations

from html import escape
from typing import Any, cast

import streamlit as st

from magnet_core.cast import Cast, Preset, Voice
from magnet_core.domain import FanOut
from magnet_core.errors import SettingsError, StoreError
from magnet_core.models import REHEARSAL
from magnet_core.models.check import known_models
from magnet_core.models.openai import OPENAI_URL
from ui import key_fields, links, setups, state, theme, voices
from ui.tracing import limit
from ui.voices import Amiss, Fields, Source
from ui.waiting import waited

WHO = {"rehearsal": "Rehearsal", "model": "A language model"}
SOURCES: dict[Source, str] = {"same": "Server above", "rehearsal": "Rehearsal", "own": "Another server"}


def beside(sentence: str) -> None:
    """Say under a field what is amiss with it."""
    if sentence:
        st.html(f'<p class="flag risk" role="alert">{escape(sentence)}</p>')


def starting() -> Cast:
    """Return the cast that the environment describes."""
    try:
        return state.settings().cast()
    except SettingsError as error:
        state.say(str(error))
        return Cast()


def key_field(name: str, address: str, label: str, found: Amiss, asked: bool, preset: Preset | None = None) -> None:
    """Draw the field for a key; what is typed leaves it at once for this session's memory."""
    url = state.kept(address) or ""
    own, environment = state.voices.own_keys().get(state.voices.server_of(url)), state.voices.environment_key(url)
    if own:
        told = "A key is kept for this server. Type another to replace it."
    elif environment:
        told = "A key is set in the environment."
    else:
        told = "It is kept as soon as you leave the field."
    if state.kept(name) and not state.voices.server_of(url):
        told = "This key is not kept yet: a key is kept for one server, so give the address first."
    st.text_input(
        label, key=name, type="password", autocomplete="off", on_change=state.voices.take_key, args=(name, address),
        placeholder="••••••••" if own or environment else "Mostly not needed here" if preset and not preset.needs_key else "",
    )  # fmt: skip
    st.html(f'<p class="hint">{escape(told)}</p>')
    beside(found.say("key", asked))


def server(first: Voice, asked: bool) -> tuple[Fields, Amiss, FanOut]:
    """Draw the fields of the voice that speaks for everybody without one of their own."""
    kinds = voices.SERVERS
    kind = st.pills(
        "Where it runs", list(kinds), default=voices.preset_of(first), required=True, key="models_kind",
        format_func=lambda k: kinds[k].title, persist_state="session",
    )  # fmt: skip
    preset, mine, azure = kinds[kind], kind == voices.preset_of(first), kind == "azure"
    called = first.model if mine and first.model != REHEARSAL else ""
    st.markdown(preset.hint)
    url, name, version = f"models_url_{kind}", f"models_name_{kind}", "models_version"
    key, pick = f"models_key_{kind}", f"models_pick_{kind}"
    places = st.columns([3, 2] if azure else 1)
    with places[0]:
        given = (first.base_url or OPENAI_URL) if mine else ""
        st.text_input(
            "Address of the server (base URL)", given or preset.base_url, key=url, persist_state="session",
            placeholder="http://localhost:8000/v1", on_change=state.voices.take_key, args=(key, url),
        )  # fmt: skip
    if azure:
        with places[1]:
            st.text_input("API version", first.api_version, key=version, persist_state="session", placeholder="2024-10-21")
    address = state.kept(url) or ""
    fields = Fields(
        base_url=address,
        model=state.kept(name, called) or "",
        key=state.voices.key_for(address),
        typed_key=state.kept(key) or "",
        needs_key=preset.needs_key,
        azure=azure,
        api_version=state.kept(version) or "" if azure else "",
        temperature=state.kept("models_temperature", first.temperature),
        max_tokens=state.kept("models_tokens", first.max_tokens),
        timeout=state.kept("models_timeout", first.timeout),
    )
    found = voices.amiss(fields)
    beside(found.say("base_url", asked))
    beside(found.say("api_version", asked))
    key_field(key, url, "Key" if preset.needs_key else "Key, if the server asks for one", found, asked, preset)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Name of the deployment" if azure else "Name of the model", called, key=name, persist_state="session")
        ask = st.button("List models", icon=":material/list:", key="models_list")
    beside(found.say("model", asked))
    offered(ask, fields, found, pick, name)
    fan_out = answering(first, kind, preset, found)
    return fields, found, fan_out


def offered(ask: bool, fields: Fields, found: Amiss, pick: str, name: str) -> None:
    """Draw the models a server lists, once they have been asked for."""
    place, lists = state.voices.server_of(fields.base_url), state.kept("models_lists", {})
    if ask and place and "key" not in found.wrong:
        probe = Voice(model="any", base_url=fields.base_url, api_key=fields.key, api_version=fields.api_version)
        lists = lists | {place: voices.listed(waited(known_models(probe), "Asking for the list of models"))}
        state.keep("models_lists", lists)
    elif ask:
        beside("Give the address first, and a key if the server asks for one.")
    names = lists.get(place)
    if names:
        st.selectbox(
            f"{len(names)} models are offered there", names, index=None, key=pick, placeholder="Choose one",
            on_change=state.copy, args=(pick, name),
        )  # fmt: skip
    elif names is not None:
        st.html(
            '<p class="flag" role="status">No list came from this server. It may not give one; type the name, and Test '
            "tells what is the matter.</p>"
        )


def answering(first: Voice, kind: str, preset: Preset, found: Amiss) -> FanOut:
    """Draw how the models are to answer; return how the calls leave."""
    with st.expander("How it answers", key="models_answering"):
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        with left:
            st.number_input(
                "Temperature", 0.0, 2.0, first.temperature, 0.1, "%.1f", key="models_temperature", persist_state="session",
                placeholder="Default", help="Lower is steadier, higher is freer. Empty: each agent keeps its own.",
            )  # fmt: skip
            beside(found.say("temperature", True))
        with middle:
            st.number_input(
                "Most tokens", 1, None, first.max_tokens, 64, key="models_tokens", persist_state="session",
                placeholder="Default", help="The longest answer. Models that think before they speak need more, say 4000.",
            )  # fmt: skip
            beside(found.say("max_tokens", True))
        with right:
            st.number_input(
                "Time-out (seconds)", 1.0, 3600.0, first.timeout, 10.0, "%.0f", key="models_timeout",
                persist_state="session", help="So long may a server be silent before a call is given up.",
            )  # fmt: skip
            beside(found.say("timeout", True))
        set_there = starting().fan_out if kind == voices.preset_of(first) and first.model != REHEARSAL else preset.fan_out
        ways = list(voices.FAN_OUTS)
        way = st.radio(
            "How the calls of a turn leave", ways, ways.index(set_there), key=f"models_fan_{kind}",
            format_func=lambda w: voices.FAN_OUTS[w][0], captions=[text for _, text in voices.FAN_OUTS.values()],
            persist_state="session",
        )  # fmt: skip
        calls = state.voices.cast().calls_in_flight
        st.html(
            f'<p class="hint">At most {calls} calls run at the same time, for everybody who uses this app together. '
            "Whoever runs it sets this number.</p>"
        )
    return cast(FanOut, way)


def others(default: Fields | None, asked: bool) -> dict[str, tuple[Fields | None, Amiss]]:
    """Draw the agents that have a voice of their own; None as fields means the built-in cast."""
    rows: dict[str, tuple[Fields | None, Amiss]] = {}
    unfold = setups.agents_lack_keys()  # another key is another fold: the browser unfolds one only when it is new
    with st.expander(
        "Give some agents a voice of their own", unfold, key="models_others_open" if unfold else "models_others"
    ):
        st.markdown(
            "Say, a stronger model for the client, or Rehearsal for the client and a model for the counsellor's team."
        )
        chosen = st.multiselect(
            "Agents", list(voices.AGENTS), key="models_agents", format_func=lambda a: voices.AGENTS[a],
            persist_state="session", placeholder="Choose agents", select_all=False,
        )  # fmt: skip
        for agent in chosen:
            with st.container(border=True, key=f"models_row_{agent}", gap="small"):
                rows[agent] = other(agent, default, asked)
    return rows


def other(agent: str, default: Fields | None, asked: bool) -> tuple[Fields | None, Amiss]:
    """Draw one agent's own voice."""
    sources = [source for source in SOURCES if source != "same" or default is not None]
    ids = {
        part: f"models_{part}_of_{agent}" for part in ("source", "url", "key", "name", "version", "temperature", "tokens")
    }
    if state.kept(ids["source"]) not in sources:
        state.keep(ids["source"], "own" if default is None else "same")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(f"<b>{escape(voices.AGENTS[agent])}</b>", width="content")
        source = st.segmented_control(
            f"Voice of {voices.AGENTS[agent]}", sources, required=True, key=ids["source"], label_visibility="collapsed",
            format_func=lambda s: SOURCES[s], persist_state="session",
        )  # fmt: skip
    if source == "rehearsal":
        return None, Amiss()
    azure, sides = False, st.columns(2) if source == "own" else []
    if sides:
        with sides[0]:
            st.text_input(
                "Address of the server (base URL)", key=ids["url"], persist_state="session",
                placeholder="http://localhost:8000/v1", on_change=state.voices.take_key, args=(ids["key"], ids["url"]),
            )  # fmt: skip
            azure = ".azure.com" in (state.kept(ids["url"]) or "")
            if azure:
                st.text_input("API version", key=ids["version"], persist_state="session", placeholder="2024-10-21")
    address = (state.kept(ids["url"]) or "") if source == "own" or default is None else default.base_url
    above = default if source == "same" and default is not None else None
    temperature, tokens = state.kept(ids["temperature"]), state.kept(ids["tokens"])
    fields = Fields(
        base_url=address,
        model=(state.kept(ids["name"]) or "").strip() or (above.model if above else ""),
        key=state.voices.key_for(address),
        typed_key=(state.kept(ids["key"]) or "") if source == "own" else "",
        azure=above.azure if above else azure,
        api_version=above.api_version if above else (state.kept(ids["version"]) or ""),
        temperature=temperature if temperature is not None or default is None else default.temperature,
        max_tokens=tokens if tokens is not None or default is None else default.max_tokens,
        timeout=60.0 if default is None else default.timeout,
    )
    found = voices.amiss(fields)
    if sides:
        with sides[1]:
            key_field(ids["key"], ids["url"], "Key, if the server asks for one", found, asked)
        beside(found.say("base_url", asked))
        beside(found.say("api_version", asked))
    name, warmth, length = st.columns([2, 1, 1], vertical_alignment="bottom")
    with name:
        st.text_input(
            "Name of the model", key=ids["name"], persist_state="session", placeholder="The model above" if above else ""
        )
    empty = "Default" if default is None else "As above"
    with warmth:
        st.number_input(
            "Temperature", 0.0, 2.0, None, 0.1, "%.1f", key=ids["temperature"], placeholder=empty, persist_state="session"
        )
    with length:
        st.number_input("Most tokens", 1, None, None, 64, key=ids["tokens"], placeholder=empty, persist_state="session")
    if not above or "model" in found.wrong:
        beside(found.say("model", asked))
    return fields, found


def layout() -> tuple[Any, ...]:
    """Return which fields are on the page: what is missing is named only when somebody went on without just these."""
    agents = state.kept("models_agents", [])
    return state.kept("models_who"), state.kept("models_kind"), *((a, state.kept(f"models_source_of_{a}")) for a in agents)


def keys() -> None:
    """Say where keys are, and let them be forgotten."""
    kept = state.voices.own_keys()
    st.html(
        '<section class="card"><header><h3>Keys</h3></header><p class="says">Keys stay in this browser session\'s memory and '
        "are gone when you close it or load the page anew. They are sent only to the server they were given for, and never "
        "stored, logged or shown.</p>"
        + (f'<p class="says">Kept now for {escape(", ".join(kept))}.</p>' if kept else "")
        + "</section>"
    )
    if kept:
        st.button("Forget my keys", icon=":material/key_off:", key="models_forget", on_click=state.voices.forget_keys)


def back() -> None:
    """Let the built-in cast speak again, for everybody; the fields stay as they are."""
    state.voices.set_cast(Cast(calls_in_flight=state.voices.cast().calls_in_flight))
    state.keep("models_who", "rehearsal")
    state.keep("models_agents", [])
    state.forget("models_wanted")


def wanted_cast(default: Fields | None, rows: dict[str, tuple[Fields | None, Amiss]], fan_out: FanOut, now: Cast) -> Cast:
    """Return the cast that the fields describe."""
    return Cast(
        default=default.voice() if default else Voice(),
        overrides={agent: fields.voice() if fields else Voice() for agent, (fields, _) in rows.items()},
        fan_out=fan_out,
        calls_in_flight=now.calls_in_flight,
        pace=now.pace,
    )


def page() -> None:
    """Draw the page: on the left what could be, on the right what is."""
    st.header("Models")
    st.markdown(
        "**Nothing needs to be set here to watch rehearsals.** The built-in cast is written by hand and speaks without a key "
        "and without a network. Set this page up only when language models are to speak instead."
    )
    if told := state.told():
        st.warning(theme.plain(told))
    setups.ask_for_keys()
    first = starting().default
    left, right = st.columns([7, 5], gap="large")
    with left, st.container(gap="xsmall", key="models_fields"):
        who = st.segmented_control(
            "Who speaks", list(WHO), default="rehearsal" if first.model == REHEARSAL else "model",
            required=True, key="models_who", format_func=lambda w: WHO[w], persist_state="session",
        )  # fmt: skip
        asked = state.kept("models_asked") == layout()
        default, found, fan_out = None, Amiss(), cast(FanOut, "at-once")
        if who == "model":
            default, found, fan_out = server(first, asked)
        else:
            st.markdown("The built-in cast speaks for every agent that has no voice of its own below.")
        rows = others(default, asked)
        finish(default, found, rows, fan_out)
    with right, st.container(gap="small", key="models_now"):
        now = state.voices.cast()
        st.html(voices.speaking(now))
        if voices.distinct(now):
            st.button("Back to Rehearsal", icon=":material/undo:", key="models_back", on_click=back)
        for voice, verdict in state.kept("models_verdicts", []):
            st.html(voices.verdict(voice, verdict))
        limit.small()
        keys()
        setups.used_before()
    setups.put_cursor()
    key_fields.take_when_left()


def finish(default: Fields | None, found: Amiss, rows: dict[str, tuple[Fields | None, Amiss]], fan_out: FanOut) -> None:
    """Draw what can be done with the fields: try them, or let them speak."""
    now = state.voices.cast()
    whole = not found and not any(wrong for _, wrong in rows.values())
    wanted = wanted_cast(default, rows, fan_out, now) if whole else None
    speaks = wanted is not None and voices.alike(wanted, now)
    tried = [voice for voice, _ in state.kept("models_verdicts", [])]
    if wanted is None or voices.distinct(wanted) != tried:
        state.keep("models_verdicts", [])
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="models_do"):
        use_it = st.button(
            "Use from the next turn on", type="primary", icon=":material/check:", key="models_use", disabled=speaks,
        )  # fmt: skip
        test = remembered = False
        if default is not None or any(fields for fields, _ in rows.values()):
            test = st.button("Test", icon=":material/network_check:", key="models_test")
            remembered = not speaks and setups.choose_to_remember()
        if speaks:
            st.html('<p class="hint">This is what speaks now.</p>', width="content")
            links.link(links.SESSION_PAGE, "To the session", ":material/forum:")
    st.html(
        '<p class="hint">A session under way goes on with the new voices from its next turn. '
        "What has been said stays as it is.</p>"
    )
    if (use_it or test) and wanted is None:
        if state.kept("models_asked") != layout():
            state.keep("models_asked", layout())
            st.rerun()
    elif use_it and wanted is not None:
        state.voices.set_cast(wanted)
        if remembered:
            state.setups.remember(wanted)
        state.forget("models_asked", "models_wanted")
        st.rerun()
    elif test and wanted is not None:
        try_out(wanted)


def try_out(wanted: Cast) -> None:
    """Try every voice of a cast; what was found is kept."""
    tried = voices.distinct(wanted)
    try:
        counted = state.spending.meter("test")
    except StoreError as error:
        st.error(theme.plain(str(error)))
        return
    verdicts = waited(voices.try_all(tried, counted), "Asking for two short answers")
    state.keep("models_verdicts", list(zip(tried, verdicts, strict=True)))


state.enter()
page()
