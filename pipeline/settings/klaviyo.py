"""What can be set about handing recommendations to Klaviyo, or reading them there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.settings.calls import CallSettings
from pipeline.settings.quantities import parse_duration, parse_size

_REVISION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:\.[a-z0-9]+)?")
# "5 MB" read at its largest.
_MAX_JOB: Final = 5 * 2**20
_MIN_JOB: Final = 200_000  # one profile of the largest kind, and room
_GROUP_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class KlaviyoSettings(CallSettings):
    """How Klaviyo is spoken to."""

    klaviyo_url: str = "https://a.klaviyo.com"
    """Scheme and host of the API; plain http is allowed for loopback only."""
    revision: str = "2026-07-15"
    """Revision of the API."""
    resume_within: str | float = "24h"
    """Go on with a run that broke off when it began less long ago."""
    start_over: bool = False
    """Begin anew, also when an earlier run broke off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_duration(self.resume_within, option="--resume-within")
        if not _REVISION.fullmatch(self.revision):
            raise ConfigurationError(
                "not a revision", source="--revision", remedy="write a date: 2026-07-15"
            )


@dataclass(frozen=True, kw_only=True)
class KlaviyoPullSettings(KlaviyoSettings):
    """Which profiles are read, and what on them are recommendations."""

    list_id: str | None = None
    """Read the profiles of this list only."""
    segment_id: str | None = None
    """Read the profiles of this segment only."""
    updated_after: str | None = None
    """Read profiles that changed after this time only: 2026-09-01 or 2026-09-01T06:00:00Z."""
    id_property: str | None = None
    """Property that holds the user's id, often customer_id. Default: external_id."""
    recommendation_type: tuple[str, ...] = ()
    """Property that holds recommendations; repeatable. Default: each that looks like it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, value in (("--list-id", self.list_id), ("--segment-id", self.segment_id)):
            if value is not None and not _GROUP_ID.fullmatch(value):
                raise ConfigurationError("not an id", source=option)
        if self.list_id is not None and self.segment_id is not None:
            raise ConfigurationError(
                "a list and a segment exclude each other", source="--segment-id"
            )
        if self.updated_after is not None:
            if self.list_id is not None or self.segment_id is not None:
                raise ConfigurationError(
                    "Klaviyo does not filter lists and segments by it", source="--updated-after"
                )
            self.updated_after_utc()

    def updated_after_utc(self) -> str | None:
        """`updated_after` as the API wants it; a time without an offset is UTC.

        Raises:
            ConfigurationError: it is no time.
        """
        if self.updated_after is None:
            return None
        try:
            moment = datetime.fromisoformat(self.updated_after.strip())
        except ValueError:
            raise ConfigurationError(
                f"not a time: {self.updated_after!r}",
                source="--updated-after",
                remedy="write 2026-09-01 or 2026-09-01T06:00:00Z",
            ) from None
        if moment.utcoffset() is None:
            return moment.isoformat(timespec="seconds") + "Z"
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class KlaviyoPushSettings(KlaviyoSettings):
    """Whose profiles are written, and how."""

    contacts: Path | None = None
    """CSV, JSONL or Parquet with the users' e-mail addresses; profiles are then identified by them
    instead of external_id."""
    id_column: str | None = None
    """Column of --contacts with the user id. Default: found by its name."""
    email_column: str | None = None
    """Column of --contacts with the e-mail address. Default: found by its name."""
    include_default: bool = False
    """Send the generic set too, to the profile whose external_id is default."""
    rejects: Path | None = None
    """File for the profiles that Klaviyo refused, JSON Lines: user id and reason."""
    dry_run: bool = False
    """Say what would be sent, and send nothing; needs no key."""
    max_job_bytes: int | str = "5MB"
    """Size limit of one import job."""
    poll_wait: str | float = 1.0
    """First wait for an import job; it grows with each further one, to 30 s."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_duration(self.poll_wait, option="--poll-wait")
        size = parse_size(self.max_job_bytes, option="--max-job-bytes")
        if not _MIN_JOB <= size <= _MAX_JOB:
            raise ConfigurationError(
                "the size of a job is out of range",
                source="--max-job-bytes",
                limit=f"{_MIN_JOB:,} to {_MAX_JOB:,}",
                actual=f"{size:,}",
            )
