"""The summary of `deliver newsletter`."""

from __future__ import annotations

from typing import Final

from pipeline.cli.layout import count, duration, parts, size, table
from pipeline.records import NewsletterSummary

__all__ = ["newsletter_lines"]

_SOURCES: Final = {
    "personal": "personal",
    "default": "default set",
    "file": "items from the file",
    "left_out": "left out",
}


def newsletter_lines(done: NewsletterSummary) -> list[str]:
    """Who got a message and why the others did not, then what the slots show."""
    rows = [
        ("contacts", count(done.contacts)),
        *parts("rejected", done.rejects),
        ("suppressed", count(done.suppressed)),
        ("duplicates", count(done.duplicates)),
        ("too few items", count(done.below_min_items)),
        ("messages, personal", count(done.personal)),
        ("messages, fallback only", count(done.fallback)),
    ]
    for name, sources in done.slots.items():
        rows.append((name[:40], ""))
        rows += [
            (f"  {label}", count(sources[key])) for key, label in _SOURCES.items() if key in sources
        ]
    rows += parts("items dropped", done.dropped) if done.dropped else []
    facts = [
        *([("preview", done.preview)] if done.preview else []),
        *([("campaign", done.campaign)] if done.campaign else []),
        ("size", size(done.bytes)),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {done.output}: {count(done.messages, 'message')}", *table(rows, facts)]
