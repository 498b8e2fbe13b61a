"""The activity window: calendar months, zones, leap days; both bounds inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipeline.audience.rules import REASONS, AudienceRules, RowShape, classify
from pipeline.audience.window import activity_window, parse_as_of
from pipeline.errors import ConfigurationError


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("within", "as_of", "zone", "start"),
    [
        ("6mo", utc(2026, 11, 23), "UTC", utc(2026, 5, 23)),
        ("6mo", utc(2026, 8, 31), "UTC", utc(2026, 2, 28)),
        ("6mo", utc(2024, 8, 31), "UTC", utc(2024, 2, 29)),
        ("1y", utc(2024, 2, 29), "UTC", utc(2023, 2, 28)),
        ("12mo", utc(2026, 1, 15), "UTC", utc(2025, 1, 15)),
        ("180d", utc(2026, 11, 23), "UTC", utc(2026, 5, 27)),
        ("26w", utc(2026, 11, 23), "UTC", utc(2026, 5, 25)),
        ("12h", utc(2026, 11, 23), "UTC", utc(2026, 11, 22, 12)),
        # Midnight in Prague is 23:00 UTC in winter and 22:00 in summer.
        ("6mo", utc(2026, 11, 22, 23), "Europe/Prague", utc(2026, 5, 22, 22)),
        ("180d", utc(2026, 11, 22, 23), "Europe/Prague", utc(2026, 5, 26, 22)),
        ("12h", utc(2026, 10, 25, 3), "Europe/Prague", utc(2026, 10, 24, 15)),
    ],
)
def test_the_start_of_the_window(within: str, as_of: datetime, zone: str, start: datetime) -> None:
    assert start == activity_window(within, as_of, zone).start


@pytest.mark.parametrize("within", ["", "6", "0d", "-1d", "6 moons", "mo", "9999y", "999999mo"])
def test_what_is_no_window(within: str) -> None:
    with pytest.raises(ConfigurationError):
        activity_window(within, utc(2026, 11, 23), "UTC")


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("2026-11-23", "UTC", utc(2026, 11, 23)),
        ("2026-11-23", "Europe/Prague", utc(2026, 11, 22, 23)),
        ("2026-11-23T06:00:00", "Europe/Prague", utc(2026, 11, 23, 5)),
        ("2026-11-23T06:00:00+02:00", "Europe/Prague", utc(2026, 11, 23, 4)),
        ("2026-11-23T06:00:00Z", "Europe/Prague", utc(2026, 11, 23, 6)),
        (None, "UTC", utc(2026, 1, 1)),
    ],
)
def test_the_end_of_the_window(text: str | None, zone: str, wanted: datetime) -> None:
    assert wanted == parse_as_of(text, now=utc(2026, 1, 1), timezone=zone)


@pytest.mark.parametrize("text", ["23.11.2026", "2026-11-31", "now", ""])
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_as_of(text, now=utc(2026, 1, 1), timezone="UTC")


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (utc(2026, 5, 23), "candidate"),
        (utc(2026, 5, 23) - timedelta(microseconds=1), "inactive"),
        (utc(2026, 11, 24), "candidate"),
        (utc(2026, 11, 24) + timedelta(microseconds=1), "activity in the future"),
        (None, "no activity"),
    ],
)
def test_the_bounds_to_the_microsecond(moment: datetime | None, reason: str) -> None:
    rules = AudienceRules(window=activity_window("6mo", utc(2026, 11, 23), "UTC"))
    rows = pl.DataFrame(
        {"id": ["u1"], "time": [moment]},
        schema={"id": pl.String, "time": pl.Datetime("us", "UTC")},
    )

    assert [REASONS.index(reason)] == classify(rows, rules)["reason"].to_list()


@pytest.mark.parametrize(
    ("ident", "reason"),
    [
        ("u1", "candidate"),
        ("00123", "candidate"),
        ("NULLA", "candidate"),
        ("a b", "candidate"),
        ("e\u0301", "candidate"),
        (None, "null id"),
        ("", "empty id"),
        (" \u00a0", "empty id"),
        ("\u200b", "empty id"),
        ("NULL", "null word as id"),
        (r"\N", "null word as id"),
        ("undefined", "null word as id"),
        ("a\x00b", "control character in id"),
        ("a\nb", "control character in id"),
        ("a\x7f", "control character in id"),
        ("a\u0085", "control character in id"),
        ("a\u2028", "control character in id"),
        ("x" * 512, "candidate"),
        ("é" * 512, "candidate"),
        ("x" * 513, "id too long"),
    ],
)
def test_ids_and_what_the_shape_of_their_batch_may_leave_out(
    ident: str | None, reason: str
) -> None:
    rules = AudienceRules(window=None)
    rows = pl.DataFrame(
        {"id": [ident], "time": [None]}, schema={"id": pl.String, "time": pl.Datetime("us", "UTC")}
    )
    shapes = [RowShape()]
    if ident is not None:
        size = len(ident.encode())
        plain = all("!" <= one <= "~" for one in ident)
        shapes.append(RowShape(plain=plain, shortest=size, longest=size, null_ids=False))
    for shape in shapes:
        assert [REASONS.index(reason)] == classify(rows, rules, shape)["reason"].to_list()
