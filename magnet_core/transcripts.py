"""Who said what in a dialogue of other hands: lists of messages with the usual names for roles and texts, and plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from magnet_core.domain import Speaker
from magnet_core.errors import SessionFileError

DIALOGUES = (
    "history",
    "dialogue",
    "dialog",
    "messages",
    "conversation",
    "conversations",
    "transcript",
    "turns",
    "utterances",
)
"""Keys under which a file keeps its dialogue."""
_COUNSELLORS = (
    "counselor counsellor therapist psychologist assistant clinician helper supporter coach ai bot gpt chatbot model doctor"
)
_CLIENTS = "client patient user human seeker helpseeker speaker student"
_SPEAKERS: dict[str, Speaker] = {
    **dict.fromkeys(_COUNSELLORS.split(), "counsellor"),
    **dict.fromkeys(_CLIENTS.split(), "client"),
}
_SILENT = frozenset({"system", "developer", "tool", "function"})
"""Roles that speak to a model, not in the dialogue."""
_ROLES = ("role", "speaker", "from", "author", "sender")
_TEXTS = ("message", "content", "text", "value", "utterance")


class Said(NamedTuple):
    """A message of a dialogue, and whether a person typed it."""

    speaker: Speaker
    text: str
    typed: bool = False


def speaker_named(role: Any) -> Speaker | None:
    """Return whose role a name means; None when it is neither's."""
    return _SPEAKERS.get(re.sub(r"[^a-z]", "", str(role).lower()))


def dialogue_of(data: Mapping[str, Any]) -> list[Any] | None:
    """Return the dialogue that an object keeps, as a list of messages; None when it keeps none."""
    for key in DIALOGUES:
        kept = data.get(key)
        if isinstance(kept, list):
            return kept
        if isinstance(kept, str) and (said := _lines(kept)[0]):
            return [{"role": one.speaker, "text": one.text} for one in said]
    return None


def read_messages(dialogue: Iterable[Any], name: str) -> list[Said]:
    """Return who said what in a list of messages, with the words of one speaker in a row as one message.

    Raises `SessionFileError` naming the message that cannot be read.
    """
    said: list[Said] = []
    for number, item in enumerate(dialogue, 1):
        if isinstance(item, str) and (labelled := _lines(item)[0]):
            said += labelled
            continue
        if not isinstance(item, Mapping):
            raise SessionFileError(f"Message {number} of {name} is not an object with 'role' and 'message'.")
        role = next((item[key] for key in _ROLES if item.get(key) is not None), None)
        if str(role).strip().lower() in _SILENT:
            continue
        speaker = speaker_named(role)
        if speaker is None:
            raise SessionFileError(f"Message {number} of {name} is by {role!r}: neither a counsellor nor a client.")
        text = next((found for key in _TEXTS if (found := _text(item.get(key))) is not None), None)
        if text is None:
            raise SessionFileError(f"Message {number} of {name} holds no text.")
        said.append(Said(speaker, text.strip(), item.get("typed") is True))
    return _joined(said)


def read_text(text: str, name: str) -> tuple[list[Said], bool]:
    """Return who said what in a text whose lines begin with "Counsellor:" and "Client:", and whether words before them were left out.

    Raises `SessionFileError` when there are no such lines.
    """
    said, left_out = _lines(text)
    if not said:
        raise SessionFileError(f"{name} holds no dialogue: its lines must begin with a speaker, as in “Counsellor: …”.")
    return _joined(said), left_out


_LABEL = re.compile(
    r"^[\s>*_#-]*(?:\[?\(?\d{1,2}:\d{2}(?::\d{2})?\)?\]?\s*)?[*_]*([A-Za-z][A-Za-z -]{0,20}?)\s*\d{0,3}"
    r"(?P<typed>,? \(?typed by a person\)?)?[*_]*\s*[:：][*_]*\s*(.*)$"
)


def _lines(text: str) -> tuple[list[Said], bool]:
    """Return the messages of a labelled text, and whether words stand before the first label."""
    short = dict[str, Speaker](T="counsellor", C="client", P="client")
    said, left_out = list[Said](), False
    for line in text.splitlines():
        label = _LABEL.match(line)
        speaker = (speaker_named(label[1]) or short.get(label[1])) if label else None
        if label and speaker:
            said.append(Said(speaker, label[3].strip(), bool(label["typed"])))
        elif said:
            said[-1] = said[-1]._replace(text=f"{said[-1].text}\n{line.strip()}")
        elif line.strip():
            left_out = True
    return [one._replace(text=re.sub(r"\n{3,}", "\n\n", one.text).strip()) for one in said], left_out


def _joined(said: Iterable[Said]) -> list[Said]:
    """Return the messages with the words of one speaker in a row as one."""
    found: list[Said] = []
    for one in said:
        if found and found[-1].speaker == one.speaker:
            before = found[-1]
            found[-1] = Said(one.speaker, f"{before.text}\n\n{one.text}".strip(), before.typed or one.typed)
        else:
            found.append(one)
    return found


def _text(value: Any) -> str | None:
    """Return a message's text, also where it is kept in parts; None when there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
        kept = [part for part in parts if isinstance(part, str)]
        return "\n".join(kept) if kept else None
    return None
