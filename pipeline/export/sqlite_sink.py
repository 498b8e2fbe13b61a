"""SQLite: the export table as ``items``, indexed by user."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipeline.errors import MachineError
from pipeline.export.rows import COLUMNS, iter_rows
from pipeline.publish import PendingFile
from pipeline.records import UserRecommendations

__all__ = ["SqliteSink"]

_INSERT = f"INSERT INTO items VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


class SqliteSink:
    """Builds the database in the pending file; a journal would only serve a file that is kept."""

    def __init__(self, file: PendingFile) -> None:
        self._target = file.target
        columns = ", ".join(
            f"{name} INTEGER" if name in ("block", "position") else f"{name} TEXT"
            for name in COLUMNS
        )
        with self._errors():
            self._database = sqlite3.connect(
                file.path,
                isolation_level=None,
                check_same_thread=False,  # one thread feeds, another closes, never both at once
            )
        with self._errors():
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute("PRAGMA temp_store = FILE")
            self._database.execute("BEGIN")
            self._database.execute(f"CREATE TABLE items ({columns})")

    def write(self, users: Sequence[UserRecommendations]) -> None:
        """Append the rows of these users."""
        with self._errors():
            self._database.executemany(_INSERT, iter_rows(users))

    def finish(self) -> None:
        """Build the index and let go of the file."""
        with self._errors():
            self._database.execute("CREATE INDEX items_by_user ON items (auth_user_id)")
            self._database.execute("COMMIT")
            self._database.close()

    def abandon(self) -> None:
        """Let go of the file."""
        with self._errors():
            self._database.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise MachineError(
                f"cannot write: {getattr(error, 'sqlite_errorname', type(error).__name__)}",
                source=self._target,
                remedy="free disk space or choose another folder",
            ) from error
