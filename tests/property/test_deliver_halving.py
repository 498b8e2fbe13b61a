"""Halving against a model of a service that refuses any batch that holds a bad row."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.halving import Halving


def settle(count: int, bad: set[int]) -> tuple[list[int], list[int], int]:
    """Rows accepted, rows refused, requests made."""
    halving = Halving(count)
    accepted: list[int] = []
    requests = 0
    while (span := halving.next_range()) is not None:
        requests += 1
        rows = range(*span)
        assert rows, "nothing would be sent"
        if bad.intersection(rows):
            halving.refuse()
        else:
            accepted += rows
            halving.accept()
    return accepted, halving.refused, requests


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, set[int]]:
    count = draw(st.integers(0, 500))
    rows = st.integers(0, max(count - 1, 0))
    return count, draw(st.sets(rows, max_size=min(count, draw(st.sampled_from([0, 1, 5, 500])))))


@given(batches())
def test_every_good_row_is_accepted_once_and_every_bad_one_refused(
    batch: tuple[int, set[int]],
) -> None:
    count, bad = batch
    accepted, refused, _ = settle(count, bad)

    assert [row for row in range(count) if row not in bad] == accepted
    assert sorted(bad) == refused


@given(batches())
def test_the_number_of_requests_is_bounded(batch: tuple[int, set[int]]) -> None:
    count, bad = batch
    _, _, requests = settle(count, bad)

    assert requests <= min(1 + 2 * len(bad) * math.ceil(math.log2(max(count, 2))), 2 * count)
    assert requests >= min(count, 1)


def test_one_bad_row_of_five_hundred_costs_eighteen_more_requests() -> None:
    assert 19 == max(settle(500, {bad})[2] for bad in range(500))
