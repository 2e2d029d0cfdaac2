"""What the views of scores share: figures with words and a camera, the job to look at, and how a session is named in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from magnet_core.domain import Session
from magnet_core.errors import PromptError, StoreError
from magnet_core.methods import METHODS
from magnet_core.scoring.items import Scorecard
from magnet_core.scoring.judge import RULES
from magnet_core.scoring.tables import Judge, figures, percentile, value_of
from ui import state
from ui.engine.scorer import Job, Progress, sheets_of
from ui.links import SESSION_PAGE, link

if TYPE_CHECKING:
    from magnet_core.store import Entry

BY_RULES = Judge(name=RULES, kind="rule")
KNOWN = {
    "ctrs": "CTRS, the paper's six items",
    "ctrs-11": "CTRS, all eleven items",
    "wai": "WAI, twelve statements",
    "panas-before": "PANAS before",
    "panas-after": "PANAS after",
}
USUAL = ["ctrs", "wai", "panas-before", "panas-after"]
MOST = 10_000
"""The most sessions of the library that are looked at."""


def camera(name: str) -> dict[str, Any]:
    """Return the settings of a figure with one button, which saves it as a picture."""
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
    }


def plot(figure: Any, name: str, words: str) -> None:
    """Draw a figure with what it says in words."""
    st.plotly_chart(figure, key=f"plot_{name}", config=camera(f"magnet-{name}"), alt=words)


def dark() -> bool:
    return st.context.theme.type == "dark"


def line_of(entry: Entry) -> str:
    """Return a session of the library in a line."""
    method = METHODS[entry.method].title if entry.method in METHODS else entry.method
    name = f"{entry.title} · {entry.client}" if entry.title else entry.client
    return f"{name} · {entry.attitude} · {method} · {entry.turns} {'turn' if entry.turns == 1 else 'turns'} · {entry.model or 'model unknown'} · {entry.updated:%d %b, %H:%M}"


def begin(session: Session, judge: Judge, instruments: list[str], samples: int, every: int = 0) -> None:
    """Have a session scored; what is in the way is said on the page."""
    try:
        sheets = state.scores.in_words_of(judge, sheets_of(instruments, [rubric.sheet for rubric in state.scores.rubrics()]))
    except PromptError as error:
        return state.say(str(error))
    look_at(state.scores.score([session], state.scores.order(judge.name, sheets, samples), every=every), "one")


def look_at(job: str, view: str) -> None:
    """Let the page look at a job that was begun in one of its views."""
    state.keep("scores_job", job)
    state.keep("scores_job_view", view)


def begun_in(view: str) -> str:
    """Return the job that was begun in a view last: how it ended is said there and in no other view."""
    return state.kept("scores_job", "") if state.kept("scores_job_view") == view else ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A job and how it stood before the page read any score: what has come since is not drawn yet."""

    job: Job
    seen: Progress

    @property
    def live(self) -> bool:
        return self.seen.live

    def stop_button(self) -> None:
        """Draw the button that stops it, whichever window it was begun in: a reload forgets that."""
        st.button(
            "Stop", icon=":material/stop:", key="scores_stop", on_click=state.scores.stop_scoring, args=(self.job,),
        )  # fmt: skip


Drawn = tuple[Watched | None, Any]
"""What a view gives back: the job to look at, and the place for its progress."""


def job_at_hand(session_id: str) -> Watched | None:
    """Return the job this page looks at: the one it began, or one about the session that is still going on."""
    try:
        scorer = state.scorer()
    except StoreError as error:
        state.say(str(error))
        return None
    own = scorer.job(state.kept("scores_job") or "")
    if own and own.session in ("", session_id):
        return Watched(own, own.look())
    looked = (Watched(job, job.look()) for job in scorer.jobs_on(session_id))
    return next((one for one in looked if one.live), None)


def place_of(session: Session, judge: Judge, held: Mapping[str, Scorecard], key: str) -> str:
    """Return where the session stands among all others that the same judge has rated; empty where it is alone."""
    figure = figures()[key]
    value = value_of(figure, held)
    others = [
        other
        for (id, by), cards in state.scores.by_judge(state.scores.all_cards()).items()
        if by == judge and id != session.id and (other := value_of(figure, cards)) is not None
    ]
    share = percentile(value, others) if value is not None else None
    if share is None:
        return ""
    who = "the rules" if judge == BY_RULES else judge.title
    return f"{figure.title}: above {share:.0%} of {len(others)} other sessions rated by {who}"


def could_rate() -> list[Judge]:
    """Return who can rate here: the rules, and this browser session's model in our words and in those of the lab's packs."""
    model = state.voices.judge_model()
    told = ["", *state.scores.worded()] if model else []
    return [BY_RULES, *(Judge(name=model, kind="model", words=words) for words in told)]


def can_rate(judge: Judge) -> bool:
    """Tell whether this browser session can have a judge rate now."""
    known = not judge.words or judge.words in state.scores.worded()
    return judge == BY_RULES or (judge.kind == "model" and judge.name == state.voices.judge_model() and known)


def nothing_yet() -> None:
    """Say what will be here, and where it begins."""
    st.html(
        '<section class="card"><header><h3>No session has been kept yet</h3></header><p class="says">Here every session can be '
        "rated: counselling skills, working alliance, the client's mood, and what can be counted. Begin a session first; its "
        "first turn is enough.</p></section>"
    )
    link(SESSION_PAGE, "To the session", ":material/forum:")
