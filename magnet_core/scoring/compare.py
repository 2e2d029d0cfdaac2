"""Comparing: sessions by how they were made, paired by client, with intervals; two dialogues turn by turn; and how many are needed.

A pair is one client (every word of it, its attitude too) over the same length, under two configurations; several sessions of
one client under one configuration count as their mean, so that n is a number of clients. Intervals are Student's for the mean
of paired differences. They stand one by one: of twenty true zeros, one is expected to lie outside its interval.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from statistics import mean, stdev
from typing import Literal

from magnet_core import prompts
from magnet_core.costs import Prices, session_cost, waited
from magnet_core.domain import ClientProfile, Prompt, Session, Turn, Value, Visibility
from magnet_core.methods import METHODS, method_named
from magnet_core.scoring.items import Instrument, Scorecard
from magnet_core.scoring.tables import FEWEST, Figure, figures, value_of

LEVEL = 0.95
PAPER = ("magnet", "no-plan", "no-selector", "neither", "single-agent", "plain")
"""The methods of the paper's own table: MAGneT, its ablations, a single agent with a plan (CACTUS), a plain one (Psych8k)."""
OURS = ""
"""The prompts that come with the project."""


class Configuration(Value):
    """How sessions are made: which agents, which models, which words, and who sees what."""

    method: str
    model: str
    """The model that speaks for most agents, then the agents that have another one."""
    visibility: Visibility = "repaired"
    prompts: str = OURS
    """Empty for the project's own prompts; else which ones differ, with a hash of them."""


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


class Count(Value):
    """Something that is counted of a session, not rated."""

    key: str
    title: str
    unit: str
    less_is_better: bool


COUNTS: dict[str, Count] = {
    count.key: count
    for count in (
        Count(key="tokens", title="Tokens", unit="tokens", less_is_better=True),
        Count(key="prompt", title="Tokens read", unit="tokens", less_is_better=True),
        Count(key="completion", title="Tokens written", unit="tokens", less_is_better=True),
        Count(key="seconds", title="Time to wait", unit="s", less_is_better=True),
        Count(key="price", title="Price", unit="$", less_is_better=True),
        Count(key="calls", title="Calls", unit="calls", less_is_better=True),
    )
}
SCORES = ("ctrs", "ctrs:general", "ctrs:cbt", "wai", "wai:task", "wai:bond", "wai:goal", "panas:positive", "panas:negative")
"""The scales that are compared; single items stay on the Scores page."""

Direction = Literal["better", "worse", "unclear"]


