"""Client profiles: the intake form as text and back, and reading files and folders of profiles.

Two shapes are read: our own JSON (one profile, or a list), and the row list that the MAGneT and CACTUS repositories share.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from magnet_core.domain import Attitude, CbtTechnique, ClientProfile, Functioning, Intake, Opening
from magnet_core.errors import ProfileError

T = TypeVar("T")

SAMPLES = Path(__file__).parent.parent / "sample_profiles"

_LABELS = {
    "Name": "name",
    "Age": "age",
    "Gender": "gender",
    "Occupation": "occupation",
    "Education": "education",
    "Marital Status": "marital_status",
    "Family Details": "family_details",
}
_NOTHING = re.compile(
    r"(?i)^(not (specified|provided|disclosed|available|applicable)|n/?a|none|unknown|undisclosed|-+)?\.?$"
)


def client_information(profile: ClientProfile) -> str:
    """Return section 1 of the form, the demographics, a line each; what is missing is left out."""
    intake = profile.intake
    return "\n".join(
        f"{label}: {value}" for label, field in _LABELS.items() if (value := getattr(intake, field)) not in (None, "")
    )


def intake_text(intake: Intake) -> str:
    """Return the whole form as text with its six numbered sections; empty sections are left out."""
    demographics = "\n".join(
        f"{label}: {value}" for label, field in _LABELS.items() if (value := getattr(intake, field)) not in (None, "")
    )
    life = intake.functioning
    sections = [
        demographics,
        _section("2. Presenting Problem", intake.presenting_problem),
        _section("3. Reason for Seeking Counseling", intake.reason),
        _section("4. Past History (including medical history)", intake.past_history),
        "\n".join(
            ("5. " if n == 0 else "") + f"{label}: {text}"
            for n, (label, text) in enumerate(
                (label, text)
                for label, text in (
                    ("Academic/occupational functioning level", life.occupational),
                    ("Interpersonal relationships", life.relationships),
                    ("Daily life", life.daily_life),
                )
                if text
            )
        ),
        _section("6. Social Support System", intake.support),
    ]
    return "\n\n".join(section for section in sections if section)


def _section(heading: str, text: str) -> str:
    return f"{heading}\n{text}" if text else ""


def read_intake(text: str) -> tuple[Intake, tuple[str, ...]]:
    """Return the form written in a text, and a sentence for everything missing; raise `ProfileError` without a name.

    Headings may drift, be cut short or missing, and labels may stand on the line before their value.
    """
    sections = _split_sections(text)
    known: dict[str, Any] = {}
    for label, field in _LABELS.items():
        if found := re.search(rf"(?im)^\s*{label}\s*:[ \t]*\n?[ \t]*([^\n]*)", sections[1]):
            value = found.group(1).strip()
            if not re.match(rf"(?i)^({'|'.join(_LABELS)})\s*:", value):
                known[field] = "" if _NOTHING.match(value) else value
    gaps = [f"{label} is not given." for label, field in _LABELS.items() if not known.get(field)]
    if not known.get("name"):
        raise ProfileError("The intake form gives no name.")
    age = re.search(r"\d+", str(known.pop("age", "")))
    known["age"] = int(age.group()) if age and 5 <= int(age.group()) <= 120 else None
    life = {
        "occupational": _labelled(sections[5], "(?:academic|occupational)[^:\n]*"),
        "relationships": _labelled(sections[5], "interpersonal[^:\n]*"),
        "daily_life": _labelled(sections[5], "daily[^:\n]*"),
    }
    for number, heading in (
        (2, "Presenting problem"),
        (3, "Reason for seeking counselling"),
        (4, "Past history"),
        (5, "Functioning"),
        (6, "Social support"),
    ):
        if not sections[number].strip():
            gaps.append(f"{heading} is not given.")
    intake = Intake(
        **known,
        presenting_problem=_body(sections[2]),
        reason=_body(sections[3]),
        past_history=_body(sections[4]),
        functioning=Functioning(**life),
        support=_body(sections[6]),
    )
    return intake, tuple(gaps)


_HEADINGS = {
    2: r"presenting problem",
    3: r"reason for (?:seeking )?counsel",
    4: r"past history",
    5: r"academic|occupational functioning",
    6: r"social support",
}


def _split_sections(text: str) -> dict[int, str]:
    """Cut a form at its headings, by number and by words, whichever is there."""
    starts: dict[int, tuple[int, int]] = {}
    position = 0
    for number, words in _HEADINGS.items():
        heading = re.compile(rf"(?im)^\s*(?:\W*{number}\s*[.)]\s*)?\W*(?:{words})[^\n:]*(:|$)")
        numbered = re.compile(rf"(?im)^\s*{number}\s*[.)]\s*[^\n:]*(:|$)")
        if found := heading.search(text, position) or numbered.search(text, position):
            # section 5 carries its first answer on the heading's own line
            starts[number] = (found.start(), found.start() if number == 5 else found.end())
            position = found.end()
    edges = sorted(starts.items())
    sections = dict.fromkeys(range(1, 7), "")
    sections[1] = text[: edges[0][1][0]] if edges else text
    for (number, (_, body)), following in zip(edges, [*edges, None][1:], strict=True):
        sections[number] = text[body : following[1][0] if following else None]
    return sections


def _labelled(text: str, label: str) -> str:
    found = re.search(rf"(?ims)^\s*(?:\d\s*[.)]\s*)?{label}:\s*(.*?)(?=^\s*(?:interpersonal|daily)[^:\n]*:|\Z)", text)
    return _body(found.group(1)) if found else ""


def _body(text: str) -> str:
    """Return the lines of a section as one paragraph."""
    body = " ".join(line.strip() for line in text.strip().splitlines() if line.strip())
    return "" if _NOTHING.match(body) else body


def read_profiles(data: Any, source: str = "") -> list[ClientProfile]:
    """Return the profiles in parsed JSON of either shape; ids are made unique in file order.

    Raises `ProfileError` naming the entry that cannot be used.
    """
    profiles: list[ClientProfile] = []
    for number, entry in enumerate(data if isinstance(data, list) else [data], 1):
        try:
            profiles.append(read_profile(entry, source))
        except ProfileError as error:
            raise ProfileError(f"Profile {number}{f' of {source}' if source else ''}: {error}") from error
    return with_own_ids(profiles)


def read_profile(entry: Any, source: str = "") -> ClientProfile:
    """Return the profile in one entry of parsed JSON, of either shape; raise `ProfileError` with the reason."""
    if not isinstance(entry, Mapping):
        raise ProfileError("A profile must be a JSON object with 'intake' and 'opening', or a row with 'AI_client'.")
    try:
        return _from_row(entry, source) if "AI_client" in entry else ClientProfile.model_validate(entry)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'profile'}: {e['msg']}" for e in error.errors()[:4])
        raise ProfileError(f"{faults}.") from error


def _from_row(row: Mapping[str, Any], source: str) -> ClientProfile:
    """Read a row of the MAGneT/CACTUS list, mending what is known to be dirty and saying so."""
    side = row.get("AI_client") or {}
    if not isinstance(side, Mapping) or not isinstance(side.get("intake_form"), str):
        raise ProfileError("The row's AI_client holds no intake_form text.")
    counsellor = row.get("AI_counselor")
    cbt = counsellor.get("CBT") if isinstance(counsellor, Mapping) else None
    cbt = cbt if isinstance(cbt, Mapping) else {}
    intake, gaps = read_intake(side["intake_form"])
    notes = list(gaps)
    if not intake.reason and isinstance(cbt.get("reason_counseling"), str):
        intake = intake.model_copy(update={"reason": cbt["reason_counseling"].strip()})
    opening = _row_opening(side, cbt, intake, notes)
    try:
        attitude = Attitude(str(side.get("attitude", "")).strip().lower())
    except ValueError:
        attitude = Attitude.NEUTRAL
        notes.append("The attitude is not given; neutral was taken.")
    labels = row.get("ground_truth_CBT")
    labels = labels if isinstance(labels, list) else []
    known = {t.value.lower(): t for t in CbtTechnique}
    calls_for = tuple(dict.fromkeys(known[str(name).lower()] for name in labels if str(name).lower() in known))
    notes += [
        f"The label {name!r} is not one of the twelve techniques." for name in labels if str(name).lower() not in known
    ]
    return ClientProfile(
        id=f"{slug(intake.name) or 'client'}-{attitude.value}",
        intake=intake,
        attitude=attitude,
        attitude_instruction=str(side.get("attitude_instruction") or ""),
        opening=opening,
        calls_for=calls_for,
        source=f"Row of {source or 'a MAGneT/CACTUS list'}; rows of that list are GPL-2.0.",
        gaps=tuple(notes),
    )


def _row_opening(side: Mapping[str, Any], cbt: Mapping[str, Any], intake: Intake, notes: list[str]) -> Opening:
    """Return the opening pair of a row, with labels taken off and broken lines replaced."""
    greeting, first = (str(cbt.get(key) or "").strip() for key in ("init_history_counselor", "init_history_client"))
    both = str(side.get("dialogue_history_init") or "")
    if not first and (found := re.search(r"(?s)Client:\s*(.+)", both)):
        first = found.group(1).strip()
    if not greeting and (found := re.search(r"(?s)Counselor:\s*(.+?)\s*(?:\nClient:|\Z)", both)):
        greeting = found.group(1).strip()
    bare = re.sub(r"(?i)^\W*(?:client|patient)\s*:\s*", "", first)
    if bare and bare != first:
        notes.append("The client's first line began with a speaker label, which was taken off.")
    first = re.sub(r"[,\s]*\[[^\]]*\]", "", bare).strip()
    if first != bare:
        notes.append("The client's first line held an unfilled blank, which was taken out.")
    if not first:
        first = intake.reason or intake.presenting_problem or "I am not sure where to begin."
        notes.append("The client's first line is missing; the reason for counselling stands in for it.")
    bare = re.sub(r"(?i)^\W*counsel(?:l)?or\s*:\s*", "", greeting)
    broken = not bare or "[" in bare or bare.startswith(("*", "ient:")) or re.match(r"(?i)^(?:cl)?ient\s*:", bare)
    if broken:
        notes.append(
            f"The greeting was {'missing' if not bare else f'broken ({bare[:60]!r})'}; a plain one stands in for it."
        )
        bare = f"Hello {intake.first_name}, I'm glad you're here. What brings you today?"
    return Opening(counsellor=bare, client=first)


def read_path(path: Path) -> list[ClientProfile]:
    """Return the profiles of a JSON file, or of all JSON files of a folder in name order.

    Raises `ProfileError` with the file's name when nothing can be read there.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise ProfileError(f"The folder {path} holds no .json file of profiles.")
    elif path.is_file():
        files = [path]
    else:
        raise ProfileError(f"There is no file or folder {path}.")
    found: list[ClientProfile] = []
    for file in files:
        try:
            data = json.loads(file.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ProfileError(f"{file.name} is not valid JSON: {error}.") from error
        found += read_profiles(data, file.name)
    return with_own_ids(found)


def samples() -> list[ClientProfile]:
    """Return the sample clients that come with the project, in name order."""
    return read_path(SAMPLES)


def row(profile: ClientProfile) -> dict[str, Any]:
    """Return a profile as a row of the MAGneT/CACTUS list, so that the reference's scripts can read it."""
    opening = profile.opening
    both = f"Counselor: {opening.counsellor}\nClient: {opening.client}"
    information, reason = client_information(profile), profile.intake.reason
    return {
        "AI_client": {
            "intake_form": intake_text(profile.intake),
            "attitude": profile.attitude.value,
            "attitude_instruction": profile.attitude_instruction,
            "dialogue_history_init": both,
            "dialogue_history": None,
        },
        "AI_counselor": {
            "CBT": {
                "client_information": information,
                "reason_counseling": reason,
                "dialogue_history_init": both,
                "init_history_counselor": opening.counsellor,
                "init_history_client": opening.client,
            },
            "Response": {
                "client_information": information,
                "reason_counseling": reason,
                "cbt_plan": None,
                "dialogue_history": None,
            },
        },
        "ground_truth_CBT": [t.value for t in profile.calls_for],
    }


def slug(text: str) -> str:
    """Return a text as a lower-case file name of letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")


def with_own_ids(profiles: Iterable[ClientProfile]) -> list[ClientProfile]:
    """Return the profiles with the next free number after an id that an earlier one has."""
    taken: set[str] = set()
    found: list[ClientProfile] = []
    for profile in profiles:
        free, n = profile.id, 1
        while free in taken:
            n += 1
            free = f"{profile.id}-{n}"
        taken.add(free)
        found.append(profile.model_copy(update={"id": free}))
    return found


def pick(profiles: list[T], numbers: Iterable[int]) -> list[T]:
    """Return the profiles with these numbers, counted from 1 in file order; all of them when no number is given."""
    chosen = list(dict.fromkeys(numbers))
    if bad := [n for n in chosen if not 1 <= n <= len(profiles)]:
        raise ProfileError(f"There is no profile number {bad[0]}; the numbers go from 1 to {len(profiles)}.")
    return [profiles[n - 1] for n in chosen] if chosen else profiles
