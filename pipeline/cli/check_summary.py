"""What `check` found, as a table for people, 80 columns wide by intent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from pipeline.cli.layout import count, duration
from pipeline.cli.summary import over_vendor_limit
from pipeline.records import CheckSummary, Finding, IdShapes, KnownMatch, ListComparison

__all__ = ["check_lines"]

_WIDTH: Final = 80
_WORTH_TELLING: Final = 0.1  # percent of the ids
_Row: TypeAlias = tuple[str, str, str]
_RECEIPTS: Final = {
    "true": "true of this list",
    "none": "none",
    "differs": "says something else than the list",
    "damaged": "damaged, or of another version",
}


def check_lines(done: CheckSummary) -> list[str]:
    """The lines of the summary; the reason of a refusal is told as an error."""
    verdict = "may be sent" if done.error is None else "must not be sent"
    rows: list[_Row] = [
        ("lines", count(done.lines), ""),
        ("users", count(done.users), ""),
        *_finding("duplicate lines", done.duplicates),
        *_findings("suspicious", done.suspicions),
        *_findings("equal but for", done.near_duplicates),
    ]
    facts = [
        ("format", _format(done)),
        ("size", f"{done.bytes:,} bytes = {_units(done.bytes)}"),
        ("limit", f"{done.max_bytes:,} bytes = {_units(done.max_bytes)}"),
        *over_vendor_limit(done.max_bytes),
        ("receipt", _RECEIPTS[done.receipt]),
        ("sha256", done.sha256),
        ("time", duration(done.duration_s)),
    ]
    return [
        f"{done.source}: {count(done.users, 'user')}, {verdict}",
        *_table(rows),
        *_problems(done),
        *([] if done.known is None else _known(done.known, done.unmatched_file)),
        *([] if done.against is None else _against(done.against, str(done.against_source))),
        "",
        *(f"  {label:<7}  {text}" for label, text in facts),
    ]


def _problems(done: CheckSummary) -> list[str]:
    if not done.problems:
        return []
    number = max(len(count(one)) for one in done.problems.values())
    total = sum(done.problems.values())
    where = ", ".join(f"{line:,}" for line, _ in done.first_problems)
    return [
        "",
        f"  {count(total, 'line')} that cannot be used",
        *(f"    {count(one):>{number}}  {what}" for what, one in done.problems.items()),
        _cut(f"    first at line {where}" + (", …" if total > len(done.first_problems) else "")),
    ]


def _finding(label: str, found: Finding) -> list[_Row]:
    return [(label, count(found.count), "  ".join(found.examples))] if found.count else []


def _findings(title: str, findings: Mapping[str, Finding]) -> list[_Row]:
    rows = [row for kind, found in findings.items() for row in _finding(f"  {kind}", found)]
    return [(title, "", ""), *rows] if rows else []


def _known(match: KnownMatch, unmatched_file: str | None) -> list[str]:
    file = "" if unmatched_file is None else f"written to {unmatched_file}"
    return [
        "",
        "  beside the known ids",
        *_table(
            [
                ("  known ids", count(match.known), ""),
                ("  on the list and known", count(match.matched), _percent(match.percent)),
                ("  on the list only", count(match.unmatched), file),
                *_if_any("    known but for their form", match.near),
                *_if_any("  rows that cannot be read", match.unusable_rows),
            ]
        ),
    ]


def _against(done: ListComparison, source: str) -> list[str]:
    moved = done.drift_percent.items()
    drift = [(f"  {what}", share) for what, share in moved if share >= _WORTH_TELLING]
    return [
        "",
        f"  against {source}",
        *_table(
            [
                ("  users there", count(done.old), ""),
                ("  kept", count(done.kept), _percent(done.kept_percent)),
                ("  removed", count(done.removed), ""),
                ("  added", count(done.added), ""),
                *_if_any("    old but for their form", done.near),
                ("  in both, of all", "", _percent(done.jaccard_percent)),
                *((f"{label} moved", "", _percent(share)) for label, share in drift),
                *_beginnings(done),
            ]
        ),
    ]


def _beginnings(done: ListComparison) -> Iterable[_Row]:
    """Common prefixes whose share changed most, when any did."""
    old, new = _shares(done.old_shapes), _shares(done.new_shapes)
    change = {one: new.get(one, 0.0) - old.get(one, 0.0) for one in old.keys() | new.keys()}
    for one in sorted(change, key=lambda one: (-abs(change[one]), one))[:3]:
        if abs(change[one]) >= _WORTH_TELLING:
            share = f"{_percent(old.get(one, 0.0))} → {_percent(new.get(one, 0.0))}"
            yield f"    {one}…", "", share


def _shares(shapes: IdShapes) -> dict[str, float]:
    return {one: 100 * number / shapes.ids for one, number in shapes.prefixes.items()}


def _if_any(label: str, number: int) -> list[_Row]:
    return [(label, count(number), "")] if number else []


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1f}%" if share in (0.0, 100.0) else f"{share:.2f}%"


def _format(done: CheckSummary) -> str:
    name = "JSON Lines" if done.format == "jsonl" else "CSV"
    legacy = f", {count(done.legacy_lines, 'line')} with the older name user_id"
    return name + (legacy if done.legacy_lines else "")


def _units(number: int) -> str:
    return f"{number / 10**6:,.2f} MB = {number / 2**20:,.2f} MiB"


def _table(rows: list[_Row]) -> list[str]:
    """Labels, numbers flush right, then what is worth saying about them, cut at the edge."""
    label = max(len(one) for one, _, _ in rows)
    number = max(len(one) for _, one, _ in rows)
    return [
        _cut(f"  {first:<{label}}  {second:>{number}}  {third}".rstrip())
        for first, second, third in rows
    ]


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1].rstrip() + "…"
