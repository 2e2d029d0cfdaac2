"""What went wrong on the way to answers: in turns that are kept, and in calls and turns that were given up for good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date
from typing import Literal, get_args

from magnet_core.costs import calls_of, day_of
from magnet_core.domain import Session, Value
from magnet_core.meter import Purpose, Use

Kind = Literal["given up", "no answer", "not mended", "asked again", "cut off", "connection"]
"""The gravest first: `given up` a turn or plan was lost, `not mended` the last answer was kept though a guard did not like it."""
KINDS: tuple[Kind, ...] = get_args(Kind)
_BY_TURN: tuple[Purpose, ...] = ("session", "lab")
"""What is asked about one turn; a rating or a review is about a whole session."""


class Incident(Value):
    """Something that went wrong on the way to an answer."""

    kind: Kind
    detail: str
    day: date
    """Of a call that is kept, the day its session began."""
    purpose: Purpose
    agent: str
    model: str
    session: str = ""
    turn: int | None = None
    """0 for the plan; None where it is about no one turn."""
    attempt: int | None = None
    """Of the call it happened in, where that call is kept."""


def in_session(session: Session, parent: Session | None = None) -> list[Incident]:
    """Return what went wrong in a session's calls, in order; of a fork with its `parent`, in those it added."""
    found: list[Incident] = []
    calls = list(calls_of(session, parent))
    last = {(turn, call.agent): call.attempt for turn, call in calls}
    for turn, call in calls:
        told: list[tuple[Kind, str]] = [("connection", failure) for failure in call.retries]
        if call.problem:
            told.append(("asked again" if call.attempt < last[turn, call.agent] else "not mended", call.problem))
        if call.finish_reason == "length":
            told.append(("cut off", "The answer reached the most tokens that were allowed."))
        found += [
            Incident(
                kind=kind,
                detail=detail,
                day=day_of(session),
                purpose="session",
                agent=call.agent,
                model=call.model,
                session=session.id,
                turn=turn,
                attempt=call.attempt,
            )
            for kind, detail in told
        ]
    return found


def in_ledger(failures: Iterable[Use]) -> list[Incident]:
    """Return what was given up, and the calls beside sessions that got no answer.

    A session's own failed calls are left out: a kept turn tells of them, and of a turn that was given up there is a line.
    """
    return [
        Incident(
            kind="given up" if use.lost else "no answer",
            detail=use.error,
            day=use.made.astimezone(UTC).date(),
            purpose=use.purpose,
            agent=use.agent,
            model=use.model,
            session=use.session,
            turn=use.turn if use.purpose in _BY_TURN and use.agent != "judge" else None,
        )
        for use in failures
        if use.lost or use.purpose != "session"
    ]
