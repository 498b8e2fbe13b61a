"""`batchpub fetch` as a process: what people see, where secrets come from, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from fetch_runs import expected_lines, make_export
from transfer_servers import header, serve_file, serving

COMMAND = Path(sys.executable).with_name("batchpub")


def batchpub(folder: Path, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHPUB_")}
    return subprocess.run(
        [COMMAND, *words], cwd=folder, env=kept | more, capture_output=True, text=True, check=False
    )


def test_a_file_is_fetched_then_left_alone_then_refused(tmp_path: Path) -> None:
    export = tmp_path / "export.xml"
    export.write_bytes(make_export())
    os.utime(export, (0, 1_700_000_000))
    url = export.as_uri()

    first = batchpub(tmp_path, "fetch", url, "-o", "r.jsonl")
    assert (0, "") == (first.returncode, first.stdout)
    assert first.stderr.startswith("Wrote r.jsonl: 3 users\n")
    again = batchpub(tmp_path, "fetch", url, "-o", "r.jsonl")
    assert 0 == again.returncode
    assert again.stderr.startswith("Not modified, nothing was written: r.jsonl: 3 users\n")
    told = json.loads(batchpub(tmp_path, "fetch", url, "-o", "r.jsonl", "--json").stdout)
    assert ("not_modified", 304, 3) == (
        told["outcome"],
        told["download"]["status"],
        told["export"]["users"],
    )
    old = batchpub(tmp_path, "fetch", url, "-o", "r.jsonl", "--newer-than", "2026-11-23T05:30:00")
    assert 4 == old.returncode
    assert "limit newer than 2026-11-23T05:30:00Z, actual 2026-11-23T05:30:00Z" in old.stderr
    assert expected_lines() == (tmp_path / "r.jsonl").read_bytes()


def test_a_wait_says_when_it_looks_next(tmp_path: Path) -> None:
    url = (tmp_path / "none.xml").as_uri()
    words = [str(COMMAND), "fetch", url, "-o", "r.jsonl", "--wait", "2h"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)

    clock = r"\d\d:\d\d:\d\d"
    assert re.fullmatch(
        f"batchpub: wait: next look at {clock}, until {clock}; there is no export yet\n", first
    )
    assert (130, "batchpub: interrupted\n") == (process.returncode, rest)


def test_a_wait_in_vain_is_try_later(tmp_path: Path) -> None:
    url = (tmp_path / "none.xml").as_uri()
    done = batchpub(tmp_path, "fetch", url, "-o", "r.jsonl", "--wait", "1ms")

    assert 6 == done.returncode
    assert "came in time; last seen: there is no export yet" in done.stderr


@pytest.mark.parametrize(
    ("environment", "words", "sent"),
    [
        ({"BATCHPUB_EXPORT_SECRET": "s3cret"}, [], "Authorization: Bearer s3cret"),
        (
            {"BATCHPUB_EXPORT_SECRET_FILE": "key"},
            ["--export-user", "me"],
            "Authorization: Basic bWU6czNjcmV0",
        ),
        (
            {"BATCHPUB_EXPORT_SECRET_COMMAND": "cat key", "BATCHPUB_EXPORT_HEADER": "X-Api-Key"},
            [],
            "X-Api-Key: s3cret",
        ),
    ],
    ids=["bearer", "basic", "header"],
)
def test_secrets_come_from_the_environment_a_file_or_a_command(
    environment: dict[str, str], words: list[str], sent: str, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "key").chmod(0o600)
    name, _, value = sent.partition(": ")
    with serving(serve_file(make_export())) as server:
        done = batchpub(tmp_path, "fetch", server.url, "-o", "r.jsonl", "-v", *words, **environment)

    assert 0 == done.returncode, done.stderr
    assert value == header(server.heads[0], name)
    assert "s3cret" not in done.stderr + done.stdout


def test_a_user_without_a_secret_is_usage(tmp_path: Path) -> None:
    done = batchpub(tmp_path, "fetch", "https://x.example/", "-o", "r.jsonl", "--export-user", "m")

    assert 2 == done.returncode
    assert "BATCHPUB_EXPORT_SECRET" in done.stderr
