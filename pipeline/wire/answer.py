"""What an answer means, or its absence: success, or a typed error and whether to try again.

Strategy: only the status decides. The body is text from a stranger: it is shortened, made safe
and shown, never believed. What is true about the remote list depends on how much of the request
was handed over, so every judgement takes the phase the exchange had reached.
"""

from __future__ import annotations

import enum
import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import BatchpubError, RemoteError, TryLaterError, UncertainError
from pipeline.limits import CLOCK_TOLERANCE_S
from pipeline.wire.address import join_url, shown_url
from pipeline.wire.retry import RETRYABLE_STATUSES, parse_http_date, parse_retry_after

__all__ = [
    "Answer",
    "Failure",
    "Phase",
    "clock_offset",
    "final_error",
    "judge_answer",
    "judge_silence",
    "safe_text",
]

# A gateway says these when it does not know what the server behind it did.
_GATEWAY_STATUSES: Final = frozenset({502, 504, 520, 521, 522, 523, 524})
# Server errors that say "never" rather than "not now".
_NEVER_STATUSES: Final = frozenset({501, 505, 510, 511})
_MAX_TEXT: Final = 200
# Text beyond this is not looked at: cleaning has a cost, and what is shown is short.
_MAX_CLEANED: Final = 16_384
_ID_VALUE: Final = re.compile(
    r"""((?:auth_user_id|customer_id|user_id)["']*\s*[:=]\s*)(?:"[^"]*"?|'[^']*'?|[^\s,;}\]]+)"""
)
_CREDENTIAL: Final = re.compile(
    r"""(?i)\b(authorization|[\w-]*api[_-]?key|token)(["']*\s*[:=]\s*)[^,;}\]]+"""
)
_MAIL: Final = re.compile(r"[^\s\"'<>:=,;@]+@[\w-]+(?:\.[\w-]+)+")
_INVISIBLE_HTML: Final = re.compile(r"(?is)<(script|style|head)\b.*?(?:</\1\s*>|\Z)")
_TITLE: Final = re.compile(r"(?is)<title[^>]*>(.*?)</title")
_TAG: Final = re.compile(r"(?s)<[!/?a-zA-Z][^>]*(?:>|\Z)")

_MEANINGS: Final = {
    400: ("the server found the request malformed", None),
    401: (
        "the server does not accept the credentials",
        "check the public and the private key, and this machine's clock",
    ),
    403: (
        "the server does not allow this",
        "check the keys, the tracker id and this machine's clock",
    ),
    404: ("the server knows no such address", "check the tracker id and the address"),
    405: ("the server does not take this method here", "check the address"),
    407: ("the proxy wants credentials", "put them into the proxy's address in the environment"),
    410: ("the address is gone", "ask the vendor for the current address"),
    413: ("the server finds the body too large", "lower --max-bytes and prepare the list again"),
    415: ("the server does not take this media type", "set --part-content-type"),
    417: ("the server does not take Expect", "leave out --expect-continue"),
    422: ("the server found the content unusable", None),
    408: ("the server gave up waiting", None),
    425: ("the server asks to come back later", None),
    429: ("the server is being asked too often", None),
}


