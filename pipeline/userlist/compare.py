"""Two sets of ids: what was added, removed, kept; exact, whatever the order and the memory.

    with IdParts(folder).fill(old_batches) as old, IdParts(folder).fill(new_batches) as new:
        print(compare(old, new).kept_percent)

Strategy: both sets lie in parts by hash; equal ids are in the same part, so parts are compared one
by one, by the ids themselves. Memory is that of one part of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipeline.extract.ahead import read_ahead
from pipeline.records import ListComparison
from pipeline.userlist.id_parts import IdParts, keyed, part_numbers
from pipeline.userlist.shapes import ShapeCounts, drift_percent

__all__ = ["Difference", "compare", "iter_differences", "percent"]

# Shapes are shares: a quarter of the parts, chosen by hash, tells them of ids that fill the disk.
SHAPE_PARTS: Final = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """Distinct ids of one part: frames with ``id`` and ``other``.

    near: added ids that share a near key with an id of `old`
    """

    old: pl.DataFrame
    new: pl.DataFrame
    added: pl.DataFrame
    kept: int
    near: int

    @property
    def removed(self) -> int:
        """Ids of `old` that `new` lacks."""
        return self.old.height - self.kept


def iter_differences(old: IdParts, new: IdParts) -> Iterator[Difference]:
    """Part by part, every id in exactly one of them."""
    # One part is brought from disk while the last one is compared.
    for before, after in read_ahead(_iter_distinct(old, new), depth=1):
        kept, added = _kept_and_added(before, after)
        yield Difference(before, after, added, kept, _near(before, added))


def _kept_and_added(old: pl.DataFrame, new: pl.DataFrame) -> tuple[int, pl.DataFrame]:
    """How many ids of `new` are in `old`, and those that are not; no id is twice in either."""
    both = new.join(old.select("hash", old="id"), on="hash", how="left")
    kept = int((both["id"] == both["old"]).sum())
    added = both.filter(pl.col("old").is_null()).drop("old")
    # One partner each, and whoever has one is equal to it; otherwise two ids have one hash.
    if both.height == new.height == kept + added.height:
        return kept, added
    added = new.join(old, on="id", how="anti")
    return new.height - added.height, added


def _iter_distinct(old: IdParts, new: IdParts) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    for number in part_numbers(old, new):
        yield old.distinct(number)[0], new.distinct(number)[0]


def _near(old: pl.DataFrame, added: pl.DataFrame) -> int:
    # Two ids share a key only if the key is another text than one of them.
    if not (bool(old["other"].any()) or bool(added["other"].any())):
        return 0
    return keyed(added).join(keyed(old).select("key"), on="key", how="semi").height


def compare(old: IdParts, new: IdParts) -> ListComparison:
    """What became of `old` in `new`, and how far the shape of the ids has drifted."""
    olds = news = kept = near = 0
    old_shapes, new_shapes = ShapeCounts(), ShapeCounts()
    for number, one in enumerate(iter_differences(old, new)):
        olds += one.old.height
        news += one.new.height
        kept += one.kept
        near += one.near
        if number < SHAPE_PARTS:
            old_shapes.add(one.old["id"])
            new_shapes.add(one.new["id"])
    return ListComparison(
        old=olds,
        new=news,
        kept=kept,
        added=news - kept,
        removed=olds - kept,
        near=near,
        kept_percent=percent(kept, olds),
        jaccard_percent=percent(kept, olds + news - kept),
        drift_percent=drift_percent(old_shapes, new_shapes),
        old_shapes=old_shapes.freeze(),
        new_shapes=new_shapes.freeze(),
    )


def percent(part: int, whole: int) -> float | None:
    """Of a hundred, rounded down so that 100 means all; None of nothing."""
    return None if not whole else part * 10**6 // whole / 10**4
