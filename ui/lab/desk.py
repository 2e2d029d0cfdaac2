"""What is edited in the lab: the texts of a pack, in one to several variants, none of which is lost before it is saved."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from magnet_core import lab, prompts
from magnet_core.domain import Prompt
from magnet_core.errors import MagnetError
from magnet_core.lab import Draft, Reader, Remark, Variant, wordings
from magnet_core.packs import OURS_TITLE, Pack, Version, same_words
from magnet_core.scoring.instruments import Sheet
from ui import state

OURS = "ours"
AS_SENT = "session"
LETTERS = "ABCDEFGH"
"""Of variants that are kept; of these, the first few are run beside each other."""
AT_ONCE = 4
"""How many variants are run beside each other."""

Fields = Mapping[str, Sequence[str]]
"""Names of prompts, each with those of its texts that count."""


def ours() -> Pack:
    return Pack(id=OURS, title=OURS_TITLE)


def all_packs() -> dict[str, Pack]:
    """Return our prompts and the packs of the library, by id."""
    return {OURS: ours()} | {pack.id: pack for pack in state.prompts.pack_list()}


def back_to_ours(field: str, packs: Container[str]) -> str:
    """Choose ours in a field whose pack is not there; return what is to be said of it, empty where it was none of the library."""
    chosen = state.kept(field)
    if chosen in packs:
        return ""
    state.keep(field, OURS)
    if not chosen or chosen == AS_SENT:
        return ""
    return (
        "The pack that was chosen is not in the library, so these are our words. If it was deleted, undoing that also brings back what "
        "was not saved in it."
    )


def own_words(reader: Reader, variant: Variant) -> bool:
    """Tell whether a variant holds words that are neither its pack's nor ours."""
    ours = prompts.load() if reader == "agents" else wordings.texts()
    return any(p.name not in ours or lab.fields(p) != lab.fields(ours[p.name]) for p in variant.prompts)


@dataclass(frozen=True, slots=True)
class Desk:
    """The texts of a pack that agents, or judges, are told, as far as one request is made of them."""

    reader: Reader
    pack: Pack
    place: str
    """Under which drafts are kept: the pack's id, or the session whose own words they begin with."""
    drawn: Fields
    """The texts that have a field on the screen."""
    sent: Fields
    """Every text that reaches the request, those with a field among them."""
    title: Callable[[str], str]
    """Names a prompt on the screen."""
    label: Callable[[str, str], str]
    """Names a field by its prompt and text."""
    rubrics: tuple[Sheet, ...] = ()
    """The own rubrics, whose words judges are told as well."""

    @property
    def stem(self) -> str:
        """Begins the names of this desk's buttons and fields."""
        return "lab" if self.reader == "agents" else "lab_judge"

    @property
    def ours(self) -> Mapping[str, Prompt]:
        return prompts.load() if self.reader == "agents" else wordings.texts(self.rubrics)

    @property
    def saved(self) -> Mapping[str, Prompt]:
        return self.held_in(self.pack)

    def held_in(self, pack: Pack) -> Mapping[str, Prompt]:
        """Return all texts as a pack holds them."""
        return pack.texts if self.reader == "agents" else {**self.ours, **{p.name: p for p in pack.judges}}

    @property
    def kept(self) -> bool:
        """Whether the pack is one of the library, so that versions of it can be saved."""
        return self.pack.id not in (OURS, AS_SENT)

    @property
    def draft(self) -> Draft:
        return state.drafts.draft(self.reader, self.place)

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.draft.variants)]

    @property
    def letter(self) -> str:
        """The variant at hand."""
        found = state.kept(f"{self.stem}_letter_{self.place}")
        return cast(str, found) if found and found in self.letters else "A"

    def variant(self, letter: str) -> Variant:
        variants = self.draft.variants
        number = LETTERS.index(letter)
        return variants[number] if number < len(variants) else Variant()

    def texts(self, letter: str) -> dict[str, Prompt]:
        """Return the whole set of prompts of a variant."""
        return self.variant(letter).texts(self.saved)

    def changed(self, letter: str) -> list[str]:
        """Return the names of a variant's prompts whose words are not ours."""
        texts, ours = self.texts(letter), self.ours
        return [name for name in texts if lab.fields(texts[name]) != lab.fields(ours[name])]

    def unsaved(self, letter: str) -> list[str]:
        """Return the names of a variant's prompts whose words are not those of the pack."""
        return [p.name for p in self.variant(letter).prompts if p.name in self.saved]

    def remarks(self, letter: str) -> list[tuple[str, Remark]]:
        """Return what is amiss in a variant: in every text that is sent, and in every other that is changed."""
        texts = self.texts(letter)
        names = dict.fromkeys([*self.drawn, *self.sent, *self.changed(letter)])
        return [(name, remark) for name in names for remark in self.lint(texts[name])]

    def lint(self, prompt: Prompt) -> list[Remark]:
        return (
            lab.lint(prompt, self.ours[prompt.name]) if self.reader == "agents" else wordings.lint(prompt, own=self.rubrics)
        )

    def unsendable(self, letter: str) -> list[tuple[str, Remark]]:
        """Return the errors of a variant that keep its request from being sent."""
        return [
            (name, remark)
            for name, remark in self.remarks(letter)
            if remark.kind == "error" and name in self.sent and (not remark.field or remark.field in self.sent[name])
        ]

    def key(self, letter: str, name: str, field: str) -> str:
        """Return the key of a text's field on the screen."""
        if self.reader == "judges":
            return f"labjudge_{self.place}_{letter}_{name}"
        return f"labtext_{self.place}_{letter}_{name}_{field}"


# What changes


