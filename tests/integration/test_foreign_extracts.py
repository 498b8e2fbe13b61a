"""Extracts as other programs write them: exactly the ids a person expects, or one clear refusal."""

from __future__ import annotations

import decimal
import gzip
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline

SEEN = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)


def users(extract: Path, **options: Any) -> list[str]:
    """The ids on the list made from `extract`, all of whose rows must be usable."""
    out = extract.parent / "list.out"
    defaults = {"as_of": "2026-11-23", "max_rejects": "0"}
    pipeline.prepare(extract, out, **{**defaults, **options})
    return [json.loads(line)["auth_user_id"] for line in out.read_bytes().splitlines()]


def parquet(folder: Path, ids: pa.Array, seen: pa.Array | None = None, **options: Any) -> Path:
    seen = pa.array([SEEN] * len(ids)) if seen is None else seen
    pq.write_table(pa.table({"customer_id": ids, "last_seen": seen}), folder / "x.pq", **options)
    return folder / "x.pq"


BIG = 2**63 + 5
UUID = uuid.UUID("12345678-1234-5678-9abc-def012345678")


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        (pa.array(["00123", "1e5"]), ["00123", "1e5"]),
        (pa.array(["a", "é"], pa.large_string()), ["a", "é"]),
        (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
        (pa.array([b"a", b"b"], pa.binary()), ["a", "b"]),
        (pa.array([b"a", b"b"], pa.large_binary()), ["a", "b"]),
        (pa.array([b"a", b"b"], pa.binary_view()), ["a", "b"]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([7, 2**53 + 1], pa.int64()), ["7", "9007199254740993"]),
        (pa.array([7, BIG], pa.uint64()), ["7", "9223372036854775813"]),
        (pa.array([7.0, 123.0]), ["123", "7"]),
        (pa.array([decimal.Decimal(10**37), decimal.Decimal(5)], pa.decimal128(38, 0)),
         ["1" + "0" * 37, "5"]),
        (pa.array([decimal.Decimal("7.00")], pa.decimal128(10, 2)), ["7"]),
        (pa.array([UUID.bytes], pa.uuid()), [str(UUID)]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_ids_of_every_parquet_type(tmp_path: Path, ids: pa.Array, wanted: list[str]) -> None:
    assert wanted == users(parquet(tmp_path, ids))


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (pa.array(["a", None]).dictionary_encode(), "1 null id"),
        (pa.array([1.5, 2.0]), "1 lossy number"),
        (pa.array([2.0**53, 1.0]), "1 lossy number"),
        (pa.array([decimal.Decimal("1.5"), None], pa.decimal128(5, 1)), "1 lossy number"),
        (pa.array([b"\xff\xfe", b"a"]), "1 invalid UTF-8"),
        (pa.array([UUID.bytes], pa.binary(16)), "1 invalid UTF-8"),
        (pa.array([True]), "a column of type bool holds no user ids"),
        (pa.array([SEEN]), r"a column of type timestamp.* holds no user ids"),
        (pa.array([["a"]]), r"a column of type list.* holds no user ids"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_ids_without_an_exact_text_are_named(tmp_path: Path, ids: pa.Array, reason: str) -> None:
    with pytest.raises(pipeline.InputError, match=reason):
        users(parquet(tmp_path, ids))


def test_run_ends_in_arrow_are_read_as_their_values(tmp_path: Path) -> None:
    ids = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    table = pa.table({"customer_id": ids, "last_seen": pa.array([SEEN] * 3)})
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as file:
        file.write_table(table)

    assert ["a", "b"] == users(tmp_path / "x.arrow")


def test_pandas_writes_its_index_and_nullable_ids_as_floats(tmp_path: Path) -> None:
    table = pa.table(
        {
            "customer_id": pa.array([123.0, float("nan"), 7.0]),
            "last_seen": pa.array([SEEN] * 3, pa.timestamp("ns")),
            "__index_level_0__": pa.array([5, 6, 7]),
        }
    ).replace_schema_metadata({"pandas": json.dumps({"index_columns": ["__index_level_0__"]})})
    pq.write_table(table, tmp_path / "x.parquet")

    with pytest.raises(pipeline.InputError, match="1 lossy number"):
        users(tmp_path / "x.parquet")
    assert ["123", "7"] == users(tmp_path / "x.parquet", max_rejects="1")


def test_pandas_csv_with_its_index_and_floats_keeps_them_as_written(tmp_path: Path) -> None:
    text = ",customer_id,last_seen\n0,123.0,2026-11-01 10:30:00+00:00\n1,u2,2026-11-01\n"
    (tmp_path / "x.csv").write_text(text)

    assert ["123.0", "u2"] == users(tmp_path / "x.csv")


def test_spark_folder_with_partitions_markers_and_int96(tmp_path: Path) -> None:
    folder = tmp_path / "table"
    for number, country in enumerate(["CZ", "a%2Fb", "__HIVE_DEFAULT_PARTITION__"]):
        part = folder / f"country={country}"
        part.mkdir(parents=True)
        table = pa.table({"customer_id": [f"u{number}"], "last_seen": [SEEN]})
        name = f"part-0000{number}-6f1c.c000.snappy.parquet"
        pq.write_table(table, part / name, use_deprecated_int96_timestamps=True)
        (part / f".{name}.crc").write_bytes(b"crc\0")
    (folder / "_SUCCESS").touch()
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "half.parquet").write_bytes(b"PAR1")

    assert ["u0", "u1", "u2"] == users(folder)
    assert ["u1"] == users(folder, active_when="country=a/b")
    with pytest.raises(pipeline.InputError, match="1 null id"):
        users(folder, id_column="country")


def test_impala_writes_text_as_bytes_and_dates_that_are_none(tmp_path: Path) -> None:
    ids = pa.array([b"u1", b"u2", b"u3"])
    seen = pa.array([b"2026-11-01 10:30:00", b"0000-00-00 00:00:00", None], pa.binary())

    assert ["u1"] == users(parquet(tmp_path, ids, seen))


def test_duckdb_types(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    for expression, wanted in (
        (f"'{UUID}'::UUID", [str(UUID)]),
        ("12345678901234567890123::DECIMAL(38,0)", ["12345678901234567890123"]),
        ("'gold'::ENUM('gold', 'iron')", ["gold"]),
        ("18446744073709551615::UBIGINT", ["18446744073709551615"]),
        ("'x'::BLOB", ["x"]),
    ):
        duckdb.sql(
            f"COPY (SELECT {expression} AS customer_id,"
            " '2026-11-01 10:30:00.123456789'::TIMESTAMP_NS AS last_seen)"
            f" TO '{file}' (FORMAT parquet)"
        )
        assert wanted == users(file)


def test_duckdb_csv_and_json(tmp_path: Path) -> None:
    rows = "SELECT * FROM (VALUES ('u\"1', TIMESTAMPTZ '2026-11-01 10:30:00+00'), ('a,b', NULL))"
    for name, kind in (("x.csv", "csv"), ("x.csv.gz", "csv"), ("x.jsonl", "json")):
        file = tmp_path / name
        duckdb.sql(f"COPY ({rows} t(customer_id, last_seen)) TO '{file}' (FORMAT {kind})")

        assert ['u"1', "a,b"] == users(file, all_users=True)


def test_polars_files(tmp_path: Path) -> None:
    frame = pl.DataFrame({"customer_id": ["u1", "é"], "last_seen": [SEEN, SEEN]})
    frame = frame.with_columns(pl.col("customer_id").cast(pl.Categorical))
    frame.write_parquet(tmp_path / "x.parquet")
    frame.write_ipc(tmp_path / "x.arrow")
    frame.write_ndjson(tmp_path / "x.jsonl")
    frame.write_csv(tmp_path / "x.csv", include_bom=True)
    for name in ("x.parquet", "x.arrow", "x.jsonl", "x.csv"):
        assert ["u1", "é"] == users(tmp_path / name)


def test_excel_saves_semicolons_code_pages_and_utf_16(tmp_path: Path) -> None:
    text = "customer_id;jméno;last_seen\r\nž1;Žofie;2026-11-01 10:30\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode("cp1250"))
    (tmp_path / "b.csv").write_bytes(text.encode("utf-8-sig"))
    (tmp_path / "c.txt").write_bytes(text.replace(";", "\t").encode("utf-16"))

    assert ["ž1"] == users(tmp_path / "a.csv", delimiter=";", encoding="cp1250")
    assert ["ž1"] == users(tmp_path / "b.csv", delimiter=";")
    assert ["ž1"] == users(tmp_path / "c.txt", delimiter="\\t", encoding="utf-16")
    with pytest.raises(pipeline.InputError, match="header is not UTF-8"):
        users(tmp_path / "a.csv", delimiter=";")
    with pytest.raises(pipeline.InputError, match="--encoding utf-16"):
        users(tmp_path / "c.txt")
    with pytest.raises(pipeline.ConfigurationError, match="the columns are 'customer_id;"):
        users(tmp_path / "b.csv")


def test_excel_dates_are_never_guessed(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("customer_id,last_seen\nu1,23.11.2026 10:00\nu2,11/1/2026\n")
    with pytest.raises(pipeline.InputError, match="2 unparseable time"):
        users(tmp_path / "x.csv")


def test_bigquery_exports(tmp_path: Path) -> None:
    csv = (
        "customer_id,last_seen\n0012,2026-11-01 10:30:00 UTC\n9223372036854775807,2026-11-01 UTC\n"
    )
    (tmp_path / "x-000000000000.csv.gz").write_bytes(gzip.compress(csv.encode()))
    lines = (
        b'{"customer_id":"9007199254740993","last_seen":"2026-11-01 10:30:00.5 UTC"}\n'
        b'{"customer_id":"7","last_seen":"2026-11-01T10:30:00"}\n'
    )
    (tmp_path / "y-000000000000.json.gz").write_bytes(gzip.compress(lines))

    with pytest.raises(pipeline.InputError, match="1 unparseable time"):
        users(tmp_path / "x-000000000000.csv.gz")
    assert ["0012"] == users(tmp_path / "x-000000000000.csv.gz", max_rejects="1")
    assert ["9007199254740993", "7"] == users(tmp_path / "y-000000000000.json.gz")


def test_nested_ids_by_dotted_name(tmp_path: Path) -> None:
    nested = pa.table({"user": [{"id": "u1", "seen": SEEN}, None, {"id": "u3", "seen": None}]})
    pq.write_table(nested, tmp_path / "x.parquet")
    options: dict[str, Any] = {"id_column": "user.id", "active_column": "user.seen"}

    assert ["u1"] == users(tmp_path / "x.parquet", **options, max_rejects="1")
    with pytest.raises(pipeline.InputError, match="1 null id"):
        users(tmp_path / "x.parquet", **options)


def test_columns_of_one_name_or_none_are_refused_with_their_names(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}).rename_columns(["klient"]), tmp_path / "x.parquet")
    with pytest.raises(pipeline.ConfigurationError, match="the columns are klient"):
        users(tmp_path / "x.parquet")
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["id", "id"])
    pq.write_table(twice, tmp_path / "y.parquet")
    with pytest.raises(pipeline.InputError, match="two columns have the same name: id"):
        users(tmp_path / "y.parquet")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PK\x03\x04\x14\0", "a zip archive or an Excel workbook"),
        (b"BZh91AY&SY", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"Obj\x01\x04", "an Avro file"),
        (b"ORC\x08\x03", "an ORC file"),
    ],
)
def test_formats_that_are_not_read_are_called_by_their_name(
    tmp_path: Path, start: bytes, what: str
) -> None:
    (tmp_path / "x").write_bytes(start + b"\0" * 99)
    with pytest.raises(pipeline.InputError, match=f"{what}, which is not read; write it as CSV"):
        users(tmp_path / "x")
