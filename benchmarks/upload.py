"""Upload of a list of 290 MB: ours against aiohttp's own FormData.

    python -m benchmarks.upload [--megabytes 290] [--rounds 5]

Contestants: `ours`, which proves the list against its receipt while it is sent; `formdata`, as
aiohttp's documentation shows it, which proves nothing; `proving`, the same after a pass of
hashlib over the file, which is what it takes to send with FormData what one means to send.

Servers, each in a process of its own: `werkzeug`, a foreign one whose multipart parser streams and
which answers with the sha256 of the file part; `link`, which takes in 1,000 Mbit/s, more than any
way to the vendor has; `sink`, which throws away all it is sent, at next to no cost. Each run is a
process of its own; runs are interleaved, and the order turns with each round. Ratios are medians of
paired ones. CPU is that of the sender, without its imports.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import math
import multiprocessing
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

LINK = 125_000_000  # bytes a second
LINE = b'{"auth_user_id":"u%010d"}\n'


def write_list(path: Path, megabytes: int) -> str:
    """Write a list of that size; its sha256."""
    digest = hashlib.sha256()
    lines = 100_000
    with path.open("wb") as file:
        for start in range(0, megabytes * 10**6 // len(LINE % 0), lines):
            block = b"".join(LINE % number for number in range(start, start + lines))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def serve_werkzeug(ready: Connection) -> None:
    """A foreign server: werkzeug reads the request and takes the form apart as it comes."""
    import logging

    from werkzeug.formparser import parse_form_data
    from werkzeug.serving import make_server
    from werkzeug.wrappers import Response

    class Hashed(io.RawIOBase):
        """The file part, hashed as it is written."""

        def __init__(self) -> None:
            super().__init__()
            self.digest = hashlib.sha256()

        def write(self, data: Any) -> int:
            self.digest.update(data)
            return len(data)

        def seek(self, offset: int, whence: int = 0) -> int:
            del offset, whence
            return 0

    def stream_of(*_: object, **__: object) -> Any:
        return Hashed()

    def application(environ: Any, start_response: Any) -> Any:
        _, _, files = parse_form_data(environ, stream_factory=stream_of)
        part = files["file"].stream
        assert isinstance(part, Hashed)
        return Response(part.digest.hexdigest(), 201)(environ, start_response)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, application)
    ready.send(server.server_port)
    server.serve_forever()


def serve_link(ready: Connection) -> None:
    """As `serve_sink`, at the pace of a fast line."""
    serve_sink(ready, bytes_per_s=LINK)


def serve_sink(ready: Connection, *, bytes_per_s: float = math.inf) -> None:
    """Read requests for ever; answer each with the size of the file part."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        with connection:
            answer = str(count_file(connection, bytes_per_s)).encode()
            connection.sendall(
                b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
            )


def count_file(connection: socket.socket, bytes_per_s: float) -> int:
    """Size of the one file part of one request."""
    began = time.monotonic()
    data = b""
    while data.count(b"\r\n\r\n") < 2:  # the head of the request and that of the part
        data += connection.recv(65536)
    head, rest = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    boundary = re.search(rb'(?i)boundary="?([^"\r\n;]+)', head)
    if length is None or boundary is None:
        raise SystemExit("the request is not multipart with a length")
    received = len(rest)
    buffer = bytearray(1 << 20)
    # Linux can throw away what TCP received: this end then costs next to nothing.
    discard = socket.MSG_TRUNC if sys.platform == "linux" else 0
    while received < int(length[1]):
        received += connection.recv_into(buffer, 0, discard)
        early_s = received / bytes_per_s - (time.monotonic() - began)
        if early_s > 0:
            time.sleep(early_s)
    part = rest.index(b"\r\n\r\n") + 4
    return int(length[1]) - part - len(b"\r\n--" + boundary[1] + b"--\r\n")


