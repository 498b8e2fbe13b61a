"""What keeps a push to SmartEmailing from going on, or from counting as done. Pure."""

from __future__ import annotations

from pipeline.errors import BatchpubError, GuardError, InputError, UncertainError
from pipeline.guards.budget import over_budget

__all__ = ["judge_push", "refuse_empty_push"]


def refuse_empty_push(*, rows: int, users: int, contacts: int, source: object) -> GuardError | None:
    """Nothing to send: the ids of the one file are not those of the other, or a file is empty."""
    if rows:
        return None
    return GuardError(
        "there is nothing to send: no contact has recommendations",
        source=source,
        actual=f"{users:,} users, {contacts:,} contacts",
        remedy="check that --contacts holds the ids that were uploaded, and its columns",
    )


def judge_push(
    *,
    unknown: int,
    rejected: int,
    contacts: int,
    limit: tuple[float, bool],
    source: object,
) -> BatchpubError | None:
    """A push that came to its end and is no success all the same.

    Args:
        unknown: Contacts that were sent and never confirmed.
        rejected: Contacts that are none, or that the service refused.
        contacts: Contacts in all.
        limit: (share of contacts, True) or (number, False) that may be rejected.
        source: The service.
    """
    if unknown:
        return UncertainError(
            f"{unknown:,} contacts were sent and not confirmed; all others are settled",
            source=source,
            remedy="run the same command again: it sends these again, which does no harm",
        )
    over = over_budget(rejected, rows=contacts, limit=limit)
    if over is None:
        return None
    return InputError(
        f"{rejected:,} of {contacts:,} contacts were not taken; all others are in the account",
        source=source,
        limit=over[0],
        actual=over[1],
        remedy="see the file of --rejects and mend the contacts, or raise --max-rejects",
    )
