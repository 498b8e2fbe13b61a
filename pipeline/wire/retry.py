"""Whether and when to try again: a pure policy about one window of time.

Strategy: exponential waits with full jitter, so that many clients do not come back at once; a
server's ``Retry-After`` is a lower bound; nothing is begun that cannot end inside the window.
Clock and randomness are arguments.
"""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = [
    "RETRYABLE_STATUSES",
    "RetryPolicy",
    "Stop",
    "Wait",
    "megabits_per_second",
    "next_step",
    "parse_http_date",
    "parse_retry_after",
    "too_slow",
]

# 408, 425 and 429 ask for it; 500 and 502 to 504 pass; 520 to 524 are a gateway's 502 and 504.
RETRYABLE_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525)})
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
# A verdict on the rate needs this share of the window: the start of a transfer says little.
_GRACE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how far apart.

    ``max_attempts`` counts the first one; the longest wait is ``base_s`` after the first attempt
    and doubles up to ``cap_s``. Seconds.
    """

    max_attempts: int = 6
    base_s: float = 1.0
    cap_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after this many seconds."""

    seconds: float


class Stop(enum.Enum):
    """Do not try again, and why."""

    FINAL = "the outcome will not change"
    ATTEMPTS = "every attempt was used"
    NO_TIME = "the time left does not hold another attempt"


def next_step(
    policy: RetryPolicy,
    *,
    attempt: int,
    retryable: bool,
    time_left_s: float,
    jitter: float,
    retry_after_s: float | None = None,
    needed_s: float = 0.0,
) -> Wait | Stop:
    """What to do after an attempt that failed.

    Args:
        policy: How often and how far apart.
        attempt: Number of the attempt that failed, from 1.
        retryable: Whether another attempt can end differently.
        time_left_s: Seconds until the deadline.
        jitter: Random share of the longest wait, 0 to 1.
        retry_after_s: What the server asked for, see `parse_retry_after`.
        needed_s: The least an attempt takes, where known.
    """
    if not retryable:
        return Stop.FINAL
    if attempt >= policy.max_attempts:
        return Stop.ATTEMPTS
    room_s = time_left_s - needed_s
    if room_s <= 0:
        return Stop.NO_TIME
    # The exponent is bounded because 2.0 ** 1024 is not a float.
    longest_s = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 64))
    if retry_after_s is None:
        wait_s = jitter * longest_s
        if wait_s >= room_s:
            wait_s = jitter * room_s
    else:
        wait_s = retry_after_s + jitter * min(policy.base_s, policy.cap_s)
        if retry_after_s < room_s < wait_s:
            wait_s = retry_after_s
    return Stop.NO_TIME if wait_s >= room_s else Wait(wait_s)


def parse_http_date(value: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date; None when it is absent or malformed."""
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds to wait, from either form of ``Retry-After``; None when absent or malformed.

    Args:
        value: ``120`` or an HTTP date.
        now: Seconds since 1970 by the clock the date was made with, best the answer's ``Date``.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    at = parse_http_date(text)
    return None if at is None else max(0.0, at - now)


def megabits_per_second(size_bytes: int, time_s: float) -> float:
    """The rate that moves `size_bytes` in `time_s` seconds; infinite when there is no time."""
    return size_bytes * 8 / 1e6 / time_s if time_s > 0 else math.inf


def too_slow(
    *,
    sent_bytes: int,
    recent_bytes: int,
    total_bytes: int,
    elapsed_s: float,
    recent_s: float,
    time_left_s: float,
) -> bool:
    """Whether neither the whole transfer's rate nor the recent one can finish in time.

    Args:
        sent_bytes: Sent since the transfer began, `elapsed_s` seconds ago.
        recent_bytes: Sent in the last `recent_s` seconds.
        total_bytes: What must be sent in all.
        elapsed_s: Seconds since the transfer began.
        recent_s: Length of the recent window in seconds.
        time_left_s: Seconds until the deadline.
    """
    if elapsed_s < _GRACE * (elapsed_s + time_left_s) or recent_s <= 0 or elapsed_s <= 0:
        return False
    rest = total_bytes - sent_bytes
    if rest <= 0:
        return False
    best = max(sent_bytes / elapsed_s, recent_bytes / recent_s)
    return best * time_left_s < rest
