"""The command as users and scripts see it: a process with arguments, streams and an exit code."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("batchpub")
COMMANDS = [
    *("prepare", "check", "explain", "upload", "history", "parse", "fetch", "deliver", "sandbox")
]
GROUPS = {
    "deliver": [
        *("deliver newsletter", "deliver klaviyo pull", "deliver klaviyo push"),
        *(f"deliver smartemailing {name}" for name in ("check", "ids", "push")),
    ]
}
LEAVES = [leaf for name in COMMANDS for leaf in GROUPS.get(name, [name])]
USER = (
    b"<user><auth_user_id>u1</auth_user_id><data><_metadata><updated_at>2026-01-31T04:00:00"
    b"</updated_at></_metadata><recommendations><recommendation><recommendation_type>basic"
    b"</recommendation_type><results><result><id>p1</id></result></results></recommendation>"
    b"</recommendations></data></user>"
)
EXPORT = b"<users>" + USER + b"</users>"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHPUB_")}
    return kept | {"COLUMNS": "80"} | more


def batchpub(
    *arguments: str | Path, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def call(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """The command without a process of its own, for the long tables below."""
    from pipeline.cli.app import run

    monkeypatch.chdir(place)
    for name in [name for name in os.environ if name.startswith("BATCHPUB_")]:
        monkeypatch.delenv(name)
    root, raising = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level

    def called(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = run(arguments)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, told.out, told.err)

    yield called
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


Call = Callable[..., subprocess.CompletedProcess[str]]


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line.replace("batchpub", str(COMMAND))],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with good and bad inputs."""
    (tmp_path / "export.xml").write_bytes(EXPORT)
    (tmp_path / "cut.xml").write_bytes(EXPORT[:-20])
    (tmp_path / "page.xml").write_bytes(b"<!DOCTYPE html><html><body>Sign in</body></html>")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "rubbish").write_bytes(bytes(range(256)) * 64)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("command", LEAVES)
def test_help_fits_80_columns_and_tells_everything(command: str) -> None:
    done = batchpub(*command.split(), "--help")

    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"Usage: batchpub {command}")
    assert max(map(len, lines)) <= 80
    assert "--json" in done.stdout
    assert not re.search(r"--(no|empty)-|None|\(\)|\*", done.stdout), "noise"


def test_help_of_the_whole_names_every_command_in_the_order_of_a_night() -> None:
    done = batchpub("--help")

    assert (0, "") == (done.returncode, done.stderr)
    firsts = list(dict.fromkeys(command.split()[0] for command in COMMANDS))
    assert firsts == re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_imports_none_of_the_libraries_that_do_the_work() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "--help"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "cyclopts" in imported
    assert not imported & {"polars", "pyarrow", "aiohttp", "narwhals", "orjson", "asyncio", "ssl"}


def test_the_version_is_one_line_on_stdout() -> None:
    done = batchpub("--version")

    assert (0, "") == (done.returncode, done.stderr)
    assert re.fullmatch(r"batchpub \d+\.\d+\.\d+\n", done.stdout)


def test_no_command_is_a_usage_error_with_the_help_on_stderr() -> None:
    done = batchpub()

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("Usage: batchpub COMMAND")


def test_the_module_is_the_command(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "parse", "cut.xml", "-o", "r.jsonl"],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    same = batchpub("parse", "cut.xml", "-o", "r.jsonl", cwd=place)
    assert (same.returncode, same.stdout, same.stderr) == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


USAGE = [
    (["prepare"], "EXTRACT is missing"),
    (["prepare", "a.csv"], "--output is missing"),
    (["prepare", "a.csv", "-o"], "-o needs a value"),
    (["prepare", "a.csv", "-o", "u", "--actve-within", "1d"], "did you mean --active-within?"),
    (["prepare", "a.csv", "-o", "u", "--on-overflow", "cut"], '"fail", "keep-recent"'),
    (["prepare", "a.csv", "-o", "u", "--max-bytes", "much"], "write 250MB"),
    (["prepre", "a.csv"], "did you mean prepare?"),
    (["-q"], "options follow the command"),
    (["upload", "u.jsonl"], "--tracker-id is missing"),
    (["upload", "u.jsonl", "v.jsonl", "--tracker-id", "t"], "unexpected argument 'v.jsonl'"),
    (["upload", "u.jsonl", "--tracker-id", "t"], "BATCHPUB_PRIVATE_KEY"),
    (["upload", "u.jsonl", "--tracker-id", "t", "--private-key=SECRET"], "BATCHPUB_PRIVATE_KEY"),
    (["upload", "u.jsonl", "--private-key", "SECRET"], "--tracker-id is missing"),
    (["parse", "e.xml", "-o", "a.jsonl", "b.parquet"], "repeat -o for each output"),
    (["sandbox", "--port", "http"], '"http" into int'),
    (["parse", "a\nb", "-o", "a.jsonl", "--fo\no\x1b[2J"], "--fo\\no\\x1b[2J"),
]


