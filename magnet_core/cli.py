"""The command line: `generate` makes sessions, `show` prints one, `score` and `diversity` measure them, `reviews` tells what raters said.

Exit codes: 0 everything was done, 1 something could not be, 2 the arguments do not fit, 130 interrupted.
What is heavy is imported where it is used, so that help and wrong arguments answer at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from magnet_core.errors import MagnetError, ProfileError, PromptError, SessionFileError, SettingsError

if TYPE_CHECKING:
    from rich.text import Text

    from magnet_core.batch import BatchEvent, Folder, SessionFailed
    from magnet_core.cast import Cast
    from magnet_core.costs import Prices
    from magnet_core.domain import ClientProfile, FanOut, Prompt, Session
    from magnet_core.meter import Meter, Purpose
    from magnet_core.models import ModelFor
    from magnet_core.packs import Pack
    from magnet_core.scoring.aspects import Pair, Review
    from magnet_core.scoring.rubrics import Rubric

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Synthetic CBT counselling sessions by a team of agents, for research and teaching. Not treatment.",
)


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
    with _exits():
        from magnet_core.batch import Folder
        from magnet_core.domain import Attitude
        from magnet_core.methods import method_named
        from magnet_core.session import new_session

        shortest = min(min_turns, turns)
        chosen, cast = method_named(method), _cast(model, base_url, fan_out)
        pack = _pack(prompts) if prompts else None
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
                    _say(f"{client.name} ({client.id}): {gap}")
            failures = asyncio.run(
                _generate(folder, clients, begin, cast, concurrency, _meter("session", budget, token_budget))
            )
        for sentence in (*unusable, *failures):
            _say(sentence)
        _say(f"{len(clients) - len(failures)} of {len(clients) + len(unusable)} sessions are finished in {out}.")
        if failures or unusable:
            raise typer.Exit(1)


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A session file of any shape.")]) -> None:
    """Print a session: who, how, the plan, the dialogue with its techniques, and the flags."""
    with _exits():
        from rich.console import Console

        from magnet_core.importers import read_file

        Console(soft_wrap=False).print(*_lines(read_file(file)), sep="\n")


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Session files of any shape, or folders of them.")],
    out: Annotated[Path, typer.Option(help="File for the rows, a JSON object a line; a missing value is null.")],
    instruments: Annotated[
        str, typer.Option(help="Comma list of ctrs (six items), ctrs-11, wai, panas (before and after), rules, own rubrics.")
    ] = "ctrs,wai,panas,rules",
    judge: Annotated[
        str, typer.Option(help="'rules' for the rule-based rater (an indicator), or a model's name.")
    ] = "rules",
    base_url: Annotated[str, typer.Option(help="Address of an OpenAI-compatible endpoint; its key is OPENAI_API_KEY.")] = "",
    samples: Annotated[int, typer.Option(min=1, max=20, help="Answers asked of a model for every item.")] = 3,
    prompts: Annotated[
        Path | None, typer.Option(help="A prompt pack's file; what it does not tell the judge is said in our words.")
    ] = None,
    budget: Annotated[float | None, typer.Option(min=0.0001, help="Stop once this run has cost so many dollars.")] = None,
    token_budget: Annotated[int | None, typer.Option(min=1, help="Stop once this run has used so many tokens.")] = None,
    fan_out: Annotated[
        Literal["at-once", "primed", "one-by-one"] | None, typer.Option(help="How the calls about a session leave.")
    ] = None,
) -> None:
    """Rate sessions, by the rules or by a model; print the means and write a row for every item."""
    with _exits():
        from rich.console import Console

        from magnet_core.scoring import cli as scoring

        names, measured = scoring.chosen_instruments(instruments, _rubrics)
        if judge == scoring.RULES and base_url:
            raise SettingsError("A base URL needs a model's name beside it: --judge NAME.")
        if judge == scoring.RULES and prompts:
            raise SettingsError("The rules read no prompts; --prompts needs a model as judge, --judge NAME.")
        cast = None if judge == scoring.RULES else _cast(judge, base_url, fan_out)
        if prompts:
            names = scoring.in_words(names, _read_pack(prompts)[1])
        corpora, unread = scoring.read_files(files)
        sessions = [named for corpus in corpora.values() for named in corpus]
        scoring.check_out(out, sessions)
        rows, silent = scoring.score_files(
            sessions, names, measured, cast, samples, out, _meter("judging", budget, token_budget)
        )
        Console().print(*scoring.score_tables(rows, names), sep="\n\n")
        for sentence in (*unread, *silent):
            _say(sentence)
        done, missing = len({row["session"] for row in rows}), sum(row["value"] is None for row in rows)
        _say(
            f"{done} of {len(sessions) + len(unread)} sessions are in {out}{f'; {missing} values are missing' if missing else ''}."
        )
        if unread or silent:
            raise typer.Exit(1)


@app.command()
def diversity(
    files: Annotated[list[Path], typer.Argument(help="Session files of any shape, or folders; each folder is a corpus.")],
    recipe: Annotated[
        Literal["paper", "repaired"], typer.Option(help="The paper's own recipe, or one that keeps words whole.")
    ] = "repaired",
    tokenizer: Annotated[
        Path | None, typer.Option(help="A Hugging Face tokenizer.json; without it, words are the tokens.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the rows, a JSON object a line.")] = None,
) -> None:
    """Count how varied the language is (Distinct-1/2/3, EAD), session by session and pooled."""
    with _exits():
        from rich.console import Console

        from magnet_core.scoring import cli as scoring

        corpora, unread = scoring.read_files(files)
        if out:
            scoring.check_out(out, [named for corpus in corpora.values() for named in corpus])
        rows = scoring.diversity_rows(corpora, recipe, tokenizer)
        if rows:
            Console().print(scoring.diversity_table(rows))
        if out:
            scoring.write_rows(rows, out)
        for sentence in unread:
            _say(sentence)
        if unread:
            raise typer.Exit(1)


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(help="Session files of any shape, or folders of them.")],
    baseline: Annotated[str, typer.Option(help="The method that all others are compared with.")] = "magnet",
    holm: Annotated[bool, typer.Option("--holm", help="Allow for how many differences are looked at together.")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the table, as CSV.")] = None,
) -> None:
    """Compare ways of making sessions on the same clients, scored by rules, with intervals."""
    with _exits():
        from rich.console import Console

        from magnet_core.scoring import cli as scoring
        from magnet_core.scoring import compare_files as comparing

        corpora, unread = scoring.read_files(files)
        sessions = [named for corpus in corpora.values() for named in corpus]
        if out:
            scoring.check_out(out, sessions)
        found = comparing.compare_files(sessions, baseline, _prices(), adjusted=holm)
        Console().print(comparing.comparison_table(found))
        if out:
            comparing.write_comparison(found, out)
        for sentence in (*comparing.comparison_notes(found), *unread):
            _say(sentence)
        if unread:
            raise typer.Exit(1)


@app.command()
def reviews(
    out: Annotated[
        Path, typer.Option(help="File for all verdicts and comments: .csv, or .json with the form and the pairs.")
    ],
) -> None:
    """Write the blind reviews of the library as the Review page exports them; print win rates and how far raters agree."""
    with _exits():
        from rich.console import Console

        from magnet_core.scoring import review_cli, review_files
        from magnet_core.scoring.aspects import form

        if out.suffix not in (".csv", ".json"):
            raise SettingsError("The file for the reviews must end in .csv or .json.")
        queued, taken_out, said = _reviewed()
        pairs, ids = [*queued, *taken_out], {pair.id for pair in taken_out}
        as_json = out.suffix == ".json"
        text = review_files.json_text(pairs, said, form(), ids) if as_json else review_files.csv_text(pairs, said, ids)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise SettingsError(f"{out} cannot be written: {error.strerror or error}.") from error
        for table in review_cli.tables(queued, said, form()):
            Console().print(table, "")
        other = sum(review.form != form().sha for review in said)
        if other:
            _say(f"{other} reviews were given under another form: they are in the file and not in the tables.")
        _say(f"{len(said)} reviews of {len(pairs)} pairs, {len(taken_out)} of them taken out of the queue, are in {out}.")


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

    collector = settings().otlp_endpoint
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
                        telemetry.newest(session, collector, _prices)
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


def _meter(purpose: Purpose, dollars: float | None, tokens: int | None) -> Meter:
    """Return what counts a run's calls against its budgets."""
    from magnet_core.meter import Budget, Limit, Meter

    budgets: list[Budget] = []
    if dollars is not None:
        listed = _prices()
        budgets.append(Budget(Limit(amount=dollars), lambda: listed))
    if tokens is not None:
        budgets.append(Budget(Limit(amount=tokens, unit="tokens")))
    return Meter(purpose, budgets)


