"""SmartEmailing's API v3 as typed calls: what is asked for, and what an answer may look like.

Everything known about it is second-hand (api.md §5), so answers are checked, not trusted: what is
not the documented envelope is an error that says so. A caller of HTTP is handed in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from pipeline.deliver.caller import JsonCaller
from pipeline.errors import ConfigurationError, RemoteError
from pipeline.limits import SMARTEMAILING_PAGE
from pipeline.settings import Secret
from pipeline.wire.answer import safe_text
from pipeline.wire.json_message import JsonAnswer, JsonRequest

__all__ = [
    "REMEDIES",
    "CustomField",
    "Page",
    "Refused",
    "SmartEmailing",
    "explain_refusal",
    "headers",
]

_SOURCE: Final = "SmartEmailing"
_REMEDY: Final = "check --smartemailing-url; if it is right, the API has changed"
REMEDIES: Final[Mapping[int, str]] = {
    401: "check --smartemailing-user and BATCHPUB_SMARTEMAILING_KEY",
    403: "check what the account and its API key are allowed to do",
    404: "check --smartemailing-url",
    413: "lower --batch-size",
}
"""What the user can do about a status that refuses."""

# A refusal of these may quote what was sent, which is people's data.
_QUOTING: Final = frozenset({400, 409, 413, 422})
_TEXT_TYPES: Final = ("text", "textarea")


def headers(user: str, key: Secret) -> dict[str, str | Secret]:
    """The headers of every request: HTTP Basic with user name and API key."""
    login = base64.b64encode(f"{user}:{key.reveal()}".encode()).decode()
    return {
        "Authorization": Secret(f"Basic {login}"),
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def explain_refusal(body: bytes, status: int, method: str) -> bytes:
    """What may be shown of a refusal: nothing where it may quote what was sent."""
    return b"" if method != "GET" and status in _QUOTING else _message(body)


def _message(body: bytes) -> bytes:
    try:
        said = orjson.loads(body)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body
    return said.encode("utf-8", "replace") if isinstance(said, str) else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A custom field; `kind` is ``text``, ``textarea``, ``date`` or one with options."""

    id: int
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page, and how many rows there are in all; None where that is not said."""

    rows: list[dict[str, Any]]
    total: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The service took nothing of an import; what it said."""

    said: str