@pytest.mark.parametrize(("arguments", "part"), USAGE, ids=str)
def test_wrong_usage_is_exit_code_2_and_one_line_that_helps(
    arguments: list[str], part: str, call: Call
) -> None:
    done = call(*arguments)

    assert_one_error_line(done, 2)
    assert part in done.stderr
    assert "SECRET" not in done.stderr


BAD_EXPORTS = [
    (["missing.xml"], 3),
    (["folder"], 3),
    (["empty"], 3),
    (["rubbish"], 3),
    (["cut.xml"], 3),
    (["page.xml"], 3),
    (["export.xml", "--min-users", "2"], 4),
    (["export.xml", "-o", "folder"], 2),
    (["export.xml", "-o", "folder/none/r.jsonl"], 2),
    (["export.xml", "-o", "r.txt"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), BAD_EXPORTS, ids=str)
def test_a_bad_export_leaves_the_former_output_and_one_line(
    arguments: list[str], code: int, place: Path, call: Call
) -> None:
    former = place / "r.jsonl"
    former.write_text("former")
    before = sorted(place.iterdir())
    done = call("parse", *arguments, "-o", "r.jsonl")

    assert_one_error_line(done, code)
    assert "former" == former.read_text()
    assert before == sorted(place.iterdir())


def test_json_success_is_exactly_one_object_and_nothing_on_stderr(call: Call) -> None:
    done = call("parse", "export.xml", "-o", "r.jsonl", "--json")

    assert (0, "") == (done.returncode, done.stderr)
    summary = only_object(done.stdout)
    assert (1, ["r.jsonl"], {"basic": 1}) == (
        summary["users"],
        summary["outputs"],
        summary["blocks"],
    )


@pytest.mark.parametrize(
    ("arguments", "name", "code"),
    [
        (["parse", "cut.xml", "-o", "r.jsonl", "--json"], "InputError", 3),
        (["parse", "export.xml", "-o", "r.jsonl", "--min-users=2", "--json"], "GuardError", 4),
        (["parse", "--json"], "ConfigurationError", 2),
        (["pars", "--json"], "ConfigurationError", 2),
        (
            ["parse", "export.xml", "-o", "r.jsonl", "--json", "--config", "x"],
            "ConfigurationError",
            2,
        ),
    ],
    ids=str,
)
def test_json_errors_are_exactly_one_object_too(
    arguments: list[str], name: str, code: int, call: Call
) -> None:
    done = call(*arguments)

    assert (code, "") == (done.returncode, done.stderr)
    error = only_object(done.stdout)["error"]
    assert (name, code) == (error["class"], error["exit_code"])
    assert error["message"]
    assert {"source", "position", "remedy"} <= error.keys()


def test_the_environment_can_ask_for_json(place: Path) -> None:
    done = batchpub("parse", cwd=place, BATCHPUB_JSON="1")

    assert "ConfigurationError" == only_object(done.stdout)["error"]["class"]


def test_a_file_name_that_is_no_text_still_gives_valid_json(place: Path) -> None:
    done = subprocess.run(
        [os.fsencode(COMMAND), b"parse", b"\xff.xml", b"-o", b"r.jsonl", b"--json"],
        cwd=place,
        env=environment(),
        capture_output=True,
        check=False,
    )

    assert 3 == done.returncode
    assert "\ufffd.xml" == only_object(done.stdout.decode("utf-8"))["error"]["source"]


def test_quiet_success_says_nothing_and_quiet_failure_one_line(call: Call) -> None:
    done = call("parse", "export.xml", "-o", "r.jsonl", "-q")
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)

    assert_one_error_line(call("parse", "cut.xml", "-o", "r.jsonl", "-q"), 3)


