"""The rule-based rater: what it carries, that it ranks spoiled copies lower for the right reason, and what must not move it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rater import FALLS, cards, items_of, play, spoiled, totals, with_responses
from magnet_core.domain import Reply, Session, Turn, Utterance
from magnet_core.knowledge import read
from magnet_core.profiles import samples
from magnet_core.scoring.items import INSTRUMENTS, ITEMS
from magnet_core.scoring.rater import rate

EMPTY = Turn(response="", reply=Reply(text=""))


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return [asyncio.run(play(profile, 20, 0)) for profile in samples()[:4]]


def test_signs_and_weights_are_whole() -> None:
    known = read("signs.yaml")
    for name in ("ctrs", "wai"):
        for key, weights in known[name].items():
            assert key in ITEMS
            assert set(weights) - {"base"} <= set(known["signs"]), key
            for sign, weight in weights.items():
                if sign != "base" and not ITEMS[key].reversed:
                    assert (weight < 0) == bool(known["signs"][sign].get("bad")), (key, sign)
    assert {i.key for i in INSTRUMENTS["ctrs-11"]} == set(known["ctrs"])
    assert {i.key for i in INSTRUMENTS["wai"]} == set(known["wai"])
    assert {i.key for i in INSTRUMENTS["panas-after"]} == set(known["panas"]["cues"])


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_every_rating_is_in_its_scale_and_quotes_the_session(sessions: list[Session], name: str) -> None:
    session = sessions[0]
    card = rate(session, name)  # type: ignore[arg-type]
    assert (card.session_id, card.judge, card.kind, card.turns) == (session.id, "rules", "rule", 20)
    assert [r.item for r in card.ratings] == [item.key for item in INSTRUMENTS[name]]  # type: ignore[index]
    said = " ".join(" ".join(u.text for u in session.transcript).split())
    for rating in card.ratings:
        item = ITEMS[rating.item]
        assert rating.value is not None and item.low <= rating.value <= item.high
        assert rating.explanation
        if name != "panas-before":
            assert all(" ".join(quote.split()) in said or quote in str(session.profile.intake) for quote in rating.quotes)
            assert all(0 <= turn <= 20 for turn in rating.turns)


def test_spoiled_copies_rank_lower_and_the_right_items_fall(sessions: list[Session]) -> None:
    for session in sessions:
        whole, items = totals(cards(session)), items_of(cards(session))
        for spoiling, copy in spoiled(session, [s for s in sessions if s is not session], seeds=1):
            worse, less = totals(cards(copy)), items_of(cards(copy))
            assert all(worse[which] < whole[which] for which in whole), (session.profile.id, spoiling)
            assert all(less[item] < items[item] for item in FALLS[spoiling]), (session.profile.id, spoiling)


def test_length_is_not_quality(sessions: list[Session]) -> None:
    session = sessions[0]
    whole = totals(cards(session))
    longer = with_responses(session, [f"{t.response} {t.response}" for t in session.turns])
    thrice = session.model_copy(update={"turns": session.turns[:6] * 3})
    assert totals(cards(longer))["CTRS (6)"] <= whole["CTRS (6)"] + 0.02
    assert totals(cards(thrice))["CTRS (6)"] < whole["CTRS (6)"]


def test_the_same_session_is_rated_the_same_twice(sessions: list[Session]) -> None:
    assert rate(sessions[1], "wai").ratings == rate(sessions[1], "wai").ratings


def test_a_bare_transcript_is_rated_like_its_session(sessions: list[Session]) -> None:
    session = sessions[2]
    assert rate(session.transcript, "ctrs").ratings == rate(session, "ctrs").ratings
    assert (
        rate(session.transcript, "panas-after", intake=session.profile.intake).ratings
        == rate(session, "panas-after").ratings
    )


@given(place=st.integers(0, 20), count=st.integers(1, 8))
@settings(max_examples=25)
def test_empty_turns_never_raise(sessions: list[Session], place: int, count: int) -> None:
    session = sessions[3]
    padded = session.model_copy(update={"turns": (*session.turns[:place], *[EMPTY] * count, *session.turns[place:])})
    before, after = cards(session), cards(padded)
    for name in ("ctrs", "ctrs-11", "wai"):
        for old, new in zip(before[name].ratings, after[name].ratings, strict=True):
            item = ITEMS[old.item]
            assert old.value is not None and new.value is not None
            assert item.favourable(new.value) <= item.favourable(old.value) + 1e-9, old.item


@given(
    st.lists(st.builds(Utterance, speaker=st.sampled_from(["counsellor", "client"]), text=st.text(max_size=80)), max_size=14)
)
@settings(max_examples=40)
def test_any_transcript_can_be_rated(dialogue: list[Utterance]) -> None:
    for name in INSTRUMENTS:
        for rating in rate(dialogue, name).ratings:
            assert rating.value is not None
