"""Downloads: the parser sees one version from its first to its last byte, or an error comes."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import threading
import traceback
from pathlib import Path

import pytest
from transfer_servers import CERTIFICATE, Peer, Script, Server, header, serve_file, serving

from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    InputError,
    RemoteError,
    TryLaterError,
)
from pipeline.records import DownloadSummary, Progress
from pipeline.settings import FetchSettings, Secret
from pipeline.transfer.download import download
from pipeline.wire.credentials import credential_headers

EXPORT = b"".join(b"<user>%07d</user>\n" % number for number in range(20_000))
OTHER = EXPORT.replace(b"0", b"9")
DATES = {
    "Date": "Mon, 23 Nov 2026 08:00:00 GMT",
    "Last-Modified": "Mon, 23 Nov 2026 06:00:00 GMT",
}


def fetch(
    url: str, got: bytearray | None = None, **changes: object
) -> DownloadSummary | BatchpubError:
    values: dict[str, object] = {"retry_wait": 0.001, "max_attempts": 3, "deadline": 15.0}
    try:
        return download(
            url,
            (bytearray() if got is None else got).extend,
            FetchSettings(**(values | changes)),  # type: ignore[arg-type]
        )
    except BatchpubError as error:
        return error


def gets(server: Server) -> list[bytes]:
    return [head for head in server.heads if head.startswith(b"GET")]


def test_an_export_is_fed_whole_and_summed_up() -> None:
    got = bytearray()
    with serving(serve_file(EXPORT, ETag='"v1"', head_etag='"v1"', version=DATES)) as server:
        summary = fetch(f"{server.url}/export.xml?token=t0ken", got)

    assert EXPORT == got
    assert isinstance(summary, DownloadSummary)
    assert (200, len(EXPORT), len(EXPORT), 1, '"v1"') == (
        summary.status,
        summary.received,
        summary.bytes,
        summary.attempts,
        summary.etag,
    )
    assert f"{server.url}/export.xml" == summary.url
    assert gets(server)[0].startswith(b"GET /export.xml?token=t0ken HTTP/1.1\r\n")


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with length"])
def test_compressed_exports_are_decoded_while_they_arrive(chunked: bool) -> None:
    packed = gzip.compress(EXPORT)

    def in_chunks(peer: Peer) -> None:
        if peer.read_head().startswith(b"HEAD"):
            peer.answer(405)
            return
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for start in range(0, len(packed), 5000):
            piece = packed[start : start + 5000]
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")

    got = bytearray()
    with serving(in_chunks if chunked else serve_file(packed, Content_Encoding="gzip")) as server:
        summary = fetch(server.url, got)

    assert EXPORT == got
    assert isinstance(summary, DownloadSummary)
    assert (len(packed), len(EXPORT)) == (summary.received, summary.bytes)


CUTS = [0, 1, 1000, len(EXPORT) // 2, len(EXPORT) - 1]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "version",
    [{"ETag": '"v1"'}, DATES, {"ETag": 'W/"v1"'}, {}],
    ids=["strong tag", "old date", "weak tag", "nothing"],
)
def test_a_cut_download_goes_on_or_starts_over(cut: int, version: dict[str, str]) -> None:
    got = bytearray()
    with serving(
        serve_file(EXPORT, cut=cut, version=version), serve_file(EXPORT, version=version)
    ) as server:
        summary = fetch(server.url, got)
    resumed = b"range: bytes" in gets(server)[1].lower()

    assert isinstance(summary, DownloadSummary)
    assert EXPORT == got
    assert 2 == summary.attempts
    assert resumed is (cut > 0 and version in ({"ETag": '"v1"'}, DATES))
    if resumed:
        assert len(EXPORT) == summary.received


@pytest.mark.parametrize("cut", [10, 20_000])
def test_a_compressed_download_goes_on_in_the_middle(cut: int) -> None:
    packed = gzip.compress(EXPORT)
    version = {"ETag": '"v1"', "Content-Encoding": "gzip"}
    got = bytearray()
    with serving(
        serve_file(packed, cut=cut, version=version), serve_file(packed, version=version)
    ) as server:
        summary = fetch(server.url, got)

    assert EXPORT == got
    assert isinstance(summary, DownloadSummary)
    assert len(packed) == summary.received


@pytest.mark.parametrize("cut", CUTS[2:])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"ETag": '"v1"'}, {"ETag": '"v2"'}, id="the tag changed"),
        pytest.param({}, {}, id="nothing tells"),
    ],
)
def test_two_versions_are_never_mixed(
    cut: int, before: dict[str, str], after: dict[str, str]
) -> None:
    got = bytearray()
    with serving(
        serve_file(EXPORT, cut=cut, version=before), serve_file(OTHER, version=after)
    ) as server:
        outcome = fetch(server.url, got)

    assert isinstance(outcome, TryLaterError)
    assert "changed" in outcome.message
    assert EXPORT.startswith(got)


def test_a_new_version_that_begins_alike_is_taken_whole() -> None:
    longer = EXPORT + b"<user>new</user>\n"
    got = bytearray()
    with serving(
        serve_file(EXPORT, cut=1000, ETag='"v1"'), serve_file(longer, ETag='"v2"')
    ) as server:
        outcome = fetch(server.url, got)

    assert isinstance(outcome, DownloadSummary)
    assert longer == got


def test_a_new_version_that_is_shorter_is_refused() -> None:
    got = bytearray()
    with serving(serve_file(EXPORT, cut=1000), serve_file(EXPORT[:900])) as server:
        outcome = fetch(server.url, got)

    assert isinstance(outcome, TryLaterError)
    assert EXPORT.startswith(got)


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-99/340000",
        "bytes 999-{last}/{size}",
        "bytes 1001-{last}/{size}",
        "bytes 1000-{last}/*",
        "bytes 1000-1010/{size}",
        "bytes 1000-{last}/999999999",
        "nonsense",
    ],
)
def test_a_range_that_does_not_fit_is_not_taken(content_range: str) -> None:
    value = content_range.format(last=len(EXPORT) - 1, size=len(EXPORT))

    def wrong(peer: Peer) -> None:
        peer.read_head()
        peer.answer(206, b"x" * 11, Content_Range=value, ETag='"v1"')

    got = bytearray()
    with serving(
        serve_file(EXPORT, cut=1000, ETag='"v1"'), wrong, serve_file(EXPORT, ETag='"v1"')
    ) as server:
        outcome = fetch(server.url, got)

    assert EXPORT == got
    assert isinstance(outcome, DownloadSummary)


def test_a_range_not_satisfiable_starts_over() -> None:
    got = bytearray()
    with serving(
        serve_file(EXPORT, cut=1000, ETag='"v1"'), refuse_get(416), serve_file(EXPORT)
    ) as server:
        fetch(server.url, got)

    assert EXPORT == got


def refuse_get(status: int, **headers: str) -> Script:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(status, b"" if status in {204, 304} else b"no", **headers)

    return script


def test_attempts_that_bring_something_do_not_use_up_the_patience() -> None:
    scripts = [serve_file(EXPORT, cut=1000, ETag='"v1"') for _ in range(12)]
    got = bytearray()
    with serving(*scripts, serve_file(EXPORT, ETag='"v1"')) as server:
        outcome = fetch(server.url, got, max_attempts=2)

    assert EXPORT == got
    assert isinstance(outcome, DownloadSummary)
    assert 13 == outcome.attempts


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param(serve_file(EXPORT, cut=100, ranges=False), TryLaterError, id="cut every time"),
        pytest.param(
            serve_file(EXPORT, declared=len(EXPORT) + 1), TryLaterError, id="shorter than declared"
        ),
        pytest.param(refuse_get(503), TryLaterError, id="storm of 503"),
        pytest.param(refuse_get(429), TryLaterError, id="asked too often"),
        pytest.param(refuse_get(401), RemoteError, id="wrong credentials"),
        pytest.param(refuse_get(404), RemoteError, id="not found"),
        pytest.param(refuse_get(204), RemoteError, id="no content"),
        pytest.param(refuse_get(206), RemoteError, id="part that nobody asked for"),
        pytest.param(refuse_get(304), RemoteError, id="not modified, unasked"),
        pytest.param(serve_file(EXPORT, Content_Encoding="br"), RemoteError, id="unknown coding"),
        pytest.param(
            serve_file(gzip.compress(EXPORT)[:-1], Content_Encoding="gzip"),
            InputError,
            id="cut gzip",
        ),
        pytest.param(serve_file(EXPORT, Content_Encoding="gzip"), InputError, id="no gzip"),
    ],
)
def test_a_download_that_fails_says_how(script: Script, kind: type[BatchpubError]) -> None:
    with serving(script) as server:
        outcome = fetch(server.url)

    assert kind is type(outcome)


def test_an_export_of_unknown_length_is_refused() -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + EXPORT)

    got = bytearray()
    with serving(script) as server:
        outcome = fetch(server.url, got)

    assert isinstance(outcome, RemoteError)
    assert "how long" in outcome.message
    assert b"" == got


def test_a_chunked_export_without_its_last_chunk_is_an_error() -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(b"%x\r\n%s\r\n" % (len(EXPORT), EXPORT))

    with serving(script) as server:
        outcome = fetch(server.url)

    assert TryLaterError is type(outcome)


def test_a_bomb_is_refused_at_the_cap() -> None:
    got = bytearray()
    bomb = gzip.compress(b"\0" * 50_000_000)
    with serving(serve_file(bomb, Content_Encoding="gzip")) as server:
        outcome = fetch(server.url, got, max_expanded=1_000_000)

    assert isinstance(outcome, InputError)
    assert 1_000_000 == outcome.limit
    assert 1_000_000 >= len(got)


def test_silence_ends_an_attempt_and_the_next_goes_on() -> None:
    done = threading.Event()

    def silent(peer: Peer) -> None:
        serve_file(EXPORT, cut=1000, ETag='"v1"')(peer)
        done.wait(20)

    got = bytearray()
    with serving(silent, serve_file(EXPORT, ETag='"v1"')) as server:
        outcome = fetch(server.url, got, stall_timeout=0.2)
        done.set()

    assert EXPORT == got
    assert isinstance(outcome, DownloadSummary)


def test_a_drip_ends_at_the_deadline() -> None:
    done = threading.Event()

    def drip(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not done.wait(0.02):
            peer.send(b"x")

    with serving(drip) as server:
        outcome = fetch(server.url, deadline=0.4, stall_timeout=10)
        done.set()

    assert isinstance(outcome, TryLaterError)
    assert "deadline" in outcome.message


def test_an_export_rewritten_while_it_was_read_is_refused() -> None:
    with serving(serve_file(EXPORT, ETag='"v1"', head_etag='"v2"')) as server:
        outcome = fetch(server.url)

    assert isinstance(outcome, TryLaterError)
    assert "replaced" in outcome.message


def test_behind_a_redirect_the_export_itself_is_looked_at_again() -> None:
    with serving(
        refuse_get(302, Location="/new"), serve_file(EXPORT, ETag='"v1"', head_etag='"v2"')
    ) as server:
        outcome = fetch(server.url)

    assert isinstance(outcome, TryLaterError)
    assert server.heads[-1].startswith(b"HEAD /new ")


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_name_the_settings_of_an_export(status: int) -> None:
    with serving(refuse_get(status)) as server:
        outcome = fetch(server.url)

    assert isinstance(outcome, RemoteError)
    assert "BATCHPUB_EXPORT_SECRET" in (outcome.remedy or "")


# -- redirects and addresses --


def test_a_redirect_within_the_origin_is_followed() -> None:
    got = bytearray()
    with serving(refuse_get(302, Location="/new?x=y"), serve_file(EXPORT)) as server:
        outcome = fetch(f"{server.url}/old", got)

    assert EXPORT == got
    assert isinstance(outcome, DownloadSummary)
    assert gets(server)[1].startswith(b"GET /new?x=y ")


def test_a_redirect_elsewhere_gets_no_request_and_no_credentials() -> None:
    with (
        serving(serve_file(EXPORT)) as elsewhere,
        serving(refuse_get(307, Location=f"{elsewhere.url}/x?token=t0ken")) as server,
    ):
        outcome = fetch(server.url)

    assert isinstance(outcome, RemoteError)
    assert elsewhere.url in outcome.message
    assert "t0ken" not in str(outcome)
    assert 0 == elsewhere.connections


@pytest.mark.parametrize("location", ["", "//other.invalid/", "ftp://127.0.0.1/", "http://["])
def test_a_redirect_to_nowhere_is_a_refusal(location: str) -> None:
    with serving(refuse_get(302, Location=location)) as server:
        assert RemoteError is type(fetch(server.url))


def test_a_circle_of_redirects_ends() -> None:
    with serving(refuse_get(301, Location="/")) as server:
        outcome = fetch(server.url)

    assert isinstance(outcome, RemoteError)
    assert 6 == server.connections


@pytest.mark.parametrize(
    "url", ["http://host/x", "https://u:s3cret@host/", "file://host/x", "ftp://host/x", ""]
)
def test_an_address_that_may_not_be_used_is_refused(url: str) -> None:
    outcome = fetch(url)

    assert isinstance(outcome, ConfigurationError)
    assert "s3cret" not in str(outcome)


def test_credentials_are_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = Secret("Bearer s3cret")
    texts = []
    for script in (
        refuse_get(401),
        serve_file(EXPORT, cut=10, ranges=False),
        refuse_get(302, Location="/"),
    ):
        with serving(script) as server:
            with pytest.raises(BatchpubError) as caught:
                download(
                    server.url,
                    lambda data: None,
                    FetchSettings(retry_wait=0.001, max_attempts=2),
                    credentials={"Authorization": secret},
                )
            assert "Bearer s3cret" == header(server.heads[0], "authorization")
        texts += traceback.format_exception(caught.value)

    assert "s3cret" not in "".join([*texts, caplog.text, repr(secret)])


@pytest.mark.parametrize(
    ("name", "value"), [("A b", "x"), ("Range", "x"), ("A", "x\r\nB: y"), ("A", "é")]
)
def test_a_header_that_would_break_the_request_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        credential_headers(Secret(value), header=name)

    assert value not in str(caught.value) or value == "x"


def test_an_export_over_tls_needs_a_trusted_certificate() -> None:
    got = bytearray()
    with serving(serve_file(EXPORT), tls=True) as server:
        refused = fetch(server.url, max_attempts=1)
        fetched = fetch(server.url, got, ca_file=CERTIFICATE)

    assert RemoteError is type(refused)
    assert isinstance(fetched, DownloadSummary)
    assert EXPORT == got


# -- the parser --


@pytest.mark.parametrize(
    "error", [ValueError("bad"), InputError("bad"), OSError(5, "disk"), TimeoutError("slow")]
)
def test_what_the_parser_raises_comes_out_unchanged(error: Exception) -> None:
    calls = []

    def feed(data: bytes) -> None:
        calls.append(len(data))
        raise error

    with serving(serve_file(EXPORT)) as server, pytest.raises(type(error)) as caught:
        download(server.url, feed, FetchSettings())

    assert error is caught.value
    assert 1 == len(calls)
    assert 1 == server.connections


def test_the_parser_is_called_in_one_other_thread() -> None:
    threads = set()
    with serving(serve_file(EXPORT, cut=1000), serve_file(EXPORT)) as server:
        download(
            server.url,
            lambda data: threads.add(threading.current_thread()),
            FetchSettings(retry_wait=0.001),
        )

    assert 1 == len(threads)
    assert threading.main_thread() not in threads


def test_the_loop_turns_while_the_parser_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that waits for a hundred turns of the loop would wait for ever on the loop."""
    turns = threading.Semaphore(0)
    waited = []

    class Turning(asyncio.SelectorEventLoop):
        def _run_once(self) -> None:
            turns.release()
            self.call_soon(lambda: None)
            super()._run_once()  # type: ignore[misc]

    def feed(data: bytes) -> None:
        waited.append(all(turns.acquire(timeout=10) for _ in range(100)))

    monkeypatch.setattr(asyncio.events, "new_event_loop", Turning)
    with serving(serve_file(EXPORT)) as server:
        download(server.url, feed, FetchSettings())

    assert waited
    assert all(waited)


