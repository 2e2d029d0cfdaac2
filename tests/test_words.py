"""Whose words a message holds, and what has changed between two texts."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magnet_core.attribution import SHORTEST, attribute, share
from magnet_core.differences import differences
from magnet_core.domain import Candidate, Technique

quick = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
prose = st.lists(
    st.sampled_from(["so", "the", "drawing", "keeps", "you", "up", "and", "it", "is", ".", "?", "\n", "’s"]), max_size=25
)
texts = prose.map(" ".join) | st.text(max_size=60)


def lent(message: str, **drafts: str) -> list[tuple[str, str]]:
    candidates = [Candidate(technique=Technique(name.replace("_", "-")), text=text) for name, text in drafts.items()]
    return [(message[one.start : one.end], one.technique.value) for one in attribute(message, candidates)]


def test_runs_of_words_are_found_in_the_candidates_they_stand_in() -> None:
    message = "It sounds like the drawing keeps you up at night. What would it mean if they found a mistake?"
    reflection = "So the drawing keeps you up, night after night."
    questioning = "What would it mean to you, if they FOUND a mistake in it?"
    assert lent(message, reflection=reflection, questioning=questioning) == [
        ("the drawing keeps you up", "reflection"),
        ("What would it mean", "questioning"),
        ("if they found a mistake", "questioning"),
    ]


def test_short_runs_and_small_words_do_not_count() -> None:
    assert (
        lent("And so it is for you. A bridge fell.", reflection="and so it is for you", questioning="bridge fell, they said")
        == []
    )


def test_the_longest_run_wins_and_what_others_share_is_named() -> None:
    message = "You carry the whole family on your shoulders."
    drafts = [
        Candidate(technique=Technique.SOLUTIONS, text="Who else could carry the whole family?"),
        Candidate(technique=Technique.NORMALIZING, text="Many carry the whole family on their own shoulders."),
        Candidate(technique=Technique.REFLECTION, text="You carry the whole family on your shoulders, all of it."),
    ]
    [whole] = attribute(message, drafts)
    assert (whole.technique, whole.also, share(message, [whole])) == (Technique.REFLECTION, (), 1.0)
    [part] = attribute(message, drafts[:2])
    assert (part.technique, message[part.start : part.end]) == (Technique.NORMALIZING, "carry the whole family on")
    [shared] = attribute("They carry the whole family.", drafts)
    assert shared.technique == Technique.REFLECTION and shared.also == (Technique.SOLUTIONS, Technique.NORMALIZING)
    assert attribute(message, []) == () and attribute("", drafts) == () and share("", ()) == 0.0


@quick
@given(texts, st.lists(st.tuples(st.sampled_from(Technique), texts), max_size=4, unique_by=lambda pair: pair[0]))
def test_lent_words_stand_in_both_texts_and_never_overlap(message: str, drafts: list[tuple[Technique, str]]) -> None:
    candidates = [Candidate(technique=technique, text=text) for technique, text in drafts]
    found = attribute(message, candidates)

    def plain(text: str) -> str:
        return " ".join("".join(c if c.isalnum() or c in "'’" else " " for c in text).lower().replace("’", "'").split())

    ends = 0
    for one in found:
        assert ends <= one.start < one.end <= len(message)
        ends = one.end
        words = plain(message[one.start : one.end])
        assert len(words.split()) >= SHORTEST
        for technique in (one.technique, *one.also):
            assert words in plain(dict(drafts)[technique])
    assert 0.0 <= share(message, found) <= 1.0


def test_changes_are_shown_word_by_word() -> None:
    pieces = differences("It sounds hard. I see that you worry.", "It sounds very hard. I see how much you worry!")
    assert [(p.kind, p.text) for p in pieces] == [
        ("same", "It sounds"),
        ("new", " very"),
        ("same", " hard. I see "),
        ("gone", "that"),
        ("new", "how much"),
        ("same", " you worry"),
        ("gone", "."),
        ("new", "!"),
    ]
    assert [p.kind for p in differences("a b", "a b")] == ["same"] and differences("", "") == ()
    assert [p.kind for p in differences("one two", "three four")] == ["gone", "new"]


@quick
@given(texts, texts)
def test_the_pieces_make_up_both_texts(before: str, after: str) -> None:
    pieces = differences(before, after)
    assert "".join(p.text for p in pieces if p.kind != "new") == before
    assert "".join(p.text for p in pieces if p.kind != "gone") == after
    assert all(p.text == (before if p.kind == "gone" else after)[p.start : p.end] and p.text for p in pieces)
