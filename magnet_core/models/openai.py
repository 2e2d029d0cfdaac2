"""Any endpoint that speaks OpenAI's chat protocol, as a model.

Nothing is tried again here but what the endpoint cannot take: an optional parameter it refuses is sent otherwise or left out,
for good, and `adapted` says so. All other failures become a `ModelError`; who asks decides whether to ask again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

from magnet_core.domain import Usage
from magnet_core.errors import ModelError, SettingsError
from magnet_core.models import Chunk, Request
from magnet_core.models.failures import Explainer, said
from magnet_core.streams import merge

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""Sent where no key is given: local servers take anything, and the client would otherwise look for a key by itself."""

_STEPS: dict[str, tuple[str, ...]] = {
    "response_format": ("the schema is a wish, not enforced (no strict mode)", "no schema is sent"),
    "max_completion_tokens": ("no token limit is sent",),
    "max_tokens": ("the token limit is sent as max_completion_tokens", "no token limit is sent"),
    "stream_options": ("tokens are not counted while streaming",),
    "temperature": ("no temperature is sent",),
    "seed": ("no seed is sent",),
    "stream": ("answers come in one piece",),
    "n": ("several samples are asked for one by one",),
}
"""What is done, step by step, about an optional parameter that an endpoint refuses. Longer names before those they contain."""
_ALSO_CALLED = {"json_schema": "response_format", "strict": "response_format", "streaming": "stream"}
_ONE_ONLY = re.compile(r"(?i)\b(?:one|single|multiple|number of)\s+(?:completions?|choices?|samples?)\b")
"""How servers refuse to give several samples without naming the parameter."""


def check_url(url: str) -> str:
    """Return a base URL as the client wants it; raise `SettingsError` when it is none."""
    url = re.sub(r"/+(?:chat/completions)?/*$", "", url.strip())
    if "@" in url:
        raise SettingsError("A base URL holds no name or password; the key has a field of its own.")
    try:
        parts = urlsplit(url)
        good = not url or (parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0)
    except ValueError:
        good = False
    if not good:
        raise SettingsError("A base URL looks like http://localhost:8000/v1")
    return url


def check_key(key: str) -> str:
    """Return an API key without the blanks around it; raise `SettingsError`, without the key, when it can be none."""
    key = key.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SettingsError("The API key holds characters that no key has; copy it once more.")
    return key


def open_client(base_url: str, key: str, api_version: str = "") -> Any:
    """Return the official client for an endpoint; an API version makes it an Azure one. Close it after use."""
    import openai

    key = check_key(key)
    url = check_url(base_url) or OPENAI_URL
    http = openai.DefaultAsyncHttpxClient(limits=_limits())
    if api_version:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=re.sub(r"/openai(?:/v1)?$", "", url),
            api_version=api_version,
            api_key=key or NO_KEY,
            max_retries=0,
            http_client=http,
        )
    return openai.AsyncOpenAI(base_url=url, api_key=key or NO_KEY, max_retries=0, http_client=http)


def _limits() -> Any:
    import httpx2

    return httpx2.Limits(max_connections=None, max_keepalive_connections=None)


