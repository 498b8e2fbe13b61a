"""Verdicts on exports. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.errors import GuardError

__all__ = [
    "refuse_few_users",
    "refuse_low_coverage",
    "refuse_missing_default",
    "refuse_old_export",
    "refuse_stale_export",
]


def refuse_few_users(*, users: int, min_users: int, source: object) -> GuardError | None:
    """An export with too few users would send most people the default set, or nothing."""
    if users >= min_users:
        return None
    return GuardError(
        "the export holds no users" if users == 0 else "the export holds too few users",
        source=source,
        limit=f"at least {min_users:,}",
        actual=users,
        remedy="wait until the vendor has finished, or lower --min-users",
    )


def refuse_missing_default(
    *, has_default: bool, required: bool, source: object
) -> GuardError | None:
    """Without the generic set, people who are not in the export get nothing."""
    if has_default or not required:
        return None
    return GuardError(
        "the export lacks the generic set, the user 'default'",
        source=source,
        remedy="ask the vendor for it, or leave out --require-default",
    )


def refuse_stale_export(
    *, age_s: float | None, max_age_s: float | None, source: object
) -> GuardError | None:
    """`age_s` is that of the newest readable updated_at; None where there is none."""
    if max_age_s is None or (age_s is not None and age_s <= max_age_s):
        return None
    if age_s is None:
        return GuardError(
            "the export says nowhere when it was made",
            source=source,
            remedy="leave out --max-age, or ask the vendor for updated_at",
        )
    return GuardError(
        "the export is too old",
        source=source,
        limit=f"{max_age_s / 3600:.1f} h",
        actual=f"{age_s / 3600:.1f} h",
        remedy="wait for the next export, or raise --max-age",
    )


def refuse_old_export(
    *, newest: datetime | None, newer_than: datetime | None, source: object
) -> GuardError | None:
    """`newest` is the newest readable updated_at; None where there is none."""
    if newer_than is None or (newest is not None and newest > newer_than):
        return None
    if newest is None:
        return GuardError(
            "the export says nowhere when it was made",
            source=source,
            remedy="leave out --newer-than, or ask the vendor for updated_at",
        )
    return GuardError(
        "the export is an old one",
        source=source,
        limit=f"newer than {_utc(newer_than)}",
        actual=_utc(newest),
        remedy="wait for the next export",
    )


def refuse_low_coverage(
    *, covered: int, uploaded: int, min_percent: float | None, source: object
) -> GuardError | None:
    """The export should hold nearly all users that were uploaded."""
    if min_percent is None or covered * 100 >= min_percent * uploaded:
        return None
    return GuardError(
        "the export holds too few of the users that were uploaded",
        source=source,
        limit=f"{min_percent:g}% of {uploaded:,}",
        actual=f"{100 * covered / uploaded:.2f}%, {covered:,} users",
        remedy="wait until the vendor has finished, check the list, or lower --min-coverage",
    )


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
