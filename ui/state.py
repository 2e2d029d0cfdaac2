"""What a browser session holds, and the few things the process shares: the only file that touches either.

Shared by everybody: the engine, the store, the sample clients. A browser session's own: which session it looks at, at which
turn, with what settings, and its cast of models with their keys, which stay in this memory.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st
from pydantic import SecretStr

from magnet_core import profiles as profile_files
from magnet_core import telemetry
from magnet_core.cast import REHEARSAL, Cast, Voice, open_models
from magnet_core.costs import Cost, Incident, Price, Prices, incidents, session_cost, shipped, waited
from magnet_core.domain import Attitude, ClientProfile, FanOut, Given, Plan, Reply, Session, Speaker, Visibility
from magnet_core.errors import MagnetError, SettingsError, StoreError
from magnet_core.lab import changed, texts_for
from magnet_core.methods import MAGNET, METHODS, method_named
from magnet_core.models.failures import place
from magnet_core.models.openai import OPENAI_URL, check_key, check_url
from magnet_core.scoring.compare import Configuration, Measured, configuration_of, left_out, measure
from magnet_core.scoring.instruments import Sheet
from magnet_core.scoring.items import Scorecard
from magnet_core.scoring.judge import JUDGE, RULES
from magnet_core.scoring.rubrics import Rubric
from magnet_core.scoring.rules import measures
from magnet_core.session import NOTHING, fork, new_session
from magnet_core.settings import Settings
from magnet_core.settings import settings as read_settings
from magnet_core.trail import Trail
from ui.bench import Bench
from ui.bench import Wanted as WantedTrial
from ui.maker import Batch, Maker, MakingJob
from ui.runner import Engine, Goal, Run, Seat, Snapshot, recording, unasked
from ui.scorer import Job, Order, Scorer, sheets_of

if TYPE_CHECKING:
    from magnet_core.packs import Pack, Packs
    from magnet_core.pricing import PriceBook
    from magnet_core.reviews import Reviews
    from magnet_core.store import Entry, Planned, Store

T = TypeVar("T")
PACES: dict[str, float] = {"Calm": 15.0, "Brisk": 45.0, "At once": 0.0}
"""Words per second of the rehearsal cast."""
SPEEDS: dict[str, float] = {"Slow": 12.0, "Reading pace": 30.0, "Fast": 120.0}
"""Words per second of a recording."""
FIRST_CLIENT = "mei-lin-chow"
TURNS = range(8, 21)
CLINICIAN, TEACHER, RESEARCHER = "clinician", "teacher", "researcher"
AUDIENCES: dict[str, str] = {
    CLINICIAN: "Dialogue, the plan in plain words and the techniques chosen.",
    TEACHER: "Also the five specialists' drafts and how the session is built.",
    RESEARCHER: "Everything: also each call, and who sees what.",
}
USUAL_AUDIENCE = RESEARCHER
"""Whoever comes first finds everything one click away; less is a choice."""
MADE = "comparison"
"""The tag of sessions that were made for a comparison."""
ADDRESS_LAG = 5.0
"""Seconds the browser may take to show an address that was written."""
PLACE_LAG = 1.0
"""The same where a click by the reader's own hand wrote it, so that no run is under way."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings of a session to be."""

    client: str
    attitude: Attitude
    method: str = "magnet"
    turns: int = 20
    visibility: Visibility = "repaired"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """What a session cost, and what went wrong in it; of a fork, what it added to its parent."""

    entry: Entry
    configuration: Configuration
    cost: Cost
    waited: float
    incidents: tuple[Incident, ...]


# Shared by the whole process


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    return Engine(settings().calls_in_flight)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the library of sessions; raise `StoreError` when it cannot be opened."""
    from magnet_core.store import Store

    return Store(settings().database_url)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings from the environment, `.env` and Streamlit's secrets, in this order."""
    return read_settings(**_secrets())


@st.cache_resource(show_spinner=False)
def samples() -> dict[str, ClientProfile]:
    """Return the sample clients by id, the first one to be shown first."""
    found = {profile.id: profile for profile in profile_files.samples()}
    first = {FIRST_CLIENT: found[FIRST_CLIENT]} if FIRST_CLIENT in found else {}
    return first | found


def clients() -> dict[str, ClientProfile]:
    """Return all clients by id: the samples, then the library's own, the latest changed first."""
    return samples() | own_clients()


def own_clients() -> dict[str, ClientProfile]:
    """Return the library's own clients by id; none, with a sentence kept, when it cannot be read."""
    try:
        return _own_clients(store().clients_state())
    except StoreError as error:
        say(str(error))
        return {}


@st.cache_resource(show_spinner=False, max_entries=1)
def _own_clients(since: tuple[float, ...]) -> dict[str, ClientProfile]:
    """Return the own clients as they stand at some figures, by which the cache tells them apart."""
    return {profile.id: profile for profile in store().clients()}


