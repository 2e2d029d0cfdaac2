"""Reading session files: our own, those that the reference's scripts write, and those that its authors released."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from magnet_core import guards, profiles, reading
from magnet_core.domain import (
    SCHEMA_VERSION,
    CbtTechnique,
    ClientProfile,
    Flag,
    Moment,
    Opening,
    Plan,
    Session,
    Speaker,
    Turn,
)
from magnet_core.errors import ProfileError, SessionFileError
from magnet_core.methods import METHODS

IMPORTED = "imported"
"""What stands for the model of a session whose file does not name one."""

_SPEAKERS: dict[str, Speaker] = {
    **dict.fromkeys(("counselor", "counsellor", "therapist", "psychologist", "assistant"), "counsellor"),
    **dict.fromkeys(("client", "patient", "user"), "client"),
}
_DIALOGUES = ("history", "dialogue", "dialog", "messages", "conversation", "transcript")
_LONGEST = 200
"""The most turns that a session may have."""


def read_file(path: Path) -> Session:
    """Return the session in a file of any known shape; raise `SessionFileError` naming the file and the reason."""
    return read_session(read_json(path), path.name)


def read_bytes(raw: bytes, name: str) -> Session:
    """Return the session in the content of a file of any known shape; `name` is for the messages."""
    return read_session(parse_json(raw, name), name)


def read_json(path: Path) -> Any:
    """Return the parsed content of a JSON file; raise `SessionFileError` when there is none."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SessionFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    return parse_json(raw, path.name)


def parse_json(raw: bytes, name: str) -> Any:
    """Return the parsed content of a JSON file; halves of characters, which could not be written again, become "?"."""
    try:
        data = json.loads(raw.decode("utf-8-sig"))
        return json.loads(json.dumps(data, ensure_ascii=False).encode(errors="replace")) if b"\\ud" in raw.lower() else data
    except (ValueError, RecursionError) as error:
        raise SessionFileError(f"{name} is not valid JSON: {error}.") from error


def read_session(data: Any, name: str) -> Session:
    """Return the session in parsed JSON of any known shape; raise `SessionFileError` with the reason when there is none.

    The reference's shapes say neither which model spoke nor who wrote which candidate: the models are called "imported",
    the trace is empty, and `method` is "magnet" unless the file names another.
    """
    if not isinstance(data, Mapping):
        raise SessionFileError(f"{name} holds no session: a session file is a JSON object.")
    if "profile" in data:
        return _native(data, name)
    row = data.get("example", data)
    dialogue = next((data[key] for key in _DIALOGUES if isinstance(data.get(key), list)), None)
    if dialogue is None or not isinstance(row, Mapping):
        raise SessionFileError(
            f"{name} holds no session: it needs 'profile' and 'turns', or 'example' and 'history', "
            "or 'AI_client' and 'dialogue'."
        )
    try:
        [profile] = profiles.read_profiles([row], name)
    except ProfileError as error:
        raise SessionFileError(f"{name} holds no client that can be read. {error}") from error
    said = _messages(dialogue, name)
    try:
        return _imported(data, profile, said, name)
    except (ValidationError, RecursionError) as error:
        raise SessionFileError(f"{name} holds no session that can be read: {error}.") from error


def _native(data: Mapping[str, Any], name: str) -> Session:
    version = data.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise SessionFileError(f"{name} was written by a newer version of this program (schema {version}).")
    try:
        return Session.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'session'}: {e['msg']}" for e in error.errors()[:4])
        raise SessionFileError(f"{name} holds no session that can be read: {faults}.") from error


def _messages(dialogue: Iterable[Any], name: str) -> list[tuple[Speaker, str]]:
    """Return who said what, with the words of one speaker in a row as one message."""
    said: list[tuple[Speaker, str]] = []
    for number, item in enumerate(dialogue, 1):
        if not isinstance(item, Mapping):
            raise SessionFileError(f"Message {number} of {name} is not an object with 'role' and 'message'.")
        role = item.get("role", item.get("speaker"))
        text = next((item[key] for key in ("message", "content", "text") if isinstance(item.get(key), str)), None)
        speaker = _SPEAKERS.get(str(role).strip().lower())
        if speaker is None:
            raise SessionFileError(f"Message {number} of {name} is by {role!r}: neither a counsellor nor a client.")
        if text is None:
            raise SessionFileError(f"Message {number} of {name} holds no text.")
        if said and said[-1][0] == speaker:
            said[-1] = (speaker, f"{said[-1][1]}\n\n{text}".strip())
        else:
            said.append((speaker, text.strip()))
    return said


def _imported(data: Mapping[str, Any], profile: ClientProfile, said: list[tuple[Speaker, str]], name: str) -> Session:
    gaps = list(profile.gaps)
    if said and said[0][0] == "client":
        said = [("counsellor", profile.opening.counsellor), *said]
        gaps.append("The dialogue begins with the client; the record's greeting was put before it.")
    if len(said) % 2:
        said = said[:-1]
        gaps.append("The counsellor's last message had no answer and was left out.")
    pairs = [(said[n][1], said[n + 1][1]) for n in range(0, len(said), 2)]
    if not 2 <= len(pairs) <= _LONGEST + 1:
        turns = max(0, len(pairs) - 1)
        raise SessionFileError(f"{name} holds {turns} turns after the opening pair; 1 to {_LONGEST} can be read.")
    greeting, first = reading.read_utterance(pairs[0][0]), reading.read_utterance(pairs[0][1], "client")
    opening = Opening(counsellor=greeting or profile.opening.counsellor, client=first or profile.opening.client)
    plan = _plan(_text(data.get("cbt_technique")), _text(data.get("cbt_plan")))
    method = data.get("method")
    session = Session(
        id=hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16],
        created=datetime.now(UTC),
        profile=profile.model_copy(update={"opening": opening, "gaps": tuple(gaps)}),
        method=method if isinstance(method, str) and method in METHODS else "magnet",
        min_turns=1,
        max_turns=len(pairs) - 1,
        models={"counsellor": IMPORTED, "client": IMPORTED},
        plan=plan,
        plan_flags=guards.risk_flags(opening.client, 0),
    )
    for response, answer in pairs[1:]:
        session = session.add(_turn(session, response, answer))
    return session


def _turn(session: Session, response: str, answer: str) -> Turn:
    """Return an imported turn, its texts read and flagged as those of a live one."""
    number = len(session.turns) + 1
    message, reply = reading.read_utterance(response), reading.read_reply(answer)
    flags: list[Flag] = []
    for agent, text, raw in (("responder", message, response), ("client", reply.text, answer)):
        moment = Moment(agent=agent, session=session, response=message)
        if problem := guards.first_problem(guards.SPOKEN, guards.Answer(text, raw, "", moment)):
            flags.append(
                Flag.model_validate(
                    {"turn": number, "agent": agent, "kind": problem.kind, "detail": f"Kept although {problem.detail}"}
                )
            )
    flags += guards.risk_flags(reply.text, number)
    return Turn(response=message, reply=reply, flags=tuple(flags))


def _plan(technique: str, steps: str) -> Plan | None:
    """Return the plan in the reference's two free texts; None when both are empty."""
    if not technique and not steps:
        return None
    plan = reading.read_plan(f"{technique}\n{steps}".strip())
    named = next((known for known in CbtTechnique if technique.lower().startswith(known.value.lower())), None)
    if named is None:
        return plan
    reason = technique[len(named.value) :].lstrip(" :") or plan.reason
    return plan.model_copy(update={"technique": named, "reason": reason})


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "\n".join(map(str, value))
    return value.strip() if isinstance(value, str) else ""
