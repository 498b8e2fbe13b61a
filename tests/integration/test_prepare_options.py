"""What each option of `prepare` does to a small extract, through the public API."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline
from benchmarks.workloads import Customers, write_customers

HEAD = "customer_id,last_active,consent\n"
ROWS = (
    "u1,2026-11-01,yes\n"
    "u2,2026-11-02,no\n"
    "u2,2026-10-01,yes\n"
    "u3,2020-01-01,yes\n"
    "u4,,no\n"
    " U1 ,2026-11-03,no\n"
)


def prepare(folder: Path, text: str = HEAD + ROWS, **options: Any) -> pipeline.PrepareSummary:
    (folder / "x.csv").write_text(text)
    return pipeline.prepare(
        folder / "x.csv", folder / "list", as_of="2026-11-23", **{"max_rejects": "100%", **options}
    )


def users(folder: Path) -> list[str]:
    lines = (folder / "list").read_bytes().splitlines()
    return [json.loads(line)["auth_user_id"] for line in lines]


def test_the_window_by_default(tmp_path: Path) -> None:
    done = prepare(tmp_path)

    assert [" U1 ", "u2", "u1"] == users(tmp_path)
    assert {"inactive": 1, "no activity": 1} == done.dropped
    assert 1 == done.duplicate_rows


def test_all_users_keeps_everyone_the_most_recent_first(tmp_path: Path) -> None:
    prepare(tmp_path, HEAD + ROWS + "u5,rubbish,\nu6,2999-01-01,\n", all_users=True)

    assert ["u6", " U1 ", "u2", "u1", "u3", "u4", "u5"] == users(tmp_path)


def test_active_when_any_row_says_so(tmp_path: Path) -> None:
    done = prepare(tmp_path, active_when="consent=yes,true")

    assert ["u1", "u2", "u3"] == users(tmp_path)
    assert {"not marked active": 3} == done.dropped


def test_two_ways_to_be_active_are_refused(tmp_path: Path) -> None:
    with pytest.raises(pipeline.ConfigurationError, match="more than one way"):
        prepare(tmp_path, active_when="consent=yes", all_users=True)


def test_id_rules_change_merge_and_count(tmp_path: Path) -> None:
    (tmp_path / "gone.csv").write_text("id\n U2\n")
    done = prepare(tmp_path, id_rules=("trim,lower",), suppress=(tmp_path / "gone.csv",))

    assert ["u1"] == users(tmp_path)
    assert {"trim": 1, "lower": 1} == done.changed_ids
    assert {"trim": 0, "lower": 1} == done.merged_ids


def test_rejects_are_written_with_place_row_and_reason_and_values_only_if_asked(
    tmp_path: Path,
) -> None:
    text = HEAD + 'u1,2026-11-01,\nNULL,2026-11-01,\nu2,soon,\nu3\n"a\nb",2026-11-01,\n,,\n'
    with pytest.raises(pipeline.InputError, match=r"5 of 6 rows cannot be used"):
        prepare(tmp_path, text, max_rejects="1%", rejects=tmp_path / "rejects.csv")
    source = str(tmp_path / "x.csv")
    wanted = [
        ["source", "row", "reason"],
        [source, "3", "null word as id"],
        [source, "4", "unparseable time"],
        [source, "5", "wrong field count"],
        [source, "6", "control character in id"],
        [source, "7", "empty id"],
    ]

    def written() -> list[list[str]]:
        return list(csv.reader(io.StringIO((tmp_path / "rejects.csv").read_text(), newline="")))

    assert wanted[0] == written()[0]
    assert sorted(wanted[1:]) == sorted(written()[1:])
    assert not (tmp_path / "list").exists()

    prepare(tmp_path, text, rejects=tmp_path / "rejects.csv", reject_values=True)
    values = {row[1]: row[3] for row in written()[1:]}
    assert {"3": "NULL", "4": "soon", "5": "u3", "6": "a\nb", "7": ""} == values


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"expect_rows": 7}, pipeline.InputError, "expected number of rows"),
        ({"min_users": 4}, pipeline.GuardError, "too short"),
        ({"max_bytes": 40}, pipeline.GuardError, "3 users do not fit"),
        ({"id_column": "klient"}, pipeline.ConfigurationError, "no column 'klient'"),
        ({"active_within": "soon"}, pipeline.ConfigurationError, "not a window"),
        ({"timezone": "Mars"}, pipeline.ConfigurationError, "unknown time zone"),
        ({"encoding": "klingon"}, pipeline.ConfigurationError, "unknown encoding"),
        ({"id_rules": ("upper",)}, pipeline.ConfigurationError, "unknown id rule"),
        ({"suppress": ("nobody.csv",)}, pipeline.InputError, "no such file"),
    ],
)
def test_refusals_leave_nothing_behind(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        prepare(tmp_path, **options)

    assert ["x.csv"] == [one.name for one in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("id\n", "holds no ids"),
        ("id,x\na\n", "cannot be read"),
        ("klient\na\n", "no column with user ids"),
    ],
)
def test_a_suppression_list_that_says_nothing_stops_the_run(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "gone.csv").write_text(content)
    with pytest.raises(pipeline.BatchpubError, match=message):
        prepare(tmp_path, suppress=(tmp_path / "gone.csv",))


@pytest.mark.parametrize("blank", ["", " ", "NULL", "\u200b"])
def test_a_suppression_list_that_lost_its_ids_stops_the_run_beyond_the_reject_budget(
    tmp_path: Path, blank: str
) -> None:
    gone = tmp_path / "gone.csv"
    gone.write_text(f"id,why\nu1,asked\n{blank},asked\n")
    with pytest.raises(pipeline.InputError, match=r"1 of 2 rows .* name nobody") as caught:
        prepare(tmp_path, suppress=(gone,), max_rejects="49%")

    assert "first at row 3" == caught.value.position
    done = prepare(tmp_path, suppress=(gone,), max_rejects="50%")
    assert 1 == done.blank_suppressions
    assert [" U1 ", "u2"] == users(tmp_path)


def test_blank_lines_at_the_end_of_a_suppression_list_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "gone.csv").write_text("id\nu1\n\n\n")

    done = prepare(tmp_path, suppress=(tmp_path / "gone.csv",), max_rejects="0")

    assert 0 == done.blank_suppressions
    assert [" U1 ", "u2"] == users(tmp_path)


def test_suppression_lists_of_every_format_with_a_column_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("why,klient\nasked,u1\n")
    (tmp_path / "b.jsonl").write_text('{"klient": "u2"}\n')
    table = pa.table({"klient": pa.array([" U1 "]).dictionary_encode()})
    pq.write_table(table, tmp_path / "c.parquet")
    gone = tuple(tmp_path / name for name in ("a.csv", "b.jsonl", "c.parquet"))

    done = prepare(tmp_path, HEAD + ROWS + "u9,2026-11-01,x\n", suppress=gone,
                   suppress_column="klient")  # fmt: skip

    assert 3 == done.suppressed_users
    assert ["u9"] == users(tmp_path)


def test_a_stale_suppression_list_stops_the_run(tmp_path: Path) -> None:
    gone = tmp_path / "gone.csv"
    gone.write_text("id\nu1\n")
    os.utime(gone, (0, 0))
    with pytest.raises(pipeline.GuardError, match="too old"):
        prepare(tmp_path, suppress=(gone,), suppress_max_age="24h")

    prepare(tmp_path, suppress=(gone,))
    assert [" U1 ", "u2"] == users(tmp_path)


def test_csv_output_has_no_header_and_quotes_every_id(tmp_path: Path) -> None:
    prepare(tmp_path, HEAD + 'u1,2026-11-01,\n"q""q",2026-11-02,\n', format="csv")

    assert b'"q""q"\n"u1"\n' == (tmp_path / "list").read_bytes()


def test_the_id_column_found_first_holds_for_all_extracts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer_id,last_seen\nu1,2026-11-01\n")
    (tmp_path / "b.csv").write_text("user_id,last_seen\nu2,2026-11-01\n")
    with pytest.raises(pipeline.ConfigurationError, match="no column 'customer_id'"):
        pipeline.prepare([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "list")


def test_the_activity_column_found_first_holds_for_all_extracts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,last_active\nu1,2026-11-01\n")
    (tmp_path / "b.csv").write_text("id,updated_at\nu2,2026-11-01\n")
    with pytest.raises(pipeline.ConfigurationError, match="no column 'last_active'"):
        pipeline.prepare([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "list")


@pytest.mark.parametrize("taken", ["x.csv", "gone.csv", "list", "list.receipt.json"])
def test_no_output_overwrites_another_file_of_the_run(tmp_path: Path, taken: str) -> None:
    (tmp_path / "gone.csv").write_text("id\nu1\n")
    with pytest.raises(pipeline.ConfigurationError, match="overwrite"):
        prepare(tmp_path, suppress=(tmp_path / "gone.csv",), rejects=tmp_path / taken)

    assert {"x.csv", "gone.csv"} == {one.name for one in tmp_path.iterdir()}


def test_one_word_is_a_word_and_not_its_letters(tmp_path: Path) -> None:
    prepare(tmp_path, HEAD + "NIX,2026-11-01,\nNULL,2026-11-02,\n", null_words="NIX")

    assert ["NULL"] == users(tmp_path)


def test_null_words_of_any_alphabet(tmp_path: Path) -> None:
    prepare(tmp_path, HEAD + "žádný,2026-11-01,\nuuuuuuuuuuu,2026-11-02,\n", null_words=("žádný",))

    assert ["uuuuuuuuuuu"] == users(tmp_path)


def test_times_that_no_calendar_holds_only_lose_their_place(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,last_seen\nu1,253402300800\nu2,1766448000\n")
    pipeline.prepare(tmp_path / "x.csv", tmp_path / "list", all_users=True, time_unit="s")

    assert ["u2", "u1"] == users(tmp_path)


def test_a_stop_while_the_input_is_idle_ends_the_run(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline",
            "prepare",
            "-",
            "-o",
            tmp_path / "list",
            "--as-of=2026-11-23",
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"id,last_seen\n")
    process.stdin.flush()
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
    process.terminate()
    try:
        assert 143 == process.wait(20)
    finally:
        process.kill()
        process.communicate()
    assert [] == list(tmp_path.iterdir())


def test_folders_globs_and_partitions_in_folder_names(tmp_path: Path) -> None:
    for day in ("2026-11-01", "2020-01-01"):
        folder = tmp_path / "dump" / f"last_seen={day}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [f"u-{day}"]}), folder / "part-0.parquet")
        (folder / "_SUCCESS").touch()
    for place in (tmp_path / "dump", tmp_path / "dump" / "*" / "*.parquet"):
        pipeline.prepare(place, tmp_path / "list", as_of="2026-11-23")

        assert ["u-2026-11-01"] == users(tmp_path)


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,last_seen\nu1,2026-11-01\n")
    with pytest.raises(pipeline.InputError, match="given twice"):
        pipeline.prepare([tmp_path / "a.csv", tmp_path / "." / "a.csv"], tmp_path / "list")


def test_the_list_equals_an_independent_query_and_does_not_depend_on_memory(tmp_path: Path) -> None:
    extract = tmp_path / "customers.csv"
    write_customers(Customers(rows=120_000, ugly=0.0), {extract: "csv"}, chunk_rows=50_000)
    lists = []
    for number, memory in enumerate(("2GB", "2MB")):
        path = tmp_path / f"{number}.jsonl"
        pipeline.prepare(extract, path, as_of="2026-11-23", memory=memory)
        lists.append(path.read_bytes())
    wanted = duckdb.sql(
        f"""
        SELECT customer_id FROM read_csv('{extract}', header = true, all_varchar = true)
        WHERE last_active::TIMESTAMPTZ BETWEEN '2026-05-23 00:00:00Z' AND '2026-11-24 00:00:00Z'
        GROUP BY 1 ORDER BY max(last_active::TIMESTAMPTZ) DESC, customer_id
        """
    )
    assert wanted is not None

    assert lists[0] == lists[1]
    assert [row[0] for row in wanted.fetchall()] == [
        json.loads(line)["auth_user_id"] for line in lists[0].splitlines()
    ]


@pytest.mark.parametrize("limit", [0, 100, 4096, 20_000])
def test_a_full_disk_keeps_the_former_list(tmp_path: Path, limit: int) -> None:
    extract = tmp_path / "x.csv"
    rows = "".join(f"u{n:06},2026-11-01\n" for n in range(3000))
    extract.write_text("id,last_seen\n" + rows)
    (tmp_path / "list").write_bytes(b"former")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "prepare", extract, "-o", tmp_path / "list"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 8 == done.returncode, done.stderr
    assert 1 == done.stderr.count("\n")
    assert b"former" == (tmp_path / "list").read_bytes()
    assert {"x.csv", "list"} == {one.name for one in tmp_path.iterdir()}


def test_as_of_now_is_the_default(tmp_path: Path) -> None:
    now = datetime.now(UTC).isoformat()
    (tmp_path / "x.csv").write_text(f"id,last_seen\nu1,{now}\nu2,2001-01-01\n")
    pipeline.prepare(tmp_path / "x.csv", tmp_path / "list")

    assert ["u1"] == users(tmp_path)
