"""The clients page: find, read, write, copy, compare, draft, import; own clients are kept and nothing is lost on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice
from magnet_core.domain import Attitude, ClientProfile
from magnet_core.knowledge import read
from magnet_core.models import Chunk, Player, Request
from magnet_core.profile_fields import build, fields, flat
from magnet_core.profile_files import profiles_csv, profiles_json
from magnet_core.profiles import row, samples
from tests.screen import fresh, press, words
from ui import care, state
from ui.client import clients

ROOT = Path(__file__).parent.parent
PAGE, SESSION = "pages/watch/clients.py", "pages/watch/session.py"
MEI = "mei-lin-chow"
NOTES = (
    "Rosa Lindqvist is a 34-year-old nurse who lives with her husband. She worries that she will harm a patient. "
    'Whenever she hands over a ward, she thinks "I have forgotten something." The weather has been fine.'
)
HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)> **bold** :red[x]"


@pytest.fixture
def app() -> AppTest:
    """Open the clients page from the frame."""
    return fresh(pace="At once").run().switch_page(PAGE).run()


def opened(at: AppTest) -> list[str]:
    """Return the ids of the clients whose cards are shown."""
    return [button.key.removeprefix("open_") for button in at.button if (button.key or "").startswith("open_")]


def field(at: AppTest, name: str) -> Any:
    """Return the form's field for a part of the client."""
    return next(one for kind in ("text_input", "text_area", "number_input", "multiselect", "segmented_control")
                for one in at.get(kind) if (one.key or "").endswith(f"_{name}"))  # fmt: skip


def fill(at: AppTest, name: str, content: Any) -> AppTest:
    field(at, name).set_value(content).run()
    assert not at.exception
    return at


def section(at: AppTest, name: str) -> AppTest:
    at.segmented_control(key="clients_section").set_value(name).run()
    assert not at.exception
    return at


def rosa(**changes: Any) -> ClientProfile:
    made = build({"intake.name": "Rosa Lindqvist", "intake.age": 34, "intake.reason": "I keep thinking of the ward."})
    return made.model_copy(update=changes)


# Finding and reading


def test_all_samples_are_there_in_the_frame_and_alone(app: AppTest) -> None:
    assert not app.exception
    assert set(opened(app)) == {profile.id for profile in samples()}
    alone = fresh(PAGE).run()
    assert not alone.exception and len(opened(alone)) == len(samples())
    press(alone, f"open_{MEI}")
    press(alone, "client_start")
    assert "The session page is ready for Mei Lin Chow" in words(alone)


def test_cards_can_be_narrowed_down_by_words_attitude_technique_and_habit(app: AppTest) -> None:
    app.text_input(key="client_words").set_value("drawing ENGINEER").run()
    assert opened(app) == [MEI]
    app.text_input(key="client_words").set_value("").run()
    app.pills(key="client_attitude").set_value([Attitude.NEGATIVE]).run()
    assert {sample(id).attitude for id in opened(app)} == {Attitude.NEGATIVE}
    app.pills(key="client_attitude").set_value([]).run()
    app.multiselect(key="client_technique").set_value(["Continuum Technique"]).run()
    assert opened(app) and all("Continuum Technique" in sample(id).calls_for for id in opened(app))
    app.multiselect(key="client_technique").set_value([]).run()
    app.multiselect(key="client_habit").set_value(["mind reading"]).run()
    habits = [case.distortions for id in opened(app) if (case := sample(id).conceptualisation)]
    assert habits and all("mind reading" in own for own in habits)
    app.text_input(key="client_words").set_value("no such words anywhere").run()
    assert "No client is like this" in words(app)
    press(app, "clients_clear")
    assert len(opened(app)) == len(samples())


def sample(id: str) -> ClientProfile:
    return next(profile for profile in samples() if profile.id == id)


