"""Summaries for people: a headline and a short aligned table, at most 80 columns by intent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from pipeline.limits import MAX_BODY, MAX_LIST
from pipeline.records import (
    CheckSummary,
    ExportSummary,
    FetchSummary,
    HistorySummary,
    NewsletterSummary,
    PrepareSummary,
    UploadPlan,
    UploadSummary,
)

__all__ = ["count", "duration", "over_vendor_limit", "parts", "size", "summary_lines", "table"]

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
    if isinstance(summary, UploadSummary):
        return _upload(summary)
    if isinstance(summary, FetchSummary):
        return _fetch(summary)
    if isinstance(summary, ExportSummary):
        return _export(summary, [])
    if isinstance(summary, HistorySummary):
        from pipeline.cli.history import history_lines

        return history_lines(summary)
    if isinstance(summary, NewsletterSummary):
        from pipeline.cli.newsletter_summary import newsletter_lines

        return newsletter_lines(summary)
    raise TypeError(f"no lines for a {type(summary).__name__}")


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


def _fetch(done: FetchSummary) -> list[str]:
    arrived = done.download
    return _export(
        done.export,
        [
            ("from", arrived.url),
            ("received", f"{size(arrived.received)} in {count(arrived.attempts, 'attempt')}"),
            ("modified", arrived.last_modified or "-"),
        ],
    )


def _export(done: ExportSummary, origin: list[_Row]) -> list[str]:
    rows = [
        ("users without results", count(done.users_without_results)),
        ("users that appear again", count(done.repeated_users)),
        ("default set", "yes" if done.has_default else "no"),
        ("recommended items", count(done.items)),
        *_if_any("URLs that are not http", done.urls_not_http),
        *_if_any("unknown elements left out", done.ignored_elements),
        *_coverage(done),
        *parts("blocks", done.blocks),
    ]
    span = f"{done.updated_at_oldest} to {done.updated_at_newest}"
    facts = [
        *origin,
        ("updated", span if done.updated_at_oldest else "-"),
        ("size", size(done.bytes)),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {', '.join(done.outputs)}: {count(done.users, 'user')}", *table(rows, facts)]


def _coverage(done: ExportSummary) -> list[_Row]:
    """How much of the uploaded list came back, when there was one to compare with."""
    if done.uploaded_users is None:
        return []
    share = "-" if done.coverage_percent is None else f"{done.coverage_percent:.1f}%"
    return [
        ("of the uploaded users", share),
        ("  missing", count(done.missing_users or 0)),
        ("  not uploaded", count(done.unexpected_users or 0)),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _ANSWER else text[: _ANSWER - 1].rstrip() + "…"


def _if_any(label: str, number: int) -> list[_Row]:
    return [(label, count(number))] if number else []


def _reasons(title: str, counts: Mapping[str, int]) -> list[_Row]:
    return parts(title, {name.replace("_", " "): number for name, number in counts.items()})


def parts(title: str, counts: Mapping[str, int]) -> list[_Row]:
    """A total and, indented, what it consists of: the largest first, none of the empty."""
    ordered = sorted(counts.items(), key=lambda part: (-part[1], part[0]))
    shown = [(f"  {name[:40]}", count(number)) for name, number in ordered[:_PARTS] if number]
    rest = sum(number for _, number in ordered[_PARTS:])
    if rest:
        shown.append(("  others", count(rest)))
    return [(title, count(sum(counts.values()))), *shown]


def table(rows: list[_Row], facts: list[_Row]) -> list[str]:
    """Numbers flush right, then texts flush left; a sha256 just fits 80 columns."""
    row_label = max((len(label) for label, _ in rows), default=0)
    number = max((len(text) for _, text in rows), default=0)
    fact_label = max((len(label) for label, _ in facts), default=0)
    return [
        *(f"  {label:<{row_label}}  {text:>{number}}" for label, text in rows),
        *([""] if rows and facts else []),
        *(f"  {label:<{fact_label}}  {text}" for label, text in facts),
    ]
