"""The embedded engine: applies the audience rules with polars, in bounded memory.

Every batch is classified, its candidates go to the partition of their id; then, part by part,
the latest row of each user is kept, suppressed users are taken out, and the rest is put in
recency order. One path for a thousand rows and for a billion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audience.id_rules import IdRules
from pipeline.audience.rules import DROPPED, REASONS, AudienceRules, RowShape, classify
from pipeline.audience.rules import latest as latest_per_user
from pipeline.engine.partitions import PartitionStore
from pipeline.engine.recency import RecencyOrder
from pipeline.extract.batch import ExtractBatch, Reject
from pipeline.extract.places import Place
from pipeline.records import SourceFingerprint

__all__ = ["Counts", "PolarsEngine", "Reject", "Watch"]

_TIME: Final = pl.Datetime("us", "UTC")
_CANDIDATE: Final = REASONS.index("candidate")
# What a part costs while its users are found, per byte of its rows; seen, not derived.
_PART_FACTOR: Final = 8
_HELD_MOST: Final = 256 * 1024 * 1024  # more in memory gains nothing: the disk is a file cache

OnRejects = Callable[[Place, Sequence[Reject]], None]


class Watch(Protocol):
    """Someone who looks on while a selection is made; `id` is an id after the id rules.

    The row of index `n` in a frame is that of index `n` in its batch.
    """

    def on_suppression(self, batch: ExtractBatch, rows: pl.DataFrame) -> None:
        """Rows of a suppression list: ``id``."""

    def on_batch(self, batch: ExtractBatch, rows: pl.DataFrame | None) -> None:
        """Rows of an extract: ``id``, ``time``, ``reason``; None where all are refused."""

    def on_users(self, found: pl.DataFrame, kept: pl.DataFrame) -> None:
        """The users of a part with a candidate, and those not suppressed: ``id``, ``time``."""


@dataclass(slots=True)
class SuppressionRows:
    """The rows of one suppression list, and those whose id is blank or otherwise nobody's."""

    rows: int = 0
    nobody: int = 0
    first_nobody: int | None = None


@dataclass(slots=True)
class Counts:
    """Rows and users, counted once each."""

    rows: int = 0
    candidates: int = 0
    users: int = 0
    suppressed_users: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    first_reject: tuple[Place, int] | None = None
    places: dict[Place, int] = field(default_factory=dict)
    suppressions: dict[Place, SuppressionRows] = field(default_factory=dict)

    changed_ids: dict[str, int] = field(default_factory=dict)
    merged_ids: dict[str, int] = field(default_factory=dict)

    @property
    def fingerprints(self) -> tuple[SourceFingerprint, ...]:
        """The files read, with their rows."""
        return tuple(place.fingerprint(rows) for place, rows in self.places.items())


