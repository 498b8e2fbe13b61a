"""prepare as the number of distinct ids grows, under a fixed --memory, beside polars' `unique`.

Every extract is Parquet with 1.2 rows a user, all of them wanted, most recent first; what does not
fit into the list is left out. `--verify` has DuckDB make the same list and compares the bytes, and
that the next user would not have fitted.

    python -m benchmarks.prepare_growth --millions 5 --millions 50 --memory 1GiB --rounds 3
    python -m benchmarks.prepare_growth --millions 100 --rounds 1 --contestant ours --verify
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import Command, MeasurementError, compare

__all__ = ["main"]

CONTESTANTS: Final = ("polars unique", "ours")
MAX_LIST: Final = 299_998_976


def _unique(extract: Path, output: Path) -> None:
    """Every id once, in no order and without a limit: less than the job, and all in memory."""
    import polars as pl

    ids = pl.scan_parquet(extract).select(auth_user_id="customer_id").unique()
    ids.sink_ndjson(output)


def _duckdb(extract: Path, output: Path, most: int) -> None:
    import duckdb

    duckdb.sql(
        f"""
        COPY (
            SELECT customer_id AS auth_user_id FROM '{extract}'
            GROUP BY customer_id ORDER BY max(last_active) DESC NULLS LAST, customer_id
            LIMIT {most}
        ) TO '{output}' (FORMAT json)
        """
    )


def _verified(extract: Path, ours: Path, folder: Path) -> str:
    """What is true of our list beside DuckDB's, which is asked for one user more."""
    with ours.open("rb") as file:
        users = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b""))
    other = folder / "duckdb.jsonl"
    _duckdb(extract, other, users + 1)
    size = ours.stat().st_size
    with ours.open("rb") as left, other.open("rb") as right:
        while block := left.read(1 << 24):
            if right.read(len(block)) != block:
                raise MeasurementError("the list differs from DuckDB's")
        following = right.read()
    if following and size + len(following) <= MAX_LIST:
        raise MeasurementError("another user would have fitted")
    return f"{users:,} users in {size:,} bytes, as DuckDB orders them" + (
        f"; the next one needs {len(following)} bytes more" if following else ", all of them"
    )


def _extract(folder: Path, distinct: int) -> Path:
    path = folder / f"growth-{distinct}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "benchmarks.workloads", "customers", "-o", str(path)]
        words += ["--rows", str(distinct * 6 // 5), "--distinct", str(distinct)]
        compare([Command("make", [*words, "--format", "parquet", "--ugly", "0"])], rounds=1)
    return path


def _command(name: str, extract: Path, output: Path, memory: str) -> Command:
    if name != "ours":
        words = [sys.executable, "-m", "benchmarks.prepare_growth", "--run", str(extract)]
        return Command(name, [*words, str(output)], output=output)
    words = [sys.executable, "-m", "pipeline", "prepare", str(extract), "-o", str(output), "-q"]
    words += ["--all-users", "--id-column", "customer_id", "--active-column", "last_active"]
    words += ["--memory", memory, "--on-overflow", "keep-recent"]
    return Command(name, words, output=output)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, a table for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prepare_growth")
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--millions", type=float, action="append", help="distinct ids; default 5")
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", choices=CONTESTANTS, action="append", help="default all")
    parser.add_argument("--verify", action="store_true", help="compare our list with DuckDB's")
    parser.add_argument("--data", type=Path, default=Path("bench-data"), help="where extracts stay")
    options = parser.parse_args(argv)
    if options.run:
        _unique(*options.run)
        return 0
    names = [name for name in CONTESTANTS if name in (options.contestant or CONTESTANTS)]
    for millions in options.millions or [5.0]:
        extract = _extract(options.data, round(millions * 1_000_000))
        with tempfile.TemporaryDirectory(dir=options.data) as made:
            folder = Path(made)
            outputs = {name: folder / f"{name}.jsonl" for name in names}
            commands = [_command(name, extract, outputs[name], options.memory) for name in names]
            try:
                print(f"{millions:g} million distinct ids, --memory {options.memory}")
                print(compare(commands, rounds=options.rounds).text(), flush=True)
                if options.verify and "ours" in names:
                    print(_verified(extract, outputs["ours"], folder), flush=True)
            except MeasurementError as error:
                print(f"error: {millions:g} million: {error}", file=sys.stderr)
                return 1
            print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
