"""The fault plan at work on the calls of a JSON API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from pipeline.sandbox.answers import (
    CLOCK_OFFSET,
    answer_of,
    break_after,
    fault_headers,
    no_answer,
    pause,
    reset,
)
from pipeline.sandbox.faults import Fault, FaultTarget
from pipeline.sandbox.journal import ENTRY
from pipeline.sandbox.state import STATE

__all__ = ["answer_with_faults"]


async def answer_with_faults(
    request: web.Request,
    on: FaultTarget,
    serve: Callable[[web.Request], Awaitable[web.Response]],
    *,
    replace: Callable[[Fault, web.Request], web.Response] = answer_of,
) -> web.StreamResponse:
    """The answer of `serve`, or what this call's fault makes of it.

    Args:
        request: The call.
        on: Whose faults it takes.
        serve: Lets the call take effect.
        replace: Makes the answer that stands in for the one of `serve`.
    """
    state = request.app[STATE]
    fault = state.plan.take(on)
    request[ENTRY].fault = None if fault.kind == "none" else fault.kind
    request[CLOCK_OFFSET] = fault.clock_offset_s
    if fault.kind == "stall":
        await pause(state.stopping, fault.seconds)
    if fault.kind == "reset":
        reset(request)
        return no_answer()
    replaced = fault.kind in ("status", "html", "redirect")
    try:
        answer = None if replaced and not fault.commit else await serve(request)
    except ConnectionError:
        request[ENTRY].reason = "the body broke off"
        return no_answer()
    if replaced or answer is None:
        answer = replace(fault, request)
    fault_headers(answer, fault, request)
    if fault.kind == "lost":
        return await break_after(request, answer, count=fault.answer_bytes)
    return answer
