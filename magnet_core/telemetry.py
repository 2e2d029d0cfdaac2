"""Spans for an OpenTelemetry collector, by the GenAI semantic conventions; nothing is sent unless an address is set.

A turn (and the plan) is a trace: the method's work, in it every agent, in it every call to a model. All of a session carry its
id as the conversation's. What was asked and said is not sent: spans carry names, times, tokens and failures.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from magnet_core.costs import Prices, price_of, shipped, today
from magnet_core.domain import AgentCall, Session
from magnet_core.errors import SettingsError

NEEDS = "Sending spans needs two more packages: pip install -r requirements-otlp.txt."
SERVICE = "magnet-explorer"
SECOND = 1_000_000_000


class Spans:
    """Sends the spans of what is finished to a collector, in a thread of its own."""

    def __init__(self, endpoint: str, prices: Prices | None = None) -> None:
        """Open the way to a collector such as `http://localhost:4318`; raises `SettingsError` where that cannot be."""
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SettingsError("MAGNET_OTLP_ENDPOINT is an address such as http://localhost:4318.")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise SettingsError(NEEDS) from error
        address = endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
        self._prices = prices or shipped()
        self._provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=True)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=10)))
        self._tracer = self._provider.get_tracer(SERVICE)

    def turn(self, session: Session, number: int, ended: float | None = None) -> None:
        """Send a finished turn, 0 for the plan; `ended` is when, in seconds since 1970, if not just now. Returns at once."""
        calls = session.turns[number - 1].calls if number else session.plan_calls
        if not calls:
            return
        from opentelemetry.trace import SpanKind, set_span_in_context

        took = max(call.started + call.seconds for call in calls)
        zero = (time.time() if ended is None else ended) - took
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
            self._agent(agent, [c for c in calls if c.agent == agent], zero, common, set_span_in_context(whole))
        whole.end(_ns(zero + took))

    def _agent(self, agent: str, calls: Sequence[AgentCall], zero: float, common: dict[str, Any], within: Any) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context

        named = {**common, "gen_ai.agent.name": agent}
        span = self._tracer.start_span(
            f"invoke_agent {agent}",
            context=within,
            kind=SpanKind.INTERNAL,
            start_time=_ns(zero + min(c.started for c in calls)),
            attributes={**named, "gen_ai.operation.name": "invoke_agent"},
        )
        for call in calls:
            one = self._tracer.start_span(
                f"chat {call.model}",
                context=set_span_in_context(span),
                kind=SpanKind.CLIENT,
                start_time=_ns(zero + call.started),
                attributes={**named, **self._said(call)},
            )
            for failure in call.retries:
                one.add_event("retry", {"exception.message": failure}, timestamp=_ns(zero + call.started))
            if call.problem:
                one.add_event("answer not used", {"reason": call.problem}, timestamp=_ns(zero + call.started + call.seconds))
            one.end(_ns(zero + call.started + call.seconds))
        span.end(_ns(zero + max(c.started + c.seconds for c in calls)))

    def _said(self, call: AgentCall) -> dict[str, Any]:
        told = {
            "gen_ai.operation.name": "chat",
            # which company's the endpoint is cannot be told from a session: what is spoken is OpenAI's protocol
            "gen_ai.provider.name": "rehearsal" if call.model == "rehearsal" else "openai",
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
            "magnet.price_usd": price_of(call, self._prices, today()),
        }
        return {name: value for name, value in told.items() if value is not None}

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what is finished has left; tell whether it has."""
        return self._provider.force_flush(int(seconds * 1000))

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.shutdown()


@cache
def spans_to(endpoint: str) -> Spans | None:
    """Return what sends spans to an address, one for the process; None, with a line in the log, where there is none or it cannot be."""
    if not endpoint:
        return None
    try:
        return Spans(endpoint)
    except SettingsError as error:
        logging.getLogger(__name__).warning("No spans are sent. %s", error)
        return None


def newest(session: Session, endpoint: str) -> None:
    """Send what a session has just got: its last turn, or its plan while it has none. Never raises, never waits."""
    if spans := spans_to(endpoint):
        try:
            spans.turn(session, len(session.turns))
        except Exception:
            logging.getLogger(__name__).exception("The spans of a turn were lost.")


def _ns(seconds: float) -> int:
    return int(seconds * SECOND)
