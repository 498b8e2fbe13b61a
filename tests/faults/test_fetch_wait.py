"""`--wait`: asks until a fresh export is there that no check refuses, or says what it saw."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fetch_runs import expected_lines, make_export, run
from transfer_servers import Peer, Script, Server, serve_file, serving

from pipeline.errors import (
    ConfigurationError,
    GuardError,
    InputError,
    RemoteError,
    TryLaterError,
)
from pipeline.records import FetchSummary, Progress

OLD, NEW = "2026-11-22T05:30:00", "2026-11-23T06:00:01"
FRESH: dict[str, object] = {"wait": "60s", "interval": 0.001, "newer_than": "2026-11-23T06:00"}
COMMAND = Path(sys.executable).with_name("batchpub")


def answer(status: int, body: bytes = b"", **headers: str) -> Script:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(status, body, **headers)

    return script


def gets(server: Server) -> list[bytes]:
    return [head for head in server.heads if head.startswith(b"GET")]


NOT_YET = {
    "not there": answer(404, b"no"),
    "in trouble": answer(503, b"no"),
    "an old one": serve_file(make_export(updated_at=OLD)),
    "one that says no time": serve_file(make_export(updated_at="")),
    "too short": serve_file(make_export(1, updated_at=NEW)),
    "cut in the middle": serve_file(make_export(3, updated_at=NEW)[:-20]),
    "empty": serve_file(b""),
    "a page": serve_file(b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"),
    "another document": serve_file(b"<?xml version='1.0'?><feed><entry/></feed>"),
    "not even HTTP": lambda peer: peer.send(b"nonsense\r\n\r\n"),
    "a broken connection": serve_file(make_export(3, updated_at=NEW), cut=50),
}


@pytest.mark.parametrize("before", NOT_YET)
def test_what_is_not_yet_right_is_waited_for(before: str, tmp_path: Path) -> None:
    output = tmp_path / "r.jsonl"
    output.write_bytes(b"former\n")
    seen: list[tuple[Progress, bytes]] = []

    def watch(progress: Progress) -> None:
        if progress.note is not None:
            seen.append((progress, output.read_bytes()))

    # Twice as many as an attempt of two tries can use up.
    scripts = [NOT_YET[before]] * 4
    with serving(*scripts, serve_file(make_export(3, updated_at=NEW))) as server:
        found = run(server.url, output, min_users=2, on_progress=watch, **FRESH)

    assert isinstance(found, FetchSummary), found
    assert expected_lines(3, updated_at=NEW) == output.read_bytes()
    assert 2 <= found.polls
    assert found.polls - 1 == len(seen)
    assert {("wait", b"former\n")} == {(progress.stage, content) for progress, content in seen}
    assert all("next look at " in str(progress.note) for progress, _ in seen)


@pytest.mark.parametrize("before", NOT_YET)
def test_at_the_end_of_the_wait_the_last_thing_seen_is_told(before: str, tmp_path: Path) -> None:
    output = tmp_path / "r.jsonl"
    output.write_bytes(b"former\n")
    with serving(NOT_YET[before]) as server:
        found = run(server.url, output, min_users=2, **(FRESH | {"wait": 0.01}))

    assert isinstance(found, TryLaterError)
    assert server.url in str(found.source)
    assert "came in time; last seen: " in found.message
    assert b"former\n" == output.read_bytes()
    assert [output] == list(tmp_path.iterdir())


class Clock:
    """Time that passes in sleep alone, however busy the machine is."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self.began_at = time.monotonic()

    def monotonic(self) -> float:
        return self.began_at + self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def test_a_refusal_is_told_even_when_trouble_came_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.retrieval.time", Clock())
    monkeypatch.setattr("pipeline.retrieval._LAST_LOOK_S", 60.0)
    with serving(serve_file(make_export(updated_at=OLD)), answer(404, b"no")) as server:
        found = run(server.url, tmp_path / "r.jsonl", **(FRESH | {"wait": 0.05}))

    assert isinstance(found, TryLaterError)
    assert "last seen: the export is an old one" in found.message
    assert "the last look ended so: there is no export yet" in found.message
    assert ("newer than 2026-11-23T06:00:00Z", "2026-11-22T05:30:00Z") == (
        found.limit,
        found.actual,
    )


def test_a_version_that_was_refused_is_not_downloaded_again(tmp_path: Path) -> None:
    old = serve_file(make_export(updated_at=OLD), ETag='"v1"', head_etag='"v1"')
    new = serve_file(make_export(updated_at=NEW), ETag='"v2"', head_etag='"v2"')
    with serving(old, old, old, old, old, new) as server:
        found = run(server.url, tmp_path / "r.jsonl", **FRESH)
    asked = [b'If-None-Match: "v1"' in head for head in gets(server)]

    assert isinstance(found, FetchSummary)
    # One download, three answers of not modified, and the new one.
    assert [False, True, True, True, True] == asked
    assert 5 == found.polls
    assert expected_lines(updated_at=NEW) == (tmp_path / "r.jsonl").read_bytes()


def test_what_the_outputs_hold_is_waited_past_and_ends_a_wait_without_a_date(
    tmp_path: Path,
) -> None:
    output = tmp_path / "r.jsonl"
    old = serve_file(make_export(updated_at=OLD), ETag='"v1"')
    new = serve_file(make_export(updated_at=NEW), ETag='"v2"')
    with serving(old) as server:
        run(server.url, output)
        unchanged = run(server.url, output, wait="60s")
        waited = run(server.url, output, **(FRESH | {"wait": 0.01}))
        server.scripts[:] = [new]
        found = run(server.url, output, **FRESH)
        again = run(server.url, output, **FRESH)

    assert isinstance(unchanged, FetchSummary)
    assert ("not_modified", 1) == (unchanged.outcome, unchanged.polls)
    assert isinstance(waited, TryLaterError)
    assert "an old one" in waited.message
    assert isinstance(found, FetchSummary)
    assert isinstance(again, FetchSummary)
    assert ["fetched", "not_modified"] == [found.outcome, again.outcome]


