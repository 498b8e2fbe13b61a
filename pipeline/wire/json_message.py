"""What goes to and comes from a JSON API: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["JsonAnswer", "JsonRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRequest:
    """One request.

    Args:
        method: ``GET``, ``POST``, ``PATCH`` or ``DELETE``, upper case.
        target: A path with its query, percent-encoded, below the API's base address; or an absolute
            address on the same scheme, host and port.
        body: The bytes to send, already JSON; None for no body. Exactly these are sent.
        expected: Statuses besides 2xx that the caller wants as an answer instead of an error.
    """

    method: str
    target: str
    body: bytes | None = field(default=None, repr=False)
    expected: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonAnswer:
    """One answer, read whole.

    Args:
        status: 2xx, or one of the request's ``expected``.
        headers: Names in lower case, first value of each.
        value: The parsed body; None when it is empty. Numbers beyond 64 bits are floats.
        attempts: How many requests it took.
        uncertain: Whether an earlier attempt may have taken effect too.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    value: Any = field(repr=False)
    attempts: int = 1
    uncertain: bool = False
