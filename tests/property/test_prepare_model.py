"""`prepare` equals a short pure-Python model, byte for byte, however it is fed."""

from __future__ import annotations

import csv
import gzip
import json
import unicodedata
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.errors import GuardError
from pipeline.extract import csv_file, jsonl_file, parquet_file
from pipeline.preparation import Preparation
from pipeline.settings import PrepareSettings

AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
START = datetime(2026, 5, 23, tzinfo=UTC)
NULL_WORDS = {
    *("NULL", "null", "Null", "NaN", "nan", "NAN", "None", "none", "NONE"),
    *(r"\N", "#N/A", "N/A", "undefined", "<NA>", "NaT", "nil"),
}

ids = st.one_of(
    st.sampled_from(
        [
            *("u1", "u2", "00123", "123", "123.0", "1e5", "a b", 'q"q', "c,c", "é", "e\u0301"),
            *('","', "\\", '\\"x', "x" * 512, "é" * 512, "x" * 513, "a\nb", "\u2028", "NULL"),
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12),
)
moments = st.one_of(
    st.none(),
    st.sampled_from([START, START - timedelta(microseconds=1), AS_OF, AS_OF + timedelta(days=1)]),
    st.sampled_from([AS_OF + timedelta(days=1, microseconds=1), datetime(2027, 1, 1, tzinfo=UTC)]),
    st.datetimes(
        min_value=datetime(2026, 4, 1),
        max_value=datetime(2026, 11, 24),
    ).map(lambda moment: moment.replace(tzinfo=UTC)),
)
Row = tuple[str, datetime | None]
tables = st.lists(st.tuples(ids, moments), max_size=40)


def jsonl_line(user: str) -> bytes:
    line = json.dumps({"auth_user_id": user}, ensure_ascii=False, separators=(",", ":"))
    return line.encode() + b"\n"


def csv_line(user: str) -> bytes:
    return ('"' + user.replace('"', '""') + '"\n').encode()


LINES = {"jsonl": jsonl_line, "csv": csv_line}


def usable(user: str) -> bool:
    blank = all(one.isspace() or one in "\u200b\u2060\ufeff" for one in user)
    control = any(unicodedata.category(one) in ("Cc", "Zl", "Zp") for one in user)
    return not (blank or control or user in NULL_WORDS or len(user) > 512)


def model(rows: list[Row], suppressed: set[str], max_bytes: int, kind: str) -> tuple[bytes, int]:
    """The list, and how many users did not fit."""
    newest: dict[str, datetime] = {}
    for user, moment in rows:
        if not usable(user) or moment is None:
            continue
        if not START <= moment <= AS_OF + timedelta(days=1):
            continue
        newest[user] = max(newest.get(user, moment), moment)
    order = sorted(newest.keys() - suppressed, key=lambda user: user.encode())
    order.sort(key=lambda user: newest[user], reverse=True)
    out = b""
    for taken, user in enumerate(order):
        line = LINES[kind](user)
        if len(out) + len(line) > max_bytes:
            return out, len(order) - taken
        out += line
    return out, 0


def write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "customer_id", "last_active"])
        for user, moment in rows:
            writer.writerow(["x@example.com", user, moment.isoformat() if moment else ""])


def write_jsonl(path: Path, rows: list[Row]) -> None:
    with path.open("wb") as file:
        for user, moment in rows:
            file.write(orjson.dumps({"x": [1], "customer_id": user, "last_active": moment}) + b"\n")


def write_arrow(path: Path, rows: list[Row]) -> None:
    schema = pa.schema(
        [("customer_id", pa.large_string()), ("last_active", pa.timestamp("ns", "UTC"))]
    )
    with pa.ipc.new_file(path, schema) as file:
        for row in rows:
            columns = [[row[0]], [row[1]]]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            file.write_batch(pa.record_batch(arrays, schema=schema))


def write_parquet(path: Path, rows: list[Row]) -> None:
    table = pa.table(
        {
            "customer_id": pa.array([user for user, _ in rows], pa.string()),
            "last_active": pa.array([moment for _, moment in rows], pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, path, row_group_size=7)


def write_compressed(path: Path, rows: list[Row]) -> None:
    write_csv(path, rows)
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


def write_words(path: Path, rows: list[Row]) -> None:
    """Ids in a dictionary of bytes, times as text."""
    user = pa.array([user.encode() for user, _ in rows], pa.binary()).dictionary_encode()
    seen = pa.array([moment and moment.isoformat() for _, moment in rows], pa.string())
    pq.write_table(pa.table({"customer_id": user, "last_active": seen}), path)


WRITERS = {
    "csv": write_csv,
    "csv.gz": write_compressed,
    "words.parquet": write_words,
    "parquet": write_parquet,
    "jsonl": write_jsonl,
    "arrow": write_arrow,
}


@pytest.mark.timeout(900)  # a byte of memory means hundreds of files an example
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80
)
@given(data=st.data())
def test_any_split_of_any_rows_gives_the_bytes_of_the_model(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = data.draw(st.lists(tables, min_size=1, max_size=4), label="files")
    suppressed = set(data.draw(st.lists(ids.filter(usable)), label="gone"))
    formats = data.draw(st.lists(st.sampled_from(sorted(WRITERS)), min_size=4, max_size=4))
    memory = data.draw(st.sampled_from([1, 2_000, 10**9]), label="memory")
    max_bytes = data.draw(st.sampled_from([21, 60, 300, 10**6]), label="max_bytes")
    folder = tmp_path_factory.mktemp("model")
    paths = []
    for number, (rows, kind) in enumerate(zip(files, formats, strict=False)):
        chosen = kind if rows else "csv"  # JSON Lines without a line are an empty file: refused
        path = folder / f"{number}.{chosen}"
        WRITERS[chosen](path, rows)
        paths.append(str(path))
    options: dict[str, Any] = {}
    if suppressed:
        with (folder / "gone.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["customer_id"], *([one] for one in sorted(suppressed))])
        options["suppress"] = (folder / "gone.csv",)
    everything = [row for rows in files for row in rows]
    form: Any = data.draw(st.sampled_from(sorted(LINES)), label="form")
    overflow: Any = data.draw(st.sampled_from(["fail", "keep-recent"]), label="overflow")
    wanted, unfit = model(everything, suppressed, max_bytes, form)
    refused = unfit > 0 and overflow == "fail"
    out = folder / "list.out"
    asked = PrepareSettings(
        as_of="2026-11-23",
        memory=memory,
        max_bytes=max_bytes,
        format=form,
        on_overflow=overflow,
        max_rejects="100%",
        **options,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", data.draw(st.sampled_from([4096, 65536])))
        patch.setattr(jsonl_file, "BLOCK", data.draw(st.sampled_from([1500, 65536])))
        patch.setattr(parquet_file, "BATCH_ROWS", data.draw(st.sampled_from([1, 3, 1000])))
        order = data.draw(st.permutations(paths))
        with Preparation(order, out, asked) as preparation:
            preparation.suppress()
            preparation.select(lambda progress: None)
            with pytest.raises(GuardError) if refused else nullcontext():
                preparation.write(lambda progress: None)
            if wanted and not refused:
                summary = preparation.publish()
                assert unfit == summary.overflow_users

    assert (b"" if refused else wanted) == (out.read_bytes() if out.exists() else b"")
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []
