"""Many texts, counted and compared exactly in bounded memory."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import orjson

from pipeline.publish import machine_errors

__all__ = ["PARTITIONS", "IdStore"]

# 10 million ids of 30 bytes are 156,000 in each: about 15 MB as a set.
PARTITIONS: Final = 64
_HELD_BYTES: Final = 1024 * 1024


class IdStore:
    """Ids by partition of a hash; beyond 1 MiB they wait in a nameless file in `folder`.

    Ids are kept as JSON text, which holds no newline and cannot be mistaken for another id.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # One buffer each: a million small objects would pin the heap between large ones.
        self._held = [bytearray() for _ in range(PARTITIONS)]
        self._held_bytes = 0
        self._spans: list[list[tuple[int, int]]] = [[] for _ in range(PARTITIONS)]
        self._file: IO[bytes] | None = None
        self.count = 0

    def add(self, text: str) -> None:
        """Take one id; the same one may come again."""
        key = orjson.dumps(text)
        held = self._held[zlib.crc32(key) % PARTITIONS]
        held += key
        held += b"\n"
        self.count += 1
        self._held_bytes += len(key)
        if self._held_bytes >= _HELD_BYTES:
            self._spill()

    def extend(self, texts: Iterable[str]) -> None:
        """Take several ids."""
        for text in texts:
            self.add(text)

    def distinct(self, partition: int) -> set[bytes]:
        """The distinct ids of one partition, as JSON text."""
        ids = set(bytes(self._held[partition]).split(b"\n"))
        with machine_errors(self._folder, "read back what was kept on disk"):
            for start, size in self._spans[partition]:
                if self._file is not None:
                    self._file.seek(start)
                    ids.update(self._file.read(size).split(b"\n"))
        ids.discard(b"")  # after the last line end
        return ids

    def count_distinct(self) -> int:
        """How many different ids were taken."""
        return sum(len(ids) for ids in self.iter_distinct())

    def iter_distinct(self) -> Iterator[set[bytes]]:
        """The distinct ids, partition by partition."""
        return (self.distinct(partition) for partition in range(PARTITIONS))

    def close(self) -> None:
        """Give the disk back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self) -> None:
        with machine_errors(self._folder, "keep ids on disk"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            self._file.seek(0, 2)
            for held, spans in zip(self._held, self._spans, strict=True):
                if held:
                    spans.append((self._file.tell(), len(held)))
                    self._file.write(held)
                    held.clear()
        self._held_bytes = 0
