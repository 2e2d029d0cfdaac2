"""Distinct-n and EAD: by hand, by brute force, and by the paper's recipe with its bug."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magnet_core.domain import Utterance
from magnet_core.errors import SettingsError
from magnet_core.scoring.diversity import clean, counted, document, ead, equal_samples, measure, read_tokenizer


def talk(*texts: str) -> list[Utterance]:
    return [Utterance(speaker="client" if n % 2 else "counsellor", text=text) for n, text in enumerate(texts)]


def test_a_dialogue_worked_by_hand() -> None:
    found = measure([talk("You are here.", "I am here. You are here.")])  # you are here i am here you are here
    assert (found.tokens, found.types) == (9, 5)
    assert found.distinct_1 == 5 / 9
    assert found.distinct_2 == 6 / 8  # you-are, are-here, here-i, i-am, am-here, here-you
    assert found.distinct_3 == 6 / 7
    assert found.ead == pytest.approx(5 / (128_000 * (1 - (127_999 / 128_000) ** 9)))


def test_n_grams_do_not_cross_sessions() -> None:
    found = measure([talk("one two"), talk("two one")])
    assert found.sessions == 2
    assert found.distinct_2 == 1.0
    assert found.distinct_3 is None


def test_the_papers_cleaning_glues_messages_and_loses_marks() -> None:
    said = document(talk("See you today", "I’ve read http://x.org/a @me #tag — re-read  it"))
    assert clean(said, "paper") == "See you todayIve read   reread it"
    assert clean(said) == "see you today i've read re-read it"


def test_ead_of_every_word_once_is_near_one() -> None:
    assert ead(1, 1, 128_000) == pytest.approx(1.0)
    assert ead(0, 0, 128_000) is None


words = st.lists(st.sampled_from("abcdefg"), max_size=25)


@given(st.lists(words, max_size=5))
def test_counted_equals_brute_force(texts: list[list[str]]) -> None:
    found = counted(texts)
    for n, value in ((1, found.distinct_1), (2, found.distinct_2), (3, found.distinct_3)):
        grams = ["".join(text[i : i + n]) for text in texts for i in range(len(text)) if i + n <= len(text)]
        assert value == (len(set(grams)) / len(grams) if grams else None)
    total = sum(len(text) for text in texts)
    drawn = len({token for text in texts for token in text})
    if total:
        expected = sum(
            (1 / found.vocabulary) * (1 - 1 / found.vocabulary) ** k for k in range(total)
        )  # chance that one word shows
        assert found.ead == pytest.approx(drawn / (found.vocabulary * expected), rel=1e-6)
    else:
        assert found.ead is None


@given(words, st.integers(0, 5))
def test_empty_messages_change_nothing(text: list[str], empty: int) -> None:
    dialogue = talk(*text)
    assert measure([dialogue]) == measure([dialogue + talk(*[""] * empty)])


def test_equal_samples_are_equal_and_repeatable() -> None:
    corpora = {"a": list(range(10)), "b": list(range(4)), "c": list(range(7))}
    drawn = equal_samples(corpora, seed=3)
    assert {name: len(items) for name, items in drawn.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(set(items) <= set(corpora[name]) for name, items in drawn.items())
    assert drawn == equal_samples(corpora, seed=3)


def test_a_tokenizer_file_is_used(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the package tokenizers is not installed")
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"[BOS]": 0, "you": 1, "here": 2, "[UNK]": 3}, unk_token="[UNK]")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="[BOS] $A", special_tokens=[("[BOS]", 0)])
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    tokenizer = read_tokenizer(path)
    found = measure([talk("you here", "you")], tokenizer=tokenizer)
    assert (found.tokens, found.types, found.vocabulary) == (4, 3, 4)  # the special token counts, as in the paper


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the package tokenizers is not installed")
    with pytest.raises(SettingsError, match="is not a file"):
        read_tokenizer(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(SettingsError, match="holds no tokenizer"):
        read_tokenizer(tmp_path / "bad.json")
