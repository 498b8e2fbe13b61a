"""Users of an export, and what `parse` and `fetch` did."""

from __future__ import annotations

import json
from dataclasses import dataclass
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


def first_text(value: Any) -> str | None:
    """The text of an element of a result; of one that repeats or has children, the first."""
    if isinstance(value, list):
        return next((text for text in map(first_text, value) if text is not None), None)
    if isinstance(value, dict):
        return first_text(value.get("#text"))
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


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
