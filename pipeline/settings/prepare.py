"""What can be set about `prepare`, and about `explain`, which asks the same question."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import ConfigurationError
from pipeline.limits import MAX_LIST
from pipeline.settings.quantities import parse_duration, parse_share, parse_size
from pipeline.settings.tracker import check_tracker_id


@dataclass(frozen=True, kw_only=True)
class SelectionSettings:
    """Who is on the list: all that decides it, for `prepare` and `explain` alike."""

    tracker_id: str | None = None
    """Tracker (shop) the list is for, kept in its receipt: upload refuses it for another."""
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
    """Folder for work on disk. Default: the folder of the list; without a list the system's
    temporary folder."""

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
        check_tracker_id(self.tracker_id)
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
class PrepareSettings(SelectionSettings):
    """Which rows of the extracts become the user list, and what is written beside it."""

    rejects: Path | None = None
    """Write the rows that cannot be used here: source, row, reason."""
    reject_values: bool = False
    """Write the refused values there, too."""
