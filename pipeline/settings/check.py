"""What can be set about `check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.limits import MAX_LIST
from pipeline.settings.quantities import parse_percent, parse_size


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
