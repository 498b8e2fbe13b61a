"""Temporary files of `prepare` go with it, however it ends; what kill -9 leaves is named."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEADLINE_S = 60
HEAD = b"customer_id,last_active\n"
ROWS = b"".join(b"user-%d,2026-11-01\n" % number for number in range(20_000))


def start(folder: Path, *, file_size: int | None = None) -> subprocess.Popen[bytes]:
    (folder / "temp").mkdir()

    def limit() -> None:
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    return subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline", "prepare", "-", "-o", folder / "list.jsonl"),
            *("--as-of", "2026-11-23", "--memory", "1MB", "--temp-dir", folder / "temp"),
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limit,  # noqa: PLW1509 - no threads here
    )


def until_it_spills(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Feed rows until something lies on disk; the rest of the input never comes."""
    assert process.stdin is not None
    process.stdin.write(HEAD + ROWS)
    process.stdin.flush()
    end = time.monotonic() + DEADLINE_S
    while not list((folder / "temp").glob(".batchpub-*/*")):
        assert process.poll() is None
        assert time.monotonic() < end
        process.stdin.write(ROWS)
        process.stdin.flush()


def left(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.name != "temp")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_with_rows_on_disk_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = start(tmp_path)
    until_it_spills(process, tmp_path)
    process.send_signal(number)
    process.communicate(timeout=DEADLINE_S)

    assert code == process.returncode
    assert [] == left(tmp_path)


def test_a_full_disk_while_spilling_is_this_machine_s_fault(tmp_path: Path) -> None:
    process = start(tmp_path, file_size=2_000)
    _, said = process.communicate(HEAD + 5 * ROWS, timeout=DEADLINE_S)

    assert 8 == process.returncode
    assert b"cannot write temporary files" in said
    assert b"free disk space or choose another folder" in said
    assert 1 == len(said.strip().splitlines())
    assert [] == left(tmp_path)


def test_what_kill_9_leaves_is_hidden_named_and_in_nobody_s_way(tmp_path: Path) -> None:
    process = start(tmp_path)
    until_it_spills(process, tmp_path)
    process.kill()
    process.communicate(timeout=DEADLINE_S)
    folders = list((tmp_path / "temp").iterdir())

    assert all(one.name.startswith(".batchpub-candidates-") for one in folders)
    assert all(one.name.startswith(".list.jsonl.") for one in tmp_path.iterdir() if one.is_file())
    assert not (tmp_path / "list.jsonl").exists()
    (tmp_path / "x.csv").write_bytes(HEAD + ROWS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "prepare", tmp_path / "x.csv", "-q"),
            *("-o", tmp_path / "list.jsonl", "--as-of", "2026-11-23"),
            *("--memory", "1MB", "--temp-dir", tmp_path / "temp"),
        ],
        timeout=DEADLINE_S,
        check=True,
    )
    assert 0 == done.returncode
    assert 20_000 == (tmp_path / "list.jsonl").read_bytes().count(b"\n")