def send_ours(path: Path, url: str, sha256: str) -> str:
    """Through `upload_list`."""
    from pipeline.records import Receipt
    from pipeline.settings import Secret, UploadSettings
    from pipeline.transfer.upload import upload_list

    receipt = Receipt(
        list_name=path.name,
        format="jsonl",
        bytes=path.stat().st_size,
        users=1,
        sha256=sha256,
        created_at="",
    )
    settings = UploadSettings(tracker_id="1234-5678", base_url=url)
    return upload_list(path, receipt, Secret("key"), settings).server_said


def send_formdata(path: Path, url: str, sha256: str) -> str:
    """Through aiohttp as its documentation shows it."""
    del sha256
    import aiohttp

    async def send() -> str:
        async with aiohttp.ClientSession() as session:
            form = aiohttp.FormData()
            with path.open("rb") as file:
                form.add_field("file", file, filename=path.name)
                async with session.post(url, data=form) as response:
                    return await response.text()

    return asyncio.run(send())


def send_proving(path: Path, url: str, sha256: str) -> str:
    """The same, after the proof that the file is the one that is meant."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise SystemExit("the list is another one")
    return send_formdata(path, url, sha256)


SENDERS = {"ours": send_ours, "formdata": send_formdata, "proving": send_proving}


def measure(name: str, path: Path, url: str, sha256: str) -> dict[str, float]:
    """One run in a process of its own: seconds and MiB, imports included in the peak only."""
    command = [sys.executable, "-m", "benchmarks.upload", "--send", name, str(path), url, sha256]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def send_once(name: str, path: Path, url: str, sha256: str) -> None:
    """The measured process."""
    import aiohttp  # noqa: F401 - both pay for it before the clock starts

    import pipeline.transfer.upload  # noqa: F401

    began, worked = time.perf_counter(), time.process_time()
    said = SENDERS[name](path, url, sha256)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - worked
    if said not in {sha256, str(path.stat().st_size)}:
        raise SystemExit(f"{name}: the list did not arrive whole")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": usage.ru_maxrss / unit}))


SERVERS = {"werkzeug": serve_werkzeug, "link": serve_link, "sink": serve_sink}


def start(server: Callable[[Connection], None]) -> str:
    """The address of a server that lives as long as this process."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=server, args=(theirs,), daemon=True).start()
    return f"http://127.0.0.1:{ours.recv()}"


def report(server: str, runs: dict[str, list[dict[str, float]]]) -> None:
    """Medians of one server's rounds."""
    print(f"to {server}:")
    for name, found in runs.items():
        medians = {key: statistics.median(run[key] for run in found) for key in found[0]}
        print(
            f"  {name:10} {medians['wall_s']:6.2f} s wall  {medians['cpu_s']:6.2f} s cpu"
            f"  {medians['peak_mib']:6.1f} MiB peak"
        )
    for other in ("formdata", "proving"):
        shown = []
        for key in ("wall_s", "cpu_s"):
            pairs = zip(runs["ours"], runs[other], strict=True)
            ratios = [ours[key] / theirs[key] for ours, theirs in pairs]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            shown.append(f"{key[:-2]} {statistics.median(ratios):.2f} ({spread})")
        print(f"  ours / {other}: {', '.join(shown)}")


def main() -> None:
    """Interleaved rounds, then medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=290)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        name, path, url, sha256 = options.send
        send_once(name, Path(path), url, sha256)
        return
    addresses = {name: start(server) for name, server in SERVERS.items()}
    runs: dict[str, dict[str, list[dict[str, float]]]] = {
        server: {name: [] for name in SENDERS} for server in SERVERS
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "users.jsonl"
        sha256 = write_list(path, options.megabytes)
        print(f"{path.stat().st_size:,} bytes, {options.rounds} rounds, {os.cpu_count()} cpus")
        for turn in range(options.rounds):
            for server, url in addresses.items():
                for name in sorted(SENDERS, reverse=turn % 2 == 1):
                    runs[server][name].append(measure(name, path, url, sha256))
    for server, found in runs.items():
        report(server, found)


if __name__ == "__main__":
    main()
