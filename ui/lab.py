"""What the prompt lab draws: prompts with their variables marked, remarks, answers side by side. Everything is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import mean, stdev

from magnet_core import lab, prompts
from magnet_core.domain import AgentCall, Prompt
from magnet_core.lab import Case, Cost, Remark, Sample, Stretch
from magnet_core.models import Message
from magnet_core.scoring.expectation import Verdict
from magnet_core.scoring.judge import JUDGE
from ui import theme
from ui.bench import Look

FIELDS = {
    "role": "Its role, as the team's list tells it",
    "note": "Its line at the end of each request",
    "system": "What opens each request",
}
FRAMES = {"counsellor": "Counsellor's frame", "plain-counsellor": "Plain counsellor's frame"}
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}
_SCORE = re.compile(r"Score (\d+(?:\.\d+)?)$")
_MOST = 40
"""The most open texts that grow on the screen at once."""


def name_of(prompt: str) -> str:
    """Return a prompt's name for the screen."""
    return FRAMES.get(prompt) or theme.title_of(prompt)


def marked(stretches: Iterable[Stretch], *, filled: bool) -> str:
    """Return a prompt's words with its variables marked."""
    out: list[str] = []
    for one in stretches:
        text = escape(one.text)
        part = prompts.PARTS.get(prompts.part_of(one.variable), "") or one.variable.replace("_", " ")
        known = one.variable in prompts.VARIABLES
        title = f"${one.variable}" if filled else part if known else "There is no such variable"
        out.append(
            f'<mark class="var{"" if known else " odd"}" title="{escape(title)}">{text}</mark>' if one.variable else text
        )
    return "".join(out)


def written(texts: Sequence[Prompt], names: Mapping[str, Sequence[str]]) -> str:
    """Return prompts as they are written, variables marked."""
    cards = []
    for prompt in texts:
        for field in names[prompt.name]:
            body = marked(lab.variables_in(lab.fields(prompt)[field]), filled=False)
            cards.append(
                f'<section class="card"><header><h3>{escape(name_of(prompt.name))}: {FIELDS[field].lower()}</h3></header>'
                f'<p class="words">{body}</p></section>'
            )
    used = sorted({v for p in texts for v in prompts.variables(p) if v in prompts.VARIABLES})
    legend = "".join(
        f"<li><code>${escape(v)}</code> {escape(prompts.PARTS.get(prompts.part_of(v), _PLAIN.get(v, v)))}</li>" for v in used
    )
    return f'<div class="lab">{"".join(cards)}<ul class="legend">{legend}</ul></div>'


_PLAIN = {
    "turn": "Number of the turn",
    "max_turns": "Turns at most",
    "min_turns": "Turns at least",
    "catalogue": "The roles of the whole team",
    "cbt_techniques": "Names of the twelve CBT techniques",
}


def sent(pairs: Sequence[tuple[Message, Sequence[Stretch]]], call: AgentCall | None, sha: str) -> str:
    """Return the messages as they would be sent, what was filled in marked; the dialogue folds away."""
    if call is None:
        same = "No call of this agent is recorded for this moment."
    elif call.prompt_sha == sha:
        same = f"Word for word what was sent in this session (hash {sha})."
    else:
        same = f"Not what was sent in this session: hash {sha}, recorded {call.prompt_sha}."
    cards = []
    for number, (message, stretches) in enumerate(pairs):
        body = f'<p class="words">{marked(stretches, filled=True)}</p>'
        head = _SPEAKERS[message.role]
        if 0 < number < len(pairs) - 1:
            cards.append(f'<div class="turned"><b>{head}</b>{body}</div>')
        else:
            cards.append(f'<section class="card"><header><h3>{head}</h3></header>{body}</section>')
    middle = cards[1:-1]
    fold = (
        f'<details class="fold"><summary>The dialogue before: {len(middle)} messages</summary>{"".join(middle)}</details>'
        if middle
        else ""
    )
    length = sum(lab.tokens(m.content) for m, _ in pairs)
    note = f"{same} About {length:,} tokens. Marked: what was filled in; point at it to see its variable."
    return f'<div class="lab"><p class="hint">{escape(note)}</p>{cards[0]}{fold}{cards[-1] if len(cards) > 1 else ""}</div>'


def asked(pairs: Sequence[tuple[Message, Sequence[Stretch]]]) -> str:
    """Return messages as they are sent."""
    cards = (
        f'<section class="card"><header><h3>{_SPEAKERS[message.role]}</h3></header>'
        f'<p class="words">{marked(stretches, filled=True)}</p></section>'
        for message, stretches in pairs
    )
    return f'<div class="lab">{"".join(cards)}</div>'


