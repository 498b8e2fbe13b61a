"""The Python API: the flows with plain keywords, which are the fields of the settings."""

from __future__ import annotations

from pipeline.api.exports import fetch, parse, read_export
from pipeline.api.lists import check, history, prepare, upload
from pipeline.api.newsletters import deliver_newsletter

__all__ = [
    "check",
    "deliver_newsletter",
    "fetch",
    "history",
    "parse",
    "prepare",
    "read_export",
    "upload",
]
