"""Sessions as files: whole in our own shape, and in the shape that the reference's scripts write and read."""

from __future__ import annotations

from typing import Any

from magnet_core import profiles
from magnet_core.domain import Plan, Session


def native(session: Session) -> str:
    """Return a session with its whole trace as indented JSON; `importers.read_session` gives it back unchanged."""
    return session.model_dump_json(indent=2)


def magnet(session: Session) -> dict[str, Any]:
    """Return a session in the shape that the reference's scripts write.

    The trace has no place there. `method` and `notice` are ours: its scripts read by key and pass over them.
    """
    roles = {"counsellor": "counselor", "client": "client"}
    return {
        "example": profiles.row(session.profile),
        "cbt_technique": _technique(session.plan),
        "cbt_plan": _steps(session.plan),
        "cost": 0,
        "history": [{"role": roles[said.speaker], "message": said.text} for said in session.transcript],
        "method": session.method,
        "notice": session.notice,
    }


def _technique(plan: Plan | None) -> str:
    """Return the technique and its reason as the reference's planner gives them, in one text."""
    if plan is None:
        return ""
    if plan.technique is None:
        return plan.reason
    return f"{plan.technique.value}: {plan.reason}" if plan.reason else plan.technique.value


def _steps(plan: Plan | None) -> str:
    if plan is None:
        return ""
    return "\n".join(f"{number}. {step}" for number, step in enumerate(plan.steps, 1)) or plan.text.strip()
