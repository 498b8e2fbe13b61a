"""Klaviyo's two rate windows: fixed ones, counted per kind of request. Pure but for its counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["RateWindows", "Verdict"]

Limits = tuple[tuple[int, float], tuple[int, float]]
# Requests and seconds, burst and steady (api.md §4.2, §4.4; of 700 and 750 a minute the lower).
READS: Final[Limits] = ((75, 1.0), (700, 60.0))
JOBS: Final[Limits] = ((10, 1.0), (150, 60.0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the headers that say so."""

    passes: bool
    headers: dict[str, str]
    wait_s: int


class RateWindows:
    """Counts the requests of one kind; both windows begin at multiples of their length."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._counts = [(-1, 0), (-1, 0)]

    def take(self, now: float) -> Verdict:
        """Count a request at `now`, seconds by a clock that never goes back."""
        waits = []
        for place, (limit, seconds) in enumerate(self.limits):
            number = math.floor(now / seconds)
            window, used = self._counts[place]
            if window != number:
                used = 0
            self._counts[place] = number, used
            if used >= limit:
                waits.append((number + 1) * seconds - now)
        if waits:
            wait_s = math.ceil(max(waits))
            return Verdict(False, {"Retry-After": str(wait_s)}, wait_s)
        self._counts = [(window, used + 1) for window, used in self._counts]
        limit, seconds = self.limits[1]
        window, used = self._counts[1]
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(limit - used),
            "RateLimit-Reset": str(math.ceil((window + 1) * seconds - now)),
        }
        return Verdict(True, headers, 0)