@st.cache_resource(show_spinner=False)
def warm_up() -> bool:
    """Import what is heavy beside the first page view, then let the garbage collector forget it: reruns stay quick."""

    def work() -> None:
        import pandas
        import plotly.graph_objects

        from magnet_core import store as _store
        from magnet_core.models.openai import open_client

        _ = (pandas.DataFrame, plotly.graph_objects.Figure, _store.Store)
        _ = open_client("", "none").chat.completions
        gc.collect()
        gc.freeze()

    threading.Thread(target=work, daemon=True, name="warm-up").start()
    return True


def _secrets() -> dict[str, Any]:
    """Return the top level of Streamlit's secrets; empty when there is no secrets file."""
    try:
        return {name: value for name, value in st.secrets.items() if isinstance(value, (str, int, float))}
    except (FileNotFoundError, KeyError):
        return {}


# This browser session's own


def owner() -> str:
    """Return this browser session's token; whoever started a run may stop it."""
    return st.session_state.setdefault("owner", secrets.token_urlsafe(12))


def cast() -> Cast:
    """Return who speaks in this browser session; keys in it live in this memory only."""
    if "cast" not in st.session_state:
        try:
            st.session_state["cast"] = settings().cast()
        except SettingsError as error:
            say(str(error))
            st.session_state["cast"] = Cast()
    return st.session_state["cast"].model_copy(update={"pace": PACES[pace()]})


def set_cast(new: Cast) -> None:
    """Let other models speak in this browser session from the next turn on, in what is running too."""
    st.session_state["cast"] = new
    now = cast()
    engine().recast(owner(), partial(open_models, now), now.fan_out)
    with suppress(StoreError):
        judge = judge_model() or RULES
        scorer().recast(owner(), judge, None if judge == RULES else partial(open_models, now), now.fan_out)


def key_for(base_url: str) -> SecretStr | None:
    """Return the key for an address: the one given in this browser session for its server, or the environment's own."""
    return own_keys().get(server_of(base_url)) or environment_key(base_url)


def environment_key(base_url: str) -> SecretStr | None:
    """Return the environment's key, but only for the server it belongs to: it is sent nowhere else."""
    try:
        own = settings()
    except SettingsError:
        return None
    server = server_of(base_url)
    return own.api_key if server and server == server_of(own.base_url or OPENAI_URL) else None


def own_keys() -> dict[str, SecretStr]:
    """Return the keys given in this browser session by the server each is for."""
    return st.session_state.setdefault("keys", {})


def take_key(field: str, address_field: str) -> None:
    """Move a typed key from its field into this session's memory; one that can be no key stays where it is."""
    server = server_of(st.session_state.get(address_field) or "")
    try:
        key = check_key(st.session_state.get(field) or "")
    except SettingsError:
        return
    if key and server:
        own_keys()[server] = SecretStr(key)
        st.session_state[field] = ""


def forget_keys() -> None:
    """Forget all keys given in this browser session, in the cast that speaks as well."""
    given = st.session_state.pop("keys", {}).values()

    def without(voice: Voice) -> Voice:
        if voice.api_key not in given:
            return voice
        return voice.model_copy(update={"api_key": environment_key(voice.base_url or OPENAI_URL)})

    now = cast()
    voices = {agent: without(voice) for agent, voice in now.overrides.items()}
    set_cast(now.model_copy(update={"default": without(now.default), "overrides": voices}))


def server_of(base_url: str) -> str:
    """Return the server of an address; empty when it is none."""
    try:
        return place(check_url(base_url)) if base_url.strip() else ""
    except SettingsError:
        return ""


