"""Reading session files: our own, those that the reference's scripts write, and those that its authors released."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from magnet_core import archives, guards, profiles, reading, transcripts
from magnet_core.domain import (
    SCHEMA_VERSION,
    CbtTechnique,
    ClientProfile,
    Flag,
    Intake,
    Moment,
    Opening,
    Plan,
    Session,
    Turn,
)
from magnet_core.errors import ProfileError, SessionFileError
from magnet_core.methods import METHODS
from magnet_core.profile_files import OWN
from magnet_core.transcripts import Said

IMPORTED = "imported"
"""What stands for the model of a session whose file does not name one."""
TRANSCRIPT_NOTICE = (
    "Imported transcript, not made by this program, which does not know where it comes from. "
    "For research and teaching; it is not treatment."
)

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
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


def read_many(files: Iterable[tuple[str, bytes]]) -> tuple[list[Session], list[str]]:
    """Return the sessions in files of any known kind, each once, and a sentence for everything that could not be read."""
    sessions, problems = dict[str, Session](), list[str]()
    for read in read_each(files):
        if isinstance(read, Session):
            sessions[read.id] = read
        else:
            problems.append(read)
    return list(sessions.values()), problems


def read_each(files: Iterable[tuple[str, bytes]]) -> Iterator[Session | str]:
    """Yield, as they are read, the sessions of files given by name and content, or a sentence where one cannot be read.

    A file is JSON, JSON lines, a plain text with speakers' labels, or a zip of these. A copy of a session is passed over; one that
    is further on comes again and takes the place of the earlier.
    """
    seen: dict[str, Session] = {}
    for name, raw in files:
        for content in archives.contents(name, raw):
            if isinstance(content, str):
                yield content
                continue
            for read in _sessions_in(*content):
                if isinstance(read, str):
                    yield read
                elif (known := seen.get(read.id)) is None or _further(read, known):
                    seen[read.id] = read
                    yield read
                elif not (_same(read, known) or _further(known, read)):
                    yield f"{content[0]} holds another session under the id {read.id!r}; the first one was kept."


def _sessions_in(name: str, raw: bytes) -> Iterator[Session | str]:
    """Yield the sessions of one file, or a sentence for each that cannot be read."""
    ending = name.lower().rpartition(".")[2]
    try:
        if ending == "jsonl":
            yield from _lines(name, raw)
        elif ending == "txt":
            yield read_transcript(_decoded(raw, name), name)
        else:
            data = parse_json(raw, name)
            if isinstance(data, list) and data and all(_is_session(item) for item in data):
                yield from _each(((f"Session {n} of {name}", item) for n, item in enumerate(data, 1)))
            else:
                yield read_session(data, name)
    except SessionFileError as error:
        yield str(error)


def _lines(name: str, raw: bytes) -> Iterator[Session | str]:
    """Yield the sessions of JSON lines: one a line, or our table with a turn a line."""
    lines = [(n, line) for n, line in enumerate(_decoded(raw, name).splitlines(), 1) if line.strip()]
    if not lines:
        yield f"{name} is empty."
    tables: dict[str, list[Mapping[str, Any]]] = {}
    for number, line in lines:
        where = f"Line {number} of {name}"
        try:
            data = parse_json(line.encode(errors="replace"), where)
            if isinstance(data, Mapping) and {"session", "turn", "counsellor", "client"} <= data.keys():
                tables.setdefault(str(data["session"]), []).append(data)
            else:
                yield read_session(data, where)
        except SessionFileError as error:
            yield str(error)
    yield from _each((f"Session {id} of {name}", _from_table(rows)) for id, rows in tables.items())


def _each(entries: Iterable[tuple[str, Any]]) -> Iterator[Session | str]:
    for where, data in entries:
        try:
            yield read_session(data, where)
        except SessionFileError as error:
            yield str(error)


def _from_table(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the rows of a session's turns as a transcript; the trace has no place in a table."""
    speakers = ("counsellor", "client")
    first = rows[0]
    said = [
        {"role": side, "text": row[side], "typed": side in row["typed"] if isinstance(row.get("typed"), list) else False}
        for row in sorted(rows, key=lambda row: row["turn"] if isinstance(row["turn"], int) else 0)
        for side in speakers
    ]
    return {
        "dialogue": said,
        **{key: first[key] for key in ("client_name", "method", "models", "licence", "notice") if key in first},
    }


def _is_session(item: Any) -> bool:
    """Tell whether an entry of a list looks like a whole session, not like a message of one."""
    return isinstance(item, Mapping) and (
        "profile" in item or "AI_client" in item or transcripts.dialogue_of(item) is not None
    )


def _further(session: Session, known: Session) -> bool:
    """Tell whether a session is another one at a later state."""
    shared = len(known.turns)
    same_head = _bare(session) == _bare(known) and (known.plan is None or session.plan == known.plan)
    return (
        same_head and session.turns[:shared] == known.turns and (len(session.turns) > shared or session.plan != known.plan)
    )


def _same(session: Session, known: Session) -> bool:
    later = {"created": known.created}
    return session.model_copy(update=later) == known


def _bare(session: Session) -> Session:
    plain = {"created": _ANY_TIME, "plan": None, "plan_calls": (), "plan_flags": (), "turns": ()}
    return session.model_copy(update=plain)


