"""The sandbox's own endpoints under /_sandbox: exports made, faults planned, requests read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.errors import ConfigurationError, MachineError
from pipeline.sandbox.answers import json_answer
from pipeline.sandbox.exports import send_list
from pipeline.sandbox.faults import parse_faults
from pipeline.sandbox.generate import GenerateOptions, write_export
from pipeline.sandbox.state import STATE, State
from pipeline.sandbox.store import StoredExport, StoredList

__all__ = ["ELSEWHERE", "export_path", "routes"]

ELSEWHERE: Final = "/_sandbox/elsewhere"
_WORDS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def export_path(tracker_id: str, export_format: str) -> str:
    """Where an export of this format is served."""
    return f"/exports/{tracker_id}/recommendations.{export_format}"


def routes() -> list[web.AbstractRouteDef]:
    """The control endpoints."""
    return [
        web.get("/_sandbox/list", send_list),
        web.post("/_sandbox/generate", _generate),
        web.get("/_sandbox/faults", _show_faults),
        web.post("/_sandbox/faults", _add_faults),
        web.delete("/_sandbox/faults", _clear_faults),
        web.get("/_sandbox/requests", _show_requests),
        web.delete("/_sandbox/requests", _clear_requests),
        web.route("*", ELSEWHERE, _elsewhere),
    ]


async def _generate(request: web.Request) -> web.Response:
    state = request.app[STATE]
    options = _options({**request.query, **await _json_object(request)})
    async with state.generating:
        users = state.store.users
        if users is None:
            return json_answer(409, {"error": "no list is stored; upload one first"})
        export = await asyncio.to_thread(_make, state, users, options)
    if state.halt.is_set():
        return json_answer(503, {"error": "the sandbox is stopping"})
    state.store.replace_export(export)
    where = export_path(state.settings.tracker_id, options.format)
    return json_answer(
        200,
        {
            "export_url": f"{request.scheme}://{request.host}{where}",
            "format": options.format,
            "users": export.users,
            "left_out": export.left_out,
            "bytes": export.path.stat().st_size,
            "sha256": export.sha256,
        },
    )


def _make(state: State, users: StoredList, options: GenerateOptions) -> StoredExport:
    path = state.store.new_path("export")
    gzip_path = state.store.new_path("export-gzip") if options.gzip else None
    made = write_export(
        users,
        options,
        path,
        gzip_path=gzip_path,
        now=datetime.now(UTC),
        stopping=state.halt.is_set,
    )
    return StoredExport(
        path=path,
        gzip_path=gzip_path,
        format=options.format,
        users=made.users,
        left_out=made.left_out,
        sha256=made.sha256,
        modified=time.time(),
    )


async def _json_value(request: web.Request) -> Any:
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise ConfigurationError("the body is not JSON", source=request.path) from error


async def _json_object(request: web.Request) -> dict[str, Any]:
    if not await request.read():
        return {}
    value = await _json_value(request)
    if not isinstance(value, dict):
        raise ConfigurationError("the body is not a JSON object", source=request.path)
    return value


def _options(values: Mapping[str, Any]) -> GenerateOptions:
    """Options from JSON values or from the words of a query."""
    defaults = asdict(GenerateOptions())
    unknown = sorted(set(values) - set(defaults))
    if unknown:
        known = ", ".join(field.name for field in fields(GenerateOptions))
        raise ConfigurationError(
            f"unknown: {', '.join(unknown)}", source="generate", remedy=f"known are {known}"
        )
    made = {name: _typed(name, value, defaults[name]) for name, value in values.items()}
    return GenerateOptions(**made)


def _typed(name: str, value: Any, default: Any) -> Any:
    wanted = type(default)
    if wanted is bool and isinstance(value, str):
        value = _WORDS.get(value.lower(), value)
    elif wanted in (int, float) and not isinstance(value, bool | list | dict | None):
        try:
            value = wanted(value)
        except (ValueError, OverflowError) as error:
            raise ConfigurationError("not a number", source=name) from error
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise ConfigurationError(f"must be of type {wanted.__name__}", source=name)
    return value


async def _show_faults(request: web.Request) -> web.Response:
    return json_answer(200, {"faults": request.app[STATE].plan.as_list()})


async def _add_faults(request: web.Request) -> web.Response:
    plan = request.app[STATE].plan
    faults, seed = parse_faults(await _json_value(request), source=request.path)
    plan.add(faults, seed=seed)
    return json_answer(200, {"faults": plan.as_list()})


async def _clear_faults(request: web.Request) -> web.Response:
    request.app[STATE].plan.clear()
    return json_answer(200, {"faults": []})


async def _show_requests(request: web.Request) -> web.Response:
    return json_answer(200, {"requests": request.app[STATE].journal.as_list()})


async def _clear_requests(request: web.Request) -> web.Response:
    request.app[STATE].journal.clear()
    return json_answer(200, {"requests": []})


async def _elsewhere(request: web.Request) -> web.Response:
    """Where redirects lead: whoever comes here followed one, and the request log shows it."""
    del request
    return web.Response(text="you followed a redirect\n")


def error_answer(error: ConfigurationError | MachineError) -> web.Response:
    """An error of our own as an answer."""
    status = 400 if isinstance(error, ConfigurationError) else 507
    return json_answer(status, {"error": str(error)})
