"""Every command and example the README shows is run, and the demo's output is the real one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def between(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```\n<!-- /{mark} -->", README, re.DOTALL)
    assert found is not None
    return found[1]


def masked(text: str) -> str:
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return re.sub(r"\d[\d,]* bytes", "N bytes", text)


def run(
    script: str, folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    if not (folder / "sample_data").exists():
        (folder / "sample_data").symlink_to(ROOT / "sample_data")
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def generate(base_url: str) -> None:
    request = urllib.request.Request(f"{base_url}/_sandbox/generate", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert 200 == answer.status


def test_the_first_screen_is_short() -> None:
    assert README.count("\n") < 150


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "sample_data" / "demo.py", tmp_path / "demo-out"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    shown = done.stdout.replace(os.path.relpath(tmp_path / "demo-out", ROOT), "demo-out")

    assert (0, "") == (done.returncode, done.stderr)
    assert masked(between("demo")) == masked(shown)
    assert len(shown.splitlines()) <= 25


def test_the_commands_run_one_after_another_against_the_sandbox(tmp_path: Path) -> None:
    make, prepare, night, _ = blocks("sh")
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} == set(re.findall(r"make (\w+)", make)) & set(targets)
    with running(SandboxSettings()) as ready:
        environment = {
            "BATCHPUB_BASE_URL": ready.base_url,
            "BATCHPUB_TRACKER_ID": ready.tracker_id,
            "BATCHPUB_PRIVATE_KEY": ready.private_key,
            "EXPORT_URL": ready.export_url,
        }
        for script in (
            prepare.replace("batchpub prepare", "batchpub prepare --as-of 2026-11-23"),
            *night.splitlines()[:-1],
            "",
            night.splitlines()[-1],
        ):
            if not script:
                generate(ready.base_url)
            done = run(script, tmp_path, environment)
            assert 0 == done.returncode, done.stderr
    assert {"messages.jsonl", "messages.preview.html"} <= {one.name for one in tmp_path.iterdir()}
    assert {"users.jsonl", "recommendations.jsonl", "recommendations.parquet"} <= {
        one.name for one in tmp_path.iterdir()
    }


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    first, second = blocks("python")
    names: dict[str, object] = {}
    exec(first, names)
    with running(SandboxSettings()) as ready:
        names |= {"key": ready.private_key, "base_url": ready.base_url}
        upload, fetch = second.split("got = ")
        exec(upload, names)
        generate(ready.base_url)
        exec("got = " + fetch, {**names, "export_url": ready.export_url})
    assert (tmp_path / "recommendations.parquet").exists()


def test_the_curl_script_is_the_one_that_is_tested() -> None:
    sys.path.insert(0, str(ROOT / "tests" / "integration"))
    try:
        from test_sandbox_curl import UPLOAD_WITH_CURL
    finally:
        sys.path.pop(0)

    assert UPLOAD_WITH_CURL.strip() == between("curl").strip()
