"""What a client profile lacks and why that matters, what in it does not fit together, and how two profiles differ.

Hints are for the person who writes a profile and are never an error. The rules are data (`knowledge/hints.yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, Literal

from magnet_core.domain import ClientProfile, Value
from magnet_core.knowledge import read
from magnet_core.profile_fields import Content, fields, flat

ALIKE = 0.7
"""Share of words in common from which two pieces of evidence say the same."""
SMALL_WORDS = frozenset(
    """a an and are as at be been but by can do for from had has have he her his i if in is it its me my not of on or our she so
    that the their them then there they this to was we were what when will with would you your""".split()  # noqa: SIM905
)
"""Words that say nothing by themselves: sharing them is no likeness."""


class Hint(Value):
    """Something a profile's writer may want to look at."""

    kind: Literal["missing", "thin", "contradiction"]
    fields: tuple[str, ...]
    """The fields it is about, as named in `profile_fields`."""
    text: str
    """What it is, in a sentence."""
    why: str = ""
    """Why it matters, where that needs saying."""


class Change(Value):
    """A field in which two profiles differ; an empty side holds nothing."""

    field: str
    title: str
    before: Content = ""
    after: Content = ""


def hints(profile: ClientProfile) -> tuple[Hint, ...]:
    """Return all hints on a profile: what is missing first, then what does not fit together."""
    return completeness(profile) + contradictions(profile)


def completeness(profile: ClientProfile) -> tuple[Hint, ...]:
    """Return a hint for each field that matters and holds nothing, or too little to work with."""
    rules, held = read("hints.yaml"), flat(profile)
    found = [
        Hint(kind="missing", fields=(name,), text=f"{fields()[name].title} is empty.", why=why)
        for name, why in rules["missing"].items()
        if name not in held
    ]
    for name, least in rules["least_words"].items():
        if name in held and (count := len(str(held[name]).split())) < least:
            text = f"{fields()[name].title} has {count} word{'' if count == 1 else 's'}; {least} or more give the agents more to go on."
            found.append(Hint(kind="thin", fields=(name,), text=text, why=rules["missing"].get(name, "")))
    for name in ("conceptualisation.evidence_for", "conceptualisation.evidence_against"):
        if len(held.get(name, ("", ""))) == 1:  # type: ignore[arg-type]
            found.append(
                Hint(kind="thin", fields=(name,), text=f"{fields()[name].title} has one entry; two or three are better.")
            )
    return tuple(found)


def contradictions(profile: ClientProfile) -> tuple[Hint, ...]:
    """Return a hint for everything in a profile that does not seem to fit together."""
    held = flat(profile)
    texts = {name: "; ".join(value) if isinstance(value, tuple) else str(value) for name, value in held.items()}
    own = [
        name for name in texts if name.startswith(("intake.", "conceptualisation.", "opening.client")) and name not in _FORM
    ]
    texts["own"] = "\n".join(texts[name] for name in own)
    found = [hint for rule in read("hints.yaml")["contradictions"] if (hint := _applied(rule, texts, profile.intake.age))]
    return (*found, *_greeting(profile), *_link(texts), *_evidence(profile), *_fairer(texts))


def compare(before: ClientProfile, after: ClientProfile) -> tuple[Change, ...]:
    """Return the fields in which two profiles differ, in the order of the form."""
    old, new = flat(before), flat(after)
    return tuple(
        Change(field=name, title=field.title, before=old.get(name, ""), after=new.get(name, ""))
        for name, field in fields().items()
        if old.get(name) != new.get(name)
    )


_FORM = frozenset(
    f"intake.{name}" for name in ("name", "age", "gender", "occupation", "education", "marital_status", "family_details")
)


def _applied(rule: Mapping[str, Any], texts: Mapping[str, str], age: int | None) -> Hint | None:
    """Return what a rule has to say; None where it does not apply."""
    bounds = rule.get("age")
    if bounds and (age is None or not bounds.get("above", 0) < age < bounds.get("below", 999)):
        return None
    words: list[str] = []
    for name, pattern in rule["all"].items():
        caught = re.search(pattern, texts.get(name, ""), re.I)
        if not caught:
            return None
        words.append(caught.group().strip())
    if any(re.search(pattern, texts.get(name, ""), re.I) for name, pattern in rule.get("none", {}).items()):
        return None
    about = [*(["intake.age"] if "age" in rule else []), *(name for name in rule["all"] if name != "own")]
    if "own" in rule["all"]:
        said = words[list(rule["all"]).index("own")].lower()
        about += [name for name in fields() if name not in _FORM and said in texts.get(name, "").lower()][:1]
    text = re.sub(r"\{(\w+)\}", lambda slot: str(age) if slot[1] == "age" else words[int(slot[1]) - 1], rule["say"])
    return Hint(kind="contradiction", fields=tuple(dict.fromkeys(about)), text=text)


