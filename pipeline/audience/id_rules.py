"""Changes to ids, only where the user asks for them, and counted: ``--id-rules trim,lower``.

How many ids a rule merged is only known when all rows of a user are together: each rule leaves a
trace, the hash of the id as it was before, and the distinct traces of a user tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import narwhals.stable.v2 as nw

from pipeline.audience.rules import RowShape
from pipeline.errors import ConfigurationError

__all__ = ["ID_RULES", "IdRules"]

# With a set of characters given, every engine trims alike.
_SPACES: Final = " \t\r\n\u00a0\u200b\u2060\ufeff"
ID_RULES: Final[dict[str, Callable[[nw.Expr], nw.Expr]]] = {
    "trim": lambda ident: ident.str.strip_chars(_SPACES),
    "lower": lambda ident: ident.str.to_lowercase(),
}


class IdRules:
    """Applies rules to frames of candidates and counts what they changed and merged."""

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in ID_RULES]
        if unknown:
            raise ConfigurationError(
                f"unknown id rule: {unknown[0]!r}",
                source="--id-rules",
                remedy=f"choose from {', '.join(ID_RULES)}",
            )
        self.names = tuple(dict.fromkeys(names))
        self.traces = tuple(f"before_{name}" for name in self.names)
        self.changed: Counter[str] = Counter(dict.fromkeys(self.names, 0))
        self.merged: Counter[str] = Counter(dict.fromkeys(self.names, 0))

    def apply(self, rows: Any, shape: RowShape, *, count: bool = True) -> tuple[Any, RowShape]:
        """Native rows with their ids changed, and what is still known of their shape."""
        if not self.names:
            return rows, shape
        frame = nw.from_native(rows, eager_only=True)
        for name, trace in zip(self.names, self.traces, strict=True):
            before = nw.col("id")
            frame = frame.with_columns(before.alias(trace), ID_RULES[name](before).alias("id"))
            if count:
                self.changed[name] += int(
                    (frame["id"] != frame[trace]).fill_null(value=False).sum()
                )
        return frame.to_native(), RowShape()

    def count_merged(self, users: Any) -> None:
        """Take the distinct traces of each user: more than one means that ids were merged."""
        if not self.names:
            return
        frame = nw.from_native(users, eager_only=True)
        distinct = [int(frame[trace].sum()) for trace in self.traces] + [len(frame)]
        for number, name in enumerate(self.names):
            self.merged[name] += distinct[number] - distinct[number + 1]
