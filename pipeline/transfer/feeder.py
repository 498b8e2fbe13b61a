"""Between the event loop and a parser: one thread that decodes and feeds, in order.

Strategy: the loop hands over blocks and waits when `_AHEAD` of them are not done, so memory is
bounded and the loop never waits on parsing. What was fed cannot be taken back; when a download
has to start over, the beginning of the new body is compared by hash with what was fed, and only
what follows is fed. So the parser always sees one body from its first to its last byte.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pipeline.errors import TryLaterError
from pipeline.limits import EXPORT_PIECE
from pipeline.transfer.decode import Decoder, open_decoder

__all__ = ["FeedStoppedError", "Feeder"]

_AHEAD: Final = 4


class FeedStoppedError(Exception):
    """The parser raised: `Feeder.error` is its exception."""


class Feeder:
    """Feeds a parser in a thread of its own; ``fed`` counts the bytes it took."""

    def __init__(self, feed: Callable[[bytes], None], *, source: str, max_bytes: int) -> None:
        self.fed = 0
        self.error: BaseException | None = None
        self._broken = False
        self._feed = feed
        self._source = source
        self._max_bytes = max_bytes
        self._fed_hash = hashlib.sha256()
        self._decoder: Decoder | None = None
        self._to_compare = 0
        self._compared = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._pending: deque[asyncio.Future[None]] = deque()

    async def begin(self, coding: str) -> None:
        """A body begins, with this content coding; at the first byte again if there was one."""
        await self.drain()
        self._decoder = open_decoder(coding, source=self._source, max_bytes=self._max_bytes)
        self._to_compare = self.fed
        self._compared = hashlib.sha256()

    async def push(self, block: bytes) -> None:
        """Hand over the next bytes of the body; waits while the parser is behind.

        Raises:
            FeedStoppedError: the parser raised.
            InputError: the body is damaged or too large.
            TryLaterError: a body that began anew is not the same as before.
        """
        while len(self._pending) >= _AHEAD:
            await self._pending.popleft()
        self._submit(self._decode, block)

    async def end(self) -> None:
        """The body is whole: feed what is left and check that its codings ended too.

        Raises:
            FeedStoppedError, InputError, TryLaterError: as `push`.
        """
        self._submit(self._finish)
        await self.drain()

    async def drain(self) -> None:
        """Wait until everything handed over is fed."""
        while self._pending:
            await self._pending.popleft()

    def close(self) -> None:
        """Let the thread end; what it is doing is waited for, what follows is dropped."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _submit(self, work: Callable[..., None], *arguments: bytes) -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, self._unless_broken, work, *arguments)
        # A failure that comes after the download ended must not be reported as unseen.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._pending.append(future)

    def _unless_broken(self, work: Callable[..., None], *arguments: bytes) -> None:
        """After a failure nothing more is fed: what is queued would follow a gap."""
        if self._broken:
            return
        self._broken = True
        work(*arguments)
        self._broken = False

    def _decode(self, block: bytes) -> None:
        if self._decoder is not None:
            for piece in self._decoder.feed(block):
                self._take(piece)

    def _finish(self) -> None:
        if self._decoder is not None:
            self._take(self._decoder.close())
        if self._to_compare:
            raise self._changed()

    def _take(self, piece: bytes) -> None:
        if self._to_compare:
            known, piece = piece[: self._to_compare], piece[self._to_compare :]
            self._compared.update(known)
            self._to_compare -= len(known)
            if not self._to_compare and self._compared.digest() != self._fed_hash.digest():
                raise self._changed()
        try:
            # Not more at once than from a file: users in memory are ten times their bytes.
            for start in range(0, len(piece), EXPORT_PIECE):
                self._feed(piece[start : start + EXPORT_PIECE])
        except BaseException as error:
            self.error = error
            raise FeedStoppedError from error
        self._fed_hash.update(piece)
        self.fed += len(piece)

    def _changed(self) -> TryLaterError:
        return TryLaterError(
            "the export changed while it was being read",
            source=self._source,
            remedy="fetch it again; nothing was changed",
        )
