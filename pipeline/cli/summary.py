"""Summaries for people: a headline and a short aligned table, at most 80 columns by intent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

from pipeline.cli.layout import Row, count, duration, if_any, reasons, size, table
from pipeline.errors import BatchpubError
from pipeline.limits import MAX_BODY, MAX_LIST
from pipeline.records import PrepareSummary, UploadPlan, UploadSummary

__all__ = ["error_line", "over_vendor_limit", "summary_lines"]

_ANSWER: Final = 66

# By the record's name: so that a command imports only what it shows.
_ELSEWHERE: Final = {
    "CheckSummary": "check_summary:check_lines",
    "ExplainSummary": "explain_summary:explain_lines",
    "HistorySummary": "history:history_lines",
    "ExportSummary": "export_summary:export_lines",
    "FetchSummary": "export_summary:fetch_lines",
    "NewsletterSummary": "newsletter_summary:newsletter_lines",
    "KlaviyoPullSummary": "delivery_summary:pull_lines",
    "KlaviyoPushSummary": "delivery_summary:push_lines",
    "SmartEmailingCheckSummary": "delivery_summary:check_lines",
    "SmartEmailingIdsSummary": "delivery_summary:ids_lines",
    "SmartEmailingPushSummary": "delivery_summary:smartemailing_push_lines",
}


def summary_lines(summary: object) -> list[str]:
    """The lines of a command's summary."""
    if isinstance(summary, PrepareSummary):
        return _prepare(summary)
    if isinstance(summary, UploadSummary):
        return _upload(summary)
    module, _, name = _ELSEWHERE[type(summary).__name__].partition(":")
    lines: Callable[[object], list[str]] = getattr(import_module(f"pipeline.cli.{module}"), name)
    return lines(summary)


def error_line(error: Mapping[str, object] | None) -> str | None:
    """What a report ends with, in the words of every error; None where it is good news."""
    if error is None:
        return None
    fields = {
        name: None if error[name] is None else str(error[name])
        for name in ("source", "position", "remedy", "limit", "actual")
    }
    return f"batchpub: error: {BatchpubError(str(error['message']), **fields)}"


def _prepare(done: PrepareSummary) -> list[str]:
    rows = [
        ("rows read", count(done.rows)),
        *reasons("dropped", done.dropped),
        *reasons("rejected", done.rejects),
        ("duplicate rows", count(done.duplicate_rows)),
        ("suppressed users", count(done.suppressed_users)),
        *if_any("opt-outs without an id", done.blank_suppressions),
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
    return [f"Wrote {done.output}: {count(done.users, 'user')}", *table(rows, facts)]


def over_vendor_limit(max_bytes: int) -> list[Row]:
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
        *table([], facts),
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
        *table([], facts),
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


def _cut(text: str) -> str:
    return text if len(text) <= _ANSWER else text[: _ANSWER - 1].rstrip() + "…"
