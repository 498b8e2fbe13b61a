"""The export table in Arrow: batches of bounded size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from pipeline.export.json_reader import JsonExportReader
from pipeline.export.quick_reader import QuickXmlReader
from pipeline.export.reader import ExportReader, identify_format
from pipeline.export.rows import COLUMNS, iter_parts
from pipeline.export.source_file import SourceFile
from pipeline.records import UserRecommendations

__all__ = ["SCHEMA", "BatchBuilder", "read_export"]

SCHEMA: Final = pa.schema(
    [
        pa.field(
            name,
            pa.int32() if name in ("block", "position") else pa.string(),
            nullable=name != "auth_user_id",
        )
        for name in COLUMNS
    ]
)
# 16,384 rows of about 350 bytes are 6 MB as Python text and half of that in Arrow.
BATCH_ROWS: Final = 16_384
# Long values end a batch early: characters of the long columns.
BATCH_CHARACTERS: Final = 8 * 1024 * 1024
_LONG: Final = tuple(
    COLUMNS.index(name) for name in ("auth_user_id", "url", "title", "image_link", "extra")
)


class BatchBuilder:
    """Gathers rows until they fill a record batch; one block may end past the limit."""

    def __init__(self, *, rows: int = BATCH_ROWS, characters: int = BATCH_CHARACTERS) -> None:
        self._rows = rows
        self._limit = characters
        self._columns: list[list[Any]] = [[] for _ in COLUMNS]
        self._characters = 0

    def add(self, users: Sequence[UserRecommendations]) -> Iterator[pa.RecordBatch]:
        """Take users; yield each batch that they fill."""
        columns = self._columns
        for part in iter_parts(users):
            for column, values in zip(columns, part, strict=True):
                column.extend(values)
            for at in _LONG:
                self._characters += sum(map(len, filter(None, part[at])))
            if len(columns[0]) >= self._rows or self._characters >= self._limit:
                yield self.flush()

    def flush(self) -> pa.RecordBatch:
        """The rows held, as one batch, possibly empty."""
        arrays = []
        for column, field in zip(self._columns, SCHEMA, strict=True):
            arrays.append(pa.array(column, type=field.type))
            column.clear()
        self._characters = 0
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def read_export(path: str | os.PathLike[str]) -> pa.RecordBatchReader:
    """The export table as a stream of Arrow batches, for polars, DuckDB and pandas.

    Batches come before the end of the export is seen: only a reader that was read to its end
    without an InputError has shown a whole export. No guard is asked and nothing is written.

    Raises:
        InputError: while batches are read: the export must not be used.
    """
    return pa.RecordBatchReader.from_batches(SCHEMA, _iter_batches(SourceFile(path)))


def _iter_batches(file: SourceFile) -> Iterator[pa.RecordBatch]:
    builder = BatchBuilder()
    reader: ExportReader | None = None
    head = b""
    for piece in file.iter_pieces():
        data = head + piece
        if reader is None:
            found = identify_format(data, source=file.name)
            if found is None:
                head = data
                continue
            head = b""
            kind = QuickXmlReader if found == "xml" else JsonExportReader
            reader = kind(source=file.name)
        yield from builder.add(reader.feed(data))
    if reader is None:
        reader = QuickXmlReader(source=file.name)
        yield from builder.add(reader.feed(head))
    yield from builder.add(reader.close())
    yield builder.flush()
