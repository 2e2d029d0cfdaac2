"""The researcher's view: every call with its times, tokens, prompt and answer; and who sees what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, get_args

import streamlit as st

from magnet_core import prompts
from magnet_core.domain import AgentCall, Session, Visibility
from magnet_core.methods import method_named
from magnet_core.session import prompt_of
from ui import charts, theme
from ui.links import LAB_PAGE, link

NONE = "–"
UNSEEN = "does not"
VISIBILITIES: dict[Visibility, str] = {"repaired": "Repaired (our reading)", "paper": "Paper (as the published code)"}
_ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


def calls_of(session: Session, number: int) -> tuple[AgentCall, ...]:
    """Return the calls of a turn, or of the plan for 0."""
    return session.plan_calls if number == 0 else session.turns[number - 1].calls


def calls(session: Session, number: int, maker: Callable[[Session, int], Session]) -> None:
    """Draw the calls of a finished turn: waterfall, table, and one call in full.

    `maker` tells in which session a turn that is shared was made: its prompts are those of that session.
    """
    found = calls_of(session, number) if number <= len(session.turns) else ()
    if session.plan_calls:
        which = st.segmented_control(
            "Calls of", ["plan", "turn"], default="turn" if number else "plan", required=True, key=f"calls_of_{number}",
            format_func=lambda w: "The plan" if w == "plan" else f"Turn {max(number, 1)}", label_visibility="collapsed",
        )  # fmt: skip
        if which == "plan":
            number, found = 0, session.plan_calls
    if not found:
        st.html('<p class="hint">The calls of this turn are listed here when it is finished.</p>')
        return
    st.plotly_chart(
        charts.waterfall(found, dark=st.context.theme.type == "dark"),
        key="waterfall",
        config={"displayModeBar": False},
        alt=_in_words(found),
    )
    st.dataframe(
        table(found), hide_index=True, alt="The calls with their tokens and times", key="calls_table",
        column_config={"Agent": st.column_config.TextColumn(pinned=True)},
    )  # fmt: skip
    _one_call(maker(session, number), number, found)


def _in_words(found: Sequence[AgentCall]) -> str:
    last = max(call.started + call.seconds for call in found)
    return f"{len(found)} calls on one clock; the last ends {last:.1f} seconds after the beginning."


def table(found: Sequence[AgentCall]) -> Any:
    """Return the calls as a table; a number the endpoint did not give is a dash."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "Agent": theme.title_of(call.agent),
                "Attempt": call.attempt,
                "Tokens in": _number(call.usage.prompt_tokens),
                "Cached": _number(call.usage.cached_tokens),
                "Tokens out": _number(call.usage.completion_tokens),
                "First word": _seconds(call.first_token),
                "Total": _seconds(call.seconds),
                "Ended by": call.finish_reason or NONE,
                "Retries": len(call.retries),
                "Model": call.model,
                "Problem": call.problem or NONE,
            }
            for call in found
        ]
    )


def _number(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f} s"


def _one_call(session: Session, number: int, found: Sequence[AgentCall]) -> None:
    index = st.selectbox(
        "One call in full",
        range(len(found)),
        format_func=lambda i: (
            theme.title_of(found[i].agent) + (f", attempt {found[i].attempt}" if found[i].attempt > 1 else "")
        ),
        key=f"one_call_{number}",
    )
    call = found[index]
    facts = "".join(f"<span>{escape(name)}: <b>{escape(value)}</b></span>" for name, value in _facts(call).items())
    st.html(f'<div class="facts">{facts}</div>')
    place = {"session": session.id, "turn": str(number), "agent": call.agent, "attempt": str(call.attempt)}
    link(
        LAB_PAGE, "Replay this call", ":material/science:", place,
        help="Opens it in the prompt lab, where prompt, model and temperature can be changed.",
    )  # fmt: skip
    for retry in call.retries:
        st.html(f'<p class="flag">{escape(retry)}</p>')
    if call.problem:
        st.html(f'<p class="flag">A guard did not like this answer: {escape(call.problem)}</p>')
    st.markdown("**Answer, as it came**")
    st.code(call.output or NONE, language=None, wrap_lines=True)
    st.markdown("**Prompt, as it was sent**")
    messages = prompt_of(session, number, call)
    if prompts.sha(messages) != call.prompt_sha:
        st.html('<p class="flag">This prompt could not be rendered as it was: its hash differs from the recorded one.</p>')
    for message in messages:
        st.html(f'<p class="hint"><b>{_ROLES[message.role]}</b></p>')
        st.code(message.content, language=None, wrap_lines=True)


def _facts(call: AgentCall) -> dict[str, str]:
    return {
        "Model": call.model,
        "Temperature": NONE if call.temperature is None else f"{call.temperature:g}",
        "Token limit": _number(call.max_tokens),
        "Seed": NONE if call.seed is None else str(call.seed),
        "Prompt hash": call.prompt_sha,
        "Started": f"{call.started:.2f} s into the turn",
    }


def who_sees_what(session: Session) -> None:
    """Draw which part of the session each agent is shown, for this session's visibility or the other one."""
    shown: Visibility = st.segmented_control(
        "Visibility", list(get_args(Visibility)), default=session.visibility, required=True, key="sees_visibility",
        format_func=lambda v: VISIBILITIES[v] + (" · this session" if v == session.visibility else ""),
    )  # fmt: skip
    st.html(matrix(session, shown))


def matrix(session: Session, shown: Visibility) -> str:
    """Return the matrix of agents and parts in words; cells that differ from the session's own visibility are marked."""
    method = method_named(session.method)
    groups: dict[str, str] = {}
    for agent in method.agents:
        specialist = agent in theme.TECHNIQUE_NAMES
        groups.setdefault("specialists" if specialist else agent, agent)
    names = {key: "Five specialists" if key == "specialists" else theme.title_of(agent) for key, agent in groups.items()}
    parts = [part for part in prompts.PARTS if _exists(part, session)]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names.values())
    rows = ""
    for part in parts:
        cells = ""
        for agent in groups.values():
            sees, own = _seen(part, agent, shown), _seen(part, agent, session.visibility)
            differs = " differs" if sees != own else ""
            cells += f'<td class="{"no" if sees == UNSEEN else "yes"}{differs}">{sees}</td>'
        rows += f'<tr><th scope="row">{escape(prompts.PARTS[part])}</th>{cells}</tr>'
    note = '<p class="hint">Marked cells differ from this session.</p>' if shown != session.visibility else ""
    return f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>{note}'


def _seen(part: str, agent: str, shown: Visibility) -> str:
    """Return in words whether an agent is shown a part, by itself or within a larger one."""
    seen = prompts.sees(agent, shown)
    if part in seen:
        return "sees it"
    within = {"client_information": "intake_form", "reason": "intake_form", "first_line": "dialogue"}.get(part)
    return f"in the {'form' if within == 'intake_form' else within}" if within in seen else UNSEEN


def _exists(part: str, session: Session) -> bool:
    method = method_named(session.method)
    return {"plan": bool(method.planner), "choice": bool(method.selector), "candidates": bool(method.specialists)}.get(
        part, True
    )