def test_a_card_opens_the_whole_client_with_a_mark_of_who_sees_what(app: AppTest) -> None:
    press(app, f"open_{MEI}")
    profile, shown = sample(MEI), words(app)
    assert app.query_params["client"] in (MEI, [MEI])
    for content in flat(profile).values():
        for text in content if isinstance(content, tuple) else [str(content)]:
            assert text.replace("'", "&#x27;") in shown or text in shown or text in ("neutral", "80"), text
    assert clients.standard_instruction("neutral").replace("'", "&#x27;") in shown
    seen, hidden = clients.counsellor_part(profile), clients.client_part(profile)
    assert "Counsellor sees" in seen and "Only the client" in hidden
    assert "Every unfinished drawing" in seen and "Every unfinished drawing" not in hidden
    assert "I check my drawings" in hidden and "I check my drawings" not in seen


def test_the_marks_say_what_the_prompts_do() -> None:
    seen: dict[str, list[str]] = yaml.safe_load((ROOT / "prompts" / "visibility.yaml").read_text(encoding="utf-8"))[
        "repaired"
    ]
    parts = {part for agent, shown in seen.items() if agent != "client" for part in shown}
    for name, about in fields().items():
        part = (
            "client_information" if about.section == "Person" else "reason" if name == "intake.reason"
            else "dialogue" if about.section == "Opening" else "intake_form" if about.section == "Intake"
            else "attitude" if about.section == "Attitude" else "labels"
        )  # fmt: skip
        assert (clients.sight(name) == "counsellor") == (part in parts), name
        assert (clients.sight(name) == "client") == (part in seen["client"] and part not in parts), name


def test_a_link_opens_a_client_and_an_unknown_one_says_so() -> None:
    for id, there in ((MEI, True), ("nobody-here", False)):
        at = fresh(PAGE, {"client": id}).run()
        assert not at.exception
        assert ("client_start" in {button.key for button in at.button}) == there
        assert any("nobody" in warning.value for warning in at.warning) != there


def test_a_session_starts_with_the_client_chosen(app: AppTest) -> None:
    press(app, "open_orla-fennelly")
    press(app, "client_start")
    assert app.selectbox(key="want_client").value == "orla-fennelly"
    assert "Orla" in words(app) and not app.button(key="next").disabled


# Writing


def test_a_client_is_built_section_by_section_and_can_be_chosen_for_a_session(app: AppTest) -> None:
    press(app, "clients_new")
    fill(app, "intake.name", "Tom Ashby")
    fill(app, "intake.age", 28)
    press(app, "client_next")
    fill(app, "intake.reason", "One wrong plate and I am sure that everybody sees I do not belong in that kitchen.")
    section(app, "Conceptualisation")
    fill(app, "conceptualisation.automatic_thought", "I am a fraud")
    fill(app, "conceptualisation.intensity", 80)
    fill(app, "conceptualisation.evidence_for", "I burnt the sauce\n\n  I was late  ")
    fill(app, "conceptualisation.distortions", ["labelling"])
    section(app, "Person")
    assert field(app, "intake.name").value == "Tom Ashby"
    press(app, "client_save")
    assert "Tom Ashby is saved." in words(app)
    (kept,) = state.store().clients.all()
    case = kept.conceptualisation
    assert case and (case.intensity, case.distortions) == (80, ("labelling",))
    assert case.evidence_for == ("I burnt the sauce", "I was late")
    app.switch_page(SESSION).run()
    app.selectbox(key="want_client").set_value(kept.id).run()
    assert not app.exception and "Tom Ashby" in words(app)


def test_unsaved_changes_survive_other_pages_and_say_so(app: AppTest) -> None:
    press(app, "clients_new")
    fill(app, "intake.name", "Tom Ashby")
    section(app, "Intake")
    fill(app, "intake.past_history", "Never before.")
    assert "Unsaved changes" in words(app)
    app.switch_page(SESSION).run()
    app.switch_page(PAGE).run()
    assert field(app, "intake.past_history").value == "Never before." and "Unsaved changes" in words(app)
    press(app, "clients_back")
    assert "Not saved yet" in words(app)
    press(app, f"open_{MEI}")
    press(app, "clients_back")
    press(app, next(b.key for b in app.button if b.key.startswith("write_")))
    assert field(app, "intake.past_history").value == "Never before."
    press(app, "client_discard_now")
    assert "Not saved yet" not in words(app) and not state.store().clients.all()


