"""The library of sessions as values: rows, filters, fork trees, files to take away, and imports that run beside the pages.

Nothing here draws; every text from a session or a file is escaped where it becomes HTML.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from typing import Any

from magnet_core import archives, export, importers
from magnet_core.domain import Attitude, Session
from magnet_core.errors import StoreError
from magnet_core.methods import METHODS
from magnet_core.store import Entry, Found, Store
from ui import theme
from ui.engine.mistakes import mistake

MOST = 10_000
"""The most sessions that the list shows."""
COURTESY = 0.5
"""How long an import rests after each session, as a share of the time it took: the pages of others stay quick."""

STATES: dict[str, Callable[[Entry], bool]] = {
    "Finished": lambda entry: entry.ended,
    "Under way": lambda entry: not entry.ended,
    "With flags": lambda entry: entry.flags > 0,
    "Forks": lambda entry: bool(entry.parent),
}
"""What can be asked of a session, by the words for it."""


LEAD = 18
"""About how many characters stand before the words found, in the list."""
SPARSE = frozenset({"title", "found", "flags", "tags", "forked"})
"""Columns that stand in the list only when something stands in them."""


def called(entry: Entry) -> str:
    """Return the name of a session for the screen: its title, else its client."""
    return entry.title or entry.client


def method_title(name: str) -> str:
    return METHODS[name].title if name in METHODS else name


def models_of(entry: Entry) -> list[str]:
    """Return the models that speak in a session."""
    return [name for name in entry.model.split(", ") if name]


def turns_of(number: int) -> str:
    return f"{number} turn" if number == 1 else f"{number} turns"


def sessions_of(number: int) -> str:
    return f"{number:,} session" if number == 1 else f"{number:,} sessions"


# The list


@dataclass(frozen=True, slots=True)
class Wish:
    """Which sessions are wanted in the list; what is empty asks nothing."""

    attitudes: tuple[Attitude, ...] = ()
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    def met(self, entry: Entry) -> bool:
        """Tell whether a session is one of them: any of the values of a kind, of each kind that is asked for."""
        return (
            (not self.attitudes or entry.attitude in self.attitudes)
            and (not self.methods or entry.method in self.methods)
            and (not self.models or not set(self.models).isdisjoint(models_of(entry)))
            and (not self.tags or not set(self.tags).isdisjoint(entry.tags))
            and all(STATES[state](entry) for state in self.states)
        )


def place_of(found: Found, words: str) -> str:
    """Return where the words looked for stand, and what stands around them, for a narrow column."""
    where = f"Turn {found.turn}" if found.turn else "Beginning"
    more = f" (+{found.places - 1})" if found.places > 1 else ""
    hit = _looked_for(words).search(found.quote)
    start = found.quote.rfind(" ", 0, max(0, hit.start() - LEAD)) + 1 if hit and hit.start() > LEAD else 0
    return f"{where}{more}: {'…' if start else ''}{found.quote[start:]}"


def quoted(found: Found, words: str) -> str:
    """Return where the words looked for stand, with the words marked, as HTML."""
    where = f"Turn {found.turn}" if found.turn else "At the beginning"
    more = f", and in {turns_of(found.places - 1)} more" if found.places > 1 else ""
    shown, last = "", 0
    for hit in _looked_for(words).finditer(found.quote):
        shown += f"{escape(found.quote[last : hit.start()])}<mark>{escape(hit.group())}</mark>"
        last = hit.end()
    return f'<p class="remark"><b>{where}{more}.</b> {shown}{escape(found.quote[last:])}</p>'


def _looked_for(words: str) -> re.Pattern[str]:
    """Return what finds any of the words of a search; words in double quotes are one."""
    parts = ["".join(pair) for pair in re.findall(r'"([^"]+)"|([^\s"]+)', words)]
    known = [r"\s+".join(map(re.escape, part.split())) for part in parts if part.strip()]
    return re.compile("|".join(known) or r"(?!)", re.I)


def rows(
    entries: Sequence[Entry], names: dict[str, str], found: dict[str, Found], words: str, button: str
) -> dict[str, list[Any]]:
    """Return the list as columns, a session a row; `names` are those of all sessions by id."""
    columns: dict[str, list[Any]] = {
        "do": [button] * len(entries),
        "client": [entry.client for entry in entries],
        "title": [entry.title for entry in entries],
        "found": [place_of(found[entry.id], words) if entry.id in found else "" for entry in entries],
        "updated": [entry.updated for entry in entries],
        "turns": [entry.turns for entry in entries],
        "state": ["finished" if entry.ended else f"of {entry.max_turns}" for entry in entries],
        "attitude": [theme.ATTITUDES[entry.attitude] for entry in entries],
        "method": [method_title(entry.method) for entry in entries],
        "flags": [entry.flags or None for entry in entries],
        "model": [entry.model for entry in entries],
        "tags": [list(entry.tags) for entry in entries],
        "forked": [forked(entry, names) for entry in entries],
    }
    return {name: column for name, column in columns.items() if name not in SPARSE or any(column)}


def forked(entry: Entry, names: dict[str, str]) -> str:
    """Return from which session one was forked, after which turn; empty when it was not."""
    if not entry.parent:
        return ""
    return f"{names.get(entry.parent, 'a session that is not here')}, after turn {entry.shared}"


def about(entry: Entry, names: dict[str, str]) -> str:
    """Return what the library knows of a session, as HTML."""
    facts = [
        ("Attitude", theme.ATTITUDES[entry.attitude]),
        ("Method", method_title(entry.method)),
        ("Model", entry.model or "not known"),
        ("Turns", f"{entry.turns}, finished" if entry.ended else f"{entry.turns} of {entry.max_turns}"),
        ("Flags", str(entry.flags) if entry.flags else "none"),
        ("Made", f"{entry.created:%d %b %Y, %H:%M} UTC"),
        ("Forked from", forked(entry, names)),
    ]
    told = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts if value)
    second = f'<span class="hint">{escape(entry.client)}</span>' if entry.title else ""
    return f'<section class="card shelf"><header><h3>{escape(called(entry))}</h3>{second}</header><dl>{told}</dl></section>'


def chosen(entries: Sequence[Entry]) -> str:
    """Return which sessions are chosen, as HTML."""
    lines = "".join(
        f"<li>{escape(called(entry))} <span>{turns_of(entry.turns)}, {theme.ATTITUDES[entry.attitude].lower()}</span></li>"
        for entry in entries[:6]
    )
    more = f'<p class="hint">and {len(entries) - 6:,} more</p>' if len(entries) > 6 else ""
    head = f"<header><h3>{sessions_of(len(entries))} chosen</h3></header>"
    return f'<section class="card shelf">{head}<ul>{lines}</ul>{more}</section>'


def tree(family: Iterable[Entry]) -> list[tuple[int, Entry]]:
    """Return the sessions of a fork tree in the order of a tree, each with its depth; forks stand below their parent."""
    members = {entry.id: entry for entry in family}
    forks: dict[str, list[Entry]] = {}
    for entry in members.values():
        forks.setdefault(entry.parent if entry.parent in members and entry.parent != entry.id else "", []).append(entry)
    ordered: list[tuple[int, Entry]] = []
    waiting = [(0, entry) for entry in reversed(forks.get("", []))]
    while waiting:
        depth, entry = waiting.pop()
        ordered.append((depth, entry))
        waiting += [(depth + 1, fork) for fork in sorted(forks.get(entry.id, []), key=_by_turn, reverse=True)]
    return ordered


def branch(entry: Entry, looked_at: Entry) -> str:
    """Return how a session is named in the fork tree of another: by what tells it from its relatives."""
    after = f"after turn {entry.shared}" if entry.parent else ""
    own = [after] if after and not entry.title else [called(entry), after] if after else [called(entry)]
    if (entry.attitude, entry.method) != (looked_at.attitude, looked_at.method):
        own += [theme.ATTITUDES[entry.attitude].lower(), method_title(entry.method)]
    words = f"{', '.join(own)}: {turns_of(entry.turns)}"
    return words[:1].upper() + words[1:]


def _by_turn(entry: Entry) -> tuple[int, datetime]:
    return entry.shared, entry.created


# Files to take away


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that sessions go out in."""

    title: str
    ending: str
    mime: str
    """Of the file when there is one session in it; several that need a file each become a zip."""
    write: Callable[[Sequence[Session]], str | bytes] | None = None
    """For any number of sessions in one file."""
    each: Callable[[Session], str] | None = None
    """For a file with one session."""


