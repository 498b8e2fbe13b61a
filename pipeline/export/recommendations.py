"""What `parse` wrote, or an export itself, read back user by user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pipeline.errors import InputError
from pipeline.export.json_reader import JsonExportReader
from pipeline.export.quick_reader import QuickXmlReader
from pipeline.export.reader import ExportReader, identify_format
from pipeline.export.rows import COLUMNS
from pipeline.export.source_file import SourceFile
from pipeline.extract.recommendation_table import (
    ITEM_FIELDS,
    foreign_row,
    open_table,
    parse_extra,
)
from pipeline.records import Block, UserRecommendations

__all__ = ["iter_recommendations"]

_READ: Final = [name for name in COLUMNS if name != "recommendation_id"]  # a part of the url
_BATCH_ROWS: Final = 8_192
# Block and position of a user's first row; -1 where there is none.
_FIRST: Final = ((-1, -1), (0, -1), (0, 0))


def iter_recommendations(path: Path) -> Iterator[UserRecommendations]:
    """The users of a file, in its order: JSON Lines or Parquet of `parse`, or an export.

    Users come before the end was seen: only an iterator that ended has shown a whole file.

    Raises:
        InputError: missing, damaged, cut short, or another kind of file.
    """
    if _is_parquet(path):
        yield from _regroup(path, _iter_table(path))
        return
    file = SourceFile(path)
    reader: ExportReader | None = None
    head = b""
    for piece in file.iter_pieces():
        data = head + piece
        if reader is None:
            found = identify_format(data, source=file.name)
            if found is None:
                head = data
                continue
            head = b""
            kind = QuickXmlReader if found == "xml" else JsonExportReader
            reader = kind(source=file.name)
        yield from reader.feed(data)
    if reader is None:
        raise InputError("the file is empty", source=path, remedy="name what `parse` wrote")
    yield from reader.close()


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read the recommendations: {reason}", source=path) from error


def _iter_table(path: Path) -> Iterator[dict[str, Any]]:
    with open_table(str(path), _READ, source=path) as table:
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=_READ):
            yield from batch.to_pylist()


def _regroup(path: Path, rows: Iterator[dict[str, Any]]) -> Iterator[UserRecommendations]:
    user: UserRecommendations | None = None
    last = -1, -1
    for number, row in enumerate(rows, 1):
        place = _number(row["block"]), _number(row["position"])
        extra = parse_extra(row["extra"], source=path, row=number)
        user_extra, block_extra = extra.pop("#user", None), extra.pop("#block", None)
        if row["auth_user_id"] is None or min(row["block"] or 0, row["position"] or 0) < 0:
            raise foreign_row(path, number)
        same = user is not None and row["auth_user_id"] == user["auth_user_id"]
        if user is None or not (same and _follows(place, last)):
            if place not in _FIRST:
                raise foreign_row(path, number)
            if user is not None:
                yield user
            user = {
                "auth_user_id": row["auth_user_id"],
                "updated_at": row["updated_at"],
                "recommendations": [],
            }
            if user_extra:
                user["extra"] = user_extra
            last = -1, -1
        if place[0] >= 0 and place[0] != last[0]:
            block: Block = {"recommendation_type": row["recommendation_type"], "results": []}
            if block_extra:
                block["extra"] = block_extra
            user["recommendations"].append(block)
        if place[1] >= 0:
            item = {name: row[name] for name in ITEM_FIELDS if row[name] is not None}
            user["recommendations"][-1]["results"].append(item | extra)
        last = place
    if user is not None:
        yield user


def _follows(place: tuple[int, int], last: tuple[int, int]) -> bool:
    """Whether a row of the same user at `place` goes on behind one at `last`."""
    (block, position), (last_block, last_position) = place, last
    if last_block < 0:  # a user without blocks is one row
        return False
    if block == last_block:
        return last_position >= 0 and position == last_position + 1
    return block == last_block + 1 and position <= 0


def _number(value: int | None) -> int:
    return -1 if value is None else value
