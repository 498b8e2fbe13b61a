"""How summaries are laid out for people: counts, sizes, and short aligned tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["Row", "count", "duration", "if_any", "parts", "reasons", "size", "table"]

Row: TypeAlias = tuple[str, str]

# An export names its own recommendation types, as many as it likes.
_PARTS: Final = 12


def count(number: int, noun: str | None = None) -> str:
    """``1,234`` or ``1,234 users``; the noun is given in the singular."""
    text = f"{number:,}"
    if noun is None:
        return text
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"


def size(number: float) -> str:
    """Bytes as people read them: megabytes, or bytes where there are only few."""
    if number < 10_000:
        return f"{number:,.0f} bytes"
    return f"{number / 10**6:,.2f} MB" if number < 10**7 else f"{number / 10**6:,.1f} MB"


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def if_any(label: str, number: int) -> list[Row]:
    """A row, or none for none."""
    return [(label, count(number))] if number else []


def parts(title: str, counts: Mapping[str, int], *, others: int = 0) -> list[Row]:
    """A total and, indented, what it consists of: the largest first, none of the empty."""
    ordered = sorted(counts.items(), key=lambda part: (-part[1], part[0]))
    shown = [(f"  {name[:40]}", count(number)) for name, number in ordered[:_PARTS] if number]
    rest = others + sum(number for _, number in ordered[_PARTS:])
    if rest:
        shown.append(("  others", count(rest)))
    return [(title, count(others + sum(counts.values()))), *shown]


def reasons(title: str, counts: Mapping[str, int]) -> list[Row]:
    """Counts by reason."""
    return parts(title, {name.replace("_", " "): number for name, number in counts.items()})


def table(rows: list[Row], facts: list[Row]) -> list[str]:
    """Numbers flush right, then texts flush left; a sha256 just fits 80 columns."""
    row_label = max((len(label) for label, _ in rows), default=0)
    number = max((len(text) for _, text in rows), default=0)
    fact_label = max((len(label) for label, _ in facts), default=0)
    return [
        *(f"  {label:<{row_label}}  {text:>{number}}" for label, text in rows),
        *([""] if rows and facts else []),
        *(f"  {label:<{fact_label}}  {text}" for label, text in facts),
    ]