def remarks(found: Sequence[tuple[str, Remark]]) -> str:
    """Return what is amiss, each with the text it is about."""
    rows = "".join(
        f'<p class="flag{" risk" if r.kind == "error" else ""}"><b>{escape(name_of(name))}</b>'
        f"{', ' + FIELDS[r.field].lower() if r.field else ''}: {escape(r.text)}</p>"
        for name, r in found
    )
    return f'<div class="lab" role="status">{rows}</div>' if rows else ""


def diff(before: str, after: str) -> str:
    """Return two texts as one, what is gone struck and what is new underlined."""
    from magnet_core.differences import differences

    tags = {"same": "span", "gone": "del", "new": "ins"}
    return "".join(f"<{tags[p.kind]}>{escape(p.text)}</{tags[p.kind]}>" for p in differences(before, after))


def diffs(old: Sequence[Prompt], new: Sequence[Prompt], names: Mapping[str, Sequence[str]]) -> str:
    """Return where prompts differ, word by word."""
    cards = []
    for before, after in zip(old, new, strict=True):
        for field in names[after.name]:
            a, b = lab.fields(before)[field], lab.fields(after)[field]
            if a != b:
                cards.append(
                    f'<section class="card"><header><h3>{escape(name_of(after.name))}: {FIELDS[field].lower()}</h3></header>'
                    f'<p class="words compare">{diff(a, b)}</p></section>'
                )
    return f'<div class="lab">{"".join(cards) or "<p class=hint>Not a word differs.</p>"}</div>'


def cost_line(cost: Cost) -> str:
    """Return what a run will take, in a line."""
    price = "–" if cost.price is None else "nothing" if cost.price == 0 else f"about ${cost.price:.4f}"
    calls = "1 call" if cost.calls == 1 else f"{cost.calls:,} calls"
    return (
        f'<p class="facts cost"><span><b>{calls}</b></span><span>about <b>{cost.tokens_in:,}</b> tokens in, '
        f"<b>{cost.tokens_out:,}</b> out</span><span>price <b>{price}</b></span></p>"
    )


def recorded(call: AgentCall | None, text: str) -> str:
    """Return what the session itself holds for this moment."""
    if call is None:
        return ""
    heat = "–" if call.temperature is None else f"{call.temperature:g}"
    head = f"{escape(call.model)} · temperature {heat} · {call.seconds:.2f} s · attempt {call.attempt}"
    why = f'<p class="flag">A guard did not like it: {escape(call.problem)}</p>' if call.problem else ""
    return (
        f'<section class="card first recorded"><header><h3>In the session</h3><span class="status">{head}</span></header>'
        f'<p class="says">{escape(text or call.output)}</p>{why}</section>'
    )


def results(look: Look, notes: Mapping[str, str], across: int) -> str:
    """Return the answers of all variants side by side, `across` in a row, those that say the same on one stack."""
    columns = []
    for label in look.labels:
        own = look.of(label)
        growing = [text for (one, _), text in sorted(look.growing.items()) if one == label][:_MOST]
        columns.append(_column(look, label, own, growing, notes.get(label, "")))
    return f'<div class="lab trials" style="--n:{across}">{"".join(columns)}</div>' + progress(look)


def progress(look: Look) -> str:
    done = len(look.samples)
    words = {
        "running": f"{done} of {look.total} answers",
        "stopping": "Stopping",
        "done": f"{done} answer{'' if done == 1 else 's'} in {look.seconds:.1f} s",
        "stopped": f"Stopped after {done} of {look.total} answers",
        "failed": look.error,
    }[look.state]
    if look.state == "failed":
        return f'<p class="flag risk" role="alert">{escape(words)}</p>'
    return f'<p class="hint" role="status" aria-live="polite">{escape(words)}</p>'


