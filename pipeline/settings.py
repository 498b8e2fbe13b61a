"""What a user can set, as frozen values; friendly text is checked when the value is made.

The attribute docstrings are the help texts of the command line: one list for both.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pipeline.errors import ConfigurationError
from pipeline.limits import (
    CLOCK_TOLERANCE_S,
    EXPORT_MAX_WORKERS,
    MAX_BODY,
    MAX_LIST,
    UPLOAD_DEADLINE_S,
)

__all__ = [
    "CheckSettings",
    "ExportSettings",
    "FetchSettings",
    "HistorySettings",
    "PrepareSettings",
    "SandboxSettings",
    "Secret",
    "UploadSettings",
    "parse_duration",
    "parse_percent",
    "parse_share",
    "parse_size",
]

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
_CONFIRMATION: Final = re.compile(
    r"(?:first|empty):\d+|(?:shrink|grow):\d+:\d+|overlap:\d+(?:\.\d)?|age:-?\d+", re.ASCII
)


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


class Secret:
    """Text that never shows itself: ``repr``, ``str``, logs and tracebacks say ``***``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; call it where it is used and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, kw_only=True)
class PrepareSettings:
    """Which rows of the extracts become the user list."""

    id_column: str | None = None
    """Column with the user id. Default: auth_user_id, customer_id, user_id or id."""
    active_column: str | None = None
    """Column with the last activity. Default: the first of last_active, last_active_at,
    last_seen, last_seen_at, last_login, updated_at."""
    active_within: str | None = None
    """Keep users active within this window before --as-of: 6mo, 26w, 180d, 12h.
    Default: 6mo."""
    active_when: str | None = None
    """COLUMN=V1,V2: instead of the window, keep users with a row that says so."""
    all_users: bool = False
    """Keep all users; activity only orders the list."""
    as_of: str | None = None
    """End of the window: a date (00:00 in --timezone) or a time. Default: now."""
    timezone: str = "UTC"
    """Zone of dates and of times without an offset."""
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    """Unit of epoch numbers. Default: the one that makes every value plausible."""
    suppress: tuple[Path, ...] = ()
    """File of ids that must not be on the list; repeatable."""
    suppress_column: str | None = None
    """Column with the user id in the suppression files. Default: as for --id-column."""
    suppress_max_age: str | float | None = None
    """Refuse suppression files older than this: 24h, 7d."""
    input_format: Literal["csv", "jsonl", "parquet", "arrow"] | None = None
    """Format of the extracts. Default: told by their content; CSV for a stream."""
    delimiter: str | None = None
    """Field delimiter of CSV. Default: a comma, a tab for .tsv."""
    quote: str = '"'
    """Quote character of CSV; empty when quotes mean nothing."""
    encoding: str | None = None
    """Encoding of CSV and JSONL: cp1250, utf-16. Default: UTF-8."""
    columns: tuple[str, ...] = ()
    """Column names of CSV without a header; repeatable, in order."""
    allow_truncated: bool = False
    """Accept CSV without a final line break or with an open quote, JSONL with a cut line."""
    null_words: tuple[str, ...] | None = None
    """Word that is no id; repeatable, replaces the default: NULL, nan, undefined and the like."""
    id_rules: tuple[str, ...] = ()
    """Change ids, and count it: trim, lower; repeatable, or with commas."""
    rejects: Path | None = None
    """Write the rows that cannot be used here: source, row, reason."""
    reject_values: bool = False
    """Write the refused values there, too."""
    max_rejects: str = "1%"
    """Refuse the extracts when more rows than this cannot be used: a number or a share."""
    expect_rows: int | None = None
    """Refuse the extracts when they do not hold exactly so many rows."""
    format: Literal["jsonl", "csv"] = "jsonl"
    """Format of the list."""
    max_bytes: int | str = MAX_LIST
    """Size limit of the list: bytes, 250MB or 280MiB."""
    on_overflow: Literal["fail", "keep-recent"] = "fail"
    """When the users do not fit: refuse, or keep those most recently active."""
    min_users: int = 1
    """Refuse a list of fewer users."""
    memory: int | str | None = None
    """Memory for the work; beyond it disk is used. Default: a quarter of this machine's."""
    temp_dir: Path | None = None
    """Folder for work on disk. Default: the folder of the list."""

    def __post_init__(self) -> None:
        for name in ("suppress", "columns", "null_words", "id_rules"):
            value = getattr(self, name)  # one word is one word, not its letters
            if isinstance(value, str | os.PathLike):
                object.__setattr__(self, name, (value,))
        for name, known in (
            ("format", ("jsonl", "csv")),
            ("on_overflow", ("fail", "keep-recent")),
            ("time_unit", (None, "s", "ms", "us", "ns")),
            ("input_format", (None, "csv", "jsonl", "parquet", "arrow")),
        ):
            if getattr(self, name) not in known:
                raise ConfigurationError(
                    f"not one of {', '.join(str(one) for one in known if one)}",
                    source="--" + name.replace("_", "-"),
                    actual=str(getattr(self, name)),
                )
        parse_size(self.max_bytes, option="--max-bytes")
        if self.memory is not None:
            parse_size(self.memory, option="--memory")
        parse_share(self.max_rejects, option="--max-rejects")
        for option, text, most in (
            ("--delimiter", (self.delimiter or ",").replace("\\t", "\t"), 1),
            ("--quote", self.quote, 1),
        ):
            if len(text) > most or not text.isascii() or text in ("\n", "\r"):
                raise ConfigurationError(
                    f"not one ASCII character: {text!r}",
                    source=option,
                    remedy="write one character",
                )
        if sum((self.active_within is not None, self.active_when is not None, self.all_users)) > 1:
            raise ConfigurationError(
                "more than one way to say who is active",
                source="--active-within, --active-when, --all-users",
                remedy="give one of them",
            )
        if self.suppress_max_age is not None:
            parse_duration(self.suppress_max_age, option="--suppress-max-age")
        if self.active_when is not None and not all(self.active_when.partition("=")):
            raise ConfigurationError(
                f"not COLUMN=VALUE: {self.active_when!r}",
                source="--active-when",
                remedy="write consent=yes,true",
            )
        if self.min_users < 1:
            raise ConfigurationError(
                "must be at least 1", source="--min-users", actual=self.min_users
            )


