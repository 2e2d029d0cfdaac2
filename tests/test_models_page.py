"""The models page: what is set there speaks, what is amiss is said, and a key goes nowhere but to its server."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from streamlit.testing.v1 import AppTest

from magnet_core.cast import PRESETS, Cast
from magnet_core.meter import Limit
from magnet_core.models import REHEARSAL, Chunk, Player, Request
from magnet_core.models.rehearsal import Rehearsal
from magnet_core.profiles import samples
from magnet_core.session import new_session
from tests.llm_server import Start
from tests.screen import fresh, idle, press, until, words
from tests.waiting import wait_until
from ui import state, voices
from ui.engine.runner import Engine

PAGE = "pages/setup/models.py"
KEY = "sk-verysecret-0123456789abcdef"


@pytest.fixture
def page() -> AppTest:
    return fresh(PAGE).run()


def shown(at: AppTest) -> str:
    """Return everything the page sends to its reader: text, fields and their values."""
    texts = [f"{element.proto} {getattr(element, 'value', '')}" for element in at.main]
    return "\n".join(texts) + str(dict(at.query_params))


def cast_of(at: AppTest) -> Cast:
    return at.session_state["cast"]


def fill(at: AppTest, url: str, model: str = "test-model", key: str = "") -> AppTest:
    """Fill in a language model at another address."""
    at.segmented_control(key="models_who").set_value("model").run()
    at.pills(key="models_kind").set_value("other").run()
    at.text_input(key="models_url_other").set_value(url)
    at.text_input(key="models_name_other").set_value(model)
    if key:
        at.text_input(key="models_key_other").set_value(key)
    at.run()
    assert not at.exception
    return at


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nothing_needs_to_be_set(page: AppTest) -> None:
    assert not page.exception
    assert page.markdown[0].value.startswith("**Nothing needs to be set here to watch rehearsals.**")
    assert "authored, not a language model" in words(page)
    assert page.button(key="models_use").disabled
    assert cast_of(page).default.model == REHEARSAL


@pytest.mark.parametrize("kind", PRESETS)
def test_a_preset_fills_the_fields_and_loses_nothing(page: AppTest, kind: str) -> None:
    fill(page, "http://localhost:9/v1", "mine")
    page.pills(key="models_kind").set_value(kind).run()
    preset = PRESETS[kind]
    assert page.text_input(key=f"models_url_{kind}").value == preset.base_url
    assert page.radio(key=f"models_fan_{kind}").value == preset.fan_out
    assert bool([field for field in page.text_input if field.key == "models_version"]) == (kind == "azure")
    press(page, "models_use")
    assert ("This service asks for a key" in words(page)) == preset.needs_key
    assert cast_of(page).default.model == REHEARSAL
    page.pills(key="models_kind").set_value("other").run()
    assert page.text_input(key="models_url_other").value == "http://localhost:9/v1"
    assert page.text_input(key="models_name_other").value == "mine"


def test_a_good_endpoint_works_and_speaks(page: AppTest, endpoint: Start) -> None:
    server = endpoint(key=KEY)
    fill(page, server.url, key=KEY)
    assert page.text_input(key="models_key_other").value == ""
    assert "A key is kept for this server." in words(page)
    assert server.url in shown(page) and KEY not in shown(page)
    press(page, "models_test")
    assert "It works" in words(page) and "test-model answers, the first token after" in words(page)
    assert words(page).count("<dd>yes</dd>") == 2
    assert cast_of(page).default.model == REHEARSAL
    press(page, "models_use")
    voice = cast_of(page).default
    assert (voice.model, voice.base_url) == ("test-model", server.url)
    assert voice.api_key is not None and voice.api_key.get_secret_value() == KEY
    assert "This is what speaks now." in words(page)
    press(page, "models_back")
    assert cast_of(page).default.model == REHEARSAL


def test_the_two_calls_of_a_test_are_counted_and_none_is_made_once_the_day_is_spent(page: AppTest, endpoint: Start) -> None:
    server = endpoint()
    state.spending.set_limit(Limit(amount=80, unit="tokens"))
    fill(page, server.url)
    press(page, "models_test")
    assert "It works" in words(page) and server.record.calls == 2
    [used] = state.spending.sums()
    assert (used.purpose, used.model, used.answered) == ("test", "test-model", 2)
    assert state.spending.today().tokens == (used.usage.prompt_tokens or 0) + (used.usage.completion_tokens or 0) > 80
    press(page, "models_test")
    told = words(page)
    assert (
        "Test stopped" in told and "It does not work yet" not in told and "The limit of a day, 80 tokens, is spent" in told
    )
    assert server.record.calls == 2


@pytest.mark.parametrize(
    ("manners", "given", "sentence"),
    [
        ({"key": KEY}, {"key": "sk-wrong-0123456789"}, "does not accept the API key"),
        ({"key": KEY}, {}, "asks for an API key, and none was given"),
        ({}, {"model": "no-such"}, "does not know the model"),
        ({"faults": ("slow",), "rate": 1.0, "slow": 3.0}, {}, "said nothing for 1 seconds"),
        ({"status": 200, "body": "<html>", "content_type": "text/html"}, {}, "answers with a web page"),
    ],
)
def test_what_is_the_matter_is_said(
    page: AppTest, endpoint: Start, manners: dict[str, Any], given: dict[str, str], sentence: str
) -> None:
    fill(page, endpoint(**manners).url, **given)
    page.number_input(key="models_timeout").set_value(1.0).run()
    press(page, "models_test")
    assert "It does not work yet" in words(page) and sentence in words(page)
    assert given.get("key", KEY) not in shown(page)


def test_no_server_is_said(page: AppTest) -> None:
    fill(page, f"http://127.0.0.1:{free_port()}/v1")
    press(page, "models_test")
    assert "There is no server at" in words(page)


def test_what_a_server_does_not_take_is_said(page: AppTest, endpoint: Start) -> None:
    fill(page, endpoint(rejects=("stream", "response_format")).url)
    press(page, "models_test")
    assert "It works" in words(page)
    assert "answers come in one piece" in words(page) and "no schema is sent" in words(page)
    assert words(page).count("<dd>no</dd>") == 2


def test_a_list_of_models_can_be_fetched(page: AppTest, endpoint: Start) -> None:
    fill(page, endpoint(models=("zebra", "Ant")).url, model="")
    press(page, "models_list")
    choice = page.selectbox(key="models_pick_other")
    assert choice.options == ["Ant", "zebra"]
    choice.set_value("zebra").run()
    assert page.text_input(key="models_name_other").value == "zebra"
    page.text_input(key="models_url_other").set_value(f"http://127.0.0.1:{free_port()}/v1").run()
    press(page, "models_list")
    assert "No list came from this server." in words(page)


@pytest.mark.parametrize(
    ("url", "model", "key", "sentence"),
    [
        ("localhost:8000", "m", "", "A base URL looks like"),
        ("http://name:word@localhost/v1", "m", "", "A base URL holds no name or password"),
        ("", "m", "", "Give the address of the server"),
        ("http://localhost:9/v1", "", "", "Give the name of the model."),
        ("http://localhost:9/v1", "rehearsal", "", "This is the name of the built-in cast."),
        ("http://localhost:9/v1", "m", "two words", "holds characters that no key has"),
        ("http://localhost:99999/v1", "m", "", "A base URL looks like"),
    ],
)
def test_bad_input_is_said_and_nothing_is_lost(page: AppTest, url: str, model: str, key: str, sentence: str) -> None:
    press(fill(page, url, model, key), "models_use")
    assert sentence in words(page)
    assert page.text_input(key="models_url_other").value == url
    assert page.text_input(key="models_name_other").value == model
    assert page.text_input(key="models_key_other").value == key
    assert cast_of(page).default.model == REHEARSAL


def test_settings_outlast_other_pages_and_the_session_page_lets_them_speak(
    endpoint: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = endpoint(key=KEY)
    at = fresh().run()
    at.switch_page(PAGE).run()
    press(fill(at, server.url, key=KEY), "models_use")
    at.switch_page("pages/watch/session.py").run()
    assert "test" in str(next(iter(at.get("page_link"))).proto.label)
    at.button(key="next").click().run()
    until(at, idle)
    assert "Turn 1 complete." in words(at)
    assert server.record.calls == 9
    assert {call.model for call in at.session_state["session"].turns[0].calls} == {"test-model"}
    at.switch_page(PAGE).run()
    assert at.text_input(key="models_url_other").value == server.url
    assert "A key is kept for this server." in words(at)
    assert KEY not in shown(at)
    files = list(tmp_path.glob("library.db*"))
    assert files and not any(KEY.encode() in file.read_bytes() for file in files)
    assert KEY not in caplog.text


def test_a_key_of_the_environment_is_named_not_shown_and_stays_with_its_server(
    endpoint: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, stranger = endpoint(key=KEY), endpoint(key=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", home.url)
    monkeypatch.setenv("MAGNET_MODEL", "test-model")
    monkeypatch.setenv("MAGNET_FAN_OUT", "primed")
    at = fresh(PAGE).run()
    assert at.text_input(key="models_url_other").value == home.url
    assert at.button(key="models_use").disabled
    assert "A key is set in the environment." in words(at)
    assert KEY not in shown(at)
    press(at, "models_test")
    assert "It works" in words(at)
    at.text_input(key="models_url_other").set_value(stranger.url).run()
    assert "A key is set" not in words(at)
    press(at, "models_test")
    assert "none was given" in words(at)
    press(at, "models_use")
    assert cast_of(at).default.api_key is None


def test_a_key_alone_in_the_environment_changes_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    at = fresh(PAGE).run()
    assert at.segmented_control(key="models_who").value == "rehearsal" and at.button(key="models_use").disabled
    at.segmented_control(key="models_who").set_value("model").run()
    assert at.text_input(key="models_url_openai").value == "https://api.openai.com/v1"
    assert at.text_input(key="models_name_openai").value == ""
    assert "A key is set in the environment." in words(at)


def test_a_model_in_the_environment_speaks_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MAGNET_MODEL", "some-model")
    at = fresh(PAGE).run()
    assert at.text_input(key="models_name_openai").value == "some-model"
    assert at.button(key="models_use").disabled and "at https://api.openai.com" in words(at)


def test_a_given_key_stays_with_its_server_and_can_be_forgotten(page: AppTest, endpoint: Start) -> None:
    home, stranger = endpoint(key=KEY), endpoint(key=KEY)
    press(fill(page, home.url, key=KEY), "models_use")
    press(fill(page, stranger.url), "models_test")
    assert "none was given" in words(page)
    press(page, "models_forget")
    assert cast_of(page).default.api_key is None and cast_of(page).default.model == "test-model"
    assert "Kept now for" not in words(page)


def test_a_key_without_a_server_is_said_not_to_be_kept_yet(page: AppTest) -> None:
    fill(page, "", key=KEY)
    assert "This key is not kept yet" in words(page) and page.text_input(key="models_key_other").value == KEY
    page.text_input(key="models_url_other").set_value("http://localhost:9/v1").run()
    assert "A key is kept for this server." in words(page) and page.text_input(key="models_key_other").value == ""


def test_agents_can_have_voices_of_their_own(page: AppTest, endpoint: Start) -> None:
    here, there = endpoint(), endpoint(models=("other-model",), key=KEY)
    fill(page, here.url)
    page.multiselect(key="models_agents").set_value(["client", "planner", "selector"]).run()
    page.segmented_control(key="models_source_of_client").set_value("rehearsal")
    page.segmented_control(key="models_source_of_planner").set_value("own").run()
    page.number_input(key="models_temperature_of_selector").set_value(0.3)
    press(page, "models_use")
    assert "Give the address of the server" in words(page)
    page.text_input(key="models_url_of_planner").set_value(there.url)
    page.text_input(key="models_key_of_planner").set_value(KEY)
    page.text_input(key="models_name_of_planner").set_value("other-model").run()
    press(page, "models_test")
    assert words(page).count("It works") == 2
    press(page, "models_use")
    cast = cast_of(page)
    assert {agent: voice.model for agent, voice in cast.overrides.items()} == {
        "client": REHEARSAL,
        "planner": "other-model",
        "selector": "test-model",
    }
    assert (cast.overrides["selector"].temperature, cast.overrides["planner"].base_url) == (0.3, there.url)
    assert KEY not in shown(page)
    assert "Everybody else" in words(page)


def test_a_model_may_speak_for_one_agent_of_the_rehearsal(page: AppTest, endpoint: Start) -> None:
    server = endpoint()
    page.multiselect(key="models_agents").set_value(["client"]).run()
    page.text_input(key="models_url_of_client").set_value(server.url)
    page.text_input(key="models_name_of_client").set_value("test-model").run()
    press(page, "models_use")
    assert cast_of(page).default.model == REHEARSAL and cast_of(page).overrides["client"].model == "test-model"


def test_text_of_a_server_is_shown_as_text() -> None:
    voice = voices.Fields("http://localhost:9/v1", "<b>m</b>").voice()
    html = voices.verdict(voice, voices.Verdict(ok=False, sentence="<img src=x>", adapted=("<i>",)))
    assert "<img" not in html and "<b>m" not in html and "<i>" not in html
    assert "<b>m" not in voices.speaking(Cast(default=voice)).replace("<b>&lt;b&gt;m", "")


class Named:
    """The built-in cast under another name; from the second turn on it waits for a sign."""

    def __init__(self, name: str, go_on: threading.Event) -> None:
        self.name, self._go_on = name, go_on
        self._rehearsal = Rehearsal()

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        while request.moment.turn > 1 and not self._go_on.is_set():
            await anyio.sleep(0.005)
        async for chunk in self._rehearsal.stream(request):
            yield chunk


def test_a_run_under_way_goes_on_with_the_new_cast_from_its_next_turn() -> None:
    go_on = threading.Event()

    def speaking(name: str) -> Any:
        @asynccontextmanager
        async def opened(_limit: Any) -> AsyncIterator[Any]:
            yield lambda _agent: Player(Named(name, go_on))

        return opened

    engine = Engine()
    run = engine.start(
        new_session(samples()[0], max_turns=8), "end", owner="me", open_models=speaking("one"), save=lambda _: None
    )
    wait_until(lambda: run.session.turns)
    engine.recast("somebody else", speaking("three"), "at-once")
    engine.recast("me", speaking("two"), "at-once")
    go_on.set()
    run.future.result(60)
    spoke = [{call.model for call in turn.calls} for turn in run.session.turns]
    assert len(spoke) == 8 and spoke[0] == {"one"} and spoke[-1] == {"two"}
    assert all(len(models) == 1 for models in spoke)
    assert run.speakers is None
