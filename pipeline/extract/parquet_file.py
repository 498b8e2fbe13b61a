"""Parquet, with every page checksum verified; of nested columns, a dotted name picks one leaf."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.extract.batch import ExtractBatch, Wanted
from pipeline.extract.columns import pick_active_column, pick_id_column, refuse_duplicates
from pipeline.extract.places import STDIN, Place
from pipeline.extract.rows import good_rows
from pipeline.extract.times import TimeReader

__all__ = ["read_parquet"]

BATCH_ROWS: Final = 128 * 1024


def read_parquet(place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of one Parquet file; row 1 is its first row.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the footer or a page is damaged, or a column has no usable type.
    """
    try:
        with _open(place) as file:
            yield from _batches(file, place, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, OSError) as error:
        raise InputError(
            f"damaged or not readable as Parquet: {_reason(error)}",
            source=place,
            remedy="write the file again",
        ) from error


def _open(place: Place) -> pq.ParquetFile:
    source: str | pa.BufferReader = place.path
    if place.path == STDIN:  # the footer is at the end: a stream has to be held whole
        source = pa.BufferReader(sys.stdin.buffer.read())
    return pq.ParquetFile(
        source,
        page_checksum_verification=True,
        coerce_int96_timestamp_unit="us",
        pre_buffer=False,
        buffer_size=1024 * 1024,
    )


def _batches(file: pq.ParquetFile, place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    names = _leaf_names(file.schema_arrow)
    refuse_duplicates(names, source=place)
    columns = [pick_id_column(names, wanted.id_column, source=place)]
    times = None
    if wanted.active:
        columns.append(pick_active_column(names, wanted.active_column, source=place))
        times = TimeReader(wanted.timezone, wanted.time_unit, now_us=wanted.now_us, source=place)
    row, total = 1, max(file.metadata.num_rows, 1)
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
        yield good_rows(
            place=place,
            columns=[_leaf(batch, name) for name in columns],
            times=times,
            first_row=row,
            rows=None,
            rejects=(),
            bytes_read=int((place.size or 0) * min((row + batch.num_rows) / total, 1.0)),
        )
        row += batch.num_rows


def _leaf_names(schema: pa.Schema) -> list[str]:
    names: list[str] = []

    def walk(prefix: str, field: pa.Field) -> None:
        if pa.types.is_struct(field.type):
            for child in field.type:
                walk(f"{prefix}{field.name}.", child)
        else:
            names.append(prefix + field.name)

    for field in schema:
        walk("", field)
    return names


def _leaf(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name in batch.schema.names:
        return batch.column(name)
    top, *path = name.split(".")
    return pc.struct_field(batch.column(top), path)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:159] + "…"
