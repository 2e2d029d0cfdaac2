"""`generate`: sessions into a folder, one JSON a client."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from magnet_core.errors import ProfileError, SessionFileError, SettingsError

if TYPE_CHECKING:
    from magnet_core.batch import BatchEvent, Folder, SessionFailed
    from magnet_core.cast import Cast
    from magnet_core.domain import ClientProfile, Session
    from magnet_core.meter import Meter
    from magnet_core.models import ModelFor

from magnet_core.cli import frame
from magnet_core.cli.frame import app


class _Picking(TyperCommand):
    """Let `--pick` take several numbers in a row, which click's options cannot."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        joined: list[str] = []
        for arg in args:
            picking = len(joined) > 1 and joined[-2] == "--pick" and re.fullmatch(r"[\d,]+", joined[-1])
            if picking and re.fullmatch(r"[\d,]+", arg):
                joined[-1] += f",{arg}"
            else:
                joined.append(arg)
        return super().parse_args(ctx, joined)


@app.command(cls=_Picking)
def generate(
    profiles: Annotated[Path, typer.Option(help="A JSON file of client profiles, or a folder of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the sessions, one JSON file each.")],
    pick: Annotated[list[str] | None, typer.Option(metavar="N ...", help="Only these profiles, counted from 1.")] = None,
    method: Annotated[str, typer.Option(help="Which agents take part.")] = "magnet",
    model: Annotated[str, typer.Option(help="A model's name, or 'rehearsal' for the authored cast.")] = "",
    base_url: Annotated[str, typer.Option(help="Address of an OpenAI-compatible endpoint; its key is OPENAI_API_KEY.")] = "",
    turns: Annotated[int, typer.Option(min=1, max=200, help="The most turns of a session.")] = 20,
    min_turns: Annotated[int, typer.Option(min=1, max=200, help="The client may not end a session earlier.")] = 8,
    visibility: Annotated[Literal["repaired", "paper"], typer.Option(help="Who sees what.")] = "repaired",
    fan_out: Annotated[
        Literal["at-once", "primed", "one-by-one"] | None, typer.Option(help="How the calls of a turn leave.")
    ] = None,
    attitude: Annotated[
        Literal["positive", "neutral", "negative"] | None, typer.Option(help="Play all clients with this attitude.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A prompt pack's file; prompts that it does not hold are ours.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed asks for the same session.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Sessions made at once.")] = 4,
    budget: Annotated[float | None, typer.Option(min=0.0001, help="Stop once this run has cost so many dollars.")] = None,
    token_budget: Annotated[int | None, typer.Option(min=1, help="Stop once this run has used so many tokens.")] = None,
    format: Annotated[
        Literal["native", "magnet"], typer.Option(help="Whole sessions, or the reference's shape.")
    ] = "native",
) -> None:
    """Make a session for every client. Run it again with the same arguments to finish what is missing."""
    with frame.exits():
        from magnet_core.batch import Folder
        from magnet_core.domain import Attitude
        from magnet_core.methods import method_named
        from magnet_core.session import new_session

        shortest = min(min_turns, turns)
        chosen, cast = method_named(method), frame.cast(model, base_url, fan_out)
        pack = frame.pack(prompts) if prompts else None
        clients, unusable = _clients(profiles, _numbers(pick or []))
        if attitude:
            clients = [client.with_attitude(Attitude(attitude)) for client in clients]

        def begin(client: ClientProfile, models: ModelFor) -> Session:
            return new_session(
                client,
                method=chosen.name,
                visibility=visibility,
                min_turns=shortest,
                max_turns=turns,
                seed=seed,
                models=models,
                prompt_set=pack.texts if pack else None,
            )

        folder = Folder(out, format)
        arguments = {
            "method": chosen.name,
            "model": cast.default.model,
            "base_url": cast.default.base_url.partition("?")[0],
            "turns": turns,
            "min_turns": shortest,
            "visibility": visibility,
            "seed": seed,
            "format": format,
            "prompts": f"pack {pack.sha}" if pack else None,
        }
        with folder.claim(arguments, clients):
            for client in clients:
                for gap in client.gaps:
                    frame.say(f"{client.name} ({client.id}): {gap}")
            failures = asyncio.run(
                _generate(folder, clients, begin, cast, concurrency, frame.meter("session", budget, token_budget))
            )
        for sentence in (*unusable, *failures):
            frame.say(sentence)
        frame.say(f"{len(clients) - len(failures)} of {len(clients) + len(unusable)} sessions are finished in {out}.")
        if failures or unusable:
            raise typer.Exit(1)