def test_a_client_without_a_name_is_not_saved_and_nothing_is_lost(app: AppTest) -> None:
    press(app, "clients_new")
    section(app, "Intake")
    fill(app, "intake.support", "My sister.")
    press(app, "client_save")
    assert "gives no name" in words(app) and field(app, "intake.name")
    section(app, "Intake")
    assert field(app, "intake.support").value == "My sister."


def test_editing_a_sample_makes_a_copy(app: AppTest) -> None:
    press(app, f"open_{MEI}")
    press(app, "client_edit")
    fill(app, "intake.occupation", "Bridge engineer")
    press(app, "client_save")
    (kept,) = state.store().clients.all()
    assert kept.id != MEI and kept.intake.occupation == "Bridge engineer"
    assert sample(MEI).intake.occupation == "Structural engineer"
    press(app, "client_compare")
    assert "1 field differs" in words(app) and "<ins>Bridge</ins>" in words(app)


def test_hints_stand_beside_the_fields(app: AppTest) -> None:
    press(app, "clients_new")
    assert "The counsellor is shown the age" in words(app)
    fill(app, "intake.age", 15)
    fill(app, "intake.marital_status", "Married")
    assert "is unusual at 15" in words(app) and "Does this fit together?" in words(app)
    fill(app, "intake.age", 51)
    assert "is unusual at" not in words(app)


def test_the_attitude_s_text_is_shown_and_can_be_changed(app: AppTest) -> None:
    press(app, f"open_{MEI}")
    press(app, "client_edit")
    section(app, "Attitude")
    assert field(app, "instruction_neutral").value == clients.standard_instruction("neutral")
    fill(app, "instruction_neutral", "You answer in one word.")
    press(app, "client_save_start")
    assert app.session_state["session"].profile.attitude_instruction == "You answer in one word."
    app.switch_page(PAGE).run()
    press(app, "client_edit")
    section(app, "Attitude")
    press(app, next(b.key for b in app.button if b.key.endswith("instruction_neutral_back")))
    assert field(app, "instruction_neutral").value == clients.standard_instruction("neutral")
    press(app, "client_save")
    assert state.store().clients.all()[0].attitude_instruction == ""
    assert app.session_state["session"].profile.attitude_instruction == "", "a session to be has the client as it is now"


def test_the_same_person_with_another_attitude(app: AppTest) -> None:
    press(app, f"open_{MEI}")
    press(app, "clone_negative")
    assert field(app, "attitude").value == "negative"
    assert field(app, "instruction_negative").value == clients.standard_instruction("negative")
    press(app, "client_save")
    (kept,) = state.store().clients.all()
    assert kept.with_attitude(Attitude.NEUTRAL).model_copy(update={"id": MEI}) == sample(MEI)
    press(app, "client_compare")
    assert "1 field differs" in words(app) and "negative" in words(app)


def test_any_two_clients_can_be_compared(app: AppTest) -> None:
    press(app, "clients_compare")
    next(s for s in app.selectbox if s.label == "One client").set_value(MEI).run()
    next(s for s in app.selectbox if s.label == "The other").set_value("orla-fennelly").run()
    assert not app.exception
    assert "Structural engineer" in words(app) and "fields differ" in words(app)
    assert set(app.query_params) >= {"client", "with"}


def test_a_client_changed_in_another_window_is_not_overwritten(app: AppTest) -> None:
    (kept,) = state.store().clients.add([rosa()])
    app.run()
    press(app, f"open_{kept.id}")
    press(app, "client_edit")
    fill(app, "intake.occupation", "Nurse")
    theirs = kept.model_copy(update={"summary": "Changed elsewhere"})
    state.store().clients.save(theirs, over=kept)
    press(app, "client_save")
    assert "changed in another window" in words(app)
    press(app, "client_save_new")
    assert {p.summary or p.intake.occupation for p in state.store().clients.all()} == {"Changed elsewhere", "Nurse"}


