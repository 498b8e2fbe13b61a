"""The Klaviyo stand-in keeps to api.md §4 and §8 item 10, and Klaviyo's own SDK works with it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from klaviyo_account import WIDE, Account, account

from pipeline.sandbox.klaviyo_rates import RateWindows

HEADERS = {"Authorization": "Klaviyo-API-Key pk_sandbox", "revision": "2026-07-15"}
JOBS = "/api/profile-bulk-import-jobs"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Account]:
    with account(tmp_path) as opened:
        yield opened


def ask(
    opened: Account, path: str, *, body: Any = None, **headers: str | None
) -> tuple[int, dict[str, str], Any]:
    """Status, headers in lower case, body."""
    sent = {name: value for name, value in (HEADERS | headers).items() if value is not None}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    if data is not None:
        sent.setdefault("Content-Type", "application/vnd.api+json")
    url = path if path.startswith("http") else opened.ready.base_url + path
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, sent)) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, found, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            found = {name.lower(): value for name, value in error.headers.items()}
            return error.code, found, json.loads(error.read())


def job_of(*profiles: dict[str, Any], lists: tuple[str, ...] = ()) -> dict[str, Any]:
    data: dict[str, Any] = {
        "type": "profile-bulk-import-job",
        "attributes": {"profiles": {"data": list(profiles)}},
    }
    if lists:
        data["relationships"] = {"lists": {"data": [{"type": "list", "id": o} for o in lists]}}
    return {"data": data}


def profile(**attributes: Any) -> dict[str, Any]:
    return {"type": "profile", "attributes": attributes}


def settled(opened: Account, job: dict[str, Any]) -> dict[str, Any]:
    status, _, posted = ask(opened, JOBS, body=job)
    assert 202 == status
    while True:
        _, _, answer = ask(opened, f"{JOBS}/{posted['data']['id']}/")
        if answer["data"]["attributes"]["status"] in ("complete", "cancelled"):
            found: dict[str, Any] = answer["data"]
            return found
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("headers", "status", "detail"),
    [
        ({"Authorization": None}, 401, "Please use Klaviyo-API-Key"),
        ({"Authorization": "Klaviyo-Private-API-Key pk_sandbox"}, 401, "use Klaviyo-API-Key"),
        ({"Authorization": "Klaviyo-API-Key wrong"}, 401, "invalid"),
        ({"revision": None}, 400, "revision"),
        ({"revision": "latest"}, 404, "No valid revisions found"),
        ({"revision": "2999-01-01"}, 400, "future"),
    ],
)
def test_key_and_revision_are_asked_for(
    opened: Account, headers: dict[str, str | None], status: int, detail: str
) -> None:
    found, _, body = ask(opened, "/api/profiles", **headers)

    assert status == found
    assert detail in body["errors"][0]["detail"]


def test_pages_are_absolute_and_lead_through_everything_once(opened: Account) -> None:
    opened.seed({"count": 250})
    path: str | None = "/api/profiles?page[size]=100&fields[profile]=external_id"
    ids, sizes = [], []
    while path is not None:
        _, _, page = ask(opened, path.replace("[", "%5B").replace("]", "%5D"))
        sizes.append(len(page["data"]))
        ids += [one["attributes"]["external_id"] for one in page["data"]]
        assert {"external_id"} == page["data"][0]["attributes"].keys()
        path = page["links"]["next"]
        assert path is None or path.startswith(opened.ready.base_url)

    assert [100, 100, 51] == sizes
    assert ["default", *(f"u{n}" for n in range(1, 251))] == ids


def test_a_page_has_twenty_profiles_unless_told_and_never_more_than_a_hundred(
    opened: Account,
) -> None:
    opened.seed({"count": 30})

    assert 20 == len(ask(opened, "/api/profiles")[2]["data"])
    for size in ("0", "101", "x"):
        status, _, body = ask(opened, f"/api/profiles?page%5Bsize%5D={size}")
        assert (400, {"parameter": "page[size]"}) == (status, body["errors"][0]["source"])


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ('filter=equals(external_id,"u2")', ["u2"]),
        ('filter=any(external_id,["u3","u1"])', ["u1", "u3"]),
        ("filter=greater-than(updated,2026-03-01T00:00:00Z)", ["u2", "u3"]),
        ("filter=greater-than(updated,2026-03-01),less-than(updated,2026-04-01)", ["u2"]),
        ("sort=-updated", ["u3", "u2", "u1"]),
        ("sort=email", ["u3", "u2", "u1"]),
    ],
)
def test_filters_and_orders(opened: Account, query: str, ids: list[str]) -> None:
    opened.seed(
        [
            {
                "attributes": {
                    "external_id": f"u{n}",
                    "email": f"{9 - n}@x.cz",
                    "updated": f"2026-0{n + 1}-10T00:00:00+00:00",
                }
            }
            for n in (1, 2, 3)
        ]
    )
    _, _, page = ask(opened, "/api/profiles?" + quote(query, safe="=&"))

    assert ids == [one["attributes"]["external_id"] for one in page["data"]]


@pytest.mark.parametrize(
    "query",
    ['filter=equals(properties.customer_id,"1")', "filter=nonsense", "sort=size",
     "page[cursor]=zzz", "fields[profile]=customer_id"],
)  # fmt: skip
def test_what_the_service_does_not_offer_is_400(opened: Account, query: str) -> None:
    assert 400 == ask(opened, "/api/profiles?" + quote(query, safe="=&"))[0]


def test_lists_and_segments_show_their_own(opened: Account) -> None:
    opened.seed(
        [
            {"attributes": {"external_id": "u1"}, "lists": ["L1"]},
            {"attributes": {"external_id": "u2"}, "segments": ["S1"]},
        ]
    )
    for group, external_id in (("lists/L1", "u1"), ("segments/S1", "u2")):
        _, _, page = ask(opened, f"/api/{group}/profiles")
        assert [external_id] == [one["attributes"]["external_id"] for one in page["data"]]
        assert page["data"][0]["attributes"]["joined_group_at"]

    assert 404 == ask(opened, "/api/lists/S1/profiles")[0]


def test_the_rate_is_told_on_success_and_only_retry_after_on_429(opened: Account) -> None:
    opened.behave(reads=[[100, 1], [2, 3600]])
    _, first, _ = ask(opened, "/api/profiles")
    _, second, _ = ask(opened, "/api/profiles")
    status, headers, body = ask(opened, "/api/profiles")

    assert ("2", "1") == (first["ratelimit-limit"], first["ratelimit-remaining"])
    assert "0" == second["ratelimit-remaining"]
    assert 0 < int(second["ratelimit-reset"]) <= 3600
    assert (429, "throttled") == (status, body["errors"][0]["code"])
    assert int(headers["retry-after"]) <= 3600
    assert not any(name.startswith("ratelimit") for name in headers)


def test_both_windows_are_fixed_ones() -> None:
    windows = RateWindows(((2, 1.0), (3, 10.0)))
    moments = [0.0, 0.9, 0.95, 1.0, 1.5, 9.0, 10.0, 10.1, 10.2]

    passes = [windows.take(at).passes for at in moments]

    assert [True, True, False, True, False, False, True, True, False] == passes


def test_a_job_runs_behind_its_answer_and_names_each_row_it_did_not_take(opened: Account) -> None:
    opened.behave(**WIDE, job_seconds=0.1)
    opened.seed([{"attributes": {"external_id": "old", "properties": {"a": 1, "b": 2}}}])
    job = settled(
        opened,
        job_of(
            profile(external_id="old", properties={"b": None, "c": [{"id": "1"}]}),
            profile(email="not an address"),
            profile(properties={}),
            profile(external_id="new", email="a@x.cz"),
        ),
    )

    assert (4, 2) == (job["attributes"]["total_count"], job["attributes"]["failed_count"])
    assert {"a": 1, "b": 2, "c": [{"id": "1"}]} == opened.held()["old"]["properties"]
    assert {"old", "new"} == opened.held().keys()
    where = job["relationships"]["import-errors"]["links"]["related"]
    _, _, page = ask(opened, f"{where}?page%5Bsize%5D=1")
    error = page["data"][0]["attributes"]
    assert "/data/attributes/profiles/data/1/attributes/email" == error["source"]["pointer"]
    assert {"email": "not an address"} == error["original_payload"]
    _, _, last = ask(opened, page["links"]["next"])
    assert (1, None) == (len(last["data"]), last["links"]["next"])


def test_a_job_can_add_to_a_list(opened: Account) -> None:
    opened.behave(job_seconds=0)
    opened.seed([{"attributes": {"external_id": "u1"}, "lists": ["L1"]}])
    settled(opened, job_of(profile(external_id="u2"), lists=("L1",)))

    assert 2 == len(ask(opened, "/api/lists/L1/profiles")[2]["data"])
    assert 404 == ask(opened, JOBS, body=job_of(profile(external_id="u2"), lists=("no",)))[0]


def test_identifiers_of_two_profiles_are_an_error_of_that_row(opened: Account) -> None:
    opened.behave(job_seconds=0)
    opened.seed([{"attributes": {"external_id": "a"}}, {"attributes": {"email": "b@x.cz"}}])
    job = settled(opened, job_of(profile(external_id="a", email="b@x.cz")))

    assert 1 == job["attributes"]["failed_count"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({"data": {}}, 400),
        (job_of(), 400),
        (job_of({"type": "user", "attributes": {}}), 400),
        (job_of(profile(external_id="x", properties=[1])), 400),
        (job_of(*[profile(external_id="x")] * 10_001), 400),
        (job_of(profile(external_id="x", properties={"p": "y" * 100_000})), 400),
        (b" " * 5_000_001, 413),
    ],
    ids=["cut", "bare", "empty", "type", "properties", "10,001 profiles", "100 KB", "5 MB"],
)
def test_a_job_over_a_limit_or_of_another_form_is_refused(
    opened: Account, body: Any, status: int
) -> None:
    assert status == ask(opened, JOBS, body=body)[0]
    assert [] == opened.jobs()


def test_a_job_of_another_media_type_is_refused(opened: Account) -> None:
    headers = {"Content-Type": "text/plain"}

    assert 415 == ask(opened, JOBS, body=job_of(profile(external_id="x")), **headers)[0]


def test_faults_hit_calls_with_or_without_their_effect(opened: Account) -> None:
    job = job_of(profile(external_id="x"))
    opened.plan(
        {"kind": "status", "status": 502}, {"kind": "status", "status": 504, "commit": True}
    )

    assert (502, 0) == (ask(opened, JOBS, body=job)[0], len(opened.jobs()))
    assert (504, 1) == (ask(opened, JOBS, body=job)[0], len(opened.jobs()))
    assert 202 == ask(opened, JOBS, body=job)[0]


@pytest.mark.parametrize("value", [[1], [{}], {"count": "x"}, {"size": 1}, {"count": 10**9}])
def test_a_seed_that_is_none_is_refused(opened: Account, value: Any) -> None:
    assert 400 == ask(opened, "/_sandbox/klaviyo/profiles", body=value)[0]


def test_klaviyo_s_own_sdk_reads_pages_and_runs_jobs(opened: Account) -> None:
    sdk = pytest.importorskip("klaviyo_api", reason="Klaviyo's SDK is not installed")
    opened.behave(**WIDE, job_seconds=0.05)
    opened.seed({"count": 150, "null": 7})
    opened.seed([{"attributes": {"external_id": "member"}, "lists": ["L1"]}])
    opened.plan({"kind": "status", "status": 429, "retry_after_s": 0, "skip": 1})
    client = sdk.KlaviyoAPI(opened.ready.klaviyo_key, test_host=opened.ready.base_url)

    seen, cursor = 0, None
    while True:
        page = client.Profiles.get_profiles(page_size=100, page_cursor=cursor, sort="id")
        seen += len(page.data)
        if page.links.next is None:
            break
        # The SDK itself takes a cursor out of https links only.
        cursor = parse_qs(urlsplit(page.links.next).query)["page[cursor]"][0]
    members = client.Lists.get_profiles_for_list("L1")
    posted = client.Profiles.bulk_import_profiles(
        job_of(profile(external_id="new", properties={"mail-1": []}), profile(email="bad"))
    )
    while True:
        job = client.Profiles.get_bulk_import_profiles_job(posted.data.id).data.attributes
        if job.status == "complete":
            break
        time.sleep(0.01)
    errors = client.Profiles.get_errors_for_bulk_import_profiles_job(posted.data.id)

    assert 152 == seen
    assert ["member"] == [one.attributes.external_id for one in members.data]
    assert (2, 1) == (job.total_count, job.failed_count)
    assert ["invalid"] == [one.attributes.code for one in errors.data]
    with pytest.raises(Exception, match="401"):
        sdk.KlaviyoAPI("wrong", test_host=opened.ready.base_url).Profiles.get_profiles()
