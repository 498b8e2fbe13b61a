"""JSON Lines: one object a line; an id is a string or a 64-bit integer and nothing else.

Strategy: the lines of a block are parsed by orjson in one call, as one array with a marker between
them that no file can know. Whatever does not come back as object, marker, object, … makes the
block be read line by line, and each bad line is named.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator
from typing import Any, Final

import orjson
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.extract.batch import (
    INVALID_UTF8,
    LONE_SURROGATE,
    NESTED_VALUE,
    NOT_AN_ID,
    NOT_JSON,
    REPEATED_KEY,
    ExtractBatch,
    Reject,
    Wanted,
)
from pipeline.extract.columns import Picked, pick_columns
from pipeline.extract.places import ByteStream, Place, open_stream
from pipeline.extract.rows import good_rows
from pipeline.extract.times import TimeReader

__all__ = ["iter_lines", "read_jsonl"]

BLOCK: Final = 4 * 1024 * 1024  # one line must fit
_BOM: Final = b"\xef\xbb\xbf"


def read_jsonl(place: Place, wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of one JSON Lines file; row 1 is the first line, blank lines are counted.

    Raises:
        ConfigurationError: no object has the column.
        InputError: the file is empty, or its last line is cut.
    """
    stream = open_stream(place, encoding=wanted.encoding)
    try:
        reader = _Reader(stream, wanted)
        yield from reader.batches()
    finally:
        stream.close()


def iter_lines(stream: ByteStream, *, allow_truncated: bool = False) -> Iterator[list[bytes]]:
    """Whole lines in blocks, without their ends; blank ones stay, so that they can be counted.

    Raises:
        InputError: a line is too long, or the last one is cut.
    """
    rest = b""
    start = True
    row = 1
    while block := stream.read(BLOCK):
        if start:
            block, start = block.removeprefix(_BOM), False
        head, found, tail = (rest + block).rpartition(b"\n")
        if found:
            lines = head.split(b"\n")
            row += len(lines)
            yield lines
        rest = tail
        if len(rest) > BLOCK:
            raise InputError(
                "one line is too long",
                source=stream.place,
                position=f"row {row:,}",
                limit=f"{BLOCK:,} bytes",
                remedy="name a file with one JSON object a line",
            )
    if rest.strip():
        if not allow_truncated and not _whole(rest):
            raise InputError(
                "the last line is cut",
                source=stream.place,
                position=f"row {row:,}",
                remedy="write the file again",
            )
        yield [rest]


