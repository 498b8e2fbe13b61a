"""Frozen values that rooms hand to each other, and the summaries that commands print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NotRequired, TypedDict

RESERVED_ID = "default"
"""The id under which the vendor publishes the generic set (api.md §1.6)."""


class Block(TypedDict):
    """Results of one recommendation type for one user; ``results`` keeps unknown elements."""

    recommendation_type: str
    results: list[dict[str, Any]]


class UserRecommendations(TypedDict):
    """One user of an export, in the shape of one line of the JSONL output."""

    auth_user_id: str
    updated_at: str | None
    recommendations: list[Block]
    extra: NotRequired[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage is; ``total`` is None where it cannot be known."""

    stage: str
    done: int
    total: int | None = None
    unit: str = "bytes"
    rows: int | None = None
    users: int | None = None


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The listener of callers who do not care."""


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
