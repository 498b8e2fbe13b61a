"""Frozen values that rooms hand to each other, and the summaries that commands print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

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
    """What `upload` did; ``server_said`` is the answer's text, shortened and made safe.

    When the tracker holds the list already, nothing is sent: ``status`` is None.
    """

    list_path: str
    tracker_id: str
    target: str
    users: int
    bytes: int
    sha256: str
    status: int | None
    attempts: int
    server_said: str
    duration_s: float
    outcome: Literal["uploaded", "unchanged"] = "uploaded"
    old_users: int | None = None
    """Users of the last confirmed list; None where none is known."""
    added: int | None = None
    removed: int | None = None
    kept: int | None = None
    """Against the last confirmed list; None where they were not compared."""
    confirmed_by: tuple[str, ...] = ()
    """Confirmations without which it would have been refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRun:
    """One run of `upload` as the ledger remembers it; times are UTC, ISO 8601.

    ``outcome`` is ``preparing`` or ``sending`` while it runs, then ``confirmed``, ``uncertain``,
    ``failed`` (nothing changed), ``refused`` by a guard, or ``unchanged`` (nothing to send).
    """

    run: int
    tracker_id: str
    target: str
    outcome: str
    started_at: str
    ended_at: str | None
    users: int
    bytes: int
    sha256: str
    made_at: str
    old_users: int | None = None
    added: int | None = None
    removed: int | None = None
    kept: int | None = None
    confirmed_by: tuple[str, ...] = ()
    attempts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySummary:
    """The last runs of `upload`, newest first."""

    ledger: str
    tracker_id: str | None
    runs: tuple[UploadRun, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How many ids something was found with, and up to three of them, masked."""

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdShapes:
    """What a set of ids looks like: how many are of each length, kind and common beginning.

    ids: how many were looked at; of sets that fill the disk a quarter, chosen by hash
    """

    ids: int
    lengths: dict[int, int]
    kinds: dict[str, int]
    prefixes: dict[str, int]
    """Up to three characters before the first digit; only those that many ids share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListComparison:
    """Two sets of ids; every number counts distinct ids.

    kept: ids of both
    near: added ids that an old id equals but for case, Unicode form, blanks or leading zeros
    kept_percent: kept, of a hundred old ids; None where there was none
    jaccard_percent: kept, of a hundred ids that are in either; None where both are empty
    drift_percent: ids of a hundred that moved to another length, kind or prefix (half the sum
        of the differences between both distributions)
    """

    old: int
    new: int
    kept: int
    added: int
    removed: int
    near: int
    kept_percent: float | None
    jaccard_percent: float | None
    drift_percent: dict[str, float]
    old_shapes: IdShapes
    new_shapes: IdShapes


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMatch:
    """The distinct ids of a list beside those known elsewhere.

    near: unmatched ids that a known id equals but for case, Unicode form, blanks or leading zeros
    unusable_rows: rows of the known ids that could not be read
    """

    known: int
    matched: int
    unmatched: int
    near: int
    percent: float | None
    unusable_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """What `check` found out about a list; ids appear masked only.

    users: valid lines, one user each
    legacy_lines: lines with the older name ``user_id``
    problems: lines that are no user, by what is wrong; the first of them with their numbers
    receipt: whether the receipt beside the list is true of it
    suspicions, near_duplicates: findings by kind, those of count 0 left out
    error: what the command ends with, in the form of every error; None for a sound list
    """

    source: str
    format: str
    bytes: int
    max_bytes: int
    sha256: str
    lines: int
    users: int
    distinct_users: int
    legacy_lines: int
    receipt: Literal["true", "none", "differs", "damaged"]
    problems: dict[str, int]
    first_problems: tuple[tuple[int, str], ...]
    duplicates: Finding
    suspicions: dict[str, Finding]
    near_duplicates: dict[str, Finding]
    known: KnownMatch | None = None
    unmatched_file: str | None = None
    against: ListComparison | None = None
    against_source: str | None = None
    error: dict[str, object] | None = None
    duration_s: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 for a sound list, suspicions or not; otherwise that of the error."""
        return 0 if self.error is None else int(str(self.error["exit_code"]))
