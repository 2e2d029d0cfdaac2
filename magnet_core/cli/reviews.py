"""`reviews`: what raters said, as the Review page exports it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magnet_core.errors import SettingsError

if TYPE_CHECKING:
    from magnet_core.scoring.aspects import Pair, Review
    from magnet_core.scoring.review_files import Times

from magnet_core.cli import frame
from magnet_core.cli.frame import app


@app.command()
def reviews(
    out: Annotated[
        Path, typer.Option(help="File for all verdicts and comments: .csv, or .json with the form and the pairs.")
    ],
) -> None:
    """Write the blind reviews of the library as the Review page exports them; print win rates and how far raters agree."""
    with frame.exits():
        from rich.console import Console

        from magnet_core.scoring import review_cli, review_files
        from magnet_core.scoring.aspects import form

        if out.suffix not in (".csv", ".json"):
            raise SettingsError("The file for the reviews must end in .csv or .json.")
        queued, taken_out, said, times = _reviewed()
        pairs, ids = [*queued, *taken_out], {pair.id for pair in taken_out}
        as_json = out.suffix == ".json"
        text = review_files.json_text(pairs, said, ids, times) if as_json else review_files.csv_text(pairs, said, ids, times)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise SettingsError(f"{out} cannot be written: {error.strerror or error}.") from error
        for table in review_cli.tables(queued, said, form()):
            Console().print(table, "")
        for line in review_cli.cautions(queued):
            frame.say(line)
        other = sum(review.form != form().sha for review in said)
        if other:
            frame.say(f"{other} reviews were given under another form: they are in the file and not in the tables.")
        frame.say(
            f"{len(said)} reviews of {len(pairs)} pairs, {len(taken_out)} of them taken out of the queue, are in {out}."
        )


def _reviewed() -> tuple[list[Pair], list[Pair], list[Review], Times]:
    """Return the pairs of the library's queue, those taken out of it, all that was said about them, and when."""
    with frame.library() as store:
        kept = store.reviews
        return kept.pairs(), kept.taken_out(), [review for review in kept.reviews() if review.says], kept.times()
