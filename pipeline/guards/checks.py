"""Verdicts on a list before it is sent: what `check` ends with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.errors import GuardError, InputError

__all__ = [
    "refuse_low_match",
    "refuse_oversize_list",
    "refuse_problem_lines",
    "refuse_wrong_receipt",
]

TOO_LARGE: Final = (
    "prepare it again with --on-overflow keep-recent or --format csv;"
    " where the vendor has agreed to more, set --max-bytes"
)


def refuse_problem_lines(
    problems: Mapping[str, int], *, lines: int, first_line: int | None, source: object
) -> InputError | None:
    """Lines that are no user; what the vendor does with them is not documented."""
    total = sum(problems.values())
    if not total:
        return None
    kinds = sorted(problems, key=lambda kind: (-problems[kind], kind))
    what = ", ".join(kinds[:3]) + (f" and {len(kinds) - 3} more kinds" if kinds[3:] else "")
    return InputError(
        f"{total:,} of {lines:,} lines cannot be used: {what}",
        source=source,
        position=None if first_line is None else f"first at line {first_line:,}",
        remedy="make the list with batchpub prepare",
    )


def refuse_wrong_receipt(*, receipt: str, source: object) -> InputError | None:
    """A receipt that is not true of its list stops the upload; better to know now."""
    if receipt in ("true", "none"):
        return None
    return InputError(
        "the list is not what its receipt says"
        if receipt == "differs"
        else "the receipt is damaged or was written by another version",
        source=source,
        remedy="prepare the list again, or remove the receipt to vouch for the list as it is",
    )


def refuse_oversize_list(*, bytes_: int, max_bytes: int, source: object) -> GuardError | None:
    """The vendor rejects a larger file, after minutes of sending it (api.md §1.2)."""
    if bytes_ <= max_bytes:
        return None
    return GuardError(
        "the list is over the size limit",
        source=source,
        limit=f"{max_bytes:,} bytes",
        actual=f"{bytes_:,}",
        remedy=TOO_LARGE,
    )


def refuse_low_match(
    *, matched: int, users: int, min_percent: float | None, source: object
) -> GuardError | None:
    """Ids that analytics has never seen get no recommendations."""
    if min_percent is None or matched * 100 >= min_percent * users:
        return None
    return GuardError(
        "too few users of the list are known",
        source=source,
        limit=f"{min_percent:g}% of {users:,}",
        actual=f"{100 * matched / users:.2f}%, {matched:,} users",
        remedy="check that both use the same ids (see the near matches), or lower --min-match",
    )
