"""One SmartEmailing account in memory: custom fields, contacts, values, and what an import does.

Pure but for its own state; `smartemailing` puts HTTP around it. Facts are those of api.md §5. What
is not documented it decides thus, and so may the real service not: an address is one that looks
like one; 64 KB are 64,000 bytes of UTF-8; an import is applied whole or not at all; an address
given twice in one import is one contact and keeps the last values; letter case does not tell
contacts apart; a wrong parameter is 422.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["MAX_IMPORT", "MAX_PAGE", "MAX_VALUE", "Account", "RefusedError"]

MAX_PAGE: Final = 500
MAX_IMPORT: Final = 500
MAX_VALUE: Final = 64_000
_TYPES: Final = ("text", "textarea", "date", "checkbox", "radio", "select")
_STATUSES: Final = ("confirmed", "unsubscribed", "removed")
_CONTACT_FIELDS: Final = ("id", "language", "blacklisted", "emailaddress", "name", "surname")
_VALUE_FIELDS: Final = ("id", "contact_id", "customfield_id", "value", "customfield_options_id")
_FIELD_FIELDS: Final = ("id", "name", "type")
_PAGING: Final = ("limit", "offset", "select", "sort", "expand")
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_Row = dict[str, Any]


class RefusedError(ValueError):
    """A request that is answered with 422; the text is the message of the answer."""


@dataclass(slots=True)
class _Contact:
    fields: _Row
    lists: dict[int, str] = field(default_factory=dict)
    values: dict[int, tuple[int, str]] = field(default_factory=dict)

    def as_row(self) -> _Row:
        number = self.fields["id"]
        lists = [
            {"id": one, "contact_id": number, "contactlist_id": one, "status": status}
            for one, status in sorted(self.lists.items())
        ]
        return self.fields | {
            "customfields_url": f"/api/v3/contact-customfields?contact_id={number}",
            "contactlists": lists,
        }


class Account:
    """What one account holds; every change of it is one call."""

    def __init__(self, account_id: int = 4711) -> None:
        self.account_id = account_id
        self.customfields: dict[int, _Row] = {}
        self._contacts: dict[int, _Contact] = {}
        self._by_address: dict[str, _Contact] = {}
        self._next_contact = 1
        self._next_value = 1
        # Rows of the last listing: whoever pages through it asks for the same ones again.
        self._listed: tuple[object, list[_Row]] | None = None

    def add_customfield(self, name: object, kind: object, number: int | None = None) -> _Row:
        """Make a custom field."""
        if not isinstance(name, str) or not name or kind not in _TYPES:
            raise RefusedError("a custom field needs a name and a type")
        number = max(self.customfields, default=0) + 1 if number is None else number
        row = {"id": number, "name": name, "type": kind}
        self.customfields[number] = row
        self._listed = None
        return row

    def remove_contact(self, number: int) -> bool:
        """Forget a contact; whether there was one."""
        found = self._contacts.pop(number, None)
        self._listed = None
        if found is None:
            return False
        del self._by_address[found.fields["emailaddress"].lower()]
        return True

    @property
    def size(self) -> int:
        """How many contacts there are."""
        return len(self._contacts)

    def as_dict(self) -> _Row:
        """All of it, for whoever looks: contacts by address with their values by field."""
        return {
            "customfields": list(self.customfields.values()),
            "contacts": {
                one.fields["emailaddress"]: one.fields
                | {
                    "contactlists": {str(key): value for key, value in one.lists.items()},
                    "customfields": {str(key): value for key, (_, value) in one.values.items()},
                }
                for one in self._contacts.values()
            },
        }

    def list_customfields(self, query: Mapping[str, str]) -> tuple[list[_Row], _Row]:
        """Page of the custom fields, and its meta data."""
        return self._page(query, lambda: list(self.customfields.values()), _FIELD_FIELDS, ())

    def list_contacts(self, query: Mapping[str, str]) -> tuple[list[_Row], _Row]:
        """Page of the contacts, and its meta data."""
        extra = ("customfields_url", "contactlists")
        return self._page(
            query,
            lambda: [one.as_row() for one in self._contacts.values()],
            _CONTACT_FIELDS,
            extra,
        )

    def list_values(self, query: Mapping[str, str]) -> tuple[list[_Row], _Row]:
        """Page of the custom field values, and its meta data."""

        def rows() -> list[_Row]:
            return [
                {
                    "id": value_id,
                    "contact_id": number,
                    "customfield_id": customfield,
                    "value": value,
                    "customfield_options_id": None,
                }
                for number, contact in self._contacts.items()
                for customfield, (value_id, value) in contact.values.items()
            ]

        return self._page(query, rows, _VALUE_FIELDS, ())

    def import_contacts(self, body: object) -> list[_Row]:
        """Apply an import, whole or not at all; its ``contacts_map``."""
        if not isinstance(body, dict):
            raise RefusedError("the body is not an object")
        settings, data = body.get("settings", {}), body.get("data")
        if not isinstance(settings, dict) or not isinstance(data, list):
            raise RefusedError("settings must be an object and data a list")
        if not 1 <= len(data) <= MAX_IMPORT:
            raise RefusedError(f"data must hold 1 to {MAX_IMPORT} contacts")
        skip = bool(settings.get("skip_invalid_emails", False))
        taken = []
        for place, row in enumerate(data):
            if not isinstance(row, dict):
                raise RefusedError(f"data.{place} is not an object")
            if not _is_address(row.get("emailaddress")):
                if skip:
                    continue
                raise RefusedError(f"data.{place}.emailaddress is not a valid e-mail address")
            self._check(place, row)
            taken.append(row)
        if settings.get("double_opt_in_settings"):
            return []
        self._listed = None
        update = bool(settings.get("update", True))
        preserve = bool(settings.get("preserve_unsubscribed", True))
        return [self._apply(row, update=update, preserve=preserve) for row in taken]

    def _check(self, place: int, row: _Row) -> None:
        values, lists = row.get("customfields", []), row.get("contactlists", [])
        if not isinstance(values, list) or not isinstance(lists, list):
            raise RefusedError(f"data.{place}: customfields and contactlists are lists")
        for one in values:
            if not isinstance(one, dict) or one.get("id") not in self.customfields:
                raise RefusedError(f"data.{place}: no such custom field")
            value = one.get("value")
            if not isinstance(value, str):
                raise RefusedError(f"data.{place}: the value of a custom field is a string")
            if len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE:
                raise RefusedError(f"data.{place}: a value is larger than {MAX_VALUE} bytes")
        for one in lists:
            if not isinstance(one, dict) or one.get("status") not in _STATUSES:
                raise RefusedError(f"data.{place}: no such status in a contact list")

    def _apply(self, row: _Row, *, update: bool, preserve: bool) -> _Row:
        address = row["emailaddress"]
        contact = self._by_address.get(address.lower())
        if contact is None:
            contact = _Contact(
                {
                    "id": self._next_contact,
                    "language": "en_US",
                    "blacklisted": 0,
                    "emailaddress": address,
                    "name": None,
                    "surname": None,
                }
            )
            self._next_contact += 1
            self._contacts[contact.fields["id"]] = contact
            self._by_address[address.lower()] = contact
            update = True
        if update:
            for name in ("language", "name", "surname", "blacklisted"):
                if name in row:
                    contact.fields[name] = row[name]
            for one in row.get("customfields", []):
                number = contact.values.get(one["id"], (self._next_value, ""))[0]
                self._next_value += number == self._next_value
                contact.values[one["id"]] = (number, one["value"])
        for one in row.get("contactlists", []):
            if not (preserve and contact.lists.get(one["id"]) == "unsubscribed"):
                contact.lists[one["id"]] = one["status"]
        return {
            "emailaddress": contact.fields["emailaddress"],
            "contact_id": contact.fields["id"],
        }

    def _page(
        self,
        query: Mapping[str, str],
        rows: Callable[[], list[_Row]],
        names: Sequence[str],
        extra: Sequence[str],
    ) -> tuple[list[_Row], _Row]:
        limit = _number(query, "limit", MAX_PAGE, low=1, high=MAX_PAGE)
        offset = _number(query, "offset", 0, low=0, high=2**62)
        selected = _names(query, "select", names)
        order = [(one.lstrip("-"), one.startswith("-")) for one in _names(query, "sort", names)]
        filters = {name: text for name, text in query.items() if name not in _PAGING}
        if unknown := sorted(set(filters) - set(names)):
            raise RefusedError(f"unknown parameter: {', '.join(unknown)}")
        key = (tuple(names), tuple(order), tuple(sorted(filters.items())))
        if self._listed is None or self._listed[0] != key:
            found = [
                row
                for row in rows()
                if all(_matches(row[name], text) for name, text in filters.items())
            ]
            for name, descending in reversed(order):
                found.sort(key=lambda row: (row[name] is not None, row[name]), reverse=descending)
            self._listed = (key, found)
        every = self._listed[1]
        page = every[offset : offset + limit]
        if selected:
            page = [{name: row[name] for name in selected} for row in page]
        else:
            page = [{name: row[name] for name in (*names, *extra)} for row in page]
        meta = {
            "total_count": len(every),
            "displayed_count": len(page),
            "offset": offset,
            "limit": limit,
        }
        return page, meta


def _matches(value: Any, text: str) -> bool:
    return value is not None and str(value) == text


def _is_address(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= 254
        and len(value.partition("@")[0]) <= 64
        and _ADDRESS.fullmatch(value) is not None
    )


def _number(query: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise RefusedError(f"{name} must be a number from {low} to {high}")
    return int(text)


def _names(query: Mapping[str, str], parameter: str, known: Sequence[str]) -> list[str]:
    names = [one for one in query.get(parameter, "").split(",") if one]
    for one in names:
        plain = one.removeprefix("-") if parameter == "sort" else one
        if plain not in known:
            raise RefusedError(f"{parameter} knows no {one}")
    return names
