"""The set-ups used before, as lines of the models page: each speaks again with one click, or is forgotten."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from magnet_core.cast import Cast, Voice
from magnet_core.models import REHEARSAL
from magnet_core.models.openai import OPENAI_URL
from ui import links, state, voices

if TYPE_CHECKING:
    from magnet_core.store import Setup

SHOWN = 3
"""How many set-ups stand there at once; the others are in a fold."""


def used_before() -> None:
    """Draw the set-ups used before in this library; nothing where there is none."""
    found = state.setups.used_before()
    if not found:
        return
    with st.container(border=True, key="models_before", gap="small"):
        st.html(
            "<h3>Used before</h3>"
            '<p class="hint">A page that is loaded anew starts with Rehearsal or what the environment says; one click lets these speak '
            "again. They are kept in the library without keys, and everybody who uses this app sees them.</p>"
        )
        for setup in found[:SHOWN]:
            row(setup)
        if earlier := found[SHOWN:]:
            with st.expander(f"{len(earlier)} earlier", key="models_earlier"):
                for setup in earlier:
                    row(setup)
        with st.popover("Forget all", icon=":material/delete_sweep:", key="models_forget_all_ask"):
            st.markdown("They are forgotten for everybody who uses this app. What speaks now goes on.")
            st.button("Forget them now", key="models_forget_all", on_click=state.setups.forget_all)


def row(setup: Setup) -> None:
    """Draw one set-up and what can be done with it."""
    speaks = voices.alike(state.setups.speaking_again(setup), state.voices.cast())
    with st.container(key=f"models_before_{setup.id[:12]}", gap="xxsmall"):
        st.html(line(setup))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Speaks now" if speaks else "Use again", icon=":material/check:" if speaks else ":material/replay:",
                key=f"models_again_{setup.id[:12]}", on_click=use_again, args=(setup,), disabled=speaks,
            )  # fmt: skip
            st.button(
                "Forget",
                type="tertiary",
                key=f"models_forget_{setup.id[:12]}",
                on_click=state.setups.forget,
                args=(setup.id,),
            )


def line(setup: Setup) -> str:
    """Return what a set-up is, as HTML: model, server, agents with voices of their own, when it was used last."""
    default = setup.cast.default
    own = "".join(
        f"<li>{escape(voices.AGENTS.get(agent, agent))}: {told(voice)}</li>" for agent, voice in setup.cast.overrides.items()
    )
    ways = [voices.FAN_OUTS[setup.cast.fan_out][0].lower(), *settings_of(default), f"used {setup.used:%d %b %Y, %H:%M} UTC"]
    return (
        f'<div class="setup"><p>{told(default)}</p>{f"<ul>{own}</ul>" if own else ""}'
        f'<p class="hint">{escape(" · ".join(ways))}</p></div>'
    )


def told(voice: Voice) -> str:
    return f"<b>{escape(voices.name_of(voice))}</b> <span>{escape(voices.where(voice))}</span>"


def settings_of(voice: Voice) -> list[str]:
    """Return in words what was set for a voice beside its model."""
    heat = [] if voice.temperature is None else [f"temperature {voice.temperature:g}"]
    return heat + ([] if voice.max_tokens is None else [f"at most {voice.max_tokens} tokens"])


def use_again(setup: Setup) -> None:
    """Let a set-up speak from the next turn on; where a key is wanted first, fill the fields and ask for it."""
    state.setups.fill(fields_of(setup.cast))
    state.forget("models_asked", "models_wanted")
    if lacking := state.setups.lacking(setup):
        state.keep("models_wanted", lacking)
        state.keep("models_again", setup.cast)
        state.keep("models_cursor", key_field_of(setup.cast, lacking[0]))
        return
    again = state.setups.speaking_again(setup)
    state.voices.set_cast(again)
    state.setups.remember(again)


def wanted() -> list[str]:
    """Return the addresses whose keys a set-up that is to speak again still waits for."""
    return [url for url in state.kept("models_wanted", []) if state.voices.key_for(url) is None]


def agents_lack_keys() -> bool:
    """Tell whether a key is waited for in the fields of an agent with a voice of its own."""
    return any("_of_" in key_field_of(state.kept("models_again", Cast()), url) for url in wanted())


def ask_for_keys() -> None:
    """Say which keys a set-up that is to speak again still waits for; nothing where it waits for none."""
    servers = list(dict.fromkeys(state.voices.server_of(url) for url in wanted()))
    if not servers:
        return
    keys = "the key" if len(servers) == 1 else "the keys"
    st.html(
        '<p class="remark" role="status">The fields are filled again, but keys are not remembered. Type '
        f"{keys} for {escape(' and '.join(servers))}, then press “Use from the next turn on”.</p>"
    )


def choose_to_remember() -> bool:
    """Draw whether what is going to be used is remembered; return it."""
    return st.checkbox(
        "Remember it, without keys", True, key="models_remember", persist_state="session",
        help="In the library, for “Used before”: models, servers and settings, never a key. Everybody who uses this app sees them. "
        "Without the tick this use is not remembered.",
    )  # fmt: skip


def put_cursor() -> None:
    """Put the cursor into the field of the key that is asked for, once."""
    if field := re.sub(r"[^\w-]", "-", state.kept("models_cursor", "")):
        state.keep("models_cursor", "")
        st.html(
            f"<script>setTimeout(() => document.querySelector('.st-key-{field} input')?.focus(), 200)</script>",
            unsafe_allow_javascript=True,
        )


# Said on other pages


def again(model: str) -> str:
    """Return where a model that is not set up here can be used again, as a sentence; empty where it is not remembered."""
    name, _, server = (part.strip() for part in model.partition(" · "))
    if (voice := state.setups.voice_of(name, server)) is None:
        return ""
    return f"It was used before, {voices.where(voice)}: under “Used before” on the Models page it can be used again with one click."


def link() -> None:
    """Link to where set-ups are used again."""
    links.link(links.MODELS_PAGE, "To the Models page", ":material/tune:")


# The fields of the page


def fields_of(cast: Cast) -> dict[str, Any]:
    """Return what stands in the fields of the page for a cast, by the keys of the fields."""
    agents = {agent: voice for agent, voice in cast.overrides.items() if agent in voices.AGENTS}
    fields: dict[str, Any] = {"models_agents": list(agents)}
    for agent, voice in agents.items():
        fields |= fields_of_agent(agent, voice, cast.default)
    default, kind = cast.default, voices.preset_of(cast.default)
    if default.model == REHEARSAL:
        return fields | {"models_who": "rehearsal"}
    return fields | {
        "models_who": "model",
        "models_kind": kind,
        f"models_url_{kind}": default.base_url or OPENAI_URL,
        f"models_name_{kind}": default.model,
        "models_version": default.api_version,
        "models_temperature": default.temperature,
        "models_tokens": default.max_tokens,
        "models_timeout": default.timeout,
        f"models_fan_{kind}": cast.fan_out,
    }


def fields_of_agent(agent: str, voice: Voice, default: Voice) -> dict[str, Any]:
    """Return what stands in the fields of one agent's own voice."""
    if voice.model == REHEARSAL:
        return {f"models_source_of_{agent}": "rehearsal"}
    same = (voice.base_url, voice.api_version) == (default.base_url, default.api_version) and default.model != REHEARSAL
    fields = {
        "source": "same" if same else "own",
        "url": voice.base_url,
        "name": voice.model,
        "version": voice.api_version,
        "temperature": voice.temperature,
        "tokens": voice.max_tokens,
    }
    return {f"models_{part}_of_{agent}": value for part, value in fields.items()}


def key_field_of(cast: Cast, address: str) -> str:
    """Return which field takes the key for an address."""
    if cast.default.model != REHEARSAL and cast.default.base_url == address:
        return f"models_key_{voices.preset_of(cast.default)}"
    return next((f"models_key_of_{agent}" for agent, voice in cast.overrides.items() if voice.base_url == address), "")
