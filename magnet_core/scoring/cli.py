"""What `score` and `diversity` do: read session files, rate or count, print a table, write tidy rows."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, TextIO, cast

from magnet_core.cast import Cast, open_models
from magnet_core.domain import Prompt, Session
from magnet_core.errors import BudgetSpent, PromptError, SessionFileError, SettingsError
from magnet_core.importers import read_file
from magnet_core.models import REHEARSAL, ModelFor
from magnet_core.scoring import diversity
from magnet_core.scoring.events import SessionScored
from magnet_core.scoring.instruments import Sheet, sheet
from magnet_core.scoring.items import INSTRUMENTS, ITEMS, Instrument, Scorecard
from magnet_core.scoring.judge import score_all
from magnet_core.scoring.rubrics import PREFIX, Rubric

if TYPE_CHECKING:
    from rich.table import Table

    from magnet_core.meter import Meter

RULES = "rules"
Row = dict[str, Any]

_MEANT: dict[str, tuple[Instrument, ...]] = {
    **{name: (name,) for name in INSTRUMENTS},
    "panas": ("panas-before", "panas-after"),
    RULES: (),
}
_AT_ONCE = 4
"""Sessions rated at the same time."""
_SHOWN = 12
"""The most sessions a table shows one by one."""


@dataclass(frozen=True, slots=True)
class Named:
    """A session and its file."""

    path: Path
    session: Session

    @property
    def name(self) -> str:
        return self.path.stem


def read_files(paths: Iterable[Path]) -> tuple[dict[str, list[Named]], list[str]]:
    """Return the sessions of files and folders, and a sentence for each file that holds none.

    Every folder given is a corpus by its name; single files make up one together, named "".
    """
    corpora: dict[str, list[Named]] = defaultdict(list)
    unread: list[str] = []
    for path in paths:
        if not path.exists():
            raise SettingsError(f"There is no file or folder {path}.")
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise SettingsError(f"The folder {path} holds no .json file.")
        corpus = (path.name or str(path)) if path.is_dir() else ""
        for file in files:
            try:
                corpora[corpus].append(Named(file, read_file(file)))
            except SessionFileError as error:
                unread.append(str(error))
    return dict(corpora), unread


def check_out(out: Path, sessions: Iterable[Named]) -> None:
    """Raise `SettingsError` where the rows would be written over a session that they come from."""
    if out.resolve() in {named.path.resolve() for named in sessions}:
        raise SettingsError(f"{out} is one of the sessions to read; write the rows to another file.")
    if out.is_dir():
        raise SettingsError(f"{out} is a folder; --out takes a file.")


def chosen_instruments(
    text: str, rubrics: Callable[[], Sequence[Rubric]] = tuple
) -> tuple[tuple[Instrument | Sheet, ...], bool]:
    """Return the instruments named in a comma list, and whether the rules are among them; raise `SettingsError`.

    `rubrics` gives the own rubrics, asked for only when a name is none of ours; one is named by its title or its id.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    own: Sequence[Rubric] = ()
    sheets: dict[str, Sheet] = {}
    odd = [name for name in names if name not in _MEANT]
    if odd:
        own = rubrics()
        sheets = {name: r.sheet for r in reversed(own) for name in (r.title.lower(), r.id.removeprefix(PREFIX), r.id)}
    unknown = [name for name in odd if name not in sheets]
    if not names or unknown:
        wrong = f"{unknown[0]!r} is none" if names else "none was named"
        saved = ", ".join(f"{r.id} (“{r.title}”)" for r in own)
        also = f" Own rubrics in the library: {saved}." if saved else " The library holds no own rubric." if unknown else ""
        raise SettingsError(f"--instruments takes a comma list of {', '.join(_MEANT)} or own rubrics; {wrong}.{also}")
    chosen: dict[Instrument, Instrument | Sheet] = {}
    for name in names:
        for one in _MEANT.get(name) or ([sheets[name]] if name in sheets else ()):
            chosen[one.instrument if isinstance(one, Sheet) else one] = one
    return tuple(chosen.values()), RULES in names


def in_words(instruments: Iterable[Instrument | Sheet], texts: Sequence[Prompt]) -> tuple[Sheet, ...]:
    """Return instruments in a pack's words; raise `SettingsError` where the pack changes nothing a judge is told."""
    from magnet_core.lab.wordings import reworded

    ours = [one if isinstance(one, Sheet) else sheet(one) for one in instruments]
    try:
        told = tuple(reworded(one, texts) for one in ours)
    except PromptError as error:
        raise SettingsError(f"The pack cannot be used: {error}") from error
    if list(told) == ours:
        raise SettingsError("The pack says nothing else than our words to a judge of these instruments.")
    return told


