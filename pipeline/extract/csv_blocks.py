"""CSV text in blocks that end where a record ends, and that every parser reads alike.

Strategy: a block is looked at as a whole, with vector operations. In sound CSV every quote opens a
field (behind a delimiter or line break), closes one (before one) or is half of a doubled pair, so
counting quotes tells where records end. Only a block that breaks this, holds bytes that are not
UTF-8 or blank lines is read record by record. What a parser would misread is taken out: each of
its lines is replaced by one that has too many fields and says, by a mark no file can know, which
refusal it stands for. So the parser counts the rows, and their numbers stay right.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl
import pyarrow as pa

from pipeline.extract.batch import UNBALANCED_QUOTE, WRONG_FIELD_COUNT
from pipeline.extract.places import ByteStream

__all__ = ["CsvBlocks", "Refused"]

_BREAK: Final = re.compile(rb"\r\n|\n|\r")
_BLANK: Final = (b"\n", b"\r", b"\r\n")
_UNDER_WAY: Final = 4  # blocks: one is parsed, one must be known to follow, two wait
_PATIENCE_S: Final = 2.0
Ending = Literal["whole", "open quote", "too long", "backslash"]


class _Loan:
    """Keeps a block's bytes, and says when nobody holds them any more."""

    __slots__ = ("_buffer", "_given_back")

    def __init__(self, buffer: pa.Buffer, given_back: Callable[[], None]) -> None:
        self._buffer, self._given_back = buffer, given_back

    def __del__(self) -> None:
        self._given_back()


@dataclass(frozen=True, slots=True)
class Refused:
    """One line that was taken out; a blank line has no reason and is no row."""

    reason: str | None
    text: str


