"""What `explain` says of any user is what `prepare` does with him."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from test_prepare_model import AS_OF, START, WRITERS, Row, ids, moments, usable

import pipeline
from pipeline.errors import GuardError
from pipeline.extract import csv_file, jsonl_file, parquet_file

NEAR = ["u1", "U1", " u1", "u1 ", "123", "0123", "123.0", "NULL", "a\x07b", "u2", "e\u0301", "é"]
users = st.one_of(st.sampled_from(NEAR), ids)
late = st.one_of(moments, st.just(AS_OF + timedelta(days=2)))
good_times = st.integers(0, 180).map(lambda days: START + timedelta(days=days, seconds=days))
often_good = st.one_of(good_times, good_times, good_times, late)
tables = st.lists(st.tuples(users, often_good), max_size=25)
BLANK = " \t\r\n\u00a0\u200b\u2060\ufeff"


class Case(NamedTuple):
    """Extracts and options of one run."""

    extracts: list[str]
    rows: list[Row]
    options: dict[str, Any]


def bad_rows(path: Path, kind: str, asked: list[str]) -> None:
    """Rows that no reader takes, with ids that others have too."""
    if kind == "csv":
        with path.open("a", newline="", encoding="utf-8") as file:
            for one in asked:
                csv.writer(file).writerow(["x@example.com", one, "2026-11-01", "one too many"])
                csv.writer(file).writerow(["x@example.com", one, "yesterday"])
    elif kind == "jsonl":
        with path.open("a", encoding="utf-8") as file:
            for one in asked:
                file.write(json.dumps({"customer_id": one, "last_active": "yesterday"}) + "\n")
                file.write(json.dumps({"customer_id": one})[:-1] + "\n")


@st.composite
def cases(draw: st.DrawFn, folder: Path) -> Case:
    files = draw(st.lists(tables, min_size=1, max_size=3), label="files")
    extracts = []
    for number, rows in enumerate(files):
        kind = draw(st.sampled_from(sorted(WRITERS))) if rows else "csv"
        path = folder / f"{number}.{kind}"
        WRITERS[kind](path, rows)
        bad_rows(path, kind, draw(st.lists(st.sampled_from(["u1", "u2", "123"]), max_size=2)))
        extracts.append(str(path))
    gone = draw(st.lists(users.filter(usable)), label="gone")
    if gone:  # opt-outs of nobody beside others suppress nobody
        gone += draw(st.lists(st.sampled_from(["NULL", "a\x07b"]), max_size=2))
    options: dict[str, Any] = {
        "as_of": "2026-11-23",
        "memory": draw(st.sampled_from([400, 10**9]), label="memory"),
        "max_bytes": draw(st.sampled_from([21, 60, 150, 10**6]), label="max_bytes"),
        "format": draw(st.sampled_from(["jsonl", "csv"])),
        "on_overflow": "keep-recent",
        "max_rejects": "100%",
        "id_rules": draw(st.sampled_from([(), ("trim",), ("lower", "trim")])),
    }
    if gone:
        with (folder / "gone.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["customer_id"], *([one] for one in gone)])
        options["suppress"] = (folder / "gone.csv",)
    options |= draw(
        st.sampled_from(
            [{}, {}, {"all_users": True}, {"active_when": "last_active=2026-11-01T00:00:00"}]
        )
    )
    return Case(extracts, [row for rows in files for row in rows], options)


def prepared(case: Case, output: Path) -> list[str]:
    """The list that `prepare` makes; none where a guard refuses an empty one."""
    try:
        pipeline.prepare(case.extracts, output, **case.options)
    except GuardError:
        return []
    lines = output.read_text("utf-8").split("\n")[:-1]
    if case.options["format"] == "csv":
        return [line[1:-1].replace('""', '"') for line in lines]
    return [json.loads(line)["auth_user_id"] for line in lines]


@pytest.mark.timeout(600)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=25,
)
@given(data=st.data())
def test_the_verdict_on_every_id_is_what_prepare_does(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("explain")
    case = data.draw(cases(folder))
    asked = sorted({user for user, _ in case.rows if user.strip(BLANK)} | {"u1", "nobody"})
    asked = data.draw(st.permutations(asked).map(lambda all_of_them: all_of_them[:4]), label="ids")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", data.draw(st.sampled_from([4096, 65536])))
        patch.setattr(jsonl_file, "BLOCK", data.draw(st.sampled_from([4096, 65536])))
        patch.setattr(parquet_file, "BATCH_ROWS", data.draw(st.sampled_from([1, 3, 1000])))
        listed = prepared(case, folder / "list")
        made = json.loads((folder / "list.receipt.json").read_text()) if listed else {"counts": {}}
        for one in asked:
            found = pipeline.explain(case.extracts, one, **case.options)

            assert (found.listed_id in listed) == found.on_list
            assert len(listed) == found.fitting_users
            if listed:
                assert len(listed) + made["counts"]["overflow_users"] == found.users
                assert made["counts"]["rows"] == found.rows_read
            if found.on_list:
                assert listed[(found.place or 0) - 1] == found.listed_id
                assert (found.reason, found.refusal) == ("listed", None)
                assert 1 == found.outcomes["latest"]
                upto = (folder / "list").read_bytes().split(b"\n")[: found.place]
                assert sum(len(line) + 1 for line in upto) == found.bytes_upto
            elif found.place is not None:
                assert found.place > len(listed)
                assert (found.bytes_upto or 0) > case.options["max_bytes"]
            rows = sum(user == one for user, _ in case.rows)
            assert rows <= sum(found.outcomes.values())
            assert not list(folder.glob(".*"))


def model(rows: list[Row], user: str, suppressed: set[str]) -> str:
    """Why a user of an extract with times is on the list or not, in order of the steps."""
    mine = [moment for one, moment in rows if one == user]
    if not mine:
        return "no row"
    if user == "NULL" or all(one is not None and one > AS_OF + timedelta(days=1) for one in mine):
        return "rejected"
    if not any(one is not None and START <= one <= AS_OF + timedelta(days=1) for one in mine):
        return "dropped"
    return "suppressed" if user in suppressed else "listed"


FEW = ["u1", "u1", "u1", "U1", "0123", "NULL"]
few_rows = st.lists(
    st.tuples(st.sampled_from(FEW), often_good),
    min_size=1,
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    few_rows,
    few_rows,
    st.sampled_from(["csv", "jsonl", "parquet", "arrow"]),
    st.sets(st.sampled_from(FEW)),
    st.sampled_from(FEW),
)
def test_rows_times_and_reason_are_those_of_the_model(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[Row],
    second: list[Row],
    kind: str,
    suppressed: set[str],
    user: str,
) -> None:
    folder = tmp_path_factory.mktemp("model")
    bad, csv_path, path = ["other"], folder / "0.csv", folder / f"1.{kind}"
    first = [("sure", AS_OF), *first]
    WRITERS["csv"](csv_path, first[:1])
    bad_rows(csv_path, "csv", bad)
    with csv_path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(["", one, at.isoformat() if at else ""] for one, at in first[1:])
    WRITERS[kind](path, second)
    (folder / "gone.csv").write_text("\n".join(["id", "x", *sorted(suppressed)]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", 4096)
        patch.setattr(jsonl_file, "BLOCK", 300)
        patch.setattr(parquet_file, "BATCH_ROWS", 3)
        found = pipeline.explain(
            [csv_path, path],
            user,
            suppress=(folder / "gone.csv",),
            as_of="2026-11-23",
            max_rejects="100%",
            memory=3_000,
        )
    rows = [(csv_path, row, *one) for row, one in enumerate(first[1:], 3 + 2 * len(bad))]
    rows += [(path, row, *one) for row, one in enumerate(second, 2 if kind == "csv" else 1)]
    mine = [(str(where), row, at) for where, row, one, at in rows if one == user]
    good = [at for _, _, at in mine if at and START <= at <= AS_OF + timedelta(days=1)]
    good = [] if user == "NULL" else good
    shown = [(one.source, one.row, one.time) for one in found.rows]
    latest = [max(good).isoformat()] if good else []

    assert model([*first, *second], user, suppressed) == found.reason
    assert [(*where, at and at.isoformat()) for *where, at in mine] == shown
    assert latest == [one for one in [found.latest] if one]
    assert latest == [one.time for one in found.rows if one.outcome == "latest"]
    assert len(good) - bool(good) == found.outcomes.get("older", 0)
    if found.reason == "suppressed":
        assert f"row {sorted(suppressed).index(user) + 3}." in found.verdict
