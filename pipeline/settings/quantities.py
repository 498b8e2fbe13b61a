"""Sizes, durations, shares and moments as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigurationError

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?i?)B?")
_SIZE_UNITS: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE_UNITS_BINARY: Final = {"k": 2**10, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)?")
_DURATION_UNITS: Final = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}


def parse_size(text: str | int, *, option: str) -> int:
    """Bytes from ``300_000_000``, ``"250MB"`` (10**6) or ``"1GiB"`` (2**30)."""
    if isinstance(text, int):
        value = text
    else:
        match = _SIZE.fullmatch(text.strip().replace("_", ""))
        if match is None:
            raise ConfigurationError(
                f"not a size: {text!r}", source=option, remedy="write 250MB, 1GiB or bytes"
            )
        number, unit = match.groups()
        factor = _SIZE_UNITS_BINARY[unit[0]] if unit.endswith("i") and len(unit) == 2 else None
        if factor is None:
            if unit == "i":
                raise ConfigurationError(
                    f"not a size: {text!r}", source=option, remedy="write 250MB, 1GiB or bytes"
                )
            factor = _SIZE_UNITS[unit]
        value = int(float(number) * factor) if "." in number else int(number) * factor
    if not 0 < value < 2**62:
        raise ConfigurationError("must be more than zero, and a size", source=option)
    return value


def parse_duration(text: str | float, *, option: str) -> float:
    """Seconds from ``600``, ``"600s"``, ``"10min"``, ``"24h"``, ``"7d"``."""
    if isinstance(text, int | float):
        value = float(text)
    else:
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ConfigurationError(
                f"not a duration: {text!r}", source=option, remedy="write 600s, 10min, 24h or 7d"
            )
        value = float(match[1]) * _DURATION_UNITS[match[2] or "s"]
    if not 0 < value < 10**9:
        raise ConfigurationError("must be more than zero", source=option, actual=value)
    return value


def parse_percent(text: str | float, *, option: str, most: float = 100) -> float:
    """A percentage between 0 and `most` from ``95``, ``"95"``, ``"99.5%"``."""
    try:
        value = float(str(text).strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ConfigurationError(
            f"not a percentage: {text!r}",
            source=option,
            remedy=f"write a number from 0 to {most:,.0f}",
        )
    return value


def parse_share(text: str | int, *, option: str) -> tuple[float, bool]:
    """``"1%"`` as (0.01, True), ``"500"`` as (500.0, False): a share or a number."""
    plain = str(text).strip()
    is_share = plain.endswith("%")
    try:
        value = float(plain.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < (100.000001 if is_share else 10**15):
        raise ConfigurationError(
            f"not a number or a share: {text!r}", source=option, remedy="write 500 or 1%"
        )
    return (value / 100, True) if is_share else (value, False)


def parse_zone(name: str, *, option: str = "--timezone") -> ZoneInfo:
    """The time zone of that IANA name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"unknown time zone: {name!r}", source=option, remedy="write Europe/Prague"
        ) from error


def parse_moment(text: str, *, zone: ZoneInfo, option: str) -> datetime:
    """UTC time from a date (00:00 in `zone`), or a time, in `zone` unless it has an offset."""
    try:
        if len(text) == len("2026-11-23"):
            moment = datetime.combine(date.fromisoformat(text), time(), zone)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        if not 1970 <= moment.year <= 9000:
            raise ValueError("year")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"not a date or time: {text!r}",
            source=option,
            remedy="write 2026-11-23 or 2026-11-23T06:00:00+01:00",
        ) from error
