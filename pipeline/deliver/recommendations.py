"""Recommendations of the recipients, kept on disk and found by id.

Strategy: the file is read once, in its own order. What a recipient's slots need is appended to a
temporary file; in memory stay a sorted key and a place per recipient, 28 bytes, whatever the file
holds. Users who get no message are passed over.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.deliver.recipients import id_keys
from pipeline.errors import ConfigurationError, InputError
from pipeline.extract.jsonl_file import iter_lines
from pipeline.extract.places import Place, open_stream, resolve_places
from pipeline.extract.recommendation_table import (
    ITEM_FIELDS,
    foreign_row,
    open_table,
    parse_extra,
)
from pipeline.publish import machine_errors
from pipeline.records import RESERVED_ID

__all__ = ["RecommendationStore", "read_recommendations"]

Raw: TypeAlias = dict[str, list[dict[str, Any]]]
Users: TypeAlias = list[tuple[str, Raw]]
_COLUMNS: Final = ("auth_user_id", "recommendation_type", "position", *ITEM_FIELDS, "extra")
_BATCH_ROWS: Final = 16_384
_FLUSH: Final = 1024 * 1024


class RecommendationStore:
    """Takes users, gives back the items of a recipient; used as a context manager.

    Args:
        keys: The sorted, distinct keys of the recipients' ids.
        folder: Where the temporary file is made; it has no name and cannot outlive the process.
    """

    def __init__(self, keys: pl.Series, folder: Path) -> None:
        self.default: Raw = {}
        self.users = 0
        self.strangers = 0
        self._keys, self._folder = keys, folder
        self._ends = array("Q", bytes(8 * len(keys)))
        self._sizes = array("I", bytes(array("I").itemsize * len(keys)))
        self._held = bytearray()
        self._written = 0
        with machine_errors(folder, "make a temporary file"):
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115

    def add(self, users: Users) -> None:
        """Keep the items of those who are recipients, and the default set."""
        if not users:
            return
        ids = pl.Series([id_ for id_, _ in users], dtype=pl.String)
        for (id_, items), slot in zip(users, self._find(ids), strict=True):
            if id_ == RESERVED_ID:
                for name, more in items.items():
                    self.default.setdefault(name, []).extend(more)
                continue
            self.users += 1
            if slot is None:
                self.strangers += 1
                continue
            kept = items
            if self._ends[slot]:  # the user appears again: what came first stands first
                kept = self._get(slot)
                for name, more in items.items():
                    kept.setdefault(name, []).extend(more)
            self._append(slot, orjson.dumps(kept))

    def find(self, ids: Sequence[str]) -> list[Raw | None]:
        """The items of each recipient, None where there are none."""
        slots = self._find(pl.Series(ids, dtype=pl.String))
        return [None if at is None or not self._ends[at] else self._get(at) for at in slots]

    def _find(self, ids: pl.Series) -> list[int | None]:
        if not len(self._keys):
            return [None] * len(ids)
        wanted = id_keys(ids)
        at = self._keys.search_sorted(wanted, side="left").clip(0, len(self._keys) - 1)
        same = (self._keys.gather(at) == wanted).to_list()
        return [one if found else None for one, found in zip(at.to_list(), same, strict=True)]

    def _append(self, slot: int, data: bytes) -> None:
        self._held += data
        self._ends[slot] = self._written + len(self._held)
        self._sizes[slot] = len(data)
        if len(self._held) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        with machine_errors(self._folder, "write temporary files"):
            view = memoryview(self._held)
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        self._written += len(self._held)
        self._held = bytearray()

    def _get(self, slot: int) -> Raw:
        if self._held:
            self._flush()
        size = self._sizes[slot]
        with machine_errors(self._folder, "read temporary files"):
            data = os.pread(self._file.fileno(), size, self._ends[slot] - size)
        found: Raw = orjson.loads(data)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def read_recommendations(path: Path, slots: Collection[str]) -> Iterator[tuple[Users, int]]:
    """Users with the items of `slots`, in blocks, and how many bytes have been read.

    Raises:
        ConfigurationError: neither .jsonl nor .parquet.
        InputError: missing, damaged, or not what `parse` writes.
    """
    (place,) = resolve_places([path])
    plain = path.name.removesuffix(".gz").removesuffix(".zst")
    if plain.endswith(".parquet"):
        return _read_parquet(place, slots)
    if plain.endswith(".jsonl"):
        return _read_jsonl(place, frozenset(slots))
    raise ConfigurationError(
        "recommendations end in .jsonl or .parquet",
        source=path,
        remedy="make them with batchpub parse or fetch",
    )


def _read_jsonl(place: Place, slots: frozenset[str]) -> Iterator[tuple[Users, int]]:
    stream = open_stream(place)
    try:
        row = 0
        for lines in iter_lines(stream):
            users: Users = []
            for line in lines:
                row += 1
                if line.strip():
                    users.append(_user(line, slots, place, row))
            yield users, stream.bytes_read
    finally:
        stream.close()


def _user(line: bytes, slots: frozenset[str], place: Place, row: int) -> tuple[str, Raw]:
    try:
        user = orjson.loads(line)
        items: Raw = {}
        for block in user["recommendations"]:
            kind = block["recommendation_type"]
            if kind in slots:
                results = block["results"]
                if not all(type(one) is dict for one in results):
                    raise TypeError
                items.setdefault(kind, []).extend(results)
        id_ = user["auth_user_id"]
        if type(id_) is not str:
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "not a line of recommendations",
            source=place,
            position=f"line {row:,}",
            remedy="make them with batchpub parse or fetch",
        ) from error
    return id_, items


def _read_parquet(place: Place, slots: Collection[str]) -> Iterator[tuple[Users, int]]:
    with open_table(place.path, _COLUMNS, source=place) as file:
        yield from _grouped(file, slots, place, max(file.metadata.num_rows, 1))


def _grouped(
    file: pq.ParquetFile, slots: Collection[str], place: Place, total: int
) -> Iterator[tuple[Users, int]]:
    """Users of all batches; one whose rows go on in the next batch is held until they end."""
    wanted = pa.array(sorted(slots), pa.string())
    held: tuple[str, Raw] | None = None
    rows = 0
    for batch in file.iter_batches(_BATCH_ROWS, columns=list(_COLUMNS), use_threads=False):
        ids = batch.column("auth_user_id")
        if ids.null_count:
            raise foreign_row(place, rows + 1 + pc.index(ids.is_null(), value=True).as_py())
        kinds = batch.column("recommendation_type").cast(pa.string())
        keep = pc.and_(pc.is_in(kinds, wanted), pc.is_valid(batch.column("position")))
        columns = [batch.column(name).filter(keep).to_pylist() for name in _COLUMNS]
        numbers = [rows + 1 + at for at in pc.indices_nonzero(keep).to_pylist()]
        users: Users = []
        for id_, group in groupby(zip(*columns, numbers, strict=True), itemgetter(0)):
            items: Raw = {}
            for _, kind, _, product, url, title, image, extra, row in group:
                item = {"id": product, "url": url, "title": title, "image_link": image}
                if extra is not None:
                    item |= _extra(parse_extra(extra, source=place, row=row))
                items.setdefault(kind, []).append(item)
            if held is not None and held[0] == id_:
                for name, more in items.items():
                    held[1].setdefault(name, []).extend(more)
                continue
            if held is not None:
                users.append(held)
            held = id_, items
        rows += batch.num_rows
        yield users, int((place.size or 0) * rows / total)
    if held is not None:
        yield [held], place.size or 0


def _extra(found: dict[str, Any]) -> dict[str, Any]:
    """Further elements of an item; those of its user and block, under ``#``, are not its own."""
    return {
        name: value
        for name, value in found.items()
        if name not in ITEM_FIELDS and not name.startswith("#")
    }
