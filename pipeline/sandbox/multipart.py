"""Push parser of multipart/form-data (RFC 7578), written for what real clients send. Pure.

Strategy: one buffer and four states (preamble, boundary line, part headers, part data). The
buffer is seeded with CRLF, so that a boundary at the very start looks like every other one. Part
data is handed out as it comes, except a tail that may be the beginning of a boundary: the buffer
never grows beyond one fed chunk and that tail, or the limit of the state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InputError

__all__ = ["FormParser", "PartBegin", "PartEnd", "boundary_of", "header_parameters"]

_MAX_HEADERS: Final = 16 * 1024
_MAX_PREAMBLE: Final = 64 * 1024
_MAX_PADDING: Final = 128
# RFC 2046: 1 to 70 of these characters, not ending in a space.
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER: Final = re.compile(
    r";\s*([^\s=;\"]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\"]*))\s*(?=;|$)", re.DOTALL
)
# Anything else would have to be decoded before it is stored.
_PLAIN_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; `name` is None where Content-Disposition gives none."""

    name: str | None


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is whole."""


def header_parameters(value: str) -> dict[str, str]:
    """Parameters of a header value by lower-case name: quoted, bare and extended (``name*``)."""
    _, semicolon, rest = value.partition(";")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(semicolon + rest):
        name, quoted, bare = match.groups()
        text = bare.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found.setdefault(name.lower(), text)
    return found


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/form-data header.

    Raises:
        InputError: it is missing or not as RFC 2046 has it.
    """
    boundary = header_parameters(content_type).get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise InputError("the Content-Type names no valid boundary of 1 to 70 characters")
    return boundary.encode("ascii")


class FormParser:
    """Feed the body, get `PartBegin`, data and `PartEnd`; `close` proves that it was whole."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"
        self._taken = -2
        self._step: Callable[[], PartBegin | bytes | PartEnd | None] = self._preamble
        self._closed = False

    def feed(self, data: bytes) -> Iterator[PartBegin | bytes | PartEnd]:
        """What `data` completes, in order; consume it before the next call."""
        if self._closed:
            return
        self._buffer = self._buffer + data if self._buffer else data
        while not self._closed:
            before = self._step
            event = self._step()
            if event is not None:
                yield event
            elif self._step == before:
                return

    def close(self) -> None:
        """The body has ended.

        Raises:
            InputError: it ended before the closing boundary.
        """
        if not self._closed:
            raise InputError("the body ends before the closing boundary", position=self._position())

    def _position(self) -> str:
        return f"byte {max(self._taken, 0)} of the body"

    def _drop(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        self._taken += count
        return taken

    def _preamble(self) -> None:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            if len(self._buffer) > _MAX_PREAMBLE:
                raise InputError("no boundary of the Content-Type begins the body")
            return
        self._drop(at + len(self._delimiter))
        self._step = self._boundary_line

    def _boundary_line(self) -> None:
        if self._buffer.startswith(b"--"):
            self._closed = True
            return
        end = self._buffer.find(b"\r\n", 0, _MAX_PADDING)
        if end < 0 and len(self._buffer) < _MAX_PADDING:
            return
        if end < 0 or self._buffer[:end].strip(b" \t"):
            raise InputError("a boundary is not followed by CRLF", position=self._position())
        # The CRLF stays: it makes a part without headers look like the end of a header block.
        self._drop(end)
        self._step = self._headers

    def _headers(self) -> PartBegin | None:
        end = self._buffer.find(b"\r\n\r\n", 0, _MAX_HEADERS)
        if end < 0:
            if len(self._buffer) >= _MAX_HEADERS:
                raise InputError("the headers of a part are too long", position=self._position())
            return None
        begin = PartBegin(_part_name(self._buffer[:end], self._position()))
        self._drop(end + 4)
        self._step = self._data
        return begin

    def _data(self) -> bytes | PartEnd | None:
        at = self._buffer.find(self._delimiter)
        if at > 0:
            return self._drop(at)
        if at == 0:
            self._drop(len(self._delimiter))
            self._step = self._boundary_line
            return PartEnd()
        free = len(self._buffer) - len(self._delimiter) + 1
        return self._drop(free) if free > 0 else None


def _part_name(block: bytes, position: str) -> str | None:
    name: str | None = None
    for line in block.decode("utf-8", "surrogateescape").split("\r\n"):
        if not line:
            continue
        field, colon, value = line.partition(":")
        if not colon or field != field.strip():
            raise InputError("a part header is not 'Name: value'", position=position)
        value = value.strip()
        if field.lower() == "content-disposition":
            if value.partition(";")[0].strip().lower() != "form-data":
                raise InputError("a part is not form-data", position=position)
            name = header_parameters(value).get("name")
        elif field.lower() == "content-transfer-encoding" and value.lower() not in _PLAIN_ENCODINGS:
            raise InputError("a part must not be encoded for transfer", position=position)
    return name
