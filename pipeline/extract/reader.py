"""All extracts of a run as one stream of batches; the format is told by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal

from pipeline.errors import InputError, MachineError
from pipeline.extract.batch import ExtractBatch, Wanted
from pipeline.extract.places import STDIN, Place, open_file, open_stream

__all__ = ["read_extracts"]

FormatName = Literal["csv", "jsonl", "parquet", "arrow"]
_MAGIC: Final = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"))


_UNREAD: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF document"),
)


def read_extracts(places: Sequence[Place], wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of every place, in the order given; the columns found first hold for all.

    Raises:
        ConfigurationError: a column is not there.
        InputError: an extract is missing, damaged or malformed.
    """
    for place in places:
        for batch in _reader(place, wanted)(place, wanted):
            if wanted.id_column is None:
                wanted = replace(wanted, id_column=batch.id_column)
            if wanted.active != "no" and wanted.active_column is None:
                wanted = replace(wanted, active_column=batch.active_column)
            yield batch


def _reader(place: Place, wanted: Wanted) -> Callable[[Place, Wanted], Iterator[ExtractBatch]]:
    kind = wanted.input_format or _told_by_content(place, wanted)
    if kind == "csv":
        from pipeline.extract.csv_file import read_csv

        return read_csv
    if kind == "jsonl":
        from pipeline.extract.jsonl_file import read_jsonl

        return read_jsonl
    from pipeline.extract.parquet_file import read_arrow, read_parquet

    return read_parquet if kind == "parquet" else read_arrow


def _told_by_content(place: Place, wanted: Wanted) -> FormatName:
    if place.path == STDIN or place.size is None:
        return "csv"  # a stream is read once: its format is CSV or has been said
    try:
        with open_file(place) as file:
            start = file.read(16)
    except OSError as error:
        raise MachineError(f"cannot read: {error.strerror}", source=place) from error
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind  # type: ignore[return-value]
    for magic, what in _UNREAD:
        if start.startswith(magic):
            raise InputError(
                f"{what}, which is not read",
                source=place,
                remedy="write it as CSV, JSONL or Parquet, plain or with gzip or zstd",
            )
    if wanted.encoding or wanted.columns or wanted.delimiter:
        return "csv"
    stream = open_stream(place)
    try:
        head = stream.read(64)
    finally:
        stream.close()
    return "jsonl" if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" else "csv"
