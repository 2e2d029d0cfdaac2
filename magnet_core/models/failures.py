"""What went wrong with a call to an endpoint, as a `ModelError` a person can read. No sentence ever holds the key."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from magnet_core.errors import ModelError

_TOO_LONG = re.compile(
    r"(?i)context[ _](?:length|size|window)|context_length_exceeded|maximum context|exceeds the (?:available|model's)"
    r"|prompt is too long|too many (?:input )?tokens"
)
_FILTERED = re.compile(r"(?i)content[_ ](?:filter|policy|management)|responsible.?ai")
_NO_CREDIT = re.compile(r"(?i)insufficient_quota|exceeded your current quota|insufficient (?:balance|credit)|billing")
_NO_MODEL = re.compile(r"(?i)\bmodels?\b|deployment")
_KEYISH = re.compile(r"(?i)\bsk-[\w*.-]{6,}|\bbearer\s+\S+")


def place(base_url: str) -> str:
    """Return the server of an address, without anything a sentence should not show."""
    parts = urlsplit(base_url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


class Explainer:
    """Turns failures of one endpoint into sentences."""

    def __init__(self, model: str, base_url: str, key: str, timeout: float) -> None:
        self._model, self._server, self._key, self._timeout = model, place(base_url), key, timeout

    def __repr__(self) -> str:
        return f"Explainer({self._model!r}, {self._server!r})"

    def quote(self, text: str, limit: int = 200) -> str:
        """Return a server's own words: on one line, without the key, cut to a length."""
        words = " ".join(text.split())
        if self._key:
            words = words.replace(self._key, "[key]")
        words = _KEYISH.sub("[key]", words)
        return words if len(words) <= limit else f"{words[: limit - 1]}…"

    def broken(self, detail: str) -> ModelError:
        """Return the error for an answer that cannot be used but may come out well next time."""
        return ModelError(f"{self._model} at {self._server} {detail}", kind="broken", transient=True)

    def refused(self) -> ModelError:
        text = f"The content filter at {self._server} stopped the answer of {self._model}."
        return ModelError(text, kind="refused")

    def web_page(self) -> ModelError:
        text = f"{self._server} answers with a web page, not with a model; check the base URL (most end in /v1)."
        return ModelError(text, kind="server")

    def spent(self) -> ModelError:
        text = (
            f"{self._model} used up its token limit before it wrote a word, as models that think first do; "
            "allow more tokens, or let it think less."
        )
        return ModelError(text, kind="length")

    def dropped(self) -> ModelError:
        return self.broken("broke off in the middle of its answer.")

    def silent(self) -> ModelError:
        text = f"{self._model} at {self._server} said nothing for {self._timeout:g} seconds."
        return ModelError(text, kind="timeout", transient=True)

    def unreachable(self, cause: BaseException | None) -> ModelError:
        """Return the error for a connection that could not be made or did not hold."""
        import httpx2

        text_of_cause = str(cause or "")
        if isinstance(cause, (httpx2.ConnectTimeout, httpx2.PoolTimeout)):
            return ModelError(f"No connection to {self._server} could be made in time.", kind="timeout", transient=True)
        if isinstance(cause, httpx2.TimeoutException):
            return self.silent()
        if "CERTIFICATE_VERIFY_FAILED" in text_of_cause:
            return ModelError(f"The certificate of {self._server} is not trusted on this machine.", kind="server")
        if isinstance(cause, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.TooManyRedirects)):
            return ModelError(f"No request can be made to {self._server}; check base URL and key.", kind="server")
        if isinstance(cause, httpx2.ConnectError):
            text = f"There is no server at {self._server}; is it running, and is the base URL right?"
            return ModelError(text, kind="server", transient=True)
        return self.dropped()

    def status(self, status: int, body: str, headers: Mapping[str, str]) -> ModelError:
        """Return the error for an answer that says what is wrong, by HTTP status or by one inside the body."""
        words, code = said(body)
        everything = f"{words} {code}"
        page = body.lstrip()[:1] == "<"
        quoted = f": {self.quote(words)}" if words and not page else "."
        after = retry_after(headers)
        if _FILTERED.search(everything) and status in (400, 403, 422):
            return ModelError(f"The content filter at {self._server} refused the prompt{quoted}", kind="refused")
        if status == 402 or (status == 429 and _NO_CREDIT.search(everything)):
            return ModelError(f"The account at {self._server} has no credit left{quoted}", kind="key")
        if status in (401, 403):
            given = "does not accept the API key" if self._key else "asks for an API key, and none was given"
            return ModelError(f"{self._server} {given} ({status}){quoted}", kind="key")
        if status == 413 or (status in (400, 422) and _TOO_LONG.search(everything)):
            return ModelError(f"The prompt is too long for {self._model}{quoted}", kind="length")
        if status in (404, 405, 410):
            if not page and _NO_MODEL.search(everything):
                return ModelError(f"{self._server} does not know the model {self._model!r}{quoted}", kind="model")
            text = f"{self._server} has no chat at this address ({status}); check the base URL (most end in /v1)."
            return ModelError(text, kind="server")
        if status == 429:
            text = f"{self._server} is busy (429){quoted}"
            return ModelError(text, kind="busy", transient=True, retry_after=after)
        if status in (408, 409, 425) or status >= 500:
            text = f"{self._server} failed ({status}){quoted}"
            return ModelError(text, kind="server", transient=True, retry_after=after)
        return ModelError(f"{self._server} did not take the request ({status}){quoted}", kind="refused")

    def inside(self, error: Any) -> ModelError:
        """Return the error that a body with status 200 carries, as some routers and streams do."""
        code = error.get("code") if isinstance(error, Mapping) else None
        number = code if isinstance(code, int) and 400 <= code <= 599 else 500
        if isinstance(error, Mapping) and str(code) in ("rate_limit_exceeded", "insufficient_quota"):
            number = 429
        elif isinstance(error, Mapping) and _TOO_LONG.search(f"{code} {error.get('message', '')}"):
            number = 400
        return self.status(number, json.dumps({"error": error}), {})


def said(body: str) -> tuple[str, str]:
    """Return message and code of an error body, whichever of the usual shapes it has."""
    try:
        data = json.loads(body)
    except ValueError:
        return body, ""
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return body, ""
    error = data.get("error", data)
    if isinstance(error, str):
        return error, ""
    if not isinstance(error, dict):
        return body, ""
    message = error.get("message") or error.get("detail") or error.get("error") or error
    if isinstance(message, list):
        places = [part for part in message if isinstance(part, dict)]
        message = "; ".join(f"{'.'.join(map(str, p.get('loc', ())))}: {p.get('msg', '')}" for p in places)
    code = f"{error.get('code', '')} {error.get('type', '')} {error.get('param', '')}"
    return message if isinstance(message, str) else json.dumps(message), code


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a server asks to wait; None if it does not say (it may give seconds or a date)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text) * scale
        if text and scale == 1.0:
            try:
                return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
            except (ValueError, TypeError):
                return None
    return None
