"""The two formats of a user list (api.md §1.3), read strictly and told apart by content. Pure.

Strategy: the first line of a batch shows how its lines are written (what stands before and after
the id). Counting then proves, at the speed of memory, that every other line of the batch is
written alike and needs no decoding. A batch that fails the proof is read line by line.

JSON Lines: an object with a string ``auth_user_id`` (or the older ``user_id``), other attributes
are let through. CSV: one value a line, no header; a value with a quote, a comma or a space at its
end must be quoted. A value cannot hold a line end. Ids are not empty. UTF-8 without a byte order
mark, lines end in LF or CRLF, the last one may lack it. An empty list is a list of no users.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from pipeline.errors import InputError

__all__ = ["ListFormat", "ListReader", "iter_ids"]

ListFormat = Literal["jsonl", "csv"]

_MAX_LINE: Final = 64 * 1024
_JSONL_FIRST: Final = re.compile(rb'(\{ ?"(?:auth_)?user_id" ?: ?")[^"\\\n]+("(?: ?)\}\r?\n)')
_CSV_QUOTED_FIRST: Final = re.compile(rb'(")[^"\n]+("\r?\n)')
_CSV_BARE_FIRST: Final = re.compile(rb'()[^"\r\n]+(\r?\n)')
_CONTROL: Final = bytes(code for code in range(0x20) if code not in b"\r\n")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What stands around each id of a batch; `separator` ends one line and begins the next."""

    prefix: bytes
    suffix: bytes

    @property
    def separator(self) -> bytes:
        return self.suffix + self.prefix


class ListReader:
    """Feed the bytes of a list; afterwards `users` and `format` say what it is."""

    def __init__(self) -> None:
        self.users = 0
        self.format: ListFormat = "jsonl"
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Check `data`.

        Raises:
            InputError: a line is not valid; its number is the error's position.
        """
        cut = data.rfind(b"\n") + 1
        if cut:
            self._check(self._rest + data[:cut])
            self._rest = data[cut:]
        else:
            self._rest += data
        if len(self._rest) > _MAX_LINE:
            raise _invalid(self.users + 1, f"longer than {_MAX_LINE} bytes")

    def close(self) -> None:
        """The list has ended; a last line without line end is checked now."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._check(rest + b"\n")

    def _check(self, batch: bytes) -> None:
        if not self._begun:
            self._begun = True
            self.format = _format_of(batch)
        shape = _shape_of(batch, self.format)
        if shape is not None:
            self.users += batch.count(b"\n")
            return
        for line in batch[:-1].split(b"\n"):
            _id_of(line, self.format, self.users + 1)
            self.users += 1


def iter_ids(chunks: Iterable[bytes], list_format: ListFormat) -> Iterator[list[str]]:
    """The ids of a list that `ListReader` found valid, a batch at a time."""
    rest = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield _ids_of(rest + chunk[:cut], list_format)
            rest = chunk[cut:]
        else:
            rest += chunk
    if rest:
        yield _ids_of(rest + b"\n", list_format)


def _ids_of(batch: bytes, list_format: ListFormat) -> list[str]:
    shape = _shape_of(batch, list_format)
    if shape is not None:
        inner = batch[len(shape.prefix) : len(batch) - len(shape.suffix)].decode()
        return inner.split(shape.separator.decode())
    lines = batch[:-1].split(b"\n")
    return [_id_of(line, list_format, number) for number, line in enumerate(lines, 1)]


def _format_of(batch: bytes) -> ListFormat:
    if batch.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _invalid(1, "begins with a byte order mark")
    if batch.startswith(b"["):
        raise _invalid(1, "begins a JSON array; send one object a line")
    return "jsonl" if batch.startswith(b"{") else "csv"


def _shape_of(batch: bytes, list_format: ListFormat) -> _Shape | None:
    """How all lines of the batch are written, or None where that could not be proved."""
    if list_format == "jsonl":
        match = _JSONL_FIRST.match(batch)
    else:
        match = _CSV_QUOTED_FIRST.match(batch) or _CSV_BARE_FIRST.match(batch)
    if match is None:
        return None
    shape = _Shape(match[1], match[2])
    users = batch.count(b"\n")
    quotes = (shape.prefix + shape.suffix).count(b'"')
    returns = shape.suffix.count(b"\r")
    proved = (
        batch.endswith(shape.suffix)
        # Every line end but the last is inside a separator, so every line has the shape.
        and batch.count(shape.separator) == (users - 1 if shape.prefix else users)
        # No quote, backslash or control character is left for an id to hold.
        and batch.count(b'"') == users * quotes
        and batch.count(b"\r") == users * returns
        and b"\\" not in batch
        and len(batch.translate(None, _CONTROL)) == len(batch)
        and not _holds_unusual(batch, shape)
        and not _has_long_line(batch)
    )
    return shape if proved and _is_utf8(batch) else None


def _holds_unusual(batch: bytes, shape: _Shape) -> bool:
    """Is an id empty, or a bare CSV value one that asks for a closer look?"""
    if shape.prefix:
        empty = shape.prefix + shape.suffix
        return batch.startswith(empty) or shape.separator + shape.suffix in batch
    return b"," in batch or b" " in batch or b"\n\n" in batch or b"\n\r" in batch


def _has_long_line(batch: bytes) -> bool:
    at = 0
    while len(batch) - at > _MAX_LINE + 1:
        end = batch.rfind(b"\n", at, at + _MAX_LINE + 1)
        if end < 0:
            return True
        at = end + 1
    return False


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _id_of(line: bytes, list_format: ListFormat, number: int) -> str:
    if len(line) > _MAX_LINE:
        raise _invalid(number, f"longer than {_MAX_LINE} bytes")
    line = line.removesuffix(b"\r")
    if not line.strip():
        raise _invalid(number, "blank")
    user_id = _json_id(line, number) if list_format == "jsonl" else _csv_id(line, number)
    if not user_id:
        raise _invalid(number, "an empty id")
    return user_id


def _json_id(line: bytes, number: int) -> str:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _invalid(number, "not JSON") from error
    if not isinstance(value, dict):
        raise _invalid(number, "not a JSON object")
    user_id = value.get("auth_user_id", value.get("user_id"))
    if not isinstance(user_id, str):
        raise _invalid(number, "without a string auth_user_id")
    return user_id


def _csv_id(line: bytes, number: int) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _invalid(number, "not UTF-8") from error
    if "\0" in text or "\r" in text:
        raise _invalid(number, "a NUL or carriage return inside")
    if text.startswith('"'):
        inner = text[1:-1]
        if len(text) < 2 or not text.endswith('"') or '"' in inner.replace('""', ""):
            raise _invalid(number, "a quoted value that does not end, or more than one value")
        return inner.replace('""', '"')
    if '"' in text or "," in text:
        raise _invalid(number, "more than one value, or a quote in a bare value")
    if text != text.strip(" \t"):
        raise _invalid(number, "a bare value with outer space")
    return text


def _invalid(number: int, what: str) -> InputError:
    return InputError(f"line {number} of the list is not valid: {what}", position=f"line {number}")
