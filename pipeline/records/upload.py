"""What `upload` did, and what the ledger remembers of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """What `upload` would do, found by a dry run; rates are in 10**6 bits a second."""

    would_send: bool
    """False where the tracker holds this very list."""
    body_bytes: int
    """The list and the form around it."""
    deadline_s: float
    needed_mbit_s: float
    """The least with which the list is sent before the deadline."""
    last_mbit_s: float | None
    """That of the last confirmed upload; None where it is unknown, or that list was a small one."""
    estimated_s: float | None
    """How long sending takes at that rate."""
    has_private_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSummary:
    """What `upload` did; ``server_said`` is the answer's text, shortened and made safe.

    When the tracker holds the list already, and in a dry run, nothing is sent: ``status`` is None.
    """

    list_path: str
    tracker_id: str
    target: str
    users: int
    bytes: int
    sha256: str
    status: int | None
    attempts: int
    server_said: str
    duration_s: float
    outcome: Literal["uploaded", "unchanged", "dry-run"] = "uploaded"
    transfer_s: float | None = None
    """Seconds from the first byte of the list to the answer, in the attempt that succeeded."""
    old_users: int | None = None
    """Users of the last confirmed list; None where none is known."""
    added: int | None = None
    removed: int | None = None
    kept: int | None = None
    """Against the last confirmed list; None where they were not compared."""
    confirmed_by: tuple[str, ...] = ()
    """Confirmations without which it would have been refused."""
    plan: UploadPlan | None = None
    """Of a dry run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRun:
    """One run of `upload` as the ledger remembers it; times are UTC, ISO 8601.

    ``outcome`` is ``preparing`` or ``sending`` while it runs, then ``confirmed``, ``uncertain``,
    ``failed`` (nothing changed), ``refused`` by a guard, or ``unchanged`` (nothing to send).
    """

    run: int
    tracker_id: str
    target: str
    outcome: str
    started_at: str
    ended_at: str | None
    users: int
    bytes: int
    sha256: str
    made_at: str
    old_users: int | None = None
    added: int | None = None
    removed: int | None = None
    kept: int | None = None
    confirmed_by: tuple[str, ...] = ()
    attempts: int = 0
    error: str | None = None
    transfer_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySummary:
    """The last runs of `upload`, newest first."""

    ledger: str
    tracker_id: str | None
    runs: tuple[UploadRun, ...]
