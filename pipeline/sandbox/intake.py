"""One upload on its way in: the form is unwrapped, the list checked, hashed and written to disk.

Called from a thread, never from the event loop: every method may take milliseconds. Memory is
one fed chunk and the tail of a line.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from pipeline.errors import InputError
from pipeline.publish import machine_errors
from pipeline.sandbox.lines import ListReader
from pipeline.sandbox.multipart import FormParser, PartBegin, PartEnd
from pipeline.sandbox.store import StoredList

__all__ = ["FILE_FIELD", "MAX_OTHER", "Intake"]

FILE_FIELD: Final = "file"
# Fields beside the file are unknown to the service and ignored, but not without end.
MAX_OTHER: Final = 1024 * 1024


class Intake:
    """Feed the body of a request; `finish` gives the list, `discard` removes what was written.

    `too_large` tells the two reasons of an InputError apart.
    """

    def __init__(self, path: Path, *, boundary: bytes, max_bytes: int) -> None:
        self.too_large = False
        self._max_bytes = max_bytes
        self._form = FormParser(boundary)
        self._list = ListReader()
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._other_bytes = 0
        self._files = 0
        self._in_file = False
        self._path = path
        with machine_errors("the sandbox's folder", "write"):
            self._file = path.open("wb", buffering=0)

    def feed(self, data: bytes) -> None:
        """Take in a piece of the body.

        Raises:
            InputError: not a form with one file, not a list, or too large.
        """
        for event in self._form.feed(data):
            if isinstance(event, PartBegin):
                self._begin(event)
            elif isinstance(event, PartEnd):
                self._end()
            elif self._in_file:
                self._take(event)
            else:
                self._other_bytes += len(event)
                if self._other_bytes > MAX_OTHER:
                    raise self._large(f"fields other than '{FILE_FIELD}'", MAX_OTHER)

    def finish(self) -> StoredList:
        """The body has ended.

        Raises:
            InputError: it was cut, or held no file.
        """
        self._form.close()
        if self._files == 0:
            raise InputError(f"the form has no part named '{FILE_FIELD}'")
        self._file.close()
        return StoredList(
            path=self._path,
            format=self._list.format,
            users=self._list.users,
            bytes=self._bytes,
            sha256=self._hash.hexdigest(),
        )

    def discard(self) -> None:
        """Forget this upload."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _begin(self, part: PartBegin) -> None:
        if part.name is None:
            raise InputError("a part of the form has no name")
        self._in_file = part.name == FILE_FIELD
        self._files += self._in_file
        if self._files > 1:
            raise InputError(f"the form has more than one part named '{FILE_FIELD}'")

    def _end(self) -> None:
        if self._in_file:
            self._list.close()
            self._in_file = False

    def _take(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise self._large("the file", self._max_bytes)
        self._list.feed(data)
        self._hash.update(data)
        with machine_errors("the sandbox's folder", "write"):
            written = self._file.write(data)
            while written < len(data):
                written += self._file.write(memoryview(data)[written:])

    def _large(self, what: str, limit: int) -> InputError:
        self.too_large = True
        return InputError(f"{what} is larger than {limit} bytes", limit=limit)
