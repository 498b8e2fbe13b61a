"""JSON Lines: one user per line, in the order of the export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from pipeline.publish import PendingFile
from pipeline.records import UserRecommendations

__all__ = ["JsonlSink"]

_FLUSH_BYTES: Final = 256 * 1024


class JsonlSink:
    """Encodes records as they are; holds at most 256 KiB of lines and one call's users."""

    def __init__(self, file: PendingFile) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._size = 0

    def write(self, users: Sequence[UserRecommendations]) -> None:
        """Append one line per user."""
        for user in users:
            line = orjson.dumps(user, option=orjson.OPT_APPEND_NEWLINE)
            self._lines.append(line)
            self._size += len(line)
            if self._size >= _FLUSH_BYTES:
                self.finish()

    def write_lines(self, lines: bytes) -> None:
        """Append users that are encoded already, just as `write` does it."""
        self._lines.append(lines)
        self._size += len(lines)
        if self._size >= _FLUSH_BYTES:
            self.finish()

    def finish(self) -> None:
        """Hand the lines that are held to the file."""
        if self._lines:
            self._file.write(b"".join(self._lines))
        self._lines.clear()
        self._size = 0

    def abandon(self) -> None:
        """Nothing is held that outlives this object."""
        self._lines.clear()
