"""A judge rates a session: well, badly or rudely answered; what cannot be read is missing, and items share what was read."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core.cast import Cast, Voice, open_models
from magnet_core.domain import FanOut, Session
from magnet_core.errors import ModelError, PromptError, SettingsError
from magnet_core.models import Chunk, Player, Request
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.scoring import instruments
from magnet_core.scoring.answers import read_rating, read_ratings, turns_in
from magnet_core.scoring.events import ItemRated, ScoreEvent, SessionScored
from magnet_core.scoring.instruments import numbered, sheet, sheets
from magnet_core.scoring.items import CTRS, INSTRUMENTS, ITEMS, PANAS, WAI, Instrument, Scorecard
from magnet_core.scoring.judge import every_k_turns, score, score_all
from tests.fakes import finished
from tests.llm_server import Start

ALL: tuple[Instrument, ...] = ("ctrs", "wai", "panas-before", "panas-after")


class Judge:
    """Answer in words of the test's choice: a text for each call and sample, or an error to raise."""

    name = "test-judge"

    def __init__(self, answer: Callable[[Request, int, int], str | Exception]) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        call = len(self.requests) - 1
        for index in range(request.samples):
            said = self.answer(request, call, index)
            if isinstance(said, Exception):
                raise said
            yield Chunk(said, "stop", index=index)


def fitting(request: Request, call: int, index: int) -> str:
    """Answer as the schema asks, with scores that differ from sample to sample."""
    assert request.schema is not None
    properties = request.schema["properties"]

    def one(answer: dict[str, Any]) -> dict[str, Any]:
        scores = answer["properties"]["score"]["enum"]
        return {"turns": [1, 2 + index], "reason": f"Because of sample {index}.", "score": scores[1 + index]}

    if "score" in properties:
        return json.dumps(one(request.schema))
    return json.dumps({word: one(answer) for word, answer in properties.items()})


async def rate(
    session: Session, judge: Any, names: tuple[Instrument, ...] = ("ctrs",), **more: Any
) -> tuple[list[ScoreEvent], dict[Instrument, Scorecard]]:
    events = [event async for event in score_all(session, names, lambda agent: Player(judge), **more)]
    return events, {event.card.instrument: event.card for event in events if isinstance(event, SessionScored)}


@pytest.mark.anyio
async def test_every_item_is_rated_with_its_samples_and_its_reasons() -> None:
    session = await finished(4)
    judge = Judge(fitting)
    events, cards = await rate(session, judge, ALL)
    assert len(judge.requests) == 20
    assert all(request.samples == 3 for request in judge.requests)
    assert [len(cards[name].ratings) for name in ALL] == [6, 12, 20, 20]
    assert sum(isinstance(event, ItemRated) for event in events) == 58
    rating = cards["ctrs"].rating("focus")
    assert rating is not None
    assert (rating.value, rating.samples, rating.n, rating.spread) == (2.0, (1.0, 2.0, 3.0), 3, 1.0)
    assert rating.explanations == tuple(f"Because of sample {n}." for n in range(3))
    assert rating.explanation == "Because of sample 1."
    assert rating.turns == (1, 2, 3, 4)
    card = cards["wai"]
    assert (card.session_id, card.judge, card.kind, card.turns) == (session.id, "test-judge", "model", 4)
    assert card.prompt_sha == sheet("wai").sha
    assert [r.item for r in card.ratings] == [item.key for item in WAI]


@pytest.mark.anyio
async def test_one_instrument_ends_with_its_scorecard() -> None:
    events = [e async for e in score(await finished(1), "ctrs-11", lambda agent: Player(Judge(fitting)), samples=1)]
    assert isinstance(events[-1], SessionScored)
    assert len(events[-1].card.ratings) == len(events) - 1 == 11
    assert events[-1].card.ratings[0].spread is None


