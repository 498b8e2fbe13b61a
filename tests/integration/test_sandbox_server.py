"""The sandbox as a process and as a thread: it starts, says so, stops cleanly, stays small."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sandbox_client import (
    BOUNDARY,
    connect,
    fetch,
    form,
    head,
    plan,
    signed_headers,
    stored,
    upload,
    upload_path,
)

from pipeline.errors import ConfigurationError, MachineError
from pipeline.records import SandboxReady
from pipeline.sandbox.server import create_app, running
from pipeline.settings import SandboxSettings

NEW = b'{"auth_user_id":"u1"}\n'

PROCESS = """
import json, signal, sys
from dataclasses import asdict
from pathlib import Path
from pipeline.errors import Terminated
from pipeline.sandbox.server import serve
from pipeline.settings import SandboxSettings

def raise_terminated(number, frame):
    raise Terminated

if "handler" in sys.argv:
    signal.signal(signal.SIGTERM, raise_terminated)
try:
    serve(
        SandboxSettings(temp_dir=Path(sys.argv[1])),
        on_ready=lambda ready: print(json.dumps(asdict(ready)), flush=True),
    )
except KeyboardInterrupt as error:
    print(type(error).__name__, flush=True)
"""


@pytest.mark.parametrize(
    ("number", "handler", "expected", "busy"),
    [
        (signal.SIGINT, "", "KeyboardInterrupt", False),
        (signal.SIGINT, "", "KeyboardInterrupt", True),
        (signal.SIGTERM, "", "Terminated", False),
        (signal.SIGTERM, "handler", "Terminated", True),
    ],
    ids=["ctrl-c", "ctrl-c while stalled", "sigterm", "sigterm with a handler while stalled"],
)
def test_a_signal_ends_it_cleanly(
    tmp_path: Path, number: signal.Signals, handler: str, expected: str, busy: bool
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path), handler],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = SandboxReady(**json.loads(process.stdout.readline()))
    upload(ready, form(NEW))
    assert len(list(tmp_path.iterdir())) == 1
    if busy:
        plan(ready, {"kind": "stall", "seconds": 600})
        headers = {
            **signed_headers(ready),
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        connection = connect(ready)
        connection.sendall(head(ready, {**headers, "Content-Length": "9"}))
        # The request log shows it once it has begun.
        while len(json.loads(fetch(f"{ready.base_url}/_sandbox/requests").body)["requests"]) < 2:
            pass
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    if busy:
        connection.close()

    assert (f"{expected}\n", "", 0) == (out, err, process.returncode)
    assert [] == list(tmp_path.iterdir())


def test_ready_names_what_a_client_needs() -> None:
    with running(SandboxSettings(tracker_id="7-7", private_key="k")) as ready:
        assert ("7-7", "7-7", "k") == (ready.tracker_id, ready.public_key, ready.private_key)
        assert f"{ready.base_url}/exports/7-7/recommendations.xml" == ready.export_url


def test_two_can_run_side_by_side() -> None:
    with running(SandboxSettings()) as one, running(SandboxSettings()) as other:
        upload(one, form(NEW))

        assert (NEW, None) == (stored(one), stored(other))


def test_it_listens_on_ipv6_loopback() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback on this machine")
    with running(SandboxSettings(host="::1")) as ready:
        assert ready.base_url.startswith("http://[::1]:")
        assert upload(ready, form(NEW)).status == 201


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "", "::"])
def test_only_loopback_is_listened_on(host: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="this machine only"),
        running(SandboxSettings(host=host)),
    ):
        pass


def test_a_port_in_use_is_an_error_of_the_machine() -> None:
    with running(SandboxSettings()) as ready:
        port = int(ready.base_url.rpartition(":")[2])
        with (
            pytest.raises(MachineError, match="another --port"),
            running(SandboxSettings(port=port)),
        ):
            pass


@pytest.mark.parametrize(
    "changed",
    [
        {"port": 70_000},
        {"tracker_id": "a/b"},
        {"auth_status": 200},
        {"success_status": 302},
        {"max_bytes": 0},
        {"upload_timeout": 0},
        {"clock_tolerance": -1},
        {"receive_buffer": 0},
    ],
)
def test_settings_out_of_range_are_refused(changed: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        SandboxSettings(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, MachineError), ("{", ConfigurationError), ('[{"kind":"x"}]', ConfigurationError)],
)
def test_a_plan_that_cannot_be_read_is_refused_at_the_start(
    tmp_path: Path, content: str | None, error: type[Exception]
) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(error, match=r"plan\.json"):
        create_app(SandboxSettings(faults=path))


def test_a_folder_that_is_missing_is_an_error_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(MachineError), running(SandboxSettings(temp_dir=tmp_path / "missing")):
        pass


async def test_aiohttp_uploads_a_form() -> None:
    with running(SandboxSettings()) as ready:
        data = aiohttp.FormData()
        data.add_field("file", NEW, filename="users.jsonl", content_type="application/json")
        async with aiohttp.ClientSession() as session:
            url = ready.base_url + upload_path(ready)
            async with session.post(url, data=data, headers=signed_headers(ready)) as answer:
                assert answer.status == 201
                assert 1 == (await answer.json())["users"]
        found = await asyncio.to_thread(stored, ready)

    assert NEW == found


async def test_aiohttp_uploads_chunks_as_they_come() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for byte in form(NEW):
            yield bytes([byte])

    with running(SandboxSettings()) as ready:
        headers = {
            **signed_headers(ready),
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        url = ready.base_url + upload_path(ready)
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=chunks(), headers=headers, expect100=True) as answer,
        ):
            assert answer.status == 201
        found = await asyncio.to_thread(stored, ready)

    assert NEW == found


def resident_mb(pid: int) -> float:
    """Peak resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_flat_however_large_the_upload(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path), ""], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        ready = SandboxReady(**json.loads(process.stdout.readline()))
        assert upload(ready, form(NEW)).status == 201
        before = resident_mb(process.pid)
        line = b'{"auth_user_id":"0123456789-0123456789-%07d"}\n'
        block = b"".join(line % number for number in range(20_000))
        digest = hashlib.sha256()
        opening = form(b"")[: -len(f"\r\n--{BOUNDARY}--\r\n")]
        closing = form(b"")[len(opening) :]
        headers = {
            **signed_headers(ready),
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(len(opening) + 55 * len(block) + len(closing)),
        }
        with connect(ready) as connection:
            connection.sendall(head(ready, headers) + opening)
            for _ in range(55):
                connection.sendall(block)
                digest.update(block)
            connection.sendall(closing)
            answer = connection.recv(65536)
        grown = resident_mb(process.pid) - before
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert digest.hexdigest().encode() in answer
    assert 55 * len(block) > 50_000_000
    assert grown < 12


def test_the_fault_of_a_full_disk_keeps_the_old_list(tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    process = subprocess.Popen(
        [sys.executable, "-c", limited + PROCESS, str(tmp_path), ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    try:
        assert process.stdout is not None
        ready = SandboxReady(**json.loads(process.stdout.readline()))
        upload(ready, form(NEW))
        answer = upload(ready, form(b"u1\n" * 100_000))
        kept = stored(ready)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert (507, NEW) == (answer.status, kept)