def test_a_slow_parser_holds_the_network_back() -> None:
    """With the parser at a halt, only what the buffers hold is taken from the server."""
    size = 200_000_000
    halted, sent = threading.Event(), []

    def endless(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        peer.socket.settimeout(0.5)  # no room for that long: the client does not read on
        try:
            for _ in range(size // 100_000):
                peer.send(bytes(100_000))
                sent.append(100_000)
        except TimeoutError:
            halted.set()
        peer.wait_for_end()

    def feed(data: bytes) -> None:
        assert halted.wait(20)
        raise ValueError("enough")

    with serving(endless) as server, pytest.raises(ValueError, match="enough"):
        download(server.url, feed, FetchSettings())

    assert halted.is_set()
    assert size / 2 > sum(sent)


def test_progress_counts_to_the_whole() -> None:
    seen: list[Progress] = []
    with serving(
        serve_file(EXPORT, cut=1000, ETag='"v1"'), serve_file(EXPORT, ETag='"v1"')
    ) as server:
        download(
            server.url,
            lambda data: None,
            FetchSettings(retry_wait=0.001),
            on_progress=seen.append,
        )
    done = [progress.done for progress in seen]

    assert done == sorted(done)
    assert len(EXPORT) == done[-1]
    assert {len(EXPORT)} == {progress.total for progress in seen}


def test_a_missing_certificate_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_bytes(os.urandom(9))
    for name in ("none.pem", "empty.pem"):
        outcome = fetch("https://host/", ca_file=tmp_path / name)

        assert isinstance(outcome, ConfigurationError)
        assert str(tmp_path / name) == outcome.source


def test_refusals_of_an_upload_server_are_read_here_too() -> None:
    with serving(refuse_get(403, Date="Mon, 23 Nov 2020 08:00:00 GMT")) as server:
        outcome = fetch(server.url)

    assert isinstance(outcome, RemoteError)
    assert "your clock is" in outcome.message
