"""A client's facts, ready to be spoken: taken from the conceptualisation, or found in the intake form where it is silent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from magnet_core.domain import Attitude, ClientProfile, Conceptualisation
from magnet_core.knowledge import read

_AFTER_THE_WORK = {Attitude.POSITIVE: 0.5, Attitude.NEUTRAL: 0.7, Attitude.NEGATIVE: 0.9}
"""What is left of the emotion's strength at the end; a resistant client moves little."""
_CONFIDENCE = {Attitude.POSITIVE: 8, Attitude.NEUTRAL: 6, Attitude.NEGATIVE: 4}
_QUOTED = ("thought", "rule", "belief", "fairer")


@lru_cache(maxsize=256)
def facts(profile: ClientProfile) -> dict[str, str]:
    """Return the client's facts by slot name, first person, quoted ones in curly quotes; none is ever empty."""
    given = profile.conceptualisation or Conceptualisation()
    found = _found(profile)
    stand_in = read("rehearsal/facts.yaml")["fallback"]

    def fact(value: str, name: str) -> str:
        return _tidy(value) or found.get(name, "") or stand_in[name]

    evidence = {
        side: [*map(_clause, own), *found.get(side, []), *stand_in[side]]
        for side, own in (("for", given.evidence_for), ("against", given.evidence_against))
    }
    intensity = given.intensity if given.intensity is not None else 75
    spoken = {
        "name": profile.intake.first_name,
        "topic": fact(given.topic, "topic"),
        "situation": _clause(re.sub(r"(?i)^(?:when(?:ever)?|every time)\s+", "", fact(given.situation, "situation"))),
        "thought": fact(given.automatic_thought, "thought"),
        "emotion": _clause(fact(given.emotion, "emotion")),
        "intensity": str(intensity),
        "lower": str(
            min(intensity - 5, round(intensity * _AFTER_THE_WORK[profile.attitude] / 5) * 5) if intensity > 5 else 0
        ),
        "conviction": str(min(95, max(60, intensity + 5))),
        "behaviour": _verb(fact(given.behaviour, "behaviour")),
        "rule": fact(given.intermediate_belief, "rule"),
        "belief": fact(given.core_belief, "belief"),
        "for1": evidence["for"][0],
        "for2": evidence["for"][1],
        "against1": evidence["against"][0],
        "against2": evidence["against"][1],
        "fairer": fact(given.fairer_thought, "fairer"),
        "action": _verb(fact(given.action, "action")),
        "helper": fact(given.helper, "helper"),
        "distortion": given.distortions[0] if given.distortions else found.get("distortion") or stand_in["distortion"],
        "confidence": str(_CONFIDENCE[profile.attitude]),
    }
    return spoken | {name: f"“{_capital(spoken[name])}”" for name in _QUOTED}


def _found(profile: ClientProfile) -> dict[str, Any]:
    """Return what an intake form's own sentences tell, by slot name; what they do not tell is left out."""
    rules, intake = read("rehearsal/facts.yaml"), profile.intake
    own = " ".join([intake.presenting_problem, profile.opening.client, intake.reason])
    life = intake.functioning
    sentences = _sentences(
        " ".join([life.occupational, life.relationships, life.daily_life, intake.support, intake.past_history])
    )
    thought = re.sub(rules["cut_thought"], "", _first(rules["thought"], own), flags=re.I | re.S)
    topics = [(len(re.findall(pattern, own, re.I)), topic) for pattern, topic in rules["topics"]]
    most = max(topics, key=lambda pair: pair[0])
    found: dict[str, Any] = {
        "thought": _short(thought),
        "situation": _short(_first(rules["situation"], own)),
        "behaviour": _short(_first(rules["behaviour"], own)),
        "emotion": next((noun for pattern, noun in rules["emotions"] if re.search(pattern, own, re.I)), ""),
        "topic": most[1] if most[0] else "",
        "distortion": next((name for pattern, name in rules["distortions"] if re.search(pattern, thought, re.I)), ""),
    } | _evidence(sentences, rules)
    found |= rules["by_distortion"].get(found["distortion"], {})
    if helper := re.search(rules["helpers"], intake.support, re.I):
        found["helper"] = helper.group(1)
    return found