def _prices() -> Prices:
    """Return the price list with the library's own entries over it."""
    from magnet_core.settings import settings
    from magnet_core.store import Store

    store = Store(settings().database_url)
    try:
        return store.prices.all()
    finally:
        store.close()


def _reviewed() -> tuple[list[Pair], list[Pair], list[Review]]:
    """Return the pairs of the library's queue, those taken out of it, and all that was said about them."""
    from magnet_core.settings import settings
    from magnet_core.store import Store

    store = Store(settings().database_url)
    try:
        kept = store.reviews
        return kept.pairs(), kept.taken_out(), [review for review in kept.reviews() if review.says]
    finally:
        store.close()


def _rubrics() -> list[Rubric]:
    """Return the own rubrics of the library."""
    from magnet_core.settings import settings
    from magnet_core.store import Store

    store = Store(settings().database_url)
    try:
        return store.rubrics.all()
    finally:
        store.close()


def _failure(failed: SessionFailed) -> str:
    client, turns = failed.session.profile, len(failed.session.turns)
    kept = (
        ("Nothing of it was finished", "The finished turn is kept")[turns]
        if turns < 2
        else f"The {turns} finished turns are kept"
    )
    return f"{client.name} ({client.id}) stopped in {failed.place}. {failed.error} {kept}; run the same command to go on."


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


