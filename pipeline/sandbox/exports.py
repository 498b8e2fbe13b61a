"""The export endpoint and every other file that is sent: conditional, in ranges, or broken."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import IO, Final

from aiohttp import web

from pipeline.limits import READ_CHUNK
from pipeline.sandbox.answers import (
    CLOCK_OFFSET,
    answer_of,
    fault_headers,
    no_answer,
    pause,
    reset,
)
from pipeline.sandbox.conditional import accepts_gzip, select
from pipeline.sandbox.faults import NO_FAULT, Fault
from pipeline.sandbox.journal import ENTRY
from pipeline.sandbox.state import STATE

__all__ = ["send_export", "send_list"]

_MEDIA_TYPES: Final = {
    "xml": "application/xml",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A file as it is offered."""

    path: Path
    etag: str
    modified: float
    headers: dict[str, str]


async def send_export(request: web.Request) -> web.StreamResponse:
    """GET and HEAD /exports/{tracker}/recommendations.{xml,json,jsonl}."""
    state = request.app[STATE]
    fault = state.plan.take("export")
    request[ENTRY].fault = None if fault.kind == "none" else fault.kind
    request[CLOCK_OFFSET] = fault.clock_offset_s
    if fault.kind in ("status", "early", "redirect", "html"):
        answer = answer_of(fault, request)
        fault_headers(answer, fault, request)
        return answer
    if fault.kind == "lost":
        reset(request)
        return no_answer()
    if fault.kind == "bomb":
        return await _send_bomb(request, fault)
    name = request.match_info["format"]
    export = state.store.exports.get(name)
    if export is None or request.match_info["tracker"] != state.settings.tracker_id:
        raise web.HTTPNotFound(text="no such export; POST /_sandbox/generate makes one\n")
    path, tag, modified = export.path, export.sha256[:32], export.modified
    headers = {"Content-Type": _MEDIA_TYPES[name], "Vary": "Accept-Encoding"}
    if export.gzip_path is not None and accepts_gzip(request.headers.get("Accept-Encoding")):
        path, tag = export.gzip_path, f"{tag}-gzip"
        headers["Content-Encoding"] = "gzip"
    if fault.kind == "etag":
        # The number of the request makes it another one each time.
        tag, modified = f"{tag}-{request[ENTRY].number}", modified + request[ENTRY].number
    sent = _Sent(path=path, etag=f'"{tag}"', modified=modified, headers=headers)
    return await _send_file(request, fault, sent)


async def send_list(request: web.Request) -> web.StreamResponse:
    """GET and HEAD /_sandbox/list: the stored list byte for byte, facts in the headers."""
    users = request.app[STATE].store.users
    if users is None:
        raise web.HTTPNotFound(text="no list is stored\n")
    headers = {
        "Content-Type": _MEDIA_TYPES[users.format],
        "X-Sandbox-Users": str(users.users),
        "X-Sandbox-Format": users.format,
        "X-Sandbox-Sha256": users.sha256,
    }
    modified = users.path.stat().st_mtime
    sent = _Sent(path=users.path, etag=f'"{users.sha256}"', modified=modified, headers=headers)
    return await _send_file(request, NO_FAULT, sent)


async def _send_file(request: web.Request, fault: Fault, sent: _Sent) -> web.StreamResponse:
    # Opened in the same step in which the handler looked it up: it may be replaced afterwards.
    with sent.path.open("rb") as file:
        size = file.seek(0, 2)
        chosen = select(request.headers, etag=sent.etag, modified=sent.modified, size=size)
        answer = web.StreamResponse(status=chosen.status)
        answer.headers["ETag"] = sent.etag
        answer.headers["Last-Modified"] = formatdate(int(sent.modified), usegmt=True)
        answer.headers["Accept-Ranges"] = "bytes"
        if chosen.content_range is not None:
            answer.headers["Content-Range"] = chosen.content_range
        if chosen.status in (200, 206):
            answer.headers.update(sent.headers)
        length = chosen.stop - chosen.start
        if chosen.status != 304:
            wrong = fault.delta if fault.kind == "length" else 0
            answer.content_length = max(length + wrong, 0)
        fault_headers(answer, fault, request)
        if fault.kind in ("cut", "length"):
            answer.force_close()
        await answer.prepare(request)
        if request.method == "HEAD" or not length:
            await answer.write_eof()
            return answer
        file.seek(chosen.start)
        # The declared length is ours to break: aiohttp must not cut what is written beyond it.
        request.writer.length = None
        return await _send_body(request, answer, fault, file, length)


async def _send_body(
    request: web.Request, answer: web.StreamResponse, fault: Fault, file: IO[bytes], length: int
) -> web.StreamResponse:
    stopping = request.app[STATE].stopping
    due = min(fault.byte, length) if fault.kind in ("reset", "stall", "cut") else None
    most = READ_CHUNK if fault.bytes_per_s is None else max(fault.bytes_per_s // 20, 1)
    sent = 0
    while sent < length or due is not None:
        if due == sent:
            due = None
            if fault.kind == "stall":
                await pause(stopping, fault.seconds)
                continue
            await request.writer.drain()
            if fault.kind == "reset":
                reset(request)
            break
        limit = min(most, (length if due is None else due) - sent)
        data = await asyncio.to_thread(file.read, limit)
        await answer.write(data)
        sent += len(data)
        if fault.bytes_per_s is not None:
            await pause(stopping, len(data) / fault.bytes_per_s)
    await answer.write_eof()
    return answer


async def _send_bomb(request: web.Request, fault: Fault) -> web.StreamResponse:
    """A short gzip answer that unpacks to `size` bytes of blanks inside a users element."""
    answer = web.StreamResponse(headers={"Content-Type": _MEDIA_TYPES["xml"]})
    answer.headers["Content-Encoding"] = "gzip"
    fault_headers(answer, fault, request)
    await answer.prepare(request)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    await answer.write(packer.compress(b"<users>"))
    blanks = b" " * READ_CHUNK
    left = fault.size - len(b"<users></users>")
    while left > 0 and not request.app[STATE].stopping.is_set():
        piece = blanks[: min(left, READ_CHUNK)]
        left -= len(piece)
        await answer.write(await asyncio.to_thread(packer.compress, piece))
    await answer.write(packer.compress(b"</users>") + packer.flush())
    await answer.write_eof()
    return answer
