"""prepare against the obvious ways of doing it, on the same file, with the same bytes out.

Every rival does the plain work: users active in the window, the latest activity of each, most
recent first, ids as the tie-break, as JSON Lines. None of them checks its input, limits the size
of the list or hashes it; `batchpub prepare` does all of that and is measured with it on. The ids
are clean (no ugly rows), for on others the rivals and the rules disagree about who is a user.

    python -m benchmarks.prepare --rows 20000000 --format csv --rounds 5
    python -m benchmarks.prepare --rows 2000000 --contestant duckdb --contestant ours --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import Command, MeasurementError, compare

__all__ = ["CONTESTANTS", "main"]

START: Final = "2026-05-23T00:00:00Z"
END: Final = "2026-11-23T00:00:00Z"
FORMATS: Final = ("csv", "parquet")
# The times of the CSV have one fixed form, so the rivals may compare them as text: their best.


def _duckdb(extract: Path, output: Path) -> None:
    import duckdb

    if extract.suffix == ".parquet":
        source, start, end = f"'{extract}'", f"TIMESTAMPTZ '{START}'", f"TIMESTAMPTZ '{END}'"
    else:
        source = f"read_csv('{extract}', header = true, all_varchar = true)"
        start, end = f"'{START}'", f"'{END}'"
    duckdb.sql(
        f"""
        COPY (
            SELECT customer_id AS auth_user_id FROM {source}
            WHERE last_active BETWEEN {start} AND {end} AND customer_id <> ''
            GROUP BY customer_id ORDER BY max(last_active) DESC, customer_id
        ) TO '{output}' (FORMAT json)
        """
    )


def _polars(extract: Path, output: Path) -> None:
    import polars as pl

    if extract.suffix == ".parquet":
        rows = pl.scan_parquet(extract)
        start, end = (pl.lit(at).str.to_datetime(time_zone="UTC") for at in (START, END))
    else:
        rows = pl.scan_csv(extract, infer_schema=False)
        start, end = pl.lit(START), pl.lit(END)
    users = (
        rows.filter(pl.col("last_active").is_between(start, end), pl.col("customer_id") != "")
        .group_by("customer_id")
        .agg(pl.col("last_active").max())
        .collect(engine="streaming")
    )
    # In memory: the streaming engine's sort by two keys takes many times longer.
    users = users.sort("last_active", "customer_id", descending=[True, False])
    users.select(auth_user_id="customer_id").write_ndjson(output)


def _pyarrow(extract: Path, output: Path) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    columns = ["customer_id", "last_active"]
    kind = pa.timestamp("us", tz="UTC")
    if extract.suffix == ".parquet":
        rows = ds.dataset(extract, format="parquet")
    else:
        import pyarrow.csv as pacsv

        types = {"customer_id": pa.string(), "last_active": kind}
        options = pacsv.ConvertOptions(column_types=types)
        rows = ds.dataset(extract, format=ds.CsvFileFormat(convert_options=options))
    start, end = (pa.scalar(at).cast(kind) for at in (START, END))
    inside = (pc.field("last_active") >= start) & (pc.field("last_active") <= end)
    table = rows.to_table(columns=columns, filter=inside & (pc.field("customer_id") != ""))
    users = table.group_by("customer_id").aggregate([("last_active", "max")])
    users = users.sort_by([("last_active_max", "descending"), ("customer_id", "ascending")])
    # No escaping: right for clean ids only.
    with output.open("wb") as file:
        for ids in users["customer_id"].chunks:
            lines = pc.binary_join_element_wise('{"auth_user_id":"', ids, '"}\n', "")
            buffer = lines.cast(pa.large_string()).buffers()[2]
            file.write(buffer)


def _python(extract: Path, output: Path) -> None:
    import orjson

    latest: dict[str, object] = {}
    get = latest.get
    if extract.suffix == ".parquet":
        from datetime import datetime

        import pyarrow.parquet as pq

        start, end = datetime.fromisoformat(START), datetime.fromisoformat(END)
        with pq.ParquetFile(extract) as parquet:
            for batch in parquet.iter_batches(columns=["customer_id", "last_active"]):
                ids, times = batch.column(0).to_pylist(), batch.column(1).to_pylist()
                for user_id, at in zip(ids, times, strict=True):
                    if user_id and at is not None and start <= at <= end:
                        known = get(user_id)
                        if known is None or known < at:
                            latest[user_id] = at
    else:
        import csv

        with extract.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            id_at, time_at = header.index("customer_id"), header.index("last_active")
            for row in reader:
                text = row[time_at]
                if not START <= text <= END or not row[id_at]:
                    continue
                if get(row[id_at], "") < text:  # type: ignore[operator]
                    latest[row[id_at]] = text
    users = sorted(latest)
    users.sort(key=latest.__getitem__, reverse=True)  # type: ignore[arg-type]
    with output.open("wb") as out:
        out.writelines(
            orjson.dumps({"auth_user_id": user}, option=orjson.OPT_APPEND_NEWLINE) for user in users
        )


RIVALS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "duckdb": _duckdb,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "python": _python,
}
CONTESTANTS: Final = ("duckdb", "ours", "polars", "pyarrow", "python")


def _command(name: str, extract: Path, folder: Path) -> Command:
    output = folder / f"{name}.jsonl"
    run = [sys.executable, "-m"]
    if name != "ours":
        words = [*run, "benchmarks.prepare", "--run", name, str(extract), str(output)]
        return Command(name, words, output=output)
    words = [*run, "pipeline", "prepare", str(extract), "-o", str(output), "-q"]
    words += ["--as-of", END[:10], "--active-within", "6mo"]
    words += ["--id-column", "customer_id", "--active-column", "last_active"]
    return Command(name, words, output=output)


def _extract(folder: Path, rows: int, fmt: str) -> Path:
    """The extract, made unless it is there already; read once so that no round reads the disk."""
    path = folder / f"prepare-{rows}.{fmt}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # A process of its own: the memory that makes the extract is not held while measuring.
        words = [sys.executable, "-m", "benchmarks.workloads", "customers", "-o", str(path)]
        words += ["--rows", str(rows), "--format", fmt, "--ugly", "0"]
        compare([Command("make the extract", words)], rounds=1)
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, a table for each size and format."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prepare")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, action="append", help="repeatable; default 2000000")
    parser.add_argument("--format", choices=FORMATS, action="append", help="default both")
    parser.add_argument("--contestant", choices=CONTESTANTS, action="append", help="default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path("bench-data"), help="where extracts stay")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    if options.run:
        name, extract, output = options.run
        RIVALS[name](Path(extract), Path(output))
        return 0
    names = [name for name in CONTESTANTS if name in (options.contestant or CONTESTANTS)]
    found: dict[str, object] = {}
    for rows in options.rows or [2_000_000]:
        for fmt in options.format or FORMATS:
            extract = _extract(options.data, rows, fmt)
            with tempfile.TemporaryDirectory(dir=options.data) as folder:
                commands = [_command(name, extract, Path(folder)) for name in names]
                try:
                    comparison = compare(commands, rounds=options.rounds, check="bytes")
                except MeasurementError as error:
                    print(f"error: {rows} rows, {fmt}: {error}", file=sys.stderr)
                    return 1
            found[f"{fmt} {rows}"] = comparison.as_dict()
            if not options.json:
                print(f"{rows:,} rows, {fmt}\n{comparison.text()}\n", flush=True)
    if options.json:
        print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
