"""Content codings as streams: wire bytes in, export bytes out, a bounded piece at a time.

Strategy: each coding is undone with bounded output, so a bomb is refused at the cap before
it fills memory. A compressed stream proves its own end: `close` refuses one that was cut.
A body that is itself a gzip or zstd file (an export stored as ``.gz``) is known by its first
bytes, which no XML or JSON text begins with.
"""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from pipeline.errors import InputError, RemoteError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["ACCEPTED", "Decoder", "open_decoder"]

ACCEPTED: Final = "gzip, deflate, zstd"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PIECE: Final = 256 * 1024
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15
# 128 MiB, what the zstd command takes too; the decoder holds the window of the file it reads.
_ZSTD_WINDOW_LOG: Final = 27


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
        if coding not in _CODINGS or len(stages) >= 2:
            raise RemoteError(
                "the export comes in a content coding that is not supported",
                source=source,
                limit=ACCEPTED,
                actual=content_encoding[:60],
            )
        stages.append(_CODINGS[coding](source))
    stages.append(_File(source))
    return Decoder(stages, source=source, max_bytes=max_bytes)


class _Stream(Protocol):
    """One compressed stream: takes input, gives at most `_PIECE` bytes each time."""

    @property
    def ended(self) -> bool: ...

    @property
    def rest(self) -> bytes: ...

    def take(self, data: bytes) -> bytes: ...


class _ZlibStream:
    """gzip, zlib or raw deflate, by `window_bits`."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    @property
    def ended(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def take(self, data: bytes) -> bytes:
        return self._stream.decompress(data or self._stream.unconsumed_tail, _PIECE)


class _ZstdStream:
    """One frame of zstd; one whose window is larger than `_ZSTD_WINDOW_LOG` is refused."""

    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        self._stream = zstd.ZstdDecompressor(options=options)

    @property
    def ended(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def take(self, data: bytes) -> bytes:
        return self._stream.decompress(data, _PIECE)


class _Unpack:
    """Streams of one kind, one after another; `several` says whether there may be more than one."""

    def __init__(self, open_stream: Callable[[], _Stream], source: str, *, several: bool) -> None:
        self._open_stream = open_stream
        self._source = source
        self._several = several
        self._stream: _Stream | None = None
        self._streams = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            stream = self._stream = self._stream or self._begin()
            piece = self._take(stream, data)
            yield piece
            # A piece that is full says that there may be more of what the stream has taken.
            while len(piece) == _PIECE and not stream.ended:
                piece = self._take(stream, b"")
                yield piece
            data = b""
            if stream.ended:
                data, self._stream = stream.rest, None

    def close(self) -> bytes:
        if self._stream is not None or not self._streams:
            raise InputError("the compressed export ends before its end", source=self._source)
        return b""

    def _begin(self) -> _Stream:
        if self._streams and not self._several:
            raise self._damaged()
        self._streams += 1
        return self._open_stream()

    def _take(self, stream: _Stream, data: bytes) -> bytes:
        try:
            return stream.take(data)
        except (zlib.error, zstd.ZstdError) as error:
            raise self._damaged() from error

    def _damaged(self) -> InputError:
        return InputError("the compressed export is damaged", source=self._source)


def _gzip(source: str) -> _Unpack:
    return _Unpack(functools.partial(_ZlibStream, _GZIP), source, several=True)


def _zstd(source: str) -> _Unpack:
    return _Unpack(_ZstdStream, source, several=True)


class _Deflate:
    """``deflate``: a zlib stream by the standard, a raw one from some servers."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._inflate: _Unpack | None = None
        self._head = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:
                return
            # RFC 1950 §2.2: method 8 in the low bits, and the two bytes are a multiple of 31.
            wrapped = self._head[0] & 15 == 8 and int.from_bytes(self._head[:2], "big") % 31 == 0
            bits = _ZLIB if wrapped else _RAW
            self._inflate = _Unpack(
                functools.partial(_ZlibStream, bits), self._source, several=False
            )
            data, self._head = self._head, b""
        yield from self._inflate.feed(data)

    def close(self) -> bytes:
        if self._inflate is None:
            raise InputError("the compressed export ends before its end", source=self._source)
        return self._inflate.close()


class _File:
    """The export itself, or a gzip or zstd file that holds it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._head: bytes | None = b""
        self._unpack: _Unpack | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            self._head += data
            if len(self._head) < len(_ZSTD_MAGIC):
                return
            data = self._settle()
        if self._unpack is None:
            yield data
        else:
            yield from self._unpack.feed(data)

    def close(self) -> bytes:
        # An export shorter than the first bytes that are looked at is still held back.
        rest = self._settle() if self._head is not None else b""
        if self._unpack is None:
            return rest
        return b"".join(self._unpack.feed(rest)) + self._unpack.close()

    def _settle(self) -> bytes:
        head = self._head or b""
        self._head = None
        if head.startswith(_GZIP_MAGIC):
            self._unpack = _gzip(self._source)
        elif head.startswith(_ZSTD_MAGIC):
            self._unpack = _zstd(self._source)
        return head


_CODINGS: Final[dict[str, Callable[[str], _Stage]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _Deflate,
    "zstd": _zstd,
}
