"""What was sent and what became of it, on the disk before and after every step.

Strategy: one line per event, brought to the disk before the next step is taken. A run that died
leaves every job either unknown to the service, posted perhaps, posted surely, or settled; the next
run reads which. A line that was cut by the crash is the last one, and counts as not written.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import orjson

from pipeline.errors import TryLaterError
from pipeline.publish import machine_errors

__all__ = ["Journal", "Known", "open_journal"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Known:
    """The last that is known of a job: posting, posted (with its id) or settled (with facts)."""

    event: str
    job_id: str | None = None
    facts: dict[str, Any] | None = None


class Journal:
    """Events of one push, by the hash of the body."""

    def __init__(self, file: IO[bytes], path: Path, known: dict[str, Known]) -> None:
        self._file, self._path, self._known = file, path, known
        self.resumed = bool(known)

    def known(self, sha256: str) -> Known | None:
        """What was noted of this body last; None for one that was never sent."""
        return self._known.get(sha256)

    def note(
        self,
        sha256: str,
        event: str,
        *,
        job_id: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Write down an event; on return it is on the disk."""
        self._known[sha256] = Known(event, job_id, facts)
        self._write({"sha256": sha256, "event": event, "job_id": job_id, "facts": facts})

    def remove(self) -> None:
        """All is settled: leave nothing behind."""
        with machine_errors(self._path, "remove"):
            self._path.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        with machine_errors(self._path, "write"):
            data = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())


@contextmanager
def open_journal(
    path: Path, query: dict[str, Any], *, now: datetime, max_age_s: float
) -> Iterator[Journal]:
    """The journal at `path`, locked; one of another push, or of one too long ago, is emptied.

    Args:
        path: Its file; the folder is made.
        query: What is pushed, and where to.
        now: The time.
        max_age_s: Events of a push that began longer ago are forgotten; 0 forgets all.

    Raises:
        TryLaterError: another run is writing it.
        MachineError: the disk refused.
    """
    with machine_errors(path, "write"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
    with file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TryLaterError(
                "another run is pushing this file",
                source=path,
                remedy="wait until it has ended; the lock goes with its process",
            ) from error
        known: dict[str, Known] = {}
        with machine_errors(path, "read"):
            content = file.read()
        end = _read(content, query, known, now=now, max_age_s=max_age_s)
        journal = Journal(file, path, known)
        with machine_errors(path, "write"):
            file.truncate(end)
        if not end:
            header = {"version": _VERSION, "query": query, "began_at": now.isoformat()}
            journal._write(header)  # noqa: SLF001 - its first line
        yield journal


def _read(
    content: bytes,
    query: dict[str, Any],
    known: dict[str, Known],
    *,
    now: datetime,
    max_age_s: float,
) -> int:
    """Fill `known`; return how much of the journal counts, 0 for none."""
    lines = content.split(b"\n")[:-1]  # what follows the last line end was cut
    end = 0
    try:
        for place, line in enumerate(lines):
            record = orjson.loads(line)
            if place == 0:
                age_s = (now - datetime.fromisoformat(record["began_at"])).total_seconds()
                same = record["version"] == _VERSION and record["query"] == query
                if not same or not 0 <= age_s < max_age_s:
                    return 0
            else:
                known[record["sha256"]] = Known(record["event"], record["job_id"], record["facts"])
            end += len(line) + 1
    except (ValueError, KeyError, TypeError):
        return end
    return end
