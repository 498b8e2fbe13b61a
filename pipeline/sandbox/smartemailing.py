"""SmartEmailing's API v3 below /api/v3 as far as api.md §5 knows it, and its own control endpoints.

Seed it with POST /_sandbox/smartemailing, see all of it with GET, empty it with DELETE:

    {"customfields": [{"id": 1, "name": "customer_id", "type": "text"}],
     "contacts": [{"emailaddress": "a@example.com", "customfields": [{"id": 1, "value": "u1"}],
                   "contactlists": [{"id": 1, "status": "unsubscribed"}], "blacklisted": 0}],
     "remove": [17]}

`contacts` are applied as an import would, any number of them; `remove` are ids of contacts.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import orjson
from aiohttp import web

from pipeline.errors import ConfigurationError
from pipeline.sandbox.answers import json_answer
from pipeline.sandbox.api_faults import answer_with_faults
from pipeline.sandbox.journal import ENTRY
from pipeline.sandbox.smartemailing_account import MAX_IMPORT, Account, RefusedError
from pipeline.sandbox.state import STATE

__all__ = ["PREFIX", "smartemailing_routes"]

PREFIX: Final = "/api/v3"
_CONTROL: Final = "/_sandbox/smartemailing"
_MAX_BODY: Final = 64 * 1024 * 1024
_Handler: TypeAlias = Callable[[web.Request, Account, bytes], web.Response]
_WebHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def smartemailing_routes() -> list[web.AbstractRouteDef]:
    """The API's endpoints and the control of what the account holds."""
    return [
        web.get(f"{PREFIX}/ping", _endpoint(_ping, open_to_all=True)),
        web.get(f"{PREFIX}/check-credentials", _endpoint(_check_credentials)),
        web.post(f"{PREFIX}/check-credentials", _endpoint(_check_credentials)),
        web.get(f"{PREFIX}/customfields", _endpoint(_customfields)),
        web.post(f"{PREFIX}/customfields", _endpoint(_add_customfield)),
        web.get(f"{PREFIX}/customfields/{{id}}", _endpoint(_customfield)),
        web.get(f"{PREFIX}/contact-customfields", _endpoint(_values)),
        web.get(f"{PREFIX}/contacts", _endpoint(_contacts)),
        web.post(f"{PREFIX}/import", _endpoint(_import)),
        web.route("*", f"{PREFIX}/{{rest:.*}}", _endpoint(_unknown)),
        web.get(_CONTROL, _show),
        web.post(_CONTROL, _seed),
        web.delete(_CONTROL, _clear),
    ]


def _endpoint(handler: _Handler, *, open_to_all: bool = False) -> _WebHandler:
    """The handler behind what all endpoints do: faults, login, and refusals as 422."""

    async def handle(request: web.Request) -> web.StreamResponse:
        async def serve(request: web.Request) -> web.Response:
            return _answered(request, handler, await _read(request), open_to_all=open_to_all)

        return await answer_with_faults(request, "smartemailing", serve)

    return handle


def _answered(
    request: web.Request, handler: _Handler, body: bytes, *, open_to_all: bool
) -> web.Response:
    state, entry = request.app[STATE], request[ENTRY]
    entry.body_bytes = len(body)
    entry.authorized = _logged_in(request)
    if not open_to_all and not entry.authorized:
        return _envelope(401, "error", message="Authentication Failed")
    try:
        return handler(request, state.smartemailing, body)
    except RefusedError as refused:
        entry.reason = str(refused)
        return _envelope(422, "error", message=str(refused))


async def _read(request: web.Request) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > _MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(max_size=_MAX_BODY, actual_size=len(body))
    return bytes(body)


def _logged_in(request: web.Request) -> bool:
    settings = request.app[STATE].settings
    word, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    right = f"{settings.smartemailing_user}:{settings.smartemailing_key}".encode()
    return word.lower() == "basic" and hmac.compare_digest(given, right)


def _envelope(status: int, word: str, *, message: str = "", **more: Any) -> web.Response:
    return json_answer(status, {"status": word, "meta": [], "message": message} | more)


def _ping(request: web.Request, account: Account, body: bytes) -> web.Response:
    del request, account, body
    return _envelope(200, "ok", message="Hi there! API version 3 here!")


def _check_credentials(request: web.Request, account: Account, body: bytes) -> web.Response:
    del request, body
    message = "Hi there! Your credentials are valid!"
    return _envelope(200, "ok", message=message, account_id=account.account_id)


def _customfields(request: web.Request, account: Account, body: bytes) -> web.Response:
    del body
    data, meta = account.list_customfields(request.query)
    return _envelope(200, "ok", meta=meta, data=data)


def _add_customfield(request: web.Request, account: Account, body: bytes) -> web.Response:
    del request
    given = _parsed(body)
    if not isinstance(given, dict):
        raise RefusedError("the body is not an object")
    made = account.add_customfield(given.get("name"), given.get("type"))
    return _envelope(201, "created", data=made)


def _customfield(request: web.Request, account: Account, body: bytes) -> web.Response:
    number = request.match_info["id"]
    found = account.customfields.get(int(number)) if number.isascii() and number.isdigit() else None
    if found is None:
        return _unknown(request, account, body)
    return _envelope(200, "ok", data=found)


def _values(request: web.Request, account: Account, body: bytes) -> web.Response:
    del body
    data, meta = account.list_values(request.query)
    return _envelope(200, "ok", meta=meta, data=data)


def _contacts(request: web.Request, account: Account, body: bytes) -> web.Response:
    del body
    data, meta = account.list_contacts(request.query)
    return _envelope(200, "ok", meta=meta, data=data)


def _import(request: web.Request, account: Account, body: bytes) -> web.Response:
    contacts = account.import_contacts(_parsed(body))
    request[ENTRY].stored = True
    return _envelope(201, "created", contacts_map=contacts)


def _unknown(request: web.Request, account: Account, body: bytes) -> web.Response:
    del account, body
    return _envelope(404, "error", message=f"no such address: {request.method} {request.path}")


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError("the body is not JSON") from error


async def _show(request: web.Request) -> web.Response:
    return json_answer(200, request.app[STATE].smartemailing.as_dict())


async def _seed(request: web.Request) -> web.Response:
    account = request.app[STATE].smartemailing
    try:
        given = _parsed(await _read(request))
        if not isinstance(given, dict) or not all(isinstance(one, list) for one in given.values()):
            raise RefusedError("the body is not an object of lists")
        for one in given.get("customfields", []):
            if not isinstance(one, dict):
                raise RefusedError("a custom field is an object")
            account.add_customfield(one.get("name"), one.get("type"), one.get("id"))
        contacts = given.get("contacts", [])
        for start in range(0, len(contacts), MAX_IMPORT):
            account.import_contacts({"data": contacts[start : start + MAX_IMPORT]})
        for number in given.get("remove", []):
            account.remove_contact(number)
    except RefusedError as error:
        raise ConfigurationError(str(error), source=request.path) from error
    return json_answer(200, {"contacts": account.size})


async def _clear(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.smartemailing = Account()
    return json_answer(200, {"contacts": 0})
