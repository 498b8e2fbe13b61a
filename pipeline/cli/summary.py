"""Summaries for people: a headline and a short aligned table, at most 80 columns by intent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from pipeline.errors import BatchpubError
from pipeline.limits import EXPORT_MAX_PRODUCTS, MAX_BODY, MAX_LIST
from pipeline.records import (
    CheckSummary,
    ExplainSummary,
    ExportSummary,
    FetchSummary,
    HistorySummary,
    KlaviyoPullSummary,
    KlaviyoPushSummary,
    PrepareSummary,
    SmartEmailingCheckSummary,
    SmartEmailingIdsSummary,
    SmartEmailingPushSummary,
    UploadPlan,
    UploadSummary,
)

__all__ = ["count", "duration", "error_line", "over_vendor_limit", "size", "summary_lines"]

_Row: TypeAlias = tuple[str, str]

# An export names its own recommendation types, as many as it likes.
_PARTS: Final = 12
_ANSWER: Final = 66


def summary_lines(summary: object) -> list[str]:
    """The lines of a command's summary."""
    if isinstance(summary, PrepareSummary):
        return _prepare(summary)
    if isinstance(summary, CheckSummary):
        from pipeline.cli.check_summary import check_lines

        return check_lines(summary)
    if isinstance(summary, ExplainSummary):
        from pipeline.cli.explain_summary import explain_lines

        return explain_lines(summary)
    if isinstance(summary, UploadSummary):
        return _upload(summary)
    if isinstance(summary, FetchSummary):
        return _fetch(summary)
    if isinstance(summary, ExportSummary):
        return _export(summary, [])
    if isinstance(summary, KlaviyoPullSummary):
        return _pull(summary)
    if isinstance(summary, KlaviyoPushSummary):
        return _push(summary)
    if isinstance(summary, HistorySummary):
        from pipeline.cli.history import history_lines

        return history_lines(summary)
    if isinstance(summary, SmartEmailingCheckSummary):
        return _smartemailing_check(summary)
    if isinstance(summary, SmartEmailingIdsSummary):
        return _smartemailing_ids(summary)
    if isinstance(summary, SmartEmailingPushSummary):
        return _smartemailing_push(summary)
    raise TypeError(f"no lines for a {type(summary).__name__}")


def error_line(error: Mapping[str, object] | None) -> str | None:
    """What a report ends with, in the words of every error; None where it is good news."""
    if error is None:
        return None
    fields = {
        name: None if error[name] is None else str(error[name])
        for name in ("source", "position", "remedy", "limit", "actual")
    }
    return f"batchpub: error: {BatchpubError(str(error['message']), **fields)}"


def count(number: int, noun: str | None = None) -> str:
    """``1,234`` or ``1,234 users``; the noun is given in the singular."""
    text = f"{number:,}"
    if noun is None:
        return text
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"


