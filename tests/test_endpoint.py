"""An endpoint answers, in pieces or whole; and what goes wrong is said in a sentence without the key."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from magnet_core.cast import PRESETS, Cast, Voice, open_models
from magnet_core.domain import Moment, Session
from magnet_core.errors import AgentFailed, ModelError, SettingsError
from magnet_core.events import AgentRetried, SessionFinished
from magnet_core.models import Chunk, Message, ModelFor, Request
from magnet_core.models.check import test_voice as try_voice
from magnet_core.models.failures import retry_after
from magnet_core.models.openai import OpenAIModel
from magnet_core.profiles import samples
from magnet_core.session import new_session, run_session
from magnet_core.settings import settings
from tests.llm_server import FAULTS, Start

pytestmark = pytest.mark.anyio
KEY = "sk-verysecret-0123456789abcdef"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 30}},
    "required": ["word"],
    "additionalProperties": False,
}


def request(**more: Any) -> Request:
    session = new_session(samples()[0])
    given: dict[str, Any] = {"temperature": 0.5, "max_tokens": 99, "seed": 7, "live": False} | more
    return Request(
        (Message("system", "Be brief."), Message("user", "Hello")), Moment(agent="client", session=session), **given
    )


def voice(url: str, **more: Any) -> Voice:
    return Voice.model_validate({"model": "test-model", "base_url": url, "api_key": SecretStr(KEY), "timeout": 5} | more)


async def hear(given: Voice, *requests: Request) -> tuple[list[Chunk], OpenAIModel]:
    """Return the chunks of the last request."""
    chunks: list[Chunk] = []
    async with open_models(Cast(default=given)) as models:
        model = models("client").model
        assert isinstance(model, OpenAIModel)
        for each in requests or (request(),):
            chunks = [chunk async for chunk in model.stream(each)]
    return chunks, model


async def failure(given: Voice, each: Request | None = None) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await hear(given, each or request())
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(given) + given.model_dump_json()
    assert KEY not in told and caught.value.__context__ is None
    return caught.value


async def test_a_plain_call_is_one_chunk_with_usage(endpoint: Start) -> None:
    server = endpoint(answer=lambda body, number: "Good\u2028day.")
    chunks, _ = await hear(voice(server.url))
    assert [c.text for c in chunks] == ["Good\u2028day."] and chunks[0].finish_reason == "stop"
    usage = chunks[0].usage
    assert usage and usage.prompt_tokens and usage.cached_tokens is not None and usage.completion_tokens
    body = server.record.bodies[0]
    assert "stream" not in body and body["temperature"] == 0.5 and body["max_tokens"] == 99 and body["seed"] == 7


async def test_a_watched_call_comes_in_pieces(endpoint: Start) -> None:
    server = endpoint(answer=lambda body, number: "One two – “three”\u2028four.", tokens=8)
    chunks, _ = await hear(voice(server.url), request(live=True))
    assert "".join(c.text for c in chunks) == "One two – “three”\u2028four." and len(chunks) > 4
    assert chunks[-1].finish_reason == "stop" and chunks[-1].usage and chunks[-1].usage.completion_tokens
    assert server.record.bodies[0]["stream_options"] == {"include_usage": True}


async def test_connections_are_used_again(endpoint: Start) -> None:
    server = endpoint()
    await hear(voice(server.url), *[request(live=live) for live in (True, True, False, True)])
    assert server.record.connections == 1


async def test_a_schema_is_sent_and_held_to(endpoint: Start) -> None:
    server = endpoint()
    chunks, _ = await hear(voice(server.url), request(schema=SCHEMA, schema_name="planner"))
    assert set(json.loads(chunks[0].text)) == {"word"}
    sent = server.record.bodies[0]["response_format"]["json_schema"]
    assert sent["name"] == "planner" and sent["strict"] is True and sent["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("rejects", "absent", "present", "note"),
    [
        (("max_tokens",), ("max_tokens",), ("max_completion_tokens",), "max_completion_tokens"),
        (("max_tokens", "max_completion_tokens"), ("max_tokens", "max_completion_tokens"), (), "no token limit"),
        (("temperature",), ("temperature",), ("seed",), "no temperature"),
        (("seed", "temperature"), ("seed", "temperature"), (), "no seed"),
        (("strict",), (), ("response_format",), "wish"),
        (("response_format",), ("response_format",), (), "no schema"),
        (("stream_options",), ("stream_options",), ("stream",), "not counted"),
        (("stream",), ("stream", "stream_options"), (), "one piece"),
    ],
)
async def test_what_an_endpoint_does_not_take_is_left_out_and_said(
    endpoint: Start, rejects: tuple[str, ...], absent: tuple[str, ...], present: tuple[str, ...], note: str
) -> None:
    server = endpoint(rejects=rejects)
    asked = request(schema=SCHEMA, live=True)
    chunks, model = await hear(voice(server.url), asked)
    tries = server.record.calls
    assert "".join(c.text for c in chunks) and 2 <= tries <= 4
    last = server.record.bodies[-1]
    assert not set(absent) & set(last) and set(present) <= set(last)
    assert any(note in line for line in model.adapted)
    server.forget()
    await hear(voice(server.url), asked, asked)
    assert server.record.calls == tries + 1, "what was learnt is kept for the next call"


async def test_calls_that_meet_one_refusal_together_take_one_step(endpoint: Start) -> None:
    server = endpoint(rejects=("max_tokens",), first_token=0.02)
    async with open_models(Cast(default=voice(server.url))) as models:
        model = models("client").model

        async def once() -> str:
            return "".join([c.text async for c in model.stream(request())])

        assert all(await asyncio.gather(*(once() for _ in range(6))))
        assert isinstance(model, OpenAIModel) and len(model.adapted) == 1 and "max_completion_tokens" in model.adapted[0]


@pytest.mark.parametrize(
    ("manners", "kind", "transient", "words"),
    [
        (
            {"status": 401, "body": f'{{"error": {{"message": "Incorrect API key: {KEY}"}}}}'},
            "key",
            False,
            "does not accept",
        ),
        ({"status": 403, "body": f"Bearer {KEY} is not welcome"}, "key", False, "403"),
        ({"status": 404, "body": '{"error": {"message": "model \\"x\\" not found"}}'}, "model", False, "'test-model'"),
        ({"status": 404, "body": "<html>Not found</html>"}, "server", False, "/v1"),
        ({"status": 404, "body": '{"detail": "Not Found"}'}, "server", False, "/v1"),
        ({"status": 429, "body": "{}", "headers": {"Retry-After": "7"}}, "busy", True, "busy"),
        ({"status": 429, "body": '{"error": {"code": "insufficient_quota", "message": "x"}}'}, "key", False, "credit"),
        ({"status": 500, "body": "boom"}, "server", True, "500"),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, "server", True, "502"),
        ({"status": 400, "body": '{"error": {"code": "context_length_exceeded"}}'}, "length", False, "too long"),
        (
            {"status": 400, "body": '{"error": {"message": "request (40030 tokens) exceeds the available context size"}}'},
            "length",
            False,
            "too long",
        ),
        (
            {"status": 400, "body": '{"error": {"code": "content_filter", "message": "filtered"}}'},
            "refused",
            False,
            "filter",
        ),
        ({"status": 418, "body": "teapot"}, "refused", False, "418"),
        ({"status": 200, "body": "<html>Welcome</html>", "content_type": "text/html"}, "server", False, "web page"),
        ({"status": 200, "body": "%% nonsense"}, "broken", True, "no answer"),
        ({"status": 200, "body": "{}"}, "broken", True, "no choices"),
        ({"status": 200, "body": "[1, 2]"}, "broken", True, "no answer"),
        ({"status": 200, "body": '{"error": {"code": 429, "message": "slow down"}}'}, "busy", True, "busy"),
        ({"status": 200, "body": '{"error": {"code": 401, "message": "bad key"}}'}, "key", False, "API key"),
        ({"answer": lambda body, number: ""}, "broken", True, "empty"),
        ({"answer": lambda body, number: " \n"}, "broken", True, "empty"),
        ({"answer": lambda body, number: "", "finish_reason": "length"}, "length", False, "token limit"),
        ({"finish_reason": "content_filter"}, "refused", False, "filter"),
        ({"rate": 1.0, "faults": ("drop",)}, "broken", True, "broke off"),
    ],
)
@pytest.mark.parametrize("live", [True, False])
async def test_what_goes_wrong_is_said(
    endpoint: Start, manners: dict[str, Any], kind: str, transient: bool, words: str, live: bool
) -> None:
    error = await failure(voice(endpoint(**manners).url), request(live=live))
    assert (error.kind, error.transient) == (kind, transient), str(error)
    assert words in str(error) and str(error)[0].isalnum()
    if "headers" in manners:
        assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n', "broke off"),
        ('data: {"choices":[{"delta":{"con\n\n', "no answer"),
        ('data: {"error":{"message":"overloaded","code":503}}\n\n', "503"),
        ('data: {"choices":[{"delta":{"reasoning_content":"hm"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n', "empty"),
        (": ping\n\n", "broke off"),
    ],
)
async def test_a_broken_stream_can_be_tried_again(endpoint: Start, raw: str, words: str) -> None:
    error = await failure(voice(endpoint(raw=raw).url), request(live=True))
    assert error.transient and words in str(error)


@pytest.mark.parametrize("ending", ["data: [DONE]\n\n", ""])
async def test_a_stream_ends_with_a_reason_or_a_mark(endpoint: Start, ending: str) -> None:
    reason = "null" if ending else '"stop"'
    raw = f': ping\n\ndata: {{"choices":[{{"delta":{{"content":"<think>x</think>Hi","reasoning_content":"z"}},"finish_reason":{reason}}}]}}\n\n{ending}'
    chunks, _ = await hear(voice(endpoint(raw=raw).url), request(live=True))
    assert "".join(c.text for c in chunks) == "<think>x</think>Hi"


async def test_an_endpoint_that_streams_only_when_it_likes_is_understood(endpoint: Start) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Whole."}, "finish_reason": "stop"}]})
    chunks, _ = await hear(voice(endpoint(status=200, body=body).url), request(live=True))
    assert [c.text for c in chunks] == ["Whole."]


async def test_no_server_and_silence_are_told_apart(endpoint: Start) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = await failure(voice(f"http://127.0.0.1:{port}/v1"))
    assert (error.kind, error.transient) == ("server", True) and f"http://127.0.0.1:{port};" in str(error)
    error = await failure(voice(endpoint(first_token=1.0).url, timeout=0.1))
    assert (error.kind, error.transient) == ("timeout", True) and "0.1 seconds" in str(error)


async def test_a_missing_key_is_asked_for(endpoint: Start) -> None:
    server = endpoint(key=KEY)
    await hear(voice(server.url))
    error = await failure(voice(server.url, api_key=None))
    assert error.kind == "key" and "none was given" in str(error)


async def test_the_key_is_in_no_log(endpoint: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = endpoint(key=KEY)
    with caplog.at_level(logging.DEBUG):
        _, model = await hear(voice(server.url))
        await failure(voice(server.url, api_key=SecretStr("sk-other-0123456789")))
    assert KEY not in caplog.text and "sk-other-0123456789" not in caplog.text and KEY not in repr(model)


@pytest.mark.parametrize("key", ["sk-né", "sk-a\nb", "sk-a b"])
async def test_a_key_that_is_none_is_refused_before_it_is_sent(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        await hear(voice("http://127.0.0.1:9/v1", api_key=SecretStr(key)))
    assert key not in "".join(traceback.format_exception(caught.value))


async def test_the_key_of_one_endpoint_never_goes_to_another(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    error = await failure(voice(endpoint(key=KEY).url, api_key=None))
    assert error.kind == "key"


async def test_azure_is_asked_its_own_way(endpoint: Start) -> None:
    server = endpoint(key=KEY)
    chunks, _ = await hear(voice(server.url.removesuffix("/v1"), api_version="2024-10-21"))
    assert chunks[0].text and server.record.paths == ["/openai/deployments/test-model/chat/completions"]


def test_the_wait_asked_for_is_read_as_seconds_or_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": "2.5"}) == 2.5 and retry_after({"retry-after-ms": "500"}) == 0.5
    found = retry_after({"retry-after": soon})
    assert found is not None and 25 < found <= 30
    assert retry_after({"retry-after": "Fri, 01 Jan 2010 00:00:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "later"}) is None and retry_after({}) is None


async def test_leaving_a_stream_hangs_up_and_frees_the_place(endpoint: Start) -> None:
    server = endpoint(first_token=0.01, tokens=50, token_time=0.1)
    async with open_models(Cast(default=voice(server.url), calls_in_flight=1)) as models:
        model = models("client").model
        async with aclosing(cast(Any, model.stream(request(live=True)))) as chunks:
            async for _ in chunks:
                break
        await _until(lambda: server.record.closed_early == 1 and server.record.in_flight == 0)

        async def whole() -> None:
            async for _ in model.stream(request()):
                pass

        for wait in (0.005, 0.05):
            task = asyncio.create_task(whole())
            await asyncio.sleep(wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await _until(lambda: server.record.in_flight == 0)
        server.manners = type(server.manners)()
        await asyncio.wait_for(whole(), 30)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


async def test_calls_in_flight_are_limited_across_agents_and_casts(endpoint: Start) -> None:
    server = endpoint(first_token=0.01, held_after=0)
    limit = asyncio.Semaphore(3)
    given = voice(server.url)
    async with open_models(Cast(default=given), limit) as one, open_models(Cast(default=given), limit) as two:

        async def once(models: ModelFor, name: str) -> None:
            async for _ in models(name).model.stream(request()):
                pass

        calls = asyncio.gather(*(once(models, f"agent-{n}") for n in range(8) for models in (one, two)))
        await _until(lambda: server.record.in_flight == 3)
        server.go_on()
        await calls
    assert server.record.max_in_flight == 3 and server.record.calls == 16


async def test_agents_speak_with_their_own_voices(endpoint: Start) -> None:
    server = endpoint(models=("test-model", "other"))
    team = Cast(
        default=voice(server.url, temperature=0.1), overrides={"client": voice(server.url, model="other", max_tokens=5)}
    )
    async with open_models(team) as models:
        assert models("planner").model.name == "test-model" and models("planner").temperature == 0.1
        assert models("client").model.name == "other" and models("client").max_tokens == 5
        assert models("planner").model is models("selector").model
    with pytest.raises(SettingsError, match="looks like"):
        await hear(voice("localhost:8000"))


async def _session(models: ModelFor, turns: int = 3) -> tuple[Session, list[AgentRetried]]:
    session = new_session(samples()[0], min_turns=turns, max_turns=turns, models=models)
    retried: list[AgentRetried] = []
    async for event in run_session(session, models, live=False):
        if isinstance(event, AgentRetried):
            retried.append(event)
        if isinstance(event, SessionFinished):
            session = event.session
    return session, retried


async def test_a_session_comes_through_faults_of_every_kind(endpoint: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magnet_core.models.calls.RETRIES", 50)  # which call meets how many faults hangs on who comes first
    server = endpoint(rate=0.3, faults=FAULTS, slow=1.0, seed=3)
    async with open_models(Cast(default=voice(server.url, timeout=0.5))) as models:
        session, retried = await _session(models)
    assert len(session.turns) == 3 and retried and len(server.record.faults) >= 4
    said = [turn.response for turn in session.turns]
    assert len(set(said)) == 3 and all(len(turn.candidates) == 5 for turn in session.turns)
    kept = sum(len(call.retries) for turn in session.turns for call in turn.calls) + sum(
        len(call.retries) for call in session.plan_calls
    )
    assert kept == len(retried)


async def test_a_session_stops_with_a_sentence_where_no_retry_helps(endpoint: Start) -> None:
    server = endpoint(key="sk-another")
    async with open_models(Cast(default=voice(server.url))) as models:
        with pytest.raises(AgentFailed, match=r"planner agent could not answer: .*does not accept the API key") as caught:
            await _session(models)
    assert KEY not in "".join(traceback.format_exception(caught.value)) and server.record.calls == 0


async def test_a_voice_can_be_tried_out(endpoint: Start) -> None:
    found = await try_voice(voice(endpoint(first_token=0.02).url))
    assert found.ok and found.streams and found.holds_to_schema and found.first_token and found.first_token >= 0.02
    found = await try_voice(voice(endpoint(rejects=("stream", "response_format", "temperature")).url))
    assert found.ok and found.streams is False and found.holds_to_schema is False and len(found.adapted) == 2
    assert "does not stream" in found.sentence
    found = await try_voice(voice(endpoint(models=("right-name",)).url))
    assert not found.ok and "right-name" in found.sentence and found.known_models == ("right-name",)
    found = await try_voice(voice(endpoint(key="sk-x").url))
    assert not found.ok and "API key" in found.sentence and KEY not in found.model_dump_json()
    for address in ("ftp://x", "http://[::1", f"http://user:{KEY}@localhost/v1"):
        found = await try_voice(voice(address))
        assert not found.ok and KEY not in found.sentence
    assert (await try_voice(Voice())).ok


async def test_what_a_second_call_without_an_answer_would_have_shown_is_not_guessed(endpoint: Start) -> None:
    server = endpoint()

    def answer(body: dict[str, Any], number: int) -> str:
        server.manners = type(server.manners)(status=429, body='{"error": {"message": "Rate limit reached."}}')
        return "Spring feels like a door left open."

    server.manners = type(server.manners)(answer=answer)
    found = await try_voice(voice(server.url))
    assert found.ok and found.streams and found.holds_to_schema is None
    assert "does not hold" not in found.sentence
    assert "Whether it holds to a JSON schema was not found out" in found.sentence and "busy (429)" in found.sentence


def test_tests_cannot_leave_this_machine() -> None:
    with socket.socket() as out, pytest.raises(OSError, match="A test reached for"):
        out.connect(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror, match="A test looked up"):
        socket.create_connection(("example.org", 80), timeout=0.1)


def test_presets_are_voices() -> None:
    assert set(PRESETS) == {"openai", "azure", "ollama", "lm-studio", "llama.cpp", "vllm"}
    for preset in PRESETS.values():
        assert preset.hint.endswith(".") and preset.base_url.startswith("http")
    with pytest.raises(ValidationError):
        Voice.model_validate({"temperatur": 1})


NAMES = (
    "OPENAI_API_KEY OPENAI_BASE_URL MAGNET_MODEL MAGNET_DATABASE_URL MAGNET_FAN_OUT MAGNET_CALLS_IN_FLIGHT MAGNET_TIMEOUT"
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*NAMES.split(), "MAGNET_TEMPERATURE", "MAGNET_MAX_TOKENS", "MAGNET_AZURE_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_settings_come_from_environment_file_and_caller_in_that_order(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = settings(None)
    assert (
        plain.cast() == Cast()
        and plain.database_url.startswith("sqlite:///")
        and plain.database_url.endswith("data/magnet.db")
    )
    file = tmp_path / ".env"
    file.write_text(f"OPENAI_API_KEY={KEY}\nMAGNET_MODEL=of-file\nMAGNET_FAN_OUT=primed\nOTHER=1\n")
    bare.setenv("MAGNET_MODEL", "of-environment")
    bare.setenv("MAGNET_TIMEOUT", "")
    found = settings(
        file, magnet_model="of-caller", MAGNET_TIMEOUT=9, OPENAI_BASE_URL="http://localhost:8000/v1/", other=[1]
    )
    team = found.cast()
    assert team.default.model == "of-environment" and team.fan_out == "primed" and team.default.timeout == 9
    assert team.default.base_url == "http://localhost:8000/v1"
    assert team.default.api_key and team.default.api_key.get_secret_value() == KEY
    assert KEY not in repr(found) + str(team) + found.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAGNET_FAN_OUT", "sideways"),
        ("MAGNET_CALLS_IN_FLIGHT", "0"),
        ("MAGNET_TIMEOUT", "soon"),
        ("MAGNET_TIMEOUT", "inf"),
        ("MAGNET_TEMPERATURE", "9"),
        ("OPENAI_BASE_URL", "localhost:8000"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(bare: pytest.MonkeyPatch, name: str, value: str) -> None:
    bare.setenv(name, value)
    bare.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(SettingsError, match=name) as caught:
        settings(None)
    assert KEY not in "".join(traceback.format_exception(caught.value)) and caught.value.__context__ is None


def test_the_client_library_is_loaded_only_when_an_endpoint_speaks() -> None:
    code = (
        "import sys, magnet_core.settings, magnet_core.session; sys.exit('openai' in sys.modules or 'httpx2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
