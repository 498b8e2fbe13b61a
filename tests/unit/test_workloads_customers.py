"""The customers workload is what its seed, rows and ids promise, in every format."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from benchmarks.measure import Command, compare
from benchmarks.workloads import (
    ACTIVE_SHARE,
    AS_OF,
    WINDOW_START,
    Customers,
    CustomersFormat,
    iter_customers,
    iter_suppressed,
    main,
    write_customers,
)

GOLDEN = '''\
customer_id,email,first_name,last_active,country,consent,orders
"3,a",u000000003@example.com,Petr,2025-02-17T05:46:44Z,SK,true,30
,u000000000@example.com,Žofie,2025-07-06T13:56:47Z,CZ,true,13
"u""1""",u000000001@example.com,Björn,2026-10-29T01:59:48Z,CZ,true,37
"3,a",u000000003@example.com,Petr,2024-09-22T20:21:16Z,SK,true,31
0000000000,u000000000@example.com,Žofie,,CZ,true,11
zákazník-2,u000000002@example.com,Ľubica,2026-09-20T20:15:24Z,CZ,true,22
zákazník-2,u000000002@example.com,Ľubica,,CZ,true,21
,u000000000@example.com,Žofie,2025-01-27T01:56:52Z,CZ,true,36
"3,a",u000000003@example.com,Petr,2025-06-08T06:25:05Z,SK,true,15
0000000000,u000000000@example.com,Žofie,2025-11-02T23:34:39Z,CZ,true,30
'''
SPEC = Customers(rows=5_000, seed=3, ugly=0.3)


def whole(spec: Customers, *, chunk_rows: int = 5_000) -> pl.DataFrame:
    return pl.concat(list(iter_customers(spec, chunk_rows=chunk_rows)))


@pytest.mark.parametrize("chunk_rows", [1, 7, 1_000, 4_999, 5_001])
def test_content_does_not_depend_on_the_chunk_size(chunk_rows: int) -> None:
    spec = Customers(rows=60, seed=3, ugly=0.3) if chunk_rows < 10 else SPEC
    chunks = list(iter_customers(spec, chunk_rows=chunk_rows))

    assert all(len(chunk) <= chunk_rows for chunk in chunks)
    assert_frame_equal(whole(spec), pl.concat(chunks))


def test_a_seed_always_gives_the_same_bytes(tmp_path: Path) -> None:
    write_customers(Customers(rows=10, seed=7, ugly=1), {tmp_path / "c.csv": "csv"})

    # Written down once: no new version of a library may change a workload.
    assert GOLDEN == (tmp_path / "c.csv").read_text(encoding="utf-8")


def test_another_seed_gives_other_rows() -> None:
    other = Customers(rows=5_000, seed=4, ugly=0.3)

    assert not whole(SPEC)["last_active"].equals(whole(other)["last_active"])


@pytest.mark.parametrize(("rows", "distinct"), [(1, 1), (2, 1), (1_000, 1_000), (999, 10)])
def test_rows_and_distinct_ids_are_exact(rows: int, distinct: int) -> None:
    frame = whole(Customers(rows=rows, distinct=distinct, ugly=0.5))

    assert rows == len(frame)
    assert distinct == frame["customer_id"].drop_nulls().n_unique()


def test_four_in_ten_rows_bring_a_new_id_unless_told_otherwise() -> None:
    assert 2_000 == SPEC.ids == whole(SPEC)["customer_id"].drop_nulls().n_unique()


def test_no_rows_are_a_header_and_an_empty_table(tmp_path: Path) -> None:
    outputs: dict[Path, CustomersFormat] = {tmp_path / "a": "csv", tmp_path / "b": "parquet"}
    write_customers(Customers(rows=0), outputs)

    assert (tmp_path / "a").read_text().startswith("customer_id,email,first_name,last_active,")
    assert 0 == pq.read_table(tmp_path / "b").num_rows


def test_about_seven_in_ten_ids_are_active_in_the_window() -> None:
    latest = (
        whole(Customers(rows=50_000, ugly=0.3))
        .drop_nulls("customer_id")
        .group_by("customer_id")
        .agg(pl.max("last_active"))["last_active"]
    )
    active = latest.is_between(WINDOW_START, AS_OF).fill_null(value=False).mean()

    assert isinstance(active, float)
    assert ACTIVE_SHARE == pytest.approx(active, abs=0.02)
    assert latest.max() <= AS_OF  # type: ignore[operator]


def test_duplicates_of_an_id_have_different_times() -> None:
    times = whole(SPEC).drop_nulls().group_by("customer_id").agg(pl.n_unique("last_active"))

    assert times["last_active"].max() >= 3  # type: ignore[operator]


@pytest.mark.parametrize(
    "pattern", [r"^0\d+$", '"', ",", "\n", "á", r"^\d+\.0$", r"\w \w", "^[0-9a-f]{16}$"]
)
def test_an_ugly_extract_holds_each_kind_of_hard_id(pattern: str) -> None:
    assert whole(SPEC)["customer_id"].drop_nulls().str.contains(pattern).any()


def test_ugly_rows_are_about_the_share_asked_for() -> None:
    frame = whole(Customers(rows=100_000, ugly=0.1))
    plain = frame["customer_id"].str.contains(r"^(u\d{9}|[0-9a-f]{16})$").fill_null(value=False)
    ugly = 1 - (plain & frame["last_active"].is_not_null()).mean()  # type: ignore[operator]

    assert 0.07 < ugly < 0.13
    assert frame["customer_id"].null_count() > 0
    assert frame["last_active"].null_count() > 0


def test_a_clean_extract_has_no_ugly_row() -> None:
    frame = whole(Customers(rows=20_000, ugly=0))

    assert 0 == frame.null_count().sum_horizontal().item()
    assert frame["customer_id"].str.contains(r"^(u\d{9}|[0-9a-f]{16})$").all()


def test_addresses_are_at_example_com() -> None:
    assert whole(SPEC)["email"].str.ends_with("@example.com").all()


def test_csv_parquet_and_jsonl_hold_the_same_rows(tmp_path: Path) -> None:
    outputs: dict[Path, CustomersFormat] = {
        tmp_path / "csv": "csv",
        tmp_path / "parquet": "parquet",
        tmp_path / "jsonl": "jsonl",
    }
    write_customers(SPEC, outputs, chunk_rows=700)
    write_customers(SPEC, {tmp_path / "quoted": "csv"}, quoted=True)

    parquet = pq.read_table(tmp_path / "parquet", page_checksum_verification=True)
    expected = [
        [
            row["customer_id"] or "",
            row["email"],
            row["first_name"],
            row["last_active"].strftime("%Y-%m-%dT%H:%M:%SZ") if row["last_active"] else "",
            row["country"],
            "true" if row["consent"] else "false",
            str(row["orders"]),
        ]
        for row in parquet.to_pylist()
    ]
    for name in ("csv", "quoted"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
        assert parquet.column_names == header
        assert expected == rows
    lines = (tmp_path / "jsonl").read_text(encoding="utf-8").split("\n")
    objects = [json.loads(line) for line in lines if line]
    assert expected == [[as_csv_text(value) for value in one.values()] for one in objects]


def as_csv_text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_quoted_csv_quotes_every_field(tmp_path: Path) -> None:
    write_customers(Customers(rows=50, ugly=0), {tmp_path / "q": "csv"}, quoted=True)
    lines = (tmp_path / "q").read_text(encoding="utf-8").splitlines()

    assert all(14 == line.count('"') for line in lines)


def test_nothing_appears_when_writing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"):
        write_customers(SPEC, {tmp_path / "c.csv": "csv", folder: "csv"})

    assert [folder] == list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from benchmarks.workloads import *;"
        "write_customers(Customers(rows=int(sys.argv[1])),"
        "{Path(sys.argv[2]): 'csv'}, chunk_rows=20_000)"
    )
    commands = [
        Command(str(rows), [sys.executable, "-c", code, str(rows), str(tmp_path / "c.csv")])
        for rows in (60_000, 600_000)
    ]
    small, large = compare(commands, rounds=1).outcomes

    # 540,000 rows more are about 40 MB of CSV and 65 MB of columns.
    assert large.peak_bytes - small.peak_bytes < 25_000_000


def test_suppressed_ids_are_of_the_extract_and_some_are_not() -> None:
    suppressed = pl.concat(list(iter_suppressed(SPEC, share=0.1, chunk_rows=300)))
    known = whole(SPEC)["customer_id"].drop_nulls().unique()
    inside = suppressed["customer_id"].is_in(known.implode())

    assert 120 < inside.sum() < 280
    assert 5 < (~inside).sum() < 40
    assert suppressed["customer_id"].is_unique().all()
    assert {"unsubscribed", "erased"} == set(suppressed["reason"])


@pytest.mark.parametrize(
    "wrong", [{"rows": -1}, {"rows": 10, "distinct": 11}, {"rows": 10, "ugly": 1.5}]
)
def test_impossible_workloads_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must be between|is a share"):
        Customers(**wrong)


def test_the_command_line_writes_what_the_functions_do(tmp_path: Path) -> None:
    arguments = ["--rows", "900", "--seed", "5", "--distinct", "100", "--ugly", "0.2"]
    main(["customers", *arguments, "--format", "csv", "-o", str(tmp_path / "cli" / "c.csv")])
    spec = Customers(rows=900, seed=5, distinct=100, ugly=0.2)
    write_customers(spec, {tmp_path / "c.csv": "csv"})

    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "cli" / "c.csv").read_bytes()


def test_sample_makes_everything_for_a_run(tmp_path: Path) -> None:
    main(["sample", "--rows", "2000", "--out", str(tmp_path), "--export-megabytes", "1"])
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}

    assert {"customers.csv", "customers.parquet", "suppressed.csv", "export.xml"} == set(sizes)
    assert 990_000 < sizes["export.xml"] < 1_020_000
    assert 2_000 == pq.read_metadata(tmp_path / "customers.parquet").num_rows
