"""Where extracts come from: paths, folders, globs, standard input; and their bytes, unpacked."""

from __future__ import annotations

import codecs
import glob
import io
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from pipeline.errors import BatchpubError, ConfigurationError, InputError, MachineError
from pipeline.records import SourceFingerprint

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ByteStream", "Place", "open_stream", "resolve_places"]

STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SKIPPED_SUFFIXES: Final = (".crc", ".tmp", ".md5", ".sha256")


@dataclass(frozen=True, slots=True)
class Place:
    """One file to read, or standard input; `size` is None where it cannot be known."""

    path: str
    size: int | None = None
    modified_ns: int | None = None

    def __str__(self) -> str:
        return "standard input" if self.path == STDIN else self.path

    def fingerprint(self, rows: int) -> SourceFingerprint:
        """The file as it was when the run began."""
        return SourceFingerprint(
            path=str(self), bytes=self.size, modified_ns=self.modified_ns, rows=rows
        )


def resolve_places(names: Iterable[str | os.PathLike[str]]) -> list[Place]:
    """Files named by paths, folders (their files, not hidden ones, in order) and globs.

    Raises:
        InputError: something does not exist, is empty of files, or is named twice.
    """
    places: list[Place] = []
    for name in (os.fspath(one) for one in names):
        if name == STDIN:
            places.append(Place(STDIN))
        elif Path(name).is_dir():
            places += _folder(name)
        elif not os.path.lexists(name) and glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - keeps the spelling
            found = [one for one in found if Path(one).is_file() and not _is_marker(one)]
            if not found:
                raise InputError("no file matches", source=name, remedy="check the pattern")
            places += [_file(one) for one in found]
        else:
            places.append(_file(name))
    if not places:
        raise ConfigurationError("no extract given", remedy="name a file, a folder or -")
    seen: set[str] = set()
    for place in places:
        key = place.path if place.path == STDIN else os.path.realpath(place.path)
        if key in seen:
            raise InputError("the same file is given twice", source=place)
        seen.add(key)
    return places


def _folder(name: str) -> list[Place]:
    found = []
    try:
        for folder, folders, files in os.walk(name, onerror=_raise):
            folders[:] = sorted(one for one in folders if not one.startswith((".", "_")))
            found += [
                os.path.join(folder, one)  # noqa: PTH118 - keeps the spelling
                for one in sorted(files)
                if not _is_marker(one)
            ]
    except OSError as error:
        raise _unreadable(error, name) from error
    if not found:
        raise InputError("the folder holds no files", source=name)
    return [_file(one) for one in sorted(found)]


def _is_marker(name: str) -> bool:
    """Files that tools write beside their data: ``_SUCCESS``, checksums, hidden ones."""
    plain = Path(name).name
    return plain.startswith((".", "_")) or plain.endswith(_SKIPPED_SUFFIXES)


def _raise(error: OSError) -> None:
    raise error


def _file(name: str) -> Place:
    try:
        found = Path(name).stat()
    except OSError as error:
        raise _unreadable(error, name) from error
    except ValueError as error:  # a NUL in the name
        raise InputError("not a file name", source=repr(name)) from error
    if not stat.S_ISREG(found.st_mode):
        return Place(name)  # a pipe or device: read once, its size unknown
    return Place(name, found.st_size, found.st_mtime_ns)


def _unreadable(error: OSError, name: object) -> BatchpubError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputError("no such file", source=name, remedy="check the path")
    if isinstance(error, PermissionError):
        return InputError("not readable: permission denied", source=name, remedy="check its mode")
    if isinstance(error, IsADirectoryError):
        return InputError("is a folder, not a file", source=name)
    return MachineError(f"cannot read: {error.strerror or type(error).__name__}", source=name)


def open_file(place: Place) -> IO[bytes]:
    """The raw file, unbuffered; errors are typed."""
    if place.path == STDIN:
        return cast("IO[bytes]", _stdin())
    try:
        return Path(place.path).open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(error, place) from error


def _stdin() -> object:
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


