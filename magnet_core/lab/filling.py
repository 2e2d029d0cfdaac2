"""Looking at a prompt: filled with a moment of a session, or as it is written, its variables apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from magnet_core import prompts
from magnet_core.domain import Moment, Prompt, Session
from magnet_core.lab.texts import fields
from magnet_core.methods import METHODS, Method, method_named
from magnet_core.models import Message


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a filled prompt, and the variable it came from; empty for the prompt's own words."""

    text: str
    variable: str = ""


def method_for(agent: str, session: Session) -> Method:
    """Return the session's method if the agent takes part in it, else the first one in which it does."""
    own = method_named(session.method)
    return own if agent in own.agents else next(m for m in METHODS.values() if agent in m.agents)


def filled(texts: prompts.PromptSet, moment: Moment) -> list[tuple[Message, list[Stretch]]]:
    """Return the messages of a moment, each with the stretches that were filled in.

    What a prompt names but the agent is not shown, or what does not exist yet, is left out with its paragraph.
    """
    roster = method_for(moment.agent, moment.session).roster
    plain = prompts.render(texts, roster, moment)
    marked = prompts.render({name: _marked(p) for name, p in texts.items()}, roster, moment)
    return [(message, stretches(other.content, message.content)) for message, other in zip(plain, marked, strict=True)]


_OPEN, _MIDDLE, _CLOSE = "\ue000", "\ue001", "\ue002"


_VARIABLE = re.compile(r"\$\$|\$(?:(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)|\{(?P<braced>[_a-zA-Z][_a-zA-Z0-9]*)\})")


def _named(match: re.Match[str]) -> str:
    """Return the variable of a match; empty for an escaped dollar sign."""
    return match["name"] or match["braced"] or ""


def mark(text: str) -> str:
    """Return a text in which each variable will still be known by `stretches` once it is filled in."""
    return _VARIABLE.sub(lambda m: f"{_OPEN}{name}{_MIDDLE}{m.group()}{_CLOSE}" if (name := _named(m)) else m.group(), text)


def _marked(prompt: Prompt) -> Prompt:
    return prompt.model_copy(update={field: mark(text) for field, text in fields(prompt).items()})


def stretches(text: str, plain: str) -> list[Stretch]:
    """Return the stretches of a filled text that was marked; the whole as one where they are not its `plain` words."""
    found: list[Stretch] = []
    open_names: list[str] = []
    for piece in re.split(f"({_OPEN}[^{_MIDDLE}]*{_MIDDLE}|{_CLOSE})", text):
        if piece.startswith(_OPEN):
            open_names.append(piece[1:-1])
        elif piece == _CLOSE:
            open_names = open_names[:-1]
        elif piece:
            found.append(Stretch(piece, open_names[-1] if open_names else ""))
    return found if "".join(one.text for one in found) == plain else [Stretch(plain)]


def variables_in(text: str) -> list[Stretch]:
    """Return a prompt's text as it is written, its variables apart."""
    found: list[Stretch] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        found += [Stretch(text[end : match.start()])] if match.start() > end else []
        found.append(Stretch(match.group(), _named(match)))
        end = match.end()
    return found + ([Stretch(text[end:])] if end < len(text) else [])
