"""An export on disk or on standard input, as pieces of bytes, gzip undone."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pipeline.errors import InputError
from pipeline.limits import EXPORT_PIECE

__all__ = ["SourceFile"]

_GZIP: Final = b"\x1f\x8b"
# Deflate reaches 1,032 : 1; an export with every block alike stays far below 200 : 1.
_MAX_EXPANSION: Final = 200
_FREE_EXPANSION: Final = 64 * 1024 * 1024


class SourceFile:
    """Reads `path`, or standard input for "-"; gzip is told by content.

    ``consumed`` counts bytes of the file, ``total`` is its size where it has one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = "standard input" if str(path) == "-" else os.fspath(path)
        self._path = None if str(path) == "-" else Path(path)
        self.consumed = 0
        self.total: int | None = None

    def iter_pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most EXPORT_PIECE bytes.

        Raises:
            InputError: missing, unreadable, or gzip that is cut off, damaged or a bomb.
        """
        with self._errors(), self._open() as file:
            head = file.read(EXPORT_PIECE)
            self.consumed = len(head)
            if head.startswith(_GZIP):
                yield from self._inflate(file, head)
                return
            while head:
                yield head
                head = file.read(EXPORT_PIECE)
                self.consumed += len(head)

    def _open(self) -> IO[bytes]:
        if self._path is None:
            # Closing a duplicate leaves the process its standard input.
            return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        if self._path.is_dir():
            raise InputError("this is a folder", source=self.name, remedy="name the export file")
        file = self._path.open("rb")
        self.total = os.fstat(file.fileno()).st_size or None
        return file

    def _inflate(self, file: IO[bytes], data: bytes) -> Iterator[bytes]:
        """Every member of a gzip stream; the memory for each piece is bounded."""
        produced = 0
        inflater = zlib.decompressobj(wbits=31)
        while True:
            if not data:
                data = file.read(EXPORT_PIECE)
                self.consumed += len(data)
                if not data:
                    break
            if inflater.eof:
                inflater = zlib.decompressobj(wbits=31)
            piece = inflater.decompress(data, EXPORT_PIECE)
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            produced += len(piece)
            if produced > max(_FREE_EXPANSION, self.consumed * _MAX_EXPANSION):
                raise InputError(
                    "the compressed file expands beyond reason",
                    source=self.name,
                    position=f"byte {self.consumed} of the compressed file",
                    limit=f"{_MAX_EXPANSION} : 1",
                    actual=f"{produced // self.consumed} : 1",
                    remedy="decompress it yourself if you trust it",
                )
            if piece:
                yield piece
        if not inflater.eof:
            raise InputError(
                "the compressed file is cut off",
                source=self.name,
                position=f"byte {self.consumed} of the compressed file",
                remedy="get the export again",
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(
                f"cannot read the export: {reason}",
                source=self.name,
                remedy="check the name and its permissions",
            ) from error
        except zlib.error as error:
            raise InputError(
                "the compressed file is damaged",
                source=self.name,
                position=f"byte {self.consumed} of the compressed file",
                remedy="get the export again",
            ) from error