def test_deleting_asks_first_and_can_be_undone(app: AppTest) -> None:
    (kept,) = state.store().clients.add([rosa()])
    app.run()
    press(app, f"open_{kept.id}")
    press(app, "client_delete_now")
    assert "is deleted" in words(app) and kept.id not in opened(app)
    press(app, "clients_undo")
    assert "The client is back." in words(app)
    assert state.store().clients.all() == [kept]


def test_a_client_deleted_elsewhere_leaves_the_session_page_in_order(app: AppTest) -> None:
    (kept,) = state.store().clients.add([rosa()])
    app.run()
    press(app, f"open_{kept.id}")
    press(app, "client_start")
    state.store().clients.delete(kept.id)
    app.run()
    assert not app.exception


@pytest.mark.parametrize("profile", samples(), ids=lambda p: p.id)
def test_opening_the_form_changes_nothing(profile: ClientProfile) -> None:
    edit = clients.Edit("x", flat(profile), base=profile)
    assert not edit.changed and edit.profile() == profile


# Notes


def drafted(at: AppTest, name: str) -> str:
    """Return the key under which a field that was found is shown."""
    return next(box.key for box in at.checkbox if box.key.endswith(f"_{name}_right")).removesuffix("_right")


def read_notes(at: AppTest, text: str) -> AppTest:
    press(at, "clients_draft")
    at.text_area(key="clients_pasted").set_value(text).run()
    return press(at, "clients_find")


def test_notes_are_drafted_from_and_only_what_is_confirmed_counts(app: AppTest) -> None:
    read_notes(app, NOTES)
    assert "Rosa Lindqvist is a 34-year-old nurse" in words(app) and "The weather has been fine." in words(app)
    assert app.button(key="clients_draft_go").disabled
    app.checkbox(key=f"{drafted(app, 'intake.name')}_right").check().run()
    app.checkbox(key=f"{drafted(app, 'intake.age')}_right").check().run()
    app.text_input(key=drafted(app, "intake.age")).set_value("35").run()
    app.switch_page(SESSION).run()
    app.switch_page(PAGE).run()
    press(app, "clients_draft_go")
    assert (field(app, "intake.name").value, field(app, "intake.age").value) == ("Rosa Lindqvist", 35)
    assert field(app, "intake.occupation").value == "", "what was not confirmed is not taken"
    press(app, "client_save")
    assert state.store().clients.all()[0].conceptualisation is None


