"""What the commands of `deliver smartemailing` did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartEmailingCheckSummary:
    """An account whose login works; ``account_id`` is None where the service does not say."""

    source: str
    account_id: int | None
    requests: int
    retries: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartEmailingIdsSummary:
    """What was read from a custom field.

    contacts: lines written, one per contact
    values: values of the field that were read
    left_out: values that are no line, by reason
    """

    source: str
    output: str
    field_id: int
    field_name: str
    contacts: int
    values: int
    left_out: dict[str, int]
    requests: int
    retries: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartEmailingPushSummary:
    """What became of every contact: of ``contacts``, ``sent`` were sent, the others are
    ``without_recommendations`` or ``rejected``; ``sent`` is ``accepted`` + ``refused`` +
    ``unknown``. With ``dry_run`` nothing was sent, and ``sent`` is what would be.

    contacts: rows of the contacts, usable or not
    without_recommendations: contacts for whom there is nothing to send; their field stays as it is
    rejected: contacts that were not sent, by reason
    refused: contacts that the service does not take, each found by itself
    unknown: sent, and not confirmed by the service
    resumed: accepted or refused in an earlier run that broke off
    users: users of the recommendations; users_without_contact and repeated_users were passed over
    items: recommended items sent; cut_items were left out of cut_contacts for the field's limit
    dropped: items and images left out because a mail must not show them, by reason
    has_default: whether the default set was there; it is sent to nobody
    error: what the command ends with, in the form of every error; None for success
    """

    recommendations: str
    contacts_source: str
    target: str
    field: str
    dry_run: bool
    contacts: int
    without_recommendations: int
    rejected: dict[str, int]
    sent: int
    accepted: int
    refused: int
    unknown: int
    resumed: int
    users: int
    users_without_contact: int
    repeated_users: int
    items: int
    cut_contacts: int
    cut_items: int
    dropped: dict[str, int]
    has_default: bool
    requests: int
    retries: int
    rejects_file: str | None
    error: dict[str, object] | None
    duration_s: float

    @property
    def exit_code(self) -> int:
        """0 for success; otherwise that of the error."""
        return 0 if self.error is None else int(str(self.error["exit_code"]))
