"""Reading what a model wrote: tolerant of fences, prose, labels, misspelt names and lists cut short; never raising."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import json_repair

from magnet_core.domain import Candidate, CbtTechnique, Choice, Plan, Rejection, Reply, Technique

END_MARK = "[/END]"

_TECHNIQUE_WORDS = {
    Technique.REFLECTION: r"reflect(?:ion|ions|ing|ive|s)?\b",
    Technique.QUESTIONING: r"question(?:ing|s)?\b",
    Technique.SOLUTIONS: r"solutions?\b",
    Technique.NORMALIZING: r"normali[sz](?:ing|ation|e)\b|validation\b",
    Technique.PSYCHOEDUCATION: r"psycho[\s-]?educat(?:ion|ional|ing)\b",
}
_CBT_WORDS = {
    CbtTechnique.EFFICIENCY_EVALUATION: r"efficiency\s+evaluation",
    CbtTechnique.PIE_CHART: r"pie[\s-]chart",
    CbtTechnique.ALTERNATIVE_PERSPECTIVE: r"alternat(?:ive|ing|e)\s+perspective",
    CbtTechnique.DECATASTROPHIZING: r"de-?catastrophi[sz](?:ing|ation)",
    CbtTechnique.PROS_AND_CONS: r"pros?\s*(?:and|&)\s*cons?",
    CbtTechnique.EVIDENCE_BASED_QUESTIONING: r"evidence[\s-]+based\s+question(?:ing|s)",
    CbtTechnique.REALITY_TESTING: r"reality[\s-]+test(?:ing|s)?",
    CbtTechnique.CONTINUUM: r"continuum",
    CbtTechnique.CHANGING_RULES_TO_WISHES: r"(?:changing\s+)?rules?\s+(?:in)?to\s+wishes",
    CbtTechnique.BEHAVIOR_EXPERIMENT: r"behaviou?r(?:al)?\s+experiments?",
    CbtTechnique.PROBLEM_SOLVING: r"problem[\s-]+solving",
    CbtTechnique.SYSTEMATIC_EXPOSURE: r"(?:systematic|graded|gradual)\s+exposure",
}
_DENIED = re.compile(
    r"(?i)\b(?:not|avoid\w*|rather than|instead of|without|before (?:moving|offering|any))\b[^.;\n]*?(?=[.;\n]|\bI\b|\bbut\b|$)"
)
_SPEAKERS = {
    "counsellor": r"counsel(?:l)?or|therapist|psychologist|assistant|responder|response",
    "client": r"client|patient|user",
}


def read_json(text: str) -> Mapping[str, Any]:
    """Return the first JSON object in a text, mended where it is cut short; empty when there is none."""
    body = re.sub(r"(?s)<think>.*?</think>", "", text)
    if fenced := re.search(r"(?s)```(?:json)?\s*(\{.*?)(?:```|\Z)", body):
        body = fenced.group(1)
    start = body.find("{")
    if start < 0:
        return {}
    try:
        found = json_repair.loads(body[start:])
    except (ValueError, RecursionError):
        return {}
    if isinstance(found, list):
        found = next((item for item in found if isinstance(item, dict)), {})
    return found if isinstance(found, dict) else {}


def _named(words: Mapping[Any, str], text: str) -> list[Any]:
    """Return which of the named things a text mentions, in order of mention."""
    places = {thing: found.start() for thing, pattern in words.items() if (found := re.search(f"(?i){pattern}", text))}
    return sorted(places, key=places.__getitem__)


def read_choice(text: str) -> Choice:
    """Return the techniques named in a selector's answer; none when it names none."""
    data = read_json(text)
    techniques: list[Technique] = []
    named = _field(data, "techniques", "technique", "selected_techniques", "selected", "choice")
    if named:
        techniques = _named(_TECHNIQUE_WORDS, named)
    if not techniques:
        # an unreadable object is read as prose; what is only warned against does not count
        prose = str(data.get("reason", "")) if data else text
        affirmed = _DENIED.sub("", prose)
        techniques = _named(_TECHNIQUE_WORDS, affirmed) or _named(_TECHNIQUE_WORDS, prose)
    step = re.search(r"\d+", _field(data, "plan_step", "step")) or re.search(r"(?i)\bstep\s*(\d+)", "" if data else text)
    number = int(step.group(step.lastindex or 0)) if step else None
    reason = _field(data, "reason", "why", "rationale") if data else _squeeze(text)
    return Choice(
        techniques=tuple(techniques), reason=reason, plan_step=number if number and number > 0 else None, text=text
    )


