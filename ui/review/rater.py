"""What a rater does at the desk: comes, answers, gives reasons, comments, takes changes back. Every step is one change to what is kept.

Nothing here writes a review as a window has it: a change is applied to the newest one that is kept, so that two windows of one rater
do not undo each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from magnet_core.errors import MagnetError
from magnet_core.scoring.aspects import (
    Aspect,
    Choice,
    Form,
    Pair,
    Review,
    Verdict,
    alike,
    flipped,
    form,
    pseudonym,
)
from magnet_core.scoring.queue import in_order, to_rate
from ui import state
from ui.review.desk_keys import UNDO, Press, read_presses
from ui.state.desk import Place


@dataclass(frozen=True, slots=True)
class Queue:
    """The pairs a rater is given, and what they have said about them under the present form."""

    rater: str
    asked: Form
    pairs: tuple[Pair, ...]
    own: dict[str, Review]

    @property
    def whole(self) -> list[str]:
        """The pairs on which every question is answered."""
        return [pair.id for pair in self.pairs if self.finished(pair.id)]

    def finished(self, pair: str) -> bool:
        """Tell whether every question about a pair is answered."""
        return pair in self.own and self.own[pair].whole(self.asked)

    def state(self, pair: str) -> str:
        """Return how far a pair is, in words."""
        n = len(self.own[pair].verdicts) if pair in self.own else 0
        return "rated" if self.finished(pair) else f"{n} of {len(self.asked.questions)} answered" if n else "not begun"

    def place(self, at: str) -> int | None:
        """Return which pair is to be shown: the one named, else the first that is not rated; None when all are."""
        chosen = next((n for n, pair in enumerate(self.pairs) if pair.id == at), None)
        return chosen if chosen is not None else next((n for n, p in enumerate(self.pairs) if not self.finished(p.id)), None)

    def review(self, pair: str) -> Review:
        """Return what the rater has said about a pair."""
        return self.own.get(pair) or blank(pair, self.rater, self.asked)


def queue(here: Place) -> Queue:
    """Return the rater's queue; pairs that cannot be shown, or hold the same words twice, are not in it. Raises `StoreError`."""
    asked, kept = form(), state.store().reviews
    pairs = kept.pairs()
    out = kept.lost(pairs) | here.unreadable
    own = {review.pair: review for review in kept.reviews(here.rater) if review.form == asked.sha}
    return Queue(here.rater, asked, tuple(in_order(to_rate(pairs, out))), own)


def blank(pair: str, rater: str, asked: Form) -> Review:
    """Return a review in which nothing has been said."""
    return Review(
        pair=pair, rater=rater, kind="person", flipped=flipped(pair, rater), form=asked.sha, created=datetime.now(UTC)
    )


def current(here: Place, review: Review, asked: Form) -> Aspect:
    """Return the question whose turn it is: the one looked at, else the first without an answer, else the last."""
    about, key = here.looked
    if about == review.pair and (found := next((one for one in asked.questions if one.key == key), None)):
        return found
    return next((one for one in asked.questions if one.key not in review.verdicts), asked.overall)


def ahead(review: Review, key: str, asked: Form) -> list[str]:
    """Return the questions without an answer that come after one, those before it last."""
    keys = [one.key for one in asked.questions]
    at = keys.index(key)
    return [one for one in (*keys[at + 1 :], *keys[:at]) if one not in review.verdicts]


def filled(name: str, kept: str) -> str:
    """Return the name of a field, filled with what is kept: anew only when that has changed, as by another window."""
    if state.kept(name) is None or state.kept(f"{name}_from") != kept:
        state.keep(name, kept)
        state.keep(f"{name}_from", kept)
    return name


# Coming and going


def come() -> None:
    """Let the rater in whose pseudonym was typed; where it is not known and close to a known one, ask which is meant first."""
    here = state.desk.place()
    here.meant = ("", "")
    try:
        known = state.store().reviews.raters()
        name = pseudonym(state.kept("review_name") or "", known)
    except MagnetError as error:
        return state.say(str(error))
    if near := alike(name, known):
        here.meant = (name, near)
        return
    come_as(name, name in known)


