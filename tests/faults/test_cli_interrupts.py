"""Stop requests at random moments: the former output stays or the new one is whole."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

USER = (
    "<user><auth_user_id>u{0}</auth_user_id><data><_metadata><updated_at>2026-01-31T04:00:00"
    "</updated_at></_metadata><recommendations><recommendation><recommendation_type>basic"
    "</recommendation_type><results><result><id>p{0}</id></result></results></recommendation>"
    "</recommendations></data></user>"
)
USERS = 10_000
# The command, telling when Python itself stands: before that no program can have a say.
COMMAND = [
    sys.executable,
    "-c",
    "from pipeline.__main__ import entry; print('up', flush=True); entry()",
]
SEED = 20_260_131


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export and an extract that take about a second each."""
    folder = tmp_path_factory.mktemp("inputs")
    with (folder / "export.xml").open("w") as export, (folder / "extract.csv").open("w") as extract:
        export.write("<users>")
        extract.write("user_id,last_active\n")
        for number in range(USERS):
            export.write(USER.format(number))
            extract.write(f"u{number},2026-01-{number % 28 + 1:02}T00:00:00Z\n")
        export.write("</users>")
    return folder


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHPUB_")}
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=kept,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "up\n" == process.stdout.readline()
    return process


def wait_for_output(process: subprocess.Popen[str], folder: Path) -> None:
    """Come back when the first bytes of a pending output are on disk."""
    while not any(path.stat().st_size for path in folder.iterdir()):
        assert process.poll() is None, "the run was over before it could be stopped"
        time.sleep(0.001)


def command_line(command: str, inputs: Path) -> list[str]:
    if command == "parse":
        return ["parse", str(inputs / "export.xml"), "-o", "out.jsonl"]
    window = ["--as-of", "2026-02-01", "--active-within", "2mo"]
    return ["prepare", str(inputs / "extract.csv"), "-o", "out.jsonl", *window]


@pytest.mark.parametrize("command", ["parse", "prepare"])
def test_a_stop_at_any_moment_leaves_no_trace(command: str, inputs: Path, tmp_path: Path) -> None:
    arguments = command_line(command, inputs)
    began = time.monotonic()
    whole = start(*arguments, cwd=tmp_path)
    _, told = whole.communicate()
    took = time.monotonic() - began
    assert 0 == whole.returncode, told
    names = sorted(path.name for path in tmp_path.iterdir())
    complete = (tmp_path / "out.jsonl").read_bytes()
    moments = random.Random(SEED)
    seen = set()
    for number in [signal.SIGINT, signal.SIGTERM] * 3:
        (tmp_path / "out.jsonl").write_bytes(b"former\n")
        process = start(*arguments, cwd=tmp_path)
        try:
            process.wait(timeout=moments.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        _, told = process.communicate()

        expected = {signal.SIGINT: {130}, signal.SIGTERM: {143, -signal.SIGTERM}}[number]
        content = (tmp_path / "out.jsonl").read_bytes()
        assert process.returncode in expected | {0}, told
        assert "Traceback" not in told
        assert "Exception ignored" not in told
        assert content in (b"former\n", complete)
        assert process.returncode != 0 or content == complete
        assert names == sorted(path.name for path in tmp_path.iterdir())
        seen.add(process.returncode)
    assert seen & {130, 143}, "no run was stopped: the moments are wrong"


def test_impatience_does_not_cut_the_clean_up_short(inputs: Path, tmp_path: Path) -> None:
    process = start(*command_line("parse", inputs), cwd=tmp_path)
    wait_for_output(process, tmp_path)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    _, told = process.communicate()

    assert process.returncode in {130, 143}
    assert told in {"batchpub: interrupted\n", "batchpub: terminated\n"}
    assert not list(tmp_path.iterdir())


def test_a_stop_is_told_as_json_too(inputs: Path, tmp_path: Path) -> None:
    process = start(*command_line("parse", inputs), "--json", cwd=tmp_path)
    wait_for_output(process, tmp_path)
    process.send_signal(signal.SIGINT)
    answer, told = process.communicate()

    assert (130, "") == (process.returncode, told)
    error = json.loads(answer)["error"]
    assert ("Interrupted", 130) == (error["class"], error["exit_code"])


def test_a_job_that_was_told_to_ignore_the_terminal_does(inputs: Path, tmp_path: Path) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(*command_line("parse", inputs), cwd=tmp_path)
    finally:
        signal.signal(signal.SIGHUP, former)
    process.send_signal(signal.SIGHUP)
    _, told = process.communicate()

    assert 0 == process.returncode, told
    assert (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sandbox_ends_quietly(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = start("sandbox", "--json", cwd=tmp_path)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    process.send_signal(number)
    rest, told = process.communicate()

    keys = {"public_key", "private_key", "klaviyo_key", "smartemailing_user", "smartemailing_key"}
    assert keys | {"base_url", "tracker_id", "export_url"} == ready.keys()
    assert (code, "", "") == (process.returncode, rest, told)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sandbox_in_the_middle_of_everything_ends_at_once_and_quietly(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Requests come and go, one is sent slowly, one is half a head, while the stop arrives."""
    for _ in range(2):
        process = start("sandbox", "--json", cwd=tmp_path)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        address = ("127.0.0.1", urlsplit(ready["base_url"]).port or 0)
        with socket.create_connection(address) as half, socket.create_connection(address) as slow:
            half.sendall(b"POST /v1/recom")
            slow.sendall(HEAD + b"x" * 100)
            busy = threading.Event()
            threads = [threading.Thread(target=knock, args=(address, busy)) for _ in range(3)]
            for thread in threads:
                thread.start()
            assert busy.wait(20)
            process.send_signal(number)
            rest, told = process.communicate(timeout=10)
            for thread in threads:
                thread.join()

        assert (code, "", "") == (process.returncode, rest, told)


HEAD = (
    b"POST /v1/recommender/batching/1234-5678/users HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 1000000\r\n\r\n"
)


def knock(address: tuple[str, int], busy: threading.Event) -> None:
    """Uploads that break off, one after the other, until nobody is there."""
    with contextlib.suppress(OSError):
        for number in itertools.count():
            if number == 30:
                busy.set()
            with socket.create_connection(address) as one:
                one.sendall(HEAD + b"x" * 5000)


LOST_STOP = """
import sys
from pipeline import flows
class Careless:
    def __del__(self):
        import os, signal
        os.kill(os.getpid(), signal.{number})
        for _ in range(1000):
            pass
def parse(*arguments, **keywords):
    Careless()
    for _ in range(10**9):
        pass
flows.parse = parse
from pipeline.__main__ import entry
sys.argv[1:] = ["parse", "e.xml", "-o", "r.jsonl"]
entry()
"""


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_that_python_had_to_swallow_is_repeated(number: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST_STOP.format(number=number)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert code == done.returncode
    assert "Exception ignored" not in done.stderr
