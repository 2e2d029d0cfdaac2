"""`show`: a session as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

    from magnet_core.domain import Session

from magnet_core.cli import frame
from magnet_core.cli.frame import app


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A session file of any shape.")]) -> None:
    """Print a session: who, how, the plan, the dialogue with its techniques, and the flags."""
    with frame.exits():
        from rich.console import Console

        from magnet_core.importers import read_file

        Console(soft_wrap=False).print(*_lines(read_file(file)), sep="\n")


def _lines(session: Session) -> Iterator[Text]:
    """Yield a session as text for the terminal; nothing in it is read as markup."""
    from rich.text import Text

    from magnet_core.methods import METHODS

    client, method = session.profile, METHODS.get(session.method)
    age = f", {client.intake.age}" if client.intake.age else ""
    yield Text(f"{client.name}{age} · {client.attitude} client", "bold")
    models = ", ".join(dict.fromkeys(session.models.values())) or "unknown"
    yield Text(f"Method {method.title if method else session.method} · model {models} · {len(session.turns)} turns")
    yield Text(session.notice, "italic")
    if session.plan:
        name = session.plan.technique or "no technique that could be read"
        mark = ", edited by a person" if session.plan.by_person else ""
        yield Text.assemble("\n", (f"Plan: {name}{mark}", "bold"), f"\n{session.plan.reason}" if session.plan.reason else "")
        for number, step in enumerate(session.plan.steps, 1):
            yield Text(f"  {number}. {step}")
    opening = client.opening
    yield _said("Counsellor", opening.counsellor, "\n")
    yield _said("Client", opening.client)
    for number, turn in enumerate(session.turns, 1):
        letters = " ".join(t[0].upper() for t in turn.choice.techniques) if turn.choice else ""
        step = f" · step {turn.choice.plan_step}" if turn.choice and turn.choice.plan_step else ""
        by_person = ", chosen by a person" if turn.choice and turn.choice.by_person else ""
        yield Text(f"\nTurn {number}{f' [{letters}]' if letters else ''}{step}{by_person}", "bold")
        yield _said("Counsellor", turn.response, typed="counsellor" in turn.typed)
        yield _said("Client", turn.reply.text, typed="client" in turn.typed)
        for flag in turn.flags:
            yield Text(f"  Flag, {flag.kind} ({flag.agent}): {flag.detail}", "red" if flag.kind == "risk" else "yellow")
    for flag in session.plan_flags:
        yield Text(f"\nFlag before the first turn, {flag.kind} ({flag.agent}): {flag.detail}", "yellow")
    used = dict.fromkeys(t for turn in session.turns if turn.choice for t in turn.choice.techniques)
    if used:
        yield Text("\n" + ", ".join(f"{t[0].upper()} {t}" for t in used), "dim")


def _said(speaker: str, text: str, before: str = "", *, typed: bool = False) -> Text:
    from rich.text import Text

    name = f"{speaker}{' (typed by a person)' if typed else ''}: "
    return Text.assemble(before, (name, "bold cyan" if speaker == "Counsellor" else "bold magenta"), text or "(no words)")