@pytest.mark.anyio
async def test_items_share_everything_up_to_the_item_itself() -> None:
    session = await finished(3)
    judge = Judge(fitting)
    await rate(session, judge, ALL)
    shown = numbered(session)
    seen = [request for request in judge.requests if shown in request.messages[1].content]
    assert len(seen) == 19
    [before] = [request for request in judge.requests if request not in seen]
    assert session.profile.intake.presenting_problem in before.messages[1].content
    assert not any(turn.response in before.messages[1].content for turn in session.turns)
    prefix = f"Transcript:\n{shown}\n\n"
    assert all(request.messages[0] == judge.requests[0].messages[0] for request in judge.requests)
    assert all(request.messages[1].content.startswith(prefix) for request in seen)
    assert shown.startswith(f"[0] Counsellor: {session.profile.opening.counsellor}\n[0] Client: ")
    assert f"\n[3] Client: {session.turns[2].reply.text}" in shown


@pytest.mark.anyio
async def test_what_cannot_be_read_is_asked_for_once_more_and_then_missing() -> None:
    answers = {0: "Four stars, well done!", 1: "I would rather not."}
    judge = Judge(lambda request, call, index: answers[min(call, 1)])
    _, cards = await rate(await finished(1), judge, samples=1, fan_out="one-by-one")
    assert len(judge.requests) == 12
    [rating, *others] = cards["ctrs"].ratings
    assert all(r.value is None for r in (rating, *others))
    assert rating.samples == (None,)
    assert rating.n == 0
    assert rating.spread is None
    assert rating.explanations == ("I would rather not.",)
    assert rating.explanation.startswith("Missing")
    first, again = judge.requests[0].messages[1].content, judge.requests[1].messages[1].content
    assert again.startswith(first)
    assert "not used" in again[len(first) :]


@pytest.mark.anyio
async def test_only_the_samples_that_could_not_be_read_are_asked_for_again() -> None:
    def answer(request: Request, call: int, index: int) -> str:
        return ("Score: 4", "Score: 9", "")[index] if call == 0 else "Score: 6"

    judge = Judge(answer)
    _, cards = await rate(await finished(1), judge, fan_out="one-by-one")
    assert [request.samples for request in judge.requests[:2]] == [3, 2]
    assert "9" in judge.requests[1].messages[1].content[-120:]
    assert cards["ctrs"].ratings[0].samples == (4.0, 6.0, 6.0)


@pytest.mark.anyio
async def test_of_several_words_only_those_missing_are_asked_for_again() -> None:
    def answer(request: Request, call: int, index: int) -> str:
        return (
            json.dumps({"interested": 5, "afraid": {"score": 2, "reason": "Calmer."}})
            if call == 0
            else fitting(request, 0, 0)
        )

    judge = Judge(answer)
    _, cards = await rate(await finished(2), judge, ("panas-after",), samples=1)
    assert judge.requests[1].schema is not None
    asked = set(judge.requests[1].schema["properties"])
    assert asked == {item.key for item in PANAS} - {"interested", "afraid"}
    values = {r.item: r.value for r in cards["panas-after"].ratings}
    assert (values["interested"], values["afraid"], values["proud"]) == (5.0, 2.0, 2.0)


@pytest.mark.anyio
async def test_an_endpoint_that_gives_nothing_leaves_items_missing_with_the_reason() -> None:
    broken = Judge(lambda request, call, index: ModelError("The key is wrong.", kind="key"))
    _, cards = await rate(await finished(1), broken, ALL)
    ratings = [rating for card in cards.values() for rating in card.ratings]
    assert len(ratings) == 58
    assert all(r.value is None and r.samples == (None, None, None) for r in ratings)
    assert all("The key is wrong." in r.explanation for r in ratings)


@pytest.mark.anyio
async def test_turns_that_do_not_exist_are_not_quoted() -> None:
    judge = Judge(lambda request, call, index: json.dumps({"turns": [-1, 0, 2, 3, 99, "x"], "reason": "r", "score": 4}))
    _, cards = await rate(await finished(2), judge, samples=1)
    assert cards["ctrs"].ratings[0].turns == (0, 2)


@pytest.mark.anyio
async def test_the_rehearsal_cast_does_not_pass_for_a_judge() -> None:
    with pytest.raises(SettingsError, match="cannot rate"):
        await rate(await finished(1), Rehearsal())


