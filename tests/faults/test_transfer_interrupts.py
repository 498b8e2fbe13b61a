"""Ctrl-C and SIGTERM in the middle of a transfer: it ends at once, quietly, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from transfer_servers import Peer, serving

PROGRAM = """
import signal, sys
from pathlib import Path
from pipeline.errors import Terminated
from pipeline.records import Receipt
from pipeline.settings import FetchSettings, Secret, UploadSettings
from pipeline.transfer.download import download
from pipeline.transfer.upload import upload_list

def raise_terminated(number, frame):
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

direction, handlers, url, path, size, sha256 = sys.argv[1:]
if handlers == "ours":
    signal.signal(signal.SIGTERM, raise_terminated)
    signal.signal(signal.SIGINT, raise_terminated)
try:
    if direction == "upload":
        receipt = Receipt(list_name="x", format="jsonl", bytes=int(size), users=1, sha256=sha256,
                          created_at="")
        upload_list(Path(path), receipt, Secret("k"),
                    UploadSettings(tracker_id="1-2", base_url=url))
    else:
        download(url, lambda data: None, FetchSettings())
except Terminated:
    sys.exit(143)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("direction", ["upload", "download"])
@pytest.mark.parametrize(
    ("handlers", "number", "code"),
    [("ours", signal.SIGINT, 130), ("ours", signal.SIGTERM, 143), ("python's", signal.SIGINT, 130)],
)
def test_a_stop_request_ends_a_transfer(
    direction: str, handlers: str, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    size = 8_000_000_000  # sparse; far from sent when the signal comes, and the loop is busy
    path = tmp_path / "list"
    path.touch()
    os.truncate(path, size)
    under_way = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        if direction == "upload":
            peer.read(1_000_000)
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        under_way.set()
        assert peer.wait_for_end() < size - 1_000_000

    with serving(script) as server:
        arguments = [direction, handlers, server.url, str(path), str(size), "0" * 64]
        process = subprocess.Popen(
            [sys.executable, "-W", "default", "-c", PROGRAM, *arguments], stderr=subprocess.PIPE
        )
        assert under_way.wait(60)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)

    assert b"" == errors
    assert code == process.returncode
    assert b"old list" == server.stored