class Delta(Value):
    """How one configuration differs from the baseline in one figure, over the clients that both have."""

    n: int
    mean: float | None = None
    spread: float | None = None
    """The standard deviation of the differences."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval; None with fewer than `FEWEST` pairs."""

    @property
    def clear(self) -> bool:
        """Tell whether the interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def direction(self, less_is_better: bool) -> Direction:
        """Return which way a clear difference points; nothing else is ever coloured."""
        if not self.clear or self.mean is None:
            return "unclear"
        return "better" if (self.mean < 0) == less_is_better else "worse"


class Cell(Value):
    """One configuration in one figure."""

    mean: float | None
    """Over its clients, whether they are paired or not."""
    n: int
    """Clients with this figure."""
    delta: Delta | None
    """None for the baseline itself."""


class Row(Value):
    """One figure over all configurations."""

    key: str
    title: str
    unit: str
    less_is_better: bool
    cells: tuple[Cell, ...]
    """In the order of the configurations."""

    @property
    def differs(self) -> bool:
        """Tell whether any configuration clearly differs from the baseline here."""
        return any(cell.delta and cell.delta.clear for cell in self.cells)


class Needed(Value):
    """How many pairs are needed to see a difference."""

    pairs: int
    most: int
    """The same if the spread of the differences is underestimated: with its upper 80 % bound."""


class Line(Value):
    """One moment of two sessions: a turn of each, by its number; 0 is the opening."""

    number: int
    left: Turn | None
    right: Turn | None
    differs: tuple[Literal["counsellor", "client", "choice"], ...]
    """In what; a turn that only one of them has differs in all."""


# How a session was made


def configuration_of(session: Session) -> Configuration:
    """Return how a session was made, from what it recorded."""
    return Configuration(
        method=session.method, model=_voices(session), visibility=session.visibility, prompts=pack_of(session.prompts)
    )


def pack_of(used: Iterable[Prompt]) -> str:
    """Return which prompts differ from the project's own, with a hash of them; empty when none does.

    A method that does not use a changed prompt was not made with it, so its pack is the project's own.
    """
    own = prompts.load()
    changed = sorted((p for p in used if own.get(p.name) != p), key=lambda p: p.name)
    if not changed:
        return OURS
    digest = hashlib.sha256("\n".join(p.model_dump_json() for p in changed).encode()).hexdigest()[:6]
    return f"{', '.join(p.name for p in changed)} · {digest}"


def left_out(session: Session) -> str:
    """Return why a session cannot be compared; empty when it can."""
    if session.parent:
        return "forked"
    if any(turn.typed for turn in session.turns):
        return "typed in by a person"
    if (session.plan and session.plan.by_person) or any(turn.choice and turn.choice.by_person for turn in session.turns):
        return "steered by a person"
    if not session.ended:
        return "not finished"
    return "" if session.method in METHODS else "made by an unknown method"


def client_key(profile: ClientProfile, max_turns: int, min_turns: int) -> str:
    """Return what two sessions must share to be a pair: the same client, word for word, over the same length."""
    told = profile.model_dump_json(exclude={"gaps", "source", "summary", "calls_for"}, exclude_defaults=True)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return f"{profile.id}:{profile.attitude.value}:{digest}:{min(min_turns, max_turns)}-{max_turns}"


def measure(session: Session, prices: Prices) -> Measured:
    """Return what a comparison needs of a session."""
    cost = session_cost(session, prices)
    traced = bool(cost.calls)
    return Measured(
        session_id=session.id,
        configuration=configuration_of(session),
        client=client_key(session.profile, session.max_turns, session.min_turns),
        name=f"{session.profile.name}, {session.profile.attitude.value}",
        values={
            "tokens": cost.tokens,
            "prompt": cost.prompt_tokens,
            "completion": cost.completion_tokens,
            "seconds": waited(session) if traced else None,
            "price": cost.price,
            "calls": float(cost.calls) if traced else None,
        },
    )


def _voices(session: Session) -> str:
    spoken = {call.agent: call.model for turn in session.turns for call in turn.calls}
    spoken = {call.agent: call.model for call in session.plan_calls} | spoken or dict(session.models)
    if not spoken:
        return "unknown"
    main = Counter(spoken.values()).most_common(1)[0][0]
    others = [f"{agent}: {model}" for agent, model in sorted(spoken.items()) if model != main]
    return f"{main} ({', '.join(others)})" if others else main


# Many configurations


def table(
    measured: Iterable[Measured],
    configurations: Sequence[Configuration],
    baseline: Configuration,
    cards: Mapping[str, Mapping[Instrument, Scorecard]],
    clients: frozenset[str] | None = None,
) -> list[Row]:
    """Return every figure over the configurations, with its differences from the baseline.

    `cards` are one judge's by session; figures that no session has are left out. With `clients`, only these count.
    """
    known = figures()
    held = [m for m in measured if clients is None or m.client in clients]
    rows: list[Row] = []
    for figure in (known[key] for key in SCORES):
        values = {m.session_id: value_of(figure, cards.get(m.session_id, {})) for m in held}
        rows.append(_row(figure.key, figure.title, _scale(figure), figure.key == "panas:negative", held, values,
                         configurations, baseline))  # fmt: skip
    for count in COUNTS.values():
        counted = {m.session_id: m.values.get(count.key) for m in held}
        rows.append(_row(count.key, count.title, count.unit, count.less_is_better, held, counted,
                         configurations, baseline))  # fmt: skip
    return [row for row in rows if any(cell.n for cell in row.cells)]


def by_client(
    measured: Iterable[Measured], configuration: Configuration, values: Mapping[str, float | None]
) -> dict[str, float]:
    """Return a configuration's value of each client: the mean over its sessions with that client that have one."""
    found: dict[str, list[float]] = {}
    for one in measured:
        value = values.get(one.session_id)
        if one.configuration == configuration and value is not None:
            found.setdefault(one.client, []).append(value)
    return {client: mean(some) for client, some in found.items()}


def delta(ours: Mapping[str, float], base: Mapping[str, float]) -> Delta:
    """Return the paired difference of two configurations, over the clients that both have."""
    return paired([ours[client] - base[client] for client in sorted(ours.keys() & base.keys())])


def paired(differences: Sequence[float]) -> Delta:
    """Return the mean of paired differences with Student's 95 % interval; none with fewer than `FEWEST`."""
    n = len(differences)
    if not n:
        return Delta(n=0)
    middle = mean(differences)
    spread = stdev(differences) if n > 1 else None
    if n < FEWEST or spread is None:
        return Delta(n=n, mean=middle, spread=spread)
    half = _student(n - 1) * spread / math.sqrt(n)
    return Delta(n=n, mean=middle, spread=spread, low=middle - half, high=middle + half)


