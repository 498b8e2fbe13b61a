"""Many ids by hash of their near key: in memory while they are few, in one nameless file beyond.

Strategy: ids gather in `pending`. When those outgrow their share they are split into `PARTS` and
appended to the file as one Arrow stream per part. A part is read back whole, any number of times.
Equal ids and near duplicates share a near key, so they are always in the same part.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import polars as pl

from pipeline.publish import machine_errors
from pipeline.userlist.facts import UNKNOWN, IdFacts
from pipeline.userlist.near import near_key

__all__ = ["IdParts", "keyed", "part_numbers"]

# 10 million ids of 30 bytes are 312,000 in each: 25 MB with what finding twins needs.
PARTS: Final = 32
PENDING_BYTES: Final = 48 * 1024 * 1024
_SEED: Final = 0xBA7C


class IdParts:
    """Rows with ``id``, ``hash`` of it and ``other``, whether its near key is another text.

    Hashes only prove that ids differ; that they are equal is always seen from the ids.

    Args:
        folder: Where the file is made, and only when it is needed; None is the system's
            temporary folder.
        pending_bytes: Memory for ids before they go to disk.
    """

    def __init__(self, folder: Path | None = None, *, pending_bytes: int | None = None) -> None:
        self.count = 0
        self._folder = folder
        self._limit = PENDING_BYTES if pending_bytes is None else pending_bytes
        self._pending: list[pl.DataFrame] = []
        self._pending_bytes = 0
        self._spans: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]
        self._file: IO[bytes] | None = None
        self._proved: dict[int | None, int] = {}

    @property
    def spilled(self) -> bool:
        """Whether ids have gone to disk."""
        return self._file is not None

    def add(self, ids: pl.Series, facts: IdFacts = UNKNOWN) -> None:
        """Take ids, nulls left out; `facts` must be true of all."""
        ids = ids.alias("id").drop_nulls()
        if not ids.len():
            return
        keys = near_key(ids, facts)
        hashes = hash_ids(ids).alias("hash")
        part = ((hashes if keys is ids else hash_ids(keys)) % PARTS).cast(pl.UInt8)
        rows = pl.DataFrame([ids, hashes, (keys != ids).alias("other"), part.alias("part")])
        self.count += rows.height
        self._pending.append(rows)
        self._pending_bytes += int(rows.estimated_size())
        if self._pending_bytes > self._limit:
            self._spill()

    def fill(self, batches: Iterable[pl.Series]) -> Self:
        """Take every batch."""
        for ids in batches:
            self.add(ids)
        return self

    def part(self, number: int | None) -> pl.DataFrame:
        """The rows of one part; None is all of them, while they are in memory."""
        frames = [self._empty()]
        if self._file is not None and number is not None:
            with machine_errors(self._folder, "read back what was kept on disk"):
                for start, size in self._spans[number]:
                    self._file.seek(start)
                    frames.append(pl.read_ipc_stream(io.BytesIO(self._file.read(size))))
        if number is None:
            frames += [rows.drop("part") for rows in self._pending]
        else:
            chosen = pl.col("part") == number
            frames += [rows.filter(chosen).drop("part") for rows in self._pending]
        return pl.concat(frames)

    def distinct(self, number: int | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of `part` with each id once, and all rows of ids that came more than once."""
        rows = self.part(number)
        none = self._empty()
        # Counting takes half the time of taking out; the proof holds until more ids come.
        if self._proved.get(number) == self.count:
            return rows, none
        if rows["hash"].n_unique() < rows.height:
            alike = pl.col("hash").is_duplicated()
            some = rows.filter(alike)
            once = pl.concat([rows.filter(~alike), some.unique("id")])
            return once, some.filter(pl.col("id").is_duplicated())
        self._proved[number] = self.count
        return rows, none

    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={"id": pl.String, "hash": pl.UInt64, "other": pl.Boolean})

    def _spill(self) -> None:
        rows = pl.concat(self._pending, rechunk=False)
        self._pending, self._pending_bytes = [], 0
        with machine_errors(self._folder or tempfile.gettempdir(), "keep ids on disk"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            at = self._file.seek(0, io.SEEK_END)
            for number in range(PARTS):
                chosen = rows.filter(pl.col("part") == number).drop("part")
                buffer = io.BytesIO()
                # The oldest form lays texts end to end, with nothing of other parts between.
                chosen.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
                size = self._file.write(buffer.getbuffer())
                self._spans[number].append((at, size))
                at += size
            self._file.flush()

    def close(self) -> None:
        """Give memory and disk back."""
        self._pending = []
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def hash_ids(ids: pl.Series) -> pl.Series:
    """The same text has the same hash, in every list."""
    return ids.hash(_SEED)


def part_numbers(*stores: IdParts) -> Sequence[int | None]:
    """Numbers of the parts that hold everything; one for all while everything is in memory."""
    return range(PARTS) if any(store.spilled for store in stores) else (None,)


def keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with their near key as a column ``key``; computed only where it is another text."""
    others = rows.filter(pl.col("other"))
    same = rows.filter(~pl.col("other")).with_columns(pl.col("id").alias("key"))
    return pl.concat([same, others.with_columns(near_key(others["id"]).alias("key"))])
