"""Is this request signed as api.md §2.1 says? Written apart from the client's code. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["Keys", "SignedHead", "expected_digest", "refusal", "signed_content_type"]

_MULTIPART: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the server knows of a shop."""

    tracker_id: str
    public_key: str
    private_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """The parts of a request's head that the signature is about; None for a missing header."""

    method: str
    path: str
    content_type: str | None
    date: str | None
    authorization: str | None


def signed_content_type(content_type: str) -> str:
    """The header as signed: verbatim, but multipart/form-data loses its parameters."""
    media_type = content_type.partition(";")[0].strip()
    return media_type if media_type.lower() == _MULTIPART else content_type


def expected_digest(
    private_key: str, *, method: str, content_type: str, date: str, path: str
) -> str:
    """Base64 of HMAC-SHA256 over the four lines; the key and the text are taken as UTF-8."""
    text = f"{method}\n{content_type}\n{date}\n{path}"
    raw = hmac.new(private_key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(raw).decode()


def refusal(
    head: SignedHead, keys: Keys, *, tracker_id: str, now: datetime, tolerance_s: float
) -> str | None:
    """Why the request is not let in, in words, or None when it is. `now` is aware."""
    if head.authorization is None or head.date is None:
        missing = "Authorization" if head.authorization is None else "Date"
        return f"the {missing} header is missing"
    _, _, credentials = head.authorization.strip().partition(" ")
    public_key, _, digest = credentials.strip().rpartition(":")
    if not public_key or not digest:
        return "the Authorization header is not '<word> <public key>:<digest>'"
    if not _equal(public_key, keys.public_key):
        return "the public key is not known"
    if not _equal(tracker_id, keys.tracker_id):
        return "these keys are not those of the tracker in the path"
    return _date_refusal(head.date, now, tolerance_s) or _digest_refusal(
        head, keys.private_key, digest, date=head.date
    )


def _date_refusal(date: str, now: datetime, tolerance_s: float) -> str | None:
    try:
        stamp = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        stamp = None
    if stamp is None or stamp.tzinfo is None:
        return "the Date header is not an HTTP date in GMT"
    # An HTTP date has whole seconds: the fraction of the server's clock must not eat the tolerance.
    offset_s = (stamp - now.replace(microsecond=0)).total_seconds()
    if abs(offset_s) <= tolerance_s:
        return None
    direction = "ahead of" if offset_s > 0 else "behind"
    return (
        f"the Date header is {abs(offset_s):.0f} s {direction} the server's clock, "
        f"{tolerance_s:g} s are accepted"
    )


def _digest_refusal(head: SignedHead, private_key: str, digest: str, *, date: str) -> str | None:
    sent = head.content_type or ""
    signed = signed_content_type(sent)

    def digest_over(content_type: str) -> str:
        return expected_digest(
            private_key, method=head.method, content_type=content_type, date=date, path=head.path
        )

    if _equal(digest, digest_over(signed)):
        return None
    if signed != sent and _equal(digest, digest_over(sent)):
        return "the signature covers the boundary; sign multipart/form-data without parameters"
    return "the signature does not match"


def _equal(left: str, right: str) -> bool:
    # Bytes, because compare_digest takes only ASCII text; a header may hold anything.
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )
