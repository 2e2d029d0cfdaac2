"""Answers of the lab side by side, those that say the same on one stack, and what they come to. Everything is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from html import escape
from statistics import mean, stdev

from magnet_core import lab
from magnet_core.domain import AgentCall
from magnet_core.lab import Experiment, Sample, Stack
from magnet_core.models import REHEARSAL
from magnet_core.scoring.judge import JUDGE
from ui import theme
from ui.engine.bench import Look

_MOST = 40
"""The most open texts that grow on the screen at once."""


def in_session(call: AgentCall, agent: str) -> str:
    """Return what the session itself holds for a moment, in words, and as it came."""
    heat = "–" if call.temperature is None else f"{call.temperature:g}"
    model = "Rehearsal" if call.model == REHEARSAL else call.model
    head = f"{escape(model)} · temperature {heat} · {call.seconds:.2f} s · attempt {call.attempt}"
    why = f'<p class="flag">A guard did not like it: {escape(call.problem)}</p>' if call.problem else ""
    return (
        f'<div class="lab"><section class="card first recorded"><header><h3>In the session</h3><span class="status">{head}</span>'
        f"</header>{_words(in_words(agent, call.output))}{why}{_raw(call.output, in_words(agent, call.output))}</section></div>"
    )


def in_words(agent: str, raw: str) -> str:
    """Return an agent's raw answer in words."""
    return lab.told(lab.AGENTS[agent], raw) if agent in lab.AGENTS else raw.strip()


def experiment(made: Experiment, look: Look | None, page: int, size: int, changed: Collection[str], used: str) -> str:
    """Return a run: what its variants come to, then moment by moment the session's own answer and theirs side by side.

    `look` is the run as it goes on, None for one that is over; `changed` names the variants whose words are others by now.
    """
    now = made.model_copy(update={"samples": look.samples}) if look else made
    several = len(made.lanes) > len(made.variants)
    told = f"Run of {made.made:%d %b, %H:%M} UTC: {made.title}"
    parts = [f'<p class="hint">{escape(told)}</p>', used, earlier_words(made, changed)]
    if now.samples and (several or len(now.samples) > len(made.lanes)):
        parts.append(table(now))
    for moment in made.moments[page * size : (page + 1) * size]:
        own = next(lane.own for lane in made.lanes if lane.moment == moment)
        parts.append(f"<h3>{escape(moment[:1].upper() + moment[1:])}</h3>" if moment else "")
        if own:
            text = in_words(made.agent, own)
            told = f"{_words(text)}{_raw(own, text)}"
            parts.append(f'<section class="card first recorded"><header><h3>In the session</h3></header>{told}</section>')
        parts.append(beside(now, moment, look))
    end = progress(look) if look else f'<p class="hint">{escape(made.ended)}</p>' if made.ended else ""
    return f'<div class="lab">{"".join(parts)}{end}</div>'


def earlier_words(made: Experiment, changed: Collection[str]) -> str:
    """Return that answers were given to words that are others by now."""
    if not changed:
        return ""
    all_of_them = set(made.variants) <= set(changed)
    whose = "These answers were" if all_of_them else f"Answers of variant {', '.join(sorted(changed))} were"
    return f'<p class="remark" role="status">{whose} given to earlier words, not to those in the fields now.</p>'


