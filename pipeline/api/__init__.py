"""The Python API: the flows with plain keywords, which are the fields of the settings."""

from __future__ import annotations

from pipeline.api.exports import fetch, parse, read_export
from pipeline.api.klaviyo import deliver_klaviyo_pull, deliver_klaviyo_push
from pipeline.api.lists import check, explain, history, prepare, upload
from pipeline.api.newsletters import deliver_newsletter
from pipeline.api.smartemailing import (
    deliver_smartemailing_check,
    deliver_smartemailing_ids,
    deliver_smartemailing_push,
)

__all__ = [
    "check",
    "deliver_klaviyo_pull",
    "deliver_klaviyo_push",
    "deliver_newsletter",
    "deliver_smartemailing_check",
    "deliver_smartemailing_ids",
    "deliver_smartemailing_push",
    "explain",
    "fetch",
    "history",
    "parse",
    "prepare",
    "read_export",
    "upload",
]