class _Counted(io.RawIOBase):
    """The raw file with a count of bytes taken, for progress, and typed errors."""

    def __init__(self, file: IO[bytes], place: Place, start: bytes) -> None:
        super().__init__()
        self._file, self._place, self._start = file, place, start
        self.taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._start:
            data, self._start = self._start, b""
            return data
        try:
            data = self._file.read(size)
        except OSError as error:
            raise _unreadable(error, self._place) from error
        self.taken += len(data)
        return data

    def close(self) -> None:
        if self._place.path != STDIN:
            self._file.close()
        super().close()


class ByteStream:
    """Decoded bytes of a place: gzip and zstd unpacked, told by content and read to their end.

    `last` is the last byte so far.
    """

    def __init__(self, place: Place, *, encoding: str | None = None) -> None:
        self.place = place
        self._decoder = _decoder(encoding)
        self._file = open_file(place)
        start = self._head()
        self._counted = _Counted(self._file, place, start)
        self._counted.taken = len(start)
        self._source: IO[bytes] | pa.NativeFile = self._counted
        self.codec = next(
            (n for m, n in ((_GZIP, "gzip"), (_ZSTD, "zstd")) if start[:4].startswith(m)), None
        )
        if self.codec:
            import pyarrow as pa

            self._source = pa.CompressedInputStream(self._counted, self.codec)
        self._pushed_back = b""
        self.bytes = 0
        self.last = b""
        self.closed = False

    def _head(self) -> bytes:
        start = b""
        try:
            while len(start) < 4 and (more := self._file.read(65536)):
                start += more
        except OSError as error:
            raise _unreadable(error, self.place) from error
        return start

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the file itself, for progress against its size."""
        return self._counted.taken

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; b"" at the end. Called by pyarrow, from its own thread."""
        if self._pushed_back:
            data, self._pushed_back = self._pushed_back, b""
            if 0 <= size < len(data):
                data, self._pushed_back = data[:size], data[size:]
            return data
        while True:
            raw = self._read_raw(size)
            data = self._decode(raw)
            if data or not raw:
                break
        if data:
            self.bytes += len(data)
            self.last = data[-1:]
        return data

    def push_back(self, data: bytes) -> None:
        """Give `data`, read before, once more."""
        self._pushed_back = data + self._pushed_back

    def _read_raw(self, size: int) -> bytes:
        try:
            return cast("bytes", self._source.read(size))
        except OSError as error:
            raise InputError(
                f"the {self.codec} stream is cut or damaged",
                source=self.place,
                position=f"after about {self.bytes:,} unpacked bytes",
                remedy="write the file again",
            ) from error

    def _decode(self, raw: bytes) -> bytes:
        if self._decoder is None:
            return raw
        try:
            return self._decoder.decode(raw, not raw).encode()
        except UnicodeError as error:
            raise InputError(
                f"not {getattr(error, 'encoding', None) or 'of the given'} encoding",
                source=self.place,
                position=f"after {self.bytes:,} bytes",
                remedy="check --encoding",
            ) from error

    def close(self) -> None:
        """Let the file go."""
        self.closed = True
        self._counted.close()

    def readable(self) -> bool:
        """Part of what pyarrow asks of a file."""
        return True


def _decoder(encoding: str | None) -> codecs.IncrementalDecoder | None:
    if encoding is None:
        return None
    try:
        found = codecs.lookup(encoding)
    except LookupError as error:
        raise ConfigurationError(f"unknown encoding: {encoding!r}", source="--encoding") from error
    if not getattr(found, "_is_text_encoding", True):
        raise ConfigurationError(f"not a text encoding: {encoding!r}", source="--encoding")
    if found.name == "utf-8":
        return None
    return found.incrementaldecoder()


def open_stream(place: Place, *, encoding: str | None = None) -> ByteStream:
    """The unpacked bytes of a place; an empty one is refused."""
    stream = ByteStream(place, encoding=encoding)
    try:
        head = stream.read(65536)
    except BaseException:
        stream.close()
        raise
    if not head:
        stream.close()
        raise InputError("the file is empty", source=place, remedy="check the export that wrote it")
    stream.push_back(head)
    return stream
