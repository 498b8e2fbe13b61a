"""The file of who has which user id, as `deliver` commands read it: CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import orjson

from pipeline.errors import ConfigurationError
from pipeline.publish import PendingFile, publish

__all__ = ["ContactsFile"]

_COLUMNS: Final = ("auth_user_id", "email", "contact_id")
_FLUSH: Final = 256 * 1024


class ContactsFile:
    """Takes contacts and writes them in the format that the suffix of its name tells.

    Raises:
        ConfigurationError: the suffix is neither ``.csv`` nor ``.jsonl``, or no file can be there.
        MachineError: the disk refused.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in {".csv", ".jsonl"}:
            raise ConfigurationError(
                "the name does not tell a format", source=path, remedy="end it in .csv or .jsonl"
            )
        self._as_csv = path.suffix.lower() == ".csv"
        self._pending = PendingFile(path)
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, lineterminator="\n")
        if self._as_csv:
            self._writer.writerow(_COLUMNS)

    def write(self, user_id: str, email: str, contact_id: int) -> None:
        """Append one contact."""
        row = (user_id, email, contact_id)
        if self._as_csv:
            self._writer.writerow(row)
        else:
            self._text.write(orjson.dumps(dict(zip(_COLUMNS, row, strict=True))).decode() + "\n")
        if self._text.tell() >= _FLUSH:
            self._flush()

    def publish(self) -> None:
        """Let the file appear."""
        self._flush()
        publish([self._pending])

    def close(self) -> None:
        """Remove what was written, unless it has been published."""
        self._pending.discard()

    def _flush(self) -> None:
        self._pending.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()