def needed(spread: float, worth: float, n: int, power: float = 0.8) -> Needed | None:
    """Return how many pairs show a difference `worth` seeing, when differences spread like this; None if that cannot be said.

    For a two-sided paired t test at 5 %. `n` is how many pairs the spread was taken from: the fewer, the wider its own bound.
    """
    if n < FEWEST or spread <= 0 or worth == 0:
        return None
    from scipy.stats import chi2

    upper = spread * math.sqrt((n - 1) / float(chi2.ppf(0.2, n - 1)))
    return Needed(pairs=_pairs(abs(worth) / spread, power), most=_pairs(abs(worth) / upper, power))


def power_of(pairs: int, effect: float) -> float:
    """Return how likely a paired t test at 5 % sees an effect, in standard deviations of the differences."""
    from scipy.stats import nct, t

    free, shift = pairs - 1, effect * math.sqrt(pairs)
    edge = float(t.ppf(1 - (1 - LEVEL) / 2, free))
    if shift > 30:  # beyond what the noncentral distribution is computed for, and sure
        return 1.0
    return float(nct.sf(edge, free, shift) + nct.cdf(-edge, free, shift))


def _pairs(effect: float, power: float) -> int:
    """Return the fewest pairs with that power, at least two; the normal approximation is where the search begins."""
    from scipy.stats import norm

    low, high = 2, max(4, 2 * math.ceil(((float(norm.ppf(0.975)) + float(norm.ppf(power))) / effect) ** 2) + 8)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, effect) >= power else (middle + 1, high)
    return low


def _row(
    key: str,
    title: str,
    unit: str,
    less_is_better: bool,
    measured: Sequence[Measured],
    values: Mapping[str, float | None],
    configurations: Sequence[Configuration],
    baseline: Configuration,
) -> Row:
    base = by_client(measured, baseline, values)
    cells: list[Cell] = []
    for configuration in configurations:
        own = by_client(measured, configuration, values)
        middle = mean(own.values()) if own else None
        cells.append(Cell(mean=middle, n=len(own), delta=None if configuration == baseline else delta(own, base)))
    return Row(key=key, title=title, unit=unit, less_is_better=less_is_better, cells=tuple(cells))


def _scale(figure: Figure) -> str:
    return f"{figure.low:g} to {figure.high:g}".replace("-", "−")


@lru_cache(maxsize=512)
def _student(free: int) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - (1 - LEVEL) / 2, free))


# Two sessions


def side_by_side(left: Session, right: Session) -> list[Line]:
    """Return two sessions turn by turn, in step; where one is longer, the other's side is empty."""
    lines: list[Line] = []
    for number in range(1, max(len(left.turns), len(right.turns)) + 1):
        a, b = (s.turns[number - 1] if number <= len(s.turns) else None for s in (left, right))
        differs: list[Literal["counsellor", "client", "choice"]] = []
        if a is None or b is None or a.response != b.response:
            differs.append("counsellor")
        if a is None or b is None or a.reply != b.reply:
            differs.append("client")
        if (a.choice.techniques if a and a.choice else ()) != (b.choice.techniques if b and b.choice else ()):
            differs.append("choice")
        lines.append(Line(number=number, left=a, right=b, differs=tuple(differs)))
    return lines


# What is missing


def paper_table(like: Configuration) -> list[Configuration]:
    """Return the configurations of the paper's own table, all else as in one of them."""
    return [like.model_copy(update={"method": name}) for name in PAPER]


def missing(
    measured: Iterable[Measured], configurations: Iterable[Configuration], clients: Iterable[str]
) -> list[tuple[Configuration, str]]:
    """Return the configurations and clients that have no session yet."""
    there = {(m.configuration, m.client) for m in measured}
    keys = list(clients)
    return [(c, client) for c in configurations for client in keys if (c, client) not in there]


def name_of(configuration: Configuration, among: Sequence[Configuration] = ()) -> str:
    """Return a configuration in words: its method, and of the rest what differs `among` several."""
    others = [c for c in among if c != configuration]
    words = [method_named(configuration.method).title if configuration.method in METHODS else configuration.method]
    if not others or any(c.model != configuration.model for c in others):
        words.append(configuration.model)
    if any(c.visibility != configuration.visibility for c in others):
        words.append(f"{configuration.visibility} visibility")
    if any(c.prompts != configuration.prompts for c in others):
        words.append(f"prompts: {configuration.prompts or 'ours'}")
    return ", ".join(words)
