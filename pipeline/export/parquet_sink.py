"""Parquet: the export table, zstd, in row groups of bounded size."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import MachineError
from pipeline.export.table import SCHEMA, BatchBuilder
from pipeline.publish import PendingFile, machine_errors
from pipeline.records import UserRecommendations

__all__ = ["ParquetSink"]

# Values of these repeat from row to row; a URL carries the id of its block, so it does not.
_DICTIONARY: Final = [
    "auth_user_id",
    "recommendation_type",
    "id",
    "title",
    "image_link",
    "recommendation_id",
    "updated_at",
]


class _Output(io.RawIOBase):
    """The pending file as Arrow wants it: every write is whole, or raises."""

    def __init__(self, file: PendingFile) -> None:
        super().__init__()
        self._file = file
        self._written = 0
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        if not self.abandoned:  # the library's destructor writes a footer
            self._written += self._file.write(memoryview(data).cast("B"))
        return len(data)


class ParquetSink:
    """One row group per batch, so memory does not grow with the export, only the footer does."""

    def __init__(self, file: PendingFile) -> None:
        self._target = file.target
        # The usual pool keeps what it once had; the system's gives it back.
        self._pool = pa.system_memory_pool()
        self._batches = BatchBuilder()
        with self._errors():
            self._output = _Output(file)
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._output, mode="w"),
                SCHEMA,
                compression="zstd",
                use_dictionary=_DICTIONARY,
                write_statistics=["auth_user_id", "recommendation_type"],
                memory_pool=self._pool,
            )

    def write(self, users: Sequence[UserRecommendations]) -> None:
        """Append the rows of these users."""
        for batch in self._batches.add(users):
            with self._errors():
                self._writer.write_batch(batch)

    def finish(self) -> None:
        """Write what is held, and the footer."""
        batch = self._batches.flush()
        with self._errors():
            if batch.num_rows:
                self._writer.write_batch(batch)
            self._writer.close()

    def abandon(self) -> None:
        """Write nothing more, whatever the library still wants to."""
        self._output.abandoned = True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with machine_errors(self._target, "write"):
                yield
        except pa.ArrowException as error:
            raise MachineError(
                f"cannot write: {type(error).__name__}",
                source=self._target,
                remedy="check memory and disk",
            ) from error
