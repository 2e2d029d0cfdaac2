"""A local server that speaks OpenAI's chat protocol, with known times and faults: `python -m tests.llm_server --port 8123`.

It counts what a prefix cache would have to read: a prompt is cut in blocks of 64 characters, and a block is known when the whole
prompt up to its end stood in an earlier prompt that had come to its first token.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

BLOCK = 64
FAULTS = ("busy", "error", "drop", "garbage", "empty", "slow")


@dataclass(frozen=True)
class Manners:
    """How the server answers."""

    first_token: float = 0.0
    """Seconds to the first token."""
    tokens: int = 50
    """Pieces an answer comes in."""
    token_time: float = 0.0
    """Seconds between two pieces."""
    words: int = 50
    """Words of an answer, unless `answer` or a schema says otherwise."""
    answer: Callable[[dict[str, Any], int], str] | None = None
    """Makes the answer from the body and the number of the call."""
    finish_reason: str = "stop"
    faults: tuple[str, ...] = ()
    """Kinds of fault (see `FAULTS`) that come in turn."""
    rate: float = 0.0
    """Share of calls that meet a fault."""
    seed: int = 0
    retry_after: str = "0.01"
    """The header of a `busy` answer."""
    slow: float = 2.0
    """Seconds a `slow` answer takes."""
    rejects: tuple[str, ...] = ()
    """Parameters refused with status 400."""
    key: str = ""
    """The key asked for; empty means none."""
    status: int = 0
    """Answer every chat call with this status and `body`."""
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    raw: str = ""
    """Answer every chat call with this text as a stream, word for word."""
    models: tuple[str, ...] = ("test-model",)
    most_samples: int = 8
    """As many choices an answer holds at most, whatever `n` asks for."""
    held_after: int | None = None
    """Calls after which answers are held back until `go_on`; a test can look meanwhile, however slow the machine is."""


@dataclass
class Record:
    """What the server has seen."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """Where the chat calls went."""
    in_flight: int = 0
    max_in_flight: int = 0
    closed_early: int = 0
    """Answers the client did not wait for."""
    connections: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    sent_characters: int = 0
    new_characters: int = 0

    @property
    def calls(self) -> int:
        return len(self.bodies)


class LlmServer:
    """The server; its loop runs in a thread of its own between `start` and `stop`."""

    def __init__(self, manners: Manners | None = None, port: int = 0) -> None:
        self.manners = manners or Manners()
        self.record = Record()
        self._port = port
        self._known: set[int] = set()
        self._random = random.Random(self.manners.seed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._held = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> LlmServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(30):
            raise RuntimeError("The test server did not start.")
        return self

    def stop(self) -> None:
        if self._loop and self._stopping and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)

    def go_on(self) -> None:
        """Give the answers that were held back, and hold back no more."""
        self._held.set()

    def __enter__(self) -> LlmServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def forget(self) -> None:
        """Begin a new record with an empty cache."""
        self.record = Record(connections=self.record.connections)
        self._known = set()
        self._random = random.Random(self.manners.seed)

    async def _run(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()
        writers: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            writers.add(writer)
            self.record.connections += 1
            try:
                await self._serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", self._port, backlog=1024)
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopping.wait()
        self._loop.remove_reader(server.sockets[0])
        for _ in range(5):
            await asyncio.sleep(0)  # a connection just taken in comes to `connected`, where it can be closed
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = _gone(reader)
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path = path.partition("?")[0]
            key = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("api-key", "")
            if path == "/stats":
                self._whole(
                    writer, 200, asdict(self.record) | {"bodies": self.record.calls, "paths": sorted(set(self.record.paths))}
                )
            elif path == "/reset":
                self.forget()
                self._whole(writer, 200, {})
            elif self.manners.key and key != self.manners.key:
                text = f"Incorrect API key provided: {key}."
                self._whole(writer, 401, _error(text, "invalid_api_key"))
            elif path.endswith("/models"):
                self._whole(
                    writer, 200, {"object": "list", "data": [{"id": m, "object": "model"} for m in self.manners.models]}
                )
            elif path.endswith("/chat/completions") and method == "POST":
                self.record.paths.append(path)
                if not await self._watched(gone, writer, json.loads(body)):
                    return
            else:
                self._whole(writer, 404, _error("Not Found", "not_found"))
            await writer.drain()

    async def _watched(self, gone: asyncio.Event, writer: asyncio.StreamWriter, body: dict[str, Any]) -> bool:
        """Answer a chat call, or stop as soon as the client is gone; tell whether the connection lives on."""
        record = self.record
        record.in_flight += 1
        record.max_in_flight = max(record.max_in_flight, record.in_flight)
        answer = asyncio.ensure_future(self._chat(writer, body))
        left = asyncio.ensure_future(gone.wait())
        try:
            await asyncio.wait((answer, left), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                record.closed_early += 1
                return False
            return answer.result()
        finally:
            record.in_flight -= 1
            for task in (answer, left):
                task.cancel()
            await asyncio.gather(answer, left, return_exceptions=True)

    async def _chat(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> bool:
        manners, record = self.manners, self.record
        record.bodies.append(body)
        number = record.calls
        blocks = list(_blocks("".join(f"{m['role']}\n{m['content']}\n" for m in body["messages"])))
        record.sent_characters += sum(size for _, size in blocks)
        record.new_characters += sum(size for block, size in blocks if block not in self._known)
        fault = ""
        if manners.rate and self._random.random() < manners.rate:
            fault = manners.faults[sum(record.faults.values()) % len(manners.faults)]
            record.faults[fault] = record.faults.get(fault, 0) + 1
        if manners.status:
            self._whole(writer, manners.status, manners.body, manners.headers, manners.content_type)
            return True
        if refused := next((name for name in manners.rejects if _has(body, name)), None):
            text = f"Unsupported parameter: '{refused}' is not supported with this model."
            self._whole(writer, 400, _error(text, "unsupported_parameter", refused))
            return True
        if body["model"] not in manners.models:
            text = f"The model `{body['model']}` does not exist or you do not have access to it."
            self._whole(writer, 404, _error(text, "model_not_found"))
            return True
        if fault == "busy":
            self._whole(writer, 429, _error("Rate limit reached.", "rate_limit"), {"Retry-After": manners.retry_after})
            return True
        if fault == "error":
            self._whole(writer, 500, _error("The server had an error.", "server_error"))
            return True
        if fault == "garbage":
            self._whole(writer, 200, "%% not json at all", {})
            return True
        while manners.held_after is not None and number > manners.held_after and not self._held.is_set():
            await asyncio.sleep(0.005)
        await asyncio.sleep(manners.slow if fault == "slow" else manners.first_token)
        self._known.update(block for block, _ in blocks)
        samples = range(min(body.get("n") or 1, manners.most_samples))
        texts = ["" if fault == "empty" else self._answer(body, number, sample) for sample in samples]
        pieces = [_cut(text, manners.tokens) for text in texts]
        prompt = sum(size for _, size in blocks) // 4
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": sum(map(len, pieces)),
            "prompt_tokens_details": {"cached_tokens": prompt // 2},
        }
        if not body.get("stream"):
            await asyncio.sleep(manners.token_time * (manners.tokens - 1))
            choices = [
                {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": manners.finish_reason}
                for n, text in enumerate(texts)
            ]
            whole = json.dumps({"id": f"chat-{number}", "object": "chat.completion", "choices": choices, "usage": usage})
            if fault == "drop":
                writer.write(_head(200, len(whole)) + whole[: len(whole) // 2].encode())
                await writer.drain()
                return False
            self._whole(writer, 200, whole)
            return True
        return await self._stream(writer, body, pieces, usage, fault)

    async def _stream(
        self, writer: asyncio.StreamWriter, body: dict[str, Any], texts: list[list[str]], usage: dict[str, Any], fault: str
    ) -> bool:
        manners = self.manners
        writer.write(_head(200, None, content_type="text/event-stream"))
        if manners.raw:
            writer.write(_chunk(manners.raw.encode()) + b"0\r\n\r\n")
            return True
        clock = asyncio.get_running_loop()
        began = clock.time()
        for number, pieces in enumerate(zip_longest(*texts)):
            if number and manners.token_time:
                await asyncio.sleep(max(0.0, began + number * manners.token_time - clock.time()))
            if fault == "drop" and number >= len(texts[0]) // 2:
                await writer.drain()
                return False
            for n, piece in enumerate(pieces):
                if piece is not None:
                    writer.write(_event({"choices": [{"index": n, "delta": {"content": piece}, "finish_reason": None}]}))
            if manners.token_time:
                await writer.drain()
        for n in range(len(texts)):
            writer.write(_event({"choices": [{"index": n, "delta": {}, "finish_reason": manners.finish_reason}]}))
        if (body.get("stream_options") or {}).get("include_usage"):
            writer.write(_event({"choices": [], "usage": usage}))
        writer.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        return True

    def _answer(self, body: dict[str, Any], number: int, sample: int) -> str:
        if self.manners.answer:
            return self.manners.answer(body, number)
        words = _words(random.Random(f"{self.manners.seed} {number} {sample}"))
        if schema := (body.get("response_format") or {}).get("json_schema", {}).get("schema"):
            return json.dumps(_example(schema, words, number + sample))
        return " ".join(next(words) for _ in range(self.manners.words)).capitalize() + "."

    def _whole(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: Any,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> None:
        raw = (body if isinstance(body, str) else json.dumps(body)).encode()
        writer.write(_head(status, len(raw), headers, content_type) + raw)


def _gone(reader: asyncio.StreamReader) -> asyncio.Event:
    """Return an event that is set when the client closes or loses the connection, without reading from it."""
    gone = asyncio.Event()
    ended, failed = reader.feed_eof, reader.set_exception

    def feed_eof() -> None:
        gone.set()
        ended()

    def set_exception(exc: Exception) -> None:
        gone.set()
        failed(exc)

    reader.feed_eof, reader.set_exception = feed_eof, set_exception
    return gone


def _head(
    status: int, length: int | None, headers: dict[str, str] | None = None, content_type: str = "application/json"
) -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{size}\r\n{more}\r\n".encode()


def _chunk(raw: bytes) -> bytes:
    return f"{len(raw):x}\r\n".encode() + raw + b"\r\n"


def _event(data: dict[str, Any]) -> bytes:
    return _chunk(b"data: " + json.dumps(data).encode() + b"\n\n")


def _error(message: str, code: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": param}}


def _has(body: dict[str, Any], name: str) -> bool:
    return name in body or (name == "strict" and body.get("response_format", {}).get("json_schema", {}).get("strict"))


def _blocks(prompt: str) -> Iterator[tuple[int, int]]:
    """Yield, block by block, a name for the prompt up to the block's end, and the block's size."""
    name = 0
    for start in range(0, len(prompt), BLOCK):
        block = prompt[start : start + BLOCK]
        name = hash((name, block))
        yield name, len(block)


def _cut(text: str, pieces: int) -> list[str]:
    """Return a text in that many pieces of about the same size (fewer where it has fewer characters)."""
    number = min(pieces, len(text))
    ends = [round(at * len(text) / number) for at in range(number + 1)] if number else []
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def _words(chance: random.Random) -> Iterator[str]:
    """Yield made-up words of 4.7 letters on average, about as long as those of counselling dialogues in English."""
    while True:
        syllables = (
            chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(chance.choice((1, 2, 2, 2, 2, 2, 3, 3)))
        )
        yield "".join(syllables) + chance.choice(("", "n"))


def _example(schema: dict[str, Any], words: Iterator[str], number: int) -> Any:
    """Return a value that fits a schema, another for each call."""
    if options := schema.get("enum"):
        return options[number % len(options)]
    kind = schema.get("type")
    if kind == "object":
        return {name: _example(part, words, number + at) for at, (name, part) in enumerate(schema["properties"].items())}
    if kind == "array":
        return [_example(schema["items"], words, number + at) for at in range(schema.get("minItems", 1))]
    if kind == "integer":
        return 1 + number % 4
    if kind == "string":
        limit, text = schema.get("maxLength", 60), next(words)
        while len(text) < 0.6 * limit:
            text = f"{text} {next(words)}"
        return text[:limit]
    return None


Start = Callable[..., LlmServer]
"""What starts a server with the manners given."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--first-token", type=float, default=0.2, help="seconds to the first token")
    parser.add_argument("--tokens", type=int, default=50)
    parser.add_argument("--token-time", type=float, default=0.002, help="seconds between two tokens")
    parser.add_argument("--words", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.0, help="share of calls that meet a fault")
    parser.add_argument("--faults", nargs="*", default=FAULTS, choices=FAULTS)
    parser.add_argument("--slow", type=float, default=2.0, help="seconds a slow answer takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="*", default=("test-model",))
    args = vars(parser.parse_args())
    port = args.pop("port")
    args["faults"], args["models"] = tuple(args["faults"]), tuple(args["models"])
    server = LlmServer(Manners(**args), port).start()
    print(server.url, flush=True)
    try:
        server._thread.join()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
