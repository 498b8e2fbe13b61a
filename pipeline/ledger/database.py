"""The ledger's file: its schema, its versions, and what happens to a file that is none.

Strategy: a file that is not surely a ledger of this or an earlier version is never written to and
never deleted; losing the memory of uploads is the accident that the ledger is there to prevent.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError, MachineError, TryLaterError
from pipeline.publish import machine_errors

__all__ = ["MIGRATIONS", "database_errors", "open_database", "transaction"]

_log = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x62706C67
"""``bplg`` in the header tells a ledger from other SQLite files."""

_BUSY_S: Final = 10.0

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY AUTOINCREMENT,
        tracker_id TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('preparing', 'sending', 'confirmed', 'uncertain',
            'failed', 'refused', 'unchanged')),
        started_at TEXT NOT NULL,
        ended_at TEXT,
        users INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        made_at TEXT NOT NULL,
        old_users INTEGER,
        added INTEGER,
        removed INTEGER,
        kept INTEGER,
        confirmed_by TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT
    );
    CREATE INDEX runs_of_tracker ON runs (tracker_id, target, outcome);
    """,
    "ALTER TABLE runs ADD COLUMN transfer_s REAL",
    """
    CREATE TABLE fetches (
        outputs TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        wanted TEXT NOT NULL,
        condition TEXT NOT NULL,
        files TEXT NOT NULL,
        export TEXT NOT NULL,
        fetched_at TEXT NOT NULL
    );
    """,
)
"""Step n leads from version n to n + 1; a step that was released is never changed."""


def open_database(path: Path, *, create: bool) -> sqlite3.Connection:
    """The ledger at `path`, brought to the present version.

    Args:
        path: The file; its folder exists.
        create: Whether a missing file is made; else it is an error of SQLite's.

    Raises:
        ConfigurationError: another program's file, or a ledger of a later version.
        MachineError: damaged, not readable, not writable, no space.
        TryLaterError: another process holds it for too long.
    """
    if create:
        with machine_errors(path, "open the ledger"):
            # SQLite would make it readable for all; its companions take the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with database_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        try:
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL").close()
            connection.execute("PRAGMA synchronous = FULL").close()
            migrate(connection, MIGRATIONS)
        except BaseException:
            connection.close()
            raise
    return connection


def migrate(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Bring the schema to version ``len(steps)``: all of the missing steps, or none."""
    if _pragma(connection, "user_version") == len(steps):
        return
    with transaction(connection):
        version = _pragma(connection, "user_version")  # another process may have come first
        for step in steps[version:]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement).close()
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}").close()
        connection.execute(f"PRAGMA user_version = {len(steps)}").close()
        if version:
            _log.info("brought the ledger from version %d to %d", version, len(steps))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that holds the right to write from its start; undone when the block fails."""
    connection.execute("BEGIN IMMEDIATE").close()
    try:
        yield
        connection.execute("COMMIT").close()
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK").close()


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the ledger at `path` into ours."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise TryLaterError(
                "the ledger is in use by another process", source=path, remedy="try again"
            ) from error
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_CONSTRAINT")):
            raise _damaged(path) from error
        remedy = "check space and permissions of its folder, or name another with --state-dir"
        raise MachineError(f"cannot use the ledger: {error}", source=path, remedy=remedy) from error


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no ledger before anything is written to it."""
    application = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (application or version or tables):
        raise ConfigurationError(
            "a database of another program, not a ledger",
            source=path,
            remedy="name another folder with --state-dir",
        )
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            "the ledger was written by a later batchpub",
            source=path,
            limit=f"version {len(MIGRATIONS)}",
            actual=f"version {version}",
            remedy="use that batchpub, or name another folder with --state-dir",
        )
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise _damaged(path)


def _damaged(path: Path) -> MachineError:
    return MachineError(
        "the ledger is damaged, nothing was changed in it",
        source=path,
        remedy="restore it from a backup, or move it away to begin without memory",
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
