"""What the outputs of `fetch` were made from, so that an unchanged export is not fetched again.

Strategy: outputs stand for a version of an export only while they are the very files that were
published from it: each is known by inode, size, and the times of its last change of content and
of any change. Whatever else touched them, the answer is to fetch again. Addresses can hold
secrets, so only their hash is kept; so is that of the outputs' names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline.errors import TryLaterError
from pipeline.ledger.database import database_errors
from pipeline.ledger.ledger import Ledger
from pipeline.records import ExportSummary

__all__ = ["FetchMemory", "PublishedFetch", "file_mark"]

# A row is under a kilobyte; names with a date in them would fill the table for ever.
_KEPT_FETCHES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFetch:
    """The version of an export that outputs were made from.

    ``condition`` holds the request headers that ask for a later one; ``export`` names no source.
    """

    condition: dict[str, str]
    export: ExportSummary


class FetchMemory:
    """The memory of one set of outputs.

    Args:
        ledger: Where it is kept.
        outputs: Every file that a run publishes; their order does not matter.
        address: Whatever names the export, secrets included.
        wanted: Whatever else decides what is published, or whether it is.
    """

    def __init__(
        self, ledger: Ledger, outputs: Sequence[Path], *, address: str, wanted: object
    ) -> None:
        self._ledger = ledger
        self._paths = sorted(os.path.realpath(output) for output in outputs)
        self._outputs = _hash(self._paths)
        self._address = _hash(address)
        self._wanted = _hash(wanted)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other fetches to these outputs away, so that files and memory stay one.

        Raises:
            TryLaterError: there is one.
        """
        busy = TryLaterError(
            "another fetch to this output is under way",
            source=self._paths[0],
            remedy="wait until it has ended",
        )
        with self._ledger.locked(f"fetch-{self._outputs[:16]}", busy=busy):
            yield

    def recall(self) -> PublishedFetch | None:
        """What the outputs hold, if they hold this export as it is wanted; else None."""
        with database_errors(self._ledger.path):
            row = self._ledger.connection.execute(
                "SELECT condition, files, export FROM fetches"
                " WHERE outputs = ? AND address = ? AND wanted = ?",
                (self._outputs, self._address, self._wanted),
            ).fetchone()
        if row is None or json.loads(row[1]) != self._marks():
            return None
        values = json.loads(row[2])
        return PublishedFetch(
            condition=json.loads(row[0]),
            export=ExportSummary(**{**values, "outputs": tuple(values["outputs"])}),
        )

    def remember(self, condition: dict[str, str], export: ExportSummary) -> None:
        """Write down that the outputs hold this version; one without a condition is forgotten."""
        with self._ledger.writing() as connection:
            connection.execute("DELETE FROM fetches WHERE outputs = ?", (self._outputs,)).close()
            if not condition:
                return
            connection.execute(
                "INSERT INTO fetches (outputs, address, wanted, condition, files, export,"
                " fetched_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self._outputs,
                    self._address,
                    self._wanted,
                    json.dumps(condition),
                    json.dumps(self._marks()),
                    json.dumps(asdict(replace(export, source=""))),
                    datetime.now(UTC).isoformat(timespec="microseconds"),
                ),
            ).close()
            connection.execute(
                "DELETE FROM fetches WHERE outputs NOT IN"
                " (SELECT outputs FROM fetches ORDER BY fetched_at DESC LIMIT ?)",
                (_KEPT_FETCHES,),
            ).close()

    def _marks(self) -> list[list[int] | None]:
        return [file_mark(path) for path in self._paths]


def file_mark(path: str | os.PathLike[str]) -> list[int] | None:
    """What changes when a file does, or is replaced; None when it is not there."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8", "surrogateescape")).hexdigest()