def table(made: Experiment) -> str:
    """Return what each variant's answers come to, over all its moments."""
    names = {variant: made.summary(variant) for variant in made.variants}
    picks = made.agent in ("selector", "planner")
    heads = ["Variant", "Answers", "No answer", "Length in words", "A guard would ask again", "Same as in the session"]
    rows = []
    for variant, one in names.items():
        length = (
            "–" if one.words is None else f"{one.words:.1f}" + ("" if one.words_sd is None else f" ± {one.words_sd:.1f}")
        )
        same = f"{one.same} of {one.compared}" if one.compared else "–"
        chosen = ", ".join(f"{_technique(name)} {count}" for name, count in one.choices) or "–"
        cells = [f"<b>{variant}</b>", f"{one.answers}", f"{one.missing}", length, f"{one.questioned} of {one.answers}", same]
        rows.append(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in [*cells, *([escape(chosen)] if picks else [])]) + "</tr>"
        )
    titles = "".join(f"<th>{head}</th>" for head in [*heads, *(["Techniques"] if picks else [])])
    count = len(made.moments)
    over = f"Over {count} moments. " if count > 1 else ""
    note = f"{over}Length: mean ± standard deviation. Same: {_SAME.get(made.agent, 'word for word')}."
    return (
        f'<div class="scroll"><table class="matrix sums"><thead><tr>{titles}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f'<p class="hint">{note}</p>'
    )


_SAME = {"selector": "the same techniques and step", "planner": "the same technique"}


def _technique(name: str) -> str:
    return theme.title_of(name) if name in theme.TECHNIQUE_NAMES else name


def _words(text: str) -> str:
    return f'<p class="says pre">{escape(text)}</p>' if text.strip() else '<p class="hint">The answer was empty.</p>'


def _raw(raw: str, text: str) -> str:
    """Return the answer as it came, folded, where that is another text."""
    if raw.strip() == text.strip():
        return ""
    return f'<details class="fold"><summary>The answer as it came</summary><p class="words">{escape(raw)}</p></details>'


def beside(made: Experiment, moment: str, look: Look | None) -> str:
    """Return the answers of all variants in one moment side by side, those that come to the same on one stack.

    What a reader should know of a variant stands in the first moment only.
    """
    lanes = [lane for lane in made.lanes if lane.moment == moment]
    growing = sorted(look.growing.items()) if look else []
    columns = [
        column(
            f"Variant {lane.variant}", made.agent, made.of(lane), [t for (label, _), t in growing if label == lane.label][:_MOST],
            lane.note if moment == made.moments[0] else "", bool(look and look.live),
        )
        for lane in lanes
    ]  # fmt: skip
    return f'<div class="lab trials" style="--n:{len(lanes)}">{"".join(columns)}</div>'


def progress(look: Look) -> str:
    """Return how far a run is, with how often there was no answer."""
    done, lost = len(look.samples), sum(bool(s.error) for s in look.samples)
    came = done - lost
    answers = f"{came} answer{'' if came == 1 else 's'}"
    missing = f"; {lost} asked without an answer" if lost else ""
    words = {
        "running": f"{came} of {look.total} answers{missing}",
        "stopping": "Stopping",
        "done": f"{answers} in {look.seconds:.1f} s{missing}{'. ' * bool(look.error)}{look.error}",
        "stopped": f"Stopped after {came} of {look.total} answers{missing}",
        "failed": look.error,
    }[look.state]
    if look.state == "failed":
        return f'<p class="flag risk" role="alert">{escape(words)}</p>'
    return f'<p class="hint" role="status" aria-live="polite">{escape(words)}</p>'


def column(label: str, agent: str, own: Sequence[Sample], growing: Sequence[str], note: str, live: bool) -> str:
    parts = [f'<header><h3>{escape(label)}</h3><span class="status">{escape(note)}</span></header>']
    if own:
        parts.append(f'<p class="hint spread">{escape(_spread(own, agent))}</p>')
    parts += [_stack(pile, agent) for pile in lab.stacks(agent, own)]
    for error in dict.fromkeys(sample.error for sample in own if sample.error):
        count = sum(sample.error == error for sample in own)
        parts.append(f'<p class="flag"><b>No answer{f", {count} ×" if count > 1 else ""}.</b> {escape(error)}</p>')
    parts += [f'<div class="stack"><p class="says">{escape(text)}<span class="cursor"></span></p></div>' for text in growing]
    if not own and not growing:
        parts.append(f'<p class="hint">{"Waiting" if live else "No answer"}</p>')
    return f'<section class="card">{"".join(parts)}</section>'


