"""Every fault in every phase: afterwards the server holds the old list or the whole new one, and
what the client says is true."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import logging
import os
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from python_multipart import MultipartParser
from transfer_servers import (
    CERTIFICATE,
    Peer,
    Script,
    Server,
    content_length,
    header,
    refuse,
    serving,
    store_and_answer,
)
from werkzeug.formparser import parse_form_data

from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    InputError,
    RemoteError,
    TryLaterError,
    UncertainError,
)
from pipeline.records import Progress, Receipt, UploadSummary
from pipeline.settings import Secret, UploadSettings
from pipeline.transfer.upload import upload_list
from pipeline.wire.signing import sign, string_to_sign

OLD = b"old list"
SMALL = b'{"auth_user_id":"u1"}\n{"auth_user_id":"u2"}\n'
# Far more than the buffers of both kernels and of asyncio hold: sending it cannot be over early.
BIG = b'{"auth_user_id":"u123456789"}\n' * 600_000
KEY = "s3cret-private-key"


def write_list(folder: Path, content: bytes, name: str = "users.jsonl") -> tuple[Path, Receipt]:
    path = folder / name
    path.write_bytes(content)
    return path, Receipt(
        list_name=name,
        format="jsonl",
        bytes=len(content),
        users=content.count(b"\n"),
        sha256=hashlib.sha256(content).hexdigest(),
        created_at="2026-11-23T00:00:00Z",
    )


def settings(base_url: str, /, **changes: object) -> UploadSettings:
    values: dict[str, object] = {
        "tracker_id": "1234-5678",
        "base_url": base_url,
        "retry_wait": 0.001,
        "deadline": 15.0,
        "max_attempts": 2,
    }
    return UploadSettings(**(values | changes))  # type: ignore[arg-type]


def send(
    server: Server, written: tuple[Path, Receipt], **changes: object
) -> UploadSummary | BatchpubError:
    path, receipt = written
    try:
        return upload_list(path, receipt, Secret(KEY), settings(server.url, **changes))
    except BatchpubError as error:
        return error


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Receipt]:
    return write_list(tmp_path, SMALL)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Receipt]:
    return write_list(tmp_path_factory.mktemp("big"), BIG)


def by_werkzeug(head: bytes, body: bytes) -> tuple[str, str, bytes]:
    _, form, files = parse_form_data(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": header(head, "content-type"),
            "CONTENT_LENGTH": header(head, "content-length"),
            "wsgi.input": io.BytesIO(body),
        }
    )
    assert (["file"], []) == (list(files), list(form))
    stored = files["file"]
    content = stored.read()
    stored.close()
    return str(stored.filename), str(stored.content_type), content


def by_python_multipart(head: bytes, body: bytes) -> tuple[str, str, bytes]:
    """Fed in small pieces, as a streaming server would."""
    found: list[tuple[str, str, bytes]] = []
    parts: list[bytes] = []
    fields: list[bytes] = []
    boundary = header(head, "content-type").partition("boundary=")[2]
    headers: dict[str, str] = {}
    name, value = bytearray(), bytearray()

    def end_header() -> None:
        headers[name.decode().lower()] = value.decode()
        name.clear()
        value.clear()

    def end_part() -> None:
        disposition = headers["content-disposition"]
        file_name = disposition.partition('filename="')[2].partition('"')[0]
        fields.append(disposition.encode())
        found.append((file_name, headers["content-type"], b"".join(parts)))

    ended: list[bool] = []
    parser = MultipartParser(
        boundary,
        {
            "on_header_field": lambda data, start, end: name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: value.extend(data[start:end]),
            "on_header_end": end_header,
            "on_part_data": lambda data, start, end: parts.append(data[start:end]),
            "on_part_end": end_part,
            "on_end": lambda: ended.append(True),
        },
    )
    for start in range(0, len(body), 7_001):
        parser.write(body[start : start + 7_001])
    parser.finalize()
    assert [True] == ended
    assert b'name="file"' in fields[0]
    (only,) = found
    return only


@pytest.mark.parametrize("parse", [by_werkzeug, by_python_multipart])
def test_a_list_arrives_byte_for_byte_at_a_foreign_parser(
    parse: Callable[[bytes, bytes], tuple[str, str, bytes]], big: tuple[Path, Receipt]
) -> None:
    path, receipt = big
    with serving(store_and_answer(202, b"<h1>Thanks</h1>")) as server:
        summary = upload_list(path, receipt, Secret(KEY), settings(server.url))
    file_name, content_type, content = parse(server.heads[0], server.bodies[0])

    assert receipt.sha256 == hashlib.sha256(content).hexdigest()
    assert ("users.jsonl", "application/octet-stream") == (file_name, content_type)
    assert (202, 1, "Thanks") == (summary.status, summary.attempts, summary.server_said)
    assert (receipt.users, receipt.bytes, receipt.sha256) == (
        summary.users,
        summary.bytes,
        summary.sha256,
    )
    assert f"{server.url}/v1/recommender/batching/1234-5678/users" == summary.target


def test_the_signature_covers_what_was_sent(small: tuple[Path, Receipt]) -> None:
    with serving(store_and_answer()) as server:
        send(server, small, public_key="pub", scheme_word="word", path_template="/a/{tracker_id}?q")
    head = server.heads[0]
    text = string_to_sign(
        method="POST",
        content_type="multipart/form-data",
        date=header(head, "date"),
        path="/a/1234-5678",
    )

    assert head.startswith(b"POST /a/1234-5678?q HTTP/1.1\r\n")
    assert f"word pub:{sign(Secret(KEY), text)}" == header(head, "authorization")
    assert 1 == len(re.findall(rb"(?i)\r\ndate:", head))
    assert 1 == len(re.findall(rb"(?i)\r\nauthorization:", head))


# -- outcomes --


def lost_answer(peer: Peer) -> None:
    peer.store_request()


def reset_after_commit(peer: Peer) -> None:
    peer.store_request()
    peer.reset()


def not_http(peer: Peer) -> None:
    peer.store_request()
    peer.send(b"220 ready\r\n\r\n")


def cut_in_status(peer: Peer) -> None:
    peer.store_request()
    peer.send(b"HTTP/1.1 20")


def cut_in_headers(peer: Peer) -> None:
    peer.store_request()
    peer.send(b"HTTP/1.1 201 Created\r\nContent-Le")


def contradicting_lengths(peer: Peer) -> None:
    peer.store_request()
    peer.send(b"HTTP/1.1 201 C\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")


def never_answers(peer: Peer) -> None:
    peer.store_request()
    peer.wait_for_end()


def gateway(status: int) -> Script:
    def script(peer: Peer) -> None:
        peer.store_request()
        peer.answer(status, b"<html>gateway</html>")

    return script


@pytest.mark.parametrize(
    "script",
    [lost_answer, reset_after_commit, not_http, cut_in_status, cut_in_headers,
     contradicting_lengths, gateway(502), gateway(504)],
)  # fmt: skip
def test_a_lost_answer_is_uncertain_and_the_same_list_is_sent_again(
    script: Script, small: tuple[Path, Receipt]
) -> None:
    with serving(script) as server:
        outcome = send(server, small)
    with serving(script, store_and_answer()) as recovering:
        retried = send(recovering, small)

    assert UncertainError is type(outcome)
    assert 2 == server.connections
    assert server.bodies[0].count(SMALL) == server.bodies[1].count(SMALL) == 1
    assert isinstance(retried, UploadSummary)
    assert 2 == retried.attempts
    assert SMALL == server.stored == recovering.stored


def test_an_answer_that_never_comes_is_uncertain_at_the_deadline(
    small: tuple[Path, Receipt],
) -> None:
    with serving(never_answers) as server:
        outcome = send(server, small, deadline=0.4)

    assert UncertainError is type(outcome)
    assert SMALL == server.stored


def test_a_refusal_after_a_lost_answer_stays_uncertain(small: tuple[Path, Receipt]) -> None:
    with serving(lost_answer, refuse(401)) as server:
        outcome = send(server, small)

    assert UncertainError is type(outcome)
    assert SMALL == server.stored


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 422, 300, 304, 501])
def test_a_refusal_is_final(status: int, small: tuple[Path, Receipt]) -> None:
    with serving(refuse(status, b"" if status == 304 else b"{}")) as server:
        outcome = send(server, small)

    assert RemoteError is type(outcome)
    assert (1, OLD) == (server.connections, server.stored)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_trouble_is_tried_again_and_then_given_up(status: int, small: tuple[Path, Receipt]) -> None:
    with serving(refuse(status, b"<html>no</html>", Retry_After="0")) as server:
        outcome = send(server, small, max_attempts=3)

    assert TryLaterError is type(outcome)
    assert (3, OLD) == (server.connections, server.stored)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_trouble_that_passes_ends_well(status: int, small: tuple[Path, Receipt]) -> None:
    with serving(refuse(status), store_and_answer()) as server:
        outcome = send(server, small)

    assert isinstance(outcome, UploadSummary)
    assert (2, SMALL) == (outcome.attempts, server.stored)


def test_a_wait_beyond_the_deadline_is_not_begun(small: tuple[Path, Receipt]) -> None:
    with serving(refuse(503, b"", Retry_After="3600")) as server:
        outcome = send(server, small)

    assert isinstance(outcome, TryLaterError)
    assert "3600 s" in outcome.message
    assert 1 == server.connections


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int, small: tuple[Path, Receipt]) -> None:
    with (
        serving(store_and_answer()) as elsewhere,
        serving(refuse(status, b"", Location=f"{elsewhere.url}/new?token=t0ken")) as server,
    ):
        outcome = send(server, small)

    assert isinstance(outcome, RemoteError)
    assert f"{elsewhere.url}/new" in outcome.message
    assert "t0ken" not in str(outcome)
    assert (0, 1, OLD) == (elsewhere.connections, server.connections, elsewhere.stored)


def test_a_broken_body_of_a_success_changes_nothing(small: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.store_request()
        peer.send(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\nhalf an ans")
        peer.reset()

    with serving(script) as server:
        assert isinstance(send(server, small), UploadSummary)


def test_an_endless_body_of_a_success_is_not_read_to_its_end(small: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.store_request()
        peer.send(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with serving(script) as server:
        outcome = send(server, small)

    assert isinstance(outcome, UploadSummary)
    assert 200 >= len(outcome.server_said)


def test_interim_and_duplicate_headers_do_not_confuse(small: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.store_request()
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
        peer.send(
            b"HTTP/1.1 201 Created\r\nDate: x\r\nDate: y\r\nRetry-After: 9\r\nRetry-After: z\r\n"
            b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n"
        )

    with serving(script) as server:
        outcome = send(server, small)

    assert isinstance(outcome, UploadSummary)
    assert 201 == outcome.status


# -- while the body goes out --


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_lost_in_the_body_leaves_the_old_list(
    share: float, how: str, big: tuple[Path, Receipt]
) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.read(int(len(BIG) * share))
        if how == "reset":
            peer.reset()

    with serving(script) as server:
        outcome = send(server, big)
    with serving(script, store_and_answer()) as recovering:
        retried = send(recovering, big)

    assert TryLaterError is type(outcome)
    assert (2, OLD) == (server.connections, server.stored)
    assert isinstance(retried, UploadSummary)
    assert BIG == recovering.stored


def test_a_reset_at_any_byte_of_a_small_request_never_stores_a_part(tmp_path: Path) -> None:
    """The client may have handed over everything, so both are true: try later and uncertain."""
    written = write_list(tmp_path, b'"u1"\n', "u.csv")
    seen = set()
    for cut in range(0, 190, 6):

        def script(peer: Peer, cut: int = cut) -> None:
            head = peer.read_head()
            if len(peer.read(cut)) == content_length(head):
                pytest.fail("the cut lies behind the body")
            peer.reset()

        with serving(script) as server:
            outcome = send(server, written, max_attempts=1)
        assert OLD == server.stored
        seen.add(type(outcome))

    assert seen <= {TryLaterError, UncertainError}


@pytest.mark.parametrize("status", [400, 401, 413])
@pytest.mark.parametrize("linger", [True, False], ids=["reads on", "closes at once"])
def test_an_early_refusal_is_read_and_reported(
    status: int, linger: bool, big: tuple[Path, Receipt]
) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(status, b"too early")
        if linger:
            peer.wait_for_end()

    with serving(script) as server:
        outcome = send(server, big)

    assert RemoteError is type(outcome)
    assert "too early" in str(outcome)
    assert (1, OLD) == (server.connections, server.stored)


def test_an_early_refusal_stops_the_body(big: tuple[Path, Receipt]) -> None:
    still_came = []

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(413)
        still_came.append(peer.wait_for_end())

    with serving(script) as server:
        send(server, big)

    assert len(BIG) > still_came[0]


def test_an_early_success_is_not_believed(big: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(201)
        peer.wait_for_end()

    with serving(script) as server:
        outcome = send(server, big)

    assert RemoteError is type(outcome)
    assert "before it had the whole list" in str(outcome)


def test_a_success_that_only_begins_early_is_waited_for(big: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        head = peer.read_head()
        peer.send(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
        body = peer.read_body(head)
        peer.server.store(head, body)
        peer.send(b"2\r\nok\r\n0\r\n\r\n")

    with serving(script) as server:
        outcome = send(server, big)

    assert isinstance(outcome, UploadSummary)
    assert BIG == server.stored


def test_a_standstill_ends_early_and_names_the_rate_needed(big: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        released.wait(20)

    released = threading.Event()
    with serving(script) as server:
        outcome = send(server, big, deadline=4.0)
        released.set()

    assert isinstance(outcome, TryLaterError)
    assert "too slow" in outcome.message
    assert "Mbit/s needed" in str(outcome.limit)
    assert 1 == server.connections


# -- Expect: 100-continue --


def test_consent_is_waited_for(small: tuple[Path, Receipt]) -> None:
    came_before_consent = []

    def script(peer: Peer) -> None:
        head = peer.read_head()
        peer.socket.settimeout(0.05)
        try:
            came_before_consent.append(peer.socket.recv(1))
        except TimeoutError:
            came_before_consent.append(b"")
        peer.socket.settimeout(20)
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.server.store(head, peer.read_body(head))
        peer.answer(201)

    with serving(script) as server:
        outcome = send(server, small, expect_continue=True)

    assert isinstance(outcome, UploadSummary)
    assert [b""] == came_before_consent
    assert "100-continue" == header(server.heads[0], "expect")
    assert SMALL == server.stored


def test_a_refusal_instead_of_consent_sends_no_byte_of_the_list(
    small: tuple[Path, Receipt],
) -> None:
    still_came = []

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(401)
        still_came.append(peer.wait_for_end())

    with serving(script) as server:
        outcome = send(server, small, expect_continue=True)

    assert RemoteError is type(outcome)
    assert [0] == still_came


# -- before the first byte --


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def attempt_at(base_url: str, written: tuple[Path, Receipt], **changes: object) -> BatchpubError:
    path, receipt = written
    with pytest.raises(BatchpubError) as caught:
        upload_list(path, receipt, Secret(KEY), settings(base_url, **changes))
    return caught.value


def test_a_server_that_is_down_is_try_later(small: tuple[Path, Receipt]) -> None:
    error = attempt_at(f"http://127.0.0.1:{free_port()}", small)

    assert TryLaterError is type(error)
    assert "connection refused" in error.message
    assert "2 attempts" in error.message


def test_a_name_that_is_unknown_is_try_later(
    small: tuple[Path, Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unknown(host: str, *args: object, **kwargs: object) -> object:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("pipeline.transfer.session.socket.getaddrinfo", unknown)
    error = attempt_at("https://shop.invalid", small)

    assert TryLaterError is type(error)
    assert "host name" in error.message
    assert ["shop.invalid"] * 2 == asked


def test_a_server_without_tls_is_a_refusal(small: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.socket.recv(100)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(script) as server:
        error = attempt_at(server.url.replace("http:", "https:"), small)

    assert RemoteError is type(error)
    assert "TLS" in error.message
    assert 1 == server.connections


def test_a_handshake_that_breaks_off_is_try_later(small: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.socket.recv(100)
        peer.reset()

    with serving(script) as server:
        error = attempt_at(server.url.replace("http:", "https:"), small)

    assert TryLaterError is type(error)
    assert 2 == server.connections


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({"base_url": "http://live.luigisbox.com"}, "--base-url"),
        ({"base_url": "https://u:s3cret@host"}, "--base-url"),
        ({"base_url": "https://host/?a=b"}, "--base-url"),
        ({"tracker_id": "../x"}, "--tracker-id"),
        ({"tracker_id": ""}, "--tracker-id"),
        ({"public_key": "a b"}, "--public-key"),
        ({"scheme_word": "Api\r\nAuth"}, "--scheme-word"),
        ({"path_template": "/users"}, "--path-template"),
        ({"path_template": "/{tracker_id}/\n"}, "--path-template"),
        ({"part_content_type": "text"}, "--part-content-type"),
        ({"base_url": "https://host", "ca_file": Path("/nowhere/ca.pem")}, "/nowhere/ca.pem"),
    ],
)
def test_unusable_settings_are_found_before_the_first_connection(
    changes: dict[str, object], source: str, small: tuple[Path, Receipt]
) -> None:
    path, receipt = small
    with serving(store_and_answer()) as server:
        with pytest.raises(ConfigurationError) as caught:
            upload_list(path, receipt, Secret(KEY), settings(server.url, **changes))

        assert source == caught.value.source
        assert "s3cret" not in str(caught.value)
        assert 0 == server.connections


def test_a_proxy_of_the_environment_is_used_except_for_loopback(
    small: tuple[Path, Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    def proxy(peer: Peer) -> None:
        peer.read_head()
        peer.answer(407)

    with serving(proxy) as proxying, serving(store_and_answer()) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxying.url.replace("//", "//user:pw@"))
        monkeypatch.setenv("no_proxy", "")
        direct = send(server, small)
        error = attempt_at("https://shop.invalid", small)

    assert isinstance(direct, UploadSummary)
    assert proxying.heads[0].startswith(b"CONNECT shop.invalid:443 HTTP/1.1\r\n")
    assert "Basic dXNlcjpwdw==" == header(proxying.heads[0], "proxy-authorization")
    assert b"ApiAuth" not in proxying.heads[0]
    assert RemoteError is type(error)
    assert "proxy" in error.message
    assert "pw" not in str(error)


# -- the list --


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sha256": "0" * 64}, id="other content"),
        pytest.param({"bytes": len(SMALL) - 1}, id="longer than its receipt"),
        pytest.param({"bytes": len(SMALL) + 1}, id="shorter than its receipt"),
    ],
)
def test_a_list_that_is_not_its_receipts_is_never_finished(
    change: dict[str, object], small: tuple[Path, Receipt]
) -> None:
    path, receipt = small
    with serving(store_and_answer()) as server:
        outcome = send(server, (path, dataclasses.replace(receipt, **change)))  # type: ignore[arg-type]

    assert InputError is type(outcome)
    assert (OLD, []) == (server.stored, server.bodies)


@pytest.mark.parametrize(
    "meddle",
    [
        pytest.param(lambda path: os.truncate(path, len(BIG) - 1), id="truncated"),
        pytest.param(lambda path: append(path, b"\n"), id="appended to"),
        pytest.param(lambda path: overwrite(path, len(BIG) - 5, b"X"), id="overwritten"),
    ],
)
def test_a_list_that_changes_while_it_is_sent_is_never_finished(
    meddle: Callable[[Path], None], tmp_path: Path
) -> None:
    path, receipt = write_list(tmp_path, BIG)

    def script(peer: Peer) -> None:
        head = peer.read_head()
        meddle(path)
        if len(peer.read_body(head)) == content_length(head):
            peer.server.stored = b"something"
        peer.answer(201)

    with serving(script) as server:
        outcome = send(server, (path, receipt))

    assert InputError is type(outcome)
    assert (OLD, 1) == (server.stored, server.connections)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_a_list_replaced_while_it_is_sent_is_still_the_one_opened(tmp_path: Path) -> None:
    path, receipt = write_list(tmp_path, BIG)
    (tmp_path / "new").write_bytes(b"other")

    def script(peer: Peer) -> None:
        head = peer.read_head()
        (tmp_path / "new").replace(path)
        peer.server.store(head, peer.read_body(head))
        peer.answer(201)

    with serving(script) as server:
        outcome = send(server, (path, receipt))

    assert isinstance(outcome, UploadSummary)
    assert BIG == server.stored


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    _, receipt = write_list(tmp_path, SMALL)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with serving(store_and_answer()) as server:
        outcomes = [send(server, (path, receipt)) for path in (tmp_path, pipe, tmp_path / "none")]

    assert [InputError] * 3 == [type(outcome) for outcome in outcomes]
    assert 0 == server.connections


# -- time, progress, secrets --


def test_the_signature_is_made_after_a_slow_name_service(
    small: tuple[Path, Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names resolve, then the clock is read: not the other way round."""
    order: list[str] = []
    real = socket.getaddrinfo

    def resolve(*args: object, **kwargs: object) -> object:
        order.append("name")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    def date(timestamp: float) -> str:
        order.append("date")
        return "Thu, 29 Jun 2017 12:11:16 GMT"

    monkeypatch.setattr("pipeline.transfer.session.socket.getaddrinfo", resolve)
    monkeypatch.setattr("pipeline.transfer.attempt.http_date", date)
    with serving(refuse(503), store_and_answer()) as server:
        path, receipt = small
        upload_list(
            path,
            receipt,
            Secret(KEY),
            settings(server.url.replace("127.0.0.1", "localhost")),
        )

    # The first date is the check of the settings before anything else.
    assert ["date", "name", "date", "name", "date"] == order