def _cast(model: str, base_url: str, fan_out: FanOut | None) -> Cast:
    """Return the cast of the settings, with what the arguments say instead."""
    from magnet_core.cast import REHEARSAL
    from magnet_core.models.openai import check_url
    from magnet_core.settings import settings

    cast = settings().cast()
    voice = cast.default.model_copy(update={"model": model} if model else {})
    if base_url and voice.model == REHEARSAL:
        raise SettingsError("A base URL needs a model's name beside it: --model NAME.")
    if voice.model == REHEARSAL:
        return cast.model_copy(
            update={"default": voice.model_copy(update={"base_url": ""}), "fan_out": fan_out or "at-once"}
        )
    if base_url:
        voice = voice.model_copy(update={"base_url": check_url(base_url)})
    return cast.model_copy(update={"default": voice, "fan_out": fan_out or cast.fan_out})


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


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _pack(file: Path) -> Pack:
    """Return the agents' prompts of a pack's file."""
    from magnet_core.packs import pack_of_agents

    pack = pack_of_agents(*_read_pack(file))
    if not pack.prompts:
        raise SettingsError(f"{file}: no agent's prompt in it differs from ours.")
    return pack


def _read_pack(file: Path) -> tuple[str, list[Prompt]]:
    """Return title and prompts of a pack's file; one that can be used in part only is refused."""
    from magnet_core.packs import from_file

    try:
        title, texts, left = from_file(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not a text in UTF-8, so it is no prompt pack.") from error
    except PromptError as error:
        raise SettingsError(f"{file}: {error}") from error
    if left:
        raise SettingsError(f"{file}: {' '.join(left)}")
    return title, texts


@contextmanager
def _exits() -> Iterator[None]:
    """Turn errors into a sentence and an exit code."""
    try:
        yield
    except (SettingsError, ProfileError, SessionFileError) as error:
        _say(str(error))
        raise typer.Exit(2) from error
    except MagnetError as error:
        _say(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        _say("Stopped. Finished turns are kept; run the same command again to go on.")
        raise typer.Exit(130) from None
