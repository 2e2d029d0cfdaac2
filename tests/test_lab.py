"""The prompt lab without a screen: filling, linting, trials, spread, test cases, packs and their files."""

from __future__ import annotations

import csv
import io
import json
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core import lab, prompts
from magnet_core.domain import Prompt, Usage
from magnet_core.errors import PromptError, StoreError
from magnet_core.lab import Draft, Experiment, Grown, Lane, Notebook, Rule, Sample, Trial, Variant, words_sha
from magnet_core.lab.experiments import to_csv, to_json
from magnet_core.methods import METHODS
from magnet_core.models import Player
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.packs import from_file, pack_of, to_file
from magnet_core.scoring.expectation import Verdict, read_verdict
from magnet_core.session import moment_of, new_session, prompt_of
from magnet_core.store import Packs, Store
from tests.fakes import PLAN, Says, Scripted, finished


def with_role(name: str, text: str) -> Prompt:
    return prompts.load()[name].model_copy(update={"role": text})


async def tried(*trials: Trial) -> list[Sample]:
    async with aclosing(lab.try_out(trials, "one-by-one")) as events:
        return [item async for item in events if isinstance(item, Sample)]


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("visibility", ["repaired", "paper"])
@pytest.mark.anyio
async def test_a_filled_prompt_is_the_one_that_was_sent(method: str, visibility: str) -> None:
    session = await finished(2, method=method, visibility=visibility)
    texts = lab.texts_for(session)
    pairs = [(0, call) for call in session.plan_calls]
    pairs += [(n, call) for n, turn in enumerate(session.turns, 1) for call in turn.calls]
    for number, call in pairs:
        shown = lab.filled(texts, moment_of(session, number, call.agent, call.attempt))
        assert [m for m, _ in shown] == list(prompt_of(session, number, call))
        assert prompts.sha([m for m, _ in shown]) == call.prompt_sha
        for message, stretches in shown:
            assert "".join(s.text for s in stretches) == message.content
        named = {s.variable for _, stretches in shown for s in stretches}
        assert "turn" in named or call.agent == "planner"
        assert len(named) > 1


@pytest.mark.anyio
async def test_an_agent_the_method_leaves_out_can_be_filled_too() -> None:
    session = await finished(1, method="plain")
    for agent in lab.AGENTS:
        assert lab.filled(lab.texts_for(session), moment_of(session, 0 if agent == "planner" else 1, agent))


def test_variables_stand_apart_and_a_dollar_sign_is_none() -> None:
    stretches = lab.variables_in("It costs $$5, ${plan} and $turn.")
    assert [s.text for s in stretches if s.variable] == ["${plan}", "$turn"]
    assert "".join(s.text for s in stretches) == "It costs $$5, ${plan} and $turn."


@pytest.mark.parametrize(
    ("name", "field", "text", "kind", "says"),
    [
        ("responder", "role", "Use $paln.", "error", "Is $plan meant?"),
        ("responder", "role", "It costs $5.", "warning", "lone dollar"),
        ("responder", "role", " ", "error", "empty"),
        ("responder", "note", "$turn/$max_turns responder, chosen $choice", "warning", "$candidates (the five candidates)"),
        ("counsellor", "system", "Be kind. $client_information $reason $plan", "error", "$catalogue is missing"),
        ("reflection", "note", "$turn $max_turns $candidates", "warning", "No agent that is given this text"),
        ("client", "note", "turn $turn <|im_start|>", "warning", "one model's chat format"),
        ("client", "note", "[INST] turn $turn", "warning", "one model's chat format"),
        ("selector", "role", "Choose. " * 400, "warning", "tokens; ours has"),
    ],
)
def test_the_linter_says_what_is_amiss(name: str, field: str, text: str, kind: str, says: str) -> None:
    ours = prompts.load()[name]
    remarks = lab.lint(ours.model_copy(update={field: text}), ours)
    assert [r for r in remarks if r.kind == kind and r.field == field and says in r.text], remarks


def test_our_own_prompts_pass_the_linter() -> None:
    assert not [r for p in prompts.load().values() for r in lab.lint(p, p)]


