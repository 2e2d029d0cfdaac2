"""Spans for an OpenTelemetry collector, by the GenAI semantic conventions; nothing is sent unless an address is set.

A turn (and the plan) is a trace: the method's work, in it every agent, in it every call to a model. All of a session carry its
id as the conversation's. What was asked and said is not sent: spans carry names, times, tokens and failures.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from magnet_core.costs import Prices, day_of, price_of, shipped
from magnet_core.domain import AgentCall, Session
from magnet_core.errors import MagnetError, SettingsError
from magnet_core.models import REHEARSAL

NEEDS = "Sending spans needs two more packages: pip install -r requirements-otlp.txt."
SERVICE = "magnet-explorer"
SECOND = 1_000_000_000
KNOCK = 2.0
"""Seconds in which a collector that is there takes a connection."""


@dataclass(frozen=True, slots=True)
class Sending:
    """Whether spans go out, where to, and how that went so far."""

    address: str = ""
    """Without name and password; empty where none are to be sent."""
    sent: int = 0
    lost: int = 0
    problem: str = ""
    """The last one, a sentence."""
    met: datetime | None = None
    """When that was, where it was on the way."""
    going: bool = True
    """Whether what was tried last went out."""


class Spans:
    """Sends the spans of what is finished to a collector, in a thread of its own."""

    def __init__(self, endpoint: str, patience: float = 10.0) -> None:
        """Open the way to a collector such as `http://localhost:4318`; raises `SettingsError` where that cannot be.

        `patience` is for how many seconds it is tried to send some spans.
        """
        if not _is_address(endpoint):
            raise SettingsError("MAGNET_OTLP_ENDPOINT is an address such as http://localhost:4318.")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise SettingsError(NEEDS) from error
        address = endpoint if urlsplit(endpoint).path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
        self.sending = Sending(_bare(address))
        self._provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=True)
        self._provider.add_span_processor(
            BatchSpanProcessor(_watched(OTLPSpanExporter(endpoint=address, timeout=patience), self._went))
        )
        self._tracer = self._provider.get_tracer(SERVICE)

    def _went(self, number: int, out: bool) -> None:
        """Note whether some spans went out; runs in the thread that sends them."""
        now = self.sending
        if out:
            self.sending = replace(now, sent=now.sent + number, going=True)
        else:
            problem = f"{_whats_wrong(now.address)} {number} spans were lost."
            self.sending = replace(now, lost=now.lost + number, problem=problem, met=datetime.now(UTC), going=False)

    def turn(self, session: Session, number: int, ended: float | None = None, prices: Prices | None = None) -> None:
        """Send a finished turn, 0 for the plan, priced by the day of its session. Returns at once.

        `ended` is when it ended, in seconds since 1970, if not just now; `prices` are the shipped ones if not given.
        """
        calls = session.turns[number - 1].calls if number else session.plan_calls
        if not calls:
            return
        from opentelemetry.trace import SpanKind, set_span_in_context

        took = max(call.started + call.seconds for call in calls)
        zero = (time.time() if ended is None else ended) - took
        listed = prices or shipped()
        priced = [(call, price_of(call, listed, day_of(session))) for call in calls]
        common = {"gen_ai.conversation.id": session.id}
        name = f"invoke_workflow {session.method}"
        whole = self._tracer.start_span(
            name,
            kind=SpanKind.INTERNAL,
            start_time=_ns(zero),
            attributes={
                **common,
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": session.method,
                "magnet.turn": number,
                "magnet.visibility": session.visibility,
            },
        )
        for agent in dict.fromkeys(call.agent for call in calls):
            own = [(call, price) for call, price in priced if call.agent == agent]
            self._agent(agent, own, zero, common, set_span_in_context(whole))
        whole.end(_ns(zero + took))

    def _agent(
        self, agent: str, calls: Sequence[tuple[AgentCall, float | None]], zero: float, common: dict[str, Any], within: Any
    ) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context

        named = {**common, "gen_ai.agent.name": agent}
        span = self._tracer.start_span(
            f"invoke_agent {agent}",
            context=within,
            kind=SpanKind.INTERNAL,
            start_time=_ns(zero + min(call.started for call, _ in calls)),
            attributes={**named, "gen_ai.operation.name": "invoke_agent"},
        )
        for call, price in calls:
            one = self._tracer.start_span(
                f"chat {call.model}",
                context=set_span_in_context(span),
                kind=SpanKind.CLIENT,
                start_time=_ns(zero + call.started),
                attributes={**named, **_said(call, price)},
            )
            for failure in call.retries:
                one.add_event("retry", {"exception.message": failure}, timestamp=_ns(zero + call.started))
            if call.problem:
                one.add_event("answer not used", {"reason": call.problem}, timestamp=_ns(zero + call.started + call.seconds))
            one.end(_ns(zero + call.started + call.seconds))
        span.end(_ns(zero + max(call.started + call.seconds for call, _ in calls)))

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what is finished has left; tell whether it has."""
        return self._provider.force_flush(int(seconds * 1000))

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.shutdown()


