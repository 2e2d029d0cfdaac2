"""Test cases: a moment of a session, what is expected of an agent in it, how its answers kept to that, and files of cases."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from magnet_core.domain import Moment, Value
from magnet_core.errors import PromptError
from magnet_core.lab.telling import told
from magnet_core.lab.texts import AGENTS
from magnet_core.lab.trials import Sample
from magnet_core.scoring.expectation import Verdict

FORMAT = "magnet-test-cases"
LARGEST = 20_000_000
"""Letters a file of cases may have."""

RuleKind = Literal["contains", "lacks", "at-most-words", "one-question", "judge"]
RULES: dict[str, str] = {
    "contains": "contains",
    "lacks": "does not contain",
    "at-most-words": "has at most so many words",
    "one-question": "asks one question at most",
    "judge": "gets a yes from a judge",
}
_ALIKE = str.maketrans(
    dict.fromkeys("’‘‚‛ʼ′`´", "'") | dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("‐‑‒–—―−", "-") | {"…": "..."}
)
"""Signs that are the same to a reader, however they are set."""


class Rule(Value):
    """What is expected of an answer."""

    kind: RuleKind
    text: str = Field(default="", max_length=400)
    """For `contains` and `lacks`: the words; several with | between them, of which one is enough (or none may stand).

    For `judge`: a plain question about the answer, of which a yes is expected.
    """
    most: int = Field(default=0, ge=0)
    """For `at-most-words`."""

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.kind in ("contains", "lacks") and not self._words:
            raise ValueError("say which words")
        if self.kind == "judge" and not self.text.strip():
            raise ValueError("write the question for the judge")
        if self.kind == "at-most-words" and not self.most:
            raise ValueError("say how many words at most")
        return self

    @property
    def _words(self) -> list[str]:
        return [clean for one in self.text.split("|") if (clean := " ".join(one.split()))]

    @property
    def question(self) -> str:
        """What a judge is asked; empty where words are only counted."""
        return self.text.strip() if self.kind == "judge" else ""

    @property
    def told(self) -> str:
        """The rule in words."""
        if self.kind == "at-most-words":
            return f"has at most {self.most} words"
        if self.kind == "one-question":
            return RULES[self.kind]
        if self.kind == "judge":
            return f"{RULES[self.kind]} to “{self.text.strip()}”"
        return f"{RULES[self.kind]} " + " or ".join(f"“{word}”" for word in self._words)

    def verdict(self, sample: Sample) -> Verdict:
        """Return whether an answer is as expected: yes, no, or missing where none came or a judge could not tell; and why."""
        if sample.error:
            return Verdict(answer="missing", reason=sample.error)
        if self.kind == "judge":
            return sample.verdict or Verdict(answer="missing", reason="No judge was asked.")
        why = self.broken_by(sample.text)
        return Verdict(answer="no" if why else "yes", reason=why)

    def broken_by(self, text: str) -> str:
        """Return why a text breaks the rule; empty when it does not. A text alone keeps no rule that needs a judge."""
        if self.kind == "judge":
            return "no judge was asked"
        plain = _plain(text)
        there = [word for word in self._words if re.search(rf"(?<!\w){re.escape(_plain(word))}(?!\w)", plain)]
        if self.kind == "contains":
            return "" if there else f"it does not hold {' or '.join(f'“{word}”' for word in self._words)}"
        if self.kind == "lacks":
            return f"it holds “{there[0]}”" if there else ""
        if self.kind == "at-most-words":
            count = len(text.split())
            return f"it has {count} words" if count > self.most else ""
        asked = len(re.findall(r"\?+", text))
        return f"it asks {asked} questions" if asked > 1 else ""


def _plain(text: str) -> str:
    """Return a text as it is compared: small letters, single spaces, one kind of apostrophe, quotation mark and dash."""
    return " ".join(text.translate(_ALIKE).casefold().split())


class Case(Value):
    """A moment of a session kept as a test: what is expected of an agent there."""

    id: str
    title: str = Field(min_length=1, max_length=120)
    moment: Moment
    rule: Rule
    source: str = ""
    """The session and turn it was taken from, for a reader."""
    own: str = ""
    """The session's own raw answer there; empty where it holds none."""

    @property
    def in_session(self) -> Verdict | None:
        """Whether the session's own answer is as expected; None where it holds none, or a judge would have to say."""
        if not self.own or self.rule.question:
            return None
        why = self.rule.broken_by(told(AGENTS[self.moment.agent], self.own))
        return Verdict(answer="no" if why else "yes", reason=why)


