"""What can be set about `upload` and `history`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.limits import MAX_LIST, UPLOAD_DEADLINE_S
from pipeline.settings.quantities import parse_duration, parse_percent, parse_size
from pipeline.settings.tracker import check_tracker_id

_CONFIRMATION: Final = re.compile(
    r"(?:first|empty):\d+|(?:shrink|grow):\d+:\d+|overlap:\d+(?:\.\d)?|age:-?\d+", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class UploadSettings:
    """Where a list goes, how long that may take, and what it may differ by."""

    tracker_id: str
    """Tracker (shop) whose stored list is replaced."""
    public_key: str | None = None
    """Public key. Default: the tracker id."""
    base_url: str = "https://live.luigisbox.com"
    """Service address; plain http is allowed for loopback only."""
    deadline: str | float = UPLOAD_DEADLINE_S
    """Time for the whole transfer, every attempt included."""
    max_attempts: int = 6
    """Attempts within the deadline, the first one included."""
    retry_wait: str | float = 1.0
    """Longest wait after the first failed attempt; it doubles with each further one."""
    connect_timeout: str | float = 30.0
    """Give up an attempt when no connection stands after this long."""
    ca_file: Path | None = None
    """Certificates to trust, PEM. Default: those of this machine."""
    path_template: str = "/v1/recommender/batching/{tracker_id}/users"
    """Path of the request; {tracker_id} is filled in."""
    scheme_word: str = "ApiAuth"
    """First word of the Authorization header; the vendor ignores which."""
    part_name: str = "file"
    """Name of the form field that holds the list."""
    file_name: str | None = None
    """File name sent with the list. Default: the list's own."""
    part_content_type: str = "application/octet-stream"
    """Media type of the form field that holds the list."""
    expect_continue: bool = False
    """Wait for the server's consent (Expect: 100-continue) before the list is sent."""
    min_users: int | None = None
    """Refuse a list of fewer users; without a known earlier upload, accept one of as many."""
    max_bytes: int | str = MAX_LIST
    """Refuse a larger list; set more only when the vendor has agreed to more."""
    max_shrink: str | float = "20%"
    """Refuse a list that is shorter than the last one, or the longest of 14 days, by more."""
    max_grow: str | float = "200%"
    """Refuse a list that is longer than the last one by more; 200% is three times as long."""
    min_overlap: str | float = "50%"
    """Refuse a list that shares fewer users with the last one; 0% compares nothing."""
    max_age: str | float = "24h"
    """Refuse a list that was made longer ago."""
    refresh_after: str | float = "7d"
    """Send an unchanged list again when its last upload is longer ago."""
    confirm: tuple[str, ...] = ()
    """Let pass what a guard refused, in its own words: shrink:1000:700; repeatable."""
    dry_run: bool = False
    """Do everything but send: prove the list, ask the guards, tell size and time."""

    def __post_init__(self) -> None:
        check_tracker_id(self.tracker_id)
        parse_size(self.max_bytes, option="--max-bytes")
        parse_percent(self.max_shrink, option="--max-shrink")
        parse_percent(self.max_grow, option="--max-grow", most=1e9)
        parse_percent(self.min_overlap, option="--min-overlap")
        parse_duration(self.max_age, option="--max-age")
        parse_duration(self.refresh_after, option="--refresh-after")
        if self.min_users is not None and self.min_users < 1:
            raise ConfigurationError(
                "must be at least 1", source="--min-users", actual=self.min_users
            )
        for word in self.confirm:
            if not _CONFIRMATION.fullmatch(word):
                raise ConfigurationError(
                    f"not a confirmation: {word!r}",
                    source="--confirm",
                    remedy="copy it from the refusal: first:COUNT, empty:OLD, shrink:OLD:NEW,"
                    " grow:OLD:NEW, overlap:PERCENT, age:HOURS",
                )
        parse_duration(self.deadline, option="--deadline")
        parse_duration(self.retry_wait, option="--retry-wait")
        parse_duration(self.connect_timeout, option="--connect-timeout")
        if self.max_attempts < 1:
            raise ConfigurationError(
                "must be at least 1", source="--max-attempts", actual=self.max_attempts
            )


@dataclass(frozen=True, kw_only=True)
class HistorySettings:
    """Which runs of `upload` are listed."""

    tracker_id: str | None = None
    """Tracker (shop) whose runs are listed. Default: all."""
    limit: int = 10
    """Runs at most, the last ones."""

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigurationError("must be at least 1", source="--limit", actual=self.limit)