def test_progress_goes_up_to_the_whole_list(big: tuple[Path, Receipt]) -> None:
    path, receipt = big
    seen: list[Progress] = []
    with serving(store_and_answer()) as server:
        upload_list(path, receipt, Secret(KEY), settings(server.url), on_progress=seen.append)
    done = [progress.done for progress in seen]

    assert done == sorted(done)
    assert (0, len(BIG)) == (done[0], done[-1])
    assert {len(BIG)} == {progress.total for progress in seen}


def use_loop(kind: type[asyncio.SelectorEventLoop], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "new_event_loop", kind)
    monkeypatch.setattr(asyncio.events, "new_event_loop", kind)


@pytest.mark.parametrize("ends", ["well", "early"])
def test_the_loop_turns_while_the_disk_is_slow(
    ends: str, big: tuple[Path, Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that waits for a hundred turns of the loop would wait for ever on the loop."""
    turns, reading = threading.Semaphore(0), threading.Event()
    real = os.pread
    waited: list[bool] = []

    def slow(descriptor: int, size: int, offset: int) -> bytes:
        if waited:  # the one before has been judged, this one is to be abandoned
            reading.set()
        while turns.acquire(blocking=False):
            pass  # those that are over do not count
        waited.append(all(turns.acquire(timeout=5) for _ in range(100)))
        return real(descriptor, size, offset)

    class Turning(asyncio.SelectorEventLoop):
        def _run_once(self) -> None:
            turns.release()
            self.call_soon(lambda: None)
            super()._run_once()  # type: ignore[misc]

    def refuses(peer: Peer) -> None:
        peer.read_head()
        assert reading.wait(20)
        peer.answer(413)
        peer.wait_for_end()

    monkeypatch.setattr("pipeline.transfer.body.os.pread", slow)
    use_loop(Turning, monkeypatch)
    with serving(store_and_answer() if ends == "well" else refuses) as server:
        outcome = send(server, big)

    assert (UploadSummary if ends == "well" else RemoteError) is type(outcome)
    assert waited
    assert all(waited[: 1 if ends == "early" else None])


def test_no_turn_of_the_loop_works_for_50_ms(
    big: tuple[Path, Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work, not time: what a turn waits for is the test above, and this machine may be busy."""
    longest = [0.0]

    class Timed(asyncio.SelectorEventLoop):
        def _run_once(self) -> None:
            began = time.thread_time()
            super()._run_once()  # type: ignore[misc]
            longest[0] = max(longest[0], time.thread_time() - began)

    use_loop(Timed, monkeypatch)
    with serving(store_and_answer()) as server:
        outcome = send(server, big)

    assert isinstance(outcome, UploadSummary)
    assert 0 < longest[0] < 0.05


def test_no_secret_and_no_user_id_is_in_any_error_or_log(
    small: tuple[Path, Receipt], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = b'{"auth_user_id":"u1"} is wrong'
    texts: list[str] = []
    digests: set[str] = set()
    path, receipt = small
    for script in (refuse(401, echo), refuse(500, echo), lost_answer, not_http):
        with serving(script) as server:
            try:
                upload_list(path, receipt, Secret(KEY), settings(server.url))
            except BatchpubError as error:
                texts += [repr(error), str(error.as_dict()), *traceback.format_exception(error)]
        digests |= {header(head, "authorization").partition(":")[2] for head in server.heads}
    texts += [caplog.text, repr(settings(server.url))]
    everything = "\n".join(texts)

    assert digests
    assert [] == [word for word in (KEY, "u1", *digests) if word in everything]


def test_a_certificate_nobody_vouches_for_is_a_refusal(small: tuple[Path, Receipt]) -> None:
    with serving(store_and_answer(), tls=True) as server:
        outcome = send(server, small)

    assert isinstance(outcome, RemoteError)
    assert "certificate" in outcome.message
    assert outcome.remedy is not None
    assert "--ca-file" in outcome.remedy
    assert (1, []) == (server.connections, server.heads)


def test_a_certificate_the_user_trusts_is_enough(big: tuple[Path, Receipt]) -> None:
    with serving(store_and_answer(), tls=True) as server:
        outcome = send(server, big, ca_file=CERTIFICATE)

    assert isinstance(outcome, UploadSummary)
    assert BIG == server.stored


def test_a_tls_connection_lost_in_the_body_is_tried_again(big: tuple[Path, Receipt]) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.read(1_000_000)
        peer.reset()

    with serving(script, store_and_answer(), tls=True) as server:
        outcome = send(server, big, ca_file=CERTIFICATE)

    assert isinstance(outcome, UploadSummary)
    assert (2, BIG) == (outcome.attempts, server.stored)
