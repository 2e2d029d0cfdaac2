"""CBT and counselling as data: techniques, attitudes, safety, and the texts of the rehearsal cast."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from magnet_core.domain import Attitude

FOLDER = Path(__file__).parent


@cache
def read(name: str) -> Any:
    """Return the content of one YAML file of this folder; read once, treat as read-only."""
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def attitude_instruction(attitude: Attitude) -> str:
    """Return the standard instruction for playing an attitude."""
    return " ".join(read("attitudes.yaml")[attitude.value].split())