def type_in(desk: Desk, letter: str, name: str, field: str) -> None:
    """Take over what was typed into a field."""
    text = state.kept(desk.key(letter, name, field)) or ""
    prompt = desk.texts(letter)[name].model_copy(update={field: text})
    state.forget(f"{desk.stem}_undo")
    put(desk, letter, desk.variant(letter).holding([prompt], desk.saved))


def put(desk: Desk, letter: str, variant: Variant) -> None:
    state.drafts.put(desk.draft.put(LETTERS.index(letter), variant))


def show(desk: Desk, letter: str) -> None:
    state.keep(f"{desk.stem}_letter_{desk.place}", letter)


def add(desk: Desk, variant: Variant) -> str:
    """Add a variant behind the others, where there is room; return its letter."""
    if len(desk.letters) < len(LETTERS):
        state.drafts.put(desk.draft.add(variant))
    return desk.letters[-1]


def add_like(desk: Desk, letter: str) -> None:
    """Begin another variant with the words, model and temperature of the one at hand."""
    show(desk, add(desk, desk.variant(letter)))


def drop(desk: Desk, letter: str) -> None:
    """Take a variant away; undo brings it back."""
    remember(desk, f"Variant {letter} is taken away.")
    number = LETTERS.index(letter)
    state.drafts.put(desk.draft.drop(number))
    show(desk, LETTERS[max(0, min(number, len(desk.letters) - 1))])


def reset(desk: Desk, letter: str) -> None:
    """Put our words into the fields, into all that reach the request; what is saved stays, and undo brings the draft back."""
    remember(desk, f"Variant {letter} says what ours says. Nothing is saved yet.")
    back = [desk.ours[name] for name in desk.sent]
    put(desk, letter, desk.variant(letter).holding(back, desk.saved))


def remember(desk: Desk, words: str) -> None:
    """Keep the draft as it stands for an undo."""
    state.keep(f"{desk.stem}_undo", (desk.place, words, desk.draft))


def undo(desk: Desk) -> None:
    place, _, draft = state.kept(f"{desk.stem}_undo") or ("", "", None)
    if draft is not None and place == desk.place:
        state.drafts.put(draft)
    state.forget(f"{desk.stem}_undo")


def undoable(desk: Desk) -> str:
    """Return what was done last and can be undone, in words; empty when there is nothing."""
    place, words, _ = state.kept(f"{desk.stem}_undo") or ("", "", None)
    return words if place == desk.place else ""


def save(desk: Desk, letter: str) -> None:
    """Keep a variant: as new versions in its pack, or in a new pack where it has none. No other variant changes.

    Words that another pack holds already are not kept once more.
    """
    texts, note = list(desk.texts(letter).values()), state.kept(f"{desk.stem}_save_note") or ""
    state.forget(f"{desk.stem}_same")
    try:
        if desk.kept:
            made = state.store().packs.save(desk.pack.id, texts, note)
            state.drafts.put(desk.draft.after_saving(LETTERS.index(letter), desk.saved, desk.held_in(made)))
        elif same := here_already(texts, desk.rubrics):
            return state.keep(f"{desk.stem}_same", (desk.place, same.id))
        else:
            made = state.store().packs.new(state.kept(f"{desk.stem}_save_title") or "", texts, note)
            after_first(desk, letter, made)
    except MagnetError as error:
        return state.say(str(error))
    state.forget(f"{desk.stem}_save_note", f"{desk.stem}_save_title", f"{desk.stem}_undo")
    state.keep(f"{desk.stem}_save", False)
    state.keep(f"{desk.stem}_saved", made.id)


def here_already(texts: Iterable[Prompt], rubrics: Iterable[Sheet] = ()) -> Pack | None:
    """Return the pack of the library that holds just these words in place of ours."""
    return same_words(ours().holding(texts, rubrics).own, state.prompts.pack_list())


def open_pack(desk: Desk, id: str) -> None:
    """Go on at another pack; the drafts of this one stay."""
    state.keep(f"{desk.stem}_pack", id)
    state.keep(f"{desk.stem}_letter_{id}", "A")
    state.keep(f"{desk.stem}_save", False)
    state.forget(f"{desk.stem}_same")


def after_first(desk: Desk, letter: str, made: Pack) -> None:
    """Go on at the new pack with all variants, the words they began with among them."""
    moved = desk.draft.moved_to(made.id, LETTERS.index(letter), desk.saved, desk.held_in(made))
    state.drafts.put(moved if len(moved.variants) <= len(LETTERS) else moved.drop(1))
    state.drafts.put(Draft(reader=desk.reader, place=desk.place))
    open_pack(desk, made.id)


def restore(desk: Desk, letter: str, version: Version) -> None:
    """Make an earlier version the newest one, in the variant at hand as well; unsaved words there go on as a further variant."""
    own = desk.variant(letter)
    try:
        made = state.store().packs.save(desk.pack.id, [version.prompt], f"Version {version.number} restored")
        state.drafts.put(desk.draft.after_restoring(desk.saved, desk.held_in(made)))
    except MagnetError as error:
        return state.say(str(error))
    said = f"Version {version.number} is the newest again."
    if version.name in (p.name for p in own.prompts):
        if len(desk.letters) < len(LETTERS):
            said += f" Your unsaved words went to variant {add(desk, desk.variant(letter))}."
        else:
            remember(desk, said)
    put(desk, letter, own.model_copy(update={"prompts": tuple(p for p in own.prompts if p.name != version.name)}))
    state.keep(f"{desk.stem}_done", said)


def versions(desk: Desk, names: Iterable[str]) -> list[Version]:
    """Return the saved versions of prompts in the pack; none, with a sentence kept, when they cannot be read."""
    if not desk.kept:
        return []
    try:
        return [version for name in names for version in state.store().packs.versions(desk.pack.id, name)]
    except MagnetError as error:
        state.say(str(error))
        return []
