"""The capped, hashing writer of a user list; the list and its receipt appear together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from pipeline.publish import PendingFile, publish
from pipeline.records import Receipt
from pipeline.userlist.encode import ListFormat, encode_ids
from pipeline.userlist.receipt import encode_receipt, receipt_path

__all__ = ["FittingLines", "ListWriter"]


class FittingLines:
    """Lines of users in the order given until the next one would not fit; the rest is counted.

    Args:
        kind: Format of the lines.
        max_bytes: Size that those that fit never exceed together.
    """

    def __init__(self, kind: ListFormat, *, max_bytes: int) -> None:
        self.kind, self.max_bytes = kind, max_bytes
        self.bytes = 0
        self.users = 0
        self.overflow_users = 0
        self.overflow_bytes = 0

    def write(self, ids: pl.Series) -> memoryview:
        """Append users; gives back the lines of those that fit."""
        data = encode_ids(ids, self.kind)
        fitting = len(data)
        if self.overflow_users:
            fitting = 0
        elif self.bytes + fitting > self.max_bytes:
            # No line holds a line break, so the last one that fits ends the last whole line.
            fitting = bytes(data[: self.max_bytes - self.bytes]).rfind(b"\n") + 1
        users = ids.len()
        if fitting < len(data):
            users = bytes(data[:fitting]).count(b"\n")
            self.overflow_users += ids.len() - users
            self.overflow_bytes += len(data) - fitting
        self.users += users
        self.bytes += fitting
        return data[:fitting]


class ListWriter(FittingLines):
    """Keeps the lines that fit, as a list that appears with its receipt.

    Args:
        output: The list; nothing appears there before `publish`.
        kind: Format of its lines.
        max_bytes: Size the list never exceeds.
    """

    def __init__(self, output: Path, kind: ListFormat, *, max_bytes: int) -> None:
        super().__init__(kind, max_bytes=max_bytes)
        self.output = output
        self._hash = hashlib.sha256()
        self._receipt = PendingFile(receipt_path(output))
        try:
            self._list = PendingFile(output)
        except BaseException:
            self._receipt.discard()
            raise

    def write(self, ids: pl.Series) -> memoryview:
        """Append users; after the first that does not fit, only count."""
        lines = super().write(ids)
        if lines:
            self._hash.update(lines)
            self._list.write(lines)
        return lines

    @property
    def sha256(self) -> str:
        """Of what has been written so far, in hex."""
        return self._hash.hexdigest()

    def publish(self, make_receipt: Callable[[ListWriter], Receipt]) -> Receipt:
        """Let list and receipt appear; the list first, so that a torn pair is refused by upload."""
        receipt = make_receipt(self)
        self._receipt.write(encode_receipt(receipt))
        publish([self._list, self._receipt])
        return receipt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._list.discard()
        self._receipt.discard()
