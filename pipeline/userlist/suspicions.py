"""Valid lines that are probably not what was meant: counted, with masked examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from pipeline.audience.rules import NULL_WORDS
from pipeline.extract.columns import ID_COLUMNS
from pipeline.limits import MAX_ID_CHARS
from pipeline.records import RESERVED_ID, Finding
from pipeline.userlist.facts import IdFacts
from pipeline.userlist.mask import mask

__all__ = ["EXAMPLES", "NUMBERS", "OTHER_ATTRIBUTES", "Suspicions"]

EXAMPLES: Final = 3
NUMBERS: Final = "JSON numbers, not text"
OTHER_ATTRIBUTES: Final = "attributes beside the id"
_HEADER_WORDS: Final = (*ID_COLUMNS, "userid", "uid", "customer", "customerid", "user", "email")

_ID: Final = pl.col("id")
_FLOAT: Final = r"^[+-]?(?:[0-9]+\.[0-9]+|[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+)$"
_LOWER: Final = _ID.str.to_lowercase()


@dataclass(frozen=True, slots=True)
class _Test:
    """What is suspicious, and the facts under which it can hold at all."""

    found: pl.Expr
    signs: str = ""
    of_plain: bool = True

    def may_hold(self, facts: IdFacts) -> bool:
        if facts.plain and not self.of_plain:
            return False
        return not self.signs or any(sign in facts.signs for sign in self.signs)


_TESTS: Final[dict[str, _Test]] = {
    "outer spaces": _Test(
        _ID.str.contains(r"^[\s\u200b\u2060\ufeff]|[\s\u200b\u2060\ufeff]$"), of_plain=False
    ),
    "no-break or invisible": _Test(
        _ID.str.contains(r"[\u00a0\u00ad\u2007\u200b-\u200f\u202f\u2060\ufeff]"), of_plain=False
    ),
    "control characters": _Test(
        _ID.str.contains("[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]"), of_plain=False
    ),
    "float-looking": _Test(_ID.str.contains(_FLOAT), signs=".eE"),
    "e-mail addresses": _Test(_ID.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$"), signs="@"),
    "quotes around the id": _Test(_ID.str.contains(r"""^(?:".*"|'.*')$"""), signs="\"'"),
    "words of a header": _Test(_LOWER.is_in(_HEADER_WORDS)),
    "null words": _Test(_ID.is_in(NULL_WORDS)),
    "the reserved id": _Test(_ID == RESERVED_ID),
    f"more than {MAX_ID_CHARS} characters": _Test(_ID.str.len_chars() > MAX_ID_CHARS),
}


class Suspicions:
    """Counts lines, batch by batch; the examples are the first of the list."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, ids: pl.Series, facts: IdFacts) -> None:
        """Look at `ids`; `facts` must be true of all."""
        rows = ids.alias("id").to_frame()
        tests = {name: one.found for name, one in _TESTS.items() if one.may_hold(facts)}
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
