"""Summaries of `deliver klaviyo` and `deliver smartemailing`."""

from __future__ import annotations

from pipeline.cli.export_summary import export_lines
from pipeline.cli.layout import count, duration, if_any, parts, size, table
from pipeline.records import (
    KlaviyoPullSummary,
    KlaviyoPushSummary,
    SmartEmailingCheckSummary,
    SmartEmailingIdsSummary,
    SmartEmailingPushSummary,
)

__all__ = ["check_lines", "ids_lines", "pull_lines", "push_lines", "smartemailing_push_lines"]


def pull_lines(done: KlaviyoPullSummary) -> list[str]:
    """What was read from Klaviyo, as of an export."""
    return export_lines(
        done.export,
        [("from", done.source), ("asked", _asked(done.requests, done.retries))],
        [
            ("profiles", count(done.profiles)),
            *if_any("  read by an earlier run", done.resumed_profiles),
            ("  without recommendations", count(done.without_recommendations)),
            *if_any("  without a usable id, left out", done.without_id),
            *if_any("  types without a list of items", done.unusable_properties),
        ],
    )


def push_lines(done: KlaviyoPushSummary) -> list[str]:
    """What became of every profile."""
    verb = "Would push" if done.dry_run else "Pushed"
    rows = [
        *([] if done.dry_run else [("imported", count(done.imported))]),
        *if_any("refused", done.failed),
        *if_any("unknown", done.unknown),
        ("users without recommendations", count(done.without_recommendations)),
        *if_any("users without a contact", done.without_contact),
        *if_any("contacts that cannot be used", done.unusable_contacts),
        ("items", count(done.items)),
        *if_any("items cut to fit the profile limit", done.cut_items),
        *if_any("  of so many profiles", done.cut_profiles),
        *parts("properties", done.properties),
    ]
    jobs = count(done.jobs) + (
        f", {done.resumed_jobs:,} of an earlier run" if done.resumed_jobs else ""
    )
    facts = [
        ("to", done.target),
        ("default set", done.default_set),
        ("jobs", jobs),
        ("size", size(done.bytes)),
        *([("rejects", done.rejects)] if done.rejects and not done.dry_run else []),
        *([] if done.dry_run else [("asked", _asked(done.requests, done.retries))]),
        ("time", duration(done.duration_s)),
    ]
    return [f"{verb} {done.source}: {count(done.profiles, 'profile')}", *table(rows, facts)]


def check_lines(done: SmartEmailingCheckSummary) -> list[str]:
    """Which account the login belongs to."""
    account = "account" if done.account_id is None else f"account {done.account_id}"
    facts = [("asked", _asked(done.requests, done.retries)), ("time", duration(done.duration_s))]
    return [f"The login is right: {account} at {done.source}", *table([], facts)]


def ids_lines(done: SmartEmailingIdsSummary) -> list[str]:
    """Who has which user id."""
    rows = [("values read", count(done.values)), *parts("left out", done.left_out)]
    facts = [
        ("from", done.source),
        ("field", f"{done.field_name} ({done.field_id})"),
        ("asked", _asked(done.requests, done.retries)),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {done.output}: {count(done.contacts, 'contact')}", *table(rows, facts)]


def smartemailing_push_lines(done: SmartEmailingPushSummary) -> list[str]:
    """What became of every contact."""
    rows = [
        ("contacts", count(done.contacts)),
        ("without recommendations", count(done.without_recommendations)),
        *parts("rejected before", done.rejected),
        *(
            []
            if done.dry_run
            else [
                ("accepted", count(done.accepted)),
                *if_any("  by an earlier run", done.resumed),
                ("refused by the service", count(done.refused)),
                ("unknown", count(done.unknown)),
            ]
        ),
        ("users", count(done.users)),
        ("  without a contact", count(done.users_without_contact)),
        *if_any("  that appear again", done.repeated_users),
        ("recommended items", count(done.items)),
        *if_any("  left out for the size limit", done.cut_items),
        *if_any("  of so many contacts", done.cut_contacts),
        *parts("never shown in mails", done.dropped),
        ("default set, kept apart", "yes" if done.has_default else "no"),
    ]
    facts = [
        ("to", done.target),
        ("field", done.field),
        *([] if done.rejects_file is None else [("rejects", done.rejects_file)]),
        *([] if done.dry_run else [("asked", _asked(done.requests, done.retries))]),
        ("time", duration(done.duration_s)),
    ]
    if done.dry_run:
        headline = f"Dry run, nothing was sent: {count(done.sent, 'contact')} would be"
    else:
        headline = f"Sent {count(done.sent, 'contact')}, {done.accepted:,} accepted"
    return [headline, *table(rows, facts)]


def _asked(requests: int, retries: int) -> str:
    return count(requests, "request") + (f", {retries:,} of them again" if retries else "")
