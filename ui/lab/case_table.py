"""Test cases as a table: what is expected, and how the answers under one or two packs kept to it. Everything is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from magnet_core.lab import Case
from magnet_core.lab.cases import Result, Tally, last_result, tally, totals
from magnet_core.models import REHEARSAL
from magnet_core.packs import Pack
from magnet_core.scoring.expectation import Verdict
from ui import theme
from ui.engine.bench import Look

_VERDICT = {
    answer: f'<b class="verdict-{answer}">{word}</b>'
    for answer, word in {"yes": "Kept", "no": "Broken", "missing": "Undecided"}.items()
}
_CODE = re.compile(r", session [0-9a-f-]{8,}$")
"""How cases of an earlier version name the session they were taken from."""
_NOT_RUN = '<span class="quiet">not run</span>'


@dataclass(frozen=True, slots=True)
class Column:
    """A pack whose answers stand in a column, given by one model."""

    pack: Pack
    model: str
    """The one that is asked."""

    def label(self, case: Case) -> str:
        """Return the label of the case's answers in a run."""
        return f"{case.id} {self.pack.id}"

    def shown(self, results: Sequence[Result]) -> str:
        """Return whose answers stand in the column: the model's that is asked, else those of the one that was asked last."""
        own = [result for result in results if result.pack == self.pack.id]
        if not own or any(result.model == self.model for result in own):
            return self.model
        return max(own, key=lambda result: result.created).model

    def last(self, results: Sequence[Result], case: Case) -> Result | None:
        return last_result(results, case, self.pack.id, self.pack.sha, self.shown(results))


def table(cases: Sequence[Case], columns: Sequence[Column], results: Sequence[Result], look: Look | None) -> str:
    """Return the cases with their last results; `look` is a run that is going on."""
    rows = "".join(_row(case, columns, results, look) for case in cases)
    heads = "".join(f"<th>{escape(column.pack.title)}{_whose(column, results)}</th>" for column in columns)
    sums = "".join(f"<td>{_total(cases, column, results)}</td>" for column in columns)
    return (
        '<div class="lab"><div class="scroll"><table class="matrix cases"><thead><tr><th>Test case</th><th>What is expected</th>'
        f"<th>In the session</th>{heads}</tr></thead><tbody>{rows}</tbody><tfoot><tr><td><b>Total</b></td><td></td>"
        f"<td>{_total_in_session(cases)}</td>{sums}</tr></tfoot></table></div></div>"
    )


def _whose(column: Column, results: Sequence[Result]) -> str:
    model = column.shown(results)
    name = "the rehearsal cast" if model == REHEARSAL else model
    return f'<p class="hint">answers of {escape(name)}{"" if model == column.model else ", which was asked last"}</p>'


def _row(case: Case, columns: Sequence[Column], results: Sequence[Result], look: Look | None) -> str:
    cells, answers = [], []
    for column in columns:
        last = column.last(results, case)
        if look and look.live and column.label(case) in look.labels:
            cells.append(_running(case, column, look))
        elif last:
            cells.append(_cell(case, column, last))
            answers.append(_answers(last, column.pack.title if len(columns) > 1 else ""))
        else:
            cells.append(_NOT_RUN)
    told = f"{escape(theme.title_of(case.moment.agent))} {escape(case.rule.told)}"
    source = escape(case.source.partition(", session ")[0] if _CODE.search(case.source) else case.source)
    row = f"<tr><td><b>{escape(case.title)}</b><p class='hint'>{source}</p></td><td>{told}</td><td>{_in_session(case)}</td>"
    row += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    if answers:
        fold = f"<details class='fold'><summary>Answers</summary>{''.join(answers)}</details>"
        row += f"<tr class='more'><td colspan='{3 + len(columns)}'>{fold}</td></tr>"
    return row


def _in_session(case: Case) -> str:
    """Return whether the session's own answer is as expected, as far as that can be told without a judge."""
    if (found := case.in_session) is None:
        why = "A judge would have to say." if case.rule.question else "The session's own answer is not known."
        return f'<span class="quiet" title="{why}">–</span>'
    return f"{_VERDICT[found.answer]}{f': {escape(found.reason)}' if found.reason else ''}"


def _total_in_session(cases: Sequence[Case]) -> str:
    answers = [found.answer for case in cases if (found := case.in_session)]
    return escape(totals(answers)) or '<span class="quiet">–</span>'


def _running(case: Case, column: Column, look: Look) -> str:
    own = look.of(column.label(case))
    return f'<span class="quiet">{"running" if not own else _mark(tally(case.rule, own)) + " so far"}</span>'


def _cell(case: Case, column: Column, last: Result) -> str:
    notes = [f"{last.created:%d %b %Y, %H:%M} UTC"]
    notes += [f"judge {last.judge}"] if last.judge else []
    why = "with earlier words of this pack" if last.sha != column.pack.sha else ""
    why = "before the test case was changed" if last.rule != case.rule else why
    flag = f'<p class="flag">Run {why}.</p>' if why else ""
    return f'{_mark(last.tally)}<p class="hint">{escape(" · ".join(notes))}</p>{flag}'


def _mark(told: Tally) -> str:
    return f"{_VERDICT[told.answer]}: {escape(told.told)}"


def _total(cases: Sequence[Case], column: Column, results: Sequence[Result]) -> str:
    """Return how many cases are kept under the pack's words as they are."""
    lasts = [(case, column.last(results, case)) for case in cases]
    fresh = [r.tally.answer for case, r in lasts if r and r.sha == column.pack.sha and r.rule == case.rule]
    if not fresh:
        return _NOT_RUN
    left = f'<p class="hint">{len(cases) - len(fresh)} not run as they stand</p>' if len(fresh) < len(cases) else ""
    return f"<b>{escape(totals(fresh))}</b>{left}"


def _answers(last: Result, title: str) -> str:
    rows = "".join(
        f'<li><p class="says pre">{escape(sample.text or "No answer")}</p>{_why(last.rule.verdict(sample), bool(sample.error))}</li>'
        for sample in last.samples
    )
    return f"{f'<h4>{escape(title)}</h4>' if title else ''}<ul>{rows}</ul>"


def _why(verdict: Verdict, failed: bool) -> str:
    """Return the reason of a verdict, and who gave it where that was a judge."""
    if not verdict.reason and not verdict.judge:
        return ""
    said = f"{verdict.judge} as judge: {verdict.answer}. {verdict.reason}" if verdict.judge else verdict.reason
    mild = verdict.answer == "yes" or failed
    return f'<p class="{"hint" if mild else "flag"}">{escape(said.strip())}</p>'
