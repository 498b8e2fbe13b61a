"""Paging by offset while rows come and go, against a model of the listing."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.deliver.smartemailing_api import Page
from pipeline.deliver.smartemailing_ids import iter_listing
from pipeline.errors import RemoteError

Change = tuple[str, int]


def read(fetch: Callable[[int], Page]) -> list[int]:
    async def page(offset: int) -> Page:
        return fetch(offset)

    async def every() -> list[int]:
        return [row["id"] async for row in iter_listing(page, lambda row: (row["id"],))]

    return asyncio.run(every())


def listing(
    rows: set[int], changes: Iterator[list[Change]], *, size: int, counted: bool = True
) -> Callable[[int], Page]:
    """A service that applies the next changes before each page."""

    def fetch(offset: int) -> Page:
        for what, row in next(changes, []):
            rows.discard(row) if what == "remove" else rows.add(row)
        found = [{"id": row} for row in sorted(rows)]
        return Page(found[offset : offset + size], len(found) if counted else None)

    return fetch


@given(
    rows=st.sets(st.integers(0, 60), max_size=40),
    changes=st.lists(
        st.lists(st.tuples(st.sampled_from(["remove", "add"]), st.integers(0, 60)), max_size=8),
        max_size=20,
    ),
    size=st.integers(2, 9),
)
@example(
    rows={1, 5},
    changes=[[("add", 4)], [("add", 0)], [("add", 2)], [("add", 3)], [("remove", 0)]],
    size=2,
)
def test_rows_that_stay_are_given_once_whatever_comes_and_goes(
    rows: set[int], changes: list[list[Change]], size: int
) -> None:
    touched = {row for some in changes for _, row in some}
    stayed = rows - touched
    given_rows = read(listing(set(rows), iter(changes), size=size))

    assert sorted(given_rows) == given_rows
    assert len(set(given_rows)) == len(given_rows)
    assert stayed <= set(given_rows) <= rows | touched


@given(count=st.integers(0, 50), size=st.integers(2, 9), counted=st.booleans())
def test_a_listing_that_rests_is_read_whole_in_as_few_pages_as_can_be(
    count: int, size: int, counted: bool
) -> None:
    rows = set(range(count))
    fetch = listing(rows, iter([]), size=size, counted=counted)
    offsets: list[int] = []

    def noting(offset: int) -> Page:
        offsets.append(offset)
        return fetch(offset)

    assert sorted(rows) == read(noting)
    pages = max(math.ceil((count - 1) / (size - 1)), 1)
    assert pages <= len(offsets) <= (pages if counted else pages + 2)


def test_another_order_than_asked_for_is_an_error() -> None:
    def fetch(offset: int) -> Page:
        return Page([{"id": 2}, {"id": 1}], 2)

    with pytest.raises(RemoteError, match="another order"):
        read(fetch)


@pytest.mark.parametrize("rows", [[], [1], [1, 2, 3]])
def test_a_service_that_ignores_the_offset_is_noticed(rows: list[int]) -> None:
    def fetch(offset: int) -> Page:
        return Page([{"id": row} for row in rows], 1_000)

    with pytest.raises(RemoteError, match="do not go on"):
        read(fetch)
