"""`batchpub check` as a command: reports, exit codes, and no id anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import pipeline
from pipeline.cli import app
from pipeline.cli.check_summary import check_lines
from pipeline.cli.summary import error_line


class Told(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*arguments: object) -> Told:
        code = app.run(["check", *map(str, arguments)])
        return Told(code, *capfd.readouterr())

    return call


def jsonl(*ids: object) -> bytes:
    return b"".join(json.dumps({"auth_user_id": one}).encode() + b"\n" for one in ids)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.jsonl"
    path.write_bytes(jsonl("secret-0001", "SECRET-0001", "secret-0002", "secret-0002", " secret-3"))
    return path


def test_a_sound_list_is_told_on_stderr_and_as_json_with_exit_0(
    run: Callable[..., Told], users: Path
) -> None:
    told, as_json = run(users), run(users, "--json")
    found: dict[str, Any] = json.loads(as_json.stdout)

    assert (0, "") == (told.returncode, told.stdout)
    assert f"{users}: 5 users, may be sent" == told.stderr.splitlines()[0]
    assert (0, "") == (as_json.returncode, as_json.stderr)
    assert {"count": 1, "examples": ["s•••••-###2"]} == found["duplicates"]
    assert ["S•••••-###1 ~ s•••••-###1"] == found["near_duplicates"]["case"]["examples"]
    assert found["error"] is None
    for text in (told.stderr, as_json.stdout):
        assert "secret-0" not in text.replace(str(users), "").lower()
    assert 80 >= max(len(line) for line in told.stderr.splitlines()[1:])


def test_bad_lines_are_exit_3_with_their_numbers(run: Callable[..., Told], users: Path) -> None:
    users.write_bytes(jsonl(*range(1000)) + b'{"auth_user_id":"x\xffy"}\n' + jsonl(1, None))
    told, as_json = run(users), run(users, "--json")
    found = json.loads(as_json.stdout)

    assert (3, 3) == (told.returncode, as_json.returncode)
    assert "first at line 1,001: 2 of 1,003 lines cannot be used" in told.stderr.splitlines()[-1]
    assert [[1001, "not UTF-8"]] == found["first_problems"][:1]
    assert (3, "InputError") == (found["error"]["exit_code"], found["error"]["class"])
    assert 1001 == found["users"]


def test_quiet_tells_a_refusal_only(run: Callable[..., Told], users: Path) -> None:
    sound = run(users, "-q")
    users.write_bytes(b"")
    empty = run(users, "-q")

    assert (0, "") == (sound.returncode, sound.stderr)
    assert 4 == empty.returncode
    assert 1 == len(empty.stderr.splitlines())
    assert "the list holds no users" in empty.stderr


def test_a_list_over_the_limit_is_exit_4(run: Callable[..., Told], users: Path) -> None:
    size = users.stat().st_size

    assert (4, 0) == (run(users, "--max-bytes", size - 1).returncode, run(users).returncode)
    assert pipeline.check(users, max_bytes=size).error is None


def test_wrong_use_is_exit_2_and_a_missing_file_exit_3(
    run: Callable[..., Told], users: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known.csv"
    known.write_text("name\nx\n")

    assert 2 == run(users, "--min-match", "50%").returncode
    assert 2 == run(users, "--known-ids", known).returncode
    assert 3 == run(tmp_path / "none").returncode
    assert 3 == run(users, "--against", tmp_path / "none").returncode
    assert 3 == run(users, "--known-ids", tmp_path / "none").returncode


def test_the_receipt_is_compared_with_the_list(users: Path, tmp_path: Path) -> None:
    extract, receipt = tmp_path / "extract.csv", tmp_path / "users.jsonl.receipt.json"
    extract.write_text("id,last_active\nu1,2026-11-01\nu2,2026-11-02\n")
    pipeline.prepare(extract, users, as_of="2026-11-23")
    true = pipeline.check(users)
    data = users.read_bytes()
    users.write_bytes(data.replace(b"u1", b"u3"))
    differs = pipeline.check(users)
    receipt.write_text("{")
    damaged = pipeline.check(users)

    assert ("true", 0) == (true.receipt, true.exit_code)
    assert ("differs", 3) == (differs.receipt, differs.exit_code)
    assert ("damaged", 3) == (damaged.receipt, damaged.exit_code)


def test_a_user_who_is_called_like_a_column_may_come_first_on_a_prepared_list(
    tmp_path: Path,
) -> None:
    extract, users = tmp_path / "extract.csv", tmp_path / "users.csv"
    extract.write_text("id,last_active\nuser_id,2026-11-02\nu2,2026-11-01\n")
    pipeline.prepare(extract, users, as_of="2026-11-23", format="csv")
    prepared = pipeline.check(users)
    (tmp_path / "users.csv.receipt.json").unlink()
    foreign = pipeline.check(users)

    assert (b'"user_id"\n"u2"\n', 0, 2) == (users.read_bytes(), prepared.exit_code, prepared.users)
    assert (3, 1) == (foreign.exit_code, foreign.users)


def test_known_ids_set_a_least_match_and_the_others_are_written_even_so(
    run: Callable[..., Told], users: Path, tmp_path: Path
) -> None:
    known, unmatched = tmp_path / "known.jsonl", tmp_path / "unmatched.jsonl"
    known.write_bytes(b'{"cid":"secret-0001"}\n{"cid":"secret-0002"}\n{"cid":"secret-3"}\n')
    options = ["--known-ids", known, "--id-column", "cid", "--unmatched", unmatched]
    enough = run(users, *options, "--min-match", "50%")
    too_few = run(users, *options, "--min-match", "51%", "--json")

    assert (0, 4) == (enough.returncode, too_few.returncode)
    found = json.loads(too_few.stdout)["known"]
    assert (3, 2, 2, 2, 50.0) == tuple(
        found[name] for name in ("known", "matched", "unmatched", "near", "percent")
    )
    expected = {b'{"auth_user_id":" secret-3"}', b'{"auth_user_id":"SECRET-0001"}'}
    assert expected == set(unmatched.read_bytes().splitlines())


def test_a_list_is_told_apart_from_another(
    run: Callable[..., Told], users: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.csv"
    old.write_text('"secret-0001"\n"secret-0002"\n"other"\n')
    found = pipeline.check(users, against=old)
    assert found.against is not None

    assert (3, 4, 2, 2, 1) == (
        *(found.against.old, found.against.new),
        *(found.against.kept, found.against.added, found.against.removed),
    )
    assert 1 == found.against.near
    old.write_text('"a"\nb,c\n')
    told = run(users, "--against", old)
    assert 3 == told.returncode
    assert f"{old}, line 2: more than one column" in told.stderr


def test_a_list_of_another_tool_is_accepted_and_its_extras_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_bytes(b'{"shop":1,"auth_user_id":"u1"}\n{"user_id":"u2","x":[]}\n{"user_id":3}\n')
    found = pipeline.check(path)

    assert (0, 3, 2) == (found.exit_code, found.users, found.legacy_lines)
    counts = {name: one.count for name, one in found.suspicions.items()}
    assert {"attributes beside the id": 2, "JSON numbers, not text": 1} == counts


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"x", "the last line has no end: the list may be cut"),
        (b"\n", "a blank line"),
        (b"\xef\xbb\xbf" + b'{"auth_user_id":"u1"}\n', "a byte order mark"),
        (b"customer_id\n", "a header line"),
        (jsonl("a") * 40_000 + b'{"auth_user_id":"\x80"}\n' + jsonl("b") * 40_000, "not UTF-8"),
    ],
    ids=["one byte", "one line break", "byte order mark", "header only", "one bad byte inside"],
)
def test_a_flaw_is_found_and_told(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "users"
    path.write_bytes(data)
    found = pipeline.check(path)

    assert 1 == sum(found.problems.values())
    assert next(iter(found.problems)).startswith(problem)
    assert [data[: data.find(b"\x80")].count(b"\n") + 1 if b"\x80" in data else 1] == [
        number for number, _ in found.first_problems
    ]
    lines = check_lines(found)
    assert lines[0].endswith("must not be sent")
    assert problem in str(error_line(found.error))


def test_u2028_crlf_and_odd_spacing_are_no_flaw(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_bytes('{ "auth_user_id" : "a\u2028b" }\r\n{"auth_user_id":"c"}\n'.encode())

    assert ({}, 2) == (pipeline.check(path).problems, pipeline.check(path).users)


def test_a_refused_disk_leaves_no_unmatched_file(users: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.csv"
    known.write_text("id\nx\n")
    with pytest.raises(pipeline.ConfigurationError):
        pipeline.check(users, known_ids=known, unmatched=tmp_path / "no" / "u.jsonl")
    (tmp_path / "keep.jsonl").write_bytes(b"before")
    known.write_text("id\n\x00\n")
    with pytest.raises(pipeline.InputError):
        pipeline.check(
            users, known_ids=known, unmatched=tmp_path / "keep.jsonl", against=tmp_path / "none"
        )

    assert b"before" == (tmp_path / "keep.jsonl").read_bytes()
    assert [] == list(tmp_path.glob(".*"))


def test_help_says_what_the_exit_codes_mean(run: Callable[..., Told]) -> None:
    told = run("--help")

    assert 0 == told.returncode
    assert "--min-match PERCENT" in told.stdout
    assert "Exit 4" in told.stdout
