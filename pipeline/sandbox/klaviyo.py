"""A stand-in of Klaviyo's API as far as batchpub and its users need it (api.md §4, §8 item 10).

Served are profiles, the profiles of lists and segments, and bulk import jobs. Where the real
service is not documented, this one decides: 400 without `revision`, 404 for one it cannot read,
401 for a wrong key, 400 or 413 for a job over a limit.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web

from pipeline.sandbox.answers import answer_of
from pipeline.sandbox.api_faults import answer_with_faults
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.journal import ENTRY
from pipeline.sandbox.klaviyo_jobs import MAX_PAYLOAD, InvalidJobError, Job, JobBoard
from pipeline.sandbox.klaviyo_rates import JOBS, READS, RateWindows
from pipeline.sandbox.klaviyo_store import (
    PROFILE_FIELDS,
    InvalidQueryError,
    Page,
    Profile,
    ProfileStore,
)
from pipeline.sandbox.state import STATE

__all__ = ["KLAVIYO", "Klaviyo", "klaviyo_routes"]

_MEDIA_TYPE: Final = "application/vnd.api+json"
_REVISION: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.[a-z0-9]+)?")
_MAX_PAGE: Final = 100
_Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(slots=True, kw_only=True)
class Klaviyo:
    """What the stand-in holds."""

    store: ProfileStore = field(default_factory=ProfileStore)
    board: JobBoard = field(init=False)
    reads: RateWindows = field(default_factory=lambda: RateWindows(READS))
    posts: RateWindows = field(default_factory=lambda: RateWindows(JOBS))

    def __post_init__(self) -> None:
        self.board = JobBoard(self.store)


KLAVIYO: Final = web.AppKey("klaviyo", Klaviyo)


def klaviyo_routes() -> list[web.AbstractRouteDef]:
    """The part of the API that is served."""
    job = "/api/profile-bulk-import-jobs/{job}"
    return [
        web.get("/api/profiles", _api(_profiles)),
        web.get("/api/{kind:lists|segments}/{group}/profiles", _api(_profiles)),
        web.post("/api/profile-bulk-import-jobs", _api(_post_job)),
        web.get(job + "{_:/?}", _api(_show_job)),  # the links it gives end in a slash
        web.get(job + "/import-errors{_:/?}", _api(_import_errors)),
    ]


def _api(handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What every call goes through: the fault plan, key, revision, rate."""

    async def handle(request: web.Request) -> web.StreamResponse:
        async def serve(request: web.Request) -> web.Response:
            return await _checked(request, handler)

        return await answer_with_faults(request, "klaviyo", serve, replace=_faulty)

    return handle


def _faulty(fault: Fault, request: web.Request) -> web.Response:
    if fault.kind == "status" and not fault.body and fault.status >= 400:
        return _refuse(fault.status, "error", "A server error occurred.", "By fault plan.")
    return answer_of(fault, request)


async def _checked(request: web.Request, handler: _Handler) -> web.Response:
    refused = _authorize(request) or _check_revision(request)
    if refused is not None:
        return refused
    state = request.app[KLAVIYO]
    is_job = "profile-bulk-import-jobs" in request.path
    verdict = (state.posts if is_job else state.reads).take(time.monotonic())
    if not verdict.passes:
        answer = _refuse(
            429,
            "throttled",
            "Request was throttled.",
            "Request was throttled. Expected available in "
            f"{verdict.wait_s} second{'s' if verdict.wait_s != 1 else ''}.",
        )
        answer.headers.update(verdict.headers)
        return answer
    state.board.settle(time.time())
    try:
        answer = await handler(request)
    except InvalidQueryError as error:
        answer = _refuse(400, "invalid", "Invalid input.", error.detail, parameter=error.parameter)
    except InvalidJobError as error:
        answer = _refuse(400, "invalid", "Invalid input.", error.detail, pointer=error.pointer)
    answer.headers.update(verdict.headers)
    return answer


def _authorize(request: web.Request) -> web.Response | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    request[ENTRY].authorized = False
    if scheme != "Klaviyo-API-Key":
        return _refuse(
            401,
            "not_authenticated",
            "Authentication credentials were not provided.",
            "Missing or invalid authorization scheme. Please use Klaviyo-API-Key.",
        )
    if key != request.app[STATE].settings.klaviyo_key:
        return _refuse(
            401,
            "authentication_failed",
            "Incorrect authentication credentials.",
            "The API key specified is invalid.",
        )
    request[ENTRY].authorized = True
    return None


def _check_revision(request: web.Request) -> web.Response | None:
    text = request.headers.get("revision")
    if text is None:
        return _refuse(
            400,
            "invalid",
            "Invalid input.",
            "The revision header is required.",
            parameter="revision",
        )
    match = _REVISION.fullmatch(text)
    try:
        revision = None if match is None else date.fromisoformat(match[1])
    except ValueError:
        revision = None
    if revision is None:
        detail = f"No valid revisions found for method {request.method}"
        return _refuse(404, "not_found", "Not found.", detail)
    if revision > datetime.now(UTC).date():
        detail = "The revision lies in the future."
        return _refuse(400, "invalid", "Invalid input.", detail, parameter="revision")
    return None


