"""Own rubrics: one question that a person wrote, with a scale and what its points mean, rated by a model like the known items."""

from __future__ import annotations

import re
import unicodedata
from typing import Self

from pydantic import Field, model_validator

from magnet_core.domain import Value
from magnet_core.scoring.instruments import Sheet, Wording, frame
from magnet_core.scoring.items import Item

PREFIX = "rubric-"
WIDEST = 10
"""The most steps a scale may have."""


class Rubric(Value):
    """A question about a session, and what the points of its scale mean; the two ends must be described."""

    id: str = Field(pattern=r"^rubric-[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)
    title: str = Field(min_length=1, max_length=80)
    question: str = Field(min_length=1, max_length=600)
    low: int = Field(default=0, ge=0, le=10)
    high: int = Field(default=6, ge=1, le=10)
    anchors: dict[int, str]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.low >= self.high:
            raise ValueError("the scale must end above where it begins")
        if odd := sorted(point for point in self.anchors if not self.low <= point <= self.high):
            raise ValueError(f"point {odd[0]} lies beyond the scale")
        if not {self.low, self.high} <= {point for point, text in self.anchors.items() if text.strip()}:
            raise ValueError(f"say what {self.low} and {self.high} mean")
        return self

    @property
    def item(self) -> Item:
        """The rubric as something that is rated."""
        return Item(key=self.id, title=self.title, instrument=self.id, low=self.low, high=self.high, subscale="own")

    @property
    def sheet(self) -> Sheet:
        """The rubric as a judge is given it: the session first, as with every instrument."""
        return Sheet(
            instrument=self.id,
            title=self.title,
            note="An own rubric, not a published scale.",
            task=f"Task: rate the session on one question, {self.low} to {self.high}. Points without a description lie in between.",
            items=(self.item,),
            wordings={self.id: Wording(question=self.question, anchors=self.anchors)},
            frame=frame(),
        )


def rubric_id(title: str) -> str:
    """Return an id made of a title's letters and digits."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return PREFIX + ("-".join(re.findall(r"[a-z0-9]+", plain))[:60].strip("-") or "own")
