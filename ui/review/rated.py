"""Which ratings are looked at: whose, under which form, and of which two ways of making sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from magnet_core.scoring import results
from magnet_core.scoring.aspects import Form, Pair, Review, form
from magnet_core.scoring.configuration import Configuration
from magnet_core.scoring.results import Said
from ui import state

PEOPLE = "People"


@dataclass(frozen=True, slots=True)
class Source:
    """The ratings that are looked at: by whom, under which form, and about which pairs."""

    by: str
    asked: Form
    pairs: Sequence[Pair]
    reviews: Sequence[Review]
    """All that were given under the form, of people and models, without the raters who are left out."""
    said: Sequence[Said]
    """The verdicts of those looked at."""
    names: dict[Configuration, str]

    @property
    def people(self) -> bool:
        return self.by == PEOPLE

    @property
    def theirs(self) -> list[Review]:
        """The reviews of those looked at."""
        return [r for r in self.reviews if (r.kind == "person" if self.people else r.kind == "model" and r.rater == self.by)]


@dataclass(frozen=True, slots=True)
class Duel:
    """One way of making sessions against another, as the ratings looked at have it."""

    maker: Configuration
    other: Configuration
    pairs: Sequence[Pair]
    said: Sequence[Said]
    names: dict[Configuration, str]

    @property
    def name(self) -> str:
        return self.names[self.maker]

    @property
    def other_name(self) -> str:
        return self.names[self.other]


def chosen(pairs: Sequence[Pair], reviews: Sequence[Review]) -> Source:
    """Draw which ratings are to be looked at, and return them."""
    now = form()
    forms = results.forms_of(reviews, now)
    if state.kept("reviewed_form") not in forms:
        state.keep("reviewed_form", forms[0])
    sha = forms[0]
    if len(forms) > 1:
        sha = st.selectbox(
            "Form", forms, key="reviewed_form", width=230, format_func=lambda one: "As asked now" if one == now.sha else f"Another form ({one[:6]})",
            help="Ratings under another list of questions, or other words for them, are never counted together.",
        ) or forms[0]  # fmt: skip
    under = [review for review in reviews if review.form == sha]
    people, models = results.by_people(under), results.models_in(under)
    sources = [*([PEOPLE] if people else []), *models] or [PEOPLE]
    if state.kept("reviewed_by") not in sources:
        state.keep("reviewed_by", sources[0])
    by = st.segmented_control(
        "Ratings by", sources, key="reviewed_by", required=True, persist_state="session",
        format_func=lambda name: name if name == PEOPLE else f"{name} (model)",
    ) or sources[0]  # fmt: skip
    raters = sorted({one.rater for one in people}, key=str.casefold)
    without: list[str] = []
    if len(raters) > 1 and by == PEOPLE:
        without = st.multiselect(
            "Leave out", raters, key="reviewed_without", placeholder="Nobody", width=240, persist_state="session",
            help="Raters whose verdicts are not to count here. The files hold them all the same.",
        )  # fmt: skip
    left = [review for review in under if review.kind == "model" or review.rater not in without]
    said = results.by_people(left) if by == PEOPLE else results.by_model(left, by)
    names = results.titles_of((maker for pair in pairs for maker in pair.makers), state.pairs.pack_titles())
    return Source(by, results.form_of(sha, under, now), pairs, left, said, names)


def chosen_duel(source: Source) -> Duel | None:
    """Draw who is to be compared with whom, and return it; None where there is no verdict."""
    two = results.duels(source.pairs, source.said)
    if not two:
        return None
    by_id = {f"{one.id} {other.id}": (one, other) for one, other in two}
    titles = {id: f"{source.names[one]} against {source.names[other]}" for id, (one, other) in by_id.items()}
    if state.kept("reviewed_duel") not in by_id:
        state.keep("reviewed_duel", next(iter(by_id)))
    id = st.selectbox(
        "Compared", list(by_id), key="reviewed_duel", width="stretch", format_func=lambda one: titles.get(one) or str(one)
    )
    maker, other = by_id[id or next(iter(by_id))]
    own = results.between(source.pairs, maker, other)
    ids = {pair.id for pair in own}
    return Duel(maker, other, own, [one for one in source.said if one.pair in ids], source.names)


def unread(source: Source) -> str:
    """Return why there is no figure."""
    if source.people:
        return "No verdict is left to show: every rater is left out, or only comments were made."
    return f"{source.by} has not read any pair in both orders yet, so nothing it said counts."