@pytest.mark.anyio
async def test_a_curve_scores_the_session_as_it_stood() -> None:
    session = await finished(7)
    judge = Judge(fitting)
    events = [e async for e in every_k_turns(session, 3, ALL, lambda agent: Player(judge), samples=1)]
    cards = [event.card for event in events if isinstance(event, SessionScored)]
    assert [(c.instrument, c.turns) for c in cards if c.instrument == "ctrs"] == [("ctrs", 3), ("ctrs", 6)]
    assert [c.turns for c in cards if c.instrument == "panas-before"] == [3]
    assert [c.turns for c in cards if c.instrument == "panas-after"] == [3, 6]
    later = [e async for e in every_k_turns(session, 3, ["wai"], lambda agent: Player(judge), after_turn=3, samples=1)]
    assert [e.card.turns for e in later if isinstance(e, SessionScored)] == [6]
    assert session.turns[3].response not in next(
        r.messages[1].content
        for r in judge.requests
        if len(r.moment.session.turns) == 3 and "Transcript" in r.messages[1].content
    )


@pytest.mark.anyio
async def test_stopping_early_leaves_nothing_running() -> None:
    session = await finished(1)
    judge = Judge(fitting)
    before = asyncio.all_tasks()
    events = score_all(session, ALL, lambda agent: Player(judge))
    async for _ in events:
        break
    await events.aclose()
    assert asyncio.all_tasks() == before


@pytest.mark.anyio
@pytest.mark.parametrize("fan_out", ["at-once", "primed", "one-by-one"])
async def test_an_endpoint_gives_all_samples_in_one_request(endpoint: Start, fan_out: FanOut) -> None:
    server = endpoint()
    session = await finished(3)
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        events = [event async for event in score_all(session, ALL, models, fan_out=fan_out)]
    cards = [event.card for event in events if isinstance(event, SessionScored)]
    assert server.record.calls == 20
    assert {body["n"] for body in server.record.bodies} == {3}
    assert all(r.n == 3 for card in cards for r in card.ratings)
    assert len(cards) == 4


@pytest.mark.anyio
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("manners", [{"rejects": ("n",)}, {"most_samples": 1}], ids=["refused", "ignored"])
async def test_an_endpoint_that_gives_one_sample_a_call_is_asked_for_each(
    endpoint: Start, manners: dict[str, Any], live: bool
) -> None:
    server = endpoint(**manners)
    session = await finished(1)
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        rounds: list[int] = []
        for _ in range(2):
            before = server.record.calls
            [*_, last] = [event async for event in score(session, "panas-after", models, live=live)]
            rounds.append(server.record.calls - before)
        adapted = models("judge").model.adapted  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(last, SessionScored)
    assert all(r.n == 3 for r in last.card.ratings)
    assert rounds == [4 if "rejects" in manners else 3, 3]
    assert any("one by one" in sentence for sentence in adapted)
    seeds = [body["seed"] for body in server.record.bodies[-3:]]
    assert len(set(seeds)) == 3


@pytest.mark.anyio
async def test_a_sample_that_is_withheld_costs_the_others_nothing(endpoint: Start) -> None:
    good = {"message": {"content": '{"turns": [1], "reason": "Good.", "score": 5}'}, "finish_reason": "stop"}
    withheld = {"message": {"content": None}, "finish_reason": "content_filter"}
    choices = [choice | {"index": n} for n, choice in enumerate((good, withheld, good))]
    server = endpoint(status=200, body=json.dumps({"choices": choices}))
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        [*_, last] = [event async for event in score(await finished(1), "ctrs", models, fan_out="one-by-one")]
        assert not models("judge").model.adapted  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(last, SessionScored)
    assert all(rating.samples == (5.0, 5.0, 5.0) for rating in last.card.ratings)
    assert [body.get("n") for body in server.record.bodies[:2]] == [3, None]


