"""Speed and peak memory of reading exports: ours beside lxml, ElementTree, xmllint and DOM ways.

    python -m benchmarks.export_parse [--megabytes 100] [--rounds 3] [--only WORD] [--dom]
    python -m benchmarks.export_parse --file export.xml --only JSONL

Each way runs in a process of its own on the same generated file (seed 7, one line per user as
the vendor publishes it), interleaved, see `benchmarks.measure`; the first way is the baseline.
Every way to JSONL writes the same users; ours also checks, counts, limits and syncs to the disk.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.measure import Command, compare

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
    from pipeline.export.quick_reader import QuickXmlReader

    _read_with(QuickXmlReader(), path)


def reference_only(path: Path, _folder: Path) -> None:
    """Our reference reader, expat for every byte, without any output."""
    from pipeline.export.xml_reader import XmlExportReader

    _read_with(XmlExportReader(), path)


def _read_with(reader: Any, path: Path) -> None:
    with path.open("rb") as file:
        while data := file.read(65536):
            reader.feed(data)
    reader.close()


def collect_to(suffix: str, *, workers: int = 1) -> Callable[[Path, Path], None]:
    """Our whole way from file to published output, checks and summary included."""

    def run(path: Path, folder: Path) -> None:
        from pipeline.export.collect import collect_file
        from pipeline.settings import ExportSettings

        collect_file(path, [folder / f"out{suffix}"], ExportSettings(workers=workers))

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


def lxml_batches(path: Path, folder: Path) -> None:
    """lxml on whole users of 64 KiB each time, to JSONL; no limits, no checks, no fsync."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
    held = b""
    with (folder / "out.jsonl").open("wb") as out, path.open("rb") as file:
        while data := file.read(65536):
            held += data.partition(b"<users>")[2] if not out.tell() and not held else data
            end = held.rfind(b"</user>") + 7
            for user in etree.fromstring(b"<users>" + held[:end] + b"</users>", parser):
                _write_line(user, out)
            held = held[end:]


def lxml_dom(path: Path, folder: Path) -> None:
    """lxml, the whole export as one tree, to JSONL."""
    from lxml import etree

    with (folder / "out.jsonl").open("wb") as file:
        for user in etree.parse(str(path), etree.XMLParser(huge_tree=True)).getroot():
            _write_line(user, file)


def elementtree_dom(path: Path, folder: Path) -> None:
    """ElementTree, the whole export as one tree, to JSONL."""
    from xml.etree import ElementTree as ET

    with (folder / "out.jsonl").open("wb") as file:
        for user in ET.parse(path).getroot():
            _write_line(user, file)


def xmllint_stream(path: Path, _folder: Path) -> None:
    """xmllint reads and checks, and writes nothing: a limit, not a contestant."""
    subprocess.run(["xmllint", "--stream", "--noout", str(path)], check=True)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "lxml.iterparse -> JSONL": lxml_iterparse,
    "ElementTree.iterparse -> JSONL": elementtree_iterparse,
    "lxml batches -> JSONL": lxml_batches,
    "ours -> JSONL": collect_to(".jsonl"),
    "ours -> JSONL, 2 workers": collect_to(".jsonl", workers=2),
    "ours -> Parquet": collect_to(".parquet"),
    "ours -> CSV": collect_to(".csv"),
    "ours -> SQLite": collect_to(".sqlite"),
    "ours, reader alone": read_only,
    "ours, reference reader alone": reference_only,
    "xmllint --stream, no output": xmllint_stream,
    "DOM: lxml -> JSONL": lxml_dom,
    "DOM: ElementTree -> JSONL": elementtree_dom,
}


def _run_one(way: str, path: str) -> None:
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        WAYS[way](Path(path), Path(folder))


def _chosen_ways(only: str, *, dom: bool) -> list[str]:
    ways = [way for way in WAYS if only in way and (dom or not way.startswith("DOM"))]
    return [way for way in ways if not way.startswith("xmllint") or shutil.which("xmllint")]


def main() -> None:
    """Generate, measure every way, print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--megabytes", type=float, default=100)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default="", help="ways whose name contains this")
    options.add_argument("--dom", action="store_true", help="also the ways that hold all in memory")
    options.add_argument("--file", type=Path, help="an export to read instead of a generated one")
    options.add_argument("--run-one", nargs=2, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.run_one:
        _run_one(*chosen.run_one)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.file or Path(folder) / "export.xml"
        if chosen.file is None:
            write_export(path, megabytes=chosen.megabytes)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {chosen.rounds} rounds", flush=True)
        module = [sys.executable, "-m", "benchmarks.export_parse", "--run-one"]
        commands = [
            Command(way, [*module, way, str(path)])
            for way in _chosen_ways(chosen.only, dom=chosen.dom)
        ]
        print(compare(commands, rounds=chosen.rounds).text())


if __name__ == "__main__":
    main()
