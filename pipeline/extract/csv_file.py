"""CSV and its kin, read strictly: a row with another number of fields than the header is refused.

Strategy: the header is taken off here, the rest goes through `CsvBlocks`, which takes out what
parsers misread, to pyarrow's streaming reader, which hands back the wanted columns as bytes (types
are never inferred) and names every row of another length. A quote left open would swallow the rows
behind it, so it refuses the file.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import Final, Literal

import pyarrow as pa
import pyarrow.csv as pacsv

from pipeline.errors import InputError
from pipeline.extract.batch import WRONG_FIELD_COUNT, ExtractBatch, Reject, Wanted
from pipeline.extract.columns import pick_columns, refuse_duplicates
from pipeline.extract.csv_blocks import CsvBlocks
from pipeline.extract.places import ByteStream, Place, open_stream
from pipeline.extract.rows import good_rows
from pipeline.extract.times import TimeReader

__all__ = ["read_csv"]

BLOCK: Final = 4 * 1024 * 1024  # one record must fit; larger blocks cost memory and gain no speed
_BOM: Final = b"\xef\xbb\xbf"
_ZEROS_OF_BINARY: Final = 20  # one byte in so many: UTF-16 has far more, a stray one is a bad row


def read_csv(place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of one CSV file; row 1 is the header, or the first row where columns were named.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the file is empty, cut, not text, or leaves a quote open.
    """
    delimiter = wanted.delimiter or ("\t" if _is_tsv(place.path) else ",")
    stream = open_stream(place, encoding=wanted.encoding)
    try:
        yield from _Reader(stream, wanted, delimiter).batches()
    finally:
        stream.close()


class _Reader:
    def __init__(self, stream: ByteStream, wanted: Wanted, delimiter: str) -> None:
        self._stream, self._wanted, self._place = stream, wanted, stream.place
        self._times = TimeReader(
            wanted.timezone, wanted.time_unit, now_us=wanted.now_us, source=self._place
        )
        self._delimiter = delimiter
        self._before = 0  # rows before the first that pyarrow sees
        self._skip_bom()
        self._header = list(wanted.columns) or self._take_header()
        refuse_duplicates(self._header, source=self._place)
        self._picked = pick_columns(self._header, wanted, source=self._place)
        self._blocks = CsvBlocks(
            stream,
            delimiter=delimiter,
            quote=wanted.quote,
            fields=len(self._header),
            most=BLOCK,
            keep_text=wanted.keep_values,
        )
        self._next_row = self._before + 1
        self._gone: deque[tuple[int, Reject | None]] = deque()

    def batches(self) -> Iterator[ExtractBatch]:
        try:
            reader = self._open()
            while reader is not None:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    break
                yield self._batch(batch.num_rows, batch.columns)
        except pa.ArrowInvalid as error:
            raise InputError(
                "cannot be read as CSV",
                source=self._place,
                position=f"after row {self._next_row - 1:,}",
            ) from error
        if self._gone:  # refused rows behind the last good one
            none = [pa.array([], pa.binary()) for _ in self._picked.names]
            yield self._batch(0, none, last=True)
        self._check_end()

    def _skip_bom(self) -> None:
        head = self._stream.read(65536)
        self._stream.push_back(head.removeprefix(_BOM))
        if head.count(0) * _ZEROS_OF_BINARY > len(head):
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

    def _take_header(self) -> list[str]:
        """The first row that is not blank."""
        record = b"\n"
        while record and not record.strip(b"\r\n"):
            record = self._take_record()
            self._before += 1
        try:
            text = record.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                "the header is not UTF-8",
                source=self._place,
                position=f"row {self._before}, byte {error.start + 1}",
                remedy="say the encoding with --encoding",
            ) from error
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self._wanted.quote else csv.QUOTE_NONE
        lines = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self._delimiter,
            quotechar=self._wanted.quote or None,
            quoting=quoting,
            strict=True,
        )
        try:
            return next(lines, [])
        except csv.Error as error:
            raise InputError(
                "the header cannot be read: check its quotes",
                source=self._place,
                position=f"row {self._before}",
            ) from error

    def _take_record(self) -> bytes:
        """The next row, its line break included."""
        head = bytearray()
        end = -1
        while end < 0 and len(head) < BLOCK:
            more = self._stream.read(65536)
            if not more:
                break
            head += more
            end = _record_end(head, self._wanted.quote.encode())
        if end < 0 and len(head) >= BLOCK:
            raise InputError(
                "no line break where the header should end",
                source=self._place,
                position=f"row {self._before + 1}",
                limit=f"{BLOCK:,} bytes",
                remedy="name a CSV file with a header",
            )
        end = len(head) if end < 0 else end
        self._stream.push_back(bytes(head[end:]))
        return bytes(head[:end])

    def _open(self) -> pacsv.CSVStreamingReader | None:
        try:
            return pacsv.open_csv(
                self._blocks,
                read_options=pacsv.ReadOptions(
                    block_size=BLOCK, use_threads=False, column_names=self._header
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._delimiter,
                    quote_char=self._wanted.quote or False,
                    newlines_in_values=False,  # it is about blocks, and they end with a record
                    ignore_empty_lines=False,  # those of many columns have been taken out
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
        reason: str | None = WRONG_FIELD_COUNT
        text = row.text
        if refused := self._blocks.refused(text):
            reason, text = refused.reason, refused.text
        kept = text if self._wanted.keep_values else None
        self._gone.append((number, Reject(number, reason, kept) if reason else None))
        return "skip"

    def _batch(self, count: int, columns: list[pa.Array], *, last: bool = False) -> ExtractBatch:
        """A batch of `count` good rows and the refused ones between them; all that are left."""
        first, end = self._next_row, self._next_row + count
        gone = []
        while self._gone and (last or self._gone[0][0] < end):
            gone.append(self._gone.popleft())
            end += 1
        self._next_row = end
        rows = None
        if gone:
            skipped = {row for row, _ in gone}
            rows = pa.array([n for n in range(first, end) if n not in skipped], pa.int64())
        return good_rows(
            place=self._place,
            picked=self._picked,
            columns=columns,
            times=self._times,
            wanted=self._wanted,
            first_row=first,
            rows=rows,
            rejects=[reject for _, reject in gone if reject],
            bytes_read=self._stream.bytes_read,
        )

    def _check_end(self) -> None:
        ending = self._blocks.ending
        if ending == "backslash":
            raise InputError(
                "quotes are escaped with backslashes, which loses rows and changes values",
                source=self._place,
                position=f"row {self._next_row:,}",
                remedy="write the file with doubled quotes inside quoted fields",
            )
        if ending == "too long":
            raise InputError(
                "one row is too long, or a quote is left open",
                source=self._place,
                position=f"row {self._next_row:,}",
                limit=f"{BLOCK:,} bytes a row",
                remedy="check the quotes of that row, or say --quote '' if quotes mean nothing",
            )
        if self._wanted.allow_truncated:
            return
        if ending == "open quote":
            raise InputError(
                "a quote is left open: the file may be cut",
                source=self._place,
                position=f"row {self._next_row - self._blocks.open_lines:,}",
                remedy="write the file again, or say --quote '' if quotes mean nothing in it",
            )
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
