"""Test cases without a screen: rules, tallies, what the judge is shown, what is kept of a run, and files."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from magnet_core import lab, prompts
from magnet_core.errors import PromptError, StoreError
from magnet_core.lab import Case, Rule, Sample, Trial, cases, wordings
from magnet_core.lab.cases import Result, Tally, free_title, from_file, last_result, tally, to_file, totals
from magnet_core.methods import METHODS
from magnet_core.models import Player
from magnet_core.scoring import expectation
from magnet_core.session import moment_of
from magnet_core.store import Store
from tests.fakes import Says, finished

HOLDS = Rule(kind="contains", text="don't | well-being")


def sample(text: str = "", error: str = "", verdict: expectation.Verdict | None = None) -> Sample:
    return Sample(label="x", number=1, model="m", prompt_sha="0", text=text, raw=text, error=error, verdict=verdict)


async def a_case(agent: str = "responder", turn: int = 2, rule: Rule | None = None) -> Case:
    moment = moment_of(await finished(2), turn, agent)
    rule = rule or Rule(kind="one-question")
    return Case(id=cases.case_id(), title="One question", moment=lab.case_moment(moment), rule=rule, source="Mei, turn 2")


def result(case: Case, *samples: Sample, pack: str = "ours", sha: str = "a", day: int = 1) -> Result:
    made = datetime(2026, 11, day, tzinfo=UTC)
    return Result(case=case.id, rule=case.rule, pack=pack, title=pack, sha=sha, model="m", created=made, samples=samples)


@pytest.mark.parametrize("text", ["You don’t have to.", "You don't have to.", "Your well‑being.", "Your WELL—being."])
def test_apostrophes_and_dashes_are_alike_however_they_are_set(text: str) -> None:
    assert not HOLDS.broken_by(text)
    assert Rule(kind="lacks", text="“quoted” | don’t|well–being").broken_by(text)
    assert not Rule(kind="contains", text="«quoted»").broken_by('He said "quoted".')


def test_a_server_that_is_down_breaks_no_case() -> None:
    rule = Rule(kind="at-most-words", most=2)
    told = tally(rule, [sample("One two"), sample("One two three"), sample(error="The server cannot be reached.")])
    assert told == Tally(kept=1, broken=1, unanswered=1) and told.asked == 3
    assert told.told == "kept 1 of 2, 1 without an answer" and told.answer == "no"
    gone = tally(rule, [sample(error="Down."), sample(error="Down.")])
    assert gone.answer == "missing" and gone.told == "2 without an answer"
    assert rule.verdict(sample(error="Down.")) == expectation.Verdict(answer="missing", reason="Down.")


def test_what_a_judge_could_not_say_is_counted_apart() -> None:
    rule = Rule(kind="judge", text="Is it warm?")
    said = [expectation.Verdict(answer="yes"), expectation.Verdict(answer="missing", reason="Hm."), None]
    told = tally(rule, [sample("A", verdict=one) for one in said])
    assert told.told == "kept 1 of 1, 2 not judged" and told.answer == "missing"
    told = tally(rule, [sample("A", verdict=one) for one in [*said, expectation.Verdict(answer="no")]])
    assert told.told == "kept 1 of 2, 2 not judged" and told.answer == "no"
    assert tally(rule, [sample("A", verdict=said[0]), sample(error="Down.")]).answer == "missing"


def test_the_total_counts_what_could_be_decided() -> None:
    kept, broken = Tally(kept=3), Tally(kept=2, broken=1)
    open_, half = Tally(unanswered=3), Tally(kept=1, unjudged=2)
    assert totals(one.answer for one in [kept, kept, kept, broken]) == "3 kept, 1 broken"
    assert totals(one.answer for one in [kept, broken, open_, half]) == "1 kept, 1 broken, 2 undecided"
    assert totals([open_.answer]) == "1 undecided" and totals([]) == ""


@pytest.mark.anyio
async def test_the_sessions_own_answer_is_held_against_the_rule_where_no_judge_is_needed() -> None:
    case = await a_case()
    assert case.in_session is None
    asked = case.model_copy(update={"own": "Why? And when?"})
    assert asked.in_session == expectation.Verdict(answer="no", reason="it asks 2 questions")
    kept = asked.model_copy(update={"rule": Rule(kind="at-most-words", most=3)})
    assert kept.in_session == expectation.Verdict(answer="yes")
    assert asked.model_copy(update={"rule": Rule(kind="judge", text="Is it warm?")}).in_session is None
    assert from_file(to_file([asked])) == ([asked], [])


@pytest.mark.anyio
@pytest.mark.parametrize("visibility", ["repaired", "paper"])
async def test_a_judge_is_shown_what_the_agent_was_shown(visibility: str) -> None:
    session = await finished(2, visibility=visibility)
    turn = session.turns[1]
    assert session.plan and turn.choice

    def words(agent: str) -> str:
        moment = moment_of(session, 0 if agent == "planner" else 2, agent)
        return expectation.request(moment, "THE ANSWER", "Is it warm?")[1].content

    assert session.profile.intake.past_history and session.profile.intake.past_history in words("planner")
    assert session.plan.steps[0] in words("selector")
    responder = words("responder")
    assert all(candidate.text in responder for candidate in turn.candidates)
    assert f"Techniques chosen:\n{turn.choice.techniques[0]}" in responder
    assert (session.plan.steps[0] in responder) == (visibility == "repaired")
    assert ("the agent was not shown" in responder) == (visibility == "paper")
    assert session.transcript[3].text in responder and "THE ANSWER" in responder and "Is it warm?" in responder
    assert f"[2] Counsellor: {turn.response}" in words("client") and "Whole intake form" in words("client")


@pytest.mark.anyio
async def test_a_case_is_judged_in_the_words_of_a_pack() -> None:
    case = await a_case(rule=Rule(kind="judge", text="Is it warm?"))
    own = wordings.texts()["case/ask"].model_copy(update={"system": "MY WORDS $question"})
    judge = Says('{"reason": "So.", "answer": "yes"}')
    told = wordings.case_words([own])
    trial = Trial(
        "A", case.moment, lab.with_own([]), Player(Says("Warm.")), question=case.rule.question, judge=Player(judge),
        judge_words=told,
    )  # fmt: skip
    async with aclosing(lab.try_out([trial])) as events:
        [answer] = [item async for item in events if isinstance(item, Sample)]
    assert case.rule.verdict(answer).answer == "yes"
    assert judge.requests[0].messages[1].content.endswith("MY WORDS Is it warm?")


@pytest.mark.anyio
async def test_results_are_kept_by_case_words_and_model(store: Store) -> None:
    case, other = await a_case(), await a_case()
    store.cases.save(case)
    store.cases.save_results([result(case, sample("A?"), day=1), result(case, sample("B? C?"), sha="b", day=2)])
    store.cases.save_results([result(case, sample("A? B?"), day=3), result(other, sample("A?"), pack="mine")])
    found = store.cases.results()
    assert len(found) == 3
    now = last_result(found, case, "ours", "a", "m")
    assert now and now.created.day == 3 and now.tally.told == "kept 0 of 1"
    earlier = last_result(found, case, "ours", "new words", "m")
    assert earlier and earlier.sha == "a" and last_result(found, case, "mine", "a", "m") is None
    changed = case.model_copy(update={"rule": Rule(kind="at-most-words", most=5)})
    found += [result(changed, sample("A"), sha="b", day=2).model_copy(update={"sha": "a"})]
    again = last_result(found, changed, "ours", "a", "m")
    assert again and again.rule == changed.rule


@pytest.mark.anyio
async def test_a_deleted_case_comes_back(store: Store) -> None:
    case = await a_case()
    store.cases.save(case)
    store.cases.delete(case.id)
    assert store.cases.all() == []
    with pytest.raises(StoreError, match="no test case"):
        store.cases.delete(case.id)
    store.cases.save(case)
    assert store.cases.all() == [case]


@pytest.mark.anyio
async def test_cases_go_out_and_come_in_as_one_file() -> None:
    one, two = await a_case(), await a_case(rule=HOLDS)
    text = to_file([one, two])
    assert from_file(text) == ([one, two.model_copy(update={"title": "One question (2)"})], [])
    found, left = from_file(text, [one])
    assert [c.rule for c in found] == [HOLDS] and left == ["“One question” is already here."]
    changed = one.model_copy(update={"rule": Rule(kind="at-most-words", most=9)})
    [came, _], left = from_file(text, [changed])
    assert came.id != one.id and came.title == "One question (2)" and not left
    body = json.loads(text)
    body["cases"][0]["rule"] = {"kind": "contains", "text": ""}
    found, left = from_file(json.dumps(body))
    assert len(found) == 1 and left == ["Entry 1 is no test case: say which words."]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "magnet-test-cases", "version": 2, "cases": []}', "[" * 9999])
def test_a_file_that_holds_no_cases_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(PromptError):
        from_file(text)


def test_names_are_told_apart() -> None:
    assert free_title("Responder, turn 2", []) == "Responder, turn 2"
    assert free_title(" Responder,  turn 2", ["Responder, turn 2", "Responder, turn 2 (2)"]) == "Responder, turn 2 (3)"


@pytest.mark.anyio
async def test_a_case_is_small_kept_whole_and_asks_the_same(store: Store) -> None:
    session = await finished(3)
    moment = moment_of(session, 3, "responder")
    case = Case(id=cases.case_id(), title="One question", moment=lab.case_moment(moment), rule=Rule(kind="one-question"))
    store.cases.save(case)
    assert store.cases.all() == [case] and not any(turn.calls for turn in case.moment.session.turns)
    roster, texts = METHODS["magnet"].roster, lab.texts_for(session)
    assert prompts.render(texts, roster, case.moment) == prompts.render(texts, roster, moment)
