"""Session files and made-up sessions of every shape, for tests that go through many."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from hypothesis import strategies as st

from magnet_core import profiles
from magnet_core.domain import (
    AgentCall,
    Candidate,
    CbtTechnique,
    Choice,
    Flag,
    Plan,
    Rejection,
    Reply,
    Session,
    Technique,
    Turn,
    Usage,
)

DATA = Path(__file__).parent / "data"

words = st.text(max_size=40)
seconds = st.floats(0, 1e6, allow_nan=False)
usages = st.builds(
    Usage, prompt_tokens=st.none() | st.integers(0, 10**6), cached_tokens=st.none(), completion_tokens=st.none()
)
calls = st.builds(
    AgentCall,
    agent=words,
    model=words,
    attempt=st.integers(1, 3),
    prompt_sha=words,
    temperature=st.none() | st.floats(0, 2),
    output=words,
    problem=words,
    usage=usages,
    started=seconds,
    first_token=st.none() | seconds,
    seconds=seconds,
    retries=st.tuples(words),
)
flags = st.builds(Flag, turn=st.integers(0, 9), agent=words, kind=st.sampled_from(["meta", "risk"]), detail=words)
turns = st.builds(
    Turn,
    choice=st.none()
    | st.builds(
        Choice,
        techniques=st.lists(st.sampled_from(Technique), max_size=3).map(tuple),
        reason=words,
        plan_step=st.none() | st.integers(1, 6),
        text=words,
    ),
    candidates=st.lists(st.builds(Candidate, technique=st.sampled_from(Technique), text=words), max_size=5).map(tuple),
    response=words,
    reply=st.builds(Reply, text=words, ends_session=st.booleans()),
    calls=st.lists(calls, max_size=2).map(tuple),
    flags=st.lists(flags, max_size=2).map(tuple),
)
plans = st.builds(
    Plan,
    technique=st.none() | st.sampled_from(CbtTechnique),
    reason=words,
    rejected=st.lists(st.builds(Rejection, technique=st.sampled_from(CbtTechnique), reason=words), max_size=2).map(tuple),
    steps=st.lists(words, max_size=3).map(tuple),
    text=words,
)
sessions = st.builds(
    Session,
    id=words,
    created=st.datetimes(timezones=st.just(UTC)),
    profile=st.sampled_from(profiles.samples()),
    visibility=st.sampled_from(["repaired", "paper"]),
    seed=st.integers(-(2**40), 2**40),
    models=st.dictionaries(words, words, max_size=3),
    plan=st.none() | plans,
    plan_calls=st.lists(calls, max_size=1).map(tuple),
    plan_flags=st.lists(flags, max_size=1).map(tuple),
    turns=st.lists(turns, max_size=3).map(tuple),
)
