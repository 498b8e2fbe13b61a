"""The rivals of the prepare benchmark do the same work, or their times would say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline
from benchmarks.prepare import RIVALS
from benchmarks.workloads import Customers, CustomersFormat, write_customers


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_every_rival_writes_the_bytes_that_prepare_writes(
    fmt: CustomersFormat, tmp_path: Path
) -> None:
    extract = tmp_path / f"customers.{fmt}"
    write_customers(Customers(rows=20_000, ugly=0), {extract: fmt}, chunk_rows=3_000)
    ours = tmp_path / "ours.jsonl"
    summary = pipeline.prepare(extract, ours, as_of="2026-11-23", active_within="6mo")

    assert 5_000 < summary.users < 6_000
    for name, run in RIVALS.items():
        output = tmp_path / f"{name}.jsonl"
        run(extract, output)
        assert ours.read_bytes() == output.read_bytes(), name
