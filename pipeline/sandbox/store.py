"""What the sandbox holds: one user list and at most one export of each format, all on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.sandbox.lines import ListFormat

__all__ = ["Store", "StoredExport", "StoredList"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList:
    """A complete, valid user list; its file has its bytes as they came."""

    path: Path
    format: ListFormat
    users: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExport:
    """An export; `gzip_path` is its compressed twin, if one was asked for."""

    path: Path
    gzip_path: Path | None
    format: str
    users: int
    left_out: int
    sha256: str
    modified: float


class Store:
    """Holds what is current. A replaced file is removed; who has it open reads on to its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.users: StoredList | None = None
        self.exports: dict[str, StoredExport] = {}
        self._number = 0

    def new_path(self, kind: str) -> Path:
        """A name in the folder that was never used."""
        self._number += 1
        return self.folder / f"{kind}-{self._number}"

    def replace_users(self, new: StoredList) -> None:
        """Let the new list take the place of the old one, in one step of the event loop."""
        old, self.users = self.users, new
        if old is not None:
            old.path.unlink(missing_ok=True)

    def replace_export(self, new: StoredExport) -> None:
        """Let the new export take the place of the old one of its format."""
        old = self.exports.get(new.format)
        self.exports[new.format] = new
        if old is not None:
            for path in (old.path, old.gzip_path):
                if path is not None:
                    path.unlink(missing_ok=True)
