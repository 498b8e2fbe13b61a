"""One night through the real commands: prepare, upload, generate, fetch, against the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("batchpub")
EXTRACT = "user_id,last_active\n" + "".join(
    f"u{number},2026-01-{number:02}T00:00:00Z\n" for number in range(1, 29)
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a running sandbox says of itself."""
    log = (tmp_path / "sandbox.log").open("w")
    with (
        log,
        subprocess.Popen([COMMAND, "sandbox", "--json"], stdout=subprocess.PIPE, stderr=log) as run,
    ):
        assert run.stdout is not None
        yield json.loads(run.stdout.readline())
        run.terminate()


def batchpub(
    place: Path, *arguments: str, **more: str
) -> tuple[int, dict[str, Any], subprocess.CompletedProcess[str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHPUB_")}
    done = subprocess.run(
        [COMMAND, *arguments, "--json"],
        cwd=place,
        env=kept | more,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done


def post(sandbox: dict[str, str], path: str, content: dict[str, object]) -> None:
    request = urllib.request.Request(
        sandbox["base_url"] + path,
        data=json.dumps(content).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status < 300


def test_a_whole_night(sandbox: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "extract.csv").write_text(EXTRACT)
    keys = {
        "BATCHPUB_BASE_URL": sandbox["base_url"],
        "BATCHPUB_TRACKER_ID": sandbox["tracker_id"],
        "BATCHPUB_PRIVATE_KEY": sandbox["private_key"],
    }

    code, made, _ = batchpub(
        tmp_path, "prepare", "extract.csv", "-o", "users.jsonl", "--as-of", "2026-02-01"
    )
    assert (0, 28) == (code, made["users"])
    code, sent, _ = batchpub(tmp_path, "upload", "users.jsonl", "--confirm", "first:28", **keys)
    assert (0, 28, made["sha256"]) == (code, sent["users"], sent["sha256"])
    post(sandbox, "/_sandbox/generate", {})
    code, came, _ = batchpub(tmp_path, "fetch", sandbox["export_url"], "-o", "r.jsonl")
    assert 0 == code
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    assert came["export"]["users"] == len(lines)
    uploaded = {f"u{number}" for number in range(1, 29)} | {"default"}
    assert {json.loads(line)["auth_user_id"] for line in lines} <= uploaded

    (tmp_path / "empty.jsonl").write_text("")
    code, told, _ = batchpub(tmp_path, "upload", "empty.jsonl", **keys)
    assert (4, "GuardError") == (code, told["error"]["class"])
    code, told, done = batchpub(
        tmp_path,
        *("upload", "users.jsonl", "--refresh-after", "1ms"),
        **keys | {"BATCHPUB_PRIVATE_KEY": "s3cr3t"},
    )
    assert (5, "RemoteError") == (code, told["error"]["class"])
    assert "s3cr3t" not in done.stdout + done.stderr


def test_nobody_at_the_other_end_is_try_later_and_names_no_credentials(tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text('{"auth_user_id":"u1"}\n')
    keys = {"BATCHPUB_TRACKER_ID": "1-2", "BATCHPUB_PRIVATE_KEY": "s3cr3t"}

    code, told, done = batchpub(
        tmp_path,
        *("upload", "users.jsonl", "--base-url", "http://127.0.0.1:9"),
        *("--deadline", "1s", "--min-users", "1"),
        **keys,
    )
    assert (6, "TryLaterError") == (code, told["error"]["class"])
    assert "s3cr3t" not in done.stdout + done.stderr

    code, told, done = batchpub(
        tmp_path, "fetch", "http://127.0.0.1:9/e.xml?t=s3cr3t", "-o", "r.jsonl", "--deadline", "1s"
    )
    assert (6, "TryLaterError") == (code, told["error"]["class"])
    assert "s3cr3t" not in done.stdout + done.stderr
    assert not (tmp_path / "r.jsonl").exists()
