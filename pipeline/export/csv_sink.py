"""CSV: the export table with a header, as RFC 4180 has it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from pipeline.export.rows import COLUMNS, iter_rows
from pipeline.publish import PendingFile
from pipeline.records import UserRecommendations

__all__ = ["CsvSink"]

_FLUSH_CHARACTERS: Final = 256 * 1024
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class CsvSink:
    """Writes rows as text; a null and an empty text are both an empty field.

    With `safe_formulas` a text that a spreadsheet would run gets an apostrophe in front; that
    changes the value, so it is only done on request.
    """

    def __init__(self, file: PendingFile, *, safe_formulas: bool = False) -> None:
        self._file = file
        self._safe = safe_formulas
        self._text = io.StringIO(newline="")
        # The line end is also what makes the writer quote a CR inside a value.
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow(COLUMNS)

    def write(self, users: Sequence[UserRecommendations]) -> None:
        """Append the rows of these users."""
        rows = iter_rows(users)
        if not self._safe:
            self._writer.writerows(rows)
        else:
            self._writer.writerows(tuple(map(_neutralise, row)) for row in rows)
        if self._text.tell() >= _FLUSH_CHARACTERS:
            self.finish()

    def finish(self) -> None:
        """Hand the text that is held to the file."""
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()

    def abandon(self) -> None:
        """Nothing is held that outlives this object."""


def _neutralise(value: str | int | None) -> str | int | None:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
