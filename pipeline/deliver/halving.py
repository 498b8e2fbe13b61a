"""Which rows a service refuses, when it says no to a whole batch for one of them. Pure.

Strategy: halve what was refused until single rows are left. A stack holds the ranges still to be
tried, the first on top, so rows are settled in their order. With b refused rows in a batch of n
that takes at most 1 + 2 · b · ⌈log2 n⌉ requests.
"""

from __future__ import annotations

__all__ = ["Halving"]


class Halving:
    """Ask `next_range` what to send, then say what came of it; until it is None.

    Each row of the batch ends up accepted once or in `refused`, whatever the service does.

    Args:
        count: Rows in the batch.
    """

    def __init__(self, count: int) -> None:
        self._waiting = [(0, count)] if count else []
        self.refused: list[int] = []

    def next_range(self) -> tuple[int, int] | None:
        """Start and end of the rows to send now; None when every row is settled."""
        return self._waiting[-1] if self._waiting else None

    def accept(self) -> None:
        """The service took the rows of `next_range`."""
        self._waiting.pop()

    def refuse(self) -> None:
        """The service took none of them: a single row is settled, more are tried by halves."""
        start, end = self._waiting.pop()
        if end - start == 1:
            self.refused.append(start)
            return
        middle = (start + end + 1) // 2
        self._waiting += [(middle, end), (start, middle)]
