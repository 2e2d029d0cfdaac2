"""The files of blind reviews: every verdict and every comment as a row, or everything that was asked and said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from magnet_core.domain import Value
from magnet_core.profile_files import cell
from magnet_core.scoring.aspects import Form, Half, Pair, RaterKind, Review, Side
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.results import titles_of

COLUMNS = (
    "pair", "queue", "client", "rater", "kind",
    *(f"{side}_{what}" for side in "ab" for what in ("session", "maker", "method", "model", "visibility", "prompts", "sampling")),
    "what", "aspect", "choice", "won", "reason", "side", "turn", "comment", "form", "begun",
)  # fmt: skip
SIDES: tuple[Side, Side] = ("A", "B")


class Remark(Value):
    """Words that somebody wrote about a pair: the reason of a verdict, or a comment on a turn."""

    pair: Pair
    rater: str
    kind: RaterKind
    key: str
    """The question; empty for a comment."""
    text: str
    won: Configuration | None = None
    """For whom the verdict is; None for a tie, and for a comment."""
    half: Half | None = None
    """The session a comment is about; None for a reason, which is about both."""
    turn: int | None = None


def remarks(pairs: Iterable[Pair], reviews: Iterable[Review]) -> list[Remark]:
    """Return all reasons and comments in the order in which the reviews were begun."""
    known = {pair.id: pair for pair in pairs}
    found: list[Remark] = []
    for review in reviews:
        if not (pair := known.get(review.pair)):
            continue
        who: dict[str, Any] = {"pair": pair, "rater": review.rater, "kind": review.kind}
        for key, verdict in review.verdicts.items():
            if verdict.reason:
                won = None if verdict.choice == "tie" else pair.on(verdict.choice, review.flipped).maker
                found.append(Remark(**who, key=key, text=verdict.reason, won=won))
        for comment in review.comments:
            half = pair.on(comment.side, review.flipped)
            found.append(Remark(**who, key="", text=comment.text, half=half, turn=comment.turn))
    return found


def rows(pairs: Iterable[Pair], reviews: Iterable[Review], taken_out: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return a tidy row for every verdict and every comment, with who gave it and which session stood where.

    `taken_out` are the ids of the pairs that are no longer in the queue: their rows are marked.
    """
    known = {pair.id: pair for pair in pairs}
    names = titles_of(maker for pair in known.values() for maker in pair.makers)
    found: list[dict[str, Any]] = []
    for review in reviews:
        if not (pair := known.get(review.pair)):
            continue
        row: dict[str, Any] = {
            "pair": pair.id,
            "queue": "taken out" if pair.id in taken_out else "in the queue",
            "client": pair.client,
            "rater": review.rater,
            "kind": review.kind,
            "form": review.form,
            "begun": review.created.isoformat(),
        }
        for side in SIDES:
            row |= _half(side.lower(), pair.on(side, review.flipped), names)
        for key, verdict in review.verdicts.items():
            won = "tie" if verdict.choice == "tie" else names[pair.on(verdict.choice, review.flipped).maker]
            found.append(
                row | {"what": "verdict", "aspect": key, "choice": verdict.choice, "won": won, "reason": verdict.reason}
            )
        for comment in review.comments:
            found.append(row | {"what": "comment", "side": comment.side, "turn": comment.turn, "comment": comment.text})
    return found


def csv_text(pairs: Iterable[Pair], reviews: Iterable[Review], taken_out: Collection[str] = ()) -> str:
    """Return verdicts and comments as CSV; what a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    for row in rows(pairs, reviews, taken_out):
        writer.writerow({name: cell(str(value)) for name, value in row.items()})
    return out.getvalue()


def json_text(pairs: Iterable[Pair], reviews: Iterable[Review], form: Form, taken_out: Collection[str] = ()) -> str:
    """Return everything that was asked and said, comments too, as JSON."""
    pairs = list(pairs)
    known = {pair.id for pair in pairs}
    return json.dumps(
        {
            "notice": "Reviews of synthetic counselling sessions, made for research and teaching. Not treatment.",
            "form": form.model_dump(mode="json") | {"sha": form.sha},
            "pairs": [pair.model_dump(mode="json") for pair in pairs],
            "taken_out": [pair.id for pair in pairs if pair.id in taken_out],
            "reviews": [review.model_dump(mode="json") for review in reviews if review.pair in known],
        },
        indent=2,
        ensure_ascii=False,
    )


def _half(side: str, half: Half, names: Mapping[Configuration, str]) -> dict[str, Any]:
    maker = half.maker
    return {
        f"{side}_session": half.session,
        f"{side}_maker": names[maker],
        f"{side}_method": maker.method,
        f"{side}_model": maker.model,
        f"{side}_visibility": maker.visibility,
        f"{side}_prompts": maker.prompts or "ours",
        f"{side}_sampling": str(maker.sampling),
    }
