"""Summaries of `parse` and `fetch`."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cli.layout import Row, count, duration, if_any, parts, size, table
from pipeline.limits import EXPORT_MAX_PRODUCTS
from pipeline.records import ExportSummary, FetchSummary

__all__ = ["export_lines", "fetch_lines"]


def fetch_lines(done: FetchSummary) -> list[str]:
    """What came over the network and what it held."""
    arrived = done.download
    if done.outcome == "not_modified":
        return [
            f"Not modified, nothing was written: {', '.join(done.export.outputs)}:"
            f" {count(done.export.users, 'user')}",
            *table([], [("from", arrived.url), _updated(done.export)]),
        ]
    return export_lines(
        done.export,
        [
            ("from", arrived.url),
            ("received", f"{size(arrived.received)} in {count(arrived.attempts, 'attempt')}"),
            *([("looks", count(done.polls))] if done.polls > 1 else []),
            ("modified", arrived.last_modified or "-"),
        ],
    )


def export_lines(
    done: ExportSummary, origin: Sequence[Row] = (), read: Sequence[Row] = ()
) -> list[str]:
    """What an export held; `origin` and `read` say where it came from."""
    rows = [
        *read,
        ("users without results", count(done.users_without_results)),
        ("users that appear again", count(done.repeated_users)),
        ("default set", "yes" if done.has_default else "no"),
        ("recommended items", count(done.items)),
        ("distinct products", _at_least(done.distinct_products)),
        *if_any("URLs that are not http", done.urls_not_http),
        *if_any("URLs without recommendation_id", done.urls_without_recommendation_id),
        *if_any("unknown elements left out", done.ignored_elements),
        *_coverage(done),
        *parts("blocks", done.blocks, others=done.other_blocks),
    ]
    facts = [
        *origin,
        _updated(done),
        ("size", size(done.bytes)),
        ("time", duration(done.duration_s)),
    ]
    return [f"Wrote {', '.join(done.outputs)}: {count(done.users, 'user')}", *table(rows, facts)]


def _updated(done: ExportSummary) -> Row:
    span = f"{done.updated_at_oldest} to {done.updated_at_newest}"
    return "updated", span if done.updated_at_oldest else "-"


def _coverage(done: ExportSummary) -> list[Row]:
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
