"""The words a judge is told: taken apart, changed, linted, kept in packs, tried, and rated with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from magnet_core import lab
from magnet_core.domain import Moment, Prompt
from magnet_core.errors import PromptError
from magnet_core.lab import Sample, try_out, wordings
from magnet_core.lab.judge_trials import Asked, JudgeTrial, OnAnswer, OnPair, OnSession, filled, summary
from magnet_core.lab.wordings import reworded, told_in
from magnet_core.models import Player
from magnet_core.packs import from_file, to_file
from magnet_core.scoring import pairs
from magnet_core.scoring.aspects import Pair, form
from magnet_core.scoring.events import SessionScored
from magnet_core.scoring.instruments import Sheet, sheet, sheets
from magnet_core.scoring.judge import JUDGE, Question, every_k_turns, score
from magnet_core.scoring.rubrics import Rubric
from magnet_core.session import moment_of, new_session
from magnet_core.store import Store
from tests.fakes import Says, finished

FOCUS = "ctrs/focus"


def with_words(name: str, text: str) -> Prompt:
    return wordings.texts()[name].model_copy(update={"system": text})


def of_focus(extra: str = "") -> Prompt:
    return with_words(FOCUS, f"Focus: my own question?\n\n0: None.{extra}\n6: All.")


@pytest.mark.parametrize("name", list(sheets()))
def test_our_words_taken_apart_and_put_together_are_the_instrument(name: str) -> None:
    one = sheet(name)
    again = reworded(one, wordings.texts().values())
    assert again == one and again.sha == one.sha
    assert all(not wordings.lint(prompt) for prompt in wordings.texts_of(one).values())


@pytest.mark.anyio
@pytest.mark.parametrize("name", list(sheets()))
async def test_every_text_stands_in_the_request_it_is_told_in(name: str) -> None:
    session, one = await finished(1), sheet(name)
    items = one.items if one.together else one.items[:1]
    told = told_in(one, [item.key for item in items])
    mine = [with_words(n, f"{wordings.texts()[n].system}\nMARK") for n in told if not n.endswith(("/scale", "/focus"))]
    mine = [p for p in mine if p.name.startswith("judge/") or p.name.endswith("/task")]
    messages = reworded(one, mine).request(session, items, "it was empty.")
    assert "\n".join(m.content for m in messages).count("MARK") == 4
    assert "\n".join(m.content for m in one.request(session, items)).count("MARK") == 0


def test_a_changed_item_changes_its_instruments_and_no_other() -> None:
    for name, one in sheets().items():
        new = reworded(one, [of_focus()])
        assert (new.sha != one.sha) == name.startswith("ctrs")
    assert reworded(sheet("ctrs"), [of_focus()]).wordings["focus"].anchors == {0: "None.", 6: "All."}
    scale = with_words("wai/scale", "1: Against it\n7: For it")
    assert reworded(sheet("wai"), [scale]).scale == {1: "Against it", 7: "For it"}
    rubric = Rubric(id="rubric-own", title="Own", question="Is it?", anchors={0: "No", 6: "Yes"}).sheet
    assert reworded(rubric, [with_words("judge/system", "Be brief."), of_focus()]).frame.system == "Be brief."


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (FOCUS, "Focus?\n\n0: None.", "must describe 0, 6"),
        (FOCUS, "Focus?\n\n0: None.\n6: All.\n9: More.", "nothing beyond"),
        (FOCUS, "Focus?\n\n0: None.\n0: Nothing.\n6: All.", "described twice"),
        (FOCUS, "Focus?\n\n0: None.\nand so on\n6: All.", "this is none"),
        (FOCUS, "0: None.\n6: All.", "question is missing"),
        (FOCUS, "Focus on $plan?\n\n0: None.\n6: All.", "no variable $plan"),
        ("wai/scale", "1: Against it", "must describe 1, 7"),
        ("judge/single", "JSON: score from $low to $hihg", "Is $high meant?"),
        ("judge/together", "JSON: scores from $low to $high", "$words is missing"),
        ("judge/system", "", "empty; ours is not"),
    ],
)
def test_the_linter_keeps_a_broken_text_from_being_used(name: str, text: str, says: str) -> None:
    found = wordings.lint(with_words(name, text))
    assert found[0].kind == "error" and says in " ".join(r.text for r in found)
    with pytest.raises(PromptError, match="cannot be used"):
        wordings.usable(with_words(name, text))


def test_the_linter_warns_by_the_same_rules_as_for_agents() -> None:
    found = wordings.lint(with_words("judge/system", "<|im_start|> You rate, for $5 a time. " + "Be strict. " * 400))
    assert [r.kind for r in found] == ["warning", "warning"]
    assert "chat format" in found[0].text and "tokens" in found[1].text
    assert [r.kind for r in wordings.lint(with_words("judge/single", "JSON: turns, reason, score up to $high"))] == [
        "warning"
    ]


def test_packs_hold_judges_texts_apart_from_the_agents(store: Store) -> None:
    packs = store.packs
    role = lab.with_own([])["responder"].model_copy(update={"role": "responder: short."})
    pack = packs.new("Mine", [role, *wordings.texts().values(), of_focus()], "First")
    assert ([p.name for p in pack.prompts], [p.name for p in pack.judges]) == (["responder"], [FOCUS])
    assert FOCUS not in pack.texts and pack.judges == (of_focus(),)
    assert pack.sha != pack.model_copy(update={"judges": ()}).sha
    packs.save(pack.id, [of_focus(" Not one.")], "Second")
    assert [v.note for v in packs.versions(pack.id, FOCUS)] == ["Second", "First"]
    title, texts, left = from_file(to_file(pack))
    assert title == "Mine" and not left and packs.new(title, texts).judges == pack.judges
    back = packs.save(pack.id, [wordings.texts()[FOCUS]])
    assert back.judges == () and back.prompts == pack.prompts
    with pytest.raises(PromptError, match="described twice"):
        packs.save(pack.id, [with_words(FOCUS, "Focus?\n0: a\n0: b\n6: c")])


def test_a_file_with_broken_judges_texts_says_so() -> None:
    good = {"format": "magnet-prompt-pack", "version": 1, "title": "T", "prompts": []}
    bad = [{"name": FOCUS, "system": "Focus?"}, {"name": "ctrs/none", "system": "x"}, of_focus().model_dump()]
    _, texts, left = from_file(json.dumps(good | {"judges": bad}))
    assert [p.name for p in texts] == [FOCUS] and len(left) == 2
    with pytest.raises(PromptError, match="no list"):
        from_file(json.dumps(good | {"judges": "x"}))


def test_a_session_made_with_a_pack_holds_no_judges_texts(tmp_path: Path) -> None:
    from magnet_core.profiles import samples

    pack = Store(f"sqlite:///{tmp_path / 'own.db'}").packs.new("Mine", [of_focus()])
    session = new_session(samples()[0], prompt_set=pack.texts)
    assert not any("/" in p.name for p in session.prompts)


async def tried(*trials: JudgeTrial) -> list[Sample]:
    return [item async for item in try_out(trials, "one-by-one") if isinstance(item, Sample)]


@pytest.mark.anyio
async def test_variants_of_a_question_are_tried_and_stacked_by_their_score() -> None:
    session, one = await finished(2), sheet("ctrs")
    items = tuple(i for i in one.items if i.key == "focus")
    model = Says('{"turns": [1], "reason": "One. Two.", "score": 4}', "Score: 4 of 6", "I cannot say.")
    moment = Moment(agent=JUDGE, session=session)
    trials = [
        JudgeTrial(label, moment, {}, Player(model), 3, asked=OnSession(Question(told, items, session)))
        for label, told in (("A", one), ("B", reworded(one, [of_focus()])))
    ]
    samples = await tried(*trials)
    assert [s.text.partition(".")[0] for s in samples[:2]] == ["Score 4", "Score 4"]
    assert samples[2].problem and samples[2].raw == "I cannot say."
    piles = lab.stacks(JUDGE, samples[:3])
    assert piles[0].says == "Score 4" and len(piles[0].samples) == 2
    first, other = model.requests[0], model.requests[3]
    assert first.messages == one.request(session, items) and first.schema == one.schema(items) and first.temperature == 0.7
    assert "my own question?" in other.messages[1].content and samples[0].prompt_sha != samples[3].prompt_sha
    assert lab.cost(trials).calls == 6


@pytest.mark.anyio
async def test_all_words_of_a_mood_are_tried_in_one_request() -> None:
    session, one = await finished(1), sheet("panas-before")
    said = json.dumps({item.key: {"turns": [], "reason": "So.", "score": 2} for item in one.items})
    [sample] = await tried(
        JudgeTrial(
            "A",
            Moment(agent=JUDGE, session=session),
            {},
            Player(Says(said)),
            asked=OnSession(Question(one, one.items, session)),
        )
    )
    assert sample.text.count(" 2") == len(one.items) and not sample.problem and sample.temperature == 0.0


@pytest.mark.anyio
async def test_a_scorecard_names_the_hash_of_the_words_it_was_rated_with() -> None:
    session, own = await finished(2), reworded(sheet("ctrs"), [of_focus()])

    async def hash_of(what: Any) -> tuple[str, Says]:
        judge = Says('{"turns": [1], "reason": "So.", "score": 3}')
        events = [e async for e in score(session, what, lambda agent: Player(judge), samples=1)]
        [card] = [e.card for e in events if isinstance(e, SessionScored)]
        assert card.items == () and card.instrument == "ctrs"
        return card.prompt_sha, judge

    told, judge = await hash_of(own)
    assert told == own.sha != (await hash_of("ctrs"))[0]
    assert any("my own question?" in r.messages[1].content for r in judge.requests)


@pytest.mark.anyio
async def test_the_mood_before_is_rated_once_in_other_words_too() -> None:
    session = await finished(2)
    own: list[Sheet] = [reworded(sheet("panas-before"), [with_words("panas/scale", "1: Not\n5: Very")])]
    said = json.dumps({item.key: {"turns": [], "reason": "So.", "score": 2} for item in own[0].items})
    events = [e async for e in every_k_turns(session, 1, own, lambda agent: Player(Says(said)), samples=1)]
    assert sum(isinstance(e, SessionScored) for e in events) == 1


OWN = Rubric(id="rubric-own", title="Own", question="Is it kind?", anchors={0: "No", 6: "Yes"})


def test_own_rubrics_blind_pairs_and_test_cases_have_texts_too() -> None:
    ours = wordings.texts([OWN.sheet])
    assert {"rubric-own/task", "rubric-own/question", "pairs/task", "case/ask"} <= ours.keys()
    assert wordings.told_in(OWN.sheet, ["rubric-own"])[1:3] == ["rubric-own/task", "rubric-own/question"]
    assert not [r for p in ours.values() for r in wordings.lint(p, own=[OWN.sheet])]
    mine = ours["rubric-own/question"].model_copy(update={"system": "Is it warm?\n\n0: Cold\n6: Warm"})
    told = reworded(OWN.sheet, [mine])
    assert told.wordings["rubric-own"].question == "Is it warm?" and told.sha != OWN.sheet.sha
    assert reworded(sheet("ctrs"), [mine]) == sheet("ctrs")
    assert wordings.changed([mine, ours["rubric-own/task"]], [OWN.sheet]) == ["rubric-own/question"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("rubric-own/question", "Is it warm?\n\n0: Cold", "must describe 0, 6"),
        ("rubric-own/question", "0: Cold\n6: Warm", "question is missing"),
        ("rubric-gone/question", "Is it?\n0: No\n0: None", "described twice"),
        ("pairs/answer", "JSON, please.", "$keys is missing"),
        ("case/ask", "Is it so?", "$question is missing"),
        ("case/ask", "Is it so? $question $answer", "no variable $answer"),
        ("pairs/system", " ", "empty; ours is not"),
    ],
)
def test_a_broken_text_of_the_other_judges_is_an_error(name: str, text: str, says: str) -> None:
    found = wordings.lint(Prompt(name=name, system=text), own=[OWN.sheet])
    assert found[0].kind == "error" and says in found[0].text


def test_a_pack_holds_texts_of_own_rubrics_until_they_are_the_rubrics_own_again(store: Store) -> None:
    store.rubrics.save(OWN)
    ours = wordings.texts([OWN.sheet])
    mine = ours["rubric-own/question"].model_copy(update={"system": "Is it warm?\n\n0: Cold\n6: Warm"})
    ask = wordings.texts()["case/ask"].model_copy(update={"system": "Mine: $question"})
    pack = store.packs.new("Mine", [*ours.values(), mine, ask])
    assert [p.name for p in pack.judges] == ["case/ask", "rubric-own/question"]
    title, texts, left = from_file(to_file(pack))
    assert not left and store.packs.new(title, texts).judges == pack.judges
    assert wordings.case_words(pack.judges).ask == "Mine: $question"
    store.packs.save(pack.id, [mine.model_copy(update={"system": "Is it?\n\n0: No\n6: Yes"})])
    back = store.packs.save(pack.id, [ours["rubric-own/question"], wordings.texts()["case/ask"]])
    assert back.judges == () and [v.number for v in store.packs.versions(pack.id, "rubric-own/question")] == [3, 2, 1]


@pytest.mark.anyio
async def test_a_blind_pair_is_tried_in_both_orders() -> None:
    one, two = await finished(1), await finished(2)
    told = wordings.pair_words([with_words("pairs/task", "MY TASK")])
    said = json.dumps({q.key: {"reason": "So.", "choice": "A"} for q in form().questions})
    model = Says(said, said, "I like both.")
    trials = [
        JudgeTrial(
            f"A{n}", Moment(agent=JUDGE, session=one), {}, Player(model), asked=OnPair(one, two, told, flipped=n == 1)
        )
        for n in range(3)
    ]
    first, second, third = await tried(*trials)
    assert lab.says(JUDGE, first) == "Overall: first" and first.given["overall"] == "first" and not first.problem
    assert lab.says(JUDGE, second) == "Overall: second" and "Safety second" in second.text
    assert third.text == "I like both." and not third.given and "No choice could be read for" in third.problem
    assert "MY TASK" in model.requests[0].messages[1].content and "MY TASK" not in pairs.words().task
    assert OnPair(one, two, told).sha != OnPair(one, two, pairs.words()).sha


@pytest.mark.anyio
async def test_the_judge_of_a_test_case_is_tried_on_an_answer() -> None:
    session = await finished(2)
    moment = moment_of(session, 2, "responder")
    asked = OnAnswer(
        moment, "Tell me more.", "Is it warm?", wordings.case_words([with_words("case/ask", "ASKED: $question")])
    )
    model = Says('{"reason": "It is kind. Very.", "answer": "yes"}', "No. It is cold.", "Hm.")
    samples = await tried(JudgeTrial("A", moment, {}, Player(model), 3, asked=asked))
    assert [lab.says(JUDGE, s) for s in samples] == ["Yes", "No", "Hm."]
    assert [s.given for s in samples] == [{"answer": "yes"}, {"answer": "no"}, {}] and samples[2].problem
    content = model.requests[0].messages[1].content
    assert "ASKED: Is it warm?" in content and "Tell me more." in content and moment.candidates[0].text in content


@pytest.mark.anyio
async def test_a_pair_is_reviewed_in_the_words_of_a_pack_under_a_name_of_its_own() -> None:
    one, two = await finished(1), await finished(1)
    pair = Pair.model_construct(id="pair")
    said = json.dumps({q.key: {"reason": "So.", "choice": "tie"} for q in form().questions})
    model = Says(said)
    told = wordings.pair_words([with_words("pairs/system", "MY SYSTEM")])
    reviews = [r async for r in pairs.judge_pair(pair, one, two, lambda agent: Player(model), told, "words of Strict")]
    assert {r.rater for r in reviews} == {"says, words of Strict"}
    assert {r.messages[0].content for r in model.requests} == {"MY SYSTEM"}


def test_what_a_variant_gave_is_summed_up_by_session() -> None:
    def given(*values: float | None) -> list[Sample]:
        return [
            Sample(label="A", number=n, model="m", prompt_sha="0", given={} if v is None else {"focus": v})
            for n, v in enumerate(values, 1)
        ]

    lost = Sample(label="A", number=1, model="m", prompt_sha="0", error="Down.")
    found = summary({"one": given(2, 4), "two": given(5, None), "three": [lost]}, "focus")
    assert (found.places, found.answers, found.missing, found.unanswered) == (2, 3, 1, 1)
    assert (
        found.mean == pytest.approx(4.0) and found.apart == pytest.approx(2**0.5) and found.within == pytest.approx(2**0.5)
    )
    nothing = summary({"one": given(None)}, "focus")
    assert nothing.mean is None and nothing.missing == 1


@pytest.mark.anyio
async def test_what_is_filled_into_a_judges_request_stands_apart() -> None:
    session, other = await finished(2), await finished(1)
    moment, one = moment_of(session, 2, "responder"), sheet("ctrs")
    focus = tuple(i for i in one.items if i.key == "focus")
    mine = [with_words("judge/single", "From $low to $high, $5."), with_words("case/ask", "True? $question")]
    texts = [*(wordings.texts() | {p.name: p for p in mine}).values()]

    def on_answer(own: Iterable[Prompt]) -> Asked:
        return OnAnswer(moment, "THE ANSWER", "Is it warm?", wordings.case_words(own))

    cases: list[tuple[Callable[[Iterable[Prompt]], Asked], set[str]]] = [
        (lambda own: OnSession(Question(reworded(one, own), focus, session)), {"the session", "low", "high"}),
        (lambda own: OnPair(session, other, wordings.pair_words(own)), {"the first session", "Safety", "keys"}),
        (on_answer, {"the answer", "the session so far", "question", "Plan"}),
    ]
    for ask, named in cases:
        pairs_found = filled(ask, texts)
        for message, stretches in pairs_found:
            assert "".join(s.text for s in stretches) == message.content
        assert named <= {s.variable for _, stretches in pairs_found for s in stretches}
    [_, (_, stretches)] = filled(on_answer, texts)
    assert {s.variable: s.text for s in stretches}["question"] == "Is it warm?"