def _stack(pile: Stack, agent: str) -> str:
    """Return answers that come to the same: the first in full, every other wording and every raw answer in a fold."""
    count, first = len(pile.samples), pile.samples[0]
    badge = f'<b class="times">{count} ×</b>' if count > 1 else ""
    picks = agent in ("selector", "planner") and count > 1
    head = (
        f'<p class="says"><b>{escape(pile.says)}</b></p>'
        if picks and not first.text.casefold().startswith(pile.says.casefold())
        else ""
    )
    facts = f"{mean(s.seconds for s in pile.samples):.2f} s" + (" on average" if count > 1 else "")
    lengths = [s.usage.completion_tokens for s in pile.samples if s.usage.completion_tokens is not None]
    facts += f" · {mean(lengths):,.0f} tokens" if lengths else ""
    why = "".join(
        f'<p class="flag">A guard would ask again{f", {times} of {count}" if count > 1 else ""}: {escape(problem)}</p>'
        for problem, times in Counter(s.problem for s in pile.samples if s.problem).items()
    )
    others = [(text, times) for text, times in pile.wordings if text != first.text]
    more = "".join(f"<li>{f'<b>{times} ×</b> ' if times > 1 else ''}{_words(text)}</li>" for text, times in others)
    count_of = sum(times for _, times in others)
    fold = (
        f'<details class="fold"><summary>The other {count_of} in full</summary><ul>{more}</ul></details>' if count_of else ""
    )
    raws = list(dict.fromkeys(s.raw.strip() for s in pile.samples if s.raw.strip() != s.text.strip()))
    came = "".join(f'<li><p class="words">{escape(raw)}</p></li>' for raw in raws)
    title = "The answer as it came" if len(raws) == 1 else f"{len(raws)} answers as they came"
    raw = f'<details class="fold"><summary>{title}</summary><ul>{came}</ul></details>' if raws else ""
    return f'<div class="stack{" many" if count > 1 else ""}">{badge}{head}{_words(first.text)}{fold}{why}<p class="hint">{facts}</p>{raw}</div>'


def _spread(own: Sequence[Sample], agent: str) -> str:
    """Return in a sentence how far answers lie apart."""
    found = lab.spread(own, agent)
    lost = f" No answer: {found.failed} of {len(own)}." if found.failed else ""
    if not found.answers or found.words is None:
        return lost.strip() or "No answer."
    low, high = found.words
    if agent == JUDGE and not any(sample.given for sample in own):
        return f"Nothing could be read in {'the answer' if found.answers == 1 else f'any of {found.answers} answers'}.{lost}"
    if found.answers == 1:
        return f"One answer, {low} {'word' if low == 1 else 'words'}.{lost}"
    given = [(what, value) for sample in own for what, value in sample.given.items() if isinstance(value, float)]
    if given and len(dict(given)) == 1:
        return _scores([value for _, value in given], found.answers) + lost
    length = f"{low} words each" if low == high else f"{low} to {high} words"
    if found.distinct == 1:
        words = f"All {found.answers} answers are the same, {length}."
    else:
        words = f"{found.distinct} different among {found.answers} answers, {length}"
        words += f"; two of them differ in {found.apart:.0%} of their words on average." if found.apart else "."
    named = lab.summary([(s, "") for s in own], agent).choices
    choices = "".join(f" {_technique(name)} {count} of {found.answers}." for name, count in named)
    again = f" A guard would ask again for {found.questioned}." if found.questioned else ""
    return f"{words}{choices}{again}{lost}"


def _scores(scores: Sequence[float], answers: int) -> str:
    apart = f", SD {stdev(scores):.2f}" if len(scores) > 1 else ""
    lost = f" {answers - len(scores)} could not be read." if answers > len(scores) else ""
    span = f"{min(scores):g} to {max(scores):g}" if min(scores) < max(scores) else f"{scores[0]:g} each"
    return f"{len(scores)} of {answers} scores read: {span}, mean {mean(scores):.2f}{apart}.{lost}"