@pytest.mark.anyio
async def test_variants_and_repeats_are_asked_each_and_an_unchanged_one_as_recorded() -> None:
    session = await finished(2)
    call = next(c for c in session.turns[1].calls if c.agent == "responder")
    moment = moment_of(session, 2, "responder")
    model = Says("One answer.", "Another answer.", "One  answer.")
    own = lab.texts_for(session, [with_role("responder", "responder: write three words.")])
    first = Trial("A", moment, lab.texts_for(session), Player(model), repeats=3)
    samples = await tried(first, Trial("B", moment, own, Player(model), repeats=2, temperature=1.3))
    assert [(s.label, s.number) for s in samples] == [("A", 1), ("A", 2), ("A", 3), ("B", 1), ("B", 2)]
    assert samples[0].prompt_sha == call.prompt_sha != samples[3].prompt_sha
    assert [r.seed for r in model.requests[:3]] == [session.seed, session.seed + 1, session.seed + 2]
    assert {r.temperature for r in model.requests[:3]} == {call.temperature} and model.requests[3].temperature == 1.3
    assert "write three words" in model.requests[3].messages[0].content
    piles = lab.stacks("responder", samples[:3])
    assert [(pile.says, len(pile.samples)) for pile in piles] == [("One answer.", 2), ("Another answer.", 1)]
    found = lab.spread(samples[:3], "responder")
    assert (found.answers, found.distinct, found.words) == (3, 2, (2, 2))
    assert found.apart == pytest.approx(2 / 3 * 0.5)


@pytest.mark.anyio
async def test_a_choice_is_stacked_by_what_it_chooses() -> None:
    session = await finished(1)
    answers = [json.dumps({"techniques": ["reflection"], "plan_step": 2, "reason": why}) for why in ("Why.", "Because.")]
    samples = await tried(
        Trial("A", moment_of(session, 1, "selector"), lab.texts_for(session), Player(Says(*answers)), repeats=2)
    )
    assert [len(pile.samples) for pile in lab.stacks("selector", samples)] == [2]
    assert lab.count_choices(samples) == {"reflection": 2}


@pytest.mark.anyio
async def test_a_failing_endpoint_is_a_sample_that_says_so_and_the_others_go_on() -> None:
    session = await finished(1)
    moment, texts = moment_of(session, 1, "client"), lab.texts_for(session)
    samples = await tried(Trial("A", moment, texts, Player(Says(fails=True))), Trial("B", moment, texts, Player(Scripted())))
    assert "said no" in samples[0].error and not samples[1].error
    assert lab.spread(samples[:1], "client").failed == 1


@pytest.mark.anyio
async def test_the_cost_counts_calls_and_gives_a_price_only_where_all_are_known() -> None:
    session = await finished(1)
    moment, texts = moment_of(session, 1, "responder"), lab.texts_for(session)
    trials = [Trial("A", moment, texts, Player(Says("x")), repeats=5), Trial("B", moment, texts, Player(Scripted()))]
    found = lab.cost(trials)
    letters = sum(len(m.content) for m in trials[0].messages)
    assert found.calls == 6 and found.price is None
    assert found.tokens_in == pytest.approx(6 * letters / 4, rel=0.02)
    known = lab.cost(trials[:1], {"says": (1.0, 2.0)})
    assert known.price == pytest.approx((known.tokens_in + 2 * known.tokens_out) / 1e6)
    assert lab.cost(trials, {"says": (1.0, 2.0)}).price is None


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (Rule(kind="contains", text="sister | brother"), "Your  Sister helps.", "Your sisterhood helps."),
        (Rule(kind="lacks", text="as an AI|I cannot"), "I can not say.", "Sorry, I CANNOT."),
        (Rule(kind="at-most-words", most=3), "One two three", "One two three four"),
        (Rule(kind="one-question"), "How was it??", "How was it? And then?"),
    ],
)
def test_rules_of_test_cases(rule: Rule, good: str, bad: str) -> None:
    assert rule.broken_by(good) == "" and rule.broken_by(bad) and rule.told


