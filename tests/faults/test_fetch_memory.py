"""Not modified is said only of outputs that are, to the file, that version of the export."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from fetch_runs import expected_lines, make_export, run
from transfer_servers import Peer, Script, serve_file, serving

from pipeline.errors import (
    ConfigurationError,
    GuardError,
    MachineError,
    RemoteError,
    TryLaterError,
)
from pipeline.ledger.fetches import file_mark
from pipeline.publish import PendingFile
from pipeline.records import FetchSummary

SETTLED = {
    "Date": "Mon, 23 Nov 2026 08:00:00 GMT",
    "Last-Modified": "Mon, 23 Nov 2026 06:00:00 GMT",
}
FRESH = {**SETTLED, "Last-Modified": "Mon, 23 Nov 2026 07:59:59 GMT"}


def outcome(found: object) -> str:
    assert isinstance(found, FetchSummary), found
    return found.outcome


def serve_dated(data: bytes, **headers: str) -> Script:
    """A server that knows dates only."""

    def script(peer: Peer) -> None:
        head = peer.read_head()
        since = f"if-modified-since: {headers['Last-Modified']}".lower().encode()
        if head.startswith(b"HEAD"):
            peer.answer(405)
        elif since in head.lower():
            peer.answer(304)
        else:
            peer.answer(200, data, **headers)

    return script


def deaf(**headers: str) -> Script:
    """A server that sends the export whatever is asked."""

    def script(peer: Peer) -> None:
        if peer.read_head().startswith(b"HEAD"):
            peer.answer(405)
        else:
            peer.answer(200, make_export(), **headers)

    return script


@pytest.mark.parametrize(
    ("script", "second"),
    [
        pytest.param(serve_file(make_export(), ETag='"v1"'), "not_modified", id="strong tag"),
        pytest.param(serve_file(make_export(), ETag='W/"v1"'), "not_modified", id="weak tag"),
        pytest.param(serve_dated(make_export(), **SETTLED), "not_modified", id="old date"),
        pytest.param(deaf(ETag='"v1"'), "not_modified", id="tag, question ignored"),
        pytest.param(deaf(**SETTLED), "not_modified", id="date, question ignored"),
        pytest.param(deaf(**FRESH), "fetched", id="date of a moment ago, question ignored"),
        pytest.param(serve_dated(make_export(), **FRESH), "fetched", id="date of a moment ago"),
        pytest.param(serve_file(make_export()), "fetched", id="nothing"),
    ],
)
def test_an_unchanged_export_is_fetched_once_where_the_server_can_tell(
    script: Script, second: str, tmp_path: Path
) -> None:
    output = tmp_path / "r.jsonl"
    with serving(script) as server:
        first = run(server.url, output)
        before = file_mark(output)
        again = run(server.url, output)

    assert "fetched" == outcome(first)
    assert second == outcome(again)
    assert expected_lines() == output.read_bytes()
    if second == "not_modified":
        assert before == file_mark(output)
        assert isinstance(first, FetchSummary)
        assert isinstance(again, FetchSummary)
        assert (304, 0, 0) == (again.download.status, again.download.bytes, again.download.received)
        assert (first.export.users, first.export.items) == (again.export.users, again.export.items)
        assert (first.export.source, first.export.outputs) == (
            again.export.source,
            again.export.outputs,
        )


def rewrite(path: Path) -> None:
    """The same size and time of change: only the system knows."""
    found = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def replace_by_copy(path: Path) -> None:
    found = path.stat()
    other = path.with_suffix(".other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize(
    "touch",
    [
        pytest.param(Path.unlink, id="removed"),
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(rewrite, id="rewritten in place"),
        pytest.param(replace_by_copy, id="replaced"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_outputs_that_are_not_the_published_ones_are_written_again(
    touch: Callable[[Path], object], which: int, tmp_path: Path
) -> None:
    outputs = [tmp_path / "r.jsonl", tmp_path / "r.csv"]
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        run(server.url, outputs)
        table = outputs[1].read_bytes()
        touch(outputs[which])
        again = run(server.url, outputs)

    assert "fetched" == outcome(again)
    assert expected_lines() == outputs[0].read_bytes()
    assert table == outputs[1].read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"min_users": 2}, id="another guard"),
        pytest.param({"csv_safe_formulas": True}, id="another form"),
        pytest.param({"export_user": "me", "secret": "s3cret"}, id="another user"),
    ],
)
def test_another_wish_is_another_fetch(changes: dict[str, object], tmp_path: Path) -> None:
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        run(server.url, tmp_path / "r.jsonl")
        again = run(server.url, tmp_path / "r.jsonl", **changes)

    assert "fetched" == outcome(again)


def test_another_list_behind_the_same_name_is_compared_anew(tmp_path: Path) -> None:
    uploaded = tmp_path / "users.jsonl"
    uploaded.write_text('{"auth_user_id":"u0"}\n')
    wishes: dict[str, object] = {"uploaded": uploaded, "min_coverage": "90%"}
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        first = run(server.url, tmp_path / "r.jsonl", **wishes)
        again = run(server.url, tmp_path / "r.jsonl", **wishes)
        uploaded.write_text('{"auth_user_id":"u7"}\n{"auth_user_id":"u8"}\n')
        refused = run(server.url, tmp_path / "r.jsonl", **wishes)

    assert ["fetched", "not_modified"] == [outcome(first), outcome(again)]
    assert isinstance(refused, GuardError)


def test_two_addresses_do_not_share_a_memory(tmp_path: Path) -> None:
    output = tmp_path / "r.jsonl"
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        run(f"{server.url}/a?token=1", output)
        other = run(f"{server.url}/a?token=2", output)
        back = run(f"{server.url}/a?token=1", output)

    assert ["fetched", "fetched"] == [outcome(other), outcome(back)]


def test_an_unchanged_export_gets_too_old_all_the_same(tmp_path: Path) -> None:
    output = tmp_path / "r.jsonl"
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        run(server.url, output)
        old = run(server.url, output, max_age="1h")
        not_newer = run(server.url, output, newer_than="2026-11-23T05:30")
        newer = run(server.url, output, newer_than="2026-11-23T06:29", timezone="Europe/Prague")

    assert isinstance(old, GuardError)
    assert "too old" in old.message
    assert isinstance(not_newer, GuardError)
    assert ("newer than 2026-11-23T05:30:00Z", "2026-11-23T05:30:00Z") == (
        not_newer.limit,
        not_newer.actual,
    )
    # Both are times of Prague: 05:30 there is not after 06:29 there.
    assert isinstance(newer, GuardError)
    assert expected_lines() == output.read_bytes()


def test_a_refused_version_is_not_remembered(tmp_path: Path) -> None:
    output = tmp_path / "r.jsonl"
    output.write_bytes(b"former\n")
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        refused = run(server.url, output, min_users=4)
        fetched = run(server.url, output)

    assert isinstance(refused, GuardError)
    assert "fetched" == outcome(fetched)


def test_a_304_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(304)

    with serving(script) as server:
        assert isinstance(run(server.url, tmp_path / "r.jsonl"), RemoteError)


def test_no_part_of_a_secret_is_stored_or_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        url = f"{server.url}/export.xml?token=t0ken"
        for _ in range(2):
            run(url, tmp_path / "r.jsonl", secret="s3cret", state_dir=tmp_path / "state")
        heads = b"".join(server.heads)
    stored = b"".join(one.read_bytes() for one in (tmp_path / "state").rglob("*") if one.is_file())

    assert b"Authorization: Bearer s3cret\r\n" in heads
    assert b"GET /export.xml?token=t0ken " in heads
    for hidden in ("t0ken", "s3cret"):
        assert hidden.encode() not in stored
        assert hidden not in caplog.text


def test_two_fetches_to_one_output_do_not_run_at_once(tmp_path: Path) -> None:
    asked, done = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        asked.set()
        done.wait(20)
        serve_file(make_export())(peer)

    with serving(slow, serve_file(make_export())) as server:
        first = threading.Thread(target=run, args=(server.url, tmp_path / "r.jsonl"))
        first.start()
        assert asked.wait(20)
        second = run(server.url, tmp_path / "r.jsonl")
        third = run(server.url, tmp_path / "other.jsonl")
        done.set()
        first.join()

    assert isinstance(second, TryLaterError)
    assert "another fetch" in second.message
    assert "fetched" == outcome(third)


def test_a_ledger_that_cannot_be_used_costs_the_memory_only_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "state" / "batchpub").mkdir(parents=True)
    (tmp_path / "state" / "batchpub" / "ledger.sqlite3").write_bytes(b"not a database")
    (tmp_path / "file").touch()
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        for _ in range(2):
            assert "fetched" == outcome(run(server.url, tmp_path / "r.jsonl"))
        named = run(server.url, tmp_path / "r.jsonl", state_dir=tmp_path / "state" / "batchpub")
        no_folder = run(server.url, tmp_path / "r.jsonl", state_dir=tmp_path / "file")

    assert "this fetch is not remembered" in caplog.text
    assert isinstance(named, MachineError)
    assert isinstance(no_folder, ConfigurationError)


def test_a_file_is_read_once_too_and_again_when_it_changed(tmp_path: Path) -> None:
    export, output = tmp_path / "an export.xml", tmp_path / "r.jsonl"
    export.write_bytes(make_export())
    os.utime(export, (0, 1_700_000_000))

    assert "fetched" == outcome(run(export.as_uri(), output))
    assert "not_modified" == outcome(run(export.as_uri(), output))
    export.write_bytes(make_export(4))
    assert "fetched" == outcome(run(export.as_uri(), output))
    assert expected_lines(4) == output.read_bytes()
    # It was written a moment ago and could be again without another time of change.
    assert "fetched" == outcome(run(export.as_uri(), output))


def test_a_run_that_died_between_two_outputs_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [tmp_path / "r.jsonl", tmp_path / "r.csv"]
    renamed: list[Path] = []
    rename = PendingFile.rename

    def die_at_the_second(file: PendingFile) -> None:
        if renamed:
            raise KeyboardInterrupt
        renamed.append(file.target)
        rename(file)

    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        run(server.url, outputs)
        server.scripts[:] = [serve_file(make_export(4), ETag='"v2"')]
        with monkeypatch.context() as patch:
            patch.setattr(PendingFile, "rename", die_at_the_second)
            with pytest.raises(KeyboardInterrupt):
                run(server.url, outputs)
        assert [4, 3 + 1] == [path.read_bytes().count(b"\n") for path in outputs]
        server.scripts[:] = [serve_file(make_export(), ETag='"v1"')]
        again = run(server.url, outputs)

    assert "fetched" == outcome(again)
    assert [3, 3 + 1] == [path.read_bytes().count(b"\n") for path in outputs]


def test_the_memory_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ledger.fetches._KEPT_FETCHES", 3)
    with serving(serve_file(make_export(), ETag='"v1"')) as server:
        for day in range(5):
            run(server.url, tmp_path / f"r{day}.jsonl", state_dir=tmp_path / "state")
        last = run(server.url, tmp_path / "r4.jsonl", state_dir=tmp_path / "state")
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as connection:
        assert (3,) == connection.execute("SELECT count(*) FROM fetches").fetchone()

    assert "not_modified" == outcome(last)
