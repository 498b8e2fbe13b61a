"""`compare` equals the sets of Python, whatever the order, the batches, the disk or the hash."""

from __future__ import annotations

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.records import ListComparison
from pipeline.userlist import id_parts
from pipeline.userlist.compare import compare
from pipeline.userlist.id_parts import IdParts

IDS = st.one_of(
    st.sampled_from(["u1", "U1", "u2", "01", "1", "1.0", "é", "e\u0301", "a b", "a\u00a0b"]),
    st.text("ab01é ", min_size=1, max_size=4),
)
LISTS = st.lists(IDS, max_size=40)


def compared(old: list[str], new: list[str], *, batch: int, pending_bytes: int) -> ListComparison:
    with (
        IdParts(pending_bytes=pending_bytes) as olds,
        IdParts(pending_bytes=pending_bytes) as news,
    ):
        for store, ids in ((olds, old), (news, new)):
            store.fill(
                pl.Series(ids[at : at + batch], dtype=pl.String) for at in range(0, len(ids), batch)
            )
        return compare(olds, news)


@settings(max_examples=40, deadline=None)
@given(LISTS, LISTS, st.integers(1, 40), st.sampled_from([1, 500, 10**9]))
def test_two_lists_are_compared_as_sets(
    old: list[str], new: list[str], batch: int, pending_bytes: int
) -> None:
    found = compared(old, new, batch=batch, pending_bytes=pending_bytes)
    olds, news = set(old), set(new)

    assert (len(olds), len(news)) == (found.old, found.new)
    assert len(olds & news) == found.kept
    assert (len(news - olds), len(olds - news)) == (found.added, found.removed)
    kept = None if not olds else 100 * len(olds & news) / len(olds)
    assert found.kept_percent == pytest.approx(kept, abs=1e-4)
    both = None if not olds | news else 100 * len(olds & news) / len(olds | news)
    assert found.jaccard_percent == pytest.approx(both, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(LISTS, LISTS, st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(old: list[str], new: list[str], random) -> None:  # type: ignore[no-untyped-def]
    other_old, other_new = old * 2, list(new)
    random.shuffle(other_old)
    random.shuffle(other_new)
    first = compared(old, new, batch=3, pending_bytes=10**9)

    assert first == compared(other_old, other_new, batch=7, pending_bytes=10**9)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LISTS, LISTS, st.sampled_from([1, 10**9]))
def test_ids_of_one_hash_are_still_told_apart(
    monkeypatch: pytest.MonkeyPatch, old: list[str], new: list[str], pending_bytes: int
) -> None:
    expected = compared(old, new, batch=5, pending_bytes=10**9)
    with monkeypatch.context() as patch:
        patch.setattr(id_parts, "hash_ids", lambda ids: (ids.hash(1) % 3).alias("hash"))
        found = compared(old, new, batch=5, pending_bytes=pending_bytes)

    for name in ("old", "new", "kept", "added", "removed", "near"):
        assert getattr(expected, name) == getattr(found, name)