class _Reader:
    def __init__(self, stream: ByteStream, wanted: Wanted) -> None:
        self._stream, self._wanted, self._place = stream, wanted, stream.place
        self._times = TimeReader(
            wanted.timezone, wanted.time_unit, now_us=wanted.now_us, source=self._place
        )
        self._picked: Picked | None = None
        self._next_row = 1
        self._marker = secrets.token_hex(16)

    def batches(self) -> Iterator[ExtractBatch]:
        blocks = iter_lines(self._stream, allow_truncated=self._wanted.allow_truncated)
        for lines in blocks:
            first, self._next_row = self._next_row, self._next_row + len(lines)
            yield self._batch(first, lines)

    def _batch(self, first: int, lines: list[bytes]) -> ExtractBatch:
        rejects: list[Reject] = []
        numbered = [(row, line) for row, line in enumerate(lines, first) if line.strip()]
        objects = self._together([line for _, line in numbered])
        rows = [row for row, _ in numbered]
        if objects is None:
            rows, objects = self._one_by_one(numbered, rejects, ())
        picked = self._pick(objects)
        names = {name.rpartition(".")[2] for name in picked.names}
        keys = [orjson.dumps(name) for name in names]
        if any(line.count(key) > 1 for key in keys for _, line in numbered):
            rejects.clear()  # perhaps a key twice in one object: look at each line for those
            rows, objects = self._one_by_one(numbered, rejects, names)
        nested = self._nested(objects, picked)
        ids: list[str | None] = []
        kept: list[int] = []
        for at, found in enumerate(_values(objects, picked.names[0])):
            if at in nested:
                rejects.append(Reject(rows[at], NESTED_VALUE))
                continue
            if found is None or type(found) is str:
                ids.append(found)
            elif type(found) is int:
                ids.append(str(found))
            else:
                rejects.append(Reject(rows[at], NOT_AN_ID, self._value(found)))
                continue
            kept.append(at)
        columns = [pa.array(ids, pa.large_string())]
        for name in picked.names[1:]:
            column = _values(objects, name)
            columns.append(_text_column([column[at] for at in kept]))
        return good_rows(
            place=self._place,
            picked=picked,
            columns=columns,
            times=self._times,
            wanted=self._wanted,
            first_row=first,
            rows=pa.array([rows[at] for at in kept], pa.int64()),
            rejects=rejects,
            bytes_read=self._stream.bytes_read,
        )

    def _pick(self, objects: list[dict[str, Any]]) -> Picked:
        if self._picked is None:
            names = list(dict.fromkeys(name for one in objects[:1000] for name in _paths(one)))
            picked = pick_columns(names, self._wanted, source=self._place)
            if not objects:
                return picked
            self._picked = picked
        return self._picked

    def _nested(self, objects: list[dict[str, Any]], picked: Picked) -> set[int]:
        """Objects with a list or an object where a column of text was picked."""
        if self._wanted.pick is None:
            return set()
        return {
            at
            for name in picked.names[1:]
            for at, value in enumerate(_values(objects, name))
            if isinstance(value, list | dict)
        }

    def _together(self, lines: list[bytes]) -> list[dict[str, Any]] | None:
        """All objects of a block at once, or None when a line needs to be looked at."""
        joint = f',"{self._marker}",'.encode()
        try:
            found = orjson.loads(b"[" + joint.join(lines) + b"]")
        except orjson.JSONDecodeError:
            return None
        objects: list[dict[str, Any]] = found[::2]
        if len(found) != max(0, 2 * len(lines) - 1) or any(map(self._marker.__ne__, found[1::2])):
            return None
        if not all(type(one) is dict for one in objects):
            return None
        return objects

    def _one_by_one(
        self, numbered: list[tuple[int, bytes]], rejects: list[Reject], names: Collection[str]
    ) -> tuple[list[int], list[dict[str, Any]]]:
        rows, objects = [], []
        for row, line in numbered:
            reason, found = _read_line(line, names)
            if reason is None:
                rows.append(row)
                objects.append(found)
            else:
                rejects.append(Reject(row, reason, self._value(line)))
        return rows, objects

    def _value(self, value: object) -> str | None:
        if not self._wanted.keep_values:
            return None
        text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        return text[:200]


def _read_line(line: bytes, names: Collection[str]) -> tuple[str | None, dict[str, Any]]:
    """Why a line is refused (None when it is not), and its object; no key of `names` twice."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return INVALID_UTF8, {}
    repeated = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        made = dict(found)
        if len(made) != len(found):
            keys = [key for key, _ in found]
            repeated |= any(keys.count(name) > 1 for name in names)
        return made

    try:
        found = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return NOT_JSON, {}
    if not isinstance(found, dict):
        return NOT_JSON, {}
    if repeated:
        return REPEATED_KEY, {}
    try:
        found = orjson.loads(line)  # it knows no NaN, and no lone surrogates
    except orjson.JSONDecodeError:
        return (LONE_SURROGATE if "\\u" in text.lower() else NOT_JSON), {}
    return None, found


def _whole(line: bytes) -> bool:
    return _read_line(line.strip(), ())[0] not in (NOT_JSON, INVALID_UTF8)


def _paths(found: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, dict) and prefix.count(".") < 8:
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _values(objects: list[dict[str, Any]], name: str) -> list[Any]:
    """One column of all objects; a dotted name goes into nested ones."""
    if "." not in name or any(name in one for one in objects[:100]):
        return [one.get(name) for one in objects]
    column: list[Any] = objects
    for part in name.split("."):
        column = [one.get(part) if isinstance(one, dict) else None for one in column]
    return column


def _text_column(values: list[Any]) -> pa.Array:
    """A column of strings, numbers, booleans and nulls as text; anything else as no time at all."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        return pa.array(values, pa.large_string())
    if kinds in ({int}, {float}):
        try:
            return pa.array(values)
        except OverflowError:  # an integer that no time is
            pass
    return pa.array([_plain_text(value) for value in values], pa.large_string())


def _plain_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else "(nested)"