def size(number: float) -> str:
    """Bytes as people read them: megabytes, or bytes where there are only few."""
    if number < 10_000:
        return f"{number:,.0f} bytes"
    return f"{number / 10**6:,.2f} MB" if number < 10**7 else f"{number / 10**6:,.1f} MB"


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _prepare(done: PrepareSummary) -> list[str]:
    rows = [
        ("rows read", count(done.rows)),
        *_reasons("dropped", done.dropped),
        *_reasons("rejected", done.rejects),
        ("duplicate rows", count(done.duplicate_rows)),
        ("suppressed users", count(done.suppressed_users)),
        *_if_any("opt-outs without an id", done.blank_suppressions),
        ("users over the size limit", count(done.overflow_users)),
        *((f"ids changed by {name}", count(n)) for name, n in done.changed_ids.items()),
        *((f"ids merged by {name}", count(n)) for name, n in done.merged_ids.items()),
    ]
    facts = [
        ("window ends", done.as_of),
        ("oldest kept", done.oldest_kept or "-"),
        ("size", f"{size(done.bytes)} of {size(done.max_bytes)} allowed"),
        *over_vendor_limit(done.max_bytes),
        *([("for tracker", done.tracker_id)] if done.tracker_id else []),
        ("receipt", done.receipt),
        ("sha256", done.sha256),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {done.output}: {count(done.users, 'user')}", *_table(rows, facts)]


def over_vendor_limit(max_bytes: int) -> list[_Row]:
    """A word where more is allowed than the vendor documents."""
    if max_bytes <= MAX_LIST:
        return []
    return [("", f"over the vendor's {size(MAX_BODY)}: only where its support has agreed")]


def _upload(done: UploadSummary) -> list[str]:
    if done.outcome == "unchanged":
        return [
            f"Unchanged: tracker {done.tracker_id} holds {done.list_path} already, nothing was"
            f" sent: {count(done.users, 'user')}"
        ]
    if done.plan is not None:
        return _dry_run(done, done.plan)
    facts = [
        ("to", done.target),
        ("before", _before(done)),
        *([("confirmed by", " ".join(done.confirmed_by))] if done.confirmed_by else []),
        ("answer", _cut(f"{done.status} {done.server_said}".rstrip())),
        ("attempts", count(done.attempts)),
        ("size", size(done.bytes)),
        ("sha256", done.sha256),
        ("time", duration(done.duration_s)),
    ]
    return [
        f"Uploaded {done.list_path} to tracker {done.tracker_id}: {count(done.users, 'user')}",
        *_table([], facts),
    ]


def _dry_run(done: UploadSummary, plan: UploadPlan) -> list[str]:
    """What the real run would do; everything in it is known but the time."""
    does = "would be sent" if plan.would_send else "is there already, would not be sent"
    words = " ".join(done.confirmed_by)
    about = "not known: the last upload was much smaller, or there was none"
    if plan.last_mbit_s is not None and plan.estimated_s is not None:
        slow = "; TOO SLOW" if plan.estimated_s > plan.deadline_s else ""
        rate = f"{plan.last_mbit_s:.3g} Mbit/s"
        about = f"about {duration(plan.estimated_s)}, at the last upload's {rate}{slow}"
    facts = [
        ("to", done.target),
        ("before", _before(done)),
        *([("confirmed by", words)] if words else []),
        ("size", f"{size(done.bytes)}, with the form around it {plan.body_bytes:,} bytes"),
        ("sha256", done.sha256),
        ("time", about),
        ("deadline", f"{duration(plan.deadline_s)}, needs {plan.needed_mbit_s:.3g} Mbit/s"),
        ("private key", "there" if plan.has_private_key else "MISSING, set BATCHPUB_PRIVATE_KEY"),
    ]
    return [
        f"Dry run: {done.list_path} {does}: {count(done.users, 'user')}",
        *_table([], facts),
        "Nothing was sent.",
    ]


def _before(done: UploadSummary) -> str:
    """The list that was replaced, and how far this one differs."""
    if done.old_users is None:
        return "no upload known"
    text = count(done.old_users, "user")
    if done.kept is None:
        return text
    return f"{text}, now {done.added:,} added, {done.removed:,} removed, {done.kept:,} kept"


def _fetch(done: FetchSummary) -> list[str]:
    arrived = done.download
    if done.outcome == "not_modified":
        return [
            f"Not modified, nothing was written: {', '.join(done.export.outputs)}:"
            f" {count(done.export.users, 'user')}",
            *_table([], [("from", arrived.url), _updated(done.export)]),
        ]
    return _export(
        done.export,
        [
            ("from", arrived.url),
            ("received", f"{size(arrived.received)} in {count(arrived.attempts, 'attempt')}"),
            *([("looks", count(done.polls))] if done.polls > 1 else []),
            ("modified", arrived.last_modified or "-"),
        ],
    )


def _pull(done: KlaviyoPullSummary) -> list[str]:
    return _export(
        done.export,
        [("from", done.source), ("asked", _asked(done.requests, done.retries))],
        [
            ("profiles", count(done.profiles)),
            *_if_any("  read by an earlier run", done.resumed_profiles),
            ("  without recommendations", count(done.without_recommendations)),
            *_if_any("  without a usable id, left out", done.without_id),
            *_if_any("  types without a list of items", done.unusable_properties),
        ],
    )


def _push(done: KlaviyoPushSummary) -> list[str]:
    verb = "Would push" if done.dry_run else "Pushed"
    rows = [
        *([] if done.dry_run else [("imported", count(done.imported))]),
        *_if_any("refused", done.failed),
        *_if_any("unknown", done.unknown),
        ("users without recommendations", count(done.without_recommendations)),
        *_if_any("users without a contact", done.without_contact),
        *_if_any("contacts that cannot be used", done.unusable_contacts),
        ("items", count(done.items)),
        *_if_any("items cut to fit the profile limit", done.cut_items),
        *_if_any("  of so many profiles", done.cut_profiles),
        *_parts("properties", done.properties),
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
    return [f"{verb} {done.source}: {count(done.profiles, 'profile')}", *_table(rows, facts)]


def _asked(requests: int, retries: int) -> str:
    return count(requests, "request") + (f", {retries:,} of them again" if retries else "")


def _export(done: ExportSummary, origin: list[_Row], read: list[_Row] | None = None) -> list[str]:
    rows = [
        *(read or []),
        ("users without results", count(done.users_without_results)),
        ("users that appear again", count(done.repeated_users)),
        ("default set", "yes" if done.has_default else "no"),
        ("recommended items", count(done.items)),
        ("distinct products", _at_least(done.distinct_products)),
        *_if_any("URLs that are not http", done.urls_not_http),
        *_if_any("URLs without recommendation_id", done.urls_without_recommendation_id),
        *_if_any("unknown elements left out", done.ignored_elements),
        *_coverage(done),
        *_parts("blocks", done.blocks, others=done.other_blocks),
    ]
    facts = [
        *origin,
        _updated(done),
        ("size", size(done.bytes)),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {', '.join(done.outputs)}: {count(done.users, 'user')}", *_table(rows, facts)]


def _updated(done: ExportSummary) -> _Row:
    span = f"{done.updated_at_oldest} to {done.updated_at_newest}"
    return "updated", span if done.updated_at_oldest else "-"


def _smartemailing_check(done: SmartEmailingCheckSummary) -> list[str]:
    account = "account" if done.account_id is None else f"account {done.account_id}"
    facts = [("asked", _asked(done.requests, done.retries)), ("time", duration(done.duration_s))]
    return [f"The login is right: {account} at {done.source}", *_table([], facts)]


def _smartemailing_ids(done: SmartEmailingIdsSummary) -> list[str]:
    rows = [("values read", count(done.values)), *_parts("left out", done.left_out)]
    facts = [
        ("from", done.source),
        ("field", f"{done.field_name} ({done.field_id})"),
        ("asked", _asked(done.requests, done.retries)),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {done.output}: {count(done.contacts, 'contact')}", *_table(rows, facts)]


def _smartemailing_push(done: SmartEmailingPushSummary) -> list[str]:
    rows = [
        ("contacts", count(done.contacts)),
        ("without recommendations", count(done.without_recommendations)),
        *_parts("rejected before", done.rejected),
        *(
            []
            if done.dry_run
            else [
                ("accepted", count(done.accepted)),
                *_if_any("  by an earlier run", done.resumed),
                ("refused by the service", count(done.refused)),
                ("unknown", count(done.unknown)),
            ]
        ),
        ("users", count(done.users)),
        ("  without a contact", count(done.users_without_contact)),
        *_if_any("  that appear again", done.repeated_users),
        ("recommended items", count(done.items)),
        *_if_any("  left out for the size limit", done.cut_items),
        *_if_any("  of so many contacts", done.cut_contacts),
        *_parts("never shown in mails", done.dropped),
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
    return [headline, *_table(rows, facts)]


def _coverage(done: ExportSummary) -> list[_Row]:
    """How much of the uploaded list came back, when there was one to compare with."""
    if done.uploaded_users is None:
        return []
    covered = done.covered_users or 0
    # Rounded down: 100% is all of them.
    share = covered * 1000 // max(1, done.uploaded_users) / 10
    return [
        ("uploaded users", count(done.uploaded_users)),
        (f"  covered, {share:.1f}%", count(covered)),
        ("  missing", count(done.missing_users or 0)),
        ("users that were not uploaded", count(done.unexpected_users or 0)),
    ]


def _at_least(number: int) -> str:
    """The count of products, which stops there."""
    return f"{number:,}+" if number >= EXPORT_MAX_PRODUCTS else count(number)


def _cut(text: str) -> str:
    return text if len(text) <= _ANSWER else text[: _ANSWER - 1].rstrip() + "…"


def _if_any(label: str, number: int) -> list[_Row]:
    return [(label, count(number))] if number else []


def _reasons(title: str, counts: Mapping[str, int]) -> list[_Row]:
    return _parts(title, {name.replace("_", " "): number for name, number in counts.items()})


def _parts(title: str, counts: Mapping[str, int], *, others: int = 0) -> list[_Row]:
    """A total and, indented, what it consists of: the largest first, none of the empty."""
    parts = sorted(counts.items(), key=lambda part: (-part[1], part[0]))
    shown = [(f"  {name[:40]}", count(number)) for name, number in parts[:_PARTS] if number]
    rest = others + sum(number for _, number in parts[_PARTS:])
    if rest:
        shown.append(("  others", count(rest)))
    return [(title, count(others + sum(counts.values()))), *shown]


def _table(rows: list[_Row], facts: list[_Row]) -> list[str]:
    """Numbers flush right, then texts flush left; a sha256 just fits 80 columns."""
    row_label = max((len(label) for label, _ in rows), default=0)
    number = max((len(text) for _, text in rows), default=0)
    fact_label = max((len(label) for label, _ in facts), default=0)
    return [
        *(f"  {label:<{row_label}}  {text:>{number}}" for label, text in rows),
        *([""] if rows and facts else []),
        *(f"  {label:<{fact_label}}  {text}" for label, text in facts),
    ]
