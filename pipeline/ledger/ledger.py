"""Runs of `upload`, kept lists, and the lock under which one tracker's list is replaced."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipeline.errors import ConfigurationError, TryLaterError
from pipeline.ledger.artifacts import Artifacts
from pipeline.ledger.database import database_errors, open_database, transaction
from pipeline.publish import machine_errors
from pipeline.records import HistorySummary, UploadRun

__all__ = ["HeldTracker", "Ledger", "default_state_dir", "read_history"]

_KEPT_LISTS: Final = 5
_COLUMNS: Final = tuple(one.name for one in fields(UploadRun))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM runs"  # noqa: S608 - names of our own


def default_state_dir() -> Path:
    """``batchpub`` in the user's folder for state (XDG Base Directory Specification).

    Raises:
        ConfigurationError: this user has no home.
    """
    named = os.environ.get("XDG_STATE_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named) / "batchpub"
    try:
        return Path.home() / ".local" / "state" / "batchpub"
    except RuntimeError as error:
        raise ConfigurationError(
            "no home folder to keep the ledger in",
            source="--state-dir",
            remedy="name a folder that stays from run to run",
        ) from error


def read_history(folder: Path | None, tracker_id: str | None, *, limit: int) -> HistorySummary:
    """The last runs of `upload`, newest first; none where there is no ledger, and none is made.

    Raises:
        ConfigurationError: another program's database, a later version's ledger.
        MachineError: damaged, not readable.
        TryLaterError: another process holds it for too long.
    """
    folder = folder or default_state_dir()
    runs: tuple[UploadRun, ...] = ()
    if (folder / "ledger.sqlite3").exists():
        with Ledger(folder) as ledger:
            runs = ledger.history(tracker_id, limit=limit)
    return HistorySummary(ledger=str(folder / "ledger.sqlite3"), tracker_id=tracker_id, runs=runs)


class Ledger:
    """The memory of uploads in one state directory; use it as a context manager.

    Args:
        folder: The state directory; made when it is missing.

    Raises:
        ConfigurationError: not a folder, another program's database, a later version's ledger.
        MachineError: damaged, not writable, no space.
        TryLaterError: another process holds it for too long.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "ledger.sqlite3"
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(
                "the state directory is not a folder", source=folder, remedy="name a folder"
            )
        with machine_errors(folder, "make the state directory"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._artifacts = Artifacts(folder / "artifacts")
        self.connection = open_database(self.path, create=True)

    @contextmanager
    def hold(self, tracker_id: str, target: str) -> Iterator[HeldTracker]:
        """Lock one tracker of one service; the kernel frees the lock with the process.

        Raises:
            TryLaterError: another process holds it.
        """
        key = hashlib.sha256(f"{target}\n{tracker_id}".encode()).hexdigest()[:16]
        busy = TryLaterError(
            "another upload to this tracker is under way",
            source=f"tracker {tracker_id}",
            remedy="wait until it has ended",
        )
        with self.locked(key, busy=busy):
            yield HeldTracker(self, tracker_id, target, key)

    @contextmanager
    def locked(self, key: str, *, busy: TryLaterError) -> Iterator[None]:
        """Hold the lock of that name; raises `busy` when another process does."""
        locks = self.folder / "locks"
        with machine_errors(locks, "use the lock"):
            locks.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(
                locks / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        try:
            with machine_errors(locks, "use the lock"):
                _lock(descriptor, busy)
            yield
        finally:
            os.close(descriptor)

    def history(self, tracker_id: str | None, *, limit: int) -> tuple[UploadRun, ...]:
        """The last runs, newest first, of one tracker or of all."""
        where = "" if tracker_id is None else " WHERE tracker_id = :tracker_id"
        return self._read(
            f"{_SELECT}{where} ORDER BY run DESC LIMIT :limit",
            {"tracker_id": tracker_id, "limit": limit},
        )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, on disk when the block ends."""
        with database_errors(self.path), transaction(self.connection):
            yield self.connection

    def _read(self, query: str, values: Mapping[str, object]) -> tuple[UploadRun, ...]:
        with database_errors(self.path):
            return tuple(_run(row) for row in self.connection.execute(query, values))

    def close(self) -> None:
        """Let go of the file."""
        with database_errors(self.path):
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class HeldTracker:
    """What may be done to one tracker's memory while its lock is held.

    A run that stands as ``preparing`` or ``sending`` when the lock was free is one whose process
    died: what was not yet sent failed, what may have been sent is uncertain.
    """

    def __init__(self, ledger: Ledger, tracker_id: str, target: str, key: str) -> None:
        self._ledger, self._key = ledger, key
        self._of = {"tracker_id": tracker_id, "target": target}
        with self._ledger.writing() as connection:
            for now, then in (("preparing", "failed"), ("sending", "uncertain")):
                connection.execute(
                    "UPDATE runs SET outcome = :then, error = 'the process ended without a word'"
                    " WHERE tracker_id = :tracker_id AND target = :target AND outcome = :now",
                    {**self._of, "now": now, "then": then},
                ).close()

    def sent(self) -> tuple[UploadRun, ...]:
        """Runs that changed the tracker's list or may have, oldest first."""
        return self._ledger._read(  # noqa: SLF001 - two halves of one thing
            f"{_SELECT} WHERE tracker_id = :tracker_id AND target = :target"
            " AND outcome IN ('confirmed', 'uncertain') ORDER BY run",
            self._of,
        )

    def begin(self, **values: object) -> int:
        """Write a new run down, on disk when this returns; gives its number."""
        row = self._of | _plain(values)
        names = ", ".join(row)
        with self._ledger.writing() as connection:
            cursor = connection.execute(
                f"INSERT INTO runs ({names}) VALUES ({', '.join(f':{name}' for name in row)})",  # noqa: S608
                row,
            )
            number = cursor.lastrowid or 0
            cursor.close()
        return number

    def update(self, run: int, **values: object) -> None:
        """Change what is known of a run, on disk when this returns."""
        row = _plain(values)
        changes = ", ".join(f"{name} = :{name}" for name in row)
        with self._ledger.writing() as connection:
            connection.execute(
                f"UPDATE runs SET {changes} WHERE run = :run",  # noqa: S608
                {**row, "run": run},
            ).close()

    def keep(self, list_path: Path, sha256: str) -> None:
        """Keep a copy of the list under its hash; its run must have begun."""
        self._ledger._artifacts.keep(list_path, sha256, owner=self._key)  # noqa: SLF001

    def kept(self, sha256: str) -> Path | None:
        """Where the list with this hash is, None when it is gone; who reads it proves the hash."""
        return self._ledger._artifacts.find(sha256)  # noqa: SLF001

    def prune(self) -> None:
        """Remove kept lists that are none of the last five of any tracker."""
        # Under the right to write: no other run can begin, and thus keep a list, meanwhile.
        with self._ledger.writing() as connection:
            needed: set[str] = set()
            for row in connection.execute("SELECT DISTINCT tracker_id, target FROM runs"):
                needed |= _needed(connection, *row)
            self._ledger._artifacts.remove_others(needed)  # noqa: SLF001


def _needed(connection: sqlite3.Connection, tracker_id: str, target: str) -> set[str]:
    rows = connection.execute(
        "SELECT sha256, outcome FROM runs WHERE tracker_id = ? AND target = ?"
        " AND outcome IN ('preparing', 'sending', 'uncertain', 'confirmed') ORDER BY run DESC",
        (tracker_id, target),
    ).fetchall()
    last = next((sha256 for sha256, outcome in rows if outcome == "confirmed"), None)
    newest = list(dict.fromkeys(sha256 for sha256, _ in rows))[:_KEPT_LISTS]
    return {*newest, *([] if last is None else [last])}


def _lock(descriptor: int, busy: TryLaterError) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise busy from error


def _plain(values: dict[str, object]) -> dict[str, Any]:
    """Values as SQLite takes them: the words of confirmations hold no spaces."""
    return {
        name: " ".join(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _run(row: tuple[Any, ...]) -> UploadRun:
    values = dict(zip(_COLUMNS, row, strict=True))
    return UploadRun(**{**values, "confirmed_by": tuple(values["confirmed_by"].split())})
