"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its lines ended. Raises: ValueError if a row has another length than the header."""
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"rows of {sorted({len(row) for row in rows})} cells under {len(header)} names")
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, ["---"] * len(header), *rows))


def percent(share: float) -> str:
    return f"{100 * share:.1f}"
