"""The upload endpoint: check the head, take the body in, replace the stored list, answer."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.errors import InputError
from pipeline.sandbox.answers import (
    CLOCK_OFFSET,
    answer_early,
    answer_of,
    break_after,
    fault_headers,
    is_gone,
    json_answer,
    no_answer,
    pause,
    reset,
)
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.intake import MAX_OTHER, Intake
from pipeline.sandbox.journal import ENTRY
from pipeline.sandbox.multipart import boundary_of
from pipeline.sandbox.signature import SignedHead, refusal, signed_content_type
from pipeline.sandbox.state import STATE, State
from pipeline.sandbox.store import StoredList

__all__ = ["continue_later", "receive_upload"]

# Large enough that the way to a thread and back does not count.
_BATCH: Final = 512 * 1024
_ANSWERING: Final = frozenset({"status", "redirect", "html"})


async def continue_later(request: web.Request) -> None:
    """Expect: 100-continue is answered by `receive_upload`, once the head has passed."""
    if request.headers["Expect"].strip().lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="only 100-continue can be expected\n")


async def receive_upload(request: web.Request) -> web.StreamResponse:
    """POST /v1/recommender/batching/{tracker}/users."""
    state, entry = request.app[STATE], request[ENTRY]
    fault = state.plan.take("upload")
    entry.fault = None if fault.kind == "none" else fault.kind
    request[CLOCK_OFFSET] = fault.clock_offset_s
    refused = _check_head(request, state)
    if refused is not None:
        return await _refuse(request, fault, *refused)
    try:
        boundary = boundary_of(request.headers["Content-Type"])
    except InputError as error:
        return await _refuse(request, fault, 400, error.message)
    intake = Intake(
        state.store.new_path("list"), boundary=boundary, max_bytes=state.settings.max_bytes
    )
    try:
        async with asyncio.timeout(state.settings.upload_timeout):
            whole = await _take_in(request, fault, intake, state)
            stored = await asyncio.to_thread(intake.finish) if whole else None
    except TimeoutError:
        intake.discard()
        limit = state.settings.upload_timeout
        return await _refuse(request, fault, 408, f"the upload took longer than {limit:g} s")
    except InputError as error:
        intake.discard()
        status = 413 if intake.too_large else 400
        return await _refuse(request, fault, status, error.message)
    except ConnectionError:
        intake.discard()
        entry.reason = "the body broke off"
        return no_answer()
    except BaseException:
        intake.discard()
        raise
    return await _conclude(request, fault, intake, stored)


def _check_head(request: web.Request, state: State) -> tuple[int, str] | None:
    """Status and reason of a refusal that the head alone is enough for."""
    settings = state.settings
    for name in ("Authorization", "Date", "Content-Type", "Content-Length"):
        if len(request.headers.getall(name, [])) > 1:
            return 400, f"the {name} header comes more than once"
    now = datetime.fromtimestamp(time.time() + request[CLOCK_OFFSET], UTC)
    content_type = request.headers.get("Content-Type")
    reason = refusal(
        SignedHead(
            method=request.method,
            path=request.rel_url.raw_path,
            content_type=content_type,
            date=request.headers.get("Date"),
            authorization=request.headers.get("Authorization"),
        ),
        state.keys,
        tracker_id=request.match_info["tracker"],
        now=now,
        tolerance_s=settings.clock_tolerance,
    )
    request[ENTRY].authorized = reason is None
    if reason is not None:
        return settings.auth_status, reason
    if signed_content_type(content_type or "").lower() != "multipart/form-data":
        return 415, "the body must be multipart/form-data"
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return 415, "the body must not be compressed"
    if (request.content_length or 0) > settings.max_bytes + MAX_OTHER:
        return 413, f"the file is larger than {settings.max_bytes} bytes"
    return None


async def _refuse(request: web.Request, fault: Fault, status: int, reason: str) -> web.Response:
    request[ENTRY].reason = reason
    answer = json_answer(status, {"error": reason})
    fault_headers(answer, fault, request)
    return await answer_early(request, answer)


async def _take_in(request: web.Request, fault: Fault, intake: Intake, state: State) -> bool:
    """Read the body into `intake`; False where the fault answers before its end."""
    entry = request[ENTRY]
    due = fault.byte if fault.kind in ("early", "reset", "stall") else None
    waiting = bytearray()
    awaited = "Expect" in request.headers
    ended = False
    while True:
        if due is not None and (ended or entry.body_bytes >= due):
            due = None
            if fault.kind == "reset":
                reset(request)
                raise ConnectionResetError("by fault plan")
            if fault.kind == "early":
                return False
            await pause(state.stopping, fault.seconds)
        if ended:
            break
        if awaited:
            awaited = False
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        chunk = await _read(request, fault, limit=None if due is None else due - entry.body_bytes)
        ended = not chunk
        entry.body_bytes += len(chunk)
        waiting += chunk
        if len(waiting) >= _BATCH or ended:
            batch = bytes(waiting)
            waiting.clear()
            await asyncio.to_thread(intake.feed, batch)
        if fault.bytes_per_s is not None and chunk:
            await pause(state.stopping, len(chunk) / fault.bytes_per_s)
    return True


async def _read(request: web.Request, fault: Fault, *, limit: int | None) -> bytes:
    """At least one byte of the body, none at its end."""
    most = _BATCH if fault.bytes_per_s is None else max(fault.bytes_per_s // 20, 1)
    try:
        return await request.content.read(most if limit is None else min(most, limit))
    except (ClientError, HttpProcessingError, web.RequestPayloadError, RuntimeError) as error:
        # aiohttp's many ways to say that the client is gone, or that it frames its body badly.
        if is_gone(request):
            raise ConnectionResetError("the client is gone") from error
        raise InputError("the body is badly framed") from error


async def _conclude(
    request: web.Request, fault: Fault, intake: Intake, stored: StoredList | None
) -> web.StreamResponse:
    """Store and answer, or do what the fault does instead."""
    state, entry = request.app[STATE], request[ENTRY]
    if stored is None or (fault.kind in _ANSWERING and not fault.commit):
        intake.discard()
    else:
        state.store.replace_users(stored)
        entry.stored = True
    if fault.kind == "early" or fault.kind in _ANSWERING or stored is None:
        answer = answer_of(fault, request)
    else:
        answer = _success(state, stored)
    fault_headers(answer, fault, request)
    if fault.kind == "lost":
        return await break_after(request, answer, count=fault.answer_bytes)
    return await answer_early(request, answer) if stored is None else answer


def _success(state: State, stored: StoredList) -> web.Response:
    settings = state.settings
    if settings.success_body is not None and settings.success_status not in (204, 205):
        return web.Response(status=settings.success_status, text=settings.success_body)
    return json_answer(
        settings.success_status,
        {
            "status": "stored",
            "users": stored.users,
            "bytes": stored.bytes,
            "format": stored.format,
            "sha256": stored.sha256,
        },
    )