def score_files(
    sessions: Sequence[Named],
    instruments: Sequence[Instrument | Sheet],
    rules: bool,
    cast: Cast | None,
    samples: int,
    out: Path,
    meter: Meter | None = None,
) -> tuple[list[Row], list[str]]:
    """Rate sessions and write the rows of each as soon as it is through, in the order given; return rows and troubles.

    Without a cast, the rules are the judge. A judge that gives no answer at all for a session is not asked for the rest.
    """
    if cast and cast.default.model == REHEARSAL:
        raise SettingsError("The rehearsal cast is authored and cannot rate; take the rules as judge, or name a model.")
    if not cast and (own := [one for one in instruments if isinstance(one, Sheet)]):
        raise SettingsError(f"The rules cannot rate “{own[0].title}”: an own rubric needs a model as judge, --judge NAME.")
    with _written(out) as file:
        return asyncio.run(_score(sessions, instruments, rules, cast, samples, file, meter))


def diversity_rows(corpora: Mapping[str, Sequence[Named]], recipe: diversity.Recipe, tokenizer: Path | None) -> list[Row]:
    """Return the figures of every session and of every corpus; several corpora are measured on samples of equal size."""
    reader = diversity.read_tokenizer(tokenizer) if tokenizer else diversity.WORDS
    rows: list[Row] = []
    for corpus in corpora.values():
        for named in corpus:
            rows += _diversity(named.name, diversity.measure([named.session], recipe, reader), "")
    samples = diversity.equal_samples(corpora)
    for name, drawn in samples.items():
        of = len(corpora[name])
        note = f"all {of} sessions" if len(drawn) == of else f"a random {len(drawn)} of {of} sessions"
        pooled = diversity.measure([named.session for named in drawn], recipe, reader)
        rows += _diversity(f"({name or 'all'})", pooled, note)
    return rows


def write_rows(rows: Iterable[Row], out: Path) -> None:
    """Write rows as JSON, a line each."""
    with _written(out) as file:
        for row in rows:
            file.write(_line(row))


def score_tables(rows: Sequence[Row], instruments: Iterable[Instrument | Sheet] = ()) -> Iterator[Table]:
    """Yield a table for each instrument: its scales, session by session where they are few, and over all.

    The `instruments` tell the scales of own rubrics.
    """
    from rich.markup import escape
    from rich.table import Table

    rubrics = {sheet.instrument: sheet.items[0] for sheet in instruments if isinstance(sheet, Sheet)}
    scales = {id: escape(f"{item.title} ({item.low}-{item.high})") for id, item in rubrics.items()}
    sessions = list(dict.fromkeys(row["session"] for row in rows))
    for instrument in dict.fromkeys(row["instrument"] for row in rows):
        own = [row for row in rows if row["instrument"] == instrument]
        values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in own:
            values[scales.get(instrument) or _scale(row)][row["session"]] += (
                [] if row["value"] is None else [_favourable(row)]
            )
        means = {scale: {name: mean(v) for name, v in of.items() if v} for scale, of in values.items()}
        missing = sum(row["value"] is None for row in own)
        title = f"{instrument}, judge: {own[0]['judge']}" + (f", {missing} of {len(own)} values missing" if missing else "")
        if instrument == RULES:
            table = Table("measure", *(sessions if len(sessions) == 1 else ("mean (SD, sessions)",)), title=title)
            for scale, known in means.items():
                table.add_row(scale, _over_all(known.values()) if len(sessions) > 1 else _number(known.get(sessions[0])))
        else:
            table = Table("session", *means, title=title)
            for name in sessions if len(sessions) <= _SHOWN else ():
                table.add_row(name, *(_number(known.get(name)) for known in means.values()))
            if len(sessions) > 1:
                table.add_section()
                table.add_row("mean (SD, sessions)", *(_over_all(known.values()) for known in means.values()))
        yield table