async def _generate(
    folder: Folder,
    clients: list[ClientProfile],
    begin: Callable[[ClientProfile, ModelFor], Session],
    cast: Cast,
    concurrency: int,
    meter: Meter,
) -> list[str]:
    """Make the sessions that are missing in a folder; return a sentence for each that could not be finished."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from magnet_core import telemetry
    from magnet_core.batch import SessionFailed, run_batch
    from magnet_core.cast import open_models
    from magnet_core.events import SessionFinished
    from magnet_core.settings import settings

    collector, listed = settings().otlp_endpoint, cache(frame.prices)
    failures: list[str] = []
    sessions: list[Session] = []
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} turns"),
    )
    async with open_models(cast, meter=meter) as models:
        for client in clients:
            if folder.finished(client):
                folder.tidy(client)
                continue
            try:
                sessions.append(folder.unfinished(client) or begin(client, models))
            except SessionFileError as error:
                failures.append(f"{client.name} ({client.id}) was not begun: what an earlier run left is damaged. {error}")
        left = {session.id: session.max_turns - len(session.turns) for session in sessions}
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task("Sessions", total=sum(left.values()))
            events = run_batch(sessions, models, concurrency=concurrency, fan_out=cast.fan_out)
            async with aclosing(events):
                async for event in _until_spent(events, failures):
                    session = event.session
                    if isinstance(event, SessionFailed):
                        failures.append(_failure(event))
                    elif isinstance(event, SessionFinished):
                        folder.finish(session)
                        progress.console.print(f"{session.profile.name}: {folder.file(session.profile)}", markup=False)
                    elif session.plan or session.turns:
                        folder.keep(session)
                        telemetry.newest(session, collector, listed)
                    left[session.id] = 0 if isinstance(event, SessionFinished) else session.max_turns - len(session.turns)
                    done = sum(s.max_turns - len(s.turns) for s in sessions) - sum(left.values())
                    progress.update(task, completed=done)
    return failures


async def _until_spent(events: AsyncIterator[BatchEvent], failures: list[str]) -> AsyncIterator[BatchEvent]:
    """Yield events until the budget is spent; that is then the last failure."""
    from magnet_core.errors import BudgetSpent

    try:
        async for event in events:
            yield event
    except BudgetSpent as error:
        failures.append(f"{error} Finished turns are kept; run the same command to go on.")


def _failure(failed: SessionFailed) -> str:
    client, turns = failed.session.profile, len(failed.session.turns)
    kept = (
        ("Nothing of it was finished", "The finished turn is kept")[turns]
        if turns < 2
        else f"The {turns} finished turns are kept"
    )
    return f"{client.name} ({client.id}) stopped in {failed.place}. {failed.error} {kept}; run the same command to go on."


def _numbers(picked: list[str]) -> list[int]:
    words = [word for text in picked for word in text.split(",") if word]
    if bad := next((word for word in words if not word.isdecimal()), None):
        raise SettingsError(f"--pick takes numbers counted from 1, such as --pick 3 5; {bad!r} is none.")
    return [int(word) for word in words]


def _clients(path: Path, numbers: list[int]) -> tuple[list[ClientProfile], list[str]]:
    """Return the picked profiles of a file or folder, and a sentence for each picked one that cannot be used."""
    from magnet_core.importers import read_json
    from magnet_core.profiles import pick, read_profile, with_own_ids

    if not path.exists():
        raise ProfileError(f"There is no file or folder {path}.")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ProfileError(f"The folder {path} holds no .json file of profiles.")
    found: list[ClientProfile | str] = []
    for file in files:
        try:
            data = read_json(file)
        except SessionFileError as error:
            if not path.is_dir():
                raise
            found.append(f"{error}")
            continue
        for number, entry in enumerate(data if isinstance(data, list) else [data], 1):
            try:
                found.append(read_profile(entry, file.name))
            except ProfileError as error:
                found.append(f"Profile {number} of {file.name} cannot be used. {error}")
    if not found:
        raise ProfileError(f"{path} holds no profile.")
    usable = iter(with_own_ids(entry for entry in found if not isinstance(entry, str)))
    entries = pick([entry if isinstance(entry, str) else next(usable) for entry in found], numbers)
    return [e for e in entries if not isinstance(e, str)], [e for e in entries if isinstance(e, str)]