def _reference(session: Session) -> str:
    return json.dumps(export.magnet(session), ensure_ascii=False, indent=2)


FORMATS: dict[str, Format] = {
    "native": Format("JSON, whole", "json", "application/json", each=export.native),
    "page": Format("Page to read or print (HTML)", "html", "text/html", each=export.html),
    "markdown": Format("Text to read (Markdown)", "md", "text/markdown", each=export.markdown),
    "table": Format("Table, a turn a row (CSV)", "csv", "text/csv", write=export.table),
    "lines": Format("JSON lines, a turn a line (JSONL)", "jsonl", "application/x-ndjson", write=export.jsonl),
    "magnet": Format("JSON as the MAGneT scripts write it", "json", "application/json", each=_reference),
    "bundle": Format("Bundle with clients and notice (ZIP)", "zip", "application/zip", write=export.bundle),
}

TELLS: dict[str, str] = {
    "native": "Everything: dialogue, plan, drafts and every call. Comes back unchanged when imported.",
    "page": "One page that needs no network. Opens in any browser and prints well.",
    "markdown": "Who and how, the plan and the dialogue, for a text editor.",
    "table": "For a spreadsheet: who said what, techniques, drafts and flags.",
    "lines": "For scripts: who said what, techniques, drafts and flags.",
    "magnet": "Client, plan and dialogue in the reference's shape. Drafts and calls have no place in it.",
    "bundle": "Whole sessions, their clients and the notice in one file. Comes back unchanged when imported.",
}
"""What each kind of file is for."""


