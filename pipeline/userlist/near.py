"""Ids that differ only in form: case, Unicode form, blanks, leading zeros or ``.0``.

Each kind of difference is one step that takes it away; all steps together give the near key. Two
ids with one near key are near duplicates: a vendor's system may see one person or two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from pipeline.userlist.facts import UNKNOWN, IdFacts

__all__ = ["COMBINED", "KINDS", "difference", "near_key"]

_INVISIBLE: Final = "[\u00ad\u200b\u200c\u200d\u2060\ufeff]"
_NO_BREAK: Final = "[\u00a0\u2007\u202f]"
_NUMBER: Final = r"^(?:0[0-9]+(?:\.0+)?|[0-9]+\.0+)$"


def _fold(ids: pl.Expr) -> pl.Expr:
    return ids.str.to_lowercase()


def _compose(ids: pl.Expr) -> pl.Expr:
    return ids.str.normalize("NFKC")


def _trim(ids: pl.Expr) -> pl.Expr:
    plain = ids.str.replace_all(_INVISIBLE, "").str.replace_all(_NO_BREAK, " ")
    return plain.str.replace_all(r"^\s+|\s+$", "")


def _unpad(ids: pl.Expr) -> pl.Expr:
    digits = ids.str.replace(r"\.0+$", "").str.strip_chars_start("0")
    number = pl.when(digits == "").then(pl.lit("0")).otherwise(digits)
    return pl.when(ids.str.contains(_NUMBER)).then(number).otherwise(ids)


KINDS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "case": _fold,
    "Unicode form": _compose,
    "blanks": _trim,
    "leading zeros or .0": _unpad,
}
COMBINED: Final = "several of these"


def difference(ids: pl.Series, other: str) -> pl.Series:
    """The kind that makes each id differ from `other`, whose near key it has; null if none does."""
    kinds = pl.lit(COMBINED)
    for kind, step in reversed(KINDS.items()):
        alike = step(pl.col("id")) == step(pl.lit(other))
        kinds = pl.when(alike).then(pl.lit(kind)).otherwise(kinds)
    found = pl.when(pl.col("id") != other).then(kinds).alias("difference")
    return ids.alias("id").to_frame().select(found).to_series()


def near_key(ids: pl.Series, facts: IdFacts = UNKNOWN) -> pl.Series:
    """The near key of each id; `facts` must be true of all."""
    # Composing brings back capitals that folding must still see, and folding can decompose.
    keys = ids
    if not facts.plain:
        keys = pl.select(_trim(_compose(_fold(_compose(pl.lit(keys)))))).to_series()
    elif facts.capitals:
        keys = keys.str.to_lowercase()
    if keys.str.contains(_NUMBER).any():
        keys = pl.select(_unpad(pl.lit(keys))).to_series()
    return keys
