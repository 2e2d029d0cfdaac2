"""Rating a session: by a model, item by item, or by the rules; an async generator of events like the making of a session.

All items of a session are asked about at once, each in a few samples. What cannot be read is asked for once more and is then
missing, with the words that were said; so is what the endpoint would not answer. Nothing here raises for a bad answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import mean

from magnet_core.domain import FanOut, Moment, Session
from magnet_core.errors import ModelError, SettingsError
from magnet_core.models import REHEARSAL, Chunk, ModelFor, Player, Request
from magnet_core.models.calls import Failed, Heard, hear
from magnet_core.scoring.answers import Reading, read_rating, read_ratings, squeeze
from magnet_core.scoring.events import ItemRated, ScoreEvent, SessionScored
from magnet_core.scoring.instruments import Sheet, sheet
from magnet_core.scoring.items import INSTRUMENTS, Instrument, Item, Rating, Scorecard
from magnet_core.streams import after, in_a_row, merge, opening

JUDGE = "judge"
"""The name by which a cast knows the judge."""
RULES = "rules"
"""The name of the rule-based rater as a judge."""
SAMPLES = 3
"""How many answers are asked for, as in the paper."""
TEMPERATURE = 0.7
"""Of several samples; at 0, as in the paper, they would be one answer told several times."""
_TOKENS_ALONE, _TOKENS_TOGETHER = 400, 2400


@dataclass(frozen=True, slots=True)
class Question:
    """What one request asks: some items of one instrument about one session."""

    sheet: Sheet
    items: tuple[Item, ...]
    session: Session

    def read(self, text: str) -> dict[str, Reading]:
        if self.sheet.together:
            return read_ratings(text, self.items)
        [item] = self.items
        return {item.key: read_rating(text, item)}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question is ready to be sent; nothing has been asked of the model yet."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The ratings that came of a question."""

    question: Question
    ratings: tuple[Rating, ...]


async def score(
    session: Session,
    instrument: Instrument | Sheet,
    models: ModelFor | None,
    *,
    samples: int = SAMPLES,
    fan_out: FanOut = "at-once",
    live: bool = False,
) -> AsyncGenerator[ScoreEvent]:
    """Yield every item's rating as it comes; the last event is `SessionScored`. Without models, the rules rate."""
    async with aclosing(score_all(session, [instrument], models, samples=samples, fan_out=fan_out, live=live)) as events:
        async for event in events:
            yield event


async def score_all(
    session: Session,
    instruments: Sequence[Instrument | Sheet],
    models: ModelFor | None,
    *,
    samples: int = SAMPLES,
    fan_out: FanOut = "at-once",
    live: bool = False,
) -> AsyncGenerator[ScoreEvent]:
    """Yield the ratings of several instruments, all their items asked about together; a `SessionScored` for each.

    An own rubric is given as its sheet. Raises `SettingsError` where the judge's model is the rehearsal cast, which cannot rate,
    and where the rules are to rate by an own rubric.
    """
    if models is None:
        from magnet_core.scoring.rater import rate

        for instrument in instruments:
            if isinstance(instrument, Sheet):
                raise SettingsError(f"The rules cannot rate “{instrument.title}”: an own rubric needs a model as judge.")
            card = await asyncio.to_thread(rate, session, instrument)
            for rating in card.ratings:
                yield ItemRated(instrument, card.turns, rating)
            yield SessionScored(card)
        return
    player = models(JUDGE)
    if player.model.name == REHEARSAL:
        raise SettingsError("The rehearsal cast is authored and cannot rate; take the rules as judge, or name a model.")
    sheets = {s.instrument: s for s in (one if isinstance(one, Sheet) else sheet(one) for one in instruments)}
    questions = [q for one in sheets.values() for q in _questions(one, session)]
    waiting = {name: {item.key for item in one.items} for name, one in sheets.items()}
    rated: dict[Instrument, dict[str, Rating]] = {name: {} for name in sheets}
    async with aclosing(_fan(questions, player, samples, fan_out, live)) as pieces:
        async for piece in pieces:
            if not isinstance(piece, Answered):
                continue
            name = piece.question.sheet.instrument
            for rating in piece.ratings:
                rated[name][rating.item] = rating
                waiting[name].discard(rating.item)
                yield ItemRated(name, len(session.turns), rating)
            if not waiting[name]:
                yield SessionScored(_card(session, sheets[name], player.model.name, rated[name]))


async def every_k_turns(
    session: Session,
    k: int,
    instruments: Sequence[Instrument | Sheet],
    models: ModelFor | None,
    *,
    after_turn: int = 0,
    samples: int = SAMPLES,
    fan_out: FanOut = "at-once",
) -> AsyncGenerator[ScoreEvent]:
    """Yield the scores of the session as it stood after every k turns, for a curve that grows with it.

    `after_turn` is the last turn scored already. The mood before the session does not change with it, so it is rated once.
    """
    for turns in range(k, len(session.turns) + 1, k):
        if turns <= after_turn:
            continue
        again = [one for one in instruments if turns == k or _name(one) != "panas-before"]
        stood = session.upto(turns)
        async with aclosing(score_all(stood, again, models, samples=samples, fan_out=fan_out)) as events:
            async for event in events:
                yield event


