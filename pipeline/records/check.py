"""What `check` found, and how two sets of ids differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How many ids something was found with, and up to three of them, masked."""

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdShapes:
    """What a set of ids looks like: how many are of each length, kind and common beginning.

    ids: how many were looked at; of sets that fill the disk a quarter, chosen by hash
    """

    ids: int
    lengths: dict[int, int]
    kinds: dict[str, int]
    prefixes: dict[str, int]
    """Up to three characters before the first digit; only those that many ids share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListComparison:
    """Two sets of ids; every number counts distinct ids.

    kept: ids of both
    near: added ids that an old id equals but for case, Unicode form, blanks or leading zeros
    kept_percent: kept, of a hundred old ids; None where there was none
    jaccard_percent: kept, of a hundred ids that are in either; None where both are empty
    drift_percent: ids of a hundred that moved to another length, kind or prefix (half the sum
        of the differences between both distributions)
    """

    old: int
    new: int
    kept: int
    added: int
    removed: int
    near: int
    kept_percent: float | None
    jaccard_percent: float | None
    drift_percent: dict[str, float]
    old_shapes: IdShapes
    new_shapes: IdShapes


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMatch:
    """The distinct ids of a list beside those known elsewhere.

    near: unmatched ids that a known id equals but for case, Unicode form, blanks or leading zeros
    unusable_rows: rows of the known ids that could not be read
    """

    known: int
    matched: int
    unmatched: int
    near: int
    percent: float | None
    unusable_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """What `check` found out about a list; ids appear masked only.

    users: valid lines, one user each
    legacy_lines: lines with the older name ``user_id``
    problems: lines that are no user, by what is wrong; the first of them with their numbers
    receipt: whether the receipt beside the list is true of it
    suspicions, near_duplicates: findings by kind, those of count 0 left out
    error: what the command ends with, in the form of every error; None for a sound list
    """

    source: str
    format: str
    bytes: int
    max_bytes: int
    sha256: str
    lines: int
    users: int
    distinct_users: int
    legacy_lines: int
    receipt: Literal["true", "none", "differs", "damaged"]
    problems: dict[str, int]
    first_problems: tuple[tuple[int, str], ...]
    duplicates: Finding
    suspicions: dict[str, Finding]
    near_duplicates: dict[str, Finding]
    known: KnownMatch | None = None
    unmatched_file: str | None = None
    against: ListComparison | None = None
    against_source: str | None = None
    error: dict[str, object] | None = None
    duration_s: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 for a sound list, suspicions or not; otherwise that of the error."""
        return 0 if self.error is None else int(str(self.error["exit_code"]))