async def _profiles(request: web.Request) -> web.Response:
    store = request.app[KLAVIYO].store
    group = request.match_info.get("group")
    if group is not None:
        group = f"{request.match_info['kind']}/{group}"
        if group not in store.groups:
            return _refuse(404, "not_found", "Not found.", "No such list or segment.")
    wanted = _fields(request)
    page = store.page(
        request.query, group=group, size=_size(request), cursor=request.query.get("page[cursor]")
    )
    host = f"{request.scheme}://{request.host}"
    return _answer(
        200,
        {
            "data": [_resource(one, group, wanted, host) for one in page.profiles],
            "links": _links(request, page),
        },
    )


def _resource(
    profile: Profile, group: str | None, wanted: frozenset[str], host: str
) -> dict[str, Any]:
    attributes = {name: profile.attributes.get(name) for name in wanted}
    if "joined_group_at" in wanted:
        del attributes["joined_group_at"]
        if group is not None:
            attributes["joined_group_at"] = profile.groups[group]
    return {
        "type": "profile",
        "id": profile.id,
        "attributes": attributes,
        "links": {"self": f"{host}/api/profiles/{profile.id}/"},
    }


async def _post_job(request: web.Request) -> web.Response:
    kind = request.content_type
    if kind not in (_MEDIA_TYPE, "application/json"):
        return _refuse(415, "unsupported_media_type", "Unsupported media type.", f"Not {kind}.")
    body = bytearray()
    while block := await request.content.readany():
        body += block
        if len(body) > MAX_PAYLOAD:
            answer = _refuse(413, "payload_too_large", "Payload too large.", "5 MB at most.")
            answer.force_close()
            return answer
    request[ENTRY].body_bytes = len(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _refuse(400, "invalid", "Invalid input.", "The body is not JSON.", pointer="/")
    state = request.app[KLAVIYO]
    job = state.board.post(value, now=time.time())
    for one in job.lists:
        if f"lists/{one}" not in state.store.groups:
            del state.board.jobs[job.id]
            return _refuse(404, "not_found", "Not found.", "No such list.")
    job.lists = [f"lists/{one}" for one in job.lists]
    request[ENTRY].stored = True
    return _answer(202, {"data": _job_resource(request, job)})


async def _show_job(request: web.Request) -> web.Response:
    job = request.app[KLAVIYO].board.jobs.get(request.match_info["job"])
    if job is None:
        return _refuse(404, "not_found", "Not found.", "No such job.")
    return _answer(200, {"data": _job_resource(request, job)})


async def _import_errors(request: web.Request) -> web.Response:
    job = request.app[KLAVIYO].board.jobs.get(request.match_info["job"])
    if job is None:
        return _refuse(404, "not_found", "Not found.", "No such job.")
    size, cursor = _size(request), request.query.get("page[cursor]", "0")
    if not cursor.isdecimal():
        raise InvalidQueryError("page[cursor]", "the cursor cannot be read")
    start = int(cursor)
    following = str(start + size) if start + size < len(job.errors) else None
    return _answer(
        200,
        {
            "data": [
                {**one, "links": {"self": f"{request.url.origin()}/api/import-errors/{one['id']}"}}
                for one in job.errors[start : start + size]
            ],
            "links": _links(request, Page([], following)),
        },
    )


def _job_resource(request: web.Request, job: Job) -> dict[str, Any]:
    where = f"{request.scheme}://{request.host}/api/profile-bulk-import-jobs/{job.id}"
    return {
        "type": "profile-bulk-import-job",
        "id": job.id,
        "attributes": job.attributes(time.time()),
        "relationships": {
            "import-errors": {
                "links": {
                    "self": f"{where}/relationships/import-errors/",
                    "related": f"{where}/import-errors/",
                }
            }
        },
        "links": {"self": f"{where}/"},
    }


def _links(request: web.Request, page: Page) -> dict[str, str | None]:
    here = f"{request.scheme}://{request.host}{request.path}"
    following = None
    if page.cursor is not None:
        query = {**request.query, "page[cursor]": page.cursor}
        following = f"{here}?{urlencode(query)}"
    text = request.rel_url.raw_query_string
    return {"self": f"{here}?{text}" if text else here, "first": None, "last": None, "prev": None,
            "next": following}  # fmt: skip


def _size(request: web.Request) -> int:
    text = request.query.get("page[size]", "20")
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_PAGE:
        raise InvalidQueryError("page[size]", "Page size must be an integer between 1 and 100.")
    return int(text)


def _fields(request: web.Request) -> frozenset[str]:
    text = request.query.get("fields[profile]")
    if text is None:
        return PROFILE_FIELDS
    wanted = frozenset(text.split(","))
    for name in sorted(wanted - PROFILE_FIELDS):
        raise InvalidQueryError("fields[profile]", f"'{name}' is not a field of a profile.")
    return wanted


def _answer(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type=_MEDIA_TYPE)


def _refuse(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    pointer: str = "/data/",
    parameter: str | None = None,
) -> web.Response:
    source = {"pointer": pointer} if parameter is None else {"parameter": parameter}
    error = {
        "id": str(uuid.uuid4()),
        "status": status,
        "code": code,
        "title": title,
        "detail": detail,
        "source": source,
        "links": {},
        "meta": {},
    }
    return _answer(status, {"errors": [error]})
