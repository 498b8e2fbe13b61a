"""Exports by file URL: which addresses name a file, and what is no export to read."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from backports import zstd

from pipeline.errors import BatchpubError, ConfigurationError, InputError, TryLaterError
from pipeline.records import DownloadSummary, Progress, ignore_progress
from pipeline.settings import FetchSettings
from pipeline.transfer.download import download, shown_source
from pipeline.transfer.local_file import file_path

EXPORT = b"<users>" + b"<user><auth_user_id>u1</auth_user_id></user>" * 30_000 + b"</users>"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a/b.xml", "/a/b.xml"),
        ("file:/a/b.xml", "/a/b.xml"),
        ("FILE:///a/b.xml", "/a/b.xml"),
        ("file://localhost/a/b.xml", "/a/b.xml"),
        ("file:///a/%C4%9B%20%3F%23%25.xml", "/a/\u011b ?#%.xml"),
        ("file:///a/\u011b.xml", "/a/\u011b.xml"),
    ],
)
def test_a_file_url_names_a_path(url: str, path: str) -> None:
    assert Path(path) == file_path(url)


def test_a_name_that_is_not_utf_8_survives(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.xml"))
    path.write_bytes(EXPORT)

    assert path == file_path(path.as_uri())
    assert EXPORT == fetched(path.as_uri())[1]


@pytest.mark.parametrize(
    "url",
    ["file:a.xml", "file:", "file://host/a.xml", "file:///a?b", "file:///a#b", "file:///a%00b",
     "file://[/a"],
)  # fmt: skip
def test_what_is_no_path_on_this_machine_is_refused(url: str) -> None:
    for use in (file_path, shown_source):
        with pytest.raises(ConfigurationError, match="file:///folder"):
            use(url)


def test_a_bare_name_is_told_what_reads_it() -> None:
    with pytest.raises(ConfigurationError, match="batchpub parse"):
        shown_source("./export.xml")


def fetched(url: str, **changes: object) -> tuple[DownloadSummary | BatchpubError, bytes]:
    got = bytearray()
    try:
        return download(url, got.extend, FetchSettings(**changes)), bytes(got)  # type: ignore[arg-type]
    except BatchpubError as error:
        return error, bytes(got)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_a_file_is_fed_whole_and_unpacked(pack: type[bytes], tmp_path: Path) -> None:
    path = tmp_path / "export.xml.any"
    path.write_bytes(pack(EXPORT))
    seen: list[Progress] = []
    got = bytearray()
    summary = download(path.as_uri(), got.extend, FetchSettings(), on_progress=seen.append)

    assert EXPORT == got
    size = path.stat().st_size
    assert (200, size, len(EXPORT)) == (summary.status, summary.received, summary.bytes)
    assert (size, size) == (seen[-1].done, seen[-1].total)


def test_a_file_that_is_cut_or_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.xml.gz"
    path.write_bytes(gzip.compress(EXPORT)[:-1])
    assert isinstance(fetched(path.as_uri())[0], InputError)
    path.write_bytes(gzip.compress(EXPORT))
    error, got = fetched(path.as_uri(), max_expanded=1000)
    assert isinstance(error, InputError)
    assert (1000, b"") == (error.limit, got)


def test_what_is_not_a_readable_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for name, words in (
        ("none.xml", "no such file"),
        ("file/x.xml", "no such file"),
        ("", "folder"),
        ("pipe", "not a regular file"),
    ):
        error, _ = fetched((tmp_path / name).as_uri())
        assert isinstance(error, InputError)
        assert words in error.message
        assert (tmp_path / name).as_uri() == error.source


@pytest.mark.parametrize("by", ["writing on", "replacing", "removing"])
def test_a_file_that_changes_while_it_is_read_is_refused(by: str, tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_bytes(EXPORT)

    def feed(data: bytes) -> None:
        if by == "writing on":
            path.write_bytes(EXPORT + b" ")
        elif by == "replacing":
            (tmp_path / "new").write_bytes(EXPORT)
            (tmp_path / "new").replace(path)
        else:
            path.unlink(missing_ok=True)

    with pytest.raises(TryLaterError, match="replaced"):
        download(path.as_uri(), feed, FetchSettings())


def test_the_deadline_holds_for_files_too(tmp_path: Path) -> None:
    (tmp_path / "export.xml").write_bytes(EXPORT)
    error, _ = fetched((tmp_path / "export.xml").as_uri(), deadline=1e-9)

    assert isinstance(error, TryLaterError)
    assert "deadline" in error.message


def test_what_the_parser_raises_comes_out_unchanged(tmp_path: Path) -> None:
    (tmp_path / "export.xml").write_bytes(EXPORT)
    error = OSError(5, "disk")

    def feed(data: bytes) -> None:
        raise error

    with pytest.raises(OSError, match="disk") as caught:
        download((tmp_path / "export.xml").as_uri(), feed, FetchSettings(),
                 on_progress=ignore_progress)  # fmt: skip
    assert error is caught.value
