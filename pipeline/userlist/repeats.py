"""The same id on several lines, and ids that another one equals but for its form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.records import Finding
from pipeline.userlist.id_parts import IdParts, keyed, part_numbers
from pipeline.userlist.mask import mask
from pipeline.userlist.near import COMBINED, KINDS
from pipeline.userlist.suspicions import EXAMPLES

__all__ = ["Repeats", "find_repeats"]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Distinct ids; lines beyond the first of an id; ids with a near duplicate, by kind."""

    distinct: int
    duplicates: Finding
    near: dict[str, Finding]


class _Found:
    """A count, and the first few pairs in the order of ids: the same whatever came first."""

    def __init__(self) -> None:
        self.count = 0
        self.pairs: list[tuple[str, str]] = []

    def add(self, number: int, pairs: pl.DataFrame) -> None:
        self.count += number
        first = pairs.select("a", "b").sort("a", "b").head(EXAMPLES).rows()
        self.pairs = sorted({*self.pairs, *first})[:EXAMPLES]


def find_repeats(users: IdParts) -> Repeats:
    """Look through all parts; an id counts under the first kind that makes it equal to another."""
    distinct = 0
    twice = _Found()
    kinds: dict[str, _Found] = {}
    for part in part_numbers(users):
        once, repeated = users.distinct(part)
        distinct += once.height
        if repeated.height:
            again = repeated.unique("id").select(a="id", b="id")
            twice.add(repeated.height - again.height, again)
        for kind, number, pairs in _near(once):
            kinds.setdefault(kind, _Found()).add(number, pairs)
    return Repeats(
        distinct=distinct,
        duplicates=Finding(count=twice.count, examples=tuple(mask(a) for a, _ in twice.pairs)),
        near={
            kind: Finding(
                count=found.count, examples=tuple(f"{mask(a)} ~ {mask(b)}" for a, b in found.pairs)
            )
            for kind, found in sorted(kinds.items(), key=lambda one: (-one[1].count, one[0]))
        },
    )


def _near(once: pl.DataFrame) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """Kind, number of ids and pairs of them, for ids of which no two are the same."""
    if not once["other"].any():  # no id's key is another text, so no two ids share one
        return
    rows = keyed(once).filter(pl.len().over("key") > 1).select("id", "key")
    rows = rows.with_columns(pl.lit(value=True).alias("left"))
    for kind, step in (*KINDS.items(), (COMBINED, None)):
        if not rows["left"].any():
            return
        form = pl.col("key") if step is None else step(pl.col("id"))
        rows = rows.with_columns(form.alias("form"))
        alike = pl.len().over("key", "form") > 1
        rows = rows.with_columns(alike.alias("alike"), (alike & pl.col("left")).alias("new"))
        found = rows.filter(pl.col("alike")).group_by("key", "form")
        ids = pl.col("id").sort()
        pairs = found.agg(a=ids.first(), b=ids.last(), new=pl.col("new").sum())
        pairs = pairs.filter(pl.col("new") > 0)
        if pairs.height:
            yield kind, int(pairs["new"].sum()), pairs
        rows = rows.with_columns(pl.col("left") & ~pl.col("new"))
