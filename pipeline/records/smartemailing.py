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
    """What became of every contact.

    ``contacts`` = ``without_recommendations`` + ``rejected`` + ``sent``, and ``sent`` =
    ``accepted`` + ``refused`` + ``unknown``; with ``dry_run`` nothing was sent, and ``sent`` is
    what would be.

    contacts: rows of the contacts that were read
    without_recommendations: contacts for whom nothing is there to send
    rejected: contacts that were not sent, by reason
    refused: contacts that the service does not take, each found by itself
    unknown: sent, and not confirmed by the service
    resumed: of those accepted or refused, the ones of an earlier run that broke off
    cut_contacts, cut_items: contacts with fewer items than recommended, for the field's limit
    dropped: items and images left out because a mail must not show them, by reason
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
    cut_contacts: int
    cut_items: int
    dropped: dict[str, int]
    has_default: bool
    requests: int
    retries: int
    rejects_file: str | None
    duration_s: float
