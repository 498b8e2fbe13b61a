"""The JSON export: JSON Lines, one array, or ``{"users": […]}``, record by record.

Strategy: a regular expression jumps from bracket to bracket, over strings, to find where each
record ends; orjson parses that record alone. So memory is that of one record, whatever the whole
is, and a deep or endless one is refused before it is parsed. Input is worked on in pieces of a
fixed size, and no byte is looked at more than a bounded number of times.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final

import orjson

from pipeline.errors import InputError
from pipeline.export.json_records import NotAUserError, build_user, count_keys
from pipeline.limits import (
    EXPORT_MAX_DEPTH,
    EXPORT_MAX_ELEMENTS,
    EXPORT_MAX_USER,
    EXPORT_MAX_VALUE,
    EXPORT_PIECE,
)
from pipeline.records import UserRecommendations

__all__ = ["JsonExportReader"]

_SPACE: Final = b" \t\r\n"
_BLANKS: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# Everything up to the next bracket; it ends before a quote whose string is not whole yet.
_SKIP: Final = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_KEY: Final = re.compile(rb'"[ \t\r\n]*+:')
_WRAPPER: Final = re.compile(rb'\{[ \t\r\n]*"users"[ \t\r\n]*:[ \t\r\n]*\[')
_LOOK: Final = 1024
_CUT_OFF: Final = "the export is cut off: get it again"
_DOWNLOAD_AGAIN: Final = "get the export again; if it stays so, tell the vendor"
_OPENING: Final = b"{["


class JsonExportReader:
    """Pushed parser of the JSON export; an `ExportReader`.

    Invariant: `_held` begins at byte `_offset` of the export, which is on line `_line`, whose
    first byte is `_line_start`; `_scanned` bytes of it have been looked at, `_depth` brackets of
    the record that begins `_held` are open there.

    Args:
        source: What errors name as their source.
        piece_bytes: How many bytes are looked at together; of interest to tests only.
    """

    ignored_elements = 0

    def __init__(self, *, source: object = None, piece_bytes: int = EXPORT_PIECE) -> None:
        self._source = source
        self._piece_bytes = piece_bytes
        self._waiting = bytearray()
        self._held = b""
        self._offset = self._line_start = 0
        self._line = 1
        self._scanned = self._depth = 0
        self._form: str | None = None
        self._state = "first"
        self._failure: InputError | None = None
        self._closed = False

    def feed(self, data: bytes) -> list[UserRecommendations]:
        """Take the next bytes of the export; return the users that are complete.

        Raises:
            InputError: the export must not be used; with line, column and byte offset.
        """
        self._check_open()
        self._waiting += data
        users: list[UserRecommendations] = []
        size = self._piece_bytes
        if len(self._waiting) >= size:
            whole = len(self._waiting) - len(self._waiting) % size
            work = bytes(memoryview(self._waiting)[:whole])
            del self._waiting[:whole]
            for start in range(0, whole, size):
                self._held += work[start : start + size]
                self._advance(users, final=False)
        return users

    def close(self) -> list[UserRecommendations]:
        """Take the end of the export; return the last users.

        Raises:
            InputError: the export is not whole, or must not be used.
        """
        self._check_open()
        self._closed = True
        self._held += bytes(self._waiting)
        self._waiting.clear()
        users: list[UserRecommendations] = []
        self._advance(users, final=True)
        if self._form is None:
            raise self._refusal("the export is empty", 0, remedy="check that the export is ready")
        done = "end" if self._form != "lines" else "separator"
        if self._held or self._state not in (done, "first" if self._form == "lines" else done):
            raise self._refusal("the JSON ends too early", len(self._held), remedy=_CUT_OFF)
        return users

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ValueError("the reader is closed")

    def _advance(self, users: list[UserRecommendations], *, final: bool) -> None:
        """Take from `_held` whatever is complete."""
        if self._form is None and not self._tell_form(final=final):
            return
        while True:
            if not self._scanned and not self._to_record():
                return
            end = self._find_end()
            if end is None:
                return
            users.append(self._parse(self._held[:end]))
            self._consume(end)
            self._scanned = 0
            self._state = "separator"

    def _tell_form(self, *, final: bool) -> bool:
        if not self._offset and self._held.startswith(codecs.BOM_UTF8):
            self._held = self._held[3:]
            self._offset = self._line_start = 3
        self._consume(_blank_length(self._held, 0))
        if not self._held or (len(self._held) < _LOOK and not final):
            return False
        wrapper = _WRAPPER.match(self._held[:_LOOK])
        if wrapper is not None:
            self._form = "wrapper"
            self._consume(wrapper.end())
        elif self._held.startswith(b"["):
            self._form = "array"
            self._consume(1)
        else:
            self._form = "lines"
        return True

    def _to_record(self) -> bool:
        """Go to the next record, checking what stands between; False when there is none yet."""
        while True:
            blanks = _blank_length(self._held, 0)
            if self._form == "lines" and self._state == "separator":
                line_ends = b"\n" in self._held[:blanks]
                if not line_ends and len(self._held) > blanks:
                    raise self._refusal("a record does not end its line", blanks)
                if line_ends:
                    self._state = "first"
            self._consume(blanks)
            if not self._held:
                return False
            mark = self._held[:1]
            if self._state == "end":
                raise self._refusal("something follows the export", 0)
            if mark == b"{" and self._state in ("first", "value"):
                return True
            if self._form == "lines":
                raise self._refusal("a line is not a JSON object", 0)
            if mark == b"," and self._state == "separator":
                self._state = "value"
            elif mark == b"]" and self._state in ("first", "separator"):
                self._state = "end" if self._form == "array" else "brace"
            elif mark == b"}" and self._state == "brace":
                self._state = "end"
            else:
                raise self._refusal("not a list of JSON objects", 0)
            self._consume(1)

    def _find_end(self) -> int | None:
        """Where the record that begins `_held` ends; None when it is not whole yet."""
        held, position, depth = self._held, self._scanned, self._depth
        size = len(held)
        while True:
            position = _skip_length(held, position)
            if position >= size or held[position] == 0x22:
                break
            if held[position] in _OPENING:
                depth += 1
                if depth > EXPORT_MAX_DEPTH:
                    raise self._refusal(
                        "values are nested too deeply",
                        position,
                        limit=EXPORT_MAX_DEPTH,
                        actual=depth,
                    )
            else:
                depth -= 1
            position += 1
            if depth == 0:
                self._depth = 0
                self._check_size(position)
                return position
        self._scanned, self._depth = max(1, position), depth
        if size - position > EXPORT_MAX_VALUE:
            raise self._too_long(position, size - position)
        self._check_size(size)
        return None

    def _check_size(self, size: int) -> None:
        if size > EXPORT_MAX_USER:
            raise self._refusal("one user is too large", 0, limit=EXPORT_MAX_USER, actual=size)

    def _parse(self, raw: bytes) -> UserRecommendations:
        if len(raw) > EXPORT_MAX_VALUE:
            for match in _STRING.finditer(raw):
                if match.end() - match.start() - 2 > EXPORT_MAX_VALUE:
                    raise self._too_long(match.start(), match.end() - match.start() - 2)
        self._check_elements(raw)
        try:
            record = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise self._explain(raw, error) from error
        if len(_KEY.findall(raw)) != count_keys(record) and _repeats_key(raw):
            raise self._refusal("an object names a key twice", 0)
        try:
            return build_user(record)
        except NotAUserError as error:
            raise self._refusal(str(error), 0) from error

    def _check_elements(self, raw: bytes) -> None:
        """Refuse a user of too many values; marks inside strings only count where it is close."""
        if len(raw) <= EXPORT_MAX_ELEMENTS or _count_values(raw) <= EXPORT_MAX_ELEMENTS:
            return
        actual = _count_values(_STRING.sub(b"", raw))
        if actual > EXPORT_MAX_ELEMENTS:
            message = "one user has too many values"
            raise self._refusal(message, 0, limit=EXPORT_MAX_ELEMENTS, actual=actual)

    def _explain(self, raw: bytes, error: orjson.JSONDecodeError) -> InputError:
        try:
            at = len(raw.decode()[: error.pos].encode())
            message = f"not JSON: {error.msg}"
        except UnicodeDecodeError as undecodable:
            at = undecodable.start
            message = "not UTF-8"
        return self._refusal(message, at)

    def _consume(self, count: int) -> None:
        """Drop the first bytes of `_held`, keeping the position."""
        if not count:
            return
        gone = self._held[:count]
        self._held = self._held[count:]
        newline = gone.rfind(b"\n")
        if newline >= 0:
            self._line += gone.count(b"\n")
            self._line_start = self._offset + newline + 1
        self._offset += count

    def _too_long(self, at: int, size: int) -> InputError:
        return self._refusal("a value is too long", at, limit=EXPORT_MAX_VALUE, actual=size)

    def _refusal(
        self,
        message: str,
        at: int,
        *,
        remedy: str = _DOWNLOAD_AGAIN,
        limit: int | None = None,
        actual: int | None = None,
    ) -> InputError:
        """An InputError at byte `at` of `_held`; later calls raise it again. Columns are bytes."""
        self._consume(at)
        self._failure = InputError(
            message,
            source=self._source,
            position=f"line {self._line}, column {self._offset - self._line_start + 1}, "
            f"byte {self._offset}",
            remedy=remedy,
            limit=limit,
            actual=actual,
        )
        return self._failure


def _blank_length(data: bytes, position: int) -> int:
    match = _BLANKS.match(data, position)
    return match.end() if match else position


def _skip_length(data: bytes, position: int) -> int:
    match = _SKIP.match(data, position)
    return match.end() if match else position


def _count_values(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"{") + raw.count(b"[")


def _repeats_key(raw: bytes) -> bool:
    """Whether any object names a key twice; slower, so only asked when the counts differ."""
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) < len(pairs)

    json.loads(raw, object_pairs_hook=look)
    return repeated
