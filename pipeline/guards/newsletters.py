"""Verdicts on newsletters. Pure."""

from __future__ import annotations

from pipeline.errors import GuardError

__all__ = ["refuse_no_messages"]


def refuse_no_messages(
    *, messages: int, contacts: int, suppressed: int, below_min_items: int, source: object
) -> GuardError | None:
    """A mailing to nobody is an accident upstream, and would replace yesterday's file."""
    if messages:
        return None
    return GuardError(
        f"no message is left of {contacts:,} contacts: {suppressed:,} suppressed,"
        f" {below_min_items:,} with too few items",
        source=source,
        limit="at least 1 message",
        actual=0,
        remedy="check that contacts and recommendations use the same ids, or lower --min-items",
    )