class SmartEmailing:
    """The calls we need. Each raises what its caller raises, and RemoteError for a strange answer.

    Args:
        caller: Speaks HTTP with the account's login; its base address ends in ``/api/v3``.
    """

    def __init__(self, caller: JsonCaller) -> None:
        self._caller = caller

    async def check_credentials(self) -> int | None:
        """Whether the service is there and knows the login: the account's number, where it says.

        Raises:
            RemoteError: it does not (401).
        """
        await self._get("/ping", {})
        account = (await self._get("/check-credentials", {})).get("account_id")
        return account if isinstance(account, int) else None

    async def find_field(self, name_or_id: str, *, option: str) -> CustomField:
        """The custom field with that number, or else with that name.

        Args:
            name_or_id: Digits are a number; anything else is a name, exactly.
            option: Where it came from, for the error.

        Raises:
            ConfigurationError: there is none, or several have that name.
        """
        fields = [_field(row) for row in await self._all_fields()]
        if name_or_id.isascii() and name_or_id.isdigit():
            found = [one for one in fields if one.id == int(name_or_id)]
        else:
            found = [one for one in fields if one.name == name_or_id]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(one.id) for one in found)
            raise ConfigurationError(
                f"{len(found)} custom fields have this name",
                source=option,
                actual=name_or_id,
                remedy=f"give its number: one of {numbers}",
            )
        known = ", ".join(f"{one.name} ({one.id})" for one in fields[:10])
        more = f" and {len(fields) - 10} more" if len(fields) > 10 else ""
        raise ConfigurationError(
            "no such custom field in the account",
            source=option,
            actual=name_or_id,
            remedy=f"the fields are {known}{more}" if fields else "the account has none: make one",
        )

    async def find_text_field(self, name_or_id: str, *, option: str) -> CustomField:
        """`find_field`, for a field that holds free text.

        Raises:
            ConfigurationError: it is of another type.
        """
        found = await self.find_field(name_or_id, option=option)
        if found.kind not in _TEXT_TYPES:
            raise ConfigurationError(
                f"the custom field {found.name} holds no free text",
                source=option,
                limit=" or ".join(_TEXT_TYPES),
                actual=found.kind,
                remedy="name another field, or make one of type textarea",
            )
        return found

    async def values_page(self, field: int, offset: int) -> Page:
        """Values of one custom field: ``id``, ``contact_id``, ``value``; by contact, then by id."""
        return await self._page(
            "/contact-customfields",
            {"customfield_id": field, "select": "id,contact_id,value", "sort": "contact_id,id"},
            offset,
        )

    async def contacts_page(self, offset: int) -> Page:
        """Contacts: ``id``, ``emailaddress``, ``blacklisted``; by id."""
        return await self._page(
            "/contacts", {"select": "id,emailaddress,blacklisted", "sort": "id"}, offset
        )

    async def import_contacts(
        self, rows: Sequence[tuple[str, str]], *, field: int
    ) -> list[str] | Refused:
        """Set one custom field of contacts; whoever is not there yet becomes a contact.

        No list and no subscription is touched: the rows name none, and what is unsubscribed stays
        so. Sending the same rows again changes nothing.

        Args:
            rows: Address and value, at most 500.
            field: Number of the custom field.

        Returns:
            The addresses the service says it has taken, in lower case; or that it refused all
            of them because of one (422).
        """
        request = JsonRequest(
            method="POST",
            target="/import",
            body=import_body(rows, field=field),
            expected=frozenset({422}),
        )
        answer = await self._caller.call(request)
        if answer.status == 422:
            return Refused(_said(answer.value))
        taken = _envelope(answer).get("contacts_map")
        if not isinstance(taken, list):
            raise _strange("an import without its contacts")
        addresses = (one.get("emailaddress") for one in taken if isinstance(one, dict))
        return [one.lower() for one in addresses if isinstance(one, str)]

    async def _all_fields(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = await self._page("/customfields", {"sort": "id"}, len(rows))
            rows += page.rows
            if not page.rows or page.total is None or len(rows) >= page.total:
                return rows

    async def _page(self, path: str, query: Mapping[str, object], offset: int) -> Page:
        answer = await self._get(
            path, {**query, "limit": SMARTEMAILING_PAGE, "offset": offset} if query else {}
        )
        rows, meta = answer.get("data"), answer.get("meta")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _strange("a page without rows")
        total = meta.get("total_count") if isinstance(meta, dict) else None
        return Page(rows, total if isinstance(total, int) else None)

    async def _get(self, path: str, query: Mapping[str, object]) -> dict[str, Any]:
        target = f"{path}?{urlencode(query, safe=',')}" if query else path
        return _envelope(await self._caller.call(JsonRequest(method="GET", target=target)))


def import_body(rows: Sequence[tuple[str, str]], *, field: int) -> bytes:
    """The JSON of an import that sets one custom field and touches nothing else.

    Args:
        rows: Address and value.
        field: Number of the custom field.
    """
    return orjson.dumps(
        {
            # Each is said, because what the service does by default may change.
            "settings": {
                "update": True,
                "preserve_unsubscribed": True,
                "skip_invalid_emails": False,
                "add_namedays": False,
                "add_genders": False,
                "add_salutions": False,
            },
            "data": [
                {"emailaddress": address, "customfields": [{"id": field, "value": value}]}
                for address, value in rows
            ],
        }
    )


def _envelope(answer: JsonAnswer) -> dict[str, Any]:
    """The answer's object, when it says that all went well: an error may come with status 200."""
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        raise _strange("an answer without a status")
    if value["status"] not in {"ok", "created"}:
        said = _said(value)
        raise RemoteError(
            f"the service refused ({answer.status})" + (f'; it said "{said}"' if said else ""),
            source=_SOURCE,
        )
    return value


def _said(value: object) -> str:
    """The message of an envelope, short and without anybody's address."""
    message = value.get("message") if isinstance(value, dict) else None
    return safe_text(message.encode("utf-8", "replace")) if isinstance(message, str) else ""


def _field(row: Mapping[str, Any]) -> CustomField:
    number, name, kind = row.get("id"), row.get("name"), row.get("type")
    if not isinstance(number, int) or not isinstance(name, str) or not isinstance(kind, str):
        raise _strange("a custom field without id, name or type")
    return CustomField(id=number, name=name, kind=kind)


def _strange(what: str) -> RemoteError:
    return RemoteError(f"the service gave {what}", source=_SOURCE, remedy=_REMEDY)
