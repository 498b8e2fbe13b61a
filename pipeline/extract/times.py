"""Times of last activity, from whatever an extract holds, as timestamp[us, UTC].

Strategy: a whole column is cast by pyarrow's ISO 8601 reader, which is fast and all or nothing.
Only when that fails are its rows looked at one format at a time, still without Python per row.
A blank time is null; a time that cannot be read is marked bad, never guessed.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ConfigurationError, InputError
from pipeline.extract.leaves import decoded

__all__ = ["TimeReader"]

UTC_TIME: Final = pa.timestamp("us", "UTC")
NAIVE_TIME: Final = pa.timestamp("us")
TimeUnit = Literal["s", "ms", "us", "ns"]
_PER_SECOND: Final[dict[TimeUnit, int]] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_YEAR_1990_S: Final = 631_152_000
_DAY_US: Final = 86_400_000_000
# The years 1 to 9998: what Python's calendar holds, with room for any zone.
_CALENDAR_S: Final = (-62_135_510_400, 253_370_764_799)

# Words for "never" that dumps write into a time column.
BLANK_WORDS: Final = (
    *("NULL", "null", "Null", r"\N", "None", "NaT", "nan", "NaN", "N/A", "#N/A"),
    "0",  # as a number: in no unit a time of anything
)
_TEXT: Final = (
    r"^(?<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<hour>\d{2})(?::(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<part>\d{1,12}))?)?)?"
    r"\s?(?<zone>Z|z|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?$"
)
_EPOCH: Final = r"^\d{9,19}$|^\d{9,19}\.\d{1,9}$"
_COMPACT_DATE: Final = r"^(\d{4})(\d{2})(\d{2})(T|$)"
_COMPACT_TIME: Final = r"T(\d{2})(\d{2})(\d{2})"

Read = tuple[pa.Array, "pa.Array | None"]


class TimeReader:
    """Reads the time columns of one extract; remembers the epoch unit it settled on.

    Args:
        timezone: Zone of dates and of times without an offset.
        unit: Unit of epoch numbers, or None to tell it by plausibility.
        now_us: Microseconds since 1970 of "now": a plausible time is at most a day later.
        source: The extract, for errors.
    """

    def __init__(
        self, timezone: str, unit: TimeUnit | None, *, now_us: int, source: object
    ) -> None:
        try:
            ZoneInfo(timezone)
            pl.Series([None], dtype=pl.Datetime("us")).dt.replace_time_zone(timezone)
        except (KeyError, ValueError, OSError, pl.exceptions.PolarsError) as error:
            raise ConfigurationError(
                f"unknown time zone: {timezone!r}",
                source="--timezone",
                remedy="write Europe/Prague",
            ) from error
        self._timezone, self._unit = timezone, unit
        self._now_us, self._source = now_us, source

    def read(self, column: pa.Array) -> Read:
        """Times and a mask of bad rows (None when there are none) for a column of any type.

        Raises:
            InputError: the type cannot hold times, or the unit of epoch numbers is ambiguous.
        """
        return _bounded(*self._read(decoded(column)))

    def _read(self, column: pa.Array) -> Read:
        kind = column.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            column = column.cast(pa.string(), safe=False)  # a bad byte makes a bad time
            return self._text(column)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._text(column)
        if pa.types.is_string_view(kind):
            return self._text(column.cast(pa.large_string()))
        if pa.types.is_timestamp(kind):
            return self._typed(column)
        if pa.types.is_date(kind):
            return self._typed(column.cast(pa.timestamp("ms")))
        if pa.types.is_integer(kind):
            if kind == pa.uint64():
                column = pc.if_else(pc.greater(column, 2**63 - 1), None, column)
            return self._numbers(pl.Series(column.cast(pa.int64())))
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return self._numbers(pl.Series(column.cast(pa.float64(), safe=False)))
        if pa.types.is_null(kind):
            return pa.nulls(len(column), UTC_TIME), None
        raise InputError(
            f"a column of type {kind} holds no times",
            source=self._source,
            remedy="name another column with --active-column",
        )

    def _typed(self, column: pa.Array) -> Read:
        unit, zoned = column.type.unit, column.type.tz is not None
        column = column.view(pa.timestamp(unit))
        column, bad = _in_calendar(column, unit)
        if unit == "ns":  # sub-microsecond parts never decide anything: floor
            column = pc.floor_temporal(column, unit="microsecond")
        column = column.cast(NAIVE_TIME)
        if zoned:
            return column.view(UTC_TIME), bad
        return _arrow(self._localize(pl.Series(column))), bad

    def _localize(self, naive: pl.Series) -> pl.Series:
        if self._timezone == "UTC":
            return naive.dt.replace_time_zone("UTC")

        times = naive.dt.replace_time_zone(
            self._timezone, ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC")
        skipped = times.is_null() & naive.is_not_null()
        if skipped.any():  # by a clock put forward, or a calendar: the offset before that holds
            zone = ZoneInfo(self._timezone)
            missing = naive.filter(skipped).unique()
            moments = [one.replace(tzinfo=zone).astimezone(UTC) for one in missing]
            times = times.zip_with(~skipped, naive.replace_strict(missing, moments, default=None))
        return times

    def _text(self, column: pa.Array) -> Read:
        if len(column) and (pc.min(pc.binary_length(column)).as_py() or 0) == 0:
            column = pc.if_else(pc.equal(pc.binary_length(column), 0), None, column)
        kinds = (UTC_TIME, NAIVE_TIME)
        for kind in kinds:
            try:
                times = column.cast(kind)
            except (pa.ArrowInvalid, UnicodeDecodeError):
                continue
            return self._typed(times) if kind is NAIVE_TIME else (times, None)
        return self._mixed_text(column)

    def _mixed_text(self, column: pa.Array) -> Read:
        """Row by row of formats, column by column of work."""
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            column = _only_utf8(column)
        text = pl.Series("text", column).cast(pl.String).str.strip_chars(" \t\u00a0")
        frame = pl.DataFrame({"text": text}).with_columns(
            pl.when(
                pl.col("text").is_in(["", *BLANK_WORDS])
                | pl.col("text").str.starts_with("0000-00-00")
            )
            .then(None)
            .otherwise(pl.col("text"))
            .alias("text")
        )
        groups = frame.select(
            pl.col("text")
            .str.replace(_COMPACT_DATE, "${1}-${2}-${3}${4}")
            .str.replace(_COMPACT_TIME, "T${1}:${2}:${3}")
            .str.extract_groups(_TEXT)
            .alias("g")
        ).unnest("g")
        naive = groups.select(_naive()).to_series()
        zone = groups["zone"].fill_null("")
        zoned = naive.dt.replace_time_zone("UTC") - _offset(zone)
        times = pl.select(
            pl.when(pl.lit(zone) == "").then(pl.lit(self._localize(naive))).otherwise(pl.lit(zoned))
        ).to_series()
        epoch = frame["text"].str.contains(_EPOCH).fill_null(value=False)
        if epoch.any():
            times = times.zip_with(~epoch, self._epoch_text(frame["text"], epoch))
        bad = (times.is_null() & frame["text"].is_not_null()).fill_null(value=False)
        return _arrow(times), (_arrow(bad) if bad.any() else None)

    def _epoch_text(self, text: pl.Series, epoch: pl.Series) -> pl.Series:
        chosen = pl.DataFrame({"text": text, "epoch": epoch}).select(
            pl.when("epoch").then("text").alias("text")
        )["text"]
        whole = chosen.cast(pl.Int64, strict=False)
        if whole.null_count() > chosen.null_count():  # with a fraction: 1766448000.123
            return _polars(self._numbers(chosen.cast(pl.Float64, strict=False))[0])
        return _polars(self._numbers(whole)[0])

    def _numbers(self, numbers: pl.Series) -> Read:
        """Epoch numbers; without a unit given, the one that makes every value plausible.

        Zero is blank: it is 1970 in every unit, and what programs write for "never". Negative
        numbers lie before 1970 in every unit, so they do not help to tell it.
        """
        if numbers.dtype == pl.Float64:
            numbers = numbers.fill_nan(None)
            bad = numbers.is_infinite() | (numbers.abs() > 9e18)
            numbers = numbers.set(bad.fill_null(value=False), None)
        asked = self._unit
        numbers = numbers.set((numbers == 0).fill_null(value=False), None)
        telling = numbers.filter(numbers > 0)
        if asked is None and len(telling):
            asked = self._unit = self._plausible_unit(telling)
        per_second = _PER_SECOND[asked or "us"]  # of what is left, all lies before 1970
        if per_second <= 10**6:
            factor = 10**6 // per_second
            limit = (2**63 - 1) // factor
            numbers = numbers.set((numbers.abs() > limit).fill_null(value=False), None)
            micros = (numbers * factor).cast(pl.Int64, strict=False)
        else:
            micros = (numbers // 1000).cast(pl.Int64, strict=False)
        return _arrow(micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")), None

    def _plausible_unit(self, numbers: pl.Series) -> TimeUnit:
        low, high = _number(numbers.min()), _number(numbers.max())
        latest_s = (self._now_us + _DAY_US) / 10**6
        for unit, per_second in _PER_SECOND.items():
            if _YEAR_1990_S * per_second <= low and high <= latest_s * per_second:
                return unit
        raise InputError(
            "the unit of the activity numbers cannot be told:"
            " in no unit are all of them between 1990 and tomorrow",
            source=self._source,
            remedy="say --time-unit s, ms, us or ns, or name another --active-column",
        )


def _in_calendar(column: pa.Array, unit: TimeUnit) -> Read:
    """Times with those outside the years 1 to 9998 made null, and a mask of these."""
    ints = column.view(pa.int64())
    bounds = pc.min_max(ints).as_py()
    low, high = (bound * _PER_SECOND[unit] for bound in _CALENDAR_S)
    if bounds["min"] is None or (bounds["min"] >= low and bounds["max"] <= high):
        return column, None
    outside = pc.less(ints, max(low, -(2**63)))
    outside = pc.or_(outside, pc.greater(ints, min(high, 2**63 - 1)))
    outside = pc.fill_null(outside, False)
    return pc.if_else(outside, None, column), outside


def _bounded(times: pa.Array, bad: pa.Array | None) -> Read:
    times, outside = _in_calendar(times, "us")
    if outside is None:
        return times, bad
    return times, outside if bad is None else pc.or_(bad, outside)


def _number(value: Any) -> float:
    return float(value)


def _naive() -> pl.Expr:
    """Date and time groups to a naive Datetime; null where the calendar has no such time."""
    clock = pl.format(
        "{}T{}:{}:{}",
        "date",
        pl.col("hour").fill_null("00"),
        pl.col("minute").fill_null("00"),
        pl.col("second").fill_null("00"),
    ).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    fraction = pl.col("part").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    # chrono reads second 60 as a leap second of the minute before; nobody was active then.
    real = pl.col("second").fill_null("00") < "60"
    return pl.when(real).then(clock + pl.duration(microseconds=fraction)).alias("naive")


def _offset(zone: pl.Series) -> pl.Series:
    """``+02:00``, ``-0730``, ``+02``, ``Z`` to a Duration."""
    digits = zone.str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    minutes = digits.str.slice(0, 2).cast(pl.Int64) * 60 + digits.str.slice(2, 2).cast(pl.Int64)
    sign = pl.select(pl.when(pl.lit(zone).str.starts_with("-")).then(-1).otherwise(1)).to_series()
    return (minutes * sign * 60_000_000).cast(pl.Duration("us"))


def _only_utf8(column: pa.Array) -> pa.Array:
    """The column with what is not UTF-8 made unreadable as a time."""
    return pa.array(
        [
            None if v is None else v.decode("utf-8", "replace")
            for v in column.cast(pa.binary()).to_pylist()
        ],
        pa.large_string(),
    )


def _arrow(series: pl.Series) -> pa.Array:
    array = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _polars(array: pa.Array) -> pl.Series:
    return pl.Series(array)