def test_outputs_that_went_away_during_the_wait_are_made_again(tmp_path: Path) -> None:
    output = tmp_path / "r.jsonl"
    good = serve_file(make_export(updated_at=NEW), ETag='"v1"')

    def remove(progress: Progress) -> None:
        if progress.note is not None:
            output.unlink()

    with serving(good) as server:
        run(server.url, output)
        server.scripts[:] = [answer(404)] * (server.connections + 1) + [good]
        found = run(server.url, output, on_progress=remove, **FRESH)

    assert isinstance(found, FetchSummary)
    assert ("fetched", 2) == (found.outcome, found.polls)
    assert expected_lines(updated_at=NEW) == output.read_bytes()


@pytest.mark.parametrize(
    ("script", "changes", "kind"),
    [
        pytest.param(answer(401), {}, RemoteError, id="wrong credentials"),
        pytest.param(answer(403), {}, RemoteError, id="not allowed"),
        pytest.param(answer(302, Location="https://x.example/"), {}, RemoteError, id="elsewhere"),
        pytest.param(
            serve_file(make_export(updated_at=NEW)),
            {"uploaded": "bad.jsonl", "min_coverage": "50%"},
            InputError,
            id="the uploaded list is a folder",
        ),
    ],
)
def test_what_waiting_does_not_mend_ends_it(
    script: Script,
    changes: dict[str, object],
    kind: type[Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.jsonl").mkdir()
    values = {name: Path(str(v)) if name == "uploaded" else v for name, v in changes.items()}
    with serving(script) as server:
        found = run(server.url, tmp_path / "r.jsonl", **(FRESH | values))

    assert kind is type(found), found
    assert 1 == len(gets(server))


def test_a_list_that_is_missing_is_found_before_the_first_look(tmp_path: Path) -> None:
    with serving(serve_file(make_export())) as server:
        found = run(server.url, tmp_path / "r.jsonl", uploaded=tmp_path / "none", **FRESH)

    assert isinstance(found, InputError)
    assert 0 == server.connections


def test_without_wait_the_first_answer_counts(tmp_path: Path) -> None:
    for script, kind in ((answer(404), RemoteError), (NOT_YET["an old one"], GuardError)):
        with serving(script) as server:
            found = run(server.url, tmp_path / "r.jsonl", newer_than="2026-11-23T06:00")

        assert kind is type(found)


def test_a_download_under_way_at_the_end_of_the_wait_is_finished(tmp_path: Path) -> None:
    export = make_export(updated_at=NEW)

    def slow(peer: Peer) -> None:
        if peer.read_head().startswith(b"HEAD"):
            peer.answer(405)
            return
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(export))
        for start in range(0, len(export), 100):
            peer.send(export[start : start + 100])
            time.sleep(0.02)  # far beyond the wait, and not what is measured

    with serving(slow) as server:
        found = run(server.url, tmp_path / "r.jsonl", **(FRESH | {"wait": 0.001}))

    assert isinstance(found, FetchSummary)


def test_a_server_that_does_not_answer_ends_with_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.retrieval._LAST_LOOK_S", 0.05)

    def never(peer: Peer) -> None:
        peer.wait_for_end()

    with serving(never) as server:
        found = run(server.url, tmp_path / "r.jsonl", **(FRESH | {"wait": 0.05}))

    assert isinstance(found, TryLaterError)
    assert "no answer came in time" in found.message


def test_a_file_is_waited_for_as_well(tmp_path: Path) -> None:
    export = tmp_path / "export.xml"

    def publish(progress: Progress) -> None:
        if progress.note is not None:
            export.write_bytes(make_export(updated_at=NEW))

    missing = run(export.as_uri(), tmp_path / "r.jsonl")
    found = run(export.as_uri(), tmp_path / "r.jsonl", on_progress=publish, **FRESH)

    assert isinstance(missing, InputError)
    assert isinstance(found, FetchSummary)
    assert 2 == found.polls


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"wait": "soon"}, "--wait"),
        ({"interval": "0s"}, "--interval"),
        ({"newer_than": "yesterday"}, "--newer-than"),
        ({"newer_than": "2026-11-23", "timezone": "Mars/Base"}, "--timezone"),
        ({"export_user": "me"}, "--export-user"),
        ({"export_header": "X-Key"}, "--export-header"),
        ({"export_header": "X-Key", "export_user": "me", "secret": "s"}, "--export-header"),
        ({"export_user": "m:e", "secret": "s"}, "--export-user"),
    ],
)
def test_wrong_values_are_found_before_anything_is_asked(
    changes: dict[str, object], option: str, tmp_path: Path
) -> None:
    found = run("http://127.0.0.1:9/x", tmp_path / "r.jsonl", **changes)

    assert isinstance(found, ConfigurationError)
    assert option == found.source


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_ends_the_wait_at_once(number: signal.Signals, code: int, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BATCHPUB_")}
    with (
        serving(answer(404)) as server,
        subprocess.Popen(
            [COMMAND, "fetch", server.url, "-o", "r.jsonl", "--wait", "2h", "--json", "-v"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        while "next look at" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)

    assert code == process.returncode
    assert code == json.loads(told)["error"]["exit_code"]
    assert [] == list(tmp_path.iterdir())
