"""The stand-in of SmartEmailing's API: what it accepts, refuses, keeps and how it breaks."""

import base64
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError

import pytest
from sandbox_client import Answer, fetch, last_request, plan

from pipeline.records import SandboxReady
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

USER, KEY = "shop@example.com", "clé:with colon"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxReady]:
    with running(SandboxSettings(smartemailing_user=USER, smartemailing_key=KEY)) as ready:
        yield ready


@pytest.fixture
def ready(sandbox: SandboxReady) -> SandboxReady:
    """An account with a field for ids, a field for recommendations, and nobody in it."""
    fetch(f"{sandbox.base_url}/_sandbox/faults", method="DELETE")
    fetch(f"{sandbox.base_url}/_sandbox/smartemailing", method="DELETE")
    seed(sandbox, customfields=[field(1, "customer_id"), field(2, "recommendations")])
    return sandbox


def field(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "type": "text"}


def contact(address: str, *, value: Any = None, **more: Any) -> dict[str, Any]:
    values = [] if value is None else [{"id": 1, "value": value}]
    return {"emailaddress": address, "customfields": values, **more}


def seed(ready: SandboxReady, **content: Any) -> Answer:
    data = json.dumps(content).encode()
    return fetch(f"{ready.base_url}/_sandbox/smartemailing", method="POST", data=data)


def held(ready: SandboxReady) -> dict[str, Any]:
    answer = fetch(f"{ready.base_url}/_sandbox/smartemailing")
    found: dict[str, Any] = json.loads(answer.body)["contacts"]
    return found


def api(
    ready: SandboxReady, path: str, body: Any = None, *, login: str = f"{USER}:{KEY}"
) -> tuple[int, Any]:
    word = base64.b64encode(login.encode()).decode()
    answer = fetch(
        f"{ready.base_url}/api/v3/{path}",
        method="GET" if body is None else "POST",
        data=None if body is None else json.dumps(body).encode(),
        Authorization=f"Basic {word}",
    )
    return answer.status, json.loads(answer.body)


def imported(ready: SandboxReady, *contacts: Any, **settings: Any) -> tuple[int, Any]:
    return api(ready, "import", {"settings": settings, "data": list(contacts)})


def test_ping_needs_no_login(ready: SandboxReady) -> None:
    answer = fetch(f"{ready.base_url}/api/v3/ping")

    expected = {"status": "ok", "meta": [], "message": "Hi there! API version 3 here!"}
    assert (200, expected) == (answer.status, json.loads(answer.body))


def test_right_credentials_are_told_with_the_account(ready: SandboxReady) -> None:
    status, answer = api(ready, "check-credentials")

    assert (200, "ok", 4711) == (status, answer["status"], answer["account_id"])
    assert 200 == api(ready, "check-credentials", {})[0]


@pytest.mark.parametrize("login", ["", USER, f"{USER}:wrong", f"other:{KEY}"])
@pytest.mark.parametrize("path", ["check-credentials", "contacts", "import", "nothing"])
def test_a_wrong_login_is_401_everywhere(ready: SandboxReady, path: str, login: str) -> None:
    status, answer = api(ready, path, login=login)

    assert (401, "error", "Authentication Failed") == (status, answer["status"], answer["message"])


def test_the_request_log_never_holds_the_key(ready: SandboxReady) -> None:
    api(ready, "check-credentials")
    entry = last_request(ready)

    word = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
    assert True is entry["authorized"]
    assert word not in json.dumps(entry)


def test_an_unknown_address_is_404(ready: SandboxReady) -> None:
    assert (404, "error") == (
        api(ready, "collections")[0],
        api(ready, "customfields/9")[1]["status"],
    )


def test_custom_fields_are_listed_found_and_made(ready: SandboxReady) -> None:
    made = api(ready, "customfields", {"name": "x", "type": "textarea"})[1]["data"]

    assert {"id": 3, "name": "x", "type": "textarea"} == made
    assert made == api(ready, "customfields/3")[1]["data"]
    assert [made] == api(ready, "customfields?name=x")[1]["data"]
    assert [3, 2, 1] == [one["id"] for one in api(ready, "customfields?sort=-id")[1]["data"]]
    assert 422 == api(ready, "customfields", {"name": "x", "type": "json"})[0]


def test_values_come_in_pages_of_at_most_500(ready: SandboxReady) -> None:
    seed(ready, contacts=[contact(f"a{n}@example.com", value=f"u{n}") for n in range(1_203)])
    where = "contact-customfields?customfield_id=1&sort=contact_id&select=contact_id,value"
    pages = [api(ready, f"{where}&offset={n}")[1] for n in (0, 500, 1_000, 1_500)]

    rows = [row for page in pages for row in page["data"]]
    assert [{"contact_id": n + 1, "value": f"u{n}"} for n in range(1_203)] == rows
    meta = {"total_count": 1_203, "displayed_count": 203, "offset": 1_000, "limit": 500}
    assert meta == pages[2]["meta"]
    assert 422 == api(ready, f"{where}&limit=501")[0]
    assert 422 == api(ready, "contact-customfields?colour=red")[0]


def test_contacts_are_listed_with_their_lists(ready: SandboxReady) -> None:
    seed(
        ready, contacts=[contact("a@example.com", contactlists=[{"id": 7, "status": "confirmed"}])]
    )
    [row] = api(ready, "contacts")[1]["data"]

    assert ("a@example.com", 0) == (row["emailaddress"], row["blacklisted"])
    assert ["confirmed"] == [one["status"] for one in row["contactlists"]]
    assert [{"id": 1}] == api(ready, "contacts?select=id&emailaddress=a@example.com")[1]["data"]


