"""CSV and its kin, read strictly: a row with another number of fields than the header is refused.

Strategy: the header is taken off here, the rest goes to pyarrow's streaming reader, which hands
back the wanted columns as bytes (types are never inferred) and names every row of another length.
A quote left open would swallow the rows behind it, so an odd number of quotes refuses the file.
"""

from __future__ import annotations

import csv
import io
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, Literal

import pyarrow as pa
import pyarrow.csv as pacsv

from pipeline.errors import InputError
from pipeline.extract.batch import WRONG_FIELD_COUNT, ExtractBatch, Reject, Wanted
from pipeline.extract.columns import pick_columns, refuse_duplicates
from pipeline.extract.places import ByteStream, Place, open_stream
from pipeline.extract.quotes import QuoteCheck
from pipeline.extract.rows import good_rows
from pipeline.extract.times import TimeReader

__all__ = ["read_csv"]

BLOCK: Final = 4 * 1024 * 1024  # one record must fit; larger blocks cost memory and gain no speed
_BOM: Final = b"\xef\xbb\xbf"


def read_csv(place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of one CSV file; row 1 is the header, or the first row where columns were named.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the file is empty, cut, not text, or leaves a quote open.
    """
    delimiter = wanted.delimiter or ("\t" if _is_tsv(place.path) else ",")
    check = None
    if wanted.quote:
        check = QuoteCheck(quote=wanted.quote, delimiter=delimiter, source=place)
    stream = open_stream(place, on_block=check.feed if check else None, encoding=wanted.encoding)
    try:
        yield from _Reader(stream, wanted, delimiter).batches()
    finally:
        stream.close()
    if check and check.quotes % 2 and not wanted.allow_truncated:
        raise InputError(
            f"a quote is left open: {check.quotes:,} quote characters are an odd number",
            source=place,
            remedy="write the file again, or say --quote '' if quotes mean nothing in it",
        )


class _Reader:
    def __init__(self, stream: ByteStream, wanted: Wanted, delimiter: str) -> None:
        self._stream, self._wanted, self._place = stream, wanted, stream.place
        self._times = TimeReader(
            wanted.timezone, wanted.time_unit, now_us=wanted.now_us, source=self._place
        )
        self._delimiter = delimiter
        self._header = list(wanted.columns) or self._take_header()
        refuse_duplicates(self._header, source=self._place)
        self._picked = pick_columns(self._header, wanted, source=self._place)
        self._before = 0 if wanted.columns else 1  # rows before the first that pyarrow sees
        self._next_row = self._before + 1
        self._ragged = array("q")
        self._texts: dict[int, str] = {}
        self._ragged_done = 0

    def batches(self) -> Iterator[ExtractBatch]:
        try:
            reader = self._open()
            while reader is not None:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    break
                yield self._batch(batch)
        except pa.ArrowInvalid as error:
            raise self._translated(error) from error
        if len(self._ragged) > self._ragged_done:  # refused rows behind the last good one
            yield self._batch(None)
        self._check_end()

    def _take_header(self) -> list[str]:
        head = bytearray(self._stream.read(65536))
        end = -1
        while (end := _record_end(head, self._wanted.quote.encode())) < 0 and len(head) < BLOCK:
            more = self._stream.read(65536)
            if not more:
                break
            head += more
        if b"\0" in head[:65536]:
            raise InputError(
                "not text: it holds zero bytes",
                source=self._place,
                position=f"byte {head.index(0) + 1}",
                remedy="name a CSV, JSONL or Parquet file; for UTF-16 say --encoding utf-16",
            )
        if head.lstrip()[:1] == b"<":
            raise InputError(
                "a page of HTML or XML, not CSV",
                source=self._place,
                remedy="name a CSV or Parquet extract",
            )
        if end < 0 and len(head) >= BLOCK:
            raise InputError(
                "no line break where the header should end",
                source=self._place,
                position="row 1",
                limit=f"{BLOCK:,} bytes",
                remedy="name a CSV file with a header",
            )
        end = len(head) if end < 0 else end
        self._stream.push_back(bytes(head[end:]))
        try:
            text = bytes(head[:end]).removeprefix(_BOM).decode()
        except UnicodeDecodeError as error:
            raise InputError(
                "the header is not UTF-8",
                source=self._place,
                position=f"row 1, byte {error.start + 1}",
                remedy="say the encoding with --encoding",
            ) from error
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self._wanted.quote else csv.QUOTE_NONE
        lines = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self._delimiter,
            quotechar=self._wanted.quote or None,
            quoting=quoting,
        )
        try:
            return next(lines, [])
        except csv.Error as error:
            raise InputError(
                "the header cannot be read", source=self._place, position="row 1"
            ) from error

    def _open(self) -> pacsv.CSVStreamingReader | None:
        try:
            return pacsv.open_csv(
                self._stream,
                read_options=pacsv.ReadOptions(
                    block_size=BLOCK, use_threads=False, column_names=self._header
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._delimiter,
                    quote_char=self._wanted.quote or False,
                    newlines_in_values=True,
                    invalid_row_handler=self._on_ragged,
                ),
                convert_options=pacsv.ConvertOptions(
                    include_columns=self._picked.names,
                    column_types=dict.fromkeys(self._picked.names, pa.binary()),
                ),
            )
        except pa.ArrowInvalid as error:
            if str(error).startswith("Empty CSV file"):
                return None  # nothing behind the header
            raise

    def _on_ragged(self, row: pacsv.InvalidRow) -> Literal["skip"]:
        number = row.number + self._before
        self._ragged.append(number)
        if self._wanted.keep_values:
            self._texts[number] = row.text
        return "skip"

    def _batch(self, batch: pa.RecordBatch | None) -> ExtractBatch:
        count = 0 if batch is None else batch.num_rows
        first = self._next_row
        skipped, self._next_row = self._skip(first, count)
        rows = None
        if batch is None:
            skipped = list(self._ragged[self._ragged_done :])
            self._ragged_done = len(self._ragged)
            columns: list[pa.Array] = [pa.array([], pa.binary()) for _ in self._picked.names]
        else:
            columns = batch.columns
            if skipped:
                gone = set(skipped)
                rows = pa.array([n for n in range(first, self._next_row) if n not in gone])
        return good_rows(
            place=self._place,
            picked=self._picked,
            columns=columns,
            times=self._times,
            wanted=self._wanted,
            first_row=first,
            rows=rows,
            rejects=[Reject(row, WRONG_FIELD_COUNT, self._texts.pop(row, None)) for row in skipped],
            bytes_read=self._stream.bytes_read,
        )

    def _skip(self, first: int, count: int) -> tuple[list[int], int]:
        """The refused rows among the `count` good ones that start at `first`, and the next row."""
        end = first + count
        start = at = bisect_left(self._ragged, first, lo=self._ragged_done)
        while at < len(self._ragged) and self._ragged[at] < end:
            at, end = at + 1, end + 1
        self._ragged_done = at
        return list(self._ragged[start:at]), end

    def _translated(self, error: pa.ArrowInvalid) -> InputError:
        if "straddl" in str(error):
            return InputError(
                "one row is too long, or a quote is left open",
                source=self._place,
                position=f"after row {self._next_row - 1:,}",
                limit=f"{BLOCK:,} bytes a row",
                remedy="check the quotes near that row",
            )
        return InputError(
            "cannot be read as CSV",
            source=self._place,
            position=f"after row {self._next_row - 1:,}",
        )

    def _check_end(self) -> None:
        if self._wanted.allow_truncated:
            return
        if self._stream.last not in (b"\n", b"\r"):
            raise InputError(
                "the last line has no end: the file may be cut",
                source=self._place,
                position=f"after row {self._next_row - 1:,}",
                remedy="write the file again, or say --allow-truncated if it is whole",
            )


def _is_tsv(path: str) -> bool:
    return path.removesuffix(".gz").removesuffix(".zst").endswith((".tsv", ".tab"))


def _record_end(head: bytearray, quote: bytes) -> int:
    """Where the first record ends, its line break included; -1 when it goes on."""
    at = 0
    while True:
        newline, cr = head.find(b"\n", at), head.find(b"\r", at)
        ends = [one for one in (newline, cr) if one >= 0]
        if not ends:
            return -1
        at = min(ends) + 1
        if not quote or head.count(quote, 0, at) % 2 == 0:
            if head[at - 1 : at + 1] == b"\r\n":
                return at + 1
            return -1 if head[at - 1 :] == b"\r" else at
