"""The activity window: which times of last activity make a user active. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigurationError
from pipeline.settings import parse_moment, parse_zone

__all__ = ["Window", "activity_window", "parse_as_of"]

_WITHIN: Final = re.compile(r"(\d{1,6})\s*(mo|months?|y|years?|w|weeks?|d|days?|h|hours?)")
FUTURE_TOLERANCE: Final = timedelta(days=1)
"""Times up to a day after the window count as active: clocks and zones differ, and an extract is
written after the date it is made for. Later ones are refused as impossible."""


@dataclass(frozen=True, slots=True)
class Window:
    """Both bounds count as inside. `latest` is `as_of` plus the tolerance for clocks."""

    start: datetime
    as_of: datetime

    @property
    def latest(self) -> datetime:
        """The last moment that is not refused as lying in the future."""
        return self.as_of + FUTURE_TOLERANCE


def activity_window(within: str, as_of: datetime, timezone: str) -> Window:
    """The window of length `within` that ends at `as_of`.

    Months and years are counted on the calendar of `timezone`, at the same time of day; a day
    the target month lacks becomes its last one (31 August less six months is 28 February).

    Args:
        within: ``6mo``, ``1y``, ``26w``, ``180d`` or ``12h``.
        as_of: An aware time.
        timezone: IANA name.

    Raises:
        ConfigurationError: `within` is not such a length.
    """
    match = _WITHIN.fullmatch(within.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigurationError(
            f"not a window: {within!r}",
            source="--active-within",
            remedy="write 6mo, 26w, 180d or 12h",
        )
    number, unit = int(match[1]), match[2]
    local = as_of.astimezone(ZoneInfo(timezone))
    try:
        if unit.startswith(("mo", "y")):
            months = number * (12 if unit.startswith("y") else 1)
            start = _less_months(local, months)
        elif unit.startswith("h"):
            return Window((as_of - timedelta(hours=number)).astimezone(UTC), as_of.astimezone(UTC))
        else:
            days = number * (7 if unit.startswith("w") else 1)
            start = local - timedelta(days=days)  # same time of day, whatever the clocks did
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"the window is too long: {within!r}", source="--active-within"
        ) from error
    return Window(start.astimezone(UTC), as_of.astimezone(UTC))


def _less_months(moment: datetime, months: int) -> datetime:
    year, month0 = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    last = monthrange(year, month0 + 1)[1]
    return moment.replace(year=year, month=month0 + 1, day=min(moment.day, last), fold=0)


def parse_as_of(text: str | None, *, now: datetime, timezone: str) -> datetime:
    """The end of the window: `now`, or a date (00:00 in `timezone`), or a time.

    Raises:
        ConfigurationError: `text` is neither a date nor a time, or `timezone` is unknown.
    """
    zone = parse_zone(timezone)
    if text is None:
        return now.astimezone(UTC)
    return parse_moment(text, zone=zone, option="--as-of")
