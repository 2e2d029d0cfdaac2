"""What a comparison needs of a finished session: how it was made, with which client, and what can be counted of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from magnet_core.costs import Prices, session_cost, waited
from magnet_core.domain import AgentCall, Session, Value
from magnet_core.models import REHEARSAL
from magnet_core.scoring import diversity
from magnet_core.scoring.compare.configurations import Configuration, client_key, configuration_of


class Spent(Value):
    """What one turn took, or the plan; tokens are None where an endpoint did not count them."""

    calls: float
    again: float = 0.0
    """Calls among them that were made because an earlier answer was not used."""
    prompt: float | None = None
    cached: float = 0.0
    completion: float | None = None


class Measured(Value):
    """A finished session as a comparison needs it."""

    session_id: str
    configuration: Configuration
    client: str
    """The key of the client and the length: sessions with the same one can be paired."""
    name: str
    """The client's name and attitude, for a reader."""
    values: dict[str, float | None]
    """What can be counted, by the keys of `COUNTS`; None where it is missing."""
    spent: tuple[Spent, ...] = ()
    """The plan's, then every turn's; empty for a session without recorded calls."""


class Count(Value):
    """Something that is counted of a session, not rated."""

    key: str
    title: str
    unit: str
    less_is_better: bool
    judged: bool = True
    """Whether a difference may be called better or worse; not where how a session is made fixes it."""
    of_models: bool = False
    """Whether only a language model has a number of it that says anything: the rehearsal's is fixed."""


COUNTS: Mapping[str, Count] = {
    count.key: count
    for count in (
        Count(key="tokens", title="Tokens", unit="tokens", less_is_better=True, of_models=True),
        Count(key="prompt", title="Tokens read", unit="tokens", less_is_better=True, of_models=True),
        Count(key="completion", title="Tokens written", unit="tokens", less_is_better=True, of_models=True),
        Count(key="price", title="Price", unit="$", less_is_better=True, of_models=True),
        Count(key="calls", title="Calls", unit="calls", less_is_better=True, judged=False),
        Count(key="seconds", title="Time to wait, as measured", unit="s", less_is_better=True, judged=False),
        Count(key="distinct-1", title="Distinct-1", unit="share", less_is_better=False, judged=False),
        Count(key="distinct-2", title="Distinct-2", unit="share", less_is_better=False, judged=False),
        Count(key="distinct-3", title="Distinct-3", unit="share", less_is_better=False, judged=False),
        Count(key="ead", title="EAD", unit="ratio", less_is_better=False, judged=False),
    )
}


def measure(session: Session, prices: Prices) -> Measured:
    """Return what a comparison needs of a session."""
    cost = session_cost(session, prices)
    traced = bool(cost.calls)
    groups = (session.plan_calls, *(turn.calls for turn in session.turns))
    # how long the rehearsal takes is a setting, not a measurement
    timed = traced and all(call.model != REHEARSAL for calls in groups for call in calls)
    variety = diversity.measure([session], "paper")
    return Measured(
        session_id=session.id,
        configuration=configuration_of(session),
        client=client_key(session.profile, session.max_turns, session.min_turns),
        name=f"{session.profile.name}, {session.profile.attitude.value}",
        values={
            "tokens": cost.tokens,
            "prompt": cost.prompt_tokens,
            "completion": cost.completion_tokens,
            "price": cost.price,
            "calls": float(cost.calls) if traced else None,
            "seconds": waited(session) if timed else None,
            "distinct-1": variety.distinct_1,
            "distinct-2": variety.distinct_2,
            "distinct-3": variety.distinct_3,
            "ead": variety.ead,
        },
        spent=tuple(_spent(calls) for calls in groups) if traced else (),
    )


def _spent(calls: Iterable[AgentCall]) -> Spent:
    calls = list(calls)
    read, written = [c.usage.prompt_tokens for c in calls], [c.usage.completion_tokens for c in calls]
    return Spent(
        calls=len(calls),
        again=sum(c.attempt > 1 for c in calls),
        prompt=None if None in read else float(sum(n or 0 for n in read)),
        cached=float(sum(c.usage.cached_tokens or 0 for c in calls)),
        completion=None if None in written else float(sum(n or 0 for n in written)),
    )