def diversity_table(rows: Sequence[Row]) -> Table:
    """Return the figures as a table: every session where they are few, and every corpus."""
    from rich.table import Table

    measures = list(dict.fromkeys(row["item"] for row in rows))
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    for place, row in enumerate(rows):
        cells.setdefault((row["session"], place // len(measures)), {})[row["item"]] = row["value"]
    pooled = {key for key in cells if key[0].startswith("(")}
    shown = cells if len(cells) - len(pooled) <= _SHOWN else {key: cells[key] for key in cells if key in pooled}
    table = Table("session", *measures)
    for (session, _), values in shown.items():
        table.add_row(session, *(_number(values[m], 4) for m in measures))
    return table


async def _score(
    sessions: Sequence[Named],
    instruments: Sequence[Instrument | Sheet],
    rules: bool,
    cast: Cast | None,
    samples: int,
    file: TextIO,
    meter: Meter | None,
) -> tuple[list[Row], list[str]]:
    from rich.console import Console
    from rich.progress import Progress

    limit = asyncio.Semaphore(_AT_ONCE)
    rows: list[Row] = []

    async def one(named: Named, models: ModelFor | None) -> list[Scorecard]:
        async with limit:
            if not instruments:
                return []
            events = score_all(
                named.session, instruments, models, samples=samples, fan_out=cast.fan_out if cast else "at-once"
            )
            return [event.card async for event in events if isinstance(event, SessionScored)]

    async def all_of(models: ModelFor | None) -> list[str]:
        tasks = [asyncio.create_task(one(named, models)) for named in sessions]
        try:
            with Progress(console=Console(stderr=True)) as progress:
                bar = progress.add_task("Sessions", total=len(sessions))
                for named, task in zip(sessions, tasks, strict=True):
                    cards = await task
                    own = [*_ratings(named.name, cards), *(_measures(named) if rules else ())]
                    rows.extend(own)
                    file.writelines(map(_line, own))
                    file.flush()
                    progress.advance(bar)
                    if models and cards and (reason := _silence(cards)):
                        return [f"The judge gave no answer for {named.name}. {reason}"]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return []

    if cast is None:
        return rows, await all_of(None)
    try:
        async with open_models(cast, meter=meter) as models:
            return rows, await all_of(models)
    except BudgetSpent as error:
        return rows, [f"{error} What was rated before is kept."]


def _silence(cards: Iterable[Scorecard]) -> str:
    """Return why a judge said nothing at all; empty when it said something."""
    ratings = [rating for card in cards for rating in card.ratings]
    if any(rating.value is not None or any(rating.explanations) for rating in ratings):
        return ""
    return ratings[0].explanation.removeprefix("Missing: ")


def _ratings(name: str, cards: Iterable[Scorecard]) -> Iterator[Row]:
    for card in cards:
        for rating in card.ratings:
            yield _row(
                name, card.instrument, rating.item, rating.value, card.judge, rating.explanation, rating.turns,
                rating.spread, rating.n, card.prompt_sha,
            )  # fmt: skip


def _measures(named: Named) -> Iterator[Row]:
    from magnet_core.scoring.rules import measures

    for measure in measures(named.session):
        yield _row(named.name, RULES, measure.name, measure.value, RULES, measure.read, (), None, measure.n)


def _diversity(name: str, found: diversity.Diversity, note: str) -> Iterator[Row]:
    values = {
        "distinct-1": found.distinct_1,
        "distinct-2": found.distinct_2,
        "distinct-3": found.distinct_3,
        "ead": found.ead,
        "tokens": found.tokens,
        "types": found.types,
    }
    judge = f"{found.recipe}, {found.tokenizer}"
    for item, value in values.items():
        yield _row(name, "diversity", item, value, judge, note, (), None, found.tokens)


def _row(
    session: str,
    instrument: str,
    item: str,
    value: float | None,
    judge: str,
    explanation: str,
    turns: Sequence[int],
    spread: float | None,
    n: int,
    prompt_sha: str = "",
) -> Row:
    return {
        "session": session,
        "instrument": instrument,
        "item": item,
        "value": value,
        "spread": spread,
        "n": n,
        "judge": judge,
        "prompt_sha": prompt_sha,
        "explanation": explanation,
        "turns": list(turns),
    }


def _favourable(row: Row) -> float:
    """Return a value as its scale's mean takes it, reversed items turned round."""
    item = ITEMS.get(row["item"]) if row["instrument"] != RULES else None
    return item.favourable(row["value"]) if item else row["value"]


def _over_all(values: Iterable[float]) -> str:
    values = list(values)
    if len(values) < 2:
        return f"{_number(values[0] if values else None)} ({len(values)})"
    return f"{mean(values):.2f} ({stdev(values):.2f}, {len(values)})"


def _scale(row: Row) -> str:
    item = ITEMS.get(row["item"]) if row["instrument"] != RULES else None
    return f"{item.subscale} ({item.low}-{item.high})" if item else row["item"]


def _number(value: float | None, digits: int = 2) -> str:
    if value is None:
        return "missing"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def _written(out: Path) -> Iterator[TextIO]:
    """Open a file to write rows into; raise `SettingsError` where that cannot be."""
    with ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(out.open("w", encoding="utf-8", errors="backslashreplace", newline="\n"))
        except OSError as error:
            raise SettingsError(f"{out} cannot be written: {error.strerror or error}.") from error
        yield cast(TextIO, file)
