"""Runs of the lab, agents' and judges' alike: the one going on, those that are kept, and their files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from magnet_core.errors import MagnetError
from magnet_core.lab import Experiment
from magnet_core.lab.experiments import to_csv, to_json
from magnet_core.scoring.judge import JUDGE
from magnet_core.store import Past
from magnet_core.store.experiments import MOST
from ui import state
from ui.engine.bench import Bench, Look, Wanted
from ui.lab.costs import used_line
from ui.lab.names import apart

PAGE = 4
"""How many moments are shown at once."""

Drawn = Callable[[Experiment, Look | None, int, int, Collection[str], str], str]
"""Draws a run: as it goes on, a page of so many moments, which variants have other words by now, and what it took."""
Watched = tuple[Bench, Callable[[Look], str], Any]
"""A job to look at, how to draw it, and the place for it."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a view; `stem` begins the names of its fields."""

    stem: str
    of_judges: bool = False

    @property
    def job(self) -> Bench | None:
        return state.kept(f"{self.stem}_job")

    @property
    def live(self) -> bool:
        return (job := self.job) is not None and job.look().live

    @property
    def newest(self) -> Experiment | None:
        """The run that was begun last, with its answers once it is over."""
        made, job = state.kept(f"{self.stem}_plan"), self.job
        if made and job and not made.samples and not job.look().live:
            made = answered(made, job.look())
            state.keep(f"{self.stem}_plan", made)
        return made

    def repeats(self) -> int:
        """Draw how many answers of each are wanted."""
        return int(
            st.number_input(
                "Answers each", 1, 20, key=f"{self.stem}_repeats", width=120, persist_state="session",
                help="The same request so many times, each with a seed of its own.",
            )
        )  # fmt: skip

    def button(self, variants: int, run: Callable[[], None], *, disabled: bool) -> None:
        """Draw the button that runs so many variants, or stops the run that is going on."""
        if self.live and self.job:
            st.button("Stop", icon=":material/stop:", key=f"{self.stem}_stop", on_click=self.job.stop)
        else:
            words = "Run" if variants == 1 else f"Run {variants} variants"
            st.button(
                words, type="primary", icon=":material/play_arrow:", key=f"{self.stem}_go", on_click=run, disabled=disabled,
            )  # fmt: skip

    def start(self, wanted: Sequence[Wanted], made: Experiment) -> None:
        """Ask all variants in the background; the answers are kept as soon as they are whole."""
        planned, store = made.model_copy(update={"made": datetime.now(UTC)}), state.store()

        def keep(look: Look) -> None:
            if look.samples:
                store.experiments.keep(answered(planned, look))

        state.keep(f"{self.stem}_job", state.runs.try_prompts(wanted, made.agent, keep))
        state.keep(f"{self.stem}_plan", planned)
        state.forget(f"{self.stem}_shown_for")

    def at_hand(self, fits: Callable[[Experiment | Past], bool]) -> Experiment | None:
        """Draw the list of runs that are kept; return the one going on, the one chosen, or the last one that fits."""
        made = self.newest
        if self.live:
            return made
        past = self._past()
        here = made if made and fits(made) else None
        own = here.id if here else next((id for id, one in past.items() if fits(one)), "")
        return self._chosen(past, own, here)

    def show(self, here: Experiment, changed: Collection[str], drawn: Drawn, slot: Any) -> Watched | None:
        """Draw a run and its files; return what is to be looked at instead where it is the newest, which may be going on."""
        page, live = self._paged(here), self.live
        if not live:
            self._files(here)
        used = "" if live else used_line(here.samples)

        def draw(look: Look | None) -> str:
            return drawn(here, look, page, PAGE, changed, used)

        if (made := self.newest) and made.id == here.id and self.job:
            return self.job, draw, slot
        slot.html(draw(None))
        return None

    def _paged(self, here: Experiment) -> int:
        """Draw the pages of a run over many moments; return the page at hand, 0 for the first."""
        pages = -(-len(here.moments) // PAGE)
        return 0 if pages < 2 else st.pagination(pages, key=f"{self.stem}_page_{here.id}") - 1

    def _files(self, here: Experiment) -> None:
        """Draw the buttons that save a run's answers."""
        name = f"lab-{here.agent}-{here.made:%Y%m%d-%H%M%S}"
        with st.container(horizontal=True, gap="small"):
            for kind, make, type in (("CSV", to_csv, "text/csv"), ("JSON", to_json, "application/json")):
                st.download_button(
                    f"Answers as {kind}", make(here), f"{name}.{kind.lower()}", type, key=f"{self.stem}_{kind.lower()}",
                    icon=":material/download:", on_click="ignore",
                )  # fmt: skip

    def _past(self) -> dict[str, Past]:
        try:
            return {p.id: p for p in state.store().experiments.past() if (p.agent == JUDGE) == self.of_judges}
        except MagnetError as error:
            state.say(str(error))
            return {}

    def _chosen(self, past: Mapping[str, Past], own: str, here: Experiment | None) -> Experiment | None:
        """Draw which run is shown, at first the one by the id `own`; `here` is that one where it is at hand with its answers."""
        if not past:
            return here
        shown = f"{self.stem}_shown"
        if state.kept(f"{shown}_for") != own or state.kept(shown) not in ("", *past):
            state.keep(f"{shown}_for", own)
            state.keep(shown, own)
        listed = {id: f"{one.made:%d %b, %H:%M:%S} UTC · {one.title}" for id, one in past.items()}
        names = apart({"": "None"} | listed)
        if here and own not in names:
            names[own] = here.title
        chosen = st.selectbox(
            "Runs that are kept", list(names), key=shown, format_func=lambda id: names.get(id, str(id)), persist_state="session",
            help=f"The newest runs of the lab with all their answers; the oldest goes when there are more than {MOST}.",
        )  # fmt: skip
        if not chosen:
            return None
        if here and chosen == here.id:
            return here
        try:
            return state.store().experiments.of(chosen)
        except MagnetError as error:
            state.say(str(error))
            return here


def answered(planned: Experiment, look: Look) -> Experiment:
    """Return a run with the answers that came."""
    ended = {"failed": look.error, "stopped": "Stopped before all answers came."}.get(look.state, "")
    return planned.model_copy(update={"samples": look.samples, "ended": ended})
