"""The Parquet table of recommendations that `parse` writes, opened and proved to be one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError

__all__ = ["ITEM_FIELDS", "foreign_row", "open_table", "parse_extra"]

ITEM_FIELDS: Final = ("id", "url", "title", "image_link")
"""What the vendor documents of an item; each is a column of its own."""
_NUMBERS: Final = ("block", "position")
_REMEDY: Final = "name the table that `parse` wrote, or make it again"


@contextmanager
def open_table(path: str, columns: Sequence[str], *, source: object) -> Iterator[pq.ParquetFile]:
    """The table at `path`; damage met anywhere inside the ``with`` block is an error of `source`.

    Raises:
        InputError: damaged, no Parquet, or `columns` are missing or hold something else.
    """
    try:
        with pq.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False, buffer_size=1024 * 1024
        ) as file:
            _refuse_foreign(file.schema_arrow, columns, source)
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "the Parquet file is damaged or no Parquet file", source=source, remedy=_REMEDY
        ) from error


def _refuse_foreign(schema: pa.Schema, columns: Sequence[str], source: object) -> None:
    for name in columns:
        if name not in schema.names:
            raise InputError(f"the table has no column {name!r}", source=source, remedy=_REMEDY)
        kind = schema.field(name).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        fits = pa.types.is_integer if name in _NUMBERS else _is_text
        if not (fits(inner) or pa.types.is_null(inner)):
            raise InputError(
                f"the table's column {name!r} is of type {kind}", source=source, remedy=_REMEDY
            )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def parse_extra(text: str | None, *, source: object, row: int) -> dict[str, Any]:
    """What a row says beyond its columns; ``#user`` and ``#block`` hold that of its holders.

    Raises:
        InputError: it is no JSON object.
    """
    if text is None:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise foreign_row(source, row) from error
    if not isinstance(found, dict):
        raise foreign_row(source, row)
    return found


def foreign_row(source: object, row: int) -> InputError:
    """A row of a table that has the right columns and is another's all the same."""
    return InputError(
        "a row is not one that `parse` wrote",
        source=source,
        position=f"row {row:,}",
        remedy="name the table of `parse`, whole and in its order",
    )
