"""A comparison as tidy rows for a file; what is missing is None."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from magnet_core.scoring.compare.configurations import Configuration
from magnet_core.scoring.compare.measures import COUNTS
from magnet_core.scoring.compare.table import Row, Twin


def as_rows(
    rows: Iterable[Row], configurations: Sequence[Configuration], judge: str, titles: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return the table as tidy rows for a file; what is missing is None."""
    return [
        {
            "figure": row.key,
            "title": row.title,
            "unit": row.unit,
            **told(configuration, titles or {}),
            "baseline": cell.delta is None,
            "judge": "" if row.key in COUNTS else judge,
            "mean": cell.mean,
            "n": cell.n,
            "difference": cell.delta.mean if cell.delta else None,
            "low": cell.delta.low if cell.delta else None,
            "high": cell.delta.high if cell.delta else None,
            "pairs": cell.delta.n if cell.delta else None,
            "p": cell.delta.p if cell.delta else None,
            "differs": cell.differs,
        }
        for row in rows
        for configuration, cell in zip(configurations, row.cells, strict=True)
    ]


def told(configuration: Configuration, titles: Mapping[str, str]) -> dict[str, Any]:
    """Return a configuration as columns of a file."""
    return {
        "method": configuration.method,
        "model": configuration.model,
        "visibility": configuration.visibility,
        "prompts": titles.get(configuration.prompts, configuration.prompts) or "ours",
        "settings": str(configuration.sampling),
    }


def client_rows(
    found: Iterable[Twin], row: Row, baseline: Configuration, other: Configuration, judge: str, titles: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return a figure client by client."""
    base = {f"baseline_{name}": value for name, value in told(baseline, titles).items()}
    return [
        {
            "figure": row.key,
            "unit": row.unit,
            "judge": "" if row.key in COUNTS else judge,
            **base,
            **told(other, titles),
            "client": twin.name,
            "baseline_value": twin.base,
            "value": twin.other,
            "difference": twin.difference,
            "baseline_sessions": " ".join(twin.base_sessions),
            "sessions": " ".join(twin.other_sessions),
        }
        for twin in found
    ]
