"""Makes an export from a stored list, in the shapes of api.md §1.6. Blocking: run it in a thread.

Memory is one batch of users, whatever the size of the list. The same list, options and
`updated_at` give the same bytes. Duplicate ids stay duplicate; an id that XML cannot carry, and
the reserved id of the generic set, are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from xml.sax.saxutils import escape

import orjson

from pipeline.errors import ConfigurationError
from pipeline.publish import machine_errors
from pipeline.records import RESERVED_ID
from pipeline.sandbox.catalogue import PRODUCTS, Product
from pipeline.sandbox.lines import iter_ids
from pipeline.sandbox.store import StoredList

__all__ = ["ExportFormat", "GenerateOptions", "Generated", "write_export"]

ExportFormat = Literal["xml", "json", "jsonl"]

# A user grows from some 25 bytes to some 2,500: a batch of ids makes about 7 MB of export.
_BATCH: Final = 64 * 1024
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A line end inside an id would break "one user a line", a bare CR would be read as LF.
_LINE_ENDS: Final = {"\r": "&#13;", "\n": "&#10;"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """What the export should be like."""

    seed: int = 0
    """Decides who is left out and which products come."""
    format: ExportFormat = "xml"
    """xml as the reference documents it; json and jsonl as for SmartEmailing."""
    types: int = 2
    """Recommendation types: mail-recommender-1, -2 and so on."""
    items: int = 4
    """Results of each type for each user."""
    leave_out: float = 0.1
    """Share of the listed users that get no recommendations."""
    empty: float = 0.02
    """Share of the blocks without results."""
    updated_at: str = ""
    """Time in the export, without zone. Default: now, in UTC."""
    default: bool = True
    """Add the generic set."""
    gzip: bool = True
    """Make the compressed twin too."""

    def __post_init__(self) -> None:
        checks = {
            "format": self.format in ("xml", "json", "jsonl"),
            "types": 0 <= self.types <= 100,
            "items": 0 <= self.items <= 100,
            "leave_out": 0.0 <= self.leave_out <= 1.0,
            "empty": 0.0 <= self.empty <= 1.0,
            "updated_at": _NOT_XML.search(self.updated_at) is None,
        }
        for name, valid in checks.items():
            if not valid:
                raise ConfigurationError("the value is not valid", source=name)


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written; the generic set does not count as a user."""

    users: int
    left_out: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Layout:
    """How users are written: `user` takes an id and blocks of (type, joined results)."""

    opening: bytes
    between: bytes
    closing: bytes
    result_separator: bytes
    results: tuple[tuple[bytes, bytes], ...]
    user: Callable[[str, list[tuple[bytes, bytes]]], bytes]


def write_export(
    users: StoredList,
    options: GenerateOptions,
    path: Path,
    *,
    gzip_path: Path | None,
    now: datetime,
    stopping: Callable[[], bool],
) -> Generated:
    """Write the export to `path` and its twin to `gzip_path`; stops early when asked to.

    Raises:
        MachineError: the disk refused.
    """
    updated_at = options.updated_at or now.strftime("%Y-%m-%dT%H:%M:%S")
    layout = _layout(options.format, updated_at)
    digest = hashlib.sha256()
    written = left_out = 0
    with machine_errors("the sandbox's folder", "write"), ExitStack() as stack:
        # The list may be replaced while we read: the open file is the old one to its end.
        source = stack.enter_context(users.path.open("rb"))
        plain = stack.enter_context(path.open("wb"))
        packed = None
        if gzip_path is not None:
            packing = stack.enter_context(gzip_path.open("wb"))
            packed = stack.enter_context(gzip.GzipFile("", "wb", 1, packing, mtime=0))
        chunks = iter(lambda: source.read(_BATCH), b"")
        for data, wrote, left in _pieces(iter_ids(chunks, users.format), options, layout):
            plain.write(data)
            digest.update(data)
            if packed is not None:
                packed.write(data)
            written += wrote
            left_out += left
            if stopping():
                break
    return Generated(written, left_out, digest.hexdigest())


