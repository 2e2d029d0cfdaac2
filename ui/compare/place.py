"""The comparison in the page's address, so that a link shows the same one."""

from __future__ import annotations

from ui import state
from ui.compare.choices import short

VIEWS = {"many": "Configurations", "two": "Two sessions"}
LISTS = {"method": "compare_methods", "model": "compare_models", "sees": "compare_views", "prompts": "compare_packs",
         "set": "compare_settings"}  # fmt: skip
"""Fields of several values by their names in the address."""
TEXTS = {
    "turns": "compare_length",
    "base": "compare_base",
    "judge": "compare_by",
    "figure": "compare_figure",
    "against": "compare_against",
}
DRAWN = {"compare_base": "compare_baseline", "compare_by": "compare_judge"}
"""Where what was wished for may not be there, the field that shows what is taken instead."""
FLAGS = {"only": "compare_only", "holm": "compare_holm"}
MANY = (*LISTS, *TEXTS, *FLAGS, "clients")
OURS = "ours"
"""Stands for the project's own prompts, whose id is empty."""
MOST_CLIENTS = 60
"""More than so many would make an address that not every browser takes."""


def take() -> None:
    """Fill the fields with what the address asks for, and look at the job it names: a reload forgets all else."""
    [view] = state.address.place_asked("view")
    if view in VIEWS:
        state.keep("compare_view", view)
    asked = dict(zip(MANY, state.address.place_asked(*MANY), strict=True))
    for name, field in LISTS.items():
        if asked[name]:
            state.keep(field, ["" if value == OURS else value for value in asked[name].split("~")])
    for name, field in TEXTS.items():
        if asked[name]:
            state.keep(field, asked[name])
    for name, field in FLAGS.items():
        if asked[name]:
            state.keep(field, asked[name] == "1")
    [job] = state.address.place_asked("job")
    if state.making.job(job):
        state.keep("compare_job", job)
    if asked["clients"]:
        state.keep("compare_clients_asked", asked["clients"])


def show_many() -> None:
    """Write the choices of the configurations into the address."""
    values = {name: "~".join(value or OURS for value in state.kept(field) or []) for name, field in LISTS.items()}
    values |= {name: str(state.kept(DRAWN.get(field, field)) or "") for name, field in TEXTS.items()}
    values |= {name: "1" if state.kept(field) else "" for name, field in FLAGS.items()}
    clients = state.kept(f"compare_clients_{state.kept('compare_length')}") or []
    values["clients"] = "~".join(short(key) for key in clients) if len(clients) <= MOST_CLIENTS else ""
    state.address.show_place(view="many", left="", right="", job=_job(), **values)


def show_two(left: str, right: str) -> None:
    """Write two sessions into the address."""
    state.address.show_place(view="two", left=left, right=right, job=_job(), **dict.fromkeys(MANY, ""))


def _job() -> str:
    """Return the job that is looked at, as long as it is remembered."""
    id = str(state.kept("compare_job") or "")
    return id if state.making.job(id) else ""
