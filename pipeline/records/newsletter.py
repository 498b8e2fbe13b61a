"""What `deliver newsletter` did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsletterSummary:
    """Messages written, and what became of every contact without one.

    slots: per recommendation type, messages by where its items come from: personal, default,
        file, left_out
    rejects: contacts that cannot be used, by reason
    dropped: items and images that could not be shown, by reason
    """

    output: str
    preview: str | None
    messages: int
    bytes: int
    contacts: int
    rejects: dict[str, int]
    suppressed: int
    duplicates: int
    below_min_items: int
    personal: int
    """Messages with at least one item chosen for their recipient."""
    fallback: int
    """Messages with items, but none chosen for their recipient."""
    slots: dict[str, dict[str, int]]
    items: int
    dropped: dict[str, int] = field(default_factory=dict)
    users_without_contact: int = 0
    campaign: str | None = None
    duration_s: float = 0.0
