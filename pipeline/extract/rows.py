"""From the raw columns of one batch to ids, times and flags of good rows, with the others named."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import InputError
from pipeline.extract.batch import UNREADABLE_TIME, ExtractBatch, Reject, Wanted
from pipeline.extract.columns import Picked
from pipeline.extract.ids import any_text, id_text
from pipeline.extract.places import Place
from pipeline.extract.times import TimeReader

_SHOWN = 200  # characters of a refused value, for those who ask for it


def good_rows(
    *,
    place: Place,
    picked: Picked,
    columns: Sequence[pa.Array],
    times: TimeReader,
    wanted: Wanted,
    first_row: int,
    rows: pa.Array | None,
    rejects: Sequence[Reject],
    bytes_read: int,
) -> ExtractBatch:
    """A batch from the columns that were picked, in their order."""
    ids, bad_ids, reason = id_text(columns[0], source=place)
    moments, bad_times = times.read(columns[1]) if picked.has_times else (None, None)
    if wanted.active == "optional":
        bad_times = None  # times only order the list: a bad one is as good as none
    flags = None
    if wanted.when is not None:
        flags = _flags(columns[-1], wanted.when[1], source=place)
    texts: dict[str, pa.Array] = {}
    marked = [(bad_ids, reason), (bad_times, UNREADABLE_TIME)]
    if wanted.pick is not None:
        found = [any_text(one, source=place) for one in columns[1:]]
        texts = dict(zip(picked.names[1:], (text for text, _, _ in found), strict=True))
        marked[1:] = [(bad, why) for _, bad, why in found]
    refused = list(rejects)
    keep: pa.Array | None = None
    for number, (mask, why) in enumerate(marked):
        if mask is None:
            continue
        bad = mask if keep is None else pc.and_(mask, keep)  # refused once, for the first reason
        values = columns[number].filter(bad).to_pylist() if wanted.keep_values else None
        for index, row in enumerate(_numbers(first_row, rows, len(ids)).filter(bad).to_pylist()):
            refused.append(Reject(row, why, None if values is None else _shown(values[index])))
        good = pc.invert(bad)
        keep = good if keep is None else pc.and_(keep, good)
    if keep is not None:
        rows = _numbers(first_row, rows, len(ids)).filter(keep)
        ids = ids.filter(keep)
        moments = None if moments is None else moments.filter(keep)
        flags = None if flags is None else flags.filter(keep)
        texts = {name: text.filter(keep) for name, text in texts.items()}
    return ExtractBatch(
        place=place,
        id_column=picked.names[0],
        active_column=picked.names[1] if picked.has_times else None,
        ids=ids,
        times=moments,
        flags=flags,
        first_row=first_row,
        rows=rows,
        rejects=refused,
        bytes_read=bytes_read,
        texts=texts,
    )


def _numbers(first_row: int, rows: pa.Array | None, count: int) -> pa.Array:
    return rows if rows is not None else pa.array(range(first_row, first_row + count), pa.int64())


def _flags(column: pa.Array, values: frozenset[str], *, source: object) -> pa.Array:
    """Whether each row holds one of `values`, compared as text."""
    kind = column.type
    if pa.types.is_boolean(kind):
        text = pc.if_else(column, "true", "false")
        values = frozenset(value.lower() for value in values)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        wanted = pa.array([value.encode() for value in values], kind)
        return pc.is_in(column, wanted)
    else:
        try:
            text = column.cast(pa.large_string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"a column of type {kind} cannot be compared with words",
                source=source,
                remedy="name another column with --active-when",
            ) from error
    return pc.is_in(text, pa.array(sorted(values), text.type))


def _shown(value: object) -> str:
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text[:_SHOWN]
