"""Rows by hash of user id: in memory while they are few, on disk beyond, every user in one part.

Strategy: rows gather in `fresh`; every few MiB those are split into `count` parts, which stay in
memory as Arrow tables: these cost what they hold, while polars keeps alive what a filter left
behind. When the parts outgrow their share of the budget they are appended to one Arrow stream each,
in a folder that goes with this object. A part is read back whole, so it costs about (all rows) /
`count`.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import polars as pl
import pyarrow as pa

from pipeline.errors import MachineError
from pipeline.publish import machine_errors

__all__ = ["PartitionStore"]

_SEED: Final = 0x5EED
# Bytes split at once, for each part and at most: small pieces cost a table each, large ones a peak.
_PIECE_BYTES: Final = 256 * 1024
_SPLIT_BYTES: Final = 16 * 1024 * 1024


def _whole() -> float:
    return 1.0


class PartitionStore:
    """Rows with a column ``id``, given back in parts; each user's rows are all in one part.

    Args:
        count: Parts to split into when there are many rows.
        memory_bytes: Rows held in memory before they go to disk.
        folder: Where the temporary folder is made, and only when it is needed.
        name: Says in the folder's name what the rows are.
        share_taken: How much of all rows has been taken by now, 0 to 1; 1 where nobody knows.
            Before anything goes to disk it tells what will be needed there.
    """

    def __init__(
        self,
        *,
        count: int,
        memory_bytes: int,
        folder: Path,
        name: str,
        share_taken: Callable[[], float] = _whole,
    ) -> None:
        self.count = count
        self.rows = 0
        self._limit = memory_bytes
        self._split_bytes = min(_SPLIT_BYTES, _PIECE_BYTES * count, memory_bytes)
        self._folder, self._name, self._share_taken = folder, name, share_taken
        self._fresh: list[pl.DataFrame] = []
        self._fresh_bytes = 0
        self._parts: list[list[pa.Table]] = []
        self._parts_bytes = 0
        self._spill: Path | None = None
        self._writers: list[tuple[pa.NativeFile, pa.RecordBatchStreamWriter]] = []

    @property
    def split(self) -> bool:
        """Whether rows lie in `count` parts already."""
        return bool(self._parts) or self._spill is not None

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows; a full disk is a MachineError."""
        if not rows.height:
            return
        self.rows += rows.height
        self._fresh.append(rows)
        self._fresh_bytes += int(rows.estimated_size())
        if self._fresh_bytes > self._split_bytes:
            self._split()
        if self._parts_bytes > self._limit:
            self._write()

    def parts(self, count: int) -> Iterator[pl.DataFrame]:
        """Every part in turn, for `count` parts; a store that has split has its own `count`."""
        if not self.split and count == 1:
            fresh, self._fresh = self._fresh, []
            if fresh:
                yield pl.concat(fresh, rechunk=False)
            return
        if count != self.count:
            raise ValueError(f"there are {self.count} parts, {count} were asked for")
        self._split()
        if self._spill is None:
            for part, tables in enumerate(self._parts):
                self._parts[part] = []
                yield _frame(tables)
            return
        self._write()
        with machine_errors(self._spill, "write temporary files"):
            for file, writer in self._writers:
                writer.close()
                file.close()
        for part in range(self.count):
            path = self._part(part)
            with machine_errors(path, "read temporary files"), pa.OSFile(str(path), "rb") as file:
                table = pa.ipc.open_stream(file).read_all()
            path.unlink()
            yield _frame([table])

    def _split(self) -> None:
        """Move the fresh rows to their parts."""
        if not self._parts:
            self._parts = [[] for _ in range(self.count)]
        if not self._fresh:
            return
        rows = pl.concat(self._fresh, rechunk=False)
        self._fresh, self._fresh_bytes = [], 0
        part = (rows["id"].hash(_SEED) % self.count).cast(pl.UInt16).alias("part")
        for piece in rows.with_columns(part).partition_by("part", maintain_order=False):
            number = piece.drop_in_place("part")[0]
            table = piece.to_arrow(compat_level=pl.CompatLevel.oldest())
            self._parts[number].append(table)
            self._parts_bytes += table.nbytes

    def _write(self) -> None:
        """Append the parts in memory to their files."""
        for part, tables in enumerate(self._parts):
            if not tables:
                continue
            if not self._writers:
                self._open(tables[0].schema)
            with machine_errors(self._spill, "write temporary files"):
                for table in tables:
                    self._writers[part][1].write_table(table)
            self._parts[part] = []
        self._parts_bytes = 0

    def _open(self, schema: pa.Schema) -> None:
        _allow_files(self.count)
        with machine_errors(self._folder, "make a temporary folder"):
            self._refuse_full_disk()
            made = tempfile.mkdtemp(prefix=f".batchpub-{self._name}-", dir=self._folder)
            self._spill = Path(made)
            for part in range(self.count):
                file = pa.OSFile(str(self._part(part)), "wb")
                self._writers.append((file, pa.ipc.new_stream(file, schema)))

    def _refuse_full_disk(self) -> None:
        """Before the first byte goes to disk: what all rows will need must be free."""
        needed = int((self._parts_bytes + self._fresh_bytes) / max(self._share_taken(), 1e-6))
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free < needed:
            raise MachineError(
                "not enough free disk for the work: the rows do not fit into --memory",
                source=self._folder,
                limit=f"{free:,} bytes free",
                actual=f"about {needed:,} bytes needed",
                remedy="free disk, name another folder with --temp-dir, or give more --memory",
            )

    def _part(self, part: int) -> Path:
        return cast("Path", self._spill) / f"{part:04}.arrows"

    def close(self) -> None:
        """Let memory and files go."""
        self._fresh, self._parts = [], []
        if self._spill is not None:
            with ExitStack() as stack:
                stack.callback(shutil.rmtree, self._spill, ignore_errors=True)
                for file, _ in self._writers:
                    stack.enter_context(closing(file))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _allow_files(count: int) -> None:
    """Raise the soft limit of open files where it would not do; some systems start with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _frame(tables: list[pa.Table]) -> pl.DataFrame:
    """The tables as one frame; no tables, no rows."""
    if not tables:
        return pl.DataFrame()
    return cast("pl.DataFrame", pl.from_arrow(pa.concat_tables(tables)))
