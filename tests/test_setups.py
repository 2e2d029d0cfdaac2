"""Set-ups used before: remembered without keys, used again with one click, forgotten on request; nothing speaks by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from magnet_core.cast import Cast, Voice
from magnet_core.errors import SettingsError
from magnet_core.models import REHEARSAL
from magnet_core.store import Store
from tests.fakes import rehearsed
from tests.llm_server import Start
from tests.screen import fresh, in_library, open_lab, press, words
from ui import setups, state, voices

PAGE = "pages/setup/models.py"
KEY = "sk-sentinel-0123456789abcdef"
FAR = "https://models.example.org/v1"


def voice(model: str = "one", base_url: str = "http://localhost:9/v1", **more: Any) -> Voice:
    return Voice(model=model, base_url=base_url, **more)


def keyed(**more: Any) -> Voice:
    return voice(api_key=SecretStr(KEY), **more)


# The library


def test_a_set_up_comes_back_without_its_keys_the_last_used_first(store: Store) -> None:
    first = Cast(
        default=keyed(temperature=0.3, max_tokens=900, timeout=30.0),
        overrides={"client": Voice(), "planner": keyed(model="two", base_url=FAR)},
        fan_out="primed",
    )
    store.setups.add(first)
    store.setups.add(Cast(default=voice("three"), calls_in_flight=2, pace=15.0))
    later, earlier = store.setups.all()
    assert later.cast == Cast(default=voice("three")) and later.keyed == ()
    assert earlier.cast == Cast(
        default=voice(temperature=0.3, max_tokens=900, timeout=30.0),
        overrides={"client": Voice(), "planner": voice("two", FAR)},
        fan_out="primed",
    )
    assert earlier.keyed == ("http://localhost:9/v1", FAR)
    assert later.used > earlier.used


def test_an_equal_set_up_moves_to_the_top_and_the_oldest_of_eleven_goes(store: Store) -> None:
    for number in range(10):
        store.setups.add(Cast(default=voice(f"model-{number}")))
    agents = {"planner": voice("two"), "client": Voice()}
    store.setups.add(Cast(default=keyed(model="model-1")))
    assert [s.cast.default.model for s in store.setups.all()][:2] == ["model-1", "model-9"] and len(store.setups.all()) == 10
    store.setups.add(Cast(default=voice(), overrides=agents))
    store.setups.add(Cast(default=voice(), overrides=dict(reversed(agents.items()))))
    kept = [s.cast.default.model for s in store.setups.all()]
    assert kept == ["one", "model-1", *(f"model-{n}" for n in range(9, 1, -1))], "model-0 was used longest ago"


def test_set_ups_are_forgotten_for_good(store: Store) -> None:
    for model in ("one", "two", "three"):
        store.setups.add(Cast(default=voice(model)))
    second = store.setups.all()[1]
    store.setups.forget(second.id)
    store.setups.forget(second.id)
    assert [s.cast.default.model for s in store.setups.all()] == ["three", "one"]
    store.setups.forget_all()
    assert store.setups.all() == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (f"https://name:{KEY}@host:81/v1", "https://host:81/v1"),
        (f"https://{KEY}@host/v1/", "https://host/v1"),
        (f"https://host/v1?api_key={KEY}&a=b", "https://host/v1"),
        (f"https://host/v1#{KEY}", "https://host/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("", "https://api.openai.com/v1"),
    ],
)
def test_an_address_is_kept_as_server_and_path(tmp_path: Path, given: str, kept: str) -> None:
    library = Store(f"sqlite:///{tmp_path / 'kept.db'}")
    library.setups.add(Cast(default=keyed(base_url=given), overrides={"client": keyed(model="two", base_url=given)}))
    (setup,) = library.setups.all()
    assert {v.base_url for v in (setup.cast.default, *setup.cast.overrides.values())} == {kept} == set(setup.keyed)
    library.close()
    assert not holds(tmp_path, KEY)


def test_an_address_that_is_none_is_not_kept(store: Store) -> None:
    with pytest.raises(SettingsError):
        store.setups.add(Cast(default=voice(base_url="http://[nowhere")))
    assert store.setups.all() == []


def holds(folder: Path, word: str) -> bool:
    """Tell whether a file of a library holds a word anywhere in its bytes."""
    files = list(folder.glob("*.db*"))
    assert files
    return any(word.encode() in file.read_bytes() for file in files)


# The page


def fill(at: AppTest, url: str, key: str = "", model: str = "test-model") -> AppTest:
    """Fill in a language model at another address."""
    at.segmented_control(key="models_who").set_value("model").run()
    at.pills(key="models_kind").set_value("other").run()
    at.text_input(key="models_url_other").set_value(url)
    at.text_input(key="models_name_other").set_value(model)
    at.text_input(key="models_key_other").set_value(key)
    at.run()
    assert not at.exception
    return at


def remembered() -> list[str]:
    """Return the models of the test's library that speak for most, the last used first."""
    return [setup.cast.default.model for setup in state.store().setups.all()]


