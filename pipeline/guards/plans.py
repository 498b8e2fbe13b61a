"""How long an upload would take, from what is known. Pure."""

from __future__ import annotations

from typing import Final

from pipeline.records import UploadPlan, UploadRun

__all__ = ["plan_upload"]

# The time of a much smaller list is that of the way to and fro, not of its bytes.
_LARGER_BY: Final = 10


def plan_upload(
    *,
    body_bytes: int,
    deadline_s: float,
    last: UploadRun | None,
    would_send: bool,
    has_private_key: bool,
) -> UploadPlan:
    """What a dry run tells about a list that may be sent; `last` is the last confirmed upload."""
    rate = None
    if last is not None and last.transfer_s and last.bytes * _LARGER_BY >= body_bytes:
        rate = last.bytes / last.transfer_s
    return UploadPlan(
        would_send=would_send,
        body_bytes=body_bytes,
        deadline_s=deadline_s,
        needed_mbit_s=_megabits(body_bytes / deadline_s),
        last_mbit_s=None if rate is None else _megabits(rate),
        estimated_s=None if rate is None else body_bytes / rate,
        has_private_key=has_private_key,
    )


def _megabits(bytes_per_s: float) -> float:
    return bytes_per_s * 8 / 10**6
