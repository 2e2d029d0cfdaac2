"""The files of blind reviews: every verdict and every comment as a row, or everything that was asked and said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from magnet_core.domain import Value
from magnet_core.profile_files import cell
from magnet_core.scoring.aspects import SIDES, Half, Pair, Place, RaterKind, Review, Winner, form
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.results import Said, by_model, models_in, titles_of

COLUMNS = (
    "pair", "queue", "client", "attitude", "same_words", "rater", "kind", "finished",
    *(f"{side}_{what}" for side in "ab" for what in ("session", "turns", "maker", "method", "model", "visibility", "prompts", "sampling")),
    "what", "aspect", "choice", "won", "reason", "changed", "order", "both_orders", "final", "side", "turn", "comment", "form", "begun",
)  # fmt: skip
"""The columns of a table. `order` says of a model which of the pair's two sessions came first, `both_orders` whether its verdict was the same
in both, and `final` what counts of the two."""
Times = Mapping[Place, Mapping[str, datetime]]
"""When each verdict came to be as it is now, by review and question."""


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


def rows(
    pairs: Iterable[Pair], reviews: Iterable[Review], taken_out: Collection[str] = (), times: Times | None = None
) -> list[dict[str, Any]]:
    """Return a tidy row for every verdict and every comment, with who gave it and which session stood where.

    `taken_out` are the ids of the pairs that are no longer in the queue: their rows are marked. What is not known is left empty.
    """
    reviews = list(reviews)
    final = finals(reviews)
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
            "attitude": pair.attitude,
            "same_words": ("yes" if pair.identical else "no") if pair.one.words else "",
            "rater": review.rater,
            "kind": review.kind,
            "finished": {True: "yes", False: "no", None: ""}[finished(review)],
            "form": review.form,
            "begun": review.created.isoformat(),
        }
        for side in SIDES:
            row |= _half(side.lower(), pair.on(side, review.flipped), names)
        if review.kind == "model":
            row["order"] = "turned round" if review.flipped else "as kept"
        for key, verdict in review.verdicts.items():
            changed = (times or {}).get(review.place, {}).get(key)
            told = {"choice": verdict.choice, "won": _won(pair, review.winner(key), names), "reason": verdict.reason}
            told["changed"] = changed.isoformat() if changed else ""
            if one := final.get((review.form, pair.id, review.rater, key)) if review.kind == "model" else None:
                told |= {"both_orders": one.order, "final": _won(pair, one.winner, names)}
            found.append(row | {"what": "verdict", "aspect": key} | told)
        for comment in review.comments:
            found.append(row | {"what": "comment", "side": comment.side, "turn": comment.turn, "comment": comment.text})
    return found


def finals(reviews: Sequence[Review]) -> dict[tuple[str, str, str, str], Said]:
    """Return what counts of models' two orders, by form, pair, model and question."""
    return {
        (sha, one.pair, one.rater, one.key): one
        for sha in dict.fromkeys(review.form for review in reviews)
        for under in ([review for review in reviews if review.form == sha],)
        for model in models_in(under)
        for one in by_model(under, model)
    }


def finished(review: Review) -> bool | None:
    """Tell whether every question is answered; None under another form, of which the questions are not known."""
    return review.whole(form()) if review.form == form().sha else None


def csv_text(
    pairs: Iterable[Pair], reviews: Iterable[Review], taken_out: Collection[str] = (), times: Times | None = None
) -> str:
    """Return verdicts and comments as CSV; what a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    for row in rows(pairs, reviews, taken_out, times):
        writer.writerow({name: cell(str(value)) for name, value in row.items()})
    return out.getvalue()


def json_text(
    pairs: Iterable[Pair], reviews: Iterable[Review], taken_out: Collection[str] = (), times: Times | None = None
) -> str:
    """Return everything that was asked and said, comments too, as JSON.

    Under `state` stands of each review whether it is finished and when its verdicts came to be as they are, in the order of the reviews;
    under `model_verdicts` what counts of models' two orders.
    """
    pairs, asked = list(pairs), form()
    known = {pair.id for pair in pairs}
    reviews = [review for review in reviews if review.pair in known]
    return json.dumps(
        {
            "notice": "Reviews of synthetic counselling sessions, made for research and teaching. Not treatment.",
            "form": asked.model_dump(mode="json") | {"sha": asked.sha},
            "pairs": [pair.model_dump(mode="json") for pair in pairs],
            "taken_out": [pair.id for pair in pairs if pair.id in taken_out],
            "reviews": [review.model_dump(mode="json") for review in reviews],
            "state": [
                {
                    "finished": finished(review),
                    "changed": {key: when.isoformat() for key, when in (times or {}).get(review.place, {}).items()},
                }
                for review in reviews
            ],
            "model_verdicts": [one.model_dump(mode="json") | {"form": key[0]} for key, one in finals(reviews).items()],
        },
        indent=2,
        ensure_ascii=False,
    )


def _won(pair: Pair, winner: Winner | None, names: Mapping[Configuration, str]) -> str:
    """Return the name of the maker that a verdict is for, or that it is a tie."""
    return "tie" if winner == "tie" else names[(pair.one if winner == "one" else pair.two).maker]


def _half(side: str, half: Half, names: Mapping[Configuration, str]) -> dict[str, Any]:
    maker = half.maker
    return {
        f"{side}_session": half.session,
        f"{side}_turns": "" if half.turns is None else half.turns,
        f"{side}_maker": names[maker],
        f"{side}_method": maker.method,
        f"{side}_model": maker.model,
        f"{side}_visibility": maker.visibility,
        f"{side}_prompts": maker.prompts or "ours",
        f"{side}_sampling": str(maker.sampling),
    }
