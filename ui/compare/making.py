"""What is missing in a comparison: about what it takes to make it, a limit for it, and how far the making is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from magnet_core.costs import Prices, today
from magnet_core.domain import ClientProfile, Session
from magnet_core.meter import Limit, Unit
from magnet_core.methods import METHODS, method_named
from magnet_core.models import REHEARSAL
from magnet_core.scoring.compare import (
    OURS,
    OWN,
    Configuration,
    Forecast,
    Measured,
    Sampling,
    ToMake,
    client_key,
    configuration_of,
    forecast,
    missing,
)
from magnet_core.scoring.compare.numbers import number
from magnet_core.session import new_session
from magnet_core.store import Entry
from ui import state, theme
from ui.compare.choices import Choices, ends, offered
from ui.engine.maker import AT_ONCE, Failure, Making
from ui.scoring.judging import MOST
from ui.tracing.limit import notice

Wanted = Sequence[tuple[Configuration, str]]
"""Configurations, each with the key of a client it has no session with."""
Unfinished = Mapping[tuple[Configuration, str], Session]
"""Sessions that can be gone on with, by configuration and client."""
UNITS: dict[Unit, str] = {"$": "dollars", "tokens": "tokens"}


def make_missing(
    entries: Sequence[Entry], choices: Choices, clients: frozenset[str], shown: Sequence[Measured], held: Sequence[Measured],
    everything: Sequence[Measured],
) -> None:  # fmt: skip
    """Draw what is missing, what making it takes, and the button; or the button that stops a running job."""
    job = state.making.job(state.kept("compare_job") or "")
    if job and job.look().live:
        st.button("Stop", icon=":material/stop:", key="compare_stop", on_click=state.making.stop, args=(job,))
        return
    for other in state.making.elsewhere():
        st.html(f'<p class="flag">Another window is making {other.total} sessions, {other.finished} of them finished. Wait for them: what is begun '
                "here may make the same ones twice.</p>")  # fmt: skip
    if not clients:
        st.html('<p class="hint">Choose at least one client.</p>')
        return
    gaps = missing(shown, choices.configurations, sorted(clients))
    if not gaps:
        st.html('<p class="hint">Every client has a session under every configuration.</p>')
        return
    voices, profiles = state.voices.known(), offered(choices.length)
    stored = {m.client: m.session_id for m in held}
    can = [(c, key) for c, key in gaps if c.model in voices and not c.sampling.others and (key in profiles or key in stored)]
    listed = state.spending.prices()
    left = unfinished(entries)
    about = forecast([to_make(c, key, choices, profiles, left.get((c, key))) for c, key in can], everything, listed)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_missing"):
        limit = choose_limit(can, listed) if any(c.model != REHEARSAL for c, _ in can) else None
        st.button(
            f"Make the missing sessions ({len(can)})", type="primary", icon=":material/playlist_add:", key="compare_make",
            on_click=begin, args=(can, choices, profiles, stored, limit), disabled=not can,
        )  # fmt: skip
    if any(c.model != REHEARSAL for c, _ in can):
        notice(next(c.model for c, _ in can if c.model != REHEARSAL))
    away = (
        f" {len(gaps) - len(can)} of them need a model or settings that are not set up here." if len(gaps) > len(can) else ""
    )
    st.html(
        f'<p class="hint">{len(gaps)} of {len(choices.configurations) * len(clients)} are missing. '
        f"{escape(forecast_words(about, can))}{away} Each is rated by the rules when it is finished.</p>"
    )


def to_make(
    configuration: Configuration, key: str, choices: Choices, profiles: Mapping[str, ClientProfile], begun: Session | None
) -> ToMake:
    """Return a missing session as a forecast needs it."""
    example = profiles.get(key) or next(iter(profiles.values()), None)
    texts = choices.texts.get(configuration, {})
    return ToMake(
        configuration=configuration,
        profile=example,
        turns=ends(choices.length)[1],
        begun=len(begun.turns) if begun else 0,
        texts=() if configuration.prompts == OURS else tuple(texts.values()),
    )


def forecast_words(about: Forecast, wanted: Wanted) -> str:
    """Return about what sessions take, and where that is known from."""
    if not wanted:
        return ""
    if all(c.model == REHEARSAL for c, _ in wanted):
        return f"About {about.calls:,.0f} calls to the rehearsal, which uses no tokens and costs nothing."
    again = (
        ""
        if about.again is None
        else " (none asked again so far)"
        if not about.again
        else f" ({about.again:.1%} of them asked again)"
    )
    price = "price not known" if about.price is None else f"${rounded(about.price)}"
    used = f"{number(about.tokens, 'tokens') if about.tokens is None else rounded(about.tokens)} tokens, {price}"
    kind = f"learnt, turn by turn, from {about.learnt_from} finished {'session' if about.learnt_from == 1 else 'sessions'} of the same kind"
    if about.learnt_from and about.guessed:
        basis = f"{kind}; for {about.guessed} sessions of kinds that have no finished one, guessed from the length of the prompts"
    elif about.learnt_from:
        basis = kind
    else:
        basis = "guessed from the length of the prompts, before answers that have to be asked for again"
    return f"About {about.calls:,.0f} calls{again}, {used}: {basis}. What clients end early takes less."


def rounded(value: float) -> str:
    """Return an estimate with three figures that count."""
    digits = 0 if value == 0 else 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def dollars(price: float | None) -> str:
    """Return a price, or that none can be said."""
    return "price not known" if price is None else f"${number(price, '$')}"


def choose_limit(wanted: Wanted, listed: Prices) -> Limit | None:
    """Draw what a job may use at most; it stays in its field for the next one."""
    priced = all(listed.on(c.model, today()) is not None for c, _ in wanted)
    if state.kept("compare_unit") not in UNITS:
        state.keep("compare_unit", "$" if priced else "tokens")
    unit: Unit = st.selectbox("Limit in", list(UNITS), key="compare_unit", width=130, format_func=lambda u: UNITS[u],
                              persist_state="session")  # fmt: skip
    field, money = f"compare_limit_{UNITS[unit]}", unit == "$"
    amount = st.number_input(
        "Stop this job at", min_value=0.01 if money else 1.0, step=0.5 if money else 10_000.0, format="%.2f" if money else "%.0f",
        value=None, key=field, width=170, placeholder="no limit", persist_state="session",
        help="Counts the calls of the job that this button begins, anew for every job. Calls under way when it is reached are paid as well.",
    )  # fmt: skip
    if money and not priced:
        st.html('<p class="hint">No price is known for every model here. Add it on the Trace page, or limit the tokens.</p>')
    return Limit(amount=amount, unit=unit) if amount else None


def begin(
    wanted: Wanted, choices: Choices, profiles: dict[str, ClientProfile], stored: dict[str, str], limit: Limit | None
) -> None:
    """Have the missing sessions made, going on with what an earlier job left unfinished.

    Client by client, so that what a stopped job has made can be paired.
    """
    left = unfinished(state.sessions.recent(MOST))
    turn = {key: place // AT_ONCE for place, key in enumerate(dict.fromkeys(key for _, key in wanted))}
    several = len({(c.model, c.sampling) for c, _ in wanted}) > 1
    orders: dict[tuple[int, str, Sampling], list[Session]] = {}
    for configuration, key in sorted(wanted, key=lambda one: list(turn).index(one[1])):
        bare = configuration.model_copy(update={"sampling": OWN})
        session = left.get((configuration, key)) or new_one(configuration, key, choices, profiles, stored)
        if (begun := left.get((bare, key))) and not (begun.turns or begun.plan_calls):
            session = begun
        if session:
            some = turn[key] if several else 0
            orders.setdefault((some, configuration.model, configuration.sampling), []).append(session)
    state.keep(
        "compare_job",
        state.making.make([(model, sampling, made) for (_, model, sampling), made in orders.items()], limit),
    )


def new_one(
    configuration: Configuration, key: str, choices: Choices, profiles: dict[str, ClientProfile], stored: dict[str, str]
) -> Session | None:
    """Return a session to be; None where its client is nowhere to be found."""
    profile = profiles.get(key)
    if profile is None and (example := state.sessions.stored(stored.get(key, ""))):
        profile = example.profile
    if profile is None:
        return None
    least, most = ends(choices.length)
    made = new_session(
        profile, method=configuration.method, visibility=configuration.visibility, min_turns=least, max_turns=most,
        prompt_set=choices.texts[configuration],
    )  # fmt: skip
    return made.model_copy(update={"models": dict.fromkeys(method_named(configuration.method).agents, configuration.model)})


def unfinished(entries: Sequence[Entry]) -> Unfinished:
    """Return what earlier jobs left unfinished."""
    return {
        (configuration_of(session), client_key(session.profile, session.max_turns, session.min_turns)): session
        for session in state.making.left_unfinished(entries)
    }


def progress(now: Making) -> str:
    """Return how far the making of sessions is, or how it ended, with every session that could not be finished."""
    words = {
        "running": f"Making sessions: {now.finished} of {now.total} finished, {now.turns} of at most {now.turns_to_make} turns.",
        "stopping": "Stopping.",
        "done": f"Made {now.finished} sessions, {now.turns} turns.",
        "stopped": f"Stopped: {now.finished} of {now.total} sessions are finished. Finished turns are kept, and gone on with next time.",
        "failed": f"Broke off: {now.finished} of {now.total} sessions are finished.",
    }[now.state]
    words += f" {now.failed} could not be finished." if now.failed else ""
    words += f" {now.untried} more were not tried, as those before them failed for the same reason." if now.untried else ""
    words += f" {spent_words(now)}"
    share = now.turns / now.turns_to_make if now.turns_to_make else 1.0
    bar = f'<div class="bar"><i style="width:{share:.1%}"></i></div>' if now.live else ""
    error = f'<p class="flag">{escape(now.error)}</p>' if now.error else ""
    return f'{bar}<p class="hint" role="status">{escape(words)}</p>{error}{failures(now.failures)}'


def spent_words(now: Making) -> str:
    """Return what a job has used, of its limit where there is one; nothing for the rehearsal."""
    if not now.calls:
        return f"Limit of this job: {now.limit}." if now.limit else ""
    price = "price not known" if now.spent is None else f"${now.spent:,.4f}"
    of = f", limit {now.limit}" if now.limit else ""
    return f"Used so far: {now.tokens:,} tokens, {price}{of}."


def failures(found: Sequence[Failure]) -> str:
    """Return the sessions that could not be finished: which, who got no answer, and why."""
    if not found:
        return ""
    lines = "".join(
        f"<li><b>{escape(f.session.profile.name)}, {f.session.profile.attitude.value}</b>, "
        f"{escape(METHODS[f.session.method].title if f.session.method in METHODS else f.session.method)}, {escape(f.place)}"
        f"{f', {escape(theme.title_of(f.agent))}' if f.agent else ''}: {escape(f.why)}</li>"
        for f in found
    )
    return (
        f'<details class="fold"{" open" if len(found) <= 3 else ""}><summary>Sessions that could not be finished ({len(found)})'
        f'</summary><ul class="failures">{lines}</ul></details>'
    )
