"""Content codings as streams: wire bytes in, export bytes out, a bounded piece at a time.

Strategy: gzip and deflate are undone with bounded output, so a bomb is refused at the cap before
it fills memory. A compressed stream proves its own end: `close` refuses one that was cut.
A body that is itself a gzip or zstd file (an export stored as ``.gz``) is known by its first
bytes, which no XML or JSON text begins with.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from pipeline.errors import InputError, RemoteError

__all__ = ["ACCEPTED", "Decoder", "open_decoder"]

ACCEPTED: Final = "gzip, deflate"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PIECE: Final = 256 * 1024
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15


class _Stage(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def close(self) -> bytes: ...


class Decoder:
    """The codings of one body, undone in order, with a cap on what comes out.

    Args:
        stages: Codings, outermost first.
        source: The address to name in errors.
        max_bytes: Most bytes that may come out.
    """

    def __init__(self, stages: list[_Stage], *, source: str, max_bytes: int) -> None:
        self._stages = stages
        self._source = source
        self._max_bytes = max_bytes
        self.bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that `data` completes.

        Raises:
            InputError: damaged, or beyond the cap.
        """
        for piece in self._through(data, 0):
            self.bytes += len(piece)
            if self.bytes > self._max_bytes:
                raise InputError(
                    "the export is larger than allowed once decompressed",
                    source=self._source,
                    limit=self._max_bytes,
                    actual=f"more than {self._max_bytes}",
                    remedy="raise --max-expanded if that size is right",
                )
            yield piece

    def close(self) -> bytes:
        """The last bytes, held back until now; refuse a stream that has not reached its end.

        Raises:
            InputError: it was cut.
        """
        rest = b"".join(stage.close() for stage in self._stages)
        self.bytes += len(rest)
        return rest

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._stages):
            if data:
                yield data
            return
        for piece in self._stages[depth].feed(data):
            yield from self._through(piece, depth + 1)


def open_decoder(content_encoding: str, *, source: str, max_bytes: int) -> Decoder:
    """A decoder for the value of ``Content-Encoding`` and a compressed file inside.

    Raises:
        RemoteError: a coding that was not asked for and is not known.
    """
    stages: list[_Stage] = []
    for coding in reversed([part.strip().lower() for part in content_encoding.split(",")]):
        if coding in {"", "identity"}:
            continue
        if coding not in {"gzip", "x-gzip", "deflate"} or len(stages) >= 2:
            raise RemoteError(
                "the export comes in a content coding that is not supported",
                source=source,
                limit=ACCEPTED,
                actual=content_encoding[:60],
            )
        stages.append(_Deflate(source) if coding == "deflate" else _Inflate(_GZIP, source))
    stages.append(_File(source))
    return Decoder(stages, source=source, max_bytes=max_bytes)


class _Inflate:
    """gzip with any number of members, or one zlib or raw deflate stream."""

    def __init__(self, window_bits: int, source: str) -> None:
        self._window_bits = window_bits
        self._source = source
        self._members = 0
        self._inside = False
        self._stream = zlib.decompressobj(window_bits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if not self._inside:
                self._begin()
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error as error:
                raise self._damaged() from error
            if piece:
                yield piece
            if self._stream.eof:
                self._inside = False
                data = self._stream.unused_data
            else:
                data = self._stream.unconsumed_tail
                if not data and len(piece) == _PIECE:
                    yield from self._held_back()

    def close(self) -> bytes:
        if self._inside or not self._members:
            raise InputError("the compressed export ends before its end", source=self._source)
        return b""

    def _held_back(self) -> Iterator[bytes]:
        """Output that zlib still holds although it has taken all the input."""
        while not self._stream.eof and (piece := self._decompress_nothing()):
            yield piece
        if self._stream.eof:
            self._inside = False

    def _decompress_nothing(self) -> bytes:
        try:
            return self._stream.decompress(b"", _PIECE)
        except zlib.error as error:
            raise self._damaged() from error

    def _begin(self) -> None:
        if self._members:
            if self._window_bits != _GZIP:
                raise self._damaged()
            self._stream = zlib.decompressobj(self._window_bits)
        self._members += 1
        self._inside = True

    def _damaged(self) -> InputError:
        return InputError("the compressed export is damaged", source=self._source)


class _Deflate:
    """``deflate``: a zlib stream by the standard, a raw one from some servers."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._inflate: _Inflate | None = None
        self._head = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:
                return
            # RFC 1950 §2.2: method 8 in the low bits, and the two bytes are a multiple of 31.
            wrapped = self._head[0] & 15 == 8 and int.from_bytes(self._head[:2], "big") % 31 == 0
            self._inflate = _Inflate(_ZLIB if wrapped else _RAW, self._source)
            data, self._head = self._head, b""
        yield from self._inflate.feed(data)

    def close(self) -> bytes:
        if self._inflate is None:
            raise InputError("the compressed export ends before its end", source=self._source)
        return self._inflate.close()


class _File:
    """The export itself, or a gzip file that holds it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._head: bytes | None = b""
        self._inflate: _Inflate | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            self._head += data
            if len(self._head) < len(_ZSTD_MAGIC):
                return
            data = self._settle()
        if self._inflate is None:
            yield data
        else:
            yield from self._inflate.feed(data)

    def close(self) -> bytes:
        # An export shorter than the first bytes that are looked at is still held back.
        rest = self._settle() if self._head is not None else b""
        if self._inflate is None:
            return rest
        return b"".join(self._inflate.feed(rest)) + self._inflate.close()

    def _settle(self) -> bytes:
        head = self._head or b""
        self._head = None
        if head.startswith(_GZIP_MAGIC):
            self._inflate = _Inflate(_GZIP, self._source)
        elif head.startswith(_ZSTD_MAGIC):
            raise InputError(
                "the export is a zstd file",
                source=self._source,
                remedy="download it, decompress it and use batchpub parse",
            )
        return head
