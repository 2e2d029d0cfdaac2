"""`score`, `diversity` and `compare`: what session files are worth, printed and written as rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from magnet_core.errors import SettingsError

if TYPE_CHECKING:
    from magnet_core.scoring.rubrics import Rubric

from magnet_core.cli import frame
from magnet_core.cli.frame import app


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
    with frame.exits():
        from rich.console import Console

        from magnet_core.scoring import cli as scoring

        names, measured = scoring.chosen_instruments(instruments, _rubrics)
        if judge == scoring.RULES and base_url:
            raise SettingsError("A base URL needs a model's name beside it: --judge NAME.")
        if judge == scoring.RULES and prompts:
            raise SettingsError("The rules read no prompts; --prompts needs a model as judge, --judge NAME.")
        cast = None if judge == scoring.RULES else frame.cast(judge, base_url, fan_out)
        if prompts:
            names = scoring.in_words(names, frame.read_pack(prompts)[1])
        corpora, unread = scoring.read_files(files)
        sessions = [named for corpus in corpora.values() for named in corpus]
        scoring.check_out(out, sessions)
        rows, silent = scoring.score_files(
            sessions, names, measured, cast, samples, out, frame.meter("judging", budget, token_budget)
        )
        Console().print(*scoring.score_tables(rows, names), sep="\n\n")
        for sentence in (*unread, *silent):
            frame.say(sentence)
        done, missing = len({row["session"] for row in rows}), sum(row["value"] is None for row in rows)
        frame.say(
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
    with frame.exits():
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
            frame.say(sentence)
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
    with frame.exits():
        from rich.console import Console

        from magnet_core.scoring import cli as scoring
        from magnet_core.scoring import compare_files as comparing

        corpora, unread = scoring.read_files(files)
        sessions = [named for corpus in corpora.values() for named in corpus]
        if out:
            scoring.check_out(out, sessions)
        found = comparing.compare_files(sessions, baseline, frame.prices(), adjusted=holm)
        Console().print(comparing.comparison_table(found))
        if out:
            comparing.write_comparison(found, out)
        for sentence in (*comparing.comparison_notes(found), *unread):
            frame.say(sentence)
        if unread:
            raise typer.Exit(1)


def _rubrics() -> list[Rubric]:
    """Return the own rubrics of the library."""
    with frame.library() as store:
        return store.rubrics.all()