def test_a_rule_without_its_words_is_none() -> None:
    for broken in ({"kind": "contains", "text": " | "}, {"kind": "at-most-words"}, {"kind": "judge", "text": " "}):
        with pytest.raises(ValueError, match=r"say|write"):
            Rule.model_validate(broken)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ('{"reason": "It does.", "answer": "yes"}', "yes"),
        ('```json\n{"Answer": false, "why": "It asks twice."}\n```', "no"),
        ('{"reason": "Mostly.", "answer": "Yes, mostly"}', "yes"),
        ("<think>no, or yes?</think>**No.** It lectures.", "no"),
        ("The answer takes it up.\nAnswer: Yes", "yes"),
        ("Answer: yes. Or rather, answer: no.", "missing"),
        ("Yes and no.", "missing"),
        ('{"answer": "yes or no", "reason": "Hm."}', "missing"),
        ('{"reason": "yes"}', "missing"),
        ('{"answer": null}', "missing"),
        ("I would rather not say yes here.", "missing"),
        ("Yesterday it was so.", "missing"),
        ("", "missing"),
    ],
)
def test_a_verdict_is_read_tolerantly_and_never_guessed(said: str, answer: str) -> None:
    found = read_verdict(said)
    assert found.answer == answer
    assert found.reason or answer != "missing"


@given(st.text(max_size=200))
def test_reading_anything_as_a_verdict_never_fails(said: str) -> None:
    assert read_verdict(said).answer in ("yes", "no", "missing")


@pytest.mark.anyio
async def test_a_judge_says_whether_an_answer_is_as_expected() -> None:
    session = await finished(2)
    moment, texts = moment_of(session, 2, "responder"), lab.texts_for(session)
    rule = Rule(kind="judge", text=" Is it warm? ")
    judge = Says('{"reason": "It is kind.", "answer": "yes"}', "No, it is cold.", "Perhaps.")
    answers = Says("First.", "Second.", "Third.")
    trial = Trial("A", moment, texts, Player(answers), 3, question=rule.question, judge=Player(judge))
    samples = await tried(trial)
    assert [rule.verdict(s).answer for s in samples] == ["yes", "no", "missing"]
    assert rule.verdict(samples[0]).reason == "It is kind." and rule.verdict(samples[0]).judge == "says"
    asked = judge.requests[1]
    words = asked.messages[1].content
    assert "Is it warm?" in words and "Second." in words and session.transcript[2].text in words
    assert asked.schema and asked.moment.agent == "judge"
    assert lab.cost([trial]).calls == 6
    assert lab.cost([trial], {"says": (1.0, 1.0)}).price and "Is it warm?" in rule.told
    for broken in (Says(fails=True), Rehearsal()):
        [sample] = await tried(Trial("A", moment, texts, Player(answers), question="Is it warm?", judge=Player(broken)))
        assert rule.verdict(sample).answer == "missing" and rule.verdict(sample).reason
    [unjudged] = await tried(Trial("A", moment, texts, Player(answers)))
    assert rule.verdict(unjudged).answer == "missing" and rule.broken_by("Anything.")
    assert Rule(kind="at-most-words", most=3).verdict(unjudged).answer == "yes"


# Packs


@pytest.fixture
def packs(store: Store) -> Packs:
    return store.packs


def test_versions_are_kept_and_restored_and_reset_leads_back_to_ours(packs: Packs) -> None:
    one, two = with_role("selector", "selector: pick one."), with_role("selector", "selector: pick two.")
    pack = packs.new("Short ones", [one, prompts.load()["client"]], "first try")
    assert [p.name for p in pack.prompts] == ["selector"] and pack.id == "short-ones"
    packs.save(pack.id, [two], "second try")
    packs.save(pack.id, [two])
    assert [(v.number, v.note, v.prompt.role) for v in packs.versions(pack.id, "selector")] == [
        (2, "second try", two.role),
        (1, "first try", one.role),
    ]
    again = packs.save(pack.id, [packs.versions(pack.id, "selector")[1].prompt], "restored version 1")
    assert again.texts["selector"].role == one.role and packs.packs() == [again]
    ours = packs.save(pack.id, [prompts.load()["selector"]], "ours")
    assert ours.prompts == () and ours.texts == prompts.load()
    assert len(packs.versions(pack.id, "selector")) == 4
    assert packs.new("Short ones").id == "short-ones-2"
    packs.delete(pack.id)
    assert [p.id for p in packs.packs()] == ["short-ones-2"]
    with pytest.raises(StoreError):
        packs.save(pack.id, [two])


