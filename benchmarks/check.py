"""Two lists compared, against the obvious ways of doing it: users added, removed and kept.

The rivals only read both lists and count. `compare` reads both with every line checked and counts,
in bounded memory, ids that differ in form only too; `check` does that and everything else
`batchpub check --against` tells.

    python -m benchmarks.check --users 10000000 --rounds 3
    python -m benchmarks.check --users 1000000 --contestant polars --contestant compare --json
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

Counts = tuple[int, int, int]


def _polars(old: Path, new: Path) -> Counts:
    import polars as pl

    olds, news = (pl.read_ndjson(path).unique() for path in (old, new))
    kept = olds.join(news, on="auth_user_id", how="semi").height
    return news.height - kept, olds.height - kept, kept


def _duckdb(old: Path, new: Path) -> Counts:
    import duckdb

    found = duckdb.execute(
        f"""
        SELECT count(*) FILTER (o.id IS NULL), count(*) FILTER (n.id IS NULL),
               count(*) FILTER (o.id IS NOT NULL AND n.id IS NOT NULL)
        FROM (SELECT DISTINCT auth_user_id AS id FROM read_json('{old}', format = 'nd')) o
        FULL JOIN (SELECT DISTINCT auth_user_id AS id FROM read_json('{new}', format = 'nd')) n
            ON o.id = n.id
        """
    ).fetchone()
    added, removed, kept = found or (0, 0, 0)
    return added, removed, kept


def _python(old: Path, new: Path) -> Counts:
    import orjson

    olds, news = (
        {orjson.loads(line)["auth_user_id"] for line in path.open("rb")} for path in (old, new)
    )
    kept = len(olds & news)
    return len(news) - kept, len(olds) - kept, kept


def _compare(old: Path, new: Path) -> Counts:
    from pipeline.extract.ahead import read_ahead
    from pipeline.userlist.compare import compare as compare_ids
    from pipeline.userlist.id_parts import IdParts
    from pipeline.userlist.read import iter_ids

    with IdParts() as olds, IdParts() as news:
        for store, path in ((olds, old), (news, new)):
            for ids, facts in read_ahead(iter_ids(path), depth=2):
                store.add(ids, facts)
        found = compare_ids(olds, news)
    return found.added, found.removed, found.kept


def _check(old: Path, new: Path) -> Counts:
    import pipeline

    found = pipeline.check(new, against=old, max_bytes="1TB").against
    if found is None:
        return 0, 0, 0
    return found.added, found.removed, found.kept


_WAYS: Final[dict[str, Callable[[Path, Path], Counts]]] = {
    "polars": _polars,
    "compare": _compare,
    "check": _check,
    "duckdb": _duckdb,
    "python": _python,
}
CONTESTANTS: Final = tuple(_WAYS)


def _lists(folder: Path, users: int) -> tuple[Path, Path]:
    """Two lists in recency-like order that share 95 % of their users; made once, then read."""
    import polars as pl

    paths = folder / f"check-{users}-old.jsonl", folder / f"check-{users}-new.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    for path, first in zip(paths, (0, users // 20), strict=True):
        if not path.exists():
            number = pl.int_range(first, first + users, eager=True).shuffle(seed=first)
            # Multiplied by an odd number modulo a power of two: each id once, of varied digits.
            ids = pl.select(pl.lit("u") + (number * 0x9E3779B1 % 2**40).cast(pl.String)).to_series()
            ids.alias("auth_user_id").to_frame().write_ndjson(path)
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    return paths


def _command(name: str, old: Path, new: Path, folder: Path) -> Command:
    output = folder / f"{name}.json"
    words = [sys.executable, "-m", "benchmarks.check", "--run", name]
    return Command(name, [*words, str(old), str(new), str(output)], output=output)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, a table for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--users", type=int, action="append", help="repeatable; default 10000000")
    parser.add_argument("--contestant", choices=CONTESTANTS, action="append", help="default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("bench-data"), help="where lists stay")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    if options.run:
        name, old, new, output = options.run
        Path(output).write_text(json.dumps(_WAYS[name](Path(old), Path(new))))
        return 0
    names = [name for name in CONTESTANTS if name in (options.contestant or CONTESTANTS)]
    found: dict[str, object] = {}
    for users in options.users or [10_000_000]:
        old_list, new_list = _lists(options.data, users)
        with tempfile.TemporaryDirectory(dir=options.data) as folder:
            commands = [_command(name, old_list, new_list, Path(folder)) for name in names]
            try:
                comparison = compare(commands, rounds=options.rounds, check="bytes")
            except MeasurementError as error:
                print(f"error: {users} users: {error}", file=sys.stderr)
                return 1
        found[str(users)] = comparison.as_dict()
        if not options.json:
            print(f"{users:,} users each\n{comparison.text()}\n", flush=True)
    if options.json:
        print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
