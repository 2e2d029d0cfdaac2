"""What the browser's address says of the lab: the view, and what is looked at in it."""

from __future__ import annotations

from ui import state

NAMES = ("view", "pack", "session", "turn", "agent", "attempt", "judge", "item", "by", "each", "beside", "draft")
EACH = {"bench": ("lab_repeats", 20), "judges": ("lab_judge_repeats", 20), "cases": ("lab_cases_repeats", 10)}
"""The field that says how many answers are wanted of each, by view, with the most it takes."""


def asked() -> dict[str, str]:
    """Return what the address asks for, by name; empty texts for what it does not name."""
    return dict(zip(NAMES, state.address.place_asked(*NAMES), strict=True))


def moved(came: bool) -> bool:
    """Tell whether the reader came to the page just now or went to another of its addresses by hand, as by the browser's Back."""
    return came or state.address.place_moved(NAMES)


def show(view: str, **place: str) -> None:
    """Write into the address what is looked at; how many answers are wanted and whose drafts these are is added."""
    field, _ = EACH.get(view, ("", 0))
    number = int(state.kept(field) or 1) if field else 1
    there = {"view": view, "each": str(number) if number > 1 else "", "draft": state.drafts.address()} | place
    state.address.show_place(**{name: there.get(name, "") for name in NAMES})


def take_up_number(view: str, each: str) -> None:
    """Fill in how many answers of each the address asks for."""
    if view in EACH and each.isdecimal():
        field, most = EACH[view]
        state.keep(field, min(max(1, int(each)), most))
