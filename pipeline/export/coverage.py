"""The uploaded list beside the export: who is covered, missing, unexpected."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from pipeline.errors import InputError
from pipeline.export.id_store import PARTITIONS, IdStore
from pipeline.limits import EXPORT_MAX_VALUE
from pipeline.publish import PendingFile
from pipeline.records import RESERVED_ID

__all__ = ["Coverage", "iter_listed_ids", "measure_coverage"]

_REMEDY: Final = "name the list that `prepare` wrote and `upload` sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Distinct users; the generic set is neither covered nor unexpected."""

    uploaded: int
    covered: int
    unexpected: int

    @property
    def missing(self) -> int:
        """Users of the list that the export lacks."""
        return self.uploaded - self.covered

    @property
    def percent(self) -> float:
        """Covered users of a hundred; 100 for an empty list."""
        return 100 * self.covered / self.uploaded if self.uploaded else 100.0


def iter_listed_ids(path: Path) -> Iterator[str]:
    """The ids of a list: JSON Lines, or CSV of one column without a header, told by content.

    Raises:
        InputError: the list is unreadable or not a list.
    """
    try:
        with path.open("rb") as file:
            jsonl = file.read(1) == b"{"
            file.seek(0)
            if jsonl:
                yield from _iter_jsonl(file, path)
            else:
                yield from _iter_csv(file, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read the list: {reason}", source=path, remedy=_REMEDY) from error


def _iter_jsonl(file: io.BufferedReader, path: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(EXPORT_MAX_VALUE):
        number += 1
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _not_a_list(path, number) from error
        user_id = record.get("auth_user_id") if isinstance(record, dict) else None
        if not isinstance(user_id, str):
            raise _not_a_list(path, number)
        yield user_id


def _iter_csv(file: io.BufferedReader, path: Path) -> Iterator[str]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.reader(text, strict=True)
    try:
        for row in rows:
            if len(row) != 1:
                raise _not_a_list(path, rows.line_num)
            yield row[0]
    except (csv.Error, UnicodeDecodeError) as error:
        raise _not_a_list(path, rows.line_num) from error
    finally:
        text.detach()


def _not_a_list(path: Path, line: int) -> InputError:
    return InputError("not a user list", source=path, position=f"line {line}", remedy=_REMEDY)


def measure_coverage(
    exported: IdStore, listed: Path, *, folder: Path, missing: PendingFile | None = None
) -> Coverage:
    """Compare, partition by partition; write the ids that are missing as a JSONL list."""
    store = IdStore(folder)
    try:
        for user_id in iter_listed_ids(listed):
            store.add(user_id)
        uploaded = covered = unexpected = 0
        default = orjson.dumps(RESERVED_ID)
        for partition in range(PARTITIONS):
            ours, theirs = store.distinct(partition), exported.distinct(partition)
            ours.discard(default)
            uploaded += len(ours)
            lacking = ours - theirs
            covered += len(ours) - len(lacking)
            theirs -= ours
            theirs.discard(default)
            unexpected += len(theirs)
            if missing is not None and lacking:
                lines = (b'{"auth_user_id":' + key + b"}\n" for key in sorted(lacking))
                missing.write(b"".join(lines))
        return Coverage(uploaded=uploaded, covered=covered, unexpected=unexpected)
    finally:
        store.close()
