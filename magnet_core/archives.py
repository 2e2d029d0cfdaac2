"""What stands in an uploaded file: the file itself, or the entries of a zip, within limits and with no trust in what a zip says of itself.

Nothing is written to a disk. Sizes are counted while they are unpacked, so that a zip which unpacks to far more than it
claims is stopped.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator

LARGEST = 50_000_000
"""Bytes of the largest file, zipped or in a zip."""
LARGEST_UNZIPPED = 200_000_000
"""Bytes that one zip may hold in all."""
MOST = 2_000
"""Entries that one zip may hold."""
READABLE = ("json", "jsonl", "txt", "part")
_OURS = ("NOTICE.txt", "profiles.json")
"""What stands in a bundle beside the sessions."""
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def contents(name: str, raw: bytes) -> Iterator[tuple[str, bytes] | str]:
    """Yield name and content of a file, or of every entry of a zip that can be read; a sentence for what cannot."""
    if len(raw) > LARGEST:
        yield f"{name} has {_mb(len(raw))} MB; a file may have {_mb(LARGEST)}."
    elif name.lower().endswith(".zip") or raw[:4] == b"PK\x03\x04":
        yield from _unzipped(name, raw)
    elif name.lower().rpartition(".")[2] not in READABLE:
        yield f"{name} was passed over: sessions are read from {', '.join('.' + e for e in READABLE[:3])} and .zip files."
    else:
        yield name, raw


def _unzipped(name: str, raw: bytes) -> Iterator[tuple[str, bytes] | str]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        yield f"{name} is not a zip file that can be read: {error}."
        return
    entries = [info for info in archive.infolist() if not info.is_dir() and not _litter(info.filename)]
    if len(entries) > MOST:
        yield f"{name} holds {len(entries)} files; {MOST} can be read at once."
        return
    left, found = LARGEST_UNZIPPED, 0
    for info in entries:
        where = f"{name}: {info.filename[:200]}"
        if reason := _refused(info):
            yield f"{where} was passed over: {reason}."
            continue
        try:
            with archive.open(info) as entry:
                content = entry.read(min(LARGEST, left) + 1)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
            yield f"{where} cannot be unpacked: {error}."
            continue
        left -= len(content)
        if left < 0:
            yield f"{name} holds more than {_mb(LARGEST_UNZIPPED)} MB; reading it stopped at {info.filename[:200]}."
            return
        if len(content) > LARGEST:
            yield f"{where} was passed over: it unpacks to more than {_mb(LARGEST)} MB."
            continue
        found += 1
        if info.filename not in _OURS:
            yield where, content
    if not found and not entries:
        yield f"{name} holds no files."


def _refused(info: zipfile.ZipInfo) -> str:
    """Return why an entry of a zip is not read; empty when it is."""
    parts = info.filename.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or ":" in parts[0] or "\x00" in info.filename:
        return "its name leads out of the zip"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link to another file"
    if info.flag_bits & 1:
        return "it is locked with a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # other kinds unpack a small piece to any size at once
        return "it is packed in a way that is not read here"
    ending = parts[-1].lower().rpartition(".")[2]
    if ending == "zip":
        return "it is a zip within a zip"
    if ending not in READABLE:
        return "it is no .json, .jsonl or .txt file"
    return ""


def _litter(name: str) -> bool:
    """Tell whether an entry is what operating systems leave in zips."""
    return name.startswith(_LITTER[0]) or name.rpartition("/")[2] in _LITTER[1:] or name.rpartition("/")[2].startswith("._")


def _mb(size: int) -> int:
    return -(-size // 1_000_000)
