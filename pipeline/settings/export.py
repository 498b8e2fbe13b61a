"""What can be set about `parse` and `fetch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.limits import EXPORT_MAX_WORKERS
from pipeline.settings.quantities import (
    parse_duration,
    parse_moment,
    parse_percent,
    parse_size,
    parse_zone,
)


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """How an export is read, and what must hold before it is published."""

    min_users: int = 1
    """Refuse an export with fewer users than this."""
    require_default: bool = False
    """Refuse an export without the generic set, the user `default`."""
    max_age: str | float | None = None
    """Refuse an export whose newest updated_at is older: 24h, 7d."""
    newer_than: str | None = None
    """Refuse an export whose newest updated_at is not after this date (00:00) or time."""
    timezone: str = "UTC"
    """Zone of times without an offset: those of updated_at and of --newer-than."""
    uploaded: Path | None = None
    """The list that was uploaded; its users are looked for in the export."""
    min_coverage: str | float | None = None
    """Refuse an export that holds less of --uploaded than this: 95%."""
    missing_to: Path | None = None
    """File for the ids of --uploaded that the export lacks, as a list."""
    csv_safe_formulas: bool = False
    """In .csv, put an apostrophe before a value that a spreadsheet would run as a formula."""
    workers: int = 1
    """Read an XML export in this many processes; the outputs are the same bytes."""

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= EXPORT_MAX_WORKERS:
            raise ConfigurationError(
                "must be 1 or more, up to the limit",
                source="--workers",
                actual=self.workers,
                limit=EXPORT_MAX_WORKERS,
            )
        if self.min_users < 1:
            raise ConfigurationError(
                "must be at least 1", source="--min-users", actual=self.min_users
            )
        if self.max_age is not None:
            parse_duration(self.max_age, option="--max-age")
        zone = parse_zone(self.timezone)
        if self.newer_than is not None:
            parse_moment(self.newer_than, zone=zone, option="--newer-than")
        if self.min_coverage is not None:
            parse_percent(self.min_coverage, option="--min-coverage")
        for option, value in (
            ("--min-coverage", self.min_coverage),
            ("--missing-to", self.missing_to),
        ):
            if value is not None and self.uploaded is None:
                raise ConfigurationError(
                    "needs the list that was uploaded", source=option, remedy="name --uploaded LIST"
                )


@dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """How an export is downloaded, and how long one is waited for."""

    wait: str | float | None = None
    """Ask again and again for this long, until there is an export that no check refuses: 2h."""
    interval: str | float = "5min"
    """Time between two looks of --wait."""
    export_user: str | None = None
    """User name for the export's address; BATCHPUB_EXPORT_SECRET is the password."""
    export_header: str | None = None
    """Request header that carries BATCHPUB_EXPORT_SECRET as it is: X-Api-Key."""
    deadline: str | float = "6h"
    """Time for one download, every attempt included."""
    stall_timeout: str | float = 60.0
    """Give up an attempt when no byte came for this long."""
    max_attempts: int = 6
    """Attempts in a row that brought nothing new; an attempt that did begins the count anew."""
    retry_wait: str | float = 1.0
    """Longest wait after the first failed attempt; it doubles with each further one."""
    connect_timeout: str | float = 30.0
    """Give up an attempt when no connection stands after this long."""
    ca_file: Path | None = None
    """Certificates to trust, PEM. Default: those of this machine."""
    max_expanded: int | str = "64GB"
    """Size limit of the export once decompressed."""

    def __post_init__(self) -> None:
        if self.wait is not None:
            parse_duration(self.wait, option="--wait")
        parse_duration(self.interval, option="--interval")
        parse_duration(self.deadline, option="--deadline")
        parse_duration(self.stall_timeout, option="--stall-timeout")
        parse_duration(self.retry_wait, option="--retry-wait")
        parse_duration(self.connect_timeout, option="--connect-timeout")
        parse_size(self.max_expanded, option="--max-expanded")
        if self.max_attempts < 1:
            raise ConfigurationError(
                "must be at least 1", source="--max-attempts", actual=self.max_attempts
            )
        if self.export_user is not None and self.export_header is not None:
            raise ConfigurationError(
                "a user name and a header are two ways to prove who asks",
                source="--export-header",
                remedy="leave out one of --export-user and --export-header",
            )