def test_a_prompt_with_errors_is_not_kept(packs: Packs) -> None:
    pack = packs.new("Broken")
    with pytest.raises(PromptError, match="no variable"):
        packs.save(pack.id, [with_role("selector", "selector: $nothing")])
    with pytest.raises(PromptError, match="no agent"):
        packs.new("Broken", [Prompt(name="nobody", system="x")])
    assert packs.packs()[0].prompts == ()


def test_a_pack_goes_out_and_comes_in_as_one_file(packs: Packs) -> None:
    pack = packs.new("Mine", [with_role("selector", "selector: ünïcode “pick”.")])
    title, texts, left = from_file(to_file(pack))
    assert (title, texts, left) == ("Mine", list(pack.prompts), [])
    assert packs.new(title, texts).sha == pack.sha
    body = json.loads(to_file(pack))
    body["prompts"] += [{"name": "nobody", "role": "x"}, {"name": "client", "system": "$oops"}, {"no": 1}]
    body["prompts"][0]["frame"] = "plain-counsellor"
    _, texts, left = from_file(json.dumps(body))
    assert [(p.name, p.frame) for p in texts] == [("selector", "counsellor")] and len(left) == 3


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "magnet-prompt-pack", "version": 2, "prompts": []}', "[" * 9999]
)
def test_a_file_that_is_no_pack_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(PromptError):
        from_file(text)


@pytest.mark.anyio
async def test_a_session_made_with_a_pack_is_told_by_its_words(packs: Packs) -> None:
    pack = packs.new("Mine", [with_role("selector", "selector: pick one.")])
    ours = await finished(1)
    made = new_session(ours.profile, prompt_set=pack.texts)
    assert pack_of(made, packs.packs()) == ("Mine", ["selector"])
    assert pack_of(ours, packs.packs()) == ("", [])
    packs.save(pack.id, [with_role("selector", "selector: pick two.")])
    assert pack_of(made, packs.packs()) == ("", ["selector"])


@pytest.mark.anyio
async def test_answers_grow_before_they_are_whole() -> None:
    session = await finished(1)
    trial = Trial("A", moment_of(session, 1, "client"), lab.texts_for(session), Player(Scripted()))
    async with aclosing(lab.try_out([trial])) as events:
        first = await anext(events)
    assert isinstance(first, Grown) and first.text


# Variants that are being written


def test_a_replay_leads_and_no_draft_is_lost() -> None:
    saved = prompts.load()
    mine = Variant(temperature=1.9).holding([with_role("selector", "selector: mine."), saved["client"]], saved)
    draft = Draft(reader="agents", place="ours").put(0, mine).add(Variant(model="other"))
    assert [p.name for p in mine.prompts] == ["selector"] and mine.texts(saved)["selector"].role == "selector: mine."
    led = draft.led_by(Variant())
    assert led.variants == (Variant(), mine) and led.led_by(Variant()).variants == led.variants
    assert led.drop(1).variants == (Variant(),) and led.drop(1).drop(0).plain and not led.plain


def test_saving_one_variant_leaves_the_words_of_the_others_as_they_were() -> None:
    before = lab.with_own([with_role("selector", "selector: saved.")])
    first = Variant().holding([with_role("client", "client: mine.")], before)
    second = Variant().holding([with_role("selector", "selector: better.")], before)
    draft = Draft(reader="agents", place="mine", variants=(first, second, Variant()))
    now = draft.after_saving(1, before, second.texts(before))
    texts = [one.texts(second.texts(before)) for one in now.variants]
    assert [t["selector"].role for t in texts] == ["selector: saved.", "selector: better.", "selector: saved."]
    assert texts[0]["client"].role == "client: mine." and now.variants[1].prompts == ()


