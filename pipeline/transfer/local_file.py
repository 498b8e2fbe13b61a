"""An export on a disk of this machine, by ``file`` URL: read as one that is downloaded."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote_to_bytes, urlsplit

from pipeline.errors import ConfigurationError, InputError, MachineError, TryLaterError
from pipeline.limits import EXPORT_PIECE
from pipeline.publish import machine_errors
from pipeline.records import DownloadSummary, OnProgress, Progress
from pipeline.settings import FetchSettings, parse_duration, parse_size
from pipeline.transfer.decode import open_decoder

__all__ = ["file_path", "is_file_url", "read_local"]

# A file changed a moment ago can change again without another time: clocks tick.
_SETTLED_S: Final = 2.0


def is_file_url(url: str) -> bool:
    """Whether `url` names a file."""
    return url[:5].lower() == "file:"


def file_path(url: str) -> Path:
    """The absolute path that a file URL names (RFC 8089).

    Raises:
        ConfigurationError: another host, a relative path, or not a path.
    """
    try:
        parts = urlsplit(url)
        path = os.fsdecode(unquote_to_bytes(parts.path))
    except ValueError:
        parts, path = urlsplit(""), ""
    plain = parts.netloc in {"", "localhost"} and not parts.query and not parts.fragment
    if not plain or not path.startswith("/") or "\0" in path:
        raise ConfigurationError(
            "not the address of a file on this machine",
            source="URL",
            remedy="write file:///folder/export.xml, with %3F for ? and %23 for #",
        )
    return Path(path)


def read_local(
    url: str,
    feed: Callable[[bytes], None],
    settings: FetchSettings,
    *,
    condition: Mapping[str, str],
    is_awaited: bool,
    on_progress: OnProgress,
) -> DownloadSummary:
    """Read the file and feed its decoded bytes, as `pipeline.transfer.download.download` does.

    Raises:
        ConfigurationError: not a file URL.
        InputError: missing, not a regular file, damaged or too large.
        MachineError: the disk refused.
        TryLaterError: missing though `is_awaited`, not read in time, or replaced meanwhile.
    """
    path = file_path(url)
    source = path.as_uri()
    began_at = time.monotonic()
    deadline_s = parse_duration(settings.deadline, option="--deadline")
    with _open(path, source, is_awaited) as file:
        before = os.fstat(file.fileno())
        tag = _tag(before)
        decoder = open_decoder(
            "", source=source, max_bytes=parse_size(settings.max_expanded, option="--max-expanded")
        )
        received = 0
        unchanged = condition.get("If-None-Match") == tag
        while not unchanged and (block := _read(file, source)):
            received += len(block)
            for piece in decoder.feed(block):
                feed(piece)
            on_progress(Progress(stage="fetch", done=received, total=before.st_size))
            if time.monotonic() > began_at + deadline_s:
                raise TryLaterError(
                    "the deadline passed before the export was whole",
                    source=source,
                    position=f"byte {received:,}",
                    limit=f"{deadline_s:g} s",
                    remedy="raise --deadline, or try again later; nothing was changed",
                )
        if not unchanged:
            feed(decoder.close())
        if {tag} != {_tag(os.fstat(file.fileno())), _tag_at(path)}:
            raise TryLaterError(
                "the export was replaced while it was being read",
                source=source,
                remedy="fetch it again; nothing was changed",
            )
    return DownloadSummary(
        url=source,
        status=304 if unchanged else 200,
        received=received,
        bytes=decoder.bytes,
        attempts=1,
        etag=tag,
        last_modified=formatdate(before.st_mtime, usegmt=True),
        duration_s=time.monotonic() - began_at,
        condition={"If-None-Match": tag} if time.time() - before.st_mtime > _SETTLED_S else {},
    )


def _open(path: Path, source: str, is_awaited: bool) -> IO[bytes]:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "this is a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise InputError(kind, source=source, remedy="name the export file")
        return path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError):
        if is_awaited:
            raise TryLaterError("there is no export yet", source=source) from None
        raise InputError("no such file", source=source, remedy="check the path") from None
    except PermissionError:
        raise InputError(
            "not readable: permission denied", source=source, remedy="check its mode"
        ) from None
    except OSError as error:
        raise MachineError(f"cannot read the export: {error.strerror}", source=source) from error


def _read(file: IO[bytes], source: str) -> bytes:
    with machine_errors(source, "read the export"):
        return file.read(EXPORT_PIECE)


def _tag_at(path: Path) -> str | None:
    try:
        return _tag(path.stat())
    except OSError:  # removed, or its folder is: another file than the one that was read
        return None


def _tag(found: os.stat_result) -> str:
    """What names a version of a file, in the form of an entity tag."""
    return f'"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"'