@dataclass(frozen=True, kw_only=True)
class UploadSettings:
    """Where a list goes and how long that may take."""

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

    def __post_init__(self) -> None:
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


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """How an export is read, and what must hold before it is published."""

    min_users: int = 1
    """Refuse an export with fewer users than this."""
    require_default: bool = False
    """Refuse an export without the generic set, the user `default`."""
    max_age: str | float | None = None
    """Refuse an export whose newest updated_at is older: 24h, 7d. Times without an offset are
    UTC."""
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
    """How an export is downloaded."""

    deadline: str | float = 6 * 3600.0
    """Time for the whole download."""
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
        parse_duration(self.deadline, option="--deadline")
        parse_duration(self.stall_timeout, option="--stall-timeout")
        parse_duration(self.retry_wait, option="--retry-wait")
        parse_duration(self.connect_timeout, option="--connect-timeout")
        parse_size(self.max_expanded, option="--max-expanded")
        if self.max_attempts < 1:
            raise ConfigurationError(
                "must be at least 1", source="--max-attempts", actual=self.max_attempts
            )


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """The local stand-in of the remote services."""

    host: str = "127.0.0.1"
    """Loopback address to listen on."""
    port: int = 0
    """Port; 0 takes a free one."""
    tracker_id: str = "1234-5678"
    """The one tracker it knows."""
    public_key: str | None = None
    """Public key. Default: the tracker id."""
    private_key: str = "sandbox-private-key"
    """Private key; a made-up one, printed on purpose."""
    clock_tolerance: float = CLOCK_TOLERANCE_S
    """Seconds a request's Date may differ from the sandbox clock."""
    auth_status: int = 401
    """Status of every authentication failure."""
    success_status: int = 201
    """Status of a stored list."""
    success_body: str | None = None
    """Body of a stored list's answer. Default: a small JSON object."""
    max_bytes: int = MAX_BODY
    """Largest accepted file part."""
    upload_timeout: float = UPLOAD_DEADLINE_S
    """Seconds until an unfinished upload is cancelled with 408."""
    legacy_path: bool = False
    """Serve the old /v1/batching/ path too."""
    faults: Path | None = None
    """Fault plan, a JSON file: what goes wrong, on which request, how often."""
    receive_buffer: int | None = None
    """Bytes the kernel takes in ahead of the sandbox; a small value lets slow reading bite."""
    temp_dir: Path | None = None
    """Folder for what is stored while it runs. Default: the system's temporary folder."""

    def __post_init__(self) -> None:
        checks = {
            "--port": 0 <= self.port <= 65_535,
            "--tracker-id": re.fullmatch(r"[A-Za-z0-9_.-]+", self.tracker_id) is not None,
            "--clock-tolerance": self.clock_tolerance >= 0,
            "--auth-status": 400 <= self.auth_status <= 499,
            "--success-status": 200 <= self.success_status <= 299,
            "--max-bytes": self.max_bytes > 0,
            "--upload-timeout": self.upload_timeout > 0,
            "--receive-buffer": self.receive_buffer is None or self.receive_buffer > 0,
        }
        for option, valid in checks.items():
            if not valid:
                raise ConfigurationError("the value is not valid", source=option)


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """What a list is compared with before it is sent."""

    known_ids: Path | None = None
    """CSV, Parquet or JSONL with the ids seen in analytics."""
    id_column: str | None = None
    """Column with the user id in --known-ids. Default: auth_user_id, customer_id, user_id or id."""
    min_match: str | float | None = None
    """Refuse a list of which less than this is in --known-ids: 95%."""
    unmatched: Path | None = None
    """File for the ids that --known-ids lacks, as a list; written also when --min-match refuses."""
    against: Path | None = None
    """Another list, to tell what was added, removed and kept."""
    max_bytes: int | str = MAX_LIST
    """Size limit of the list: bytes, 250MB or 280MiB."""
    temp_dir: Path | None = None
    """Folder for work on disk. Default: the system's temporary folder."""

    def __post_init__(self) -> None:
        parse_size(self.max_bytes, option="--max-bytes")
        if self.min_match is not None:
            parse_percent(self.min_match, option="--min-match")
        for option, value in (
            ("--id-column", self.id_column),
            ("--min-match", self.min_match),
            ("--unmatched", self.unmatched),
        ):
            if value is not None and self.known_ids is None:
                raise ConfigurationError(
                    "needs the ids to look for", source=option, remedy="name --known-ids FILE"
                )
