"""What clients asked for: the request log that tests and people read."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from aiohttp import web

__all__ = ["ENTRY", "Entry", "Journal"]

_KEPT: Final = 1_000
_MASKED: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request; it changes until `done`. No status and done: no answer was given."""

    number: int
    started_at: float
    method: str
    path: str
    headers: list[tuple[str, str]]
    status: int | None = None
    authorized: bool | None = None
    body_bytes: int = 0
    stored: bool = False
    fault: str | None = None
    reason: str | None = None
    done: bool = False


ENTRY: Final = web.RequestKey("entry", Entry)


class Journal:
    """The last thousand requests, oldest first; secrets are masked before they get here."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._count = 0

    def begin(self, request: web.Request) -> Entry:
        """Note a request whose headers have come."""
        self._count += 1
        entry = Entry(
            number=self._count,
            started_at=time.time(),
            method=request.method,
            path=request.path_qs,
            headers=[(name, _masked(name, value)) for name, value in request.headers.items()],
        )
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget all requests; the numbers go on."""
        self._entries.clear()

    def as_list(self) -> list[dict[str, Any]]:
        """The requests as JSON values."""
        return [asdict(entry) for entry in self._entries]


def _masked(name: str, value: str) -> str:
    if name.lower() not in _MASKED:
        return value
    # The word and the public key help to find a mistake; the digest is worth money for 5 s.
    head, colon, _ = value.rpartition(":")
    return f"{head}:***" if colon else "***"
