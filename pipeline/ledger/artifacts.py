"""Lists that were sent, kept under their hash.

Strategy: a list is copied, not linked: a tool that writes into the user's file in place would
change the kept one too. Where the file system can share blocks the copy costs no space.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from pipeline.errors import InputError
from pipeline.limits import READ_CHUNK
from pipeline.publish import machine_errors

__all__ = ["Artifacts"]


class Artifacts:
    """A folder of lists, each named by the SHA-256 of its bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, source: Path, sha256: str, *, owner: str) -> None:
        """Copy `source`.

        Args:
            source: The list.
            sha256: Its hash in hex; who reads the copy proves it.
            owner: Names the unfinished copy; whoever holds the same lock overwrites it.

        Raises:
            InputError: the list has gone.
            MachineError: the disk refused.
        """
        with machine_errors(self._folder, "keep the list"):
            self._folder.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._folder / f".{owner}.tmp"
        try:
            with machine_errors(source, "read the list"):
                try:
                    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError as error:
                    raise InputError(
                        "no such list", source=source, remedy="check the path"
                    ) from error
            with machine_errors(self._folder, "keep the list"), os.fdopen(reading, "rb") as file:
                _copy(file.fileno(), unfinished)
                unfinished.replace(self._folder / sha256)
        finally:
            unfinished.unlink(missing_ok=True)

    def find(self, sha256: str) -> Path | None:
        """Where the list with this hash is, None when it is gone; who reads it proves the hash."""
        path = self._folder / sha256
        return path if path.is_file() else None

    def remove_others(self, needed: Collection[str]) -> None:
        """Remove every list whose hash is not among `needed`."""
        with machine_errors(self._folder, "remove old lists"):
            for path in self._folder.iterdir():
                if not path.name.startswith(".") and path.name not in needed:
                    path.unlink(missing_ok=True)


def _copy(source: int, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        if not _copied_by_kernel(source, descriptor):
            with os.fdopen(os.dup(source), "rb", buffering=0) as reading:
                shutil.copyfileobj(reading, file, READ_CHUNK)
        os.fsync(descriptor)


def _copied_by_kernel(source: int, target: int) -> bool:
    if not hasattr(os, "copy_file_range"):  # macOS
        return False
    done = 0
    while True:
        try:
            count = os.copy_file_range(source, target, 1 << 30)
        except OSError:
            if done:
                raise
            return False  # not on this file system, or not between these two
        if count == 0:
            return True
        done += count
