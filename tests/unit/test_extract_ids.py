"""Ids of every column type come out as the stored value, or are refused."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

from pipeline.errors import InputError
from pipeline.extract.ids import id_text


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array(["00123", " a ", None, "123.0"]), ["00123", " a ", None, "123.0"]),
        (pa.array(["é", "e\u0301"], pa.large_string()), ["é", "e\u0301"]),
        (pa.array(["a"], pa.string_view()), ["a"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([2**63 - 1, -1, None]), ["9223372036854775807", "-1", None]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([12.0, 2.0**53 - 1, None]), ["12", "9007199254740991", None]),
        (pa.array([Decimal("12.00"), Decimal("-5.00")]), ["12", "-5"]),
        (pa.array([Decimal(10**37)], pa.decimal128(38, 0)), [str(10**37)]),
        (pa.array([Decimal(1200)], pa.decimal128(10, -2)), ["1200"]),
        (pa.array([Decimal("12.00")], pa.decimal32(9, 2)), ["12"]),
        (pa.array([b"u1", None]), ["u1", None]),
        (pa.array([b"0123456789abcdef"], pa.binary(16)), ["0123456789abcdef"]),
        (pa.array([uuid.UUID(int=5).bytes, None], pa.uuid()), [str(uuid.UUID(int=5)), None]),
        (pa.array([None], pa.null()), [None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_exact_values_become_their_text(column: pa.Array, wanted: list[str | None]) -> None:
    ids, bad, _ = id_text(column, source="x")

    assert wanted == ids.to_pylist()
    assert bad is None


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([1.5, 2.0]), "lossy number"),
        (pa.array([float("nan"), 2.0]), "lossy number"),
        (pa.array([float("inf"), 2.0]), "lossy number"),
        (pa.array([2.0**53, 2.0]), "lossy number"),
        (pa.array([2.0**24, 2.0], pa.float32()), "lossy number"),
        (pa.array([Decimal("12.50"), Decimal("2.00")]), "lossy number"),
        (pa.array([-0.0, 2.0]), "lossy number"),
        (pa.array([b"\xff", b"2"]), "invalid UTF-8"),
        (pa.array([b"\xff", b"2"], pa.binary_view()), "invalid UTF-8"),
        (pa.array([b"\xff", b"2"]).view(pa.string()), "invalid UTF-8"),
        (pa.array([b"\xed\xa0\x80", b"2"], pa.large_binary()), "invalid UTF-8"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else value,
)
def test_a_value_without_exact_text_is_refused_alone(column: pa.Array, reason: str) -> None:
    ids, bad, why = id_text(column, source="x")

    assert bad is not None
    assert [True, False] == bad.to_pylist()
    assert [None, "2"] == ids.to_pylist()
    assert reason == why


@pytest.mark.parametrize("column", [pa.array([True]), pa.array([[1]]), pa.array([{"a": 1}])])
def test_types_that_hold_no_ids_are_refused(column: pa.Array) -> None:
    with pytest.raises(InputError, match="holds no user ids"):
        id_text(column, source="x")