@cache
def _opened(endpoint: str) -> Spans | Sending:
    """Return what sends spans to an address, one for the process, or why it cannot be, which is logged once."""
    try:
        return Spans(endpoint)
    except SettingsError as error:
        logging.getLogger(__name__).warning("No spans are sent. %s", error)
        return Sending(_bare(endpoint), problem=str(error), going=False)


def spans_to(endpoint: str) -> Spans | None:
    """Return what sends spans to an address; None where there is none or it cannot be."""
    opened = _opened(endpoint) if endpoint else None
    return opened if isinstance(opened, Spans) else None


def sending(endpoint: str) -> Sending:
    """Return whether spans go out to an address, and how that went so far."""
    if not endpoint:
        return Sending()
    opened = _opened(endpoint)
    return opened.sending if isinstance(opened, Spans) else opened


def newest(session: Session, endpoint: str, prices: Callable[[], Prices] = shipped) -> None:
    """Send what a session has just got: its last turn, or its plan while it has none. Never raises, never waits."""
    if spans := spans_to(endpoint):
        try:
            spans.turn(session, len(session.turns), prices=_listed(prices))
        except Exception:
            logging.getLogger(__name__).exception("The spans of a turn were lost.")


def _listed(prices: Callable[[], Prices]) -> Prices:
    try:
        return prices()
    except MagnetError:
        return shipped()


def _said(call: AgentCall, price: float | None) -> dict[str, Any]:
    told = {
        "gen_ai.operation.name": "chat",
        # which company's the endpoint is cannot be told from a session: what is spoken is OpenAI's protocol
        "gen_ai.provider.name": REHEARSAL if call.model == REHEARSAL else "openai",
        "gen_ai.request.model": call.model,
        "gen_ai.request.temperature": call.temperature,
        "gen_ai.request.max_tokens": call.max_tokens,
        "gen_ai.request.seed": call.seed,
        "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
        "gen_ai.usage.input_tokens": call.usage.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.usage.cached_tokens,
        "gen_ai.usage.output_tokens": call.usage.completion_tokens,
        "gen_ai.response.time_to_first_chunk": call.first_token,
        "magnet.attempt": call.attempt,
        "magnet.prompt_sha": call.prompt_sha,
        "magnet.price_usd": price,
    }
    return {name: value for name, value in told.items() if value is not None}


def _watched(exporter: Any, went: Callable[[int, bool], None]) -> Any:
    """Return an exporter that tells how many spans went out, or did not."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Watched(SpanExporter):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            result = exporter.export(spans)
            went(len(spans), result is SpanExportResult.SUCCESS)
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Watched()


def _whats_wrong(address: str) -> str:
    """Return why spans did not go out: whether anybody answers there at all."""
    parts = urlsplit(address)
    try:
        socket.create_connection(
            (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)), KNOCK
        ).close()
    except OSError as error:
        return f"The collector could not be reached: {(error.strerror or str(error)).lower()}."
    return "What answers at this address did not take the spans; a collector mostly takes them at /v1/traces."


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _bare(address: str) -> str:
    """Return an address without what may be secret in it; of what is none, nothing but that."""
    if not _is_address(address):
        return "what is no address"
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _ns(seconds: float) -> int:
    return int(seconds * SECOND)