def _pieces(
    batches: Iterable[list[str]], options: GenerateOptions, layout: _Layout
) -> Iterator[tuple[bytes, int, int]]:
    """Pieces of the export, each with the users it holds and the ids it passed over."""
    rng = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
    yield layout.opening, 0, 0
    before = b""
    for ids in batches:
        kept = [
            user_id
            for user_id in ids
            if rng.random() >= options.leave_out
            and user_id != RESERVED_ID
            and (options.format != "xml" or not _NOT_XML.search(user_id))
        ]
        if kept:
            users = [layout.user(user_id, _blocks(rng, options, layout)) for user_id in kept]
            yield before + layout.between.join(users), len(kept), len(ids) - len(kept)
            before = layout.between
        else:
            yield b"", 0, len(ids)
    if options.default:
        yield before + layout.user(RESERVED_ID, _blocks(rng, options, layout)), 0, 0
    yield layout.closing, 0, 0


def _blocks(
    rng: random.Random, options: GenerateOptions, layout: _Layout
) -> list[tuple[bytes, bytes]]:
    blocks = []
    for number in range(1, options.types + 1):
        recommendation_id = _uuid(rng.getrandbits(128))
        first = int(rng.random() * len(PRODUCTS))
        empty = rng.random() < options.empty
        shown = () if empty else layout.results[first : first + options.items]
        # One id for the whole block: it takes its place inside every address.
        results = [head + recommendation_id + tail for head, tail in shown]
        blocks.append((b"mail-recommender-%d" % number, layout.result_separator.join(results)))
    return blocks


def _uuid(bits: int) -> bytes:
    """A version 4 UUID; uuid.UUID does the same in four times the time."""
    text = f"{bits:032x}"
    variant = "89ab"[bits & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}".encode()


def _xml(updated_at: str) -> _Layout:
    meta = b"<_metadata><updated_at>%b</updated_at></_metadata>" % _escaped(updated_at)

    def result(product: Product) -> tuple[bytes, bytes]:
        return (
            b"<result><id>%b</id><url>%b" % (_escaped(product.id), _escaped(product.url)),
            b"</url><title>%b</title><image_link>%b</image_link></result>"
            % (_escaped(product.title), _escaped(product.image_link)),
        )

    def user(user_id: str, blocks: list[tuple[bytes, bytes]]) -> bytes:
        inner = b"".join(
            [
                b"<recommendation><recommendation_type>%b</recommendation_type>"
                b"<results>%b</results></recommendation>" % block
                for block in blocks
            ]
        )
        return (
            b"<user><auth_user_id>%b</auth_user_id><data>%b"
            b"<recommendations>%b</recommendations></data></user>\n"
            % (_escaped(user_id), meta, inner)
        )

    opening = b"<?xml version='1.0' encoding='UTF-8'?>\n<users>\n"
    return _Layout(opening, b"", b"</users>\n", b"", _results(result), user)


def _escaped(text: str) -> bytes:
    return escape(text, _LINE_ENDS).encode()


def _smart_emailing(*, opening: bytes, between: bytes, closing: bytes) -> _Layout:
    def result(product: Product) -> tuple[bytes, bytes]:
        head = orjson.dumps({"id": product.id, "url": product.url})
        rest = orjson.dumps({"title": product.title, "image_link": product.image_link})
        return head.removesuffix(b'"}'), b'",' + rest[1:]

    def user(user_id: str, blocks: list[tuple[bytes, bytes]]) -> bytes:
        inner = b",".join([b'"%b":[%b]' % block for block in blocks])
        return b'{"id":%b,"data":{%b}}' % (orjson.dumps(user_id), inner)

    return _Layout(opening, between, closing, b",", _results(result), user)


def _results(render: Callable[[Product], tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    # Twice, so that a run that starts near the end needs no wrapping around.
    return tuple(render(product) for product in PRODUCTS) * 2


def _layout(export_format: ExportFormat, updated_at: str) -> _Layout:
    if export_format == "xml":
        return _xml(updated_at)
    # The documented objects have no place for a time.
    if export_format == "json":
        return _smart_emailing(opening=b"[\n", between=b",\n", closing=b"\n]\n")
    return _smart_emailing(opening=b"", between=b"\n", closing=b"\n")
