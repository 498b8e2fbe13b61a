"""Reading answers off aiohttp: headers as plain values, and a little of the text."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from pipeline.limits import MAX_ANSWER
from pipeline.transfer.failures import FOREIGN

__all__ = ["first_values", "read_text"]

# A status is all that is needed; its text is worth this many seconds.
_TEXT_S: Final = 10.0


def first_values(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Header values by name in lower case; of repeated headers the first."""
    values: dict[str, str] = {}
    for name, value in response.headers.items():
        values.setdefault(name.lower(), value)
    return values


async def read_text(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the answer's body; one that breaks off or lingers changes nothing."""
    text = bytearray()
    try:
        async with asyncio.timeout(_TEXT_S):
            while len(text) < MAX_ANSWER and (chunk := await response.content.readany()):
                text += chunk
    except FOREIGN:
        return bytes(text[:MAX_ANSWER])
    return bytes(text[:MAX_ANSWER])
