"""Answers to clients: ordinary ones, early ones, broken ones."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.sandbox.faults import Fault
from pipeline.sandbox.journal import ENTRY

__all__ = [
    "CLOCK_OFFSET",
    "answer_early",
    "answer_of",
    "break_after",
    "fault_headers",
    "is_gone",
    "json_answer",
    "no_answer",
    "pause",
    "reset",
    "set_date",
]

CLOCK_OFFSET: Final = web.RequestKey("clock_offset", float)

_HTML: Final = (
    "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>\n"
    "<body><h1>We will be back soon</h1><p>Reference 7f3a &amp; counting.</p></body></html>\n"
)


def json_answer(status: int, value: Any) -> web.Response:
    """`value` as JSON; a status without body gets none."""
    if status in (204, 205, 304):
        return web.Response(status=status)
    body = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    return web.Response(status=status, body=body, content_type="application/json")


def answer_of(fault: Fault, request: web.Request) -> web.Response:
    """The answer that a status, early, redirect or html fault asks for."""
    if fault.kind == "html":
        body, content_type = fault.body or _HTML, "text/html"
    else:
        body, content_type = fault.body or f"{fault.status} by fault plan\n", "text/plain"
    empty = fault.status in (204, 205, 304)
    answer = web.Response(
        status=fault.status,
        text=None if empty else body,
        content_type=None if empty else content_type,
    )
    if fault.kind == "redirect":
        elsewhere = f"{request.scheme}://{request.host}/_sandbox/elsewhere"
        answer.headers["Location"] = fault.location or elsewhere
    return answer


def fault_headers(answer: web.StreamResponse, fault: Fault, request: web.Request) -> None:
    """Add what the fault adds to any answer; a name may then stand more than once."""
    for name, value in fault.headers:
        answer.headers.add(name, value)
    if fault.retry_after_s is not None:
        answer.headers.add("Retry-After", str(fault.retry_after_s))
    if fault.retry_after_date_s is not None:
        when = time.time() + request.get(CLOCK_OFFSET, 0.0) + fault.retry_after_date_s
        answer.headers.add("Retry-After", formatdate(when, usegmt=True))


async def set_date(request: web.Request, answer: web.StreamResponse) -> None:
    """Date by the sandbox's clock, which a fault may have set off."""
    offset_s = request.get(CLOCK_OFFSET, 0.0)
    # aiohttp has put its own there by now, and has left alone the one of a `headers` fault.
    if offset_s or "Date" not in answer.headers:
        answer.headers["Date"] = formatdate(time.time() + offset_s, usegmt=True)


async def answer_early(request: web.Request, answer: web.Response) -> web.Response:
    """Answer while the client may still be sending, so that it can read the answer.

    Our side is closed after the answer; the server goes on reading and ignoring for a while,
    because closing with bytes unread would reset the connection and destroy the answer.
    """
    request[ENTRY].status = answer.status
    answer.force_close()
    await answer.prepare(request)
    await answer.write_eof()
    transport = request.transport
    if transport is not None and transport.can_write_eof():
        try:
            transport.write_eof()
        except OSError:  # ENOTCONN: reset by the client, which then wants no answer
            transport.abort()
    return answer


async def break_after(
    request: web.Request, answer: web.Response, *, count: int
) -> web.StreamResponse:
    """Send the first `count` bytes of an answer, then reset the connection."""
    await set_date(request, answer)
    body = answer.body if isinstance(answer.body, bytes) else b""
    phrase = HTTPStatus(answer.status).phrase
    head = [f"HTTP/1.1 {answer.status} {phrase}", f"Content-Length: {len(body)}"]
    head += [
        f"{name}: {value}" for name, value in answer.headers.items() if name != "Content-Length"
    ]
    data = "\r\n".join((*head, "", "")).encode() + body
    if count:
        await request.writer.write(data[:count])
    reset(request)
    return no_answer()


def no_answer() -> web.StreamResponse:
    """What a handler returns when nobody is left to answer; it cannot be sent, and is not."""
    return web.Response(status=500)


def is_gone(request: web.Request) -> bool:
    """Is the connection closed, by the client or by us?"""
    return request.transport is None or request.transport.is_closing()


def reset(request: web.Request) -> None:
    """Reset the connection (RST, not FIN)."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            linger_on_for_0_s = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_for_0_s)
        transport.abort()


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than the sandbox lives."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
