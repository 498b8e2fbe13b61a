"""From the raw columns of one batch to ids and times of good rows, with the others named."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.extract.batch import UNREADABLE_TIME, ExtractBatch, Reject
from pipeline.extract.ids import id_text
from pipeline.extract.places import Place
from pipeline.extract.times import TimeReader


def good_rows(
    *,
    place: Place,
    columns: Sequence[pa.Array],
    times: TimeReader | None,
    first_row: int,
    rows: pa.Array | None,
    rejects: Sequence[Reject],
    bytes_read: int,
) -> ExtractBatch:
    """A batch from an id column and, with `times`, an activity column behind it."""
    ids, bad_ids, reason = id_text(columns[0], source=place)
    moments, bad_times = (None, None) if times is None else times.read(columns[1])
    refused = list(rejects)
    keep: pa.Array | None = None
    for mask, why in ((bad_ids, reason), (bad_times, UNREADABLE_TIME)):
        if mask is None:
            continue
        bad = mask if keep is None else pc.and_(mask, keep)  # refused once, for the first reason
        numbers = _numbers(first_row, rows, len(ids)).filter(bad)
        refused += [Reject(row, why) for row in numbers.to_pylist()]
        good = pc.invert(bad)
        keep = good if keep is None else pc.and_(keep, good)
    if keep is not None:
        rows = _numbers(first_row, rows, len(ids)).filter(keep)
        ids = ids.filter(keep)
        moments = None if moments is None else moments.filter(keep)
    return ExtractBatch(
        place=place,
        ids=ids,
        times=moments,
        first_row=first_row,
        rows=rows,
        rejects=refused,
        bytes_read=bytes_read,
    )


def _numbers(first_row: int, rows: pa.Array | None, count: int) -> pa.Array:
    return rows if rows is not None else pa.array(range(first_row, first_row + count), pa.int64())
