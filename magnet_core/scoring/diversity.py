"""How varied the language of sessions is: Distinct-n and EAD, by the paper's own recipe and by a repaired one.

Distinct-n is the share of different n-grams among all. It falls with the size of a text, so compare equal samples only (`equal_samples`);
EAD (expectation-adjusted distinct) sets the different words against how many would be expected from that many draws out of a vocabulary.

The paper's recipe (evaluation notebook of its repository): all messages of a session joined with line breaks, mentions, addresses and
hashtags dropped, every character but ASCII letters, digits and blanks deleted, double blanks halved once. Line breaks are deleted too, which glues
the last word of a message to the first of the next. The repaired recipe keeps words apart, whole and lower-cased.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from magnet_core.domain import Session, Utterance, Value
from magnet_core.errors import SettingsError
from magnet_core.scoring.coding import words

Recipe = Literal["paper", "repaired"]

T = TypeVar("T")

VOCABULARY = 128_000
"""The vocabulary EAD is set against when words are the tokens: as large as the one of the paper's tokenizer."""

_NOISE = re.compile(r"@\w+|https?://\S+|www\.\S+|#\w+")


class Diversity(Value):
    """The figures of one session or of a corpus, and what they were counted on."""

    recipe: Recipe
    tokenizer: str
    """"words", or the name of the tokenizer file."""
    sessions: int
    tokens: int
    types: int
    """Different tokens."""
    vocabulary: int
    distinct_1: float | None
    distinct_2: float | None
    distinct_3: float | None
    ead: float | None
    """None, as the others, where there was nothing to count."""


class Tokenizer:
    """How text becomes tokens: a name, the size of the vocabulary, and the function itself."""

    def __init__(self, name: str, vocabulary: int, tokens: Callable[[str], Sequence[Any]]) -> None:
        self.name, self.vocabulary, self.tokens = name, vocabulary, tokens


WORDS = Tokenizer("words", VOCABULARY, str.split)


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of a Hugging Face `tokenizer.json`, special tokens included as the paper has them.

    Raise `SettingsError` with the reason when it cannot be read.
    """
    try:
        from tokenizers import Tokenizer as Reader
    except ImportError as error:
        raise SettingsError("Reading a tokenizer file needs the package 'tokenizers': pip install tokenizers.") from error
    if not path.is_file():
        raise SettingsError(f"{path} is not a file; give a Hugging Face tokenizer.json.")
    try:
        reader = Reader.from_file(str(path))
    except Exception as error:
        raise SettingsError(f"{path} holds no tokenizer that can be read: {error}.") from error
    size = reader.get_vocab_size(with_added_tokens=False)
    return Tokenizer(path.name, size, lambda text: reader.encode(text).ids)


def document(dialogue: Session | Iterable[Utterance]) -> str:
    """Return all messages of a dialogue, without role labels, a line each."""
    said = dialogue.transcript if isinstance(dialogue, Session) else dialogue
    return "\n".join(utterance.text for utterance in said)


def clean(text: str, recipe: Recipe = "repaired") -> str:
    """Return a document as the recipe wants it before it is cut into tokens."""
    text = _NOISE.sub("", text)
    if recipe == "paper":
        return re.sub(r"[^0-9A-Za-z ]", "", text).replace("  ", " ").strip()
    return " ".join(words(text))


def measure(
    dialogues: Iterable[Session | Iterable[Utterance]], recipe: Recipe = "repaired", tokenizer: Tokenizer = WORDS
) -> Diversity:
    """Return the figures of one session (give it alone) or of a corpus: n-grams within each session, pooled over all."""
    return counted([tokenizer.tokens(clean(document(d), recipe)) for d in dialogues], recipe, tokenizer)


def counted(texts: Iterable[Sequence[Any]], recipe: Recipe = "repaired", tokenizer: Tokenizer = WORDS) -> Diversity:
    """Return the figures of texts already cut into tokens."""
    texts = list(texts)
    different: dict[int, set[tuple[Any, ...]]] = {1: set(), 2: set(), 3: set()}
    total = {1: 0, 2: 0, 3: 0}
    for tokens in texts:
        for n, seen in different.items():
            grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
            total[n] += len(grams)
            seen.update(grams)
    shares = {n: len(different[n]) / total[n] if total[n] else None for n in different}
    return Diversity(
        recipe=recipe,
        tokenizer=tokenizer.name,
        sessions=len(texts),
        tokens=total[1],
        types=len(different[1]),
        vocabulary=tokenizer.vocabulary,
        distinct_1=shares[1],
        distinct_2=shares[2],
        distinct_3=shares[3],
        ead=ead(len(different[1]), total[1], tokenizer.vocabulary),
    )


def ead(types: int, tokens: int, vocabulary: int) -> float | None:
    """Return the different tokens over those expected from as many draws out of the vocabulary; None for no tokens."""
    if not tokens or vocabulary < 1:
        return None
    return types / (vocabulary * (1 - ((vocabulary - 1) / vocabulary) ** tokens))


def equal_samples(corpora: Mapping[str, Sequence[T]], seed: int = 0) -> dict[str, list[T]]:
    """Return from each corpus a random sample, without replacement, as large as the smallest corpus; in their order."""
    size = min((len(corpus) for corpus in corpora.values()), default=0)
    drawn: dict[str, list[T]] = {}
    for name, corpus in corpora.items():
        places = sorted(random.Random(f"{seed}/{name}").sample(range(len(corpus)), size))
        drawn[name] = [corpus[place] for place in places]
    return drawn
