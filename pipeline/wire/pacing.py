"""How fast a service may be asked: never more than its windows allow. Pure; the clock is given.

Strategy: the service counts requests in fixed windows whose beginnings are unknown, so at most a
window's number is sent in *any* stretch of its length, which holds wherever the windows begin.
What the service says in ``RateLimit-…`` counts more than what is configured: it knows who else
uses the account. A 429 carries no such headers; its ``Retry-After`` is the retry policy's part.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Pacer", "Window"]

_NUMBER: Final = re.compile(r"\s*([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``requests`` within ``seconds``."""

    requests: int
    seconds: float


class Pacer:
    """Says when the next request may go; told what was sent and what the service answered.

    Args:
        windows: Limits that hold together, the shortest first. ``RateLimit-…`` headers are about
            the last one (https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling).
    """

    def __init__(self, windows: Sequence[Window]) -> None:
        if not windows or any(one.requests < 1 or one.seconds <= 0 for one in windows):
            raise ValueError("windows hold at least one request and take time")
        self._windows = list(windows)
        self._sent: deque[float] = deque()
        self._left: int | None = None
        self._left_until = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may be sent, 0 for at once.

        Args:
            now: Seconds by the clock that `sent` and `learn` are given, never going back.
        """
        free_at = [
            self._sent[-window.requests] + window.seconds
            for window in self._windows
            if len(self._sent) >= window.requests
        ]
        if self._left is not None and self._left <= 0:
            free_at.append(self._left_until)
        return max(0.0, *(at - now for at in free_at)) if free_at else 0.0

    def sent(self, now: float) -> None:
        """Note that a request goes out now."""
        self._sent.append(now)
        longest = max(window.seconds for window in self._windows)
        while self._sent and self._sent[0] <= now - longest:
            self._sent.popleft()
        if self._left is not None:
            self._left = None if now >= self._left_until else self._left - 1

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Take over what an answer says about the longest window.

        Args:
            headers: Of the answer, names in lower case. ``RateLimit-Limit`` becomes the window's
                number; ``-Remaining`` requests are all that go out in the next ``-Reset`` seconds.
            now: When the answer came.
        """
        limit, left, reset = (
            _number(headers.get(f"ratelimit-{name}")) for name in ("limit", "remaining", "reset")
        )
        steady = self._windows[-1]
        if limit:
            self._windows[-1] = Window(limit, steady.seconds)
        # A reset further off than the window is long is no number of seconds: leave it alone.
        if left is not None and reset is not None and reset <= steady.seconds:
            self._left, self._left_until = left, now + reset


def _number(value: str | None) -> int | None:
    """The first number of ``75`` or ``75, 75;w=1``."""
    match = None if value is None else _NUMBER.match(value)
    return None if match is None else int(match[1])
