"""How far a run is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage is; ``total`` is None where it cannot be known.

    ``note`` is for a stage that has no measure, and says how it stands in words.
    """

    stage: str
    done: int
    total: int | None = None
    unit: str = "bytes"
    rows: int | None = None
    users: int | None = None
    note: str | None = None


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The listener of callers who do not care."""