def test_a_summary_goes_to_stderr_without_control_characters(place: Path) -> None:
    done = batchpub("parse", "export.xml", "-o", "r.jsonl", cwd=place)

    assert (0, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("Wrote r.jsonl: 1 user\n")
    assert done.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("batchpub --help | true; exit ${PIPESTATUS[0]}", 0),
        ("batchpub parse export.xml -o r.jsonl --json | true; exit ${PIPESTATUS[0]}", 0),
        ("batchpub parse cut.xml -o r.jsonl --json | true; exit ${PIPESTATUS[0]}", 3),
        ("batchpub parse export.xml -o r.jsonl 2>&1 | true; exit ${PIPESTATUS[0]}", 0),
        ("batchpub parse export.xml -o r.jsonl 2>&-", 0),
        ("batchpub parse cut.xml -o r.jsonl 2>/dev/full", 3),
        ("batchpub parse export.xml -o r.jsonl --json >/dev/full", 8),
        ("batchpub parse export.xml -o r.jsonl --json >&-", 8),
        ("batchpub --help >/dev/full", 8),
    ],
)
def test_streams_that_are_gone_or_full_change_no_verdict(line: str, code: int, place: Path) -> None:
    done = shell(line, place)

    assert code == done.returncode
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_full_disk_is_this_machine_s_fault_and_leaves_nothing(place: Path) -> None:
    (place / "r.jsonl").write_text("former")
    users = b"".join(USER.replace(b"u1", b"u%d" % one) for one in range(2_000))
    (place / "large.xml").write_bytes(b"<users>" + users + b"</users>")
    before = sorted(place.iterdir())
    done = shell("ulimit -f 64; batchpub parse large.xml -o r.jsonl", place)

    assert_one_error_line(done, 8)
    assert "former" == (place / "r.jsonl").read_text()
    assert before == sorted(place.iterdir())


BROKEN_FLOW = """
import sys
from pipeline import flows
def parse(*arguments, **keywords):
    raise {error}
flows.parse = parse
from pipeline.__main__ import entry
sys.argv[1:] = ["parse", "e.xml", "-o", "r.jsonl"]
entry()
"""


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        ("KeyError('u123')", 1, "bug in batchpub: KeyError"),
        ("RecursionError('u123')", 1, "bug in batchpub: RecursionError"),
        ("BaseException('u123')", 1, "bug in batchpub: BaseException"),
        ("MemoryError('u123')", 8, "out of memory"),
        ("OSError(24, 'Too many open files')", 8, "Too many open files"),
    ],
)
def test_what_should_not_happen_is_one_line_without_data(error: str, code: int, part: str) -> None:
    done = run_code(BROKEN_FLOW.format(error=error))

    assert_one_error_line(done, code)
    assert part in done.stderr
    assert "u123" not in done.stderr


def test_debugging_shows_the_traceback() -> None:
    done = run_code(BROKEN_FLOW.format(error="KeyError('u123')"), BATCHPUB_DEBUG="1")

    assert 1 == done.returncode
    assert "Traceback" in done.stderr


LOGGING_FLOW = """
import logging, sys
from pipeline import flows
def parse(*arguments, **keywords):
    logging.getLogger("pipeline.test").info("told\\nso")
    try:
        raise KeyError("u123")
    except KeyError:
        logging.getLogger("asyncio").exception("lost task")
    return None
flows.parse = parse
from pipeline.__main__ import entry
sys.argv[1:] = ["parse", "e.xml", "-o", "r.jsonl", *sys.argv[1:]]
entry()
"""


def test_log_lines_are_single_and_free_of_tracebacks() -> None:
    quiet = run_code(LOGGING_FLOW, "-q")
    assert "batchpub: error: lost task\n" == quiet.stderr

    verbose = run_code(LOGGING_FLOW, "-v")
    assert "batchpub: info: told\\nso\nbatchpub: error: lost task\n" == verbose.stderr


def test_log_lines_can_be_json() -> None:
    done = run_code(LOGGING_FLOW, "-v", "--log-format", "json")

    told, lost = map(json.loads, done.stderr.splitlines())
    assert ("info", "pipeline.test", "told\nso") == (told["level"], told["logger"], told["message"])
    assert "lost task" == lost["message"]
    assert "u123" not in done.stderr


def run_code(code: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_error_line(done: subprocess.CompletedProcess[str], code: int) -> None:
    assert (code, "") == (done.returncode, done.stdout), done.stderr
    assert done.stderr.startswith("batchpub: error: ")
    assert 1 == done.stderr.count("\n")
    assert done.stderr.rstrip("\n").isprintable()
    assert "None" not in done.stderr


def only_object(text: str) -> dict[str, Any]:
    assert 1 == text.count("\n")
    assert text.endswith("\n")
    found = json.loads(text)
    assert isinstance(found, dict)
    return found
