"""What `explain` says about one user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ExplainReason = Literal[
    "listed", "no row", "rejected", "dropped", "suppressed", "over the limit", "no list"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRow:
    """A row that carries the id asked for, or one that comes close to it.

    user_id: the id as the row has it
    difference: what tells both ids apart after ``--id-rules``, None where nothing does
    time: the activity as it was read, ISO 8601 in UTC; None where there is none
    outcome: ``latest`` (the row that counts), ``older``, ``kept`` (of another user), or the rule
        that dropped or refused it; ``suppressed`` or ``no effect`` for a row of a suppression list
    """

    source: str
    row: int
    user_id: str
    difference: str | None
    time: str | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSummary:
    """Why a user is on the list that `prepare` would make, or is not.

    Of rows the first 1,000 are kept, and always the one that counts; outcomes count all of them.

    user_id: as asked for
    listed_id: the same after ``--id-rules``, as it would stand on the list
    reason: the last step that the user reached
    verdict: the answer in one sentence
    timezone: of the times in the verdict; all others are UTC
    window_start: None where activity does not decide
    rows, outcomes: rows of this user
    near_rows, near_outcomes: rows of others that differ in form only
    suppression_rows: rows of suppression lists that carry the id or come close
    latest: the activity that counts, None for a user without a row that does
    place: where in order of activity the user stands among `users`, 1 is the most recent
    bytes_upto: size of the list up to and with this user
    users: users who are to be on the list; `fitting_users` of them fit into `max_bytes`
    oldest_kept: activity of the last user who fits
    refusal: what `prepare` would end with, in the form of every error
    """

    user_id: str
    listed_id: str
    on_list: bool
    reason: ExplainReason
    verdict: str
    as_of: str
    window_start: str | None
    timezone: str
    rows: tuple[SeenRow, ...]
    outcomes: dict[str, int]
    near_rows: tuple[SeenRow, ...]
    near_outcomes: dict[str, int]
    suppression_rows: tuple[SeenRow, ...]
    latest: str | None
    place: int | None
    bytes_upto: int | None
    users: int
    fitting_users: int
    max_bytes: int
    oldest_kept: str | None
    rows_read: int
    refusal: dict[str, object] | None
    duration_s: float
