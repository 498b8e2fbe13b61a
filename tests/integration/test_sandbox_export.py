"""Making an export and fetching it: conditional, in ranges, packed."""

import gzip
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sandbox_client import Answer, fetch, form, upload

from pipeline.records import SandboxReady
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

LIST = b"".join(b'{"auth_user_id":"u%d"}\n' % number for number in range(300))


@pytest.fixture(scope="module")
def ready() -> Iterator[SandboxReady]:
    with running(SandboxSettings()) as ready:
        upload(ready, form(LIST))
        generate(ready)
        yield ready


def generate(ready: SandboxReady, query: str = "", body: object = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    return fetch(f"{ready.base_url}/_sandbox/generate?{query}", method="POST", data=data)


def test_before_anything_there_is_nothing() -> None:
    with running(SandboxSettings()) as ready:
        assert fetch(f"{ready.base_url}/_sandbox/list").status == 404
        assert b"generate makes one" in fetch(ready.export_url).body
        assert fetch(ready.export_url).status == 404
        assert generate(ready).status == 409


def test_generate_tells_where_and_how_many(ready: SandboxReady) -> None:
    answer = json.loads(generate(ready, "leave_out=0.5&seed=3").body)

    assert ready.export_url == answer["export_url"]
    assert 300 == answer["users"] + answer["left_out"]
    export = fetch(ready.export_url)
    assert answer["bytes"] == len(export.body)
    assert answer["users"] + 1 == len(ET.fromstring(export.body))


@pytest.mark.parametrize("export_format", ["json", "jsonl"])
def test_other_formats_have_addresses_of_their_own(ready: SandboxReady, export_format: str) -> None:
    before = fetch(ready.export_url).body
    answer = json.loads(generate(ready, body={"format": export_format, "leave_out": 0}).body)

    assert answer["export_url"].endswith(f"/recommendations.{export_format}")
    assert b'"id":"u7"' in fetch(answer["export_url"]).body
    assert before == fetch(ready.export_url).body


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("leave_out=x", None),
        ("leave_out=2", None),
        ("bla=1", None),
        ("default=perhaps", None),
        ("", {"items": "many"}),
        ("", {"items": None}),
        ("", {"items": [1]}),
        ("", [1]),
        ("", {"gzip": 1}),
    ],
)
def test_wrong_options_are_refused(ready: SandboxReady, query: str, body: object) -> None:
    answer = generate(ready, query, body)

    assert answer.status == 400
    assert answer.error


def test_the_same_options_give_the_same_export(ready: SandboxReady) -> None:
    body = {"seed": 5, "updated_at": "2026-01-01T00:00:00"}
    first, again = generate(ready, body=body), generate(ready, body=body)

    assert json.loads(first.body) == json.loads(again.body)


def test_head_has_the_headers_of_get_and_no_body(ready: SandboxReady) -> None:
    got, headed = fetch(ready.export_url), fetch(ready.export_url, method="HEAD")

    names = ("Content-Length", "ETag", "Last-Modified", "Content-Type", "Accept-Ranges")
    assert b"" == headed.body
    assert [got.headers[name] for name in names] == [headed.headers[name] for name in names]


def test_gzip_is_another_representation(ready: SandboxReady) -> None:
    plain, packed = fetch(ready.export_url), fetch(ready.export_url, Accept_Encoding="gzip")

    assert "gzip" == packed.headers["Content-Encoding"]
    assert str(len(packed.body)) == packed.headers["Content-Length"]
    assert plain.body == gzip.decompress(packed.body)
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert "Accept-Encoding" == plain.headers["Vary"] == packed.headers["Vary"]


def test_gzip_can_be_left_out() -> None:
    with running(SandboxSettings()) as ready:
        upload(ready, form(LIST))
        generate(ready, "gzip=false")

        assert "Content-Encoding" not in fetch(ready.export_url, Accept_Encoding="gzip").headers


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_ranges_put_together_are_the_whole(ready: SandboxReady, encoding: str) -> None:
    whole = fetch(ready.export_url, Accept_Encoding=encoding)
    tag = whole.headers["ETag"]
    first = fetch(ready.export_url, Accept_Encoding=encoding, Range="bytes=0-999")
    rest = fetch(ready.export_url, Accept_Encoding=encoding, Range="bytes=1000-", If_Range=tag)

    assert (206, 206) == (first.status, rest.status)
    assert f"bytes 0-999/{len(whole.body)}" == first.headers["Content-Range"]
    assert whole.body == first.body + rest.body


def test_a_range_of_another_version_gets_the_whole(ready: SandboxReady) -> None:
    old = fetch(ready.export_url).headers["ETag"]
    generate(ready, "seed=99")
    answer = fetch(ready.export_url, Range="bytes=1000-", If_Range=old)

    assert answer.status == 200
    assert answer.body.startswith(b"<?xml")


def test_what_is_known_is_not_sent_again(ready: SandboxReady) -> None:
    answer = fetch(ready.export_url, If_None_Match=fetch(ready.export_url).headers["ETag"])

    assert (304, b"") == (answer.status, answer.body)
    assert "ETag" in answer.headers


def test_a_range_beyond_the_end_is_refused(ready: SandboxReady) -> None:
    answer = fetch(ready.export_url, Range="bytes=999999999-")

    assert answer.status == 416
    assert answer.headers["Content-Range"].startswith("bytes */")


def test_an_export_replaced_while_read_is_read_to_its_end(ready: SandboxReady) -> None:
    def one(number: int) -> bool:
        if number % 4 == 0:
            return generate(ready, f"seed={number}").status == 200
        data = fetch(ready.export_url).body
        return ET.fromstring(data).tag == "users"

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(24)))