def again(number: int = 0) -> str:
    """Return which button lets a set-up speak again."""
    return f"models_again_{state.store().setups.all()[number].id[:12]}"


def cast_of(at: AppTest) -> Cast:
    return at.session_state["cast"]


def test_after_a_reload_one_click_sets_up_what_was_used(endpoint: Start) -> None:
    here, there = endpoint(), endpoint(models=("other-model",))
    at = fill(fresh(PAGE).run(), here.url)
    assert "Used before" not in words(at)
    at.pills(key="models_kind").set_value("other").run()
    at.number_input(key="models_temperature").set_value(0.3)
    at.radio(key="models_fan_other").set_value("primed")
    at.multiselect(key="models_agents").set_value(["client", "planner", "selector"]).run()
    at.segmented_control(key="models_source_of_client").set_value("rehearsal")
    at.segmented_control(key="models_source_of_planner").set_value("own").run()
    at.text_input(key="models_url_of_planner").set_value(there.url)
    at.text_input(key="models_name_of_planner").set_value("other-model")
    at.number_input(key="models_tokens_of_selector").set_value(700).run()
    press(at, "models_use")
    spoke = cast_of(at)
    assert at.button(key=again()).disabled and at.button(key=again()).label == "Speaks now"

    at = fresh(PAGE).run()
    assert cast_of(at).default.model == REHEARSAL, "nothing speaks by itself"
    assert "Used before" in words(at) and "<b>test-model</b>" in words(at) and "temperature 0.3" in words(at)
    assert "<li>Planner: <b>other-model</b>" in words(at) and "<li>Client: <b>Rehearsal</b>" in words(at)
    press(at, again())
    assert voices.alike(cast_of(at), spoke) and cast_of(at).overrides == spoke.overrides
    assert "This is what speaks now." in words(at), "the fields say the same"
    assert at.text_input(key="models_url_of_planner").value == there.url
    press(at, "models_test")
    assert words(at).count("It works") == 2, "a field that is as above needs no test of its own"


def test_a_key_is_asked_for_and_never_kept(endpoint: Start, tmp_path: Path) -> None:
    server = endpoint(key=KEY)
    press(fill(fresh(PAGE).run(), server.url, KEY), "models_use")
    at = fresh(PAGE).run()
    press(at, again())
    assert cast_of(at).default.model == REHEARSAL, "it waits for its key"
    assert at.text_input(key="models_url_other").value == server.url
    assert f"Type the key for {server.url.removesuffix('/v1')}, then press" in words(at)
    assert ".st-key-models_key_other input" in words(at), "the cursor is put into the field"
    at.text_input(key="models_key_other").set_value(KEY).run()
    assert "Type the key" not in words(at) and ".st-key-models_key_other input" not in words(at)
    press(at, "models_use")
    found = cast_of(at).default
    assert found.model == "test-model" and found.api_key is not None and found.api_key.get_secret_value() == KEY
    assert remembered() == ["test-model"]
    press(at, "models_back")
    press(at, again())
    assert cast_of(at).default == found, "the key is still in this memory"
    assert not holds(tmp_path, KEY)


