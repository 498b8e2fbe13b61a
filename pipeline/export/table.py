"""The export table in Arrow: batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa

from pipeline.export.rows import COLUMNS, Row, iter_rows
from pipeline.records import UserRecommendations

__all__ = ["SCHEMA", "BatchBuilder"]

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


class BatchBuilder:
    """Gathers rows until they fill a record batch; one user may end past the limit."""

    def __init__(self, *, rows: int = BATCH_ROWS, characters: int = BATCH_CHARACTERS) -> None:
        self._rows = rows
        self._limit = characters
        self._held: list[Row] = []
        self._characters = 0

    def add(self, users: Sequence[UserRecommendations]) -> Iterator[pa.RecordBatch]:
        """Take users; yield each batch that they fill."""
        for row in iter_rows(users):
            self._held.append(row)
            self._characters += (
                len(row[0]) + len(row[5] or "") + len(row[6] or "") + len(row[7] or "")
            )
            if row[10] is not None:
                self._characters += len(row[10])
            if len(self._held) >= self._rows or self._characters >= self._limit:
                yield self.flush()

    def flush(self) -> pa.RecordBatch:
        """The rows held, as one batch, possibly empty."""
        columns = zip(*self._held, strict=True) if self._held else ((),) * len(SCHEMA)
        arrays = [
            pa.array(values, type=field.type) for values, field in zip(columns, SCHEMA, strict=True)
        ]
        self._held.clear()
        self._characters = 0
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
