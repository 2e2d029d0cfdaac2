"""A model as one more reader of the pairs: which, in whose words, how far it is and what it uses."""

from __future__ import annotations

from collections import Counter
from functools import partial
from html import escape

import streamlit as st

from magnet_core.errors import MagnetError
from magnet_core.lab.wordings import PAIRS, pair_words
from magnet_core.meter import Budget
from magnet_core.scoring.aspects import Pair, Review, form
from magnet_core.scoring.pairs import Words
from ui import state
from ui.engine import pair_judging
from ui.engine.pair_judging import PairJob, Standing
from ui.waiting import watch


def by_model(pairs: list[Pair], reviews: list[Review]) -> None:
    """Draw the model that can fill in the same form, and how far it is."""
    st.html('<h4 class="small">A model as reader</h4>')
    job = state.pairs.reading()
    model = state.voices.judge_model()
    live = job is not None and job.look().live
    if live and job is not None:
        st.button("Stop", icon=":material/stop:", key="pairs_stop", on_click=job.stop)
    elif not model:
        st.html(
            '<p class="hint">The rehearsal cast cannot judge. Name a model on the Models page and it can fill in the same form, in both orders. '
            "Its answers are never mixed with those of people.</p>"
        )
    else:
        asked, (told, called) = form(), words_told()
        rater = f"{model}, {called}" if called else model
        read = Counter(
            r.pair for r in reviews if r.kind == "model" and r.rater == rater and r.form == asked.sha and r.verdicts
        )
        left = [pair for pair in pairs if read[pair.id] < 2]
        again = bool(job and job.look().errors and left)
        if not left:
            told_all = f"{model} has read all {len(pairs)} pairs in both orders." if pairs else "No pair waits for a reader."
            st.html(f'<p class="hint">{escape(told_all)}</p>')
        else:
            offer(left, model, told, called, again)
    if job is not None:
        if live:
            watch(partial(look, job))
        else:
            st.html(progress(job.look(), job.budget))


def offer(left: list[Pair], model: str, told: Words | None, called: str, again: bool) -> None:
    """Draw the button that lets a model read, with what that takes."""
    st.button(
        f"Try again with {model}" if again else f"Let {model} fill in the form", icon=":material/smart_toy:", key="pairs_judge",
        on_click=judge, args=(left, model, told, called),
    )  # fmt: skip
    st.html(
        f'<p class="hint">{len(left)} {"pair" if len(left) == 1 else "pairs"}, at least {2 * len(left)} calls: each pair in both '
        "orders, and once more where an answer cannot be read. Its answers are never mixed with those of people.</p>"
    )


def words_told() -> tuple[Words | None, str]:
    """Draw whose words the model is told, where a pack of the prompt lab holds others; return them, and what they are called."""
    own = {p.id: p for p in state.prompts.pack_list() if any(one.name.startswith(f"{PAIRS}/") for one in p.judges)}
    if not own:
        return None, ""
    titles = {"": "Ours"} | {id: pack.title for id, pack in own.items()}
    if state.kept("pairs_words") not in titles:
        state.keep("pairs_words", "")
    id = st.selectbox(
        "Judges' prompts", list(titles), key="pairs_words", width=240, persist_state="session",
        format_func=lambda i: titles.get(i, str(i)),
        help="Packs of the prompt lab that change what this judge is told. In other words than ours a model counts as another reader.",
    )  # fmt: skip
    if id not in own:
        return None, ""
    told = pair_words(own[id].judges)
    return told, f"“{own[id].title}”, hash {told.sha[:8]}"


def judge(pairs: list[Pair], model: str, told: Words | None, called: str) -> None:
    """Let the judge's model fill in the form for some pairs."""
    now = state.voices.cast()
    try:
        kept = state.store()
        budget = Budget(prices=state.spending.listed(kept))
        opening = state.spending.opening(now, "review", budget)
        job = pair_judging.begin(
            state.engine(), pairs, model, opening, kept.session, lambda both: kept.reviews.save(*both), budget, told, called
        )
    except MagnetError as error:
        return state.say(str(error))
    state.pairs.read_by_model(job)


def progress(now: Standing, used: Budget) -> str:
    """Return how a model's reading stands and what it has used, as HTML."""
    words = {
        "running": "is reading",
        "stopping": "is being stopped",
        "done": "has read",
        "stopped": "was stopped; what was whole is kept. It has read",
        "failed": "could not go on. It has read",
    }[now.state]
    errors = "".join(f'<p class="flag">{escape(error)}</p>' for error in now.errors)
    left = now.pairs - now.done
    kept = f" Of {left} nothing was kept; you can try again." if now.errors and left and not now.live else ""
    share = 100 * (now.done + len(now.errors)) / max(1, now.pairs)
    return (
        f'<div role="status"><p class="says">{escape(now.judge)} {words} {now.done} of {now.pairs} pairs.{kept}</p>'
        f'<div class="review-bar"><span class="track"><i style="width:{min(100.0, share):.1f}%"></i></span></div>'
        f'<p class="hint">{cost(used)}</p>{errors}</div>'
    )


def cost(used: Budget) -> str:
    """Return what calls have used in a line; what is not known is a dash."""
    price = "–" if used.dollars is None or not used.calls else f"${used.dollars:,.4f}"
    tokens = "–" if used.uncounted else f"{used.tokens:,}"
    return f"{used.calls:,} {'call' if used.calls == 1 else 'calls'} answered · tokens {tokens} · price {price}"


def look(job: PairJob) -> tuple[str, bool]:
    """Return how a running job stands, and whether it has ended."""
    now = job.look()
    return progress(now, job.budget), not now.live
