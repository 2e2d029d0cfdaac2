"""A run of the lab as it is kept: which words were asked over which moments, what was answered, and its files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from magnet_core.domain import Value
from magnet_core.lab.answers import Summary, summary
from magnet_core.lab.texts import fields
from magnet_core.lab.trials import Sample
from magnet_core.prompts import PromptSet

FORMAT = "magnet-prompt-trials"


class Lane(Value):
    """One variant in one moment."""

    label: str
    """Of its samples."""
    variant: str
    """Its letter."""
    moment: str
    """Where it was asked, in words."""
    note: str = ""
    """Model, temperature and how far the words are ours."""
    words: str = ""
    """A hash of the words it was asked with."""
    own: str = ""
    """The session's own raw answer there; empty where it holds none."""


class Experiment(Value):
    """Variants of a prompt asked over one to many moments, and their answers. Nothing of it is part of a session."""

    id: str
    made: datetime
    agent: str
    session: str
    turn: int
    title: str
    """The moment, or over which moments, in words."""
    pack: str
    """The title of the pack the variants were made from."""
    place: str
    """Of the draft they were made from."""
    lanes: tuple[Lane, ...]
    samples: tuple[Sample, ...] = ()
    ended: str = ""
    """How it ended, where not all answers came."""

    @property
    def variants(self) -> list[str]:
        return list(dict.fromkeys(lane.variant for lane in self.lanes))

    @property
    def moments(self) -> list[str]:
        return list(dict.fromkeys(lane.moment for lane in self.lanes))

    def of(self, lane: Lane) -> list[Sample]:
        return [sample for sample in self.samples if sample.label == lane.label]

    def summary(self, variant: str) -> Summary:
        """Return what a variant's answers come to, over all its moments."""
        lanes = [lane for lane in self.lanes if lane.variant == variant]
        return summary([(sample, lane.own) for lane in lanes for sample in self.of(lane)], self.agent)


def words_sha(texts: PromptSet, sent: Mapping[str, Sequence[str]]) -> str:
    """Return a short hash of the texts that reach a request."""
    told = sorted((name, field, fields(texts[name])[field]) for name, own in sent.items() for field in own)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def to_json(made: Experiment) -> str:
    """Return a run with all its answers as one JSON file."""
    body = {"format": FORMAT, "version": 1} | made.model_dump(mode="json")
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


COLUMNS = (
    "variant", "moment", "number", "model", "temperature", "words_hash", "prompt_hash", "answer", "raw", "no_answer", "guard",
    "seconds", "tokens_in", "tokens_out", "in_session",
)  # fmt: skip


def to_csv(made: Experiment) -> str:
    """Return a run's answers as a table, an answer a row: what is not known is empty, and nothing is taken for a formula."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    table.writerows(_rows(made))
    return out.getvalue()


def _rows(made: Experiment) -> Iterable[list[object]]:
    from magnet_core.profile_files import cell

    for lane in made.lanes:
        for s in sorted(made.of(lane), key=lambda s: s.number):
            row = [
                lane.variant, lane.moment, s.number, s.model, s.temperature, lane.words, s.prompt_sha, s.text, s.raw, s.error,
                s.problem, s.seconds, s.usage.prompt_tokens, s.usage.completion_tokens, lane.own,
            ]  # fmt: skip
            yield [cell(value) if isinstance(value, str) else value for value in row]
