"""The fault table of `fetch`: whatever the network does, outputs are whole or the former ones."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from fetch_runs import expected_lines, make_export, run
from transfer_servers import Peer, Script, serve_file, serving

import pipeline
from pipeline.errors import BatchpubError, InputError, RemoteError, TryLaterError
from pipeline.records import FetchSummary
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

EXPORT = make_export(40)
VERSIONS: Mapping[str, Mapping[str, str]] = {
    "strong tag": {"ETag": '"v1"'},
    "old date": {
        "Date": "Mon, 23 Nov 2026 08:00:00 GMT",
        "Last-Modified": "Mon, 23 Nov 2026 06:00:00 GMT",
    },
    "weak tag": {"ETag": 'W/"v1"'},
    "nothing": {},
}
CODINGS = {
    "plain": (EXPORT, {}),
    "gzip": (gzip.compress(EXPORT), {"Content-Encoding": "gzip"}),
    "zstd": (zstd.compress(EXPORT), {"Content-Encoding": "zstd"}),
    "gzip file": (gzip.compress(EXPORT), {}),
}


class Outputs:
    """Two outputs that held something before, and must change together or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = [folder / "r.jsonl", folder / "r.csv"]
        self.reset()

    def reset(self) -> None:
        for path in self.paths:
            path.write_bytes(b"former\n")

    def check(
        self,
        found: FetchSummary | BatchpubError,
        lines: bytes = expected_lines(40),
        *,
        rows: int | None = None,
    ) -> None:
        """Whole after a success, the former ones after a failure, and nothing beside them."""
        first, second = (path.read_bytes() for path in self.paths)
        if isinstance(found, FetchSummary):
            assert lines == first
            assert (rows or lines.count(b"\n") + 1) == second.count(b"\n")
        else:
            assert (b"former\n", b"former\n") == (first, second)
        assert sorted(self.paths) == sorted(self.folder.iterdir())


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("coding", CODINGS)
def test_a_cut_at_any_byte_is_mended_or_leaves_all_as_it_was(
    coding: str, version: str, outputs: Outputs
) -> None:
    data, headers = CODINGS[coding]
    headers = {**headers, **VERSIONS[version]}
    whole = serve_file(data, version=headers)
    for cut in {0, 1, len(data) - 1, *range(2, len(data), len(data) // 7)}:
        once = serve_file(data, cut=cut, version=headers)
        always = serve_file(data, cut=cut, ranges=False, version=headers)
        for scripts, kind in (((once, whole), FetchSummary), ((always,), TryLaterError)):
            outputs.reset()
            with serving(*scripts) as server:
                found = run(server.url, outputs.paths)

            assert kind is type(found), (cut, found)
            outputs.check(found)


@pytest.mark.parametrize("cut", [0, 100, len(EXPORT) // 2, len(EXPORT) - 1])
@pytest.mark.parametrize("version", VERSIONS)
def test_another_version_after_a_cut_is_never_mixed_in(
    cut: int, version: str, outputs: Outputs
) -> None:
    later = {"ETag": '"v2"'} if version == "strong tag" else VERSIONS[version]
    for users, same in ((41, False), (40, True)):
        other = make_export(users, updated_at="2026-11-24T05:30:00")
        outputs.reset()
        with serving(
            serve_file(EXPORT, cut=cut, version=VERSIONS[version]),
            serve_file(other, version=later, ranges=not same),
        ) as server:
            found = run(server.url, outputs.paths)

        lines = expected_lines(users, updated_at="2026-11-24T05:30:00")
        outputs.check(found, lines)
        assert isinstance(found, FetchSummary | TryLaterError)


def chunked(data: bytes, *, size: int, cut: int) -> Script:
    """The export in chunks, the connection closed after `cut` bytes of all of it."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    def script(peer: Peer) -> None:
        if peer.read_head().startswith(b"HEAD"):
            peer.answer(405)
            return
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body[:cut])

    script.length = len(body)  # type: ignore[attr-defined]
    return script


def test_a_connection_lost_in_the_last_chunk_is_noticed(outputs: Outputs) -> None:
    data = make_export(3)
    length = chunked(data, size=100, cut=0).length  # type: ignore[attr-defined]
    last = length - 5 - len(data) % 100 - 4
    for cut in range(last, length + 1):
        outputs.reset()
        with serving(chunked(data, size=100, cut=cut)) as server:
            found = run(server.url, outputs.paths, max_attempts=1)

        assert (FetchSummary if cut == length else TryLaterError) is type(found), (cut, found)
        outputs.check(found, expected_lines(3))


def status(code: int, body: bytes = b"", **headers: str) -> Script:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(code, body, **headers)

    return script


PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>...</body></html>"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param(status(200, PAGE, Content_Type="text/html"), InputError, id="a page"),
        pytest.param(status(200, b"<html>" + PAGE[30:]), InputError, id="a page of another kind"),
        pytest.param(status(200), InputError, id="empty"),
        pytest.param(status(200, b" \n"), InputError, id="blank"),
        pytest.param(status(200, b"<rss><channel/></rss>"), InputError, id="another document"),
        pytest.param(status(200, b'{"error":"no access"}'), InputError, id="another object"),
        pytest.param(status(200, EXPORT[:-9]), InputError, id="without its end"),
        pytest.param(status(200, EXPORT + b"<"), InputError, id="with more than its end"),
        pytest.param(status(200, make_export(0)), BatchpubError, id="without users"),
        pytest.param(status(204), RemoteError, id="no content"),
        pytest.param(status(503, b"no", Retry_After="0"), TryLaterError, id="storm of 503"),
        pytest.param(status(429, b"no"), TryLaterError, id="asked too often"),
        pytest.param(status(401), RemoteError, id="wrong credentials"),
        pytest.param(status(302, Location="https://x.example/"), RemoteError, id="elsewhere"),
        pytest.param(serve_file(EXPORT, declared=len(EXPORT) + 1), TryLaterError, id="too short"),
        pytest.param(
            serve_file(EXPORT, declared=len(EXPORT) - 2), BatchpubError, id="longer than said"
        ),
        pytest.param(
            serve_file(EXPORT, ETag='"v1"', head_etag='"v2"'), TryLaterError, id="rewritten"
        ),
        pytest.param(
            serve_file(gzip.compress(EXPORT)[:-1], Content_Encoding="gzip"),
            InputError,
            id="gzip without its end",
        ),
        pytest.param(
            serve_file(gzip.compress(bytes(10**7)), Content_Encoding="gzip"), InputError, id="bomb"
        ),
        pytest.param(serve_file(zstd.compress(b" " * 10**7)), InputError, id="bomb in a zstd file"),
    ],
)
def test_what_is_no_whole_export_changes_nothing(
    script: Script, kind: type[BatchpubError], outputs: Outputs
) -> None:
    with serving(script) as server:
        found = run(server.url, outputs.paths, max_expanded="1MB")

    assert isinstance(found, kind), found
    outputs.check(found)


def test_a_drip_ends_at_the_deadline_and_silence_at_the_stall_timeout(outputs: Outputs) -> None:
    done = threading.Event()

    def drip(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(EXPORT))
        for position in range(len(EXPORT)):
            if done.wait(0.02):
                return
            peer.send(EXPORT[position : position + 1])

    def silent(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<")
        done.wait(20)

    for script, changes in ((drip, {"deadline": 0.3}), (silent, {"stall_timeout": 0.1})):
        with serving(script) as server:
            found = run(server.url, outputs.paths, **changes)
            done.set()
        done.clear()

        assert isinstance(found, TryLaterError)
        outputs.check(found)


def test_503s_that_end_are_borne(outputs: Outputs) -> None:
    with serving(*[status(503, b"no")] * 4, serve_file(EXPORT)) as server:
        found = run(server.url, outputs.paths, max_attempts=5)

    assert isinstance(found, FetchSummary)
    assert 5 == found.download.attempts
    outputs.check(found)


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        pytest.param('W/"abc-1"', '"abc-1"', id="nginx weakens the tag"),
        pytest.param('"abc-1-gzip"', '"abc-1"', id="Apache appends to it"),
        pytest.param('"abc-1--gzip"', '"abc-1"', id="Jetty appends to it"),
    ],
)
def test_a_server_that_compresses_on_the_way_is_not_taken_for_one_that_rewrote(
    sent: str, asked: str, outputs: Outputs
) -> None:
    packed = gzip.compress(EXPORT)
    script = serve_file(packed, ETag=sent, head_etag=asked, Content_Encoding="gzip")
    with serving(script) as server:
        found = run(server.url, outputs.paths)

    assert isinstance(found, FetchSummary), found
    outputs.check(found)


# -- the sandbox, a server that does not know these tests --


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a sandbox that holds a list of 200 users."""
    with running(SandboxSettings()) as ready:
        folder = tmp_path_factory.mktemp("uploaded")
        users = folder / "users.jsonl"
        users.write_text("".join(f'{{"auth_user_id":"u{number}"}}\n' for number in range(200)))
        pipeline.upload(
            users,
            tracker_id=ready.tracker_id,
            private_key=ready.private_key,
            base_url=ready.base_url,
            min_users=1,
            state_dir=folder,
        )
        yield ready.base_url


def post(url: str, content: object) -> Any:
    request = urllib.request.Request(
        url, data=json.dumps(content).encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


FAULTS: list[tuple[dict[str, Any], str]] = [
    *(({"kind": "cut", "at_byte": at}, "mended") for at in (0, 1, 7, 5_000, 10**9)),
    *(({"kind": "cut", "at_byte": at, "times": None}, "any") for at in (0, 1, 5_000)),
    *(({"kind": "reset", "at_byte": at}, "mended") for at in (0, 1, 5_000)),
    ({"kind": "reset", "at_byte": 100, "times": 3}, "any"),
    ({"kind": "stall", "at_byte": 100, "seconds": 3}, "mended"),
    ({"kind": "slow", "bytes_per_s": 1, "times": None}, "refused"),
    ({"kind": "lost"}, "mended"),
    ({"kind": "status", "status": 503}, "mended"),
    ({"kind": "status", "status": 503, "times": None}, "refused"),
    ({"kind": "html"}, "refused"),
    ({"kind": "redirect"}, "refused"),
    ({"kind": "etag", "times": None}, "refused"),
    ({"kind": "length", "delta": 1, "times": None}, "refused"),
    ({"kind": "length", "delta": -2, "times": None}, "refused"),
    ({"kind": "bomb", "size": 50_000_000}, "refused"),
]


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
def test_each_fault_of_the_sandbox_ends_whole_or_changes_nothing(
    sandbox: str, packed: bool, outputs: Outputs
) -> None:
    made = post(f"{sandbox}/_sandbox/generate", {"seed": 7, "gzip": packed})
    clean = run(made["export_url"], outputs.paths)
    assert isinstance(clean, FetchSummary)
    lines, table = (path.read_bytes() for path in outputs.paths)
    rows = table.count(b"\n")
    assert made["users"] + 1 == lines.count(b"\n")
    for fault, expected in FAULTS:
        outputs.reset()
        post(f"{sandbox}/_sandbox/faults", [{"on": "export", **fault}])
        try:
            found = run(
                made["export_url"],
                outputs.paths,
                max_attempts=3,
                deadline=0.5 if fault["kind"] == "slow" else 20,
                stall_timeout=0.2 if fault["kind"] == "stall" else 20,
                max_expanded=10_000_000,
            )
        finally:
            request = urllib.request.Request(f"{sandbox}/_sandbox/faults", method="DELETE")
            urllib.request.urlopen(request, timeout=60).close()

        if expected != "any":
            assert ("mended" == expected) is isinstance(found, FetchSummary), (fault, found)
        outputs.check(found, lines, rows=rows)