def come_as(name: str, known: bool) -> None:
    """Let a rater in."""
    here = state.desk.place()
    here.rater, here.hello, here.meant = name, "known" if known else "new", ("", "")


def come_back(here: Place) -> None:
    """Lead a rater whom the address names back to their place, when a browser session begins."""
    told = state.desk.told()
    if here.rater or "rater" not in told:
        return
    try:
        here.rater = pseudonym(told["rater"], state.store().reviews.raters())
    except MagnetError:
        return
    here.pair, here.hello = told.get("pair", ""), "back"
    here.looked = (here.pair, told.get("question", ""))


def go() -> None:
    """Let another rater come: nothing of this one's visit stays on the page."""
    here = state.desk.place()
    here.rater, here.pair, here.looked, here.hello, here.visit = "", "", ("", ""), "", here.visit + 1
    here.back, here.meant = ("", ""), ("", "")


# Answers: nothing between what is kept and where that leads touches the page, so that they are not parted


def choose(pair: str, key: str, choice: Choice) -> None:
    """Keep an answer and go on."""
    here, on = state.desk.place(), state.desk.goes_on()
    here.clicked = (pair, key, choice)
    try:
        answer(here, pair, key, choice, on)
    except MagnetError as error:
        not_kept(error)


def answer(here: Place, pair: str, key: str, choice: Choice, on: bool) -> None:
    """Keep an answer, and if wanted lead on to what has none; raises `StoreError`."""
    asked, kept, before = form(), state.store().reviews, list[Review]()
    draft = kept.drafts(here.rater, pair).get(key, "")

    def answered(review: Review) -> Review:
        before[:] = [review]
        held = review.verdicts.get(key)
        return review.rated(key, Verdict(choice=choice, reason=held.reason if held else draft))

    changed = kept.change(blank(pair, here.rater, asked), answered)
    if draft:
        kept.draft(here.rater, pair, key, "")
    here.pair, here.looked, here.hello = pair, (pair, key), ""
    if on and (left := ahead(changed, key, asked)):
        here.looked = (pair, left[0])
    elif on and not before[0].whole(asked):
        here.pair, here.looked = "", ("", "")


def give_reason(pair: str, key: str, field: str) -> None:
    """Keep a reason with the answer it belongs to; without one it waits as a draft."""
    here, reason = state.desk.place(), str(state.kept(field) or "").strip()

    def told(review: Review) -> Review:
        held = review.verdicts.get(key)
        return review.rated(key, held.model_copy(update={"reason": reason})) if held else review

    changed = change(here, pair, told)
    if changed and key not in changed.verdicts:
        try:
            state.store().reviews.draft(here.rater, pair, key, reason)
        except MagnetError as error:
            not_kept(error)
    here.looked = (pair, key)


def clear(pair: str, key: str) -> None:
    """Take the answer to a question away."""
    here = state.desk.place()
    change(here, pair, lambda review: review.cleared(key))
    here.looked = (pair, key)


def change(here: Place, pair: str, work: Callable[[Review], Review]) -> Review | None:
    """Apply one change to what is kept about a pair; None, with a sentence kept, where that cannot be."""
    try:
        changed = state.store().reviews.change(blank(pair, here.rater, form()), work)
    except MagnetError as error:
        not_kept(error)
        return None
    here.pair, here.hello = pair, ""
    return changed


def not_kept(error: MagnetError) -> None:
    state.say(f"This was not kept. {error}")


def undo() -> None:
    """Take the rater's last change back."""
    here = state.desk.place()
    try:
        take_back(here)
    except MagnetError as error:
        state.say(str(error))


