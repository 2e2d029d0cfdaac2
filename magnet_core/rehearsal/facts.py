"""A client's facts, ready to be spoken: taken from the conceptualisation, or found in the intake form where it is silent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from magnet_core import finding
from magnet_core.domain import Attitude, ClientProfile, Conceptualisation
from magnet_core.finding import clause, lower, tidy
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
        return tidy(value) or found.get(name, "") or stand_in[name]

    evidence = {
        side: [*map(clause, own), *found.get(side, []), *stand_in[side]]
        for side, own in (("for", given.evidence_for), ("against", given.evidence_against))
    }
    intensity = given.intensity if given.intensity is not None else 75
    spoken = {
        "name": profile.intake.first_name,
        "topic": fact(given.topic, "topic"),
        "situation": clause(re.sub(r"(?i)^(?:when(?:ever)?|every time)\s+", "", fact(given.situation, "situation"))),
        "thought": fact(given.automatic_thought, "thought"),
        "emotion": clause(fact(given.emotion, "emotion")),
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
    intake, life = profile.intake, profile.intake.functioning
    own = " ".join([intake.presenting_problem, profile.opening.client, intake.reason])
    daily = " ".join([life.occupational, life.relationships, life.daily_life, intake.support, intake.past_history])
    thought = finding.thought(own).value
    habit = finding.distortion(thought).value
    return {
        "thought": thought,
        "situation": finding.situation(own).value,
        "behaviour": finding.behaviour(own).value,
        "emotion": finding.emotion(own).value,
        "topic": finding.topic(own).value,
        "helper": finding.helper(intake.support).value,
        "distortion": habit,
        **finding.evidence(finding.clauses(daily)),
        **read("rehearsal/facts.yaml")["by_distortion"].get(habit, {}),
    }


def _verb(text: str) -> str:
    """Return a text as a verb phrase: without a leading I or to, in lower case."""
    verb = tidy(re.sub(r"(?i)^(?:I(?: usually| always| will| could| can| might)?|I'll|to)\s+(?=[a-z])", "", tidy(text)))
    return verb if re.match(r"I\b", verb) else lower(verb)


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
