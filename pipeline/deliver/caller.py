"""How this room reaches a service: through a caller that is handed in."""

from __future__ import annotations

from typing import Protocol

from pipeline.wire.json_message import JsonAnswer, JsonRequest
from pipeline.wire.pacing import Pacer

__all__ = ["JsonCaller"]


class JsonCaller(Protocol):
    """Sends requests to one service; retries, deadlines and credentials are its own affair."""

    async def call(self, request: JsonRequest, *, pacer: Pacer | None = None) -> JsonAnswer:
        """The answer that counts; raises a `BatchpubError` when there is none."""
        ...

    async def pause(self, seconds: float, *, why: str) -> None:
        """Wait; raises TryLaterError when the deadline would pass."""
        ...
