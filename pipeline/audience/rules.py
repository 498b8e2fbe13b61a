"""Who is on the list: row rules, and what holds for all rows of one user. Pure, engine-free.

A frame of candidates has the columns ``id`` (text) and ``time`` (UTC, null where unknown).
The rules are Narwhals expressions, so the same ones serve every engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import narwhals.stable.v2 as nw

from pipeline.audience.window import Window
from pipeline.limits import MAX_ID_CHARS

__all__ = [
    "DROPPED",
    "NULL_WORDS",
    "REASONS",
    "AudienceRules",
    "RowShape",
    "classify",
    "latest",
]

# Words that dumps write for "no value"; as an id they are nobody (hazards H13).
NULL_WORDS: Final = (
    "NULL", "null", "Null", "NaN", "nan", "NAN", "None", "none", "NONE", r"\N", "#N/A", "N/A",
    "undefined", "<NA>", "NaT", "nil",
)  # fmt: skip

# Reasons in the order in which a row meets them; a row has the code of the first that holds,
# 0 makes it a candidate.
REASONS: Final = (
    "candidate",
    "null id",
    "empty id",
    "null word as id",
    "control character in id",
    "id too long",
    "activity in the future",
    "no activity",
    "inactive",
    "not marked active",
)
DROPPED: Final = frozenset({"no activity", "inactive", "not marked active"})
"""Reasons of sound rows that are simply not wanted; all others are rejects."""

_CONTROL: Final = "[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]"
_BLANK: Final = r"^[\s\u00a0\u200b\u2060\ufeff]*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRules:
    """Everything that decides about a row.

    window: None keeps users whatever their time
    flagged: rows have a column ``flag`` (``--active-when``) and only those it marks are wanted
    """

    window: Window | None
    flagged: bool = False
    null_words: tuple[str, ...] = NULL_WORDS
    max_id_chars: int = MAX_ID_CHARS


_EVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShape:
    """What is known of all rows of a frame; rules that it proves idle are left out.

    plain: every id is printable ASCII without space
    shortest, longest: bounds of the ids' lengths in bytes
    null_ids, null_times: whether there may be any
    latest: no time is later than this
    """

    plain: bool = False
    shortest: int = 0
    longest: int = 2**31
    null_ids: bool = True
    null_times: bool = True
    latest: datetime = _EVER


ANY_SHAPE: Final = RowShape()


def classify(rows: Any, rules: AudienceRules, shape: RowShape = ANY_SHAPE) -> Any:
    """Add a column ``reason`` (an index into `REASONS`) to a native frame of candidates.

    `shape` must be true of the rows.
    """
    ident, time = nw.col("id"), nw.col("time")
    steps: list[tuple[str, nw.Expr]] = []
    if shape.null_ids:
        steps.append(("null id", ident.is_null()))
    if not (shape.plain and shape.shortest > 0):
        steps.append(("empty id", ident.str.contains(_BLANK)))
    if shape.shortest <= max((len(word.encode()) for word in rules.null_words), default=0):
        steps.append(("null word as id", ident.is_in(list(rules.null_words))))
    if not shape.plain:
        steps.append(("control character in id", ident.str.contains(_CONTROL)))
    if shape.longest > rules.max_id_chars:
        steps.append(("id too long", ident.str.len_chars() > rules.max_id_chars))
    if rules.window is not None:
        if shape.latest > rules.window.latest:
            steps.append(("activity in the future", time > rules.window.latest))
        if shape.null_times:
            steps.append(("no activity", time.is_null()))
        steps.append(("inactive", time < rules.window.start))
    if rules.flagged:
        steps.append(("not marked active", ~nw.col("flag").fill_null(value=False)))
    reason: nw.Expr = nw.lit(0, nw.UInt8)
    for name, condition in reversed(steps):
        code = nw.lit(REASONS.index(name), nw.UInt8)
        reason = nw.when(condition).then(code).otherwise(reason)
    return nw.from_native(rows).with_columns(reason=reason).to_native()


def latest(candidates: Any, traces: Sequence[str] = ()) -> Any:
    """One row per user, with the latest time; of the columns in `traces` the distinct values."""
    distinct = [nw.col(name).n_unique() for name in traces]
    frame = nw.from_native(candidates).group_by("id")
    return frame.agg(nw.col("time").max(), *distinct).to_native()
