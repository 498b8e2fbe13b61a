"""What the upload endpoint accepts and refuses; a refusal never touches the stored list."""

import gzip
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from time import time

import pytest
from sandbox_client import (
    BOUNDARY,
    connect,
    fetch,
    form,
    head,
    last_request,
    plan,
    read_answer,
    signed_headers,
    stored,
    upload,
    upload_path,
)

from pipeline.records import SandboxReady
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

OLD = b'"old"\n'
NEW = b'{"auth_user_id":"u1"}\n{"auth_user_id":"u2"}\n'
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxReady]:
    with running(SandboxSettings(max_bytes=100_000)) as ready:
        yield ready


@pytest.fixture
def ready(sandbox: SandboxReady) -> SandboxReady:
    """A sandbox that holds the old list."""
    assert upload(sandbox, form(OLD)).status == 201
    return sandbox


def test_success_tells_what_was_stored(ready: SandboxReady) -> None:
    answer = upload(ready, form(NEW))

    expected = {
        "status": "stored",
        "users": 2,
        "bytes": len(NEW),
        "format": "jsonl",
        "sha256": hashlib.sha256(NEW).hexdigest(),
    }
    assert expected == json.loads(answer.body)
    assert NEW == stored(ready)


def test_the_list_endpoint_tells_count_format_and_hash(ready: SandboxReady) -> None:
    upload(ready, form(NEW))
    headers = fetch(f"{ready.base_url}/_sandbox/list").headers

    names = ("X-Sandbox-Users", "X-Sandbox-Format", "X-Sandbox-Sha256", "Content-Length")
    expected = ("2", "jsonl", hashlib.sha256(NEW).hexdigest(), str(len(NEW)))
    assert expected == tuple(headers[name] for name in names)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(NEW, headers=()), MULTIPART),
        (form(NEW, headers=("content-length: 44", "Content-Transfer-Encoding: binary")), MULTIPART),
        (form(NEW, disposition="form-data; filename=x; name=file"), MULTIPART),
        (form(NEW, disposition="form-data; filename*=UTF-8''x; name=\"file\""), MULTIPART),
        (form(NEW, boundary="-" * 70), "multipart/form-data; boundary=" + "-" * 70),
        (form(NEW, boundary="a b"), 'multipart/form-data; charset=x; boundary="a b"'),
        (b"preamble\r\n" + form(NEW) + b"epilogue", MULTIPART),
        (
            form(b"1", disposition="form-data; name=other")[: -len(f"--{BOUNDARY}--\r\n")]
            + form(NEW),
            MULTIPART,
        ),
    ],
    ids=[
        "no part content type",
        "extra part headers",
        "bare parameters",
        "extended filename",
        "longest boundary",
        "quoted boundary",
        "preamble",
        "another field",
    ],
)
def test_forms_of_real_clients_are_stored(
    ready: SandboxReady, body: bytes, content_type: str
) -> None:
    assert upload(ready, body, content_type=content_type).status == 201
    assert NEW == stored(ready)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"user_id":"u1"}',
        b'"u1"\r\n"u,2"\r\n',
        "u1\nž2\n".encode(),
        b'{"auth_user_id":"\\n"}\n',
    ],
    ids=["empty", "old name", "csv", "bare csv", "escapes"],
)
def test_lists_are_stored_byte_for_byte(ready: SandboxReady, content: bytes) -> None:
    assert upload(ready, form(content)).status == 201
    assert content == stored(ready)


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue", "100-CONTINUE"])
def test_expect_is_answered_after_the_head_is_checked(
    ready: SandboxReady, expectation: str
) -> None:
    body = form(NEW)
    headers = {
        **signed_headers(ready),
        "Content-Type": MULTIPART,
        "Content-Length": str(len(body)),
        "Expect": expectation,
    }
    with connect(ready) as connection:
        connection.sendall(head(ready, headers))
        interim = connection.recv(1000)
        connection.sendall(body)
        answer = read_answer(connection)

    assert b"HTTP/1.1 100 Continue\r\n\r\n" == interim
    assert answer.status == 201
    assert NEW == stored(ready)