def test_a_model_that_is_set_drafts_and_its_inventions_are_refused(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    class Says:
        name = "test-model"

        async def stream(self, request: Request) -> AsyncIterator[Chunk]:
            entries = [
                ("name", "Rosa Lindqvist", "Rosa Lindqvist is a 34-year-old nurse"),
                ("education", "A doctorate", ""),
            ]
            yield Chunk(json.dumps({"fields": [{"field": f, "value": v, "quote": q} for f, v, q in entries]}), "stop")

    @asynccontextmanager
    async def opened_models(_cast: Cast, _limit: Any = None, meter: Any = None) -> AsyncIterator[Any]:
        yield lambda _agent: Player(Says())

    monkeypatch.setattr("ui.state.spending.open_models", opened_models)
    app.session_state["cast"] = Cast(default=Voice(model="test-model", base_url="http://127.0.0.1:9/v1"))
    read_notes(app, NOTES)
    assert "Education" in words(app) and "was refused" in words(app)
    assert [box.key.split("_", 2)[2] for box in app.checkbox] == ["intake.name_right"]


def test_notes_that_say_nothing_or_that_are_missing_are_answered(app: AppTest) -> None:
    read_notes(app, "")
    assert "no text" in words(app)
    app.text_area(key="clients_pasted").set_value("Lorem ipsum dolor.").run()
    press(app, "clients_find")
    assert "No field was found" in words(app)


def test_risk_words_that_a_person_types_open_the_resources(app: AppTest) -> None:
    contact = read("safety.yaml")["resources"]["contacts"][0]["what"]
    assert contact not in words(app)
    app.text_input(key="client_words").set_value("suicide").run()
    assert contact in words(app)
    app.text_input(key="client_words").set_value("").run()
    press(app, "clients_new")
    fill(app, "intake.name", "Tom Ashby")
    assert contact not in words(app)
    fill(app, "intake.family_details", "I want to be dead")
    assert contact in words(app) and "I want to be dead" in words(app)
    press(app, "clients_back")
    read_notes(app, "She said: there is no reason to live.")
    assert contact in words(app)
    assert care.resources("A calm week.") == ""


# Files


def upload(at: AppTest, *files: tuple[str, str]) -> AppTest:
    press(at, "clients_import")
    for name, text in files:
        at.file_uploader[0].upload(name, text.encode())
    at.run()
    assert not at.exception
    return at


def test_files_of_all_shapes_are_reported_on_and_kept_when_said_so(app: AppTest) -> None:
    someone = rosa(id="rosa")
    psi = {"name": "Ben", "history": "Lost his job.", "auto_thought": "I am useless", "shoe_size": 44}
    upload(
        app,
        ("ours.json", profiles_json([someone])),
        ("rows.json", json.dumps([row(sample(MEI).model_copy(update={"intake": someone.intake}))])),
        ("psi.json", json.dumps([psi])),
        ("table.csv", profiles_csv([rosa(id="another", summary="From a table")])),
        ("broken.json", "{"),
    )
    assert "<b>4</b> clients" in words(app) and any("broken" in error.value for error in app.error)
    assert not state.store().clients.all(), "nothing is kept before somebody says so"
    key = next(box.key for box in app.checkbox if box.key.endswith("_2_keep")).removesuffix("_keep")
    app.session_state[key] = True
    app.run()
    assert "shoe_size" in words(app) and "No field of a profile is called so." in words(app)
    app.checkbox(key=f"{key}_keep").uncheck().run()
    press(app, "clients_keep")
    assert "3 clients are kept." in words(app) and len(state.store().clients.all()) == 3


def test_what_is_there_already_is_not_kept_twice(app: AppTest) -> None:
    state.store().clients.add([rosa()])
    upload(app, ("all.json", profiles_json([*state.store().clients.all(), sample(MEI), rosa(id="new", summary="New")])))
    assert app.button(key="clients_keep").label == "Keep 1 client"
    press(app, "clients_keep")
    assert len(state.store().clients.all()) == 2


# Text is text


def test_what_a_client_says_is_never_markup(app: AppTest) -> None:
    texts = {name: HOSTILE for name, about in fields().items() if about.kind == "text" and name != "attitude"}
    evil = build({**texts, "intake.name": HOSTILE, "conceptualisation.evidence_for": [HOSTILE]})
    (kept,) = state.store().clients.add([evil.model_copy(update={"gaps": (HOSTILE,)})])
    app.run()

    def harmless() -> None:
        assert "<script>alert" not in words(app) and "<img" not in words(app)
        assert not any(
            "**bold**" in one.value or ":red[" in one.value for kind in ("markdown", "header") for one in app.get(kind)
        )
        assert not any("**bold**" in (button.label or "") for button in app.button)

    harmless()
    press(app, f"open_{kept.id}")
    harmless()
    press(app, "client_edit")
    harmless()
    fill(app, "intake.gender", "another <b>")
    app.session_state["client_changes"] = True
    app.run()
    harmless()
    press(app, "clients_back")
    upload(app, ("evil.json", json.dumps([{"name": HOSTILE, HOSTILE: HOSTILE, "age": HOSTILE}])))
    key = next(box.key for box in app.checkbox).removesuffix("_keep")
    app.session_state[key] = True
    app.run()
    harmless()
    press(app, "clients_back")
    read_notes(app, f'Name: {HOSTILE}\nShe thinks "{HOSTILE}"')
    harmless()
