"""What happens while a session is scored. As with a session's own events, the last one of an instrument carries the whole value."""

from __future__ import annotations

from dataclasses import dataclass

from magnet_core.scoring.items import Instrument, Rating, Scorecard


@dataclass(frozen=True, slots=True)
class ItemRated:
    """One item has its rating, or is missing for good."""

    instrument: Instrument
    turns: int
    """How many turns of the session it covers."""
    rating: Rating


@dataclass(frozen=True, slots=True)
class SessionScored:
    """An instrument is through."""

    card: Scorecard


ScoreEvent = ItemRated | SessionScored
