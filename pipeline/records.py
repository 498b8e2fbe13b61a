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
    extra: NotRequired[dict[str, Any]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareSummary:
    """What `prepare` did; ``dropped`` and ``rejects`` count rows by reason."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSummary:
    """What `upload` did; ``server_said`` is the answer's text, shortened and made safe."""

    list_path: str
    tracker_id: str
    target: str
    users: int
    bytes: int
    sha256: str
    status: int
    attempts: int
    server_said: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What an export held; ``blocks`` counts results blocks by recommendation type."""

    source: str
    format: str
    bytes: int
    users: int
    repeated_users: int
    users_without_results: int
    blocks: dict[str, int]
    items: int
    has_default: bool
    updated_at_oldest: str | None
    updated_at_newest: str | None
    outputs: tuple[str, ...]
    duration_s: float
    distinct_products: int = 0
    """Counted up to 100,000; that number means "at least"."""
    urls_not_http: int = 0
    urls_without_recommendation_id: int = 0
    ignored_elements: int = 0
    """Elements beside the users, which are checked and left out."""
    uploaded_users: int | None = None
    covered_users: int | None = None
    missing_users: int | None = None
    unexpected_users: int | None = None
    coverage_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadSummary:
    """What came over the network; ``received`` counts bytes on the wire, ``bytes`` decoded ones."""

    url: str
    status: int
    received: int
    bytes: int
    attempts: int
    etag: str | None
    last_modified: str | None
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSummary:
    """What `fetch` did: the transfer, and what the export held."""

    download: DownloadSummary
    export: ExportSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReady:
    """What a client needs to talk to a running sandbox; its keys are made up."""

    base_url: str
    tracker_id: str
    public_key: str
    private_key: str
    export_url: str
