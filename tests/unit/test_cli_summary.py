"""Numbers and tables for people."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.cli.layout import count, duration, size
from pipeline.cli.summary import summary_lines
from pipeline.records import (
    DownloadSummary,
    ExportSummary,
    FetchSummary,
    PrepareSummary,
    UploadSummary,
)

PREPARED = PrepareSummary(
    output="night/users.jsonl",
    receipt="night/users.jsonl.receipt.json",
    format="jsonl",
    users=7_512_345,
    bytes=225_370_350,
    max_bytes=299_998_976,
    sha256="0" * 64,
    as_of="2026-01-31T00:00:00Z",
    rows=20_000_000,
    dropped={"inactive": 11_000_000, "blank_id": 5, "never": 0},
    rejects={"ragged_row": 3},
    suppressed_users=12,
    duplicate_rows=1_487_635,
    overflow_users=0,
    oldest_kept=None,
    duration_s=83.2,
)
UPLOADED = UploadSummary(
    list_path="users.jsonl",
    tracker_id="1-2",
    target="https://live.luigisbox.com/v1/x",
    users=1,
    bytes=21,
    sha256="0" * 64,
    status=201,
    attempts=1,
    server_said="accepted " * 30,
    duration_s=0.44,
)
EXPORT = ExportSummary(
    source="export.xml",
    format="xml",
    bytes=250_000_000,
    users=1_234,
    repeated_users=0,
    users_without_results=7,
    blocks={"basic": 1_000, "last_seen": 234},
    distinct_products=100_000,
    urls_without_recommendation_id=5,
    other_blocks=3,
    items=12_340,
    has_default=True,
    updated_at_oldest="2026-01-30",
    updated_at_newest="2026-01-31",
    outputs=("r.jsonl", "r.parquet"),
    duration_s=3.0,
)
FETCHED = FetchSummary(
    download=DownloadSummary(
        url="https://export.example/feed.xml",
        status=200,
        received=25_000_000,
        bytes=250_000_000,
        attempts=2,
        etag=None,
        last_modified=None,
        duration_s=3.0,
    ),
    export=EXPORT,
)


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "user", "0 users"), (1, "user", "1 user"), (1_234_567, None, "1,234,567")],
)
def test_counts_have_separators_and_agree_with_their_noun(
    number: int, noun: str | None, text: str
) -> None:
    assert text == count(number, noun)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (21, "21 bytes"),
        (9_999, "9,999 bytes"),
        (10_000, "0.01 MB"),
        (9_990_000, "9.99 MB"),
        (299_998_976, "300.0 MB"),
        (12_345_678_901, "12,345.7 MB"),
    ],
)
def test_sizes_are_megabytes_unless_tiny(number: int, text: str) -> None:
    assert text == size(number)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (7_500, "2 h 5 min")],
)
def test_durations_carry_at_most_two_units(seconds: float, text: str) -> None:
    assert text == duration(seconds)


def test_a_prepare_summary_names_reasons_by_weight_and_leaves_out_empty_ones() -> None:
    lines = summary_lines(PREPARED)

    assert "Wrote night/users.jsonl: 7,512,345 users" == lines[0]
    assert ["  dropped", "    inactive", "    blank id"] == [
        line[:14].rstrip() for line in lines[2:5]
    ]
    assert not [line for line in lines if "never" in line]


@pytest.mark.parametrize(
    "summary", [PREPARED, UPLOADED, EXPORT, FETCHED], ids=lambda one: type(one).__name__
)
def test_summaries_fit_80_columns_and_leave_no_blanks_at_line_ends(summary: object) -> None:
    lines = summary_lines(summary)

    assert max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]


def test_an_export_summary_shows_what_may_need_a_look() -> None:
    lines = [line.split() for line in summary_lines(EXPORT)]

    assert ["distinct", "products", "100,000+"] in lines
    assert ["URLs", "without", "recommendation_id", "5"] in lines
    assert ["blocks", "1,237"] in lines
    assert ["others", "3"] in lines
    assert not any(line[:3] == ["URLs", "that", "are"] for line in lines)


def test_coverage_is_shown_in_users_and_never_rounded_up_to_all() -> None:
    covered = dataclasses.replace(
        EXPORT,
        uploaded_users=100_000,
        covered_users=99_999,
        missing_users=1,
        unexpected_users=2,
        coverage_percent=99.999,
    )
    lines = [line.split() for line in summary_lines(covered)]

    assert ["uploaded", "users", "100,000"] in lines
    assert ["covered,", "99.9%", "99,999"] in lines
    assert ["missing", "1"] in lines
    assert ["users", "that", "were", "not", "uploaded", "2"] in lines
