"""What judges gave in the lab: variants summed up over all they were asked about, then beside each other. Everything is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from html import escape
from statistics import mean

from pydantic import ValidationError

from magnet_core.lab import Experiment, Lane, Sample
from magnet_core.lab.judge_trials import Summary, summary
from magnet_core.scoring.aspects import OVERALL
from ui.engine.bench import Look
from ui.lab.answers import beside, earlier_words, progress
from ui.lab.subjects import Before

NONE = "–"


def experiment(made: Experiment, look: Look | None, page: int, size: int, changed: Collection[str], used: str) -> str:
    """Return a run of judges' prompts; `look` is the run as it goes on, None for one that is over."""
    now = made.model_copy(update={"samples": look.samples}) if look else made
    told = f"Run of {made.made:%d %b, %H:%M} UTC with “{made.pack}”: {made.title}."
    parts = [f'<p class="hint">{escape(told)}</p>', used, earlier_words(made, changed)]
    if now.samples:
        parts.append(table(now))
    for place in made.moments[page * size : (page + 1) * size]:
        parts.append(_place(now, place, look))
    end = progress(look) if look else f'<p class="hint">{escape(made.ended)}</p>' if made.ended else ""
    return f'<div class="lab">{"".join(parts)}{end}</div>'


def _place(made: Experiment, place: str, look: Look | None) -> str:
    """Return what was kept before and what the variants gave on one thing."""
    before = dict.fromkeys(one for lane in made.lanes if lane.moment == place and (one := before_of(lane)))
    head = f"<h3>{escape(place)}</h3>" if len(made.moments) > 1 else ""
    return f"{head}{''.join(map(_before, before))}{beside(made, place, look)}"


def before_of(lane: Lane) -> Before | None:
    """Return what was kept before a run began."""
    try:
        return Before.model_validate_json(lane.own) if lane.own else None
    except ValidationError:
        return None


def _before(one: Before) -> str:
    return (
        f'<section class="card first recorded"><header><h3>On record</h3><span class="status">{escape(one.note)}</span></header>'
        f'<p class="says pre">{escape(one.said)}</p></section>'
    )


# Summed up


def table(made: Experiment) -> str:
    """Return what each variant gave over all it was asked about."""
    given = [(key, value) for sample in made.samples for key, value in sample.given.items()]
    numbers = list(dict.fromkeys(key for key, value in given if isinstance(value, float | int)))
    if len(numbers) == 1:
        return _scores(made, numbers[0])
    if numbers:
        return _many_scores(made, numbers)
    return _words(made)


def _scores(made: Experiment, item: str) -> str:
    heads = ["", "n", "Mean", "SD between", "SD within", "Scores read", "Missing", "No answer"]
    rows = []
    for variant in made.variants:
        one = summary(_places(made, variant), item)
        rows.append(
            [f"Variant {variant}", f"{one.places}", _number(one.mean), _number(one.apart), _number(one.within),
             f"{one.answers}", f"{one.missing}", f"{one.unanswered}"]
        )  # fmt: skip
    kept = {lane.moment: one.value for lane in made.lanes if (one := before_of(lane)) and one.value is not None}
    if kept:
        spread = summary(
            {m: [Sample(label="", number=1, model="", prompt_sha="", given={item: v})] for m, v in kept.items()}, item
        )
        rows.append(
            ["On record", f"{len(kept)}", _number(mean(kept.values())), _number(spread.apart), NONE, NONE, NONE, NONE]
        )
    told = (
        "n: how many were asked about and gave at least one score; each counts once, with the mean of its answers. SD: standard "
        "deviation, between them and among the answers about one."
    )
    return _drawn(heads, rows, told)


def _many_scores(made: Experiment, items: Sequence[str]) -> str:
    variants = made.variants
    sums: dict[str, dict[str, Summary]] = {v: {i: summary(_places(made, v), i) for i in items} for v in variants}
    rows = [[item, *(_spread(sums[v][item]) for v in variants)] for item in items]
    lost = [
        f"{sum(s.error != '' for s in _of(made, v))} / {sum(not s.error and not s.given for s in _of(made, v))}"
        for v in variants
    ]
    rows.append(["Without an answer / unreadable", *lost])
    return _drawn(
        ["", *(f"Variant {v}" for v in variants)], rows, "Mean, ± standard deviation between those asked about, and their n."
    )


def _spread(one: Summary) -> str:
    if one.mean is None:
        return "missing"
    apart = "" if one.apart is None else f" ± {one.apart:.2f}"
    return f"{one.mean:.2f}{apart} (n = {one.places})"


def _words(made: Experiment) -> str:
    """Return how often each variant said what: which session of a pair, or yes and no."""
    named = {key for sample in made.samples for key in sample.given}
    kinds = ["first", "second", "tie"] if OVERALL in named else ["yes", "no"] if "answer" in named else []
    rows = []
    for variant in made.variants:
        own = _of(made, variant)
        said = [str(s.given.get(OVERALL, s.given.get("answer", ""))) for s in own if not s.error]
        counts, lost = Counter(said), len(own) - len(said)
        row = [
            f"Variant {variant}",
            *(f"{counts[kind]}" for kind in kinds),
            f"{sum(one not in kinds for one in said)}",
            f"{lost}",
        ]
        rows.append([*row, _turned(made, variant)] if "tie" in kinds else row)
    heads = ["", *(kind.capitalize() for kind in kinds), "Not readable", "No answer"]
    if "tie" not in kinds:
        return _drawn(heads, rows, "How often each answer was given.")
    told = (
        "The overall preference; first and second as they are named in the list of pairs. Turned: pairs whose preference turned round "
        "when the other session was shown first."
    )
    return _drawn([*heads, "Turned"], rows, told)


def _turned(made: Experiment, variant: str) -> str:
    """Return in how many pairs the order alone decided."""
    orders: dict[str, list[str]] = {}
    for lane in made.lanes:
        if lane.variant == variant:
            said = Counter(str(s.given[OVERALL]) for s in made.of(lane) if OVERALL in s.given).most_common(1)
            if said:
                orders.setdefault(lane.moment.rpartition(",")[0], []).append(said[0][0])
    both = [said for said in orders.values() if len(said) == 2]
    return f"{sum(one != two for one, two in both)} of {len(both)}" if both else NONE


def _places(made: Experiment, variant: str) -> dict[str, list[Sample]]:
    return {lane.moment: made.of(lane) for lane in made.lanes if lane.variant == variant}


def _of(made: Experiment, variant: str) -> list[Sample]:
    return [sample for own in _places(made, variant).values() for sample in own]


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _drawn(heads: Iterable[str], rows: Iterable[Sequence[str]], note: str) -> str:
    titles = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr><td><b>{escape(row[0])}</b></td>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table class="matrix sums short"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<p class="hint">{escape(note)}</p>'
    )
