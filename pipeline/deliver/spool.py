"""Records that wait on disk until all are there, so that a run that died goes on where it was.

Strategy: lines are appended to one file; every so often the file is brought to the disk and only
then the place in the source is noted, atomically, with the size of the file at that moment. What
stands behind that size belongs to a run that died, and is cut off: whatever happens, the lines
are exactly those of the pages before the noted place.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import orjson

from pipeline.errors import TryLaterError
from pipeline.limits import EXPORT_PIECE
from pipeline.publish import PendingFile, machine_errors, publish

__all__ = ["Spool"]

_VERSION: Final = 1


@dataclass(slots=True, kw_only=True)
class _State:
    query: dict[str, Any]
    began_at: str
    place: str | None
    bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    version: int = _VERSION


class Spool:
    """The lines of one run and its place in the source. Use it as a context manager.

    Args:
        folder: Where it lives; made here, and gone after `remove`. One run at a time.
        query: What is asked for; lines of another query are thrown away.
        first: The place to begin at.
        now: The time, for how old a run that died may be.
        max_age_s: Lines of a run that began longer ago are thrown away; 0 begins anew.

    Raises:
        TryLaterError: another run is writing it.
        MachineError: the disk refused.
    """

    def __init__(
        self,
        folder: Path,
        query: dict[str, Any],
        *,
        first: str,
        now: datetime,
        max_age_s: float,
    ) -> None:
        self._folder = folder
        self._lines_path, self._state_path = folder / "lines.jsonl", folder / "state.json"
        self._first = _State(query=query, began_at=now.isoformat(), place=first)
        self._now, self._max_age_s = now, max_age_s
        self._file: IO[bytes] | None = None
        self._state = self._first
        self.resumed = False

    def __enter__(self) -> Self:
        with machine_errors(self._folder, "write"):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            file = os.fdopen(os.open(self._lines_path, flags, 0o600), "r+b", buffering=0)
        try:
            self._lock(file)
            self._state = self._former(os.fstat(file.fileno()).st_size) or self._first
            self.resumed = self._state is not self._first
            with machine_errors(self._lines_path, "write"):
                file.truncate(self._state.bytes)
        except BaseException:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        if self._folder.exists() and not self._state_path.exists():
            self.remove()  # nothing came: there is nothing to go on with
        self._file.close()
        self._file = None

    @property
    def place(self) -> str | None:
        """Where to go on in the source; None when all is there."""
        return self._state.place

    @property
    def counts(self) -> dict[str, int]:
        """What was counted up to that place."""
        return dict(self._state.counts)

    @property
    def size(self) -> int:
        """Size of the lines in bytes."""
        return self._state.bytes

    def append(self, lines: bytes, *, place: str | None, counts: dict[str, int]) -> None:
        """Add the lines up to `place`; they are safe after the next `save`."""
        with machine_errors(self._lines_path, "write"):
            written = 0
            while written < len(lines):
                written += self._opened().write(memoryview(lines)[written:])
        self._state.bytes += len(lines)
        self._state.place, self._state.counts = place, dict(counts)

    def save(self) -> None:
        """Bring the lines to the disk, then note the place."""
        with machine_errors(self._lines_path, "write"):
            os.fsync(self._opened().fileno())
        state = self._state
        fields = {name: getattr(state, name) for name in state.__slots__}
        with PendingFile(self._state_path) as pending:
            pending.write(orjson.dumps(fields))
            publish([pending])

    def read(self) -> Iterator[bytes]:
        """All lines, in pieces."""
        with machine_errors(self._lines_path, "read"), self._lines_path.open("rb") as file:
            while piece := file.read(EXPORT_PIECE):
                yield piece

    def remove(self) -> None:
        """Leave nothing behind; the spool is of no further use."""
        with machine_errors(self._folder, "remove"):
            for path in (self._state_path, self._lines_path, *self._folder.glob(".state.json.*")):
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            raise ValueError("the spool is not open")
        return self._file

    def _lock(self, file: IO[bytes]) -> None:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TryLaterError(
                "another run is writing this output",
                source=self._folder,
                remedy="wait until it has ended; the lock goes with its process",
            ) from error

    def _former(self, size: int) -> _State | None:
        """The state of a run that died, if it can be gone on with."""
        try:
            state = _State(**orjson.loads(self._state_path.read_bytes()))
            age_s = (self._now - datetime.fromisoformat(state.began_at)).total_seconds()
        except (OSError, TypeError, ValueError):
            return None
        same = state.version == _VERSION and state.query == self._first.query
        return state if same and state.bytes <= size and 0 <= age_s < self._max_age_s else None
