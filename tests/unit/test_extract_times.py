"""Times of activity: every form that warehouses write, at the microsecond; nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from pipeline.errors import ConfigurationError, InputError
from pipeline.extract.times import TimeReader

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)


def read(column: pa.Array, *, zone: str = "UTC", unit: str | None = None) -> list[object]:
    """Each row's time, or the word bad."""
    reader = TimeReader(zone, unit, now_us=NOW_US, source="x.csv")  # type: ignore[arg-type]
    times, bad = reader.read(column)
    assert pa.timestamp("us", "UTC") == times.type
    marks = bad.to_pylist() if bad is not None else [False] * len(times)
    return ["bad" if mark else time for time, mark in zip(times.to_pylist(), marks, strict=True)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-08-01", datetime(2026, 8, 1, tzinfo=UTC)),
        ("20260801", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026-08-01 10", datetime(2026, 8, 1, 10, tzinfo=UTC)),
        ("2026-08-01T10:20", datetime(2026, 8, 1, 10, 20, tzinfo=UTC)),
        ("2026-08-01 10:20:30", datetime(2026, 8, 1, 10, 20, 30, tzinfo=UTC)),
        ("2026-08-01T10:20:30.5Z", datetime(2026, 8, 1, 10, 20, 30, 500_000, tzinfo=UTC)),
        ("2026-08-01 10:20:30.123456789", datetime(2026, 8, 1, 10, 20, 30, 123_456, tzinfo=UTC)),
        ("2026-08-01 10:20:30 UTC", datetime(2026, 8, 1, 10, 20, 30, tzinfo=UTC)),
        ("2026-08-01T10:20:30+02:00", datetime(2026, 8, 1, 8, 20, 30, tzinfo=UTC)),
        ("2026-08-01T10:20:30-0730", datetime(2026, 8, 1, 17, 50, 30, tzinfo=UTC)),
        ("2026-08-01 10:20:30+02", datetime(2026, 8, 1, 8, 20, 30, tzinfo=UTC)),
        ("2026-08-01T10:20:30.123456789Z", datetime(2026, 8, 1, 10, 20, 30, 123_456, tzinfo=UTC)),
        ("2026-08-01 10:20:30.5 +0200", datetime(2026, 8, 1, 8, 20, 30, 500_000, tzinfo=UTC)),
        ("2026-08-01T10:20:30,25Z", datetime(2026, 8, 1, 10, 20, 30, 250_000, tzinfo=UTC)),
        ("20260801T102030Z", datetime(2026, 8, 1, 10, 20, 30, tzinfo=UTC)),
        ("20260801T102030.5+0200", datetime(2026, 8, 1, 8, 20, 30, 500_000, tzinfo=UTC)),
        ("  2026-08-01 ", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("1766448000", datetime(2025, 12, 23, tzinfo=UTC)),
        ("1766448000.25", datetime(2025, 12, 23, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("1766448000123", datetime(2025, 12, 23, 0, 0, 0, 123_000, tzinfo=UTC)),
        ("", None),
        ("   ", None),
        ("NULL", None),
        (r"\N", None),
        ("0000-00-00", None),
        ("0000-00-00 00:00:00", None),
        ("0", None),
        ("23.11.2026 10:00", "bad"),
        ("2026-W31-6", "bad"),
        ("2026-213", "bad"),
        ("2026-08", "bad"),
        ("Sat, 01 Aug 2026 10:20:30 GMT", "bad"),
        ("9999-12-31", "bad"),
        ("2026-08-01T10:00:00+99:99", "bad"),
        ("2026-08-01T10:00:00+24:00", "bad"),
        ("2026-08-01T10:00:00+00:60", "bad"),
        ("2026-02-29", "bad"),
        ("2026-13-01", "bad"),
        ("2026-08-01T24:00:00", "bad"),
        ("2026-08-01T10:20:60", "bad"),
        ("01.08.2026", "bad"),
        ("8/1/2026", "bad"),
        ("yesterday", "bad"),
        ("5", "bad"),
        ("2026-08-01T10:20:30 Europe/Prague", "bad"),
    ],
)
@pytest.mark.parametrize("company", [[], ["2026-01-01", "", "no time"]], ids=["alone", "mixed"])
def test_text_is_read_exactly_or_refused(text: str, wanted: object, company: list[str]) -> None:
    assert wanted == read(pa.array([text, *company]))[0]


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), max_size=5))
def test_the_fast_way_and_the_mixed_way_agree(moments: list[datetime]) -> None:
    for zone in ("", "Z", "+02:00"):
        texts = [moment.isoformat(" ") + zone for moment in moments]
        fast = read(pa.array(texts, pa.string()))
        mixed = read(pa.array([*texts, "no time"], pa.string()))[:-1]

        assert fast == mixed