def test_a_refused_head_gets_no_100_continue(ready: SandboxReady) -> None:
    headers = {
        **signed_headers(ready, key="wrong"),
        "Content-Type": MULTIPART,
        "Content-Length": "5000",
        "Expect": "100-continue",
    }
    with connect(ready) as connection:
        connection.sendall(head(ready, headers))
        answer = read_answer(connection)
        # The end of the answer is the end of the connection; it does not wait for a body.
        connection.settimeout(5)
        rest = connection.recv(10)

    assert answer.status == 401
    assert b"" == rest
    assert last_request(ready)["body_bytes"] == 0


def test_an_unknown_expectation_fails(ready: SandboxReady) -> None:
    assert upload(ready, form(NEW), Expect="200-ok").status == 417
    assert OLD == stored(ready)


@pytest.mark.parametrize("step", [1, 100, 100_000])
def test_a_chunked_body_is_stored(ready: SandboxReady, step: int) -> None:
    body = form(NEW)
    chunks = [body[at : at + step] for at in range(0, len(body), step)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    headers = {**signed_headers(ready), "Content-Type": MULTIPART, "Transfer-Encoding": "chunked"}
    with connect(ready) as connection:
        connection.sendall(head(ready, headers) + framed + b"0\r\n\r\n")
        answer = read_answer(connection)

    assert answer.status == 201
    assert NEW == stored(ready)


def test_the_query_is_not_signed(ready: SandboxReady) -> None:
    body = form(NEW)
    headers = {
        **signed_headers(ready),
        "Content-Type": MULTIPART,
        "Content-Length": str(len(body)),
    }
    with connect(ready) as connection:
        connection.sendall(head(ready, headers, path=upload_path(ready) + "?dry=1&x=%2F") + body)
        answer = read_answer(connection)

    assert answer.status == 201


def old_date() -> str:
    return formatdate(time() - 20, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"key": "wrong"}, "signature does not match"),
        ({"public_key": "9999-1"}, "public key"),
        ({"content_type": MULTIPART}, "covers the boundary"),
        ({"path": "/v1/batching/1234-5678/users"}, "signature does not match"),
        ({"date": "yesterday"}, "not an HTTP date"),
        ({"date": None}, "behind the server's clock"),
    ],
    ids=["key", "public key", "boundary signed", "path", "no date", "stale date"],
)
def test_a_wrong_signature_is_401_with_the_reason(
    ready: SandboxReady, headers: dict[str, str], reason: str
) -> None:
    chosen = {name: old_date() if value is None else value for name, value in headers.items()}
    signed = signed_headers(ready, **chosen)
    answer = upload(ready, form(NEW), Date=signed["Date"], Authorization=signed["Authorization"])

    assert answer.status == 401
    assert reason in answer.error
    assert "Date" in answer.headers
    assert OLD == stored(ready)


def test_keys_do_not_open_another_trackers_path(ready: SandboxReady) -> None:
    path = "/v1/recommender/batching/9999-1/users"

    assert upload(ready, form(NEW), path=path).status == 401


