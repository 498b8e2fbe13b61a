"""What ids look like, in numbers: length, kind, beginning; and how far two sets are apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeVar

import polars as pl

from pipeline.records import IdShapes

__all__ = ["ShapeCounts", "drift_percent"]

_T = TypeVar("_T")

# In this order, the first that holds; regexes that fail at the first character cost little.
_KINDS: Final = (
    ("digits", r"^[0-9]+$"),
    ("UUID", r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    ("hexadecimal", r"^(?:[0-9a-f]{16,}|[0-9A-F]{16,})$"),
    ("letters and digits", r"^[0-9A-Za-z]+$"),
    ("e-mail address", r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    ("with punctuation", r"^[!-~]+$"),
    ("with spaces", r"^[ -~]+$"),
)
_REST: Final = "not ASCII"
PREFIX_CHARS: Final = 3
# A beginning is named only when that many ids share it: it must not point to a person.
PREFIX_SHARED_BY: Final = 10
PREFIXES: Final = 20


class ShapeCounts:
    """Counts distinct ids, batch by batch; the order of batches does not matter."""

    def __init__(self) -> None:
        self.lengths: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.prefixes: Counter[str] = Counter()

    def add(self, ids: pl.Series) -> None:
        """Count `ids`."""
        self.lengths.update(_counts(ids.str.len_chars()))
        starts = ids.str.slice(0, PREFIX_CHARS).alias("start").value_counts()
        prefixes = starts.group_by(pl.col("start").str.replace(r"[0-9].*$", "")).agg(
            pl.col("count").sum()
        )
        self.prefixes.update(dict(prefixes.iter_rows()))
        rest = ids
        for kind, pattern in _KINDS:
            if not rest.len():
                return
            found = rest.str.contains(pattern)
            number = int(found.sum())
            if number:
                self.kinds[kind] += number
                rest = rest.filter(~found)
        if rest.len():
            self.kinds[_REST] += rest.len()

    def freeze(self) -> IdShapes:
        """The counts as a record, in an order of their own."""
        shared = [one for one in self.prefixes.items() if one[0] and one[1] >= PREFIX_SHARED_BY]
        shared.sort(key=lambda one: (-one[1], one[0]))
        return IdShapes(
            ids=sum(self.lengths.values()),
            lengths=dict(sorted(self.lengths.items())),
            kinds=dict(sorted(self.kinds.items(), key=lambda one: (-one[1], one[0]))),
            prefixes=dict(shared[:PREFIXES]),
        )


def _counts(values: pl.Series) -> dict[int, int]:
    return dict(values.alias("value").value_counts().iter_rows())


def drift_percent(old: ShapeCounts, new: ShapeCounts) -> dict[str, float]:
    """How many of a hundred ids have moved, by length, kind and prefix."""
    return {
        "length": _distance(old.lengths, new.lengths),
        "kind": _distance(old.kinds, new.kinds),
        "prefix": _distance(old.prefixes, new.prefixes),
    }


def _distance(old: Mapping[_T, int], new: Mapping[_T, int]) -> float:
    of_old, of_new = sum(old.values()), sum(new.values())
    if not of_old or not of_new:
        return 100.0 if of_old or of_new else 0.0
    moved = sum(
        abs(old.get(one, 0) / of_old - new.get(one, 0) / of_new) for one in old.keys() | new.keys()
    )
    return round(50 * moved, 4)
