"""The shape of the project: what lies where, and the facts of the paper it follows."""

from __future__ import annotations

from pathlib import Path

from magnet_core import prompts
from magnet_core.domain import Attitude, CbtTechnique, Technique
from magnet_core.methods import METHODS
from magnet_core.profiles import samples

ROOT = Path(__file__).parent.parent


def test_pages_lie_one_folder_deep() -> None:
    assert not list((ROOT / "pages").glob("*.py"))
    assert list((ROOT / "pages").glob("*/*.py"))


def test_the_papers_numbers() -> None:
    assert len(CbtTechnique) == 12 and len(Technique) == 5 and len(Attitude) == 3


def test_every_agent_has_a_prompt_that_says_what_it_follows() -> None:
    texts = prompts.load()
    for method in METHODS.values():
        for agent in method.agents:
            assert texts[agent].follows, agent
            assert prompts.sees(agent, "repaired") <= set(prompts.PARTS) >= prompts.sees(agent, "paper")


def test_prompts_bind_no_model_and_name_the_twelve() -> None:
    for prompt in prompts.load().values():
        text = prompt.system + prompt.role + prompt.note
        assert not any(mark in text for mark in ("<|", "[INST]", "###"))
    assert "cbt_techniques" in prompts.variables(prompts.load()["planner"])


def test_sample_clients_are_varied_and_complete() -> None:
    people = samples()
    assert len(people) >= 12
    assert {p.attitude for p in people} == set(Attitude)
    assert {t for p in people for t in p.calls_for} == set(CbtTechnique)
    ages = [p.intake.age or 0 for p in people]
    assert min(ages) < 18 and max(ages) > 65 and len({p.intake.gender for p in people}) >= 3
    for person in people:
        form = person.intake
        assert all([form.presenting_problem, form.reason, form.past_history, form.functioning.occupational, form.support])
        assert (
            person.conceptualisation
            and person.conceptualisation.automatic_thought
            and person.conceptualisation.fairer_thought
        )