def test_a_variant_that_becomes_a_pack_keeps_the_words_it_came_from_beside_it() -> None:
    ours, mine = prompts.load(), Variant(model="m").holding([with_role("client", "client: mine.")], prompts.load())
    other = Variant().holding([with_role("client", "client: other.")], ours)
    saved = mine.texts(ours)

    def roles(*variants: Variant) -> list[str]:
        draft = Draft(reader="agents", place="ours", variants=variants)
        return [
            one.texts(saved)["client"].role for one in draft.moved_to("mine", variants.index(mine), ours, saved).variants
        ]

    assert roles(mine) == ["client: mine.", ours["client"].role]
    assert roles(other, Variant(), mine) == ["client: mine.", ours["client"].role, "client: other."]
    alone = Draft(reader="agents", place="ours", variants=(mine,)).moved_to("mine", 0, ours, saved)
    assert (alone.place, alone.variants[0]) == ("mine", Variant(model="m")) and alone.variants[1].model == "m"


def test_drafts_are_kept_in_a_notebook_and_taken_up_once(store: Store) -> None:
    own = Draft(reader="agents", place="ours", variants=(Variant(prompts=(with_role("client", "client: mine."),)),))
    book = Notebook(id="one").put(own)
    assert store.notebooks.of("one") is None and store.notebooks.newest() is None
    store.notebooks.keep(book)
    store.notebooks.keep(Notebook(id="empty"))
    left = store.notebooks.newest()
    assert left and left.notebook == book and store.notebooks.newest(but="one") is None
    store.notebooks.take_up("one")
    assert store.notebooks.newest() is None and store.notebooks.of("one") == book
    assert book.put(Draft(reader="agents", place="ours")).drafts == ()


# What came of it


def sample(text: str, raw: str = "", **more: object) -> Sample:
    known = {"label": "A", "number": 1, "model": "m", "prompt_sha": "x", "text": text, "raw": raw or text}
    return Sample.model_validate(known | more)


@pytest.mark.anyio
async def test_plans_by_one_technique_are_one_stack_but_as_many_answers_as_there_are_wordings() -> None:
    session = await finished(1)
    answers = [PLAN, PLAN.replace("grows", "shrinks"), PLAN]
    trial = Trial("A", moment_of(session, 0, "planner"), lab.texts_for(session), Player(Says(*answers)), repeats=3)
    samples = await tried(trial)
    [pile] = lab.stacks("planner", samples)
    assert pile.says == "Decatastrophizing" and [count for _, count in pile.wordings] == [2, 1]
    assert pile.wordings[0][0].splitlines()[1] == "1. Set the agenda" and "{" not in pile.wordings[0][0]
    found = lab.spread(samples, "planner")
    assert (found.answers, found.distinct) == (3, 2) and found.apart and found.apart > 0
    own = session.plan_calls[0].output
    told = lab.summary([(s, own) for s in samples], "planner")
    assert (told.compared, told.same, told.choices) == (3, 3, (("Decatastrophizing", 3),))


def test_a_summary_counts_no_answer_apart_and_leaves_out_what_cannot_be_compared() -> None:
    pairs = [
        (sample("One two."), "One  two."),
        (sample("One two three four.", problem="it is long"), ""),
        (sample("", error="the server is down."), "One two."),
    ]
    found = lab.summary(pairs, "responder")
    assert (found.asked, found.answers, found.missing, found.questioned) == (3, 2, 1, 1)
    assert (found.words, found.compared, found.same) == (3.0, 1, 1)
    assert found.words_sd == pytest.approx(2**0.5)
    nothing = lab.summary([], "responder")
    assert nothing.words is None and nothing.words_sd is None