def test_an_agents_own_server_may_lack_its_key(endpoint: Start) -> None:
    state.store().setups.add(Cast(default=Voice(), overrides={"client": keyed(model="test-model", base_url=FAR)}))
    at = press(fresh(PAGE).run(), again())
    assert cast_of(at).overrides == {} and "Type the key for https://models.example.org" in words(at)
    assert at.expander[0].proto.expanded
    assert ".st-key-models_key_of_client input" in words(at)
    at.text_input(key="models_key_of_client").set_value(KEY).run()
    press(at, "models_use")
    assert cast_of(at).overrides["client"] == keyed(model="test-model", base_url=FAR)


@pytest.mark.parametrize("kind", voices.SERVERS)
def test_the_fields_of_every_kind_of_server_are_filled(kind: str) -> None:
    url = {"azure": "https://mine.openai.azure.com", "other": FAR}.get(kind, voices.SERVERS[kind].base_url)
    state.store().setups.add(Cast(default=voice(base_url=url, api_version="2024-10-21" if kind == "azure" else "")))
    at = press(fresh(PAGE).run(), again())
    assert at.pills(key="models_kind").value == kind
    assert (at.text_input(key=f"models_url_{kind}").value, at.text_input(key=f"models_name_{kind}").value) == (url, "one")
    assert cast_of(at).default.base_url == url


def test_a_use_can_go_unremembered_and_what_is_remembered_be_forgotten(endpoint: Start) -> None:
    at = fill(fresh(PAGE).run(), endpoint().url)
    at.checkbox(key="models_remember").set_value(False).run()
    press(at, "models_use")
    assert cast_of(at).default.model == "test-model" and remembered() == []
    for number in range(5):
        state.store().setups.add(Cast(default=voice(f"model-{number}")))
    at.run()
    press(at, again(4).replace("again", "forget"))
    assert remembered() == ["model-4", "model-3", "model-2", "model-1"]
    assert cast_of(at).default.model == "test-model", "what speaks goes on"
    assert "Forget all" in [box.proto.popover.label for box in at.get("popover")], "it asks first"
    press(at, "models_forget_all")
    assert remembered() == [] and "Used before" not in words(at)


def test_the_rehearsal_is_not_remembered(endpoint: Start) -> None:
    at = press(fill(fresh(PAGE).run(), endpoint().url), "models_use")
    press(at, "models_forget_all")
    at.segmented_control(key="models_who").set_value("rehearsal").run()
    press(at, "models_use")
    assert cast_of(at).default.model == REHEARSAL and remembered() == []


def test_text_of_a_set_up_is_shown_as_text() -> None:
    state.store().setups.add(Cast(default=voice("<b>m</b>"), overrides={"<i>agent": voice("two", FAR)}))
    (setup,) = state.store().setups.all()
    assert "<b>m" not in setups.line(setup).replace("<b>&lt;", "") and "<i>" not in setups.line(setup)
    press(fresh(PAGE).run(), again())


def test_the_lab_says_where_a_model_can_be_used_again() -> None:
    spoke = rehearsed(1)
    calls = tuple(call.model_copy(update={"model": "gone-model"}) for call in spoke.turns[0].calls)
    session = in_library(spoke.model_copy(update={"turns": (spoke.turns[0].model_copy(update={"calls": calls}),)}))
    at = open_lab(session=session.id)
    assert "gone-model spoke in the session and is not set up here" in words(at) and "used before" not in words(at)
    state.store().setups.add(Cast(default=voice("gone-model", FAR)))
    at = open_lab(session=session.id)
    assert "It was used before, at https://models.example.org" in words(at)
    assert "To the Models page" in {link.proto.label for link in at.get("page_link")}
    assert cast_of(at).default.model == REHEARSAL
