"""The ids of a list in vectorised batches, and every line that is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.userlist.facts import IdFacts, facts_of
from pipeline.userlist.lines import (
    HEADER,
    LEGACY_NAME,
    NUMBER,
    OTHER_ATTRIBUTES,
    Shape,
    find_shape,
    is_header,
    read_line,
)
from pipeline.userlist.list_file import Block, ListFile
from pipeline.userlist.receipt import invalid_line, receipt_path

__all__ = ["ListBatch", "ListReader", "iter_ids"]

FIRST_PROBLEMS: Final = 5
# Larger than what the upload reads at once: each step of polars costs a millisecond.
BLOCK: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListBatch:
    """Ids of valid lines in file order, and facts that are true of all.

    numbers, others: ids that are JSON numbers, and ids beside which other attributes stand
    """

    ids: pl.Series
    facts: IdFacts
    numbers: list[str]
    others: list[str]


class ListReader:
    """Iterate `batches` once; the counts are whole behind the end.

    Args:
        path: The list.
        allow_header: Take a first line that is the name of a column for an id all the same:
            `prepare` writes such a line only for a user who is called so.
    """

    def __init__(self, path: Path, *, allow_header: bool) -> None:
        self.file = ListFile(path, block_bytes=BLOCK)
        self._allow_header = allow_header
        self.problems: Counter[str] = Counter()
        self.first_problems: list[tuple[int, str]] = []
        self.legacy_lines = 0

    def batches(self) -> Iterator[ListBatch]:
        """The valid lines, block by block; raises as `ListFile.blocks` does."""
        for block in map(self._without_header, self.file.blocks()):
            shape = find_shape(block.data, self.file.kind, lines=block.lines)
            batch = self._slowly(block) if shape is None else self._at_once(block, shape)
            if batch.ids.len():
                yield batch

    def _without_header(self, block: Block) -> Block:
        if block.first_line > 1 or self._allow_header:
            return block
        head, end, rest = block.data.partition(b"\n")
        if not end or not is_header(head, self.file.kind):
            return block
        self._problem(1, HEADER)
        return Block(rest, 2, block.lines - 1)

    def _at_once(self, block: Block, shape: Shape) -> ListBatch:
        self.legacy_lines += block.lines if shape.legacy_name else 0
        inner = block.data[len(shape.prefix) : len(block.data) - len(shape.suffix)]
        text = pa.array([inner], pa.string())
        return _batch(pc.split_pattern(text, shape.separator.decode()).flatten(), [], [])

    def _slowly(self, block: Block) -> ListBatch:
        ids: list[str] = []
        numbers: list[str] = []
        others: list[str] = []
        kind = self.file.kind
        for number, data in block.iter_lines():
            line = read_line(data, kind, first=number == 1)
            if line.problem is not None:
                self._problem(number, line.problem)
                continue
            ids.append(line.user_id)
            if line.notes:
                self.legacy_lines += bool(line.notes & LEGACY_NAME)
                if line.notes & NUMBER:
                    numbers.append(line.user_id)
                if line.notes & OTHER_ATTRIBUTES:
                    others.append(line.user_id)
        return _batch(pa.array(ids, pa.string()), numbers, others)

    def _problem(self, number: int, problem: str) -> None:
        self.problems[problem] += 1
        if len(self.first_problems) < FIRST_PROBLEMS:
            self.first_problems.append((number, problem))


def iter_ids(path: Path) -> Iterator[tuple[pl.Series, IdFacts]]:
    """The ids of a list that must be valid, in batches with their facts.

    Raises:
        InputError: a line is not valid.
    """
    reader = ListReader(path, allow_header=receipt_path(path).exists())
    for batch in reader.batches():
        _refuse_problems(reader, path)
        yield batch.ids, batch.facts
    _refuse_problems(reader, path)


def _refuse_problems(reader: ListReader, path: Path) -> None:
    for number, problem in reader.first_problems:
        raise invalid_line(path, number, problem)


def _batch(ids: pa.Array, numbers: list[str], others: list[str]) -> ListBatch:
    data = ids.buffers()[2]
    facts = facts_of(b"" if data is None else bytes(memoryview(data)[: _end(ids)]))
    return ListBatch(cast("pl.Series", pl.from_arrow(ids)), facts, numbers, others)


def _end(ids: pa.Array) -> int:
    """Where the last id ends in the array's bytes."""
    offsets = memoryview(ids.buffers()[1]).cast("i")
    return int(offsets[ids.offset + len(ids)])