def _decoded(raw: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SessionFileError(f"{name} is not a text file.")


def read_session(data: Any, name: str) -> Session:
    """Return the session in parsed JSON of any known shape; raise `SessionFileError` with the reason when there is none.

    The reference's shapes say neither which model spoke nor who wrote which candidate: the models are called "imported",
    the trace is empty, and `method` is "magnet" unless the file names another.
    """
    if isinstance(data, list) and data and all(isinstance(item, Mapping) and "intake" not in item for item in data):
        data = {"dialogue": data}
    if not isinstance(data, Mapping):
        raise SessionFileError(f"{name} holds no session: a session file is a JSON object, or a list of messages.")
    if "intake" in data:
        raise SessionFileError(f"{name} holds a client's profile, not a session; profiles are imported on their own page.")
    if "profile" in data:
        return _native(data, name)
    row = data.get("example", data)
    dialogue = transcripts.dialogue_of(data)
    if dialogue is None or not isinstance(row, Mapping):
        raise SessionFileError(
            f"{name} holds no session: it needs 'profile' and 'turns', or 'example' and 'history', "
            "or 'AI_client' and 'dialogue', or a transcript under a key such as 'messages'."
        )
    if "AI_client" not in row:
        return _plain(data, transcripts.read_messages(dialogue, name), name)
    try:
        [profile] = profiles.read_profiles([row], name)
    except ProfileError as error:
        raise SessionFileError(f"{name} holds no client that can be read. {error}") from error
    # the file's own name is left out, so that a copy under another name is the same session
    licence = _text(data.get("licence")) or "Row of a MAGneT/CACTUS session file; rows of that list are GPL-2.0."
    profile = profile.model_copy(update={"source": "" if licence == OWN else licence})
    return _imported(data, profile, transcripts.read_messages(dialogue, name), name)


def read_transcript(text: str, name: str) -> Session:
    """Return the session in a plain text whose lines begin with "Counsellor:" and "Client:".

    Raises `SessionFileError` with the reason when there is none.
    """
    said, left_out = transcripts.read_text(text, name)
    gaps = ("Words before the first speaker's label were left out.",) if left_out else ()
    return _plain({"dialogue": text}, said, name, gaps)


def _plain(data: Mapping[str, Any], said: list[Said], name: str, gaps: tuple[str, ...] = ()) -> Session:
    """Return the session of a transcript that comes without a client's form."""
    called = next((v for key in ("client_name", "client", "name") if isinstance(v := data.get(key), str) and v.strip()), "")
    profile = ClientProfile(
        id=profiles.slug(called) or "client",
        intake=Intake(name=called.strip() or "Client"),
        opening=Opening(counsellor="Hello, I'm glad you're here. What brings you today?", client="-"),
        source=_text(data.get("licence")) or "Imported transcript; its licence is not known to this program.",
        gaps=("The transcript comes without an intake form.", *gaps),
    )
    session = _imported(data, profile, said, name)
    return session.model_copy(update={"notice": _text(data.get("notice")) or TRANSCRIPT_NOTICE})


def _native(data: Mapping[str, Any], name: str) -> Session:
    version = data.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise SessionFileError(f"{name} was written by a newer version of this program (schema {version}).")
    try:
        return Session.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'session'}: {e['msg']}" for e in error.errors()[:4])
        raise SessionFileError(f"{name} holds no session that can be read: {faults}.") from error


def _imported(data: Mapping[str, Any], profile: ClientProfile, said: list[Said], name: str) -> Session:
    """Return the session of a client and a dialogue; raise `SessionFileError` where they make none."""
    try:
        return _made(data, profile, said, name)
    except (ValidationError, RecursionError) as error:
        raise SessionFileError(f"{name} holds no session that can be read: {error}.") from error


def _made(data: Mapping[str, Any], profile: ClientProfile, said: list[Said], name: str) -> Session:
    gaps = list(profile.gaps)
    if said and said[0].speaker == "client":
        said = [Said("counsellor", profile.opening.counsellor), *said]
        gaps.append("The dialogue begins with the client; the record's greeting was put before it.")
    if len(said) % 2:
        said = said[:-1]
        gaps.append("The counsellor's last message had no answer and was left out.")
    pairs = [(said[n], said[n + 1]) for n in range(0, len(said), 2)]
    if not 2 <= len(pairs) <= _LONGEST + 1:
        turns = max(0, len(pairs) - 1)
        raise SessionFileError(f"{name} holds {turns} turns after the opening pair; 1 to {_LONGEST} can be read.")
    greeting, first = reading.read_utterance(pairs[0][0].text), reading.read_utterance(pairs[0][1].text, "client")
    opening = Opening(counsellor=greeting or profile.opening.counsellor, client=first or profile.opening.client)
    plan = _plan(_text(data.get("cbt_technique")), _text(data.get("cbt_plan")))
    if plan and data.get("plan_by_person") is True:
        plan = plan.model_copy(update={"by_person": True})
    method = data.get("method")
    session = Session(
        id=hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16],
        created=datetime.now(UTC),
        profile=profile.model_copy(update={"opening": opening, "gaps": tuple(gaps)}),
        method=method if isinstance(method, str) and method in METHODS else "magnet",
        min_turns=1,
        max_turns=len(pairs) - 1,
        models=_models(data.get("models")),
        plan=plan,
        plan_flags=guards.risk_flags(opening.client, 0),
    )
    for response, answer in pairs[1:]:
        turn = _turn(session, response.text, answer.text)
        session = session.add(turn.model_copy(update={"typed": tuple(m.speaker for m in (response, answer) if m.typed)}))
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
        return plan.model_copy(update={"reason": plan.reason.strip()})
    reason = technique[len(named.value) :].lstrip(" :") or plan.reason
    return plan.model_copy(update={"technique": named, "reason": reason})


def _models(named: Any) -> dict[str, str]:
    """Return which models a file says spoke; "imported" where it does not say."""
    if isinstance(named, Mapping) and named and all(isinstance(v, str) and v for v in named.values()):
        return {str(agent): model for agent, model in named.items()}
    return {"counsellor": IMPORTED, "client": IMPORTED}


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "\n".join(map(str, value))
    return value.strip() if isinstance(value, str) else ""
