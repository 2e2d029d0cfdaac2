"""What sessions to be made will take: learnt, turn by turn, from finished ones of their kind, else read off the prompts.

Prompts grow with the dialogue, so that a late turn takes several times the tokens of an early one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean

from magnet_core import prompts
from magnet_core.costs import Prices, price_of_usage, today
from magnet_core.domain import (
    Candidate,
    CbtTechnique,
    Choice,
    ClientProfile,
    Moment,
    Plan,
    Reply,
    Session,
    Technique,
    Turn,
    Usage,
    Value,
)  # fmt: skip
from magnet_core.lab import AGENTS, tokens
from magnet_core.methods import method_named
from magnet_core.models import REHEARSAL
from magnet_core.scoring.compare.configurations import Configuration
from magnet_core.scoring.compare.measures import Measured, Spent
from magnet_core.session import new_session

MESSAGE = 440
"""Letters of a usual message, for a guess before the first session: 77 words."""
PLAN_STEPS, STEP = 5, 120
"""Steps of a usual plan, and letters of each."""
ANSWER = 3
"""An answer is guessed to take the length its agent is allowed, by this number."""


class ToMake(Value):
    """A session that is wanted: how, with whom, over how many turns at most, and how many of them are there."""

    configuration: Configuration
    profile: ClientProfile | None
    turns: int
    begun: int = 0
    texts: tuple[prompts.Prompt, ...] = ()
    """The prompts it will be made with; empty for the project's own."""


class Forecast(Value):
    """What sessions will take if none is ended early; tokens and price are None where they cannot be said."""

    calls: float = 0.0
    again: float | None = None
    """Share of the calls that will be made because an answer was not used; None where no session tells."""
    tokens: float | None = 0.0
    price: float | None = 0.0
    learnt_from: int = 0
    """Finished sessions it was learnt from."""
    guessed: int = 0
    """Sessions of kinds of which none is finished: these were guessed from the prompts."""


def forecast(wanted: Iterable[ToMake], known: Sequence[Measured], prices: Prices) -> Forecast:
    """Return about what sessions will take together."""
    calls = again = read = 0.0
    price: float | None = 0.0
    learnt: set[str] = set()
    guessed, told, counted = 0, False, True
    courses: dict[tuple[Configuration, int, bool], tuple[list[Spent], list[Measured]]] = {}
    for one in wanted:
        key = (one.configuration, one.turns, one.profile is None)
        if key not in courses:
            like = _alike(one.configuration, known)
            courses[key] = (_course(like, one.turns) or _guess(one), like)
            learnt |= {m.session_id for m in like}
        course, like = courses[key]
        guessed += not like
        told = told or bool(like)
        for spent in course[one.begun + 1 if one.begun else 0 :]:
            calls, again = calls + spent.calls, again + spent.again
            if one.configuration.model == REHEARSAL:
                continue
            if spent.prompt is None or spent.completion is None:
                counted, price = False, None
                continue
            read += spent.prompt + spent.completion
            usage = Usage(
                prompt_tokens=round(spent.prompt),
                cached_tokens=round(spent.cached),
                completion_tokens=round(spent.completion),
            )
            cost = price_of_usage(one.configuration.model, usage, prices, today())
            price = None if price is None or cost is None else price + cost
    return Forecast(
        calls=calls,
        again=again / calls if told and calls else None,
        tokens=read if counted else None,
        price=price,
        learnt_from=len(learnt),
        guessed=guessed,
    )


def _alike(configuration: Configuration, known: Sequence[Measured]) -> list[Measured]:
    """Return the sessions that tell most about a configuration: of just this one, else by the same agents and model."""
    same = [m for m in known if m.spent and m.configuration == configuration]
    return same or [
        m
        for m in known
        if m.spent and (m.configuration.method, m.configuration.model) == (configuration.method, configuration.model)
    ]


def _course(like: Sequence[Measured], turns: int) -> list[Spent]:
    """Return what the plan and every turn took on average; turns later than any known follow the line of the known ones."""
    if not like:
        return []
    found: list[Spent] = []
    for number in range(turns + 1):
        own = [m.spent[number] for m in like if number < len(m.spent)]
        found.append(_average(own) if own else _next(found))
    return found


def _average(spent: Sequence[Spent]) -> Spent:
    def middle(values: Iterable[float | None]) -> float | None:
        there = [v for v in values if v is not None]
        return mean(there) if there else None

    return Spent(
        calls=mean(s.calls for s in spent),
        again=mean(s.again for s in spent),
        prompt=middle(s.prompt for s in spent),
        cached=mean(s.cached for s in spent),
        completion=middle(s.completion for s in spent),
    )


def _next(before: Sequence[Spent]) -> Spent:
    """Return what the turn after these takes: as the last one, its prompts longer by as much as they grew a turn so far."""
    last, first = before[-1], before[min(1, len(before) - 1)]
    steps = len(before) - 2
    if steps < 1 or last.prompt is None or first.prompt is None:
        return last
    return last.model_copy(update={"prompt": last.prompt + max(0.0, (last.prompt - first.prompt) / steps)})


def _guess(one: ToMake) -> list[Spent]:
    """Return what the plan and every turn take by the length of the prompts, with messages of the usual length."""
    method = method_named(one.configuration.method)
    if one.profile is None:
        return [Spent(calls=method.calls(one.turns))]
    session = _usual_session(one)
    texts = {p.name: p for p in session.prompts}

    def read(number: int, agent: str, seen: Session) -> int:
        turn = session.turns[number - 1] if number else None
        moment = Moment(
            agent=agent,
            session=seen,
            choice=turn.choice if turn and agent == "responder" else None,
            candidates=turn.candidates if turn and agent == "responder" else (),
            response=turn.response if turn and agent == "client" else None,
        )
        return sum(tokens(message.content) for message in prompts.render(texts, method.roster, moment))

    def spent(number: int, agents: Sequence[str], seen: Session) -> Spent:
        written = sum(AGENTS[name].max_tokens // ANSWER for name in agents)
        return Spent(calls=len(agents), prompt=float(sum(read(number, n, seen) for n in agents)), completion=float(written))

    planners = [method.planner.name] if method.planner else []
    unplanned = session.model_copy(update={"plan": None, "turns": ()})
    agents = [name for name in method.agents if name not in planners]
    first, last = (spent(n, agents, session.upto(n - 1)) for n in (1, one.turns))
    grows = (last.prompt - first.prompt) / max(1, one.turns - 1) if last.prompt and first.prompt else 0.0
    course = [first.model_copy(update={"prompt": (first.prompt or 0.0) + n * grows}) for n in range(one.turns)]
    return [spent(0, planners, unplanned), *course]


def _usual_session(one: ToMake) -> Session:
    assert one.profile
    texts = prompts.load() | {p.name: p for p in one.texts}
    method = method_named(one.configuration.method)
    said = "word " * (MESSAGE // 5)
    turn = Turn(
        choice=Choice(techniques=(Technique.REFLECTION,), plan_step=1) if method.selector else None,
        candidates=tuple(Candidate(technique=t, text=said) for t in Technique) if method.specialists else (),
        response=said,
        reply=Reply(text=said),
    )
    plan = Plan(technique=CbtTechnique.DECATASTROPHIZING, reason=said[:STEP], steps=("word " * (STEP // 5),) * PLAN_STEPS)
    session = new_session(
        one.profile, method=method.name, visibility=one.configuration.visibility, max_turns=one.turns, prompt_set=texts
    )
    return session.model_copy(update={"plan": plan if method.planner else None, "turns": (turn,) * one.turns})
