"""Users of an export as rows of an import: whose address, which value, who is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.deliver.contact_book import ContactBook
from pipeline.deliver.smartemailing_push import Row
from pipeline.deliver.smartemailing_values import FieldValues
from pipeline.records import RESERVED_ID, UserRecommendations

__all__ = ["RowCounts", "RowMaker"]

TOO_LARGE: Final = "recommendations too large"


@dataclass(slots=True)
class RowCounts:
    """What became of users and contacts on the way to an import.

    too_large: contacts for whom not even one item fits the field
    """

    users: int = 0
    rows: int = 0
    too_large: int = 0
    without_contact: int = 0
    repeated_users: int = 0
    items: int = 0
    cut_items: int = 0
    cut_contacts: int = 0
    has_default: bool = False


class RowMaker:
    """Goes through the users of an export once.

    Args:
        book: Who has which address.
        values: Makes what stands in the field.
        on_too_large: Told the row of a contact that is left out for its size.
    """

    def __init__(
        self,
        book: ContactBook,
        values: FieldValues,
        *,
        on_too_large: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._book, self._values, self._on_too_large = book, values, on_too_large
        self._done = bytearray(len(book))
        self.counts = RowCounts()

    def rows(self, users: Iterable[UserRecommendations]) -> Iterator[Row]:
        """The rows to import, in the order of the users; the same in, the same out.

        A contact is given once: of a user who comes twice, the first counts.
        """
        counts = self.counts
        for user in users:
            if user["auth_user_id"] == RESERVED_ID:
                counts.has_default = True
                continue
            counts.users += 1
            contacts = self._book.find(user["auth_user_id"])
            if not contacts:
                counts.without_contact += 1
                continue
            if self._done[contacts[0].number]:
                counts.repeated_users += 1
                continue
            value = self._values.make(_items(user))
            if value.text is None and not value.cut_items:
                continue
            for contact in contacts:
                self._done[contact.number] = 1
                if value.text is None:
                    counts.too_large += 1
                    self._on_too_large(contact.row)
                    continue
                counts.rows += 1
                counts.items += value.items
                counts.cut_items += value.cut_items
                counts.cut_contacts += value.cut_items > 0
                yield Row(contact.row, contact.email, value.text)


def _items(user: UserRecommendations) -> dict[str, list[dict[str, Any]]]:
    items: dict[str, list[dict[str, Any]]] = {}
    for block in user["recommendations"]:
        items.setdefault(block["recommendation_type"], []).extend(block["results"])
    return items
