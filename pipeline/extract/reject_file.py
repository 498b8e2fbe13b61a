"""The file of refused rows: ``source,row,reason`` and, where asked for, ``value``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pipeline.extract.batch import Reject
from pipeline.extract.places import Place
from pipeline.publish import PendingFile, publish

__all__ = ["RejectFile"]

_SHOWN: Final = 200  # characters of a refused value


class RejectFile:
    """Takes refused rows as they come; `publish` lets the file appear, also when the run fails."""

    def __init__(self, path: Path, *, values: bool) -> None:
        self._values = values
        self._pending = PendingFile(path)
        self._append([["source", "row", "reason", *(["value"] if values else [])]])

    def write(self, place: Place, rejects: Sequence[Reject]) -> None:
        """Append the rows of one batch, in file order."""
        self._append(
            [
                str(place),
                one.row,
                one.reason,
                *([(one.value or "")[:_SHOWN]] if self._values else []),
            ]
            for one in sorted(rejects, key=lambda one: one.row)
        )

    def _append(self, rows: Iterable[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._pending.write(text.getvalue().encode("utf-8", "backslashreplace"))

    def publish(self) -> None:
        """Let the file appear."""
        publish([self._pending])

    def discard(self) -> None:
        """Remove what was written, unless it has been published."""
        self._pending.discard()