def file_of(store: Store, ids: Sequence[str], kind: str) -> bytes:
    """Return the file of these sessions; every kind carries notice, models, prompt hashes and licence."""
    form = FORMATS[kind]
    sessions = [store.session(id) for id in ids]
    if form.write:
        content = form.write(sessions)
    elif form.each and len(sessions) == 1:
        content = form.each(sessions[0])
    else:
        assert form.each
        content = export.files(sessions, form.ending, form.each)
    return content if isinstance(content, bytes) else content.encode()


def file_name(entries: Sequence[Entry], kind: str) -> str:
    """Return the name of the file of these sessions."""
    form = FORMATS[kind]
    if len(entries) == 1:
        only = entries[0]
        return export.file_named(only.profile_id, only.created, only.id, form.ending)
    what = f"-{kind}" if not form.write else ""
    return f"magnet_{len(entries)}-sessions{what}_{datetime.now(UTC):%Y%m%d-%H%M}.{form.ending if form.write else 'zip'}"


def mime_of(entries: Sequence[Entry], kind: str) -> str:
    form = FORMATS[kind]
    return form.mime if form.write or len(entries) == 1 else "application/zip"


# Imports


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is, and what came of it."""

    live: bool = True
    stopped: bool = False
    expected: int = 0
    """How many sessions there seem to be; what a list or a table holds is not counted ahead."""
    read: int = 0
    new: int = 0
    known: int = 0
    """Were here already, the same or further on."""
    further: int = 0
    """Were here, and have got more turns."""
    restored: int = 0
    """Were deleted, and are back."""
    traceless: int = 0
    """Came without the work of the agents behind the dialogue."""
    refused: tuple[str, ...] = ()
    gaps: tuple[tuple[str, int], ...] = ()
    """What was missing, mended or dropped, with the number of sessions, the most frequent first."""
    seconds: float = 0.0

    @property
    def in_library(self) -> int:
        return self.new + self.further + self.restored


class Import:
    """Read files into the library in a thread of its own; pages look at `progress`, a value that does not change."""

    def __init__(self, store: Store, files: Sequence[tuple[str, bytes]]) -> None:
        self.names = [name for name, _ in files]
        self.progress = Progress()
        self._store, self._files = store, list(files)
        self._stop = threading.Event()
        threading.Thread(target=self._work, daemon=True, name="import").start()

    def stop(self) -> None:
        """Read no further; what is in the library stays there."""
        self._stop.set()

    def _note(self, **changes: Any) -> None:
        self.progress = replace(self.progress, **changes)

    def _work(self) -> None:
        start = time.monotonic()
        try:
            self._read()
        except StoreError as error:
            self._refuse(str(error))
        except Exception as error:
            self._refuse(mistake(error, "An import"))
        finally:
            self._files = []
            self._note(live=False, seconds=time.monotonic() - start)

    def _read(self) -> None:
        self._note(expected=sum(expected(name, raw) for name, raw in self._files))
        here = {entry.id: entry.turns for entry in self._store.recent(limit=10**7)}
        gone = {entry.id for entry in self._store.deleted(limit=10**7)}
        gaps: dict[str, tuple[str, ...]] = {}
        begun = time.monotonic()
        for read in importers.read_each(self._files):
            if isinstance(read, str):
                self._refuse(read)
            else:
                try:
                    self._store.save(read)
                except StoreError as error:
                    self._refuse(str(error))
                else:
                    self._count(read, here, gone, first=read.id not in gaps)
                    gaps[read.id] = read.profile.gaps
                    self._note(gaps=tuple(Counter(gap for own in gaps.values() for gap in own).most_common()))
            self._note(read=self.progress.read + 1)
            if self._stop.wait((time.monotonic() - begun) * COURTESY):
                return self._note(stopped=True)
            begun = time.monotonic()

    def _count(self, session: Session, here: dict[str, int], gone: set[str], *, first: bool) -> None:
        now = self.progress
        if not first:
            # the same session at a later state, from another file
            return
        if session.id in gone:
            self._note(restored=now.restored + 1)
        elif session.id not in here:
            self._note(new=now.new + 1)
        elif len(session.turns) > here[session.id]:
            self._note(further=now.further + 1)
        else:
            self._note(known=now.known + 1)
        if session.turns and not any(turn.calls for turn in session.turns):
            self._note(traceless=now.traceless + 1)

    def _refuse(self, sentence: str) -> None:
        self._note(refused=(*self.progress.refused, sentence))


def expected(name: str, raw: bytes) -> int:
    """Return how many sessions a file seems to hold."""
    if name.lower().endswith(".jsonl"):
        return max(1, sum(1 for line in raw.splitlines() if line.strip()))
    if raw[:4] == b"PK\x03\x04" and len(raw) <= archives.LARGEST:
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                return max(1, sum(not info.is_dir() for info in archive.infolist()))
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, UnicodeDecodeError):
            return 1
    return 1


def going(now: Progress) -> str:
    """Return how far an import is, as HTML."""
    whole = max(now.expected, now.read, 1)
    share = round(100 * now.read / whole)
    words = f"Reading sessions: {now.read:,} of about {whole:,}" if now.expected else "Reading sessions"
    return (
        f'<section class="card report"><header><h3>{words}</h3></header>'
        f'<div class="bar" role="progressbar" aria-label="Import" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share}"><i style="width:{share}%"></i></div>'
        '<p class="hint">It goes on when you look at another page.</p></section>'
    )


def report(now: Progress) -> str:
    """Return what came of an import, as HTML: what went in, what was refused and why, what was missing or dropped."""
    none = "Nothing new" if now.known else "No session went in"
    head = f"{sessions_of(now.in_library)} went in" if now.in_library else none
    extra = [
        (now.known, "here already, left as {it} {was}"),
        (now.further, "here already and went on; the new turns were added"),
        (now.restored, "deleted before and {is} back"),
    ]
    lines = [
        f"{sessions_of(n)} {_were(n)} {words.format(it='it' if n == 1 else 'they', was=_were(n), **{'is': _are(n)})}."
        for n, words in extra
        if n
    ]
    if now.traceless:
        came = "came" if now.traceless > 1 or now.traceless < now.in_library + now.known else "comes"
        lines.append(
            f"{sessions_of(now.traceless)} {came} as dialogue only: such files do not tell what each agent drafted or was asked."
        )
    if now.stopped:
        lines.insert(0, "The import was stopped; what had gone in stays.")
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    refused = _listed(f"Refused: {len(now.refused):,}", list(now.refused), "flag")
    gaps = _listed("Missing, mended or dropped", [f"{gap} {_in(n)}" for gap, n in now.gaps], "")
    kind = "" if now.in_library or now.known else " bad"
    return (
        f'<section class="card report{kind}" role="status"><header><h3>{head}</h3>'
        f'<span class="hint">{now.seconds:.1f} s</span></header>{told}<div class="sides">{refused}{gaps}</div></section>'
    )


def _listed(head: str, lines: Sequence[str], kind: str, first: int = 5) -> str:
    """Return a list as HTML, its first lines open to see."""
    if not lines:
        return ""
    items = [f'<li class="{kind}">{escape(line)}</li>' for line in lines]
    rest = "".join(items[first:])
    more = f"<details><summary>{len(lines) - first:,} more</summary><ul>{rest}</ul></details>" if rest else ""
    return f'<div><h4 class="small">{head}</h4><ul>{"".join(items[:first])}</ul>{more}</div>'


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _in(number: int) -> str:
    return f"({sessions_of(number)})"