ZONES = [
    *("Europe/Prague", "America/New_York", "Asia/Kolkata", "Africa/Casablanca", "Europe/Dublin"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Africa/Monrovia", "Asia/Gaza"),
]
# Clocks that skip half an hour, a whole day, or the seconds of a sun time; and the other way.
EDGES = [
    *(datetime(2026, 3, 29, 2), datetime(2026, 10, 25, 2), datetime(2026, 10, 4, 2)),
    *(datetime(2026, 4, 5, 1, 30), datetime(2011, 12, 30), datetime(1993, 8, 21)),
    *(
        datetime(1972, 1, 7),
        datetime(2026, 3, 8, 2),
        datetime(2026, 11, 1, 1),
        datetime(2024, 2, 29),
    ),
]


@given(
    st.one_of(
        st.datetimes(datetime(1970, 1, 1), datetime(2037, 1, 1)),
        st.builds(
            lambda edge, minutes, micros: edge + timedelta(minutes=minutes, microseconds=micros),
            st.sampled_from(EDGES),
            st.sampled_from([-60, -45, -30, 0, 15, 30, 44, 45, 60, 720, 1440]),
            st.integers(-1, 1),
        ),
    ),
    st.sampled_from(ZONES),
)
def test_local_times_are_read_as_python_reads_them(moment: datetime, zone: str) -> None:
    wanted = moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    assert [wanted] == read(pa.array([moment.isoformat(" ")]), zone=zone)
    assert [wanted, None] == read(pa.array([moment, None]), zone=zone)


@given(
    st.from_regex(
        r"[12][0-9]{3}-?(0[1-9]|1[0-3])-?(0[1-9]|[123][0-9])"
        r"([T ][0-2][0-9](:?[0-6][0-9](:?[0-6][0-9]([.,][0-9]{1,9})?)?)?)?"
        r"(Z|[+-][0-2][0-9](:?[0-6][0-9])?)?",
        fullmatch=True,
    )
)
def test_what_is_read_python_reads_the_same(text: str) -> None:
    found = read(pa.array([text, "no time"]))[0]

    if found != "bad":
        python = datetime.fromisoformat(text)
        assert (python if python.tzinfo else python.replace(tzinfo=UTC)) == found


def test_the_hour_that_spring_skips_and_the_one_autumn_repeats() -> None:
    texts = pa.array(["2026-03-29 02:30:00", "2026-10-25 02:30:00"])

    assert [
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    ] == read(texts, zone="Europe/Prague")


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([date(2026, 8, 1), None]), [datetime(2026, 8, 1, tzinfo=UTC), None]),
        (pa.array([1_766_448_000]), [datetime(2025, 12, 23, tzinfo=UTC)]),
        (pa.array([1_766_448_000_000_000_000]), [datetime(2025, 12, 23, tzinfo=UTC)]),
        (pa.array([1_766_448_000.5]), [datetime(2025, 12, 23, 0, 0, 0, 500_000, tzinfo=UTC)]),
        (pa.array([1_001], pa.timestamp("ns")), [datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]),
        (
            pa.array([datetime(2026, 8, 1, tzinfo=timezone(timedelta(hours=2)))]),
            [datetime(2026, 7, 31, 22, tzinfo=UTC)],
        ),
        (pa.array([2305844802704893952], pa.timestamp("ms")), ["bad"]),
        (pa.array([2**63 - 1, 0], pa.timestamp("us")), ["bad", datetime(1970, 1, 1, tzinfo=UTC)]),
        (
            pa.array([1_000], pa.timestamp("ns", "Z")),
            [datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)],
        ),
        (pa.array([None, None]), [None, None]),
        (pa.array([b"2026-08-01", b"\xff"]), [datetime(2026, 8, 1, tzinfo=UTC), "bad"]),
        (pa.array(["2026-08-01"]).dictionary_encode(), [datetime(2026, 8, 1, tzinfo=UTC)]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_typed_columns(column: pa.Array, wanted: list[object]) -> None:
    assert wanted == read(column)


def test_a_unit_that_cannot_be_told_is_refused_and_can_be_said() -> None:
    with pytest.raises(InputError, match="--time-unit"):
        read(pa.array([5, 1_766_448_000]))

    assert [datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)] == read(pa.array([5]), unit="s")


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_zero_is_blank_and_negative_numbers_do_not_decide_the_unit(factor: int) -> None:
    numbers = [0, -1, 1_766_448_000 * factor]
    before, *rest = read(pa.array(numbers))[1:]

    assert [None] == read(pa.array(numbers))[:1]
    assert isinstance(before, datetime)
    assert before < datetime(1970, 1, 1, tzinfo=UTC)
    assert [datetime(2025, 12, 23, tzinfo=UTC)] == rest
    assert [None] == read(pa.array([0.0]))


def test_a_batch_of_zeros_leaves_the_unit_open() -> None:
    reader = TimeReader("UTC", None, now_us=NOW_US, source="x.csv")
    reader.read(pa.array([0, 0]))

    assert [datetime(2025, 12, 23, tzinfo=UTC)] == reader.read(pa.array([1_766_448_000_000]))[
        0
    ].to_pylist()


def test_a_column_that_holds_no_times_is_refused() -> None:
    with pytest.raises(InputError, match="holds no times"):
        read(pa.array([True]))


def test_an_unknown_zone_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="unknown time zone"):
        TimeReader("Mars/Olympus", None, now_us=NOW_US, source="x")
