"""Variants of prompts that are being written and are in no pack yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from magnet_core.domain import Prompt, Value
from magnet_core.lab.texts import fields
from magnet_core.prompts import PromptSet

Reader = Literal["agents", "judges"]
"""Whose texts they are."""


class Variant(Value):
    """Words that are tried in place of those a pack holds, and the model and temperature chosen for them."""

    prompts: tuple[Prompt, ...] = ()
    """Those whose words are not the pack's."""
    model: str = ""
    """Empty: the one that spoke in the moment."""
    temperature: float | None = None
    """None: the one of the moment."""

    @property
    def plain(self) -> bool:
        """Whether nothing in it is its own."""
        return not self.prompts and not self.model and self.temperature is None

    def texts(self, saved: PromptSet) -> dict[str, Prompt]:
        """Return the whole set of prompts: the pack's, with its own in their place."""
        return {**saved, **{p.name: p for p in self.prompts if p.name in saved}}

    def holding(self, texts: Iterable[Prompt], saved: PromptSet) -> Variant:
        """Return the variant with prompts in place of those by their names; what the pack says as well is not held."""
        own = {p.name: p for p in self.prompts} | {p.name: p for p in texts}
        return self.model_copy(
            update={"prompts": tuple(p for n, p in own.items() if n in saved and fields(p) != fields(saved[n]))}
        )

    def saying(self, before: PromptSet, now: PromptSet) -> Variant:
        """Return the variant for a pack that has changed, with the words it had while the pack said what was `before`."""
        return self.holding(self.texts(before).values(), now)


class Draft(Value):
    """The variants of one pack's prompts; there is always at least one."""

    reader: Reader
    place: str
    """The pack's id, or the session whose own prompts they begin with."""
    variants: tuple[Variant, ...] = Field(default=(Variant(),), min_length=1)

    @property
    def plain(self) -> bool:
        """Whether there is nothing to be lost."""
        return all(variant.plain for variant in self.variants) and len(self.variants) == 1

    def put(self, number: int, variant: Variant) -> Draft:
        """Return the draft with a variant in place of the one by that number, 0 for the first."""
        return self._with(variant if n == number else one for n, one in enumerate(self.variants))

    def add(self, variant: Variant) -> Draft:
        return self._with((*self.variants, variant))

    def drop(self, number: int) -> Draft:
        """Return the draft without a variant; the only one is emptied instead."""
        return self._with([one for n, one in enumerate(self.variants) if n != number] or [Variant()])

    def led_by(self, variant: Variant) -> Draft:
        """Return the draft with a variant ahead of those that hold words of their own."""
        return self._with((variant, *(one for one in self.variants if one.prompts and one != variant)))

    def after_saving(self, number: int, before: PromptSet, now: PromptSet) -> Draft:
        """Return the draft once one of its variants was saved in its pack: that one is plain, all others still say what they said."""
        return self._with(
            one.model_copy(update={"prompts": ()}) if n == number else one.saying(before, now)
            for n, one in enumerate(self.variants)
        )

    def moved_to(self, place: str, number: int, before: PromptSet, now: PromptSet) -> Draft:
        """Return the draft of a new pack that one of the variants became: that one leads, then what was there before, then the others.

        So what is saved can be tried against the words it came from at once.
        """
        saved = self.variants[number].model_copy(update={"prompts": ()})
        others = [one for n, one in enumerate(self.variants) if n != number]
        plain = [one for one in others if not one.prompts] or [saved]
        kept = [one.saying(before, now) for one in (*plain, *(one for one in others if one.prompts))]
        return Draft(reader=self.reader, place=place, variants=(saved, *kept))

    def after_restoring(self, before: PromptSet, now: PromptSet) -> Draft:
        """Return the draft once its pack has changed: variants with words of their own still say all they said."""
        return self._with(one.saying(before, now) if one.prompts else one for one in self.variants)

    def _with(self, variants: Iterable[Variant]) -> Draft:
        return self.model_copy(update={"variants": tuple(variants)})


class Notebook(Value):
    """All drafts of one browser session, so that a reload loses none."""

    id: str
    drafts: tuple[Draft, ...] = ()

    def draft(self, reader: Reader, place: str) -> Draft:
        """Return a draft; one without any words of its own where there is none."""
        own = (d for d in self.drafts if (d.reader, d.place) == (reader, place))
        return next(own, Draft(reader=reader, place=place))

    def put(self, draft: Draft) -> Notebook:
        """Return the notebook with a draft in place of the one for the same texts; an empty one is not kept."""
        others = [d for d in self.drafts if (d.reader, d.place) != (draft.reader, draft.place)]
        return self.model_copy(update={"drafts": (*others, *([] if draft.plain else [draft]))})
