"""Rows by hash of user id: in memory while they are few, on disk beyond, every user in one part.

Strategy: rows gather in `pending`. When those outgrow their share of the budget they are split
into `count` parts and appended to one Arrow stream each, in a folder that goes with this object.
A part is read back whole, so the memory for it is about (all rows) / `count`.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import polars as pl
import pyarrow as pa

from pipeline.publish import machine_errors

__all__ = ["PartitionStore"]

_SEED = 0x5EED


class PartitionStore:
    """Rows with a column ``id``, given back in parts; each user's rows are all in one part.

    Args:
        count: Parts to split into once rows go to disk.
        pending_bytes: Rows held in memory before they go to disk.
        folder: Where the temporary folder is made, and only when it is needed.
        name: Says in the folder's name what the rows are.
    """

    def __init__(self, *, count: int, pending_bytes: int, folder: Path, name: str) -> None:
        self.count = count
        self.rows = 0
        self._limit = pending_bytes
        self._folder, self._name = folder, name
        self._pending: list[pl.DataFrame] = []
        self._pending_bytes = 0
        self._spill: Path | None = None
        self._writers: list[tuple[pa.NativeFile, pa.RecordBatchStreamWriter]] = []

    @property
    def spilled(self) -> bool:
        """Whether rows have gone to disk."""
        return self._spill is not None

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows; a full disk is a MachineError."""
        if not rows.height:
            return
        self.rows += rows.height
        self._pending.append(rows)
        self._pending_bytes += int(rows.estimated_size())
        if self._pending_bytes > self._limit:
            self._flush()

    def parts(self, count: int) -> Iterator[pl.DataFrame]:
        """Every part in turn, for `count` parts; a store that has spilled has its own `count`."""
        if self._spill is None:
            yield from self._parts_in_memory(count)
            return
        if count != self.count:
            raise ValueError(f"{self.count} parts lie on disk, {count} were asked for")
        self._flush()
        with machine_errors(self._spill, "write temporary files"):
            for file, writer in self._writers:
                writer.close()
                file.close()
        for part in range(self.count):
            path = self._part(part)
            with machine_errors(path, "read temporary files"), pa.OSFile(str(path), "rb") as file:
                table = pa.ipc.open_stream(file).read_all()
            path.unlink()
            yield _frame(table)

    def _parts_in_memory(self, count: int) -> Iterator[pl.DataFrame]:
        if not self._pending:
            return
        rows = pl.concat(self._pending, rechunk=False)
        self._pending = []
        if count == 1:
            yield rows
            return
        marked = rows.with_columns(_part_of(count))
        for part in range(count):
            yield marked.filter(pl.col("part") == part).drop("part")

    def _flush(self) -> None:
        if not self._pending:
            return
        rows = pl.concat(self._pending, rechunk=False).with_columns(_part_of(self.count))
        self._pending, self._pending_bytes = [], 0
        for part in range(self.count):
            table = (
                rows.filter(pl.col("part") == part)
                .drop("part")
                .rechunk()
                .to_arrow(compat_level=pl.CompatLevel.oldest())
            )
            if not self._writers:
                self._open(table.schema)
            with machine_errors(self._spill, "write temporary files"):
                self._writers[part][1].write_table(table)

    def _open(self, schema: pa.Schema) -> None:
        _allow_files(self.count)
        with machine_errors(self._folder, "make a temporary folder"):
            made = tempfile.mkdtemp(prefix=f".batchpub-{self._name}-", dir=self._folder)
            self._spill = Path(made)
            for part in range(self.count):
                file = pa.OSFile(str(self._part(part)), "wb")
                self._writers.append((file, pa.ipc.new_stream(file, schema)))

    def _part(self, part: int) -> Path:
        return cast("Path", self._spill) / f"{part:04}.arrows"

    def close(self) -> None:
        """Let memory and files go."""
        self._pending = []
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


def _part_of(count: int) -> pl.Expr:
    return (pl.col("id").hash(_SEED) % count).cast(pl.UInt16).alias("part")


def _frame(table: pa.Table) -> pl.DataFrame:
    return cast("pl.DataFrame", pl.from_arrow(table))