def _greeting(profile: ClientProfile) -> Iterator[Hint]:
    """Notice a greeting to somebody else."""
    greeted = re.search(
        r"\b(?:Hi|Hello|Hey|Dear|Welcome|Good (?:morning|afternoon|evening))(?: there)?,? ([A-Z][\w'’-]+)(?=[,.!?]|\s+[a-zI])",
        profile.opening.counsellor,
    )
    known = re.findall(r"\w+", profile.name.lower())
    titles = (
        "mr",
        "mrs",
        "ms",
        "miss",
        "dr",
        "and",
        "it",
        "i",
        "how",
        "what",
        "thank",
        "thanks",
        "please",
        "come",
        "to",
        "back",
    )
    if greeted and not any(part in known or part in titles for part in re.findall(r"\w+", greeted[1].lower())):
        text = f"The greeting is to {greeted[1]}, but the client is called {profile.name}."
        yield Hint(kind="contradiction", fields=("intake.name", "opening.counsellor"), text=text)


def _link(texts: Mapping[str, str]) -> Iterator[Hint]:
    """Notice a core belief that has nothing to do with the thought."""
    names = ("conceptualisation.core_belief", "conceptualisation.automatic_thought")
    belief, thought = (texts.get(name, "") for name in names)
    rule = texts.get("conceptualisation.intermediate_belief", "")
    themes = [
        {t for t, words in read("hints.yaml")["themes"].items() if re.search(words, text, re.I)}
        for text in (belief, thought)
    ]
    bridged = all(
        _shared(rule, text) or about & _themes(rule) for text, about in zip((belief, thought), themes, strict=True)
    )
    if all(themes) and not themes[0] & themes[1] and not _shared(belief, thought) and not bridged:
        text = (
            f"The core belief (about {' and '.join(sorted(themes[0]))}) and the automatic thought "
            f"(about {' and '.join(sorted(themes[1]))}) do not seem linked."
        )
        yield Hint(
            kind="contradiction", fields=names, text=text, why="The session goes from the thought down to the belief."
        )


def _themes(text: str) -> set[str]:
    return {theme for theme, words in read("hints.yaml")["themes"].items() if re.search(words, text, re.I)}


def _evidence(profile: ClientProfile) -> Iterator[Hint]:
    """Notice evidence that repeats, stands on both sides, or only repeats the thought."""
    case = profile.conceptualisation
    if case is None:
        return
    sides = [("evidence_for", item) for item in case.evidence_for] + [
        ("evidence_against", item) for item in case.evidence_against
    ]
    for (one, first), (other, second) in combinations(sides, 2):
        if _alike(first, second):
            where = "on both sides" if one != other else "twice"
            names = tuple(dict.fromkeys((f"conceptualisation.{one}", f"conceptualisation.{other}")))
            yield Hint(kind="contradiction", fields=names, text=f"The same evidence stands there {where}: “{first}”.")
    for side, item in sides:
        if _alike(item, case.automatic_thought):
            names = (f"conceptualisation.{side}", "conceptualisation.automatic_thought")
            text = f"This evidence only repeats the thought: “{item}”."
            yield Hint(kind="contradiction", fields=names, text=text, why="Evidence is something that happened.")


def _fairer(texts: Mapping[str, str]) -> Iterator[Hint]:
    """Notice a fairer thought that is the automatic thought again."""
    names = ("conceptualisation.fairer_thought", "conceptualisation.automatic_thought")
    fairer, thought = (texts.get(name, "") for name in names)
    if fairer and re.findall(r"\w+", fairer.lower()) == re.findall(r"\w+", thought.lower()):
        yield Hint(kind="contradiction", fields=names, text="The fairer thought is the automatic thought again.")


def _alike(one: str, other: str) -> bool:
    first, second = _words(one), _words(other)
    return len(first) > 1 and len(second) > 1 and len(first & second) >= ALIKE * max(len(first), len(second))


def _shared(one: str, other: str) -> bool:
    return bool(_words(one) & _words(other))


def _words(text: str) -> set[str]:
    found: Iterable[str] = re.findall(r"[^\W\d_]+", text.lower().replace("’", "'"))
    return {word[:6] for word in found if word not in SMALL_WORDS and len(word) > 2}
