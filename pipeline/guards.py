"""Verdicts on whether going on is safe: facts and limits in, an error to raise or None out. Pure."""

from __future__ import annotations

from pipeline.errors import GuardError

__all__ = ["refuse_empty_list"]


def refuse_empty_list(*, users: int, source: object) -> GuardError | None:
    """An empty list would erase every user stored for the tracker (hazards H1)."""
    if users > 0:
        return None
    return GuardError(
        "the list holds no users; uploading it would erase the whole audience",
        source=source,
        limit="at least 1 user",
        actual=0,
        remedy="check the extract, the activity window and the suppression lists",
    )
