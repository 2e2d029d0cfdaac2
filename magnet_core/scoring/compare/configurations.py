"""How sessions were made, as values that can be compared: which agents, models, words and settings, and who sees what."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from magnet_core import prompts
from magnet_core.domain import AgentCall, ClientProfile, Prompt, Session
from magnet_core.lab import AGENTS, changed, fields
from magnet_core.methods import METHODS, method_named
from magnet_core.models import REHEARSAL
from magnet_core.scoring.configuration import OURS, OWN, Configuration, Sampling

PAPER = ("magnet", "no-plan", "no-selector", "neither", "single-agent", "plain")
"""The methods of the paper's own table: MAGneT, its ablations, a single agent with a plan (CACTUS), a plain one (Psych8k)."""


def configuration_of(session: Session) -> Configuration:
    """Return how a session was made, from what it recorded."""
    return Configuration(
        method=session.method,
        model=_voices(session),
        visibility=session.visibility,
        prompts=pack_of(session.prompts),
        sampling=sampling_of([*session.plan_calls, *(call for turn in session.turns for call in turn.calls)]),
    )


def pack_of(used: Iterable[Prompt]) -> str:
    """Return which prompts differ from the project's own, with a hash of them; empty when none does.

    A method that does not use a changed prompt was not made with it, so its pack is the project's own.
    """
    used = list(used)
    names = set(changed(used))
    if not names:
        return OURS
    told = sorted((p.name, *fields(p).values()) for p in used if p.name in names)
    return f"{', '.join(sorted(names))} · {hashlib.sha256(json.dumps(told).encode()).hexdigest()[:6]}"


def pack_for(method: str, texts: prompts.PromptSet) -> str:
    """Return what `pack_of` would say of a session made with these prompts by a method."""
    agents = [texts[name] for name in method_named(method).agents]
    frames = {p.frame: texts[p.frame] for p in agents if p.frame}
    return pack_of([*frames.values(), *agents])


def sampling_of(calls: Iterable[AgentCall]) -> Sampling:
    """Return the settings calls were made with, as far as they are not the agents' own.

    What all agents share is said once; if any kept to its own, the others are named.
    """
    set_by = {call.agent: call for call in calls if call.agent in AGENTS}
    temperatures = {
        name: call.temperature
        for name, call in set_by.items()
        if call.temperature is not None and call.temperature != AGENTS[name].temperature
    }
    lengths = {
        name: call.max_tokens
        for name, call in set_by.items()
        if call.max_tokens is not None and call.max_tokens != AGENTS[name].max_tokens
    }
    temperature = _shared(temperatures, {name: call.temperature for name, call in set_by.items()})
    length = _shared(lengths, {name: call.max_tokens for name, call in set_by.items()})
    others = [f"{name}: temperature {t:g}" for name, t in sorted(temperatures.items()) if temperature is None]
    others += [f"{name}: at most {n:,} tokens" for name, n in sorted(lengths.items()) if length is None]
    return Sampling(temperature=temperature, max_tokens=None if length is None else int(length), others=", ".join(others))


def sampling_for(method: str, sampling: Sampling) -> Sampling:
    """Return what `sampling_of` would say of a session made by a method with these settings: its agents' own say nothing."""
    agents = [AGENTS[name] for name in method_named(method).agents]
    return sampling.model_copy(
        update={
            "temperature": None if all(a.temperature == sampling.temperature for a in agents) else sampling.temperature,
            "max_tokens": None if all(a.max_tokens == sampling.max_tokens for a in agents) else sampling.max_tokens,
        }
    )


def _shared(own: Mapping[str, float], every: Mapping[str, float | None]) -> float | None:
    """Return the one value that all have, if it is not what all of them have by themselves."""
    values = set(every.values())
    return next(iter(values)) if own and len(values) == 1 else None


def left_out(session: Session) -> str:
    """Return why a session cannot be compared; empty when it can."""
    if session.parent:
        return "forked"
    if any(turn.typed for turn in session.turns):
        return "typed in by a person"
    if (session.plan and session.plan.by_person) or any(turn.choice and turn.choice.by_person for turn in session.turns):
        return "steered by a person"
    if not session.ended:
        return "not finished"
    return "" if session.method in METHODS else "made by an unknown method"


def client_key(profile: ClientProfile, max_turns: int, min_turns: int) -> str:
    """Return what two sessions must share to be a pair: the same client, word for word, over the same length."""
    told = profile.model_dump_json(exclude={"gaps", "source", "summary", "calls_for"}, exclude_defaults=True)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return f"{profile.id}:{profile.attitude.value}:{digest}:{min(min_turns, max_turns)}-{max_turns}"


def methods_to_begin_with(seen: Collection[str]) -> list[str]:
    """Return the methods to compare at first: those that sessions were made by, with a second where there is only one.

    Where there is none at all, the paper's.
    """
    known = [method for method in METHODS if method in seen]
    if len(known) == 1:
        second = "plain" if known == ["magnet"] else "magnet"
        return [method for method in METHODS if method in (known[0], second)]
    return known or list(PAPER)


def rehearsed(configuration: Configuration) -> bool:
    """Tell whether the rehearsal speaks for any agent."""
    return REHEARSAL in re.split(r" \(|: |, |\)", configuration.model)


def name_of(
    configuration: Configuration, among: Sequence[Configuration] = (), titles: Mapping[str, str] | None = None
) -> str:
    """Return a configuration in words: its method, and of the rest what differs `among` several.

    `titles` are names of prompt packs by what `pack_of` says of them.
    """
    others = [c for c in among if c != configuration]
    words = [method_named(configuration.method).title if configuration.method in METHODS else configuration.method]
    if not others or any(c.model != configuration.model for c in others):
        words.append(configuration.model)
    if any(c.visibility != configuration.visibility for c in others):
        words.append(f"{configuration.visibility} visibility")
    if any(c.prompts != configuration.prompts for c in others):
        words.append(f"prompts: {(titles or {}).get(configuration.prompts, configuration.prompts) or 'ours'}")
    if configuration.sampling != OWN or any(c.sampling != OWN for c in others):
        words.append(str(configuration.sampling))
    return ", ".join(words)


def _voices(session: Session) -> str:
    spoken = {call.agent: call.model for turn in session.turns for call in turn.calls}
    spoken = {call.agent: call.model for call in session.plan_calls} | spoken or dict(session.models)
    if not spoken:
        return "unknown"
    main = Counter(spoken.values()).most_common(1)[0][0]
    others = [f"{agent}: {model}" for agent, model in sorted(spoken.items()) if model != main]
    return f"{main} ({', '.join(others)})" if others else main