def test_an_import_updates_values_and_answers_with_a_map(ready: SandboxReady) -> None:
    seed(ready, contacts=[contact("a@example.com", value="old")])
    status, answer = imported(
        ready, contact("A@example.com", value="new"), contact("b@example.com"), update=True
    )

    assert (201, "created") == (status, answer["status"])
    expected = [
        {"emailaddress": "a@example.com", "contact_id": 1},
        {"emailaddress": "b@example.com", "contact_id": 2},
    ]
    assert expected == answer["contacts_map"]
    assert {"1": "new"} == held(ready)["a@example.com"]["customfields"]


def test_without_update_the_values_stay(ready: SandboxReady) -> None:
    seed(ready, contacts=[contact("a@example.com", value="old")])
    imported(ready, contact("a@example.com", value="new"), update=False)

    assert {"1": "old"} == held(ready)["a@example.com"]["customfields"]


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "@example.com", "a b@example.com", "a@b", "a@x..cz", "ä@example.com"]
)
def test_one_bad_address_ends_the_whole_import(ready: SandboxReady, address: str) -> None:
    status, answer = imported(ready, contact("good@example.com"), contact(address))

    assert (422, "error", {}) == (status, answer["status"], held(ready))
    assert (
        201
        == imported(ready, contact("good@example.com"), contact(address), skip_invalid_emails=True)[
            0
        ]
    )
    assert ["good@example.com"] == list(held(ready))


def test_an_import_holds_1_to_500_contacts(ready: SandboxReady) -> None:
    many = [contact(f"a{n}@example.com") for n in range(501)]

    assert [201, 422, 422] == [
        imported(ready, *some)[0] for some in (many[:500], many, [])
    ]  # fmt: skip


def test_a_value_is_a_string_of_at_most_64_kb_in_a_known_field(ready: SandboxReady) -> None:
    statuses = [
        imported(ready, contact("a@example.com", value=value))[0]
        for value in ("é" * 32_000, "é" * 32_000 + "x", ["list"], None)
    ]

    assert [201, 422, 422, 201] == statuses
    unknown = {"emailaddress": "a@example.com", "customfields": [{"id": 99, "value": "x"}]}
    assert 422 == imported(ready, unknown)[0]


def test_unsubscribed_contacts_stay_so_unless_told_otherwise(ready: SandboxReady) -> None:
    gone = [{"id": 1, "status": "unsubscribed"}]
    back = [{"id": 1, "status": "confirmed"}]
    seed(ready, contacts=[contact("a@example.com", contactlists=gone)])

    imported(ready, contact("a@example.com", contactlists=back), preserve_unsubscribed=True)
    assert {"1": "unsubscribed"} == held(ready)["a@example.com"]["contactlists"]
    imported(ready, contact("a@example.com", contactlists=back), preserve_unsubscribed=False)
    assert {"1": "confirmed"} == held(ready)["a@example.com"]["contactlists"]


def test_under_double_opt_in_nothing_is_written_and_the_map_is_empty(ready: SandboxReady) -> None:
    status, answer = imported(ready, contact("a@example.com"), double_opt_in_settings={"x": 1})

    assert (201, [], {}) == (status, answer["contacts_map"], held(ready))


def test_a_removed_contact_moves_the_pages(ready: SandboxReady) -> None:
    seed(ready, contacts=[contact(f"a{n}@example.com", value=f"u{n}") for n in range(3)])
    seed(ready, remove=[1])

    assert [2, 3] == [one["id"] for one in api(ready, "contacts?sort=id&select=id")[1]["data"]]


def test_faults_for_the_api_come_from_the_same_plan(ready: SandboxReady) -> None:
    plan(
        ready,
        {"kind": "status", "status": 429, "retry_after_s": 3, "on": "smartemailing"},
        {"kind": "html", "on": "smartemailing"},
        {"kind": "reset", "on": "smartemailing"},
        {"kind": "lost", "on": "smartemailing"},
    )
    word = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
    body = json.dumps({"data": [contact("a@example.com")]}).encode()

    def send() -> Answer:
        where = f"{ready.base_url}/api/v3/import"
        return fetch(where, method="POST", data=body, Authorization=f"Basic {word}")

    throttled, page = send(), send()
    assert (429, "3") == (throttled.status, throttled.headers["Retry-After"])
    assert (200, "text/html; charset=utf-8") == (page.status, page.headers["Content-Type"])
    with pytest.raises((ConnectionError, URLError, http.client.HTTPException)):
        send()
    assert {} == held(ready)
    with pytest.raises((ConnectionError, URLError, http.client.HTTPException)):
        send()
    assert ["a@example.com"] == list(held(ready))
    assert 201 == send().status


@pytest.mark.parametrize("kind", ["early", "slow", "cut", "bomb"])
def test_faults_that_mean_nothing_to_the_api_are_refused(ready: SandboxReady, kind: str) -> None:
    data = json.dumps([{"kind": kind, "on": "smartemailing"}]).encode()
    answer = fetch(f"{ready.base_url}/_sandbox/faults", method="POST", data=data)

    assert 400 == answer.status


def test_what_cannot_be_seeded_is_refused(ready: SandboxReady) -> None:
    assert 400 == seed(ready, contacts=[contact("not an address")]).status
    assert 400 == seed(ready, customfields=["x"]).status
    assert 400 == seed(ready, contacts=5).status
