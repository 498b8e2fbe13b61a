"""What is asked of SmartEmailing's API, and which answers are taken for what."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from pipeline.deliver.smartemailing_api import (
    Refused,
    SmartEmailing,
    explain_refusal,
    headers,
)
from pipeline.deliver.smartemailing_ids import IdCounts, KnownContact, iter_contacts
from pipeline.errors import ConfigurationError, RemoteError
from pipeline.settings import Secret
from pipeline.wire.json_message import JsonAnswer, JsonRequest
from pipeline.wire.pacing import Pacer

T = TypeVar("T")
FIELDS = [
    {"id": 1, "name": "customer_id", "type": "text"},
    {"id": 2, "name": "size", "type": "select"},
    {"id": 3, "name": "size", "type": "textarea"},
    {"id": 4, "name": "12", "type": "textarea"},
]


class Script:
    """Answers with what a test wants, and remembers what was asked."""

    def __init__(self, *answers: object, status: int = 200) -> None:
        self._answers = list(answers)
        self._status = status
        self.asked: list[JsonRequest] = []

    async def call(self, request: JsonRequest, *, pacer: Pacer | None = None) -> JsonAnswer:
        self.asked.append(request)
        return JsonAnswer(status=self._status, headers={}, value=self._answers.pop(0))

    async def pause(self, seconds: float, *, why: str) -> None:
        raise AssertionError("nothing to wait for")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def page(rows: list[dict[str, Any]], total: int | None = None) -> dict[str, Any]:
    meta: Any = [] if total is None else {"total_count": total}
    return {"status": "ok", "meta": meta, "data": rows}


def query(request: JsonRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.target).query))


def test_an_import_sets_one_field_and_names_no_list() -> None:
    script = Script({"status": "created", "contacts_map": [{"emailaddress": "A@x.cz"}]}, status=201)
    taken = run(SmartEmailing(script).import_contacts([("a@x.cz", "{}")], field=7))

    assert ["a@x.cz"] == taken
    (request,) = script.asked
    assert ("POST", "/import", {422}) == (request.method, request.target, set(request.expected))
    assert request.body is not None
    expected = {
        "settings": {
            "update": True,
            "preserve_unsubscribed": True,
            "skip_invalid_emails": False,
            "add_namedays": False,
            "add_genders": False,
            "add_salutions": False,
        },
        "data": [{"emailaddress": "a@x.cz", "customfields": [{"id": 7, "value": "{}"}]}],
    }
    assert expected == json.loads(request.body)


def test_a_refused_import_tells_why_without_addresses() -> None:
    body = {"status": "error", "message": "data.0: a@x.cz is not valid"}
    answer = run(SmartEmailing(Script(body, status=422)).import_contacts([("a@x.cz", "")], field=7))

    assert Refused("data.0: *** is not valid") == answer


def test_the_login_is_basic_and_hidden() -> None:
    made = headers("shop@x.cz", Secret("clé"))

    assert "clé" not in repr(made)
    found = made["Authorization"]
    assert isinstance(found, Secret)
    word, _, encoded = found.reveal().partition(" ")
    assert ("Basic", "shop@x.cz:clé") == (word, base64.b64decode(encoded).decode())


def test_the_credentials_check_asks_both_and_gives_the_account() -> None:
    script = Script({"status": "ok"}, {"status": "ok", "account_id": 9})

    assert 9 == run(SmartEmailing(script).check_credentials())
    assert ["/ping", "/check-credentials"] == [one.target for one in script.asked]


@pytest.mark.parametrize("answer", [None, [], "ok", {}, {"status": 1}])
def test_an_answer_without_the_envelope_is_an_error(answer: object) -> None:
    with pytest.raises(RemoteError, match="without a status"):
        run(SmartEmailing(Script(answer)).check_credentials())


def test_an_error_with_status_200_is_an_error() -> None:
    script = Script({"status": "error", "message": "Account of b@x.cz <b>blocked</b>"})

    with pytest.raises(RemoteError) as caught:
        run(SmartEmailing(script).check_credentials())
    assert "b@x.cz" not in str(caught.value)
    assert "blocked" in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "number"), [("1", 1), ("customer_id", 1), ("3", 3)], ids=["id", "name", "id of two"]
)
def test_a_field_is_found_by_its_number_or_its_name(wanted: str, number: int) -> None:
    found = run(SmartEmailing(Script(page(FIELDS, 4))).find_field(wanted, option="--id-field"))

    assert number == found.id


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("Customer_id", "no such custom field.*customer_id \\(1\\)"),
        ("12", "no such custom field"),
        ("size", "2 custom fields have this name.*one of 2, 3"),
    ],
)
def test_a_field_that_cannot_be_told_is_an_error(wanted: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        run(SmartEmailing(Script(page(FIELDS, 4))).find_field(wanted, option="--id-field"))


def test_recommendations_need_a_field_of_free_text() -> None:
    with pytest.raises(ConfigurationError, match=r"no free text.*actual select"):
        run(SmartEmailing(Script(page(FIELDS, 4))).find_text_field("2", option="--field"))


def test_fields_are_listed_to_the_last_page() -> None:
    script = Script(page(FIELDS[:3], 4), page(FIELDS[3:], 4))
    found = run(SmartEmailing(script).find_field("4", option="--field"))

    assert "12" == found.name
    assert ["0", "3"] == [query(one)["offset"] for one in script.asked]


@pytest.mark.parametrize("data", [None, {}, ["x"], [[1]]])
def test_a_page_without_rows_is_an_error(data: object) -> None:
    script = Script({"status": "ok", "data": data})

    with pytest.raises(RemoteError, match="without rows"):
        run(SmartEmailing(script).find_field("1", option="--field"))


def test_what_a_refusal_quotes_of_people_is_not_shown() -> None:
    body = json.dumps({"message": "value u123 of Jane"}).encode()

    assert b"" == explain_refusal(body, 400, "POST")
    assert b"value u123 of Jane" == explain_refusal(body, 401, "POST")
    assert b"<html>" == explain_refusal(b"<html>", 404, "GET")


def value(number: int, text: object) -> dict[str, Any]:
    return {"id": 100 + number, "contact_id": number, "value": text}


def contact(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "emailaddress": f"a{number}@x.cz", "blacklisted": 0, **more}


def read(contacts: list[dict[str, Any]], values: list[Any]) -> tuple[list[KnownContact], IdCounts]:
    """What is read of an account whose two listings fit on a page each."""
    script = Script(page(contacts, len(contacts)), page(values, len(values)))
    counts = IdCounts()

    async def every() -> list[KnownContact]:
        return [one async for one in iter_contacts(SmartEmailing(script), 5, counts)]

    found = run(every())
    assert {"customfield_id": "5", "sort": "contact_id,id"}.items() <= query(
        script.asked[1]
    ).items()
    return found, counts


def test_ids_stand_beside_the_address_of_their_contact() -> None:
    found, counts = read(
        [contact(number) for number in range(1, 6)], [value(2, "u2"), value(4, " 007 ")]
    )

    expected = [(" 007 ", "a4@x.cz", 4), ("u2", "a2@x.cz", 2)]
    assert expected == sorted((one.user_id, one.email, one.contact_id) for one in found)
    assert (2, {}) == (counts.values, dict(counts.left_out))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "blank"),
        ("", "blank"),
        (" \t", "blank"),
        (7, "not text"),
        ("default", "id of the default set"),
        ("x" * 513, "id too long"),
    ],
)
def test_a_value_that_is_no_id_is_left_out_and_counted(text: object, reason: str) -> None:
    found, counts = read([contact(1)], [value(1, text)])

    assert ([], {reason: 1}) == (found, dict(counts.left_out))


def test_contacts_that_are_gone_or_blacklisted_are_left_out_and_counted() -> None:
    found, counts = read(
        [contact(2, blacklisted=1), contact(3)], [value(number, "u") for number in (1, 2, 3, 4)]
    )

    assert [3] == [one.contact_id for one in found]
    assert {"contact gone meanwhile": 2, "contact blacklisted": 1} == dict(counts.left_out)


@pytest.mark.parametrize("row", [{}, {"id": "1"}, {"id": None}])
def test_a_row_without_its_number_is_an_error(row: dict[str, Any]) -> None:
    with pytest.raises(RemoteError, match="without id"):
        read([row], [])