class Tally(Value):
    """How many answers kept to what is expected, and how many did not; the others say nothing either way."""

    kept: int = 0
    broken: int = 0
    unjudged: int = 0
    """Answers of which a judge could not be understood, or was not asked."""
    unanswered: int = 0
    """Calls that brought no answer, as of a server that was down."""

    @property
    def asked(self) -> int:
        return self.kept + self.broken + self.unjudged + self.unanswered

    @property
    def answer(self) -> Literal["yes", "no", "missing"]:
        """Whether the case as a whole is kept: one answer that does not keep to it breaks it, and all that were asked for must keep to it.

        Missing where none breaks it and some were not judged or did not come.
        """
        return "no" if self.broken else "yes" if self.kept and self.kept == self.asked else "missing"

    @property
    def told(self) -> str:
        """The tally in words."""
        words = [f"kept {self.kept} of {self.kept + self.broken}"] if self.kept + self.broken else []
        words += [f"{self.unjudged} not judged"] if self.unjudged else []
        words += [f"{self.unanswered} without an answer"] if self.unanswered else []
        return ", ".join(words) or "no answer yet"


def tally(rule: Rule, samples: Iterable[Sample]) -> Tally:
    """Return how a rule fared with some answers."""
    found = [(bool(sample.error), rule.verdict(sample).answer) for sample in samples]
    return Tally(
        kept=sum(answer == "yes" for _, answer in found),
        broken=sum(answer == "no" for _, answer in found),
        unjudged=sum(answer == "missing" and not failed for failed, answer in found),
        unanswered=sum(failed for failed, _ in found),
    )


class Result(Value):
    """What came of a test case when it was last run with a pack's words and a model."""

    case: str
    rule: Rule
    """What was expected then."""
    pack: str
    """The pack's id."""
    title: str
    sha: str
    """The hash of the pack's words then."""
    model: str
    judge: str = ""
    """The model that judged, with whose words; empty where none did."""
    created: datetime
    samples: tuple[Sample, ...]

    @property
    def id(self) -> str:
        """One for each case, pack, state of its words, and model."""
        return hashlib.sha256(json.dumps([self.case, self.pack, self.sha, self.model]).encode()).hexdigest()[:24]

    @property
    def tally(self) -> Tally:
        return tally(self.rule, self.samples)


def last_result(results: Iterable[Result], case: Case, pack: str, sha: str, model: str) -> Result | None:
    """Return the newest result of a case with a pack and a model: one of the pack's words as they are, else an earlier one's."""
    own = [r for r in results if (r.case, r.pack, r.model) == (case.id, pack, model)]
    return max(own, key=lambda r: (r.sha == sha and r.rule == case.rule, r.created), default=None)


def totals(answers: Iterable[str]) -> str:
    """Return how many cases were kept, broken and left undecided, in words."""
    counts, words = Counter(answers), {"yes": "kept", "no": "broken", "missing": "undecided"}
    return ", ".join(f"{counts[answer]} {word}" for answer, word in words.items() if counts[answer])


def case_id() -> str:
    return secrets.token_hex(6)


def case_moment(moment: Moment) -> Moment:
    """Return a moment without the traces that no prompt is made of, so that it is small to keep."""
    session = moment.session
    turns = tuple(turn.model_copy(update={"calls": (), "flags": ()}) for turn in session.turns)
    return moment.model_copy(update={"session": session.model_copy(update={"turns": turns, "plan_calls": ()})})


def free_title(title: str, taken: Collection[str]) -> str:
    """Return a title that no other case has: with a number where it is taken."""
    title = " ".join(title.split())[:110] or "Test case"
    return next(t for n in range(1, len(taken) + 2) if (t := title if n == 1 else f"{title} ({n})") not in taken)


# Files


def to_file(cases: Iterable[Case]) -> str:
    """Return test cases as one JSON file."""
    body: dict[str, Any] = {"format": FORMAT, "version": 1, "cases": [case.model_dump(mode="json") for case in cases]}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def from_file(text: str, there: Iterable[Case] = ()) -> tuple[list[Case], list[str]]:
    """Return the cases of a file that are not `there` yet, and why others were left out; raise `PromptError` where it is none."""
    if len(text) > LARGEST:
        raise PromptError("The file is too large for test cases.")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PromptError("The file is no JSON, so it holds no test cases.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("cases"), list):
        raise PromptError("The file holds no test cases that were exported here.")
    if data.get("version") != 1:
        raise PromptError("The test cases were written by a later version of this program.")
    known = {case.id: case for case in there}
    found, left = dict[str, Case](), list[str]()
    for number, one in enumerate(data["cases"], 1):
        try:
            case = Case.model_validate(one)
        except ValidationError as error:
            left.append(f"Entry {number} is no test case: {error.errors()[0]['msg'].removeprefix('Value error, ')}.")
            continue
        if _same(case, [*known.values(), *found.values()]):
            left.append(f"“{case.title}” is already here.")
            continue
        id = case.id if case.id not in known and case.id not in found else case_id()
        taken = {other.title for other in (*known.values(), *found.values())}
        found[id] = case.model_copy(update={"id": id, "title": free_title(case.title, taken)})
    return list(found.values()), left


def _same(case: Case, others: Iterable[Case]) -> bool:
    return any((case.moment, case.rule) == (other.moment, other.rule) for other in others)
