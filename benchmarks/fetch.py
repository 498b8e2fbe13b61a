"""Peak memory and speed of `fetch`: an export from a server in its own process, to each output.

    python -m benchmarks.fetch [--megabytes 250] [--rounds 1] [--to parquet] [--coding gzip]
    python -m benchmarks.fetch --longest-block

Each way runs in a process of its own, interleaved, see `benchmarks.measure`; the first is `parse`
of the same export on disk, to the same output. With --longest-block the event loop's longest step
is measured instead, while the export is parsed: it waits for the interpreter's lock at most, never
for the parser.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import multiprocessing
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.measure import Command, compare
from benchmarks.workloads import Export, write_export


def serve(ready: Connection, path: Path, coding: str) -> None:
    """Answer GET with the file and HEAD with its length, one connection after another."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {path.stat().st_size}", "Connection: close"]
    if coding:
        lines.append(f"Content-Encoding: {coding}")
    while True:
        connection, _ = listener.accept()
        with connection, path.open("rb") as file:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
            if re.match(rb"GET ", request):
                connection.sendfile(file)


def start_server(path: Path, coding: str = "") -> str:
    """The URL of a server that lives as long as this process."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(theirs, path, coding), daemon=True).start()
    return f"http://127.0.0.1:{ours.recv()}/export.xml"


def packed(path: Path) -> Path:
    """The file as gzip, beside it."""
    target = path.with_suffix(".xml.gz")
    with path.open("rb") as source, gzip.open(target, "wb", compresslevel=1) as out:
        while data := source.read(1 << 20):
            out.write(data)
    return target


def measure_block(url: str, output: Path) -> str:
    """Fetch in this process and say how long the longest step of the event loop took."""
    import pipeline

    late: list[float] = []

    class Beating(asyncio.SelectorEventLoop):
        """Does something small every five milliseconds, and notes how late it was."""

        def __init__(self) -> None:
            super().__init__()
            self.beat(self.time())

        def beat(self, due: float) -> None:
            late.append(self.time() - due)
            due = self.time() + 0.005
            self.call_at(due, self.beat, due)

    asyncio.events.new_event_loop = Beating
    began = time.perf_counter()
    pipeline.fetch(url, output)
    took = time.perf_counter() - began
    late.sort()
    return (
        f"{took:.1f} s, {len(late):,} beats of the loop: median {late[len(late) // 2] * 1e3:.1f} ms"
        f" late, 99% below {late[len(late) * 99 // 100] * 1e3:.1f} ms, latest"
        f" {late[-1] * 1e3:.1f} ms"
    )


def _ways(path: Path, folder: Path, suffix: str, coding: str) -> list[Command]:
    output = folder / f"out.{suffix}"
    state = ["--state-dir", str(folder / "state"), "-o", str(output)]
    fetch = [sys.executable, "-m", "pipeline", "fetch"]
    ways: list[tuple[str, Callable[[], list[str]]]] = [
        ("parse", lambda: [sys.executable, "-m", "pipeline", "parse", str(path), *state]),
        ("fetch", lambda: [*fetch, start_server(path), *state]),
        ("fetch file:", lambda: [*fetch, path.as_uri(), *state]),
    ]
    if coding == "gzip":
        ways.append(("fetch, gzip", lambda: [*fetch, start_server(packed(path), "gzip"), *state]))

    def forget() -> Any:
        """Without a memory each run is a whole one."""
        output.unlink(missing_ok=True)

    return [Command(f"{name} -> {suffix}", argv(), before=forget) for name, argv in ways]


def main() -> None:
    """Generate, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--to", default="parquet", help="suffix of the output")
    parser.add_argument("--coding", default="", choices=["", "gzip"])
    parser.add_argument("--longest-block", action="store_true")
    parser.add_argument("--file", type=Path, help="an export to serve instead of a generated one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = options.file or folder / "export.xml"
        if options.file is None:
            write_export(Export(target_bytes=options.megabytes * 10**6), path)
        print(f"{path.stat().st_size / 1e6:,.0f} MB, {options.rounds} rounds", flush=True)
        if options.longest_block:
            print(measure_block(start_server(path), folder / f"out.{options.to}"))
            return
        ways = _ways(path, folder, options.to, options.coding)
        print(compare(ways, rounds=options.rounds).text())


if __name__ == "__main__":
    main()
