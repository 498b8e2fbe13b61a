"""Which version of a resource an answer carries, so that two are never mixed (RFC 9110 §8.8, §14).

Pure: header names in lower case, values as they came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.wire.retry import parse_http_date

__all__ = ["Representation", "content_range"]

_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
# What servers append to the tag of a version that they compress on the way (Apache, Jetty).
_CODING_SUFFIX: Final = re.compile(r"(?:-|--|;)(?:gzip|gunzip|deflate|zstd|br)$")
# A date names a version only when a second change would have got another date.
_DATE_MARGIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """The version that a full answer began; ``length`` counts its bytes as sent, if known.

    ``condition`` holds the request headers that ask whether there is another one since; it is
    empty where the server gives no way to tell.
    """

    etag: str | None
    last_modified: str | None
    coding: str
    length: int | None
    validator: str | None
    condition: Mapping[str, str]

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Representation:
        """What the headers of a 200 say."""
        etag, modified = headers.get("etag"), headers.get("last-modified")
        length = headers.get("content-length", "")
        return cls(
            etag=etag,
            last_modified=modified,
            coding=headers.get("content-encoding", ""),
            length=int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None,
            validator=_strong_validator(etag, modified, headers),
            condition=_condition(etag, modified, headers),
        )

    def continued_by(self, headers: Mapping[str, str], *, offset: int) -> bool:
        """Whether a 206 goes on with this version, from `offset` to its end."""
        span = content_range(headers.get("content-range", ""))
        if span is None or span[0] != offset or headers.get("content-encoding", "") != self.coding:
            return False
        end, total = span[1], span[2]
        if total is None or end != total - 1 or self.length not in {None, total}:
            return False
        return not self.differs_from(headers)

    def replaced_by(self, headers: Mapping[str, str]) -> bool:
        """Whether an answer to HEAD names another version.

        Servers that compress on the way weaken the tag (nginx) or append to it (Apache), and do
        so only for an answer with a body.
        """
        etag, modified = headers.get("etag"), headers.get("last-modified")
        if self.etag is not None and etag is not None:
            return _bare(self.etag) != _bare(etag)
        return None not in {self.last_modified, modified} and self.last_modified != modified

    def differs_from(self, headers: Mapping[str, str]) -> bool:
        """Whether other headers of the same resource name another version."""
        etag, modified = headers.get("etag"), headers.get("last-modified")
        if self.etag is not None and etag is not None:
            return self.etag != etag
        if self.last_modified is not None and modified is not None:
            return self.last_modified != modified
        return False


def content_range(value: str) -> tuple[int, int, int | None] | None:
    """First byte, last byte and total of ``Content-Range``; None when it is malformed."""
    match = _RANGE.fullmatch(value.strip())
    if match is None or int(match[2]) < int(match[1]):
        return None
    return int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])


def _strong_validator(
    etag: str | None, modified: str | None, headers: Mapping[str, str]
) -> str | None:
    if headers.get("accept-ranges", "").strip().lower() == "none":
        return None
    if etag is not None and re.fullmatch(r'"[!#-~\x80-\xff]*"', etag):
        return etag
    return modified if etag is None and _is_sure(modified, headers) else None


def _condition(
    etag: str | None, modified: str | None, headers: Mapping[str, str]
) -> Mapping[str, str]:
    if etag is not None:
        return {"If-None-Match": etag} if re.fullmatch(r"[!-~]{1,500}", etag) else {}
    if modified is not None and _is_sure(modified, headers):
        return {"If-Modified-Since": modified}
    return {}


def _is_sure(modified: str | None, headers: Mapping[str, str]) -> bool:
    changed, sent = parse_http_date(modified), parse_http_date(headers.get("date"))
    return changed is not None and sent is not None and sent - changed >= _DATE_MARGIN_S


def _bare(etag: str) -> str:
    return _CODING_SUFFIX.sub("", etag.removeprefix("W/").strip('"'))