def room(sheet: Sheet) -> int:
    """Return how many tokens an answer may have."""
    return _TOKENS_TOGETHER if sheet.together else _TOKENS_ALONE


def _name(one: Instrument | Sheet) -> Instrument:
    return one.instrument if isinstance(one, Sheet) else one


def _questions(sheet: Sheet, session: Session) -> list[Question]:
    groups = [sheet.items] if sheet.together else [(item,) for item in sheet.items]
    return [Question(sheet, items, session) for items in groups]


def _card(session: Session, sheet: Sheet, judge: str, ratings: dict[str, Rating]) -> Scorecard:
    return Scorecard(
        session_id=session.id,
        instrument=sheet.instrument,
        judge=judge,
        kind="model",
        prompt_sha=sheet.sha,
        created=datetime.now(UTC),
        ratings=tuple(ratings[item.key] for item in sheet.items),
        turns=len(session.turns),
        items=() if sheet.instrument in INSTRUMENTS else sheet.items,
    )


def _fan(
    questions: Sequence[Question], player: Player, samples: int, fan_out: FanOut, live: bool
) -> AsyncGenerator[Asked | Chunk | Answered]:
    """Ask the questions: together, the first ahead of the others, or in a row."""
    primed = fan_out == "primed" and len(questions) > 1
    streams = [_ask(q, player, samples, live or (primed and n == 0)) for n, q in enumerate(questions)]
    if fan_out == "one-by-one":
        return in_a_row(*streams)
    if primed:
        gate = asyncio.Event()
        return merge(opening(streams[0], gate, Chunk), *(after(gate, stream) for stream in streams[1:]))
    return merge(*streams)


async def _ask(question: Question, player: Player, samples: int, live: bool) -> AsyncGenerator[Asked | Chunk | Answered]:
    """Yield the pieces of an answer and then its ratings; samples that cannot be read are asked for once more."""
    readings: list[dict[str, Reading]] = [{} for _ in range(samples)]
    texts = [""] * samples
    wanted, problem, asked = list(range(samples)), "", question
    request = _request(question, player, samples, live)
    yield Asked()
    while True:
        heard: Heard | None = None
        try:
            async with aclosing(hear(player.model, request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Heard):
                        heard = piece
                    elif not isinstance(piece, Failed):
                        yield piece
        except ModelError as error:
            problem = problem or str(error)
            break
        assert heard is not None
        for place, text in zip(wanted, heard.texts, strict=True):
            texts[place] = text
            readings[place] |= {
                key: reading for key, reading in asked.read(text).items() if not _is_read(readings[place], key)
            }
        unread = {item.key for item in question.items for n in wanted if not _is_read(readings[n], item.key)}
        wanted = [n for n in wanted if any(not _is_read(readings[n], key) for key in unread)]
        if not wanted or problem:
            break
        asked = replace(question, items=tuple(item for item in question.items if item.key in unread))
        problem = next(r.problem for r in readings[wanted[0]].values() if r.value is None)
        request = replace(
            request,
            messages=question.sheet.request(question.session, asked.items, problem),
            schema=question.sheet.schema(asked.items),
            samples=len(wanted),
        )
    yield Answered(question, tuple(_rating(item, question.session, readings, texts, problem) for item in question.items))


def _is_read(readings: dict[str, Reading], key: str) -> bool:
    return key in readings and readings[key].value is not None


def _request(question: Question, player: Player, samples: int, live: bool) -> Request:
    sheet, session = question.sheet, question.session
    temperature = TEMPERATURE if samples > 1 else 0.0
    return Request(
        messages=sheet.request(session, question.items),
        moment=Moment(agent=JUDGE, session=session),
        temperature=temperature if player.temperature is None else player.temperature,
        max_tokens=player.max_tokens or room(sheet),
        seed=session.seed,
        schema=sheet.schema(question.items),
        schema_name=f"{sheet.instrument}_rating".replace("-", "_"),
        live=live,
        samples=samples,
    )


def _rating(
    item: Item, session: Session, readings: Sequence[dict[str, Reading]], texts: Sequence[str], problem: str
) -> Rating:
    """Return the mean of what the samples say about an item, with the words of the one nearest to it."""
    own = [reading.get(item.key, Reading(None)) for reading in readings]
    values = [reading.value for reading in own if reading.value is not None]
    value = mean(values) if values else None
    said = tuple(r.reason if r.value is not None else squeeze(text, 600) for r, text in zip(own, texts, strict=True))
    turns = sorted({n for r in own if r.value is not None for n in r.turns if 0 <= n <= len(session.turns)})
    if value is None:
        why = next((r.problem for r in own if r.problem), "") or problem
        explanation = f"Missing: {why}" if not any(texts) else f"Missing: the answer could not be used, {why}"
    else:
        nearest = min((r for r in own if r.value is not None), key=lambda r: abs((r.value or 0.0) - value))
        explanation = nearest.reason
    return Rating(
        item=item.key,
        value=value,
        samples=tuple(r.value for r in own),
        explanation=explanation,
        explanations=said,
        turns=tuple(turns),
    )
