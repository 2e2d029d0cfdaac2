"""What can be counted in a dialogue without any model: each measure with its unit, its n, a line on how to read it, and a source.

Counts are no verdict. Question and reflection counts come from motivational interviewing, where they have thresholds; in cognitive therapy
they only describe a style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import mean

from magnet_core.domain import Session, Technique, Utterance, Value
from magnet_core.guards import leak, repeats
from magnet_core.scoring.coding import Code, Talk, read_talk, words
from magnet_core.scoring.diversity import measure

_MITI = (
    "Counted as in the MITI 4 coding manual's behaviour counts (open and closed as in MITI 3); rules, not a trained coder."
)
_OURS = "This project's own count."
_PAPER = "arXiv 2509.04183, evaluation of diversity; here with words as tokens (repaired recipe)."
_MIX: dict[Technique, frozenset[Code]] = {
    Technique.REFLECTION: frozenset({"simple-reflection", "complex-reflection"}),
    Technique.QUESTIONING: frozenset({"open-question", "closed-question"}),
    Technique.SOLUTIONS: frozenset({"advice", "homework"}),
    Technique.NORMALIZING: frozenset({"normalizing"}),
    Technique.PSYCHOEDUCATION: frozenset({"information"}),
}


class Measure(Value):
    """One number about a dialogue, and how to read it."""

    name: str
    title: str
    value: float | None
    """None when there was nothing to count; never zero for that."""
    unit: str
    low: float = 0.0
    high: float | None = None
    """The ends of its scale; None for no upper end."""
    n: int
    """How many things were counted."""
    read: str
    source: str


def measures(dialogue: Session | Iterable[Utterance]) -> tuple[Measure, ...]:
    """Return every measure of a session, or of utterances in the order they were spoken, always the same ones in the same order.

    The opening pair is given, not generated: it counts for words and repetition, not for what the counsellor did.
    """
    said = dialogue.transcript if isinstance(dialogue, Session) else tuple(dialogue)
    talk = read_talk(said)
    session = dialogue if isinstance(dialogue, Session) else None
    return (*_speaking(said), *_style(talk), *_mix(talk), _steps(session), *_faults(said, talk), *_diversity(said))


def _share(name: str, title: str, count: int, n: int, read: str, source: str) -> Measure:
    value = count / n if n else None
    return Measure(name=name, title=title, value=value, unit="share", high=1.0, n=n, read=read, source=source)


def _speaking(said: tuple[Utterance, ...]) -> list[Measure]:
    spoken = {who: [len(words(u.text)) for u in said if u.speaker == who] for who in ("counsellor", "client")}
    own, all_words = sum(spoken["counsellor"]), sum(map(sum, spoken.values()))
    found = [
        _share(
            "talk-share",
            "Counsellor's share of the words",
            own,
            all_words,
            "Near half or below leaves the client room; far above is a lecture.",
            _OURS,
        )
    ]
    for who, counts in spoken.items():
        filled = [count for count in counts if count]
        found.append(
            Measure(
                name=f"words-{who}",
                title=f"Words in a {who}'s message",
                value=mean(filled) if filled else None,
                unit="words",
                n=len(filled),
                read="Mean over messages with words. Long messages are hard to take in; very short ones may be brushing off.",
                source=_OURS,
            )
        )
    return found


def _style(talk: Talk) -> list[Measure]:
    counts: Counter[Code] = Counter(c for e in talk.exchanges if e.turn for s in e.coded for c in s.codes)
    opened, closed = counts["open-question"], counts["closed-question"]
    simple, deep = counts["simple-reflection"], counts["complex-reflection"]
    sentences = sum(len(e.coded) for e in talk.exchanges if e.turn)

    def number(name: str, title: str, count: int, read: str) -> Measure:
        return Measure(
            name=name,
            title=title,
            value=float(count) if sentences else None,
            unit="sentences",
            n=sentences,
            read=read,
            source=_MITI,
        )

    return [
        number(
            "open-questions",
            "Open questions",
            opened,
            "They invite the client's own thinking; in guided discovery most questions are open.",
        ),
        number(
            "closed-questions",
            "Closed questions",
            closed,
            "Good for a number or a check; many in a row become an interrogation.",
        ),
        _share(
            "open-share",
            "Open among all questions",
            opened,
            opened + closed,
            "Above half is the usual aim of a listening style.",
            _MITI,
        ),
        number(
            "simple-reflections",
            "Simple reflections",
            simple,
            "They stay close to the words. Rules tell simple from complex poorly: trust the sum.",
        ),
        number(
            "complex-reflections",
            "Complex reflections",
            deep,
            "They add a meaning or a feeling. Rules tell simple from complex poorly: trust the sum.",
        ),
        _share(
            "complex-share",
            "Complex among all reflections",
            deep,
            simple + deep,
            "A rough figure: see the two counts.",
            _MITI,
        ),
        Measure(
            name="reflection-to-question",
            title="Reflections to each question",
            value=(simple + deep) / (opened + closed) if opened + closed else None,
            unit="ratio",
            n=simple + deep + opened + closed,
            read="1 is fair and 2 good in motivational interviewing; cognitive therapy asks more, so a lower ratio is no fault there.",
            source=_MITI,
        ),
    ]


def _mix(talk: Talk) -> list[Measure]:
    later = [e for e in talk.exchanges if e.turn]
    read = "Share of the counsellor's messages that show it, as coded from the text; a message may show several, so shares add up to more than one."
    return [
        _share(
            f"mix-{t.value}", f"Technique mix: {t.value}", sum(bool(e.codes & codes) for e in later), len(later), read, _OURS
        )
        for t, codes in _MIX.items()
    ]


def _steps(session: Session | None) -> Measure:
    steps = session.plan.steps if session and session.plan else ()
    chosen = {t.choice.plan_step for t in session.turns if t.choice and t.choice.plan_step} if session else set()
    traced = bool(session and any(t.choice for t in session.turns))
    touched, n = len({s for s in chosen if s <= len(steps)}), len(steps) if traced else 0
    read = "Plan steps that the selector said it was serving. Missing where a session carries no plan steps or no choices."
    return _share("plan-steps", "Plan steps touched", touched, n, read, _OURS)


def _faults(said: tuple[Utterance, ...], talk: Talk) -> list[Measure]:
    found: list[Measure] = []
    for who in ("counsellor", "client"):
        texts = [u.text for u in said if u.speaker == who and words(u.text)]
        again = sum(any(repeats(text, before) for before in texts[:place]) for place, text in enumerate(texts))
        read = "Messages that are the same as an earlier one of their own, or nearly. Any is a sign of a loop."
        found.append(_share(f"repetition-{who}", f"Repeated {who}'s messages", again, len(texts), read, _OURS))
        openings = Counter(" ".join(words(text)[:3]) for text in texts)
        [(opening, count)] = openings.most_common(1) or [("", 0)]
        read = f"Share of messages with the commonest first three words (“{opening}”). High means a mannerism."
        found.append(_share(f"monotony-{who}", f"Opener monotony of the {who}", count, len(texts), read, _OURS))
    messages = len(said)
    empty = talk.counsellor_empty + talk.client_empty
    leaked = sum(bool(leak(u.text)) for u in said)
    found.append(
        _share("empty", "Empty messages", empty, messages, "Messages with no words or only a label. Should be none.", _OURS)
    )
    found.append(
        _share(
            "leaked",
            "Leaked messages",
            leaked,
            messages,
            "Messages that talk about how they were made. Should be none.",
            _OURS,
        )
    )
    return found


def _diversity(said: tuple[Utterance, ...]) -> list[Measure]:
    found = measure([said])
    read = "Different {} among all. Falls with length: compare sessions of about the same size only."
    named = (("1", "words"), ("2", "word pairs"), ("3", "word triples"))
    values = {"1": found.distinct_1, "2": found.distinct_2, "3": found.distinct_3}
    return [
        *(
            Measure(
                name=f"distinct-{n}",
                title=f"Distinct-{n}",
                value=values[n],
                unit="share",
                high=1.0,
                n=max(0, found.tokens - int(n) + 1),
                read=read.format(what),
                source=_PAPER,
            )
            for n, what in named
        ),
        Measure(
            name="ead",
            title="EAD",
            value=found.ead,
            unit="share",
            high=1.0,
            n=found.tokens,
            read=f"Different words over those expected from as many draws out of {found.vocabulary:,}; less bound to length than Distinct.",
            source=_PAPER,
        ),
    ]
