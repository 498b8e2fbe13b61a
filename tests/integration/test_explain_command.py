"""`batchpub explain` as a command: the rows, the sentence, the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import pipeline
from pipeline.cli import app

ROWS = """\
customer_id,last_active
u1,2026-10-01T08:00:00
u1,2026-11-20T23:59:00
u1,yesterday
U1,2026-11-01
u2,2026-01-02
u2,,one too many
u3,
u4,2026-11-01
u5,2026-11-02,one too many
NULL,2026-11-01
u6,2030-01-01
u\u00a07,2026-11-03
"""


class Told(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "extract.csv"
    path.write_text(ROWS, "utf-8")
    (tmp_path / "gone.csv").write_text("id\nx\nu4\nU1\n")
    return path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], extract: Path) -> Callable[..., Told]:
    def call(user_id: str, *arguments: object, as_of: str = "2026-11-23") -> Told:
        words = ["explain", extract, f"--id={user_id}", f"--as-of={as_of}", *arguments]
        return Told(app.run([*map(str, words)]), *capfd.readouterr())

    return call


def found(told: Told) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def test_a_listed_user_is_told_with_every_row_and_its_place(run: Callable[..., Told]) -> None:
    told, answer = run("u1", "--max-rejects", 9), found(run("u1", "--max-rejects", 9, "--json"))

    assert (0, "") == (told.returncode, told.stdout)
    last = "u1 is on the list: number 1 of 4, last active 2026-11-20 23:59:00."
    assert last == told.stderr.splitlines()[-1] == answer["verdict"]
    rows = [(one["row"], one["outcome"]) for one in answer["rows"]]
    assert [(2, "older"), (3, "latest"), (4, "unparseable time")] == rows
    assert {"latest": 1, "older": 1, "unparseable time": 1} == answer["outcomes"]
    near = [(one["row"], one["user_id"], one["difference"]) for one in answer["near_rows"]]
    assert [(5, "U1", "case")] == near
    assert (1, len('{"auth_user_id":"u1"}\n'), 4) == tuple(
        answer[name] for name in ("place", "bytes_upto", "users")
    )
    assert 80 >= max(len(line) for line in told.stderr.splitlines()[2:])


@pytest.mark.parametrize(
    ("user_id", "reason", "sentence"),
    [
        (
            "u2",
            "dropped",
            "u2 is not on the list: its latest activity 2026-01-02 is before the window start"
            " 2026-05-23; 1 row more cannot be used (wrong field count).",
        ),
        ("u3", "dropped", "u3 is not on the list: no row of it says when it was active."),
        (
            "u5",
            "rejected",
            "u5 is not on the list: its only row cannot be used (wrong field count).",
        ),
        (
            "NULL",
            "rejected",
            "NULL is not on the list: its only row cannot be used (null word as id).",
        ),
        (
            "u6",
            "rejected",
            "u6 is not on the list: its only row cannot be used (activity in the future).",
        ),
        (
            " u 7",
            "no row",
            "␣u 7 is not on the list: no row of the extracts carries this id; 1 row comes close.",
        ),
        ("u9", "no row", "u9 is not on the list: no row of the extracts carries this id."),
    ],
)
def test_the_sentence_names_what_kept_the_user_off(
    run: Callable[..., Told], user_id: str, reason: str, sentence: str
) -> None:
    told = run(user_id, "--max-rejects", 9, "--json")

    assert (0, reason, sentence) == (
        told.returncode,
        found(told)["reason"],
        found(told)["verdict"],
    )


def test_the_suppressing_row_is_named_and_a_close_one_does_not_count(
    run: Callable[..., Told], tmp_path: Path
) -> None:
    gone = ("--suppress", tmp_path / "gone.csv", "--max-rejects", 9, "--json")
    suppressed, close = found(run("u4", *gone)), found(run("u1", *gone))

    assert (
        f"u4 is not on the list: it is suppressed by {tmp_path}/gone.csv, row 3."
        == (suppressed["verdict"])
    )
    assert close["on_list"]
    rows = [(one["row"], one["user_id"], one["outcome"]) for one in close["suppression_rows"]]
    assert [(4, "U1", "no effect")] == rows
    assert (None, None) == (suppressed["place"], suppressed["bytes_upto"])


def test_id_rules_make_rows_the_users_own(run: Callable[..., Told], tmp_path: Path) -> None:
    gone = ("--suppress", tmp_path / "gone.csv", "--max-rejects", 9)
    answer = found(run("U1", *gone, "--id-rules", "lower", "--json"))

    assert ("U1", "u1", "suppressed") == tuple(
        answer[name] for name in ("user_id", "listed_id", "reason")
    )
    assert [2, 3, 4, 5] == [one["row"] for one in answer["rows"]]
    assert ["u1", "u1", "u1", "U1"] == [one["user_id"] for one in answer["rows"]]
    assert answer["verdict"].startswith("U1, u1 by --id-rules, is not on the list: it is supp")


def test_a_guard_that_stops_prepare_is_part_of_the_answer(run: Callable[..., Told]) -> None:
    told, answer = run("u1"), found(run("u1", "--json"))
    full = found(run("u1", "--max-rejects", 9, "--max-bytes", 50, "--json"))
    cut = found(
        run("u4", "--max-rejects", 9, "--max-bytes", 50, "--on-overflow", "keep-recent", "--json")
    )

    assert 0 == told.returncode
    assert (False, "no list", 3) == (
        answer["on_list"],
        answer["reason"],
        answer["refusal"]["exit_code"],
    )
    assert "because prepare refuses to make it (5 of 12 rows cannot be used" in answer["verdict"]
    assert answer["verdict"].endswith(
        "it would be: number 1 of 4, last active 2026-11-20 23:59:00."
    )
    assert (4, "no list") == (full["refusal"]["exit_code"], full["reason"])
    assert (None, "over the limit", 4, 2) == (
        cut["refusal"],
        cut["reason"],
        cut["place"],
        cut["fitting_users"],
    )
    assert cut["verdict"].endswith("4 of 4 in order of activity, and only 2 fit into 50 bytes.")


def test_the_place_is_exact_whatever_lies_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    users = [f'u"{number}' for number in range(40)]
    path.write_text("\n".join(["id,last_active", *(f"{one},2026-11-01" for one in users)]) + "\n")
    names = sorted(users)
    for memory in (1, 10**9):
        for at in (0, 17, 39):
            answer = pipeline.explain(
                path, names[at], as_of="2026-11-23", memory=memory, quote="", max_bytes=400,
                on_overflow="keep-recent",
            )  # fmt: skip
            upto = sum(len(json.dumps({"auth_user_id": one}, separators=(",", ":"))) + 1
                       for one in names[: at + 1])  # fmt: skip

            assert (at + 1, upto) == (answer.place, answer.bytes_upto)
            assert (upto <= 400) == answer.on_list


def test_unreadable_input_and_blank_ids_end_as_in_prepare(
    run: Callable[..., Told], extract: Path, tmp_path: Path
) -> None:
    assert 2 == run(" \u00a0").returncode
    assert 2 == run("u1", "--id-column", "nope").returncode
    assert 3 == run("u1", "--suppress", tmp_path / "missing.csv").returncode
    extract.write_text(ROWS[:-1])
    told = run("secret-1")
    assert 3 == told.returncode
    assert "secret" not in told.stderr
    assert ["extract.csv", "gone.csv"] == sorted(one.name for one in tmp_path.iterdir())


def test_settings_of_prepare_in_the_file_hold_for_explain(
    run: Callable[..., Told], tmp_path: Path
) -> None:
    config = tmp_path / "batchpub.toml"
    config.write_text('[prepare]\nmax_rejects = "9"\nrejects = "r.csv"\nall_users = true\n')
    answer = found(run("u3", "--config", config, "--json"))
    config.write_text('[prepare]\nmax_rejects = "9"\n[explain]\nmax_rejects = "0"\n')
    own = found(run("u3", "--config", config, "--json"))

    assert (True, None) == (answer["on_list"], answer["refusal"])
    assert own["refusal"]
    assert not (tmp_path / "r.csv").exists()


def test_of_very_many_rows_the_first_are_kept_and_the_one_that_counts(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    lines = ["id,last_active", *["u1,2026-11-01"] * 1500, "u1,2026-11-02", *["U1,"] * 1100]
    path.write_text("\n".join(lines) + "\n")
    answer = pipeline.explain(path, "u1", as_of="2026-11-23")

    assert {"latest": 1, "older": 1500} == answer.outcomes
    assert (1001, 1502, "latest") == (
        len(answer.rows),
        answer.rows[-1].row,
        answer.rows[-1].outcome,
    )
    assert ({"no activity": 1100}, 1000) == (answer.near_outcomes, len(answer.near_rows))
