"""The body of an upload: prologue, list, epilogue, with the promise of its length kept.

Strategy: a thread reads and hashes one block ahead while the loop sends the one before, so memory
is two blocks. The epilogue is what makes the body whole for the server; it is given out only when
the bytes sent are as many as the receipt says, have its hash, and the file has not grown. Until
then the server holds an incomplete body, which it must not store.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError
from pipeline.limits import READ_CHUNK
from pipeline.records import Receipt
from pipeline.wire.multipart import Framing

__all__ = ["ListBody", "OpenList", "open_list"]

_REMEDY = "prepare the list again; nothing was stored by this attempt"


class OpenList:
    """A list that is open for reading at any offset, with the receipt it has to match."""

    def __init__(self, path: Path, descriptor: int, receipt: Receipt) -> None:
        self.path = path
        self.receipt = receipt
        self._descriptor = descriptor

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes at `offset`; none at the end."""
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise InputError(
                f"cannot read the list: {error.strerror}",
                source=self.path,
                position=f"byte {offset:,}",
            ) from error

    def size(self) -> int:
        """Its size by now, in bytes."""
        return os.fstat(self._descriptor).st_size

    def check_size(self) -> None:
        """Refuse a list whose size is not the receipt's.

        Raises:
            InputError: it is not.
        """
        self.refuse_unless("size", expected=self.receipt.bytes, actual=self.size())

    def refuse_unless(self, what: str, *, expected: int | str, actual: int | str) -> None:
        """Refuse the list when a property differs from the receipt's.

        Raises:
            InputError: it differs.
        """
        if expected != actual:
            raise InputError(
                f"the list is not the one its receipt describes: its {what} differs",
                source=self.path,
                limit=expected,
                actual=actual,
                remedy=_REMEDY,
            )


@contextmanager
def open_list(path: Path, receipt: Receipt) -> Iterator[OpenList]:
    """Open a list once for a whole transfer.

    Raises:
        InputError: missing, unreadable, not a regular file, or not of the receipt's size.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"cannot open the list: {error.strerror}", source=path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError("the list is not a regular file", source=path)
        opened = OpenList(path, descriptor, receipt)
        opened.check_size()
        yield opened
    finally:
        os.close(descriptor)


class ListBody(AsyncIterator[bytes]):
    """One attempt's body, to be iterated once.

    ``began`` tells that the prologue was given out, ``complete`` that the epilogue was; ``sent``
    counts the list's bytes in between, ``error`` is why the body stays without its end. Close it
    whatever happened: an abandoned attempt has a block ahead.
    """

    def __init__(
        self,
        source: OpenList,
        framing: Framing,
        *,
        on_sent: Callable[[int], None],
        chunk_bytes: int = READ_CHUNK,
    ) -> None:
        self.sent = 0
        self.began = False
        self.complete = False
        self.error: BaseException | None = None
        self._source = source
        self._framing = framing
        self._on_sent = on_sent
        self._chunk_bytes = chunk_bytes
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._ahead: asyncio.Future[bytes] | None = None

    async def __anext__(self) -> bytes:
        """The next bytes of the body.

        Raises:
            InputError: the list is not what its receipt says; the body stays without its end.
        """
        if self.complete:
            raise StopAsyncIteration
        if self._ahead is None:
            self.began = True
            self._read_ahead(0)
            return self._framing.prologue
        try:
            block = await self._ahead
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.error = error
            raise
        # An early answer must be read before a write meets the closed connection, because asyncio
        # then drops what has arrived: two turns, the first of which collects it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not block:
            self.complete = True
            return self._framing.epilogue
        self.sent += len(block)
        self._read_ahead(self.sent)
        self._on_sent(self.sent)
        return block

    def close(self) -> None:
        """Wait for the block that is being read, and let the thread end."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _read_ahead(self, offset: int) -> None:
        loop = asyncio.get_running_loop()
        self._ahead = loop.run_in_executor(self._thread, self._read, offset)
        # A block that nobody waits for any more must not be reported as an error nobody saw.
        self._ahead.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _read(self, offset: int) -> bytes:
        """The block at `offset`, hashed; nothing once the whole list proved to be the right one."""
        promised = self._source.receipt.bytes
        block = self._source.read(offset, min(self._chunk_bytes, promised - offset))
        if block:
            self._hash.update(block)
            return block
        self._source.refuse_unless("size", expected=promised, actual=offset)
        self._source.check_size()
        digest = self._hash.hexdigest()
        self._source.refuse_unless("sha256", expected=self._source.receipt.sha256, actual=digest)
        return b""