def test_a_client_still_sending_can_read_the_early_answer(ready: SandboxReady) -> None:
    headers = {
        **signed_headers(ready, key="wrong"),
        "Content-Type": MULTIPART,
        "Content-Length": str(64_000_000),
    }
    with connect(ready) as connection:
        connection.sendall(head(ready, headers))
        answer = read_answer(connection)
        # More than any buffer between us holds: the server must be taking it in.
        connection.sendall(b"x" * 64_000_000)
        rest = connection.recv(10)

    assert (401, b"") == (answer.status, rest)
    assert last_request(ready)["body_bytes"] == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"file=u1", "application/x-www-form-urlencoded", 415, "multipart"),
        (NEW, "application/json", 415, "multipart"),
        (form(NEW), "multipart/form-data", 400, "boundary"),
        (form(NEW), "multipart/form-data; boundary=other", 400, "boundary"),
        (form(NEW)[:-4], MULTIPART, 400, "closing boundary"),
        (form(NEW)[:30], MULTIPART, 400, "closing boundary"),
        (b"", MULTIPART, 400, "closing boundary"),
        (f"--{BOUNDARY}--\r\n".encode(), MULTIPART, 400, "no part named 'file'"),
        (form(NEW, disposition="form-data; name=users"), MULTIPART, 400, "no part named"),
        (form(NEW, disposition="form-data; filename=file"), MULTIPART, 400, "no name"),
        (
            form(NEW)[: -len(f"--{BOUNDARY}--\r\n")] + form(NEW),
            MULTIPART,
            400,
            "more than one part",
        ),
        (form(NEW + b"{}\n"), MULTIPART, 400, "line 3"),
        (form(b'"u1"\nu"2\n'), MULTIPART, 400, "line 2"),
        (form(b"\xef\xbb\xbf" + NEW), MULTIPART, 400, "byte order mark"),
        (form(b"u" * 100_001), MULTIPART, 413, "larger than 100000"),
        (form(b"u" * 1_200_000, disposition="form-data; name=x"), MULTIPART, 413, "larger than"),
    ],
    ids=[
        "urlencoded",
        "bare json",
        "no boundary",
        "wrong boundary",
        "cut at the end",
        "cut in the head",
        "empty body",
        "no part",
        "other name",
        "no name",
        "two files",
        "bad line",
        "bad csv line",
        "byte order mark",
        "too large",
        "other field too large",
    ],
)
def test_a_refused_upload_keeps_the_old_list(
    ready: SandboxReady, body: bytes, content_type: str, status: int, reason: str
) -> None:
    signed_type = content_type.partition(";")[0]
    signed = signed_headers(ready, content_type=signed_type)
    answer = upload(ready, body, content_type=content_type, **signed)

    assert status == answer.status
    assert reason in answer.error
    assert OLD == stored(ready)
    assert last_request(ready)["stored"] is False


def test_size_is_counted_without_content_length(ready: SandboxReady) -> None:
    headers = {**signed_headers(ready), "Content-Type": MULTIPART, "Transfer-Encoding": "chunked"}
    opening = form(b"")[: -len(f"\r\n--{BOUNDARY}--\r\n")]
    with connect(ready) as connection:
        connection.sendall(head(ready, headers))
        for chunk in (opening, b"u" * 700_000):
            connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        # The body goes on for ever: the answer must not wait for its end.
        answer = read_answer(connection)

    assert answer.status == 413
    assert OLD == stored(ready)


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body(ready: SandboxReady) -> None:
    headers = {
        **signed_headers(ready),
        "Content-Type": MULTIPART,
        "Content-Length": str(2_000_000),
    }
    with connect(ready) as connection:
        connection.sendall(head(ready, headers))
        answer = read_answer(connection)

    assert answer.status == 413
    assert last_request(ready)["body_bytes"] == 0


def test_exactly_the_limit_is_accepted(ready: SandboxReady) -> None:
    content = b"u123456789\n" * 10_000

    assert upload(ready, form(content[:100_000])).status == 201


@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
def test_a_body_that_breaks_off_keeps_the_old_list(ready: SandboxReady, framing: str) -> None:
    body = form(NEW)
    headers = {**signed_headers(ready), "Content-Type": MULTIPART}
    if framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
        body = b"%x\r\n%b" % (len(body), body)
    else:
        headers["Content-Length"] = str(len(body) + 2)
    with connect(ready) as connection:
        connection.sendall(head(ready, headers) + body)

    entry = last_request(ready)
    assert (None, False) == (entry["status"], entry["stored"])
    assert OLD == stored(ready)


def test_a_badly_framed_chunk_is_refused(ready: SandboxReady) -> None:
    headers = {**signed_headers(ready), "Content-Type": MULTIPART, "Transfer-Encoding": "chunked"}
    with connect(ready) as connection:
        connection.sendall(head(ready, headers) + b"zz\r\n")
        answer = read_answer(connection)

    assert answer.status == 400
    assert OLD == stored(ready)


def test_a_compressed_body_is_refused(ready: SandboxReady) -> None:
    answer = upload(ready, gzip.compress(form(NEW)), Content_Encoding="gzip")

    assert answer.status == 415
    assert OLD == stored(ready)


