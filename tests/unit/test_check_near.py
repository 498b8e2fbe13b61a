"""Near keys, their parts, and what bytes prove about ids."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.userlist.compare import compare
from pipeline.userlist.facts import UNKNOWN, facts_of
from pipeline.userlist.id_parts import IdParts
from pipeline.userlist.near import near_key
from pipeline.userlist.shapes import ShapeCounts, drift_percent

PLAIN = ["u1", "U1", "007", "7.0", "0", "000", "1.50", "E-5", "a@B.cz", "0x1F", '"Q"', "x.0"]


@pytest.mark.parametrize("user_id", PLAIN)
def test_facts_leave_out_work_and_change_no_key(user_id: str) -> None:
    ids = pl.Series([user_id])
    facts = facts_of(user_id.encode())

    assert facts.plain
    assert near_key(ids, UNKNOWN).to_list() == near_key(ids, facts).to_list()


def test_anything_but_printable_ascii_proves_nothing() -> None:
    assert UNKNOWN == facts_of(b"u 1")
    assert UNKNOWN == facts_of("é".encode())
    assert UNKNOWN == facts_of(b"a\x7f")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ABC", "abc"),
        ("\u00e9", "E\u0301"),
        ("\u00a0a\u200b", "a"),
        ("007.00", "7"),
        ("\uff11", "1"),
        ("0", "000.0"),
        ("H\u0331", "\u1e96"),
    ],
)
def test_two_forms_of_an_id_have_one_key(one: str, other: str) -> None:
    first, second = near_key(pl.Series([one, other])).to_list()

    assert first == second


def test_ids_that_come_after_a_comparison_are_seen_by_the_next() -> None:
    with IdParts() as old, IdParts() as new:
        old.fill([pl.Series(["a"])])
        new.fill([pl.Series(["a"])])
        before = compare(old, new)
        new.fill([pl.Series(["a", "b"])])
        after = compare(old, new)

    assert (1, 2) == (before.new, after.new)


def test_drift_says_how_many_ids_of_a_hundred_have_moved() -> None:
    old, new = ShapeCounts(), ShapeCounts()
    old.add(pl.Series(["u1", "u2", "u3", "u4"]))
    new.add(pl.Series(["u1", "u2", "12", "c7d8e9"]))

    assert {"length": 25.0, "kind": 25.0, "prefix": 50.0} == drift_percent(old, new)
    assert {} == old.freeze().prefixes


def test_a_beginning_is_named_when_ten_ids_share_it() -> None:
    shapes = ShapeCounts()
    shapes.add(pl.Series([f"cust{n}" for n in range(10)] + [f"u{n}" for n in range(9)]))

    assert {"cus": 10} == shapes.freeze().prefixes
    assert {"letters and digits": 19} == shapes.freeze().kinds
