"""Ids that differ only in form: case, Unicode form, blanks, leading zeros or ``.0``.

Each kind of difference is one step that takes it away; all steps together give the near key. Two
ids with one near key are near duplicates: a vendor's system may see one person or two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

__all__ = ["COMBINED", "KINDS", "near_key"]

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
    whole = ids.str.replace(r"^([0-9]+)\.0+$", "${1}")
    return whole.str.replace(r"^0+([0-9]+)$", "${1}")


KINDS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "case": _fold,
    "Unicode form": _compose,
    "blanks": _trim,
    "leading zeros or .0": _unpad,
}
COMBINED: Final = "several of these"


def near_key(ids: pl.Series, *, plain: bool = False) -> pl.Series:
    """The near key of each id; `plain` when all are printable ASCII without space."""
    # Composing brings back capitals that folding must still see, and folding can decompose.
    keys = ids
    if not plain:
        keys = pl.select(_trim(_compose(_fold(_compose(pl.lit(keys)))))).to_series()
    elif _has_capitals(ids):
        keys = keys.str.to_lowercase()
    numbers = keys.str.contains(_NUMBER)
    if numbers.any():
        keys = pl.select(pl.when(numbers).then(_unpad(pl.lit(keys))).otherwise(keys)).to_series()
    return keys


def _has_capitals(ids: pl.Series) -> bool:
    return bool(ids.str.contains("[A-Z]").any())
