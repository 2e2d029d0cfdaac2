"""The script of a rehearsed session: which beat a turn plays, and what each role says in it.

A beat is one turn, authored in `knowledge/rehearsal/*.yaml`. The same session and seed always give the same lines.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from magnet_core.domain import Attitude, CbtTechnique, Choice, ClientProfile, Moment, Session, Technique
from magnet_core.errors import ModelError
from magnet_core.knowledge import FOLDER, read
from magnet_core.reading import END_MARK
from magnet_core.rehearsal.facts import facts, speak

Beat = Mapping[str, Any]

LONGEST = 20
"""Turns of the longest session the cast can play."""
_WITHOUT_PLAN = CbtTechnique.EVIDENCE_BASED_QUESTIONING
_WIDELY_USEFUL = (
    CbtTechnique.EVIDENCE_BASED_QUESTIONING,
    CbtTechnique.ALTERNATIVE_PERSPECTIVE,
    CbtTechnique.DECATASTROPHIZING,
    CbtTechnique.REALITY_TESTING,
)
"""What the planner chooses from when a client's words point nowhere in particular."""


@cache
def techniques() -> dict[CbtTechnique, Mapping[str, Any]]:
    """Return what the cast knows of each CBT technique, in the planner's order."""
    files = [read(f"rehearsal/{path.name}") for path in sorted((FOLDER / "rehearsal").glob("*.yaml"))]
    known = {CbtTechnique(content["technique"]): content for content in files if "technique" in content}
    return {technique: known[technique] for technique in CbtTechnique}


def perform(moment: Moment) -> str:
    """Return what the moment's agent says; raise `ModelError` past the last turn the cast has lines for."""
    session = moment.session
    if moment.agent == "planner":
        return _plan(session.profile)
    beat = beat_of(session, moment.turn)
    if moment.agent == "client":
        return _client(session, moment.turn, beat)
    if moment.agent == "selector":
        return json.dumps(_choice(session, beat), ensure_ascii=False)
    if moment.agent in set(Technique):
        return _candidate(session, beat, Technique(moment.agent))
    if moment.agent == "one-call":
        drafts = {t.value: _candidate(session, beat, t) for t in Technique}
        response = _response(session, moment.turn, beat, None, {})
        return json.dumps(_choice(session, beat) | drafts | {"response": response}, ensure_ascii=False)
    given = {c.technique: c.text for c in moment.candidates}
    return _response(session, moment.turn, beat, moment.choice, given)


def choose(profile: ClientProfile) -> CbtTechnique:
    """Return the CBT technique that the client's reason and first line call for most, by the cue words of each."""
    text = f" {profile.intake.reason} {profile.opening.client} ".lower().replace("’", "'")
    weights = {
        technique: sum(
            len(cue.split()) for cue in map(str, known["cues"]) if re.search(rf"\b{re.escape(cue.lower())}\b", text)
        )
        for technique, known in techniques().items()
    }
    best = max(weights.values())
    leading = [technique for technique, weight in weights.items() if weight == best] if best else list(_WIDELY_USEFUL)
    return _pick(leading, profile.intake.name, "technique")


def arc(length: int, technique: CbtTechnique) -> list[Beat]:
    """Return the beats of a session of that many turns, first to last; at most `LONGEST` of them."""
    plan = read("rehearsal/arcs.yaml")
    order, kept = list(plan["full"]), plan["technique_beats"]
    for step in plan["shorten"]:
        if len(order) - ("technique" in order) + kept <= length:
            break
        if "technique" in step:
            kept = step["technique"]
        else:
            place = order.index(step["drop"][0])
            order[place : place + len(step["drop"])] = [step["instead"]] if "instead" in step else []
    frame = {beat["id"]: beat for beat in read("rehearsal/frame.yaml")["beats"]}
    own = [beat for beat in techniques()[technique]["beats"] if beat["rank"] <= kept]
    return [beat for name in order for beat in (own if name == "technique" else [frame[name]])]


def technique_of(session: Session) -> CbtTechnique:
    return session.plan.technique if session.plan and session.plan.technique else _WITHOUT_PLAN


def beat_of(session: Session, turn: int) -> Beat:
    """Return the beat that a turn of the session plays."""
    beats = arc(session.max_turns, technique_of(session))
    if turn > len(beats):
        raise ModelError(
            f"The rehearsal cast has lines for {len(beats)} turns; choose a language model for longer sessions."
        )
    return beats[turn - 1]


