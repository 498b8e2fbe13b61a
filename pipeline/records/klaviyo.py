"""What `deliver klaviyo pull` and `push` did."""

from __future__ import annotations

from dataclasses import dataclass

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
