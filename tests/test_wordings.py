"""The words a judge is told: taken apart, changed, linted, kept in packs, tried, and rated with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from magnet_core import lab
from magnet_core.domain import Moment, Prompt
from magnet_core.errors import PromptError
from magnet_core.lab import Sample, try_out
from magnet_core.models import Chunk, Player, Request
from magnet_core.packs import from_file, to_file
from magnet_core.scoring import wordings
from magnet_core.scoring.events import SessionScored
from magnet_core.scoring.instruments import Sheet, sheet, sheets
from magnet_core.scoring.judge import JUDGE, Question, every_k_turns, score
from magnet_core.scoring.rubrics import Rubric
from magnet_core.scoring.wordings import JudgeTrial, reworded, told_in
from magnet_core.session import new_session
from magnet_core.store import Store
from tests.fakes import finished

FOCUS = "ctrs/focus"


class Answers:
    """Give one answer after the other, as often as samples are asked for."""

    name = "answers"

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        for index in range(request.samples):
            yield Chunk(self.answers[(len(self.requests) - 1) % len(self.answers)], "stop", index=index)


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
    assert FOCUS not in pack.texts and pack.judge_texts[FOCUS] == of_focus()
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
    model = Answers('{"turns": [1], "reason": "One. Two.", "score": 4}', "Score: 4 of 6", "I cannot say.")
    moment = Moment(agent=JUDGE, session=session)
    trials = [
        JudgeTrial(label, moment, {}, Player(model), 3, asked=Question(told, items, session))
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
            "A", Moment(agent=JUDGE, session=session), {}, Player(Answers(said)), asked=Question(one, one.items, session)
        )
    )
    assert sample.text.count(" 2") == len(one.items) and not sample.problem and sample.temperature == 0.0


@pytest.mark.anyio
async def test_a_scorecard_names_the_hash_of_the_words_it_was_rated_with() -> None:
    session, own = await finished(2), reworded(sheet("ctrs"), [of_focus()])

    async def hash_of(what: Any) -> tuple[str, Answers]:
        judge = Answers('{"turns": [1], "reason": "So.", "score": 3}')
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
    events = [e async for e in every_k_turns(session, 1, own, lambda agent: Player(Answers(said)), samples=1)]
    assert sum(isinstance(e, SessionScored) for e in events) == 1
