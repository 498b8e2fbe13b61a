"""The order of users, whatever is let go on the way: all who fit, and the next one."""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine import recency
from pipeline.engine.recency import RecencyOrder

OVERHEAD = 5
times = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 10**6))


@given(
    users=st.dictionaries(st.text("abcé", min_size=1, max_size=6), times, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    max_bytes=st.integers(1, 300),
    sample=st.sampled_from([1, 3, 100]),
    rows=st.sampled_from([2, 7, 1000]),
)
def test_all_who_fit_and_the_next_one_come_in_order(
    users: dict[str, int | None], cuts: list[int], max_bytes: int, sample: int, rows: int
) -> None:
    """A sample of one misjudges where the limit lies; the proof on all users must catch that."""
    everybody = list(users.items())
    bounds = sorted({0, len(everybody), *(min(cut, len(everybody)) for cut in cuts)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recency, "_SAMPLE", sample)
        patch.setattr(recency, "_RANGE_ROWS", rows)
        order = RecencyOrder(max_bytes=max_bytes, line_overhead=OVERHEAD)
        for start, end in itertools.pairwise(bounds):
            part = everybody[start:end]
            schema = {"id": pl.String, "time": pl.Int64}
            order.add(pl.DataFrame(part, schema=schema, orient="row"))
        found = [id_ for frame in order.ordered() for id_ in frame["id"]]

    latest_first = sorted(
        everybody, key=lambda user: (user[1] is None, -(user[1] or 0), user[0].encode())
    )
    size, needed = 0, 0
    for id_, _ in latest_first:
        size += len(id_.encode()) + OVERHEAD
        needed += 1
        if size > max_bytes:
            break
    assert [id_ for id_, _ in latest_first[:needed]] == found[:needed]
    assert len(users) == order.users
