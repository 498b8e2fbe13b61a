"""Conditional and range requests (RFC 9110 §13, §14): what to send of a file. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

__all__ = ["Selection", "accepts_gzip", "select"]

_RANGE: Final = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selection:
    """Status and the bytes ``start:stop`` of the file; `content_range` is the header or None."""

    status: int
    start: int
    stop: int
    content_range: str | None = None


def select(headers: Mapping[str, str], *, etag: str, modified: float, size: int) -> Selection:
    """What a GET with these request headers gets; `modified` is a Unix time."""
    if _is_unchanged(headers, etag=etag, modified=modified):
        return Selection(304, 0, 0)
    whole = Selection(200, 0, size)
    wanted = headers.get("Range")
    if wanted is None or not _range_applies(headers.get("If-Range"), etag, modified):
        return whole
    match = _RANGE.fullmatch(wanted.strip())
    # Several ranges may be answered with the whole; so may a unit or a form that is not known.
    if match is None or match[1] == match[2] == "":
        return whole
    if match[1] == "":
        start, stop = max(size - int(match[2]), 0), size
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return whole
    if start >= stop:
        return Selection(416, 0, 0, f"bytes */{size}")
    return Selection(206, start, stop, f"bytes {start}-{stop - 1}/{size}")


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Does the client take gzip? A missing header means no: nobody is surprised by plain bytes."""
    wanted: dict[str, float] = {}
    for choice in (accept_encoding or "").split(","):
        coding, _, parameter = choice.partition(";")
        match = re.fullmatch(r"\s*q\s*=\s*([\d.]+)\s*", parameter)
        try:
            weight = float(match[1]) if match else 1.0
        except ValueError:
            weight = 0.0
        wanted[coding.strip().lower()] = weight
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", 0.0))) > 0


def _is_unchanged(headers: Mapping[str, str], *, etag: str, modified: float) -> bool:
    known = headers.get("If-None-Match")
    if known is not None:
        tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
        return "*" in tags or etag in tags
    since = headers.get("If-Modified-Since")
    if since is None:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (TypeError, ValueError):
        return False


def _range_applies(if_range: str | None, etag: str, modified: float) -> bool:
    if if_range is None:
        return True
    # The comparison is the strong one: a date must be the very same, a weak tag never matches.
    return if_range.strip() in (etag, formatdate(int(modified), usegmt=True))
