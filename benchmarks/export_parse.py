"""Speed and peak memory of reading exports: ours beside lxml.iterparse and ElementTree.

    python benchmarks/export_parse.py [--megabytes 100] [--runs 3]

Each way runs in a process of its own on the same generated file (seed 7, one line per user as
the vendor publishes it) in a temporary folder. Printed per way: the median wall and CPU time, MB
per second of CPU, the highest peak of resident memory, the ratio of CPU time to the first way.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

_WORDS = "běžecké boty černá & bílá <novinka> Laufschuhe trail 42 ½ zimní bunda kids set"
_TITLE_WORDS = _WORDS.split()


def write_export(path: Path, *, megabytes: float, seed: int = 7) -> int:
    """Write an export of about that many megabytes; return its number of users."""
    draw = random.Random(seed)
    catalogue = [
        (
            f"P{n:06}",
            f"produkt-{n}",
            escape(" ".join(draw.choices(_TITLE_WORDS, k=draw.randint(3, 8)))),
        )
        for n in range(20_000)
    ]
    size = users = 0
    with path.open("w", encoding="utf-8") as file:
        size += file.write("<?xml version='1.0' encoding='UTF-8'?>\n<users>\n")
        while size < megabytes * 1e6:
            user = "default" if users == 0 else f"u{draw.getrandbits(48):012x}"
            blocks = "".join(
                _block(draw, kind, draw.sample(catalogue, draw.choice((0, 6, 6, 8))))
                for kind in ("mail-recommender-1", "mail-recommender-2")
            )
            size += file.write(
                f"<user><auth_user_id>{user}</auth_user_id><data><_metadata><updated_at>2024-08-28T"
                f"10:00:{draw.randrange(60):02}</updated_at></_metadata><recommendations>{blocks}"
                "</recommendations></data></user>\n"
            )
            users += 1
        file.write("</users>\n")
    return users


def _block(draw: random.Random, kind: str, products: list[tuple[str, str, str]]) -> str:
    mark = f"{draw.getrandbits(128):032x}"
    results = "".join(
        f"<result><id>{number}</id><url>https://shop.example.com/{slug}?recommendation_id={mark}"
        f"</url><title>{title}</title><image_link>https://cdn.example.com/img/{slug}.jpg"
        "</image_link></result>"
        for number, slug, title in products
    )
    return (
        f"<recommendation><recommendation_type>{kind}</recommendation_type>"
        f"<results>{results}</results></recommendation>"
    )


def read_only(path: Path, _folder: Path) -> None:
    """Our reader without any output."""
    from pipeline.export.xml_reader import XmlExportReader

    reader = XmlExportReader()
    with path.open("rb") as file:
        while data := file.read(65536):
            reader.feed(data)
    reader.close()


def collect_to(suffix: str) -> Callable[[Path, Path], None]:
    """Our whole way from file to published output, checks and summary included."""

    def run(path: Path, folder: Path) -> None:
        from pipeline.export.collect import collect_file
        from pipeline.settings import ExportSettings

        collect_file(path, [folder / f"out{suffix}"], ExportSettings())

    return run


def _write_line(user: Any, file: Any) -> None:
    import orjson

    blocks = [
        {
            "recommendation_type": block.findtext("recommendation_type"),
            "results": [{e.tag: e.text or "" for e in r} for r in block.iterfind("results/result")],
        }
        for block in user.iterfind("data/recommendations/recommendation")
    ]
    record = {
        "auth_user_id": user.findtext("auth_user_id"),
        "updated_at": user.findtext("data/_metadata/updated_at"),
        "recommendations": blocks,
    }
    file.write(orjson.dumps(record) + b"\n")


def lxml_iterparse(path: Path, folder: Path) -> None:
    """lxml.iterparse on user, cleared, to JSONL; no limits, no checks, no fsync."""
    from lxml import etree

    with (folder / "out.jsonl").open("wb") as file:
        for _, user in etree.iterparse(str(path), tag="user", remove_blank_text=True):
            _write_line(user, file)
            user.clear()
            while user.getprevious() is not None:
                del user.getparent()[0]


def elementtree_iterparse(path: Path, folder: Path) -> None:
    """ElementTree.iterparse, root cleared, to JSONL; no limits, no checks, no fsync."""
    from xml.etree import ElementTree as ET

    with (folder / "out.jsonl").open("wb") as file:
        events = ET.iterparse(path, events=("start", "end"))
        _, root = next(iter(events))
        for event, element in events:
            if event == "end" and element.tag == "user":
                _write_line(element, file)
                root.clear()


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "lxml.iterparse -> JSONL": lxml_iterparse,
    "ElementTree.iterparse -> JSONL": elementtree_iterparse,
    "ours, reader alone": read_only,
    "ours -> JSONL": collect_to(".jsonl"),
    "ours -> Parquet": collect_to(".parquet"),
    "ours -> CSV": collect_to(".csv"),
    "ours -> SQLite": collect_to(".sqlite"),
}


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _run_one(way: str, path: str) -> None:
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        start = time.perf_counter()
        WAYS[way](Path(path), Path(folder))
        wall_s = time.perf_counter() - start
    print(json.dumps({"wall_s": wall_s, "cpu_s": time.process_time(), "peak": _peak_bytes()}))


def main() -> None:
    """Generate, measure every way, print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--megabytes", type=float, default=100)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--only", default="", help="ways whose name contains this")
    options.add_argument("--run-one", nargs=2, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.run_one:
        _run_one(*chosen.run_one)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xml"
        users = write_export(path, megabytes=chosen.megabytes)
        size = path.stat().st_size
        print(f"{size / 1e6:.0f} MB, {users} users, {chosen.runs} runs each, median wall time")
        base: float | None = None
        for way in (way for way in WAYS if chosen.only in way):
            command = [sys.executable, __file__, "--run-one", way, str(path)]
            runs = [
                json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                for _ in range(chosen.runs)
            ]
            wall = statistics.median(run["wall_s"] for run in runs)
            cpu = statistics.median(run["cpu_s"] for run in runs)
            peak = max(run["peak"] for run in runs) / 2**20
            base = base or cpu
            print(
                f"{way:32} {wall:7.2f} s {cpu:7.2f} s CPU {size / cpu / 1e6:7.1f} MB/s "
                f"{peak:6.0f} MiB  {cpu / base:5.2f} x",
                flush=True,
            )


if __name__ == "__main__":
    main()