class PolarsEngine:
    """One selection: `suppress` and `take` batches, then ask for `ordered` users.

    Args:
        rules: Who is on the list.
        memory: Bytes this selection may work with, the libraries' own memory not counted.
        folder: Where temporary files go when memory does not suffice.
        input_bytes: About how many bytes of rows will come; decides the number of parts.
        on_rejects: Told of every refused row.
        id_rules: Changes to ids that the user asked for, in order.
        keep_values: Whether rejects carry the refused id.
        share_taken: How much of the extracts has been taken by now, 0 to 1.
        watch: Sees what happens to each row and user.
    """

    def __init__(
        self,
        rules: AudienceRules,
        *,
        memory: int,
        folder: Path,
        input_bytes: int,
        on_rejects: OnRejects,
        id_rules: Sequence[str] = (),
        keep_values: bool = False,
        share_taken: Callable[[], float] = lambda: 1.0,
        watch: Watch | None = None,
    ) -> None:
        self.counts = Counts()
        self._watch = watch
        self._rules, self._on_rejects, self._keep_values = rules, on_rejects, keep_values
        self._id_rules = IdRules(id_rules)
        self._columns = ["id", "time", *self._id_rules.traces]
        part = max(memory // (_PART_FACTOR * 4), 1)
        count = min(max(16, 1 << max(0, (input_bytes // part).bit_length())), 256)
        held = min(memory // _PART_FACTOR, _HELD_MOST)
        self._stack = ExitStack()
        self._candidates = self._stack.enter_context(
            PartitionStore(
                count=count,
                memory_bytes=held,
                folder=folder,
                name="candidates",
                share_taken=share_taken,
            )
        )
        self._suppressed = self._stack.enter_context(
            PartitionStore(count=count, memory_bytes=held // 2, folder=folder, name="suppressed")
        )

    def suppress(self, batches: Iterable[ExtractBatch]) -> tuple[int, Counter[str]]:
        """Ids that must not be on the list; gives back their number and that of unusable rows.

        Rows that name nobody, by the rules for ids, are in `Counts.suppressions`.
        """
        unusable: Counter[str] = Counter()
        ids = 0
        for batch in batches:
            unusable.update(reject.reason for reject in batch.rejects)
            frame = pl.DataFrame({"id": _series(batch.ids, pl.String)})
            frame, _ = self._id_rules.apply(frame, RowShape(), count=False)
            if self._watch is not None:
                self._watch.on_suppression(batch, frame)
            frame = frame.with_columns(time=pl.lit(None, _TIME))
            frame = classify(frame, replace(self._rules, window=None, flagged=False))
            nobody = (frame["reason"] != _CANDIDATE).arg_true()
            found = self.counts.suppressions.setdefault(batch.place, SuppressionRows())
            found.rows += frame.height + len(batch.rejects)
            found.nobody += len(nobody)
            if len(nobody) and found.first_nobody is None:
                found.first_nobody = batch.row_number(nobody[0])
            frame = frame.filter(pl.col("reason") == _CANDIDATE).select("id").unique()
            ids += frame.height
            self._suppressed.add(frame)
        return ids, unusable

    def take(self, batch: ExtractBatch) -> None:
        """Classify the rows of one batch and keep its candidates."""
        counts = self.counts
        rows = len(batch.ids)
        counts.rows += rows + len(batch.rejects)
        counts.places[batch.place] = counts.places.get(batch.place, 0) + rows + len(batch.rejects)
        frame = self._classified(batch) if rows else None
        if self._watch is not None:
            self._watch.on_batch(batch, frame)
        if frame is None:
            self._refuse(batch.place, batch.rejects)
            return
        wanted = frame.filter(pl.col("reason") == _CANDIDATE).select(self._columns)
        counts.candidates += wanted.height
        self._candidates.add(wanted)
        refused = list(batch.rejects)
        if wanted.height < rows:
            refused += self._unwanted(batch, frame)
        self._refuse(batch.place, refused)

    def _classified(self, batch: ExtractBatch) -> pl.DataFrame:
        frame = _frame(batch)
        frame, shape = self._id_rules.apply(frame, _shape(batch.ids, frame["time"]))
        classified: pl.DataFrame = classify(frame, self._rules, shape)
        return classified

    def _unwanted(self, batch: ExtractBatch, frame: pl.DataFrame) -> list[Reject]:
        """Count dropped rows, and give back those that are refused."""
        refused: list[int] = []
        reasons = frame["reason"]
        for code, count in reasons.value_counts(name="n").iter_rows():
            name = REASONS[code]
            if code == _CANDIDATE:
                continue
            if name in DROPPED:
                self.counts.dropped[name] += count
            else:
                refused.append(code)
        if not refused:
            return []
        values = frame["id"] if self._keep_values else None
        return list(_named_rows(batch, reasons, refused, values))

    def _refuse(self, place: Place, rejects: Sequence[Reject]) -> None:
        if rejects:
            self.counts.rejects.update(reject.reason for reject in rejects)
            if self.counts.first_reject is None:
                self.counts.first_reject = (place, min(reject.row for reject in rejects))
            self._on_rejects(place, rejects)

    def order(
        self, *, max_bytes: int, line_overhead: int, on_rows: Callable[[int], None]
    ) -> RecencyOrder:
        """Latest row per user, suppressed users out, ready to be read in recency order.

        `on_rows` is told how many of the candidates have been gone through.
        """
        found = RecencyOrder(max_bytes=max_bytes, line_overhead=line_overhead)
        split = self._candidates.split or self._suppressed.split
        count = self._candidates.count if split else 1
        gone = self._suppressed.parts(count)
        # Pools keep what they freed; parts come next and need it.
        pa.default_memory_pool().release_unused()
        rows = 0
        for part in self._candidates.parts(count):
            suppressed = next(gone, None)
            if not part.height:
                continue
            on_rows(rows)
            rows += part.height
            users = latest_per_user(part.lazy(), self._id_rules.traces).collect(engine="streaming")
            del part
            self._id_rules.count_merged(users)
            self.counts.users += users.height
            users = users.select("id", pl.col("time").cast(pl.Int64))
            kept = users
            if suppressed is not None and suppressed.height:
                kept = users.join(suppressed.unique(), on="id", how="anti")
                self.counts.suppressed_users += users.height - kept.height
            if self._watch is not None:
                self._watch.on_users(users, kept)
            found.add(kept)
        self.counts.changed_ids = dict(self._id_rules.changed)
        self.counts.merged_ids = dict(self._id_rules.merged)
        return found

    def close(self) -> None:
        """Remove temporary files."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _frame(batch: ExtractBatch) -> pl.DataFrame:
    """The columns id, time and, where somebody asked, flag."""
    rows = len(batch.ids)
    columns = {"id": _series(batch.ids, pl.String)}
    if batch.times is None:
        columns["time"] = pl.Series([None], dtype=_TIME).new_from_index(0, rows)
    else:
        columns["time"] = _series(batch.times, _TIME)
    if batch.flags is not None:
        columns["flag"] = _series(batch.flags, pl.Boolean)
    return pl.DataFrame(columns)


def _named_rows(
    batch: ExtractBatch, reasons: pl.Series, codes: list[int], values: pl.Series | None
) -> Iterator[Reject]:
    at = reasons.is_in(codes).arg_true()
    for index, code in zip(at, reasons.gather(at), strict=True):
        value = None if values is None else values[index]
        yield Reject(batch.row_number(index), REASONS[code], value)


def _shape(ids: pa.Array, times: pl.Series) -> RowShape:
    """What can be said of all rows at once, from the Arrow buffers."""
    offsets, data = ids.buffers()[1:]
    if ids.null_count or data is None:
        return RowShape()
    bounds = pc.min_max(pc.binary_length(ids)).as_py()
    width = 8 if pa.types.is_large_string(ids.type) else 4
    start, end = (
        int.from_bytes(memoryview(offsets)[at * width : (at + 1) * width], "little")
        for at in (ids.offset, ids.offset + len(ids))
    )
    octets = pl.Series(pa.Array.from_buffers(pa.uint8(), end - start, [None, data[start:end]]))
    lowest, highest = octets.min(), octets.max()
    return RowShape(
        plain=lowest is None or (lowest > 0x20 and highest < 0x7F),  # type: ignore[operator]
        shortest=bounds["min"],
        longest=bounds["max"],
        null_ids=False,
        null_times=times.null_count() > 0,
        latest=times.max() or RowShape().latest,  # type: ignore[arg-type]
    )


def _series(array: pa.Array, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    return pl.Series(array, dtype=dtype) if len(array) else pl.Series([], dtype=dtype)
