"""Upload of a list of 290 MB: ours against aiohttp's own FormData, to a sink in its own process.

    python -m benchmarks.upload [--megabytes 290] [--rounds 5]

Each run is a process of its own; runs are interleaved. A first round goes to a sink that answers
with the sha256 of what it got, so both prove that the whole list arrives; the measured rounds go
to one that only counts, because hashing at both ends measures the sink on a machine of two CPUs.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
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
from multiprocessing.connection import Connection
from pathlib import Path

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


def sink(ready: Connection, hashing: bool) -> None:
    """Read requests for ever; answer each with the sha256 of the file part, or with its size."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        with connection:
            answer = receive(connection, hashing).encode()
            connection.sendall(
                b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
            )


def receive(connection: socket.socket, hashing: bool) -> str:
    """The sha256 or the size of the one file part of one request."""
    data = b""
    while data.count(b"\r\n\r\n") < 2:  # the head of the request and that of the part
        data += connection.recv(65536)
    head, rest = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    boundary = re.search(rb'(?i)boundary="?([^"\r\n;]+)', head)
    if length is None or boundary is None:
        raise SystemExit("the request is not multipart with a length")
    part = rest.index(b"\r\n\r\n") + 4
    body_left = int(length[1]) - part
    file_left = body_left - len(b"\r\n--" + boundary[1] + b"--\r\n")
    digest, size = hashlib.sha256(), file_left
    rest = rest[part:]
    while True:
        if hashing:
            digest.update(rest[:file_left])
        file_left -= min(file_left, len(rest))
        body_left -= len(rest)
        if body_left <= 0:
            return digest.hexdigest() if hashing else str(size)
        rest = connection.recv(min(body_left, 1 << 20))


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


SENDERS = {"ours": send_ours, "formdata": send_formdata}


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

    began = time.perf_counter()
    said = SENDERS[name](path, url, sha256)
    wall_s = time.perf_counter() - began
    if said not in {sha256, str(path.stat().st_size)}:
        raise SystemExit(f"{name}: the list did not arrive whole")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    cpu_s = usage.ru_utime + usage.ru_stime
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": usage.ru_maxrss / unit}))


def start_sink(*, hashing: bool) -> str:
    """The address of a sink that lives as long as this process."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=sink, args=(theirs, hashing), daemon=True).start()
    return f"http://127.0.0.1:{ours.recv()}"


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
    checking, counting = start_sink(hashing=True), start_sink(hashing=False)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in SENDERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "users.jsonl"
        sha256 = write_list(path, options.megabytes)
        for name in SENDERS:
            measure(name, path, checking, sha256)
        for turn in range(options.rounds):
            for name in sorted(SENDERS, reverse=bool(turn % 2)):
                runs[name].append(measure(name, path, counting, sha256))
        print(f"{path.stat().st_size:,} bytes, {options.rounds} rounds, {os.cpu_count()} cpus")
    for name, found in runs.items():
        medians = {key: statistics.median(run[key] for run in found) for key in found[0]}
        print(
            f"{name:10} {medians['wall_s']:6.2f} s wall  {medians['cpu_s']:6.2f} s cpu"
            f"  {medians['peak_mib']:6.1f} MiB peak"
        )
    ratios = [a["wall_s"] / b["wall_s"] for a, b in zip(*runs.values(), strict=True)]
    print(f"ours / formdata: {statistics.median(ratios):.2f} (median of paired ratios)")


if __name__ == "__main__":
    main()