def take_back(here: Place) -> None:
    """Take the rater's last change back, in whichever window or visit it was made, and look at it; raises `StoreError`."""
    now, kept = queue(here), state.store().reviews
    done = kept.undo(now.rater, now.asked.sha, [pair.id for pair in now.pairs])
    if done is None:
        return
    stay(here, now, done.pair)
    here.pair, here.hello = done.pair, ""
    after = done.after.verdicts if done.after else {}
    if key := next((q.key for q in now.asked.questions if done.before.verdicts.get(q.key) != after.get(q.key)), ""):
        here.looked = (done.pair, key)
        if key not in after and (reason := done.before.verdicts[key].reason):
            kept.draft(now.rater, done.pair, key, reason)


# Keys


def take_keys() -> None:
    """Take the keys that the browser has sent."""
    take(state.desk.place(), read_presses(state.kept("review_keys")))


def take(here: Place, presses: list[Press]) -> bool:
    """Do what was pressed and not done yet, in order; tell whether there was anything to do or to say.

    A browser session that has just begun, as after a lost connection, takes only what was pressed since the last change that was kept.
    """
    if not presses:
        return False
    with here.taking:
        return _take(here, presses, state.desk.goes_on())


def _take(here: Place, presses: list[Press], on: bool) -> bool:
    token = stamp(here)
    new = [one for one in presses if (one.number > here.seen if here.seen is not None else one.token == token)]
    overtaken = here.seen is None and len(new) < len(presses) and here.hello != "back"
    if overtaken:
        state.say("Your answers were changed in another window, so this key was not taken.")
    try:
        for one in new:
            here.seen = one.number
            press(here, one, on)
    except MagnetError as error:
        not_kept(error)
    here.seen = max(here.seen or 0, presses[-1].number)
    return bool(new) or overtaken


def press(here: Place, one: Press, on: bool) -> None:
    """Do what one key says; raises `StoreError`."""
    if one.choice == UNDO:
        return take_back(here)
    now, key = queue(here), one.question
    pair = one.pair if key else here.pair
    if not any(other.id == pair for other in now.pairs):
        return
    key = key or current(here, now.review(pair), now.asked).key
    if one.choice in ("A", "B", "tie") and any(question.key == key for question in now.asked.questions):
        answer(here, pair, key, one.choice, on)


def stamp(here: Place) -> str:
    """Return a mark of the last change that was kept for the rater."""
    try:
        return f"{state.store().reviews.changed(here.rater):.6f}"
    except MagnetError:
        return ""


# Ways


def look(pair: str, key: str) -> None:
    """Show a question of a pair."""
    here = state.desk.place()
    here.hello, here.looked = "", (pair, key)


def turn_to(pair: str) -> None:
    """Show a pair; an empty name stands for the next one that is not rated."""
    here = state.desk.place()
    try:
        stay(here, queue(here), pair)
    except MagnetError as error:
        state.say(str(error))
    here.hello, here.pair, here.looked = "", pair, ("", "")


def jump(field: str) -> None:
    """Show the pair that was chosen from the list."""
    if pair := state.kept(field):
        turn_to(str(pair))


def stay(here: Place, now: Queue, to: str) -> None:
    """Remember the pair and question that are left half-way for another pair, to come back to."""
    at = now.place(here.pair)
    if at is None or now.pairs[at].id == to or now.finished(now.pairs[at].id):
        return
    left = now.review(now.pairs[at].id)
    here.back = (left.pair, current(here, left, now.asked).key)


def way_back(here: Place, now: Queue, pair: str) -> int | None:
    """Return which pair was left half-way, while a whole one is looked at; None where there is none."""
    left = here.back[0]
    if left == pair or not now.finished(pair) or now.finished(left):
        return None
    return next((n for n, one in enumerate(now.pairs) if one.id == left), None)


def go_back() -> None:
    """Show the pair and question that were left half-way."""
    here = state.desk.place()
    here.hello, here.pair, here.looked, here.back = "", here.back[0], here.back, ("", "")
