"""Verdicts on extracts and on the list made of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.errors import GuardError, InputError
from pipeline.guards.budget import over_budget

__all__ = [
    "refuse_blank_suppression",
    "refuse_empty_list",
    "refuse_overflow",
    "refuse_rejects",
    "refuse_row_count",
    "refuse_short_list",
    "refuse_stale_suppression",
    "refuse_unusable_suppression",
]


def refuse_empty_list(*, users: int, source: object) -> GuardError | None:
    """An empty list would erase every user stored for the tracker (hazards H1)."""
    if users > 0:
        return None
    return GuardError(
        "the list holds no users; uploading it would erase the whole audience",
        source=source,
        limit="at least 1 user",
        actual=0,
        remedy="check the extract, the activity window and the suppression lists",
    )


def refuse_short_list(*, users: int, min_users: int, source: object) -> GuardError | None:
    """Fewer users than the caller knows there must be; never an empty list."""
    if users < 1:
        return refuse_empty_list(users=users, source=source)
    if users >= min_users:
        return None
    return GuardError(
        "the list is too short",
        source=source,
        limit=f"at least {min_users:,} users",
        actual=f"{users:,}",
        remedy="check the extract, or lower --min-users",
    )


def refuse_rejects(
    rejects: Mapping[str, int],
    *,
    rows: int,
    limit: tuple[float, bool],
    source: object,
    first_row: int | None,
) -> InputError | None:
    """More unusable rows than the budget; `limit` is (share of rows, True) or (number, False).

    `source` and `first_row` are where the first of them is.
    """
    total = sum(rejects.values())
    over = over_budget(total, rows=rows, limit=limit)
    if over is None:
        return None
    listed = ", ".join(f"{n:,} {reason}" for reason, n in sorted(rejects.items(), key=_by_count))
    return InputError(
        f"{total:,} of {rows:,} rows cannot be used: {listed}",
        source=source,
        position=None if first_row is None else f"first at row {first_row:,}",
        limit=over[0],
        actual=over[1],
        remedy=(
            "mend the extract, or say --quote '' if quotes mean nothing in it"
            if rejects.get("unbalanced quote", 0) > total / 2
            else "mend the extract, or raise --max-rejects"
        ),
    )


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def refuse_overflow(
    *, users: int, fitting: int, needed: int, max_bytes: int, as_csv: int, source: object
) -> GuardError | None:
    """More users than fit under the limit, and nobody said whom to leave out."""
    if fitting >= users:
        return None
    way_out = (
        f"--format csv takes about {as_csv:,} bytes and fits"
        if as_csv <= max_bytes and as_csv < needed
        else f"as CSV it would still take about {as_csv:,} bytes"
    )
    return GuardError(
        f"{users:,} users do not fit on the list, {fitting:,} do",
        source=source,
        limit=f"{max_bytes:,} bytes",
        actual=f"{needed:,}",
        remedy=f"{way_out}; or keep the most recently active with --on-overflow keep-recent",
    )


def refuse_row_count(*, rows: int, expected: int | None, source: object) -> InputError | None:
    """Another number of rows than the caller knows the extracts to have."""
    if expected is None or rows == expected:
        return None
    return InputError(
        "the extracts do not hold the expected number of rows",
        source=source,
        limit=f"exactly {expected:,} rows",
        actual=f"{rows:,}",
        remedy="check that the extracts are complete, or correct --expect-rows",
    )


def refuse_stale_suppression(
    *, age_s: float | None, max_age_s: float | None, source: object
) -> GuardError | None:
    """A suppression list that nobody renewed misses who has said no since."""
    if max_age_s is None or (age_s is not None and age_s <= max_age_s):
        return None
    return GuardError(
        "the suppression list is too old",
        source=source,
        limit=f"{max_age_s / 3600:,.1f} h",
        actual="unknown" if age_s is None else f"{age_s / 3600:,.1f} h",
        remedy="renew it, or raise --suppress-max-age",
    )


def refuse_blank_suppression(
    *, blank: int, rows: int, limit: tuple[float, bool], source: object, first_row: int | None
) -> InputError | None:
    """More opt-outs of nobody than the budget for rejects; `limit` is as for `refuse_rejects`.

    A person without an id cannot be on the list, so a few such rows are harmless; many mean that
    the export lost its ids, and with them opt-outs.
    """
    if blank <= (limit[0] * rows if limit[1] else limit[0]):
        return None
    return InputError(
        f"{blank:,} of {rows:,} rows of the suppression list name nobody: their id is blank, a"
        " null word or no id",
        source=source,
        position=None if first_row is None else f"first at row {first_row:,}",
        limit=f"{limit[0] * 100:g}%" if limit[1] else f"{limit[0]:,.0f}",
        actual=f"{blank:,}" if not limit[1] else f"{blank / max(rows, 1):.2%}",
        remedy="check the export that wrote it and --suppress-column, or raise --max-rejects",
    )


def refuse_unusable_suppression(
    unusable: Mapping[str, int], *, opt_outs: int, source: object
) -> InputError | None:
    """A suppression list with lost rows, or with none: each is mail to someone who said no."""
    if unusable:
        listed = ", ".join(
            f"{n:,} {reason}" for reason, n in sorted(unusable.items(), key=_by_count)
        )
        return InputError(
            f"{sum(unusable.values()):,} rows of the suppression list cannot be read: {listed}",
            source=source,
            remedy="mend the file: every opt-out counts",
        )
    if opt_outs:
        return None
    return InputError(
        "the suppression list holds no ids",
        source=source,
        remedy="check the export that wrote it, or leave out --suppress",
    )