class CsvBlocks:
    """A file-like source of sound CSV for pyarrow: what is left of `stream`.

    `ending` says why the text ends: "backslash" where quotes seem to be escaped so, "too long"
    where a record exceeds `most`; nothing behind such a place is given. An open quote takes the
    `open_lines` last lines with it.

    Args:
        stream: The text; it must stand at the start of a record.
        delimiter: One ASCII character, no letter or digit.
        quote: One ASCII character, or "" where quotes mean nothing.
        fields: How many fields a record has.
        most: Bytes a record, and a block, may have.
        keep_text: Whether refused lines keep their text.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        delimiter: str,
        quote: str,
        fields: int,
        most: int,
        keep_text: bool,
    ) -> None:
        self.ending: Ending = "whole"
        self.open_lines = 0
        self.closed = False
        self._stream, self._fields, self._most, self._keep = stream, fields, most, keep_text
        self._delimiter, self._quote = delimiter.encode(), quote.encode()
        self._grammar = _Grammar(self._delimiter, self._quote)
        self._mark = secrets.token_hex(16)
        self._refused: dict[int, Refused] = {}
        self._marks = 0
        self._free = threading.BoundedSemaphore(_UNDER_WAY)
        self._carry = b""
        self._ended = False
        self._ready: Iterator[bytes | memoryview] = iter(())

    def readable(self) -> bool:
        """Part of what pyarrow asks of a file."""
        return True

    def read(self, size: int = -1) -> pa.Buffer | bytes:
        """The next block; b"" at the end. Called by pyarrow, from its own thread."""
        del size  # it asks for `most`; a block is at most that and ends where a record does
        while True:
            for block in self._ready:
                return self._lent(block)
            if self._ended:
                return b""
            self._ready = iter(self._next())

    def _lent(self, block: bytes | memoryview) -> pa.Buffer:
        """The block when few others are under way: pyarrow would take 32 of them ahead."""
        buffer, waited_s = pa.py_buffer(block), 0.0
        while not self._free.acquire(timeout=0.05) and not self._stream.closed:
            waited_s += 0.05
            if waited_s > _PATIENCE_S:  # it may keep some for reasons of its own
                return buffer
        loan = _Loan(buffer, self._free.release)
        return pa.foreign_buffer(buffer.address, buffer.size, base=loan)

    def refused(self, text: str) -> Refused | None:
        """What a line with too many fields stands for; None when the file itself holds it."""
        mark, *rest = text.split(self._delimiter.decode(), 2)
        return self._refused.pop(int(rest[0])) if mark == self._mark else None

    def _next(self) -> Sequence[bytes | memoryview]:
        """The blocks in what has been read and what comes next."""
        data = self._filled()
        data, blank_end = self._without_blank_end(data)
        cut = len(data) if self._ended else self._last_end(data)
        blocks: Sequence[bytes | memoryview]
        if cut and self._sound(data, cut):
            blocks, done = [memoryview(data)[:cut]], cut
        elif cut or len(data) >= self._most:
            blocks, done = self._record_by_record(data)
            if not done and not self._ended:
                self._stop("too long")
        else:
            blocks, done = [], 0
        self._carry = data[done:] + blank_end
        return blocks

    def _filled(self) -> bytes:
        """What was carried over and what follows, `most` bytes in all."""
        parts = [self._carry] if self._carry else []
        missing = self._most - len(self._carry)
        while missing > 0:
            part = self._stream.read(missing)
            if not part:
                self._ended = True
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _stop(self, ending: Ending) -> None:
        self.ending, self._ended = ending, True

    def _without_blank_end(self, data: bytes) -> tuple[bytes, bytes]:
        """Blank lines are rows where there is one column, but not those at the end of the file."""
        if self._fields > 1:
            return data, b""
        end = len(data.rstrip(b"\r\n"))
        if found := _BREAK.match(data, end):
            end = found.end() if end else 0
        if len(data) - end > self._most // 2:
            return data, b""
        return data[:end], b"" if self._ended else data[end:]

    def _last_end(self, data: bytes) -> int:
        """Where the last whole record ends, if all quotes are sound; 0 where none does."""
        line_break = b"\n"
        at = data.rfind(line_break)
        if at < 0:
            line_break = b"\r"
            at = data.rfind(line_break, 0, max(len(data) - 1, 0))  # a line feed may follow
        if not self._quote or self._quote not in data:
            return at + 1
        quotes = int((pl.Series(_octets(data)) == ord(self._quote)).sum())
        before = quotes - data.count(self._quote, at + 1)
        while at >= 0 and before % 2:
            previous = data.rfind(line_break, 0, at)
            before -= data.count(self._quote, previous + 1, at + 1)
            at = previous
        return at + 1

    def _sound(self, data: bytes, end: int) -> bool:
        """Whether every parser reads `data` up to `end`, where a record ends, alike."""
        octets = pl.Series(_octets(data)).slice(0, end)
        if self._fields > 1 and _has_blank_line(data, octets):
            return False
        if not data.isascii():
            try:
                _text(data, end).validate(full=True)
            except pa.ArrowInvalid:
                return False
        return not self._quote or self._quote not in data or self._quotes_sound(octets)

    def _quotes_sound(self, octets: pl.Series) -> bool:
        at = (octets == ord(self._quote)).arg_true()
        if at.len() % 2:
            return False
        if not at.len():
            return True
        opening, closing = at.gather_every(2), at.gather_every(2, 1)
        if opening[0] == 0:
            opening = opening.slice(1)
        if closing[-1] == octets.len() - 1:
            closing = closing.slice(0, closing.len() - 1)
        return self._all_edges(octets.gather(opening - 1)) and self._all_edges(
            octets.gather(closing + 1)
        )

    def _all_edges(self, octets: pl.Series) -> bool:
        """Whether all are what may stand beside a quote."""
        edge = octets == ord(self._quote)
        for one in (*self._delimiter, *b"\n\r"):
            edge |= octets == one
        return bool(edge.all())

    def _record_by_record(self, data: bytes) -> tuple[list[bytes], int]:
        """Blocks made of the whole records of `data`, and where these end."""
        blocks: list[bytes] = []
        lines: list[bytes] = []
        size = at = 0
        while at < len(data) and self.ending == "whole":
            sound = self._grammar.record.match(data, at)
            found = sound or self._grammar.any_record.match(data, at)
            end = found.end() if found else len(data)
            if not self._ended and not (found and _is_end(data, end)):
                break
            if sound is None:
                if self._grammar.backslash.search(data, at, end):
                    self._stop("backslash")
                    break
                if found is None:
                    self._stop("open quote")
                    self.open_lines = len(_lines(data[at:]))
            line = self._replacement(data[at:end], sound=sound is not None) or data[at:end]
            if size + len(line) > self._most:
                blocks.append(b"".join(lines))
                lines, size = [], 0
            lines.append(line)
            size += len(line)
            at = end
        blocks.append(b"".join(lines))
        return [block for block in blocks if block], at

    def _replacement(self, record: bytes, *, sound: bool) -> bytes | None:
        """What stands for a record that is taken out; None when it stays."""
        if not sound:
            return b"".join(
                self._marked(line, UNBALANCED_QUOTE if line else None) for line in _lines(record)
            )
        if record in _BLANK and self._fields > 1:
            return self._marked(b"", None)
        if not record.isascii() and self._grammar.fields(record) != self._fields:
            try:
                record.decode()
            except UnicodeDecodeError:  # the parser would fail to name such a row
                return self._marked(record, WRONG_FIELD_COUNT)
        return None

    def _marked(self, line: bytes, reason: str | None) -> bytes:
        text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace") if self._keep else ""
        self._refused[self._marks] = Refused(reason, text)
        fields = [self._mark.encode(), str(self._marks).encode(), *[b""] * (self._fields - 1)]
        self._marks += 1
        return self._delimiter.join(fields) + b"\n"


class _Grammar:
    """Records of one dialect, as patterns that never go back."""

    def __init__(self, delimiter: bytes, quote: bytes) -> None:
        d, q = re.escape(delimiter), re.escape(quote)
        end = rb"(?:\r\n|\n|\r|\Z)"
        plain = rb"[^%s%s\r\n]*+" % (d, q)
        rest = rb"[^%s\r\n]*+" % d
        if quote:
            quoted = rb"%s[^%s]*+(?:%s%s[^%s]*+)*+%s" % (q, q, q, q, q, q)
            field = rb"(?:%s|%s)" % (quoted, plain)
            any_field = rb"(?:%s%s|(?!%s)%s)" % (quoted, rest, q, rest)
        else:
            quoted, field, any_field = rb"(?!)", plain, rest
        self._delimiter = delimiter
        self._quoted = re.compile(quoted)
        self.record = re.compile(rb"%s(?:%s%s)*+%s" % (field, d, field, end))
        # A quote that closes too early: the field goes on up to the next delimiter.
        self.any_record = re.compile(rb"%s(?:%s%s)*+%s" % (any_field, d, any_field, end))
        self.backslash = re.compile(rb"\\%s[^%s%s\r\n]" % (q, d, q) if quote else rb"(?!)")

    def fields(self, record: bytes) -> int:
        """How many fields a sound record has."""
        return self._quoted.sub(b"", record).count(self._delimiter) + 1


def _is_end(data: bytes, end: int) -> bool:
    """Whether a record surely ends there, whatever follows `data`."""
    last = data[end - 1 : end]
    return last == b"\n" or (last == b"\r" and end < len(data))


def _has_blank_line(data: bytes, octets: pl.Series) -> bool:
    """Whether two line breaks may stand in a row, or one at the start."""
    if data.startswith((b"\n", b"\r")):
        return True
    feed = octets == ord("\n")
    second = feed
    if b"\r" in data:
        cr = octets == ord("\r")
        if (cr.slice(0, octets.len() - 1) & cr.slice(1)).any():
            return True
        second = feed | cr
    return bool((feed.slice(0, octets.len() - 1) & second.slice(1)).any())


def _lines(record: bytes) -> list[bytes]:
    """The lines of a record, without their ends."""
    lines = _BREAK.split(record)
    return lines if lines[-1] else lines[:-1]


def _text(data: bytes, end: int) -> pa.Array:
    ends = pa.py_buffer(end.to_bytes(8, "little").rjust(16, b"\0"))
    return pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)])


def _octets(data: bytes) -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