class Phase(enum.Enum):
    """How far a request got before its outcome was known."""

    CONNECTING = "before a byte of the request was sent"
    SENDING = "while the request was being sent"
    SENT = "after the whole request was handed over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came; header names in lower case, first value of each.

    ``received_at`` is this machine's clock at that moment, seconds since 1970.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attempt that did not succeed.

    ``uncertain`` means the request may have taken effect all the same. ``doubtful`` means the
    server is in trouble, or answered what cannot be: if it had the whole request, that may have
    taken effect whatever the answer says. ``retry_after_s`` is what the server asked for.
    """

    error: BatchpubError
    retryable: bool
    uncertain: bool = False
    doubtful: bool = False
    retry_after_s: float | None = None


def judge_answer(
    answer: Answer,
    *,
    phase: Phase,
    source: str,
    remedies: Mapping[int, str] | None = None,
) -> Failure | None:
    """What an answer means; None is success.

    Args:
        answer: The answer.
        phase: How far the request had got when the answer was complete.
        source: The address to name in an error, safe to show.
        remedies: What to do about a status, for a service whose requests are not signed; by default
            what helps with the batch publisher.
    """
    status = answer.status
    if 200 <= status < 300:
        return None if phase is Phase.SENT else _too_early(status, source)
    if 300 <= status < 400:
        return Failure(error=_redirect_error(answer, source), retryable=False)
    if status >= 500 and status not in _NEVER_STATUSES:
        uncertain = phase is Phase.SENT and status in _GATEWAY_STATUSES
        return _come_back(answer, source, uncertain=uncertain)
    if status in RETRYABLE_STATUSES:
        return _come_back(answer, source, uncertain=False)
    return Failure(error=_refusal(answer, source, remedies), retryable=False)


def judge_silence(reason: str, *, phase: Phase, source: str, remedy: str | None = None) -> Failure:
    """What the absence of a trustworthy answer means: try again, and uncertain once all was sent.

    Args:
        reason: What happened instead, in words that are safe to show.
        phase: How far the request had got.
        source: The address to name in an error, safe to show.
        remedy: What the user can do.
    """
    return Failure(
        error=TryLaterError(reason, source=source, remedy=remedy),
        retryable=True,
        uncertain=phase is Phase.SENT,
    )


def final_error(
    last: Failure,
    *,
    uncertain: Failure | None,
    attempts: int,
    doubt: bool = False,
    why: str | None = None,
) -> BatchpubError:
    """The error of a transfer that is given up.

    Args:
        last: The failure of the last attempt.
        uncertain: A failure after which the request may have taken effect, if there was one.
        attempts: Attempts made.
        doubt: Whether a server in trouble had the whole request in some attempt.
        why: Why no further attempt is made, where that is not plain.
    """
    count = f"{attempts} attempt{'' if attempts == 1 else 's'}"
    if uncertain is not None:
        message = (
            f"the list was sent whole, but no trustworthy answer came: {uncertain.error.message}"
        )
        if uncertain is not last:
            message += f"; the last of {count} ended so: {last.error.message}"
        return UncertainError(
            message,
            source=last.error.source,
            remedy="the stored list is the old one or this one: upload this same list again",
        )
    if not last.retryable:
        return _with_doubt(last.error) if doubt else last.error
    message = f"{last.error.message} (after {count}{f'; {why}' if why else ''})"
    told = TryLaterError(
        message,
        source=last.error.source,
        limit=last.error.limit,
        actual=last.error.actual,
        remedy=last.error.remedy or f"try again later{'' if doubt else '; nothing was changed'}",
    )
    return _with_doubt(told) if doubt else told


def _with_doubt(error: BatchpubError) -> BatchpubError:
    """`error`, saying also that the request may have taken effect."""
    return type(error)(
        f"{error.message}; the server had the whole list and may have stored it",
        source=error.source,
        position=error.position,
        remedy=error.remedy,
        limit=error.limit,
        actual=error.actual,
    )


def clock_offset(answer: Answer) -> float | None:
    """Seconds this machine's clock is ahead of the server's (negative: behind); None if unknown."""
    theirs = parse_http_date(answer.headers.get("date"))
    return None if theirs is None else answer.received_at - theirs


def safe_text(body: bytes, *, max_chars: int = _MAX_TEXT) -> str:
    """Text of an answer for a message: one short line, no tags, control characters, user ids or
    e-mail addresses."""
    text = body[:_MAX_CLEANED].decode("utf-8", errors="replace")
    if "\x00" in text or text.count("\ufffd") > len(text) // 4:
        return ""  # compressed or binary: nothing a person could read
    if re.match(r"\s*<", text):
        title = _TITLE.search(text)
        rest = _TAG.sub(" ", _INVISIBLE_HTML.sub(" ", text))
        text = html.unescape(f"{title[1] if title else ''} {rest}")
        text = _TAG.sub(" ", text)
    text = _ID_VALUE.sub(r"\1***", text)
    text = _CREDENTIAL.sub(r"\1\2***", text)
    text = _MAIL.sub("***", text)
    visible = "".join(
        " " if character.isspace() or unicodedata.category(character)[0] == "C" else character
        for character in text
    )
    line = " ".join(visible.split())
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def _too_early(status: int, source: str) -> Failure:
    error = RemoteError(
        f"the server answered {status} before it had the whole list",
        source=source,
        remedy="do not trust that answer: upload again, and tell whoever runs the server",
    )
    return Failure(error=error, retryable=False, doubtful=True)


def _redirect_error(answer: Answer, source: str) -> RemoteError:
    location = answer.headers.get("location", "")
    target = join_url(source, location) if location else None
    towards = f" to {shown_url(target)}" if target else ""
    return RemoteError(
        f"the server redirects{towards} ({answer.status})",
        source=source,
        remedy="if that address is right, use it as the address; redirects are never followed",
    )


def _come_back(answer: Answer, source: str, *, uncertain: bool) -> Failure:
    meaning = _MEANINGS.get(answer.status, ("the server is not available", None))[0]
    now = parse_http_date(answer.headers.get("date"))
    return Failure(
        error=TryLaterError(_with_text(meaning, answer), source=source),
        retryable=True,
        uncertain=uncertain,
        doubtful=answer.status >= 500,
        retry_after_s=parse_retry_after(
            answer.headers.get("retry-after"), now=answer.received_at if now is None else now
        ),
    )


def _refusal(answer: Answer, source: str, remedies: Mapping[int, str] | None) -> RemoteError:
    meaning, remedy = _MEANINGS.get(answer.status, ("the server refused", None))
    if remedies is not None:
        return RemoteError(
            _with_text(meaning, answer), source=source, remedy=remedies.get(answer.status)
        )
    offset = clock_offset(answer) if answer.status in {401, 403} else None
    if offset is not None and abs(offset) > CLOCK_TOLERANCE_S:
        direction = "ahead" if offset > 0 else "behind"
        meaning += f"; your clock is {abs(offset):.0f} s {direction}"
        meaning += f", the server accepts {CLOCK_TOLERANCE_S:g} s"
        remedy = "set this machine's clock, best by NTP"
    return RemoteError(_with_text(meaning, answer), source=source, remedy=remedy)


def _with_text(meaning: str, answer: Answer) -> str:
    said = safe_text(answer.body)
    return f"{meaning} ({answer.status})" + (f'; it said "{said}"' if said else "")