def _plan(profile: ClientProfile) -> str:
    chosen, known = choose(profile), techniques()
    first, second, *last = read("rehearsal/frame.yaml")["steps"]
    spoken = facts(profile)  # pyright: ignore[reportArgumentType] (a frozen value has a hash)
    return json.dumps(
        {
            "technique": chosen.value,
            "reason": speak(known[chosen]["why"], spoken, to_client=False).replace(spoken["topic"], _third(spoken["topic"])),
            "steps": [first, second, *known[chosen]["steps"], *last],
            "rejected": [
                {"technique": other.value, "reason": " ".join(known[other]["not_now"].split())}
                for other in CbtTechnique
                if other != chosen
            ],
        },
        ensure_ascii=False,
    )


def _third(topic: str) -> str:
    """Return a topic as a third person speaks of it: my work, their work."""
    return re.sub(r"\bI\b", "they", re.sub(r"\bme\b", "them", re.sub(r"\bmy\b", "their", topic)))


def _choice(session: Session, beat: Beat) -> dict[str, Any]:
    choice: dict[str, Any] = {"techniques": list(beat["choice"]), "reason": " ".join(beat["why"].split())}
    if session.plan and session.plan.steps:
        choice["plan_step"] = min(beat["step"], len(session.plan.steps))
    return choice


def _candidate(session: Session, beat: Beat, technique: Technique) -> str:
    return _said(session, beat["candidates"][technique.value], to_client=True)


def _response(session: Session, turn: int, beat: Beat, choice: Choice | None, candidates: Mapping[Technique, str]) -> str:
    """Return the counsellor's message: a first sentence that takes up the client's last words, then the beat's own.

    The authored message serves the choice the beat was written for; another choice is served by its candidates.
    """
    chosen = list(choice.techniques) if choice else []
    written_for = {Technique(name) for name in beat["choice"]}
    if not chosen or set(chosen) == written_for or not all(t in candidates for t in chosen):
        body = _said(session, _pick(beat["response"], _key(session), beat["id"], "response"), to_client=True)
    else:
        body = _joined([candidates[t] for t in chosen])
    return f"{_uptake(session, turn)} {body}".strip()


def _joined(texts: Sequence[str]) -> str:
    """Return several candidates as one message: their statements, at most four, then the last question."""
    sentences = [s for text in texts for s in re.split(r"(?<=[.!?])\s+", text)]
    said = [s for s in sentences if not s.endswith("?")][:4]
    asked = [s for s in sentences if s.endswith("?")][-1:]
    return " ".join(said + asked)


def _uptake(session: Session, turn: int) -> str:
    """Return the sentence that takes up the client's last message; nothing in the first turn."""
    if turn == 1:
        return ""
    before = _answer(session, beat_of(session, turn - 1))
    heard = session.turns[turn - 2].reply.text
    if before.get("uptake") and _said(session, before["say"], to_client=False) == heard:
        return _said(session, before["uptake"], to_client=True)
    lines = read("rehearsal/facts.yaml")["agreement"]
    return lines[(turn - 2) % len(lines)]


def _client(session: Session, turn: int, beat: Beat) -> str:
    said = _said(session, _answer(session, beat)["say"], to_client=False)
    last = turn >= len(arc(session.max_turns, technique_of(session)))
    return f"{said} {END_MARK}" if last else said


def _answer(session: Session, beat: Beat) -> Mapping[str, str]:
    """Return the client's answer in a beat: by attitude, its version by seed.

    A resistant client's last version is the one that softens; whether it does is settled once for the whole later session.
    """
    versions = beat["client"][session.profile.attitude.value]
    if session.profile.attitude is not Attitude.NEGATIVE or beat["step"] < 4:
        hard = versions[:-1] if session.profile.attitude is Attitude.NEGATIVE and len(versions) > 2 else versions
        return _pick(hard, _key(session), beat["id"], "say")
    softens = _pick([False, True], _key(session), "softens")
    return versions[-1] if softens else _pick(versions[:-1], _key(session), beat["id"], "say")


def _said(session: Session, text: str, *, to_client: bool) -> str:
    known = techniques()[technique_of(session)]
    spoken = facts(session.profile)  # pyright: ignore[reportArgumentType] (a frozen value has a hash)
    extra = {
        "agenda_item": known["agenda"],
        "done": known["done"],
        "homework_task": speak(known["homework"], spoken, to_client=to_client),
    }
    return speak(text, spoken | {name: _lower_start(value) for name, value in extra.items()}, to_client=to_client)


def _lower_start(text: str) -> str:
    tidy = " ".join(text.split()).rstrip(".")
    return tidy[:1].lower() + tidy[1:]


def _key(session: Session) -> str:
    return f"{session.seed}/{session.profile.intake.name}"


def _pick(versions: Sequence[Any], *key: str) -> Any:
    """Return one of the versions, always the same one for the same key."""
    digest = hashlib.sha256("/".join(key).encode()).digest()
    return versions[int.from_bytes(digest[:4]) % len(versions)]