def test_a_header_that_comes_twice_is_refused(ready: SandboxReady) -> None:
    body = form(NEW)
    signed = signed_headers(ready)
    sent = {**signed, "date": signed["Date"], "Content-Type": MULTIPART}
    with connect(ready) as connection:
        connection.sendall(head(ready, {**sent, "Content-Length": str(len(body))}) + body)
        answer = read_answer(connection)

    assert answer.status == 400
    assert OLD == stored(ready)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_not_allowed(ready: SandboxReady, method: str) -> None:
    answer = fetch(ready.base_url + upload_path(ready), method=method)

    assert (405, "POST") == (answer.status, answer.headers["Allow"])
    assert OLD == stored(ready)


def test_the_old_path_is_served_only_on_request(ready: SandboxReady) -> None:
    path = f"/v1/batching/{ready.tracker_id}/users"
    assert upload(ready, form(NEW), path=path).status == 404

    with running(SandboxSettings(legacy_path=True)) as legacy:
        assert upload(legacy, form(NEW), path=path).status == 201


def test_an_upload_that_takes_too_long_is_cancelled() -> None:
    with running(SandboxSettings(upload_timeout=0.2)) as ready:
        headers = {**signed_headers(ready), "Content-Type": MULTIPART, "Content-Length": "5000"}
        with connect(ready) as connection:
            connection.sendall(head(ready, headers) + form(NEW)[:20])
            answer = read_answer(connection)

        assert answer.status == 408
        assert stored(ready) is None


def test_statuses_and_success_body_can_be_set() -> None:
    settings = SandboxSettings(
        auth_status=403, success_status=200, success_body="thanks", public_key="p", tracker_id="t"
    )
    with running(settings) as ready:
        answer = upload(ready, form(NEW))
        refused = upload(replace(ready, private_key="wrong"), form(NEW))

    assert (200, b"thanks") == (answer.status, answer.body)
    assert refused.status == 403


def test_a_success_without_body_has_none() -> None:
    with running(SandboxSettings(success_status=204)) as ready:
        answer = upload(ready, form(NEW))

    assert (204, b"") == (answer.status, answer.body)


def test_of_two_uploads_at_once_each_is_stored_whole(ready: SandboxReady) -> None:
    lists = [b'"%d"\n' % number * 2_000 for number in range(6)]
    threads = [threading.Thread(target=upload, args=(ready, form(one))) for one in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stored(ready) in lists


def test_the_request_log_masks_the_signature(ready: SandboxReady) -> None:
    signed = signed_headers(ready)
    upload(ready, form(NEW), **signed)
    entry = last_request(ready)

    digest = signed["Authorization"].rpartition(":")[2]
    assert digest not in json.dumps(entry)
    assert ["Authorization", f"ApiAuth {ready.public_key}:***"] in entry["headers"]
    expected = ("POST", upload_path(ready), 201, True, len(form(NEW)), None)
    names = ("method", "path", "status", "stored", "body_bytes", "fault")
    assert expected == tuple(entry[name] for name in names)


def test_no_answer_and_no_log_holds_an_id(ready: SandboxReady) -> None:
    secret = "someone@example.com"
    answer = upload(ready, form(f'{{"auth_user_id":"{secret}"}}\nx\n'.encode()))

    assert answer.status == 400
    assert secret not in answer.body.decode()
    assert secret not in fetch(f"{ready.base_url}/_sandbox/requests").body.decode()


def test_urllib_uploads_too(ready: SandboxReady) -> None:
    url = urllib.parse.urljoin(ready.base_url, upload_path(ready))
    signed = signed_headers(ready)
    answer = fetch(url, method="POST", data=form(NEW), Content_Type=MULTIPART, **signed)

    assert answer.status == 201
    assert NEW == stored(ready)


def test_the_plan_is_left_alone_by_other_requests(ready: SandboxReady) -> None:
    plan(ready, {"kind": "status", "status": 500})
    fetch(ready.export_url)

    assert upload(ready, form(NEW)).status == 500
    assert upload(ready, form(NEW)).status == 201
