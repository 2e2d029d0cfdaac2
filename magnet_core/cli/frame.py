"""What all commands share: how errors end them, and how their arguments become models, prompts and budgets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from magnet_core.errors import MagnetError, ProfileError, PromptError, SessionFileError, SettingsError

if TYPE_CHECKING:
    from magnet_core.cast import Cast
    from magnet_core.costs import Prices
    from magnet_core.domain import FanOut, Prompt
    from magnet_core.meter import Meter, Purpose
    from magnet_core.packs import Pack
    from magnet_core.store import Store


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Synthetic CBT counselling sessions by a team of agents, for research and teaching. Not treatment.",
)


@contextmanager
def exits() -> Iterator[None]:
    """Turn errors into a sentence and an exit code."""
    try:
        yield
    except (SettingsError, ProfileError, SessionFileError) as error:
        say(str(error))
        raise typer.Exit(2) from error
    except MagnetError as error:
        say(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        say("Stopped. Finished turns are kept; run the same command again to go on.")
        raise typer.Exit(130) from None


def say(sentence: str) -> None:
    typer.echo(sentence, err=True)


@contextmanager
def library() -> Iterator[Store]:
    """Give the library of the settings, and close it."""
    from magnet_core.settings import settings
    from magnet_core.store import Store

    store = Store(settings().database_url)
    try:
        yield store
    finally:
        store.close()


def prices() -> Prices:
    """Return the price list with the library's own entries over it."""
    with library() as store:
        return store.prices.all()


def meter(purpose: Purpose, dollars: float | None, tokens: int | None) -> Meter:
    """Return what counts a run's calls against its budgets."""
    from magnet_core.meter import Budget, Limit, Meter

    budgets: list[Budget] = []
    if dollars is not None:
        listed = prices()
        budgets.append(Budget(Limit(amount=dollars), lambda: listed))
    if tokens is not None:
        budgets.append(Budget(Limit(amount=tokens, unit="tokens")))
    return Meter(purpose, budgets)


def cast(model: str, base_url: str, fan_out: FanOut | None) -> Cast:
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


def pack(file: Path) -> Pack:
    """Return the agents' prompts of a pack's file."""
    from magnet_core.packs import pack_of_agents

    pack = pack_of_agents(*read_pack(file))
    if not pack.prompts:
        raise SettingsError(f"{file}: no agent's prompt in it differs from ours.")
    return pack


def read_pack(file: Path) -> tuple[str, list[Prompt]]:
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
