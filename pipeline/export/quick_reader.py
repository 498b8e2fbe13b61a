"""The XML export, read the short way where it is plain and with the reference reader elsewhere.

Strategy: between two users of a well-formed export any number of whole, well-formed users can be
left out and the rest is as well-formed as before. So one expat parser goes through the export from
the first byte to the last, and steps over the users that `parse_plain` has read. What that does
not read (anything but the plainest form), the prolog, the end and every damage is expat's, with
its own words and the place in the whole. Chunks end at ``</user>``; one inside a comment or CDATA
is no end, and shows as such because expat, given the chunk, does not come to stand between users.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

from pipeline.errors import InputError
from pipeline.export.plain_users import MAX_PLAIN, parse_plain
from pipeline.export.xml_reader import XmlExportReader
from pipeline.limits import EXPORT_PIECE
from pipeline.records import UserRecommendations

__all__ = ["ChunkReader", "QuickXmlReader", "UserChunks"]

PortionT = TypeVar("PortionT")

_END_OF_USER: Final = b"</user>"


class UserChunks:
    """Cuts a stream after the last ``</user>`` in hand; no byte is looked at twice.

    A stretch without any is given out whole once it is longer than a plain chunk can be.

    Args:
        at_least: How many bytes are gathered before there is a cut.
    """

    def __init__(self, at_least: int) -> None:
        self._at_least = at_least
        self._held = bytearray()
        self._searched = 0

    def add(self, data: bytes) -> bytes:
        """Take bytes; return those that can go on, possibly none."""
        self._held += data
        if len(self._held) < self._at_least:
            return b""
        end = self._held.rfind(_END_OF_USER, max(0, self._searched - len(_END_OF_USER) + 1))
        self._searched = len(self._held)
        if end >= 0:
            return self._take(end + len(_END_OF_USER))
        return self._take(len(self._held)) if len(self._held) > MAX_PLAIN else b""

    def flush(self) -> bytes:
        """The bytes that are held."""
        return self._take(len(self._held))

    def _take(self, count: int) -> bytes:
        taken = bytes(memoryview(self._held)[:count])
        del self._held[:count]
        self._searched = len(self._held)
        return taken


class ChunkReader(ABC, Generic[PortionT]):
    """Goes through an export with the reference reader, chunks of whole users aside.

    Args:
        source: What errors name as their source.
        piece_bytes: How many bytes are looked at together.
        chunk_pieces: How many pieces a chunk consists of, or more where its last user ends later.
    """

    def __init__(self, *, source: object, piece_bytes: int, chunk_pieces: int = 1) -> None:
        self._reference = XmlExportReader(source=source, piece_bytes=piece_bytes)
        self._piece_bytes = max(4, piece_bytes)
        self._waiting = bytearray()
        self._chunks = UserChunks(chunk_pieces * self._piece_bytes)
        self._root_seen = False
        self._failure: InputError | None = None
        self._closed = False
        self.plain_bytes = 0
        """Bytes read the short way."""

    @property
    def ignored_elements(self) -> int:
        """Elements directly under the root that are no users; they are checked and left out."""
        return self._reference.ignored_elements

    def feed(self, data: bytes) -> list[PortionT]:
        """Take the next bytes of the export; return what is complete.

        Raises:
            InputError: the export must not be used; with line, column and byte offset.
        """
        self._check_open()
        return [portion for piece in self._regroup(data) for portion in self._advance(piece)]

    def close(self) -> list[PortionT]:
        """Take the end of the export; return the rest.

        Raises:
            InputError: the export is not whole, or must not be used.
        """
        self._check_open()
        self._closed = True
        found = list(self._advance(bytes(self._waiting))) if self._waiting else []
        self._waiting.clear()
        found += self._finish()
        found += self._wrap(self._reference.push(self._chunks.flush()))
        found += self._wrap(self._reference.close())
        return found

    @abstractmethod
    def _read(self, chunk: bytes) -> Iterable[PortionT]:
        """Take a chunk that ends with a user, or is part of something large."""

    @abstractmethod
    def _finish(self) -> Iterable[PortionT]:
        """What is still to come of the chunks taken."""

    @abstractmethod
    def _wrap(self, users: list[UserRecommendations]) -> Iterable[PortionT]:
        """Users of the reference reader, as this reader gives them out."""

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ValueError("the reader is closed")

    def _regroup(self, data: bytes) -> Iterator[bytes]:
        """Pieces of a fixed size, so that the cuts of the caller change nothing."""
        size = self._piece_bytes
        if not self._waiting and len(data) == size:
            yield data
            return
        self._waiting += data
        whole = len(self._waiting) - len(self._waiting) % size
        work = bytes(memoryview(self._waiting)[:whole])
        del self._waiting[:whole]
        for start in range(0, whole, size):
            yield work[start : start + size]

    def _advance(self, piece: bytes) -> Iterable[PortionT]:
        try:
            if not self._root_seen:
                taken = self._reference.begin(piece)
                self._root_seen = self._reference.root_seen
                piece = piece[taken:]
            if not self._reference.is_utf8:
                return self._wrap(self._reference.push(piece))
            chunk = self._chunks.add(piece)
            return self._read(chunk) if chunk else ()
        except InputError as error:
            self._failure = error
            raise

    def _step_over(self, chunk: bytes, names: AbstractSet[str]) -> bool:
        """Let expat go past a chunk read elsewhere, if its place and its names allow that.

        A new name is expat's business: it keeps each, and their number is limited.
        """
        if not self._reference.can_skip or not names <= self._reference.names:
            return False
        self._reference.skip(chunk)
        self.plain_bytes += len(chunk)
        return True


class QuickXmlReader(ChunkReader[UserRecommendations]):
    """Pushed parser of the XML export; an `ExportReader` equal to `XmlExportReader`, but faster."""

    def __init__(self, *, source: object = None, piece_bytes: int = EXPORT_PIECE) -> None:
        super().__init__(source=source, piece_bytes=piece_bytes)

    def _read(self, chunk: bytes) -> list[UserRecommendations]:
        names: set[str] = set()
        users = parse_plain(chunk, names) if self._reference.can_skip else None
        if users is not None and self._step_over(chunk, names):
            return users
        return self._reference.push(chunk)

    def _finish(self) -> list[UserRecommendations]:
        return []

    def _wrap(self, users: list[UserRecommendations]) -> list[UserRecommendations]:
        return users