def _column(look: Look, label: str, own: Sequence[Sample], growing: Sequence[str], note: str) -> str:
    parts = [f'<header><h3>{escape(label)}</h3><span class="status">{escape(note)}</span></header>']
    if own:
        parts.append(f'<p class="hint spread">{escape(_spread(own, look.agent))}</p>')
    for pile in lab.stacks(look.agent, own):
        count = len(pile.samples)
        first = pile.samples[0]
        badge = f'<b class="times">{count} ×</b>' if count > 1 else ""
        facts = f"{mean(s.seconds for s in pile.samples):.2f} s"
        if first.usage.completion_tokens is not None:
            facts += f" · {first.usage.completion_tokens:,} tokens"
        why = f'<p class="flag">A guard would ask again: {escape(first.problem)}</p>' if first.problem else ""
        shown = look.agent == JUDGE or pile.says == " ".join(first.text.split())
        whole = first.text if shown else pile.says
        raw = (
            f'<details class="fold"><summary>The answer as it came</summary><p class="words">{escape(first.raw)}</p></details>'
            if whole.strip() != first.raw.strip()
            else ""
        )
        parts.append(
            f'<div class="stack{" many" if count > 1 else ""}">{badge}<p class="says">{escape(whole)}</p>{why}'
            f'<p class="hint">{facts}</p>{raw}</div>'
        )
    for error in dict.fromkeys(sample.error for sample in own if sample.error):
        count = sum(sample.error == error for sample in own)
        parts.append(f'<p class="flag risk">{f"{count} × " if count > 1 else ""}{escape(error)}</p>')
    parts += [f'<div class="stack"><p class="says">{escape(text)}<span class="cursor"></span></p></div>' for text in growing]
    if not own and not growing:
        parts.append(f'<p class="hint">{"Waiting" if look.live else "No answer"}</p>')
    return f'<section class="card">{"".join(parts)}</section>'


def _spread(own: Sequence[Sample], agent: str) -> str:
    found = lab.spread(own, agent)
    if not found.answers or found.words is None:
        return "No answer."
    low, high = found.words
    if found.answers == 1:
        return f"One answer, {low} words."
    if scores := [float(said[1]) for s in own if not s.error and (said := _SCORE.match(lab.says(agent, s)))]:
        apart = f", SD {stdev(scores):.2f}" if len(scores) > 1 else ""
        lost = f" {found.answers - len(scores)} could not be read." if found.answers > len(scores) else ""
        span = f"{min(scores):g} to {max(scores):g}" if min(scores) < max(scores) else f"{scores[0]:g} each"
        return f"{len(scores)} of {found.answers} scores read: {span}, mean {mean(scores):.2f}{apart}.{lost}"
    length = f"{low} words each" if low == high else f"{low} to {high} words"
    apart = "" if found.apart is None else f"; two of them differ in {found.apart:.0%} of their words on average"
    chosen = lab.count_choices(own) if agent == "selector" else {}
    choices = "".join(f" {theme.title_of(name)} {count} of {found.answers}." for name, count in chosen.items())
    again = f" A guard would ask again for {found.questioned}." if found.questioned else ""
    return f"{found.distinct} different of {found.answers}, {length}{apart}.{choices}{again}"


def _why(verdict: Verdict) -> str:
    """Return the reason of a verdict, and who gave it where that was a judge."""
    if not verdict.reason and not verdict.judge:
        return ""
    said = f"{verdict.judge} as judge: {verdict.answer}. {verdict.reason}" if verdict.judge else verdict.reason
    return f'<p class="{"hint" if verdict.answer == "yes" else "flag"}">{escape(said.strip())}</p>'


def case_rows(cases: Sequence[Case], look: Look | None) -> str:
    """Return the test cases with what is expected, and how many answers of the last run kept to it."""
    rows = []
    for case in cases:
        own = look.of(case.id) if look else []
        told = [(s, case.rule.verdict(s)) for s in own]
        good, bad = (sum(v.answer == answer for _, v in told) for answer in ("yes", "no"))
        if not own:
            verdict = '<span class="quiet">–</span>'
        else:
            kind = "no" if bad else "yes" if good == len(own) else "missing"
            word = {"no": "Broken", "yes": "Kept", "missing": "Missing"}[kind]
            verdict = f'<b class="verdict-{kind}">{word}</b> {good} of {len(own)}'
            if lost := len(own) - good - bad:
                verdict += f", {lost} not judged"
        answers = "".join(f'<li><p class="says">{escape(s.text or "–")}</p>{_why(v)}</li>' for s, v in told)
        more = f"<details class='fold'><summary>Answers</summary><ul>{answers}</ul></details>" if answers else ""
        rows.append(
            f"<tr><td><b>{escape(case.title)}</b><p class='hint'>{escape(case.source)}</p></td>"
            f"<td>{escape(theme.title_of(case.moment.agent))} {escape(case.rule.told)}</td><td>{verdict}</td></tr>"
            + (f"<tr class='more'><td colspan='3'>{more}</td></tr>" if more else "")
        )
    head = "<thead><tr><th>Test case</th><th>What is expected</th><th>Last run</th></tr></thead>"
    return f'<div class="lab"><table class="matrix cases">{head}<tbody>{"".join(rows)}</tbody></table></div>'
