"""Who has which user id: the values of one custom field beside the addresses of the contacts.

Strategy: the API has no such listing, so two are read side by side, both ordered by contact, and
merged; memory is that of two pages. Pages are cut by offset, and rows come and go while they are
read. Each page therefore begins with the last row of the one before: where that row is missing,
something before it went away, and reading steps back until it is found. Rows seen already are
passed over. So a row that was there all the time is given exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, TypeAlias

from pipeline.deliver.smartemailing_api import Page, SmartEmailing
from pipeline.errors import RemoteError
from pipeline.limits import MAX_ID_CHARS, SMARTEMAILING_PAGE
from pipeline.records import RESERVED_ID

__all__ = ["IdCounts", "KnownContact", "iter_contacts", "iter_listing"]

_Key: TypeAlias = tuple[int, ...]
# Pages in a row with nothing new: as many rows nobody inserts while they are asked for.
_MOST_STALE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContact:
    """One contact whose custom field holds a user id."""

    user_id: str
    email: str
    contact_id: int


@dataclass(slots=True)
class IdCounts:
    """How many values of the field were read, and why some are no line of the result."""

    values: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


async def iter_contacts(
    service: SmartEmailing, field_id: int, counts: IdCounts
) -> AsyncIterator[KnownContact]:
    """Contacts with a user id in the custom field `field_id`, ordered by contact.

    Raises:
        RemoteError: the listings are not in the order asked for, or do not go on.
    """
    contacts = iter_listing(service.contacts_page, lambda row: (_number(row, "id"),))
    contact = await anext(contacts, None)

    async def values_page(offset: int) -> Page:
        return await service.values_page(field_id, offset)

    by_contact = iter_listing(
        values_page, lambda row: (_number(row, "contact_id"), _number(row, "id"))
    )
    async for row in by_contact:
        counts.values += 1
        user_id, number = row.get("value"), row["contact_id"]
        reason = _id_problem(user_id)
        if reason is None:
            while contact is not None and contact["id"] < number:
                contact = await anext(contacts, None)
            reason = _contact_problem(contact, number)
        if reason is not None:
            counts.left_out[reason] += 1
        else:
            email = None if contact is None else contact.get("emailaddress")
            if not isinstance(email, str) or not isinstance(user_id, str):
                raise _strange("a contact without an address")
            yield KnownContact(user_id=user_id, email=email, contact_id=number)


def _id_problem(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        return "not text"
    if value is None or not value.strip():
        return "blank"
    if value == RESERVED_ID:
        return "id of the default set"
    return "id too long" if len(value) > MAX_ID_CHARS else None


def _contact_problem(contact: dict[str, Any] | None, number: int) -> str | None:
    if contact is None or contact["id"] != number:
        return "contact gone meanwhile"
    return "contact blacklisted" if contact.get("blacklisted") else None


async def iter_listing(
    fetch_page: Callable[[int], Awaitable[Page]], key: Callable[[dict[str, Any]], _Key]
) -> AsyncIterator[dict[str, Any]]:
    """Every row of a listing once, in its order, though rows come and go meanwhile.

    Args:
        fetch_page: The page that begins at an offset.
        key: What the listing is ordered by, ascending and without equals.

    Raises:
        RemoteError: another order, or pages that repeat for ever.
    """
    offset, last = 0, None
    back = stale = 0
    while True:
        page = await fetch_page(offset)
        keys = [key(row) for row in page.rows]
        if any(one >= other for one, other in pairwise(keys)):
            raise _strange("a listing in another order than asked for")
        if last is not None and offset > 0 and (not keys or keys[0] > last):
            back = min(max(2 * back, 1), SMARTEMAILING_PAGE - 1)
            offset = max(offset - back, 0)
            continue
        back = 0
        fresh = [
            row for row, one in zip(page.rows, keys, strict=True) if last is None or one > last
        ]
        for row in fresh:
            yield row
        if fresh:
            last = keys[-1]
        stale = 0 if fresh else stale + 1
        end = offset + len(page.rows)
        if end >= page.total if page.total is not None else not fresh:
            return
        if not page.rows or stale >= _MOST_STALE:
            raise _strange("pages that do not go on")
        offset = end - 1 if len(page.rows) > 1 else end


def _number(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int):
        raise _strange(f"a row without {name}")
    return value


def _strange(what: str) -> RemoteError:
    return RemoteError(
        f"the service gave {what}",
        source="SmartEmailing",
        remedy="run the command again; if it happens again, the API has changed",
    )
