"""The caller of JSON APIs against servers that do exactly what a test tells them."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any

import pytest
from transfer_servers import Peer, Script, Server, serving

from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    RemoteError,
    TryLaterError,
    UncertainError,
)
from pipeline.loop import run
from pipeline.settings import CallSettings, Secret
from pipeline.transfer import json_api
from pipeline.transfer.json_api import JsonApi
from pipeline.wire.json_message import JsonAnswer, JsonRequest
from pipeline.wire.pacing import Pacer, Window

KEY = "pk_s3cr3t"


def api(url: str, **settings: Any) -> JsonApi:
    return JsonApi(
        url,
        {"Authorization": Secret(f"Klaviyo-API-Key {KEY}"), "Content-Type": "application/json"},
        CallSettings(**{"retry_wait": 0.01, "deadline": 20.0} | settings),
        base_option="--url",
        remedies={401: "check the key"},
    )


def call(
    url: str, target: str = "/things", *, pacer: Pacer | None = None, **options: Any
) -> JsonAnswer:
    request = {name: options.pop(name) for name in ("body", "expected") if name in options}
    method = "POST" if "body" in request else "GET"

    async def main() -> JsonAnswer:
        async with api(url, **options) as opened:
            return await opened.call(
                JsonRequest(method=method, target=target, **request), pacer=pacer
            )

    return run(main())


def read_request(peer: Peer) -> None:
    head = peer.read_head()
    if b"content-length:" in head.lower():
        peer.server.bodies.append(peer.read_body(head))


def answering(status: int = 200, body: bytes = b'{"data":[]}', **headers: str) -> Script:
    def script(peer: Peer) -> None:
        read_request(peer)
        peer.answer(status, body, **headers)

    return script


def breaking(peer: Peer) -> None:
    read_request(peer)
    peer.reset()


def silent(peer: Peer) -> None:
    peer.read_head()
    peer.wait_for_end()


def test_an_answer_is_read_whole_and_parsed() -> None:
    with serving(answering(body=b'{"data":[1]}')) as server:
        answer = call(server.url)

    assert (200, {"data": [1]}, 1) == (answer.status, answer.value, answer.attempts)
    assert b"GET /things HTTP/1.1" in server.heads[0]
    assert f"Authorization: Klaviyo-API-Key {KEY}".encode() in server.heads[0]
    assert b"content-type" not in server.heads[0].lower()


def test_a_body_goes_out_byte_for_byte() -> None:
    body = '{"title":"\u2028 \\" é"}'.encode()
    with serving(answering(202)) as server:
        call(server.url, body=body)

    assert [body] == server.bodies
    assert b"Content-Type: application/json" in server.heads[0]


def test_a_packed_answer_is_unpacked() -> None:
    packed = gzip.compress(b'{"data":"packed"}')
    with serving(answering(body=packed, Content_Encoding="gzip")) as server:
        assert {"data": "packed"} == call(server.url).value


@pytest.mark.parametrize(
    "trouble",
    [
        answering(503, b"busy"),
        answering(429, b"{}", Retry_After="0"),
        answering(524, b""),
        breaking,
        answering(200, b"<html>maintenance</html>"),
        answering(200, gzip.compress(b"{}")[:-4], Content_Encoding="gzip"),
    ],
    ids=["503", "429", "524", "reset", "HTML with 200", "cut gzip"],
)
def test_trouble_that_passes_is_tried_again(trouble: Script) -> None:
    with serving(trouble, trouble, answering()) as server:
        answer = call(server.url)

    assert ({"data": []}, 3) == (answer.value, server.connections)


def test_attempts_are_not_endless() -> None:
    with serving(answering(503, b"busy")) as server, pytest.raises(TryLaterError, match="busy"):
        call(server.url, max_attempts=3)

    assert 3 == server.connections


def test_a_post_that_may_have_taken_effect_is_uncertain() -> None:
    with serving(breaking) as server, pytest.raises(UncertainError, match="sent whole") as caught:
        call(server.url, body=b"{}", max_attempts=2)

    assert 7 == caught.value.exit_code


def test_a_post_refused_by_name_is_not_uncertain() -> None:
    with serving(answering(503, b"{}")) as server, pytest.raises(TryLaterError):
        call(server.url, body=b"{}", max_attempts=2)


def test_a_post_that_succeeds_after_an_uncertain_attempt_says_so() -> None:
    with serving(breaking, answering(202)) as server:
        assert call(server.url, body=b"{}").uncertain


def test_a_refusal_is_told_with_its_remedy_and_never_tried_again() -> None:
    body = json.dumps({"detail": "no such key for jan@example.com", "api_key": KEY}).encode()
    with serving(answering(401, body)) as server, pytest.raises(RemoteError) as caught:
        call(server.url)

    assert (1, "check the key") == (server.connections, caught.value.remedy)
    assert "jan@example.com" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_an_expected_status_is_an_answer() -> None:
    with serving(answering(422, b'{"errors":[]}')) as server:
        answer = call(server.url, body=b"{}", expected=frozenset({422}))

    assert (422, {"errors": []}) == (answer.status, answer.value)


def test_the_key_goes_nowhere_else() -> None:
    with serving(answering()) as server, serving(answering()) as other:
        for target in (
            f"{other.url}/things",
            server.url.replace("http://", "https://") + "/things",
            server.url.replace("127.0.0.1", "localhost") + "/things",
            "things",
            f"http://x@127.0.0.1:{server.port}/things",
        ):
            with pytest.raises(RemoteError):
                call(server.url, target)

    assert (0, 0) == (other.connections, server.connections)


def test_a_redirect_is_refused() -> None:
    with serving(answering()) as other:
        script = answering(307, b"", Location=f"{other.url}/things")
        with serving(script) as server, pytest.raises(RemoteError, match="redirects"):
            call(server.url)

    assert 0 == other.connections


def test_an_endless_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_api, "MAX_JSON_ANSWER", 1_000)
    bomb = gzip.compress(b" " * 100_000)
    with (
        serving(answering(body=bomb, Content_Encoding="gzip")) as server,
        pytest.raises(RemoteError, match="too large"),
    ):
        call(server.url)


def test_silence_ends_an_attempt_and_the_deadline_the_run() -> None:
    with serving(silent, answering()) as server:
        assert 2 == call(server.url, stall_timeout=0.2).attempts
    with serving(silent) as server, pytest.raises(TryLaterError, match="deadline"):
        call(server.url, deadline=0.3)


def test_a_wait_that_the_deadline_does_not_hold_is_not_begun() -> None:
    script = answering(429, b"{}", Retry_After="3600")
    with serving(script) as server, pytest.raises(TryLaterError):
        call(server.url)

    assert 1 == server.connections


def test_attempts_are_paced_and_the_answers_teach() -> None:
    pacer = Pacer([Window(1, 0.05), Window(100, 60.0)])
    taught = answering(RateLimit_Limit="1", RateLimit_Remaining="0", RateLimit_Reset="60")
    with serving(taught) as server:
        call(server.url, pacer=pacer)

        with pytest.raises(TryLaterError, match="deadline"):
            call(server.url, pacer=pacer, deadline=5.0)

    assert 1 == server.connections


def test_one_connection_serves_many_requests() -> None:
    def twice(peer: Peer) -> None:
        for _ in range(2):
            peer.read_head()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def main(server: Server) -> None:
        async with api(server.url) as opened:
            for _ in range(2):
                await opened.call(JsonRequest(method="GET", target="/things"))

    with serving(twice) as server:
        run(main(server))

    assert 1 == server.connections


def test_no_log_or_error_holds_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = answering(400, f"bad {KEY}".encode())
    with serving(breaking, script) as server, pytest.raises(BatchpubError):
        call(server.url, body=b'{"email":"jan@example.com"}')

    assert caplog.records
    assert KEY not in caplog.text
    assert "jan@example.com" not in caplog.text


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("http://api.example/", {}),
        ("https://user:pw@api.example/", {}),
        ("https://api.example/?key=1", {}),
        ("https://api.example/", {"ca_file": "missing.pem"}),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_sent(
    url: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        api(url, **settings)


def test_a_key_that_is_no_header_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        JsonApi("https://api.example", {"X": Secret("a\r\nb")}, CallSettings(), base_option="--url")

    assert "a\r\nb" not in str(caught.value)