def _evidence(sentences: Iterable[str], rules: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sort sentences into what seems to speak for the thought and what speaks against it; a harm denied speaks against."""
    sides: dict[str, list[str]] = {"for": [], "against": []}
    for sentence in sentences:
        harm, spared = re.search(rules["for"], sentence, re.I), re.search(rules["spared"], sentence, re.I)
        if spared or (not harm and re.search(rules["against"], sentence, re.I)):
            sides["against"].append(_clause(sentence))
        elif harm:
            sides["for"].append(_clause(sentence))
    return sides


def _first(patterns: Iterable[Any], text: str) -> str:
    """Return what the first matching pattern catches, said as it asks for."""
    for entry in patterns:
        pattern, say = (entry, "{}") if isinstance(entry, str) else (entry["pattern"], entry["say"])
        if caught := re.search(pattern, text, re.I):
            return say.format(*caught.groups())
    return ""


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text short enough to be spoken as a clause, cut before a contrasting 'but'."""
    found = [
        re.split(r",? (?:but|although|though|due to|which) ", s)[0].strip(" .") for s in re.split(r"(?<=[.!?])\s+", text)
    ]
    return [s for s in found if 4 <= len(s.split()) <= 18 and re.match(r"(?i)(?:I|my|we|the|there|it)\b", s)]


def _short(text: str, words: int = 22) -> str:
    """Return a text if it is short enough to be spoken, else its first part, else nothing."""
    tidy = _tidy(text)
    if len(tidy.split()) > words:
        tidy = re.split(r",| and | because | so that ", tidy)[0].strip()
    return tidy if 2 <= len(tidy.split()) <= words else ""


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(" .;,\"“”'‘")


_STARTERS = frozenset(
    [
        "My",
        "The",
        "A",
        "An",
        "It",
        "He",
        "She",
        "They",
        "We",
        "You",
        "There",
        "This",
        "That",
        "These",
        "Those",
        "When",
        "Every",
        "Some",
        "Someone",
        "People",
        "Two",
        "Three",
        "Last",
        "Nobody",
        "No",
        "Our",
        "One",
        "Most",
        "In",
        "On",
        "At",
        "After",
        "Since",
        "If",
        "Nothing",
        "Everything",
        "Everyone",
        "Work",
        "Sometimes",
    ]
)
"""Capitalised words that only begin a sentence; any other may be a name and keeps its capital."""


def _clause(text: str) -> str:
    """Return a text as a clause to stand inside a sentence: no final stop, no capital that only begins a sentence."""
    tidy = _tidy(text)
    first = tidy.split(" ", 1)[0]
    return _lower(tidy) if first in _STARTERS or re.search(r"[a-z](?:ing|ed|ly)$", first) else tidy


def _verb(text: str) -> str:
    """Return a text as a verb phrase: without a leading I or to, in lower case."""
    tidy = _tidy(re.sub(r"(?i)^(?:I(?: usually| always| will| could| can| might)?|I'll|to)\s+(?=[a-z])", "", _tidy(text)))
    return tidy if re.match(r"I\b", tidy) else _lower(tidy)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_FLIPS: Sequence[tuple[str, str]] = (
    (r"\bI['’]m\b", "you're"),
    (r"\bI am\b", "you are"),
    (r"\bam I\b", "are you"),
    (r"\bI was\b", "you were"),
    (r"\bwas I\b", "were you"),
    (r"\bI['’](ve|d|ll)\b", r"you'\1"),
    (r"\b[Ww]e['’](ve|d|ll|re)\b", r"you'\1"),
    (r"\bI\b", "you"),
    (r"\b[Mm]e\b", "you"),
    (r"\b[Mm]yself\b", "yourself"),
    (r"\b[Mm]y\b", "your"),
    (r"\b[Mm]ine\b", "yours"),
    (r"\b[Ww]e\b", "you"),
    (r"\b[Uu]s\b", "you"),
    (r"\b[Oo]urselves\b", "yourselves"),
    (r"\b[Oo]urs\b", "yours"),
    (r"\b[Oo]ur\b", "your"),
)


def second_person(text: str) -> str:
    """Return a clause of the client's as the counsellor says it: my manager, your manager."""
    for pattern, said in _FLIPS:
        text = re.sub(pattern, said, text)
    return text


def speak(text: str, spoken: Mapping[str, str], *, to_client: bool) -> str:
    """Return an authored text with its slots filled; in the counsellor's mouth the client's clauses change person."""

    def fill(slot: re.Match[str]) -> str:
        name = slot.group(1)
        value = spoken[name]
        return second_person(value) if to_client and name not in _QUOTED else value

    said = re.sub(r"\{(\w+)\}", fill, " ".join(text.split()))
    said = re.sub(r"([?!.])”([.?!])", r"\1”", said)
    return re.sub(r"([.!?]\s+|^)([a-z])", lambda m: m.group(1) + m.group(2).upper(), said) if said[:1].islower() else said
