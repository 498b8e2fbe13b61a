"""How far the work is: a line rewritten in place on a terminal, elsewhere one every ten seconds."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

from pipeline.cli.layout import count, duration, size
from pipeline.cli.options import CommonOptions
from pipeline.records import OnProgress, Progress, ignore_progress

__all__ = ["ProgressLine", "progress_line"]

_INTERVAL_S: Final = 0.1
_PLAIN_INTERVAL_S: Final = 10.0
# A rate from less time than this is noise, and so is what is left at that rate.
_SETTLED_S: Final = 1.0


class ProgressLine:
    """A line rewritten in place, at most ten times a second, gone after `clear`.

    With `plain` it is a line of its own every ten seconds, for logs.
    """

    def __init__(
        self,
        stream: IO[str],
        *,
        clock: Callable[[], float],
        columns: Callable[[], int],
        plain: bool = False,
    ) -> None:
        self._plain = plain
        self._stream = stream
        self._clock = clock
        self._columns = columns
        self._stage = ""
        self._stage_began = 0.0
        self._stage_offset = 0
        self._drawn_at = clock() if plain else float("-inf")
        self._shown = False

    def __call__(self, progress: Progress) -> None:
        """Show `progress`, unless the line was drawn a moment ago."""
        now = self._clock()
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._stage_began = now
            # A resumed stage starts above zero: what it found done is not its speed.
            self._stage_offset = progress.done
            interval = _PLAIN_INTERVAL_S if self._plain else 0.0  # a new stage shows at once
        else:
            interval = _PLAIN_INTERVAL_S if self._plain else _INTERVAL_S
        if progress.note is not None:
            interval = 0.0
        if now - self._drawn_at < interval:
            return
        self._drawn_at = now
        elapsed = now - self._stage_began
        text = progress_text(progress, elapsed_s=elapsed, fresh=progress.done - self._stage_offset)
        if self._plain:
            self._write(f"batchpub: {text}\n")
            return
        self._write("\r\x1b[K" + text[: max(self._columns() - 1, 1)])
        self._shown = True

    def clear(self) -> None:
        """Leave the terminal as it was before the line."""
        if self._shown:
            self._shown = False
            self._drawn_at = float("-inf")
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal went away, the work goes on
            self._columns = lambda: 1


def progress_text(progress: Progress, *, elapsed_s: float, fresh: int) -> str:
    """The text of the line: how far, how fast, how long still, as far as each is known."""
    if progress.note is not None:
        return f"{progress.stage}: {progress.note}"
    amount = size if progress.unit == "bytes" else count
    parts = [amount(progress.done)]
    if progress.total:
        parts[0] += f" of {amount(progress.total)}"
        parts.append(f"{min(progress.done / progress.total, 1.0):.0%}")
    if elapsed_s >= _SETTLED_S and fresh > 0:
        rate = fresh / elapsed_s
        unit = "" if progress.unit == "bytes" else f" {progress.unit}"
        parts.append(f"{amount(round(rate))}{unit}/s")
        if progress.total and progress.total > progress.done:
            parts.append(f"{duration((progress.total - progress.done) / rate)} left")
    if progress.rows is not None:
        parts.append(count(progress.rows, "row"))
    if progress.users is not None:
        parts.append(count(progress.users, "user"))
    return f"{progress.stage}: " + ", ".join(parts)


@contextmanager
def progress_line(common: CommonOptions) -> Iterator[OnProgress]:
    """The listener for a command's flow; its line is cleared when the block is left."""
    stream = sys.stderr
    wanted = not (common.quiet or common.json or common.verbose)
    if not wanted or stream is None:
        yield ignore_progress
        return
    line = ProgressLine(
        stream,
        clock=time.monotonic,
        columns=lambda: shutil.get_terminal_size().columns,
        plain=not stream.isatty() or os.environ.get("TERM") == "dumb",
    )
    try:
        yield line
    finally:
        line.clear()