def read_plan(text: str) -> Plan:
    """Return the plan in a planner's answer; its technique is None when the answer names none of the twelve."""
    data = read_json(text)
    if data and (named := _named(_CBT_WORDS, _field(data, "technique", "cbt_technique", "name"))):
        return Plan(
            technique=named[0],
            reason=_field(data, "reason", "why", "rationale"),
            rejected=_rejected(data.get("rejected") or data.get("others") or (), named[0]),
            steps=tuple(_steps(data.get("steps") or data.get("plan") or ())),
            text=text,
        )
    affirmed = _DENIED.sub("", text)
    chosen = re.search(r"(?is)(?:recommend|choose|chosen|select|suggest|us(?:e|ing)|technique\W{0,3}:)(.{0,160})", affirmed)
    named = (chosen and _named(_CBT_WORDS, chosen.group(1))) or _named(_CBT_WORDS, affirmed) or _named(_CBT_WORDS, text)
    lines = [line.strip() for line in text.splitlines()]
    steps = [_squeeze(step.group(1)) for line in lines if (step := re.match(r"^\W{0,3}(?:step\s*)?\d+\W+(.+)$", line, re.I))]
    steps = steps or [_squeeze(step.group(1)) for line in lines if (step := re.match(r"^[-*•]\s+(.+)$", line))]
    prose = _squeeze(" ".join(line for line in lines if not re.match(r"^\W{0,3}(?:step\s*)?\d+\W", line, re.I)))
    return Plan(technique=named[0] if named else None, reason=prose[:600], steps=tuple(steps), text=text)


def _rejected(found: Any, chosen: CbtTechnique) -> tuple[Rejection, ...]:
    pairs: list[tuple[str, str]] = []
    if isinstance(found, Mapping):
        pairs = [(str(name), str(reason)) for name, reason in found.items()]
    elif isinstance(found, (list, tuple)):
        for item in found:
            if isinstance(item, Mapping):
                pairs.append((_field(item, "technique", "name"), _field(item, "reason", "why")))
            else:
                name, _, reason = str(item).partition(":")
                pairs.append((name, reason))
    kept: dict[CbtTechnique, Rejection] = {}
    for name, reason in pairs:
        named = _named(_CBT_WORDS, name)
        if named and named[0] != chosen and named[0] not in kept:
            kept[named[0]] = Rejection(technique=named[0], reason=_squeeze(reason))
    return tuple(kept.values())


def _steps(found: Any) -> list[str]:
    if isinstance(found, str):
        found = [line for line in found.splitlines() if line.strip()]
    if isinstance(found, Mapping):
        found = list(found.values())
    texts = [_field(s, "step", "text", "description", "name") if isinstance(s, Mapping) else str(s) for s in found]
    return [step for text in texts if (step := re.sub(r"(?i)^\W*(?:step\s*)?\d+\W+\s*", "", _squeeze(text)))]


def read_utterance(text: str, speaker: str = "counsellor") -> str:
    """Return the message itself: without thinking, fences, own labels, wrapping quotes or a JSON wrapper."""
    body = re.sub(r"(?s)<think>.*?</think>", "", text)
    body = re.sub(r"^\s*```\w*\n?|\n?```\s*$", "", body).strip()
    if body.startswith("{") and (data := read_json(body)):
        body = _field(data, "response", "message", "text", "content", "reply", "utterance", speaker) or body
    label = rf"(?i)^[\s*_#\[\"“]*(?:{_SPEAKERS[speaker]})(?:'s (?:response|message|reply))?[\s*_\]]*:[\s*_]*"
    for _ in range(2):
        body = re.sub(label, "", body).strip()
    for left, right in ('""', "“”", "''"):
        if len(body) > 2 and body[0] == left and body[-1] == right and left not in body[1:-1] and right not in body[1:-1]:
            body = body[1:-1].strip()
    return re.sub(r"[ \t]+", " ", body).strip()


def read_reply(text: str) -> Reply:
    """Return the client's message and whether it carries the end mark."""
    ends = re.search(r"(?i)\[\s*/?\s*END\s*\]", text) is not None
    return Reply(text=read_utterance(re.sub(r"(?i)\[\s*/?\s*END\s*\]", "", text), "client"), ends_session=ends)


def read_team(text: str) -> tuple[str, Choice, tuple[Candidate, ...]]:
    """Return message, choice and candidates of a one-call answer; what is missing stays out.

    An answer that is no JSON at all counts as the message alone.
    """
    data = read_json(text)
    choice = read_choice(text)
    candidates: list[Candidate] = []
    drafts = data.get("candidates") if isinstance(data.get("candidates"), Mapping) else data
    for key, value in (drafts or {}).items():
        named = _named(_TECHNIQUE_WORDS, str(key)) if str(key).lower() not in ("techniques", "technique") else []
        if named and isinstance(value, str) and value.strip() and named[0] not in {c.technique for c in candidates}:
            candidates.append(Candidate(technique=named[0], text=read_utterance(value)))
    message = read_utterance(_field(data, "response", "message", "reply")) if data else read_utterance(text)
    order = list(Technique)
    return message, choice, tuple(sorted(candidates, key=lambda c: order.index(c.technique)))


def _field(data: Mapping[str, Any], *names: str) -> str:
    """Return the first of the named fields as one text; lists are joined."""
    for name in names:
        for key, value in data.items():
            if str(key).lower().replace(" ", "_") == name and value not in (None, "", [], {}):
                if isinstance(value, (list, tuple)):
                    return ", ".join(str(v.get("name", v)) if isinstance(v, Mapping) else str(v) for v in value)
                return _squeeze(str(value))
    return ""


def _squeeze(text: str) -> str:
    return " ".join(text.split())