def begin(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin some work beside the page."""
    return engine().call(work)


def kept(name: str, otherwise: Any = None) -> Any:
    """Return what a page has kept, or what stands in a field."""
    return st.session_state.get(name, otherwise)


def keep(name: str, value: Any) -> None:
    st.session_state[name] = value


def from_address(field: str, allowed: Iterable[str] | None = None) -> None:
    """Fill a field that has not been drawn yet with what the address says of it, as far as that is allowed.

    Streamlit's own binding of fields to the address was seen to stop once a timed fragment had run on the page.
    """
    if field in st.session_state or not (asked := st.query_params.get_all(field)):
        return
    st.session_state[field] = asked[0] if allowed is None else [value for value in asked if value in allowed]


def to_address(*fields: str) -> None:
    """Write into the address what stands in these fields."""
    for field in fields:
        value = st.session_state.get(field) or []
        values = [value] if isinstance(value, str) else list(value)
        if values == st.query_params.get_all(field):
            continue
        if values:
            st.query_params[field] = values
        else:
            st.query_params.pop(field, None)


def copy(field: str, to: str) -> None:
    """Put into one field what was chosen in another."""
    if value := st.session_state.get(field):
        st.session_state[to] = value


def pace() -> str:
    return st.session_state.get("pace") or "Brisk"


def rehearsing() -> bool:
    """Tell whether the built-in cast speaks for any agent."""
    now = cast()
    return any(voice.model == REHEARSAL for voice in (now.default, *now.overrides.values()))


def model_line() -> str:
    """Return the name of the model that speaks, for a reader."""
    now = cast()
    names = list(dict.fromkeys(v.model for v in (now.default, *now.overrides.values())))
    return ", ".join("Rehearsal (authored, not a language model)" if name == REHEARSAL else name for name in names)


def say(text: str) -> None:
    """Keep a sentence for the next drawing of the page."""
    st.session_state["note"] = text


def told() -> str:
    """Return the kept sentence, once."""
    return st.session_state.pop("note", "")


# Which session, which turn


def current() -> Session:
    """Return the session this page shows, at its newest; a sample client's session to be on the first visit."""
    held: Session | None = st.session_state.get("session")
    asked = st.query_params.get("session", "")
    if asked and (held is None or (held.id != asked and _settled())):
        held = _found(asked) or held
    if held is None:
        held = fresh(Wanted(FIRST_CLIENT, samples()[FIRST_CLIENT].attitude))
    run = engine().run_on(held.id)
    if run and len(run.session.turns) >= len(held.turns):
        held = run.session
    st.session_state["session"] = held
    _address(held.id if run or started(held) else "")
    return held


def _settled() -> bool:
    """Tell whether the browser has surely caught up with the address written last: until then it still sends the old one."""
    return time.monotonic() - st.session_state.get("addressed", 0.0) > ADDRESS_LAG


def _address(session_id: str) -> None:
    """Write which session is shown into the browser's address."""
    if st.query_params.get("session", "") == session_id:
        return
    st.session_state["addressed"] = time.monotonic()
    if session_id:
        st.query_params["session"] = session_id
    else:
        st.query_params.pop("session", None)


def _found(id: str) -> Session | None:
    if run := engine().run_on(id):
        return run.session
    try:
        return store().session(id)
    except StoreError as error:
        say(str(error))
        return None


def started(session: Session) -> bool:
    return session.plan is not None or bool(session.turns)


def fresh(wanted: Wanted) -> Session:
    """Return a session to be, with nothing in it yet."""
    profile = clients()[wanted.client].with_attitude(wanted.attitude)
    own = pack()
    return new_session(
        profile, method=wanted.method, visibility=wanted.visibility, max_turns=wanted.turns, seed=wanted.seed,
        prompt_set=own.texts if own else None,
    )  # fmt: skip


def wanted_of(session: Session) -> Wanted:
    """Return the settings a session was made with, as far as they can be wanted again here."""
    return Wanted(
        session.profile.id if session.profile.id in clients() else FIRST_CLIENT,
        session.profile.attitude,
        session.method if session.method in METHODS else MAGNET.name,
        min(max(session.max_turns, TURNS[0]), TURNS[-1]),
        session.visibility,
        session.seed,
    )


def prepare(wanted: Wanted) -> None:
    """Show a new session to be; what was shown before stays in the library."""
    _show(fresh(wanted))


def prepare_with(profile: ClientProfile) -> None:
    """Show a new session to be with a client as it is, and with the other settings of the session at hand."""
    held: Session | None = st.session_state.get("session")
    before = wanted_of(held) if held else Wanted(profile.id, profile.attitude)
    prepare(replace(before, client=profile.id, attitude=profile.attitude))


def client_changed(id: str) -> None:
    """Let a session to be have the client as it is now; where the client is gone, the first sample."""
    held: Session | None = st.session_state.get("session")
    if held and held.profile.id == id and not started(held):
        prepare_with(clients().get(id) or samples()[FIRST_CLIENT])


def start_over(session: Session) -> None:
    """Show a new session to be with the settings of this one and the next seed."""
    again = session.model_copy(
        update={"plan": None, "plan_calls": (), "plan_flags": (), "turns": (), "seed": session.seed + 1}
    )
    made = new_session(
        again.profile,
        method=again.method,
        visibility=again.visibility,
        min_turns=again.min_turns,
        max_turns=again.max_turns,
        seed=again.seed,
        prompt_set=texts_for(session),
    )
    _show(made)


def open_stored(id: str) -> bool:
    """Show a session of the library; tell whether it was found."""
    if found := _found(id):
        _show(found)
    return found is not None


def _show(session: Session, *, trail: Trail | None = None) -> None:
    st.session_state["session"] = session
    st.session_state["trail"] = trail or Trail(now=session.id)
    if trail is None:
        note_typed()
    st.session_state.pop("replay", None)
    st.session_state["addressed"] = time.monotonic()
    look_at(None)


def recent(limit: int = 50) -> list[Entry]:
    """Return the newest entries of the library; empty, with a sentence kept, when it cannot be read."""
    try:
        return store().recent(limit)
    except StoreError as error:
        say(str(error))
        return []


def looked_at(session: Session) -> int | None:
    """Return the earlier turn that is looked at; None to follow the newest."""
    if "look" not in st.session_state:
        asked = st.query_params.get("turn", "")
        st.session_state["look"] = int(asked) if asked.isdecimal() else None
    number = st.session_state["look"]
    return number if number is not None and 0 <= number <= len(session.turns) else None


def look_at(number: int | None) -> None:
    """Look at an earlier turn, or follow the newest again."""
    st.session_state["look"] = number
    if number is None:
        st.query_params.pop("turn", None)
    else:
        st.query_params["turn"] = str(number)


# Runs


def run_of(session: Session) -> Run | None:
    """Return the run this page looks at: a recording being shown, or the newest run of the session."""
    if (id := st.session_state.get("replay")) and (run := engine().run(id)):
        return run
    return engine().run_on(session.id)


def look(run: Run) -> Snapshot:
    return run.look(owner())


def go(session: Session, goal: Goal, given: Given = NOTHING, seat: Seat | None = None) -> None:
    """Go on with a session in the background; what stands in the way is kept as a sentence.

    What stands already of the turn to come, because its making was broken off, still stands unless other parts are `given`.
    """
    run = engine().run_on(session.id)
    if (
        given == NOTHING
        and run
        and run.state in ("waiting", "failed", "stopped")
        and len(run.session.turns) == len(session.turns)
    ):
        given = run.given
    if ahead := _gone_on(session):
        _show(ahead)
        return say("This session had gone on in another window. This is how it stands now.")
    look_at(None)
    now = cast()
    try:
        engine().start(
            session, goal, owner=owner(), open_models=partial(open_models, now), save=_keeping(), fan_out=now.fan_out,
            given=given, seat=seat,
        )  # fmt: skip
    except MagnetError as error:
        say(str(error))


def drop_given(session: Session) -> None:
    """Let the agents make the whole turn to come: what stood already of it, because its making was broken off, is forgotten."""
    if (run := engine().run_on(session.id)) and not run.live:
        run.given = NOTHING


def _gone_on(session: Session) -> Session | None:
    """Return the stored session when it holds more turns than the one at hand."""
    if not started(session):
        return None
    run = engine().run_on(session.id)
    if run and run.live:
        return None
    try:
        stored = store().session(session.id)
    except StoreError:
        return None
    return stored if len(stored.turns) > len(session.turns) else None


def stop(run: Run) -> None:
    engine().stop(run)


def moved(session: Session, run: Run | None) -> bool:
    """Tell whether another session or run is to be shown than the one a page was drawn with."""
    held: Session = st.session_state["session"]
    return (held.id != session.id and not showing_recording()) or run_of(held) is not run


# Forks, what-ifs, undo


def trail() -> Trail:
    """Return the way this browser session took among the forks of what it shows."""
    return st.session_state["trail"] if "trail" in st.session_state else Trail(now=st.session_state["session"].id)


def branch(session: Session, turns: int, given: Given = NOTHING, *, anew: bool = False, **changes: Any) -> None:
    """Show a fork that shares some turns, and let it take its next turn with what is `given`; `anew` is by another seed."""
    if anew:
        changes["seed"] = session.seed + 1 + len(_forks_of(session))
    show_fork(session, fork(session, turns, **changes))
    if st.session_state["session"].id != session.id:
        go(st.session_state["session"], "turn", given)


def show_fork(session: Session, made: Session) -> None:
    """Keep a fork and show it; undo leads back."""
    try:
        store().save(made)
    except StoreError as error:
        return say(str(error))
    _show(made, trail=trail().to(made.id))


def branch_plan(session: Session, turns: int, plan: Plan) -> None:
    """Show a fork that goes on with another plan after some turns; the plan is then no agent's, so its calls stay behind."""
    flags = tuple(flag for flag in session.plan_flags if flag.agent != "planner")
    show_fork(session, fork(session, turns, plan=plan, plan_calls=(), plan_flags=flags))


def _forks_of(session: Session) -> list[Entry]:
    try:
        return store().children(session.id)
    except StoreError:
        return []


def walk_to(id: str, turn: int | None = None) -> None:
    """Show another session of the same family; undo leads back."""
    if found := _found(id):
        _show(found, trail=trail().to(id))
        look_at(turn)


def undo() -> None:
    _walk(trail().undo())


def redo() -> None:
    _walk(trail().redo())


def _walk(way: Trail) -> None:
    left: Session = st.session_state["session"]
    if found := _found(way.now):
        _show(found, trail=way)
        if left.parent and left.parent.session == found.id and left.parent.turns < len(found.turns):
            look_at(left.parent.turns + 1)


def family(session: Session) -> list[Entry]:
    """Return all sessions of the fork tree, oldest first; none where the session is not kept."""
    if not started(session):
        return []
    try:
        return store().family(session.id)
    except StoreError:
        return []


def maker_of(session: Session, number: int) -> Session:
    """Return the session in which a shared turn was made, which knows the plan, the client and the prompts of it; 0 for the plan."""
    above = _parent(session)
    while above and session.parent:
        shared = 0 < number <= session.parent.turns if number else above.plan_calls == session.plan_calls
        if not shared:
            break
        session, above = above, _parent(above)
    return session


def parent_name(session: Session) -> str:
    """Return how a reader knows the session that one was forked from."""
    above = _parent(session)
    return above.profile.name if above else "a session that is no longer kept"


def _parent(session: Session) -> Session | None:
    """Return the session that one was forked from, as it is remembered or stored."""
    if not session.parent:
        return None
    id = session.parent.session
    known: dict[str, Session | None] = st.session_state.setdefault("parents", {})
    if id not in known or len(getattr(known[id], "turns", ())) < session.parent.turns:
        run = engine().run_on(id)
        try:
            known[id] = run.session if run else store().session(id)
        except StoreError:
            known[id] = None
        if len(known) > 50:
            del known[next(iter(known))]
    return known.get(id)


def ask_what_if(session: Session, number: int, kind: str, forks: Mapping[str, tuple[Session, Given, Cast | None]]) -> None:
    """Let forks of one moment go on beside each other; each is known by a label."""
    now = cast()
    try:
        for made, given, voices in forks.values():
            speak = voices or now
            engine().start(
                made, "turn", owner=owner(), open_models=partial(open_models, speak), save=store().save,
                fan_out=speak.fan_out, given=given,
            )  # fmt: skip
    except MagnetError as error:
        say(str(error))
    asked = st.session_state.setdefault("what_ifs", {})
    asked.setdefault((session.id, number, kind), {}).update({label: made.id for label, (made, _, _) in forks.items()})


def what_ifs(session: Session, number: int, kind: str) -> dict[str, str]:
    """Return the forks of a moment that were asked for, by label."""
    return st.session_state.get("what_ifs", {}).get((session.id, number, kind), {})


def voices() -> dict[str, Voice]:
    """Return the voices that are set up here, by the names of their models."""
    now = cast()
    found = [now.default, *now.overrides.values(), Voice()]
    try:
        own = settings().cast()
        found += [own.default, *own.overrides.values()]
    except SettingsError:
        pass
    return {voice.model: voice for voice in reversed(found)}


def has_server() -> bool:
    """Tell whether a model beside the built-in cast is set up."""
    return any(voice.model != REHEARSAL for voice in voices().values())


def cast_of(model: str) -> Cast:
    """Return a cast in which one model speaks for everybody: one that is set up, or another on a server that is."""
    known = voices()
    server = next((voice for voice in known.values() if voice.model != REHEARSAL), Voice())
    voice = known.get(model) or server.model_copy(update={"model": model})
    return cast().model_copy(update={"default": voice, "overrides": {}})


def at(id: str) -> tuple[Session | None, Snapshot | None]:
    """Return a session by its id, and how its run stands."""
    if run := engine().run_on(id):
        snap = look(run)
        return snap.session, snap
    return _found(id), None


# Seats


def take_seat(session: Session, speaker: Speaker, stays: bool) -> None:
    """Sit in a chair: the agents go on until it is the person's turn to speak."""
    go(session, "turn", seat=Seat(speaker, stays))


def say_typed(session: Session, snap: Snapshot, text: str, ends: bool = False) -> None:
    """Let a person's words stand as the message of the chair they sit in."""
    seat = snap.seat
    assert seat is not None
    typed = {"typed": (*snap.given.typed, seat.speaker)}
    words = {"response": text} if seat.speaker == "counsellor" else {"reply": Reply(text=text, ends_session=ends)}
    note_typed(text)
    go(session, "turn", snap.given.model_copy(update=typed | words), seat if seat.stays else None)


def note_typed(*texts: str) -> None:
    """Remember what a person typed last, so that help can be offered where its words ask for it."""
    st.session_state["typed"] = "\n".join(texts)


# How it is shown


def audience() -> str:
    """Return for whom the page is drawn: one of `AUDIENCES`."""
    if "audience" not in st.session_state:
        asked = st.query_params.get("audience", "")
        st.session_state["audience"] = asked if asked in AUDIENCES else USUAL_AUDIENCE
    return st.session_state["audience"]


def set_audience(field: str) -> None:
    st.session_state["audience"] = chosen = st.session_state.get(field) or USUAL_AUDIENCE
    _note_view("audience", "" if chosen == USUAL_AUDIENCE else chosen)


def presenting() -> bool:
    if "presenter" not in st.session_state:
        st.session_state["presenter"] = st.query_params.get("presenter", "") == "1"
    return st.session_state["presenter"]


def present(on: bool) -> None:
    st.session_state["presenter"] = on
    _note_view("presenter", "1" if on else "")


def _note_view(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def show_recording(session: Session) -> None:
    """Play a session's own words again, at reading pace, without a model; nothing is stored."""
    again = session.model_copy(
        update={
            "id": secrets.token_hex(8),
            "plan": None if session.plan_calls else session.plan,
            "plan_calls": (),
            "plan_flags": tuple(f for f in session.plan_flags if f.kind == "risk"),
            "turns": (),
            "max_turns": max(1, len(session.turns)),
            "min_turns": 1,
        }
    )
    me, speaker = owner(), method_named(session.method).speaker.name
    _speeds()[me] = SPEEDS[speed()]
    run = engine().start(
        again, "end", owner=me, open_models=recording(session, lambda: _speeds().get(me, SPEEDS["Fast"])),
        given_for=lambda played: unasked(session.turns[len(played.turns)], speaker),
    )  # fmt: skip
    st.session_state["replay"] = run.id
    look_at(None)


def speed() -> str:
    return st.session_state.get("speed") or "Reading pace"


@st.cache_resource(show_spinner=False)
def _speeds() -> dict[str, float]:
    """Return how fast recordings play, in words a second, by their owners: the engine reads it while it plays."""
    return {}


def set_speed() -> None:
    """Let the recording go on at the speed that was chosen."""
    _speeds()[owner()] = SPEEDS[speed()]


def showing_recording() -> bool:
    return bool((id := st.session_state.get("replay")) and engine().run(id))


def end_recording() -> None:
    """Go back to the session a recording was made of."""
    if (id := st.session_state.pop("replay", None)) and (run := engine().run(id)):
        engine().stop(run)
    look_at(None)


def enter(page: str = "") -> bool:
    """Begin a page; every page calls this first. Tell whether this browser session was elsewhere just before."""
    before = st.session_state.get("page")
    st.session_state["page"] = page
    return before != page


def place_asked(*names: str) -> tuple[str, ...]:
    """Return what the browser's address says to these names; empty texts for what it does not name."""
    return tuple(st.query_params.get(name, "") for name in names)


def place_moved(names: tuple[str, ...]) -> bool:
    """Tell whether the reader has gone to another address by hand, as by the browser's Back, since one was written.

    What the browser sends just after that is still the old address, until it has once sent the new one.
    """
    if place_asked(*names) == st.session_state.get("place", ("",) * len(names)):
        st.session_state["place_seen"] = True
        return False
    return st.session_state.get("place_seen", True) or time.monotonic() - st.session_state.get("addressed", 0.0) > PLACE_LAG


def show_place(**values: str) -> None:
    """Write into the browser's address what is shown; empty values are taken out of it."""
    st.session_state["place"] = tuple(values.values())
    if place_asked(*values) == tuple(values.values()):
        return
    st.session_state["addressed"] = time.monotonic()
    st.session_state["place_seen"] = False
    for name, value in values.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


# Scores


@st.cache_resource(show_spinner=False)
def scorer() -> Scorer:
    """Return what scores sessions in the background; raise `StoreError` when the library cannot be opened."""
    kept = store()
    return Scorer(engine(), kept.save_card, kept.cards, kept.session, settings().calls_in_flight)


def _keeping() -> Callable[[Session], None]:
    """Return what keeps a new turn, and has it scored where that is wanted."""
    save, scores, collector = store().save, scorer(), settings().otlp_endpoint

    def keep_turn(session: Session) -> None:
        save(session)
        telemetry.newest(session, collector)
        scores.turn_kept(session)

    return keep_turn


def judge_model() -> str:
    """Return the name of the model that can judge in this browser session; empty when only the rules can."""
    name = cast().voice(JUDGE).model
    return "" if name == REHEARSAL else name


def order(judge: str, sheets: Iterable[Sheet], samples: int = 3, *, kept: bool = True) -> Order:
    """Return what is to be scored by the rules or by this browser session's model."""
    now = cast()
    opener = None if judge == RULES else partial(open_models, now)
    return Order(judge, tuple(sheets), opener, now.fan_out, samples, kept)


def score(sessions: Iterable[Session | str], wanted: Order, *, every: int = 0) -> str:
    """Begin to score sessions; return the job's id, empty with a sentence kept where it cannot begin."""
    try:
        return scorer().start(sessions, wanted, owner=owner(), every=every).look().id
    except MagnetError as error:
        say(str(error))
        return ""


def stop_scoring(job: Job) -> None:
    if job.owner == owner():
        scorer().stop(job)


def score_along(session_id: str, every: int, wanted: Order | None = None) -> None:
    """Let a session be scored by itself after every so many turns; 0 ends it."""
    try:
        scorer().go_along(session_id, every, wanted, owner())
    except MagnetError as error:
        say(str(error))


def scored_along(session_id: str) -> int:
    try:
        return scorer().along(session_id)
    except MagnetError:
        return 0


def scoring(session_id: str) -> bool:
    """Tell whether a session is being scored just now."""
    try:
        return any(job.look().live for job in scorer().jobs_on(session_id))
    except MagnetError:
        return False


def cards_of(session_id: str) -> list[Scorecard]:
    """Return a session's scorecards, oldest first; none, with a sentence kept, when they cannot be read."""
    try:
        return store().cards(session_id)
    except StoreError as error:
        say(str(error))
        return []


def all_cards() -> list[Scorecard]:
    """Return the scorecards of the whole library; read again only when there are others."""
    try:
        return _all_cards(store().cards_state())
    except StoreError as error:
        say(str(error))
        return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _all_cards(stands: tuple[float, ...]) -> list[Scorecard]:
    return store().all_cards()


def plans() -> list[Planned]:
    """Return what the planners of the library picked; read again only when there is other."""
    try:
        return _plans(store().sessions_state())
    except StoreError as error:
        say(str(error))
        return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _plans(stands: tuple[float, ...]) -> list[Planned]:
    return store().plans()


def counted(entries: Iterable[Entry], seconds: float = 1.0) -> tuple[dict[str, dict[str, float | None]], int]:
    """Return what the rules count in stored sessions, by their ids, and how many are left to be counted.

    Each is read once for as many turns as it has; after some `seconds` those that are left wait for the next call.
    """
    held, found, left = _counted(), dict[str, dict[str, float | None]](), 0
    end = time.monotonic() + seconds
    for entry in entries:
        key = (entry.id, entry.turns)
        if key not in held:
            if time.monotonic() > end:
                left += 1
                continue
            try:
                held[key] = {m.name: m.value for m in measures(store().session(entry.id))}
            except StoreError as error:
                say(str(error))
                continue
        found[entry.id] = held[key]
    return found, left


@st.cache_resource(show_spinner=False)
def _counted() -> dict[tuple[str, int], dict[str, float | None]]:
    """Return what was counted, by session and its turns."""
    return {}


def rubrics() -> list[Rubric]:
    """Return the own rubrics; none, with a sentence kept, when they cannot be read."""
    try:
        return store().rubrics()
    except StoreError as error:
        say(str(error))
        return []


def stored(id: str) -> Session | None:
    """Return a session of the library, or as it runs just now; None, with a sentence kept, when there is none."""
    return _found(id) if id else None


def held() -> Session | None:
    """Return the session that this browser session looks at, if it has begun; without opening one."""
    found: Session | None = st.session_state.get("session")
    if found is None or not started(found):
        return None
    run = engine().run_on(found.id)
    return run.session if run and len(run.session.turns) >= len(found.turns) else found


def session_place() -> dict[str, str]:
    """Return the address of what the session page would show: the session and the turn that is looked at."""
    found: Session | None = st.session_state.get("session")
    turn = st.session_state.get("look")
    return ({"session": found.id} if found else {}) | ({"turn": str(turn)} if turn is not None else {})


# Comparisons and costs


def prices() -> Prices:
    """Return the price list: the shipped one with the library's own entries over it."""
    try:
        return price_book().all()
    except StoreError as error:
        say(str(error))
        return shipped()


@st.cache_resource(show_spinner=False)
def price_book() -> PriceBook:
    from magnet_core.pricing import PriceBook

    return PriceBook(store())


def measured(entries: Iterable[Entry], listed: Prices) -> tuple[list[Measured], dict[str, int]]:
    """Return what comparisons need of finished sessions, and how many were left out for which reason; each is read once."""
    held, found, out = _measures(listed.model_dump_json()), [], {}
    for entry in entries:
        if entry.parent or not entry.ended:
            one: Measured | str = "forked" if entry.parent else "not finished"
        elif (entry.id, entry.turns) in held:
            one = held[entry.id, entry.turns]
        else:
            try:
                session = store().session(entry.id)
            except StoreError as error:
                say(str(error))
                continue
            one = held[entry.id, entry.turns] = left_out(session) or measure(session, listed)
        if isinstance(one, str):
            out[one] = out.get(one, 0) + 1
        else:
            found.append(one)
    return found, out


@st.cache_resource(show_spinner=False, max_entries=2)
def _measures(prices_json: str) -> dict[tuple[str, int], Measured | str]:
    """Return what was measured under some prices, by session and its turns."""
    return {}


def keep_prices(entries: Iterable[Price]) -> bool:
    """Keep the library's own prices in place of those that were there; tell whether they are kept."""
    try:
        price_book().keep(entries)
    except StoreError as error:
        say(str(error))
        return False
    return True


def traces(entries: Iterable[Entry], listed: Prices) -> list[Trace]:
    """Return what sessions cost and what went wrong in them; each is read once, and again when it has grown."""
    held, found = _traces(listed.model_dump_json()), []
    for entry in entries:
        if (entry.id, entry.turns) not in held:
            try:
                session = store().session(entry.id)
            except StoreError as error:
                say(str(error))
                continue
            parent = _parent(session)
            cost = session_cost(session, listed, parent)
            held[entry.id, entry.turns] = Trace(
                entry, configuration_of(session), cost, waited(session), tuple(incidents(session, parent))
            )
        found.append(replace(held[entry.id, entry.turns], entry=entry))
    return found


@st.cache_resource(show_spinner=False, max_entries=2)
def _traces(prices_json: str) -> dict[tuple[str, int], Trace]:
    """Return what was traced under some prices, by session and its turns."""
    return {}


@st.cache_resource(show_spinner=False)
def maker() -> Maker:
    """Return what makes many sessions in the background; raise `StoreError` when the library cannot be opened."""
    sheets, scores, kept = sheets_of(("ctrs", "wai", "panas-before", "panas-after")), scorer(), store()
    begun, collector = set[str](), settings().otlp_endpoint

    def keep_made(session: Session) -> None:
        kept.save(session)
        telemetry.newest(session, collector)
        if session.id not in begun:
            begun.add(session.id)
            kept.tag(session.id, [MADE])

    def finished(session: Session, by: str) -> Future[None] | None:
        return scores.start([session], Order(RULES, sheets), owner=by, quiet=True).future

    return Maker(engine(), keep_made, finished)


def make(batches: Sequence[Batch], budget: float | None = None) -> str:
    """Begin to make sessions; return the job's id, empty with a sentence kept where it cannot begin."""
    try:
        if any(job.owner == owner() for job in maker().live()):
            say("Sessions are being made already. Wait for them, or stop them first.")
            return ""
        return maker().start(batches, owner=owner(), prices=prices(), budget=budget).look().id
    except MagnetError as error:
        say(str(error))
        return ""


def left_unfinished(entries: Iterable[Entry]) -> list[Session]:
    """Return the sessions made for comparisons that nobody is going on with."""
    going = {id for job in maker().live() for id in job.sessions}
    found: list[Session] = []
    for entry in entries:
        run = engine().run_on(entry.id)
        if MADE in entry.tags and not entry.ended and not entry.parent and entry.id not in going and not (run and run.live):
            with suppress(StoreError):
                found.append(store().session(entry.id))
    return found


def batch_of(model: str, sessions: Iterable[Session]) -> Batch:
    """Return sessions to be made with one model for everybody."""
    speak = cast_of(model)
    return Batch(tuple(sessions), partial(open_models, speak.model_copy(update={"pace": 0.0})), (model,), speak.fan_out)


def making(id: str) -> MakingJob | None:
    try:
        return maker().job(id)
    except StoreError:
        return None


def stop_making(job: MakingJob) -> None:
    if job.owner == owner():
        maker().stop(job)


# Prompts


@st.cache_resource(show_spinner=False)
def packs() -> Packs:
    """Return the prompt packs and test cases of the library; raise `StoreError` when it cannot be opened."""
    from magnet_core.packs import Packs

    return Packs(store())


def pack_list() -> list[Pack]:
    """Return the prompt packs; none, with a sentence kept, when they cannot be read."""
    try:
        return packs().packs()
    except StoreError as error:
        say(str(error))
        return []


def pack() -> Pack | None:
    """Return the pack that new sessions of this browser session are made with; None for our prompts."""
    id = st.session_state.get("pack")
    return next((one for one in pack_list() if one.id == id), None) if id else None


def use_pack(id: str) -> None:
    """Let new sessions be made with a pack, or with our prompts where it is empty; a session to be as well."""
    st.session_state["pack"] = id
    held: Session | None = st.session_state.get("session")
    if held and not started(held):
        prepare(wanted_of(held))


def prompts_of(session: Session) -> str:
    """Return how a reader knows the prompts of a session; empty where all of them are ours."""
    if not (own := changed(session.prompts)):
        return ""
    from magnet_core.packs import pack_of

    title, _ = pack_of(session, pack_list())
    return title or f"{len(own)} changed"


def again_with(session: Session, own: Pack) -> None:
    """Show a new session to be, made as another one was but with the prompts of a pack."""
    _show(
        new_session(
            session.profile,
            method=session.method,
            visibility=session.visibility,
            min_turns=session.min_turns,
            max_turns=session.max_turns,
            seed=session.seed,
            prompt_set=own.texts,
        )
    )


def try_prompts(wanted: Sequence[WantedTrial], agent: str = "") -> Bench:
    """Begin trials of the lab in the background."""
    return Bench(engine(), wanted, agent)


def opener(model: str) -> tuple[Callable[[asyncio.Semaphore], Any], FanOut]:
    """Return what opens a model for the lab, and how its calls leave."""
    now = cast_of(model).model_copy(update={"pace": 0.0})
    return partial(open_models, now), now.fan_out


def judge_opener() -> tuple[Callable[[asyncio.Semaphore], Any], FanOut]:
    """Return what opens this browser session's judge for the lab, and how its calls leave."""
    now = cast()
    return partial(open_models, now), now.fan_out


def forget(*names: str) -> None:
    """Let fields be filled anew when they are drawn next."""
    for name in names:
        st.session_state.pop(name, None)


# Blind reviews


@st.cache_resource(show_spinner=False)
def reviews() -> Reviews:
    """Return the pairs and reviews of the library; raise `StoreError` when they cannot be opened."""
    from magnet_core.reviews import Reviews

    return Reviews(store())
