"""A client of the sandbox that sends exactly the bytes a test wants, over a plain socket."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from pipeline.records import SandboxReady
from pipeline.sandbox.signature import expected_digest

BOUNDARY = "----------------------------9051914041544843365972754266"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])


def upload_path(ready: SandboxReady) -> str:
    return f"/v1/recommender/batching/{ready.tracker_id}/users"


def signed_headers(
    ready: SandboxReady,
    *,
    path: str | None = None,
    key: str | None = None,
    public_key: str | None = None,
    content_type: str = "multipart/form-data",
    date: str | None = None,
    word: str = "ApiAuth",
) -> dict[str, str]:
    date = formatdate(usegmt=True) if date is None else date
    digest = expected_digest(
        key or ready.private_key,
        method="POST",
        content_type=content_type,
        date=date,
        path=path or upload_path(ready),
    )
    return {"Date": date, "Authorization": f"{word} {public_key or ready.public_key}:{digest}"}


def form(
    content: bytes,
    *,
    disposition: str = 'form-data; name="file"; filename="users.jsonl"',
    headers: tuple[str, ...] = ("Content-Type: application/json",),
    boundary: str = BOUNDARY,
) -> bytes:
    lines = (f"--{boundary}", f"Content-Disposition: {disposition}", *headers, "", "")
    return "\r\n".join(lines).encode() + content + f"\r\n--{boundary}--\r\n".encode()


def head(ready: SandboxReady, headers: dict[str, str], *, path: str | None = None) -> bytes:
    lines = [
        f"POST {path or upload_path(ready)} HTTP/1.1",
        f"Host: {urlsplit(ready.base_url).netloc}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(ready: SandboxReady) -> socket.socket:
    parts = urlsplit(ready.base_url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 0), timeout=20)


def read_answer(connection: socket.socket) -> Answer:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, dict(response.headers), response.read())


def upload(
    ready: SandboxReady,
    body: bytes,
    *,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    path: str | None = None,
    **headers: str,
) -> Answer:
    """Upload a whole body; keyword headers are added, underscores become hyphens."""
    sent = {
        **signed_headers(ready, path=path),
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    with connect(ready) as connection:
        connection.sendall(head(ready, sent, path=path) + body)
        return read_answer(connection)


def fetch(url: str, *, method: str = "GET", data: bytes | None = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def stored(ready: SandboxReady) -> bytes | None:
    """The stored list, None before the first."""
    answer = fetch(f"{ready.base_url}/_sandbox/list")
    return answer.body if answer.status == 200 else None


def plan(ready: SandboxReady, *faults: dict[str, Any]) -> None:
    body = json.dumps(list(faults)).encode()
    assert 200 == fetch(f"{ready.base_url}/_sandbox/faults", method="POST", data=body).status


def requests(ready: SandboxReady) -> list[dict[str, Any]]:
    answer = fetch(f"{ready.base_url}/_sandbox/requests")
    found: list[dict[str, Any]] = json.loads(answer.body)["requests"]
    return found


def last_request(ready: SandboxReady) -> dict[str, Any]:
    """The last request, once the server has done with it."""
    until = time.monotonic() + 20
    while not (entry := requests(ready)[-1])["done"]:
        assert time.monotonic() < until, "the server does not end the request"
    return entry
