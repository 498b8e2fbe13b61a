"""``make bench``: every comparison at a size that takes a few minutes in all."""

from __future__ import annotations

import subprocess
import sys

RUNS = (
    ["benchmarks.prepare", "--rows", "5000000", "--format", "csv", "--rounds", "3"],
    ["benchmarks.prepare", "--rows", "5000000", "--format", "parquet", "--rounds", "3"],
    ["benchmarks.prepare_growth", "--millions", "20", "--rounds", "1", "--verify"],
    ["benchmarks.check", "--users", "5000000", "--contestant", "polars", "--contestant", "compare"],
    ["benchmarks.export_parse", "--megabytes", "100", "--rounds", "3"],
    ["benchmarks.fetch"],
    ["benchmarks.upload"],
    ["benchmarks.newsletter", "--contestant", "ours", "--contestant", "naive"],
)


def main() -> int:
    """Run them one after another; the worst exit code counts."""
    worst = 0
    for words in RUNS:
        print(f"\n# python -m {' '.join(words)}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", *words], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
