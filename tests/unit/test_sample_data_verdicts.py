"""What batchpub says to the samples is what their README files promise."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

import pipeline

SAMPLES = Path(__file__).parents[2] / "sample_data"
BROKEN = SAMPLES / "broken"
PROMISED = re.findall(
    r"^\| `([^`]+)` \| .+ \| (\d) \|$", (BROKEN / "README.md").read_text("utf-8"), re.MULTILINE
)
AS_OF = "2026-11-23"


def read_broken(name: str, output: Path) -> object:
    if name.endswith((".xml", ".html")):
        return pipeline.parse(BROKEN / name, output)
    return pipeline.prepare(BROKEN / name, output, as_of=AS_OF)


@pytest.mark.parametrize(("name", "exit_code"), PROMISED)
def test_a_broken_input_ends_as_its_readme_says(name: str, exit_code: str, tmp_path: Path) -> None:
    with pytest.raises(pipeline.BatchpubError) as caught:
        read_broken(name, tmp_path / "out.jsonl")

    assert int(exit_code) == caught.value.exit_code
    assert caught.value.remedy
    assert [] == list(tmp_path.iterdir())


def expected_ids() -> list[str]:
    """The list by an independent way: the csv module, a dict and a sort."""
    latest: dict[str, str] = {}
    with (SAMPLES / "customers.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = latest.get(row["customer_id"], "")
            latest[row["customer_id"]] = max(known, row["last_active"])
    with (SAMPLES / "suppressed.csv").open(encoding="utf-8", newline="") as file:
        suppressed = {row["customer_id"] for row in csv.DictReader(file)}
    window = ("2026-05-23T00:00:00Z", "2026-11-23T00:00:00Z")
    kept = [
        (at, user_id)
        for user_id, at in latest.items()
        if user_id and window[0] <= at <= window[1] and user_id not in suppressed
    ]
    kept.sort(key=lambda one: one[1].encode())
    kept.sort(key=lambda one: one[0], reverse=True)
    return [user_id for _, user_id in kept]


@pytest.mark.parametrize("extract", ["customers.csv", "customers.parquet"])
def test_the_extract_gives_the_expected_users_most_recent_first(
    extract: str, tmp_path: Path
) -> None:
    output = tmp_path / "users.jsonl"
    summary = pipeline.prepare(
        SAMPLES / extract, output, as_of=AS_OF, suppress=(SAMPLES / "suppressed.csv",)
    )
    lines = output.read_text(encoding="utf-8").splitlines()

    assert expected_ids() == [json.loads(line)["auth_user_id"] for line in lines]
    assert {"empty id": 30} == {reason: n for reason, n in summary.rejects.items() if n}
    assert 1_656 == summary.users


@pytest.mark.parametrize(("name", "users"), [("export.xml", 220), ("export-pretty.xml", 4)])
def test_the_exports_are_read_whole(name: str, users: int, tmp_path: Path) -> None:
    summary = pipeline.parse(SAMPLES / name, tmp_path / "out.jsonl")

    assert users == summary.users
    assert summary.has_default
