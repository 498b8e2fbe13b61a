"""Quotes that would change a value without a word: ``"a"x`` reads as ``ax`` in lenient parsers.

In sound CSV every quote opens a field (behind a delimiter or line break), closes one (before a
delimiter or line break) or is half of a doubled pair, unless its field is not quoted at all. A
block is searched for other quotes with vector operations; only their lines are looked at singly.
"""

from __future__ import annotations

import csv
from typing import Final

import polars as pl
import pyarrow as pa

from pipeline.errors import InputError

__all__ = ["QuoteCheck"]

_LF, _CR = 10, 13
_LONGEST_LINE: Final = 4 * 1024 * 1024


class QuoteCheck:
    """Fed with all blocks of a file in order; raises on the first quote that is out of place.

    Counts the quotes, too: an odd number means that one is left open.
    """

    def __init__(self, *, quote: str, delimiter: str, source: object) -> None:
        self.quotes = 0
        self._quote, self._delimiter, self._source = quote, delimiter, source
        self._carry = b""

    def feed(self, block: bytes) -> None:
        """The next bytes of the file.

        Raises:
            InputError: a quoted field goes on behind its closing quote.
        """
        data = self._carry + block
        if self._quote.encode() not in data:
            self._carry = _tail(data)
            return
        values = pl.Series(_bytes(data))
        quotes = values == ord(self._quote)
        self.quotes += int((values.slice(len(self._carry)) == ord(self._quote)).sum())
        sound = quotes | (values == ord(self._delimiter)) | (values == _LF) | (values == _CR)
        inner = len(data) - 2
        if inner > 0:
            lone = quotes.slice(1, inner) & ~sound.slice(0, inner) & ~sound.slice(2, inner)
            if lone.any():
                for at in lone.arg_true():
                    self._look_at(data, at + 1)
        self._carry = _tail(data)

    def _look_at(self, data: bytes, at: int) -> None:
        start = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        line = data[start : end if end >= 0 else len(data)].decode("utf-8", "replace")
        try:
            list(csv.reader([line], delimiter=self._delimiter, quotechar=self._quote, strict=True))
        except csv.Error as error:
            if "expected after" not in str(error):
                return  # the line is part of a field with line breaks
            raise InputError(
                "a quoted field goes on behind its closing quote",
                source=self._source,
                remedy="write the file with doubled quotes inside quoted fields",
            ) from error


def _tail(data: bytes) -> bytes:
    """From the last line break on, at least two bytes: what the next block continues."""
    line = max(data.rfind(b"\n"), len(data) - _LONGEST_LINE)
    return data[max(0, min(line, len(data) - 2)) :]


def _bytes(data: bytes) -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
