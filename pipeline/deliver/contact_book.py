"""Who has which e-mail address, held in memory while recommendations stream past.

Some 370 bytes a contact: a million take 370 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from pipeline.deliver.contact_rows import ContactRows, contact_problems
from pipeline.deliver.mailbox import same_mailbox
from pipeline.extract.batch import Reject, Wanted
from pipeline.extract.places import Place, resolve_places
from pipeline.extract.reader import read_extracts

__all__ = ["Contact", "ContactBook", "read_contacts"]

GIVEN_AGAIN: Final = "address given again"
_NONE: Final = -1


class Contact(NamedTuple):
    """One contact: its number in the book, its row in the file, its address."""

    number: int
    row: int
    email: str


class ContactBook:
    """Contacts by user id. Several may have the same one; an address stands there once."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._next: array[int] = array("q")
        self._rows: array[int] = array("q")
        self._emails: list[str] = []
        self._mailboxes: set[str] = set()

    def __len__(self) -> int:
        return len(self._emails)

    def add(self, row: int, user_id: str, address: str) -> str | None:
        """Take in a contact; the reason where it is not taken."""
        mailbox = same_mailbox(address)
        if mailbox in self._mailboxes:
            return GIVEN_AGAIN
        self._mailboxes.add(mailbox)
        self._next.append(self._first.get(user_id, _NONE))
        self._first[user_id] = len(self._emails)
        self._rows.append(row)
        self._emails.append(address)
        return None

    def find(self, user_id: str) -> list[Contact]:
        """The contacts with that user id, in the order of the file."""
        found: list[Contact] = []
        place = self._first.get(user_id, _NONE)
        while place != _NONE:
            found.append(Contact(place, self._rows[place], self._emails[place]))
            place = self._next[place]
        return found[::-1]


def read_contacts(
    path: Path,
    *,
    id_column: str | None,
    email_column: str | None,
    on_reject: Callable[[Place, Sequence[Reject]], None],
    keep_values: bool = False,
) -> ContactBook:
    """The contacts of a file: CSV, JSONL, Parquet or Arrow.

    Args:
        path: The file.
        id_column: Column with the user id; None for the usual names.
        email_column: Column with the address; None for the usual names.
        on_reject: Told about rows that are no contact.
        keep_values: Whether rejects carry the refused value.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the file is missing, damaged or malformed.
    """

    rows = ContactRows(id_column, email_column)

    def pick(found: Sequence[str], source: object) -> Sequence[str]:
        return rows.pick(found, source=source)

    book = ContactBook()
    wanted = Wanted(id_column=None, active="no", keep_values=keep_values, pick=pick)
    for batch in read_extracts(resolve_places([path]), wanted):
        ids, addresses = pl.Series(batch.ids, dtype=pl.String), rows.addresses(batch)
        problems = contact_problems(ids, addresses, unusual_ids=True)
        rejects = list(batch.rejects)
        for at, (user_id, address) in enumerate(zip(ids, addresses, strict=True)):
            row = batch.row_number(at)
            reason = problems[at] or book.add(row, user_id, address)
            if reason is not None:
                rejects.append(Reject(row, reason, address if keep_values else None))
        if rejects:
            on_reject(batch.place, rejects)
    return book
