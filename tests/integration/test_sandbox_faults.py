"""Every fault of the plan does what its documentation says, and leaves the store as it says."""

import contextlib
import http.client
import json
import socket
import time
import zlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

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
    requests,
    signed_headers,
    stored,
    upload,
)

from pipeline.records import SandboxReady
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

OLD = b'"old"\n'
NEW = b'"u1"\n"u2"\n'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxReady]:
    with running(SandboxSettings(receive_buffer=4096)) as ready:
        yield ready


@pytest.fixture
def ready(sandbox: SandboxReady) -> SandboxReady:
    """A sandbox without faults that holds the old list and an export of it."""
    fetch(f"{sandbox.base_url}/_sandbox/faults", method="DELETE")
    assert upload(sandbox, form(OLD)).status == 201
    fetch(f"{sandbox.base_url}/_sandbox/generate", method="POST")
    return sandbox


def received(ready: SandboxReady, body: bytes) -> tuple[bytes, bool]:
    """All bytes of the answer, and whether the connection was reset."""
    headers = {
        **signed_headers(ready),
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    data = b""
    with connect(ready) as connection:
        connection.sendall(head(ready, headers) + body)
        while True:
            try:
                piece = connection.recv(65536)
            except ConnectionResetError:
                return data, True
            if not piece:
                return data, False
            data += piece


def test_a_status_storm_ends_after_its_times(ready: SandboxReady) -> None:
    plan(ready, {"kind": "status", "status": 503, "times": 3, "body": "busy"})
    answers = [upload(ready, form(NEW)) for _ in range(4)]

    assert [503, 503, 503, 201] == [answer.status for answer in answers]
    assert b"busy" == answers[0].body


def test_a_status_fault_stores_only_if_told_to(ready: SandboxReady) -> None:
    plan(ready, {"kind": "status"}, {"kind": "status", "status": 504, "commit": True})

    assert (503, OLD) == (upload(ready, form(NEW)).status, stored(ready))
    assert (504, NEW) == (upload(ready, form(NEW)).status, stored(ready))


def test_retry_after_comes_in_both_forms(ready: SandboxReady) -> None:
    plan(
        ready,
        {"kind": "status", "status": 429, "retry_after_s": 7},
        {"kind": "status", "status": 429, "retry_after_date_s": 60},
    )
    seconds, date = upload(ready, form(NEW)).headers, upload(ready, form(NEW)).headers

    assert "7" == seconds["Retry-After"]
    ahead = parsedate_to_datetime(date["Retry-After"]) - parsedate_to_datetime(date["Date"])
    assert 60 == pytest.approx(ahead.total_seconds(), abs=1)


def test_headers_can_come_more_than_once(ready: SandboxReady) -> None:
    pairs = [["Retry-After", "1"], ["Retry-After", "2"], ["Content-Type", "text/html"]]
    plan(ready, {"kind": "headers", "headers": pairs})
    data, _ = received(ready, form(NEW))

    assert data.startswith(b"HTTP/1.1 201 ")
    assert b"Retry-After: 1\r\n" in data
    assert b"Retry-After: 2\r\n" in data
    assert 2 == data.lower().count(b"content-type:")


def test_a_redirect_leads_where_followers_are_seen(ready: SandboxReady) -> None:
    plan(
        ready,
        {"kind": "redirect", "status": 307},
        {"kind": "redirect", "location": "http://[::1]:9/"},
    )
    first, second = upload(ready, form(NEW)), upload(ready, form(NEW))
    count = len(requests(ready))
    followed = fetch(first.headers["Location"], method="POST", data=b"x")

    assert (307, 302) == (first.status, second.status)
    assert "http://[::1]:9/" == second.headers["Location"]
    assert (200, count + 1) == (followed.status, len(requests(ready)))
    assert OLD == stored(ready)


def test_an_html_page_can_pass_for_success(ready: SandboxReady) -> None:
    plan(ready, {"kind": "html"})
    answer = upload(ready, form(NEW))

    assert (200, "text/html; charset=utf-8") == (answer.status, answer.headers["Content-Type"])
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert OLD == stored(ready)


def test_an_early_answer_can_be_read_while_sending(ready: SandboxReady) -> None:
    plan(ready, {"kind": "early", "status": 413, "at_byte": 1000})
    headers = {
        **signed_headers(ready),
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": "20000000",
    }
    opening = form(b"")[: -len(f"\r\n--{BOUNDARY}--\r\n")]
    with connect(ready) as connection:
        connection.sendall(head(ready, headers) + opening + b"u" * 1000)
        answer = read_answer(connection)
        connection.sendall(b"u" * 19_000_000)

    assert answer.status == 413
    assert 1000 == last_request(ready)["body_bytes"]
    assert OLD == stored(ready)


@pytest.mark.parametrize("at_byte", [0, 1, 100, 10**9])
def test_a_reset_destroys_the_upload_at_its_byte(ready: SandboxReady, at_byte: int) -> None:
    plan(ready, {"kind": "reset", "at_byte": at_byte})
    body = form(NEW)

    assert (b"", True) == received(ready, body)
    entry = last_request(ready)
    assert (min(at_byte, len(body)), None) == (entry["body_bytes"], entry["status"])
    assert OLD == stored(ready)


@pytest.mark.parametrize("count", [0, 1, 12, 30])
def test_a_lost_answer_comes_after_the_list_is_stored(ready: SandboxReady, count: int) -> None:
    plan(ready, {"kind": "lost", "answer_bytes": count})
    data, was_reset = received(ready, form(NEW))

    # A reset may overtake the bytes sent before it.
    assert b"HTTP/1.1 201 Created\r\nContent-Length: "[:count].startswith(data)
    assert was_reset
    assert NEW == stored(ready)


def test_a_clock_fault_moves_the_date_header_and_the_check(ready: SandboxReady) -> None:
    plan(ready, {"kind": "clock", "clock_offset_s": 3600})
    answer = upload(ready, form(NEW))

    ahead = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
    assert answer.status == 401
    assert "3600 s behind" in answer.error
    assert 3600 == pytest.approx(ahead, abs=5)
    assert OLD == stored(ready)


def test_a_stalled_upload_goes_on_afterwards(ready: SandboxReady) -> None:
    plan(ready, {"kind": "stall", "at_byte": 10, "seconds": 0.1})

    assert upload(ready, form(NEW)).status == 201
    assert NEW == stored(ready)


def test_a_slow_reader_makes_the_sender_wait(ready: SandboxReady) -> None:
    plan(ready, {"kind": "slow", "bytes_per_s": 20_000})
    headers = {
        **signed_headers(ready),
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": "50000000",
    }
    with connect(ready) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.sendall(head(ready, headers))
        connection.settimeout(0.3)
        # Far less than this fits into the buffers between us.
        with pytest.raises(TimeoutError):
            connection.sendall(b"x" * 20_000_000)

    assert OLD == stored(ready)


def test_the_request_log_names_the_fault(ready: SandboxReady) -> None:
    plan(ready, {"kind": "status"})
    upload(ready, form(NEW))

    assert "status" == last_request(ready)["fault"]


def test_faults_are_listed_added_and_cleared(ready: SandboxReady) -> None:
    plan(ready, {"kind": "status", "times": 2}, {"kind": "reset"})
    url = f"{ready.base_url}/_sandbox/faults"
    upload(ready, form(NEW))
    left = json.loads(fetch(url).body)["faults"]
    cleared = json.loads(fetch(url, method="DELETE").body)["faults"]

    assert [("status", 1), ("reset", 1)] == [(one["kind"], one["times"]) for one in left]
    assert [] == cleared
    assert upload(ready, form(NEW)).status == 201


@pytest.mark.parametrize("body", [b"", b"{", b'[{"kind":"x"}]', b'"x"'])
def test_a_wrong_plan_is_refused_and_changes_nothing(ready: SandboxReady, body: bytes) -> None:
    url = f"{ready.base_url}/_sandbox/faults"

    assert fetch(url, method="POST", data=body).status == 400
    assert [] == json.loads(fetch(url).body)["faults"]


def raw_get(ready: SandboxReady) -> tuple[dict[str, str], bytes, bool]:
    """Headers and all bytes of the export's body, read to the end of the connection."""
    path = ready.export_url.removeprefix(ready.base_url)
    data = b""
    was_reset = False
    with connect(ready) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                data += piece
            piece = b"end"
        was_reset = piece != b"end"
    top, _, body = data.partition(b"\r\n\r\n")
    pairs = (line.partition(": ") for line in top.decode().splitlines()[1:])
    return {name: value for name, _, value in pairs}, body, was_reset


@pytest.mark.parametrize("at_byte", [0, 1, 500])
def test_a_cut_export_ends_in_good_order_too_soon(ready: SandboxReady, at_byte: int) -> None:
    whole = fetch(ready.export_url).body
    plan(ready, {"kind": "cut", "at_byte": at_byte})
    headers, body, was_reset = raw_get(ready)

    assert (str(len(whole)), whole[:at_byte], False) == (
        headers["Content-Length"],
        body,
        was_reset,
    )


def test_a_reset_export_is_reset(ready: SandboxReady) -> None:
    plan(ready, {"kind": "reset", "on": "export", "at_byte": 500})
    _, body, was_reset = raw_get(ready)

    assert was_reset
    assert len(body) <= 500


def test_a_lost_export_has_no_answer(ready: SandboxReady) -> None:
    plan(ready, {"kind": "lost", "on": "export"})

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        fetch(ready.export_url)


def test_the_etag_changes_from_request_to_request(ready: SandboxReady) -> None:
    before = fetch(ready.export_url).headers["ETag"]
    plan(ready, {"kind": "etag", "times": 2})
    tags = {before, *(fetch(ready.export_url).headers["ETag"] for _ in range(2))}

    assert 3 == len(tags)
    assert before == fetch(ready.export_url).headers["ETag"]


@pytest.mark.parametrize("delta", [-3, 3])
def test_the_declared_length_is_wrong(ready: SandboxReady, delta: int) -> None:
    whole = fetch(ready.export_url).body
    plan(ready, {"kind": "length", "delta": delta})
    headers, body, _ = raw_get(ready)

    assert (str(len(whole) + delta), whole) == (headers["Content-Length"], body)


def test_an_export_storm_a_redirect_and_a_page(ready: SandboxReady) -> None:
    plan(
        ready,
        {"kind": "status", "on": "export", "times": 2, "retry_after_s": 0},
        {"kind": "html", "on": "export"},
    )
    answers = [fetch(ready.export_url) for _ in range(4)]

    assert [503, 503, 200, 200] == [answer.status for answer in answers]
    assert ["text/html; charset=utf-8", "application/xml"] == [
        answer.headers["Content-Type"] for answer in answers[2:]
    ]


@pytest.mark.parametrize("fault", [{"kind": "stall", "seconds": 0.1}, {"kind": "slow"}])
def test_a_slow_or_stalled_export_arrives_whole(ready: SandboxReady, fault: dict[str, Any]) -> None:
    whole = fetch(ready.export_url).body
    plan(ready, {**fault, "on": "export", "at_byte": 100})

    assert whole == fetch(ready.export_url).body


def test_a_bomb_is_short_and_unpacks_to_its_size(ready: SandboxReady) -> None:
    plan(ready, {"kind": "bomb", "size": 3_000_000})
    answer = fetch(ready.export_url)

    assert "gzip" == answer.headers["Content-Encoding"]
    assert len(answer.body) < 10_000
    assert 3_000_000 == len(zlib.decompress(answer.body, 31))


def test_a_plan_on_the_command_line_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"seed": 1, "faults": [{"kind": "status", "status": 500}]}')
    with running(SandboxSettings(faults=path)) as ready:
        statuses = [upload(ready, form(NEW)).status for _ in range(2)]

    assert [500, 201] == statuses


def test_every_field_of_a_fault_is_documented() -> None:
    import pipeline.sandbox.faults as module

    text = module.__doc__ or ""
    missing = [name for name in Fault.__dataclass_fields__ if f"`{name}`" not in text]
    assert [] == [name for name in missing if f'"{name}"' not in text]