RUDE = (
    "I refuse.",
    "<html><body>502 Bad Gateway</body></html>",
    '{"score": 42}',
    '{"score": "high"}',
    '{"score": null, "reason": "no"}',
    "Score: 3 or 4",
    "{{{{",
    "[1, 2, 3]",
    "null",
    '{"turns": [3], "reason": "cut off he',
    "4" * 5000,
    "\x00\ud800\u202e half a character",
)


@pytest.mark.anyio
async def test_rude_answers_never_crash_and_are_marked_missing(endpoint: Start) -> None:
    session = await finished(2)
    for text in RUDE:
        server = endpoint(answer=lambda body, number, text=text: text)
        async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
            events = [event async for event in score(session, "ctrs", models)]
        assert isinstance(events[-1], SessionScored)
        assert all(r.value is None for r in events[-1].card.ratings), text
        assert Scorecard.model_validate_json(events[-1].card.model_dump_json()) == events[-1].card
        assert server.record.calls == 12


@pytest.mark.anyio
async def test_faults_of_the_connection_are_overcome(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magnet_core.models.calls._pause", lambda failures, retry_after: 0.01)
    server = endpoint(faults=("busy", "error", "drop", "garbage", "empty"), rate=0.2, seed=3)
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        events = [event async for event in score_all(await finished(2), ALL, models)]
    cards = [event.card for event in events if isinstance(event, SessionScored)]
    assert sum(server.record.faults.values()) >= 3
    assert all(r.value is not None for card in cards for r in card.ratings)


@pytest.mark.anyio
async def test_primed_calls_find_the_session_read(endpoint: Start) -> None:
    from benchmarks.rehearsal import play
    from magnet_core.profiles import samples

    session = await play(samples()[0], 20, 0)
    server = endpoint(first_token=0.05, tokens=3)
    async with open_models(Cast(default=Voice(model="test-model", base_url=server.url))) as models:
        async for _ in score_all(session, ALL, models, fan_out="primed"):
            pass
    assert server.record.calls == 20
    assert server.record.new_characters <= 0.15 * server.record.sent_characters


def test_instruments_are_complete_and_say_what_they_follow() -> None:
    for name, found in sheets().items():
        assert found.items == INSTRUMENTS[name]
        assert found.follows
        assert found.frame.follows
        for item in found.items:
            points = found.wordings[item.key].anchors if found.wordings and not found.scale else found.scale
            assert {item.low, item.high} <= set(points)
    assert len({found.sha for found in sheets().values()}) == len(sheets())
    assert set(sheet("wai").scale) == set(range(1, 8))


def test_a_broken_instrument_file_is_named(tmp_path: Any) -> None:
    for path in instruments.FOLDER.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    wai = tmp_path / "wai.yaml"
    whole = wai.read_text(encoding="utf-8")
    for broken in (whole.replace("wai-7:", "wai-77:"), whole.replace("  7: Plain", "  8: Plain"), "- no", "task: [", ""):
        wai.write_text(broken, encoding="utf-8")
        instruments.sheets.cache_clear()
        with pytest.raises(PromptError, match=r"wai\.yaml"):
            sheets(tmp_path)
    with pytest.raises(PromptError, match="no instrument"):
        sheet("mood")


FORMS = (
    "{n}",
    "{n}.",
    "Score: {n}",
    "Grade: {n}",
    "score = {n}",
    "**Score:** {n}",
    "Rating: **{n}**",
    "Score (0-6): {n}",
    "{n}/6",
    "{n} out of 6",
    "{n}, because the counsellor listens (turn 2).",
    "{n} - turn 3 is warm",
    "Turns 1, 2 and 5 decide it. Score: {n}/6",
    "On a scale of 0 to 6, I'd give this a {n}.",
    "I would rate this {n}, in 2 turns it is thin.",
    "<think>Perhaps score: 1?</think>Score: {n}",
    '{{"score": {n}}}',
    '{{"turns": [1, 5], "reason": "Scores are hard.", "score": {n}}}',
    '{{"score": "{n}/6", "explanation": "ok"}}',
    '```json\n{{"score": {n}, "reason": "x", "turns": [2]}}\n```',
    'Here it is:\n```\n{{"score": {n},\n "reason": "x"}}\n```\nDone.',
    "{{'score': {n}, 'reason': 'single quotes'}}",
    '{{"score": {n}, "reason": "cut of',
)


@given(st.integers(0, 6), st.sampled_from(FORMS))
def test_a_score_is_read_in_every_form(number: int, form: str) -> None:
    assert read_rating(form.format(n=number), CTRS[0]).value == number


@pytest.mark.parametrize("text", ["Four.", "Score: four", "**Rating:** four out of 6", "I would give it a four."])
def test_a_score_in_words_is_read(text: str) -> None:
    assert read_rating(text, CTRS[0]).value == 4


@given(st.one_of(st.integers(7, 10**30), st.integers(-(10**9), -1)), st.sampled_from(FORMS[:8] + FORMS[16:]))
def test_a_score_beyond_the_scale_is_no_score(number: int, form: str) -> None:
    reading = read_rating(form.format(n=number), CTRS[0])
    assert reading.value is None
    assert reading.problem


@given(st.text(max_size=300))
def test_reading_anything_gives_a_score_on_the_scale_or_a_problem(text: str) -> None:
    for item in (CTRS[0], WAI[3], PANAS[0]):
        reading = read_rating(text, item)
        assert (reading.value is None) == bool(reading.problem)
        assert reading.value is None or item.low <= reading.value <= item.high
    assert set(read_ratings(text, PANAS)) == {item.key for item in PANAS}


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["score", "reason", "turns", "words", "interested", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_reading_any_json_gives_a_score_on_the_scale_or_a_problem(data: Any) -> None:
    text = json.dumps(data)
    for reading in (read_rating(text, CTRS[0]), *read_ratings(text, PANAS).values()):
        assert (reading.value is None) == bool(reading.problem)
        assert reading.value is None or 0 <= reading.value <= 6


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("4-5", "range"),
        ("Score: 3 or 4", "range"),
        ("8/10", "out of 10"),
        ("They value one another, and I would say one thing more about it.", "could be read"),
        ("Score: 3. With homework, score: 5.", "several"),
        ("1. It listens\n2. It asks", "could be read"),
        ("There are 5 questions in 3 turns.", "could be read"),
        ('{"turns": ["4"], "reason": "x"}', "no score"),
        ('{"score": true}', "no score"),
        ('{"score": NaN}', "scale goes"),
    ],
)
def test_what_is_no_single_score_is_not_guessed_at(text: str, problem: str) -> None:
    reading = read_rating(text, CTRS[0])
    assert reading.value is None
    assert problem in reading.problem


