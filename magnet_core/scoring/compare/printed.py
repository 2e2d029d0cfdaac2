"""What the paper itself reports, as facts beside one's own table; it rests on other models and clients."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import ValidationError

from magnet_core.domain import Value
from magnet_core.errors import SettingsError
from magnet_core.knowledge import read


class Printed(Value):
    """One figure that was reported, and what it rests on."""

    figure: str
    """The figure of our table it is about; "diversity" or "people" for those that have none."""
    what: str
    value: str
    against: str
    """What it is compared with; empty where with nothing."""
    origin: Literal["printed", "counted"]
    """Whether the paper's abstract says it, or this project counted it on the released sessions."""
    where: str
    n: str
    judge: str


class Report(Value):
    """All figures, with what holds for each of them."""

    source: str
    note: str
    figures: tuple[Printed, ...]


@cache
def report() -> Report:
    """Return what was reported; raise `SettingsError` for a broken file."""
    try:
        return Report.model_validate(read("paper.yaml"))
    except ValidationError as error:
        raise SettingsError(f"The paper's figures in paper.yaml cannot be read: {error.errors()[0]['msg']}.") from error
