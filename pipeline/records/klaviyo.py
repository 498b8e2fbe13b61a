"""What `deliver klaviyo pull` and `push` did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.records.export import ExportSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class KlaviyoPullSummary:
    """What was read from Klaviyo; ``export`` is about the outputs, as `parse` tells it.

    resumed_profiles: those that an earlier run, which broke off, had read already
    null_properties: profiles without custom properties, a part of without_recommendations
    without_id: profiles with recommendations but no usable id; left out
    unusable_properties: named types whose value is no list of items; left out
    """

    source: str
    profiles: int
    resumed_profiles: int
    without_recommendations: int
    null_properties: int
    without_id: int
    unusable_properties: int
    requests: int
    retries: int
    export: ExportSummary
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KlaviyoPushSummary:
    """What was written to Klaviyo: ``profiles`` is ``imported`` + ``failed`` + ``unknown``.

    users: users of the file; without_recommendations and without_contact are those not sent
    default_set: what became of the generic set
    properties: profiles by property, which is the recommendation type
    cut_items: items left out so that cut_profiles profiles fit their limit
    jobs, bytes: import jobs and their size; resumed_jobs were posted by an earlier run
    error: what the command ends with, in the form of every error; None when all were imported
    """

    source: str
    target: str
    dry_run: bool
    users: int
    profiles: int
    imported: int
    failed: int
    unknown: int
    without_recommendations: int
    without_contact: int
    unusable_contacts: int
    default_set: Literal["absent", "left out", "sent"]
    properties: dict[str, int]
    items: int
    cut_items: int
    cut_profiles: int
    jobs: int
    resumed_jobs: int
    bytes: int
    rejects: str | None
    requests: int
    retries: int
    error: dict[str, object] | None
    duration_s: float

    @property
    def exit_code(self) -> int:
        """0 when every profile was imported; otherwise that of the error."""
        return 0 if self.error is None else int(str(self.error["exit_code"]))
