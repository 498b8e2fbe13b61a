"""How many rows may be lost: a share of all, or a number. Pure."""

from __future__ import annotations

__all__ = ["over_budget"]


def over_budget(rejected: int, *, rows: int, limit: tuple[float, bool]) -> tuple[str, str] | None:
    """Limit and actual as an error tells them, where more than `limit` are rejected.

    Args:
        rejected: Rows that were not taken.
        rows: Rows in all.
        limit: (share of rows, True) or (number, False), as `parse_share` gives it.
    """
    most, is_share = limit
    if rejected <= (most * rows if is_share else most):
        return None
    if is_share:
        return f"{most * 100:g}%", f"{rejected / max(rows, 1):.2%}"
    return f"{most:,.0f}", f"{rejected:,}"
