"""Frozen values that rooms hand to each other, and the summaries that commands print."""

from __future__ import annotations

from pipeline.records.check import CheckSummary, Finding, IdShapes, KnownMatch, ListComparison
from pipeline.records.explain import ExplainReason, ExplainSummary, SeenRow
from pipeline.records.export import (
    RESERVED_ID,
    Block,
    DownloadSummary,
    ExportSummary,
    FetchSummary,
    UserRecommendations,
    first_text,
)
from pipeline.records.klaviyo import KlaviyoPullSummary, KlaviyoPushSummary
from pipeline.records.newsletter import NewsletterSummary
from pipeline.records.prepare import PrepareSummary, Receipt, SourceFingerprint
from pipeline.records.progress import OnProgress, Progress, ignore_progress
from pipeline.records.sandbox import SandboxReady
from pipeline.records.smartemailing import (
    SmartEmailingCheckSummary,
    SmartEmailingIdsSummary,
    SmartEmailingPushSummary,
)
from pipeline.records.upload import HistorySummary, UploadPlan, UploadRun, UploadSummary

__all__ = [
    "RESERVED_ID",
    "Block",
    "CheckSummary",
    "DownloadSummary",
    "ExplainReason",
    "ExplainSummary",
    "ExportSummary",
    "FetchSummary",
    "Finding",
    "HistorySummary",
    "IdShapes",
    "KlaviyoPullSummary",
    "KlaviyoPushSummary",
    "KnownMatch",
    "ListComparison",
    "NewsletterSummary",
    "OnProgress",
    "PrepareSummary",
    "Progress",
    "Receipt",
    "SandboxReady",
    "SeenRow",
    "SmartEmailingCheckSummary",
    "SmartEmailingIdsSummary",
    "SmartEmailingPushSummary",
    "SourceFingerprint",
    "UploadPlan",
    "UploadRun",
    "UploadSummary",
    "UserRecommendations",
    "first_text",
    "ignore_progress",
]