@pytest.mark.parametrize(
    "text",
    [
        '{"interested": 4, "afraid": {"score": 2}}',
        '{"words": [{"word": "interested", "score": 4}, {"word": "afraid", "score": "2/5"}]}',
        '{"ratings": {"Interested": {"score": 4}, "Afraid": 2}}',
        "interested, she leans in at turn 3, 4\nafraid, hardly, 2",
        "1. Interested: 4 – leans in\n\n2. Afraid - 2",
        "- **Interested**: 4\n- **Afraid**: 2/5",
    ],
)
def test_words_are_read_in_every_shape(text: str) -> None:
    found = read_ratings(text, PANAS)
    assert {key: r.value for key, r in found.items() if r.value is not None} == {"interested": 4.0, "afraid": 2.0}
    assert found["proud"].problem == "it gave no score for proud."


def test_turns_are_found_in_prose() -> None:
    assert turns_in("See turn 3, turns 5, 7 and 9, and [2]; turn 3 again.") == (3, 5, 7, 9, 2)


def test_reversed_items_are_shown_raw_and_turned_round_for_the_average() -> None:
    assert [item.key for item in WAI if item.reversed] == ["wai-4", "wai-10"]
    assert all(re.search("as it stands", sheet("wai").wordings[key].question) for key in ("wai-4", "wai-10"))
    assert ITEMS["wai-4"].favourable(2.0) == 6.0