class OpenAIModel:
    """A model behind a client of the official library. Share one among all agents that it speaks for."""

    def __init__(self, name: str, client: Any, *, timeout: float = 60.0, limit: asyncio.Semaphore | None = None) -> None:
        import openai

        self._name, self._client = name, client
        self._limit = limit or asyncio.Semaphore(64)
        self._timeout = openai.Timeout(timeout, connect=10.0, pool=None)
        key = str(client.api_key)
        self._explain = Explainer(name, str(client.base_url), "" if key == NO_KEY else key, timeout)
        self._taken: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"OpenAIModel({self._name!r})"

    @property
    def name(self) -> str:
        return self._name

    @property
    def adapted(self) -> tuple[str, ...]:
        """What the endpoint did not take and how that is met, a sentence each."""
        return tuple(f"{name}: {_STEPS[name][step - 1]}" for name, step in self._taken.items())

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Yield the answer, in pieces if somebody watches; samples in one call where the endpoint gives several."""
        given: set[int] = set()
        if request.samples == 1 or not self._taken.get("n"):
            async with self._limit, aclosing(cast(Any, self._ask(request))) as chunks:
                async for chunk in chunks:
                    given.add(chunk.index)
                    yield chunk
        if missing := [index for index in range(request.samples) if index not in given]:
            self._taken["n"] = 1
            async with aclosing(merge(*(self._sample(request, index) for index in missing))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _sample(self, request: Request, index: int) -> AsyncGenerator[Chunk]:
        """Yield one of several samples, asked for by itself; another seed, so that it is another answer."""
        seed = None if request.seed is None else request.seed + index
        async with self._limit, aclosing(cast(Any, self._ask(replace(request, samples=1, seed=seed)))) as chunks:
            async for chunk in chunks:
                yield replace(chunk, index=index)

    async def _ask(self, request: Request) -> AsyncIterator[Chunk]:
        import httpx2
        import openai

        # the plain post of the client: its typed `create` spends more processor time on a long prompt than all else together
        options = {"timeout": self._timeout}
        while True:
            failure: ModelError
            taken, body = dict(self._taken), self._body(request)
            try:
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=body, options=options, stream=True
                )
                heard = self._heard(response, "stream" in body, request.samples)
                async with aclosing(response), aclosing(cast(Any, heard)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except openai.APIStatusError as error:
                text, status = _body_text(error), error.status_code
                if status in (400, 422) and self._adapt(text, error.param, body, taken):
                    if "n" in body and self._taken.get("n"):
                        return  # who asked goes on with one sample a call
                    continue
                failure = self._explain.status(status, text, error.response.headers)
            except openai.APITimeoutError as error:
                failure = self._explain.unreachable(error.__cause__)
            except openai.APIConnectionError as error:
                failure = self._explain.unreachable(error.__cause__)
            except httpx2.HTTPError as error:
                failure = self._explain.unreachable(error)
            except (openai.OpenAIError, httpx2.InvalidURL) as error:
                failure = ModelError(f"The call to {self._name} could not be made ({type(error).__name__}).")
            raise failure

    def _body(self, request: Request) -> dict[str, Any]:
        """Return the parameters of the call, without what the endpoint has refused."""
        step = self._taken.get
        body: dict[str, Any] = {
            "model": self._name,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        }
        if request.live and not step("stream"):
            body["stream"] = True
            if not step("stream_options"):
                body["stream_options"] = {"include_usage": True}
        if request.schema is not None and step("response_format", 0) < 2:
            schema = {"name": request.schema_name or "answer", "schema": request.schema}
            strict = {} if step("response_format") else {"strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema | strict}
        if request.temperature is not None and not step("temperature"):
            body["temperature"] = request.temperature
        if request.seed is not None and not step("seed"):
            body["seed"] = request.seed
        if request.max_tokens is not None and step("max_tokens", 0) < 2 and not step("max_completion_tokens"):
            body["max_completion_tokens" if step("max_tokens") else "max_tokens"] = request.max_tokens
        if request.samples > 1:
            body["n"] = request.samples
        return body

    def _adapt(self, text: str, param: str | None, body: Mapping[str, Any], taken: Mapping[str, int]) -> bool:
        """Take the next step about the parameter that a refusal names; tell whether to ask again."""
        if self._explain.status(400, text, {}).kind == "length":
            return False
        for name in _named(param, " ".join(said(text))[:500]):
            if name not in body:
                continue
            if self._taken.get(name, 0) != taken.get(name, 0):
                return True  # another call has met the same refusal meanwhile
            if self._taken.get(name, 0) < len(_STEPS[name]):
                self._taken[name] = self._taken.get(name, 0) + 1
                return True
        return False

    async def _heard(self, response: Any, streamed: bool, samples: int) -> AsyncIterator[Chunk]:
        """Yield what a response says."""
        kind = response.headers.get("content-type", "")
        if streamed and "json" not in kind and "html" not in kind:
            async with aclosing(cast(Any, self._pieces(response, samples))) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        raw = await response.aread()
        data = _json(raw)
        if data is None:
            if "html" in kind or raw.lstrip()[:1] == b"<":
                raise self._explain.web_page()
            raise self._explain.broken(f"sent something that is no answer: {self._explain.quote(_decode(raw), 80)!r}.")
        answers = self._choices(data, "message", samples)
        if not any(text.strip() for _, text, _ in answers):
            raise self._nothing(answers[0][2])
        for place, (index, text, finish) in enumerate(answers, 1):
            yield Chunk(text, finish, _usage(data) if place == len(answers) else None, index)

    async def _pieces(self, response: Any, samples: int) -> AsyncIterator[Chunk]:
        """Yield the pieces of a stream of server-sent events; the last chunks carry why it ended and what it used."""
        import httpx2

        ends: dict[int, str] = {}
        usage, any_text, done = None, False, False
        try:
            async with aclosing(cast(Any, _events(response))) as events:
                async for event in events:
                    if event == b"[DONE]":
                        done = True
                        break
                    data = _json(event)
                    if data is None:
                        raise self._explain.broken(
                            f"sent something that is no answer: {self._explain.quote(_decode(event), 80)!r}."
                        )
                    usage = _usage(data) or usage
                    for index, text, finish in self._choices(data, "delta", samples, must=False):
                        ends[index] = finish or ends.get(index, "")
                        if text:
                            any_text = any_text or bool(text.strip())
                            yield Chunk(text, index=index)
                if done:
                    await _drain(events)
        except httpx2.TransportError:
            if not (ends and all(ends.values())):
                raise
        if not (done or (ends and all(ends.values()))):
            raise self._explain.dropped()
        if not any_text:
            raise self._nothing(next(iter(ends.values()), ""))
        for place, (index, finish) in enumerate(ends.items(), 1):
            yield Chunk("", finish, usage if place == len(ends) else None, index)

    def _choices(self, data: Mapping[str, Any], key: str, samples: int, must: bool = True) -> list[tuple[int, str, str]]:
        """Return number, text and finish reason of each sample in an answer or a piece of one; raise `ModelError` for an
        error inside it."""
        if data.get("error"):
            raise self._explain.inside(data["error"])
        listed = data.get("choices")
        choices = [c for c in listed if isinstance(c, Mapping)][:samples] if isinstance(listed, list) else []
        if must and not choices:
            raise self._explain.broken("sent something that is no answer: it has no choices.")
        found: list[tuple[int, str, str]] = []
        refused = 0
        for place, choice in enumerate(choices):
            message = choice.get(key)
            content = message.get("content") if isinstance(message, Mapping) else None
            if isinstance(content, list):
                content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
            finish = str(choice.get("finish_reason") or "")
            if finish == "content_filter" or (isinstance(message, Mapping) and message.get("refusal") and not content):
                refused, content = refused + 1, ""
            index = choice.get("index")
            index = index if isinstance(index, int) and 0 <= index < samples else place
            found.append((index, str(content or ""), finish))
        if refused and refused == len(found) and (must or samples == 1):
            raise self._explain.refused()
        return found

    def _nothing(self, finish: str) -> ModelError:
        """Return the error for an answer without a word."""
        return self._explain.spent() if finish == "length" else self._explain.broken("gave an empty answer.")


def _named(param: str | None, text: str) -> list[str]:
    """Return the optional parameters that a refusal names: its `param` first, then those in its text."""
    names = [*_STEPS, *_ALSO_CALLED]
    found = [name for name in names if param and re.match(rf"(?:body[.\]])?{name}\b", str(param))]
    found += [name for name in names if re.search(rf"(?<![A-Za-z_]){name}(?![A-Za-z_])", text)]
    found += ["n"] if _ONE_ONLY.search(text) else []
    return list(dict.fromkeys(_ALSO_CALLED.get(name, name) for name in found))


def _body_text(error: Any) -> str:
    try:
        return error.response.text
    except Exception:
        return ""


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def _json(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object of some bytes; None when they are none."""
    try:
        data = json.loads(raw)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


async def _events(response: Any) -> AsyncIterator[bytes]:
    """Yield the data of server-sent events; a chat stream puts each on one line."""
    buffer = b""
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    yield line[5:].strip()
    if buffer.startswith(b"data:"):
        yield buffer[5:].strip()


async def _drain(events: Any) -> None:
    """Read what little follows the end mark, so that the connection can be used again."""
    try:
        async with asyncio.timeout(0.5):
            async for _ in events:
                pass
    except TimeoutError:
        pass


def _usage(data: Mapping[str, Any]) -> Usage | None:
    """Return the tokens an answer says it used; None when it does not."""
    said = data.get("usage")
    if not isinstance(said, Mapping):
        return None
    details = said.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    numbers = (said.get("prompt_tokens"), cached, said.get("completion_tokens"))
    prompt, cached, completion = (n if isinstance(n, int) else None for n in numbers)
    return Usage(prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion)
