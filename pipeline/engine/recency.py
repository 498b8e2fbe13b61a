"""The recency order over all users: last activity descending (none last), then id by its bytes.

Strategy: users come part by part. Whoever can no longer fit under the limit is let go as soon as
that is certain, by a lower bound of the encoded size, so memory is bounded by the limit and not
by the audience. The rest is cut into ranges of time and sorted range by range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

__all__ = ["RecencyOrder", "is_ahead"]

_SLACK: Final = 1.25  # let users go when they exceed the limit by this much
_RANGE_ROWS: Final = 500_000
_SAMPLE: Final = 100_000
_CUTS: Final = (1.02, 1.1)  # shares of the limit to cut at; the sample may be off by a little


class RecencyOrder:
    """Collects users (columns id, time) and gives them back in order, each once.

    Args:
        max_bytes: Limit of the list; users certain not to fit are counted and forgotten.
        line_overhead: Encoded bytes of a line beyond the id's own, at least.
    """

    def __init__(self, *, max_bytes: int, line_overhead: int) -> None:
        self.users = 0
        self.least_bytes = 0
        self._max_bytes, self._overhead = max_bytes, line_overhead
        self._kept: list[pl.DataFrame] = []
        self._kept_bytes = 0
        self._since: object = None

    def add(self, users: pl.DataFrame) -> None:
        """Take the users of one part; the caller guarantees that no user is in two parts."""
        least = self._least(users)
        self.users += users.height
        self.least_bytes += least
        if self._since is not None:
            users = users.filter(pl.col("time") >= self._since)
            least = self._least(users)
        self._kept.append(users)
        self._kept_bytes += least
        if self._kept_bytes > self._max_bytes * _SLACK:
            self._let_go()

    def ordered(self) -> Iterator[pl.DataFrame]:
        """Users in order, in frames of about half a million, those certain not to fit left out."""
        kept, self._kept = self._kept, []
        if not kept:
            return
        users = pl.concat(kept, rechunk=False)
        del kept
        yield from _sorted_ranges(users)

    def _least(self, users: pl.DataFrame) -> int:
        return int(users["id"].str.len_bytes().sum()) + self._overhead * users.height

    def _let_go(self) -> None:
        """Keep little more than a prefix of the order that is certain to reach the limit."""
        users = pl.concat(self._kept, rechunk=False)
        step = max(1, users.height // _SAMPLE)
        sample = (
            users.gather_every(step)
            .select("time", least=(pl.col("id").str.len_bytes() + self._overhead).cast(pl.Int64))
            .sort("time", descending=True, nulls_last=True)
        )
        upto = sample["least"].cum_sum() * step
        for share in _CUTS:  # a guess from the sample, proved on all users
            at = int((upto <= self._max_bytes * share).sum())
            since = sample["time"][at] if at < sample.height else None
            if since is None:
                break
            recent = users.filter(pl.col("time") >= since)
            if self._least(recent) > self._max_bytes:
                users, self._since = recent, since
                break
        if self._least(users) > self._max_bytes * _SLACK:  # many users share one moment
            users = _sort(users)
            least = (users["id"].str.len_bytes() + self._overhead).cast(pl.Int64).cum_sum()
            users = users.head(int((least <= self._max_bytes).sum()) + 1)
        self._kept = [users]
        self._kept_bytes = self._least(users)


def _sorted_ranges(users: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """`users` in order, sorted one range of times after another to bound memory."""
    pieces = max(1, round(users.height / _RANGE_ROWS))
    if pieces > 1:
        times = users["time"].gather_every(max(1, users.height // _SAMPLE)).drop_nulls()
        times = times.sort(descending=True)
        bounds = [times[times.len() * n // pieces] for n in range(1, pieces) if times.len()]
        upper: object = None
        for bound in dict.fromkeys(bounds):
            inside = pl.col("time") >= bound
            if upper is not None:
                inside &= pl.col("time") < upper
            yield _sort(users.filter(inside))
            upper = bound
        if upper is not None:
            users = users.filter((pl.col("time") < upper) | pl.col("time").is_null())
    yield _sort(users)


def is_ahead(time: int | None, user_id: str) -> pl.Expr:
    """Whether a user (columns id, time) comes before the one of that time and id."""
    same = pl.col("time").is_null() if time is None else pl.col("time") == time
    later = pl.col("time").is_not_null() if time is None else pl.col("time") > time
    return later | (same & (pl.col("id") < user_id))


def _sort(users: pl.DataFrame) -> pl.DataFrame:
    # nulls_last as one flag for both columns takes a path in polars that is eight times slower.
    return users.sort("time", "id", descending=[True, False], nulls_last=[True, False])