def test_what_a_run_used_is_missing_where_the_server_did_not_say() -> None:
    counted = sample("Yes.", usage={"prompt_tokens": 10, "completion_tokens": 5})
    prices = {"m": 0.5}
    known = lab.used([counted, counted, sample("", error="down")], lambda model, usage: prices.get(model))
    assert (known.calls, known.tokens_in, known.tokens_out, known.uncounted, known.price) == (2, 20, 10, 0, 1.0)
    assert lab.used([counted, sample("Yes.")], lambda model, usage: None).price is None
    assert lab.used([counted, sample("Yes.")], lambda model, usage: 0.1).uncounted == 1
    assert lab.used([sample("Yes.", model="rehearsal")], lambda model, usage: None).calls == 0


def test_what_judges_used_is_part_of_what_a_run_used() -> None:
    verdict = Verdict(answer="yes", judge="j", usage=Usage(prompt_tokens=7, completion_tokens=2))
    judged = sample("Yes.", usage={"prompt_tokens": 10, "completion_tokens": 5}, verdict=verdict)
    known = lab.used([judged], lambda model, usage: {"m": 0.5, "j": 0.25}[model])
    assert (known.calls, known.tokens_in, known.tokens_out, known.uncounted, known.price) == (2, 17, 7, 0, 0.75)
    earlier = sample("Yes.", model="rehearsal", verdict=Verdict(answer="no", judge="j"))
    assert lab.used([earlier], lambda model, usage: None).uncounted == 1


@pytest.mark.anyio
async def test_a_rehearsal_is_estimated_without_tokens() -> None:
    session = await finished(1)
    trial = Trial("A", moment_of(session, 1, "client"), lab.texts_for(session), Player(Rehearsal()), repeats=4)
    found = lab.cost([trial])
    assert (found.calls, found.rehearsed, found.tokens_in, found.tokens_out, found.price) == (4, 4, 0, 0, 0.0)


def run_of(number: int) -> Experiment:
    lanes = (Lane(label="A0", variant="A", moment="", words="w"),)
    said = sample("=1+1", label="A0", usage={"prompt_tokens": 3})
    return Experiment(
        id=f"run-{number}", made=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number), agent="responder", session="s",
        turn=1, title=f"Run {number}", pack="Ours", place="ours", lanes=lanes, samples=(said,),
    )  # fmt: skip


def test_the_last_runs_are_kept_with_their_answers(store: Store) -> None:
    for number in range(45):
        store.experiments.keep(run_of(number))
    past = store.experiments.past()
    assert len(past) == 40 and past[0].title == "Run 44" and store.experiments.of("run-0") is None
    assert store.experiments.of("run-44") == run_of(44) and (past[0].session, past[0].turn) == ("s", 1)


def test_answers_go_out_as_a_table_in_which_nothing_is_a_formula() -> None:
    [row] = csv.DictReader(io.StringIO(to_csv(run_of(1))))
    assert row["answer"] == "'=1+1" and row["tokens_in"] == "3" and row["tokens_out"] == "" and row["temperature"] == ""
    assert json.loads(to_json(run_of(1)))["samples"][0]["text"] == "=1+1"


def test_the_words_of_a_run_are_told_by_what_is_sent() -> None:
    ours, own = prompts.load(), lab.with_own([with_role("selector", "selector: mine.")])
    sent = {"responder": ["role", "note"]}
    assert words_sha(ours, sent) == words_sha(own, sent)
    assert words_sha(ours, sent | {"selector": ["role"]}) != words_sha(own, sent | {"selector": ["role"]})


# The list of packs


def test_packs_of_one_title_are_numbered_renamed_and_brought_back(packs: Packs) -> None:
    first, second = packs.new("Mine"), packs.new("mine")
    assert (first.title, second.title) == ("Mine", "mine (2)")
    assert packs.rename(second.id, "  Short   words ").title == "Short words"
    assert packs.rename(second.id, "Mine").title == "Mine (2)" and packs.rename(first.id, "Mine").title == "Mine"
    packs.delete(first.id)
    assert [p.id for p in packs.packs()] == [second.id]
    packs.bring_back(first.id)
    assert {p.id for p in packs.packs()} == {first.id, second.id}
    for wrong in (lambda: packs.bring_back(first.id), lambda: packs.rename("none", "x")):
        with pytest.raises(StoreError):
            wrong()
