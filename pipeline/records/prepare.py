"""What `prepare` hands on: its summary, and the receipt beside a list."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFingerprint:
    """One input file as it was when read; size and time are None for a stream."""

    path: str
    bytes: int | None
    modified_ns: int | None
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a user list is: written beside it as ``LIST.receipt.json``, checked by ``upload``."""

    list_name: str
    format: str
    bytes: int
    users: int
    sha256: str
    created_at: str
    as_of: str | None = None
    tracker_id: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    sources: tuple[SourceFingerprint, ...] = ()
    version: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareSummary:
    """What `prepare` did; ``dropped`` and ``rejects`` count rows by reason.

    blank_suppressions: rows of the suppression lists that name nobody
    """

    output: str
    receipt: str
    format: str
    users: int
    bytes: int
    max_bytes: int
    sha256: str
    as_of: str
    rows: int
    dropped: dict[str, int]
    rejects: dict[str, int]
    suppressed_users: int
    duplicate_rows: int
    overflow_users: int
    oldest_kept: str | None
    duration_s: float
    changed_ids: dict[str, int] = field(default_factory=dict)
    merged_ids: dict[str, int] = field(default_factory=dict)
    tracker_id: str | None = None
    """The tracker that the receipt names."""
    blank_suppressions: int = 0
