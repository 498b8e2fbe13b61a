"""Valid lines that are probably not what was meant: counted, with masked examples, never refused.

And the same id twice, or in two forms: `find_repeats`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import polars as pl

from pipeline.audience.rules import MAX_ID_CHARS, NULL_WORDS
from pipeline.extract.columns import ID_COLUMNS
from pipeline.records import RESERVED_ID, Finding
from pipeline.userlist.id_parts import IdParts, iter_parts, keyed
from pipeline.userlist.mask import mask
from pipeline.userlist.near import COMBINED, KINDS

__all__ = ["EXAMPLES", "NUMBERS", "OTHER_ATTRIBUTES", "Suspicions", "find_repeats"]

EXAMPLES: Final = 3
NUMBERS: Final = "JSON numbers, not text"
OTHER_ATTRIBUTES: Final = "attributes beside the id"
_HEADER_WORDS: Final = (*ID_COLUMNS, "userid", "uid", "customer", "customerid", "user", "email")

_ID: Final = pl.col("id")
_ANY: Final[dict[str, pl.Expr]] = {
    "float-looking": _ID.str.contains(
        r"^[+-]?(?:[0-9]+\.[0-9]+|[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+)$"
    ),
    "e-mail addresses": _ID.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    "words of a header": _ID.str.to_lowercase().is_in(_HEADER_WORDS),
    "null words": _ID.is_in(NULL_WORDS),
    "the reserved id": _ID == RESERVED_ID,
    "quotes around the id": _ID.str.contains(r"""^(?:".*"|'.*')$"""),
    f"more than {MAX_ID_CHARS} characters": _ID.str.len_chars() > MAX_ID_CHARS,
}
# What can only hold where something else than printable ASCII without space was seen.
_NOT_PLAIN: Final[dict[str, pl.Expr]] = {
    "outer spaces": _ID.str.contains(r"^[\s\u200b\u2060\ufeff]|[\s\u200b\u2060\ufeff]$"),
    "no-break or invisible": _ID.str.contains(
        r"[\u00a0\u00ad\u2007\u200b-\u200f\u202f\u2060\ufeff]"
    ),
    "control characters": _ID.str.contains("[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]"),
}


class Suspicions:
    """Counts lines, batch by batch; the examples are the first of the list."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, ids: pl.Series, *, plain: bool) -> None:
        """Look at `ids`; `plain` when all are printable ASCII without space."""
        rows = ids.alias("id").to_frame()
        tests = _ANY if plain else _NOT_PLAIN | _ANY
        found = rows.select(test.sum().alias(name) for name, test in tests.items())
        for name, number in found.row(0, named=True).items():
            if number:
                self.count(name, number, partial(_first, rows, tests[name]))

    def count(self, name: str, number: int, examples: Callable[[], list[str]]) -> None:
        """Count `number` lines; `examples` are asked for while there are too few."""
        self._counts[name] = self._counts.get(name, 0) + number
        known = self._examples.setdefault(name, [])
        if len(known) < EXAMPLES:
            known += examples()[: EXAMPLES - len(known)]

    def findings(self) -> dict[str, Finding]:
        """What was found, the most frequent first, with masked examples."""
        names = sorted(self._counts, key=lambda name: (-self._counts[name], name))
        return {
            name: Finding(count=self._counts[name], examples=tuple(map(mask, self._examples[name])))
            for name in names
        }


def _first(rows: pl.DataFrame, test: pl.Expr) -> list[str]:
    return rows.filter(test).head(EXAMPLES)["id"].to_list()


def find_repeats(users: IdParts) -> tuple[int, Finding, dict[str, Finding]]:
    """Distinct ids; repeated lines; ids that another one equals but for its form, by kind."""
    distinct = 0
    repeated: list[tuple[str, str]] = []
    kinds: dict[str, tuple[int, list[tuple[str, str]]]] = {}
    for (rows,) in iter_parts(users):
        once = rows.unique("id")
        distinct += once.height
        if once.height < rows.height:
            twice = rows.filter(pl.col("id").is_duplicated())["id"].unique().sort()
            repeated = sorted({*repeated, *((one, one) for one in twice.head(EXAMPLES))})[:EXAMPLES]
        for kind, (number, pairs) in _near(once).items():
            before, known = kinds.get(kind, (0, []))
            kinds[kind] = before + number, sorted({*known, *pairs})[:EXAMPLES]
    duplicates = Finding(
        count=users.count - distinct, examples=tuple(mask(one) for one, _ in repeated)
    )
    return (
        distinct,
        duplicates,
        {
            kind: Finding(count=number, examples=tuple(f"{mask(a)} ~ {mask(b)}" for a, b in pairs))
            for kind, (number, pairs) in sorted(kinds.items(), key=lambda one: (-one[1][0], one[0]))
        },
    )


def _near(once: pl.DataFrame) -> dict[str, tuple[int, list[tuple[str, str]]]]:
    """Ids with a twin, by the first kind of difference that alone tells it from one."""
    if not once["other"].any():  # no id's key is another text, so no two ids share one
        return {}
    rows = keyed(once).filter(pl.len().over("key") > 1).select("id", "key")
    found: dict[str, tuple[int, list[tuple[str, str]]]] = {}
    for kind, step in KINDS.items():
        if not rows.height:
            return found
        rows = rows.with_columns(step(pl.col("id")).alias("form"))
        _take(rows.filter(pl.len().over("key", "form") > 1), kind, found)
        rows = rows.filter(pl.len().over("key", "form") == 1)
    _take(rows.with_columns(pl.col("key").alias("form")), COMBINED, found)
    return found


def _take(
    rows: pl.DataFrame, kind: str, found: dict[str, tuple[int, list[tuple[str, str]]]]
) -> None:
    if rows.height:
        ids = pl.col("id").sort()
        pairs = rows.group_by("key", "form").agg(ids.first().alias("a"), ids.last().alias("b"))
        pairs = pairs.select("a", "b").sort("a", "b").head(EXAMPLES)
        found[kind] = rows.height, [(a, b) for a, b in pairs.iter_rows()]
