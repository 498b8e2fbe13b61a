"""Verdicts on whether going on is safe: facts and limits in, an error or None out. Pure."""

from pipeline.guards.checks import (
    refuse_low_match,
    refuse_oversize_list,
    refuse_problem_lines,
    refuse_wrong_receipt,
)
from pipeline.guards.exports import (
    refuse_few_users,
    refuse_low_coverage,
    refuse_missing_default,
    refuse_old_export,
    refuse_stale_export,
)
from pipeline.guards.lists import (
    refuse_blank_suppression,
    refuse_empty_list,
    refuse_overflow,
    refuse_rejects,
    refuse_row_count,
    refuse_short_list,
    refuse_stale_suppression,
    refuse_unusable_suppression,
)
from pipeline.guards.newsletters import refuse_no_messages
from pipeline.guards.plans import plan_upload
from pipeline.guards.uploads import (
    Baselines,
    UploadFacts,
    UploadLimits,
    Verdict,
    baselines,
    is_unchanged,
    judge_list,
    judge_overlap,
)

__all__ = [
    "Baselines",
    "UploadFacts",
    "UploadLimits",
    "Verdict",
    "baselines",
    "is_unchanged",
    "judge_list",
    "judge_overlap",
    "plan_upload",
    "refuse_blank_suppression",
    "refuse_empty_list",
    "refuse_few_users",
    "refuse_low_coverage",
    "refuse_low_match",
    "refuse_missing_default",
    "refuse_no_messages",
    "refuse_old_export",
    "refuse_overflow",
    "refuse_oversize_list",
    "refuse_problem_lines",
    "refuse_rejects",
    "refuse_row_count",
    "refuse_short_list",
    "refuse_stale_export",
    "refuse_stale_suppression",
    "refuse_unusable_suppression",
    "refuse_wrong_receipt",
]
