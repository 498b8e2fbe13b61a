"""Parquet, with every page checksum verified, and Arrow files; columns keep their types."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.extract.batch import ExtractBatch, Wanted
from pipeline.extract.columns import pick_columns, refuse_duplicates
from pipeline.extract.leaves import hive_values, leaf, leaf_names, top_columns
from pipeline.extract.places import STDIN, Place
from pipeline.extract.rows import good_rows
from pipeline.extract.times import TimeReader

__all__ = ["read_arrow", "read_parquet"]

BATCH_ROWS: Final = 128 * 1024
_END_OF_STREAM: Final = b"\xff\xff\xff\xff\0\0\0\0"
_FOREIGN: Final = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowKeyError,
    pa.ArrowTypeError,
    OSError,
)


def read_parquet(place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of one Parquet file; row 1 is its first row.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the footer or a page is damaged, or a column has no usable type.
    """
    try:
        with pq.ParquetFile(
            _source(place),
            page_checksum_verification=True,
            coerce_int96_timestamp_unit="us",
            pre_buffer=False,
            buffer_size=1024 * 1024,
        ) as file:
            table = _Table(file.schema_arrow, place, wanted, rows=file.metadata.num_rows)
            batches = file.iter_batches(
                batch_size=BATCH_ROWS, columns=table.paths, use_threads=False
            )
            for batch in batches:
                yield table.batch(batch)
    except _FOREIGN as error:
        raise _damaged(error, place, "Parquet") from error


def read_arrow(place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of one Arrow IPC file, or of a stream; row 1 is its first row.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the file is damaged, or a column has no usable type.
    """
    try:
        with ExitStack() as stack:
            source = _source(place)
            if isinstance(source, str):
                source = stack.enter_context(pa.OSFile(source))
            is_file = source.read(6) == b"ARROW1"
            source.seek(0)
            if not is_file:
                stream = pa.ipc.open_stream(source)
                table = _Table(stream.schema, place, wanted, rows=None)
                for batch in stream:
                    yield from table.slices(batch)
                if not wanted.allow_truncated:
                    _refuse_open_end(source, place)
                return
            schema = pa.ipc.open_file(source).schema
            table = _Table(schema, place, wanted, rows=None)
            options = pa.ipc.IpcReadOptions(included_fields=table.positions)
            file = pa.ipc.open_file(source, options=options)
            for number in range(file.num_record_batches):
                yield from table.slices(file.get_batch(number))
    except _FOREIGN as error:
        raise _damaged(error, place, "Arrow") from error


def _refuse_open_end(source: pa.NativeFile, place: Place) -> None:
    """A stream may end between any two messages; only its end mark tells that it is whole."""
    source.seek(max(0, source.size() - len(_END_OF_STREAM)))
    if source.read() != _END_OF_STREAM:
        raise InputError(
            "the Arrow stream has no end mark: it may be cut",
            source=place,
            remedy="write the file again, or say --allow-truncated if it is whole",
        )


def _source(place: Place) -> str | pa.BufferReader:
    if place.path == STDIN:  # the footer is at the end: a stream has to be held whole
        return pa.BufferReader(sys.stdin.buffer.read())
    return place.path


class _Table:
    """The wanted columns of one typed table, batch after batch."""

    def __init__(
        self, schema: pa.Schema, place: Place, wanted: Wanted, *, rows: int | None
    ) -> None:
        names = leaf_names(schema)
        refuse_duplicates(names, source=place)
        self._constants = hive_values(place.path)
        names += [name for name in self._constants if name not in names]
        self._place, self._wanted, self._rows = place, wanted, rows
        self._picked = pick_columns(names, wanted, source=place)
        self._times = TimeReader(
            wanted.timezone, wanted.time_unit, now_us=wanted.now_us, source=place
        )
        self.positions = top_columns(schema, self._picked.names)
        self.paths = [name for name in self._picked.names if name not in self._constants]
        self._next_row = 1

    def slices(self, batch: pa.RecordBatch) -> Iterator[ExtractBatch]:
        """A batch of any size as batches of ours."""
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield self.batch(batch.slice(start, BATCH_ROWS))

    def batch(self, batch: pa.RecordBatch) -> ExtractBatch:
        """The next rows."""
        first, self._next_row = self._next_row, self._next_row + batch.num_rows
        share = (self._next_row - 1) / self._rows if self._rows else 0.0
        return good_rows(
            place=self._place,
            picked=self._picked,
            columns=[leaf(batch, name, self._constants) for name in self._picked.names],
            times=self._times,
            wanted=self._wanted,
            first_row=first,
            rows=None,
            rejects=(),
            bytes_read=int((self._place.size or 0) * share),
        )


def _damaged(error: Exception, place: Place, kind: str) -> InputError:
    text = " ".join(str(error).split())
    return InputError(
        f"damaged or not readable as {kind}: {text if len(text) <= 160 else text[:159] + '…'}",
        source=place,
        remedy="write the file again",
    )
