"""A prompt as the lab shows it: as it is written, as it is sent, its variables marked. Everything is escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

from magnet_core import lab, prompts
from magnet_core.domain import AgentCall, Prompt
from magnet_core.lab import Stretch
from magnet_core.models import Message
from ui import theme

FIELDS = {
    "role": "Its role, as the team's list tells it",
    "note": "Its line at the end of each request",
    "system": "What opens each request",
}
FRAMES = {"counsellor": "Counsellor's frame", "plain-counsellor": "Plain counsellor's frame"}
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}


def name_of(prompt: str) -> str:
    """Return a prompt's name for the screen."""
    return FRAMES.get(prompt) or theme.title_of(prompt)


def marked(stretches: Iterable[Stretch], *, filled: bool, known: Collection[str] = prompts.VARIABLES) -> str:
    """Return a prompt's words with its variables marked; those that are not `known` stand out."""
    out: list[str] = []
    for one in stretches:
        text = escape(one.text)
        part = prompts.PARTS.get(prompts.part_of(one.variable), "") or one.variable.replace("_", " ")
        there = one.variable in known
        title = (f"${one.variable}" if there else one.variable) if filled else part if there else "There is no such variable"
        out.append(
            f'<mark class="var{"" if there or filled else " odd"}" title="{escape(title)}">{text}</mark>'
            if one.variable
            else text
        )
    return "".join(out)


def written(texts: Sequence[Prompt], names: Mapping[str, Sequence[str]]) -> str:
    """Return prompts as they are written, variables marked."""
    cards = []
    for prompt in texts:
        for field in names[prompt.name]:
            body = marked(lab.variables_in(lab.fields(prompt)[field]), filled=False)
            cards.append(
                f'<section class="card"><header><h3>{escape(name_of(prompt.name))}: {FIELDS[field].lower()}</h3></header>'
                f'<p class="words">{body}</p></section>'
            )
    used = sorted({v for p in texts for v in prompts.variables(p) if v in prompts.VARIABLES})
    legend = "".join(
        f"<li><code>${escape(v)}</code> {escape(prompts.PARTS.get(prompts.part_of(v), _PLAIN.get(v, v)))}</li>" for v in used
    )
    return f'<div class="lab">{"".join(cards)}<ul class="legend">{legend}</ul></div>'


_PLAIN = {
    "turn": "Number of the turn",
    "max_turns": "Turns at most",
    "min_turns": "Turns at least",
    "catalogue": "The roles of the whole team",
    "cbt_techniques": "Names of the twelve CBT techniques",
}


def sent(pairs: Sequence[tuple[Message, Sequence[Stretch]]], call: AgentCall | None, sha: str) -> str:
    """Return the messages as they would be sent, what was filled in marked; the dialogue folds away."""
    if call is None:
        same = "No call of this agent is recorded for this moment."
    elif call.prompt_sha == sha:
        same = "Word for word what was sent in this session."
    else:
        same = "Not what was sent in this session."
    record = f"Hash of this request: {sha}." + (f" Hash of the recorded one: {call.prompt_sha}." if call else "")
    cards = []
    for number, (message, stretches) in enumerate(pairs):
        body = f'<p class="words">{marked(stretches, filled=True)}</p>'
        head = _SPEAKERS[message.role]
        if 0 < number < len(pairs) - 1:
            cards.append(f'<div class="turned"><b>{head}</b>{body}</div>')
        else:
            cards.append(f'<section class="card"><header><h3>{head}</h3></header>{body}</section>')
    middle = cards[1:-1]
    before = (
        f'<details class="fold"><summary>The dialogue before: {len(middle)} messages</summary>{"".join(middle)}</details>'
        if middle
        else ""
    )
    length = sum(lab.tokens(m.content) for m, _ in pairs)
    note = f"{same} About {length:,} tokens. Marked: what was filled in; point at it to see its variable."
    return f'<div class="lab"><p class="hint">{escape(note)}</p>{cards[0]}{before}{cards[-1] if len(cards) > 1 else ""}{fold("For the record", record)}</div>'


def fold(title: str, text: str) -> str:
    """Return a text that is read where it is asked for."""
    return f'<details class="fold"><summary>{escape(title)}</summary><p class="hint">{escape(text)}</p></details>'


def asked(pairs: Sequence[tuple[Message, Sequence[Stretch]]]) -> str:
    """Return messages as they are sent."""
    cards = (
        f'<section class="card"><header><h3>{_SPEAKERS[message.role]}</h3></header>'
        f'<p class="words">{marked(stretches, filled=True)}</p></section>'
        for message, stretches in pairs
    )
    return f'<div class="lab">{"".join(cards)}</div>'
